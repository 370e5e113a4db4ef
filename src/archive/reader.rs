//! The seam behind which every messenger's export format is read.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::container::{Container, ContainerError};
use crate::model::finding::Finding;
use crate::model::ids::{ChatId, Network, ParticipantId};
use crate::model::media::{Attachment, AttachmentState};
use crate::model::message::Message;
use crate::model::time::{SentAt, UnixMillis};

/// Reads one messenger's exports. Stateless: everything lies in the container and the options.
pub trait Reader: Sync {
    /// How sure this reader is that the container is one of its own. Reads little.
    fn recognise(&self, container: &Container) -> Confidence;

    /// Goes through the whole export once and says what is in it.
    ///
    /// # Errors
    /// When the export cannot be read at all. What merely could not be understood is a
    /// finding in the survey.
    fn survey(&self, container: &Container, options: &Options) -> Result<Survey, ArchiveError>;

    /// Reads one chat, message by message, in the order the app showed them (oldest first).
    ///
    /// Every record of the source reaches the sink as a message, as part of one, or as a
    /// finding. The same container and options give the same records in the same order.
    ///
    /// # Errors
    /// When the chat does not exist or the export cannot be read further.
    fn read(
        &self,
        container: &Container,
        chat: &ChatId,
        options: &Options,
        sink: &mut dyn FnMut(Record) -> Flow,
    ) -> Result<(), ArchiveError>;

    /// Counts the records of the surveyed chats once more, over the bytes of the source and
    /// without anything of the reader's own. `None` where a format has no such counter.
    ///
    /// # Errors
    /// When the container cannot be read.
    fn recount(
        &self,
        container: &Container,
        survey: &Survey,
    ) -> Result<Option<Recount>, ArchiveError> {
        let _ = (container, survey);
        Ok(None)
    }
}

/// Two counts of one thing, made in different ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Recount {
    /// Records in the bytes of the source.
    pub counted: u64,
    /// Those that became a message, a finding, or part of another message.
    pub accounted: u64,
}

/// What a reader hands on.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A message.
    Message(Box<Message>),
    /// Something that is not, or not wholly, a message.
    Finding(Finding),
}

/// Whether the consumer wants more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Stop; [`Reader::read`] returns `Ok` at once.
    Stop,
}

/// How sure a reader is. The greater wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Not one of ours.
    No,
    /// Could be, if nobody else claims it.
    Possible,
    /// The shape fits.
    Likely,
    /// Nothing else looks like this.
    Certain,
}

/// What the caller knows and the export does not say.
#[derive(Clone, Debug)]
pub struct Options {
    /// The zone of wall-clock times.
    pub time_zone: TimeZone,
    /// Whether to read every file to learn its digest; slow for large exports.
    pub hash_files: bool,
    /// Messages that expire before this instant are left out, with a finding.
    pub expired_before: Option<UnixMillis>,
    /// The chat the caller is interested in, where an export holds a whole account.
    pub only_chat: Option<ChatId>,
    /// The person who made the export, where the format does not say and the plan does.
    pub exporter: Option<ParticipantId>,
}

impl Default for Options {
    /// Europe/Paris, no digests, nothing expired, every chat.
    fn default() -> Self {
        let time_zone = TimeZone::get("Europe/Paris").expect("the zone database is compiled in");
        Self { time_zone, hash_files: false, expired_before: None, only_chat: None, exporter: None }
    }
}

/// What an export holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Survey {
    /// The messenger.
    pub network: Network,
    /// The exact kind of export, in English: `text export, Android, French`.
    pub format: String,
    /// Its chats, in the order of the export.
    pub chats: Vec<ChatSurvey>,
    /// Findings that belong to no single chat.
    pub findings: Vec<Finding>,
    /// What exports of this kind never contain, as fixed English words (`reactions`, `replies`).
    pub never_contains: Vec<Cow<'static, str>>,
}

