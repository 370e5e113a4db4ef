//! What the one door does with a message: converted, intended, flushed, sent, recorded, in this
//! order, once. `ahead` has the door itself and the flush.

use std::collections::{BTreeMap, BTreeSet};

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, event_id};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use sha2::{Digest, Sha256};

use super::error::PortalError;
use super::mark::{Doubtful, Mark, Provenance};
use super::room::Portals;
use super::roster::Roster;
use super::seal::{Cipher, ENCRYPTED};
use crate::convert::{self, Converted, Part, Policy, Resolved, Speaker, Upload};
use crate::matrix::{MatrixError, Outgoing};
use crate::model::finding::Finding;
use crate::model::ids::MessageId;
use crate::model::message::Message;
use crate::store::{LedgerRow, MessageRow, PartKey, PartState};

/// A portal that is ready to take deliveries. One worker at a time holds it.
pub struct Portal {
    portals: Portals,
    id: String,
    room: OwnedRoomId,
    cipher: Cipher,
    roster: Roster,
    policy: Policy,
    provenance: Provenance,
    refusals: Refusals,
}

/// What a refusal by the homeserver of one event means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusals {
    /// Nothing more is sent: what comes after it would stand in the wrong place once it is mended.
    #[default]
    Stop,
    /// The event is given up and reported, and the rest goes on.
    Report,
}

/// One thing to put into the room.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its place in the order of the chat, from 0.
    pub ordinal: u64,
    /// The message.
    pub message: Message,
    /// The uploads of its files, by container entry.
    pub uploads: BTreeMap<String, Upload>,
}

