//! The first pass over a chat: the form of its headers, the order of its dates, who writes.
//!
//! Nothing is kept but counts and names, so the pass takes the same memory for any file. What it
//! learns makes the second pass (`walk`) a matter of looking things up.

use std::io::Read;

use memchr::{memchr_iter, memmem};

use super::clock::Local;
use super::framing::{Frame, Framer, Rules};
use super::grammar::{Shape, Stamp};
use super::order::{Calendar, DateOrder, Evidence, Times};
use super::senders::{Census, People};
use crate::archive::container::{Container, ContainerError, Entry};

/// What the second pass needs to know.
#[derive(Debug)]
pub(super) struct Learned {
    /// How records are told apart.
    pub rules: Rules,
    /// The date order of each of the rules' shapes.
    pub orders: Vec<DateOrder>,
    /// Why an order is uncertain, if one is.
    pub order_doubts: Vec<String>,
    /// Who writes.
    pub people: People,
    /// Whether every line break was made CR LF, by an editor or a transport.
    pub crlf_everywhere: bool,
}

impl Learned {
    /// The wall-clock time of a header; it may not exist.
    #[inline]
    pub fn local(&self, shape: usize, stamp: &Stamp) -> Option<Local> {
        let era = self.rules.shapes.get(shape)?.era;
        Some(self.orders.get(shape)?.local(stamp, era))
    }
}

/// How much of the file settles the form of its headers.
const SAMPLE_BYTES: u64 = 128 << 10;
/// A second form of headers is one from this many records on; fewer are quoted.
const MIN_OTHER_RECORDS: u64 = 20;
const MAX_OTHER_SHAPES: usize = 16;

/// The rules that a beginning of a file suggests; `None` if there is no header in it.
pub(super) fn rules_of_sample(sample: &[u8]) -> Option<Rules> {
    let mut shapes: Vec<(Shape, usize)> = Vec::new();
    let (mut crlf_ends, mut headers_after_crlf) = (0_usize, 0_usize);
    let mut after_crlf = false;
    let mut start = 0;
    let ends = memchr_iter(b'\n', sample).map(|at| at + 1).chain(std::iter::once(sample.len()));
    for end in ends {
        let line = sample.get(start..end).unwrap_or_default();
        start = end;
        if line.is_empty() {
            continue;
        }
        crlf_ends += usize::from(after_crlf);
        if let Some((shape, ..)) = Shape::learn(line) {
            headers_after_crlf += usize::from(after_crlf);
            match shapes.iter_mut().find(|(known, _)| *known == shape) {
                Some((_, count)) => *count += 1,
                None => shapes.push((shape, 1)),
            }
        }
        after_crlf = line.ends_with(b"\r\n");
    }
    // Of equals, the first.
    let (shape, _) = shapes.into_iter().rev().max_by_key(|(_, count)| *count)?;
    let framed = crlf_ends > 0 && headers_after_crlf * 20 >= crlf_ends * 19;
    Some(Rules { shapes: vec![shape], framed })
}

/// Reads the whole chat once. `None` if there is no record in it.
pub(super) fn learn(
    container: &Container,
    entry: &Entry,
) -> Result<Option<Learned>, ContainerError> {
    let mut sample = Vec::new();
    // A stream that breaks is reported by the second pass.
    let _ = container.reader(entry)?.take(SAMPLE_BYTES).read_to_end(&mut sample);
    let Some(mut rules) = rules_of_sample(&sample) else { return Ok(None) };
    drop(sample);
    loop {
        let pass = Pass::over(container.reader(entry)?, &rules);
        if let Some(better) = pass.better_rules(&rules) {
            rules = better;
            continue;
        }
        return Ok(Some(pass.settle(rules)));
    }
}

/// What one pass counted.
struct Pass {
    evidence: Vec<Evidence>,
    census: Census,
    records: u64,
    /// First and last line of records of the first shape.
    lines: Option<(u64, u64)>,
    crlf_inside: u64,
    others: Vec<OtherShape>,
}

