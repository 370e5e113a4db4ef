//! Which number of a date is the day, settled from the evidence of the whole file.
//!
//! The language of the app says nothing about it: a French app on a phone set to the United
//! States writes `3/27/22`. The evidence, strongest first, is in the README. What cannot be
//! settled is decided by what is common, and reported.

use super::clock::Local;
use super::grammar::{Era, HalfWord, Shape, Stamp};

/// The order of the three numbers of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DateOrder {
    /// 31/12/2024.
    DayMonthYear,
    /// 12/31/2024.
    MonthDayYear,
    /// 2024/12/31.
    YearMonthDay,
}

impl DateOrder {
    /// Every order, at the index that [`Evidence`] counts it under.
    pub const ALL: [Self; 3] = [Self::DayMonthYear, Self::MonthDayYear, Self::YearMonthDay];

    /// In words, for findings.
    pub const fn words(self) -> &'static str {
        match self {
            Self::DayMonthYear => "day-month-year",
            Self::MonthDayYear => "month-day-year",
            Self::YearMonthDay => "year-month-day",
        }
    }

    /// The wall-clock time of a header under this order; it may not exist.
    #[inline]
    pub fn local(self, stamp: &Stamp, era: Era) -> Local {
        let [a, b, c] = stamp.date;
        let (year, month, day) = match self {
            Self::DayMonthYear => (c, b, a),
            Self::MonthDayYear => (c, a, b),
            Self::YearMonthDay => (a, b, c),
        };
        let year = match era {
            Era::Common if year < 100 => year + 2000,
            Era::Common if year >= 2400 => year - 543,
            Era::Buddhist if year < 100 => year + 2500 - 543,
            Era::Buddhist => year.saturating_sub(543),
            Era::Reign(before) if year < 100 => before + year,
            Era::Common | Era::Reign(_) => year,
        };
        Local {
            year: i16::try_from(year).unwrap_or(i16::MAX),
            month: u8::try_from(month).unwrap_or(u8::MAX),
            day: u8::try_from(day).unwrap_or(u8::MAX),
            hour: stamp.hour,
            minute: stamp.minute,
            second: stamp.second,
        }
    }
}

/// The wall-clock seconds of a header under each order; `None` where there is no such day, or
/// the shape rules the order out.
pub(super) type Times = [Option<i64>; 3];

/// Reads headers in every order that their shape allows. Neighbours share their day, so the
/// last one is remembered.
#[derive(Debug)]
pub(super) struct Calendar {
    date: [u16; 3],
    midnights: Times,
}

impl Calendar {
    /// A calendar for headers of one shape.
    pub fn new() -> Self {
        Self { date: [u16::MAX; 3], midnights: [None; 3] }
    }

    /// The wall-clock seconds of a header under each order.
    #[inline]
    pub fn times(&mut self, stamp: &Stamp, shape: &Shape) -> Times {
        if stamp.date != self.date {
            self.date = stamp.date;
            let midnight = Stamp { hour: 0, minute: 0, second: 0, ..*stamp };
            self.midnights = times(&midnight, shape);
        }
        let of_day =
            i64::from(stamp.hour) * 3600 + i64::from(stamp.minute) * 60 + i64::from(stamp.second);
        self.midnights.map(|midnight| midnight.map(|midnight| midnight + of_day))
    }
}

fn times(stamp: &Stamp, shape: &Shape) -> Times {
    let mut times = [None; 3];
    let allowed = match shape.four_digits {
        [true, ..] => [false, false, true],
        [_, _, true] => [true, true, false],
        _ => [true; 3],
    };
    for ((time, order), allowed) in times.iter_mut().zip(DateOrder::ALL).zip(allowed) {
        if allowed {
            let local = order.local(stamp, shape.era);
            *time = local.exists().then(|| local.seconds());
        }
    }
    times
}

/// What speaks for and against each order.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    readings: [Reading; 3],
    dates: u64,
    /// Dates that are not the same day both ways.
    differing: u64,
}

#[derive(Clone, Debug, Default)]
struct Reading {
    /// Dates that do not exist.
    impossible: u64,
    /// Steps back in time by more than ten minutes.
    backward: u64,
    last_s: Option<i64>,
    /// Files whose name holds the very time of their message.
    exact_files: u64,
    /// Files whose name holds the day of their message.
    same_day_files: u64,
}

