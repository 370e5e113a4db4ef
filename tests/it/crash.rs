//! A daemon that is killed anywhere leaves the room as if nothing had happened.
//!
//! Real daemons over a real homeserver; what came of it is read by an ordinary member and
//! compared with an undisturbed import of the same archive in a second room. The small version
//! runs with every test; the long one is `make crash`, which prints a seed and its figures.

#![expect(clippy::unwrap_used, reason = "clippy sees tests only in functions marked as such")]
#![expect(clippy::print_stdout, reason = "a long run is seen to move")]

use std::time::Duration;

use self::storm::Lie;
use self::world::World;
use crate::support::bars::{self, At, bar};

mod compare;
mod storm;
mod world;
mod writes;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_daemon_leaves_the_room_as_if_nothing_had_happened() {
    let mut world = World::new().await;
    let wanted = storm::Wanted {
        seed: 26,
        kills: 5,
        messages: 60,
        media: 3,
        longest_life: Duration::from_secs(4),
        lie: None,
    };
    let storm = storm::rage(&mut world, &wanted).await;
    // Far from those that further rounds of the storm would take.
    let wanted = writes::Wanted { seed: 1027, messages: 8, media: 1, times: 1 };
    let writes = writes::die_at_each(&world, &wanted).await;
    assert!(storm.faults.is_empty() && writes.faults.is_empty(), "{storm:#?}\n{writes:#?}");
    assert!(storm.differences.none() && writes.differences.none(), "{storm:#?}\n{writes:#?}");
    assert!(storm.kills == 5 && storm.kills_in_flight >= 1 && storm.restarts == 1, "{storm:#?}");
    // An intention and an end for each of eleven lines.
    assert!(writes.deaths["ledger"] >= 22 && writes.total() >= 35, "{writes:#?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; `make crash` runs it"]
async fn killed_at_many_moments_and_at_every_write() {
    let number = |name: &str, usual: u64| {
        let said = std::env::var(name).ok().filter(|text| !text.is_empty());
        said.map_or(usual, |text| text.parse().unwrap())
    };
    let mut random = [0; 4];
    getrandom::fill(&mut random).unwrap();
    let seed = number("SEED", u32::from_le_bytes(random).into());
    let kills = usize::try_from(number("KILLS", 40)).unwrap();
    let lie = std::env::var("BREAK").ok().filter(|name| !name.is_empty());
    println!("SEED={seed} KILLS={kills} BREAK={}", lie.as_deref().unwrap_or(""));

    let mut world = World::new().await;
    let wanted = storm::Wanted {
        seed,
        kills,
        messages: 250,
        media: 12,
        longest_life: Duration::from_secs(4),
        lie: lie.as_deref().map(Lie::named),
    };
    let storm = storm::rage(&mut world, &wanted).await;
    let mut writes = writes::Tally::default();
    let broken = !storm.faults.is_empty() || !storm.differences.none();
    if broken {
        println!("the deaths at each write are left out: the kills have broken the room");
    } else {
        let wanted = writes::Wanted { seed: seed ^ 1 << 40, messages: 40, media: 3, times: 2 };
        writes = writes::die_at_each(&world, &wanted).await;
    }
    for fault in storm.faults.iter().chain(&writes.faults) {
        println!("fault: {fault}");
    }
    let at_ledger = writes.deaths.get("ledger").copied().unwrap_or(0);
    let mut differences = storm.differences;
    differences.add(writes.differences);
    let figures = [
        bar("crash.kills", storm.kills, &At::Least(40)),
        bar("crash.kills_in_flight", storm.kills_in_flight, &At::Least(10)),
        bar("crash.kills_at_ledger_writes", at_ledger, &At::Least(LEDGER_DEATHS)),
        bar("crash.homeserver_restarts", storm.restarts, &At::Least(1)),
        bar("crash.lost", differences.lost, &At::Most(0)),
        bar("crash.doubled", differences.doubled, &At::Most(0)),
        bar("crash.reordered", differences.reordered, &At::Most(0)),
        bar("crash.changed", differences.changed, &At::Most(0)),
    ];
    bars::show("CRASH_FIGURES", &figures);
    assert!(storm.faults.is_empty() && writes.faults.is_empty(), "a job did not end well");
    assert!(differences.none(), "the room is not what the undisturbed import made");
    assert!(at_ledger >= LEDGER_DEATHS, "not every ledger write was died at: {writes:#?}");
}

/// The script whose every write is died at, and how often.
const MESSAGES: usize = 40;
const TIMES: usize = 2;
/// The three lines a sample begins with count, and each event is written as intended and as sent.
const LEDGER_DEATHS: usize = (MESSAGES + 3) * 2 * TIMES;
