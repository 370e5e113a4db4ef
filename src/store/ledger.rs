//! What was intended and what was sent: one row for each event. What was verified is in the
//! report, which is made from the room and not from here.

use ruma::{OwnedEventId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::database::{Store, StoreError, apply, decode, encode, get};
use crate::model::ids::MessageId;
use crate::model::time::UnixMillis;

/// Which part of which message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartKey {
    /// The portal's id.
    pub portal: String,
    /// The message.
    pub message: MessageId,
    /// From 0.
    pub part: u16,
}

/// One event, from intention to verification.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LedgerRow {
    /// The message.
    pub message: MessageId,
    /// Which part of it.
    pub part: u16,
    /// The message's place in the order of the chat, from 0: rows are sent in this order.
    pub ordinal: u64,
    /// Who sends it.
    pub sender: OwnedUserId,
    /// Its `origin_server_ts`.
    pub at: UnixMillis,
    /// Its event type.
    pub event_type: String,
    /// Its exact content: these bytes are sent, and sent again after a doubt. `null` once it is
    /// known to be sent.
    pub content: Box<RawValue>,
    /// How far it has come.
    pub state: PartState,
}

/// How far an event has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum PartState {
    /// It may have been sent.
    Intended,
    /// The homeserver gave it this id.
    Sent {
        /// The event.
        event_id: OwnedEventId,
    },
    /// The homeserver refused it for good.
    Refused {
        /// Its reason.
        reason: String,
    },
}

/// What became of a message as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRow {
    /// How many rows it has; they are numbered from 0.
    pub parts: u16,
    /// Whether rows that need its own event ids (reactions, edits) are among them, or there are
    /// none to come.
    pub complete: bool,
}

impl PartKey {
    fn encode(&self, prefix: u8) -> Vec<u8> {
        let mut key = message_key(prefix, &self.portal, &self.message);
        key.push(0);
        key.extend_from_slice(&self.part.to_be_bytes());
        key
    }
}

fn portal_prefix(prefix: u8, portal: &str) -> Vec<u8> {
    let mut key = vec![prefix];
    key.extend_from_slice(portal.as_bytes());
    key.push(0);
    key
}

fn message_key(prefix: u8, portal: &str, message: &MessageId) -> Vec<u8> {
    let mut key = portal_prefix(prefix, portal);
    key.extend_from_slice(message.as_str().as_bytes());
    key
}

impl Store {
    /// One row.
    ///
    /// # Errors
    /// When the store fails.
    pub fn ledger_row(&self, key: &PartKey) -> Result<Option<LedgerRow>, StoreError> {
        get(&self.ledger, &key.encode(b'r'))
    }

    /// What became of a message; the default when nothing was intended for it yet.
    ///
    /// # Errors
    /// When the store fails.
    pub fn message_row(&self, portal: &str, message: &MessageId) -> Result<MessageRow, StoreError> {
        Ok(get(&self.ledger, &message_key(b'm', portal, message))?.unwrap_or_default())
    }

