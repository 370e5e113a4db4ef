//! Files that the homeserver holds already.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::database::{Store, StoreError, get, put};
use crate::model::ids::Sha256;

/// A file that was uploaded for one portal. Files are not shared between portals: undoing an
/// import deletes its media, and must not empty another room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UploadRecord {
    /// Digest of the bytes of the foreign file.
    pub sha256: Sha256,
    /// Where the event content will point: an `mxc:` address now, an encrypted file later.
    pub source: Value,
    /// The same for the thumbnail, with its dimensions.
    pub thumbnail: Option<Value>,
    /// What was found out about the file, as `portal` writes it.
    pub facts: Value,
}

impl Store {
    /// The upload of the entry named `entry` of an archive, if it is done.
    ///
    /// # Errors
    /// When the store fails.
    pub fn upload(&self, portal: &str, entry: &str) -> Result<Option<UploadRecord>, StoreError> {
        get(&self.uploads, &key(portal, entry))
    }

    /// Records an upload.
    ///
    /// # Errors
    /// When the store fails.
    pub fn put_upload(
        &self,
        portal: &str,
        entry: &str,
        record: &UploadRecord,
    ) -> Result<(), StoreError> {
        put(&self.uploads, &key(portal, entry), record)
    }
}

fn key(portal: &str, entry: &str) -> Vec<u8> {
    [portal.as_bytes(), &[0], entry.as_bytes()].concat()
}
