//! Keys for those who come later: each device of ours sends its own sessions, from their first
//! message on.
//!
//! Only the session's owner may do that: a key that somebody else passes on reads, but its
//! sender counts as unproven.

use std::collections::BTreeMap;

use matrix_sdk_crypto::types::requests::ToDeviceRequest;
use matrix_sdk_crypto::{CollectStrategy, OlmError};
use ruma::api::client::keys::get_keys;
use ruma::api::client::to_device::send_event_to_device;
use ruma::events::ToDeviceEventType;
use ruma::to_device::DeviceIdOrAllDevices;
use ruma::{OwnedDeviceId, OwnedUserId, RoomId, TransactionId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::machine::{Machine, failed};
use crate::config::Devices;
use crate::matrix::error::MatrixError;

/// Devices served with one request: a key is about two kilobytes.
const DEVICES_AT_ONCE: usize = 100;

/// A session from its first message on.
#[derive(Clone, Serialize, Deserialize)]
pub struct SessionKey {
    /// The session's id.
    pub id: String,
    /// Its key at index 0, in base64.
    pub key: String,
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What a device is to be given.
#[derive(Clone, Debug)]
pub struct HandOver {
    /// Whose device.
    pub user: OwnedUserId,
    /// Which.
    pub device: OwnedDeviceId,
    /// Ids of the sessions it lacks.
    pub sessions: Vec<String>,
}

/// What a device was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// Whose device.
    pub user: OwnedUserId,
    /// Which.
    pub device: OwnedDeviceId,
    /// The session; `None` when the device cannot be reached, having no keys left to write to it.
    pub session: Option<String>,
}

/// The devices of people that may be given keys, as the homeserver tells them.
#[derive(Debug)]
pub struct DeviceKeys {
    pub(super) answer: get_keys::v3::Response,
    /// Each person's devices.
    pub devices: BTreeMap<OwnedUserId, Vec<OwnedDeviceId>>,
}

impl Machine {
    /// Which devices of these people may be given keys under `policy`, looked up now.
    ///
    /// # Errors
    /// When the homeserver cannot be reached, or the store fails.
    pub async fn devices_of(
        &self,
        people: &[OwnedUserId],
        policy: Devices,
    ) -> Result<DeviceKeys, MatrixError> {
        let _turn = self.turn.lock().await;
        let answer = self.look_up(people.iter().cloned()).await?;
        let people: Vec<&UserId> = people.iter().map(AsRef::as_ref).collect();
        self.learn(&answer, &people).await?;
        let mut devices = BTreeMap::new();
        for user in people {
            let known = self
                .olm
                .get_user_devices(user, None)
                .await
                .map_err(|error| failed("read devices", &error))?;
            let due = known.devices().filter(|device| {
                !device.is_deleted()
                    && !device.is_dehydrated()
                    && (policy == Devices::All || device.is_cross_signed_by_owner())
            });
            devices.insert(user.to_owned(), due.map(|d| d.device_id().to_owned()).collect());
        }
        Ok(DeviceKeys { answer, devices })
    }

    /// Sends sessions of this device to devices of people. Says of each what it was given.
    ///
    /// # Errors
    /// When the homeserver cannot be reached, or the store fails. Repeating it sends keys twice,
    /// which is harmless.
    pub async fn hand_over(
        &self,
        room: &RoomId,
        due: &[HandOver],
        sessions: &[SessionKey],
        known: &DeviceKeys,
    ) -> Result<Vec<Given>, MatrixError> {
        let _turn = self.turn.lock().await;
        let mut people: Vec<&UserId> = due.iter().map(|one| one.user.as_ref()).collect();
        people.dedup();
        self.learn(&known.answer, &people).await?;
        self.claim(&people).await?;
        let mut given = Vec::new();
        // A request holds one message a device, so there is one round for each session.
        for session in sessions {
            let due: Vec<&HandOver> =
                due.iter().filter(|one| one.sessions.contains(&session.id)).collect();
            for devices in due.chunks(DEVICES_AT_ONCE) {
                given.extend(self.hand_over_session(room, devices, session).await?);
            }
        }
        Ok(given)
    }

    async fn hand_over_session(
        &self,
        room: &RoomId,
        due: &[&HandOver],
        session: &SessionKey,
    ) -> Result<Vec<Given>, MatrixError> {
        let content = json!({
            "algorithm": "m.megolm.v1.aes-sha2",
            "room_id": room,
            "session_id": session.id,
            "session_key": session.key,
            // One spelling only: with both, the library refuses the key.
            "m.shared_history": true,
        });
        let mut messages = send_event_to_device::v3::Messages::new();
        let mut given = Vec::new();
        for HandOver { user, device, .. } in due {
            let found = self
                .olm
                .get_device(user, device, None)
                .await
                .map_err(|error| failed("read a device", &error))?;
            let Some(found) = found else { continue };
            let reached =
                found.encrypt_event_raw("m.room_key", &content, CollectStrategy::AllDevices).await;
            let mut one = Given { user: user.clone(), device: device.clone(), session: None };
            match reached {
                Ok(sealed) => {
                    one.session = Some(session.id.clone());
                    messages.entry(user.clone()).or_default().insert(
                        DeviceIdOrAllDevices::DeviceId(device.clone()),
                        sealed.cast_unchecked(),
                    );
                }
                Err(OlmError::MissingSession) => {}
                Err(error) => return Err(failed("encrypt a key", &error)),
            }
            given.push(one);
        }
        if !messages.is_empty() {
            let request = ToDeviceRequest {
                event_type: ToDeviceEventType::RoomEncrypted,
                txn_id: TransactionId::new(),
                messages,
            };
            self.send_to_devices(&request).await?;
        }
        Ok(given)
    }
}
