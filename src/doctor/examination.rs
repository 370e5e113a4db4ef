//! One examination from the first check to the last.

use serde::Serialize;

use super::ask::{Ask, request};
use super::devices;
use super::ear::Ear;
use super::keeping;
use super::means::Means;
use super::place;
use super::records::{judge_spool, judge_store};
use super::rooms;
use super::service::{self, Standing};
use super::sheet::{Finding, Listener, Seen, Sheet, Verdict};
use super::stage::{Stage, clear, half_made};
use super::transactions;
use super::witness::{self, Witness};
use super::{homeserver, media};
use crate::matrix::{Homeserver, Intent, new_token};

/// What needs the token and a registered bot.
const ON_STAGE: [&str; 6] = [
    "room.version",
    "device.create",
    "device.speaks",
    "device.keys",
    "media.limit",
    "media.download",
];
/// What needs the throw-away room.
const IN_THE_ROOM: [&str; 9] = [
    "witness.reads",
    "room.timestamp",
    "room.repeats",
    "transactions.arrive",
    "transactions.to_device",
    "transactions.key_counts",
    "transactions.device_lists",
    "room.retention",
    "rate.limits",
];

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Examination {
    /// Each check, in the order they ended.
    pub checks: Vec<Finding>,
    /// What to ask the homeserver's administrators for, as text; empty when there is nothing.
    pub ask: String,
    /// What stays on the homeserver, because it cannot be removed.
    pub stays: Vec<String>,
}

impl Examination {
    /// The worst verdict.
    pub fn worst(&self) -> Verdict {
        self.checks.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok)
    }

    /// How many checks ended so.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.checks.iter().filter(|finding| finding.verdict == verdict).count()
    }

    fn new(sheet: Sheet<'_>, stays: Vec<String>) -> Self {
        let checks = sheet.into_findings();
        let ask = request(checks.iter().flat_map(|finding| &finding.asks));
        Self { checks, ask, stays }
    }
}

/// All there is to say of a configuration that cannot be used.
pub fn unusable(error: &str, hint: &str, tell: Listener<'_>) -> Examination {
    let mut sheet = Sheet::new(tell);
    sheet.note("config", Seen::error(error, hint));
    let rest = super::CHECKS.iter().map(|check| check.id).filter(|id| *id != "config");
    sheet.skip("there is no usable configuration", &rest.collect::<Vec<_>>());
    Examination::new(sheet, Vec::new())
}

/// Makes every check, and cleans up.
pub async fn examine(means: &Means<'_>, tell: Listener<'_>) -> Examination {
    let mut sheet = Sheet::new(tell);
    place::examine(&mut sheet, means).await;
    own_parts(&mut sheet, means);
    let homeserver = homeserver::examine(&mut sheet, means).await;
    let standing = service::examine(&mut sheet, means, homeserver.as_ref()).await;
    let witness = if homeserver.is_some() {
        witness::examine(&mut sheet, means).await
    } else {
        sheet.skip("the homeserver does not answer", &["witness.token", "witness.ordinary"]);
        None
    };
    let stays = match homeserver.filter(|_| standing.bot_acts) {
        Some(homeserver) => {
            Box::pin(on_stage(&mut sheet, means, &homeserver, standing, witness.as_ref())).await
        }
        None => {
            let because = "the bot cannot act";
            sheet.skip(because, &ON_STAGE);
            sheet.skip(because, &["room.create", "room.rules", "room.encryption", "ghost.enters"]);
            sheet.skip(because, &IN_THE_ROOM);
            Vec::new()
        }
    };
    let prefix = means.config.appservice.user_prefix.clone();
    let expiry = "skipped because it cannot be seen from outside; where accounts expire, ours must be left out";
    sheet.note("accounts.expiry", Seen::skipped(expiry).asking(Ask::NoExpiry(prefix)));
    Examination::new(sheet, stays)
}

fn own_parts(sheet: &mut Sheet<'_>, means: &Means<'_>) {
    sheet.note(
        "daemon",
        match &means.ear {
            Ear::Daemon(_) => Seen::ok("it runs, and answers for what it owns"),
            Ear::Own(_) => Seen::ok("it does not run; the doctor listens in its place"),
            Ear::Deaf(why) => Seen::error(
                why,
                "stop what holds the socket, the store or appservice.listen, or start `passerelle run` of this version",
            ),
        },
    );
    sheet.note("store", judge_store(&means.records));
    match &means.records {
        Ok(records) => sheet.note("spool", judge_spool(records)),
        Err(_) => sheet.skip("the store cannot say which jobs there are", &["spool"]),
    }
}

/// Everything that is done on the homeserver. Returns what stays there.
async fn on_stage(
    sheet: &mut Sheet<'_>,
    means: &Means<'_>,
    homeserver: &Homeserver,
    standing: Standing,
    witness: Option<&Witness>,
) -> Vec<String> {
    let nonce = new_token().map(|token| token.expose()[..16].to_owned()).unwrap_or_default();
    sheet.look("room.version", rooms::version(means, homeserver)).await;
    let cast = devices::examine(sheet, means, homeserver, &nonce).await;
    let bot = Intent::new(homeserver.clone(), cast.bot.clone());
    let before = bot.joined_rooms().await.unwrap_or_default();
    let room = rooms::create(sheet, means, &bot).await;
    if let Some(room) = room.clone() {
        let words = &means.words.message;
        let stage = Stage { homeserver, cast: cast.clone(), room, nonce: &nonce, words };
        Box::pin(in_the_room(sheet, means, &stage, standing, witness)).await;
    } else {
        sheet.skip("there is no room", &["ghost.enters"]);
        sheet.skip("there is no room", &IN_THE_ROOM);
    }
    sheet.look("media.limit", media::limit(homeserver, means.config.import.max_file_bytes)).await;
    let mut stays = vec![format!("the accounts {} and {}", means.bot(), means.ghost())];
    if let Some(witness) = witness {
        let file = async { media::download(homeserver, &cast, witness).await };
        stays.extend(sheet.run("media.download", file).await);
    } else {
        sheet.skip("there is no witness", &["media.download"]);
    }
    let rooms = match room {
        Some(room) => vec![room],
        None => half_made(&bot, &before).await,
    };
    stays.extend(clear(homeserver, &cast, rooms, witness).await);
    stays
}

async fn in_the_room(
    sheet: &mut Sheet<'_>,
    means: &Means<'_>,
    stage: &Stage<'_>,
    standing: Standing,
    witness: Option<&Witness>,
) {
    if sheet.run("ghost.enters", rooms::ghost_enters(stage)).await.is_none() {
        sheet.skip("the ghost cannot enter the room", &IN_THE_ROOM);
        return;
    }
    let reader = match witness {
        Some(witness) => {
            let reads = sheet.run("witness.reads", rooms::witness_reads(stage, witness)).await;
            reads.map(|()| witness)
        }
        None => {
            sheet.skip("there is no witness", &["witness.reads"]);
            None
        }
    };
    sheet.look("room.timestamp", keeping::timestamp(stage, means.clock.now())).await;
    sheet.look("room.repeats", keeping::repeats(stage)).await;
    transactions::examine(sheet, stage, &means.ear, standing).await;
    match reader {
        Some(witness) => {
            let now = means.clock.now();
            let seen = keeping::retention(stage, witness, means.oldest, now);
            sheet.look("room.retention", seen).await;
        }
        None => sheet.skip("no witness reads the room", &["room.retention"]),
    }
    sheet.look("rate.limits", keeping::burst(stage)).await;
}
