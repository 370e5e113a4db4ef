//! Encrypted rooms: who reads them, and how things are said in them.

use std::collections::BTreeSet;
use std::sync::Arc;

use ruma::{OwnedEventId, OwnedUserId, RoomId, UserId};
use serde_json::value::RawValue;

use super::error::PortalError;
use super::room::Portals;
use crate::matrix::{Keys, Machine, MatrixError, Outgoing, Sealed};
use crate::model::time::UnixMillis;
use crate::store::{PublishedKeys, SessionRecord};

/// The type of every event in an encrypted room.
pub(super) const ENCRYPTED: &str = "m.room.encrypted";

/// How a room is written to. Its own state says so, not what was asked for: modules of the
/// homeserver turn encryption on by themselves.
#[derive(Clone, Debug)]
pub enum Cipher {
    /// As it is.
    Clear,
    /// Encrypted, with the keys for these people, whether they are in the room yet or not.
    Encrypted {
        /// The bot, the witness, and everybody of the plan.
        readers: BTreeSet<OwnedUserId>,
    },
}

impl Cipher {
    /// Whether it is a cipher at all.
    pub fn is_encrypted(&self) -> bool {
        match self {
            Self::Clear => false,
            Self::Encrypted { .. } => true,
        }
    }
}

impl Portals {
    /// How a room is written to. `readers` are given the keys of what is said in it.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn cipher(
        &self,
        room: &RoomId,
        readers: BTreeSet<OwnedUserId>,
    ) -> Result<Cipher, PortalError> {
        Ok(match self.bot().state(room, "m.room.encryption", "").await? {
            Some(_) => Cipher::Encrypted { readers },
            None => Cipher::Clear,
        })
    }

    /// The machine of one of our accounts, its device published and signed.
    ///
    /// # Errors
    /// When the account was never made, its keys are gone, or the homeserver cannot be reached.
    pub async fn machine(&self, user: &UserId) -> Result<Arc<Machine>, PortalError> {
        let Some(mut record) = self.store().ghost(user)? else {
            let reason = "an account that was never made cannot encrypt".to_owned();
            return Err(MatrixError::Request { reason }.into());
        };
        let keys = match record.keys {
            PublishedKeys::Yes => Keys::Published,
            PublishedKeys::No => Keys::Unpublished,
        };
        let machine = self.machines().of(user, &record.device_id, keys).await?;
        if keys == Keys::Unpublished {
            machine.publish().await?;
            record.keys = PublishedKeys::Yes;
            self.store().put_ghost(&record)?;
            self.store().flush().await?;
        }
        Ok(machine)
    }

    /// Encrypts an event of one of our accounts. A new session's key is written to the store;
    /// the caller flushes before the event is sent, so that no event is in a room without it.
    ///
    /// # Errors
    /// When the homeserver cannot be reached, or a store fails.
    pub(super) async fn seal(
        &self,
        room: &RoomId,
        sender: &UserId,
        (event_type, content): (&str, &RawValue),
        readers: &BTreeSet<OwnedUserId>,
    ) -> Result<Box<RawValue>, PortalError> {
        let machine = self.machine(sender).await?;
        let store = self.store();
        // A store that cannot say so begins a new session, and fails where that is written.
        let is_kept = |session: &str| store.has_session(room, sender, session).unwrap_or(false);
        let terms = (self.machines().policy(), self.machines().run());
        let sealed = machine.seal(room, (event_type, content), readers, terms, is_kept).await?;
        let Sealed { content, fresh } = sealed;
        if let Some(key) = fresh {
            store.put_session(&SessionRecord {
                room: room.to_owned(),
                sender: sender.to_owned(),
                session: key.id.clone(),
                sealed: hex::encode(self.machines().vault().seal(&key)?),
            })?;
        }
        Ok(content)
    }

    /// Says something as an account of ours, to whoever is in the room now: what is no part of an
    /// import, and so not in the ledger.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached, or a store fails.
    pub async fn say(
        &self,
        room: &RoomId,
        speaker: &UserId,
        (content, at): (&RawValue, Option<UnixMillis>),
        txn_id: &str,
    ) -> Result<OwnedEventId, PortalError> {
        let bot = self.bot();
        let event_type = "m.room.message";
        let sealed = match self.cipher(room, BTreeSet::new()).await? {
            Cipher::Clear => None,
            Cipher::Encrypted { .. } => {
                let members = bot.joined_members(room).await?;
                let people = members.into_iter().filter(|user| !self.namer().is_ours(user));
                let readers = people.collect();
                let sealing = self.seal(room, speaker, (event_type, content), &readers);
                let sealed = Box::pin(sealing).await?;
                self.store().flush().await?;
                Some(sealed)
            }
        };
        let outgoing = match &sealed {
            Some(content) => Outgoing { event_type: ENCRYPTED, content, txn_id, at },
            None => Outgoing { event_type, content, txn_id, at },
        };
        Ok(self.intent(speaker).send(room, outgoing).await?)
    }

    /// What somebody said in an encrypted room, as the bot's device reads it: type and content.
    /// `None` when its key is not there, or the device it came from is not believed.
    ///
    /// # Errors
    /// When a store fails, or the homeserver cannot be reached.
    pub async fn overhear(
        &self,
        room: &RoomId,
        event: &RawValue,
    ) -> Result<Option<(String, Box<RawValue>)>, PortalError> {
        let bot = self.machine(self.bot().user_id()).await?;
        match bot.unseal(room, event, self.machines().believe()).await {
            Ok(clear) => Ok(clear),
            Err(MatrixError::Crypto { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
