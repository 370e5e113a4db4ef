//! Commands in a room, and their answers.

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::import::Runner;
use crate::matrix::MatrixError;
use crate::portal::PortalError;
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
    /// The room.
    #[error(transparent)]
    Portal(#[from] PortalError),
    /// Our records.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// It was dealt with.
    Done,
    /// It is encrypted, and its key is not there, or its sender not believed.
    Unreadable,
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
    pub async fn hear(&self, event: &RawValue) -> Result<Hearing, BotError> {
        let Ok(mut heard) = serde_json::from_str::<Heard>(event.get()) else {
            return Ok(Hearing::Done);
        };
        if heard.event_type == "m.room.encrypted" && !self.is_ours(&heard) {
            match self.runner.portals().overhear(&heard.room_id, event).await? {
                Some((event_type, content)) => {
                    heard.event_type = event_type;
                    heard.content = serde_json::from_str(content.get()).unwrap_or_default();
                }
                None => return Ok(Hearing::Unreadable),
            }
        }
        self.obey(&heard).await.map(|()| Hearing::Done)
    }

    /// Tells a room that somebody's message could not be read, and what they can do.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub async fn regret(&self, event: &RawValue) -> Result<(), BotError> {
        match serde_json::from_str::<Heard>(event.get()) {
            Ok(heard) => {
                let text = self.wording.text("bot-unreadable", &[]);
                self.answer(&heard, "regret", &text).await
            }
            Err(_) => Ok(()),
        }
    }

    fn is_ours(&self, heard: &Heard) -> bool {
        self.runner.portals().namer().is_ours(&heard.sender)
    }

    async fn obey(&self, heard: &Heard) -> Result<(), BotError> {
        let body = heard.content.get("body").and_then(Value::as_str).unwrap_or_default();
        let is_text = heard.content.get("msgtype").and_then(Value::as_str) == Some("m.text");
        if heard.event_type != "m.room.message" || !is_text || self.is_ours(heard) {
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
        self.answer(heard, "answer", &answer).await
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

    async fn answer(&self, heard: &Heard, kind: &str, text: &str) -> Result<(), BotError> {
        let content = json!({
            "msgtype": "m.notice",
            "body": text,
            "m.mentions": {},
            "m.relates_to": { "m.in_reply_to": { "event_id": heard.event_id } },
        });
        let content = to_raw_value(&content)
            .map_err(|error| MatrixError::Request { reason: error.to_string() })?;
        let txn_id = format!("{kind}-{}", heard.event_id);
        let portals = self.runner.portals();
        let bot = portals.bot();
        match portals.say(&heard.room_id, bot.user_id(), (&content, None), &txn_id).await {
            // Not in that room any more, or never: there is nobody to answer.
            Ok(_) | Err(PortalError::Matrix(MatrixError::Refused { .. })) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
