//! Which flavour of Tchap's access-rules module a homeserver runs, found out by its deeds.
//!
//! The module has no version that a client could ask for. What it writes into a room that says
//! nothing of access rules tells: the published module adds the rule alone, the newer one also
//! `visibility`, and where no module acts for us nothing is added (tchap.md §F). A room that names
//! `visibility` itself would tell nothing, since the published module keeps what it is given.

use ruma::RoomVersionId;
use ruma::api::client::room::create_room::v3::{Request, RoomPreset};
use serde_json::{Map, Value};

use super::error::MatrixError;
use super::intent::Intent;

/// The state event that holds a Tchap room's access rules.
pub const ACCESS_RULES_EVENT: &str = "im.vector.room.access_rules";

/// A flavour of Tchap's access-rules module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// `synapse-room-access-rules` 1.0.0, as published.
    V1,
    /// The newer one: `visibility`, encryption forced, history `invited` by default.
    V2,
    /// No module acts: there is none, or it lets our bot pass (`bypass_for_users`). The room
    /// must then bring everything itself.
    Absent,
}

impl Flavour {
    /// The flavour that left these access rules in a room which asked for none.
    pub fn of(access_rules: Option<&Map<String, Value>>) -> Self {
        match access_rules {
            None => Self::Absent,
            Some(rules) if rules.contains_key("visibility") => Self::V2,
            Some(_) => Self::V1,
        }
    }

    /// Its word in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::Absent => "none",
        }
    }
}

impl Intent {
    /// Makes a room that says nothing of access rules, reads what became of it, and leaves it.
    /// Nobody else is ever in that room.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn detect_flavour(&self, version: &RoomVersionId) -> Result<Flavour, MatrixError> {
        let mut request = Request::new();
        request.preset = Some(RoomPreset::PrivateChat);
        request.room_version = Some(version.clone());
        let room = self.make_room(request).await?;
        let rules = self.state(&room, ACCESS_RULES_EVENT, "").await?;
        self.leave(&room).await?;
        Ok(Flavour::of(rules.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_added_tells_the_flavour() {
        let of = |rules: Value| Flavour::of(rules.as_object());
        assert_eq!(of(Value::Null), Flavour::Absent);
        assert_eq!(of(json!({ "rule": "restricted" })), Flavour::V1);
        assert_eq!(of(json!({ "rule": "restricted", "visibility": "private" })), Flavour::V2);
    }
}
