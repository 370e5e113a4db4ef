//! The retention canary: is something this old visible to a member?
//!
//! A server with a retention policy accepts an old event, answers with an id, and then hides
//! the event from everybody. Only a member's own look tells.

use ruma::RoomId;
use serde_json::value::to_raw_value;

use crate::matrix::{Account, Intent, MatrixError, Outgoing};
use crate::model::time::UnixMillis;

/// Sends one notice dated `at` as `ghost`, and looks whether `witness`, who is in the room, can
/// read it with its date.
///
/// # Errors
/// When the homeserver refuses or cannot be reached.
pub async fn is_heard(
    room: &RoomId,
    ghost: &Intent,
    witness: &Account,
    text: &str,
    txn_id: &str,
    at: UnixMillis,
) -> Result<bool, MatrixError> {
    let content = to_raw_value(&serde_json::json!({
        "msgtype": "m.notice",
        "body": text,
        "m.mentions": {},
    }))
    .map_err(|error| MatrixError::Request { reason: error.to_string() })?;
    let event = Outgoing { event_type: "m.room.message", content: &content, txn_id, at: Some(at) };
    let event = ghost.send(room, event).await?;
    let seen = witness.event(room, &event).await?;
    Ok(seen.is_some_and(|seen| seen.origin_server_ts == at.0.max(0)))
}
