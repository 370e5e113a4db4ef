//! Is the room that was made the room that was asked for? Modules of the homeserver change what
//! they are asked, so what counts is the state read back.

use serde_json::Value;
use thiserror::Error;

use crate::matrix::{ACCESS_RULES_EVENT, RoomRules, RoomState, RoomWish};

/// How a room differs from what was asked.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RoomDifference {
    /// It is encrypted and should not be.
    #[error("the server turned encryption on in it")]
    Encrypted,
    /// It should be encrypted and is not, or not as Matrix does today.
    #[error("it is not encrypted as asked")]
    NotEncrypted,
    /// Of another version.
    #[error("it is of another version")]
    Version,
    /// Closed to other servers, or open to them, against the configuration.
    #[error("it does not stand to other servers as asked (`m.federate`)")]
    Federation,
    /// Without its name.
    #[error("it does not have its name")]
    Name,
    /// Those who come later see nothing of what was said before.
    #[error("its history is hidden from people who join later")]
    HistoryHidden,
    /// Open.
    #[error("it can be joined without an invitation")]
    Open,
    /// Open to guests.
    #[error("guests may join it")]
    Guests,
    /// Another access rule, or none.
    #[error("it does not carry the access rule of its kind")]
    AccessRule,
    /// Not encrypted, without the keys that say so on purpose.
    #[error("its access rules lack the keys without which it shows as a forum")]
    ShowsAsForum,
    /// Its access rules say `visibility: public`.
    #[error("its access rules call it public")]
    Public,
    /// An owner without power.
    #[error("the human administrator does not have power level 100")]
    AdminWithoutPower,
    /// Everybody may invite, or change its state.
    #[error("its members may do more than those of a private room")]
    TooMuchPower,
}

impl RoomDifference {
    /// The state event in which it shows.
    pub fn event_type(self) -> &'static str {
        match self {
            Self::Encrypted | Self::NotEncrypted => "m.room.encryption",
            Self::Version | Self::Federation => "m.room.create",
            Self::Name => "m.room.name",
            Self::HistoryHidden => "m.room.history_visibility",
            Self::Open => "m.room.join_rules",
            Self::Guests => "m.room.guest_access",
            Self::AccessRule | Self::ShowsAsForum | Self::Public => ACCESS_RULES_EVENT,
            Self::AdminWithoutPower | Self::TooMuchPower => "m.room.power_levels",
        }
    }

    /// What an operator can do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Encrypted => {
                "nothing was sent into it; the homeserver encrypts private rooms by itself (`encryption_enabled_by_default_for_room_type`, or its access-rules module): choose an encrypted room.kind, or have that lifted; see docs/tchap.md"
            }
            Self::AccessRule | Self::ShowsAsForum => {
                "nothing was sent into it; check rooms.access_rules against the homeserver's module, see docs/tchap.md"
            }
            Self::NotEncrypted
            | Self::Version
            | Self::Federation
            | Self::Name
            | Self::HistoryHidden
            | Self::Open
            | Self::Guests
            | Self::Public
            | Self::AdminWithoutPower
            | Self::TooMuchPower => {
                "nothing was sent into it; a module of the homeserver changed the room: show its administrators docs/tchap.md, which says what a room must be"
            }
        }
    }
}

/// The first difference between a room and what was asked, the weightiest first.
pub fn difference(wish: &RoomWish, state: &RoomState) -> Option<RoomDifference> {
    let text = |event_type: &str, key: &str| state.text(event_type, key);
    let algorithm = text("m.room.encryption", "algorithm");
    if wish.kind.is_encrypted() {
        if algorithm != Some("m.megolm.v1.aes-sha2") {
            return Some(RoomDifference::NotEncrypted);
        }
    } else if state.content("m.room.encryption").is_some() {
        return Some(RoomDifference::Encrypted);
    }
    // Version 1 has no word for its version.
    if text("m.room.create", "room_version").unwrap_or("1") != wish.version.as_str() {
        return Some(RoomDifference::Version);
    }
    let federate = flag(state, "m.room.create", "m.federate").unwrap_or(true);
    if federate != wish.federate {
        return Some(RoomDifference::Federation);
    }
    if text("m.room.name", "name") != Some(wish.name.as_str()) {
        return Some(RoomDifference::Name);
    }
    if text("m.room.history_visibility", "history_visibility") != Some("shared") {
        return Some(RoomDifference::HistoryHidden);
    }
    if text("m.room.join_rules", "join_rule") != Some("invite") {
        return Some(RoomDifference::Open);
    }
    if text("m.room.guest_access", "guest_access") == Some("can_join") {
        return Some(RoomDifference::Guests);
    }
    let rules = match wish.rules {
        RoomRules::Tchap(_) => rules_difference(wish, state),
        RoomRules::Plain => None,
    };
    rules.or_else(|| power_difference(wish, state))
}

fn rules_difference(wish: &RoomWish, state: &RoomState) -> Option<RoomDifference> {
    if state.text(ACCESS_RULES_EVENT, "rule") != Some(wish.kind.access_rule()) {
        return Some(RoomDifference::AccessRule);
    }
    let visibility = state.text(ACCESS_RULES_EVENT, "visibility");
    if visibility == Some("public") {
        return Some(RoomDifference::Public);
    }
    let on_purpose = flag(state, ACCESS_RULES_EVENT, "force_unencrypted_at_creation");
    let shows_as_forum = visibility != Some("private") || on_purpose != Some(true);
    (!wish.kind.is_encrypted() && shows_as_forum).then_some(RoomDifference::ShowsAsForum)
}

