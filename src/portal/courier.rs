//! Brings people the keys of what was said before they came.
//!
//! Each ghost's own device sends each of its sessions, from the first message on, to each device
//! of whoever has joined. What a device was given is on disk, so that an interruption costs
//! nothing; what is due is found again at every start.

use std::collections::BTreeMap;

use ruma::{OwnedDeviceId, OwnedRoomId, OwnedUserId, RoomId, UserId};

use super::error::PortalError;
use super::room::Portals;
use crate::matrix::{DeviceKeys, HandOver, MatrixError, SessionKey};
use crate::store::{ReaderRecord, ReaderState};

/// What one round brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Brought {
    /// Sessions given to devices.
    pub keys: usize,
    /// Devices that have every key of the room now.
    pub served: usize,
    /// Devices that could not be reached.
    pub unserved: usize,
}

/// Whose keys are looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookAgain {
    /// Everybody's.
    Everybody,
    /// Those of people with a device that could not be reached.
    Waiting,
}

impl Portals {
    /// Notes that somebody may lack keys of a room. Not on disk before the next flush.
    ///
    /// # Errors
    /// When the store fails.
    pub fn owe_keys(&self, room: &RoomId, user: &UserId) -> Result<(), PortalError> {
        let known = self.store().reader(room, user)?;
        let (served, unserved) = known.map_or((0, 0), |known| (known.served, known.unserved));
        Ok(self.store().put_reader(&ReaderRecord {
            room: room.to_owned(),
            user: user.to_owned(),
            state: ReaderState::Due,
            served,
            unserved,
        })?)
    }

    /// Notes that the devices of these people have changed: whatever they read is looked at
    /// again.
    ///
    /// # Errors
    /// When the store fails.
    pub fn devices_changed(&self, people: &[OwnedUserId]) -> Result<bool, PortalError> {
        let mut due = false;
        for reader in self.store().all_readers()? {
            if people.contains(&reader.user) {
                self.owe_keys(&reader.room, &reader.user)?;
                due = true;
            }
        }
        Ok(due)
    }

    /// Has readers looked at again: all of them, or those with a device that could not be reached.
    ///
    /// # Errors
    /// When the store fails.
    pub fn look_again(&self, whose: LookAgain) -> Result<(), PortalError> {
        for reader in self.store().all_readers()? {
            let due = match reader.state {
                ReaderState::Due => false,
                ReaderState::Waiting => true,
                ReaderState::Served => whose == LookAgain::Everybody,
            };
            if due {
                self.owe_keys(&reader.room, &reader.user)?;
            }
        }
        Ok(())
    }

    /// Rooms in which somebody may lack keys.
    ///
    /// # Errors
    /// When the store fails.
    pub fn rooms_owed(&self) -> Result<Vec<OwnedRoomId>, PortalError> {
        let mut rooms: Vec<OwnedRoomId> = Vec::new();
        for reader in self.store().all_readers()? {
            if reader.state == ReaderState::Due && rooms.last() != Some(&reader.room) {
                rooms.push(reader.room);
            }
        }
        Ok(rooms)
    }

    /// Gives the readers of a room who may lack keys whatever they lack.
    ///
    /// # Errors
    /// When the homeserver cannot be reached, or a store fails. It can be repeated.
    pub async fn bring_keys(&self, room: &RoomId) -> Result<Brought, PortalError> {
        let store = self.store();
        let mut brought = Brought::default();
        let members = match self.bot().joined_members(room).await {
            Ok(members) => members,
            // The owners have put the bot out: it can bring nothing there any more.
            Err(MatrixError::Refused { .. }) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let mut readers = store.readers(room)?;
        readers.retain(|reader| reader.state == ReaderState::Due);
        for gone in readers.extract_if(.., |reader| !members.contains(&reader.user)) {
            store.forget_reader(room, &gone.user)?;
        }
        let sessions = self.sessions_of(room)?;
        if readers.is_empty() {
            store.flush().await?;
            return Ok(brought);
        }
        let people: Vec<OwnedUserId> = readers.iter().map(|reader| reader.user.clone()).collect();
        let bot = self.machine(self.bot().user_id()).await?;
        let known = bot.devices_of(&people, self.machines().policy()).await?;
        for (sender, keys) in &sessions {
            let due = self.lacking(room, sender, keys, &known.devices)?;
            if due.is_empty() {
                continue;
            }
            match self.bring_keys_of(room, sender, &due, keys, &known).await {
                Ok(keys) => brought.keys += keys,
                Err(error) if error.is_transient() => return Err(error),
                // One broken device of ours must not keep everybody from the others' keys.
                Err(error) => tracing::error!(
                    fault = error.word(),
                    hint = error.hint(),
                    "a device of ours cannot give its keys"
                ),
            }
            store.flush().await?;
        }
        for mut reader in readers {
            (reader.served, reader.unserved) = (0, 0);
            for device in known.devices.get(&reader.user).into_iter().flatten() {
                let given = store.given(room, &reader.user, device)?;
                let whole = sessions.iter().all(|(sender, keys)| {
                    keys.iter().all(|key| given.contains(&(sender.to_string(), key.id.clone())))
                });
                *if whole { &mut reader.served } else { &mut reader.unserved } += 1;
            }
            brought.served += reader.served as usize;
            brought.unserved += reader.unserved as usize;
            reader.state = match reader.unserved {
                0 => ReaderState::Served,
                _ => ReaderState::Waiting,
            };
            store.put_reader(&reader)?;
        }
        store.flush().await?;
        Ok(brought)
    }

    /// One sender's sessions. Returns how many were given to how many devices, in all.
    async fn bring_keys_of(
        &self,
        room: &RoomId,
        sender: &UserId,
        due: &[HandOver],
        keys: &[SessionKey],
        known: &DeviceKeys,
    ) -> Result<usize, PortalError> {
        let machine = self.machine(sender).await?;
        let mut brought = 0;
        for given in machine.hand_over(room, due, keys, known).await? {
            let Some(session) = given.session else { continue };
            self.store().put_given(room, (&given.user, &given.device), (sender, &session))?;
            brought += 1;
        }
        Ok(brought)
    }

    /// The sessions of a room, by sender.
    fn sessions_of(
        &self,
        room: &RoomId,
    ) -> Result<BTreeMap<OwnedUserId, Vec<SessionKey>>, PortalError> {
        let mut sessions: BTreeMap<_, Vec<SessionKey>> = BTreeMap::new();
        for record in self.store().sessions(room)? {
            let sealed = hex::decode(&record.sealed).unwrap_or_default();
            let key = self.machines().vault().unseal(&sealed)?;
            sessions.entry(record.sender).or_default().push(key);
        }
        Ok(sessions)
    }

    /// What devices lack of one sender's sessions.
    fn lacking(
        &self,
        room: &RoomId,
        sender: &UserId,
        keys: &[SessionKey],
        devices: &BTreeMap<OwnedUserId, Vec<OwnedDeviceId>>,
    ) -> Result<Vec<HandOver>, PortalError> {
        let mut due = Vec::new();
        for (user, devices) in devices {
            for device in devices {
                let given = self.store().given(room, user, device)?;
                let lacks =
                    |key: &&SessionKey| !given.contains(&(sender.to_string(), key.id.clone()));
                let sessions: Vec<String> =
                    keys.iter().filter(lacks).map(|key| key.id.clone()).collect();
                if !sessions.is_empty() {
                    due.push(HandOver { user: user.clone(), device: device.clone(), sessions });
                }
            }
        }
        Ok(due)
    }
}
