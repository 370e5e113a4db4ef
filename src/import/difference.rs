//! How a room can differ from its archive.

use ruma::OwnedUserId;
use serde::{Deserialize, Serialize};

use crate::model::finding::Place;
use crate::model::ids::MessageId;

/// One way in which the room is not what the archive says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The message.
    pub message: MessageId,
    /// Which of its events.
    pub part: u16,
    /// Where in the archive it stands.
    pub place: Place,
    /// What differs.
    #[serde(flatten)]
    pub what: What,
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// A member does not see it.
    Missing,
    /// It stands there more than once.
    Doubled {
        /// How often.
        times: u32,
    },
    /// It stands before something that was said earlier.
    OutOfOrder,
    /// Somebody else sent it.
    Sender {
        /// Who.
        found: OwnedUserId,
    },
    /// It carries another time.
    Time {
        /// Which, in milliseconds since 1970.
        found_ms: i64,
        /// Which it should carry.
        expected_ms: i64,
    },
    /// It is of another type.
    Type {
        /// Which.
        found: String,
    },
    /// Its content is not what the archive says.
    Content,
    /// The file behind it is not the archive's.
    File {
        /// What a download gave: its digest, or why there was none.
        found: String,
    },
    /// It carries our mark and the archive knows nothing of it.
    Unexpected,
}
