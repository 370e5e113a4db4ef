//! What the homeserver says to us: transactions, pings, and questions about names.
//!
//! What a transaction holds for devices still has its unstable names (MSC2409, MSC3202) on every
//! homeserver we know. Where one does not send it, `/sync` of the device has it.
//!
//! The token is checked in constant time; a transaction is handed on and answered as soon as
//! the receiver says it is on disk. What it means is decided above.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONNECTION, HeaderValue};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post, put};
use ruma::{OneTimeKeyAlgorithm, OwnedDeviceId, OwnedEventId, OwnedUserId, UInt};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use subtle::ConstantTimeEq;
use tokio::sync::{mpsc, oneshot};

use super::crypto::ForDevice;
use super::overheard::Overheard;
use crate::config::Secret;

/// Synapse sends at most a hundred events of 64 KiB a transaction.
const LARGEST_TRANSACTION_BYTES: usize = 32 << 20;

/// A batch the homeserver pushed. Its transaction id is not kept: it may start over when the
/// homeserver restarts, so it identifies nothing.
#[derive(Debug)]
pub struct Transaction {
    /// Its events with their ids, in order. What has no event id was dropped with a log line.
    pub events: Vec<(OwnedEventId, Box<RawValue>)>,
    /// What it holds for devices, by account and device. Not all of them are ours: the
    /// homeserver lists cross-signing keys among them.
    pub for_devices: BTreeMap<(OwnedUserId, OwnedDeviceId), ForDevice>,
    /// People whose devices have changed.
    pub changed_people: Vec<OwnedUserId>,
}

/// A transaction, and the way to say that it is safely stored.
pub type Delivered = (Transaction, oneshot::Sender<()>);

/// What the routes need.
#[derive(Clone)]
pub struct Listener {
    /// The token the homeserver must show.
    pub hs_token: Secret,
    /// Where transactions go.
    pub transactions: mpsc::Sender<Delivered>,
    /// Notes what they carry for the doctor's account.
    pub overheard: Overheard,
}

#[derive(Deserialize)]
struct LegacyToken {
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct RawTransaction {
    #[serde(default)]
    events: Vec<Box<RawValue>>,
    #[serde(default, rename = "de.sorunome.msc2409.to_device")]
    to_device: Vec<Box<RawValue>>,
    #[serde(default, rename = "org.matrix.msc3202.device_lists")]
    device_lists: RawDeviceLists,
    #[serde(default, rename = "org.matrix.msc3202.device_one_time_keys_count")]
    one_time_keys: ByDevice<BTreeMap<OneTimeKeyAlgorithm, UInt>>,
    #[serde(default, rename = "org.matrix.msc3202.device_unused_fallback_key_types")]
    fallback_keys: ByDevice<Vec<OneTimeKeyAlgorithm>>,
}

type ByDevice<T> = BTreeMap<OwnedUserId, BTreeMap<OwnedDeviceId, T>>;

#[derive(Default, Deserialize)]
struct RawDeviceLists {
    #[serde(default)]
    changed: Vec<OwnedUserId>,
}

#[derive(Deserialize)]
struct MessageHead {
    to_user_id: OwnedUserId,
    to_device_id: OwnedDeviceId,
}

#[derive(Deserialize)]
struct EventHead {
    event_id: OwnedEventId,
}

/// The routes of the application-service API.
pub fn router(listener: Listener) -> Router {
    Router::new()
        .route("/_matrix/app/v1/transactions/{txn}", put(transaction))
        .route("/transactions/{txn}", put(transaction))
        .route("/_matrix/app/v1/ping", post(ping))
        .route("/_matrix/app/v1/users/{user}", get(unknown_name))
        .route("/_matrix/app/v1/rooms/{alias}", get(unknown_name))
        .layer(DefaultBodyLimit::max(LARGEST_TRANSACTION_BYTES))
        .layer(from_fn_with_state(listener.clone(), only_the_homeserver))
        .with_state(listener)
}

/// Whoever does not show the token is refused before anything else of the request is read, and
/// has to connect anew for another try.
async fn only_the_homeserver(
    State(listener): State<Listener>,
    request: Request,
    next: Next,
) -> Response {
    match refusal(&listener, &request) {
        None => next.run(request).await,
        Some(refusal) => refusal,
    }
}

async fn transaction(State(listener): State<Listener>, body: Bytes) -> Response {
    let Ok(raw) = serde_json::from_slice::<RawTransaction>(&body) else {
        return refuse(StatusCode::BAD_REQUEST, "M_NOT_JSON", "the transaction is not JSON");
    };
    let (stored, confirmation) = oneshot::channel();
    let transaction = sort(raw);
    listener.overheard.transaction(&body, &transaction.events);
    let delivered = (transaction, stored);
    if listener.transactions.send(delivered).await.is_err() || confirmation.await.is_err() {
        // Not stored: the homeserver keeps it and tries again.
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "M_UNKNOWN", "passerelle is stopping");
    }
    Json(json!({})).into_response()
}

