//! The working copies of archives and the reports, and who clears them away.

use std::path::{Path, PathBuf};

use super::error::ImportError;
use super::job::{Job, store_error};
use super::records::{disk, private_folder};
use crate::model::time::Clock;
use crate::store::{JobState, Store};

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

    /// Where a job's report lies.
    pub fn report_folder(&self, job: &str) -> PathBuf {
        self.reports.join(job)
    }

    /// Removes the working copy of a job's archive. The original is the owner's.
    ///
    /// That the job has ended is on disk first: a job that still seemed to be running after a
    /// sudden end would look for the archive in vain.
    pub(super) async fn purge(&self, store: &Store, job: &mut Job) -> Result<(), ImportError> {
        store.flush().await?;
        let Some((folder, _)) = job.record().spool.split_once('/') else { return Ok(()) };
        let folder = self.spool.join(folder);
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
    pub async fn tidy(&self, store: &Store, clock: Clock) -> Result<(), ImportError> {
        let mut wanted = std::collections::HashSet::new();
        for record in store.jobs()? {
            if record.purged {
                continue;
            }
            match record.state {
                JobState::Done | JobState::Cancelled => {
                    let job = Job::load(store, clock, &record.id);
                    self.purge(store, &mut job.map_err(store_error)?).await?;
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
        let spool = &self.spool;
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
}
