//! SIGKILL at moments drawn over the time an import takes, and between a request and its
//! response, again and again, with the homeserver stopped once on the way. Each daemon finds the
//! store as the last flush left it, as if not it but the machine had died.

use std::time::{Duration, Instant};

use super::compare::{Differences, compare};
use super::world::{Rest, Script, World};
use crate::support::daemon::{Daemon, Process};
use crate::support::proxy::{Action, Exchange, NO_EVENT, Proxy, Reply, Rule, RuleId};
use crate::support::sample::Dice;

const SENDING: &str = "PUT */send/*";
/// What an answer waits for on its way back, so that there is something to kill in.
const LATENCY: Duration = Duration::from_millis(20);
/// One blow in so many waits for a request of its own choice.
const AIMED: usize = 4;
/// The requests whose answers are worth losing, likelier ones more than once.
const TARGETS: [&str; 5] = [SENDING, SENDING, SENDING, "POST */_matrix/media/*", "POST */invite"];
/// The one that must not be repeated. Each import makes two rooms, so its first two daemons are
/// killed here.
const MAKING_ROOMS: &str = "POST */createRoom";
/// A daemon that looks for a room that may or may not be made waits this long before it makes
/// one; so long a life is given when several short ones came to nothing.
const LONG_LIFE: Duration = Duration::from_secs(14);
const BARREN_LIVES: usize = 3;

/// How the wire, or the store, is made to lie, so that the check is seen to notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    NoFlush,
    Drop,
    Double,
    Swap,
}

impl Lie {
    pub fn named(name: &str) -> Self {
        match name {
            "no-flush" => Self::NoFlush,
            "drop" => Self::Drop,
            "double" => Self::Double,
            "swap" => Self::Swap,
            other => panic!("BREAK is no-flush, drop, double or swap, not {other:?}"),
        }
    }
}

/// What is asked of a storm.
pub struct Wanted {
    pub seed: u64,
    pub kills: usize,
    pub messages: usize,
    pub media: usize,
    /// The longest life of a daemon before a blow that is not aimed.
    pub longest_life: Duration,
    pub lie: Option<Lie>,
}

/// What happened.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub rounds: usize,
    pub kills: usize,
    /// Between a request that changes something and its response, as the wire saw it.
    pub kills_in_flight: usize,
    pub restarts: usize,
    pub differences: Differences,
    /// Jobs that did not end well, with their faults.
    pub faults: Vec<String>,
}

/// Kills daemons until there were as many kills as wanted, in as many imports as that takes.
pub async fn rage(world: &mut World, wanted: &Wanted) -> Tally {
    let mut tally = Tally::default();
    let mut dice = Dice::new(wanted.seed);
    loop {
        round(world, wanted, &mut dice, &mut tally).await;
        tally.rounds += 1;
        let broken = !tally.faults.is_empty() || !tally.differences.none();
        if broken || tally.kills >= wanted.kills {
            return tally;
        }
    }
}

/// One import, from the making of its room to its end, with as many kills on the way as fall due.
async fn round(world: &mut World, wanted: &Wanted, dice: &mut Dice, tally: &mut Tally) {
    let seed = wanted.seed.wrapping_add(u64::try_from(tally.rounds).unwrap());
    let script = world.script(seed, wanted.messages, wanted.media).await;
    println!("round {}: {} events to send", tally.rounds + 1, script.calm.len());
    let mut process =
        Process::new("stormy").through(world.proxy.base_url()).with("FORGET_UNFLUSHED", "1");
    if wanted.lie == Some(Lie::NoFlush) {
        process = process.with("BREAK", "no-flush");
    }
    let mut known: Option<String> = None;
    let mut sent = 0;
    let (mut lives, mut barren) = (0, 0);
    // In one round of three; in the next one where an import was over before its turn came.
    let mut homeserver_due = tally.restarts <= tally.rounds / 3;
    loop {
        let blow = (tally.kills < wanted.kills)
            .then(|| Blow::draw(wanted, dice, tally.kills, lives, barren));
        world.proxy.forget();
        let aim = weather(&world.proxy, wanted.lie, blow.as_ref());
        let mut daemon = world.installation.start(&process);
        if known.is_none() {
            assert!(daemon.is_ready().await, "{}", world.installation.log(&process));
            known = world.hand_in(&process, &script);
        }
        let job = known.clone().expect("an undisturbed daemon takes a job");
        if homeserver_due && (sent >= script.calm.len() / 3 || blow.is_none()) {
            homeserver_due = false;
            restart_homeserver(world, &mut daemon, &job).await;
            tally.restarts += 1;
        }
        let Some(blow) = blow else {
            return finish(world, daemon, &process, &job, &script, tally).await;
        };
        if blow.wait(world, &mut daemon, &job, aim).await.is_some() {
            return finish(world, daemon, &process, &job, &script, tally).await;
        }
        let before = Instant::now();
        daemon.kill();
        let after = Instant::now();
        let exchanges = world.proxy.exchanges();
        let caught = exchanges
            .iter()
            .find(|one| one.method != "GET" && one.was_open_at(before) && one.was_open_at(after));
        tally.kills += 1;
        tally.kills_in_flight += usize::from(caught.is_some());
        let newly = exchanges.iter().filter(|one| one.answered.is_some() && sends(one)).count();
        sent += newly;
        lives += 1;
        barren = if newly > 0 { 0 } else { barren + 1 };
        let caught = caught.map_or("nothing".to_owned(), endpoint);
        let number = tally.kills;
        println!("kill {number:>3} {}; in flight: {caught}; {sent} sent", blow.words());
    }
}

