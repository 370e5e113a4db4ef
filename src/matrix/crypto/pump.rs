//! Carries a machine's requests to the homeserver, and the answers back.

use std::collections::BTreeMap;

use matrix_sdk_crypto::types::requests::{AnyOutgoingRequest, KeysQueryRequest, ToDeviceRequest};
use ruma::api::client::keys::get_keys;
use ruma::api::client::to_device::send_event_to_device;
use ruma::{OwnedUserId, TransactionId, UserId};

use super::machine::{Machine, failed};
use crate::matrix::error::MatrixError;

/// An answered request may lead to another; a machine that never comes to rest is at fault.
const ROUNDS: usize = 8;

impl Machine {
    /// Sends whatever the machine wants sent.
    pub(super) async fn pump(&self) -> Result<(), MatrixError> {
        for _ in 0..ROUNDS {
            let requests = self
                .olm
                .outgoing_requests()
                .await
                .map_err(|error| failed("read what a device wants sent", &error))?;
            let mut sent = false;
            for request in &requests {
                sent |= self.carry(request.request_id(), request.request()).await?;
            }
            if !sent {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Sends one request. `false` when it is of a kind we never ask for.
    pub(super) async fn carry(
        &self,
        id: &TransactionId,
        request: &AnyOutgoingRequest,
    ) -> Result<bool, MatrixError> {
        let actor = self.actor.as_ref();
        let marked = match request {
            AnyOutgoingRequest::KeysUpload(request) => {
                let answer = self.homeserver.call(actor, request.clone()).await?;
                self.olm.mark_request_as_sent(id, &answer).await
            }
            AnyOutgoingRequest::KeysQuery(request) => {
                let answer = self.query(request.clone()).await?;
                self.olm.mark_request_as_sent(id, &answer).await
            }
            AnyOutgoingRequest::KeysClaim(request) => {
                let answer = self.homeserver.call(actor, request.clone()).await?;
                self.olm.mark_request_as_sent(id, &answer).await
            }
            AnyOutgoingRequest::ToDeviceRequest(request) => {
                return self.send_to_devices(request).await.map(|()| true);
            }
            AnyOutgoingRequest::SignatureUpload(request) => {
                let answer = self.homeserver.call(actor, request.clone()).await?;
                self.olm.mark_request_as_sent(id, &answer).await
            }
            // Somebody tries to verify a ghost by exchanging emoji. There is nobody to look.
            AnyOutgoingRequest::RoomMessage(_) => return Ok(false),
        };
        marked.map_err(|error| failed("take in the homeserver's answer", &error))?;
        Ok(true)
    }

    pub(super) async fn send_to_devices(
        &self,
        request: &ToDeviceRequest,
    ) -> Result<(), MatrixError> {
        let ToDeviceRequest { event_type, txn_id, messages } = request.clone();
        let id = txn_id.clone();
        let request = send_event_to_device::v3::Request::new_raw(event_type, txn_id, messages);
        let answer = self.homeserver.call(self.actor.as_ref(), request).await?;
        self.olm
            .mark_request_as_sent(&id, &answer)
            .await
            .map_err(|error| failed("take in the homeserver's answer", &error))
    }

    /// Asks the homeserver which devices people have. The answer may be shown to any number of
    /// machines.
    pub(super) async fn query(
        &self,
        request: KeysQueryRequest,
    ) -> Result<get_keys::v3::Response, MatrixError> {
        let KeysQueryRequest { timeout, device_keys } = request;
        let mut asked = get_keys::v3::Request::new();
        asked.timeout = timeout;
        asked.device_keys = device_keys;
        self.homeserver.call(self.actor.as_ref(), asked).await
    }

    /// The devices these people have now.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn look_up(
        &self,
        people: impl IntoIterator<Item = OwnedUserId>,
    ) -> Result<get_keys::v3::Response, MatrixError> {
        let device_keys: BTreeMap<_, _> =
            people.into_iter().map(|user| (user, Vec::new())).collect();
        self.query(KeysQueryRequest { timeout: None, device_keys }).await
    }

    /// Makes sure that there is an Olm session with each device of these people that can be
    /// reached.
    pub(super) async fn claim(&self, people: &[&UserId]) -> Result<(), MatrixError> {
        let missing = self
            .olm
            .get_missing_sessions(people.iter().copied())
            .await
            .map_err(|error| failed("look for missing sessions", &error))?;
        let Some((id, request)) = missing else { return Ok(()) };
        let answer = self.homeserver.call(self.actor.as_ref(), request).await?;
        self.olm
            .mark_request_as_sent(&id, &answer)
            .await
            .map_err(|error| failed("take in claimed keys", &error))
    }
}
