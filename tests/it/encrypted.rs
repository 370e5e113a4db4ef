//! Encrypted rooms on a real homeserver, read back by the witness's own device, which believes only
//! devices that their owners have signed.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::compare::{BOT, assert_log_is_discreet};
use super::support::synapse::Account;
use super::support::world::{Setting, World, approve, edit, text};

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_room_is_read_whole_by_a_device_that_came_later() {
    let mut world = World::start(Setting::default()).await;
    let (sample, archive) = world.sample(20_251_124, 60, 4);
    let job = import_encrypted(&world, &archive).await;
    for share in [1, 2] {
        // The end of one life of the daemon and the beginning of the next, wherever they are.
        wait_for(&world, &job, sample.truth.len() * share / 3).await;
        world.kill_daemon();
        world.start_daemon().await;
    }
    world.follow(&job).await.done();
    assert_whole(&world.report(&job).await, sample.truth.len());

    // The witness, logged in anew: a device that was not there when anything was said, and that
    // gets every key from its ghost.
    log_in_again(&mut world).await;
    let said = world.cli(&["import", "verify", &job, "--archive", text(&archive)]).await.done();
    assert!(said.out.contains("chaque message est conforme"), "{said:#?}");
    assert_whole(&world.report(&job).await, sample.truth.len());

    let room = world.room(&job).await;
    world.eyes(&world.member).join(&room).await;
    assert_nothing_is_clear(&world, &room, sample.truth.len()).await;
    assert_log_is_discreet(&world, &sample);
    let said = world.cli(&["import", "cancel", &job, "--yes"]).await.done();
    assert!(said.err.contains("of its encrypted room were forgotten"), "{said:#?}");
}

fn assert_whole(report: &Value, messages: usize) {
    let sums = &report["sums"];
    assert_eq!(sums["carried"], messages, "{sums:#}");
    assert_eq!(report["differences"], serde_json::json!([]));
    assert_eq!(report["files_compared"], 4);
    assert_eq!(report["room_events_of_others"], 0);
}

async fn wait_for(world: &World, job: &str, done: usize) {
    let until = Instant::now() + Duration::from_mins(3);
    while world.job(job).await["done"].as_u64().unwrap() < done as u64 {
        assert!(Instant::now() < until, "{}", world.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn log_in_again(world: &mut World) {
    let login = serde_json::json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": world.witness.user_id },
        "password": world.synapse.password(&world.witness),
    });
    let witness = world.eyes(&world.witness);
    let (status, answer) =
        witness.call(reqwest::Method::POST, &["v3", "login"], &[], Some(login)).await;
    assert!(status.is_success(), "{answer}");
    world.stop_daemon().await;
    let token = answer["access_token"].as_str().unwrap();
    std::fs::write(world.path("secrets/witness_token"), token).unwrap();
    world.start_daemon().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_unsigned_ghost_is_found_out() {
    let world = World::start_broken(Setting::default(), "unsigned-ghost").await;
    let (sample, archive) = world.sample(7, 40, 0);
    let job = import_encrypted(&world, &archive).await;
    let said = world.follow(&job).await;
    assert_eq!(said.code, 1, "{said:#?}");
    let status = world.job(&job).await;
    assert_eq!(status["state"], "failed", "{status:#}");
    assert_eq!(world.eyes(&world.member).invitations().await, [] as [&str; 0]);
    let report = world.report(&job).await;
    let missing = report["differences"].as_array().unwrap().len();
    assert!(missing > 0 && missing < sample.truth.len(), "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_whose_encryption_was_changed_gets_nothing_more() {
    let world = World::start(Setting::default()).await;
    let (sample, archive) = world.sample(8, 400, 0);
    let job = world.import(&archive).await;
    wait_for(&world, &job, 20).await;
    world.cli(&["import", "pause", &job]).await.done();
    world.follow(&job).await;
    let room = world.room(&job).await;
    let token = std::fs::read_to_string(world.path("secrets/as_token")).unwrap();
    let bot = Account { user_id: BOT.to_owned(), token: token.trim().to_owned() };
    let bot = world.eyes(&bot);
    let state = ["v3", "rooms", room.as_str(), "state", "m.room.encryption", ""];
    let encryption = serde_json::json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    let as_bot = [("user_id", BOT)];
    let (status, _) = bot.call(reqwest::Method::PUT, &state, &as_bot, Some(encryption)).await;
    assert!(status.is_success(), "{status}");
    let done = world.job(&job).await["done"].as_u64().unwrap();
    let said = world.cli(&["import", "resume", &job, "--wait"]).await.failed();
    assert!(said.err.contains("turned encryption on"), "{said:#?}");
    assert_eq!(world.job(&job).await["done"].as_u64().unwrap(), done);
    assert!(done < sample.truth.len() as u64);
}

pub async fn import_encrypted(world: &World, archive: &Path) -> String {
    let plan = world.plan(archive).await;
    edit(&plan, |text| approve(text).replace("private_unencrypted", "private_encrypted"));
    world.start_job(&plan).await
}

/// What the homeserver sees of it: ciphertext only.
pub async fn assert_nothing_is_clear(world: &World, room: &str, count: usize) {
    let messages = world.eyes(&world.member).messages(room, 200).await;
    assert_eq!(messages.len(), count);
    for event in messages {
        assert_eq!(event["type"], "m.room.encrypted", "{event:#}");
        let mut keys: Vec<_> = event["content"].as_object().unwrap().keys().cloned().collect();
        keys.retain(|key| key != "m.relates_to");
        assert_eq!(
            keys,
            [
                "algorithm",
                "ciphertext",
                "device_id",
                "fr.passerelle.part",
                "sender_key",
                "session_id"
            ]
        );
    }
}
