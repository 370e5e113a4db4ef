//! Takes an import back: every event redacted, our accounts gone, the people told.

use ruma::OwnedEventId;

use super::error::ImportError;
use super::job::Job;
use super::settings::Witness;
use crate::matrix::MatrixError;
use crate::model::ids::Sha256;
use crate::portal::{PortalError, Portals};
use crate::store::{PartState, PortalRecord, PortalState};

/// What taking back came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// Events that are redacted.
    pub redacted: u64,
    /// Events the homeserver does not let us redact: the owners have put us out of their room.
    pub out_of_reach: u64,
    /// Whether the bot had to stay, as the last administrator of people who are in the room.
    pub bot_stays: bool,
    /// Keys of our sessions in the room that were forgotten.
    pub keys_forgotten: u64,
}

/// Redacts everything a job sent, then leaves its room with all our accounts. Can be interrupted
/// and repeated; does nothing when it was done before. Uploaded files stay with the homeserver,
/// which alone can delete them.
///
/// The keys of an encrypted room are forgotten: nobody can be given what was taken back.
///
/// Human owners stay; they are asked to close the room.
///
/// # Errors
/// When the homeserver cannot be reached or our records fail.
pub async fn undo(
    job: &Job,
    portals: &Portals,
    witness: Option<&Witness>,
    reason: &str,
) -> Result<Undone, ImportError> {
    let mut undone = Undone::default();
    let Some(record) = portals.store().portal(&job.record().portal)? else {
        return Ok(undone);
    };
    if record.state == PortalState::Closed {
        return Ok(undone);
    }
    let room = match record.room_id.clone() {
        Some(room) => room,
        // Asked for and never recorded: it may be there all the same.
        None => match portals.find_room(&record.id).await? {
            Some(room) => room,
            None => return close(portals, record).await.map(|()| undone),
        },
    };
    for row in portals.store().ledger_rows(&record.id).collect::<Vec<_>>() {
        let row = row?;
        let PartState::Sent { event_id } = row.state else { continue };
        // Everybody may take back their own words; that needs no power in the room.
        let txn_id = redaction_id(&event_id);
        let own = portals.intent(&row.sender).redact(&room, &event_id, &txn_id, reason).await;
        let done = match own {
            Err(MatrixError::Refused { .. }) => {
                portals.bot().redact(&room, &event_id, &txn_id, reason).await
            }
            other => other,
        };
        match done {
            Ok(()) => undone.redacted += 1,
            Err(MatrixError::Refused { .. }) => undone.out_of_reach += 1,
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(space) = job.plan().room.space() {
        portals.take_out_of_space(&room, &space).await?;
    }
    let bot = portals.bot();
    match bot.joined_members(&room).await {
        Ok(members) => {
            for member in members {
                if portals.namer().is_ours(&member) && member != *bot.user_id() {
                    portals.intent(&member).leave(&room).await?;
                }
            }
        }
        // The owners have put the bot out; then its ghosts are theirs to put out, too.
        Err(MatrixError::Refused { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    if let Some(witness) = witness {
        witness.account.leave(&room).await?;
    }
    undone.keys_forgotten = portals.store().forget_sessions(&room)? as u64;
    // Outside the room it could do nothing of this again, so that it is done is on disk first.
    close(portals, record).await?;
    match portals.leave_room(&room).await {
        Ok(()) | Err(PortalError::Matrix(MatrixError::Refused { .. })) => {}
        Err(PortalError::LastAdmin) => undone.bot_stays = true,
        Err(error) => return Err(error.into()),
    }
    Ok(undone)
}

async fn close(portals: &Portals, mut record: PortalRecord) -> Result<(), ImportError> {
    record.state = PortalState::Closed;
    portals.store().put_portal(&record)?;
    Ok(portals.store().flush().await?)
}

fn redaction_id(event: &OwnedEventId) -> String {
    use sha2::Digest;
    format!("undo-{}", Sha256::from_bytes(sha2::Sha256::digest(event.as_bytes()).into()))
}
