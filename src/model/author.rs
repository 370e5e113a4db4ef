//! Who said something, as the foreign side names them.

use serde::{Deserialize, Serialize};

use super::ids::ParticipantId;

/// A person as named beside a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Author {
    /// The person's id; what the roster is keyed by.
    pub id: ParticipantId,
    /// The name the export shows, which may be a number; empty when it shows none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}
