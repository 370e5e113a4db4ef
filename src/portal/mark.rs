//! The provenance mark: every event we import says, for machines, what it is a copy of.
//!
//! Imported words are a claim of whoever made the export. The mark keeps that claim apart from
//! what people write themselves, and lets a doubt be settled by looking into the room.

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};

use crate::model::ids::{MessageId, Sha256};

/// The key of the mark in an event's content.
pub const MARK: &str = "fr.passerelle.import";

/// The key of the mark outside of a ciphertext.
const SEALED_MARK: &str = "fr.passerelle.part";

/// The mark of an event whose content is encrypted: its transaction id, which says nothing to
/// anybody but us. The whole mark is inside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubtful;

impl Doubtful {
    /// Writes the transaction id beside a ciphertext.
    pub fn mark(sealed: &RawValue, txn_id: &str) -> Result<Box<RawValue>, serde_json::Error> {
        let mut content: Map<String, Value> = serde_json::from_str(sealed.get())?;
        content.insert(SEALED_MARK.to_owned(), Value::from(txn_id));
        to_raw_value(&content)
    }

    /// The transaction id beside a ciphertext.
    pub fn of(content: &Map<String, Value>) -> Option<&str> {
        content.get(SEALED_MARK).and_then(Value::as_str)
    }
}

/// What all marks of one job share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The job.
    pub job: String,
    /// Digest of the archive.
    pub archive: Sha256,
}

/// One event's mark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The job.
    pub job: String,
    /// Digest of the archive.
    pub archive: Sha256,
    /// The message.
    pub message: MessageId,
    /// Which part of it, from 0.
    pub part: u16,
}

impl Mark {
    /// Writes the mark into a content.
    pub fn put(&self, content: &mut Map<String, Value>) {
        let Self { job, archive, message, part } = self;
        let value = json!({ "job": job, "archive": archive, "message": message, "part": part });
        content.insert(MARK.to_owned(), value);
    }

    /// Reads the mark of a content, if it has a readable one.
    pub fn of(content: &Map<String, Value>) -> Option<Self> {
        content.get(MARK).and_then(|value| Self::deserialize(value).ok())
    }
}
