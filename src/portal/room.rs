//! Finds or makes a portal's room, and checks that it is the one that was asked for.

use std::sync::Arc;
use std::time::Duration;

use ruma::{OwnedRoomId, OwnedUserId, RoomId};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use super::error::PortalError;
use super::roster::GhostNamer;
use crate::config::RoomProfile;
use crate::matrix::{Homeserver, Intent, MatrixError, PORTAL_EVENT, RoomKind, RoomWish};
use crate::store::{PortalRecord, PortalState, Store};

/// A createRoom that was under way when we died may finish this much later.
const LATE_ROOM: Duration = Duration::from_secs(10);
const LATE_ROOM_STEP: Duration = Duration::from_secs(2);

/// What all portals share.
#[derive(Clone, Debug)]
pub struct Portals {
    store: Store,
    homeserver: Homeserver,
    settings: Arc<Settings>,
    decoders: Arc<Semaphore>,
}

/// The accounts and names of this installation.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The bot.
    pub bot: OwnedUserId,
    /// Its display name.
    pub bot_name: String,
    /// How ghosts are named.
    pub namer: GhostNamer,
}

impl Portals {
    /// Portals over a store and a homeserver. Pictures are decoded on at most `decoders` threads.
    pub fn new(
        store: Store,
        homeserver: Homeserver,
        bot: OwnedUserId,
        bot_name: String,
        namer: GhostNamer,
        decoders: usize,
    ) -> Self {
        Self {
            store,
            homeserver,
            settings: Arc::new(Settings { bot, bot_name, namer }),
            decoders: Arc::new(Semaphore::new(decoders.max(1))),
        }
    }

    /// The records.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The homeserver.
    pub fn homeserver(&self) -> &Homeserver {
        &self.homeserver
    }

    /// Acts as the bot.
    pub fn bot(&self) -> Intent {
        self.intent(&self.settings.bot)
    }

