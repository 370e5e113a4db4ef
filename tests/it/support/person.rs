//! A person's client in an encrypted room: the strictest there is. What a device that its owner has
//! not signed has encrypted is not shown, and nothing is sent to such a device.
//!
//! It stands on matrix-sdk-crypto, as many clients do, and on nothing of passerelle's.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use matrix_sdk_crypto::types::requests::{
    AnyOutgoingRequest, KeysQueryRequest, OutgoingRequest as Wanted, ToDeviceRequest,
};
use matrix_sdk_crypto::{
    CollectStrategy, DecryptionSettings, EncryptionSettings, EncryptionSyncChanges, OlmMachine,
    TrustRequirement,
};
use reqwest::{Method, StatusCode};
use ruma::api::auth_scheme::{AuthScheme, SendAccessToken};
use ruma::api::client::filter::FilterDefinition;
use ruma::api::client::keys::{get_keys, upload_signing_keys};
use ruma::api::client::sync::sync_events;
use ruma::api::client::to_device::send_event_to_device;
use ruma::api::path_builder::PathBuilder;
use ruma::api::{IncomingResponse, MatrixVersion, OutgoingRequest, SupportedVersions};
use ruma::serde::Raw;
use ruma::{OwnedRoomId, OwnedUserId, UserId};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use super::member::Member;
use super::synapse::{Account, Synapse};

/// A debug build on a busy machine needs a while for everything.
const PATIENCE: Duration = Duration::from_mins(2);
const STRICT: DecryptionSettings =
    DecryptionSettings { sender_device_trust_requirement: TrustRequirement::CrossSigned };

/// One device of one person, signed by them.
pub struct Person {
    olm: OlmMachine,
    member: Member,
    base_url: String,
    token: String,
    since: Option<String>,
}

