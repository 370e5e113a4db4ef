//! Takes due jobs up, one after another, and carries each to its end or its fault.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ruma::RoomId;
use tokio::sync::Notify;

use super::error::ImportError;
use super::execute::{Outcome, Settings, Stop, execute, store_error};
use super::job::{Job, JobError};
use super::report::Report;
use super::source::{open_archive, task};
use super::undo::undo;
use super::verify::verify;
use crate::model::time::Clock;
use crate::portal::Portals;
use crate::store::{JobState, StoreError};
use crate::wording::Wording;

/// Runs the jobs of this daemon.
#[derive(Clone, Debug)]
pub struct Runner {
    portals: Portals,
    settings: Arc<Settings>,
    places: Arc<Places>,
    clock: Clock,
    due: Arc<Notify>,
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

impl Runner {
    /// A runner over the portals of this installation.
    pub fn new(portals: Portals, settings: Settings, places: Places, clock: Clock) -> Self {
        Self {
            portals,
            settings: Arc::new(settings),
            places: Arc::new(places),
            clock,
            due: Arc::new(Notify::new()),
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

    /// The clock jobs go by.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// How imports run here.
    pub fn settings(&self) -> &Settings {
        &self.settings
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
            let Some(mut job) = self.next_due()? else {
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

    fn next_due(&self) -> Result<Option<Job>, JobError> {
        for record in self.portals.store().jobs()? {
            let job = Job::load(self.portals.store(), self.clock, &record.id)?;
            if job.is_due() {
                return Ok(Some(job));
            }
        }
        Ok(None)
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
        let report = verify(job, &archive, &self.portals, &self.settings).await?.report;
        self.keep_report(job, &report).await?;
        if !report.is_verified() {
            let differences = report.differences.len();
            return job.fail_verification(differences).map_err(store_error);
        }
        self.open_to_people(job).await?;
        job.finish().map_err(store_error)?;
        drop(archive);
        self.purge(job).await
    }

    /// Invites the people of the plan, and lets the witness go.
    async fn open_to_people(&self, job: &Job) -> Result<(), ImportError> {
        let store = self.portals.store();
        let record = store.portal(&job.record().portal)?;
        let Some(room) = record.and_then(|record| record.room_id) else { return Ok(()) };
        let bot = self.portals.bot();
        if let Some(newest) = bot.page_back(&room, None).await?.events.first() {
            store.put_room_mark(&room, newest.event_id.as_str())?;
        }
        for person in job.plan().room.admins.iter().chain(&job.plan().room.invite) {
            bot.invite(&room, person).await?;
        }
        self.dismiss_witness(job, &room).await
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
        let archive = open_archive(path, job.plan()).await?;
        let report = verify(job, &archive, &self.portals, &self.settings).await?.report;
        self.keep_report(job, &report).await?;
        self.dismiss_witness(job, &report.head.room_id).await?;
        Ok(report)
    }

    /// Gives a job up: what it sent is redacted, the working copy of the archive removed.
    ///
    /// # Errors
    /// When the homeserver cannot be reached or our records fail.
    pub async fn cancel(&self, job: &mut Job) -> Result<u64, ImportError> {
        let wording = Wording::new(self.settings.language);
        let reason = wording.text("undo-reason", &[("job", job.id().into())]);
        let redacted = undo(job, &self.portals, &reason).await?;
        job.cancel().map_err(store_error)?;
        self.purge(job).await?;
        Ok(redacted)
    }

    /// Removes the working copy of a job's archive. The original is the owner's.
    async fn purge(&self, job: &mut Job) -> Result<(), ImportError> {
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

    async fn keep_report(&self, job: &Job, report: &Report) -> Result<(), ImportError> {
        let folder = self.report_folder(job.id());
        let report = report.clone();
        let wording = Wording::new(self.settings.language);
        tokio::task::spawn_blocking(move || write_report(&folder, &report, wording))
            .await
            .map_err(task)?
    }

    /// Where a job's report lies.
    pub fn report_folder(&self, job: &str) -> PathBuf {
        self.places.reports.join(job)
    }

    /// Whether a job may be told to pause, resume or cancel; loads it.
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

/// `report.json`, `report.txt`, and `records.jsonl` with one line a record; readable by the
/// daemon's user only.
fn write_report(folder: &Path, report: &Report, wording: Wording) -> Result<(), ImportError> {
    private_folder(folder)?;
    let json = serde_json::to_string_pretty(report)
        .map_err(|error| ImportError::Task { reason: error.to_string() })?;
    write_private(&folder.join("report.json"), |out| writeln!(out, "{json}"))?;
    let text = report.to_text(wording);
    write_private(&folder.join("report.txt"), |out| out.write_all(text.as_bytes()))?;
    write_private(&folder.join("records.jsonl"), |out| {
        for line in &report.records {
            serde_json::to_writer(&mut *out, line)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    })
}

fn write_private(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<(), ImportError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
        .open(path)
        .and_then(|file| {
            let mut out = std::io::BufWriter::new(file);
            write(&mut out)?;
            out.flush()
        })
        .map_err(|error| disk(path, &error))
}

fn private_folder(path: &Path) -> Result<(), ImportError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| disk(path, &error))
}

fn disk(path: &Path, error: &std::io::Error) -> ImportError {
    ImportError::Disk { path: path.display().to_string(), reason: error.to_string() }
}
