//! The keys of our sessions, and which devices have them.

use std::collections::BTreeSet;

use ruma::{DeviceId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde::{Deserialize, Serialize};

use super::database::{Store, StoreError, apply, decode, encode, get, put};

/// A session of one of our devices, from its first message on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// The room.
    pub room: OwnedRoomId,
    /// Whose session.
    pub sender: OwnedUserId,
    /// Its id.
    pub session: String,
    /// Its key, sealed by the layer above, in hexadecimal.
    pub sealed: String,
}

/// Somebody who is to have the keys of a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReaderRecord {
    /// The room.
    pub room: OwnedRoomId,
    /// The person.
    pub user: OwnedUserId,
    /// How far it has come.
    pub state: ReaderState,
    /// Their devices that have every key, when they were last counted.
    pub served: u32,
    /// Their devices that could not be reached, or may not have keys.
    pub unserved: u32,
}

/// How far a reader has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReaderState {
    /// Something may be missing: to be looked at.
    Due,
    /// Something is missing on a device that could not be reached: to be looked at now and then.
    Waiting,
    /// Every device that can be reached has every key.
    Served,
}

fn key(parts: &[&[u8]]) -> Vec<u8> {
    parts.join(&0)
}

fn prefix(parts: &[&[u8]]) -> Vec<u8> {
    let mut key = key(parts);
    key.push(0);
    key
}

impl Store {
    /// Keeps a session. Not on disk before the next flush.
    ///
    /// # Errors
    /// When the store fails.
    pub fn put_session(&self, record: &SessionRecord) -> Result<(), StoreError> {
        let SessionRecord { room, sender, session, .. } = record;
        let key = key(&[room.as_bytes(), sender.as_bytes(), session.as_bytes()]);
        put(&self.sessions, &key, record)
    }

    /// Whether a session is kept.
    ///
    /// # Errors
    /// When the store fails.
    pub fn has_session(
        &self,
        room: &RoomId,
        sender: &UserId,
        session: &str,
    ) -> Result<bool, StoreError> {
        let key = key(&[room.as_bytes(), sender.as_bytes(), session.as_bytes()]);
        Ok(self.sessions.contains_key(key)?)
    }

    /// Whether a room has sessions of ours: whether it is encrypted, and we have spoken in it.
    ///
    /// # Errors
    /// When the store fails.
    pub fn has_sessions(&self, room: &RoomId) -> Result<bool, StoreError> {
        let first = self.sessions.scan_prefix(prefix(&[room.as_bytes()])).keys().next();
        Ok(first.transpose()?.is_some())
    }

    /// The sessions of a room, those of one sender together.
    ///
    /// # Errors
    /// When the store fails.
    pub fn sessions(&self, room: &RoomId) -> Result<Vec<SessionRecord>, StoreError> {
        let rows = self.sessions.scan_prefix(prefix(&[room.as_bytes()]));
        rows.values().map(|value| decode(&self.sessions, &value?)).collect()
    }

    /// Forgets the sessions of a room, and who had them. Returns how many there were.
    ///
    /// # Errors
    /// When the store fails.
    pub fn forget_sessions(&self, room: &RoomId) -> Result<usize, StoreError> {
        let mut forgotten = 0;
        for tree in [&self.sessions, &self.given, &self.readers] {
            let mut batch = sled::Batch::default();
            for found in tree.scan_prefix(prefix(&[room.as_bytes()])).keys() {
                batch.remove(found?);
                forgotten += usize::from(tree.name() == self.sessions.name());
            }
            apply(tree, room.as_bytes(), batch)?;
        }
        Ok(forgotten)
    }

    /// One reader of a room.
    ///
    /// # Errors
    /// When the store fails.
    pub fn reader(&self, room: &RoomId, user: &UserId) -> Result<Option<ReaderRecord>, StoreError> {
        get(&self.readers, &key(&[room.as_bytes(), user.as_bytes()]))
    }

    /// Writes a reader.
    ///
    /// # Errors
    /// When the store fails.
    pub fn put_reader(&self, record: &ReaderRecord) -> Result<(), StoreError> {
        put(&self.readers, &key(&[record.room.as_bytes(), record.user.as_bytes()]), record)
    }