impl Person {
    /// Logs in as a new device of somebody who had none, and signs it.
    pub async fn log_in(synapse: &Synapse, account: &Account) -> Self {
        let login = json!({
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": account.user_id },
            "password": synapse.password(account),
        });
        let member = Member::new(synapse.base_url(), account);
        let (status, answer) = member.call(Method::POST, &["v3", "login"], &[], Some(login)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let token = answer["access_token"].as_str().unwrap().to_owned();
        let user = OwnedUserId::try_from(account.user_id.as_str()).unwrap();
        let device = answer["device_id"].as_str().unwrap();
        let olm = OlmMachine::new(&user, device.into()).await;
        let account = Account { user_id: account.user_id.clone(), token: token.clone() };
        let member = Member::new(synapse.base_url(), &account);
        let base_url = synapse.base_url().to_owned();
        let mut person = Self { olm, member, base_url, token, since: None };
        person.sign_itself().await;
        person.sync().await;
        person
    }

    async fn sign_itself(&self) {
        let requests = self.olm.bootstrap_cross_signing(false).await.unwrap();
        self.carry(requests.upload_keys_req.as_ref().unwrap()).await;
        let identity = requests.upload_signing_keys_req;
        let mut request = upload_signing_keys::v3::Request::new();
        request.master_key = identity.master_key.map(|key| key.to_raw());
        request.self_signing_key = identity.self_signing_key.map(|key| key.to_raw());
        request.user_signing_key = identity.user_signing_key.map(|key| key.to_raw());
        self.call(request).await;
        self.call(requests.upload_signatures_req).await;
    }

    pub fn user_id(&self) -> &str {
        self.member.user_id()
    }

    pub async fn join(&self, room: &str) {
        self.member.join(room).await;
    }

    /// Every message of a room as it is now, oldest first.
    pub async fn read(&mut self, room: &str) -> Vec<Value> {
        self.sync().await;
        self.track(room).await;
        let room_id = OwnedRoomId::try_from(room).unwrap();
        let mut shown = Vec::new();
        for event in self.member.messages(room, 200).await {
            let raw = Raw::from_json(to_raw_value(&event).unwrap());
            let read = match event["type"].as_str() {
                Some("m.room.encrypted") => self
                    .olm
                    .decrypt_room_event(&raw, &room_id, &STRICT)
                    .await
                    .map_err(|error| error.to_string()),
                _ => Err("never encrypted".to_owned()),
            };
            let mut one = json!({
                "event_id": event["event_id"],
                "sender": event["sender"],
                "ts": event["origin_server_ts"],
            });
            match read {
                Ok(decrypted) => {
                    let clear: Value = serde_json::from_str(decrypted.event.json().get()).unwrap();
                    one["decrypted"] = json!(true);
                    one["trust"] =
                        json!(format!("{:?}", decrypted.encryption_info.verification_state));
                    one["type"] = clear["type"].clone();
                    one["content"] = clear["content"].clone();
                }
                Err(why) => one["why"] = json!(why),
            }
            shown.push(one);
        }
        shown
    }

    /// The same once this many are there and all are readable, or as they are when patience ends.
    pub async fn read_all(&mut self, room: &str, count: usize) -> Vec<Value> {
        let all = |events: &[Value]| {
            events.len() >= count && events.iter().all(|event| event["decrypted"] == true)
        };
        self.read_until(room, all).await
    }

    pub async fn read_until(
        &mut self,
        room: &str,
        enough: impl Fn(&[Value]) -> bool,
    ) -> Vec<Value> {
        let until = Instant::now() + PATIENCE;
        loop {
            let events = self.read(room).await;
            if enough(&events) || Instant::now() > until {
                return events;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// Says something, to signed devices only; returns the event id.
    pub async fn send(&mut self, room: &str, body: &str) -> String {
        self.sync().await;
        let members = self.track(room).await;
        let people = || members.iter().map(AsRef::<UserId>::as_ref);
        if let Some((id, claim)) = self.olm.get_missing_sessions(people()).await.unwrap() {
            let answer = self.call(claim).await;
            self.olm.mark_request_as_sent(&id, &answer).await.unwrap();
        }
        let settings = EncryptionSettings {
            sharing_strategy: CollectStrategy::IdentityBasedStrategy,
            ..EncryptionSettings::default()
        };
        let room_id = OwnedRoomId::try_from(room).unwrap();
        for request in self.olm.share_room_key(&room_id, people(), settings).await.unwrap() {
            self.send_to_devices(&request).await;
        }
        let content = to_raw_value(&json!({ "msgtype": "m.text", "body": body })).unwrap();
        let raw = Raw::from_json(content);
        let sealed =
            self.olm.encrypt_room_event_raw(&room_id, "m.room.message", &raw).await.unwrap();
        let sealed: Value = serde_json::from_str(sealed.content.json().get()).unwrap();
        let transaction = format!("t{}", self.member.messages(room, 200).await.len());
        let path = ["v3", "rooms", room, "send", "m.room.encrypted", &transaction];
        let (status, answer) = self.member.call(Method::PUT, &path, &[], Some(sealed)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer["event_id"].as_str().unwrap().to_owned()
    }

    /// Looks up the devices of a room's members.
    async fn track(&self, room: &str) -> Vec<OwnedUserId> {
        let members: Vec<OwnedUserId> = self
            .member
            .joined_members(room)
            .await
            .into_keys()
            .map(|user| OwnedUserId::try_from(user).unwrap())
            .collect();
        self.olm.update_tracked_users(members.iter().map(AsRef::as_ref)).await.unwrap();
        self.pump().await;
        members
    }

    async fn sync(&mut self) {
        loop {
            let mut request = sync_events::v3::Request::new();
            request.filter = Some(FilterDefinition::ignore_all().into());
            request.since = self.since.take();
            let answer = self.call(request).await;
            let full = answer.to_device.events.len() >= 100;
            let changes = EncryptionSyncChanges {
                to_device_events: answer.to_device.events,
                changed_devices: &answer.device_lists,
                one_time_keys_counts: &answer.device_one_time_keys_count,
                unused_fallback_keys: answer.device_unused_fallback_key_types.as_deref(),
                next_batch_token: Some(answer.next_batch.clone()),
            };
            self.olm.receive_sync_changes(changes, &STRICT).await.unwrap();
            self.since = Some(answer.next_batch);
            self.pump().await;
            if !full {
                return;
            }
        }
    }

    async fn pump(&self) {
        for wanted in self.olm.outgoing_requests().await.unwrap() {
            self.carry(&wanted).await;
        }
    }

    async fn carry(&self, wanted: &Wanted) {
        let id = wanted.request_id();
        match wanted.request() {
            AnyOutgoingRequest::KeysUpload(request) => {
                let answer = self.call(request.clone()).await;
                self.olm.mark_request_as_sent(id, &answer).await.unwrap();
            }
            AnyOutgoingRequest::KeysQuery(KeysQueryRequest { device_keys, .. }) => {
                let mut request = get_keys::v3::Request::new();
                request.device_keys = device_keys.clone();
                let answer = self.call(request).await;
                self.olm.mark_request_as_sent(id, &answer).await.unwrap();
            }
            AnyOutgoingRequest::KeysClaim(request) => {
                let answer = self.call(request.clone()).await;
                self.olm.mark_request_as_sent(id, &answer).await.unwrap();
            }
            AnyOutgoingRequest::SignatureUpload(request) => {
                let answer = self.call(request.clone()).await;
                self.olm.mark_request_as_sent(id, &answer).await.unwrap();
            }
            AnyOutgoingRequest::ToDeviceRequest(request) => self.send_to_devices(request).await,
            AnyOutgoingRequest::RoomMessage(_) => {}
        }
    }

    async fn send_to_devices(&self, request: &ToDeviceRequest) {
        let ToDeviceRequest { event_type, txn_id, messages } = request.clone();
        let id = txn_id.clone();
        let answer = self
            .call(send_event_to_device::v3::Request::new_raw(event_type, txn_id, messages))
            .await;
        self.olm.mark_request_as_sent(&id, &answer).await.unwrap();
    }

    async fn call<R>(&self, request: R) -> R::IncomingResponse
    where
        R: OutgoingRequest,
        for<'a> R::Authentication: AuthScheme<Input<'a> = SendAccessToken<'a>>,
        for<'a> R::PathBuilder: PathBuilder<Input<'a> = Cow<'a, SupportedVersions>>,
    {
        let versions = SupportedVersions {
            versions: [MatrixVersion::V1_1, MatrixVersion::V1_11].into(),
            features: std::collections::BTreeSet::default(),
        };
        let token = SendAccessToken::IfRequired(&self.token);
        let request = request
            .try_into_http_request::<Vec<u8>>(&self.base_url, token, Cow::Owned(versions))
            .unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.execute(request.try_into().unwrap()).await.unwrap();
        let mut whole = http::Response::builder().status(answer.status());
        let headers: BTreeMap<_, _> = answer
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.clone()))
            .collect();
        for (name, value) in headers {
            whole = whole.header(name, value);
        }
        let whole = whole.body(answer.bytes().await.unwrap()).unwrap();
        R::IncomingResponse::try_from_http_response(whole).unwrap()
    }
}
