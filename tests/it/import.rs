//! The main job on a real homeserver: three thousand messages, as the person who is invited
//! reads them.

use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use serde_json::{Value, json};

use super::support::compare::{BOT, assert_log_is_discreet, assert_room_is};
use super::support::world::{Setting, World};

const MESSAGES: usize = 3_000;
const FILES: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn three_thousand_messages_are_read_back_by_the_person_who_was_invited() {
    let world = World::start(Setting::default()).await;
    let (sample, archive) = world.sample(20_251_026, MESSAGES, FILES);
    let plan = world.approved(&archive).await;
    let started = Instant::now();
    let job = world.start_job(&plan).await;
    assert_eq!(world.eyes(&world.member).invitations().await, [] as [&str; 0]);
    world.follow(&job).await.done();
    println!("{MESSAGES} messages, {FILES} files: {:.0?}", started.elapsed());

    let plan = std::fs::read_to_string(plan).unwrap();
    assert_room_is(&world, &job, &sample, &plan).await;
    assert_state(&world, &job).await;
    assert_nobody_was_early(&world, &job).await;
    assert_report(&world, &job, sample.truth.len()).await;
    for (place, mode) in [
        ("state", 0o700),
        ("state/spool", 0o700),
        ("state/reports", 0o700),
        ("state/passerelle.sock", 0o600),
    ] {
        let found = std::fs::metadata(world.path(place)).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{place}");
    }
    assert_log_is_discreet(&world, &sample);
    println!("and read back: {:.0?}", started.elapsed());
}

/// Tchap's private room without encryption, and its people.
async fn assert_state(world: &World, job: &str) {
    let room = world.room(job).await;
    let member = world.eyes(&world.member);
    let content = async |kind: &str| member.state_content(&room, kind, "").await;
    assert_eq!(content("m.room.create").await.unwrap()["room_version"], "11");
    let rules = content("im.vector.room.access_rules").await.unwrap();
    assert_eq!(
        rules,
        json!({
            "rule": "restricted", "visibility": "private", "force_unencrypted_at_creation": true,
        })
    );
    let visibility = content("m.room.history_visibility").await.unwrap();
    assert_eq!(visibility["history_visibility"], "shared");
    assert_eq!(content("m.room.guest_access").await.unwrap()["guest_access"], "forbidden");
    assert_eq!(content("m.room.join_rules").await.unwrap()["join_rule"], "invite");
    assert_eq!(content("m.room.encryption").await, None);
    let levels = content("m.room.power_levels").await.unwrap();
    assert_eq!(levels["users"], json!({ BOT: 100, &world.admin.user_id: 100 }));
    assert_eq!(world.eyes(&world.admin).invitations().await, [room.as_str()]);
    let members = member.joined_members(&room).await;
    assert!(!members.contains_key(&world.witness.user_id), "the witness has gone: {members:?}");
}

/// The timeline keeps the order of things: bot and ghosts, every message, the witness who reads
/// it, and only then people.
async fn assert_nobody_was_early(world: &World, job: &str) {
    let room = world.room(job).await;
    let timeline = world.eyes(&world.member).timeline(&room, 200).await;
    let last_message = timeline.iter().rposition(|event| event.get("state_key").is_none()).unwrap();
    let membership = |event: &Value| event["content"]["membership"].as_str().map(str::to_owned);
    let mut witness_read = false;
    let mut people = 0;
    for (place, event) in timeline.iter().enumerate() {
        let Some(what) = membership(event).filter(|_| event["type"] == "m.room.member") else {
            continue;
        };
        let who = event["state_key"].as_str().unwrap();
        if who.starts_with("@_passerelle_") {
            continue;
        }
        assert!(place > last_message, "{who} {what} before the last message");
        if who == world.witness.user_id {
            witness_read |= what == "join";
        } else {
            assert!(witness_read, "{who} {what} before the room was read back");
            people += 1;
        }
    }
    // Two invitations and one join.
    assert_eq!(people, 3, "{:#?}", &timeline[last_message..]);
}

async fn assert_report(world: &World, job: &str, messages: usize) {
    let report = world.report(job).await;
    let sums = &report["sums"];
    assert_eq!(sums["messages"], messages, "{sums:#}");
    assert_eq!(sums["carried"], messages, "{sums:#}");
    assert_eq!(sums["events"], messages, "{sums:#}");
    for none in ["carried_with_loss", "left_out", "refused", "differs", "findings_only"] {
        assert_eq!(sums[none], 0, "{sums:#}");
    }
    // The night the clocks went back is remarked upon once.
    assert_eq!(report["findings"], json!({ "ambiguous_time": 1 }));
    let kinds = json!({ "media": FILES, "system": 3, "text": MESSAGES - FILES });
    assert_eq!(sums["by_kind"], kinds);
    assert_eq!(report["differences"], json!([]));
    assert_eq!(report["files_compared"], FILES);
    assert_eq!(report["room_events_of_others"], 0);

    let said = world.cli(&["import", "report", job]).await.done();
    let view = world.job(job).await;
    let kept = world.path(view["report"].as_str().unwrap());
    assert_eq!(std::fs::read_to_string(&kept).unwrap().trim_end(), said.out.trim_end());
    assert!(said.out.contains(&format!("{messages:>8}  ")), "{}", said.out);
    let lines = std::fs::read_to_string(kept.with_file_name("records.jsonl")).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let remarks = lines.iter().filter(|line| line.get("remark").is_some()).count();
    assert_eq!((lines.len() - remarks, remarks), (messages, 1));
    let carried = lines.iter().filter(|line| line["disposition"] == "carried").count();
    assert_eq!(carried, messages);
    for file in ["report.json", "report.txt", "records.jsonl"] {
        let mode = std::fs::metadata(kept.with_file_name(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    // The working copy is gone, and the owner's export is where it was.
    assert_eq!(std::fs::read_dir(world.path("state/spool")).unwrap().count(), 0);
}
