//! Opening, flushing, and the plain reading and writing every record shares.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::{sabotage, trees};

/// What `meta/format` must say. A change of any record's shape raises it and brings a migration.
const FORMAT: &[u8] = b"1";

/// sled's page cache. Its default of one gibibyte is meant for databases that fill a machine; our
/// rows are written and read in stretches.
const CACHE_BYTES: u64 = 8 << 20;

/// The daemon's records. Cheap to clone; all clones are one store.
#[derive(Clone, Debug)]
pub struct Store {
    db: sled::Db,
    pub(super) jobs: sled::Tree,
    pub(super) pauses: sled::Tree,
    pub(super) portals: sled::Tree,
    pub(super) ghosts: sled::Tree,
    pub(super) ledger: sled::Tree,
    pub(super) uploads: sled::Tree,
    pub(super) inbox: sled::Tree,
    pub(super) inbox_turn: Arc<Mutex<()>>,
    pub(super) seen_events: sled::Tree,
    pub(super) room_marks: sled::Tree,
    last_flush: Arc<Mutex<Option<Instant>>>,
    pub(super) sessions: sled::Tree,
    pub(super) readers: sled::Tree,
    pub(super) given: sled::Tree,
    pub(super) devices: sled::Tree,
    pub(super) unread: sled::Tree,
}

/// Why the store cannot serve.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another daemon has it open.
    #[error("the store in {path} is in use; is another passerelle running?")]
    InUse {
        /// Its folder.
        path: String,
    },
    /// Written by another version.
    #[error(
        "the store in {path} has format {found}, this version reads format {}",
        String::from_utf8_lossy(FORMAT)
    )]
    Format {
        /// Its folder.
        path: String,
        /// The format found.
        found: String,
    },
    /// The disk or the database failed.
    #[error("the store failed: {reason}")]
    Failed {
        /// What sled said.
        reason: String,
    },
    /// A record that this version cannot read.
    #[error("a record in {tree} cannot be read: {reason}")]
    Record {
        /// The tree.
        tree: String,
        /// Why not; no content.
        reason: String,
    },
}

impl StoreError {
    /// What an operator can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::InUse { .. } => {
                "stop the other daemon, or give this one its own daemon.state_dir"
            }
            Self::Format { .. } => {
                "run the version that wrote it, or upgrade as the changelog says"
            }
            Self::Failed { .. } => {
                "free space on the disk of daemon.state_dir or repair it, then start the daemon again; jobs go on where they stopped"
            }
            Self::Record { .. } => "bring back a backup of daemon.state_dir",
        }
    }
}

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> Self {
        // sled keeps what the system said in its inner form only; the kind is for people.
        let reason = if let sled::Error::Io(system) = &error {
            format!("{} ({system})", system.kind())
        } else {
            error.to_string()
        };
        Self::Failed { reason }
    }
}

impl Store {
    /// Opens or makes the store in `path`.
    ///
    /// # Errors
    /// When it is in use, of another format, or unreadable.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let shown = path.display().to_string();
        sabotage::before_open(path);
        let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES);
        let db = config.open().map_err(|error| match &error {
            sled::Error::Io(io) if io.to_string().contains("lock") => {
                StoreError::InUse { path: shown.clone() }
            }
            sled::Error::Io(_)
            | sled::Error::CollectionNotFound(_)
            | sled::Error::Unsupported(_)
            | sled::Error::ReportableBug(_)
            | sled::Error::Corruption { .. } => error.into(),
        })?;
        let meta = db.open_tree(trees::META)?;
        match meta.get("format")? {
            None => {
                meta.insert("format", FORMAT)?;
                meta.flush()?;
            }
            Some(found) if found.as_ref() == FORMAT => {}
            Some(found) => {
                let found = String::from_utf8_lossy(&found).into_owned();
                return Err(StoreError::Format { path: shown, found });
            }
        }
        Ok(Self {
            jobs: db.open_tree(trees::JOBS)?,
            pauses: db.open_tree(trees::PAUSES)?,
            portals: db.open_tree(trees::PORTALS)?,
            ghosts: db.open_tree(trees::GHOSTS)?,
            ledger: db.open_tree(trees::LEDGER)?,
            uploads: db.open_tree(trees::UPLOADS)?,
            inbox: db.open_tree(trees::INBOX)?,
            inbox_turn: Arc::default(),
            seen_events: db.open_tree(trees::SEEN_EVENTS)?,
            room_marks: db.open_tree(trees::ROOM_MARKS)?,
            last_flush: Arc::default(),
            sessions: db.open_tree(trees::SESSIONS)?,
            readers: db.open_tree(trees::READERS)?,
            given: db.open_tree(trees::GIVEN)?,
            devices: db.open_tree(trees::DEVICES)?,
            unread: db.open_tree(trees::UNREAD)?,
            db,
        })
    }

    /// Returns when everything written so far is on disk.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn flush(&self) -> Result<(), StoreError> {
        if sabotage::skips_flushes() && !self.ledger.is_empty() {
            return Ok(());
        }
        self.db.flush_async().await?;
        *self.last_flush.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        sabotage::after_flush();
        Ok(())
    }

    /// How long ago the latest flush of this process ended.
    pub fn since_last_flush(&self) -> Option<Duration> {
        let last = *self.last_flush.lock().unwrap_or_else(PoisonError::into_inner);
        last.map(|at| at.elapsed())
    }

    /// Bytes on disk.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn size_bytes(&self) -> Result<u64, StoreError> {
        Ok(self.db.size_on_disk()?)
    }
}

/// Reads one record.
pub(super) fn get<T: DeserializeOwned>(
    tree: &sled::Tree,
    key: &[u8],
) -> Result<Option<T>, StoreError> {
    tree.get(key)?.map(|bytes| decode(tree, &bytes)).transpose()
}

/// Writes one record.
pub(super) fn put<T: Serialize>(
    tree: &sled::Tree,
    key: &[u8],
    record: &T,
) -> Result<(), StoreError> {
    let bytes = encode(record);
    sabotage::before_write(tree, key, &bytes);
    tree.insert(key, bytes)?;
    Ok(())
}

/// Writes a record where there is none yet; returns the one that stands.
pub(super) fn put_first<T: Serialize + DeserializeOwned>(
    tree: &sled::Tree,
    key: &[u8],
    record: T,
) -> Result<T, StoreError> {
    let bytes = encode(&record);
    sabotage::before_write(tree, key, &bytes);
    match tree.compare_and_swap(key, None::<&[u8]>, Some(bytes))? {
        Ok(()) => Ok(record),
        Err(conflict) => match conflict.current {
            Some(standing) => decode(tree, &standing),
            None => Ok(record),
        },
    }
}

/// Writes several rows of one tree, all or none. `about` is the key that names them best.
pub(super) fn apply(tree: &sled::Tree, about: &[u8], batch: sled::Batch) -> Result<(), StoreError> {
    sabotage::before_write(tree, about, &[]);
    tree.apply_batch(batch)?;
    Ok(())
}

pub(super) fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    serde_json::to_vec(record).expect("records hold nothing that JSON cannot")
}

pub(super) fn decode<T: DeserializeOwned>(
    tree: &sled::Tree,
    bytes: &[u8],
) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|error| StoreError::Record {
        tree: String::from_utf8_lossy(&tree.name()).into_owned(),
        // The library's own text would quote the value.
        reason: format!("{:?} error at column {}", error.classify(), error.column()),
    })
}
