//! What the homeserver says to us: transactions, pings, and questions about names.
//!
//! The token is checked in constant time; a transaction is handed on and answered as soon as
//! the receiver says it is on disk. What it means is decided above.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post, put};
use ruma::OwnedEventId;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use subtle::ConstantTimeEq;
use tokio::sync::{mpsc, oneshot};

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
        .with_state(listener)
}

async fn transaction(
    State(listener): State<Listener>,
    Query(query): Query<LegacyToken>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(refusal) = check_token(&listener, &headers, &query) {
        return *refusal;
    }
    let Ok(RawTransaction { events: raw }) = serde_json::from_slice(&body) else {
        return refuse(StatusCode::BAD_REQUEST, "M_NOT_JSON", "the transaction is not JSON");
    };
    let mut events = Vec::with_capacity(raw.len());
    for event in raw {
        match serde_json::from_str::<EventHead>(event.get()) {
            Ok(EventHead { event_id }) => events.push((event_id, event)),
            Err(_) => tracing::warn!("dropped an event without an id from a transaction"),
        }
    }
    listener.overheard.transaction(&body, &events);
    let (stored, confirmation) = oneshot::channel();
    let delivered = (Transaction { events }, stored);
    if listener.transactions.send(delivered).await.is_err() || confirmation.await.is_err() {
        // Not stored: the homeserver keeps it and tries again.
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "M_UNKNOWN", "passerelle is stopping");
    }
    Json(json!({})).into_response()
}

async fn ping(
    State(listener): State<Listener>,
    Query(query): Query<LegacyToken>,
    headers: HeaderMap,
) -> Response {
    match check_token(&listener, &headers, &query) {
        Ok(()) => {
            listener.overheard.ping();
            Json(json!({})).into_response()
        }
        Err(refusal) => *refusal,
    }
}

/// Ghosts exist before anybody can ask for them, and we own no aliases.
async fn unknown_name(
    State(listener): State<Listener>,
    Query(query): Query<LegacyToken>,
    headers: HeaderMap,
) -> Response {
    match check_token(&listener, &headers, &query) {
        Ok(()) => refuse(StatusCode::NOT_FOUND, "M_NOT_FOUND", "no such name"),
        Err(refusal) => *refusal,
    }
}

fn check_token(
    listener: &Listener,
    headers: &HeaderMap,
    query: &LegacyToken,
) -> Result<(), Box<Response>> {
    let bearer = headers
        .get(http::header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let Some(shown) = bearer.or(query.access_token.as_deref()) else {
        let refusal = refuse(StatusCode::UNAUTHORIZED, "M_MISSING_TOKEN", "no token was shown");
        return Err(Box::new(refusal));
    };
    let expected = listener.hs_token.expose().as_bytes();
    if bool::from(shown.as_bytes().ct_eq(expected)) {
        return Ok(());
    }
    Err(Box::new(refuse(StatusCode::FORBIDDEN, "M_FORBIDDEN", "the token is not the right one")))
}

fn refuse(status: StatusCode, errcode: &str, error: &str) -> Response {
    (status, Json(json!({ "errcode": errcode, "error": error }))).into_response()
}