impl Portal {
    /// A portal whose room exists, is written to as `cipher` says, and has its people in it.
    pub fn new(
        portals: Portals,
        id: String,
        (room, cipher): (OwnedRoomId, Cipher),
        roster: Roster,
        policy: Policy,
        provenance: Provenance,
        refusals: Refusals,
    ) -> Self {
        Self { portals, id, room, cipher, roster, policy, provenance, refusals }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its room.
    pub fn room(&self) -> &OwnedRoomId {
        &self.room
    }

    /// How its room is written to.
    pub fn cipher(&self) -> &Cipher {
        &self.cipher
    }

    /// The ghosts of everybody in it.
    pub fn people(&self) -> BTreeSet<OwnedUserId> {
        self.roster.people().map(|person| person.ghost.clone()).collect()
    }

    /// What is shared by all portals.
    pub fn portals(&self) -> &Portals {
        &self.portals
    }

    /// The job and archive its events are marked with.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// Whether a message needs nothing more.
    ///
    /// # Errors
    /// When the store fails.
    pub fn is_delivered(&self, message: &MessageId) -> Result<bool, PortalError> {
        let row = self.portals.store().message_row(&self.id, message)?;
        if !row.complete {
            return Ok(false);
        }
        for part in 0..row.parts {
            let known = self.portals.store().ledger_row(&self.key(message, part))?;
            if known.is_none_or(|row| row.state == PartState::Intended) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Converts a message, encrypts it if the room asks, and writes its rows, unless they stand
    /// already.
    pub(super) async fn prepare(&self, delivery: Delivery) -> Result<Prepared, PortalError> {
        let Delivery { ordinal, message, uploads } = delivery;
        let Converted { parts, .. } =
            self.resolve(&uploads, |resolved| convert::parts(&message, resolved, &self.policy));
        let later = self.resolve(&uploads, |resolved| {
            // Any id serves to see whether something follows.
            let stand_in = event_id!("$stand-in");
            convert::followups(&message, stand_in, &[stand_in.to_owned()], resolved, &self.policy)
        });
        let store = self.portals.store();
        let known = store.message_row(&self.id, &message.id)?;
        let mut rows = Vec::with_capacity(parts.len());
        if known == MessageRow::default() {
            for part in parts {
                rows.push(self.seal_row(self.row(ordinal, &message.id, part)?).await?);
            }
            let total = MessageRow {
                parts: rows.len().try_into().unwrap_or(u16::MAX),
                complete: later.parts.is_empty(),
            };
            store.intend(&self.id, &message.id, &rows, &total)?;
        } else {
            // Written before a crash: these bytes, not new ones, are what may stand in the room.
            for part in 0..known.parts {
                rows.extend(store.ledger_row(&self.key(&message.id, part))?);
            }
        }
        let followups = if later.parts.is_empty() || known.complete {
            Followups::None
        } else {
            Followups::Wanted
        };
        Ok(Prepared { ordinal, message, uploads, rows, followups })
    }

    /// Sends what is not sent yet of one message, then what needs its event ids.
    pub(super) async fn send(&self, prepared: Prepared) -> Result<(), PortalError> {
        let Prepared { ordinal, message, uploads, rows, followups } = prepared;
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            events.extend(self.send_row(row).await?);
        }
        if let (Followups::Wanted, Some(first)) = (followups, events.first()) {
            let converted = self.resolve(&uploads, |resolved| {
                convert::followups(&message, first, &events, resolved, &self.policy)
            });
            let mut rows = Vec::with_capacity(converted.parts.len());
            for part in converted.parts {
                rows.push(self.seal_row(self.row(ordinal, &message.id, part)?).await?);
            }
            let parts = rows.last().map_or(events.len(), |row| usize::from(row.part) + 1);
            let total = MessageRow { parts: parts.try_into().unwrap_or(u16::MAX), complete: true };
            self.portals.store().intend(&self.id, &message.id, &rows, &total)?;
            self.portals.store().flush().await?;
            for row in rows {
                self.send_row(row).await?;
            }
        }
        Ok(())
    }

    /// Sends one row unless it is settled. `None` is a refusal, which its row then holds.
    async fn send_row(&self, mut row: LedgerRow) -> Result<Option<OwnedEventId>, PortalError> {
        match row.state {
            PartState::Sent { event_id } => return Ok(Some(event_id)),
            PartState::Refused { .. } => return Ok(None),
            PartState::Intended => {}
        }
        if self.cipher.is_encrypted() && row.event_type != ENCRYPTED {
            return Err(PortalError::ClearText);
        }
        let txn_id = transaction_id(&self.id, &row.message, row.part);
        let outgoing = Outgoing {
            event_type: &row.event_type,
            content: &row.content,
            txn_id: &txn_id,
            at: Some(row.at),
        };
        let answer = self.portals.intent(&row.sender).send(&self.room, outgoing).await;
        let sent = match answer {
            Ok(event_id) => {
                row.state = PartState::Sent { event_id: event_id.clone() };
                Some(event_id)
            }
            Err(MatrixError::Refused { status, errcode, message, .. })
                if self.refusals == Refusals::Report && is_final(&errcode) =>
            {
                let reason = format!("{status} {errcode} {message}");
                row.state = PartState::Refused { reason };
                None
            }
            Err(error) => return Err(error.into()),
        };
        self.portals.store().settle(&self.id, &row)?;
        Ok(sent)
    }

    /// The row as it goes into the room. In an encrypted one it says outside of its ciphertext
    /// only which transaction it was, so that a doubt can be settled without any key.
    async fn seal_row(&self, mut row: LedgerRow) -> Result<LedgerRow, PortalError> {
        let Cipher::Encrypted { readers } = &self.cipher else { return Ok(row) };
        let clear = (row.event_type.as_str(), row.content.as_ref());
        // On the heap: the library's futures are large, and this one lies inside all of an import.
        let sealed = Box::pin(self.portals.seal(&self.room, &row.sender, clear, readers)).await?;
        let txn_id = transaction_id(&self.id, &row.message, row.part);
        row.content = Doubtful::mark(&sealed, &txn_id)
            .map_err(|error| MatrixError::Request { reason: error.to_string() })?;
        ENCRYPTED.clone_into(&mut row.event_type);
        Ok(row)
    }

    /// What [`Portal::deliver`] would put into the room for a message that is delivered: the
    /// same rows, made anew from the message, with what was lost. Verification compares the
    /// room with these, not with what the ledger remembers.
    ///
    /// # Errors
    /// When the store fails or nobody stands for a participant.
    pub fn expected(
        &self,
        delivery: &Delivery,
    ) -> Result<(Vec<LedgerRow>, Vec<Finding>), PortalError> {
        let Delivery { ordinal, message, uploads } = delivery;
        let converted = self.resolve(uploads, |r| convert::parts(message, r, &self.policy));
        let Converted { mut parts, mut losses } = converted;
        let mut events = Vec::with_capacity(parts.len());
        for part in &parts {
            if let Some(PartState::Sent { event_id }) = self.part_state(&message.id, part.index)? {
                events.push(event_id);
            }
        }
        if let Some(first) = events.first() {
            let later = self
                .resolve(uploads, |r| convert::followups(message, first, &events, r, &self.policy));
            parts.extend(later.parts);
            losses.extend(later.losses);
        }
        let rows = parts
            .into_iter()
            .map(|part| self.row(*ordinal, &message.id, part))
            .collect::<Result<_, _>>()?;
        Ok((rows, losses))
    }

    /// How the ledger says a part ended.
    ///
    /// # Errors
    /// When the store fails.
    pub fn part_state(
        &self,
        message: &MessageId,
        part: u16,
    ) -> Result<Option<PartState>, PortalError> {
        Ok(self.portals.store().ledger_row(&self.key(message, part))?.map(|row| row.state))
    }

    fn row(&self, ordinal: u64, message: &MessageId, part: Part) -> Result<LedgerRow, PortalError> {
        let Part { index, speaker, at, event_type, mut content } = part;
        let sender: OwnedUserId = match speaker {
            Speaker::Bot => self.portals.bot().user_id().to_owned(),
            Speaker::Ghost(participant) => match self.roster.person(&participant) {
                Some(person) => person.ghost.clone(),
                None => return Err(PortalError::NobodyFor { participant }),
            },
        };
        let Provenance { job, archive } = &self.provenance;
        Mark { job: job.clone(), archive: *archive, message: message.clone(), part: index }
            .put(&mut content);
        let content: Box<RawValue> = to_raw_value(&content)
            .map_err(|error| MatrixError::Request { reason: error.to_string() })?;
        Ok(LedgerRow {
            message: message.clone(),
            part: index,
            ordinal,
            sender,
            at,
            event_type,
            content,
            state: PartState::Intended,
        })
    }

    fn resolve<T>(
        &self,
        uploads: &BTreeMap<String, Upload>,
        convert: impl FnOnce(&Resolved<'_>) -> T,
    ) -> T {
        let resolved = Resolved {
            person: &|participant| self.roster.person(participant).cloned(),
            event: &|message| self.first_event(message),
            upload: &|entry| uploads.get(entry).cloned(),
        };
        convert(&resolved)
    }

    /// The first event of a message that is in the room.
    fn first_event(&self, message: &MessageId) -> Option<OwnedEventId> {
        let row = self.portals.store().ledger_row(&self.key(message, 0)).ok().flatten()?;
        match row.state {
            PartState::Sent { event_id } => Some(event_id),
            PartState::Intended | PartState::Refused { .. } => None,
        }
    }

    pub(super) fn key(&self, message: &MessageId, part: u16) -> PartKey {
        PartKey { portal: self.id.clone(), message: message.clone(), part }
    }
}

/// A message whose rows are written. Nothing of it may be sent before the next flush.
pub(super) struct Prepared {
    ordinal: u64,
    message: Message,
    uploads: BTreeMap<String, Upload>,
    rows: Vec<LedgerRow>,
    followups: Followups,
}

enum Followups {
    None,
    Wanted,
}

/// Whether a refusal concerns this event alone, so that the rest can go on without it. Only the
/// homeserver's own word counts: something before it may answer 413 to everything.
fn is_final(errcode: &str) -> bool {
    matches!(errcode, "M_TOO_LARGE" | "M_BAD_JSON" | "M_INVALID_PARAM")
}

/// The same for every attempt at the same part, and never shared with another: Synapse does not
/// keep the ids of different senders of one service apart.
pub(super) fn transaction_id(portal: &str, message: &MessageId, part: u16) -> String {
    let mut hash = Sha256::new();
    for piece in [portal.as_bytes(), message.as_str().as_bytes(), &part.to_be_bytes()] {
        hash.update((piece.len() as u64).to_be_bytes());
        hash.update(piece);
    }
    let digest = hex::encode(hash.finalize());
    format!("p{}", digest.get(..40).unwrap_or(&digest))
}
