//! The witness in an encrypted room: a device of its own, as strict as the strictest client.
//!
//! Its keys come to it as to any member's device, from each ghost's own; an event whose sender's
//! device is not signed by its owner does not count as read.

use std::sync::Arc;

use ruma::RoomId;
use serde_json::value::RawValue;

use super::error::ImportError;
use super::settings::Witness;
use crate::config::Devices;
use crate::matrix::{Machine, MatrixError, RoomEvent};
use crate::portal::Portal;

/// Reads encrypted events as the witness.
pub(super) struct Reader {
    machine: Arc<Machine>,
}

impl Reader {
    /// The witness's device, given the room's keys like anybody who has joined, and the senders
    /// of the room looked up.
    pub(super) async fn open(portal: &Portal, witness: &Witness) -> Result<Self, ImportError> {
        let portals = portal.portals();
        let machine = witness.account.reader(portals.machines()).await?;
        portals.owe_keys(portal.room(), &witness.user)?;
        portals.bring_keys(portal.room()).await?;
        machine.drain().await?;
        let mut senders = portal.people();
        senders.insert(portals.bot().user_id().to_owned());
        machine.follow(&senders).await?;
        Ok(Self { machine })
    }

    /// An event, its content decrypted. One that cannot be read stays as it is, which no event
    /// of the archive looks like.
    pub(super) async fn read(
        &self,
        room: &RoomId,
        raw: &RawValue,
    ) -> Result<RoomEvent, ImportError> {
        let mut event = parse(raw)?;
        if event.event_type != "m.room.encrypted" {
            if event.state_key.is_none() {
                // Clear text proves nothing here, whatever it says.
                event.content.clear();
            }
            return Ok(event);
        }
        match self.machine.unseal(room, raw, Devices::Signed).await {
            Ok(Some((event_type, content))) => {
                event.event_type = event_type;
                event.content =
                    serde_json::from_str(content.get()).map_err(|error| malformed(&error))?;
                Ok(event)
            }
            // Without a key, damaged, or of a sender who is not believed: a difference, and no
            // reason to stop.
            Ok(None) | Err(MatrixError::Crypto { .. }) => Ok(event),
            Err(error) => Err(error.into()),
        }
    }
}

/// An event as the homeserver tells it.
pub(super) fn parse(raw: &RawValue) -> Result<RoomEvent, ImportError> {
    serde_json::from_str(raw.get()).map_err(|error| malformed(&error).into())
}

fn malformed(error: &serde_json::Error) -> MatrixError {
    MatrixError::Malformed { endpoint: "GET messages".to_owned(), reason: error.to_string() }
}
