//! The retention canary: before the first message, is something this old visible to a member?
//!
//! A server with a retention policy accepts an old event, answers with an id, and then hides
//! the event from everybody (tchap.md §B.6, seen). Only a member's own look tells.

use ruma::OwnedUserId;
use serde_json::value::to_raw_value;

use super::error::ImportError;
use super::settings::{Settings, Witness};
use crate::matrix::{Outgoing, RoomWish};
use crate::model::time::UnixMillis;
use crate::portal::{PortalError, Portals};
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
    let content = to_raw_value(&serde_json::json!({
        "msgtype": "m.notice",
        "body": settings.canary_text,
        "m.mentions": {},
    }))
    .map_err(|error| ImportError::Task { reason: error.to_string() })?;
    let txn_id = format!("{id}-{}", oldest.0);
    let event = Outgoing {
        event_type: "m.room.message",
        content: &content,
        txn_id: &txn_id,
        at: Some(oldest),
    };
    let event = ghost.send(&room, event).await?;
    let seen = witness.account.event(&room, &event).await?;
    witness.account.leave(&room).await?;
    ghost.leave(&room).await?;
    if seen.is_none_or(|seen| seen.origin_server_ts != oldest.0.max(0)) {
        // The room stays for the next try: ensure_room finds it again.
        return Err(PortalError::Retention { date: oldest.to_string() }.into());
    }
    throw_away.state = PortalState::Closed;
    portals.store().put_portal(&throw_away)?;
    // Once the bot has left it cannot come back, so that the canary was heard must not be
    // forgotten from here on.
    portals.store().flush().await?;
    Ok(portals.leave_room(&room).await?)
}