struct OtherShape {
    shape: Shape,
    count: u64,
    first_line: u64,
    last_line: u64,
}

impl Pass {
    fn over(input: impl Read, rules: &Rules) -> Self {
        let mut pass = Self {
            evidence: vec![Evidence::default(); rules.shapes.len()],
            census: Census::default(),
            records: 0,
            lines: None,
            crlf_inside: 0,
            others: Vec::new(),
        };
        let mut places = [InPlace::default(); 3];
        let mut calendars: Vec<_> = rules.shapes.iter().map(|_| Calendar::new()).collect();
        let mut framer = Framer::new(input, rules);
        while let Some(batch) = framer.batch(|_, _| true) {
            for frame in batch.frames() {
                pass.see(&frame, rules, &mut places, &mut calendars);
            }
        }
        pass
    }

    fn see(
        &mut self,
        frame: &Frame<'_>,
        rules: &Rules,
        places: &mut [InPlace; 3],
        calendars: &mut [Calendar],
    ) {
        let body = frame.body;
        if let Some(header) = frame.header {
            self.records += 1;
            if header.shape == 0 {
                let (first, _) = self.lines.unwrap_or((frame.line, 0));
                self.lines = Some((first, frame.line));
            }
            let (Some(evidence), Some(shape), Some(calendar)) = (
                self.evidence.get_mut(header.shape),
                rules.shapes.get(header.shape),
                calendars.get_mut(header.shape),
            ) else {
                return;
            };
            let times = calendar.times(&header.stamp, shape);
            evidence.see(&header.stamp, &times);
            if (header.marked || body.ends_with(b">") || body.ends_with(b")"))
                && evidence.wants_files()
            {
                evidence.see_file(&header.stamp, shape.era, body);
            }
            let orderly = orderly_bits(places, &times);
            self.census.see(body, orderly, header.marked);
        }
        if !frame.one_line && memchr::memchr(b'\n', body).is_some() {
            self.look_inside(body, frame.line, rules);
        }
    }

    /// Counts line ends and headers of other forms within a record.
    fn look_inside(&mut self, body: &[u8], line: u64, rules: &Rules) {
        self.crlf_inside += memmem::find_iter(body, b"\r\n").count() as u64;
        for (number, at) in memchr_iter(b'\n', body).enumerate() {
            let rest = body.get(at + 1..).unwrap_or_default();
            let plausible = match rest.first() {
                Some(byte) => byte.is_ascii_digit() || *byte == b'[' || !byte.is_ascii(),
                None => false,
            };
            if !plausible {
                continue;
            }
            let rest = rest.get(..rest.len().min(128)).unwrap_or_default();
            let rest = rest.split(|byte| *byte == b'\n').next().unwrap_or(rest);
            let Some((shape, ..)) = Shape::learn(rest) else { continue };
            if rules.shapes.contains(&shape) {
                continue;
            }
            let line = line + number as u64 + 1;
            match self.others.iter_mut().find(|other| other.shape == shape) {
                Some(other) => {
                    other.count += 1;
                    other.last_line = line;
                }
                None => self.others.push(OtherShape {
                    shape,
                    count: 1,
                    first_line: line,
                    last_line: line,
                }),
            }
            self.others.truncate(MAX_OTHER_SHAPES);
        }
    }

    /// Other rules, where the whole file shows that the sample misled.
    fn better_rules(&self, rules: &Rules) -> Option<Rules> {
        if rules.framed && self.crlf_inside * 20 > self.records + self.crlf_inside {
            return Some(Rules { framed: false, ..rules.clone() });
        }
        // Exports that were joined: a block of its own, before or after the others.
        let (first, last) = self.lines?;
        let joined = self.others.iter().find(|other| {
            other.count >= MIN_OTHER_RECORDS && (other.first_line > last || other.last_line < first)
        })?;
        let mut better = rules.clone();
        better.shapes.push(joined.shape.clone());
        (better.shapes.len() <= 4).then_some(better)
    }

