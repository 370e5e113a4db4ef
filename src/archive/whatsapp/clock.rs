//! From a wall clock to an instant: the zone, the hour that happens twice, the one that does not.
//!
//! An export writes every message in the zone the phone had when exporting and does not name
//! that zone; the plan does. Which number of a header is the day is decided in `order`.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use crate::model::time::{Precision, SentAt, UnixMillis, ZoneBasis};

/// A wall-clock time as a header shows it, in the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Local {
    pub year: i16,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
}

impl Local {
    /// Days since 1970-01-01.
    pub fn days(self) -> i64 {
        // Howard Hinnant's days_from_civil, with years beginning in March.
        let year = i64::from(self.year) - i64::from(self.month <= 2);
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let month = (i64::from(self.month) + 9) % 12;
        let of_year = (153 * month + 2) / 5 + i64::from(self.day) - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }

    /// Seconds since 1970-01-01 on a clock that never changes.
    pub fn seconds(self) -> i64 {
        self.days() * 86_400 + self.seconds_of_day()
    }

    /// Seconds since midnight.
    pub fn seconds_of_day(self) -> i64 {
        i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second)
    }

    /// Whether the calendar has that day.
    pub fn exists(self) -> bool {
        self.month >= 1
            && self.day >= 1
            && self.month <= 12
            && (self.day <= 28 || self.day <= days_of_month(self.year, self.month))
    }

    fn date(self) -> Option<Date> {
        Date::new(self.year, i8::try_from(self.month).ok()?, i8::try_from(self.day).ok()?).ok()
    }

    /// `2025-10-26T02:30:00`.
    pub fn text(self) -> String {
        let mut text = String::with_capacity(19);
        push_number(&mut text, self.year.unsigned_abs() / 100);
        push_number(&mut text, self.year.unsigned_abs() % 100);
        for (before, value) in [
            ('-', self.month),
            ('-', self.day),
            ('T', self.hour),
            (':', self.minute),
            (':', self.second),
        ] {
            text.push(before);
            push_number(&mut text, u16::from(value));
        }
        text
    }
}

fn push_number(text: &mut String, value: u16) {
    for digit in [value / 10 % 10, value % 10] {
        text.push(char::from(b'0' + u8::try_from(digit).unwrap_or(0)));
    }
}

fn days_of_month(year: i16, month: u8) -> u8 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// A day, and its one offset in seconds if it has only one.
#[derive(Clone, Copy, Debug)]
struct Day {
    date: (i16, u8, u8),
    midnight_s: i64,
    offset_s: Option<i64>,
}

/// Turns wall-clock times into instants, in the order of the file.
#[derive(Debug)]
pub(super) struct WallClock {
    zone: TimeZone,
    precision: Precision,
    /// The day last asked about.
    day: Option<Day>,
    /// The last time inside a repeated hour, and whether that hour is in its second pass.
    repeated: Option<(Local, bool)>,
}

/// The model's moment.
pub(super) fn sent_at(
    local: Local,
    at: UnixMillis,
    zone: ZoneBasis,
    precision: Precision,
) -> SentAt {
    SentAt { at, precision, zone, local: Some(local.text()) }
}

/// Within a repeated hour, a step back by more than this is the clock, not the queue.
const STEP_BACK_S: i64 = 30 * 60;

impl WallClock {
    /// A clock for one reading of one file.
    pub fn new(zone: TimeZone, precision: Precision) -> Self {
        Self { zone, precision, day: None, repeated: None }
    }

    /// The instant of a wall-clock time.
    pub fn instant(&mut self, local: Local) -> (UnixMillis, ZoneBasis) {
        let date = (local.year, local.month, local.day);
        let day = match self.day {
            Some(day) if day.date == date => day,
            _ => {
                let midnight_s = local.days() * 86_400;
                let day = Day { date, midnight_s, offset_s: self.offset_of_day(local) };
                self.day = Some(day);
                day
            }
        };
        let (offset, basis) = match day.offset_s {
            Some(offset) => (offset, ZoneBasis::Assumed),
            None => self.offset_of_moment(local),
        };
        (UnixMillis((day.midnight_s + local.seconds_of_day() - offset) * 1000), basis)
    }

    /// How fine its times are.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The offset in seconds that the whole day has, if it has one.
    fn offset_of_day(&self, local: Local) -> Option<i64> {
        let date = local.date()?;
        let midnight =
            |date: Date| match self.zone.to_ambiguous_timestamp(date.at(0, 0, 0, 0)).offset() {
                AmbiguousOffset::Unambiguous { offset } => Some(offset),
                AmbiguousOffset::Gap { .. } | AmbiguousOffset::Fold { .. } => None,
            };
        let first = midnight(date)?;
        let last = midnight(date.tomorrow().ok()?)?;
        (first == last).then(|| i64::from(first.seconds()))
    }

