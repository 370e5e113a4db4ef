//! Takes due jobs up in the order they were handed in, several at once, and keeps the fault of
//! one from the others.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use thiserror::Error;
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};

use super::again::Patience;
use super::error::ImportError;
use super::execute::{Outcome, Stop};
use super::job::{Job, JobError, store_error};
use super::places::Places;
use super::report::Report;
use super::settings::Settings;
use super::source::open_archive;
use super::undo::{Undone, undo};
use super::worker::Worker;
use crate::matrix::Errand;
use crate::model::ids::Sha256;
use crate::model::time::Clock;
use crate::portal::Portals;
use crate::store::{JobRecord, JobState, StoreError, Wanted};
use crate::wording::Wording;

/// How often the clock is looked at while a job waits for its next try: it may be set meanwhile.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(20);

/// Runs the jobs of this daemon.
#[derive(Clone, Debug)]
pub struct Runner {
    portals: Portals,
    settings: Arc<Settings>,
    places: Arc<Places>,
    clock: Clock,
    hands: Hands,
    due: Arc<Notify>,
    /// Jobs somebody works on, and how to tell them to stop.
    claimed: Arc<Mutex<BTreeMap<String, Stop>>>,
    taking_in: Arc<Mutex<()>>,
    taken_up: Arc<AtomicU64>,
}

/// How many jobs run side by side, and how faults are outlived.
#[derive(Clone, Copy, Debug)]
pub struct Hands {
    /// Jobs that run side by side.
    pub jobs_at_once: usize,
    /// When jobs that were stopped are taken up again by themselves.
    pub patience: Patience,
}

/// The right to move one job, given to one task at a time.
struct Claim {
    id: String,
    halt: Stop,
    claimed: Arc<Mutex<BTreeMap<String, Stop>>>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// Why a job could not be given up.
#[derive(Debug, Error)]
pub enum CancelError {
    /// It is in no state for it.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The room could not be undone.
    #[error(transparent)]
    Import(#[from] ImportError),
}

impl Runner {
    /// A runner over the portals of this installation.
    pub fn new(
        portals: Portals,
        settings: Settings,
        places: Places,
        clock: Clock,
        hands: Hands,
    ) -> Self {
        Self {
            portals,
            settings: Arc::new(settings),
            places: Arc::new(places),
            clock,
            hands,
            due: Arc::new(Notify::new()),
            claimed: Arc::default(),
            taking_in: Arc::default(),
            taken_up: Arc::default(),
        }
    }

    /// What all portals share.
    pub fn portals(&self) -> &Portals {
        &self.portals
    }

    /// Where working copies and reports lie.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Whether a witness is configured.
    pub fn has_witness(&self) -> bool {
        self.settings.witness.is_some()
    }

    /// The clock jobs go by.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// How many jobs run side by side, and how faults are outlived.
    pub fn hands(&self) -> Hands {
        self.hands
    }

    /// Says that a job may be due.
    pub fn wake(&self) {
        self.due.notify_one();
    }

    /// Runs due jobs until told to stop, then returns when each has come to a stop.
    ///
    /// # Errors
    /// When the store fails; a job's own fault is written into the job.
    pub async fn run(&self, stop: Stop) -> Result<(), JobError> {
        // Cancelled on its own when the store fails.
        let halt = stop.child_token();
        let mut workers = JoinSet::new();
        let mut failed = self.take_up(&mut workers, &stop, &halt).await;
        halt.cancel();
        while let Some(ended) = workers.join_next().await {
            failed = failed.and(settled(ended));
        }
        failed
    }

    async fn take_up(
        &self,
        workers: &mut JoinSet<Result<(), JobError>>,
        stop: &Stop,
        halt: &Stop,
    ) -> Result<(), JobError> {
        while !stop.is_cancelled() {
            while workers.len() < self.hands.jobs_at_once {
                let Some((job, claim)) = self.next_due(halt)? else { break };
                workers.spawn(self.clone().work(job, claim, halt.clone()));
            }
            // While every hand is busy, what falls due waits for one of them anyway.
            let hands_free = workers.len() < self.hands.jobs_at_once;
            let next_try = if hands_free { self.next_try()? } else { Duration::MAX };
            tokio::select! {
                Some(ended) = workers.join_next() => settled(ended)?,
                () = self.due.notified() => {}
                () = tokio::time::sleep(next_try) => {}
                () = stop.cancelled() => {}
            }
        }
        Ok(())
    }

