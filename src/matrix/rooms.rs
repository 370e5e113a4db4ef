//! What a new room looks like: Tchap's rules, or a plain private room.

use std::str::FromStr;

use ruma::api::client::room::create_room::v3::{Request, RoomPreset};
use ruma::serde::Raw;
use ruma::{OwnedUserId, RoomVersionId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::access_rules::{ACCESS_RULES_EVENT, Flavour};
use super::error::MatrixError;

/// The state event by which we find our rooms again; its content names the portal.
pub const PORTAL_EVENT: &str = "fr.passerelle.portal";

/// The kinds of rooms an import may fill: private ones. Forums and direct rooms are not among
/// them, see [`RoomKindError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum RoomKind {
    /// « Salon privé sécurisé »: encrypted, closed to externals.
    PrivateEncrypted,
    /// Encrypted, open to externals.
    PrivateEncryptedExternals,
    /// « Salon privé »: not encrypted, closed to externals.
    PrivateUnencrypted,
    /// Not encrypted, open to externals.
    PrivateUnencryptedExternals,
}

/// Why something is no kind of room that an import may fill.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RoomKindError {
    /// Forgets after 90 days (tchap.md §B.6), and is open to everybody.
    #[error(
        "a forum cannot be filled: everybody can read it, and Tchap removes what is older than 90 days from it; choose one of {}",
        RoomKind::words()
    )]
    Forum,
    /// Holds two people, has no name, and hides who speaks (tchap.md §B.3).
    #[error(
        "a direct conversation cannot be filled: it holds two people and no ghosts, has no name, and hides the bracket that tells a ghost from a colleague; choose one of {}",
        RoomKind::words()
    )]
    Direct,
    /// No word of ours.
    #[error("`{word}` is no kind of room, choose one of {}", RoomKind::words())]
    Unknown {
        /// What was written.
        word: String,
    },
}

impl RoomKind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::PrivateEncrypted,
        Self::PrivateEncryptedExternals,
        Self::PrivateUnencrypted,
        Self::PrivateUnencryptedExternals,
    ];

    /// Its word in a plan.
    pub fn word(self) -> &'static str {
        match self {
            Self::PrivateEncrypted => "private_encrypted",
            Self::PrivateEncryptedExternals => "private_encrypted_externals",
            Self::PrivateUnencrypted => "private_unencrypted",
            Self::PrivateUnencryptedExternals => "private_unencrypted_externals",
        }
    }

    /// Whether its messages are encrypted from end to end.
    pub fn is_encrypted(self) -> bool {
        match self {
            Self::PrivateEncrypted | Self::PrivateEncryptedExternals => true,
            Self::PrivateUnencrypted | Self::PrivateUnencryptedExternals => false,
        }
    }

    /// Whether people on the servers of externals may be in it.
    pub fn is_open_to_externals(self) -> bool {
        match self {
            Self::PrivateEncryptedExternals | Self::PrivateUnencryptedExternals => true,
            Self::PrivateEncrypted | Self::PrivateUnencrypted => false,
        }
    }

    /// Its rule in [`ACCESS_RULES_EVENT`].
    pub fn access_rule(self) -> &'static str {
        if self.is_open_to_externals() { "unrestricted" } else { "restricted" }
    }

    fn words() -> String {
        Self::ALL.map(Self::word).join(", ")
    }
}

impl From<RoomKind> for &'static str {
    fn from(kind: RoomKind) -> Self {
        kind.word()
    }
}

impl TryFrom<String> for RoomKind {
    type Error = RoomKindError;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        word.parse()
    }
}

impl FromStr for RoomKind {
    type Err = RoomKindError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        if let Some(kind) = Self::ALL.into_iter().find(|kind| kind.word() == word) {
            return Ok(kind);
        }
        Err(match word {
            "forum" | "public" => RoomKindError::Forum,
            "direct" | "dm" => RoomKindError::Direct,
            other => RoomKindError::Unknown { word: other.to_owned() },
        })
    }
}

/// Whose house rules a new room follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoomRules {
    /// Tchap's, as this flavour of its module wants them.
    Tchap(Flavour),
    /// A plain private room of any Matrix server.
    Plain,
}

/// A room to be made.
#[derive(Clone, Debug)]
pub struct RoomWish {
    /// Its name.
    pub name: String,
    /// What kind.
    pub kind: RoomKind,
    /// Whose house rules.
    pub rules: RoomRules,
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

