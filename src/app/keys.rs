//! Keys on their way: what came for our devices, what is owed to people, what waits for a key.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ruma::{DeviceId, EventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::bot::{Bot, Hearing};
use crate::import::Runner;
use crate::matrix::{ForDevice, MatrixError, Transaction};
use crate::portal::{LookAgain, PortalError, Portals};
use crate::store::{DeviceRow, PublishedKeys, UnreadRow};

/// How often everything is looked at without being asked: devices that could not be reached may
/// be by now.
const EVERY: Duration = Duration::from_mins(5);
/// A key may come a little after the message it belongs to.
const KEY_PATIENCE_MS: i64 = 15_000;
/// After this long nobody expects an answer any more.
const UNREAD_KEPT_MS: i64 = 7 * 24 * 3_600_000;
/// One-time keys left on the homeserver below which a device makes more. It keeps 50 there.
const FEW_KEYS: u64 = 25;

/// Brings keys to people and takes in what came for our devices, until told to stop.
#[derive(Clone)]
pub(super) struct KeyRounds {
    pub runner: Runner,
    /// Calls that no person waits for in a room.
    pub portals: Portals,
    pub bot: Bot,
    /// Says that there may be something to do.
    pub work: Arc<Notify>,
}

impl KeyRounds {
    pub async fn run(self, stop: CancellationToken) {
        // Somebody may have joined, or logged in anew, while we were down.
        self.look_again(LookAgain::Everybody);
        let mut looked = Instant::now();
        let fetching = tokio::spawn(self.clone().fetch(stop.clone()));
        loop {
            if looked.elapsed() >= EVERY {
                self.look_again(LookAgain::Waiting);
                self.fetch_for_bot().await;
                looked = Instant::now();
            }
            self.round().await;
            let unread = self.portals().store().unread().is_ok_and(|rows| !rows.is_empty());
            let pause = if unread { Duration::from_secs(5) } else { EVERY };
            tokio::select! {
                () = self.work.notified() => {}
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => break,
            }
        }
        fetching.abort();
    }

    fn portals(&self) -> &Portals {
        &self.portals
    }

    fn look_again(&self, whose: LookAgain) {
        if let Err(error) = self.portals().look_again(whose) {
            tracing::error!(fault = error.word(), "who is owed keys could not be read");
        }
    }

    /// Fetches what transactions lost while we were down: it still waits for each device.
    async fn fetch(self, stop: CancellationToken) {
        let ghosts = match self.portals().store().ghosts() {
            Ok(ghosts) => ghosts,
            Err(error) => {
                tracing::error!(error = %error, "our accounts could not be read");
                return;
            }
        };
        self.fetch_for_bot().await;
        for ghost in ghosts.iter().filter(|ghost| ghost.keys == PublishedKeys::Yes) {
            if stop.is_cancelled() {
                return;
            }
            let drained = async {
                self.portals().machine(&ghost.user_id).await?.drain().await?;
                Ok::<_, PortalError>(())
            };
            if let Err(error) = drained.await {
                tracing::warn!(fault = error.word(), "a device's messages could not be fetched");
            }
        }
        self.work.notify_one();
    }

    /// The same for the bot alone, which is the one that people's messages and devices matter to:
    /// not every homeserver tells of them in transactions.
    async fn fetch_for_bot(&self) {
        let fetched = async {
            let bot = self.portals().bot();
            let known = self.portals().store().ghost(bot.user_id())?;
            if known.is_some_and(|bot| bot.keys == PublishedKeys::Yes) {
                let changed = self.portals().machine(bot.user_id()).await?.drain().await?;
                self.portals().devices_changed(&changed)?;
            }
            Ok::<_, PortalError>(())
        };
        if let Err(error) = fetched.await {
            tracing::warn!(fault = error.word(), "the bot's messages could not be fetched");
        }
    }

    async fn round(&self) {
        if let Err(error) = self.take_in().await {
            tracing::warn!(error = %error, "what came for our devices waits");
        }
        if let Err(error) = self.read_again().await {
            tracing::warn!(error = %error, "messages without a key wait");
        }
        let rooms = match self.portals().rooms_owed() {
            Ok(rooms) => rooms,
            Err(error) => {
                tracing::error!(error = %error, "who is owed keys could not be read");
                return;
            }
        };
        for room in rooms {
            match self.portals().bring_keys(&room).await {
                Ok(brought) => tracing::info!(
                    keys.given = brought.keys,
                    devices.served = brought.served,
                    devices.unserved = brought.unserved,
                    "keys were brought to a room's people"
                ),
                Err(error) => tracing::warn!(
                    fault = error.word(),
                    hint = error.hint(),
                    "keys could not be brought to a room's people yet"
                ),
            }
        }
    }

