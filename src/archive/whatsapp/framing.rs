//! Cuts the bytes of a chat into records: a header line and the lines that continue it.
//!
//! Works on a stream through one buffer, so that memory does not grow with the file. On an
//! iPhone every record ends with CR LF and a line break inside a message is a bare LF, which
//! frames records exactly, whatever people paste; elsewhere every line that opens like a header
//! opens a record, unless the caller knows better. What a record means is told elsewhere.

use std::io::{self, Read};

use memchr::memchr;

use super::grammar::{LastHeader, Shape, Stamp, marks_len};

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
    /// The same as text, where the whole batch is valid UTF-8.
    pub text: Option<&'a str>,
    /// The line it begins on, from 1.
    pub line: u64,
    /// Whether it is known to be a single line.
    pub one_line: bool,
    /// Bytes of it that were too many to keep.
    pub skipped_bytes: u64,
    /// Lines within it that open like a header and were not accepted.
    pub refused: &'a [u64],
}

/// Where a record lies in the buffer.
#[derive(Debug)]
struct Cut {
    header: Option<Header>,
    from: usize,
    to: usize,
    line: u64,
    one_line: bool,
    skipped_bytes: u64,
    refused: (usize, usize),
}

/// Some records that follow one another. They are cut all at once, so that their text can be
/// checked all at once, too, which is many times faster than one by one.
pub(super) struct Batch<'a> {
    buffer: &'a [u8],
    cuts: &'a [Cut],
    refused: &'a [u64],
    /// The text from `text_from` on, if it was asked for and is valid.
    text: Option<&'a str>,
    text_from: usize,
}

impl<'a> Batch<'a> {
    /// Makes the records' text known, if all of it is text.
    pub fn with_text(self) -> Self {
        let (Some(first), Some(last)) = (self.cuts.first(), self.cuts.last()) else { return self };
        let bytes = self.buffer.get(first.from..last.to).unwrap_or_default();
        let text = simdutf8::basic::from_utf8(bytes).ok();
        Self { text, text_from: first.from, ..self }
    }

    /// The records.
    pub fn frames(&self) -> impl Iterator<Item = Frame<'a>> {
        let Self { buffer, refused, text, text_from, .. } = *self;
        self.cuts.iter().map(move |cut| {
            let Cut { header, from, to, line, one_line, skipped_bytes, refused: (first, last) } =
                *cut;
            Frame {
                header,
                body: buffer.get(from..to).unwrap_or_default(),
                text: text.and_then(|text| text.get(from - text_from..to - text_from)),
                line,
                one_line,
                skipped_bytes,
                refused: refused.get(first..last).unwrap_or_default(),
            }
        })
    }
}

