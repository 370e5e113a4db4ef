//! The one place that mints WhatsApp ids. The text export has none, so they are derived.
//!
//! - A **chat** is its title in the name of the file, composed (NFC) and without ` (1)`.
//! - A **person** is their name or number as exported, without invisible wrapping and `~`.
//! - A **message** is the minute it was sent (UTC), what it says, and an ordinal among equals.
//!   Left out because they change between exports of one chat: seconds (they differ by one on
//!   iPhones), the sender's name (a number becomes a name once it is saved), names of files and
//!   words for them (with or without media, language), votes, the words of system lines, line
//!   numbers. The notice of encryption even changes its time: it is known by its ordinal alone.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

use super::senders::ShortKeyMap;
use crate::archive::reader::NameKind;
use crate::model::author::Author;
use crate::model::ids::{ChatId, MessageId, ParticipantId};
use crate::model::time::UnixMillis;

/// The chat of that title.
pub(super) fn chat(title: &str, copy: usize) -> ChatId {
    let composed: String = title.nfc().collect();
    let mut id = short_digest("chat", composed.as_bytes());
    if copy > 0 {
        // A second export of the same chat in one container; merging is the caller's business.
        let _ = write!(id, "-{}", copy + 1);
    }
    ChatId::new(id)
}

/// The person of that exported name: id, name to show, and what the name is worth.
pub(super) fn author(exported: &str) -> (Author, NameKind) {
    let unwrapped = exported.trim_matches(is_wrapping);
    let (name, pushed) = match unwrapped.strip_prefix('~') {
        Some(rest) => {
            (rest.trim_start_matches(|c: char| c.is_whitespace() || is_wrapping(c)), true)
        }
        None => (unwrapped, false),
    };
    let kind = if name.is_empty() {
        NameKind::Missing
    } else if is_number(name) {
        NameKind::Number
    } else if pushed {
        NameKind::PushName
    } else {
        NameKind::Name
    };
    let id = ParticipantId::new(short_digest("person", name.as_bytes()));
    (Author { id, name: name.to_owned() }, kind)
}

/// Somebody else of the same name in the same chat.
pub(super) fn namesake(author: &Author) -> Author {
    let Author { id, name } = author;
    Author {
        id: ParticipantId::new(short_digest("namesake", id.as_str().as_bytes())),
        name: name.clone(),
    }
}

fn is_wrapping(c: char) -> bool {
    matches!(
        c,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
    )
}

fn is_number(name: &str) -> bool {
    let digits = name.chars().filter(char::is_ascii_digit).count();
    digits >= 5
        && name.chars().all(|c| {
            c.is_ascii_digit()
                || matches!(
                    c,
                    '+' | ' ' | '\u{a0}' | '\u{202f}' | '-' | '\u{2011}' | '(' | ')' | '.'
                )
        })
}

fn short_digest(domain: &str, bytes: &[u8]) -> String {
    let mut digest = Sha256::new();
    digest.update(domain.as_bytes());
    digest.update([0]);
    digest.update(bytes);
    let digest = digest.finalize();
    hex::encode(digest.get(..8).unwrap_or_default())
}

