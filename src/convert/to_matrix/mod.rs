//! One neutral message to Matrix events.

use ruma::{EventId, OwnedEventId};
use serde_json::{Map, Value, json};

use super::part::{Converted, Part, Speaker};
use super::policy::{Attribution, Policy};
use super::resolved::Resolved;
use crate::model::message::{Body, Message};
use crate::wording::Wording;

/// The events of `message` that need no event id of the message itself.
///
/// Never panics, and never yields nothing: where there is no part there is a finding.
pub fn parts(message: &Message, resolved: &Resolved<'_>, policy: &Policy) -> Converted {
    let _ = resolved;
    let wording = Wording::new(policy.language);
    let body = match &message.body {
        Body::Text(text) if !text.plain.is_empty() => text.plain.clone(),
        Body::Unknown { text } if !text.is_empty() => text.clone(),
        Body::System(event) if !event.text.is_empty() => event.text.clone(),
        Body::Deleted { .. } => wording.text("message-deleted", &[]),
        Body::Text(_)
        | Body::Unknown { .. }
        | Body::System(_)
        | Body::Media { .. }
        | Body::Sticker { .. }
        | Body::Location(_)
        | Body::Contact { .. }
        | Body::Poll(_)
        | Body::Call(_) => wording.text("empty-message", &[]),
    };
    let speaker = match (policy.attribution, &message.sender) {
        (Attribution::Ghosts, Some(sender)) => Speaker::Ghost(sender.id.clone()),
        (Attribution::Ghosts | Attribution::BotWithPrefix, _) => Speaker::Bot,
    };
    let mut content = Map::new();
    content.insert("body".to_owned(), Value::from(body));
    content.insert("m.mentions".to_owned(), json!({}));
    content.insert("msgtype".to_owned(), Value::from("m.text"));
    let part = Part {
        index: 0,
        speaker,
        at: message.sent_at.at,
        event_type: "m.room.message".to_owned(),
        content,
    };
    Converted { parts: vec![part], losses: Vec::new() }
}

/// The events that need the ids of the message's own events: reactions, edits, votes.
/// Part indexes continue after those of [`parts`].
pub fn followups(
    message: &Message,
    first_event: &EventId,
    all_events: &[OwnedEventId],
    resolved: &Resolved<'_>,
    policy: &Policy,
) -> Converted {
    let _ = (message, first_event, all_events, resolved, policy);
    Converted::default()
}
