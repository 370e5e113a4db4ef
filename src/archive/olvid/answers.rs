//! Answers whose target was not met yet, set aside until the end of the file.
//!
//! In an export of millions of messages there are hundreds of thousands; what does not fit goes
//! to a temporary file without a name.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

/// How many are kept in memory.
const KEPT: usize = 2 * 1024;
const FIELDS: usize = 6;
const RECORD_BYTES: usize = FIELDS * 8;

/// A message that answers another. Lines and chats go by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) chat: u64,
    pub(super) line: u64,
    pub(super) sequence: i64,
    pub(super) element: u64,
    pub(super) target_line: u64,
    pub(super) target_sequence: i64,
}

impl Answer {
    fn bytes(self) -> impl Iterator<Item = u8> {
        let Self { chat, line, sequence, element, target_line, target_sequence } = self;
        [
            chat.to_le_bytes(),
            line.to_le_bytes(),
            sequence.to_le_bytes(),
            element.to_le_bytes(),
            target_line.to_le_bytes(),
            target_sequence.to_le_bytes(),
        ]
        .into_iter()
        .flatten()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (fields, _) = bytes.as_chunks::<8>();
        let [chat, line, sequence, element, target_line, target_sequence] =
            *fields.first_chunk::<FIELDS>()?;
        Some(Self {
            chat: u64::from_le_bytes(chat),
            line: u64::from_le_bytes(line),
            sequence: i64::from_le_bytes(sequence),
            element: u64::from_le_bytes(element),
            target_line: u64::from_le_bytes(target_line),
            target_sequence: i64::from_le_bytes(target_sequence),
        })
    }
}

/// Answers in the order they were met.
#[derive(Debug, Default)]
pub(super) struct Answers {
    recent: Vec<Answer>,
    file: Option<File>,
    written: u64,
}

impl Answers {
    pub(super) fn push(&mut self, answer: Answer) -> io::Result<()> {
        if self.recent.len() == KEPT {
            let bytes: Vec<u8> = self.recent.drain(..).flat_map(Answer::bytes).collect();
            let file = match &mut self.file {
                Some(file) => file,
                none => none.insert(tempfile::tempfile()?),
            };
            file.write_all(&bytes)?;
            self.written += bytes.len() as u64;
        }
        self.recent.push(answer);
        Ok(())
    }

    /// Gives every answer to `each`.
    pub(super) fn for_each(&self, mut each: impl FnMut(Answer)) -> io::Result<()> {
        if let Some(file) = &self.file {
            let mut block = vec![0; KEPT * RECORD_BYTES];
            let mut at = 0;
            while at < self.written {
                file.read_exact_at(&mut block, at)?;
                at += block.len() as u64;
                block.chunks_exact(RECORD_BYTES).filter_map(Answer::read).for_each(&mut each);
            }
        }
        self.recent.iter().copied().for_each(each);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_come_back_in_order() {
        let answer = |n: usize| {
            let (unsigned, signed) = (n as u64, -i64::try_from(n).unwrap());
            Answer {
                chat: unsigned,
                line: unsigned + 1,
                sequence: signed,
                element: unsigned + 2,
                target_line: unsigned + 3,
                target_sequence: signed - 1,
            }
        };
        let mut answers = Answers::default();
        for n in 0..KEPT * 2 + 7 {
            answers.push(answer(n)).unwrap();
        }
        let mut count = 0;
        answers
            .for_each(|found| {
                assert_eq!(found, answer(count));
                count += 1;
            })
            .unwrap();
        assert_eq!(count, KEPT * 2 + 7);
    }
}
