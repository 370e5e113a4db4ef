//! The hours of the week in which imports leave the homeserver alone.

use std::time::Duration;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// Windows looked at when time is added up: more than a year of two a day.
const FURTHEST: usize = 1_000;

/// Windows of the week, in one time zone. None is every hour free.
#[derive(Clone, Debug)]
pub struct QuietHours {
    windows: Vec<Window>,
    zone: TimeZone,
}

#[derive(Clone, Debug)]
struct Window {
    /// The days it begins on.
    days: Vec<Weekday>,
    from: Time,
    /// Not after `from` is the next day.
    to: Time,
}

const WEEK: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

impl QuietHours {
    /// No rest at all.
    pub fn none() -> Self {
        Self { windows: Vec::new(), zone: TimeZone::UTC }
    }

    /// Whether there is no rest at all.
    pub fn is_none(&self) -> bool {
        self.windows.is_empty()
    }

    /// Reads `08:00-19:00`, `mon-fri 08:00-19:00`, `22:00-06:00`, and several of them with
    /// commas between; nothing is no rest. `None` when the text is none of these, or leaves no
    /// hour of the week free.
    pub fn parse(text: &str, zone: TimeZone) -> Option<Self> {
        let windows = text
            .split(',')
            .map(str::trim)
            .filter(|piece| !piece.is_empty())
            .map(window)
            .collect::<Option<Vec<_>>>()?;
        let hours = Self { windows, zone };
        // Any week shows it: the fifth of January 1970 was a Monday.
        let monday = Timestamp::from_second(4 * 86_400).unwrap_or(Timestamp::UNIX_EPOCH);
        let end = hours.until(monday).unwrap_or(monday);
        (end.duration_since(monday) < SignedDuration::from_hours(7 * 24)).then_some(hours)
    }

    /// When the rest ends that `now` lies in; `None` when imports may work.
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        let mut end = None;
        let mut at = now;
        // Windows may meet, or overlap; a week of them is looked at, as far as `spans` reaches.
        for _ in 0..self.windows.len().saturating_mul(8) {
            let Some(later) = self.spans(at).filter(|(from, to)| *from <= at && at < *to).max()
            else {
                break;
            };
            at = later.1;
            end = Some(at);
        }
        end
    }

    /// When `work` is done that begins at `from` and stops in every rest.
    pub fn end_of(&self, from: Timestamp, work: Duration) -> Timestamp {
        let mut left = SignedDuration::try_from(work).unwrap_or(SignedDuration::MAX);
        let mut at = from;
        for _ in 0..FURTHEST {
            at = self.until(at).unwrap_or(at);
            let next = self.spans(at).map(|(start, _)| start).filter(|start| *start > at).min();
            match next.map(|next| (next, next.duration_since(at))) {
                Some((next, free)) if free < left => {
                    left = left.saturating_sub(free);
                    at = next;
                }
                _ => break,
            }
        }
        at.checked_add(left).unwrap_or(Timestamp::MAX)
    }

    /// The windows from yesterday to a week ahead, as instants.
    fn spans(&self, now: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> + '_ {
        let today = now.to_zoned(self.zone.clone()).date();
        self.windows.iter().flat_map(move |window| {
            (-1..=8).filter_map(move |offset: i32| {
                let day = today.checked_add(offset.days()).ok()?;
                if !window.days.contains(&day.weekday()) {
                    return None;
                }
                let last = if window.to > window.from { day } else { day.tomorrow().ok()? };
                Some((self.instant(day, window.from)?, self.instant(last, window.to)?))
            })
        })
    }

    /// A wall-clock time that does not exist, or comes twice, is taken as clocks take it.
    fn instant(&self, day: Date, time: Time) -> Option<Timestamp> {
        Some(day.to_datetime(time).to_zoned(self.zone.clone()).ok()?.timestamp())
    }
}

fn window(text: &str) -> Option<Window> {
    let (days, hours) = match text.split_once(' ') {
        Some((days, hours)) => (weekdays(days)?, hours.trim()),
        None => (WEEK.map(|(_, day)| day).to_vec(), text),
    };
    let (from, to) = hours.split_once('-')?;
    let time = |text: &str| Time::strptime("%H:%M", text.trim()).ok();
    Some(Window { days, from: time(from)?, to: time(to)? })
}

