//! A room's current state, read as a whole.

use std::collections::BTreeMap;

use ruma::{OwnedUserId, UserId};
use serde_json::{Map, Value};

/// The power level of an administrator.
const ADMIN_LEVEL: i64 = 100;

/// The contents of a room's state events, by type and state key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomState {
    events: BTreeMap<(String, String), Map<String, Value>>,
}

impl RoomState {
    /// Puts one event's content in, in place of an earlier one.
    pub fn put(&mut self, event_type: String, state_key: String, content: Map<String, Value>) {
        self.events.insert((event_type, state_key), content);
    }

    /// The content of the event of this type with an empty state key.
    pub fn content(&self, event_type: &str) -> Option<&Map<String, Value>> {
        self.events.get(&(event_type.to_owned(), String::new()))
    }

    /// A text in that content.
    pub fn text(&self, event_type: &str, key: &str) -> Option<&str> {
        self.content(event_type)?.get(key)?.as_str()
    }

    /// A user's power level.
    pub fn level(&self, user: &UserId) -> i64 {
        let levels = self.content("m.room.power_levels");
        let own = levels.and_then(|levels| levels.get("users")?.get(user.as_str())?.as_i64());
        let usual = || levels.and_then(|levels| levels.get("users_default")?.as_i64());
        own.or_else(usual).unwrap_or(0)
    }

    /// The accounts that are in the room or invited to it.
    pub fn present(&self) -> impl Iterator<Item = OwnedUserId> {
        self.events.iter().filter_map(|((event_type, state_key), content)| {
            let membership = content.get("membership").and_then(Value::as_str);
            let here =
                event_type == "m.room.member" && matches!(membership, Some("join" | "invite"));
            here.then(|| OwnedUserId::try_from(state_key.as_str()).ok()).flatten()
        })
    }

    /// Whether `user` may leave without leaving people behind who have no administrator: then
    /// Tchap's servers make everybody one (tchap.md §B.5). Somebody who is invited counts.
    pub fn may_leave(&self, user: &UserId) -> bool {
        let others: Vec<_> = self.present().filter(|other| other != user).collect();
        self.level(user) < ADMIN_LEVEL
            || others.is_empty()
            || others.iter().any(|other| self.level(other) >= ADMIN_LEVEL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn room(members: &[(&str, &str)], admins: &[&str]) -> RoomState {
        let mut state = RoomState::default();
        let mut put = |kind: &str, key: &str, content: Value| {
            let Value::Object(content) = content else { panic!("content is an object") };
            state.put(kind.to_owned(), key.to_owned(), content);
        };
        for (who, membership) in members {
            put("m.room.member", who, json!({ "membership": membership }));
        }
        let users: Map<_, _> = admins.iter().map(|who| ((*who).to_owned(), json!(100))).collect();
        put("m.room.power_levels", "", json!({ "users": users, "users_default": 0 }));
        state
    }

    #[test]
    fn the_last_administrator_stays_while_anybody_else_is_there() {
        let (bot, chief, member) = ("@bot:t.fr", "@chief:t.fr", "@member:t.fr");
        let may = |members: &[(&str, &str)], admins: &[&str]| {
            room(members, admins).may_leave(<&UserId>::try_from(bot).unwrap())
        };
        assert!(may(&[(bot, "join")], &[bot]), "alone");
        assert!(may(&[(bot, "join"), (chief, "leave")], &[bot, chief]), "everybody has gone");
        assert!(may(&[(bot, "join"), (chief, "join")], &[bot, chief]));
        assert!(may(&[(bot, "join"), (chief, "invite"), (member, "join")], &[bot, chief]));
        assert!(!may(&[(bot, "join"), (chief, "leave"), (member, "join")], &[bot, chief]));
        assert!(!may(&[(bot, "join"), (chief, "ban"), (member, "invite")], &[bot, chief]));
        assert!(!may(&[(bot, "join"), (chief, "join")], &[bot]));
        assert!(may(&[(bot, "join"), (chief, "join")], &[]), "it is no administrator itself");
    }
}