    /// Tchap's module fills in what is not said, and refuses anything weaker than its own, so it
    /// is told the owners only (tchap.md §B.4). Where no module acts, the same levels are asked
    /// for by name: Synapse's own let every member of a private room invite.
    fn power_levels(&self) -> Value {
        let owners = self.admins.iter().chain([&self.creator]);
        let users: Map<String, Value> = owners.map(|user| (user.to_string(), json!(100))).collect();
        match self.rules {
            RoomRules::Tchap(Flavour::V1 | Flavour::V2) => json!({ "users": users }),
            RoomRules::Tchap(Flavour::Absent) | RoomRules::Plain => {
                json!({ "users": users, "state_default": 100, "invite": 50 })
            }
        }
    }

    fn initial_state(&self) -> Vec<Value> {
        let state = |kind: &str, content: Value| json!({ "type": kind, "state_key": "", "content": content });
        let mut events = vec![
            // Explicit, because Tchap's default for private rooms is `invited`, which hides
            // history from everybody who comes later.
            state("m.room.history_visibility", json!({ "history_visibility": "shared" })),
            // Also where members of a space may come in later: nobody does while it fills.
            state("m.room.join_rules", json!({ "join_rule": "invite" })),
            state("m.room.guest_access", json!({ "guest_access": "forbidden" })),
            state(PORTAL_EVENT, json!({ "portal": self.portal })),
        ];
        if self.kind.is_encrypted() {
            let algorithm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
            events.push(state("m.room.encryption", algorithm));
        }
        match self.rules {
            RoomRules::Tchap(_) => events.push(state(ACCESS_RULES_EVENT, self.access_rules())),
            RoomRules::Plain => {}
        }
        events
    }

    /// Without the second and third key clients show an unencrypted room as a forum. The older
    /// module keeps them as they are, the newer one wants them.
    fn access_rules(&self) -> Value {
        let rule = self.kind.access_rule();
        if self.kind.is_encrypted() {
            return json!({ "rule": rule });
        }
        json!({
            "rule": rule,
            "visibility": "private",
            "force_unencrypted_at_creation": true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(kind: RoomKind, rules: RoomRules) -> Value {
        let wish = RoomWish {
            name: "Cabinet".to_owned(),
            kind,
            rules,
            version: RoomVersionId::V11,
            federate: true,
            portal: "import-1".to_owned(),
            creator: ruma::owned_user_id!("@_passerelle_bot:tchap.test"),
            admins: vec![ruma::owned_user_id!("@a:tchap.test")],
        };
        let mut events = wish.initial_state();
        let levels = wish.power_levels();
        events.sort_by_key(|event| event["type"].to_string());
        let of = |kind: &str| {
            events.iter().find(|event| event["type"] == kind).map(|event| event["content"].clone())
        };
        json!({
            "rules": of(ACCESS_RULES_EVENT),
            "encryption": of("m.room.encryption"),
            "levels": levels,
        })
    }

    #[test]
    fn each_kind_is_asked_for_as_tchaps_own_client_does() {
        let users = json!({ "@_passerelle_bot:tchap.test": 100, "@a:tchap.test": 100 });
        let megolm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
        for kind in RoomKind::ALL {
            for flavour in [Flavour::V1, Flavour::V2, Flavour::Absent] {
                let mut rules = json!({ "rule": "restricted" });
                if kind.is_open_to_externals() {
                    rules["rule"] = json!("unrestricted");
                }
                if !kind.is_encrypted() {
                    rules["visibility"] = json!("private");
                    rules["force_unencrypted_at_creation"] = json!(true);
                }
                let mut levels = json!({ "users": users });
                if flavour == Flavour::Absent {
                    levels["state_default"] = json!(100);
                    levels["invite"] = json!(50);
                }
                let encryption = if kind.is_encrypted() { megolm.clone() } else { Value::Null };
                let expected =
                    json!({ "rules": rules, "encryption": encryption, "levels": levels });
                assert_eq!(sent(kind, RoomRules::Tchap(flavour)), expected, "{kind:?} {flavour:?}");
            }
            assert_eq!(sent(kind, RoomRules::Plain)["rules"], Value::Null);
        }
    }

    #[test]
    fn forums_and_direct_rooms_are_refused_with_the_reason() {
        for kind in RoomKind::ALL {
            assert_eq!(kind.word().parse(), Ok(kind));
            let written = serde_json::to_value(kind).unwrap();
            assert_eq!(serde_json::from_value::<RoomKind>(written).unwrap(), kind);
        }
        let refused = |word: &str| word.parse::<RoomKind>().unwrap_err().to_string();
        assert!(refused("forum").contains("90 days"));
        assert!(refused("direct").contains("two people"));
        assert!(refused("privé").contains("private_encrypted, private_encrypted_externals"));
    }
}
