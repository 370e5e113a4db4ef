//! A job, and the only ways it may move.

use thiserror::Error;

use super::again::{self, Patience};
use super::error::ImportError;
use super::objection::PlanError;
use super::plan::Plan;
use super::report::NotInvited;
use crate::config::RoomsSection;
use crate::model::ids::Sha256;
use crate::model::time::{Clock, UnixMillis};
use crate::store::{JobRecord, JobState, Store, StoreError, Wanted};

/// One import job.
#[derive(Clone, Debug)]
pub struct Job {
    record: JobRecord,
    plan: Plan,
    store: Store,
    clock: Clock,
}

/// Why a job cannot do what it was told.
#[derive(Debug, Error)]
pub enum JobError {
    /// No such job.
    #[error("there is no job {id}")]
    Unknown {
        /// The id that was asked for.
        id: String,
    },
    /// It is not in a state for that.
    #[error("job {id} is {}, it cannot be {wanted}", state.word())]
    WrongState {
        /// The job.
        id: String,
        /// Its state.
        state: JobState,
        /// What was wanted.
        wanted: &'static str,
    },
    /// Something else is being done with it.
    #[error("job {id} is busy")]
    Busy {
        /// The job.
        id: String,
    },
    /// The chat was imported already.
    #[error("this chat of this archive was imported by job {id}")]
    Repeated {
        /// The earlier job.
        id: String,
    },
    /// Its plan cannot be read.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Our records.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Job {
    /// Takes in an approved plan whose archive lies in the spool.
    ///
    /// # Errors
    /// When the plan is not ready, or the same chat of the same archive was imported already.
    pub fn create(
        store: &Store,
        clock: Clock,
        id: String,
        plan_text: String,
        plan_sha256: Sha256,
        spool: String,
        rooms: &RoomsSection,
    ) -> Result<Self, JobError> {
        let plan = Plan::parse(&plan_text)?;
        let objections = plan.objections(rooms);
        if !objections.is_empty() {
            return Err(PlanError::Objections(objections).into());
        }
        for other in store.jobs()? {
            if other.archive_sha256 == plan.archive.sha256
                && other.state != JobState::Cancelled
                && Plan::parse(&other.plan).is_ok_and(|old| old.archive.chat == plan.archive.chat)
            {
                return Err(JobError::Repeated { id: other.id });
            }
        }
        let now = clock.now();
        let record = JobRecord {
            portal: format!("import-{id}"),
            id,
            state: JobState::Planned,
            plan: plan_text,
            plan_sha256,
            archive_sha256: plan.archive.sha256,
            spool,
            created_at: now,
            changed_at: now,
            total: plan.archive.messages,
            done: 0,
            fault: String::new(),
            hint: String::new(),
            purged: false,
            again: None,
        };
        store.put_job(&record)?;
        Ok(Self { record, plan, store: store.clone(), clock })
    }

    /// Loads a job.
    ///
    /// # Errors
    /// When there is none of that id, or its plan cannot be read any more.
    pub fn load(store: &Store, clock: Clock, id: &str) -> Result<Self, JobError> {
        let record = store.job(id)?.ok_or_else(|| JobError::Unknown { id: id.to_owned() })?;
        let plan = Plan::parse(&record.plan)?;
        Ok(Self { record, plan, store: store.clone(), clock })
    }

    /// What lies on disk.
    pub fn record(&self) -> &JobRecord {
        &self.record
    }

