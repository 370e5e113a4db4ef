//! Puts the messages of one discussion in order, in bounded memory.
//!
//! The export groups messages by sender and has no global order. They are gathered as text with
//! their place in the order; what does not fit is written, sorted, to a temporary file that has
//! no name (it is gone when the process ends, however it ends), and the sorted runs are merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;

use super::lines::Lines;

/// How many bytes are gathered before a run is written.
const GATHER_BYTES: usize = 12 * 1024 * 1024;
/// What all buffers of the merge may take together, and the least one of them has.
const MERGE_BYTES: usize = 8 * 1024 * 1024;
const RUN_BUFFER_BYTES: usize = 16 * 1024;
const HEADER_BYTES: usize = 36;

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Milliseconds since 1970.
    pub(super) timestamp: i64,
    /// Number of its line.
    pub(super) line: usize,
    pub(super) sequence: i64,
    /// Number of the message in the file, from 1.
    pub(super) element: u64,
}

/// Messages before they are in order.
pub(super) struct Gathering {
    rows: Vec<(Row, usize, usize)>,
    text: Vec<u8>,
    runs: Vec<(u64, u64)>,
    file: Option<File>,
    written: u64,
    limit_bytes: usize,
}

impl Default for Gathering {
    fn default() -> Self {
        Self::with_limit(GATHER_BYTES)
    }
}

impl Gathering {
    fn with_limit(limit_bytes: usize) -> Self {
        Self {
            rows: Vec::new(),
            text: Vec::new(),
            runs: Vec::new(),
            file: None,
            written: 0,
            limit_bytes,
        }
    }

    /// Adds a message.
    pub(super) fn push(&mut self, row: Row, json: &[u8], lines: &Lines) -> io::Result<()> {
        let held = self.text.len() + self.rows.len() * size_of::<(Row, usize, usize)>();
        if held + json.len() > self.limit_bytes && !self.rows.is_empty() {
            self.write_run(lines)?;
        }
        let start = self.text.len();
        self.text.extend_from_slice(json);
        self.rows.push((row, start, json.len()));
        Ok(())
    }

    fn sort(&mut self, lines: &Lines) {
        let order = |row: &Row| {
            let line = lines.get(row.line).map(super::lines::Line::order);
            (row.timestamp, line, row.sequence, row.element)
        };
        self.rows.sort_unstable_by(|(a, ..), (b, ..)| order(a).cmp(&order(b)));
    }

    fn write_run(&mut self, lines: &Lines) -> io::Result<()> {
        self.sort(lines);
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        let start = self.written;
        let mut out = BufWriter::with_capacity(256 * 1024, file);
        for (row, at, length) in self.rows.drain(..) {
            let json = self.text.get(at..at + length).unwrap_or_default();
            for field in [
                row.timestamp.to_le_bytes(),
                (row.line as u64).to_le_bytes(),
                row.sequence.to_le_bytes(),
                row.element.to_le_bytes(),
            ] {
                out.write_all(&field)?;
            }
            let length = u32::try_from(length).map_err(io::Error::other)?;
            out.write_all(&length.to_le_bytes())?;
            out.write_all(json)?;
            self.written += (HEADER_BYTES + json.len()) as u64;
        }
        out.flush()?;
        self.text.clear();
        self.runs.push((start, self.written));
        Ok(())
    }

    /// Gives the messages in order of time, then sender, thread and number.
    pub(super) fn in_order(mut self, lines: &Lines) -> io::Result<Ordered> {
        if self.file.is_none() {
            self.sort(lines);
            return Ok(Ordered::Memory { rows: self.rows.into_iter(), text: self.text });
        }
        self.write_run(lines)?;
        // The merge needs room of its own.
        (self.text, self.rows) = (Vec::new(), Vec::new());
        let Some(file) = self.file else { return Err(io::ErrorKind::NotFound.into()) };
        let mut by_order: Vec<usize> = (0..lines.all().len()).collect();
        by_order.sort_by_key(|number| lines.get(*number).map(super::lines::Line::order));
        let mut ranks = vec![0; by_order.len()];
        for (rank, number) in by_order.into_iter().enumerate() {
            if let Some(slot) = ranks.get_mut(number) {
                *slot = rank;
            }
        }
        let buffer_bytes = (MERGE_BYTES / self.runs.len().max(1)).max(RUN_BUFFER_BYTES);
        let mut merge = Merge { file, runs: Vec::new(), heap: BinaryHeap::new(), ranks };
        for (number, (start, end)) in self.runs.into_iter().enumerate() {
            merge.runs.push(Run {
                next: start,
                end,
                buffer: vec![0; buffer_bytes],
                at: 0,
                filled: 0,
            });
            merge.advance(number)?;
        }
        Ok(Ordered::File(merge))
    }
}

