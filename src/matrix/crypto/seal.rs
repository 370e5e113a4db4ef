//! Events into a room, and out of it.

use std::collections::BTreeSet;
use std::time::Duration;

use matrix_sdk_crypto::{
    CollectStrategy, DecryptionSettings, EncryptionSettings, MegolmError, TrustRequirement,
};
use ruma::events::room::history_visibility::HistoryVisibility;
use ruma::serde::Raw;
use ruma::{OwnedUserId, RoomId, UserId};
use serde_json::value::RawValue;

use super::hand_over::SessionKey;
use super::machine::{Machine, Turn, failed};
use crate::config::Devices;
use crate::matrix::error::MatrixError;

/// The library allows no more messages a session.
const SESSION_MESSAGES: u64 = 10_000;
/// An import may take days, and each session costs every reader a message from every ghost.
const SESSION_AGE: Duration = Duration::from_hours(24 * 30);
/// Where a machine remembers in which run of the daemon it last encrypted for a room.
const RUN_KEY: &str = "passerelle.run.";

/// An event that is ready for an encrypted room.
#[derive(Debug)]
pub struct Sealed {
    /// The content of the `m.room.encrypted` event.
    pub content: Box<RawValue>,
    /// The session's key from its first message on, where this is the first message: to be kept
    /// for those who come later, before the event is sent.
    pub fresh: Option<SessionKey>,
}

impl Machine {
    /// Encrypts an event for a room. The device's key goes to `readers` first, in the room or
    /// not, as far as `policy` allows; they must never become fewer while the same words are
    /// wanted by all, since that begins a new session.
    ///
    /// A session of an earlier run of the daemon is not used again, because the store may have
    /// been restored from a backup, and with it a session that has gone on since. Nor is one
    /// whose first key `is_kept` does not know.
    ///
    /// # Errors
    /// When the homeserver cannot be reached, or a store fails.
    pub async fn seal(
        &self,
        room: &RoomId,
        (event_type, content): (&str, &RawValue),
        readers: &BTreeSet<OwnedUserId>,
        (policy, run): (Devices, &str),
        is_kept: impl Fn(&str) -> bool,
    ) -> Result<Sealed, MatrixError> {
        let mut turn = self.turn.lock().await;
        self.rotate_after_restart(&mut turn, room, run).await?;
        self.reach(&mut turn, room, readers).await?;
        let mut session = self.share(room, readers, policy).await?;
        if session.message_index().await > 0 && !is_kept(session.session_id()) {
            self.forget_session(room).await?;
            session = self.share(room, readers, policy).await?;
        }
        let fresh = match session.message_index().await {
            0 => Some(SessionKey {
                id: session.session_id().to_owned(),
                key: session.session_key().await.to_base64(),
            }),
            _ => None,
        };
        let raw = Raw::from_json(content.to_owned());
        let sealed = self
            .olm
            .encrypt_room_event_raw(room, event_type, &raw)
            .await
            .map_err(|error| failed("encrypt an event", &error))?;
        Ok(Sealed { content: sealed.content.into_json(), fresh })
    }

    async fn rotate_after_restart(
        &self,
        turn: &mut Turn,
        room: &RoomId,
        run: &str,
    ) -> Result<(), MatrixError> {
        if turn.rotated.contains(room) {
            return Ok(());
        }
        let store = self.olm.store();
        let key = format!("{RUN_KEY}{room}");
        let last: Option<String> =
            store.get_value(&key).await.map_err(|error| failed("read a store", &error))?;
        if last.as_deref() != Some(run) {
            self.forget_session(room).await?;
            store
                .set_value(&key, &run)
                .await
                .map_err(|error| failed("write to a store", &error))?;
        }
        turn.rotated.insert(room.to_owned());
        Ok(())
    }

    async fn forget_session(&self, room: &RoomId) -> Result<(), MatrixError> {
        let forgotten = self.olm.discard_room_key(room).await;
        forgotten.map(|_| ()).map_err(|error| failed("give up a session", &error))
    }

