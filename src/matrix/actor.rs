//! Whom a request is made for.

use ruma::{OwnedDeviceId, OwnedUserId};

/// An account of ours and, once it has one, its device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The account.
    pub user_id: OwnedUserId,
    /// Its device. Asserted on every send, because only then does the homeserver keep our
    /// transaction ids across its own restarts.
    pub device_id: Option<OwnedDeviceId>,
}
