//! What does not keep a plan from being started, and should be known before, and after.

use jiff::SignedDuration;
use ruma::OwnedRoomId;
use serde::{Deserialize, Serialize};

use super::plan::Plan;
use crate::config::{RoomProfile, RoomsSection};
use crate::model::time::UnixMillis;
use crate::portal::GhostNamer;

/// Tchap for iOS, the older app, takes rooms without a retention of their own for rooms of a
/// year (tchap.md §B.6).
const IOS_KEEPS: SignedDuration = SignedDuration::from_hours(365 * 24);

/// One thing to know about an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "warning", rename_all = "snake_case")]
pub enum Warning {
    /// The room is opened to externals and none is invited.
    NoExternal,
    /// The oldest messages are older than the older iOS app keeps.
    OldMessages {
        /// The oldest message, RFC 3339.
        first: String,
    },
    /// The accounts that stand for people may expire.
    AccountsMayExpire {
        /// The pattern that should be exempt.
        pattern: String,
    },
    /// The room forgets.
    RoomForgets {
        /// After so many days.
        days: u64,
    },
    /// The space does not list the room.
    NotInSpace {
        /// The space.
        space: OwnedRoomId,
        /// What the homeserver said.
        reason: String,
    },
    /// Anybody may enter the space, so the room was not opened to its members.
    SpaceIsPublic {
        /// The space.
        space: OwnedRoomId,
    },
}

impl Plan {
    /// What should be known before this plan is started.
    pub fn warnings(
        &self,
        rooms: &RoomsSection,
        namer: &GhostNamer,
        now: UnixMillis,
    ) -> Vec<Warning> {
        if rooms.profile == RoomProfile::Generic {
            return Vec::new();
        }
        let mut list = Vec::new();
        if self.room.kind.is_open_to_externals() && !self.room.invites_an_external(rooms) {
            list.push(Warning::NoExternal);
        }
        let age =
            now.to_timestamp().duration_since(UnixMillis(self.archive.first_ms).to_timestamp());
        if age > IOS_KEEPS {
            list.push(Warning::OldMessages { first: self.archive.first.clone() });
        }
        list.push(Warning::AccountsMayExpire { pattern: namer.pattern() });
        list
    }
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoExternal => f.write_str(
                "the room is opened to externals, which can never be taken back, and nobody external is invited",
            ),
            Self::OldMessages { first } => write!(
                f,
                "the oldest message is of {first}: the older Tchap app for iOS may not show what is older than 365 days"
            ),
            Self::AccountsMayExpire { pattern } => write!(
                f,
                "accounts on Tchap expire unless the homeserver exempts them: ask for `{pattern}` in exclude_user_id_patterns"
            ),
            Self::RoomForgets { days } => {
                write!(f, "the room's retention removes messages after {days} days")
            }
            Self::NotInSpace { space, reason } => write!(
                f,
                "the space {space} does not list the room ({reason}): somebody who may must add it there"
            ),
            Self::SpaceIsPublic { space } => write!(
                f,
                "anybody may enter the space {space}: the room was not opened to its members"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::planning::tests::{plan_of, rooms};
    use crate::matrix::RoomKind;

    #[test]
    fn each_warning_has_its_reason() {
        let namer = GhostNamer {
            prefix: "_passerelle_".to_owned(),
            server: ruma::owned_server_name!("t.fr"),
        };
        let mut plan = plan_of(&[]);
        let warned = |plan: &Plan, profile, days: i64| {
            let now = UnixMillis(days * 24 * 60 * 60 * 1000);
            plan.warnings(&rooms(profile), &namer, now)
        };
        let expiry = || Warning::AccountsMayExpire { pattern: r"@_passerelle_.*:t\.fr".to_owned() };
        let tchap = RoomProfile::Tchap;
        // The plan's oldest message is of the first day of 1970.
        assert_eq!(warned(&plan, tchap, 365), [expiry()]);
        let old = Warning::OldMessages { first: plan.archive.first.clone() };
        assert_eq!(warned(&plan, tchap, 366), [old, expiry()]);
        plan.room.kind = RoomKind::PrivateUnencryptedExternals;
        assert_eq!(warned(&plan, tchap, 1), [Warning::NoExternal, expiry()]);
        plan.room.invite = vec![ruma::owned_user_id!("@x:agent.externe.t.fr")];
        assert_eq!(warned(&plan, tchap, 1), [expiry()]);
        assert_eq!(warned(&plan, RoomProfile::Generic, 366), []);
    }
}
