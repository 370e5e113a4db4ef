//! Makes our accounts exist: registered, named, with a device, and in the room.

use ruma::{OwnedDeviceId, RoomId, UserId};

use super::error::PortalError;
use super::room::Portals;
use crate::matrix::{Actor, Intent};
use crate::store::GhostRecord;

/// Every account of ours has this one device. It is asserted on each send, and holds the account's
/// keys in encrypted rooms.
const DEVICE: &str = "PASSERELLE";

impl Portals {
    /// Acts as one of our accounts.
    pub fn intent(&self, user: &UserId) -> Intent {
        let device_id = Some(OwnedDeviceId::from(DEVICE));
        Intent::new(self.homeserver().clone(), Actor { user_id: user.to_owned(), device_id })
    }

    /// Makes an account exist, with its name and device. Quick when it does already.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn ensure_account(&self, user: &UserId, name: &str) -> Result<Intent, PortalError> {
        let intent = self.intent(user);
        let known = self.store().ghost(user)?;
        if known.as_ref().is_some_and(|record| record.display_name == name) {
            return Ok(intent);
        }
        if known.is_none() {
            intent.register().await?;
            intent.create_device("passerelle").await?;
        }
        intent.set_display_name(name).await?;
        let keys = known.map(|record| record.keys).unwrap_or_default();
        self.store().put_ghost(&GhostRecord {
            user_id: user.to_owned(),
            device_id: OwnedDeviceId::from(DEVICE),
            display_name: name.to_owned(),
            keys,
        })?;
        Ok(intent)
    }

    /// Makes the bot exist.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn ensure_bot(&self) -> Result<Intent, PortalError> {
        self.ensure_account(&self.settings().bot, &self.settings().bot_name).await
    }

    /// Makes an account of ours exist and brings it into a room.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn admit(
        &self,
        room: &RoomId,
        user: &UserId,
        name: &str,
    ) -> Result<Intent, PortalError> {
        let ghost = self.ensure_account(user, name).await?;
        self.bot().invite(room, user).await?;
        ghost.join(room).await?;
        Ok(ghost)
    }
}