/// `sat`, or `mon-fri`, also across the end of the week.
fn weekdays(text: &str) -> Option<Vec<Weekday>> {
    let place = |name: &str| WEEK.iter().position(|(short, _)| name.eq_ignore_ascii_case(short));
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (place(first)?, place(last)?);
    let count = (last + 7 - first) % 7;
    Some(WEEK.iter().cycle().skip(first).take(count + 1).map(|(_, day)| *day).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hours(text: &str) -> QuietHours {
        QuietHours::parse(text, TimeZone::get("Europe/Paris").unwrap()).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for text in ["8-19", "08:00", "08:00-25:00", "lundi 08:00-19:00", "mon 08:00-19:00;"] {
            assert!(QuietHours::parse(text, TimeZone::UTC).is_none(), "{text}");
        }
        // Nothing would ever be imported.
        let hourly: Vec<String> =
            (0..24).map(|hour| format!("{hour:02}:00-{:02}:00", (hour + 1) % 24)).collect();
        assert!(QuietHours::parse(&hourly.join(","), TimeZone::UTC).is_none());
        for text in ["00:00-00:00", "00:00-12:00, 12:00-00:00", "08:00-19:00,18:00-09:00"] {
            assert!(QuietHours::parse(text, TimeZone::UTC).is_none(), "{text}");
        }
        assert!(
            QuietHours::parse("", TimeZone::UTC)
                .unwrap()
                .until(at("2026-01-01T00:00:00Z"))
                .is_none()
        );
    }

    #[test]
    fn office_hours_are_rest_on_office_days_in_their_own_zone() {
        let office = hours("mon-fri 08:00-19:00");
        // Tuesday; Paris is an hour ahead in winter, two in summer.
        assert_eq!(office.until(at("2026-11-24T06:59:59Z")), None);
        assert_eq!(office.until(at("2026-11-24T07:00:00Z")), Some(at("2026-11-24T18:00:00Z")));
        assert_eq!(office.until(at("2026-11-24T18:00:00Z")), None);
        assert_eq!(office.until(at("2026-07-21T06:00:00Z")), Some(at("2026-07-21T17:00:00Z")));
        // Saturday.
        assert_eq!(office.until(at("2026-11-28T10:00:00Z")), None);
    }

    #[test]
    fn windows_pass_midnight_and_may_meet() {
        let night = hours("22:00-06:00");
        assert_eq!(night.until(at("2026-11-24T23:30:00Z")), Some(at("2026-11-25T05:00:00Z")));
        assert_eq!(night.until(at("2026-11-24T03:00:00Z")), Some(at("2026-11-24T05:00:00Z")));
        let both = hours("08:00-12:00, 12:00-19:00");
        assert_eq!(both.until(at("2026-11-24T08:00:00Z")), Some(at("2026-11-24T18:00:00Z")));
        let weekend = hours("sat-sun 00:00-00:00");
        assert_eq!(weekend.until(at("2026-11-28T08:00:00Z")), Some(at("2026-11-29T23:00:00Z")));
    }

    #[test]
    fn work_goes_on_after_each_rest() {
        let office = hours("08:00-19:00");
        let hour = Duration::from_hours(1);
        // 05:00 Paris: three hours free, then the rest of it after 19:00.
        let start = at("2026-11-24T04:00:00Z");
        assert_eq!(office.end_of(start, hour), at("2026-11-24T05:00:00Z"));
        assert_eq!(office.end_of(start, 4 * hour), at("2026-11-24T19:00:00Z"));
        assert_eq!(office.end_of(start, 20 * hour), at("2026-11-25T22:00:00Z"));
        assert_eq!(QuietHours::none().end_of(start, 4 * hour), at("2026-11-24T08:00:00Z"));
    }

    proptest! {
        #[test]
        fn work_never_ends_early_and_more_work_ends_later(
            from in 0_i64..2_000_000_000, work in 0_u64..400_000, more in 1_u64..100_000
        ) {
            let office = hours("mon-fri 08:00-12:00, 13:30-19:00, sun 22:00-06:00");
            let from = Timestamp::from_second(from).unwrap();
            let end = office.end_of(from, Duration::from_secs(work));
            prop_assert!(end.duration_since(from).as_secs() >= i64::try_from(work).unwrap());
            prop_assert!(office.end_of(from, Duration::from_secs(work + more)) > end);
        }

        #[test]
        fn a_rest_ends_in_a_free_moment(now in 0_i64..2_000_000_000) {
            let office = hours("mon-fri 08:00-12:00, 12:00-19:00, sun 22:00-06:00");
            let now = Timestamp::from_second(now).unwrap();
            if let Some(end) = office.until(now) {
                prop_assert!(end > now);
                prop_assert_eq!(office.until(end), None);
            }
        }
    }
}
