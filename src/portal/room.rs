//! Finds or makes a portal's room, and checks that it is the one that was asked for.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use ruma::{OwnedRoomId, OwnedUserId, RoomId};
use serde_json::Value;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::error::PortalError;
use super::room_check::difference;
use super::roster::GhostNamer;
use crate::config::{AccessRules, RoomProfile, RoomsSection};
use crate::matrix::{
    Errand, Flavour, Homeserver, Intent, Machines, MatrixError, PORTAL_EVENT, RoomRules, RoomWish,
};
use crate::store::{PortalRecord, PortalState, Store};

/// A createRoom that was under way when we died may finish this much later.
const LATE_ROOM: Duration = Duration::from_secs(10);
const LATE_ROOM_STEP: Duration = Duration::from_secs(2);

/// What all portals share.
#[derive(Clone, Debug)]
pub struct Portals {
    store: Store,
    homeserver: Homeserver,
    machines: Machines,
    settings: Arc<Settings>,
    decoders: Arc<Semaphore>,
    /// The flavour of the access-rules module, once it was found out.
    flavour: Arc<OnceCell<Flavour>>,
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
        machines: Machines,
        (bot, bot_name): (OwnedUserId, String),
        namer: GhostNamer,
        decoders: usize,
    ) -> Self {
        Self {
            store,
            homeserver,
            machines,
            settings: Arc::new(Settings { bot, bot_name, namer }),
            decoders: Arc::new(Semaphore::new(decoders.max(1))),
            flavour: Arc::default(),
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

    /// The same portals, the homeserver called for somebody else, until `halt`.
    #[must_use]
    pub fn on_errand(&self, errand: Errand, halt: CancellationToken) -> Self {
        Self { homeserver: self.homeserver.on_errand(errand, halt), ..self.clone() }
    }

    /// The devices of our accounts.
    pub fn machines(&self) -> &Machines {
        &self.machines
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

    /// Whose house rules a new room follows. Where the configuration leaves the flavour of
    /// Tchap's module open, it is found out once, by a room that nobody else ever sees.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn room_rules(&self, rooms: &RoomsSection) -> Result<RoomRules, PortalError> {
        let flavour = match (rooms.profile, rooms.access_rules) {
            (RoomProfile::Generic, _) => return Ok(RoomRules::Plain),
            (RoomProfile::Tchap, AccessRules::V1) => Flavour::V1,
            (RoomProfile::Tchap, AccessRules::V2) => Flavour::V2,
            (RoomProfile::Tchap, AccessRules::None) => Flavour::Absent,
            (RoomProfile::Tchap, AccessRules::Auto) => {
                let detect = async || {
                    let flavour = self.ensure_bot().await?.detect_flavour(&rooms.version).await?;
                    tracing::info!(access_rules = flavour.word(), "access-rules module recognised");
                    Ok::<_, PortalError>(flavour)
                };
                *self.flavour.get_or_try_init(detect).await?
            }
        };
        Ok(RoomRules::Tchap(flavour))
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
                self.leave_room(&room).await?;
            }
            return Err(error);
        }
        record.room_id = Some(room.clone());
        record.state = PortalState::Ready;
        self.store.put_portal(record)?;
        self.store.flush().await?;
        Ok(room)
    }

    /// The bot leaves a room, unless the people in it would be left without an administrator.
    ///
    /// # Errors
    /// [`PortalError::LastAdmin`] when it has to stay; otherwise when the homeserver refuses or
    /// cannot be reached.
    pub async fn leave_room(&self, room: &RoomId) -> Result<(), PortalError> {
        let bot = self.bot();
        if !bot.whole_state(room).await?.may_leave(bot.user_id()) {
            return Err(PortalError::LastAdmin);
        }
        Ok(bot.leave(room).await?)
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
        let begun = Instant::now();
        loop {
            // At a polite pace a look around takes longer than the wait between two.
            let waited = begun.elapsed();
            if let Some(room) = self.find_room(portal).await? {
                return Ok(Some(room));
            }
            if waited >= LATE_ROOM {
                return Ok(None);
            }
            tokio::time::sleep(LATE_ROOM_STEP).await;
        }
    }

    /// The room whose state names this portal, among those the bot is in and that are not known
    /// to be another's.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn find_room(&self, portal: &str) -> Result<Option<OwnedRoomId>, PortalError> {
        let bot = self.bot();
        let known = self.store.portals()?.into_iter().filter(|other| other.id != portal);
        let others: HashSet<_> = known.filter_map(|other| other.room_id).collect();
        let joined = bot.joined_rooms().await?;
        for room in joined.into_iter().filter(|room| !others.contains(room)) {
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
        let state = self.bot().whole_state(room).await?;
        match difference(wish, &state) {
            Some(difference) => Err(PortalError::RoomNotAsAsked { difference }),
            None => Ok(()),
        }
    }
}
