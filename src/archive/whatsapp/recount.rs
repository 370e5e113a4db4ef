//! Counts records in the bytes of a chat, knowing nothing of grammars, dates or senders.
//!
//! A line that opens a record begins with numbers and ends them with ` - `, `] ` or `: `. Lines of
//! the commonest such shape are counted (and those of another that is common enough to be that of
//! a joined export); where lines end in CR LF, only those behind one. A pasted line of the same
//! shape is counted, too: the reader says of each that it left it in its message.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};

use crate::archive::container::{Container, ContainerError, Entry};

/// A header is no longer than this.
const HEADER_CHARS: usize = 56;
/// A shape of fewer lines is a coincidence, unless it is the commonest.
const LEAST_LINES: u64 = 20;
/// Of a longer line no more is looked at.
const LINE_BYTES: usize = 512;

/// Lines of one shape.
#[derive(Clone, Copy, Debug, Default)]
struct Lines {
    all: u64,
    /// Behind a CR LF, or at the beginning.
    behind_crlf: u64,
}

/// Records in a chat's file. What breaks off counts as far as it goes.
pub(super) fn count(container: &Container, entry: &Entry) -> Result<u64, ContainerError> {
    let mut stream = BufReader::with_capacity(1 << 18, container.reader(entry)?);
    Ok(count_lines(&mut stream))
}

fn count_lines(stream: &mut impl BufRead) -> u64 {
    let mut shapes: HashMap<String, Lines> = HashMap::new();
    let mut behind_crlf = true;
    let mut crlf = Lines::default();
    let mut line = Vec::new();
    while let Some(ended_in_crlf) = next_line(stream, &mut line) {
        if let Some(shape) = shape(&String::from_utf8_lossy(&line)) {
            let lines = shapes.entry(shape).or_default();
            lines.all += 1;
            lines.behind_crlf += u64::from(behind_crlf);
            crlf.behind_crlf += u64::from(behind_crlf);
        }
        crlf.all += u64::from(ended_in_crlf);
        behind_crlf = ended_in_crlf;
    }
    // An iPhone ends each record so, and lines inside one otherwise.
    let framed = crlf.all > 0 && crlf.behind_crlf * 100 > crlf.all * 95;
    let of = |lines: &Lines| if framed { lines.behind_crlf } else { lines.all };
    let most = shapes.values().map(of).max().unwrap_or_default();
    shapes.values().map(of).filter(|lines| *lines == most || *lines >= LEAST_LINES).sum()
}

/// The beginning of the next line, and whether it ends in CR LF; `None` behind the last.
fn next_line(stream: &mut impl BufRead, line: &mut Vec<u8>) -> Option<bool> {
    line.clear();
    let (mut before, mut any) = (0, false);
    loop {
        let block = stream.fill_buf().ok().filter(|block| !block.is_empty());
        let Some(block) = block else { return any.then_some(false) };
        any = true;
        let end = memchr::memchr(b'\n', block);
        let part = block.get(..end.unwrap_or(block.len())).unwrap_or_default();
        let room = LINE_BYTES.saturating_sub(line.len()).min(part.len());
        line.extend_from_slice(part.get(..room).unwrap_or_default());
        before = part.last().copied().unwrap_or(before);
        let used = part.len() + usize::from(end.is_some());
        stream.consume(used);
        if end.is_some() {
            return Some(before == b'\r');
        }
    }
}

/// What a line looks like up to the end of its header: runs of digits as `9`, of letters as `a`,
/// of spaces as one; marks of direction left out. `None` if it cannot open a record.
fn shape(line: &str) -> Option<String> {
    let is_mark = |c: &char| matches!(*c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let mut characters = line.chars().filter(|c| !is_mark(c)).take(HEADER_CHARS).peekable();
    let bracket = characters.next_if_eq(&'[').is_some();
    let mut shape = String::from(if bracket { "[" } else { "" });
    if !bracket && !characters.peek()?.is_numeric() {
        return None;
    }
    let mut numbers = 0;
    while let Some(character) = characters.next() {
        let class = if character.is_numeric() {
            '9'
        } else if character.is_alphabetic() {
            'a'
        } else if character.is_whitespace() {
            ' '
        } else {
            character
        };
        numbers += usize::from(class == '9' && !shape.ends_with('9'));
        let ends = match class {
            ']' if bracket => true,
            '-' | '\u{2013}' => !bracket && numbers >= 5 && shape.ends_with(' '),
            ':' => !bracket && numbers >= 6 && characters.peek() == Some(&' '),
            _ => false,
        };
        if ends {
            shape.push(class);
            let closed = characters.next().is_none_or(char::is_whitespace);
            return (numbers >= 5 && closed).then_some(shape);
        }
        if !(matches!(class, '9' | 'a' | ' ') && shape.ends_with(class)) {
            shape.push(class);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> u64 {
        count_lines(&mut text.as_bytes())
    }

    #[test]
    fn headers_of_every_kind_open_a_record() {
        for header in [
            "12/03/2026 10:02 - Ana: x",
            "12/03/2026 à 10:02 - x",
            "\u{200e}[12/03/2026 10:02:33] Ana: x",
            "3/7/24, 3:04\u{202f}PM - x",
            "28/3/2025, 9:29 p. m. - x",
            "[21:41:35, 3/27/22] x: y",
            "[2024/2/9 下午9:41:35] x: y",
            "2024-03-07 15 h 04 - x",
            "[12.3.2022 klo 14.08.18] x: y",
            "12/03/17, 10:02:33: Ana: x",
            "٢٢‏/٣‏/٢٠٢٢، ٢:٥٦ م - x",
        ] {
            assert!(shape(header).is_some(), "{header}");
        }
        for line in ["12/11 - trois", "bonjour", "", "1. un - deux", "10:02 - x", "[12:30] x"] {
            assert_eq!(shape(line), None, "{line}");
        }
    }

    #[test]
    fn lines_inside_messages_do_not_count() {
        let android =
            "12/03/2026 10:02 - A: x\n[12/03/2026 10:02:33] B: pasted\n1/2/2026 9:02 - A: y\n";
        assert_eq!(count(android), 2);
        let iphone = "[12/03/2026 10:02:33] A: x\n[12/03/2026 10:02:34] B: pasted\r\n[12/03/2026 10:02:35] A: y\r\n";
        assert_eq!(count(iphone), 2);
        assert_eq!(count(""), 0);
    }
}
