//! One message of a foreign chat.

use serde::{Deserialize, Serialize};

use super::author::Author;
use super::finding::Place;
use super::ids::{ChatId, MessageId, TopicId};
use super::media::Attachment;
use super::system::SystemEvent;
use super::text::Text;
use super::time::{SentAt, UnixMillis};

/// One message, whole: what was said, by whom, when, and what was done to it since.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Stable across re-exports of the same chat.
    pub id: MessageId,
    /// The chat it belongs to.
    pub chat: ChatId,
    /// Who wrote it; `None` for lines of the messenger itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<Author>,
    /// When.
    pub sent_at: SentAt,
    /// What.
    pub body: Body,
    /// The message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyTo>,
    /// Where it was forwarded from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarded: Option<Forwarded>,
    /// The topic it stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<TopicId>,
    /// Set when the text is not the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<Edited>,
    /// Reactions to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reaction>,
    /// When the source will delete it, or has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<UnixMillis>,
    /// Where in the archive it stands.
    pub place: Place,
}

/// The content of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Body {
    /// Words.
    Text(Text),
    /// One or more files, with or without words.
    Media {
        /// The files in the order the source gives; never empty.
        attachments: Vec<Attachment>,
        /// The words that came with them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caption: Option<Text>,
        /// Whether the source says it could be seen only once.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        view_once: bool,
    },
    /// A sticker.
    Sticker {
        /// Its picture.
        attachment: Attachment,
    },
    /// A place.
    Location(Location),
    /// Contact cards.
    Contact {
        /// The cards; never empty.
        cards: Vec<ContactCard>,
    },
    /// A poll.
    Poll(Poll),
    /// A call, made or missed.
    Call(Call),
    /// A line of the messenger.
    System(SystemEvent),
    /// Something that was deleted for everyone; the content is gone.
    Deleted {
        /// The source's own words for it, if it has any.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
    },
    /// Something the reader knows to be a message but cannot name; the words are kept.
    Unknown {
        /// What the source holds, readable.
        text: String,
    },
}

/// A reference to the message that is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyTo {
    /// Its id; it may be absent from the archive. `None` when only the quote is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<MessageId>,
    /// The author of the quoted words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Author>,
    /// The quoted words, when the source carries them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
}

/// Where a forwarded message came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forwarded {
    /// The first author or channel, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Author>,
    /// When it was first said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<SentAt>,
}

/// That a message was edited, and what it said before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edited {
    /// The time of the last edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<SentAt>,
    /// Earlier texts with their times, oldest first, where the source keeps them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Revision>,
}

/// One earlier text of an edited message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// What it said.
    pub text: Text,
    /// From when.
    pub at: SentAt,
}

/// A reaction, by one person or counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    /// The emoji, or a readable name of a custom one.
    pub emoji: String,
    /// Who reacted; `None` for reactions the source only counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Author>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<SentAt>,
    /// How many people this stands for; 1 when `by` is known.
    pub count: u32,
}

/// A place on Earth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Location {
    /// Degrees north; `None` when the source only says that a place was shared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latitude: Option<f64>,
    /// Degrees east.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longitude: Option<f64>,
    /// The place's name or address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// A link the source gave for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether it was shared while moving.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub live: bool,
    /// For how long a live share ran, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_s: Option<u64>,
}

/// A contact that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactCard {
    /// The contact's name, as far as the source shows it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// A telephone number the source gives outside the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The vCard file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcard: Option<Attachment>,
}

/// A poll.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poll {
    /// The question.
    pub question: String,
    /// The answers offered, in order.
    pub options: Vec<PollOption>,
    /// Whether several answers may be chosen; `None` when the source does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiple: Option<bool>,
    /// Whether it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<bool>,
    /// How many people voted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_voters: Option<u32>,
}

/// One answer of a poll.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollOption {
    /// Its words.
    pub text: String,
    /// How many chose it, when the source counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub votes: Option<u32>,
    /// Who chose it, and when, as far as the source says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub voters: Vec<Vote>,
}