/// Records of one batch at the most.
const BATCH: usize = 512;

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
    /// The last header of each shape.
    last_headers: Vec<LastHeader>,
    /// Whether the beginning of the current line was thrown away.
    headless_line: bool,
    skipped_bytes: u64,
    /// The records of the current batch.
    cuts: Vec<Cut>,
    /// Lines of theirs that were not accepted.
    refused: Vec<u64>,
    /// How many of these belong to records that are cut.
    refused_before: usize,
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
            last_headers: vec![LastHeader::default(); rules.shapes.len()],
            headless_line: false,
            skipped_bytes: 0,
            cuts: Vec::with_capacity(BATCH),
            refused: Vec::new(),
            refused_before: 0,
        }
    }

    /// The next records, at least one; `None` at the end. `accept` is asked of every line that
    /// opens like a header, with what follows the header, whether it
    /// does open a record.
    pub fn batch(&mut self, mut accept: impl FnMut(&Header, &[u8]) -> bool) -> Option<Batch<'_>> {
        self.cuts.clear();
        self.refused.drain(..self.refused_before);
        self.refused_before = 0;
        while self.cuts.len() < BATCH {
            let unsearched = self.buffer.get(self.searched..self.end).unwrap_or_default();
            let Some(offset) = memchr(b'\n', unsearched) else {
                self.searched = self.end;
                if !self.ended {
                    if !self.cuts.is_empty() {
                        break;
                    }
                    self.refill();
                    continue;
                }
                if self.start == self.end {
                    break;
                }
                let opens = self.opening(self.end, &mut accept);
                if let Some(header) = opens {
                    if self.line_start > self.start {
                        self.close(self.line_start, Some(header), self.line);
                    } else {
                        self.header = opens;
                        self.record_line = self.line;
                    }
                }
                self.line_start = self.end;
                self.close(self.end, None, self.line);
                continue;
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
                    self.close(line_start, Some(header), line);
                } else {
                    self.header = opens;
                    self.record_line = line;
                }
            }
        }
        let batch = Batch {
            buffer: &self.buffer,
            cuts: &self.cuts,
            refused: &self.refused,
            text: None,
            text_from: 0,
        };
        (!batch.cuts.is_empty()).then_some(batch)
    }

    /// Why the stream ended before its end, once [`Framer::batch`] gave `None`.
    pub fn failure(&self) -> Option<&io::Error> {
        self.failure.as_ref()
    }

    /// The header that the line ending at `line_end` opens a record with.
    #[inline]
    fn opening(
        &mut self,
        line_end: usize,
        accept: &mut impl FnMut(&Header, &[u8]) -> bool,
    ) -> Option<Header> {
        if self.headless_line || (self.rules.framed && !self.after_crlf) {
            return None;
        }
        let ahead = self.buffer.get(self.line_start..)?;
        let line = ahead.get(..line_end - self.line_start)?;
        let (shape, stamp, length) =
            self.rules.shapes.iter().zip(&mut self.last_headers).enumerate().find_map(
                |(index, (shape, last))| {
                    last.again(ahead)
                        .filter(|(_, length)| *length <= line.len())
                        .or_else(|| shape.read_like(line, last))
                        .map(|(stamp, length)| (index, stamp, length))
                },
            )?;
        let marked = line.first() == Some(&0xe2);
        let header = Header { stamp, shape, marked, length };
        if accept(&header, line.get(length..)?) {
            return Some(header);
        }
        self.refused.push(self.line);
        None
    }

    /// Ends the current record at `to`, where the next one begins with line `next_line`.
    #[inline]
    fn close(&mut self, to: usize, header: Option<Header>, next_line: u64) {
        let from = self.start + self.header.map_or(0, |header| header.length);
        let closed = std::mem::replace(&mut self.header, header);
        // The last record of a file may go on without a line end.
        let one_line = header.is_some() && next_line == self.record_line + 1;
        let line = std::mem::replace(&mut self.record_line, next_line);
        let skipped_bytes = std::mem::take(&mut self.skipped_bytes);
        self.start = to;
        let mut body = self.buffer.get(from..to).unwrap_or_default();
        if let Some(rest) = body.strip_suffix(b"\n") {
            body = rest.strip_suffix(b"\r").unwrap_or(rest);
        }
        let to = from + body.len();
        let mark = if closed.is_none() { byte_order_mark_len(body) } else { 0 };
        let refused = (self.refused_before, self.refused.len());
        self.refused_before = self.refused.len();
        let header = closed;
        self.cuts.push(Cut {
            header,
            from: from + mark,
            to,
            line,
            one_line,
            skipped_bytes,
            refused,
        });
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
        while let Some(batch) = records.batch(|_, _| true) {
            for frame in batch.with_text().frames() {
                assert_eq!(frame.text.map(str::as_bytes), Some(frame.body));
                found.push((frame.header.is_some(), frame.text.unwrap().to_owned(), frame.line));
            }
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
            let mut records = Vec::new();
            while let Some(batch) = framer.batch(|_, _| true) {
                records.extend(batch.frames().map(|it| (it.body.to_vec(), it.skipped_bytes)));
            }
            let [(first, skipped_bytes), (second, 0)] = records.as_slice() else { panic!() };
            assert!(first.len() <= MAX_BUFFER_BYTES && *skipped_bytes > 0);
            assert!(first.len() as u64 + skipped_bytes + 30 >= total as u64);
            assert_eq!(second, b"B: two");
        }
    }
}
