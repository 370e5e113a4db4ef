//! Matrix accounts of ours that exist on the homeserver.

use ruma::{OwnedDeviceId, OwnedUserId, UserId};
use serde::{Deserialize, Serialize};

use super::database::{Store, StoreError, decode, get, put};

/// A ghost, or the bot, as far as it was set up on the homeserver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GhostRecord {
    /// The account.
    pub user_id: OwnedUserId,
    /// Its only device.
    pub device_id: OwnedDeviceId,
    /// The display name that was last set.
    pub display_name: String,
    /// Whether the device has encryption keys. Records of earlier versions do not say so.
    #[serde(default)]
    pub keys: PublishedKeys,
}

/// Whether a device has keys on the homeserver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PublishedKeys {
    /// Not yet.
    #[default]
    No,
    /// Yes: they must never be lost or changed again.
    Yes,
}

impl Store {
    /// One account.
    ///
    /// # Errors
    /// When the store fails.
    pub fn ghost(&self, user: &UserId) -> Result<Option<GhostRecord>, StoreError> {
        get(&self.ghosts, user.as_bytes())
    }

    /// Every account of ours.
    ///
    /// # Errors
    /// When the store fails.
    pub fn ghosts(&self) -> Result<Vec<GhostRecord>, StoreError> {
        self.ghosts.iter().values().map(|value| decode(&self.ghosts, &value?)).collect()
    }

    /// Writes an account.
    ///
    /// # Errors
    /// When the store fails.
    pub fn put_ghost(&self, ghost: &GhostRecord) -> Result<(), StoreError> {
        put(&self.ghosts, ghost.user_id.as_bytes(), ghost)
    }
}
