//! Takes an import back: every event redacted, our accounts gone, the people told.

use ruma::OwnedEventId;

use super::error::ImportError;
use super::job::Job;
use crate::model::ids::Sha256;
use crate::portal::Portals;
use crate::store::{PartState, PortalState};

/// Redacts everything a job sent, then leaves its room. Can be interrupted and repeated.
/// Returns how many events it redacted, none when it was done before.
///
/// Human owners stay; they are asked to close the room.
///
/// # Errors
/// When the homeserver cannot be reached or our records fail.
pub async fn undo(job: &Job, portals: &Portals, reason: &str) -> Result<u64, ImportError> {
    let Some(mut record) = portals.store().portal(&job.record().portal)? else { return Ok(0) };
    let Some(room) = record.room_id.clone() else { return Ok(0) };
    if record.state == PortalState::Closed {
        return Ok(0);
    }
    let bot = portals.bot();
    let mut redacted = 0;
    let mut senders = std::collections::BTreeSet::new();
    for row in portals.store().ledger_rows(&record.id).collect::<Vec<_>>() {
        let row = row?;
        senders.insert(row.sender);
        if let PartState::Sent { event_id } = row.state {
            bot.redact(&room, &event_id, &redaction_id(&event_id), reason).await?;
            redacted += 1;
        }
    }
    for member in bot.joined_members(&room).await? {
        if senders.contains(&member) && member != *bot.user_id() {
            portals.intent(&member).leave(&room).await?;
        }
    }
    // The human owner has had power level 100 from the first moment, so the bot is never the
    // last administrator when it goes. Outside the room it could do nothing of this again, so
    // that it is done is on disk first.
    record.state = PortalState::Closed;
    portals.store().put_portal(&record)?;
    portals.store().flush().await?;
    bot.leave(&room).await?;
    Ok(redacted)
}

fn redaction_id(event: &OwnedEventId) -> String {
    use sha2::Digest;
    format!("undo-{}", Sha256::from_bytes(sha2::Sha256::digest(event.as_bytes()).into()))
}