/// How far back a message may lie behind the one before it without being a step.
const JITTER_S: i64 = 10 * 60;

impl Evidence {
    /// Takes the header of one record into account.
    #[inline]
    pub fn see(&mut self, stamp: &Stamp, times: &Times) {
        self.dates += 1;
        self.differing += u64::from(stamp.date[0] != stamp.date[1]);
        for (reading, time) in self.readings.iter_mut().zip(times) {
            match *time {
                Some(now) => {
                    if reading.last_s.is_some_and(|last| now < last - JITTER_S) {
                        reading.backward += 1;
                    }
                    reading.last_s = Some(now);
                }
                None => reading.impossible += 1,
            }
        }
    }

    /// Takes the name of a file in a record into account: `00000035-PHOTO-2022-03-27-21-41-55.jpg`
    /// holds the time of the message itself, `IMG-20220323-WA0002.jpg` only the day the phone
    /// got it.
    pub fn see_file(&mut self, stamp: &Stamp, era: Era, body: &[u8]) {
        let Some(named) = dated_name(body) else { return };
        for (reading, order) in self.readings.iter_mut().zip(DateOrder::ALL) {
            let local = order.local(stamp, era);
            let same_day =
                (local.year, local.month, local.day) == (named.year, named.month, named.day);
            if named.has_time {
                reading.exact_files += u64::from(same_day);
            } else {
                reading.same_day_files += u64::from(same_day);
            }
        }
    }

    /// Whether file names are still worth reading.
    pub fn wants_files(&self) -> bool {
        let [first, second, _] = &self.readings;
        first.impossible == 0
            && second.impossible == 0
            && first.exact_files + second.exact_files < 50
    }

    /// The order, and why it is uncertain if it is.
    pub fn settle(&self, shape: &Shape) -> (DateOrder, Option<String>) {
        match shape.four_digits {
            [true, ..] => return (DateOrder::YearMonthDay, None),
            // Years of a reign stand first, as in `R4/03/27`.
            [false, false, false] if matches!(shape.era, Era::Reign(_)) => {
                return (DateOrder::YearMonthDay, None);
            }
            _ => {}
        }
        let [dmy, mdy, ymd] = &self.readings;
        let year_last = shape.four_digits[2];
        let year_first_likely = !year_last
            && (shape.spaced_dots()
                || shape.half == HalfWord::Before
                || (self.wrong(dmy) && self.wrong(mdy)));
        if year_first_likely && !self.wrong(ymd) && ymd.backward <= dmy.backward.min(mdy.backward) {
            return (DateOrder::YearMonthDay, None);
        }
        let (a, b) = (DateOrder::DayMonthYear, DateOrder::MonthDayYear);
        if dmy.impossible != mdy.impossible {
            let (order, loser, winner) =
                if dmy.impossible < mdy.impossible { (a, mdy, dmy) } else { (b, dmy, mdy) };
            let doubt = (winner.impossible * 20 > loser.impossible).then(|| {
                format!(
                    "{} dates exist only as {}, but {} exist only the other way round",
                    loser.impossible,
                    order.words(),
                    winner.impossible
                )
            });
            return (order, doubt);
        }
        if shape.dotted() {
            return (a, None);
        }
        if dmy.exact_files != mdy.exact_files {
            return (if dmy.exact_files > mdy.exact_files { a } else { b }, None);
        }
        if dmy.backward.abs_diff(mdy.backward) >= 1 {
            let (order, least, most) = if dmy.backward < mdy.backward {
                (a, dmy.backward, mdy.backward)
            } else {
                (b, mdy.backward, dmy.backward)
            };
            let doubt = (most - least < 3 || most < least * 2).then(|| {
                format!(
                    "no date settles it; read as {} because time then steps back {least} times, \
                     otherwise {most}",
                    order.words()
                )
            });
            return (order, doubt);
        }
        if dmy.same_day_files != mdy.same_day_files {
            let order = if dmy.same_day_files > mdy.same_day_files { a } else { b };
            let detail = format!("only file names speak for {}", order.words());
            return (order, Some(detail));
        }
        // Nothing speaks. Americans write neither zeros nor four digits, and capitals for PM.
        let american = shape.half == HalfWord::Capitals && !year_last;
        let order = if american { b } else { a };
        // If every date reads the same both ways there is nothing to be uncertain about.
        let doubt = (self.differing > 0)
            .then(|| format!("nothing in the file settles it; read as {}", order.words()));
        (order, doubt)
    }

