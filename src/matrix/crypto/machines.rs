//! The machines of all our accounts: opened when needed, a bounded number at once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ruma::{DeviceId, OwnedDeviceId, OwnedUserId, UserId};
use tokio::sync::Mutex;

use super::machine::Machine;
use super::vault::Vault;
use crate::config::{Devices, EncryptionSection};
use crate::matrix::actor::Actor;
use crate::matrix::error::MatrixError;
use crate::matrix::homeserver::Homeserver;

/// Whether a device's keys are on the homeserver, as far as our records know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// They are, so they must be on our disk, too.
    Published,
    /// They may not be.
    Unpublished,
}

/// Opens machines, and closes those that were not used for the longest time. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Machines {
    inner: Arc<Inner>,
}

struct Inner {
    folder: PathBuf,
    vault: Vault,
    homeserver: Homeserver,
    policy: Devices,
    believe: Devices,
    /// Of this run of the daemon: sessions of earlier runs are not used again.
    run: String,
    most_open: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    /// With the tick of their last use.
    machines: HashMap<(OwnedUserId, OwnedDeviceId), (Arc<Machine>, u64)>,
    tick: u64,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machines").field("most_open", &self.most_open).finish_non_exhaustive()
    }
}

impl Machines {
    /// Machines whose stores lie in `folder`, a bounded number of them open unless more are in use
    /// at once. `run` names this run of the daemon.
    pub fn new(
        folder: &Path,
        vault: Vault,
        homeserver: Homeserver,
        section: &EncryptionSection,
        run: String,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                folder: folder.to_owned(),
                vault,
                homeserver,
                policy: section.share_with,
                believe: section.believe,
                run,
                most_open: section.open_devices.max(1),
                open: Mutex::default(),
            }),
        }
    }

    /// Where the stores lie.
    pub(super) fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// Where secrets of our records are kept.
    pub fn vault(&self) -> &Vault {
        &self.inner.vault
    }

    /// To which devices keys are given.
    pub fn policy(&self) -> Devices {
        self.inner.policy
    }

    /// Which devices of people the bot listens to.
    pub fn believe(&self) -> Devices {
        self.inner.believe
    }

    /// The name of this run of the daemon.
    pub fn run(&self) -> &str {
        &self.inner.run
    }

    /// The machine of one of our devices, opened if it is not.
    ///
    /// # Errors
    /// When its store cannot be opened, or is gone although its keys are published.
    pub async fn of(
        &self,
        user: &UserId,
        device: &DeviceId,
        keys: Keys,
    ) -> Result<Arc<Machine>, MatrixError> {
        let actor = Actor { user_id: user.to_owned(), device_id: Some(device.to_owned()) };
        self.open(&self.inner.homeserver, (user, device), Some(actor), keys).await
    }

    pub(super) async fn open(
        &self,
        homeserver: &Homeserver,
        (user, device): (&UserId, &DeviceId),
        actor: Option<Actor>,
        keys: Keys,
    ) -> Result<Arc<Machine>, MatrixError> {
        // Held while a store is opened: two machines over one store would contradict each other.
        let mut open = self.inner.open.lock().await;
        open.tick += 1;
        let (tick, name) = (open.tick, (user.to_owned(), device.to_owned()));
        if let Some((machine, used)) = open.machines.get_mut(&name) {
            *used = tick;
            return Ok(Arc::clone(machine));
        }
        // Localparts and device ids may hold what a path must not.
        let folder = format!("{}-{device}", user.localpart()).replace(['/', '.'], "_");
        let folder = self.inner.folder.join(folder);
        if keys == Keys::Published && !tokio::fs::try_exists(&folder).await.unwrap_or(false) {
            return Err(MatrixError::KeysGone);
        }
        close_unused(&mut open, self.inner.most_open - 1);
        let (homeserver, vault) = (homeserver.clone(), &self.inner.vault);
        let machine = Machine::open(&folder, vault, homeserver, (user, device), actor).await?;
        let machine = Arc::new(machine);
        open.machines.insert(name, (Arc::clone(&machine), tick));
        Ok(machine)
    }

    /// How many machines are open.
    pub async fn open_count(&self) -> usize {
        self.inner.open.lock().await.machines.len()
    }
}

/// Closes the machines that nobody holds, the longest unused first, until `keep` are open.
fn close_unused(open: &mut Open, keep: usize) {
    while open.machines.len() > keep {
        let idle = open.machines.iter().filter(|(_, (machine, _))| Arc::strong_count(machine) == 1);
        let Some(oldest) = idle.min_by_key(|(_, (_, used))| *used).map(|(user, _)| user.clone())
        else {
            return;
        };
        open.machines.remove(&oldest);
    }
}
