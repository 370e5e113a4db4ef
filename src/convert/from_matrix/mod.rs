//! What somebody wrote in a Matrix room, in neutral words again. The relay sends it on.
//!
//! Knows contents, not rooms: who wrote, when, whether it is an echo of our own, and what the
//! other network does with it, are for the caller. Files stay where they are: an attachment's
//! `entry` is the file's `mxc://` address, and its keys come beside the body.

mod html;
mod markdown;
#[cfg(test)]
mod tests;

use ruma::events::poll::unstable_response::UnstablePollResponseEventContent;
use ruma::events::poll::unstable_start::UnstablePollStartEventContent;
use ruma::events::reaction::ReactionEventContent;
use ruma::events::room::MediaSource;
use ruma::events::room::message::{
    FormattedBody, LocationMessageEventContent, MessageFormat, MessageType, Relation,
    RelationWithoutReplacement, RoomMessageEventContent, RoomMessageEventContentWithoutRelation,
};
use ruma::events::room::redaction::RoomRedactionEventContent;
use ruma::events::sticker::{StickerEventContent, StickerMediaSource};
use ruma::{OwnedEventId, UInt, UserId};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub use markdown::markdown;

use crate::model::ids::ParticipantId;
use crate::model::media::{Attachment, AttachmentState, MediaKind};
use crate::model::message::{Body, Location, Poll, PollOption};
use crate::model::text::Text;

/// Who a Matrix user is on the foreign side, if anybody.
pub type Known<'a> = dyn Fn(&UserId) -> Option<ParticipantId> + 'a;

/// Something that was done in a room.
#[derive(Clone, Debug)]
pub enum Written {
    /// A message.
    Message(Box<NewMessage>),
    /// A message now says something else.
    Edit {
        /// The message.
        of: OwnedEventId,
        /// What it says now.
        text: Text,
    },
    /// A reaction.
    Reaction {
        /// To what.
        to: OwnedEventId,
        /// The emoji.
        emoji: String,
    },
    /// A vote. A later one replaces it; an empty one takes it back.
    Vote {
        /// The poll's event.
        poll: OwnedEventId,
        /// Ids of the answers, as the poll gives them.
        answers: Vec<String>,
    },
    /// A poll is over.
    PollEnd {
        /// The poll's event.
        poll: OwnedEventId,
    },
    /// Something was deleted.
    Deletion {
        /// The event.
        of: OwnedEventId,
    },
}

/// A message somebody wrote.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// What.
    pub body: Body,
    /// The event it answers.
    pub reply_to: Option<OwnedEventId>,
    /// The first event of the thread it stands in.
    pub thread: Option<OwnedEventId>,
    /// Where its files are, in the order of the body's attachments.
    pub files: Vec<MediaSource>,
    /// Who wrote.
    pub by: Tone,
}

/// Whether a person or a program says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// A person.
    Person,
    /// A program: `m.notice`, which programs must not answer.
    Program,
}