fn power_difference(wish: &RoomWish, state: &RoomState) -> Option<RoomDifference> {
    let levels = state.content("m.room.power_levels");
    let level = |key: &str| levels.and_then(|levels| levels.get(key)).and_then(Value::as_i64);
    // Every administrator by name: `users_default` may give power to all.
    let named = |user: &ruma::OwnedUserId| {
        levels.and_then(|levels| levels.get("users")?.get(user.as_str())?.as_i64())
    };
    if wish.admins.iter().any(|admin| named(admin) != Some(100)) {
        return Some(RoomDifference::AdminWithoutPower);
    }
    let open_handed = level("users_default").unwrap_or(0) > 0
        || level("invite").unwrap_or(0) < 50
        || level("state_default").unwrap_or(50) < 100;
    open_handed.then_some(RoomDifference::TooMuchPower)
}

fn flag(state: &RoomState, event_type: &str, key: &str) -> Option<bool> {
    state.content(event_type)?.get(key)?.as_bool()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::{Flavour, RoomKind};
    use serde_json::json;

    fn wish(kind: RoomKind) -> RoomWish {
        RoomWish {
            name: "Cabinet".to_owned(),
            kind,
            rules: RoomRules::Tchap(Flavour::V1),
            version: ruma::RoomVersionId::V11,
            federate: true,
            portal: "import-1".to_owned(),
            creator: ruma::owned_user_id!("@_passerelle_bot:tchap.test"),
            admins: vec![ruma::owned_user_id!("@a:tchap.test")],
        }
    }

    fn put(state: &mut RoomState, event_type: &str, content: Value) {
        let Value::Object(content) = content else { panic!("content is an object") };
        state.put(event_type.to_owned(), String::new(), content);
    }

    fn as_asked(kind: RoomKind) -> RoomState {
        let mut state = RoomState::default();
        put(&mut state, "m.room.create", json!({ "room_version": "11", "m.federate": true }));
        put(&mut state, "m.room.name", json!({ "name": "Cabinet" }));
        let shared = json!({ "history_visibility": "shared" });
        put(&mut state, "m.room.history_visibility", shared);
        put(&mut state, "m.room.join_rules", json!({ "join_rule": "invite" }));
        put(&mut state, "m.room.guest_access", json!({ "guest_access": "forbidden" }));
        let mut rules = json!({ "rule": kind.access_rule() });
        if kind.is_encrypted() {
            let megolm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
            put(&mut state, "m.room.encryption", megolm);
        } else {
            rules["visibility"] = json!("private");
            rules["force_unencrypted_at_creation"] = json!(true);
        }
        put(&mut state, ACCESS_RULES_EVENT, rules);
        let users = json!({ "@a:tchap.test": 100, "@_passerelle_bot:tchap.test": 100 });
        let levels =
            json!({ "users": users, "users_default": 0, "invite": 50, "state_default": 100 });
        put(&mut state, "m.room.power_levels", levels);
        state
    }

    #[test]
    fn a_room_of_each_kind_as_asked_is_taken() {
        for kind in RoomKind::ALL {
            assert_eq!(difference(&wish(kind), &as_asked(kind)), None, "{kind:?}");
        }
    }

    #[test]
    fn every_difference_is_seen_where_it_is() {
        use RoomDifference as D;
        let open = RoomKind::PrivateUnencryptedExternals;
        let clear = RoomKind::PrivateUnencrypted;
        let secret = RoomKind::PrivateEncrypted;
        let levels = |users: Value, others: Value| {
            let mut levels = json!({ "users": users, "invite": 50, "state_default": 100 });
            for (key, value) in others.as_object().unwrap() {
                levels[key] = value.clone();
            }
            levels
        };
        let owned = json!({ "@a:tchap.test": 100 });
        let cases = [
            (clear, D::Encrypted, json!({ "algorithm": "m.megolm.v1.aes-sha2" })),
            (secret, D::NotEncrypted, json!({ "algorithm": "m.olm.v1" })),
            (clear, D::Version, json!({ "room_version": "12" })),
            (clear, D::Version, json!({})),
            (clear, D::Federation, json!({ "room_version": "11", "m.federate": false })),
            (clear, D::Name, json!({ "name": "Autre" })),
            (clear, D::HistoryHidden, json!({ "history_visibility": "invited" })),
            (clear, D::Open, json!({ "join_rule": "public" })),
            (clear, D::Open, json!({ "join_rule": "restricted" })),
            (clear, D::Guests, json!({ "guest_access": "can_join" })),
            (clear, D::AccessRule, json!({ "rule": "unrestricted" })),
            (open, D::AccessRule, json!({ "rule": "restricted" })),
            (secret, D::AccessRule, json!({})),
            (clear, D::ShowsAsForum, json!({ "rule": "restricted" })),
            (clear, D::ShowsAsForum, json!({ "rule": "restricted", "visibility": "private" })),
            (secret, D::Public, json!({ "rule": "restricted", "visibility": "public" })),
            (clear, D::AdminWithoutPower, levels(json!({}), json!({ "users_default": 100 }))),
            (clear, D::TooMuchPower, levels(owned.clone(), json!({ "users_default": 50 }))),
            (clear, D::TooMuchPower, levels(owned.clone(), json!({ "invite": 0 }))),
            (clear, D::TooMuchPower, levels(owned, json!({ "state_default": 50 }))),
        ];
        for (kind, expected, content) in cases {
            let mut state = as_asked(kind);
            put(&mut state, expected.event_type(), content.clone());
            assert_eq!(difference(&wish(kind), &state), Some(expected), "{content}");
            assert!(expected.hint().starts_with("nothing was sent into it"));
        }
    }
}
