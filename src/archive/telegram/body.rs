//! The content of a message: what a person sent, or what the messenger said.

use serde_json::Value;

use super::action::{self, Act, Scene};
use super::convert::Converter;
use super::fields::{Fields, describe, truncate};
use super::media::{self, Content, Remarks};
use super::raw::RawFile;
use super::rich;
use super::told::Told;
use super::value::{Int, Name, Str};
use crate::model::author::Author;
use crate::model::finding::FindingKind;
use crate::model::message::Body;
use crate::model::system::SystemEvent;
use crate::model::text::Text;

/// The parts of a service message.
pub(super) struct Service<'a> {
    pub(super) action: Option<String>,
    pub(super) actor: Option<Author>,
    pub(super) from: Name<'a>,
    pub(super) file: RawFile<'a>,
    pub(super) words: Text,
}

/// The keyword of an action. Another tool's action is an object, whose words are all there is.
pub(super) fn action_name(action: &Value) -> String {
    if let Some(name) = action.as_str() {
        return name.to_owned();
    }
    let mut words = String::new();
    describe(action, &mut words, 0);
    words
}

impl Converter<'_> {
    /// What a person sent.
    pub(super) fn spoken(
        &self,
        file: RawFile<'_>,
        mut words: Text,
        fields: &mut Fields,
        told: &mut Told,
    ) -> Body {
        let mut remarks = Remarks::default();
        let mut content = media::read(file, fields, self.files, self.owner.as_ref(), &mut remarks);
        told.remarks(remarks);
        if let Some(rich) = fields.take("rich_message") {
            let (flat, lossy) = rich::flatten(&rich);
            if words.plain.is_empty() {
                words = flat;
            }
            if lossy {
                told.tell(FindingKind::NotCarried, "pictures or forms inside a rich message");
            }
        }
        let nothing = matches!(content, Content::None) && words.plain.is_empty();
        if nothing && !fields.left().is_empty() {
            // Something we have no name for: its fields are all there is to show.
            content = Content::Words { text: fields.describe(), what: "" };
            told.tell(FindingKind::UnknownKind, "a message of an unknown kind");
        }
        body_of(content, words, told)
    }

    /// What the messenger said: who did it, if that is the sender; the content; and the message
    /// it points at.
    pub(super) fn service(
        &self,
        service: Service<'_>,
        fields: &mut Fields,
        told: &mut Told,
    ) -> (Option<Author>, Body, Option<i64>) {
        let Service { action, actor, from, file, words } = service;
        let photo = file.photo.as_ref().map(Str::as_str);
        self.files.mention(photo.unwrap_or_default());
        let scene = Scene {
            actor: actor.as_ref(),
            from: from.known(),
            duration_s: file.duration_seconds.and_then(|Int(s)| u64::try_from(s).ok()),
            words: &words.plain,
            photo,
        };
        let acted = action::read(action.as_deref(), fields, &scene);
        if !acted.known {
            let mut name = action.clone().unwrap_or_default();
            truncate(&mut name, 64);
            told.tell(FindingKind::UnknownKind, format!("an unknown action: {name}"));
        }
        if photo.is_some() {
            told.tell(FindingKind::NotCarried, "a new picture of the chat or of a person");
        }
        match acted.act {
            Act::Call(mut call) => {
                add_words(&mut call.text, &words.plain);
                (actor, Body::Call(call), acted.points_at)
            }
            Act::System { kind, targets, mut text } => {
                add_words(&mut text, &words.plain);
                let event = SystemEvent { kind, actor, targets, text };
                (None, Body::System(event), acted.points_at)
            }
        }
    }
}

/// A service message has no words of its own; where some stand all the same they are kept.
fn add_words(text: &mut String, words: &str) {
    if !words.is_empty() && !text.contains(words) {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(words);
    }
}

fn body_of(content: Content, words: Text, told: &mut Told) -> Body {
    let caption = (!words.plain.is_empty()).then_some(words);
    match (content, caption) {
        (Content::None, Some(words)) => Body::Text(words),
        (Content::None, None) => {
            told.tell(
                FindingKind::NotInFormat,
                "an empty message: a die, a story, a live stream or a bare link preview",
            );
            Body::Unknown { text: String::new() }
        }
        (Content::File { attachment, view_once }, caption) => {
            Body::Media { attachments: vec![*attachment], caption, view_once }
        }
        (Content::Sticker(attachment), None) => Body::Sticker { attachment: *attachment },
        (Content::Sticker(attachment), caption) => {
            Body::Media { attachments: vec![*attachment], caption, view_once: false }
        }
        // Telegram has no captions for these; if words stand there all the same, they are kept
        // where they can be read.
        (Content::Location(mut location), caption) => {
            location.label = joined(location.label, caption);
            Body::Location(location)
        }
        (Content::Poll(mut poll), caption) => {
            poll.question = joined(Some(poll.question), caption).unwrap_or_default();
            Body::Poll(poll)
        }
        (Content::Contact(mut card), caption) => {
            card.name = joined(Some(card.name), caption).unwrap_or_default();
            Body::Contact { cards: vec![*card] }
        }
        (Content::Words { text, what }, caption) => {
            if !what.is_empty() {
                told.tell(FindingKind::NotCarried, format!("{what}, kept as words"));
            }
            Body::Unknown { text: joined(Some(text), caption).unwrap_or_default() }
        }
    }
}

fn joined(first: Option<String>, second: Option<Text>) -> Option<String> {
    match (first, second) {
        (Some(first), Some(second)) => Some(format!("{first}\n{}", second.plain)),
        (first, second) => first.or(second.map(|text| text.plain)),
    }
}
