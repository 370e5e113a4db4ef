//! Imports and bare loads in turn, on one homeserver.

use std::path::PathBuf;

use futures_util::future::join_all;

use super::loader::{Prepared, Ready};
use super::world::{Import, World, wanted};

/// What is imported and loaded.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    pub rooms: usize,
    /// In each room.
    pub messages: usize,
    /// How many of them are photos.
    pub photos: usize,
    pub photo: (u32, u32),
    /// Each is an import and a bare load; which goes first changes from one to the next.
    pub pairs: usize,
}

/// Medians, in messages a second for the sides.
#[derive(Clone, Copy, Debug)]
pub struct Speed {
    pub ratio: f64,
    pub import: f64,
    pub bare: f64,
}

pub async fn measure(world: &mut World, name: &str, work: &Work) -> Speed {
    let wanted = wanted(work.messages, work.photos, work.photo);
    let archives = |world: &World, pair: usize| -> Vec<PathBuf> {
        let title = |room| format!("{name} {pair} {room}");
        (0..work.rooms).map(|room| world.sample(&title(room), &wanted)).collect()
    };
    let rehearsal = archives(world, 0).remove(0);
    let prepared = world.prepare(&rehearsal).await;
    let mut pairs = Vec::new();
    for pair in 1..=work.pairs {
        let archives = archives(world, pair);
        let (import, bare);
        if pair.is_multiple_of(2) {
            bare = load(world, &prepared, work.rooms).await;
            import = fill(world, &archives).await;
        } else {
            import = fill(world, &archives).await;
            bare = load(world, &prepared, work.rooms).await;
        }
        let ratio = import / bare;
        println!("{name} pair {pair}: import {import:.1}/s, bare {bare:.1}/s, ratio {ratio:.3}");
        pairs.push((ratio, import, bare));
    }
    let of = |figure: fn(&(f64, f64, f64)) -> f64| median(pairs.iter().map(figure).collect());
    Speed { ratio: of(|pair| pair.0), import: of(|pair| pair.1), bare: of(|pair| pair.2) }
}

/// Messages a second of the imports.
async fn fill(world: &mut World, archives: &[PathBuf]) -> f64 {
    let imports = world.import(archives).await;
    if let [Import { messages, sending, whole, .. }] = imports.as_slice() {
        let whole = messages / whole.as_secs_f64();
        println!("  the whole job, from hand-in to report: {whole:.1}/s");
        return messages / sending.as_secs_f64();
    }
    together(world, imports.iter().map(|import| import.room.clone()).collect()).await
}

/// Messages a second of the bare loaders.
async fn load(world: &World, prepared: &Prepared, rooms: usize) -> f64 {
    let mut ready = Vec::new();
    for _ in 0..rooms {
        ready.push(Ready::new(world, prepared).await);
    }
    let names = ready.iter().map(|ready| ready.room.clone()).collect();
    let loads = join_all(ready.into_iter().map(|ready| tokio::spawn(ready.load()))).await;
    match loads.as_slice() {
        [Ok(took)] => prepared.events() / took.as_secs_f64(),
        _ => together(world, names).await,
    }
}

/// Messages a second of several rooms while all of them are being filled, as the homeserver saw
/// it: jobs do not begin at the same moment, and what one does alone is another measure.
async fn together(world: &World, rooms: Vec<String>) -> f64 {
    let arrivals = world.synapse.arrivals().await;
    let times: Vec<&Vec<u64>> = rooms.iter().map(|room| &arrivals[room]).collect();
    let begin = times.iter().map(|times| times[0]).max().unwrap();
    let end = times.iter().map(|times| times[times.len() - 1]).min().unwrap();
    assert!(begin < end, "the rooms were filled one after the other");
    let meanwhile = times.iter().flat_map(|times| times.iter());
    let count = meanwhile.filter(|at| (begin..end).contains(at)).count();
    let [count, ms] = [count, usize::try_from(end - begin).unwrap()];
    let [count, ms] = [count, ms].map(|number| f64::from(u32::try_from(number).unwrap()));
    count / ms * 1000.0
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
