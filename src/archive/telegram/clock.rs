//! From what Telegram Desktop writes for a time to an instant.
//!
//! Since 3.7.6 JSON holds the UTC second and nothing has to be guessed. Before, and for the times
//! of reactions in every version, only the exporting computer's wall clock stands there. HTML
//! prints the wall clock with an offset that is the zone's *standard* one even in summer (the
//! exporter calls `QTimeZone::displayName(StandardTime)`): it names the zone, it does not shift
//! the time. Times without any zone use the one of the plan; the hour that happens twice in
//! autumn is settled by the order of messages.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::model::time::{Precision, SentAt, UnixMillis, ZoneBasis};

/// A day: the margin around a change of offset inside which the zone is asked each time.
const DAY_S: i64 = 86_400;

/// How far back the clock may jump between two messages without being turned back: migrated
/// groups begin up to some seconds before their predecessor's end.
const JITTER_S: i64 = 60;

/// A year in which the newest rules of every zone hold.
const LATEST_RULES: i16 = 2037;

/// Turns wall-clock times into instants, in the order of a chat's messages.
#[derive(Debug)]
pub(super) struct WallClock {
    zone: TimeZone,
    /// Wall-clock seconds within which the offset is the same, and the offset.
    steady: Option<(i64, i64, i64)>,
    /// The instant of the message before, in seconds.
    last: Option<i64>,
    /// Whether the export shows times of another zone than the plan's.
    foreign: bool,
    /// The year and standard offset that were looked at last.
    named: Option<(i16, i32)>,
}

impl WallClock {
    /// A clock of the plan's zone.
    pub(super) fn new(zone: TimeZone) -> Self {
        Self { zone, steady: None, last: None, foreign: false, named: None }
    }

    /// Whether the export contradicted the plan's zone.
    pub(super) fn is_foreign(&self) -> bool {
        self.foreign
    }

    /// The second of the message before.
    pub(super) fn last_second(&self) -> Option<i64> {
        self.last
    }

    /// The instant of a message that has its UTC second.
    pub(super) fn stated(&mut self, second: i64) -> SentAt {
        self.last = Some(second);
        Self::instant(second)
    }

    /// A UTC second that is written as one.
    pub(super) fn instant(second: i64) -> SentAt {
        SentAt {
            at: UnixMillis(second.saturating_mul(1000)),
            precision: Precision::Second,
            zone: ZoneBasis::Stated,
            local: None,
        }
    }

    /// The instant of a message that has only its wall-clock time, and the order it stands in.
    pub(super) fn message(&mut self, local: DateTime) -> SentAt {
        let (second, zone) = self.resolve(local, self.last.map(|last| last - JITTER_S));
        self.last = Some(second);
        sent_at(second, zone, local)
    }

    /// The instant of something that is not part of the order: an edit, a forwarded original.
    pub(super) fn aside(&mut self, local: DateTime, not_before: Option<i64>) -> SentAt {
        let (second, zone) = self.resolve(local, not_before);
        sent_at(second, zone, local)
    }

    /// The beginning of a day, for lines that show no time.
    pub(super) fn day(&mut self, local: DateTime) -> SentAt {
        let (second, zone) = self.resolve(local, None);
        SentAt { precision: Precision::Day, ..sent_at(second, zone, local) }
    }

    /// The instant of a reaction, which is written as wall-clock time only. A message that shows
    /// both forms tells whether the exporting computer was in the plan's zone; if not, its own
    /// offset is the better guess.
    pub(super) fn reaction(
        &mut self,
        local: DateTime,
        message_local: Option<DateTime>,
        message_second: i64,
    ) -> SentAt {
        let observed = message_local.map(|wall| wall_second(wall) - message_second);
        let expected = Timestamp::from_second(message_second)
            .map(|at| i64::from(self.zone.to_offset(at).seconds()))
            .ok();
        match observed {
            Some(offset) if Some(offset) != expected => {
                self.foreign = true;
                sent_at(wall_second(local) - offset, ZoneBasis::Assumed, local)
            }
            Some(_) | None => self.aside(local, Some(message_second)),
        }
    }

    /// Takes note of the standard offset that an HTML time names, and changes the zone if the
    /// plan's has another one. The exporter may print the offset of its own day beside a time
    /// of a year in which the zone had another, so both are looked at.
    pub(super) fn named_offset(&mut self, year: i16, standard_s: i32) {
        if self.named == Some((year, standard_s)) {
            return;
        }
        self.named = Some((year, standard_s));
        let fits = |year| standard_offset(&self.zone, year) == Some(standard_s);
        if fits(year) || fits(LATEST_RULES) {
            return;
        }
        self.foreign = true;
        self.steady = None;
        self.zone = zone_of_standard_offset(standard_s);
    }