    /// Writes what is about to be sent for one message, all rows or none. The caller flushes
    /// before it sends.
    ///
    /// # Errors
    /// When the store fails.
    pub fn intend(
        &self,
        portal: &str,
        message: &MessageId,
        rows: &[LedgerRow],
        total: &MessageRow,
    ) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        for row in rows {
            let key =
                PartKey { portal: portal.to_owned(), message: message.clone(), part: row.part };
            batch.insert(key.encode(b'r'), encode(row));
            batch.insert(key.encode(b'p'), &[]);
        }
        let key = message_key(b'm', portal, message);
        batch.insert(key.as_slice(), encode(total));
        apply(&self.ledger, &key, batch)
    }

    /// Records how a row ended.
    ///
    /// # Errors
    /// When the store fails.
    pub fn settle(&self, portal: &str, row: &LedgerRow) -> Result<(), StoreError> {
        let key =
            PartKey { portal: portal.to_owned(), message: row.message.clone(), part: row.part };
        let mut batch = sled::Batch::default();
        let mut row = row.clone();
        if let PartState::Sent { .. } = row.state {
            // What is in the room need not lie here, too: these are other people's words.
            row.content = RawValue::NULL.to_owned();
        }
        batch.insert(key.encode(b'r'), encode(&row));
        match row.state {
            PartState::Intended => batch.insert(key.encode(b'p'), &[]),
            PartState::Sent { .. } | PartState::Refused { .. } => batch.remove(key.encode(b'p')),
        }
        apply(&self.ledger, &key.encode(b'r'), batch)
    }

    /// Rows of a portal that were intended and are not known to have been sent, in sending order.
    ///
    /// # Errors
    /// When the store fails.
    pub fn doubts(&self, portal: &str) -> Result<Vec<LedgerRow>, StoreError> {
        let mut rows: Vec<LedgerRow> = Vec::new();
        for key in self.ledger.scan_prefix(portal_prefix(b'p', portal)).keys() {
            let mut key = key?.to_vec();
            if let Some(first) = key.first_mut() {
                *first = b'r';
            }
            rows.extend(get::<LedgerRow>(&self.ledger, &key)?);
        }
        rows.sort_by_key(|row| (row.ordinal, row.part));
        Ok(rows)
    }

    /// Every part of a portal that has a row, in no useful order.
    ///
    /// # Errors
    /// Each item, when the store fails.
    pub fn part_keys(
        &self,
        portal: &str,
    ) -> impl Iterator<Item = Result<(MessageId, u16), StoreError>> + '_ {
        let prefix = portal_prefix(b'r', portal);
        let start = prefix.len();
        self.ledger.scan_prefix(prefix).keys().map(move |key| {
            let key = key?;
            let rest = key.get(start..).unwrap_or_default();
            let (message, part) = rest.split_at(rest.len().saturating_sub(3));
            let message = MessageId::new(String::from_utf8_lossy(message));
            let part = part.get(1..).and_then(|part| part.try_into().ok());
            Ok((message, part.map_or(0, u16::from_be_bytes)))
        })
    }

    /// Every row of a portal, in no useful order.
    ///
    /// # Errors
    /// Each item, when the store fails.
    pub fn ledger_rows(
        &self,
        portal: &str,
    ) -> impl Iterator<Item = Result<LedgerRow, StoreError>> + '_ {
        self.ledger
            .scan_prefix(portal_prefix(b'r', portal))
            .values()
            .map(|value| decode(&self.ledger, &value?))
    }
}

#[cfg(test)]
mod tests {
    use ruma::{owned_event_id, owned_user_id};

    use super::*;

    fn row(message: &str, ordinal: u64) -> LedgerRow {
        LedgerRow {
            message: MessageId::new(message),
            part: 0,
            ordinal,
            sender: owned_user_id!("@_passerelle_x:tchap.test"),
            at: UnixMillis(1),
            event_type: "m.room.message".to_owned(),
            content: RawValue::from_string("{\"body\":\"x\"}".to_owned()).unwrap(),
            state: PartState::Intended,
        }
    }

    #[test]
    fn doubts_come_in_sending_order_and_go_when_settled() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let whole = MessageRow { parts: 1, complete: true };
        for (message, ordinal) in [("z", 0), ("a", 1)] {
            let row = row(message, ordinal);
            store.intend("p", &row.message, std::slice::from_ref(&row), &whole).unwrap();
        }
        store.intend("q", &MessageId::new("b"), &[row("b", 0)], &whole).unwrap();
        let doubts = store.doubts("p").unwrap();
        let order: Vec<&str> = doubts.iter().map(|row| row.message.as_str()).collect();
        assert_eq!(order, ["z", "a"]);
        let mut sent = row("z", 0);
        sent.state = PartState::Sent { event_id: owned_event_id!("$e") };
        store.settle("p", &sent).unwrap();
        assert_eq!(store.doubts("p").unwrap().len(), 1);
        assert_eq!(store.ledger_rows("p").count(), 2);
        let keys: Vec<_> = store.part_keys("p").map(Result::unwrap).collect();
        assert_eq!(keys, [(MessageId::new("a"), 0), (MessageId::new("z"), 0)]);
    }
}
