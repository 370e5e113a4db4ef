//! WhatsApp's marks: `*bold*`, `_italic_`, `~strike~`, `` `code` ``, fenced code, `> ` quotes,
//! `- ` and `1. ` lists (WhatsApp help centre, "How to format your messages").
//!
//! A mark counts only where the apps let it: an opening one after a border and before a
//! character, a closing one after a character and before a border, both on one line. Everything
//! else, `2*3*4` and `snake_case` and addresses included, stays as it is written.

use std::ops::Range;

use super::Reading;
use super::rich::Kind;

const FENCE: &str = "```";

/// Finds the marks in `text`.
pub(super) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    if !may_have_marks(text) {
        return reading;
    }
    let code = fences(text, &mut reading);
    let mut lines = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.trim_end_matches('\n').len();
        let touching = touching(&code, &(start..end));
        let line_kind = if touching.is_empty() {
            let kind = kind_of(line.trim_end_matches('\n'));
            inline(text, start + kind.lead()..end, &mut reading);
            kind
        } else {
            outside(text, start..end, touching, &mut reading);
            LineKind::Plain
        };
        lines.push((start..end, line_kind));
        start += line.len();
    }
    blocks(&lines, &mut reading);
    reading
}

/// Whether it is worth looking closer; most messages hold no mark at all.
fn may_have_marks(text: &str) -> bool {
    text.bytes().any(|b| matches!(b, b'*' | b'_' | b'~' | b'`' | b'>'))
        || text
            .lines()
            .any(|line| line.starts_with("- ") || line.starts_with(|c: char| c.is_ascii_digit()))
}

/// Finds fenced code, inside a line or over several, and returns where it is.
fn fences(text: &str, reading: &mut Reading) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(open) = text.get(from..).and_then(|rest| rest.find(FENCE)).map(|at| from + at) {
        let inside = open + FENCE.len();
        let Some(len) = text.get(inside..).and_then(|rest| rest.find(FENCE)) else { break };
        let close = inside + len;
        let words = text.get(inside..close).unwrap_or_default();
        if words.trim().is_empty() {
            from = inside;
            continue;
        }
        reading.drop(open..inside);
        reading.drop(close..close + FENCE.len());
        if words.contains('\n') {
            // The line breaks beside the fences belong to them.
            let first = usize::from(words.starts_with('\n'));
            let last = usize::from(words.ends_with('\n'));
            if first == 1 {
                reading.drop(inside..inside + 1);
            }
            if last == 1 {
                reading.drop(close - 1..close);
            }
            reading.mark(inside + first..close - last, Kind::Pre(None));
        } else {
            reading.mark(inside..close, Kind::Code);
        }
        from = close + FENCE.len();
        found.push(open..from);
    }
    found
}

/// The code that touches a line. `code` is sorted and does not overlap.
fn touching<'a>(code: &'a [Range<usize>], line: &Range<usize>) -> &'a [Range<usize>] {
    let first = code.partition_point(|block| block.end <= line.start);
    let past = code.partition_point(|block| block.start < line.end);
    code.get(first..past).unwrap_or_default()
}

