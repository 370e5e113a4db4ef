//! Cuts the bytes of a chat into records: a header line and the lines that continue it.
//!
//! Works on a stream through one buffer, so that memory does not grow with the file. On an
//! iPhone every record ends with CR LF and a line break inside a message is a bare LF, which
//! frames records exactly, whatever people paste; elsewhere every line that opens like a header
//! opens a record, unless the caller knows better. What a record means is told elsewhere.

use std::io::{self, Read};

use memchr::memchr;

use super::grammar::{LastDate, Shape, Stamp, marks_len};

/// How the records of one file are told apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    /// The forms a header takes; more than one when exports were joined into one file.
    pub shapes: Vec<Shape>,
    /// Whether only CR LF ends a record.
    pub framed: bool,
}

/// One record of the file.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    /// Its header; `None` for what stands before the first header.
    pub header: Option<Header>,
    /// What follows the header, without the line end that closes the record.
    pub body: &'a [u8],
    /// The line it begins on, from 1.
    pub line: u64,
    /// Bytes of it that were too many to keep.
    pub skipped_bytes: u64,
}

/// The header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Its numbers.
    pub stamp: Stamp,
    /// Which of the rules' shapes it has.
    pub shape: usize,
    /// Whether a direction mark stands before it: on an iPhone, a file or what replaces one.
    pub marked: bool,
    length: usize,
}

const FIRST_BUFFER_BYTES: usize = 256 << 10;

/// A record longer than this is cut, with a finding. The app itself stops at 65,536 characters.
pub(super) const MAX_RECORD_BYTES: usize = 4 << 20;

/// The buffer holds one record and a line of the next.
const MAX_BUFFER_BYTES: usize = MAX_RECORD_BYTES + (1 << 20);

/// Reads records from a stream.
pub(super) struct Framer<'r, R> {
    input: R,
    rules: &'r Rules,
    buffer: Vec<u8>,
    /// Where the current record begins.
    start: usize,
    /// Where the line that is looked at begins.
    line_start: usize,
    /// Up to where that line was searched for its end.
    searched: usize,
    /// One past the last byte read.
    end: usize,
    ended: bool,
    /// What went wrong while reading, if the stream did not end well.
    failure: Option<io::Error>,
    header: Option<Header>,
    record_line: u64,
    line: u64,
    after_crlf: bool,
    /// The last date of each shape.
    last_dates: Vec<LastDate>,
    /// Whether the beginning of the current line was thrown away.
    headless_line: bool,
    skipped_bytes: u64,
}

impl<'r, R: Read> Framer<'r, R> {
    /// A framer at the beginning of a chat.
    pub fn new(input: R, rules: &'r Rules) -> Self {
        Self {
            input,
            rules,
            buffer: vec![0; FIRST_BUFFER_BYTES],
            start: 0,
            line_start: 0,
            searched: 0,
            end: 0,
            ended: false,
            failure: None,
            header: None,
            record_line: 1,
            line: 1,
            after_crlf: true,
            last_dates: vec![LastDate::default(); rules.shapes.len()],
            headless_line: false,
            skipped_bytes: 0,
        }
    }

    /// The next record. `accept` is asked of every line that opens like a header, with what
    /// follows the header and the number of the line, whether it does open a record.
    pub fn next(
        &mut self,
        mut accept: impl FnMut(&Header, &[u8], u64) -> bool,
    ) -> Option<Frame<'_>> {
        loop {
            let unsearched = self.buffer.get(self.searched..self.end).unwrap_or_default();
            let Some(offset) = memchr(b'\n', unsearched) else {
                self.searched = self.end;
                if !self.ended {
                    self.refill();
                    continue;
                }
                let opens = self.opening(self.end, &mut accept);
                if let Some(header) = opens
                    && self.line_start > self.start
                {
                    return Some(self.close(self.line_start, Some(header), self.line));
                }
                if opens.is_some() {
                    self.header = opens;
                    self.record_line = self.line;
                }
                if self.start == self.end {
                    return None;
                }
                self.line_start = self.end;
                return Some(self.close(self.end, None, self.line));
            };
            let newline = self.searched + offset;
            let opens = self.opening(newline, &mut accept);
            let line_start = self.line_start;
            let line = self.line;
            self.after_crlf = newline > line_start && self.buffer.get(newline - 1) == Some(&b'\r');
            self.headless_line = false;
            self.line_start = newline + 1;
            self.searched = newline + 1;
            self.line += 1;
            if let Some(header) = opens {
                if line_start > self.start {
                    return Some(self.close(line_start, Some(header), line));
                }
                self.header = opens;
                self.record_line = line;
            }
        }
    }

    /// Why the stream ended before its end, once [`Framer::next`] gave `None`.
    pub fn failure(&self) -> Option<&io::Error> {
        self.failure.as_ref()
    }

    /// The header that the line ending at `line_end` opens a record with.
    #[inline]
    fn opening(
        &mut self,
        line_end: usize,
        accept: &mut impl FnMut(&Header, &[u8], u64) -> bool,
    ) -> Option<Header> {
        if self.headless_line || (self.rules.framed && !self.after_crlf) {
            return None;
        }
        let line = self.buffer.get(self.line_start..line_end)?;
        let (shape, stamp, length) =
            self.rules.shapes.iter().zip(&mut self.last_dates).enumerate().find_map(
                |(index, (shape, last))| {
                    shape.read_like(line, last).map(|(stamp, length)| (index, stamp, length))
                },
            )?;
        let marked = line.first() == Some(&0xe2);
        let header = Header { stamp, shape, marked, length };
        accept(&header, line.get(length..)?, self.line).then_some(header)
    }

    /// Ends the current record at `to`, where the next one begins with line `next_line`.
    fn close(&mut self, to: usize, header: Option<Header>, next_line: u64) -> Frame<'_> {
        let from = self.start + self.header.map_or(0, |header| header.length);
        let closed = self.header;
        let line = std::mem::replace(&mut self.record_line, next_line);
        let skipped_bytes = std::mem::take(&mut self.skipped_bytes);
        self.header = header;
        self.start = to;
        let mut body = self.buffer.get(from..to).unwrap_or_default();
        if let Some(rest) = body.strip_suffix(b"\n") {
            body = rest.strip_suffix(b"\r").unwrap_or(rest);
        }
        if closed.is_none() {
            body = body.get(byte_order_mark_len(body)..).unwrap_or_default();
        }
        Frame { header: closed, body, line, skipped_bytes }
    }

    /// Makes room and reads more.
    fn refill(&mut self) {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.line_start -= self.start;
            self.searched -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            if self.buffer.len() < MAX_BUFFER_BYTES {
                self.buffer.resize((self.buffer.len() * 2).min(MAX_BUFFER_BYTES), 0);
            } else {
                self.throw_away();
            }
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        match self.input.read(room) {
            Ok(0) => self.ended = true,
            Ok(count) => self.end += count.min(room.len()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                self.failure = Some(error);
                self.ended = true;
            }
        }
    }

    /// Drops what a record holds beyond the bound. The line in hand has no end yet.
    fn throw_away(&mut self) {
        let keep = MAX_RECORD_BYTES;
        if self.line_start > keep {
            let dropped = self.line_start - keep;
            self.buffer.copy_within(self.line_start..self.end, keep);
            self.end -= dropped;
            self.searched -= dropped;
            self.line_start = keep;
            self.skipped_bytes += dropped as u64;
        } else {
            // The line itself is what is too long.
            self.skipped_bytes += (self.end - keep) as u64;
            self.end = keep;
            self.searched = keep;
            self.headless_line = true;
        }
    }
}