/// Why a content could not be read.
#[derive(Debug, thiserror::Error)]
pub enum WrittenError {
    /// A kind of event that says nothing the other side could hear.
    #[error("events of type `{0}` have no words for the other side")]
    OtherType(String),
    /// The content is not what its type says.
    #[error("content of a `{event_type}` event is not valid")]
    Invalid {
        /// The event's type.
        event_type: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A kind of message that is not known.
    #[error("unknown kind of message `{0}`")]
    OtherMessage(String),
}

/// Reads the content of an event, decrypted if it was encrypted.
pub fn written(
    event_type: &str,
    content: &Map<String, Value>,
    known: &Known<'_>,
) -> Result<Written, WrittenError> {
    match event_type {
        "m.room.message" => {
            // Both names of MSC3245's marks; ruma knows the second only.
            let sound = ["org.matrix.msc3245.voice", "org.matrix.msc3245.voice.v2"]
                .iter()
                .find(|key| content.contains_key(**key))
                .map_or(MediaKind::Audio, |_| MediaKind::Voice);
            message(typed(event_type, content)?, sound, known)
        }
        "m.sticker" => sticker(typed(event_type, content)?),
        "m.reaction" => {
            let content: ReactionEventContent = typed(event_type, content)?;
            Ok(Written::Reaction { to: content.relates_to.event_id, emoji: content.relates_to.key })
        }
        "m.room.redaction" => {
            let content: RoomRedactionEventContent = typed(event_type, content)?;
            content
                .redacts
                .map(|of| Written::Deletion { of })
                .ok_or_else(|| WrittenError::OtherType(event_type.to_owned()))
        }
        "org.matrix.msc3381.poll.start" => poll(&typed(event_type, content)?),
        "org.matrix.msc3381.poll.response" => {
            let content: UnstablePollResponseEventContent = typed(event_type, content)?;
            let answers = content.poll_response.answers;
            Ok(Written::Vote { poll: content.relates_to.event_id, answers })
        }
        "org.matrix.msc3381.poll.end" => {
            let content: ruma::events::poll::unstable_end::UnstablePollEndEventContent =
                typed(event_type, content)?;
            Ok(Written::PollEnd { poll: content.relates_to.event_id })
        }
        other => Err(WrittenError::OtherType(other.to_owned())),
    }
}

fn typed<T: DeserializeOwned>(
    event_type: &str,
    content: &Map<String, Value>,
) -> Result<T, WrittenError> {
    serde_json::from_value(Value::Object(content.clone()))
        .map_err(|source| WrittenError::Invalid { event_type: event_type.to_owned(), source })
}

fn message(
    content: RoomMessageEventContent,
    sound: MediaKind,
    known: &Known<'_>,
) -> Result<Written, WrittenError> {
    let RoomMessageEventContent { msgtype, relates_to, mentions: _, .. } = content;
    let (reply_to, thread) = match relates_to {
        Some(Relation::Replacement(replacement)) => {
            let RoomMessageEventContentWithoutRelation { msgtype, .. } = replacement.new_content;
            let text = words(&msgtype, known);
            return Ok(Written::Edit { of: replacement.event_id, text });
        }
        Some(Relation::Reply(reply)) => (Some(reply.in_reply_to.event_id), None),
        Some(Relation::Thread(thread)) => {
            let reply = thread.in_reply_to.filter(|_| !thread.is_falling_back);
            (reply.map(|reply| reply.event_id), Some(thread.event_id))
        }
        Some(_) | None => (None, None),
    };
    let by = if matches!(msgtype, MessageType::Notice(_)) { Tone::Program } else { Tone::Person };
    let caption = Some(words(&msgtype, known)).filter(|words| !words.plain.is_empty());
    let file = |kind, name: &str, source: MediaSource, facts: Facts| {
        let mut attachment = Attachment::new(kind, AttachmentState::Present);
        attachment.name = Some(name.to_owned());
        facts.fill(&mut attachment);
        attachment.entry = Some(address(&source));
        let attachments = vec![attachment];
        (Body::Media { attachments, caption: caption.clone(), view_once: false }, vec![source])
    };
    #[expect(clippy::wildcard_enum_match_arm, reason = "ruma's kinds of messages grow")]
    let (body, files) = match msgtype {
        MessageType::Text(_) | MessageType::Notice(_) | MessageType::Emote(_) => {
            (Body::Text(caption.clone().unwrap_or_default()), Vec::new())
        }
        MessageType::Image(image) => {
            let info = image.info.clone().unwrap_or_default();
            let facts = Facts::new(info.mimetype, info.size).sized(info.width, info.height);
            file(MediaKind::Photo, image.filename(), image.source.clone(), facts)
        }
        MessageType::Video(video) => {
            let info = video.info.clone().unwrap_or_default();
            let facts = Facts::new(info.mimetype, info.size)
                .sized(info.width, info.height)
                .lasting(info.duration);
            file(MediaKind::Video, video.filename(), video.source.clone(), facts)
        }
        MessageType::Audio(audio) => {
            let info = audio.info.clone().unwrap_or_default();
            let facts = Facts::new(info.mimetype, info.size).lasting(info.duration);
            file(sound, audio.filename(), audio.source.clone(), facts)
        }
        MessageType::File(document) => {
            let info = document.info.clone().unwrap_or_default();
            let facts = Facts::new(info.mimetype, info.size);
            file(MediaKind::Document, document.filename(), document.source.clone(), facts)
        }
        MessageType::Location(location) => (Body::Location(place(&location)), Vec::new()),
        other => return Err(WrittenError::OtherMessage(other.msgtype().to_owned())),
    };
    Ok(Written::Message(Box::new(NewMessage { body, reply_to, thread, files, by })))
}

/// The words of a message: its text, or the caption of its file.
fn words(message: &MessageType, known: &Known<'_>) -> Text {
    #[expect(clippy::wildcard_enum_match_arm, reason = "ruma's kinds of messages grow")]
    let (plain, formatted) = match message {
        MessageType::Text(text) => (Some(text.body.as_str()), text.formatted.as_ref()),
        MessageType::Notice(text) => (Some(text.body.as_str()), text.formatted.as_ref()),
        MessageType::Emote(text) => (Some(text.body.as_str()), text.formatted.as_ref()),
        MessageType::Image(file) => (file.caption(), file.formatted_caption()),
        MessageType::Video(file) => (file.caption(), file.formatted_caption()),
        MessageType::Audio(file) => (file.caption(), file.formatted_caption()),
        MessageType::File(file) => (file.caption(), file.formatted_caption()),
        _ => (None, None),
    };
    let Some(plain) = plain else { return Text::default() };
    let formatted = formatted.and_then(|FormattedBody { format, body }| {
        (*format == MessageFormat::Html).then_some(body.as_str())
    });
    formatted
        .and_then(|formatted| html::read(formatted, known))
        .unwrap_or_else(|| Text::plain(without_fallback(plain)))
}

/// A plain body without the quote that older clients put above a reply: lines that begin with
/// `> `, of which the first names somebody, and an empty line.
fn without_fallback(body: &str) -> &str {
    if !body.starts_with("> <@") && !body.starts_with("> * <@") {
        return body;
    }
    let mut rest = body;
    while rest.starts_with("> ") {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    }
    rest.strip_prefix('\n').unwrap_or(rest)
}

/// What a content says about its file.
struct Facts {
    mime: Option<String>,
    size: Option<UInt>,
    sides: (Option<UInt>, Option<UInt>),
    duration: Option<std::time::Duration>,
}

impl Facts {
    const fn new(mime: Option<String>, size: Option<UInt>) -> Self {
        Self { mime, size, sides: (None, None), duration: None }
    }