/// Reads the inline marks of what lies outside code on a line that code touches.
fn outside(text: &str, line: Range<usize>, code: &[Range<usize>], reading: &mut Reading) {
    let mut from = line.start;
    for block in code {
        if block.start > from {
            inline(text, from..block.start, reading);
        }
        from = from.max(block.end);
    }
    if from < line.end {
        inline(text, from..line.end, reading);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineKind {
    Plain,
    /// Bytes of the mark, the blank included.
    Quote(usize),
    Bullet(usize),
    Number(usize, u64),
}

impl LineKind {
    const fn lead(self) -> usize {
        match self {
            Self::Plain => 0,
            Self::Quote(lead) | Self::Bullet(lead) | Self::Number(lead, _) => lead,
        }
    }
}

fn kind_of(line: &str) -> LineKind {
    let words_follow = |lead: usize| line.get(lead..).is_some_and(|rest| !rest.trim().is_empty());
    if line.starts_with("> ") && words_follow(2) {
        return LineKind::Quote(2);
    }
    if (line.starts_with("- ") || line.starts_with("* ")) && words_follow(2) {
        return LineKind::Bullet(2);
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=3).contains(&digits)
        && line.get(digits..).is_some_and(|rest| rest.starts_with(". "))
        && words_follow(digits + 2)
        && let Some(number) = line.get(..digits).and_then(|digits| digits.parse().ok())
    {
        return LineKind::Number(digits + 2, number);
    }
    LineKind::Plain
}

/// Gathers neighbouring lines of one kind into quotes and lists.
fn blocks(lines: &[(Range<usize>, LineKind)], reading: &mut Reading) {
    let mut at = 0;
    while let Some((first, kind)) = lines.get(at) {
        let mut count = 1;
        while let (Some((_, before)), Some((_, next))) =
            (lines.get(at + count - 1), lines.get(at + count))
        {
            let goes_on = match (before, next) {
                (LineKind::Quote(_), LineKind::Quote(_))
                | (LineKind::Bullet(_), LineKind::Bullet(_)) => true,
                // HTML numbers by itself, so only neighbours may share a list.
                (LineKind::Number(_, before), LineKind::Number(_, next)) => *next == before + 1,
                _ => false,
            };
            if !goes_on {
                break;
            }
            count += 1;
        }
        let members = lines.get(at..at + count).unwrap_or_default();
        let end = members.last().map_or(first.end, |(line, _)| line.end);
        match kind {
            LineKind::Plain => {}
            LineKind::Quote(_) => reading.mark(first.start..end, Kind::Quote),
            LineKind::Bullet(_) => reading.mark(first.start..end, Kind::List { numbered: false }),
            LineKind::Number(..) => reading.mark(first.start..end, Kind::List { numbered: true }),
        }
        for (line, kind) in members {
            if let LineKind::Bullet(_) = kind {
                reading.mark(line.clone(), Kind::Item(None));
            }
            if let LineKind::Number(_, number) = kind {
                reading.mark(line.clone(), Kind::Item(Some(*number)));
            }
            let lead = kind.lead();
            if lead > 0 {
                reading.mark(line.start..line.start + lead, Kind::PlainOnly);
            }
        }
        at += count;
    }
}

/// An opening mark that waits for its closing one.
struct Waiting {
    at: usize,
    mark: char,
}

fn inline(text: &str, within: Range<usize>, reading: &mut Reading) {
    let Some(line) = text.get(within.clone()) else { return };
    let mut waiting: Vec<Waiting> = Vec::new();
    let mut before: Option<char> = None;
    let mut skip_to = 0;
    for (offset, c) in line.char_indices() {
        if offset < skip_to {
            before = Some(c);
            continue;
        }
        let rest = line.get(offset..).unwrap_or_default();
        if before.is_none_or(|b| !b.is_alphanumeric())
            && (rest.starts_with("https://") || rest.starts_with("http://"))
        {
            // Marks inside an address are part of it, except those that close what is open.
            let address = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let bare = rest.get(..address).unwrap_or_default().trim_end_matches(['*', '_', '~']);
            skip_to = offset + bare.len();
        } else if c == '`' {
            if let Some(end) = code_end(rest) {
                reading.drop(within.start + offset..within.start + offset + 1);
                reading.drop(within.start + offset + end..within.start + offset + end + 1);
                let inside = within.start + offset + 1..within.start + offset + end;
                reading.mark(inside, Kind::Code);
                skip_to = offset + end + 1;
            }
        } else if let Some(kind) = style_of(c) {
            let after = rest.chars().nth(1);
            let doubled = before == Some(c) || after == Some(c);
            let opened = waiting.iter().rposition(|open| open.mark == c);
            let closes = !doubled
                && before.is_some_and(|b| !b.is_whitespace())
                && after.is_none_or(|a| !a.is_alphanumeric());
            let opens = !doubled
                && before.is_none_or(|b| !b.is_alphanumeric())
                && after.is_some_and(|a| !a.is_whitespace());
            match opened {
                Some(open) if closes => {
                    // Marks opened inside and not closed were ordinary characters.
                    let start = waiting.get(open).map_or(0, |open| open.at);
                    waiting.truncate(open);
                    let (start, end) = (within.start + start, within.start + offset);
                    reading.drop(start..start + 1);
                    reading.drop(end..end + 1);
                    reading.mark(start + 1..end, kind);
                }
                None if opens => waiting.push(Waiting { at: offset, mark: c }),
                Some(_) | None => {}
            }
        }
        before = Some(c);
    }
}

/// Where the back-tick that ends the code beginning `rest` stands; code is never empty.
fn code_end(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('`')?;
    let len = inside.find('`')?;
    let words = inside.get(..len)?;
    (!words.trim().is_empty()).then_some(len + 1)
}

const fn style_of(c: char) -> Option<Kind> {
    match c {
        '*' => Some(Kind::Bold),
        '_' => Some(Kind::Italic),
        '~' => Some(Kind::Strike),
        _ => None,
    }
}
