//! Who each participant is in Matrix: reviewed, not guessed.

use std::collections::BTreeMap;

use ruma::{OwnedServerName, OwnedUserId, UserId};
use sha2::{Digest, Sha256};

use crate::convert::Person;
use crate::model::ids::{Network, ParticipantId};

/// The reviewed list of one chat's people.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    people: BTreeMap<ParticipantId, Person>,
}

impl Roster {
    /// A roster of reviewed people.
    pub fn new(people: impl IntoIterator<Item = (ParticipantId, Person)>) -> Self {
        Self { people: people.into_iter().collect() }
    }

    /// Who a participant is.
    pub fn person(&self, participant: &ParticipantId) -> Option<&Person> {
        self.people.get(participant)
    }

    /// Everybody.
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }
}

/// Makes ghosts' user ids.
#[derive(Clone, Debug)]
pub struct GhostNamer {
    /// What every localpart begins with.
    pub prefix: String,
    /// The homeserver.
    pub server: OwnedServerName,
}

impl GhostNamer {
    /// Whether an account is one of ours, ghost or bot.
    pub fn is_ours(&self, user: &UserId) -> bool {
        user.server_name() == self.server && user.localpart().starts_with(&self.prefix)
    }

    /// A regular expression that all our accounts match and no other does.
    pub fn pattern(&self) -> String {
        let escaped = |text: &str| text.replace('.', r"\.");
        format!("@{}.*:{}", escaped(&self.prefix), escaped(self.server.as_str()))
    }

    /// The user id of a participant's ghost.
    ///
    /// `scope` is the portal's id. It keeps people apart whom a network cannot name for certain
    /// (the same contact name in two WhatsApp exports may be two people), keeps a telephone
    /// number from being found by trying all numbers, and keeps a name that one plan chose out of
    /// the rooms of another.
    pub fn ghost(&self, network: Network, scope: &str, participant: &ParticipantId) -> OwnedUserId {
        let mut hash = Sha256::new();
        for part in [network.slug(), scope, participant.as_str()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest = hex::encode(hash.finalize());
        let short = digest.get(..24).unwrap_or(&digest);
        UserId::parse(format!("@{}{}_{short}:{}", self.prefix, network.slug(), self.server))
            .expect("prefix and server were checked at load, the rest is hexadecimal")
    }
}

#[cfg(test)]
mod tests {
    use ruma::server_name;

    use super::*;

    #[test]
    fn a_ghosts_name_depends_on_network_scope_and_person_only() {
        let namer =
            GhostNamer { prefix: "_p_".to_owned(), server: server_name!("a.test").to_owned() };
        let person = ParticipantId::new("06 39 98 00 00");
        let ghost = namer.ghost(Network::Whatsapp, "s", &person);
        assert_eq!(ghost, namer.ghost(Network::Whatsapp, "s", &person));
        assert_ne!(ghost, namer.ghost(Network::Whatsapp, "t", &person));
        assert_ne!(ghost, namer.ghost(Network::Olvid, "s", &person));
        assert!(!ghost.as_str().contains("0639"));
        assert!(ghost.localpart().starts_with("_p_whatsapp_"));
    }
}