    fn offset_of_moment(&mut self, local: Local) -> (i64, ZoneBasis) {
        let seconds = |offset: Offset| i64::from(offset.seconds());
        let moment = local.date().and_then(|date| {
            let part = |value: u8| i8::try_from(value).unwrap_or(0);
            let second = part(local.second).min(59);
            let time = Time::new(part(local.hour), part(local.minute), second, 0).ok()?;
            Some(DateTime::from_parts(date, time))
        });
        let Some(moment) = moment else { return (0, ZoneBasis::AssumedImpossible) };
        match self.zone.to_ambiguous_timestamp(moment).offset() {
            AmbiguousOffset::Unambiguous { offset } => (seconds(offset), ZoneBasis::Assumed),
            AmbiguousOffset::Gap { before, .. } => (seconds(before), ZoneBasis::AssumedImpossible),
            AmbiguousOffset::Fold { before, after } => {
                let second_pass = match self.repeated {
                    Some((last, second_pass)) if last.days() == local.days() => {
                        second_pass || last.seconds() - local.seconds() > STEP_BACK_S
                    }
                    _ => false,
                };
                self.repeated = Some((local, second_pass));
                let offset = if second_pass { after } else { before };
                (seconds(offset), ZoneBasis::AssumedAmbiguous)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(text: &str) -> Local {
        let moment: DateTime = text.parse().unwrap();
        let part = |value: i8| u8::try_from(value).unwrap();
        Local {
            year: moment.year(),
            month: part(moment.month()),
            day: part(moment.day()),
            hour: part(moment.hour()),
            minute: part(moment.minute()),
            second: part(moment.second()),
        }
    }

    fn instants(times: &[&str]) -> Vec<(String, ZoneBasis)> {
        let zone = TimeZone::get("Europe/Paris").unwrap();
        let mut clock = WallClock::new(zone, Precision::Minute);
        times
            .iter()
            .map(|time| {
                let (at, basis) = clock.instant(local(time));
                (at.to_string(), basis)
            })
            .collect()
    }

    #[test]
    fn days_agree_with_the_calendar() {
        for text in ["1970-01-01T00:00", "2000-02-29T00:00", "2024-12-31T23:59", "1969-12-31T00:00"]
        {
            let moment: DateTime = text.parse().unwrap();
            let seconds = moment.to_zoned(TimeZone::UTC).unwrap().timestamp().as_second();
            assert_eq!(local(text).seconds(), seconds, "{text}");
            assert_eq!(local(text).text(), format!("{text}:00"));
        }
        assert!(!Local { month: 2, day: 30, ..local("2024-02-01T00:00") }.exists());
    }

    #[test]
    fn summer_and_winter() {
        assert_eq!(
            instants(&["2024-07-01T12:00", "2024-01-01T12:00"]),
            [
                ("2024-07-01T10:00:00Z".to_owned(), ZoneBasis::Assumed),
                ("2024-01-01T11:00:00Z".to_owned(), ZoneBasis::Assumed)
            ]
        );
    }

    #[test]
    fn the_repeated_hour_is_settled_by_order() {
        use ZoneBasis::{Assumed, AssumedAmbiguous};
        let found = instants(&[
            "2025-10-26T01:59",
            "2025-10-26T02:30",
            "2025-10-26T02:20",
            "2025-10-26T02:58",
            "2025-10-26T02:01",
            "2025-10-26T02:40",
            "2025-10-26T03:00",
        ]);
        let expected = [
            ("2025-10-25T23:59:00Z", Assumed),
            ("2025-10-26T00:30:00Z", AssumedAmbiguous),
            ("2025-10-26T00:20:00Z", AssumedAmbiguous),
            ("2025-10-26T00:58:00Z", AssumedAmbiguous),
            ("2025-10-26T01:01:00Z", AssumedAmbiguous),
            ("2025-10-26T01:40:00Z", AssumedAmbiguous),
            ("2025-10-26T02:00:00Z", Assumed),
        ];
        assert_eq!(found, expected.map(|(at, basis)| (at.to_owned(), basis)));
    }

    #[test]
    fn an_hour_that_never_was_says_so() {
        assert_eq!(
            instants(&["2025-03-30T02:30"]),
            [("2025-03-30T01:30:00Z".to_owned(), ZoneBasis::AssumedImpossible)]
        );
    }
}
