//! The throw-away room, and how it is left: nothing that can be removed stays.

use std::time::Duration;

use http::Method;
use ruma::{EventId, OwnedEventId, OwnedRoomId, RoomId};
use serde_json::{Value, json};

use super::devices::{self, Cast};
use super::means::Means;
use super::witness::Witness;
use crate::matrix::{
    Actor, Homeserver, Intent, MatrixError, Outgoing, Question, RoomKind, RoomRules, RoomWish,
};
use crate::model::time::UnixMillis;

/// Cleaning up waits out rate limits, but not for ever.
const CLEANING_LIMIT: Duration = Duration::from_mins(1);
/// No homeserver takes longer from a room's first event to its power levels.
const CREATION: Duration = Duration::from_secs(5);
/// Names the throw-away room in its own state.
const PORTAL: &str = "doctor";

/// Who acts where.
pub(super) struct Stage<'a> {
    pub(super) homeserver: &'a Homeserver,
    pub(super) cast: Cast,
    pub(super) room: OwnedRoomId,
    /// Makes transaction ids of this run its own.
    pub(super) nonce: &'a str,
    pub(super) words: &'a str,
}

impl Stage<'_> {
    pub(super) fn bot(&self) -> Intent {
        Intent::new(self.homeserver.clone(), self.cast.bot.clone())
    }

    pub(super) fn ghost(&self) -> Intent {
        Intent::new(self.homeserver.clone(), self.cast.ghost.clone())
    }

    pub(super) fn txn_id(&self, name: &str) -> String {
        format!("doctor-{}-{name}", self.nonce)
    }

    /// An event as the homeserver tells it to somebody of the cast.
    pub(super) async fn read(&self, reader: &Actor, event: &EventId) -> Result<Value, MatrixError> {
        let path =
            ["_matrix", "client", "v3", "rooms", self.room.as_str(), "event", event.as_str()];
        let question = Question {
            name: "GET event",
            method: Method::GET,
            path: &path,
            query: &[],
            body: None,
        };
        Ok(Box::pin(self.homeserver.ask(Some(reader), question)).await?.body)
    }

    /// Says the room's words as somebody, under a transaction id of this name.
    pub(super) async fn say(
        &self,
        speaker: &Intent,
        name: &str,
        at: Option<UnixMillis>,
    ) -> Result<OwnedEventId, MatrixError> {
        let content = json!({ "msgtype": "m.notice", "body": self.words, "m.mentions": {} });
        let content = serde_json::value::to_raw_value(&content)
            .map_err(|error| MatrixError::Request { reason: error.to_string() })?;
        let txn_id = self.txn_id(name);
        let event =
            Outgoing { event_type: "m.room.message", content: &content, txn_id: &txn_id, at };
        // Boxed: every check that speaks would hold this large future in its own.
        Box::pin(speaker.send(&self.room, event)).await
    }
}

/// The room an import would ask for.
pub(super) fn wish(means: &Means<'_>, rules: RoomRules) -> RoomWish {
    let rooms = &means.config.rooms;
    RoomWish {
        name: means.words.room.clone(),
        kind: RoomKind::PrivateUnencrypted,
        rules,
        version: rooms.version.clone(),
        federate: rooms.federate,
        portal: PORTAL.to_owned(),
        creator: means.bot(),
        admins: Vec::new(),
    }
}

/// Leaves and forgets every throw-away room, that of a run that was killed too, and removes the
/// devices. `rooms` are those this run knows of. Returns what could not be removed.
pub(super) async fn clear(
    homeserver: &Homeserver,
    cast: &Cast,
    rooms: Vec<OwnedRoomId>,
    witness: Option<&Witness>,
) -> Vec<String> {
    match tokio::time::timeout(CLEANING_LIMIT, clear_all(homeserver, cast, rooms, witness)).await {
        Ok(left) => left,
        Err(_) => vec!["a throw-away room or device: the homeserver did not answer in time".into()],
    }
}

async fn clear_all(
    homeserver: &Homeserver,
    cast: &Cast,
    rooms: Vec<OwnedRoomId>,
    witness: Option<&Witness>,
) -> Vec<String> {
    let mut left = Vec::new();
    let bare = |actor: &Actor| Actor { user_id: actor.user_id.clone(), device_id: None };
    let (bot, ghost) = (bare(&cast.bot), bare(&cast.ghost));
    // The ghost is in throw-away rooms only.
    let known = Intent::new(homeserver.clone(), ghost.clone()).joined_rooms().await;
    let mut rooms = rooms;
    rooms.extend(known.unwrap_or_default());
    rooms.sort_unstable();
    rooms.dedup();
    for room in rooms {
        if let Some(witness) = witness {
            let _ = depart(&witness.homeserver, None, &room).await;
        }
        // The bot last: who leaves a room of others without an owner changes it.
        let _ = depart(homeserver, Some(&ghost), &room).await;
        if let Err(error) = depart(homeserver, Some(&bot), &room).await {
            left.push(format!("the room {room}: {error}"));
        }
    }
    if let Err(error) = devices::remove(homeserver, cast).await {
        left.push(format!("the devices of {} and {}: {error}", bot.user_id, ghost.user_id));
    }
    left
}

/// Rooms that a refused creation left behind: Synapse refuses a wrong power-level event only after
/// it has made the room and brought its creator in. `before` are the rooms the bot was in. A room
/// that the daemon is making at this moment has its power levels by the time it is looked at.
pub(super) async fn half_made(bot: &Intent, before: &[OwnedRoomId]) -> Vec<OwnedRoomId> {
    let mut found = bot.joined_rooms().await.unwrap_or_default();
    found.retain(|room| !before.contains(room));
    if !found.is_empty() {
        tokio::time::sleep(CREATION).await;
    }
    let mut half = Vec::new();
    for room in found {
        if let Ok(None) = bot.state(&room, "m.room.power_levels", "").await {
            half.push(room);
        }
    }
    half
}

async fn depart(
    homeserver: &Homeserver,
    actor: Option<&Actor>,
    room: &RoomId,
) -> Result<(), MatrixError> {
    for (name, word) in [("POST leave", "leave"), ("POST forget", "forget")] {
        let path = ["_matrix", "client", "v3", "rooms", room.as_str(), word];
        let question = || Question {
            name,
            method: Method::POST,
            path: &path,
            query: &[],
            body: Some(Value::Object(serde_json::Map::new())),
        };
        loop {
            match homeserver.ask(actor, question()).await {
                Err(MatrixError::RateLimited { retry_after, .. }) => {
                    let pause = retry_after.unwrap_or(Duration::from_secs(1));
                    tokio::time::sleep(pause).await;
                }
                Err(error) => return Err(error),
                Ok(_) => break,
            }
        }
    }
    Ok(())
}
