//! What the homeserver pushed and has not been handled yet.

use std::sync::PoisonError;

use ruma::EventId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::database::{Store, StoreError, apply, decode, encode};

/// One piece of a transaction, as it came.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InboxRow {
    /// The event.
    pub event: Box<RawValue>,
}

/// Whether something was new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It was.
    New,
    /// It had come before.
    Repeated,
}

impl Store {
    /// Takes an event in, once per event id. Not on disk before the next flush.
    ///
    /// # Errors
    /// When the store fails.
    pub fn take_in(&self, id: &EventId, row: &InboxRow) -> Result<Stored, StoreError> {
        // Transactions and reading-up come on two tasks, and a number must not be given twice.
        let _turn = self.inbox_turn.lock().unwrap_or_else(PoisonError::into_inner);
        if self.seen_events.contains_key(id.as_bytes())? {
            return Ok(Stored::Repeated);
        }
        let number = self.inbox_number()?;
        let mut batch = sled::Batch::default();
        batch.insert(&number.to_be_bytes(), encode(row));
        // The inbox first: a crash between the two repeats an event, which its handler can
        // bear; the other order would lose one.
        apply(&self.inbox, &number.to_be_bytes(), batch)?;
        self.seen_events.insert(id.as_bytes(), &[])?;
        Ok(Stored::New)
    }

    /// The oldest unhandled piece and its number.
    ///
    /// # Errors
    /// When the store fails.
    pub fn inbox_first(&self) -> Result<Option<(u64, InboxRow)>, StoreError> {
        let Some((key, value)) = self.inbox.first()? else {
            return Ok(None);
        };
        let number = key.as_ref().try_into().map_or(0, u64::from_be_bytes);
        Ok(Some((number, decode(&self.inbox, &value)?)))
    }

    /// Forgets a handled piece.
    ///
    /// # Errors
    /// When the store fails.
    pub fn inbox_done(&self, number: u64) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        batch.remove(&number.to_be_bytes());
        apply(&self.inbox, b"done", batch)
    }

    /// How many pieces wait.
    pub fn inbox_len(&self) -> usize {
        self.inbox.len()
    }

    fn inbox_number(&self) -> Result<u64, StoreError> {
        let last = self
            .inbox
            .last()?
            .map_or(0, |(key, _)| key.as_ref().try_into().map_or(0, u64::from_be_bytes));
        Ok(last + 1)
    }
}

#[cfg(test)]
mod tests {
    use ruma::event_id;

    use super::*;

    #[test]
    fn an_event_is_taken_in_once_and_kept_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let row = |text: &str| InboxRow { event: RawValue::from_string(text.to_owned()).unwrap() };
        assert_eq!(store.take_in(event_id!("$a"), &row("1")).unwrap(), Stored::New);
        assert_eq!(store.take_in(event_id!("$b"), &row("2")).unwrap(), Stored::New);
        assert_eq!(store.take_in(event_id!("$a"), &row("1")).unwrap(), Stored::Repeated);
        let (number, first) = store.inbox_first().unwrap().unwrap();
        assert_eq!(first.event.get(), "1");
        store.inbox_done(number).unwrap();
        assert_eq!(store.inbox_first().unwrap().unwrap().1.event.get(), "2");
        assert_eq!(store.inbox_len(), 1);
    }
}
