//! Several jobs under one budget, a queue that outlives the daemon, hours of rest, and a
//! homeserver that asks for a slower pace.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::{Timestamp, ToSpan};
use serde_json::Value;

use super::support::compare::assert_room_is;
use super::support::proxy::{Action, Reply, Rule};
use super::support::sample::Sample;
use super::support::world::{Setting, Wire, World, text};

const SENDING: &str = "PUT */send/m.room.message/*";
const PATIENCE: Duration = Duration::from_mins(3);

/// A chat with its approved plan.
struct Chat {
    sample: Sample,
    plan: PathBuf,
}

async fn chat(world: &World, seed: u64, messages: usize, media: usize) -> Chat {
    let (sample, archive) = world.sample(seed, messages, media);
    Chat { sample, plan: world.approved(&archive).await }
}

/// `import start PLAN PLAN …`; the jobs in the order of the plans.
async fn start(world: &World, chats: &[Chat]) -> Vec<String> {
    let mut arguments = vec!["import", "start"];
    arguments.extend(chats.iter().map(|chat| text(&chat.plan)));
    let said = world.cli(&arguments).await.done();
    said.out.lines().map(str::to_owned).collect()
}

async fn assert_rooms_are(world: &World, jobs: &[String], chats: &[Chat]) {
    for (job, chat) in jobs.iter().zip(chats) {
        let plan = std::fs::read_to_string(&chat.plan).unwrap();
        assert_room_is(world, job, &chat.sample, &plan).await;
    }
}