    fn sized(mut self, width: Option<UInt>, height: Option<UInt>) -> Self {
        self.sides = (width, height);
        self
    }

    fn lasting(mut self, duration: Option<std::time::Duration>) -> Self {
        self.duration = duration;
        self
    }

    fn fill(self, attachment: &mut Attachment) {
        let side = |side: Option<UInt>| side.and_then(|side| u32::try_from(u64::from(side)).ok());
        attachment.claimed_mime = self.mime;
        attachment.size_bytes = self.size.map(u64::from);
        attachment.width = side(self.sides.0);
        attachment.height = side(self.sides.1);
        attachment.duration_ms =
            self.duration.and_then(|duration| u64::try_from(duration.as_millis()).ok());
    }
}

fn address(source: &MediaSource) -> String {
    match source {
        MediaSource::Plain(address) => address.to_string(),
        MediaSource::Encrypted(file) => file.url.to_string(),
    }
}

fn sticker(content: StickerEventContent) -> Result<Written, WrittenError> {
    let mut attachment = Attachment::new(MediaKind::Sticker, AttachmentState::Present);
    let info = content.info;
    Facts::new(info.mimetype, info.size).sized(info.width, info.height).fill(&mut attachment);
    attachment.name = Some(content.body);
    let StickerMediaSource::Plain(address) = content.source else {
        return Err(WrittenError::OtherMessage("m.sticker".to_owned()));
    };
    attachment.entry = Some(address.to_string());
    Ok(Written::Message(Box::new(NewMessage {
        body: Body::Sticker { attachment },
        reply_to: None,
        thread: None,
        files: vec![MediaSource::Plain(address)],
        by: Tone::Person,
    })))
}

/// A place from its `geo:` address (RFC 5870): two numbers, and what may follow them.
fn place(content: &LocationMessageEventContent) -> Location {
    let uri = content.geo_uri();
    let mut numbers = uri
        .strip_prefix("geo:")
        .unwrap_or_default()
        .split([',', ';'])
        .map(|number| number.parse::<f64>().ok().filter(|number| number.is_finite()));
    let (latitude, longitude) = (numbers.next().flatten(), numbers.next().flatten());
    let described = content.location.as_ref().and_then(|block| block.description.clone());
    let label = described.or_else(|| Some(content.plain_text_representation().to_owned()));
    Location {
        latitude,
        longitude,
        label: label.filter(|label| !label.trim().is_empty()),
        url: None,
        live: false,
        period_s: None,
    }
}

fn poll(content: &UnstablePollStartEventContent) -> Result<Written, WrittenError> {
    let UnstablePollStartEventContent::New(new) = content else {
        return Err(WrittenError::OtherMessage("an edited poll".to_owned()));
    };
    let (reply_to, thread) = match &new.relates_to {
        Some(RelationWithoutReplacement::Reply(reply)) => {
            (Some(reply.in_reply_to.event_id.clone()), None)
        }
        Some(RelationWithoutReplacement::Thread(thread)) => (None, Some(thread.event_id.clone())),
        Some(_) | None => (None, None),
    };
    let start = content.poll_start();
    let options = start.answers.iter().map(|answer| PollOption {
        text: answer.text.clone(),
        votes: None,
        voters: Vec::new(),
    });
    let poll = Poll {
        question: start.question.text.clone(),
        options: options.collect(),
        multiple: Some(u64::from(start.max_selections) > 1),
        closed: None,
        total_voters: None,
    };
    Ok(Written::Message(Box::new(NewMessage {
        body: Body::Poll(poll),
        reply_to,
        thread,
        files: Vec::new(),
        by: Tone::Person,
    })))
}