    /// Shows our devices what came for them, in order.
    async fn take_in(&self) -> anyhow::Result<()> {
        let store = self.portals().store();
        while let Some((number, row)) = store.first_for_device()? {
            let what: ForDevice = serde_json::from_str(row.what.get())?;
            match self.portals().machine(&row.user).await {
                Ok(machine) => machine.receive(&what).await?,
                // It can never be read again; what comes after it can.
                Err(PortalError::Matrix(error @ MatrixError::KeysGone)) => {
                    tracing::error!(hint = error.hint(), "a device of ours has lost its keys");
                }
                Err(error) => return Err(error.into()),
            }
            store.device_done(number)?;
        }
        store.flush().await?;
        Ok(())
    }

    /// Tries what could not be decrypted once more; tells the room when no key comes.
    async fn read_again(&self) -> anyhow::Result<()> {
        let store = self.portals().store();
        let now = self.runner.clock().now().0;
        let rows = store.unread()?;
        if !rows.is_empty() {
            self.fetch_for_bot().await;
        }
        // Whoever writes ten messages that cannot be read is told once.
        let mut told: BTreeSet<_> =
            rows.iter().filter(|(_, row)| row.told).filter_map(|(_, row)| whose(row)).collect();
        for (id, row) in rows {
            let age_ms = now - row.since.0;
            if age_ms > UNREAD_KEPT_MS || self.bot.hear(&row.event).await? == Hearing::Done {
                store.forget_unread(&id)?;
            } else if age_ms > KEY_PATIENCE_MS && !row.told {
                if whose(&row).is_some_and(|whose| told.insert(whose)) {
                    self.bot.regret(&row.event).await?;
                }
                store.put_unread(&id, &UnreadRow { told: true, ..row })?;
            }
        }
        store.flush().await?;
        Ok(())
    }

    /// Keeps an event that the bot has no key for.
    pub fn keep_unread(&self, event: &RawValue) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Head {
            event_id: ruma::OwnedEventId,
        }
        let Ok(Head { event_id }) = serde_json::from_str(event.get()) else { return Ok(()) };
        let since = self.runner.clock().now();
        let row = UnreadRow { event: event.to_owned(), since, told: false };
        let id: &EventId = &event_id;
        self.portals().store().put_unread(id, &row)?;
        self.work.notify_one();
        Ok(())
    }

    /// Stores what a transaction holds for our devices. Whether there was anything.
    pub fn store_for_devices(&self, transaction: &Transaction) -> anyhow::Result<bool> {
        let store = self.portals().store();
        let mut found = false;
        for ((user, device), what) in &transaction.for_devices {
            if is_worth_it(what) && self.has_keys(user, device)? {
                let what = to_raw_value(what)?;
                store.take_in_for_device(&DeviceRow { user: user.clone(), what })?;
                found = true;
            }
        }
        let mut changed = transaction.changed_people.clone();
        changed.retain(|user| !self.portals().namer().is_ours(user));
        let bot = self.portals().bot();
        if let Some(record) = store.ghost(bot.user_id())?
            && record.keys == PublishedKeys::Yes
            && !changed.is_empty()
        {
            self.portals().devices_changed(&changed)?;
            let what = to_raw_value(&ForDevice { changed, ..ForDevice::default() })?;
            store.take_in_for_device(&DeviceRow { user: record.user_id, what })?;
            found = true;
        }
        Ok(found)
    }

    fn has_keys(&self, user: &UserId, device: &DeviceId) -> anyhow::Result<bool> {
        let known = self.portals().store().ghost(user)?;
        Ok(known.is_some_and(|ghost| ghost.device_id == device && ghost.keys == PublishedKeys::Yes))
    }

    /// Notes who came into, or left, an encrypted room of ours. Whether there was anything.
    pub fn note_membership(&self, event: &RawValue) -> anyhow::Result<bool> {
        #[derive(Deserialize)]
        struct Member {
            #[serde(rename = "type")]
            event_type: String,
            room_id: OwnedRoomId,
            state_key: Option<OwnedUserId>,
        }
        let Ok(member) = serde_json::from_str::<Member>(event.get()) else { return Ok(false) };
        let Some(user) = member.state_key.filter(|_| member.event_type == "m.room.member") else {
            return Ok(false);
        };
        let room: &RoomId = &member.room_id;
        let portals = self.portals();
        if portals.namer().is_ours(&user) || !portals.store().has_sessions(room)? {
            return Ok(false);
        }
        portals.owe_keys(room, &user)?;
        Ok(true)
    }
}

/// The room and sender of an event.
fn whose(row: &UnreadRow) -> Option<(OwnedRoomId, OwnedUserId)> {
    #[derive(Deserialize)]
    struct Head {
        room_id: OwnedRoomId,
        sender: OwnedUserId,
    }
    let head: Head = serde_json::from_str(row.event.get()).ok()?;
    Some((head.room_id, head.sender))
}

/// Counts come with every transaction; few of them ask for anything.
fn is_worth_it(what: &ForDevice) -> bool {
    let few = what.counts.as_ref().is_some_and(|counts| {
        let left: u64 = counts.one_time.values().map(|count| u64::from(*count)).sum();
        left < FEW_KEYS || counts.fallback.as_ref().is_some_and(Vec::is_empty)
    });
    few || !what.messages.is_empty()
}