    /// Whether an order makes nonsense of more than a few dates.
    fn wrong(&self, reading: &Reading) -> bool {
        reading.impossible * 20 > self.dates
    }
}

struct DatedName {
    year: i16,
    month: u8,
    day: u8,
    has_time: bool,
}

/// Finds a date in the name of a file: `-2022-03-27-21-41-55.` anywhere, or three letters and
/// `-20220323-WA` at the beginning.
fn dated_name(body: &[u8]) -> Option<DatedName> {
    let digits = |from: usize, count: usize| -> Option<u16> {
        body.get(from..from + count)?.iter().try_fold(0_u16, |value, byte| {
            byte.is_ascii_digit()
                .then(|| value.wrapping_mul(10).wrapping_add(u16::from(byte - b'0')))
        })
    };
    let name = |year, month, day, has_time| {
        Some(DatedName {
            year: i16::try_from(year?).ok()?,
            month: u8::try_from(month?).ok()?,
            day: u8::try_from(day?).ok()?,
            has_time,
        })
    };
    let window = body.len().min(512);
    for dash in memchr::memchr_iter(b'-', body.get(body.len() - window..)?) {
        let at = body.len() - window + dash + 1;
        // 2022-03-27-21-41-55.
        if body.get(at + 4) == Some(&b'-')
            && body.get(at + 7) == Some(&b'-')
            && body.get(at + 10) == Some(&b'-')
            && body.get(at + 19) == Some(&b'.')
            && digits(at, 4).is_some_and(|year| (2009..2100).contains(&year))
        {
            return name(digits(at, 4), digits(at + 5, 2), digits(at + 8, 2), true);
        }
        // 20220323-WA0002
        if body.get(at + 8..at + 11) == Some(b"-WA") {
            return name(digits(at, 4), digits(at + 4, 2), digits(at + 6, 2), false);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settle(lines: &[&str]) -> (DateOrder, bool) {
        let mut evidence = Evidence::default();
        let mut last = None;
        for line in lines {
            let (shape, stamp, at) = Shape::learn(line.as_bytes()).expect(line);
            evidence.see(&stamp, &times(&stamp, &shape));
            evidence.see_file(&stamp, shape.era, &line.as_bytes()[at..]);
            last = Some(shape);
        }
        let (order, doubt) = evidence.settle(&last.unwrap());
        (order, doubt.is_some())
    }

    #[test]
    fn a_day_past_twelve_settles_it() {
        use DateOrder::{DayMonthYear, MonthDayYear, YearMonthDay};
        for (lines, order) in [
            (["05/06/24, 09:00 - A: x", "13/06/24, 09:00 - A: x"], DayMonthYear),
            (["05/06/24, 09:00 - A: x", "06/13/24, 09:00 - A: x"], MonthDayYear),
            (["2024/05/06, 09:00 - A: x", "2024/06/05, 09:00 - A: x"], YearMonthDay),
            (["24. 5. 6. 오후 3:04 - A: x", "24. 12. 31. 오후 3:04 - A: x"], YearMonthDay),
        ] {
            assert_eq!(settle(&lines), (order, false));
        }
    }

    #[test]
    fn dots_mean_the_day_is_first() {
        let line = "03.10.23, 19:22 - A: x";
        assert_eq!(settle(&[line, "04.10.23, 08:12 - A: x"]), (DateOrder::DayMonthYear, false));
    }

    #[test]
    fn one_photo_settles_it() {
        let line =
            "[3/4/22 21:41:55] A: \u{200e}<attached: 00000035-PHOTO-2022-03-04-21-41-55.jpg>";
        assert_eq!(settle(&[line]), (DateOrder::MonthDayYear, false));
    }

    #[test]
    fn little_evidence_is_used_and_reported() {
        let lines = ["05/06/24, 09:00 - A: x", "06/05/24, 09:30 - B: x", "06/07/24, 10:00 - A: x"];
        assert_eq!(settle(&lines), (DateOrder::MonthDayYear, true));
        assert_eq!(settle(&["5/6/24, 9:00 AM - A: x"; 2]), (DateOrder::MonthDayYear, true));
        assert_eq!(settle(&["05/06/2024, 09:00 - A: x"; 2]), (DateOrder::DayMonthYear, true));
    }
}
