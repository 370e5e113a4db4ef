//! The machine of one device, over its own store.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use matrix_sdk_crypto::OlmMachine;
use matrix_sdk_sqlite::{SqliteCryptoStore, SqliteStoreConfig};
use ruma::{DeviceId, OwnedRoomId, OwnedUserId, UserId};
use tokio::sync::Mutex;

use super::vault::Vault;
use crate::matrix::actor::Actor;
use crate::matrix::error::MatrixError;
use crate::matrix::homeserver::Homeserver;

/// Connections a store may open: one that writes, one that reads. With the library's default a
/// machine would hold 17 files open, with two it is 5.
const CONNECTIONS: usize = 2;
/// Page cache and journal bounds of one store, in bytes.
const CACHE_BYTES: u32 = 500_000;
const JOURNAL_BYTES: u32 = 1_000_000;

/// One device of ours: its keys, its sessions, and the way to the homeserver.
pub struct Machine {
    pub(super) olm: OlmMachine,
    pub(super) homeserver: Homeserver,
    /// Whom requests are made for; `None` where the token itself says so.
    pub(super) actor: Option<Actor>,
    /// One task at a time talks to the machine: its claims must not overtake each other.
    pub(super) turn: Mutex<Turn>,
}

/// What a machine remembers while it is open.
#[derive(Default)]
pub(super) struct Turn {
    /// Rooms whose session of an earlier run of the daemon was given up.
    pub(super) rotated: BTreeSet<OwnedRoomId>,
    /// Rooms with the people whose devices were looked up and reached.
    pub(super) reached: BTreeMap<OwnedRoomId, BTreeSet<OwnedUserId>>,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").finish_non_exhaustive()
    }
}

impl Machine {
    /// Opens or makes the store in `folder` for a device. `actor` is `None` for an account whose
    /// own token `homeserver` carries.
    ///
    /// # Errors
    /// When the store cannot be opened, or belongs to another device.
    pub async fn open(
        folder: &Path,
        vault: &Vault,
        homeserver: Homeserver,
        (user, device): (&UserId, &DeviceId),
        actor: Option<Actor>,
    ) -> Result<Self, MatrixError> {
        let config = SqliteStoreConfig::new(folder)
            .key(Some(vault.key()))
            .pool_max_size(CONNECTIONS)
            .cache_size(CACHE_BYTES)
            .journal_size_limit(JOURNAL_BYTES);
        let store = SqliteCryptoStore::open_with_config(&config)
            .await
            .map_err(|error| failed("open a crypto store", &error))?;
        let olm = OlmMachine::with_store(user, device, store, None)
            .await
            .map_err(|error| failed("open a device", &error))?;
        Ok(Self { olm, homeserver, actor, turn: Mutex::default() })
    }

    /// The account.
    pub fn user_id(&self) -> &UserId {
        self.olm.user_id()
    }

    /// The device.
    pub fn device_id(&self) -> &DeviceId {
        self.olm.device_id()
    }
}

/// The library's texts may name people and devices, so what is kept is their kind.
pub(super) fn failed(doing: &'static str, error: &dyn std::error::Error) -> MatrixError {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    MatrixError::Crypto { doing, reason: deepest.to_string() }
}
