//! Mints the ids of Telegram chats, people and messages.
//!
//! Telegram's own ids are used where the export has them, in the spelling of exports since 2.7.2
//! (`user123`, `chat123`, `channel123`), so that an old and a new export of one chat agree. Where
//! there is only a name (HTML, and JSON before 1.4.8), the id is a digest of the name: two
//! people of one name are then one, which the survey reports.

use sha2::{Digest, Sha256};

use crate::model::ids::{ChatId, MessageId, ParticipantId, TopicId};

/// How an export writes people's ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IdStyle {
    /// No id was seen.
    Unknown,
    /// `"user123"`: since 2.7.2.
    Peer,
    /// A number that may carry its kind in the bits from 32 on: 1.4.8 – 2.7.1.
    OldNumber,
    /// A plain number, from another tool.
    Number,
}

/// What kind of peer a chat is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PeerKind {
    /// A person or bot.
    User,
    /// A basic group.
    Chat,
    /// A supergroup or channel.
    Channel,
    /// The export does not say.
    Unknown,
}

impl PeerKind {
    /// From the `type` of a chat, in the spelling of the exporter or of its imitators.
    pub(super) fn of(chat_type: Option<&str>) -> Self {
        match chat_type {
            Some(
                "saved_messages" | "replies" | "verification_codes" | "personal_chat" | "bot_chat"
                | "private_chat" | "user",
            ) => Self::User,
            Some("private_group" | "group_chat" | "group") => Self::Chat,
            Some(
                "private_supergroup" | "public_supergroup" | "private_channel" | "public_channel"
                | "supergroup" | "channel",
            ) => Self::Channel,
            Some(_) | None => Self::Unknown,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Chat => "chat",
            Self::Channel => "channel",
            Self::Unknown => "peer",
        }
    }
}

/// The bare id inside a number of exports before 2.7.2: the kind stood from bit 32 on.
fn bare(number: i64) -> i64 {
    number & 0xFFFF_FFFF
}

/// Bot API spelling: `-100…` for channels, negative for basic groups.
fn negative(number: i64) -> String {
    let positive = number.unsigned_abs();
    match positive.checked_sub(1_000_000_000_000) {
        Some(channel) => format!("channel{channel}"),
        None => format!("chat{positive}"),
    }
}

/// The id of a chat that has one.
pub(super) fn chat(kind: PeerKind, id: i64, style: IdStyle) -> ChatId {
    if id < 0 {
        return ChatId::new(negative(id));
    }
    let shifted = match (kind, style) {
        (PeerKind::User, IdStyle::OldNumber) => id >> 32 == 1,
        (PeerKind::Chat | PeerKind::Channel, IdStyle::OldNumber | IdStyle::Unknown) => {
            id >> 32 == 2
        }
        (_, IdStyle::Peer | IdStyle::Number | IdStyle::Unknown) | (PeerKind::Unknown, _) => false,
    };
    ChatId::new(format!("{}{}", kind.word(), if shifted { bare(id) } else { id }))
}

/// The id of a chat of which only the name is known. `ordinal` tells chats of one name apart,
/// from 1, in the order of the export.
pub(super) fn named_chat(name: &str, ordinal: u64) -> ChatId {
    let digest = digest(name);
    ChatId::new(match ordinal {
        0 | 1 => format!("named-{digest}"),
        more => format!("named-{digest}-{more}"),
    })
}

/// The id of a person or chat as messages write it.
pub(super) fn peer(written: &str, style: IdStyle, chat: &ChatId) -> ParticipantId {
    let digits = written.trim_start_matches(|c: char| c.is_ascii_lowercase());
    let prefix = written.strip_suffix(digits).unwrap_or_default();
    if matches!(prefix, "user" | "chat" | "channel")
        && !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
    {
        return ParticipantId::new(written);
    }
    match written.parse::<i64>() {
        Ok(number) if number < 0 => ParticipantId::new(negative(number)),
        Ok(number) if style == IdStyle::OldNumber => {
            let bare = bare(number);
            match number >> 32 {
                // A group without sender speaks as itself; the number does not say which kind.
                2 if chat.as_str() == format!("chat{bare}") => {
                    ParticipantId::new(format!("chat{bare}"))
                }
                2 => ParticipantId::new(format!("channel{bare}")),
                _ => ParticipantId::new(format!("user{bare}")),
            }
        }
        Ok(number) => ParticipantId::new(format!("user{number}")),
        Err(_) => ParticipantId::new(format!("other-{}", digest(written))),
    }
}

/// A user of whom the number is known.
pub(super) fn user(number: i64) -> ParticipantId {
    ParticipantId::new(format!("user{number}"))
}

/// A person of whom only the name is known.
pub(super) fn named(name: &str) -> ParticipantId {
    ParticipantId::new(format!("named-{}", digest(name)))
}

/// Somebody of whom nothing is known: a deleted account without an id.
pub(super) fn nobody() -> ParticipantId {
    ParticipantId::new("unknown")
}

/// A message, by Telegram's number. A number that stands twice gets a suffix.
pub(super) fn message(number: i64, occurrence: u32) -> MessageId {
    MessageId::new(match occurrence {
        0 | 1 => number.to_string(),
        more => format!("{number}~{more}"),
    })
}

/// A message of which no number is known: from what it says. `ordinal` counts equals from 1.
pub(super) fn unnumbered(key: u64, ordinal: u32) -> MessageId {
    MessageId::new(match ordinal {
        0 | 1 => format!("m-{key:016x}"),
        more => format!("m-{key:016x}~{more}"),
    })
}

/// The digest by which messages without a number are told apart.
pub(super) fn content_key(parts: &[&str]) -> u64 {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let digest: [u8; 32] = hasher.finalize().into();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

/// A topic, by the number of the message that created it.
pub(super) fn topic(number: i64) -> TopicId {
    TopicId::new(number.to_string())
}

fn digest(text: &str) -> String {
    format!("{:016x}", content_key(&[text]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_new_spellings_agree() {
        let old = chat(PeerKind::Channel, (2 << 32) + 1_234_567, IdStyle::OldNumber);
        assert_eq!(old, chat(PeerKind::Channel, 1_234_567, IdStyle::Peer));
        assert_eq!(old.as_str(), "channel1234567");
        // A user id beyond 32 bits is not an old, shifted one.
        let new = chat(PeerKind::User, 5_000_000_000, IdStyle::Peer);
        assert_eq!(new.as_str(), "user5000000000");
        let saved = chat(PeerKind::User, (1 << 32) + 7, IdStyle::OldNumber);
        assert_eq!(saved.as_str(), "user7");
        assert_eq!(
            chat(PeerKind::Channel, -1_001_234_567_890, IdStyle::Number).as_str(),
            "channel1234567890"
        );
    }

    #[test]
    fn people_of_every_spelling() {
        let group = ChatId::new("chat55");
        let id = |text, style| peer(text, style, &group).as_str().to_owned();
        assert_eq!(id("user12", IdStyle::Peer), "user12");
        assert_eq!(id("4294967308", IdStyle::OldNumber), "user12");
        assert_eq!(id("12", IdStyle::OldNumber), "user12");
        assert_eq!(id("8589934647", IdStyle::OldNumber), "chat55");
        assert_eq!(id("8589934648", IdStyle::OldNumber), "channel56");
        assert_eq!(id("5000000000", IdStyle::Number), "user5000000000");
        assert_eq!(id("-1001234567890", IdStyle::Number), "channel1234567890");
        assert!(id("user", IdStyle::Peer).starts_with("other-"));
    }
}