/// Waits until a job's status is as it should be.
async fn until(world: &World, job: &str, hope: &str, found: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let view = world.job(job).await;
        if found(&view) {
            return view;
        }
        assert!(began.elapsed() < PATIENCE, "not seen: {hope}; {view:#}\n{}", world.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "the daemon goes by the machine's clock, too")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// When the first and the last message went to each room.
fn sendings(world: &World) -> BTreeMap<String, (Instant, Instant)> {
    let mut rooms: BTreeMap<String, (Instant, Instant)> = BTreeMap::new();
    for one in world.proxy().exchanges().into_iter().filter(|one| one.method == "PUT") {
        let Some((room, _)) = one.path().split_once("/send/") else { continue };
        let room = room.rsplit('/').next().unwrap().replace("%21", "!").replace("%3A", ":");
        let span = rooms.entry(room).or_insert((one.received, one.received));
        span.1 = one.received;
    }
    rooms
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_run_side_by_side_and_one_pauses_while_the_others_go_on() {
    let config = vec![("PACE__JOBS_AT_ONCE", "3".to_owned())];
    let setting = Setting { wire: Wire::Proxied, config, ..Setting::default() };
    let world = World::start(setting).await;
    let chats = [
        chat(&world, 31, 60, 4).await,
        chat(&world, 32, 60, 0).await,
        chat(&world, 33, 45, 6).await,
    ];
    // The second job stands still in the middle until it is told to pause.
    let jobs = start(&world, &chats).await;
    assert_eq!(jobs.len(), 3);
    let second =
        until(&world, &jobs[1], "the second has its room", |view| !view["room_id"].is_null());
    let room = second.await["room_id"].as_str().unwrap().replace(['!', ':'], "*");
    let held = world.proxy().set(
        Rule::new(&format!("PUT *{room}/send/m.room.message/*"), Action::HoldResponse).skip(3),
    );
    world.proxy().wait_until_held(held, PATIENCE).await;
    world.cli(&["import", "pause", &jobs[1]]).await.done();
    for job in [&jobs[0], &jobs[2]] {
        world.follow(job).await.done();
    }
    world.proxy().clear();
    let paused = until(&world, &jobs[1], "it pauses", |view| view["state"] == "paused").await;
    assert!(paused["done"].as_u64() < paused["total"].as_u64(), "{paused:#}");
    assert_eq!(paused["fault"], "");
    world.cli(&["import", "resume", &jobs[1], "--wait"]).await.done();

    assert_rooms_are(&world, &jobs, &chats).await;
    // The first and the third overlapped: neither began when the other had ended.
    let spans = sendings(&world);
    let (first, third) = (spans[&world.room(&jobs[0]).await], spans[&world.room(&jobs[2]).await]);
    assert!(first.0 < third.1 && third.0 < first.1, "{spans:#?}");
    let table = world.cli(&["import", "status"]).await.done().out;
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(table.starts_with("JOB ") && table.matches(" done ").count() == 3, "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_outlives_the_daemon_and_ends_when_it_said_it_would() {
    let config = vec![
        ("PACE__JOBS_AT_ONCE", "1".to_owned()),
        ("PACE__CALLS_PER_SECOND", "6".to_owned()),
        // With one place only, uploads made ahead must never keep it from the sends.
        ("PACE__IN_FLIGHT", "1".to_owned()),
    ];
    let mut world =
        World::start(Setting { wire: Wire::Proxied, config, ..Setting::default() }).await;
    let chats = [
        chat(&world, 31, 60, 4).await,
        chat(&world, 51, 40, 1).await,
        chat(&world, 43, 40, 0).await,
        chat(&world, 71, 40, 3).await,
    ];
    let began = now();
    let jobs = start(&world, &chats).await;
    until(&world, &jobs[0], "the first sends", |view| view["done"].as_u64() > Some(4)).await;
    let mut foreseen = Vec::new();
    for (place, job) in jobs.iter().enumerate().skip(1) {
        let view = world.job(job).await;
        assert_eq!(
            (&view["state"], &view["position"]),
            (&"planned".into(), &place.into()),
            "{view}"
        );
        foreseen.push(view["ends_at"].as_i64().unwrap());
    }
    assert!(foreseen.is_sorted(), "{foreseen:?}");
    let table = world.cli(&["import", "status"]).await.done().out;
    assert!(table.contains("planned, 2nd in the queue, ends about "), "{table}");
    assert_eq!(world.metric("passerelle_queued_jobs").await, 3);

    // One that waits is paused, another given up; then the power fails.
    world.cli(&["import", "pause", &jobs[1]]).await.done();
    world.cli(&["import", "cancel", &jobs[2], "--yes"]).await.done();
    world.kill_daemon();
    world.start_daemon().await;
    assert_eq!(world.job(&jobs[1]).await["state"], "paused");
    assert_eq!(world.job(&jobs[2]).await["state"], "cancelled");
    assert_eq!(world.job(&jobs[3]).await["position"], 1);
    world.cli(&["import", "resume", &jobs[1]]).await.done();
    assert_eq!(world.job(&jobs[1]).await["position"], 1, "its place is that of its handing in");
    assert_eq!(world.job(&jobs[3]).await["position"], 2);
    // A daemon that is stopped while it waits for its turn stops at once.
    let stopping = Instant::now();
    assert!(world.stop_daemon().await.success());
    assert!(stopping.elapsed() < Duration::from_secs(15), "{:?}", stopping.elapsed());
    world.start_daemon().await;

    let view = until(&world, &jobs[0], "the end is foreseen", |view| {
        view["done"].as_u64() > Some(30) && view["ends_at"].is_i64()
    })
    .await;
    let (said_at, foreseen) = (now(), view["ends_at"].as_i64().unwrap());
    world.follow(&jobs[0]).await.done();
    let took = now().duration_since(said_at).as_secs_f64();
    let said = f64::from(i32::try_from(foreseen - said_at.as_millisecond()).unwrap()) / 1000.0;
    assert!((said - took).abs() < 0.5 * took.max(20.0), "said {said} s, took {took} s");
    for job in [&jobs[1], &jobs[3]] {
        world.follow(job).await.done();
    }
    // No more than six calls a second, whoever made them.
    let calls: Vec<Instant> = world.proxy().exchanges().iter().map(|one| one.received).collect();
    for (first, at) in calls.iter().enumerate() {
        let within = calls[first..].iter().take_while(|one| **one - *at < Duration::from_secs(5));
        // A daemon that starts again knows nothing of the one before it, and is asked for its health.
        assert!(within.count() <= 45, "five seconds from {:?}", *at - calls[0]);
    }
    let spans = sendings(&world);
    let (second, fourth) = (spans[&world.room(&jobs[1]).await], spans[&world.room(&jobs[3]).await]);
    assert!(second.1 < fourth.0, "one after the other: {spans:#?}");
    let [first, second, third, fourth] = chats;
    drop(third);
    let ended = [jobs[0].clone(), jobs[1].clone(), jobs[3].clone()];
    assert_rooms_are(&world, &ended, &[first, second, fourth]).await;
    println!("three jobs: {:.0} s", now().duration_since(began).as_secs_f64());
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_rest_in_quiet_hours_and_go_on_by_themselves() {
    let setting = Setting { wire: Wire::Proxied, ..Setting::default() };
    let mut world = World::without_daemon(setting).await;
    let chats = [chat(&world, 51, 40, 1).await];
    let begun = now();
    // A full minute that is far enough for the job to be seen at rest on a busy machine.
    let end = Timestamp::from_second((begun + 100.seconds()).as_second() / 60 * 60).unwrap();
    let clock = |at: Timestamp| at.strftime("%H:%M").to_string();
    let hours = format!("{}-{}", clock(begun - 2.hours()), clock(end));
    world.configure("PACE__QUIET_HOURS", &hours);
    world.configure("PACE__TIME_ZONE", "UTC");
    world.start_daemon().await;
    world.proxy().forget();
    let jobs = start(&world, &chats).await;
    let view = until(&world, &jobs[0], "it rests", |view| view["state"] == "running").await;
    assert_eq!(view["resting_until"], end.as_millisecond(), "{view:#}");
    assert!(view["ends_at"].as_i64() > Some(end.as_millisecond()), "{view:#}");
    let table = world.cli(&["import", "status"]).await.done().out;
    assert!(table.contains("running, resting until "), "{table}");
    assert_eq!(world.proxy().count("PUT *") + world.proxy().count("POST *"), 0);
    world.follow(&jobs[0]).await.done();
    assert!(now() >= end);
    assert_rooms_are(&world, &jobs, &chats).await;
    assert!(world.job(&jobs[0]).await["resting_until"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_with_limits_of_its_own_is_given_the_pace_it_wants() {
    let world = World::start(Setting { rate_limited: true, ..Setting::default() }).await;
    let chats = [chat(&world, 71, 40, 3).await];
    let jobs = start(&world, &chats).await;
    world.follow(&jobs[0]).await.done();
    let refused = world.metric("passerelle_homeserver_refusals_total").await;
    assert!((1..43).contains(&refused), "{refused} of 43 sendings were refused");
    assert_rooms_are(&world, &jobs, &chats).await;
    let log = world.log();
    let episodes = log.matches("asks for a slower pace").count();
    assert!(episodes >= 1 && u64::try_from(episodes).unwrap() <= refused, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_refusals_and_an_absence_end_by_themselves() {
    let config = vec![
        ("MATRIX__PATIENCE_S", "2".to_owned()),
        ("PACE__RESUME_FOR_H", "1".to_owned()),
        ("PACE__RESUME_AFTER_S", "2".to_owned()),
    ];
    let world = World::start(Setting { wire: Wire::Proxied, config, ..Setting::default() }).await;
    let chats = [chat(&world, 71, 40, 3).await];
    let plan = &chats[0].plan;
    let proxy = world.proxy();
    let storm = Action::Answer(Reply::too_many_requests(Some(700)));
    proxy.set(Rule::new(SENDING, storm).skip(10));
    let job = world.start_job(plan).await;
    let waits = |view: &Value| view["state"] == "paused" && view["again_at"].is_i64();
    let view = until(&world, &job, "the storm stops it", waits).await;
    assert!(view["fault"].as_str().unwrap().contains("asks for a pause"), "{view:#}");
    assert!(view["hint"].as_str().unwrap().contains("rate_limited: false"), "{view:#}");
    let met = proxy.exchanges().iter().filter(|one| one.status == Some(429)).count();
    assert!((2..=12).contains(&met), "{met} calls into the storm");
    let log = world.log();
    assert_eq!(log.matches("asks for a slower pace").count(), 1, "once an episode: {log}");
    proxy.clear();

    // It goes on by itself, and meets a homeserver that is away.
    proxy.set(Rule::new("* *", Action::CutRequest).skip(12));
    let gone = until(&world, &job, "the absence stops it", |view| {
        waits(view) && view["fault"].as_str().unwrap().contains("did not answer")
    });
    gone.await;
    // Whoever waits for its end waits on.
    let followed = world.follow(&job);
    let cleared = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        proxy.clear();
    };
    let (said, ()) = tokio::join!(followed, cleared);
    said.done();
    let jobs = [job.clone()];
    assert_rooms_are(&world, &jobs, &chats).await;
    assert!(world.job(&job).await["again_at"].is_null());
    let ids: BTreeSet<_> = proxy
        .exchanges()
        .iter()
        .filter(|e| e.method == "PUT" && e.status == Some(200))
        .map(|e| e.path().to_owned())
        .collect();
    assert!(ids.len() > 30);
}