fn sort(raw: RawTransaction) -> Transaction {
    let RawTransaction { events: raw, to_device, device_lists, one_time_keys, fallback_keys } = raw;
    let mut events = Vec::with_capacity(raw.len());
    for event in raw {
        match serde_json::from_str::<EventHead>(event.get()) {
            Ok(EventHead { event_id }) => events.push((event_id, event)),
            Err(_) => tracing::warn!("dropped an event without an id from a transaction"),
        }
    }
    let mut for_devices: BTreeMap<_, ForDevice> = BTreeMap::new();
    for message in to_device {
        match serde_json::from_str::<MessageHead>(message.get()) {
            Ok(MessageHead { to_user_id, to_device_id }) => {
                for_devices.entry((to_user_id, to_device_id)).or_default().messages.push(message);
            }
            Err(_) => tracing::warn!("dropped a message without a device from a transaction"),
        }
    }
    for (user, devices) in one_time_keys {
        for (device, counts) in devices {
            let known = for_devices.entry((user.clone(), device)).or_default();
            known.counts.get_or_insert_default().one_time = counts;
        }
    }
    for (user, devices) in fallback_keys {
        for (device, kinds) in devices {
            let known = for_devices.entry((user.clone(), device)).or_default();
            known.counts.get_or_insert_default().fallback = Some(kinds);
        }
    }
    Transaction { events, for_devices, changed_people: device_lists.changed }
}

async fn ping(State(listener): State<Listener>) -> Response {
    listener.overheard.ping();
    Json(json!({})).into_response()
}

/// Ghosts exist before anybody can ask for them, and we own no aliases.
async fn unknown_name() -> Response {
    refuse(StatusCode::NOT_FOUND, "M_NOT_FOUND", "no such name")
}

/// What whoever does not show the right token is told.
fn refusal(listener: &Listener, request: &Request) -> Option<Response> {
    let bearer = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let query = Query::<LegacyToken>::try_from_uri(request.uri());
    let legacy = query.as_ref().ok().and_then(|query| query.access_token.as_deref());
    let Some(shown) = bearer.or(legacy) else {
        return Some(turn_away(StatusCode::UNAUTHORIZED, "M_MISSING_TOKEN", "no token was shown"));
    };
    let expected = listener.hs_token.expose().as_bytes();
    if bool::from(shown.as_bytes().ct_eq(expected)) {
        return None;
    }
    Some(turn_away(StatusCode::FORBIDDEN, "M_FORBIDDEN", "the token is not the right one"))
}

fn turn_away(status: StatusCode, errcode: &str, error: &str) -> Response {
    let mut refusal = refuse(status, errcode, error);
    refusal.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    refusal
}

fn refuse(status: StatusCode, errcode: &str, error: &str) -> Response {
    (status, Json(json!({ "errcode": errcode, "error": error }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_devices_is_sorted_by_device() {
        let transaction = json!({
            "events": [{ "event_id": "$e", "type": "m.room.message" }],
            "de.sorunome.msc2409.to_device": [
                { "type": "m.dummy", "to_user_id": "@_p_a:a.test", "to_device_id": "D", "n": 1 },
                { "type": "m.dummy", "to_user_id": "@_p_a:a.test", "to_device_id": "D", "n": 2 },
                { "type": "m.dummy" },
            ],
            "org.matrix.msc3202.device_lists": { "changed": ["@ann:a.test"], "left": [] },
            "org.matrix.msc3202.device_one_time_keys_count": {
                "@_p_a:a.test": { "D": { "signed_curve25519": 49 } },
            },
            "org.matrix.msc3202.device_unused_fallback_key_types": {
                "@_p_b:a.test": { "D": ["signed_curve25519"] },
            },
        });
        let sorted = sort(serde_json::from_value(transaction).unwrap());
        assert_eq!(sorted.events.len(), 1);
        assert_eq!(sorted.changed_people, ["@ann:a.test"]);
        let of =
            |user: &str| &sorted.for_devices[&(OwnedUserId::try_from(user).unwrap(), "D".into())];
        let numbers: Vec<_> = of("@_p_a:a.test").messages.iter().map(|m| m.get().len()).collect();
        assert_eq!(numbers.len(), 2);
        let counts = of("@_p_a:a.test").counts.as_ref().unwrap();
        assert_eq!(counts.one_time[&OneTimeKeyAlgorithm::SignedCurve25519], UInt::from(49_u32));
        assert_eq!(counts.fallback, None);
        assert_eq!(of("@_p_b:a.test").counts.as_ref().unwrap().fallback.as_ref().unwrap().len(), 1);
        assert_eq!(of("@_p_b:a.test").messages.len(), 0);
    }
}
