//! The lines of a discussion: each is one sender's thread, numbered by that sender's device.

use std::collections::{BTreeMap, HashMap};

/// One sender's thread in one discussion.
#[derive(Debug)]
pub(super) struct Line {
    /// Number of the sender among [`super::people::People`].
    pub(super) person: usize,
    /// The sender's identity, for the order.
    sender: Vec<u8>,
    thread: String,
    /// The common part of the ids of its messages.
    pub(super) id: String,
    sequences: Sequences,
}

impl Line {
    /// Whether the message with this number was noted.
    pub(super) fn holds(&self, sequence: i64) -> bool {
        self.sequences.contains(sequence)
    }

    /// The order among messages of one instant: sender, then thread.
    pub(super) fn order(&self) -> (&[u8], &str) {
        (&self.sender, &self.thread)
    }
}

/// All lines of one discussion, known by their ids.
#[derive(Debug, Default)]
pub(super) struct Lines {
    list: Vec<Line>,
    by_id: HashMap<String, usize>,
}

impl Lines {
    /// The number of the line with this id, which is added if it is new.
    pub(super) fn number(&mut self, id: &str, person: usize, sender: &[u8], thread: &str) -> usize {
        if let Some(number) = self.by_id.get(id) {
            if let Some(line) = self.list.get_mut(*number).filter(|line| line.person == usize::MAX)
            {
                line.person = person;
                sender.clone_into(&mut line.sender);
                thread.clone_into(&mut line.thread);
            }
            return *number;
        }
        let number = self.list.len();
        self.by_id.insert(id.to_owned(), number);
        self.list.push(Line {
            person,
            sender: sender.to_owned(),
            thread: thread.to_owned(),
            id: id.to_owned(),
            sequences: Sequences::default(),
        });
        number
    }

    pub(super) fn get(&self, number: usize) -> Option<&Line> {
        self.list.get(number)
    }

    pub(super) fn all(&self) -> &[Line] {
        &self.list
    }

    /// Notes a message; false if it was noted before.
    pub(super) fn note(&mut self, number: usize, sequence: i64) -> bool {
        self.list.get_mut(number).is_some_and(|line| line.sequences.insert(sequence))
    }

    /// Whether the message was noted.
    pub(super) fn holds(&self, id: &str, sequence: i64) -> bool {
        let line = self.by_id.get(id).and_then(|number| self.list.get(*number));
        line.is_some_and(|line| line.holds(sequence))
    }

    /// The number of a line of which only the id is known yet.
    pub(super) fn reserve(&mut self, id: &str) -> usize {
        self.number(id, usize::MAX, &[], "")
    }
}

/// How many numbers a block stands for, as a power of two.
const BLOCK_BITS: u32 = 12;
/// From so many numbers on a block is kept as bits.
const FEW: usize = 128;

/// A set of numbers that mostly follow one another: about a bit for each.
#[derive(Debug, Default)]
struct Sequences {
    blocks: BTreeMap<i64, Block>,
}

/// The numbers of one block, by their lowest bits.
#[derive(Debug)]
enum Block {
    /// In order.
    Few(Vec<u16>),
    Many(Box<[u64; 1 << (BLOCK_BITS - 6)]>),
}

impl Block {
    fn contains(&self, low: u16) -> bool {
        match self {
            Self::Few(few) => few.binary_search(&low).is_ok(),
            Self::Many(words) => {
                words.get(usize::from(low >> 6)).is_some_and(|word| word >> (low & 63) & 1 == 1)
            }
        }
    }

    fn insert(&mut self, low: u16) -> bool {
        match self {
            Self::Few(few) => match few.binary_search(&low) {
                Ok(_) => return false,
                Err(at) if few.len() < FEW => few.insert(at, low),
                Err(_) => {
                    let mut many = Self::Many(Box::new([0; 1 << (BLOCK_BITS - 6)]));
                    for known in few.iter() {
                        many.insert(*known);
                    }
                    many.insert(low);
                    *self = many;
                }
            },
            Self::Many(words) => {
                let Some(word) = words.get_mut(usize::from(low >> 6)) else { return false };
                let before = *word;
                *word |= 1 << (low & 63);
                return *word != before;
            }
        }
        true
    }
}

impl Sequences {
    fn parts(number: i64) -> (i64, u16) {
        let low = number & ((1 << BLOCK_BITS) - 1);
        (number >> BLOCK_BITS, u16::try_from(low).unwrap_or_default())
    }

    fn contains(&self, number: i64) -> bool {
        let (high, low) = Self::parts(number);
        self.blocks.get(&high).is_some_and(|block| block.contains(low))
    }

    fn insert(&mut self, number: i64) -> bool {
        let (high, low) = Self::parts(number);
        self.blocks.entry(high).or_insert_with(|| Block::Few(Vec::new())).insert(low)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn blocks_hold_what_a_set_holds() {
        let mut numbers = Sequences::default();
        let mut set = BTreeSet::new();
        let mut state = 7u32;
        for _ in 0..2000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let number = i64::from(state >> 23);
            assert_eq!(numbers.insert(number), set.insert(number));
        }
        assert!(numbers.insert(i64::MAX) && numbers.insert(i64::MIN) && !numbers.insert(i64::MAX));
        for number in 0..512 {
            assert_eq!(numbers.contains(number), set.contains(&number));
        }
    }

    #[test]
    fn a_run_of_numbers_takes_bits() {
        let mut numbers = Sequences::default();
        for number in (-5000..1000).chain(1001..9000).chain([1000]) {
            assert!(numbers.insert(number));
            assert!(!numbers.insert(number));
        }
        assert!(numbers.blocks.len() <= 5);
        assert!((-5000..9000).all(|number| numbers.contains(number)));
        assert!(!numbers.contains(-5001) && !numbers.contains(9000));
    }
}
