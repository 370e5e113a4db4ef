//! Makes a device known: its keys, its identity, and the signature of the one under the other.

use ruma::api::client::keys::upload_signing_keys;

use super::machine::{Machine, failed};
use crate::matrix::error::MatrixError;

impl Machine {
    /// Publishes the device's keys and a cross-signing identity, signs the device with it, and
    /// fetches what waits for it. Repeating it is harmless: keys that are there are sent again.
    ///
    /// The order is the homeserver's: keys, identity, signatures. Fallback keys are uploaded only
    /// after a first sync, so one ends this; without them, the fifty-first device that writes to
    /// the account would find no key.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached. It refuses keys when the device had
    /// others before, which are lost with its store.
    pub async fn publish(&self) -> Result<(), MatrixError> {
        let turn = self.turn.lock().await;
        if !sabotage::leaves_unsigned(self.user_id()) {
            self.publish_signed().await?;
        }
        self.pump().await?;
        drop(turn);
        self.drain().await.map(|_| ())
    }

    /// Publishes keys and identity, and signs the one with the other.
    pub(super) async fn publish_signed(&self) -> Result<(), MatrixError> {
        let requests = self
            .olm
            .bootstrap_cross_signing(false)
            .await
            .map_err(|error| failed("make an identity", &error))?;
        if let Some(keys) = &requests.upload_keys_req {
            self.carry(keys.request_id(), keys.request()).await?;
        }
        let identity = requests.upload_signing_keys_req;
        let mut request = upload_signing_keys::v3::Request::new();
        request.master_key = identity.master_key.map(|key| key.to_raw());
        request.self_signing_key = identity.self_signing_key.map(|key| key.to_raw());
        request.user_signing_key = identity.user_signing_key.map(|key| key.to_raw());
        self.homeserver.call(self.actor.as_ref(), request).await?;
        self.homeserver.call(self.actor.as_ref(), requests.upload_signatures_req).await?;
        Ok(())
    }
}

/// A ghost that is left without a signature, for the test that must then fail.
mod sabotage {
    #[cfg(feature = "sabotage")]
    pub fn leaves_unsigned(user: &ruma::UserId) -> bool {
        use std::sync::{Mutex, PoisonError};
        static CHOSEN: Mutex<Option<ruma::OwnedUserId>> = Mutex::new(None);
        if std::env::var_os("BREAK").is_none_or(|value| value != "unsigned-ghost")
            || user.localpart().ends_with("_bot")
        {
            return false;
        }
        let mut chosen = CHOSEN.lock().unwrap_or_else(PoisonError::into_inner);
        *chosen.get_or_insert_with(|| user.to_owned()) == user
    }

    #[cfg(not(feature = "sabotage"))]
    pub const fn leaves_unsigned(_: &ruma::UserId) -> bool {
        false
    }
}
