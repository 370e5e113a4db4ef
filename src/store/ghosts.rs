//! Matrix accounts of ours that exist on the homeserver.

use ruma::{OwnedDeviceId, OwnedUserId, UserId};
use serde::{Deserialize, Serialize};

use super::database::{Store, StoreError, get, put};

/// A ghost, or the bot, as far as it was set up on the homeserver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GhostRecord {
    /// The account.
    pub user_id: OwnedUserId,
    /// Its only device.
    pub device_id: OwnedDeviceId,
    /// The display name that was last set.
    pub display_name: String,
}

impl Store {
    /// One account.
    ///
    /// # Errors
    /// When the store fails.
    pub fn ghost(&self, user: &UserId) -> Result<Option<GhostRecord>, StoreError> {
        get(&self.ghosts, user.as_bytes())
    }

    /// Writes an account.
    ///
    /// # Errors
    /// When the store fails.
    pub fn put_ghost(&self, ghost: &GhostRecord) -> Result<(), StoreError> {
        put(&self.ghosts, ghost.user_id.as_bytes(), ghost)
    }
}