/// Messages in order.
pub(super) enum Ordered {
    /// All of them fitted.
    Memory { rows: std::vec::IntoIter<(Row, usize, usize)>, text: Vec<u8> },
    /// Runs are being merged.
    File(Merge),
}

impl Ordered {
    /// Copies the next message into `json`.
    pub(super) fn next(&mut self, json: &mut Vec<u8>) -> io::Result<Option<Row>> {
        match self {
            Self::Memory { rows, text } => Ok(rows.next().map(|(row, at, length)| {
                json.clear();
                json.extend_from_slice(text.get(at..at + length).unwrap_or_default());
                row
            })),
            Self::File(merge) => merge.next(json),
        }
    }
}

/// One sorted run, read through a buffer.
struct Run {
    next: u64,
    end: u64,
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
}

impl Run {
    /// Fills `into` from the run.
    fn read(&mut self, file: &File, into: &mut [u8]) -> io::Result<()> {
        let mut done = 0;
        while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
            if self.at == self.filled {
                let left = usize::try_from(self.end - self.next).unwrap_or(usize::MAX);
                let length = left.min(self.buffer.len());
                let Some(room) = self.buffer.get_mut(..length).filter(|room| !room.is_empty())
                else {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                };
                self.filled = file.read_at(room, self.next)?;
                self.next += self.filled as u64;
                self.at = 0;
            }
            let mut ready = self.buffer.get(self.at..self.filled).unwrap_or_default();
            let count = io::Read::read(&mut ready, rest)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.at += count;
            done += count;
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.next >= self.end && self.at == self.filled
    }
}

/// What decides which run is next: time, rank of the line, number, place in the file. The rest
/// goes along.
type Head = Reverse<(i64, usize, i64, u64, usize, usize, usize)>;

/// The merge of all runs.
pub(super) struct Merge {
    file: File,
    runs: Vec<Run>,
    heap: BinaryHeap<Head>,
    ranks: Vec<usize>,
}

impl Merge {
    /// Puts the next message of a run on the heap; its text is left in the run.
    fn advance(&mut self, number: usize) -> io::Result<()> {
        let Some(run) = self.runs.get_mut(number) else { return Ok(()) };
        if run.is_done() {
            return Ok(());
        }
        let mut fields = [[0; 8]; 4];
        for field in &mut fields {
            run.read(&self.file, field)?;
        }
        let [timestamp, line, sequence, element] = fields;
        let mut length = [0; 4];
        run.read(&self.file, &mut length)?;
        let line = usize::try_from(u64::from_le_bytes(line)).map_err(io::Error::other)?;
        let rank = self.ranks.get(line).copied().unwrap_or_default();
        self.heap.push(Reverse((
            i64::from_le_bytes(timestamp),
            rank,
            i64::from_le_bytes(sequence),
            u64::from_le_bytes(element),
            line,
            usize::try_from(u32::from_le_bytes(length)).map_err(io::Error::other)?,
            number,
        )));
        Ok(())
    }

    fn next(&mut self, json: &mut Vec<u8>) -> io::Result<Option<Row>> {
        let Some(Reverse((timestamp, _, sequence, element, line, length, number))) =
            self.heap.pop()
        else {
            return Ok(None);
        };
        json.clear();
        json.resize(length, 0);
        if let Some(run) = self.runs.get_mut(number) {
            run.read(&self.file, json)?;
        }
        self.advance(number)?;
        Ok(Some(Row { timestamp, line, sequence, element }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_on_disk_and_memory_give_the_same_order() {
        let mut lines = Lines::default();
        let (b, a) = (lines.number("b", 0, b"b", "t"), lines.number("a", 1, b"a", "t"));
        let mut state = 3u32;
        let rows: Vec<Row> = (0..3000u32)
            .map(|element| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let timestamp = i64::from(state >> 24);
                let line = if state & 256 == 0 { a } else { b };
                Row { timestamp, line, sequence: i64::from(element), element: element.into() }
            })
            .collect();
        let order = |limit_bytes| {
            let mut gathering = Gathering::with_limit(limit_bytes);
            for row in &rows {
                let json = format!("{}", row.element)
                    .repeat(1 + row.line % 40 + usize::from(row.timestamp > 99) * 30);
                gathering.push(*row, json.as_bytes(), &lines).unwrap();
            }
            let mut ordered = gathering.in_order(&lines).unwrap();
            let mut json = Vec::new();
            let mut got = Vec::new();
            while let Some(row) = ordered.next(&mut json).unwrap() {
                got.push((row, json.clone()));
            }
            got
        };
        let memory = order(usize::MAX);
        assert_eq!(memory.len(), 3000);
        assert_eq!(memory, order(20_000));
        assert!(memory.is_sorted_by_key(|(row, _)| (row.timestamp, row.line == b, row.sequence)));
    }
}
