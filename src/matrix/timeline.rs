//! Room events as the homeserver tells them, reduced to what we compare.

use ruma::{OwnedEventId, OwnedUserId};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// One event of a room.
#[derive(Clone, Debug, Deserialize)]
pub struct RoomEvent {
    /// Its id.
    pub event_id: OwnedEventId,
    /// Who sent it.
    pub sender: OwnedUserId,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Milliseconds since 1970.
    pub origin_server_ts: i64,
    /// Its content.
    #[serde(default)]
    pub content: Map<String, Value>,
    /// Set on state events.
    pub state_key: Option<String>,
}

/// A stretch of a room's timeline.
#[derive(Clone, Debug)]
pub struct Page {
    /// The events in the direction that was asked for.
    pub events: Vec<RoomEvent>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}

/// A stretch of a room's timeline, untouched.
#[derive(Clone, Debug)]
pub struct RawPage {
    /// The events with their ids, in the direction that was asked for.
    pub events: Vec<(OwnedEventId, Box<RawValue>)>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}
