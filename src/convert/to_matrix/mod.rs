//! One neutral message to Matrix events.
//!
//! `mod` chooses by the kind of body; `draft` holds the events as they are made; `words`,
//! `files` (with `file_event` and `file_name`), `places`, `polls`, `lines` and `reactions` each know one kind; `edits` knows how a
//! message that changed is told.

mod draft;
mod edits;
mod file_event;
mod file_name;
mod files;
mod lines;
mod places;
mod polls;
mod reactions;
#[cfg(test)]
mod tests;
mod words;

use ruma::{EventId, OwnedEventId};

use self::draft::Draft;
use super::part::{Converted, Part};
use super::policy::Policy;
use super::resolved::Resolved;
use crate::model::finding::FindingKind;
use crate::model::message::{Body, Message};
use crate::model::text::Text;

/// The events of `message` that need no event id of the message itself.
///
/// Never panics, and never yields nothing: where there is no part there is a finding.
pub fn parts(message: &Message, resolved: &Resolved<'_>, policy: &Policy) -> Converted {
    let mut converted = match edits::versions(message, resolved, policy) {
        Some(versions) => Converted {
            losses: versions.last().map(|last| last.converted.losses.clone()).unwrap_or_default(),
            parts: versions.into_iter().next().map(|v| v.converted.parts).unwrap_or_default(),
        },
        None => compose(message, None, resolved, policy),
    };
    if message.expires_at.is_some() {
        let detail = "the source would have deleted it; in the room it stays";
        converted.losses.push(draft::finding(message, FindingKind::NotCarried, detail));
    }
    if converted.parts.is_empty() && converted.losses.is_empty() {
        let detail = "nothing of it could be shown";
        converted.losses.push(draft::finding(message, FindingKind::NotCarried, detail));
    }
    converted
}

/// The events that need the ids of the message's own events: reactions, edits, votes.
///
/// `first_event` and `all_events` are the ids that the events of [`parts`] got, in order. Part
/// indexes continue after those of [`parts`]. Most messages have none.
pub fn followups(
    message: &Message,
    first_event: &EventId,
    all_events: &[OwnedEventId],
    resolved: &Resolved<'_>,
    policy: &Policy,
) -> Converted {
    let changed = message.edited.as_ref().is_some_and(|edited| !edited.history.is_empty());
    let is_poll = matches!(message.body, Body::Poll(_));
    if !changed && !is_poll && message.reactions.is_empty() {
        return Converted::default();
    }
    let own = Own { parts: parts(message, resolved, policy).parts, first_event, all_events };
    let mut draft = Draft::new(message, resolved, policy);
    draft.continue_after(own.parts.len());
    if changed {
        edits::tell(&mut draft, &own);
    }
    if let Body::Poll(poll) = &message.body {
        polls::votes_and_end(&mut draft, poll, &own);
    }
    reactions::tell(&mut draft, &own);
    draft.finish()
}

/// The message's own parts and the ids they got.
struct Own<'a> {
    parts: Vec<Part>,
    first_event: &'a EventId,
    all_events: &'a [OwnedEventId],
}

impl Own<'_> {
    /// The id of the first part that `wanted` accepts, or else of the first event.
    fn event(&self, wanted: impl Fn(&Part) -> bool) -> OwnedEventId {
        self.parts
            .iter()
            .position(wanted)
            .and_then(|at| self.all_events.get(at))
            .cloned()
            .unwrap_or_else(|| self.first_event.to_owned())
    }

    /// The id of the part at `at`.
    fn at(&self, at: usize) -> OwnedEventId {
        self.all_events.get(at).cloned().unwrap_or_else(|| self.first_event.to_owned())
    }
}

/// An earlier text of a message, in place of the one it ended with.
struct Earlier<'a> {
    text: &'a Text,
}

/// The events of one version of a message: the last one, or the one with an earlier text.
fn compose(
    message: &Message,
    earlier: Option<&Earlier<'_>>,
    resolved: &Resolved<'_>,
    policy: &Policy,
) -> Converted {
    let mut draft = Draft::new(message, resolved, policy);
    draft.relate();
    // An earlier version is replaced in place, and clients then show that by themselves.
    let edited = message.edited.as_ref().filter(|_| earlier.is_none());
    let text_of = |text| earlier.map_or(text, |earlier| earlier.text);
    match &message.body {
        Body::Text(text) => words::say(&mut draft, text_of(text), edited),
        Body::Media { attachments, caption, view_once } => {
            let caption = caption.as_ref().map(text_of);
            files::media(&mut draft, attachments, caption, edited, *view_once);
        }
        Body::Sticker { attachment } => files::sticker(&mut draft, attachment),
        Body::Location(location) => places::location(&mut draft, location),
        Body::Contact { cards } => places::contacts(&mut draft, cards),
        Body::Poll(poll) => polls::start(&mut draft, poll),
        Body::Call(call) => lines::call(&mut draft, call),
        Body::System(event) => lines::system(&mut draft, event),
        Body::Deleted { .. } => lines::deleted(&mut draft),
        Body::Unknown { text } => lines::unknown(&mut draft, text),
    }
    draft.finish()
}
