//! What a homeserver means when it refuses: its terse texts turned into sentences and advice.
//!
//! The texts are Synapse's and those of Tchap's modules (tchap.md §B.4; Synapse 1.163.2,
//! `handlers/message.py`, `handlers/room.py`, `handlers/room_member.py`, `api/errors.py`).

use serde::{Deserialize, Serialize};

/// A refusal whose meaning is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The account has run out.
    AccountExpired,
    /// The account was deactivated.
    AccountDeactivated,
    /// A module forbids the event.
    ForbiddenByRules,
    /// A module or spam checker forbids it; the newer access rules speak so, too.
    ProbableSpam,
    /// The other homeserver is not in the federation.
    FederationDenied,
    /// The access rules asked for do not fit the room.
    AccessRuleInvalid,
    /// The power levels asked for are weaker than Tchap's.
    PowerLevelsInvalid,
    /// Room version 12: its creator may not stand in the power levels.
    RoomVersionTooNew,
    /// The homeserver does not make rooms of that version.
    RoomVersionUnknown,
    /// The account may not make rooms.
    MayNotMakeRooms,
    /// The person may not be invited.
    MayNotInvite,
    /// The person was put out of the room.
    Banned,
    /// The account lies outside the service's namespace.
    NotOurAccount,
    /// The event or file is larger than the homeserver takes.
    TooLarge,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::AccountExpired,
        Self::AccountDeactivated,
        Self::ForbiddenByRules,
        Self::ProbableSpam,
        Self::FederationDenied,
        Self::AccessRuleInvalid,
        Self::PowerLevelsInvalid,
        Self::RoomVersionTooNew,
        Self::RoomVersionUnknown,
        Self::MayNotMakeRooms,
        Self::MayNotInvite,
        Self::Banned,
        Self::NotOurAccount,
        Self::TooLarge,
    ];

    /// What a refusal means, from its Matrix error code and the homeserver's text.
    pub fn of(errcode: &str, message: &str) -> Option<Self> {
        match errcode {
            "ORG_MATRIX_EXPIRED_ACCOUNT" => return Some(Self::AccountExpired),
            "M_USER_DEACTIVATED" => return Some(Self::AccountDeactivated),
            "M_UNSUPPORTED_ROOM_VERSION" => return Some(Self::RoomVersionUnknown),
            "M_TOO_LARGE" => return Some(Self::TooLarge),
            _ => {}
        }
        let texts = [
            ("This event is not allowed in this context", Self::ForbiddenByRules),
            ("rejected as probable spam", Self::ProbableSpam),
            ("Federation denied with", Self::FederationDenied),
            ("Invalid access rule", Self::AccessRuleInvalid),
            ("Invalid power levels content", Self::PowerLevelsInvalid),
            ("must not appear in content.users", Self::RoomVersionTooNew),
            ("not permitted to create rooms", Self::MayNotMakeRooms),
            ("users cannot create rooms", Self::MayNotMakeRooms),
            ("not permitted to invite this user", Self::MayNotInvite),
            ("Invites have been disabled", Self::MayNotInvite),
            ("is banned from the room", Self::Banned),
            ("Application service cannot masquerade as this user", Self::NotOurAccount),
            ("Application service has not registered this user", Self::NotOurAccount),
        ];
        texts.into_iter().find(|(text, _)| message.contains(text)).map(|(_, refusal)| refusal)
    }

    /// What it means, as part of a sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::AccountExpired => "the account has expired",
            Self::AccountDeactivated => "the account was deactivated",
            Self::ForbiddenByRules => {
                "the homeserver's rules forbid it: an external in a room closed to them, or a change that the room's access rules do not allow"
            }
            Self::ProbableSpam => {
                "a module of the homeserver forbids it: on Tchap mostly the access rules, elsewhere a spam checker"
            }
            Self::FederationDenied => "the other homeserver is not part of this federation",
            Self::AccessRuleInvalid => "Tchap's access rules do not allow such a room",
            Self::PowerLevelsInvalid => {
                "the power levels are not those that Tchap's access rules want, or give power to an external"
            }
            Self::RoomVersionTooNew => {
                "neither Tchap's access-rules module nor passerelle can make rooms of version 12 and later"
            }
            Self::RoomVersionUnknown => "the homeserver does not make rooms of this version",
            Self::MayNotMakeRooms => "the account may not make rooms",
            Self::MayNotInvite => "this person may not be invited",
            Self::Banned => "the person was banned from the room",
            Self::NotOurAccount => "the account lies outside this application service's namespace",
            Self::TooLarge => "it is larger than the homeserver takes",
        }
    }

    /// What an operator can do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::AccountExpired | Self::AccountDeactivated => {
                "have the homeserver's administrators renew the account and exempt appservice.user_prefix from expiry (`exclude_user_id_patterns`); see docs/tchap.md"
            }
            Self::ForbiddenByRules | Self::ProbableSpam => {
                "compare the room's kind with whom it was to hold, and rooms.access_rules with the homeserver's module; see docs/tchap.md"
            }
            Self::FederationDenied => {
                "check the server's name in the user id; if it is right, the homeserver's administrators must allow that server"
            }
            Self::AccessRuleInvalid | Self::PowerLevelsInvalid => {
                "check rooms.access_rules against the homeserver's module, and that no external is in room.admins; see docs/tchap.md"
            }
            Self::RoomVersionTooNew | Self::RoomVersionUnknown => {
                "set rooms.version to \"11\", or to another version that the homeserver makes"
            }
            Self::MayNotMakeRooms => {
                "have the homeserver's administrators allow the bot to make rooms; on Tchap a bot on a server of externals never may"
            }
            Self::MayNotInvite => {
                "ask the homeserver's administrators why; the person can ask to be let in later"
            }
            Self::Banned => "have a room administrator lift the ban",
            Self::NotOurAccount => {
                "install the registration of `passerelle registration generate` again and restart the homeserver"
            }
            Self::TooLarge => {
                "lower import.max_file_bytes, or have the homeserver's limit raised, then resume"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_of_the_homeserver_becomes_a_sentence() {
        let table = [
            ("ORG_MATRIX_EXPIRED_ACCOUNT", "User account has expired", Refusal::AccountExpired),
            (
                "M_USER_DEACTIVATED",
                "This account has been deactivated",
                Refusal::AccountDeactivated,
            ),
            ("M_FORBIDDEN", "This event is not allowed in this context", Refusal::ForbiddenByRules),
            (
                "M_FORBIDDEN",
                "This message has been rejected as probable spam",
                Refusal::ProbableSpam,
            ),
            (
                "M_FORBIDDEN",
                "Federation denied with agent.externe.test.",
                Refusal::FederationDenied,
            ),
            ("M_UNKNOWN", "Invalid access rule", Refusal::AccessRuleInvalid),
            ("M_UNKNOWN", "Invalid power levels content override", Refusal::PowerLevelsInvalid),
            ("M_UNKNOWN", "Invalid power levels content", Refusal::PowerLevelsInvalid),
            (
                "M_BAD_JSON",
                "Creator user @b:t must not appear in content.users",
                Refusal::RoomVersionTooNew,
            ),
            (
                "M_UNSUPPORTED_ROOM_VERSION",
                "Your homeserver does not support this room version",
                Refusal::RoomVersionUnknown,
            ),
            ("M_FORBIDDEN", "You are not permitted to create rooms", Refusal::MayNotMakeRooms),
            ("M_FORBIDDEN", "External users cannot create rooms", Refusal::MayNotMakeRooms),
            ("M_FORBIDDEN", "You are not permitted to invite this user.", Refusal::MayNotInvite),
            ("M_FORBIDDEN", "Invites have been disabled on this server", Refusal::MayNotInvite),
            ("M_FORBIDDEN", "@x:t is banned from the room", Refusal::Banned),
            (
                "M_FORBIDDEN",
                "Application service cannot masquerade as this user (@x:t).",
                Refusal::NotOurAccount,
            ),
            ("M_TOO_LARGE", "Upload request body is too large", Refusal::TooLarge),
        ];
        for (errcode, message, expected) in table {
            let refusal = Refusal::of(errcode, message);
            assert_eq!(refusal, Some(expected), "{errcode} {message}");
        }
        let unmet = Refusal::ALL.iter().find(|one| !table.iter().any(|(.., met)| met == *one));
        assert_eq!(unmet, None, "every refusal stands in the table");
        assert_eq!(Refusal::of("M_FORBIDDEN", "no"), None);
        assert_eq!(Refusal::of("M_UNKNOWN", ""), None);
    }
}
