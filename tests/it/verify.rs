//! A room that is not what the archive says is found out, named, and shown to nobody; and an
//! import can be stopped by hand, and taken back.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::support::compare::{BOT, assert_room_is};
use super::support::proxy::{Action, Reply, Rule};
use super::support::synapse::Account;
use super::support::world::{Setting, Wire, World, text};

const SENDING: &str = "PUT */send/m.room.message/*";
const HELD: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_is_named_and_a_person_decides() {
    let world = World::start(Setting {
        wire: Wire::Proxied,
        config: vec![("IMPORT__BATCH_MESSAGES", "4".to_owned())],
        ..Setting::default()
    })
    .await;
    lost_by_the_homeserver(&world).await;
    changed_afterwards(&world).await;
    stopped_by_hand(&world).await;
}

/// The homeserver says it has an event, and has not: the room is one message short.
async fn lost_by_the_homeserver(world: &World) {
    let (sample, archive) = world.sample(51, 12, 1);
    let body = json!({ "event_id": "$never-was-there" }).to_string();
    let lie = Action::Answer(Reply::json(200, &body));
    // The canary, three lines of the messenger, and four messages go well.
    world.proxy().set(Rule::new(SENDING, lie).skip(8).times(1));
    let job = world.import(&archive).await;
    let room = world.follow(&job).await.failed();
    assert!(room.err.contains("differs from the archive in 1 place"), "{room:#?}");
    assert!(room.hint().contains("import report"), "{room:#?}");
    assert_eq!(world.job(&job).await["state"], "failed");
    for person in [&world.admin, &world.member] {
        assert_eq!(world.eyes(person).invitations().await, [] as [&str; 0]);
    }
    let report = world.report(&job).await;
    assert_eq!(report["sums"]["differs"], 1);
    assert_eq!(report["sums"]["carried"], sample.truth.len() - 1);
    let difference = &report["differences"][0];
    assert_eq!(difference["what"], "missing", "{difference:#}");
    let entry = std::path::Path::new(difference["place"]["entry"].as_str().unwrap());
    assert_eq!(entry.extension().unwrap(), "txt", "{difference:#}");
    assert!(difference["place"]["line"].as_u64() >= Some(8), "{difference:#}");
    // Its own ledger does not make it believe otherwise.
    let said = world.cli(&["import", "resume", &job, "--wait"]).await.failed();
    assert!(said.err.contains("differs from the archive in 1 place"), "{said:#?}");
    world.cli(&["import", "cancel", &job, "--yes"]).await.done();
    assert_eq!(world.eyes(&world.member).invitations().await, [] as [&str; 0]);
    world.proxy().clear();
}

/// A verified room whose owner deletes a message and says something: the first is a difference,
/// the second is not.
async fn changed_afterwards(world: &World) {
    let (_, archive) = world.sample(52, 12, 1);
    let job = world.import(&archive).await;
    world.follow(&job).await.done();
    let room = world.room(&job).await;
    let owner = world.eyes(&world.admin);
    owner.join(&room).await;
    let said_now = json!({ "msgtype": "m.text", "body": "merci" });
    owner.send(&room, "thanks", said_now).await;
    let verify = ["import", "verify", &job, "--archive", text(&archive)];
    world.cli(&verify).await.done();
    assert_eq!(world.report(&job).await["room_events_of_others"], 1);

    let events = owner.messages(&room, 50).await;
    let victim = events[6]["event_id"].as_str().unwrap();
    let path = ["v3", "rooms", &room, "redact", victim, "r1"];
    let (status, answer) = owner.call(Method::PUT, &path, &[], Some(json!({}))).await;
    assert!(status.is_success(), "{answer}");
    let said = world.cli(&verify).await;
    assert_eq!(said.code, 10, "a check that finds errors: {said:#?}");
    let report = world.report(&job).await;
    assert_eq!(report["differences"].as_array().unwrap().len(), 1, "{report:#}");
    assert_eq!(report["differences"][0]["what"], "missing", "{report:#}");
    assert_eq!(world.job(&job).await["state"], "done");
}

/// Paused, resumed, paused again and taken back.
async fn stopped_by_hand(world: &World) {
    let (sample, archive) = world.sample(53, 60, 3);
    let plan = world.approved(&archive).await;
    let job = pause_while_sending(world, &plan).await;
    let view = world.job(&job).await;
    assert_eq!((&view["state"], &view["fault"]), (&json!("paused"), &json!("")), "{view:#}");
    let done = view["done"].as_u64().unwrap();
    assert!(done > 0 && done < 63, "{view:#}");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(world.job(&job).await["done"], done, "it stands still");
    world.cli(&["import", "resume", &job, "--wait"]).await.done();
    let plan = std::fs::read_to_string(plan).unwrap();
    assert_room_is(world, &job, &sample, &plan).await;

    let (_, archive) = world.sample(54, 60, 0);
    let plan = world.approved(&archive).await;
    let job = pause_while_sending(world, &plan).await;
    let room = world.room(&job).await;
    let sent = messages(world, &room).await;
    assert!(sent > 0 && sent < 63, "{sent}");
    let said = world.cli(&["import", "cancel", &job, "--yes"]).await.done();
    assert!(said.err.contains(&format!("{sent} event(s) were redacted")), "{said:#?}");
    assert_eq!(messages(world, &room).await, 0, "nothing is left to read");
    for what in ["resume", "pause", "cancel"] {
        let mut command = vec!["import", what, &job];
        command.extend((what == "cancel").then_some("--yes"));
        let said = world.cli(&command).await;
        assert_eq!(said.code, 1, "{said:#?}");
        assert!(said.err.contains("is cancelled"), "{said:#?}");
    }
    assert_eq!(std::fs::read_dir(world.path("state/spool")).unwrap().count(), 0);
}

/// How many events with a text the bot can read, which was in the room while they were sent.
async fn messages(world: &World, room: &str) -> usize {
    let token = std::fs::read_to_string(world.path("secrets/as_token")).unwrap();
    let bot = Account { user_id: BOT.to_owned(), token: token.trim().to_owned() };
    let path = ["v3", "rooms", room, "messages"];
    let query = [("dir", "b"), ("limit", "200"), ("user_id", BOT)];
    let (status, page) = world.eyes(&bot).call(Method::GET, &path, &query, None).await;
    assert!(status.is_success(), "{page}");
    let events = page["chunk"].as_array().unwrap();
    events.iter().filter(|event| event["content"].get("body").is_some()).count()
}

async fn pause_while_sending(world: &World, plan: &std::path::Path) -> String {
    let hold = world.proxy().set(Rule::new(SENDING, Action::HoldResponse).skip(14));
    let job = world.start_job(plan).await;
    world.proxy().wait_until_held(hold, HELD).await;
    world.cli(&["import", "pause", &job]).await.done();
    world.proxy().clear();
    let said = world.follow(&job).await.failed();
    assert!(said.err.contains("is paused"), "{said:#?}");
    assert!(said.hint().contains("import resume"), "{said:#?}");
    job
}
