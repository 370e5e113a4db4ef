//! What the homeserver pushed for devices of ours and has not been taken in yet.

use std::sync::PoisonError;

use ruma::{EventId, OwnedEventId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::database::{Store, StoreError, apply, decode, encode, put};
use crate::model::time::UnixMillis;

/// What came for one device, as the layer above wrote it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeviceRow {
    /// The account.
    pub user: OwnedUserId,
    /// What came. Messages in it are encrypted for the device.
    pub what: Box<RawValue>,
}

/// An event that could not be decrypted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UnreadRow {
    /// The event, encrypted as it came.
    pub event: Box<RawValue>,
    /// When it came.
    pub since: UnixMillis,
    /// Whether its room was told.
    pub told: bool,
}

impl Store {
    /// Keeps an event that has no key yet, or notes that its room was told.
    ///
    /// # Errors
    /// When the store fails.
    pub fn put_unread(&self, id: &EventId, row: &UnreadRow) -> Result<(), StoreError> {
        put(&self.unread, id.as_bytes(), row)
    }

    /// Every event that has no key yet.
    ///
    /// # Errors
    /// When the store fails.
    pub fn unread(&self) -> Result<Vec<(OwnedEventId, UnreadRow)>, StoreError> {
        let mut rows = Vec::new();
        for found in &self.unread {
            let (key, value) = found?;
            let id = OwnedEventId::try_from(String::from_utf8_lossy(&key).as_ref());
            rows.extend(id.ok().zip(Some(decode(&self.unread, &value)?)));
        }
        Ok(rows)
    }

    /// Forgets an event that was read after all, or never will be.
    ///
    /// # Errors
    /// When the store fails.
    pub fn forget_unread(&self, id: &EventId) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        batch.remove(id.as_bytes());
        apply(&self.unread, id.as_bytes(), batch)
    }

    /// Takes in what came for a device. Not on disk before the next flush.
    ///
    /// # Errors
    /// When the store fails.
    pub fn take_in_for_device(&self, row: &DeviceRow) -> Result<(), StoreError> {
        let _turn = self.inbox_turn.lock().unwrap_or_else(PoisonError::into_inner);
        let last = self.devices.last()?.map_or(0, |(key, _)| number(&key));
        let mut batch = sled::Batch::default();
        batch.insert(&(last + 1).to_be_bytes(), encode(row));
        apply(&self.devices, b"new", batch)
    }

    /// The oldest piece that was not taken in, and its number.
    ///
    /// # Errors
    /// When the store fails.
    pub fn first_for_device(&self) -> Result<Option<(u64, DeviceRow)>, StoreError> {
        let Some((key, value)) = self.devices.first()? else { return Ok(None) };
        Ok(Some((number(&key), decode(&self.devices, &value)?)))
    }

    /// Forgets a piece that was taken in.
    ///
    /// # Errors
    /// When the store fails.
    pub fn device_done(&self, number: u64) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        batch.remove(&number.to_be_bytes());
        apply(&self.devices, b"done", batch)
    }
}

fn number(key: &sled::IVec) -> u64 {
    key.as_ref().try_into().map_or(0, u64::from_be_bytes)
}