fn byte_order_mark_len(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"\xef\xbb\xbf") { marks_len(bytes).min(3) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(text: &[u8], framed: bool) -> Vec<(bool, String, u64)> {
        let (shape, ..) = Shape::learn(b"[12/03/2026 10:02:11] X: y")
            .filter(|_| framed)
            .or_else(|| Shape::learn(b"12/03/2026 10:02 - X: y"))
            .unwrap();
        let rules = Rules { shapes: vec![shape], framed };
        let mut records = Framer::new(text, &rules);
        let mut found = Vec::new();
        while let Some(frame) = records.next(|_, _, _| true) {
            let body = String::from_utf8_lossy(frame.body).into_owned();
            found.push((frame.header.is_some(), body, frame.line));
        }
        found
    }

    #[test]
    fn lines_without_header_continue_a_record() {
        let text = b"12/03/2026 10:02 - A: one\n\ntwo\n12/03/2026 10:03 - B: three";
        assert_eq!(
            frames(text, false),
            [(true, "A: one\n\ntwo".to_owned(), 1), (true, "B: three".to_owned(), 4)]
        );
    }

    #[test]
    fn what_precedes_the_first_header_is_kept_apart() {
        let text = b"\xef\xbb\xbfhello\n12/03/2026 10:02 - A: one\n";
        assert_eq!(
            frames(text, false),
            [(false, "hello".to_owned(), 1), (true, "A: one".to_owned(), 2)]
        );
        assert_eq!(frames(b"", false), []);
    }

    #[test]
    fn only_crlf_ends_a_framed_record() {
        let text = b"[12/03/2026 10:02:11] A: one\n[12/03/2026 10:02:11] B: quoted\r\n\
                     [12/03/2026 10:03:00] A: two\r\n";
        assert_eq!(
            frames(text, true),
            [
                (true, "A: one\n[12/03/2026 10:02:11] B: quoted".to_owned(), 1),
                (true, "A: two".to_owned(), 3)
            ]
        );
    }

    #[test]
    fn an_endless_record_is_cut_and_the_next_one_is_found() {
        for line in ["x".repeat(100), "y".repeat(9 << 20)] {
            let mut text = b"12/03/2026 10:02 - A: one\n".to_vec();
            while text.len() < 9 << 20 {
                text.extend_from_slice(line.as_bytes());
                text.push(b'\n');
            }
            let total = text.len();
            text.extend_from_slice(b"12/03/2026 10:03 - B: two\n");
            let (shape, ..) = Shape::learn(&text).unwrap();
            let rules = Rules { shapes: vec![shape], framed: false };
            let mut framer = Framer::new(text.as_slice(), &rules);
            let first = framer.next(|_, _, _| true).unwrap();
            assert!(first.body.len() <= MAX_BUFFER_BYTES);
            let kept = first.body.len() as u64 + first.skipped_bytes;
            assert!(kept + 30 >= total as u64 && first.skipped_bytes > 0);
            let second = framer.next(|_, _, _| true).unwrap();
            assert_eq!(second.body, b"B: two");
            assert!(framer.next(|_, _, _| true).is_none());
        }
    }
}
