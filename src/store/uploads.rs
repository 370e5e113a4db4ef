//! Files that the homeserver holds already.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::database::{Store, StoreError, get, put_first};
use crate::model::ids::Sha256;

/// What became of a file for one portal. Files are not shared between portals: undoing an import
/// deletes its media, and must not empty another room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum UploadRecord {
    /// The homeserver has it.
    Done {
        /// Digest of the bytes of the foreign file.
        sha256: Sha256,
        /// Where the event content points: an `mxc:` address now, an encrypted file later.
        source: Value,
        /// The same for the thumbnail, with its dimensions.
        thumbnail: Option<Value>,
        /// What was found out about the file, as `portal` writes it.
        facts: Value,
    },
    /// Larger than the homeserver, or the plan, allows.
    TooLarge,
    /// The bytes cannot be read.
    Unreadable {
        /// Why not.
        reason: String,
    },
}

impl Store {
    /// What became of the entry named `entry` of an archive.
    ///
    /// # Errors
    /// When the store fails.
    pub fn upload(&self, portal: &str, entry: &str) -> Result<Option<UploadRecord>, StoreError> {
        get(&self.uploads, &key(portal, entry))
    }

    /// Records an upload, unless another of the same file was recorded meanwhile; returns the
    /// one that stands. Two messages may name one file, and both must point at one upload.
    ///
    /// # Errors
    /// When the store fails.
    pub fn put_upload(
        &self,
        portal: &str,
        entry: &str,
        record: UploadRecord,
    ) -> Result<UploadRecord, StoreError> {
        put_first(&self.uploads, &key(portal, entry), record)
    }
}

fn key(portal: &str, entry: &str) -> Vec<u8> {
    [portal.as_bytes(), &[0], entry.as_bytes()].concat()
}