    /// Looks up the readers' devices and opens a channel to each, once while the machine is open.
    async fn reach(
        &self,
        turn: &mut Turn,
        room: &RoomId,
        readers: &BTreeSet<OwnedUserId>,
    ) -> Result<(), MatrixError> {
        if turn.reached.get(room).is_some_and(|reached| reached.is_superset(readers)) {
            return Ok(());
        }
        self.track(readers).await?;
        let people: Vec<&UserId> = readers.iter().map(AsRef::as_ref).collect();
        self.claim(&people).await?;
        turn.reached.insert(room.to_owned(), readers.clone());
        Ok(())
    }

    /// Shares the room's session with whoever does not have it, and returns it.
    async fn share(
        &self,
        room: &RoomId,
        readers: &BTreeSet<OwnedUserId>,
        policy: Devices,
    ) -> Result<matrix_sdk_crypto::olm::OutboundGroupSession, MatrixError> {
        let settings = EncryptionSettings {
            rotation_period: SESSION_AGE,
            rotation_period_msgs: SESSION_MESSAGES,
            history_visibility: HistoryVisibility::Shared,
            sharing_strategy: match policy {
                Devices::All => CollectStrategy::AllDevices,
                Devices::Signed => CollectStrategy::IdentityBasedStrategy,
            },
            ..EncryptionSettings::default()
        };
        let requests = self
            .olm
            .share_room_key(room, readers.iter().map(AsRef::as_ref), settings)
            .await
            .map_err(|error| failed("share a session", &error))?;
        for request in requests {
            self.send_to_devices(&request).await?;
        }
        let session = self
            .olm
            .store()
            .get_outbound_group_session(room)
            .await
            .map_err(|error| failed("read a session", &error))?;
        session.ok_or_else(|| MatrixError::Crypto {
            doing: "share a session",
            reason: "there is none afterwards".to_owned(),
        })
    }

    /// Decrypts an event of a room, sent by one of the devices that are believed: its type and
    /// content. `None` when there is no key for it.
    ///
    /// # Errors
    /// When the event is damaged, or its sender is not believed; the text says which.
    pub async fn unseal(
        &self,
        room: &RoomId,
        event: &RawValue,
        believe: Devices,
    ) -> Result<Option<(String, Box<RawValue>)>, MatrixError> {
        #[derive(serde::Deserialize)]
        struct Clear {
            #[serde(rename = "type")]
            event_type: String,
            content: Box<RawValue>,
        }
        let settings = DecryptionSettings {
            sender_device_trust_requirement: match believe {
                Devices::Signed => TrustRequirement::CrossSigned,
                Devices::All => TrustRequirement::Untrusted,
            },
        };
        let raw = Raw::from_json(event.to_owned());
        match self.olm.decrypt_room_event(&raw, room, &settings).await {
            Ok(decrypted) => serde_json::from_str::<Clear>(decrypted.event.json().get())
                .map(|Clear { event_type, content }| Some((event_type, content)))
                .map_err(|error| failed("read a decrypted event", &error)),
            Err(MegolmError::MissingRoomKey(_)) => Ok(None),
            Err(error) => Err(failed("decrypt an event", &error)),
        }
    }

    /// Shows the machine an answer about devices that was fetched for several.
    pub(super) async fn learn(
        &self,
        answer: &ruma::api::client::keys::get_keys::v3::Response,
        people: &[&UserId],
    ) -> Result<(), MatrixError> {
        let (id, _) = self.olm.query_keys_for_users(people.iter().copied());
        self.olm
            .mark_request_as_sent(&id, answer)
            .await
            .map_err(|error| failed("take in devices", &error))
    }

    /// Follows the devices of these people, so that what they send can be judged.
    ///
    /// # Errors
    /// When the homeserver cannot be reached, or the store fails.
    pub async fn follow(&self, people: &BTreeSet<OwnedUserId>) -> Result<(), MatrixError> {
        let _turn = self.turn.lock().await;
        self.track(people).await
    }

    /// Looks the devices of these people up now, and from now on whenever they change.
    async fn track(&self, people: &BTreeSet<OwnedUserId>) -> Result<(), MatrixError> {
        let noting = "note whose devices matter";
        let noted = self.olm.update_tracked_users(people.iter().map(AsRef::as_ref)).await;
        noted.map_err(|error| failed(noting, &error))?;
        // Somebody who had no device when they were looked up first would stay so for ever.
        let dirty = self.olm.mark_all_tracked_users_as_dirty().await;
        dirty.map_err(|error| failed(noting, &error))?;
        self.pump().await
    }
}
