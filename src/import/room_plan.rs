//! The room a plan asks for, and what speaks against it.

use ruma::{OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};

use super::objection::Objection;
use crate::config::{RoomProfile, RoomsSection};
use crate::matrix::RoomKind;

/// The room to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomPlan {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: RoomKind,
    /// Whether somebody has confirmed that it is opened to externals, where its kind does so:
    /// that can never be taken back.
    #[serde(default)]
    pub externals_confirmed: bool,
    /// The space it belongs to, whose members may come in once it is verified. Empty for none.
    #[serde(default)]
    pub space: String,
    /// The people who own it; at least one, at power level 100 from the start.
    pub admins: Vec<OwnedUserId>,
    /// The people invited once the room is verified.
    pub invite: Vec<OwnedUserId>,
}

impl RoomPlan {
    /// The space, if one is named and is a room id.
    pub fn space(&self) -> Option<OwnedRoomId> {
        OwnedRoomId::try_from(self.space.as_str()).ok()
    }

    /// Whether an external is to be invited.
    pub(super) fn invites_an_external(&self, rooms: &RoomsSection) -> bool {
        self.invite.iter().any(|person| rooms.is_external(person))
    }

    pub(super) fn objections(&self, rooms: &RoomsSection) -> Vec<Objection> {
        let mut list = Vec::new();
        if self.admins.is_empty() {
            list.push(Objection::NoAdmin);
        }
        if self.name.trim().is_empty() {
            list.push(Objection::NoRoomName);
        }
        if !self.space.is_empty() && self.space().is_none() {
            list.push(Objection::BadSpace { found: self.space.clone() });
        }
        match (self.kind.is_open_to_externals(), rooms.profile) {
            (true, RoomProfile::Generic) => list.push(Objection::NoExternalsHere),
            (true, RoomProfile::Tchap) if !self.externals_confirmed => {
                list.push(Objection::ExternalsNotConfirmed);
            }
            (true | false, _) => {}
        }
        for user in self.admins.iter().filter(|user| rooms.is_external(user)) {
            list.push(Objection::ExternalAdmin { user: user.clone() });
        }
        if !self.kind.is_open_to_externals() {
            for user in self.invite.iter().filter(|user| rooms.is_external(user)) {
                list.push(Objection::ExternalInClosedRoom { user: user.clone() });
            }
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::planning::tests::rooms;

    fn plan(kind: RoomKind, admin: &str, invited: &str) -> RoomPlan {
        RoomPlan {
            name: "Cabinet".to_owned(),
            kind,
            externals_confirmed: false,
            space: String::new(),
            admins: vec![OwnedUserId::try_from(admin).unwrap()],
            invite: vec![OwnedUserId::try_from(invited).unwrap()],
        }
    }

    #[test]
    fn externals_come_in_only_where_somebody_confirmed_it_and_never_as_administrators() {
        let tchap = rooms(RoomProfile::Tchap);
        let (agent, external) =
            ("@a:agent.pm.tchap.gouv.fr", "@x-cabinet.fr:agent.externe.tchap.gouv.fr");
        let user = OwnedUserId::try_from(external).unwrap();
        let closed = RoomKind::PrivateUnencrypted;
        let open = RoomKind::PrivateUnencryptedExternals;

        assert_eq!(plan(closed, agent, agent).objections(&tchap), []);
        let refused = [Objection::ExternalInClosedRoom { user: user.clone() }];
        assert_eq!(plan(closed, agent, external).objections(&tchap), refused);
        let mut opened = plan(open, agent, external);
        assert_eq!(opened.objections(&tchap), [Objection::ExternalsNotConfirmed]);
        opened.externals_confirmed = true;
        assert_eq!(opened.objections(&tchap), []);
        let mut owned = plan(open, external, external);
        owned.externals_confirmed = true;
        assert_eq!(owned.objections(&tchap), [Objection::ExternalAdmin { user }]);

        // Elsewhere the word means nothing.
        let generic = rooms(RoomProfile::Generic);
        assert_eq!(plan(closed, external, external).objections(&generic), []);
        assert_eq!(opened.objections(&generic), [Objection::NoExternalsHere]);
    }

    #[test]
    fn an_external_is_told_by_the_servers_name() {
        let tchap = rooms(RoomProfile::Tchap);
        for (user, external) in [
            ("@x:agent.externe.tchap.gouv.fr", true),
            ("@x:e.tchap.gouv.fr", true),
            ("@x:agent.education.tchap.gouv.fr", false),
            ("@x:agent.elysee.tchap.gouv.fr", false),
            ("@agent.externe.:agent.pm.tchap.gouv.fr", false),
        ] {
            assert_eq!(
                tchap.is_external(&OwnedUserId::try_from(user).unwrap()),
                external,
                "{user}"
            );
        }
    }

    #[test]
    fn a_space_is_a_room_id_or_nothing() {
        let tchap = rooms(RoomProfile::Tchap);
        let agent = "@a:agent.pm.tchap.gouv.fr";
        let mut plan = plan(RoomKind::PrivateUnencrypted, agent, agent);
        plan.space = "Mon espace".to_owned();
        let refused = [Objection::BadSpace { found: plan.space.clone() }];
        assert_eq!(plan.objections(&tchap), refused);
        plan.space = "!abc:agent.pm.tchap.gouv.fr".to_owned();
        assert_eq!(plan.objections(&tchap), []);
    }
}
