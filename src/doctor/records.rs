//! The store and the spool, looked at by whoever owns them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::place::megabytes;
use super::sheet::Seen;
use crate::store::{JobState, Store, StoreError};

/// A disk that takes longer for one flush makes an import crawl: it flushes every few messages.
const SLOW_FLUSH: Duration = Duration::from_millis(500);
/// What is being handed in is no job's yet.
const YOUNG: Duration = Duration::from_hours(24);

/// What there is, in figures.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Records {
    /// Bytes of the store on disk.
    pub store_bytes: u64,
    /// How long one flush took.
    pub flush_ms: u64,
    /// Seconds since the flush before that one; `None` when there was none since the start.
    pub last_flush_s: Option<u64>,
    /// Events that wait to be handled.
    pub inbox: usize,
    /// Jobs by state.
    pub jobs: BTreeMap<String, usize>,
    /// Bytes of working copies.
    pub spool_bytes: u64,
    /// Folders of the spool that no job wants and that are older than a day.
    pub leftovers: usize,
}

impl Records {
    /// Looks, and flushes once.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn look(store: &Store, spool: &Path) -> Result<Self, StoreError> {
        let last_flush_s = store.since_last_flush().map(|age| age.as_secs());
        let began = Instant::now();
        store.flush().await?;
        let flush_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut jobs = BTreeMap::new();
        let mut wanted = BTreeSet::new();
        for job in store.jobs()? {
            *jobs.entry(job.state.word().to_owned()).or_default() += 1;
            if !matches!(job.state, JobState::Done | JobState::Cancelled) {
                wanted.extend(job.spool.split('/').next().map(str::to_owned));
            }
        }
        let spool = spool.to_owned();
        let seen = tokio::task::spawn_blocking(move || spool_of(&spool, &wanted));
        let (spool_bytes, leftovers) = seen.await.unwrap_or_default();
        Ok(Self {
            store_bytes: store.size_bytes()?,
            flush_ms,
            last_flush_s,
            inbox: store.inbox_len(),
            jobs,
            spool_bytes,
            leftovers,
        })
    }
}

fn spool_of(spool: &Path, wanted: &BTreeSet<String>) -> (u64, usize) {
    let Ok(folders) = std::fs::read_dir(spool) else { return (0, 0) };
    let old = |folder: &std::fs::DirEntry| {
        let changed = folder.metadata().and_then(|metadata| metadata.modified());
        changed.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > YOUNG))
    };
    let unwanted = |folder: &std::fs::DirEntry| {
        folder.file_name().to_str().is_none_or(|name| !wanted.contains(name))
    };
    let left = folders.flatten().filter(|folder| unwanted(folder) && old(folder)).count();
    (size_below(spool), left)
}

/// Bytes of the files below a path, or of the file itself. Links are not followed.
pub(super) fn size_below(path: &Path) -> u64 {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return 0 };
    if !metadata.is_dir() {
        return metadata.len();
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| size_below(&entry.path())).sum()
}

pub(super) fn judge_store(records: &Result<Records, String>) -> Seen {
    let Records { store_bytes, flush_ms, last_flush_s, inbox, jobs, .. } = match records {
        Ok(records) => records,
        Err(reason) => {
            return Seen::error(
                reason,
                "if another process holds the store, stop it; else look at the disk of daemon.state_dir, or bring back a backup",
            );
        }
    };
    let jobs: Vec<_> = jobs.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let jobs =
        if jobs.is_empty() { "no jobs".to_owned() } else { format!("jobs: {}", jobs.join(", ")) };
    let before = last_flush_s.map_or_else(String::new, |s| format!(", the one before {s} s ago"));
    let seen = format!(
        "{}, {jobs}, {inbox} event(s) waiting; a flush took {flush_ms} ms{before}",
        megabytes(*store_bytes)
    );
    if Duration::from_millis(*flush_ms) > SLOW_FLUSH {
        return Seen::warning(seen, "a faster or less busy disk for daemon.state_dir");
    }
    Seen::ok(seen)
}

pub(super) fn judge_spool(records: &Records) -> Seen {
    let Records { spool_bytes, leftovers, .. } = records;
    let size = megabytes(*spool_bytes);
    match leftovers {
        0 => Seen::ok(format!("{size} of working copies, each wanted by a job")),
        count => Seen::warning(
            format!("{size} of working copies, {count} of them of no job"),
            "restart the daemon: it removes what no job wants",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sheet::Verdict;
    use super::*;

    #[test]
    fn a_store_is_judged_by_its_flush_and_its_words() {
        let quick = Records { flush_ms: 3, ..Records::default() };
        assert_eq!(judge_store(&Ok(quick.clone())).verdict, Verdict::Ok);
        let slow = Records { flush_ms: 900, ..Records::default() };
        assert_eq!(judge_store(&Ok(slow)).verdict, Verdict::Warning);
        assert_eq!(judge_store(&Err("in use".to_owned())).verdict, Verdict::Error);
        assert_eq!(judge_spool(&quick).verdict, Verdict::Ok);
        let left = Records { leftovers: 2, ..quick };
        assert!(judge_spool(&left).change.contains("restart"));
    }

    #[test]
    fn leftovers_are_folders_of_no_job_that_are_not_new() {
        let spool = tempfile::tempdir().unwrap();
        for name in ["wanted", "new", "old"] {
            std::fs::create_dir(spool.path().join(name)).unwrap();
            std::fs::write(spool.path().join(name).join("file"), [0; 100]).unwrap();
        }
        let two_days = std::time::SystemTime::UNIX_EPOCH + Duration::from_hours(48);
        for name in ["wanted", "old"] {
            let folder = std::fs::File::open(spool.path().join(name)).unwrap();
            folder.set_modified(two_days).unwrap();
        }
        let wanted = BTreeSet::from(["wanted".to_owned()]);
        assert_eq!(spool_of(spool.path(), &wanted), (300, 1));
        assert_eq!(spool_of(&spool.path().join("absent"), &wanted), (0, 0));
    }
}