/// What of a message tells it from others of its minute.
#[derive(Clone, Copy, Debug)]
pub(super) enum Essence<'a> {
    /// Typed words.
    Words(&'a str),
    /// A file, by what was written with it.
    File(&'a str),
    /// A contact card.
    Card,
    /// A place, by its address.
    Place(&'a str),
    /// A poll, by its question.
    Poll(&'a str),
    /// A call.
    Call,
    /// A deleted message.
    Deleted,
    /// Anything else that somebody sent.
    Other,
    /// A line of the app, by what happened.
    Event(&'a str),
    /// The notice of encryption.
    EncryptionNotice,
}

/// Mints message ids, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct MessageIds {
    recent: ShortKeyMap<[u8; 16], u32>,
    older: ShortKeyMap<[u8; 16], u32>,
    notices: u32,
    buffer: Vec<u8>,
}

/// How many messages lie between two equals of one minute at the most. Exports are sorted but
/// for late arrivals.
const WINDOW: usize = 1 << 13;

impl MessageIds {
    /// The id of the next message.
    pub fn mint(&mut self, at: UnixMillis, essence: Essence<'_>) -> MessageId {
        self.buffer.clear();
        let minute = at.0.div_euclid(60_000);
        let (tag, words) = match essence {
            Essence::Words(text) => (b'w', text),
            Essence::File(caption) => (b'f', caption),
            Essence::Card => (b'c', ""),
            Essence::Place(address) => (b'p', address),
            Essence::Poll(question) => (b'q', question),
            Essence::Call => (b'k', ""),
            Essence::Deleted => (b'd', ""),
            Essence::Other => (b'o', ""),
            Essence::Event(kind) => (b's', kind),
            Essence::EncryptionNotice => {
                self.notices += 1;
                return MessageId::new(format!("encryption-{}", self.notices));
            }
        };
        self.buffer.push(tag);
        self.buffer.extend_from_slice(&minute.to_le_bytes());
        push_without_names(&mut self.buffer, words);
        let digest = Sha256::digest(&self.buffer);
        let mut key = [0; 16];
        for (to, from) in key.iter_mut().zip(digest) {
            *to = from;
        }
        let ordinal = self.ordinal(key);
        let mut id = String::with_capacity(32);
        for byte in key {
            for nibble in [byte >> 4, byte & 15] {
                id.push(char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }));
            }
        }
        if ordinal > 0 {
            let _ = write!(id, "-{}", ordinal + 1);
        }
        MessageId::new(id)
    }

    /// How many equals came before.
    fn ordinal(&mut self, key: [u8; 16]) -> u32 {
        if self.recent.len() >= WINDOW {
            std::mem::swap(&mut self.recent, &mut self.older);
            self.recent.clear();
        }
        let before = self.older.get(&key).copied().unwrap_or(0);
        let count = self.recent.entry(key).or_insert(before);
        *count += 1;
        *count - 1
    }
}

/// Mentions show the name a person has on the exporting phone, so only their place counts.
fn push_without_names(to: &mut Vec<u8>, words: &str) {
    let mut rest = words;
    while let Some((before, after)) = rest.split_once('\u{2068}') {
        to.extend_from_slice(before.as_bytes());
        to.push(0);
        rest = after.split_once('\u{2069}').map_or("", |(_, after)| after);
    }
    to.extend_from_slice(rest.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_and_tilde_do_not_make_another_person() {
        let id = |name: &str| author(name).0.id;
        assert_eq!(id("\u{202a}+33 6 39 98 00 00\u{202c}"), id("+33 6 39 98 00 00"));
        assert_eq!(id("~\u{202f}Ana"), id("Ana"));
        assert_ne!(id("Ana "), id("Ana"));
        assert_eq!(author("~ Ana").1, NameKind::PushName);
        assert_eq!(author("+33\u{a0}6\u{2011}39").1, NameKind::Number);
        assert_eq!(author("007").1, NameKind::Name);
    }

    #[test]
    fn equal_messages_of_one_minute_have_ordinals() {
        let mut ids = MessageIds::default();
        let first = ids.mint(UnixMillis(60_000), Essence::Words("ok"));
        let second = ids.mint(UnixMillis(119_999), Essence::Words("ok"));
        let later = ids.mint(UnixMillis(120_000), Essence::Words("ok"));
        assert_eq!(second.as_str(), format!("{first}-2"));
        assert_ne!(first, later);
        assert_ne!(first, ids.mint(UnixMillis(60_000), Essence::File("ok")));
    }

    #[test]
    fn a_mention_by_another_name_is_the_same_message() {
        let mint = |text: &str| MessageIds::default().mint(UnixMillis(0), Essence::Words(text));
        assert_eq!(mint("@\u{2068}Ana\u{2069} oui"), mint("@\u{2068}~Ana B\u{2069} oui"));
        assert_ne!(mint("@\u{2068}Ana\u{2069} oui"), mint("oui"));
    }
}
