//! What transactions carried for one account of ours, counted and never kept: how the doctor
//! knows which features of the application-service API really arrive.

use std::sync::{Arc, Mutex, PoisonError};

use ruma::{OwnedEventId, OwnedUserId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The type of the to-device messages that are noted; their content names them in `id`.
pub const PROBE_MESSAGE: &str = "fr.passerelle.doctor";
/// How many of the latest ids are remembered.
const REMEMBERED: usize = 64;

/// What has come so far. Counts only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// Transactions of any kind.
    pub transactions: u64,
    /// Pings.
    pub pings: u64,
    /// The latest events that the account sent.
    pub events: Vec<OwnedEventId>,
    /// The ids of the latest to-device messages of [`PROBE_MESSAGE`] to the account.
    pub to_device: Vec<String>,
    /// Transactions that told a change of the account's devices.
    pub device_lists: u64,
    /// Transactions that told how many one-time keys the account has left.
    pub key_counts: u64,
}

/// Listens for one account. Clones share what was heard.
#[derive(Clone, Debug)]
pub struct Overheard {
    account: OwnedUserId,
    heard: Arc<Mutex<Heard>>,
}

/// The parts of a transaction beside its events, under the names Synapse uses.
#[derive(Debug, Default, Deserialize)]
struct Extensions {
    #[serde(default, rename = "de.sorunome.msc2409.to_device", alias = "to_device")]
    to_device: Vec<ToDevice>,
    #[serde(default, rename = "org.matrix.msc3202.device_lists", alias = "device_lists")]
    device_lists: DeviceLists,
    #[serde(
        default,
        rename = "org.matrix.msc3202.device_one_time_keys_count",
        alias = "device_one_time_keys_count"
    )]
    key_counts: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct ToDevice {
    #[serde(rename = "type")]
    kind: String,
    to_user_id: Option<OwnedUserId>,
    #[serde(default)]
    content: Map<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
struct DeviceLists {
    #[serde(default)]
    changed: Vec<OwnedUserId>,
}

#[derive(Deserialize)]
struct Sender {
    sender: OwnedUserId,
}

impl Overheard {
    /// Listens for `account`.
    pub fn new(account: OwnedUserId) -> Self {
        Self { account, heard: Arc::default() }
    }

    /// For whom.
    pub fn account(&self) -> &UserId {
        &self.account
    }

    /// What has come so far.
    pub fn heard(&self) -> Heard {
        self.change(|heard| heard.clone())
    }

    /// A ping came.
    pub(super) fn ping(&self) {
        self.change(|heard| heard.pings += 1);
    }

    /// A transaction came: its body, and its events. What cannot be read is nobody's loss here.
    pub(super) fn transaction(
        &self,
        body: &[u8],
        events: &[(OwnedEventId, Box<serde_json::value::RawValue>)],
    ) {
        let Extensions { to_device, device_lists, key_counts } =
            serde_json::from_slice(body).unwrap_or_default();
        let messages = to_device.into_iter().filter(|message| {
            message.kind == PROBE_MESSAGE && message.to_user_id.as_ref() == Some(&self.account)
        });
        let ids = messages.filter_map(|message| {
            message.content.get("id").and_then(Value::as_str).map(str::to_owned)
        });
        let sent = events.iter().filter(|(_, event)| {
            serde_json::from_str::<Sender>(event.get())
                .is_ok_and(|event| event.sender == self.account)
        });
        self.change(|heard| {
            heard.transactions += 1;
            heard.to_device.extend(ids);
            heard.events.extend(sent.map(|(id, _)| id.clone()));
            heard.device_lists += u64::from(device_lists.changed.contains(&self.account));
            heard.key_counts += u64::from(key_counts.contains_key(self.account.as_str()));
            forget_the_oldest(&mut heard.to_device);
            forget_the_oldest(&mut heard.events);
        });
    }

    fn change<T>(&self, act: impl FnOnce(&mut Heard) -> T) -> T {
        act(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn forget_the_oldest<T>(list: &mut Vec<T>) {
    list.drain(..list.len().saturating_sub(REMEMBERED));
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;

    #[test]
    fn only_what_concerns_the_account_is_noted() {
        let ours = user_id!("@_p_doctor:a.test");
        let overheard = Overheard::new(ours.to_owned());
        let body = serde_json::json!({
            "events": [],
            "de.sorunome.msc2409.to_device": [
                { "type": PROBE_MESSAGE, "to_user_id": ours, "content": { "id": "one" } },
                { "type": PROBE_MESSAGE, "to_user_id": "@_p_x:a.test", "content": { "id": "two" } },
                { "type": "m.room.encrypted", "to_user_id": ours, "content": { "id": "three" } },
            ],
            "org.matrix.msc3202.device_lists": { "changed": [ours], "left": [] },
            "org.matrix.msc3202.device_one_time_keys_count": { "@_p_x:a.test": {} },
        });
        overheard.transaction(&serde_json::to_vec(&body).unwrap(), &[]);
        overheard.transaction(b"{\"events\":[]}", &[]);
        let heard = overheard.heard();
        assert_eq!(heard.to_device, ["one"]);
        assert_eq!((heard.transactions, heard.device_lists, heard.key_counts), (2, 1, 0));
    }

    #[test]
    fn no_more_than_the_latest_are_remembered() {
        let ours = user_id!("@_p_doctor:a.test");
        let overheard = Overheard::new(ours.to_owned());
        for number in 0..200 {
            let message = serde_json::json!({
                "type": PROBE_MESSAGE, "to_user_id": ours, "content": { "id": number.to_string() },
            });
            let body = serde_json::json!({ "to_device": [message] });
            overheard.transaction(&serde_json::to_vec(&body).unwrap(), &[]);
        }
        let heard = overheard.heard();
        assert_eq!(heard.to_device.len(), REMEMBERED);
        assert_eq!(heard.to_device.last().map(String::as_str), Some("199"));
    }
}