    fn resolve(&mut self, local: DateTime, not_before: Option<i64>) -> (i64, ZoneBasis) {
        let wall = wall_second(local);
        if let Some((from, until, offset)) = self.steady
            && (from..until).contains(&wall)
        {
            return (wall - offset, ZoneBasis::Assumed);
        }
        match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => {
                let offset = i64::from(offset.seconds());
                self.steady = self.steady_around(wall - offset, offset);
                (wall - offset, ZoneBasis::Assumed)
            }
            // The clock was put forward over this time: read it as if it had not been.
            AmbiguousOffset::Gap { before, .. } => {
                (wall - i64::from(before.seconds()), ZoneBasis::AssumedImpossible)
            }
            AmbiguousOffset::Fold { before, after } => {
                let earlier = wall - i64::from(before.seconds());
                let later = wall - i64::from(after.seconds());
                let second =
                    if not_before.is_some_and(|least| earlier < least) { later } else { earlier };
                (second, ZoneBasis::AssumedAmbiguous)
            }
        }
    }

    fn steady_around(&self, second: i64, offset: i64) -> Option<(i64, i64, i64)> {
        let at = Timestamp::from_second(second).ok()?;
        let from = self.zone.preceding(at).next().map(|t| t.timestamp().as_second() + DAY_S);
        let until = self.zone.following(at).next().map(|t| t.timestamp().as_second() - DAY_S);
        Some((
            from.unwrap_or(i64::MIN / 2) + offset,
            until.unwrap_or(i64::MAX / 2) + offset,
            offset,
        ))
    }
}

fn sent_at(second: i64, zone: ZoneBasis, local: DateTime) -> SentAt {
    SentAt {
        at: UnixMillis(second.saturating_mul(1000)),
        precision: Precision::Second,
        zone,
        local: Some(local.to_string()),
    }
}

/// The wall clock read as if it were UTC.
fn wall_second(local: DateTime) -> i64 {
    let since: SignedDuration = local.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
    since.as_secs()
}

/// `2024-07-15T14:00:00`; anything after the seconds is ignored.
pub(super) fn parse_local(text: &str) -> Option<DateTime> {
    let bytes = text.as_bytes();
    let shape = bytes.get(..19)?;
    if shape.get(4) != Some(&b'-') || shape.get(7) != Some(&b'-') || shape.get(13) != Some(&b':') {
        return None;
    }
    let year = i16::try_from(number(shape, 0, 4)?).ok()?;
    date_time(year, [5, 8, 11, 14, 17].map(|at| number(shape, at, 2)))
}

/// `15.07.2024 14:00:00` and, if it stands there, the standard offset in seconds that
/// `UTC+01:00` names.
pub(super) fn parse_html(text: &str) -> Option<(DateTime, Option<i32>)> {
    let shape = text.as_bytes();
    if shape.get(2) != Some(&b'.') || shape.get(5) != Some(&b'.') {
        return None;
    }
    let year = i16::try_from(number(shape, 6, 4)?).ok()?;
    let local = date_time(year, [3, 0, 11, 14, 17].map(|at| number(shape, at, 2)))?;
    let offset = text.get(19..).unwrap_or_default().trim().strip_prefix("UTC").and_then(offset);
    Some((local, offset))
}

/// `+05:30` in seconds; nothing at all is zero.
fn offset(text: &str) -> Option<i32> {
    if text.is_empty() {
        return Some(0);
    }
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' | '\u{2212}' => -1,
        _ => return None,
    };
    let digits = text.trim_start_matches(['+', '-', '\u{2212}']);
    let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "0"));
    let hours: i32 = hours.parse().ok().filter(|hours| *hours <= 24)?;
    let minutes: i32 = minutes.parse().ok().filter(|minutes| *minutes < 60)?;
    Some(sign * (hours * 3600 + minutes * 60))
}

fn date_time(year: i16, parts: [Option<i32>; 5]) -> Option<DateTime> {
    let [month, day, hour, minute, second] = parts;
    let small = |part: Option<i32>| i8::try_from(part?).ok();
    DateTime::new(year, small(month)?, small(day)?, small(hour)?, small(minute)?, small(second)?, 0)
        .ok()
}

fn number(bytes: &[u8], at: usize, length: usize) -> Option<i32> {
    let mut value = 0;
    for byte in bytes.get(at..at + length)? {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i32::from(byte - b'0');
    }
    Some(value)
}

/// The offset outside summer time, as Qt understands it: the lesser of January's and July's.
fn standard_offset(zone: &TimeZone, year: i16) -> Option<i32> {
    [1, 7]
        .into_iter()
        .filter_map(|month| {
            let at = DateTime::new(year, month, 1, 12, 0, 0, 0).ok()?;
            let at = zone.to_ambiguous_timestamp(at).compatible().ok()?;
            Some(zone.to_offset(at).seconds())
        })
        .min()
}

