//! What the homeserver has for a device: messages, changed devices, how many keys are left.

use std::collections::BTreeMap;

use matrix_sdk_crypto::{DecryptionSettings, EncryptionSyncChanges, TrustRequirement};
use ruma::api::client::filter::FilterDefinition;
use ruma::api::client::sync::sync_events::{self, DeviceLists};
use ruma::events::AnyToDeviceEvent;
use ruma::presence::PresenceState;
use ruma::serde::Raw;
use ruma::{OneTimeKeyAlgorithm, OwnedUserId, UInt};
use serde::{Deserialize, Serialize};

use super::machine::{Machine, failed};
use crate::matrix::error::MatrixError;

/// The homeserver hands out at most this many messages in one answer.
const FULL_ANSWER: usize = 100;

/// What a transaction holds for one device of ours.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ForDevice {
    /// Messages, as they came.
    pub messages: Vec<Box<serde_json::value::RawValue>>,
    /// People whose devices have changed.
    pub changed: Vec<OwnedUserId>,
    /// How many keys of the device are left, where the homeserver says so.
    pub counts: Option<KeyCounts>,
}

/// How many keys of a device are left.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct KeyCounts {
    /// One-time keys.
    pub one_time: BTreeMap<OneTimeKeyAlgorithm, UInt>,
    /// Fallback keys that were not used; `None` where the homeserver does not say.
    pub fallback: Option<Vec<OneTimeKeyAlgorithm>>,
}

impl Machine {
    /// Takes in what a transaction brought, and sends what follows from it.
    ///
    /// # Errors
    /// When the store fails, or the homeserver cannot be reached. It can be repeated: messages
    /// that were taken in are known.
    pub async fn receive(&self, what: &ForDevice) -> Result<(), MatrixError> {
        let _turn = self.turn.lock().await;
        let mut lists = DeviceLists::new();
        lists.changed.clone_from(&what.changed);
        let messages = what.messages.iter().map(|raw| Raw::from_json(raw.clone())).collect();
        self.take_in(messages, &lists, what.counts.as_ref(), None).await?;
        self.pump().await
    }

    /// Fetches everything that waits for the device: what a transaction lost while we were down
    /// is still there, and homeservers that put nothing for devices into transactions have it
    /// here only. Returns the people whose devices have changed since the last time.
    ///
    /// # Errors
    /// When the homeserver cannot be reached, or the store fails.
    pub async fn drain(&self) -> Result<Vec<OwnedUserId>, MatrixError> {
        let _turn = self.turn.lock().await;
        let mut changed = Vec::new();
        loop {
            let mut request = sync_events::v3::Request::new();
            request.filter = Some(FilterDefinition::ignore_all().into());
            request.set_presence = PresenceState::Offline;
            request.since = self
                .olm
                .store()
                .next_batch_token()
                .await
                .map_err(|error| failed("read where a device's messages begin", &error))?;
            let answer = self.homeserver.call(self.actor.as_ref(), request).await?;
            let messages = answer.to_device.events;
            let full = messages.len() >= FULL_ANSWER;
            let counts = KeyCounts {
                one_time: answer.device_one_time_keys_count,
                fallback: answer.device_unused_fallback_key_types,
            };
            self.take_in(messages, &answer.device_lists, Some(&counts), Some(answer.next_batch))
                .await?;
            changed.extend(answer.device_lists.changed);
            if !full {
                break;
            }
        }
        self.pump().await?;
        Ok(changed)
    }

    async fn take_in(
        &self,
        to_device_events: Vec<Raw<AnyToDeviceEvent>>,
        changed_devices: &DeviceLists,
        counts: Option<&KeyCounts>,
        next_batch_token: Option<String>,
    ) -> Result<(), MatrixError> {
        let none = KeyCounts::default();
        let KeyCounts { one_time, fallback } = counts.unwrap_or(&none);
        let changes = EncryptionSyncChanges {
            to_device_events,
            changed_devices,
            one_time_keys_counts: one_time,
            unused_fallback_keys: fallback.as_deref(),
            next_batch_token,
        };
        // Room keys are taken from everybody; whom to believe is asked when they are used.
        let settings =
            DecryptionSettings { sender_device_trust_requirement: TrustRequirement::Untrusted };
        self.olm
            .receive_sync_changes(changes, &settings)
            .await
            .map(|_| ())
            .map_err(|error| failed("take in a device's messages", &error))
    }
}
