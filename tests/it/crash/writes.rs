//! A death before every single record write of an import, each in a daemon of its own.
//!
//! The daemon, built with the feature `sabotage`, keeps a diary of the writes it died at and
//! dies at the first that is not in it yet (`src/store/sabotage.rs`). One job, started again
//! and again, so passes a death at each of its writes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::compare::{Differences, compare};
use super::world::{Rest, World};
use crate::support::daemon::Process;

/// A homeserver that dies instead of the daemon would make lives without end.
const LIVES_AT_MOST: usize = 2000;

pub struct Wanted {
    pub seed: u64,
    pub messages: usize,
    pub media: usize,
    /// Deaths at each write: the second one hits what mends the first.
    pub times: usize,
}

#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// By tree of the store.
    pub deaths: BTreeMap<String, usize>,
    pub differences: Differences,
    pub faults: Vec<String>,
}

impl Tally {
    pub fn total(&self) -> usize {
        self.deaths.values().sum()
    }
}

pub async fn die_at_each(world: &World, wanted: &Wanted) -> Tally {
    let script = world.script(wanted.seed, wanted.messages, wanted.media).await;
    let diary = world.installation.path("diary");
    let process = Process::new("mortal")
        .with("FORGET_UNFLUSHED", "1")
        .with("ABORT_DIARY", diary.to_str().unwrap())
        .with("ABORT_TIMES", &wanted.times.to_string());
    let mut tally = Tally::default();
    let mut known: Option<String> = None;
    for life in 1..=LIVES_AT_MOST {
        if life.is_multiple_of(20) {
            println!("life {life} of a daemon that dies at every write");
        }
        let mut daemon = world.installation.start(&process);
        if known.is_none() {
            if !daemon.is_ready().await {
                continue;
            }
            known = world.hand_in(&process, &script);
        }
        let Some(job) = known.clone() else {
            // It takes the process a moment to be gone.
            while daemon.ended().is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            continue;
        };
        let Some(rest) = world.rest(&mut daemon, &job).await else { continue };
        if !matches!(rest, Rest::Done) {
            tally.faults.push(format!("{rest:?}, in life {life}"));
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        if daemon.ended().is_some() && tally.faults.is_empty() {
            // Done, and then it died at a write of its tidying up.
            continue;
        }
        let stormy = world.read(daemon.job(&job).await).await;
        tally.differences = compare(&script.calm, &stormy);
        daemon.stop().await;
        break;
    }
    for line in std::fs::read_to_string(diary).unwrap().lines() {
        if let Some(tree) = line.split(' ').next() {
            *tally.deaths.entry(tree.to_owned()).or_default() += 1;
        }
    }
    if tally.faults.is_empty() && world.leftovers(&process) > 0 {
        tally.faults.push("a working copy of an archive was left behind".to_owned());
    }
    println!("{} deaths at writes {:?}: {:?}", tally.total(), tally.deaths, tally.differences);
    tally
}
