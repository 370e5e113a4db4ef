//! After a crash: which of the events we meant to send are in the room?

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::deliver::{Portal, transaction_id};
use super::error::PortalError;
use super::mark::{Doubtful, Mark};
use super::seal::Cipher;
use crate::model::ids::MessageId;
use crate::store::{LedgerRow, PartState};

/// Marks unknown to the ledger after which we stop looking: the case is clear.
const CLEARLY_BEHIND: usize = 3;

/// How doubts were settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Found in the room, and recorded as sent.
    pub found: usize,
    /// Not in the room; they will be sent.
    pub open: usize,
}

impl Portal {
    /// Walks the room's tail backwards until every doubt is settled, or until an event that the
    /// ledger knows to be sent and that is older than every doubt.
    ///
    /// Rows are sent in order, one at a time, so whatever is in the room of the doubtful rows
    /// stands after everything that is known to be sent.
    ///
    /// # Errors
    /// When the room holds marks that the ledger has never heard of, or the homeserver cannot
    /// be reached.
    pub async fn settle_doubts(&self) -> Result<Settled, PortalError> {
        let store = self.portals().store();
        let mut doubts: HashMap<(MessageId, u16), LedgerRow> = store
            .doubts(self.id())?
            .into_iter()
            .map(|row| ((row.message.clone(), row.part), row))
            .collect();
        let parts = match self.cipher() {
            Cipher::Clear => HashMap::new(),
            Cipher::Encrypted { .. } => self.parts_by_transaction()?,
        };
        let mut settled = Settled::default();
        let mut unknown = 0;
        let bot = self.portals().bot();
        let mut from = None;
        'pages: loop {
            let page = bot.page_back(self.room(), from).await?;
            for event in page.events {
                let Some(key) = self.part_of(&event.content, &parts) else { continue };
                if let Some(mut row) = doubts.remove(&key) {
                    row.state = PartState::Sent { event_id: event.event_id };
                    store.settle(self.id(), &row)?;
                    settled.found += 1;
                } else if store.ledger_row(&self.key(&key.0, key.1))?.is_some() {
                    break 'pages;
                } else {
                    unknown += 1;
                    if unknown >= CLEARLY_BEHIND {
                        break 'pages;
                    }
                }
            }
            match page.next {
                Some(next) => from = Some(next),
                None => break,
            }
        }
        if unknown > 0 {
            return Err(PortalError::StoreBehindRoom { unknown });
        }
        settled.open = doubts.len();
        store.flush().await?;
        Ok(settled)
    }

    /// Which part of which message an event of the room is, if it is one of this job's. In an
    /// encrypted room, a transaction id that the ledger does not know is told as such.
    fn part_of(
        &self,
        content: &Map<String, Value>,
        parts: &HashMap<String, (MessageId, u16)>,
    ) -> Option<(MessageId, u16)> {
        match self.cipher() {
            Cipher::Clear => Mark::of(content)
                .filter(|mark| mark.job == self.provenance().job)
                .map(|mark| (mark.message, mark.part)),
            Cipher::Encrypted { .. } => Doubtful::of(content).map(|txn_id| {
                let unknown = || (MessageId::new(format!("transaction {txn_id}")), 0);
                parts.get(txn_id).cloned().unwrap_or_else(unknown)
            }),
        }
    }

    /// Every part the ledger knows, by its transaction id.
    fn parts_by_transaction(&self) -> Result<HashMap<String, (MessageId, u16)>, PortalError> {
        let mut parts = HashMap::new();
        for key in self.portals().store().part_keys(self.id()) {
            let (message, part) = key?;
            parts.insert(transaction_id(self.id(), &message, part), (message, part));
        }
        Ok(parts)
    }
}
