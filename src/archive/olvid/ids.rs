//! The only place where Olvid ids are minted.
//!
//! Everything comes from what travels on the wire, so two members' exports of one discussion,
//! an export and a later one, and an export and the bot daemon all agree:
//!
//! - a participant is the hexadecimal form of the whole identity;
//! - a discussion is its kind and half a SHA-256 over its key; a one-to-one discussion's key is
//!   the pair of identities in byte order, for each side calls it by the other's name;
//! - a message is (sender, thread, sequence number), the sender again as half a SHA-256.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha2::{Digest as _, Sha256};

use crate::model::ids::{ChatId, MessageId, ParticipantId};

/// Both writers pad; a hand that edited the file may not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Bytes out of the export's base64; `None` when it is none.
pub(super) fn bytes(base64: &str) -> Option<Vec<u8>> {
    BASE64.decode(base64).ok()
}

/// The person of an identity.
pub(super) fn participant(identity: &[u8]) -> ParticipantId {
    ParticipantId::new(hex::encode(identity))
}

/// What a discussion is between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DiscussionKind {
    OneToOne,
    GroupV1,
    GroupV2,
}

impl DiscussionKind {
    pub(super) fn of(t: i64) -> Option<Self> {
        match t {
            1 => Some(Self::OneToOne),
            2 => Some(Self::GroupV1),
            3 => Some(Self::GroupV2),
            _ => None,
        }
    }
}

/// The discussion with this key, in the export of `own`.
pub(super) fn chat(kind: DiscussionKind, id: &[u8], own: &[u8]) -> ChatId {
    match kind {
        DiscussionKind::OneToOne => {
            let (first, second) = if id < own { (id, own) } else { (own, id) };
            ChatId::new(format!("direct-{}", half_digest(&[first, second])))
        }
        DiscussionKind::GroupV1 => ChatId::new(format!("group1-{}", half_digest(&[id]))),
        DiscussionKind::GroupV2 => ChatId::new(format!("group2-{}", half_digest(&[id]))),
    }
}

/// The part of a message id that all messages of one sender's thread share.
pub(super) fn line(sender: &[u8], thread: &str) -> String {
    format!("{}.{}", half_digest(&[sender]), lower(thread))
}

/// The message with this number on a line.
pub(super) fn message(line: &str, sequence: i64) -> MessageId {
    MessageId::new(format!("{line}.{sequence}"))
}

/// UUIDs are lower-case on Android and upper-case on iOS.
pub(super) fn lower(uuid: &str) -> Cow<'_, str> {
    if uuid.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(uuid.to_ascii_lowercase())
    } else {
        Cow::Borrowed(uuid)
    }
}

/// Half a SHA-256 over parts whose lengths are counted in, in hexadecimal.
fn half_digest(parts: &[&[u8]]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let digest = digest.finalize();
    hex::encode(digest.split_at(16).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_a_discussion_agree() {
        let (a, b) = (b"alice".as_slice(), b"bob".as_slice());
        assert_eq!(chat(DiscussionKind::OneToOne, a, b), chat(DiscussionKind::OneToOne, b, a));
        assert_ne!(chat(DiscussionKind::OneToOne, a, b), chat(DiscussionKind::GroupV1, a, b));
        assert_eq!(chat(DiscussionKind::GroupV2, a, a), chat(DiscussionKind::GroupV2, a, b));
    }

    #[test]
    fn letters_of_a_thread_do_not_matter() {
        assert_eq!(line(b"x", "AB-cd"), line(b"x", "ab-CD"));
        assert_eq!(bytes("AQI="), bytes("AQI"));
        assert_eq!(bytes("?"), None);
    }
}
