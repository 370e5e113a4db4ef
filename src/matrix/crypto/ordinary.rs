//! A device of an ordinary account, which acts with its own token: the witness's.
//!
//! The account's identity is ours to keep, too. When the witness is logged in anew, its new device
//! is signed by the same identity: an account cannot have another without its password.

use std::path::PathBuf;
use std::sync::Arc;

use matrix_sdk_crypto::store::types::CrossSigningKeyExport;
use ruma::{DeviceId, UserId};
use serde::{Deserialize, Serialize};

use super::machine::{Machine, failed};
use super::machines::{Keys, Machines};
use super::vault::write_new;
use crate::matrix::error::MatrixError;
use crate::matrix::homeserver::Homeserver;

/// An identity as it is kept, sealed.
#[derive(Serialize, Deserialize)]
struct Identity {
    master: Option<String>,
    self_signing: Option<String>,
    user_signing: Option<String>,
}

impl Machines {
    /// The machine of an ordinary account's device, published, signed where that is possible, and
    /// with what waits for it fetched. An account that has an identity of somebody else's making
    /// gets no other: its device stays unsigned.
    ///
    /// # Errors
    /// When its store cannot be opened, or the homeserver refuses its keys or cannot be reached.
    pub async fn of_ordinary(
        &self,
        homeserver: &Homeserver,
        user: &UserId,
        device: &DeviceId,
    ) -> Result<Arc<Machine>, MatrixError> {
        let machine = self.open(homeserver, (user, device), None, Keys::Unpublished).await?;
        let turn = machine.turn.lock().await;
        if !machine.is_signed().await? {
            self.bring_identity(&machine).await?;
            match machine.publish_signed().await {
                Ok(()) => self.keep_identity(&machine).await?,
                Err(MatrixError::TokenRejected { .. } | MatrixError::Refused { .. }) => {
                    tracing::warn!("the witness's device could not be signed by its account");
                }
                Err(error) => return Err(error),
            }
            machine.pump().await?;
        }
        drop(turn);
        machine.drain().await?;
        Ok(machine)
    }

    fn identity_file(&self, machine: &Machine) -> PathBuf {
        let name = machine.user_id().localpart().replace(['/', '.'], "_");
        self.folder().join(format!("{name}.identity"))
    }

    /// Gives a new device the identity that an earlier one of the same account had.
    async fn bring_identity(&self, machine: &Machine) -> Result<(), MatrixError> {
        let Ok(sealed) = tokio::fs::read(self.identity_file(machine)).await else { return Ok(()) };
        let opened = self.vault().unseal(&sealed);
        let Identity { master, self_signing, user_signing } =
            opened.map_err(|error| failed("open an identity", &error))?;
        // The library compares it with the one the homeserver has, so that is asked for first.
        machine.pump().await?;
        let export = CrossSigningKeyExport {
            master_key: master,
            self_signing_key: self_signing,
            user_signing_key: user_signing,
        };
        let brought = machine.olm.import_cross_signing_keys(export).await;
        brought.map(|_| ()).map_err(|error| failed("bring an identity", &error))
    }

    async fn keep_identity(&self, machine: &Machine) -> Result<(), MatrixError> {
        let export = machine.olm.export_cross_signing_keys().await;
        let Some(export) = export.map_err(|error| failed("read an identity", &error))? else {
            return Ok(());
        };
        let identity = Identity {
            master: export.master_key.clone(),
            self_signing: export.self_signing_key.clone(),
            user_signing: export.user_signing_key.clone(),
        };
        let sealed = self.vault().seal(&identity);
        let sealed = sealed.map_err(|error| failed("close an identity", &error))?;
        write_new(&self.identity_file(machine), &sealed)
            .map_err(|error| failed("keep an identity", &error))
    }
}

impl Machine {
    /// Whether the device's owner has signed it, as far as the homeserver has told.
    async fn is_signed(&self) -> Result<bool, MatrixError> {
        let own = self.olm.get_device(self.user_id(), self.device_id(), None).await;
        let own = own.map_err(|error| failed("read a device", &error))?;
        Ok(own.is_some_and(|own| own.is_cross_signed_by_owner()))
    }
}