/// What one chat of an export holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChatSurvey {
    /// Its id, for `--chat` and for the plan.
    pub id: ChatId,
    /// Its name as the export shows it; may be empty.
    pub title: String,
    /// Whether two people or a group talk, where it can be known.
    pub group: Option<bool>,
    /// Everyone who wrote, reacted, voted, or was acted upon, most messages first.
    pub participants: Vec<ParticipantSurvey>,
    /// The person who made the export, when the export says so.
    pub exporter: Option<ParticipantId>,
    /// Which other exports give the same ids to the same messages.
    #[serde(skip)]
    pub id_scope: IdScope,
    /// Records found by the reader's own count: messages plus `unread_records`.
    pub records: u64,
    /// Messages the reader yields.
    pub messages: u64,
    /// Messages by [`crate::model::message::Body::kind`].
    pub by_kind: BTreeMap<&'static str, u64>,
    /// The earliest message.
    pub first: Option<SentAt>,
    /// The latest message.
    pub last: Option<SentAt>,
    /// The files that messages name.
    pub files: FileSums,
    /// Findings, in place order; at most a thousand of one kind.
    pub findings: Vec<Finding>,
    /// How many findings of each kind there are in all.
    pub finding_counts: BTreeMap<crate::model::finding::FindingKind, u64>,
}

/// A person of a chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ParticipantSurvey {
    /// The id that messages carry.
    pub id: ParticipantId,
    /// The name the export shows; may be a number, may be empty.
    pub name: String,
    /// What that name is.
    pub name_kind: NameKind,
    /// How many messages they wrote.
    pub messages: u64,
}

/// What a participant's name is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameKind {
    /// A name somebody chose: a saved contact or the account's own.
    Name,
    /// A name the person gave themselves, not saved by the exporter (WhatsApp's `~ Name`).
    PushName,
    /// A telephone number.
    Number,
    /// None at all.
    Missing,
}

/// Which exports of one chat give the same id to the same message. Merging rests on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdScope {
    /// Those of every member: the id travelled with the message.
    Everyone,
    /// Those of every member, but the id is derived from what is exported: the minute, the words,
    /// an ordinal among equals. Who sent it is no part of it.
    Derived,
    /// Those of one person only: each account numbers by itself.
    OneExporter,
}

/// Sums over attachments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileSums {
    /// In the container.
    pub present: u64,
    /// Their bytes; a file that two messages name counts twice.
    pub present_bytes: u64,
    /// Left out by the export.
    pub omitted: u64,
    /// Named, but not there.
    pub missing: u64,
}

impl FileSums {
    /// Counts one attachment of a message.
    pub(super) fn count(&mut self, attachment: &Attachment) {
        match attachment.state {
            AttachmentState::Present => {
                self.present += 1;
                self.present_bytes += attachment.size_bytes.unwrap_or_default();
            }
            AttachmentState::Omitted | AttachmentState::TooLarge => self.omitted += 1,
            AttachmentState::Missing => self.missing += 1,
        }
    }
}

/// Why an export cannot be read.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The container itself is at fault.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// No reader knows it.
    #[error("no known export was found in {path}")]
    Unrecognised {
        /// What was opened.
        path: String,
    },
    /// The export holds no chat at all.
    #[error("the export in {path} is empty")]
    Empty {
        /// What was opened.
        path: String,
    },
    /// No such chat.
    #[error("the export has no chat {chat}")]
    NoSuchChat {
        /// The chat that was asked for.
        chat: ChatId,
    },
    /// The bytes are not what the format says.
    #[error("{entry} is not a readable {format}: {reason}")]
    Malformed {
        /// The entry.
        entry: String,
        /// What it should be.
        format: &'static str,
        /// What was found, without any message text.
        reason: String,
    },
}

impl ArchiveError {
    /// What to do about it, in one English sentence.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Container(error) => error.hint(),
            Self::Unrecognised { .. } => {
                "hand in what the messenger exported, unchanged: WhatsApp's zip or text file, Telegram's or Olvid's export folder"
            }
            Self::Empty { .. } => "make the export again from the telephone",
            Self::NoSuchChat { .. } => "`passerelle archive chats` lists the chats of an export",
            Self::Malformed { .. } => {
                "copy the file again from where it was exported, or make the export again"
            }
        }
    }
}
