//! Why exports cannot be merged.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::archive::container::ContainerError;
use crate::archive::reader::ArchiveError;
use crate::model::ids::ChatId;

/// Why exports cannot be merged. [`MergeError::hint`] says what to do about it.
#[derive(Debug, Error)]
pub enum MergeError {
    /// One of them cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// They come from different messengers.
    #[error("the exports come from different messengers: {first} and {other}")]
    Networks {
        /// The first export's.
        first: String,
        /// Another one's.
        other: String,
    },
    /// No chat is in more than one of them, and none was chosen.
    #[error("no chat is in more than one of the exports")]
    NothingInCommon,
    /// A chat that was chosen is in none of them.
    #[error("none of the exports holds the chat {chat}")]
    NoSuchChat {
        /// The chat.
        chat: ChatId,
    },
    /// They are to be taken for one chat, and one of them holds several.
    #[error("an export holds {chats} chats, so it is not clear which one is meant")]
    SeveralChats {
        /// How many.
        chats: usize,
    },
    /// Nothing in them tells which messages are the same.
    #[error(
        "messages of {chat} are numbered by each account for itself, so exports by different people cannot be compared"
    )]
    NotComparable {
        /// The chat.
        chat: ChatId,
    },
    /// The output is there already.
    #[error("{} exists and is not overwritten", path.display())]
    OutputExists {
        /// The folder.
        path: PathBuf,
    },
    /// The disk refuses.
    #[error("cannot write {}: {source}", path.display())]
    Disk {
        /// What was being written.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A chat is larger than the index can number.
    #[error("more than four billion messages in one chat")]
    TooMany,
}

impl From<ContainerError> for MergeError {
    fn from(error: ContainerError) -> Self {
        Self::Archive(error.into())
    }
}

impl MergeError {
    /// What to do about it, in one English sentence.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Archive(error) => error.hint(),
            Self::Networks { .. } => "merge the exports of each messenger by themselves",
            Self::NothingInCommon => {
                "`passerelle archive chats` lists the chats of an export; choose with --chat, or say --one-chat where one chat has another name in each export"
            }
            Self::NoSuchChat { .. } => "`passerelle archive chats` lists the chats of an export",
            Self::SeveralChats { .. } => {
                "--one-chat is for exports of a single chat; choose others with --chat"
            }
            Self::NotComparable { .. } => "merge only exports that one person made",
            Self::OutputExists { .. } => "choose another folder with --output",
            Self::Disk { .. } => "check that the folder can be written and has room",
            Self::TooMany => "merge fewer exports at a time",
        }
    }
}
