//! Why a job cannot go on.

use thiserror::Error;

use super::objection::PlanError;
use crate::archive::ArchiveError;
use crate::matrix::MatrixError;
use crate::portal::PortalError;
use crate::store::StoreError;

/// Why an import stopped.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The room or the homeserver.
    #[error(transparent)]
    Portal(#[from] PortalError),
    /// Our own records.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The archive in the spool is not the one the plan was made from.
    #[error("the archive has digest {found}, the plan was made from {expected}")]
    ArchiveChanged {
        /// What the plan says.
        expected: String,
        /// What lies in the spool.
        found: String,
    },
    /// Somebody of the plan cannot be let in.
    #[error("{user}, named in the plan, {what}")]
    Person {
        /// The account.
        user: String,
        /// Why not.
        what: &'static str,
    },
    /// The job has not made a room yet.
    #[error("the job has no room yet")]
    NoRoom,
    /// No witness is configured.
    #[error("no witness account is configured, so nothing can be verified")]
    NoWitness,
    /// The witness's token is not accepted.
    #[error("the homeserver does not accept the witness's token: {message}")]
    WitnessRejected {
        /// What it said.
        message: String,
    },
    /// The disk.
    #[error("cannot use {path}: {reason}")]
    Disk {
        /// Which file or folder.
        path: String,
        /// Why not.
        reason: String,
    },
    /// A thread of ours ended before its work.
    #[error("an internal task ended early: {reason}")]
    Task {
        /// What it left behind.
        reason: String,
    },
}

impl From<MatrixError> for ImportError {
    fn from(error: MatrixError) -> Self {
        Self::Portal(error.into())
    }
}

impl From<tokio::task::JoinError> for ImportError {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Task { reason: error.to_string() }
    }
}

impl ImportError {
    /// Whether trying again later may help, with nothing changed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Portal(error) => error.is_transient(),
            Self::Archive(_)
            | Self::Plan(_)
            | Self::Store(_)
            | Self::ArchiveChanged { .. }
            | Self::Person { .. }
            | Self::NoRoom
            | Self::NoWitness
            | Self::WitnessRejected { .. }
            | Self::Disk { .. }
            | Self::Task { .. } => false,
        }
    }

    /// Whether it only says that the work was to stop.
    pub fn is_halt(&self) -> bool {
        matches!(self, Self::Portal(PortalError::Matrix(MatrixError::Halted { .. })))
    }

    /// What it is, in a word or two for the log: the text may name people or files.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Archive(_) => "archive",
            Self::Plan(_) => "plan",
            Self::Portal(error) => error.word(),
            Self::Store(_) => "store",
            Self::ArchiveChanged { .. } => "archive changed",
            Self::Person { .. } => "person",
            Self::NoRoom => "no room",
            Self::NoWitness => "no witness",
            Self::WitnessRejected { .. } => "witness rejected",
            Self::Disk { .. } => "disk",
            Self::Task { .. } => "internal",
        }
    }

    /// What an operator can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Portal(error) => error.hint(),
            Self::Archive(error) => error.hint(),
            Self::Plan(_) => "make the plan anew with `passerelle import plan`",
            Self::Store(_) | Self::Disk { .. } => "free space or repair the disk, then resume",
            Self::ArchiveChanged { .. } => {
                "make a new plan from this archive, or bring the old one"
            }
            Self::WitnessRejected { .. } => {
                "log the witness in again, write its token to witness.token_file, restart the daemon"
            }
            Self::Person { .. } => {
                "cancel the job, correct room.admins or room.invite in the plan, start it again"
            }
            Self::NoRoom => "let the job run first",
            Self::NoWitness => "set witness.token_file, restart the daemon, then resume",
            Self::Task { .. } => "resume; if it happens again, report it with the daemon's log",
        }
    }
}