    /// How ghosts are named.
    pub fn namer(&self) -> &GhostNamer {
        &self.settings.namer
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn decoders(&self) -> &Arc<Semaphore> {
        &self.decoders
    }

    /// The room of a portal, made if there is none yet, and checked.
    ///
    /// Making a room cannot be repeated safely, so the portal's record is flushed first and its
    /// id written into the room: after a crash the room is looked for before another is made.
    ///
    /// # Errors
    /// When the homeserver refuses, or makes another room than the plan describes.
    pub async fn ensure_room(
        &self,
        record: &mut PortalRecord,
        wish: &RoomWish,
    ) -> Result<OwnedRoomId, PortalError> {
        if let (PortalState::Ready, Some(room)) = (record.state, &record.room_id) {
            return Ok(room.clone());
        }
        self.ensure_bot().await?;
        let asked_before = self.store.portal(&record.id)?.is_some();
        record.state = PortalState::Creating;
        self.store.put_portal(record)?;
        self.store.flush().await?;
        let found = if asked_before { self.find_late_room(&record.id).await? } else { None };
        let room = match found {
            Some(room) => room,
            None => self.create_room(&record.id, wish).await?,
        };
        if let Err(error) = self.check_room(&room, wish).await {
            if let PortalError::RoomNotAsAsked { .. } = &error {
                // Not ours any more, so that a later try, on a server that was put right, makes
                // another instead of finding this one.
                let bot = self.bot();
                bot.send_state(&room, PORTAL_EVENT, "", &serde_json::json!({})).await?;
                bot.leave(&room).await?;
            }
            return Err(error);
        }
        record.room_id = Some(room.clone());
        record.state = PortalState::Ready;
        self.store.put_portal(record)?;
        self.store.flush().await?;
        Ok(room)
    }

    async fn create_room(&self, portal: &str, wish: &RoomWish) -> Result<OwnedRoomId, PortalError> {
        match self.bot().create_room(wish).await {
            Ok(room) => Ok(room),
            Err(error @ MatrixError::RateLimited { .. }) => Err(error.into()),
            Err(error) if error.is_transient() => {
                // The answer was lost, which says nothing about the room.
                self.find_late_room(portal).await?.ok_or_else(|| error.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn find_late_room(&self, portal: &str) -> Result<Option<OwnedRoomId>, PortalError> {
        let mut waited = Duration::ZERO;
        loop {
            if let Some(room) = self.find_room(portal).await? {
                return Ok(Some(room));
            }
            if waited >= LATE_ROOM {
                return Ok(None);
            }
            tokio::time::sleep(LATE_ROOM_STEP).await;
            waited += LATE_ROOM_STEP;
        }
    }

    /// The room whose state names this portal, among those the bot is in.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn find_room(&self, portal: &str) -> Result<Option<OwnedRoomId>, PortalError> {
        let bot = self.bot();
        for room in bot.joined_rooms().await? {
            let state = bot.state(&room, PORTAL_EVENT, "").await?;
            let named = state.as_ref().and_then(|content| content.get("portal"));
            if named.and_then(Value::as_str) == Some(portal) {
                return Ok(Some(room));
            }
        }
        Ok(None)
    }

    /// Reads the room's state back: modules of the homeserver may have changed what was asked.
    async fn check_room(&self, room: &RoomId, wish: &RoomWish) -> Result<(), PortalError> {
        let bot = self.bot();
        let encryption = bot.state(room, "m.room.encryption", "").await?;
        match wish.kind {
            RoomKind::PrivateUnencrypted => {
                if encryption.is_some() {
                    return Err(wrong("the server turned encryption on in it"));
                }
            }
        }
        let created = bot.state(room, "m.room.create", "").await?;
        if text(created.as_ref(), "room_version") != Some(wish.version.as_str()) {
            return Err(wrong("it is of another version"));
        }
        let name = bot.state(room, "m.room.name", "").await?;
        if text(name.as_ref(), "name") != Some(wish.name.as_str()) {
            return Err(wrong("it does not have its name"));
        }
        let visibility = bot.state(room, "m.room.history_visibility", "").await?;
        if text(visibility.as_ref(), "history_visibility") != Some("shared") {
            return Err(wrong("its history is hidden from people who join later"));
        }
        let rules = bot.state(room, "m.room.join_rules", "").await?;
        if text(rules.as_ref(), "join_rule") != Some("invite") {
            return Err(wrong("it can be joined without an invitation"));
        }
        let guests = bot.state(room, "m.room.guest_access", "").await?;
        if text(guests.as_ref(), "guest_access") == Some("can_join") {
            return Err(wrong("guests may join it"));
        }
        if wish.profile == RoomProfile::Tchap {
            let access = bot.state(room, "im.vector.room.access_rules", "").await?;
            if text(access.as_ref(), "rule") != Some("restricted") {
                return Err(wrong("it does not carry the access rule `restricted`"));
            }
            let unencrypted = access
                .as_ref()
                .and_then(|content| content.get("force_unencrypted_at_creation"))
                .and_then(Value::as_bool);
            if text(access.as_ref(), "visibility") != Some("private") || unencrypted != Some(true) {
                return Err(wrong(
                    "its access rules lack the keys without which it shows as a forum",
                ));
            }
        }
        let levels = bot.state(room, "m.room.power_levels", "").await?;
        let users = levels.as_ref().and_then(|content| content.get("users"));
        for admin in &wish.admins {
            let level = users.and_then(|users| users.get(admin.as_str())).and_then(Value::as_i64);
            if level != Some(100) {
                return Err(wrong("the human administrator does not have power level 100"));
            }
        }
        Ok(())
    }
}

fn wrong(what: &str) -> PortalError {
    PortalError::RoomNotAsAsked { what: what.to_owned() }
}

fn text<'a>(content: Option<&'a Map<String, Value>>, key: &str) -> Option<&'a str> {
    content.and_then(|content| content.get(key)).and_then(Value::as_str)
}
