//! What could not be carried over faithfully, and where.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::MessageId;

/// Something a reader, or a later step, could not carry over as it stands in the source.
///
/// A finding never stops a job by itself: it is shown before approval and in the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is, for counting and for translation.
    pub kind: FindingKind,
    /// Where.
    pub place: Place,
    /// The message it concerns, if it concerns one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// More, in plain English: what was found, what was expected. No message text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// Where in an archive something stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Name of the container entry.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub entry: String,
    /// Line, from 1, in line-based formats; element number, from 1, in others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.entry),
            None => f.write_str(&self.entry),
        }
    }
}

/// The kinds of findings. Words for people are in `wording`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Bytes before the first message, or between messages, that belong to none.
    Unreadable,
    /// A record of a kind the reader does not know; kept as text where it has any.
    UnknownKind,
    /// A field the reader does not know.
    UnknownField,
    /// Bytes that are not valid text; replaced by U+FFFD.
    InvalidText,
    /// The container or a file in it ends too early; what is whole was read.
    Truncated,
    /// Invalid syntax that was repaired.
    Repaired,
    /// An entry whose name would leave the container, or a link; never read.
    UnsafeEntry,
    /// Whether dates are day-month or month-day could not be settled.
    DateOrderUncertain,
    /// Times that do not exist in the chosen zone: the zone is probably wrong.
    ImpossibleTime,
    /// Times that exist twice; the order of messages decided.
    AmbiguousTime,
    /// The export ends at a round number, so it is probably cut.
    ProbablyCut,
    /// The first line is not the beginning of a chat.
    BeginningMissing,
    /// Several people share one name, and the format has no ids.
    NamesakesPossible,
    /// A person is known by a telephone number only.
    NameIsNumber,
    /// The file holds conversations other than the one that was asked for.
    OtherChatsPresent,
    /// Files of the container that no message of the chat names.
    OrphanFiles,
    /// A file that a message names is not in the container.
    AttachmentMissing,
    /// A file is not what its name or stated digest says.
    AttachmentMismatch,
    /// The message has expired in the source and was left out.
    Expired,
    /// A reply whose target the archive does not hold.
    ReplyTargetMissing,
    /// Two exports disagree about one message.
    Conflict,
    /// The export holds only what its owner wrote.
    OwnMessagesOnly,
    /// The format cannot contain this at all.
    NotInFormat,
    /// Matrix cannot carry this as it is; the report says what was done.
    NotCarried,
}
