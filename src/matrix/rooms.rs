//! What a new room looks like: Tchap's rules, or a plain private room.

use ruma::api::client::room::create_room::v3::{Request, RoomPreset};
use ruma::serde::Raw;
use ruma::{OwnedUserId, RoomVersionId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::MatrixError;
use crate::config::RoomProfile;

/// The state event by which we find our rooms again; its content names the portal.
pub const PORTAL_EVENT: &str = "fr.passerelle.portal";

/// The kinds of rooms an import may fill. Forums and direct rooms are not among them: a forum
/// forgets after 90 days, a direct room hides who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomKind {
    /// « Salon privé »: private, not encrypted.
    PrivateUnencrypted,
}

/// A room to be made.
#[derive(Clone, Debug)]
pub struct RoomWish {
    /// Its name.
    pub name: String,
    /// What kind.
    pub kind: RoomKind,
    /// Whose house rules.
    pub profile: RoomProfile,
    /// Its version.
    pub version: RoomVersionId,
    /// Whether other servers may join.
    pub federate: bool,
    /// The portal it belongs to; written into the room so that a lost answer can be settled.
    pub portal: String,
    /// Who makes it.
    pub creator: OwnedUserId,
    /// The people who own it from the first moment, at power level 100.
    pub admins: Vec<OwnedUserId>,
}

impl RoomWish {
    pub(super) fn to_request(&self) -> Result<Request, MatrixError> {
        let raw = |error: serde_json::Error| MatrixError::Request { reason: error.to_string() };
        let mut request = Request::new();
        request.name = Some(self.name.clone());
        request.preset = Some(RoomPreset::PrivateChat);
        request.room_version = Some(self.version.clone());
        request.creation_content =
            Some(Raw::new(&json!({ "m.federate": self.federate })).map_err(raw)?.cast_unchecked());
        request.power_level_content_override =
            Some(Raw::new(&self.power_levels()).map_err(raw)?.cast_unchecked());
        request.initial_state = self
            .initial_state()
            .iter()
            .map(|event| Raw::new(event).map(Raw::cast_unchecked))
            .collect::<Result<_, _>>()
            .map_err(raw)?;
        Ok(request)
    }

    /// Only `users` is overridden: the access-rules module fills in the rest and refuses
    /// anything weaker than its own (tchap.md §B.4).
    fn power_levels(&self) -> Value {
        let owners = self.admins.iter().chain([&self.creator]);
        let users: serde_json::Map<String, Value> =
            owners.map(|user| (user.to_string(), json!(100))).collect();
        json!({ "users": users })
    }

    fn initial_state(&self) -> Vec<Value> {
        let state = |kind: &str, content: Value| json!({ "type": kind, "state_key": "", "content": content });
        let mut events = vec![
            // Explicit, because Tchap's default for private rooms is `invited`, which hides
            // history from everybody who comes later.
            state("m.room.history_visibility", json!({ "history_visibility": "shared" })),
            state("m.room.join_rules", json!({ "join_rule": "invite" })),
            state("m.room.guest_access", json!({ "guest_access": "forbidden" })),
            state(PORTAL_EVENT, json!({ "portal": self.portal })),
        ];
        match (self.profile, self.kind) {
            (RoomProfile::Tchap, RoomKind::PrivateUnencrypted) => events.push(state(
                "im.vector.room.access_rules",
                json!({
                    "rule": "restricted",
                    // Without these two keys clients show the room as a forum.
                    "visibility": "private",
                    "force_unencrypted_at_creation": true,
                }),
            )),
            (RoomProfile::Generic, RoomKind::PrivateUnencrypted) => {}
        }
        events
    }
}
