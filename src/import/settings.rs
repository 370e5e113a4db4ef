//! How imports run in this installation.

use ruma::OwnedUserId;
use tokio_util::sync::CancellationToken;

use super::error::ImportError;
use crate::config::RoomsSection;
use crate::matrix::{Account, Errand, Lookup, MatrixError, RoomKind, RoomWish};
use crate::model::ids::Network;
use crate::portal::Portals;
use crate::wording::Language;

/// How imports run in this installation.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How rooms are made, and who is external.
    pub rooms: RoomsSection,
    /// Uploads at once.
    pub uploads_in_flight: usize,
    /// Messages intended with one flush.
    pub batch_messages: usize,
    /// Files over this stay out; 0 leaves it to the homeserver.
    pub max_file_bytes: u64,
    /// Looks at the homeserver.
    pub lookup: Lookup,
    /// Appended to ghosts' names; `{network}` stands for the messenger.
    pub ghost_suffix: String,
    /// What people read.
    pub language: Language,
    /// The name of the canary's throw-away room.
    pub canary_room_name: String,
    /// What the canary says.
    pub canary_text: String,
    /// The account that reads rooms back.
    pub witness: Option<Account>,
}

/// The account that sees rooms as a member does.
#[derive(Clone, Debug)]
pub struct Witness {
    /// Its client.
    pub account: Account,
    /// Its user id.
    pub user: OwnedUserId,
}

impl Settings {
    /// The same, the homeserver called for somebody else, until `halt`.
    pub(super) fn on_errand(&self, errand: Errand, halt: &CancellationToken) -> Self {
        Self {
            lookup: self.lookup.on_errand(errand, halt.clone()),
            witness: self.witness.as_ref().map(|one| one.on_errand(errand, halt.clone())),
            ..self.clone()
        }
    }

    /// The witness, asked who it is.
    ///
    /// # Errors
    /// When none is configured or its token is not accepted.
    pub async fn witness(&self) -> Result<Witness, ImportError> {
        let account = self.witness.clone().ok_or(ImportError::NoWitness)?;
        match account.whoami().await {
            Ok(user) => Ok(Witness { account, user }),
            Err(MatrixError::TokenRejected { message, .. }) => {
                Err(ImportError::WitnessRejected { message })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The largest file that is uploaded, in bytes.
    pub(super) async fn file_limit_bytes(&self) -> Result<u64, ImportError> {
        let limit = self.lookup.upload_limit_bytes().await?;
        Ok(if self.max_file_bytes == 0 { limit } else { limit.min(self.max_file_bytes) })
    }

    /// A private room of this installation's making, without a name or owners yet.
    pub(super) async fn room_wish(
        &self,
        portals: &Portals,
        kind: RoomKind,
    ) -> Result<RoomWish, ImportError> {
        Ok(RoomWish {
            name: String::new(),
            kind,
            rules: portals.room_rules(&self.rooms).await?,
            version: self.rooms.version.clone(),
            federate: self.rooms.federate,
            portal: String::new(),
            creator: portals.bot().user_id().to_owned(),
            admins: Vec::new(),
        })
    }

    /// A ghost's display name.
    pub(super) fn ghost_name(&self, name: &str, network: Network) -> String {
        format!("{name}{}", self.ghost_suffix.replace("{network}", network.title()))
    }
}
