//! Keys of encrypted rooms, as commands: give them again, and how far they have come.

use axum::extract::{Json, State};
use ruma::{OwnedRoomId, OwnedUserId, RoomId};
use serde::{Deserialize, Serialize};

use super::commands::{Failure, Shared};
use crate::import::ImportError;
use crate::portal::Portals;
use crate::store::{ReaderState, StoreError};

/// Whose keys are to be given again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Resend {
    /// The room.
    pub room: OwnedRoomId,
    /// The person.
    pub user: OwnedUserId,
}

/// What became of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Resent {
    /// Keys that were given.
    pub keys: usize,
    /// The person's devices that have every key of the room now.
    pub served: u32,
    /// Their devices that could not be reached.
    pub unserved: u32,
}

/// How far the keys of a room have come.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct KeysView {
    /// People in the room who are given its keys.
    pub people: usize,
    /// Those of them who may lack some still.
    pub due: usize,
    /// Devices that have every key.
    pub devices: u32,
    /// Devices that could not be reached, or may not have keys.
    pub unserved: u32,
}

pub(super) async fn resend(
    State(shared): State<Shared>,
    Json(Resend { room, user }): Json<Resend>,
) -> Result<Json<Resent>, Failure> {
    let portals = shared.runner.portals().clone();
    // On a task of its own: a command line that goes away must not leave it half done.
    let resent = tokio::spawn(async move {
        let store = portals.store();
        store.forget_given(&room, &user)?;
        portals.owe_keys(&room, &user)?;
        let brought = portals.bring_keys(&room).await?;
        Ok::<_, ImportError>((brought.keys, store.reader(&room, &user)?))
    });
    match resent.await.map_err(ImportError::from)?? {
        (keys, Some(reader)) => {
            Ok(Json(Resent { keys, served: reader.served, unserved: reader.unserved }))
        }
        (_, None) => Err(Failure::conflict(
            "this person is not in this room".to_owned(),
            "invite them; the keys follow when they join",
        )),
    }
}

/// How far the keys of a room have come; `None` where there are none.
pub(super) fn keys_of(
    portals: &Portals,
    room: Option<&RoomId>,
) -> Result<Option<KeysView>, StoreError> {
    let Some(room) = room else { return Ok(None) };
    if !portals.store().has_sessions(room)? {
        return Ok(None);
    }
    let mut view = KeysView::default();
    for reader in portals.store().readers(room)? {
        view.people += 1;
        view.due += usize::from(reader.state != ReaderState::Served);
        view.devices += reader.served;
        view.unserved += reader.unserved;
    }
    Ok(Some(view))
}
