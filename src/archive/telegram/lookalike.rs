//! Tells Telegram Desktop's JSON from that of other tools, and from JSON that is no chat at all;
//! and which version wrote it. The files carry no version and no maker's name, so the keys that
//! occur are the evidence.
//!
//! What is read is the same in every case: a file of another tool is read as far as its keys
//! mean what the exporter's mean, and the rest is findings.

use memchr::memmem;

use super::ids::PeerKind;
use super::raw::RawMessage;
use super::walk::{Answer, Step, walk};
use super::window::Window;
use crate::archive::reader::Confidence;

/// How many messages are looked at to know an export by.
const ENOUGH: u32 = 20;

/// Whether the beginning of a file is an export.
pub(super) fn recognise(head: &[u8]) -> Confidence {
    let mut signs = Signs::default();
    let mut chats = 0_u32;
    walk(Window::new(Box::new(std::io::Cursor::new(head.to_vec()))), &mut |step| match step {
        Step::Chat(head) => {
            chats += 1;
            signs.known_type |= PeerKind::of(head.kind.as_deref()) != PeerKind::Unknown;
            Answer::Go
        }
        Step::Message { raw, .. } => {
            signs.look(&raw);
            if signs.messages >= ENOUGH { Answer::Stop } else { Answer::Go }
        }
        Step::Owner(_) | Step::Unreadable { .. } | Step::ChatEnd => Answer::Go,
    });
    let has = |key: &str| memmem::find(head, key.as_bytes()).is_some();
    if signs.messages == 0 {
        // No message within reach: an account whose contacts come first, or an empty chat.
        let account = has("\"about\"") && (has("\"personal_information\"") || has("\"contacts\""));
        return match (chats, account) {
            (_, true) => Confidence::Certain,
            (1.., false) if signs.known_type => Confidence::Likely,
            (_, false) => Confidence::No,
        };
    }
    match signs.flavour() {
        Flavour::Desktop if signs.known_type => Confidence::Certain,
        Flavour::Desktop => Confidence::Likely,
        Flavour::Other if signs.telegram => Confidence::Likely,
        Flavour::Other => Confidence::No,
    }
}

/// Who wrote a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavour {
    /// Telegram Desktop.
    Desktop,
    /// A tool that writes the like.
    Other,
}

/// What was seen in the messages of a file.
#[derive(Debug, Default)]
pub(super) struct Signs {
    pub(super) messages: u32,
    /// Whether a chat has a type of the exporter.
    pub(super) known_type: bool,
    /// Whether a message says that it is one, as Telegram's do.
    telegram: bool,
    /// Messages without number, type or date; dates as numbers; actions or media as objects.
    odd: u32,
    newest: Option<(u8, u8, u8)>,
}

impl Signs {
    /// Takes note of one message.
    pub(super) fn look(&mut self, raw: &RawMessage<'_>) {
        self.messages = self.messages.saturating_add(1);
        let kind = raw.kind.as_ref().map(|kind| kind.0.as_ref());
        let says = matches!(kind, Some("message" | "service" | "unsupported"));
        self.telegram |= says && (raw.date.is_some() || raw.date_unixtime.is_some());
        let undated = raw.date.as_ref().is_none_or(|date| !date.0.contains('T'));
        let other_keys = raw.rest.iter().any(|(key, _)| {
            matches!(key.as_str(), "media" | "reply_to_quote" | "forwarded_date" | "topic_id")
        });
        let odd = raw.id.is_none()
            || !says
            || undated && kind != Some("unsupported")
            || raw.action.as_ref().is_some_and(|action| !action.is_string())
            || other_keys;
        self.odd = self.odd.saturating_add(u32::from(odd));
        self.newest = self.newest.max(version(raw));
    }

    /// Who wrote it.
    pub(super) fn flavour(&self) -> Flavour {
        // A damaged record may look odd; half of them do not.
        if self.odd * 2 > self.messages { Flavour::Other } else { Flavour::Desktop }
    }

    /// The version from which on the newest key that was seen is written.
    pub(super) fn since(&self) -> Option<String> {
        self.newest.map(|(major, minor, patch)| match patch {
            0 => format!("{major}.{minor}"),
            patch => format!("{major}.{minor}.{patch}"),
        })
    }
}

/// The earliest version that writes the keys of a message, as far as they tell. From the source
/// of the exporter.
fn version(raw: &RawMessage<'_>) -> Option<(u8, u8, u8)> {
    let has = |key: &str| raw.rest.iter().any(|(known, _)| known == key);
    let by_rest = || {
        if raw.rest.is_empty() {
            None
        } else if has("rich_message") {
            Some((7, 0, 9))
        } else if has("todo_list") {
            Some((5, 16, 0))
        } else if has("inline_bot_buttons") {
            Some((4, 13, 0))
        } else {
            None
        }
    };
    let by_key = if raw.forwarded_from_id.is_some() {
        Some((6, 3, 4))
    } else if raw.file.file_size.is_some() || raw.file.photo_file_size.is_some() {
        Some((5, 11, 0))
    } else if raw.file.media_spoiler.is_some() {
        Some((5, 9, 0))
    } else if !raw.reactions.is_empty() {
        Some((5, 5, 7))
    } else if raw.file.file_name.is_some() {
        Some((4, 16, 9))
    } else if raw.text_entities.is_some() {
        Some((4, 1, 2))
    } else if raw.date_unixtime.is_some() {
        Some((3, 7, 6))
    } else if raw
        .from_id
        .as_ref()
        .or(raw.actor_id.as_ref())
        .is_some_and(|id| id.0.starts_with(char::is_alphabetic))
    {
        Some((2, 7, 2))
    } else if raw.from_id.is_some() || raw.actor_id.is_some() {
        Some((1, 4, 8))
    } else {
        Some((1, 3, 8))
    };
    by_rest().max(by_key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_and_what_merely_looks_like_them() {
        let desktop = br#"{"name": "A", "type": "personal_chat", "id": 1, "messages": [
            {"id": 1, "type": "message", "date": "2024-01-01T00:00:00", "text": "x"}]}"#;
        assert_eq!(recognise(desktop), Confidence::Certain);
        let cut = br#"{"name": "A", "type": "personal_chat", "id": 1, "messages": [
            {"id": 1, "type": "message", "date": "2024-01-01T00:00:00", "te"#;
        assert_eq!(recognise(cut), Confidence::Likely);
        let other =
            br#"{"messages": [{"type": "message", "date_unixtime": "1544006350", "text": "x"}]}"#;
        assert_eq!(recognise(other), Confidence::Likely);
        assert_eq!(
            recognise(br#"{"messages": [{"role": "user", "content": "x"}]}"#),
            Confidence::No
        );
        assert_eq!(recognise(br#"{"a": 1}"#), Confidence::No);
        assert_eq!(recognise(b"\xff\xfe"), Confidence::No);
    }
}
