//! Whether our accounts can have devices, speak as them, and keep keys for them.

use http::Method;
use ruma::OwnedDeviceId;
use serde_json::{Value, json};

use super::ask::Ask;
use super::means::Means;
use super::service::refused;
use super::sheet::{Seen, Sheet};
use crate::matrix::{Actor, Homeserver, Intent, MatrixError, Question};

/// The device of the throw-away ghost, and for a while of the bot.
const DEVICE: &str = "PASSERELLE_DOCTOR";
const OLD_HOMESERVER: &str = "ask for Synapse 1.141 or later, which lets application services speak as a device; without it, repeated messages after a restart of the homeserver cannot be ruled out";

/// Who acts in the throw-away room.
#[derive(Clone, Debug)]
pub(super) struct Cast {
    pub(super) bot: Actor,
    pub(super) ghost: Actor,
}

impl Cast {
    fn new(means: &Means<'_>, device_id: Option<OwnedDeviceId>) -> Self {
        Self {
            bot: Actor { user_id: means.bot(), device_id: device_id.clone() },
            ghost: Actor { user_id: means.ghost(), device_id },
        }
    }
}

/// Who can act: with devices where the homeserver allows them.
pub(super) async fn examine(
    sheet: &mut Sheet<'_>,
    means: &Means<'_>,
    homeserver: &Homeserver,
    nonce: &str,
) -> Cast {
    let cast = Cast::new(means, Some(OwnedDeviceId::from(DEVICE)));
    if sheet.run("device.create", create(homeserver, &cast)).await.is_none() {
        sheet.skip("there is no device", &["device.speaks", "device.keys"]);
        return Cast::new(means, None);
    }
    sheet.look("device.speaks", speaks(homeserver, &cast.ghost)).await;
    sheet.look("device.keys", keys(homeserver, &cast.ghost, nonce)).await;
    cast
}

async fn create(homeserver: &Homeserver, cast: &Cast) -> (Seen, Option<()>) {
    let made = async {
        for actor in [&cast.ghost, &cast.bot] {
            let intent = Intent::new(homeserver.clone(), actor.clone());
            intent.register().await?;
            intent.create_device("passerelle doctor").await?;
        }
        Ok(())
    };
    judge_creation(made.await)
}

fn judge_creation(made: Result<(), MatrixError>) -> (Seen, Option<()>) {
    match made {
        Ok(()) => (Seen::ok("made without a login"), Some(())),
        Err(error @ MatrixError::Refused { .. }) => {
            let change = "io.element.msc4190: true in the registration; Synapse 1.121 or later";
            (Seen::error(error.to_string(), change).asking(Ask::Devices), None)
        }
        Err(error) => (refused(&error), None),
    }
}

async fn speaks(homeserver: &Homeserver, ghost: &Actor) -> Seen {
    match homeserver.whoami(Some(ghost)).await {
        Ok((user, device)) => judge_speaker(ghost, user == ghost.user_id, device.as_deref()),
        Err(error) => refused(&error),
    }
}

fn judge_speaker(ghost: &Actor, is_user: bool, device: Option<&str>) -> Seen {
    let asserted = ghost.device_id.as_ref().map(|device| device.as_str());
    match device {
        _ if !is_user => Seen::error(
            format!("the homeserver does not take us for {}", ghost.user_id),
            "install the registration that fits appservice.user_prefix",
        ),
        device if device == asserted => Seen::ok("the homeserver hears the ghost's device"),
        _ => Seen::error("the homeserver does not hear which device speaks", OLD_HOMESERVER),
    }
}

async fn keys(homeserver: &Homeserver, ghost: &Actor, nonce: &str) -> Seen {
    let keys = json!({ format!("curve25519:{nonce}"): fake_key(nonce) });
    match upload(homeserver, ghost, json!({ "one_time_keys": keys })).await {
        Ok(answer) => judge_keys(&answer),
        Err(error) => Seen::error(error.to_string(), OLD_HOMESERVER),
    }
}

fn judge_keys(answer: &Value) -> Seen {
    let left = answer.pointer("/one_time_key_counts/curve25519").and_then(Value::as_u64);
    match left {
        Some(left) if left > 0 => Seen::ok("the homeserver keeps it"),
        _ => Seen::error("the homeserver took the key and does not count it", "see its log"),
    }
}

/// Tells the homeserver of new keys of the ghost's device, which changes its device list.
pub(super) async fn change_device_list(
    homeserver: &Homeserver,
    ghost: &Actor,
    nonce: &str,
) -> Result<(), MatrixError> {
    let keys = json!({
        format!("curve25519:{DEVICE}"): fake_key(nonce),
        format!("ed25519:{DEVICE}"): fake_key(nonce),
    });
    let device_keys = json!({
        "user_id": ghost.user_id,
        "device_id": DEVICE,
        "algorithms": [],
        "keys": keys,
        "signatures": {},
    });
    upload(homeserver, ghost, json!({ "device_keys": device_keys })).await.map(|_| ())
}

async fn upload(homeserver: &Homeserver, ghost: &Actor, body: Value) -> Result<Value, MatrixError> {
    let question = Question {
        name: "POST keys/upload",
        method: Method::POST,
        path: &["_matrix", "client", "v3", "keys", "upload"],
        query: &[],
        body: Some(body),
    };
    Ok(homeserver.ask(Some(ghost), question).await?.body)
}

/// Has the shape of a key and is none: nobody encrypts for the throw-away ghost.
fn fake_key(nonce: &str) -> String {
    let mut bytes = [0; 32];
    for (byte, letter) in bytes.iter_mut().zip(nonce.bytes()) {
        *byte = letter;
    }
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD_NO_PAD, bytes)
}

/// Removes the devices. Not having them is success.
pub(super) async fn remove(homeserver: &Homeserver, cast: &Cast) -> Result<(), MatrixError> {
    for actor in [&cast.ghost, &cast.bot] {
        let bare = Actor { user_id: actor.user_id.clone(), device_id: None };
        let question = Question {
            name: "DELETE device",
            method: Method::DELETE,
            path: &["_matrix", "client", "v3", "devices", DEVICE],
            query: &[],
            body: Some(json!({})),
        };
        match homeserver.ask(Some(&bare), question).await {
            Err(error) if error.errcode() != Some("M_NOT_FOUND") => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use ruma::user_id;

    use super::super::sheet::Verdict;
    use super::*;

    #[test]
    fn a_device_is_there_when_the_homeserver_hears_it() {
        let ghost = Actor {
            user_id: user_id!("@_p_doctor:a.test").to_owned(),
            device_id: Some(OwnedDeviceId::from(DEVICE)),
        };
        assert_eq!(judge_speaker(&ghost, true, Some(DEVICE)).verdict, Verdict::Ok);
        assert_eq!(judge_speaker(&ghost, true, None).change, OLD_HOMESERVER);
        assert!(judge_speaker(&ghost, false, Some(DEVICE)).change.contains("user_prefix"));
        assert_eq!(
            judge_keys(&json!({ "one_time_key_counts": { "curve25519": 1 } })).verdict,
            Verdict::Ok
        );
        assert_eq!(judge_keys(&json!({})).verdict, Verdict::Error);
        let refusal = MatrixError::Refused {
            endpoint: "PUT device".to_owned(),
            status: StatusCode::NOT_FOUND,
            errcode: "M_NOT_FOUND".to_owned(),
            message: String::new(),
        };
        let (seen, made) = judge_creation(Err(refusal));
        assert_eq!((seen.asks, made), (vec![Ask::Devices], None));
    }
}