    /// Works on a job until it rests, whatever happens to it.
    async fn work(self, mut job: Job, claim: Claim, stop: Stop) -> Result<(), JobError> {
        tracing::info!(job.id = job.id(), "job taken up");
        let number = self.taken_up.fetch_add(1, Ordering::Relaxed);
        let worker = self.worker(Errand::Import(number), claim.halt.clone());
        let carried = AssertUnwindSafe(worker.carry(&mut job)).catch_unwind().await;
        let carried = carried.unwrap_or_else(|_| {
            // The others must not suffer for a defect that one archive brings out.
            Err(ImportError::Task { reason: "it panicked, see the daemon's log".to_owned() })
        });
        match carried {
            // A daemon that stops takes the job up again when it starts.
            Ok(Outcome::Stopped) if stop.is_cancelled() => {}
            Ok(Outcome::Stopped) => job.pause()?,
            Ok(Outcome::Sent) => {}
            Err(error) => {
                // Its text may hold a file's or a person's name; the job keeps it.
                tracing::error!(
                    job.id = job.id(),
                    fault = error.word(),
                    hint = error.hint(),
                    "job stopped by a fault"
                );
                job.stop_for(&error, &self.hands.patience)?;
            }
        }
        tracing::info!(job.id = job.id(), job.state = ?job.state(), "job left");
        Ok(self.portals.store().flush().await?)
    }

    fn worker(&self, errand: Errand, halt: Stop) -> Worker {
        Worker {
            portals: self.portals.on_errand(errand, halt.clone()),
            settings: self.settings.on_errand(errand, &halt),
            places: Arc::clone(&self.places),
            halt,
        }
    }

