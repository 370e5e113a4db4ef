//! Portals: a foreign chat and its room.

use ruma::{OwnedRoomId, RoomId};
use serde::{Deserialize, Serialize};

use super::database::{Store, StoreError, decode, get, put};
use crate::model::ids::{ChatId, Network};

/// One portal as it lies on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortalRecord {
    /// Its id, which transaction ids and marks carry.
    pub id: String,
    /// The messenger.
    pub network: Network,
    /// The foreign chat.
    pub chat: ChatId,
    /// Its room, once it is known.
    pub room_id: Option<OwnedRoomId>,
    /// How far the making of the room has come.
    pub state: PortalState,
}

/// How far a portal's room has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortalState {
    /// A room was, or is about to be, asked for; after a crash look for it before asking again.
    Creating,
    /// The room is there and was checked.
    Ready,
    /// The room was given up.
    Closed,
}

impl Store {
    /// One portal.
    ///
    /// # Errors
    /// When the store fails.
    pub fn portal(&self, id: &str) -> Result<Option<PortalRecord>, StoreError> {
        get(&self.portals, id.as_bytes())
    }

    /// Every portal.
    ///
    /// # Errors
    /// When the store fails.
    pub fn portals(&self) -> Result<Vec<PortalRecord>, StoreError> {
        self.portals.iter().values().map(|value| decode(&self.portals, &value?)).collect()
    }

    /// Writes a portal.
    ///
    /// # Errors
    /// When the store fails.
    pub fn put_portal(&self, portal: &PortalRecord) -> Result<(), StoreError> {
        put(&self.portals, portal.id.as_bytes(), portal)
    }

    /// The latest event of a room that was handled, for reading up after an outage.
    ///
    /// # Errors
    /// When the store fails.
    pub fn room_mark(&self, room: &RoomId) -> Result<Option<String>, StoreError> {
        get(&self.room_marks, room.as_bytes())
    }

    /// Sets [`Store::room_mark`].
    ///
    /// # Errors
    /// When the store fails.
    pub fn put_room_mark(&self, room: &RoomId, event: &str) -> Result<(), StoreError> {
        put(&self.room_marks, room.as_bytes(), &event)
    }
}
