//! What the checks work with.

use std::path::Path;

use ruma::{OwnedUserId, UserId};

use super::ear::Ear;
use super::records::Records;
use crate::config::{Config, Secret};
use crate::matrix::{Homeserver, MatrixError};
use crate::model::time::{Clock, UnixMillis};

/// Everything an examination is given. It examines the configuration itself, so it gets all of it.
#[derive(Debug)]
pub struct Means<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// Its file.
    pub config_path: &'a Path,
    /// The installed registration, if a copy is at hand.
    pub registration: Option<&'a Path>,
    /// The archive that is to be imported, if it is at hand.
    pub archive: Option<&'a Path>,
    /// The date of the retention canary.
    pub oldest: UnixMillis,
    /// The time.
    pub clock: Clock,
    /// How we hear what the homeserver pushes.
    pub ear: Ear,
    /// What is to be said of the store and the spool.
    pub records: Result<Records, String>,
    /// The throw-away room's name and the words said in it.
    pub words: Words,
}

/// What a person who looks into the throw-away room would read.
#[derive(Clone, Debug)]
pub struct Words {
    /// Its name.
    pub room: String,
    /// Each message.
    pub message: String,
}

impl Means<'_> {
    /// The homeserver with the service's token, failing at once. Without a token it speaks
    /// with none.
    pub(super) fn homeserver(&self) -> Result<Homeserver, MatrixError> {
        let token = self.config.appservice.as_token.clone().unwrap_or(Secret::new(""));
        Ok(Homeserver::new(&self.config.matrix, token)?.impatient())
    }

    pub(super) fn bot(&self) -> OwnedUserId {
        self.config.appservice.bot_user_id(&self.config.matrix.server_name)
    }

    pub(super) fn ghost(&self) -> OwnedUserId {
        account(self.config)
    }

    pub(super) fn is_ours(&self, user: &UserId) -> bool {
        let appservice = &self.config.appservice;
        user.server_name() == self.config.matrix.server_name
            && (user.localpart().starts_with(&appservice.user_prefix)
                || user.localpart() == appservice.sender_localpart)
    }
}

/// The throw-away ghost. It stays on the homeserver, without a device, a room or a name: an
/// account that was deactivated could not be used again.
pub fn account(config: &Config) -> OwnedUserId {
    let (prefix, server) = (&config.appservice.user_prefix, &config.matrix.server_name);
    UserId::parse(format!("@{prefix}doctor:{server}")).expect("the prefix was checked at load")
}