    /// The due job that was handed in first and that nobody else is busy with.
    fn next_due(&self, halt: &Stop) -> Result<Option<(Job, Claim)>, JobError> {
        for mut record in self.queue()? {
            let Ok(claim) = self.claim(&record.id, halt.child_token()) else { continue };
            match self.job(&record.id) {
                Ok(job) if job.is_due() => return Ok(Some((job, claim))),
                Ok(_) => {}
                Err(JobError::Plan(error)) => {
                    // Written by another version. One such job must not stop the others.
                    tracing::error!(job.id = record.id, "job given up, its plan cannot be read");
                    record.state = JobState::Failed;
                    record.fault = error.to_string();
                    "cancel it and make a new plan".clone_into(&mut record.hint);
                    self.portals.store().put_job(&record)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Jobs that run, wait for their turn or for their next try, in the order they were handed in.
    pub(super) fn queue(&self) -> Result<Vec<JobRecord>, StoreError> {
        let mut queue = self.portals.store().jobs()?;
        queue.retain(|job| {
            job.state.is_due() || (job.state == JobState::Paused && job.again.is_some())
        });
        queue.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(queue)
    }

    /// How long it is until a job may be due for its next try.
    fn next_try(&self) -> Result<Duration, StoreError> {
        let now = self.clock.now();
        let waiting = self.queue()?.into_iter().filter(|job| job.state == JobState::Paused);
        let next = waiting.filter_map(|job| job.again).map(|again| again.at.0 - now.0).min();
        let wait = next.map(|wait_ms| Duration::from_millis(wait_ms.max(0).unsigned_abs()));
        Ok(wait.map_or(Duration::MAX, |wait| wait.clamp(Duration::from_millis(100), LOOK_AT_CLOCK)))
    }

    /// Takes in an approved plan whose archive lies in the spool; see [`Job::create`]. One at a
    /// time, so that the same archive handed in twice at once is refused once.
    ///
    /// # Errors
    /// As [`Job::create`].
    pub fn take_in(
        &self,
        id: String,
        plan: String,
        plan_sha256: Sha256,
        spool: String,
    ) -> Result<Job, JobError> {
        let _turn = self.taking_in.lock().unwrap_or_else(PoisonError::into_inner);
        let rooms = &self.settings.rooms;
        Job::create(self.portals.store(), self.clock, id, plan, plan_sha256, spool, rooms)
    }

    fn claim(&self, id: &str, halt: Stop) -> Result<Claim, JobError> {
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        if claimed.contains_key(id) {
            return Err(JobError::Busy { id: id.to_owned() });
        }
        claimed.insert(id.to_owned(), halt.clone());
        Ok(Claim { id: id.to_owned(), halt, claimed: Arc::clone(&self.claimed) })
    }

    /// Whether somebody works on a job.
    pub(super) fn is_claimed(&self, id: &str) -> bool {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).contains_key(id)
    }

    /// Asks a job to stop: at once if it waits for its turn, else after the call under way.
    ///
    /// # Errors
    /// When it rests already.
    pub fn pause(&self, id: &str) -> Result<Job, JobError> {
        let claim = self.claim(id, Stop::new());
        let mut job = self.job(id)?;
        job.check_pausable()?;
        match claim {
            Ok(_claim) => job.pause()?,
            Err(_) => {
                self.portals.store().want_pause(id, Wanted::Yes)?;
                let claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(halt) = claimed.get(id) {
                    halt.cancel();
                }
            }
        }
        Ok(job)
    }

    /// Lets a paused or failed job go on when its turn comes.
    ///
    /// # Errors
    /// When it is not paused or failed.
    pub fn resume(&self, id: &str) -> Result<Job, JobError> {
        let claim = self.claim(id, Stop::new())?;
        let mut job = self.job(id)?;
        job.resume()?;
        // The runner passes over claimed jobs, so it must not look before this one is free.
        drop(claim);
        self.wake();
        Ok(job)
    }

    /// Verifies a finished job again, from the archive its owner hands in once more.
    ///
    /// # Errors
    /// As [`super::verify()`].
    pub async fn verify_again(&self, job: &Job, path: &Path) -> Result<Report, ImportError> {
        let _claim = self.claim(job.id(), Stop::new()).map_err(store_error)?;
        let worker = self.worker(Errand::Upkeep, Stop::new());
        let archive = open_archive(path, job.plan()).await?;
        let report = worker.read_back(job, &archive).await;
        let record = self.portals.store().portal(&job.record().portal)?;
        if let Some(room) = record.and_then(|record| record.room_id) {
            worker.dismiss_witness(job, &room).await?;
        }
        report
    }

    /// Gives a job up: what it sent is redacted, the working copy of the archive removed.
    /// Can be repeated after a fault.
    ///
    /// # Errors
    /// When it is running, the homeserver cannot be reached, or our records fail.
    pub async fn cancel(&self, id: &str) -> Result<Undone, CancelError> {
        let _claim = self.claim(id, Stop::new())?;
        let mut job = self.job(id)?;
        job.give_up()?;
        self.portals.store().flush().await.map_err(JobError::from)?;
        let wording = Wording::new(self.settings.language);
        let reason = wording.text("undo-reason", &[("job", job.id().into())]);
        let worker = self.worker(Errand::Upkeep, Stop::new());
        // Without a working witness the rest can be taken back all the same.
        let witness = worker.settings.witness().await.ok();
        let undone = undo(&job, &worker.portals, witness.as_ref(), &reason).await?;
        job.cancel()?;
        self.places.purge(self.portals.store(), &mut job).await?;
        Ok(undone)
    }

    /// Removes what a sudden end left behind: see [`Places::tidy`].
    ///
    /// # Errors
    /// When the store or the disk fails.
    pub async fn tidy(&self) -> Result<(), ImportError> {
        self.places.tidy(self.portals.store(), self.clock).await
    }

    /// Where a job's report lies.
    pub fn report_folder(&self, job: &str) -> PathBuf {
        self.places.report_folder(job)
    }

    /// One job.
    ///
    /// # Errors
    /// When there is none of that id.
    pub fn job(&self, id: &str) -> Result<Job, JobError> {
        Job::load(self.portals.store(), self.clock, id)
    }

    /// Every job's state, for health and metrics.
    ///
    /// # Errors
    /// When the store fails.
    pub fn states(&self) -> Result<Vec<JobState>, StoreError> {
        Ok(self.portals.store().jobs()?.into_iter().map(|job| job.state).collect())
    }
}

/// How a worker ended. One that panicked outside its job's own work is a defect worth an end.
fn settled(ended: Result<Result<(), JobError>, JoinError>) -> Result<(), JobError> {
    ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
