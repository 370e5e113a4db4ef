//! Commands in a room, and their answers.

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::import::Runner;
use crate::matrix::{MatrixError, Outgoing};
use crate::store::{PortalState, StoreError};
use crate::wording::Wording;

const PREFIX: &str = "!passerelle";

/// Answers commands.
#[derive(Clone, Debug)]
pub struct Bot {
    runner: Runner,
    wording: Wording,
}

/// Why a command could not be answered.
#[derive(Debug, Error)]
pub enum BotError {
    /// The homeserver.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
    /// Our records.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Deserialize)]
struct Heard {
    event_id: OwnedEventId,
    room_id: OwnedRoomId,
    sender: OwnedUserId,
    #[serde(rename = "type")]
    event_type: String,
    #[serde(default)]
    content: Map<String, Value>,
}

impl Bot {
    /// A bot that knows the jobs of `runner`.
    pub fn new(runner: Runner, wording: Wording) -> Self {
        Self { runner, wording }
    }

    /// Handles one event of a transaction. What is no command is none of its business.
    ///
    /// # Errors
    /// When the answer cannot be sent; the event should then be handled again.
    pub async fn hear(&self, event: &RawValue) -> Result<(), BotError> {
        let Ok(heard) = serde_json::from_str::<Heard>(event.get()) else { return Ok(()) };
        let body = heard.content.get("body").and_then(Value::as_str).unwrap_or_default();
        let is_text = heard.content.get("msgtype").and_then(Value::as_str) == Some("m.text");
        let ours = self.runner.portals().namer().is_ours(&heard.sender);
        if heard.event_type != "m.room.message" || !is_text || ours {
            return Ok(());
        }
        let Some(rest) = body.strip_prefix(PREFIX) else { return Ok(()) };
        let answer = match rest.trim() {
            "" | "aide" | "help" => self.wording.text("bot-help", &[]),
            "etat" | "état" | "state" => match self.state_of(&heard.room_id)? {
                Some(state) => state,
                None => return Ok(()),
            },
            other => self.wording.text("bot-unknown", &[("command", other.into())]),
        };
        self.answer(&heard, &answer).await
    }

    fn state_of(&self, room: &OwnedRoomId) -> Result<Option<String>, BotError> {
        let store = self.runner.portals().store();
        let portals = store.portals()?;
        let portal = portals.into_iter().find(|portal| {
            portal.state == PortalState::Ready && portal.room_id.as_ref() == Some(room)
        });
        let Some(portal) = portal else { return Ok(None) };
        let job = store.jobs()?.into_iter().find(|job| job.portal == portal.id);
        let Some(job) = job.and_then(|job| self.runner.job(&job.id).ok()) else { return Ok(None) };
        let facts = &job.plan().archive;
        Ok(Some(self.wording.text(
            "bot-state",
            &[
                ("network", facts.network.title().into()),
                ("title", facts.title.as_str().into()),
                ("messages", facts.messages.into()),
                ("first", facts.first.as_str().into()),
                ("last", facts.last.as_str().into()),
                ("job", job.id().into()),
            ],
        )))
    }

    async fn answer(&self, heard: &Heard, text: &str) -> Result<(), BotError> {
        let content = json!({
            "msgtype": "m.notice",
            "body": text,
            "m.mentions": {},
            "m.relates_to": { "m.in_reply_to": { "event_id": heard.event_id } },
        });
        let content = to_raw_value(&content)
            .map_err(|error| MatrixError::Request { reason: error.to_string() })?;
        let txn_id = format!("answer-{}", heard.event_id);
        let outgoing =
            Outgoing { event_type: "m.room.message", content: &content, txn_id: &txn_id, at: None };
        match self.runner.portals().bot().send(&heard.room_id, outgoing).await {
            // Not in that room any more, or never: there is nobody to answer.
            Ok(_) | Err(MatrixError::Refused { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
