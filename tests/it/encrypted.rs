//! Encrypted rooms on a real homeserver, read by the witness's own device and by people's clients,
//! which believe only devices that their owners have signed.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::compare::{BOT, assert_log_is_discreet};
use super::support::person::Person;
use super::support::sample::Sample;
use super::support::synapse::{Account, Devices};
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

#[tokio::test(flavor = "multi_thread")]
async fn invited_people_read_everything_without_a_shield_and_are_heard() {
    let world = World::start(Setting::default()).await;
    let mut member = Person::log_in(&world.synapse, &world.member).await;
    people_read(world, &mut member, &Size { messages: 60, files: 4 }).await;
}

/// `make e2ee`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes some minutes"]
async fn two_thousand_messages_are_read_without_a_shield() {
    let world = World::start(Setting::default()).await;
    let mut member = Person::log_in(&world.synapse, &world.member).await;
    people_read(world, &mut member, &Size { messages: 2_000, files: 40 }).await;
}

/// How much is imported.
struct Size {
    messages: usize,
    files: usize,
}

async fn people_read(mut world: World, member: &mut Person, size: &Size) {
    let (sample, archive) = world.sample(20_251_125, size.messages, size.files);
    let job = import_encrypted(&world, &archive).await;
    world.follow(&job).await.done();
    let room = world.room(&job).await;
    let count = sample.truth.len();

    // Somebody of the plan, and once more whatever they were given.
    member.join(&room).await;
    assert_read(&member.read_all(&room, count).await, &sample);
    let said = world.cli(&["keys", "resend", &room, &world.member.user_id]).await.done();
    assert!(said.out.contains("1 devices have every key"), "{said:#?}");

    // Somebody who was in no plan, invited later by the room's owner, while the daemon is down.
    let late = world.synapse.register_user("dominique.late-exemple.gouv.fr").await;
    let mut late = Person::log_in(&world.synapse, &late).await;
    let owner = world.eyes(&world.admin);
    owner.join(&room).await;
    owner.invite(&room, late.user_id()).await;
    world.stop_daemon().await;
    late.join(&room).await;
    world.start_daemon().await;
    assert_read(&late.read_all(&room, count).await, &sample);

    // The bot reads what people write, and answers in the same way. The key comes with a
    // transaction; or, when that was lost because nobody listened, it is fetched.
    let asked = late.send(&room, "!passerelle etat").await;
    assert_answered(&mut late, &room, &asked).await;
    world.stop_daemon().await;
    let asked = member.send(&room, "!passerelle aide").await;
    world.start_daemon().await;
    assert_answered(member, &room, &asked).await;
    assert_log_is_discreet(&world, &sample);
}

/// Some homeservers put nothing for devices into transactions; it waits for each device.
#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_tells_nothing_about_devices_is_asked() {
    let world = World::start(Setting { devices: Devices::Silent, ..Setting::default() }).await;
    let mut member = Person::log_in(&world.synapse, &world.member).await;
    let (sample, archive) = world.sample(9, 20, 0);
    let job = import_encrypted(&world, &archive).await;
    world.follow(&job).await.done();
    let room = world.room(&job).await;
    member.join(&room).await;
    assert_read(&member.read_all(&room, sample.truth.len()).await, &sample);
    let asked = member.send(&room, "!passerelle etat").await;
    assert_answered(&mut member, &room, &asked).await;
}

fn assert_read(events: &[Value], sample: &Sample) {
    let unread: Vec<_> = events.iter().filter(|event| event["decrypted"] != true).collect();
    assert!(unread.is_empty(), "{} of {} are not read: {unread:#?}", unread.len(), events.len());
    assert!(events.len() >= sample.truth.len(), "{} events", events.len());
    for (number, (event, truth)) in events.iter().zip(&sample.truth).enumerate() {
        let at = || format!("record {number}, {truth:?}:\n{event:#}");
        // Signed by somebody this person has not met: no client shows a shield.
        assert_eq!(event["trust"], "Unverified(UnverifiedIdentity)", "{}", at());
        assert_eq!(event["ts"], truth.utc_millis, "{}", at());
        assert_eq!(event["type"], "m.room.message", "{}", at());
        assert_eq!(event["sender"] == BOT, truth.sender.is_none(), "{}", at());
        let body = event["content"]["body"].as_str().unwrap();
        match (&truth.sender, &truth.file) {
            (Some(_), None) => assert_eq!(body.trim_matches('*'), truth.text.trim_matches('*')),
            (Some(_), Some(_)) => {
                assert!(event["content"]["file"]["key"].is_object(), "{}", at());
                assert_eq!(event["content"]["url"], Value::Null, "{}", at());
            }
            (None, _) => {}
        }
    }
}

async fn assert_answered(person: &mut Person, room: &str, asked: &str) {
    let answers = |events: &[Value]| -> Vec<Value> {
        let answers = events.iter().filter(|event| {
            event["decrypted"] == true
                && event["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == asked
        });
        answers.cloned().collect()
    };
    let events = person.read_until(room, |events| !answers(events).is_empty()).await;
    let answers = answers(&events);
    assert_eq!(answers.len(), 1, "{events:#?}");
    assert_eq!(answers[0]["sender"], BOT, "{answers:#?}");
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

async fn import_encrypted(world: &World, archive: &Path) -> String {
    let plan = world.plan(archive).await;
    edit(&plan, |text| approve(text).replace("private_unencrypted", "private_encrypted"));
    world.start_job(&plan).await
}

/// What the homeserver sees of it: ciphertext only.
async fn assert_nothing_is_clear(world: &World, room: &str, count: usize) {
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