    fn settle(self, rules: Rules) -> Learned {
        let mut orders = Vec::new();
        let mut order_doubts = Vec::new();
        for (shape, evidence) in rules.shapes.iter().zip(&self.evidence) {
            let (order, doubt) = evidence.settle(shape);
            orders.push(order);
            order_doubts.extend(doubt);
        }
        let order = orders.first().copied().unwrap_or(DateOrder::DayMonthYear);
        let iphone = rules.shapes.first().is_some_and(Shape::is_iphone);
        let people = self.census.people(order_bit(order), iphone);
        let crlf_everywhere = !rules.framed && self.crlf_inside > 0;
        Learned { rules, orders, order_doubts, people, crlf_everywhere }
    }
}

fn order_bit(order: DateOrder) -> u8 {
    DateOrder::ALL.iter().position(|known| *known == order).map_or(0, |index| 1 << index)
}

fn orderly_bits(places: &mut [InPlace; 3], times: &Times) -> u8 {
    let mut bits = 0;
    for (index, (place, time)) in places.iter_mut().zip(times).enumerate() {
        if time.is_some_and(|now| place.see(now)) {
            bits |= 1 << index;
        }
    }
    bits
}

/// Tells records that lie far behind the ones before them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct InPlace {
    last_s: Option<i64>,
    behind: u32,
}

/// Further back than messages arrive late.
const FAR_S: i64 = 24 * 3600;
/// After so many records behind, it is the file that begins again.
const NEW_BLOCK: u32 = 50;

impl InPlace {
    /// Whether a record of that wall-clock time would not lie far behind.
    pub fn fits(&self, now_s: i64) -> bool {
        self.last_s.is_none_or(|last| now_s >= last - FAR_S)
    }

    /// Takes a record into account; whether it did not lie far behind.
    pub fn see(&mut self, now_s: i64) -> bool {
        let fits = self.fits(now_s);
        if fits {
            self.behind = 0;
        } else {
            self.behind += 1;
        }
        if fits || self.behind > NEW_BLOCK {
            self.last_s = Some(now_s);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_form_wins() {
        let text = b"[1/2/24, 10:00:00] quoted\n01/02/2024 10:00 - A: x\n02/02/2024 10:00 - A: y\n";
        let rules = rules_of_sample(text).unwrap();
        assert!(!rules.framed && !rules.shapes[0].bracket);
        assert!(rules_of_sample(b"bonjour\n").is_none());
    }

    #[test]
    fn framing_is_seen_from_line_ends() {
        let framed = b"[1/2/24, 10:00:00] A: x\nmore\r\n[1/2/24, 10:00:00] A: y\r\n";
        assert!(rules_of_sample(framed).unwrap().framed);
        let everywhere = b"1/2/24, 10:00 - A: x\r\nmore\r\n1/2/24, 10:00 - A: y\r\nmore\r\n";
        assert!(!rules_of_sample(everywhere).unwrap().framed);
    }

    #[test]
    fn joined_exports_have_two_forms() {
        use std::fmt::Write as _;
        let mut text = String::new();
        for day in 1..=25 {
            let _ = writeln!(text, "{day:02}/02/2024 10:00 - A: x");
        }
        for day in 1..=25 {
            let _ = writeln!(text, "[{day:02}.03.24, 10:00:11] A: x");
        }
        let rules = rules_of_sample(text.as_bytes()).unwrap();
        let pass = Pass::over(text.as_bytes(), &rules);
        let better = pass.better_rules(&rules).unwrap();
        let pass = Pass::over(text.as_bytes(), &better);
        assert_eq!((pass.records, better.shapes.len()), (50, 2));
        assert!(pass.better_rules(&better).is_none());
    }
}
