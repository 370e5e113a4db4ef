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

/// A set of numbers that mostly follow one another, kept as ranges.
#[derive(Debug, Default)]
struct Sequences {
    /// First number to last number, both inside.
    ranges: BTreeMap<i64, i64>,
    /// The range that grows, first number and last; not among the others.
    growing: Option<(i64, i64)>,
}

impl Sequences {
    fn contains(&self, number: i64) -> bool {
        self.growing.is_some_and(|(first, last)| (first..=last).contains(&number))
            || self.ranges.range(..=number).next_back().is_some_and(|(_, last)| *last >= number)
    }

    fn insert(&mut self, number: i64) -> bool {
        if self.contains(number) {
            return false;
        }
        match &mut self.growing {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            growing => {
                if let Some((first, last)) = growing.replace((number, number)) {
                    self.close(first, last);
                }
            }
        }
        true
    }

    /// Puts a range that grows no more among the others, which it does not overlap.
    fn close(&mut self, mut first: i64, mut last: i64) {
        let before = self.ranges.range(..first).next_back();
        if let Some((start, end)) = before.map(|(start, end)| (*start, *end))
            && end.checked_add(1) == Some(first)
        {
            first = start;
        }
        if let Some(end) = last.checked_add(1).and_then(|next| self.ranges.remove(&next)) {
            last = end;
        }
        self.ranges.insert(first, last);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ranges_hold_what_a_set_holds() {
        let mut ranges = Sequences::default();
        let mut set = BTreeSet::new();
        let mut state = 7u32;
        for _ in 0..2000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let number = i64::from(state >> 23);
            assert_eq!(ranges.insert(number), set.insert(number));
        }
        assert!(ranges.insert(i64::MAX) && ranges.insert(i64::MIN) && !ranges.insert(i64::MAX));
        for number in 0..512 {
            assert_eq!(ranges.contains(number), set.contains(&number));
        }
    }

    #[test]
    fn a_run_of_numbers_is_one_range() {
        let mut ranges = Sequences::default();
        for number in (0..1000).chain(1001..2000).chain([1000]) {
            assert!(ranges.insert(number));
        }
        ranges.insert(5000);
        assert_eq!(ranges.ranges.len(), 1);
    }
}
