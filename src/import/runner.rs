//! Takes due jobs up, one after another, and carries each to its end or its fault.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ruma::RoomId;
use thiserror::Error;
use tokio::sync::Notify;

use super::error::ImportError;
use super::execute::{Outcome, Stop, execute};
use super::job::{Job, JobError, store_error};
use super::records::{RecordsFile, disk, private_folder, write_report};
use super::report::{NotInvited, Report};
use super::settings::Settings;
use super::source::open_archive;
use super::undo::{Undone, undo};
use super::verify::verify;
use super::warning::Warning;
use crate::archive::Archive;
use crate::matrix::{MatrixError, Refusal};
use crate::model::ids::Sha256;
use crate::model::time::Clock;
use crate::portal::{Listed, Portals};
use crate::store::{JobState, StoreError, Wanted};
use crate::wording::Wording;

const MILLISECONDS_A_DAY: u64 = 24 * 60 * 60 * 1000;

/// Runs the jobs of this daemon.
#[derive(Clone, Debug)]
pub struct Runner {
    portals: Portals,
    settings: Arc<Settings>,
    places: Arc<Places>,
    clock: Clock,
    due: Arc<Notify>,
    claimed: Arc<Mutex<BTreeSet<String>>>,
    taking_in: Arc<Mutex<()>>,
}