    /// Forgets a reader, and what their devices had: who comes back may come with others.
    ///
    /// # Errors
    /// When the store fails.
    pub fn forget_reader(&self, room: &RoomId, user: &UserId) -> Result<(), StoreError> {
        let about = [room.as_bytes(), user.as_bytes()];
        let mut batch = sled::Batch::default();
        batch.remove(key(&about));
        apply(&self.readers, &key(&about), batch)?;
        self.forget_given(room, user)
    }

    /// Forgets what somebody's devices were given, so that they are given it again.
    ///
    /// # Errors
    /// When the store fails.
    pub fn forget_given(&self, room: &RoomId, user: &UserId) -> Result<(), StoreError> {
        let about = [room.as_bytes(), user.as_bytes()];
        let mut batch = sled::Batch::default();
        for found in self.given.scan_prefix(prefix(&about)).keys() {
            batch.remove(found?);
        }
        apply(&self.given, &key(&about), batch)
    }

    /// The readers of a room.
    ///
    /// # Errors
    /// When the store fails.
    pub fn readers(&self, room: &RoomId) -> Result<Vec<ReaderRecord>, StoreError> {
        let rows = self.readers.scan_prefix(prefix(&[room.as_bytes()]));
        rows.values().map(|value| decode(&self.readers, &value?)).collect()
    }

    /// The readers of all rooms.
    ///
    /// # Errors
    /// When the store fails.
    pub fn all_readers(&self) -> Result<Vec<ReaderRecord>, StoreError> {
        self.readers.iter().values().map(|value| decode(&self.readers, &value?)).collect()
    }

    /// Notes that a device was given a session.
    ///
    /// # Errors
    /// When the store fails.
    pub fn put_given(
        &self,
        room: &RoomId,
        (user, device): (&UserId, &DeviceId),
        (sender, session): (&UserId, &str),
    ) -> Result<(), StoreError> {
        let parts = [
            room.as_bytes(),
            user.as_bytes(),
            device.as_bytes(),
            sender.as_bytes(),
            session.as_bytes(),
        ];
        let mut batch = sled::Batch::default();
        batch.insert(key(&parts), encode(&()));
        apply(&self.given, &key(&parts), batch)
    }

    /// The sessions a device was given, as their sender and id.
    ///
    /// # Errors
    /// When the store fails.
    pub fn given(
        &self,
        room: &RoomId,
        user: &UserId,
        device: &DeviceId,
    ) -> Result<BTreeSet<(String, String)>, StoreError> {
        let start = prefix(&[room.as_bytes(), user.as_bytes(), device.as_bytes()]);
        let mut given = BTreeSet::new();
        for key in self.given.scan_prefix(&start).keys() {
            let key = key?;
            let rest = String::from_utf8_lossy(key.get(start.len()..).unwrap_or_default());
            given.extend(rest.split_once('\0').map(|(a, b)| (a.to_owned(), b.to_owned())));
        }
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use ruma::{device_id, owned_user_id, room_id, user_id};

    use super::*;

    #[test]
    fn what_a_device_was_given_is_forgotten_with_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let room = room_id!("!r:tchap.test");
        let (ann, bob) = (user_id!("@ann:tchap.test"), user_id!("@bob:tchap.test"));
        let ghost = user_id!("@_passerelle_x:tchap.test");
        for who in [ann, bob] {
            for session in ["s", "t"] {
                store.put_given(room, (who, device_id!("D")), (ghost, session)).unwrap();
            }
        }
        let all = BTreeSet::from(["s", "t"].map(|id| (ghost.to_string(), id.to_owned())));
        assert_eq!(store.given(room, ann, device_id!("D")).unwrap(), all);
        assert_eq!(store.given(room, ann, device_id!("DD")).unwrap(), BTreeSet::new());
        store.forget_reader(room, ann).unwrap();
        assert_eq!(store.given(room, ann, device_id!("D")).unwrap(), BTreeSet::new());
        assert_eq!(store.given(room, bob, device_id!("D")).unwrap(), all);
        let record = SessionRecord {
            room: room.to_owned(),
            sender: owned_user_id!("@_passerelle_x:tchap.test"),
            session: "s".to_owned(),
            sealed: "00".to_owned(),
        };
        store.put_session(&record).unwrap();
        assert!(store.has_session(room, ghost, "s").unwrap());
        assert_eq!(store.sessions(room).unwrap(), [record]);
        assert_eq!(store.forget_sessions(room).unwrap(), 1);
        assert_eq!(store.sessions(room).unwrap(), []);
    }
}
