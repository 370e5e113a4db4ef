//! Import jobs.

use serde::{Deserialize, Serialize};

use super::database::{Store, StoreError, decode, get, put};
use crate::model::ids::Sha256;
use crate::model::time::UnixMillis;

/// One import job as it lies on disk. `import::Job` alone moves its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRecord {
    /// Its id: sorts by creation.
    pub id: String,
    /// Where it stands.
    pub state: JobState,
    /// The approved plan, verbatim.
    pub plan: String,
    /// SHA-256 of `plan`.
    pub plan_sha256: Sha256,
    /// SHA-256 of the archive the plan was made from.
    pub archive_sha256: Sha256,
    /// Path of the archive below the spool, `/` between parts.
    pub spool: String,
    /// The portal it fills.
    pub portal: String,
    /// When it was taken in.
    pub created_at: UnixMillis,
    /// When its state last changed.
    pub changed_at: UnixMillis,
    /// Messages of the chat.
    pub total: u64,
    /// Messages dealt with so far.
    pub done: u64,
    /// Why it stopped, in words for the operator; empty otherwise.
    pub fault: String,
    /// What to do about it; empty otherwise.
    pub hint: String,
    /// Whether the working copy of the archive has been removed.
    pub purged: bool,
    /// Set while it is taken up again by itself after a fault that may pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Again>,
}

/// A job's tries since it last got on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// When the next one is due.
    pub at: UnixMillis,
    /// How many there have been, this one counted.
    pub tries: u32,
    /// When the first fault came.
    pub since: UnixMillis,
    /// How many messages had been dealt with by then.
    pub done: u64,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Approved, waiting for its turn.
    Planned,
    /// Sending.
    Running,
    /// Reading the room back.
    Verifying,
    /// Verified; people are invited.
    Done,
    /// Stopped, to be resumed by hand, or by itself when [`JobRecord::again`] says so.
    Paused,
    /// Stopped by something that needs a decision; can be resumed.
    Failed,
    /// Given up; the room was emptied or left.
    Cancelled,
}

/// Whether something is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// It is.
    Yes,
    /// It is not, or no longer.
    No,
}

impl JobState {
    /// Whether the daemon takes such a job up by itself.
    pub const fn is_due(self) -> bool {
        match self {
            Self::Planned | Self::Running | Self::Verifying => true,
            Self::Done | Self::Paused | Self::Failed | Self::Cancelled => false,
        }
    }

    /// The lower-case English word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Verifying => "verifying",
            Self::Done => "done",
            Self::Paused => "paused",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Store {
    /// One job.
    ///
    /// # Errors
    /// When the store fails.
    pub fn job(&self, id: &str) -> Result<Option<JobRecord>, StoreError> {
        get(&self.jobs, id.as_bytes())
    }

    /// Every job, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub fn jobs(&self) -> Result<Vec<JobRecord>, StoreError> {
        self.jobs.iter().values().map(|value| decode(&self.jobs, &value?)).collect()
    }

    /// Whether somebody asked a job to stop at the next message. Kept beside the record, which
    /// only the one who runs the job may write.
    ///
    /// # Errors
    /// When the store fails.
    pub fn pause_wanted(&self, id: &str) -> Result<bool, StoreError> {
        Ok(self.pauses.contains_key(id.as_bytes())?)
    }

    /// Sets or clears [`Store::pause_wanted`].
    ///
    /// # Errors
    /// When the store fails.
    pub fn want_pause(&self, id: &str, wanted: Wanted) -> Result<(), StoreError> {
        match wanted {
            Wanted::Yes => self.pauses.insert(id.as_bytes(), &[])?,
            Wanted::No => self.pauses.remove(id.as_bytes())?,
        };
        Ok(())
    }

    /// Writes a job.
    ///
    /// # Errors
    /// When the store fails.
    pub fn put_job(&self, job: &JobRecord) -> Result<(), StoreError> {
        put(&self.jobs, job.id.as_bytes(), job)
    }
}
