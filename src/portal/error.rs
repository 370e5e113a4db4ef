//! Why a portal cannot go on.

use thiserror::Error;

use super::room_check::RoomDifference;
use crate::matrix::{MatrixError, VaultError};
use crate::model::ids::ParticipantId;
use crate::store::StoreError;

/// Why something could not enter a room.
#[derive(Debug, Error)]
pub enum PortalError {
    /// The homeserver.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
    /// Our own records.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Our secrets at rest.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// An event that was written down before the room became encrypted.
    #[error("an event that is not encrypted was about to go into an encrypted room")]
    ClearText,
    /// The server made a room that is not the one the plan describes.
    #[error("the room is not what the plan says: {difference} ({})", difference.event_type())]
    RoomNotAsAsked {
        /// The difference.
        difference: RoomDifference,
    },
    /// Nobody else in the room could look after it.
    #[error("the bot is the last administrator of a room with people in it and does not leave it")]
    LastAdmin,
    /// The room holds events that our ledger does not know.
    #[error(
        "the room holds {unknown} event(s) of this job that the store does not know: the store was restored from an older backup"
    )]
    StoreBehindRoom {
        /// How many were met before we stopped counting.
        unknown: usize,
    },
    /// A person without a ghost.
    #[error("nobody in the plan stands for participant {participant}")]
    NobodyFor {
        /// The participant's id.
        participant: ParticipantId,
    },
    /// The homeserver hides what is as old as this archive.
    #[error(
        "an event dated {date} was accepted, but a member cannot read it: the server's retention hides it"
    )]
    Retention {
        /// The oldest date of the archive.
        date: String,
    },
}

impl PortalError {
    /// Whether trying again later may help, with nothing changed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Matrix(error) => error.is_transient(),
            Self::Store(_)
            | Self::Vault(_)
            | Self::ClearText
            | Self::RoomNotAsAsked { .. }
            | Self::LastAdmin
            | Self::StoreBehindRoom { .. }
            | Self::NobodyFor { .. }
            | Self::Retention { .. } => false,
        }
    }

    /// What it is, in a word or two for the log.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Matrix(error) => error.word(),
            Self::Store(_) => "store",
            Self::Vault(_) => "vault",
            Self::ClearText => "clear text into an encrypted room",
            Self::RoomNotAsAsked { .. } => "room not as asked",
            Self::LastAdmin => "last administrator",
            Self::StoreBehindRoom { .. } => "store behind room",
            Self::NobodyFor { .. } => "nobody for a participant",
            Self::Retention { .. } => "retention",
        }
    }

    /// What an operator can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Matrix(error) => error.hint(),
            Self::Store(_) => "check the disk of daemon.state_dir",
            Self::Vault(error) => error.hint(),
            Self::ClearText => {
                "encryption was turned on while the room was filled; cancel the job and import again"
            }
            Self::RoomNotAsAsked { difference } => difference.hint(),
            Self::LastAdmin => {
                "make somebody who is in the room its administrator (power level 100), then try again"
            }
            Self::StoreBehindRoom { .. } => {
                "bring back the newest store, or cancel the job and import into a new room"
            }
            Self::NobodyFor { .. } => "make the plan anew from this archive",
            Self::Retention { .. } => {
                "have the retention policy lifted for this room, or leave out older messages in the plan"
            }
        }
    }
}