/// The right to move one job, given to one task at a time.
struct Claim {
    id: String,
    claimed: Arc<Mutex<BTreeSet<String>>>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// Where working copies and reports lie.
#[derive(Clone, Debug)]
pub struct Places {
    /// Archives that were handed in, one folder each.
    pub spool: PathBuf,
    /// Reports, one folder a job.
    pub reports: PathBuf,
}

impl Places {
    /// Below the daemon's state folder.
    ///
    /// # Errors
    /// When the folders cannot be made.
    pub fn below(state_dir: &Path) -> Result<Self, ImportError> {
        let places = Self { spool: state_dir.join("spool"), reports: state_dir.join("reports") };
        private_folder(&places.spool)?;
        private_folder(&places.reports)?;
        Ok(places)
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
    pub fn new(portals: Portals, settings: Settings, places: Places, clock: Clock) -> Self {
        Self {
            portals,
            settings: Arc::new(settings),
            places: Arc::new(places),
            clock,
            due: Arc::new(Notify::new()),
            claimed: Arc::default(),
            taking_in: Arc::default(),
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

    /// Says that a job may be due.
    pub fn wake(&self) {
        self.due.notify_one();
    }

    /// Runs due jobs until told to stop.
    ///
    /// # Errors
    /// When the store fails; a job's own fault is written into the job.
    pub async fn run(&self, stop: Stop) -> Result<(), JobError> {
        loop {
            if stop.is_cancelled() {
                return Ok(());
            }
            let Some((mut job, _claim)) = self.next_due()? else {
                tokio::select! {
                    () = self.due.notified() => continue,
                    () = stop.cancelled() => return Ok(()),
                }
            };
            tracing::info!(job.id = job.id(), "job taken up");
            match self.carry(&mut job, &stop).await {
                Ok(()) => tracing::info!(job.id = job.id(), job.state = ?job.state(), "job left"),
                Err(error) => {
                    // Its text may hold a file's or a person's name; the job keeps it.
                    tracing::error!(
                        job.id = job.id(),
                        fault = error.word(),
                        hint = error.hint(),
                        "job stopped by a fault"
                    );
                    job.stop_for(&error)?;
                }
            }
            self.portals.store().flush().await?;
        }
    }

    /// The oldest due job that nobody else is busy with.
    fn next_due(&self) -> Result<Option<(Job, Claim)>, JobError> {
        for mut record in self.portals.store().jobs()? {
            if !record.state.is_due() {
                continue;
            }
            let Ok(claim) = self.claim(&record.id) else { continue };
            match self.job(&record.id) {
                Ok(job) if job.state().is_due() => return Ok(Some((job, claim))),
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

    fn claim(&self, id: &str) -> Result<Claim, JobError> {
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        if !claimed.insert(id.to_owned()) {
            return Err(JobError::Busy { id: id.to_owned() });
        }
        Ok(Claim { id: id.to_owned(), claimed: Arc::clone(&self.claimed) })
    }

    /// Asks a job to stop: at once if it waits for its turn, else at the next message.
    ///
    /// # Errors
    /// When it rests already.
    pub fn pause(&self, id: &str) -> Result<Job, JobError> {
        let claim = self.claim(id);
        let mut job = self.job(id)?;
        job.check_pausable()?;
        match claim {
            Ok(_claim) => job.pause()?,
            Err(_) => self.portals.store().want_pause(id, Wanted::Yes)?,
        }
        Ok(job)
    }

    /// Lets a paused or failed job go on when its turn comes.
    ///
    /// # Errors
    /// When it is not paused or failed.
    pub fn resume(&self, id: &str) -> Result<Job, JobError> {
        let claim = self.claim(id)?;
        let mut job = self.job(id)?;
        job.resume()?;
        // The runner passes over claimed jobs, so it must not look before this one is free.
        drop(claim);
        self.wake();
        Ok(job)
    }

    async fn carry(&self, job: &mut Job, stop: &Stop) -> Result<(), ImportError> {
        let path = self.places.spool.join(&job.record().spool);
        let archive = open_archive(&path, job.plan()).await?;
        job.run().map_err(store_error)?;
        match execute(job, &archive, &self.portals, &self.settings, stop).await? {
            // A daemon that stops takes the job up again when it starts.
            Outcome::Stopped if stop.is_cancelled() => return Ok(()),
            Outcome::Stopped => return job.pause().map_err(store_error),
            Outcome::Sent => {}
        }
        job.verify().map_err(store_error)?;
        let report = self.read_back(job, &archive).await?;
        if !report.is_verified() {
            let fault = format!(
                "the room differs from the archive in {} place(s), and {} of {} records are accounted for",
                report.differences_total,
                report.sums.disposed(),
                report.head.archive.records
            );
            return job.fail_verification(fault).map_err(store_error);
        }
        if job.pause_wanted().map_err(store_error)? {
            // Whoever asked for a pause does not want the room opened behind their back.
            return job.pause().map_err(store_error);
        }
        let mut report = report;
        report.not_invited = self.open_to_people(job).await?;
        report.warnings.extend(self.open_to_space(job).await?);
        self.keep_report(job, &report)?;
        job.finish(&report.not_invited).map_err(store_error)?;
        drop(archive);
        self.purge(job).await
    }

    /// Invites the people of the plan, and lets the witness go. Returns whom the homeserver does
    /// not let in, with its reason: one such person must not keep the others out.
    async fn open_to_people(&self, job: &Job) -> Result<Vec<NotInvited>, ImportError> {
        let store = self.portals.store();
        let record = store.portal(&job.record().portal)?;
        let room = record.and_then(|record| record.room_id).ok_or(ImportError::NoRoom)?;
        let bot = self.portals.bot();
        if store.room_mark(&room)?.is_none()
            && let Some(newest) = bot.page_back(&room, None).await?.events.first()
        {
            // From here on people may speak: reading-up begins at this event.
            store.put_room_mark(&room, newest.event_id.as_str())?;
            store.flush().await?;
        }
        let mut refused = Vec::new();
        for person in job.plan().room.admins.iter().chain(&job.plan().room.invite) {
            match bot.invite(&room, person).await {
                Ok(()) => {}
                Err(MatrixError::Refused { errcode, message, .. }) => {
                    let reason = format!("{errcode} {message}");
                    let refusal = Refusal::of(&errcode, &message);
                    refused.push(NotInvited { user: person.clone(), reason, refusal });
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.dismiss_witness(job, &room).await?;
        Ok(refused)
    }

    /// Lets the members of the plan's space in, if it names one.
    async fn open_to_space(&self, job: &Job) -> Result<Option<Warning>, ImportError> {
        let Some(space) = job.plan().room.space() else { return Ok(None) };
        let record = self.portals.store().portal(&job.record().portal)?;
        let room = record.and_then(|record| record.room_id).ok_or(ImportError::NoRoom)?;
        Ok(match self.portals.place_in_space(&room, &space).await? {
            Listed::Yes => None,
            Listed::No { reason } => Some(Warning::NotInSpace { space, reason }),
        })
    }

    /// The witness leaves, unless the plan wants it there as a person.
    async fn dismiss_witness(&self, job: &Job, room: &RoomId) -> Result<(), ImportError> {
        let witness = self.settings.witness().await?;
        let plan = &job.plan().room;
        if plan.invite.contains(&witness.user) || plan.admins.contains(&witness.user) {
            return Ok(());
        }
        Ok(witness.account.leave(room).await?)
    }

    /// Verifies a finished job again, from the archive its owner hands in once more.
    ///
    /// # Errors
    /// As [`verify`].
    pub async fn verify_again(&self, job: &Job, path: &Path) -> Result<Report, ImportError> {
        let _claim = self.claim(job.id()).map_err(store_error)?;
        let archive = open_archive(path, job.plan()).await?;
        let report = self.read_back(job, &archive).await;
        let record = self.portals.store().portal(&job.record().portal)?;
        if let Some(room) = record.and_then(|record| record.room_id) {
            self.dismiss_witness(job, &room).await?;
        }
        report
    }

    /// Gives a job up: what it sent is redacted, the working copy of the archive removed.
    /// Can be repeated after a fault.
    ///
    /// # Errors
    /// When it is running, the homeserver cannot be reached, or our records fail.
    pub async fn cancel(&self, id: &str) -> Result<Undone, CancelError> {
        let _claim = self.claim(id)?;
        let mut job = self.job(id)?;
        job.check_cancellable()?;
        let wording = Wording::new(self.settings.language);
        let reason = wording.text("undo-reason", &[("job", job.id().into())]);
        // Without a working witness the rest can be taken back all the same.
        let witness = self.settings.witness().await.ok();
        let undone = undo(&job, &self.portals, witness.as_ref(), &reason).await?;
        job.cancel()?;
        self.purge(&mut job).await?;
        Ok(undone)
    }

    /// Removes the working copy of a job's archive. The original is the owner's.
    ///
    /// That the job has ended is on disk first: a job that still seemed to be running after a
    /// sudden end would look for the archive in vain.
    async fn purge(&self, job: &mut Job) -> Result<(), ImportError> {
        self.portals.store().flush().await?;
        let Some((folder, _)) = job.record().spool.split_once('/') else { return Ok(()) };
        let folder = self.places.spool.join(folder);
        let shown = folder.display().to_string();
        match tokio::fs::remove_dir_all(&folder).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(ImportError::Disk { path: shown, reason: error.to_string() });
            }
            _ => {}
        }
        job.purged().map_err(store_error)?;
        tracing::info!(job.id = job.id(), "working copy of the archive removed");
        Ok(())
    }

    /// Removes the working copies that a sudden end left behind: those of jobs that have ended,
    /// and those that were handed in and became no job. To be called before commands are taken,
    /// because what is being handed in is no job's yet.
    ///
    /// # Errors
    /// When the store or the disk fails.
    pub async fn tidy(&self) -> Result<(), ImportError> {
        let mut wanted = std::collections::HashSet::new();
        for record in self.portals.store().jobs()? {
            if record.purged {
                continue;
            }
            match record.state {
                JobState::Done | JobState::Cancelled => {
                    let job = Job::load(self.portals.store(), self.clock, &record.id);
                    self.purge(&mut job.map_err(store_error)?).await?;
                }
                JobState::Planned
                | JobState::Running
                | JobState::Verifying
                | JobState::Paused
                | JobState::Failed => {
                    wanted.extend(record.spool.split('/').next().map(std::ffi::OsString::from));
                }
            }
        }
        let spool = &self.places.spool;
        let listed = |error| disk(spool, &error);
        let mut folders = tokio::fs::read_dir(spool).await.map_err(listed)?;
        while let Some(folder) = folders.next_entry().await.map_err(listed)? {
            if !wanted.contains(&folder.file_name()) {
                let path = folder.path();
                tokio::fs::remove_dir_all(&path).await.map_err(|error| disk(&path, &error))?;
                tracing::info!("an archive that no job wants was removed from the spool");
            }
        }
        Ok(())
    }

    /// Verifies, and keeps the report.
    async fn read_back(&self, job: &Job, archive: &Arc<Archive>) -> Result<Report, ImportError> {
        let folder = self.report_folder(job.id());
        let mut lines = RecordsFile::create(&folder)?;
        let mut report = verify(job, archive, &self.portals, &self.settings, &mut lines).await?;
        report.warnings = self.warnings(job, &report.head.room_id).await?;
        self.keep_report(job, &report)?;
        Ok(report)
    }

    /// What is to be known of a room beside its messages.
    async fn warnings(&self, job: &Job, room: &RoomId) -> Result<Vec<Warning>, ImportError> {
        let (rooms, namer) = (&self.settings.rooms, self.portals.namer());
        let mut list = job.plan().warnings(rooms, namer, job.now());
        let retention = self.portals.bot().state(room, "m.room.retention", "").await?;
        let lifetime = retention.as_ref().and_then(|content| content.get("max_lifetime"));
        if let Some(lifetime_ms) = lifetime.and_then(serde_json::Value::as_u64) {
            list.push(Warning::RoomForgets { days: lifetime_ms / MILLISECONDS_A_DAY });
        }
        Ok(list)
    }

    fn keep_report(&self, job: &Job, report: &Report) -> Result<(), ImportError> {
        write_report(&self.report_folder(job.id()), report, Wording::new(self.settings.language))
    }

    /// Where a job's report lies.
    pub fn report_folder(&self, job: &str) -> PathBuf {
        self.places.reports.join(job)
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
