//! What comes out of the conversion: events that are ready but for their mark and their room.

use serde_json::{Map, Value};

use crate::model::finding::Finding;
use crate::model::ids::ParticipantId;
use crate::model::time::UnixMillis;

/// Who says a part in the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The ghost that stands for this person.
    Ghost(ParticipantId),
    /// The program's own bot.
    Bot,
}

/// One event to send.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Its place among the parts of its message, from 0; follow-ups count on from there.
    /// The same message always yields the same indexes, so ids can be derived from them.
    pub index: u16,
    /// Who says it.
    pub speaker: Speaker,
    /// When it was said: the `origin_server_ts` to ask for.
    pub at: UnixMillis,
    /// The event's type, such as `m.room.message`.
    pub event_type: String,
    /// The event's content. Keys are in ascending order at every level, numbers are integers,
    /// and there is no mark of provenance yet: `portal` adds it.
    pub content: Map<String, Value>,
}

/// The events of one message, and what they could not carry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Converted {
    /// In the order in which they are to be sent.
    pub parts: Vec<Part>,
    /// What Matrix, or the plan, leaves behind. Never empty when `parts` is empty.
    pub losses: Vec<Finding>,
}
