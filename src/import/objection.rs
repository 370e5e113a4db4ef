//! What keeps a plan from being made or started.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::ids::ChatId;
use ruma::OwnedUserId;

/// What the plan's file says for an exporter nobody knows.
pub const EXPORTER_UNKNOWN: &str = "?";

/// The version of the plan's form.
pub(super) const FORM: u32 = 1;

/// Why a plan cannot be made or used.
#[derive(Debug, Error)]
pub enum PlanError {
    /// The file is not a plan.
    #[error("this is not a plan: {reason}")]
    Unreadable {
        /// What is wrong, with its place.
        reason: String,
    },
    /// Another version of the form.
    #[error("the plan has form {found}, this version reads form {FORM}")]
    Form {
        /// The form found.
        found: u32,
    },
    /// The archive holds several chats and none was chosen.
    #[error("the archive holds {} chats, choose one with --chat", chats.len())]
    ChatWanted {
        /// Their ids and titles.
        chats: Vec<(ChatId, String)>,
    },
    /// There is nothing to import.
    #[error("the chat holds no message")]
    NoMessage,
    /// Decisions that are due, or facts that were edited.
    #[error("the plan cannot be started yet")]
    Objections(Vec<Objection>),
}

/// One thing that keeps a plan from being started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "objection", rename_all = "snake_case")]
pub enum Objection {
    /// The facts are not those the seal covers.
    SealBroken,
    /// Nobody answers for it.
    NotApproved,
    /// Nobody said who made the export.
    ExporterUnknown,
    /// The exporter is not one of the participants.
    ExporterNotThere,
    /// The zone is not an IANA zone.
    TimeZone {
        /// What is written.
        found: String,
    },
    /// The room has no human owner.
    NoAdmin,
    /// The room has no name.
    NoRoomName,
    /// Not a room id.
    BadSpace {
        /// What is written.
        found: String,
    },
    /// The room is opened to externals and nobody has confirmed it.
    ExternalsNotConfirmed,
    /// Externals outside Tchap.
    NoExternalsHere,
    /// An external as the room's owner.
    ExternalAdmin {
        /// Who.
        user: OwnedUserId,
    },
    /// An external invited into a room that is closed to them.
    ExternalInClosedRoom {
        /// Who.
        user: OwnedUserId,
    },
    /// A person nobody has looked at.
    NotReviewed {
        /// The participant's number in the plan, from 1.
        number: usize,
        /// The name that is proposed.
        name: String,
    },
    /// A person without a name.
    NoName {
        /// The participant's number in the plan, from 1.
        number: usize,
    },
    /// Two people who would look the same.
    SameName {
        /// The name they share.
        name: String,
    },
    /// Not a Matrix user id.
    BadAccount {
        /// The participant's number in the plan, from 1.
        number: usize,
        /// What is written.
        found: String,
    },
}

impl std::fmt::Display for Objection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SealBroken => f.write_str(
                "facts of the plan were edited (archive, id, exported_name or messages); make the plan anew",
            ),
            Self::NotApproved => f.write_str("approval.by is empty: who answers for this import?"),
            Self::ExporterUnknown => write!(
                f,
                "reading.exporter is empty: put the id of the participant who made the export, or \"{EXPORTER_UNKNOWN}\""
            ),
            Self::ExporterNotThere => f.write_str("reading.exporter is no participant's id"),
            Self::TimeZone { found } => {
                write!(f, "reading.time_zone is `{found}`, expected an IANA zone such as Europe/Paris")
            }
            Self::NoAdmin => f.write_str("room.admins is empty: who owns the room?"),
            Self::NoRoomName => f.write_str("room.name is empty"),
            Self::BadSpace { found } => {
                write!(f, "room.space is `{found}`, expected a room id such as !abc:server, or nothing")
            }
            Self::ExternalsNotConfirmed => f.write_str(
                "room.kind opens the room to externals, which can never be taken back: set room.externals_confirmed = true",
            ),
            Self::NoExternalsHere => f.write_str(
                "room.kind opens the room to externals, and only Tchap knows such people (rooms.profile): choose a kind without _externals",
            ),
            Self::ExternalAdmin { user } => {
                write!(f, "{user} is an external, and externals cannot be admin: leave them out of room.admins")
            }
            Self::ExternalInClosedRoom { user } => write!(
                f,
                "{user} is an external, and room.kind is closed to externals: leave them out of room.invite, or choose a kind with _externals"
            ),
            Self::NotReviewed { number, name } => {
                write!(f, "participant {number} (`{name}`) is not reviewed")
            }
            Self::NoName { number } => write!(f, "participant {number} has no name"),
            Self::SameName { name } => {
                write!(f, "several participants are named `{name}`: tell them apart")
            }
            Self::BadAccount { number, found } => {
                write!(f, "the account of participant {number} is `{found}`, expected @name:server")
            }
        }
    }
}