/// One person's vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who.
    pub by: Author,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<SentAt>,
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// With pictures.
    pub video: bool,
    /// Nobody answered.
    pub missed: bool,
    /// How long it lasted, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<u64>,
    /// The source's own words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

impl Body {
    /// The word under which messages of this kind are counted.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Media { .. } => "media",
            Self::Sticker { .. } => "sticker",
            Self::Location(_) => "location",
            Self::Contact { .. } => "contact",
            Self::Poll(_) => "poll",
            Self::Call(_) => "call",
            Self::System(_) => "system",
            Self::Deleted { .. } => "deleted",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// Every file the message names, in order, vCards included.
    pub fn attachments(&self) -> Vec<&Attachment> {
        match self {
            Self::Media { attachments, .. } => attachments.iter().collect(),
            Self::Sticker { attachment } => vec![attachment],
            Self::Contact { cards } => {
                cards.iter().filter_map(|card| card.vcard.as_ref()).collect()
            }
            Self::Text(_)
            | Self::Location(_)
            | Self::Poll(_)
            | Self::Call(_)
            | Self::System(_)
            | Self::Deleted { .. }
            | Self::Unknown { .. } => Vec::new(),
        }
    }

    /// As [`Self::attachments`], to be changed.
    pub fn attachments_mut(&mut self) -> Vec<&mut Attachment> {
        match self {
            Self::Media { attachments, .. } => attachments.iter_mut().collect(),
            Self::Sticker { attachment } => vec![attachment],
            Self::Contact { cards } => {
                cards.iter_mut().filter_map(|card| card.vcard.as_mut()).collect()
            }
            Self::Text(_)
            | Self::Location(_)
            | Self::Poll(_)
            | Self::Call(_)
            | Self::System(_)
            | Self::Deleted { .. }
            | Self::Unknown { .. } => Vec::new(),
        }
    }

    /// The words a person wrote, where there are any: a text or a caption.
    pub fn words(&self) -> Option<&Text> {
        match self {
            Self::Text(text) => Some(text),
            Self::Media { caption, .. } => caption.as_ref(),
            Self::Sticker { .. }
            | Self::Location(_)
            | Self::Contact { .. }
            | Self::Poll(_)
            | Self::Call(_)
            | Self::System(_)
            | Self::Deleted { .. }
            | Self::Unknown { .. } => None,
        }
    }

    /// As [`Self::words`], to be changed.
    pub fn words_mut(&mut self) -> Option<&mut Text> {
        match self {
            Self::Text(text) => Some(text),
            Self::Media { caption, .. } => caption.as_mut(),
            Self::Sticker { .. }
            | Self::Location(_)
            | Self::Contact { .. }
            | Self::Poll(_)
            | Self::Call(_)
            | Self::System(_)
            | Self::Deleted { .. }
            | Self::Unknown { .. } => None,
        }
    }
}

impl Message {
    /// Everybody the message names, wherever it names them: the sender, those who reacted, voted,
    /// are answered, acted or were acted upon.
    pub fn authors_mut(&mut self) -> Vec<&mut Author> {
        let mut authors: Vec<&mut Author> = self.sender.iter_mut().collect();
        authors.extend(self.reply_to.iter_mut().filter_map(|reply| reply.author.as_mut()));
        authors.extend(self.forwarded.iter_mut().filter_map(|forwarded| forwarded.from.as_mut()));
        authors.extend(self.reactions.iter_mut().filter_map(|reaction| reaction.by.as_mut()));
        match &mut self.body {
            Body::Poll(poll) => {
                let votes = poll.options.iter_mut().flat_map(|option| &mut option.voters);
                authors.extend(votes.map(|vote| &mut vote.by));
            }
            Body::System(event) => authors.extend(event.actor.iter_mut().chain(&mut event.targets)),
            Body::Text(_)
            | Body::Media { .. }
            | Body::Sticker { .. }
            | Body::Location(_)
            | Body::Contact { .. }
            | Body::Call(_)
            | Body::Deleted { .. }
            | Body::Unknown { .. } => {}
        }
        authors
    }
}
