//! The retention canary: before the first message, is something this old visible to a member?

use std::collections::BTreeSet;

use ruma::OwnedUserId;
use serde_json::value::to_raw_value;

use super::error::ImportError;
use super::settings::{Settings, Witness};
use crate::matrix::RoomWish;
use crate::model::time::UnixMillis;
use crate::portal::{Cipher, PortalError, Portals, is_heard};
use crate::store::{PortalRecord, PortalState};

/// Sends one event of the archive's oldest date as a ghost into a throw-away room like the one
/// that is to be made, and reads it as the witness.
///
/// # Errors
/// When the witness cannot see it, or the homeserver cannot be reached.
pub(super) async fn sing(
    portals: &Portals,
    settings: &Settings,
    witness: &Witness,
    record: &PortalRecord,
    wish: RoomWish,
    ghost: (&OwnedUserId, &str),
    oldest: UnixMillis,
) -> Result<(), ImportError> {
    let id = format!("canary-{}", record.id);
    let mut throw_away = match portals.store().portal(&id)? {
        Some(known) if known.state == PortalState::Closed => return Ok(()),
        Some(known) => known,
        None => PortalRecord {
            id: id.clone(),
            network: record.network,
            chat: record.chat.clone(),
            room_id: None,
            state: PortalState::Creating,
        },
    };
    let wish = RoomWish { name: settings.canary_room_name.clone(), portal: id.clone(), ..wish };
    let room = portals.ensure_room(&mut throw_away, &wish).await?;
    let bot = portals.bot();
    let (ghost_id, ghost_name) = ghost;
    let ghost = portals.admit(&room, ghost_id, ghost_name).await?;
    bot.invite(&room, &witness.user).await?;
    witness.account.join(&room).await?;
    let txn_id = format!("{id}-{}", oldest.0);
    let text = &settings.canary_text;
    let heard = match portals.cipher(&room, BTreeSet::new()).await? {
        Cipher::Clear => is_heard(&room, &ghost, &witness.account, text, &txn_id, oldest).await?,
        Cipher::Encrypted { .. } => {
            let content = to_raw_value(&serde_json::json!({
                "msgtype": "m.notice",
                "body": text,
                "m.mentions": {},
            }))
            .map_err(|error| ImportError::Task { reason: error.to_string() })?;
            let event = portals.say(&room, ghost_id, (&content, Some(oldest)), &txn_id).await?;
            let seen = witness.account.event(&room, &event).await?;
            seen.is_some_and(|seen| seen.origin_server_ts == oldest.0.max(0))
        }
    };
    witness.account.leave(&room).await?;
    ghost.leave(&room).await?;
    if !heard {
        // The room stays for the next try: ensure_room finds it again.
        return Err(PortalError::Retention { date: oldest.to_string() }.into());
    }
    portals.store().forget_sessions(&room)?;
    throw_away.state = PortalState::Closed;
    portals.store().put_portal(&throw_away)?;
    // Once the bot has left it cannot come back, so that the canary was heard must not be
    // forgotten from here on.
    portals.store().flush().await?;
    Ok(portals.leave_room(&room).await?)
}
