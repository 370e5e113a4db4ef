//! What has to be remembered of the messages already read: which numbers there were, and in
//! which topic each stood. Both grow with the count of messages by bits, not by bytes.

use std::collections::HashMap;

/// The numbers of the messages read so far: one bit each where numbers are dense.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pages: HashMap<i64, [u64; 16]>,
    /// Numbers that stand more than once, and how often; rare.
    repeated: HashMap<i64, u32>,
}

impl Seen {
    /// Takes note of a number; how often it has now been seen.
    pub(super) fn insert(&mut self, number: i64) -> u32 {
        let (page, word, bit) = place(number);
        let page = self.pages.entry(page).or_default();
        let Some(word) = page.get_mut(word) else { return 1 };
        if *word & bit == 0 {
            *word |= bit;
            return 1;
        }
        let count = self.repeated.entry(number).or_insert(1);
        *count += 1;
        *count
    }

    /// Whether a number was seen.
    pub(super) fn has(&self, number: i64) -> bool {
        let (page, word, bit) = place(number);
        self.pages.get(&page).and_then(|page| page.get(word)).is_some_and(|word| word & bit != 0)
    }
}

fn place(number: i64) -> (i64, usize, u64) {
    let within = number.rem_euclid(1024).unsigned_abs();
    (number.div_euclid(1024), usize::try_from(within / 64).unwrap_or_default(), 1 << (within % 64))
}

/// Which topic each message of a forum stands in: followed from reply to reply.
#[derive(Debug, Default)]
pub(super) struct Topics {
    topics: Vec<i64>,
    /// For each message its topic's place in `topics`, plus one; nothing is kept before the
    /// first topic.
    pages: HashMap<i64, [u16; 64]>,
}

impl Topics {
    /// A topic was created by this message.
    pub(super) fn create(&mut self, number: i64) {
        if self.topics.len() < usize::from(u16::MAX) {
            self.topics.push(number);
            self.set(number, u16::try_from(self.topics.len()).unwrap_or_default());
        }
    }

    /// The topic of a message that answers another one.
    pub(super) fn answer(&mut self, number: Option<i64>, answered: i64) -> Option<i64> {
        if self.topics.is_empty() {
            return None;
        }
        let (page, at) = slot(answered);
        let topic =
            self.pages.get(&page).and_then(|page| page.get(at)).copied().unwrap_or_default();
        if topic == 0 {
            return None;
        }
        if let Some(number) = number {
            self.set(number, topic);
        }
        self.topics.get(usize::from(topic) - 1).copied()
    }

    fn set(&mut self, number: i64, topic: u16) {
        let (page, at) = slot(number);
        if let Some(slot) = self.pages.entry(page).or_insert([0; 64]).get_mut(at) {
            *slot = topic;
        }
    }
}

fn slot(number: i64) -> (i64, usize) {
    (number.div_euclid(64), usize::try_from(number.rem_euclid(64)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_remembered() {
        let mut seen = Seen::default();
        for number in [-999_999_999, -1, 0, 1, 1023, 1024, i64::MAX, i64::MIN] {
            assert!(!seen.has(number));
            assert_eq!(seen.insert(number), 1);
            assert!(seen.has(number));
        }
        assert_eq!(seen.insert(1), 2);
        assert_eq!(seen.insert(1), 3);
    }

    #[test]
    fn topics_follow_replies() {
        let mut topics = Topics::default();
        assert_eq!(topics.answer(Some(2), 1), None);
        topics.create(5);
        assert_eq!(topics.answer(Some(6), 5), Some(5));
        assert_eq!(topics.answer(Some(7), 6), Some(5));
        assert_eq!(topics.answer(Some(8), 2), None);
        assert_eq!(topics.answer(Some(9), 8), None);
    }
}