    /// The approved plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.record.id
    }

    /// Where it stands.
    pub fn state(&self) -> JobState {
        self.record.state
    }

    /// It begins, or goes on, to send.
    ///
    /// # Errors
    /// When it is done or cancelled, or the store fails.
    pub fn run(&mut self) -> Result<(), JobError> {
        match self.record.state {
            JobState::Planned
            | JobState::Running
            | JobState::Verifying
            | JobState::Paused
            | JobState::Failed => self.enter(JobState::Running),
            JobState::Done | JobState::Cancelled => Err(self.wrong("run")),
        }
    }

    /// Everything is sent; the room is read back.
    ///
    /// # Errors
    /// When it was not running, done, or failed; or the store fails.
    pub fn verify(&mut self) -> Result<(), JobError> {
        match self.record.state {
            JobState::Running | JobState::Verifying => self.enter(JobState::Verifying),
            JobState::Planned
            | JobState::Done
            | JobState::Paused
            | JobState::Failed
            | JobState::Cancelled => Err(self.wrong("verified")),
        }
    }

    /// The room is what the archive says, and the people are invited, but for these.
    ///
    /// # Errors
    /// When it was not being verified, or the store fails.
    pub fn finish(&mut self, not_invited: &[NotInvited]) -> Result<(), JobError> {
        match self.record.state {
            JobState::Verifying => {
                self.record.again = None;
                self.record.fault = String::new();
                self.record.hint = String::new();
                if !not_invited.is_empty() {
                    let people: Vec<&str> =
                        not_invited.iter().map(|one| one.user.as_str()).collect();
                    self.record.hint =
                        format!("invite by hand, the homeserver refused: {}", people.join(", "));
                }
                self.move_to(JobState::Done)
            }
            JobState::Planned
            | JobState::Running
            | JobState::Done
            | JobState::Paused
            | JobState::Failed
            | JobState::Cancelled => Err(self.wrong("finished")),
        }
    }

    /// It stops because of a fault: paused if time may heal it, then to be taken up again by
    /// itself as `patience` says; failed if not.
    ///
    /// # Errors
    /// When the store fails.
    pub fn stop_for(&mut self, error: &ImportError, patience: &Patience) -> Result<(), JobError> {
        let state = if error.is_transient() { JobState::Paused } else { JobState::Failed };
        let before = self.record.again.take();
        if error.is_transient() {
            self.record.again = patience.next(before, self.record.done, self.clock.now());
        }
        self.record.fault = error.to_string();
        error.hint().clone_into(&mut self.record.hint);
        self.move_to(state)
    }

    /// It fails because the room is not what the archive says; `fault` says how.
    ///
    /// # Errors
    /// When the store fails.
    pub fn fail_verification(&mut self, fault: String) -> Result<(), JobError> {
        self.record.again = None;
        self.record.fault = fault;
        "see `passerelle import report`; nobody was invited".clone_into(&mut self.record.hint);
        self.move_to(JobState::Failed)
    }

    /// Whether it can be taken up now by itself.
    pub fn is_due(&self) -> bool {
        let again = self.record.again.filter(|_| self.record.state == JobState::Paused);
        let again = again.is_some_and(|again| again::is_due(&again, self.clock.now()));
        self.record.state.is_due() || again
    }

    /// Whether it can be asked to pause now.
    ///
    /// # Errors
    /// When it rests already.
    pub fn check_pausable(&self) -> Result<(), JobError> {
        match self.record.state {
            JobState::Planned | JobState::Running | JobState::Verifying => Ok(()),
            // It would have gone on by itself.
            JobState::Paused if self.record.again.is_some() => Ok(()),
            JobState::Done | JobState::Paused | JobState::Failed | JobState::Cancelled => {
                Err(self.wrong("paused"))
            }
        }
    }

    /// Whether somebody asked it to pause.
    ///
    /// # Errors
    /// When the store fails.
    pub fn pause_wanted(&self) -> Result<bool, JobError> {
        Ok(self.store.pause_wanted(self.id())?)
    }

    /// It stands still until somebody resumes it.
    ///
    /// # Errors
    /// When the store fails.
    pub fn pause(&mut self) -> Result<(), JobError> {
        self.record.again = None;
        self.enter(JobState::Paused)
    }

    /// It waits for its turn again.
    ///
    /// # Errors
    /// When it is not paused or failed, or the store fails.
    pub fn resume(&mut self) -> Result<(), JobError> {
        match self.record.state {
            JobState::Paused | JobState::Failed => {
                self.store.want_pause(&self.record.id, Wanted::No)?;
                self.record.again = None;
                self.enter(JobState::Planned)
            }
            JobState::Planned
            | JobState::Running
            | JobState::Verifying
            | JobState::Done
            | JobState::Cancelled => Err(self.wrong("resumed")),
        }
    }

    /// It is about to be undone. Where that is interrupted it must not go on by itself, into a
    /// room that is half emptied.
    ///
    /// # Errors
    /// When it is running or was cancelled, or the store fails.
    pub fn give_up(&mut self) -> Result<(), JobError> {
        self.check_cancellable()?;
        if self.record.state == JobState::Done {
            return Ok(());
        }
        self.record.again = None;
        "its cancelling has not come to its end".clone_into(&mut self.record.fault);
        "cancel it once more".clone_into(&mut self.record.hint);
        self.move_to(JobState::Failed)
    }

    /// It was given up and its room undone.
    ///
    /// # Errors
    /// When it is running, or the store fails.
    pub fn cancel(&mut self) -> Result<(), JobError> {
        self.check_cancellable()?;
        self.record.again = None;
        self.enter(JobState::Cancelled)
    }

    /// Whether [`Job::cancel`] would be allowed now.
    ///
    /// # Errors
    /// When it would not be.
    pub fn check_cancellable(&self) -> Result<(), JobError> {
        match self.record.state {
            JobState::Planned | JobState::Paused | JobState::Failed | JobState::Done => Ok(()),
            JobState::Running | JobState::Verifying | JobState::Cancelled => {
                Err(self.wrong("cancelled"))
            }
        }
    }

    /// Notes how far it has come.
    ///
    /// # Errors
    /// When the store fails.
    pub fn progress(&mut self, done: u64) -> Result<(), JobError> {
        self.record.done = done;
        Ok(self.store.put_job(&self.record)?)
    }

    /// Notes that the working copy of the archive is gone.
    ///
    /// # Errors
    /// When the store fails.
    pub fn purged(&mut self) -> Result<(), JobError> {
        self.record.purged = true;
        Ok(self.store.put_job(&self.record)?)
    }

    /// The current instant by the job's clock.
    pub fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    fn enter(&mut self, state: JobState) -> Result<(), JobError> {
        self.record.fault = String::new();
        self.record.hint = String::new();
        self.move_to(state)
    }

    fn move_to(&mut self, state: JobState) -> Result<(), JobError> {
        self.record.state = state;
        match state {
            JobState::Planned | JobState::Running | JobState::Verifying => {}
            // It rests: a wish that it rest has come true.
            JobState::Done | JobState::Paused | JobState::Failed | JobState::Cancelled => {
                self.store.want_pause(&self.record.id, Wanted::No)?;
            }
        }
        self.record.changed_at = self.clock.now();
        Ok(self.store.put_job(&self.record)?)
    }

    fn wrong(&self, wanted: &'static str) -> JobError {
        JobError::WrongState { id: self.record.id.clone(), state: self.record.state, wanted }
    }
}

/// A fault of our records as an import's fault.
pub(super) fn store_error(error: JobError) -> ImportError {
    match error {
        JobError::Store(error) => error.into(),
        other @ (JobError::Unknown { .. }
        | JobError::WrongState { .. }
        | JobError::Busy { .. }
        | JobError::Repeated { .. }
        | JobError::Plan(_)) => ImportError::Task { reason: other.to_string() },
    }
}