/// The likeliest zone of a standard offset for the people this program serves. Where no zone
/// with summer time suggests itself, the offset is taken as it is.
fn zone_of_standard_offset(standard_s: i32) -> TimeZone {
    let name = match standard_s {
        0 => Some("Europe/London"),
        3_600 => Some("Europe/Paris"),
        7_200 => Some("Europe/Kyiv"),
        -18_000 => Some("America/New_York"),
        -21_600 => Some("America/Chicago"),
        -28_800 => Some("America/Los_Angeles"),
        _ => None,
    };
    name.and_then(|name| TimeZone::get(name).ok())
        .or_else(|| Offset::from_seconds(standard_s).ok().map(TimeZone::fixed))
        .unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(zone: &str) -> WallClock {
        WallClock::new(TimeZone::get(zone).unwrap())
    }

    fn second(at: &SentAt) -> i64 {
        at.at.0 / 1000
    }

    #[test]
    fn the_printed_offset_is_the_standard_one() {
        let mut paris = clock("Europe/Paris");
        let (local, offset) = parse_html("15.07.2024 14:00:00 UTC+01:00").unwrap();
        paris.named_offset(local.year(), offset.unwrap());
        assert!(!paris.is_foreign());
        assert_eq!(second(&paris.message(local)), 1_721_044_800); // 12:00 UTC, not 13:00
        let mut plan_is_wrong = clock("Europe/Paris");
        let (local, offset) = parse_html("15.07.2024 15:00:00 UTC+02:00").unwrap();
        plan_is_wrong.named_offset(local.year(), offset.unwrap());
        assert!(plan_is_wrong.is_foreign());
        assert_eq!(second(&plan_is_wrong.message(local)), 1_721_044_800);
        let mut kolkata = clock("Asia/Kolkata");
        let (local, offset) = parse_html("15.07.2024 17:30:00 UTC+05:30").unwrap();
        kolkata.named_offset(local.year(), offset.unwrap());
        assert!(!kolkata.is_foreign());
        assert_eq!(second(&kolkata.message(local)), 1_721_044_800);
    }

    #[test]
    fn a_zone_that_changed_its_standard_time_is_still_itself() {
        let mut istanbul = clock("Europe/Istanbul");
        for (text, second_of) in [
            ("15.01.2014 14:00:00 UTC+03:00", 1_389_787_200), // UTC+2 in that winter
            ("15.01.2024 14:00:00 UTC+03:00", 1_705_316_400),
        ] {
            let (local, offset) = parse_html(text).unwrap();
            istanbul.named_offset(local.year(), offset.unwrap());
            assert_eq!(second(&istanbul.message(local)), second_of);
        }
        assert!(!istanbul.is_foreign());
    }

    #[test]
    fn the_autumn_hour_is_settled_by_order() {
        let mut paris = clock("Europe/Paris");
        let times: Vec<_> =
            ["01:59:00", "02:10:00", "02:50:00", "02:05:00", "02:50:00", "03:00:00"]
                .iter()
                .map(|time| parse_local(&format!("2025-10-26T{time}")).unwrap())
                .map(|local| paris.message(local))
                .collect();
        let seconds: Vec<_> = times.iter().map(second).collect();
        assert!(seconds.is_sorted(), "{seconds:?}");
        assert_eq!(seconds.last().unwrap() - seconds.first().unwrap(), 7_260);
        assert_eq!(times[1].zone, ZoneBasis::AssumedAmbiguous);
        assert_eq!(times[5].zone, ZoneBasis::Assumed);
        let gap = paris.message(parse_local("2025-03-30T02:30:00").unwrap());
        assert_eq!(gap.zone, ZoneBasis::AssumedImpossible);
    }

    #[test]
    fn reactions_follow_the_computers_own_offset() {
        let mut paris = clock("Europe/Paris");
        let local = |text| parse_local(text).unwrap();
        // Message at 12:00 UTC, written as 15:00 in Kyiv's summer.
        let at = paris.reaction(
            local("2024-07-15T15:10:00"),
            Some(local("2024-07-15T15:00:00")),
            1_721_044_800,
        );
        assert_eq!(second(&at), 1_721_045_400);
        assert!(paris.is_foreign());
    }

    #[test]
    fn hostile_dates_are_refused() {
        for text in
            ["", "2024-13-01T00:00:00", "2024-01-01", "é024-01-01T00:00:00", "2024-02-30T00:00:00"]
        {
            assert_eq!(parse_local(text), None, "{text}");
            assert_eq!(parse_html(text), None, "{text}");
        }
        assert_eq!(parse_html("15.07.2024 14:00:00").unwrap().1, None);
        assert_eq!(parse_html("15.07.2024 14:00:00 UTC").unwrap().1, Some(0));
        assert_eq!(parse_html("15.07.2024 14:00:00 UTC-03:30").unwrap().1, Some(-12_600));
    }
}