/// Stopped while it is being sent to, and started again on the same data.
async fn restart_homeserver(world: &mut World, daemon: &mut Daemon, job: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while world.proxy.exchanges().iter().filter(|one| sends(one)).count() < 3
        && Instant::now() < deadline
        && world.rest_now(daemon, job).await.is_none()
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("the homeserver is stopped, and started again");
    world.synapse.stop().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.synapse.restart().await;
}

/// Lets the import come to its end and looks at what came of it.
async fn finish(
    world: &World,
    mut daemon: Daemon,
    process: &Process,
    job: &str,
    script: &Script,
    tally: &mut Tally,
) {
    weather(&world.proxy, None, None);
    match world.rest(&mut daemon, job).await {
        Some(Rest::Done) => {}
        Some(Rest::Failed(fault)) => tally.faults.push(fault),
        Some(Rest::Gone) => tally.faults.push("the daemon forgot the job".to_owned()),
        None => tally.faults.push(world.installation.log(process)),
    }
    let stormy = world.read(daemon.job(job).await).await;
    let differences = compare(&script.calm, &stormy);
    tally.differences.add(differences);
    println!("a member reads {} events of {}: {differences:?}", stormy.len(), script.calm.len());
    daemon.stop().await;
    if tally.faults.is_empty() && world.leftovers(process) > 0 {
        tally.faults.push("a working copy of an archive was left behind".to_owned());
    }
}

/// One SIGKILL to come.
enum Blow {
    /// So long after the daemon's start.
    Moment(Duration),
    /// Once the homeserver has acted on such a request and the answer is on its way, or after
    /// a while if there is none.
    Aimed { pattern: &'static str, skip: usize, patience: Duration },
}

impl Blow {
    fn draw(wanted: &Wanted, dice: &mut Dice, kills: usize, lives: usize, barren: usize) -> Self {
        let patience = wanted.longest_life;
        if lives < 2 {
            return Self::Aimed { pattern: MAKING_ROOMS, skip: 0, patience: LONG_LIFE };
        }
        if kills.is_multiple_of(AIMED) {
            let pattern = TARGETS[dice.below(TARGETS.len())];
            let skip = if pattern == SENDING { dice.below(20) } else { 0 };
            return Self::Aimed { pattern, skip, patience };
        }
        let longest_ms = usize::try_from(wanted.longest_life.as_millis()).unwrap();
        let after_ms = u64::try_from(dice.below(longest_ms)).unwrap();
        let longer = if barren >= BARREN_LIVES { LONG_LIFE } else { Duration::ZERO };
        Self::Moment(longer + Duration::from_millis(after_ms))
    }

    /// Waits for its moment; returns early when the job rests before.
    async fn wait(
        &self,
        world: &World,
        daemon: &mut Daemon,
        job: &str,
        aim: Option<RuleId>,
    ) -> Option<Rest> {
        let rest = async {
            loop {
                if let Some(rest) = world.rest_now(daemon, job).await {
                    return rest;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let moment = async {
            match (self, aim) {
                (Self::Aimed { patience, .. }, Some(aim)) => {
                    let held = world.proxy.wait_until_held(aim, Duration::MAX);
                    let _ = tokio::time::timeout(*patience, held).await;
                }
                (Self::Moment(pause) | Self::Aimed { patience: pause, .. }, _) => {
                    tokio::time::sleep(*pause).await;
                }
            }
        };
        tokio::select! {
            rest = rest => Some(rest),
            () = moment => None,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Moment(pause) => format!("after {:>4} ms", pause.as_millis()),
            Self::Aimed { pattern, skip, .. } => format!("at {pattern} no. {skip}"),
        }
    }
}

/// How the wire behaves in the next life of the daemon.
fn weather(proxy: &Proxy, lie: Option<Lie>, blow: Option<&Blow>) -> Option<RuleId> {
    proxy.clear();
    let lie = match lie {
        Some(Lie::Drop) => Some(Action::Answer(Reply::json(200, NO_EVENT))),
        Some(Lie::Double) => Some(Action::Twice),
        Some(Lie::Swap) => Some(Action::AfterNext),
        Some(Lie::NoFlush) | None => None,
    };
    if let Some(action) = lie {
        // Never the canary, which would sing of it.
        proxy.set(Rule::new(SENDING, action).skip(4).times(1));
    }
    let aim = match blow {
        Some(Blow::Aimed { pattern, skip, .. }) => {
            Some(proxy.set(Rule::new(pattern, Action::HoldResponse).skip(*skip).times(1)))
        }
        Some(Blow::Moment(_)) | None => None,
    };
    proxy.set(Rule::new("* */_matrix/*", Action::DelayResponse(LATENCY)));
    aim
}

fn sends(exchange: &Exchange) -> bool {
    exchange.method == "PUT" && exchange.path().contains("/send/")
}

/// Method and path of a request, without the ids in it.
fn endpoint(exchange: &Exchange) -> String {
    let words = exchange.path().split('/').skip(3);
    let words: Vec<_> = words.filter(|word| word.len() < 20 && !word.contains('%')).collect();
    format!("{} {}", exchange.method, words.join("/"))
}
