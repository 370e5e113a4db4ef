//! Derived ids rest on the minute; this is for messages that two exports put into different ones.
//!
//! An iPhone's seconds may differ by one between two exports of one message (sub-second
//! rounding), and in the autumn hour that comes twice each export has its own evidence for the
//! pass. Such messages get a second key: equal for both, and used only where the first finds no
//! partner and exactly two exports have exactly one candidate each.

use sha2::{Digest as _, Sha256};

use super::spill::{Key, shortened};
use crate::model::message::Message;
use crate::model::time::{Precision, ZoneBasis};

/// Seconds on either side of a minute's border that may be the same moment.
const BORDER_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60_000;

/// The second key of a message, if its minute is in doubt.
pub(super) fn key(message: &Message) -> Option<Key> {
    let sent_at = &message.sent_at;
    let moment = match (sent_at.zone, sent_at.precision) {
        (ZoneBasis::AssumedAmbiguous, _) => sent_at.local.as_deref()?.get(..16)?.to_owned(),
        (_, Precision::Second) => {
            let into = sent_at.at.0.rem_euclid(MINUTE_MS);
            if (BORDER_MS..MINUTE_MS - BORDER_MS).contains(&into) {
                return None;
            }
            ((sent_at.at.0 + MINUTE_MS / 2) / MINUTE_MS).to_string()
        }
        (_, Precision::Day | Precision::Minute | Precision::Millisecond) => return None,
    };
    let words = message.body.words().map_or("", |text| text.plain.as_str());
    let mut digest = Sha256::new();
    for part in [moment.as_str(), message.body.kind(), words] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    Some(shortened(&digest.finalize()))
}
