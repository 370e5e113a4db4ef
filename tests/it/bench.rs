//! How fast an import is, and how much memory it takes. `make bench` runs it and prints figures;
//! `docs/benchmarks.md` says what they mean. A tiny run of every part stands among the tests.

#![expect(clippy::unwrap_used, reason = "clippy sees tests only in functions marked as such")]
#![expect(clippy::print_stdout, reason = "a long run is seen to move")]

use self::memory::Load;
use self::speed::{Speed, Work};
use self::world::World;
use crate::support::bars::{self, At, bar};

mod loader;
mod memory;
mod speed;
mod stub;
mod world;

#[tokio::test(flavor = "multi_thread")]
async fn a_tiny_bench_measures_both_sides() {
    let mut world = World::new().await;
    let work = Work { rooms: 1, messages: 12, photos: 2, photo: (320, 240), pairs: 1 };
    let Speed { ratio, import, bare } = speed::measure(&mut world, "tiny", &work).await;
    assert!(ratio > 0.0 && ratio.is_finite(), "{ratio} = {import} / {bare}");
    world.stop().await;
    let load = Load { messages: 40, photos: 3, photo: (640, 480) };
    assert!(memory::peak_mib(&load).await > 1.0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; `make bench` runs it"]
async fn speed_and_memory() {
    let chosen = std::env::var("BENCH").ok().filter(|name| !name.is_empty());
    let is_chosen = |name: &str| chosen.as_deref().is_none_or(|chosen| chosen == name);
    let mut bars = Vec::new();
    let text = Work { rooms: 1, messages: 400, photos: 0, photo: (1600, 1200), pairs: 5 };
    let speeds = [
        ("one_room", text, 0.95),
        ("eight_rooms", Work { rooms: 8, messages: 150, ..text }, 0.95),
        ("media", Work { messages: 200, photos: 20, ..text }, 1.1),
    ];
    if speeds.iter().any(|(name, ..)| is_chosen(name)) {
        let mut world = World::new().await;
        for (name, work, least) in speeds {
            if is_chosen(name) {
                let Speed { ratio, .. } = speed::measure(&mut world, name, &work).await;
                bars.push(bar(
                    &format!("import.{name}"),
                    rounded(ratio, 1000.0),
                    &At::Least(least),
                ));
            }
        }
        world.stop().await;
    }
    if is_chosen("memory") {
        let load = Load { messages: 10_000, photos: 200, photo: (4000, 3000) };
        let small = memory::peak_mib(&load).await;
        let large = memory::peak_mib(&Load { messages: 100_000, ..load }).await;
        let growth = (large / small - 1.0) * 100.0;
        bars.push(bar("daemon.memory_mb", rounded(large, 10.0), &At::Most(150.0)));
        bars.push(bar("daemon.memory_growth_percent", rounded(growth, 10.0), &At::Most(10.0)));
    }
    bars::show("BENCH_FIGURES", &bars);
    assert!(!bars.is_empty(), "BENCH names one_room, eight_rooms, media or memory");
}

fn rounded(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}
