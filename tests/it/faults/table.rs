//! A table of faults: each befalls an import on a real homeserver, the job is looked at as its
//! operator would, mended, resumed, and its room counted by an ordinary member.

#![expect(clippy::print_stdout, reason = "a long run is seen to move")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::count::Count;
use super::page::Line;
use super::{Disk, HELD};
use crate::support::compare::assert_room_is;
use crate::support::proxy::{Action, Rule, RuleId};
use crate::support::sample::{Sample, Wanted};
use crate::support::synapse::RateLimits;
use crate::support::world::{Said, Setting, Wire, World, text};

/// Enough for a refused connection to be tried again some times.
const PATIENCE_S: &str = "3";
/// A busy machine answers in less.
const REQUEST_TIMEOUT_S: &str = "6";
const MESSAGES: usize = 9;
const FILES: usize = 2;
/// More than the daemon lets in at once.
const SLOW_CALLERS: usize = 80;

/// The requests a fault befalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    Everything,
    Register,
    CreateRoom,
    Invite,
    Join,
    Upload,
    Send,
    ReadBack,
    Download,
    Redact,
}

impl At {
    /// A proxy's pattern, and how many such requests the canary makes first.
    pub fn requests(self) -> (&'static str, usize) {
        match self {
            Self::Everything => ("* *", 0),
            Self::Register => ("POST */register", 0),
            Self::CreateRoom => ("POST */createRoom", 1),
            Self::Invite => ("POST */invite", 2),
            Self::Join => ("POST */join", 2),
            Self::Upload => ("POST /_matrix/media/v3/upload", 0),
            Self::Send => ("PUT */send/m.room.message/*", 4),
            // Forward, as the witness reads; the bot reads rooms up backward.
            Self::ReadBack => ("GET */messages?*dir=f*", 0),
            Self::Download => ("GET /_matrix/client/v1/media/download/*", 0),
            Self::Redact => ("PUT */redact/*", 2),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Everything => "every request",
            Self::Register => "register a ghost",
            Self::CreateRoom => "make the room",
            Self::Invite => "invite a ghost",
            Self::Join => "a ghost joins",
            Self::Upload => "upload",
            Self::Send => "send",
            Self::ReadBack => "read the room back",
            Self::Download => "read a file back",
            Self::Redact => "take back",
        }
    }
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Trouble {
    Wire(Rule),
    NoSuchHost,
    TlsToPlain,
    WitnessLoggedOut,
    HomeserverKilled,
    FullDisk,
    Clock(&'static str),
    SlowCallers,
}

/// One line of the table to be.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its place in the table; the sample is made from it.
    pub number: u64,
    fault: &'static str,
    at: At,
    trouble: Trouble,
    remedy: &'static str,
    pub is_short: bool,
}

impl Row {
    pub fn new(fault: &'static str, at: At, trouble: Trouble) -> Self {
        Self { number: 0, fault, at, trouble, remedy: "", is_short: false }
    }

    pub fn wire(fault: &'static str, at: At, rule: Rule) -> Self {
        Self::new(fault, at, Trouble::Wire(rule))
    }

    /// Whether its line has these words.
    pub fn is_about(&self, words: &str) -> bool {
        format!("{} {}", self.fault, self.at.words()).contains(words)
    }

    /// It also runs with every test.
    pub fn short(self) -> Self {
        Self { is_short: true, ..self }
    }

    /// What the operator does before the job is resumed.
    pub fn helped(self, remedy: &'static str) -> Self {
        Self { remedy, ..self }
    }
}

/// What came of the rows that were run.
#[derive(Default)]
pub struct Outcome {
    pub lines: Vec<Line>,
    pub count: Count,
    /// Rows whose job did not end as it should, with what it said.
    pub broken: Vec<String>,
    /// Rows that this machine cannot show.
    pub skipped: Vec<&'static str>,
    /// Unmounted when everything has ended.
    disks: Vec<Disk>,
}

impl Outcome {
    /// What two worlds came to, in the order of their rows.
    pub fn and(mut self, other: Self) -> Self {
        let Self { lines, count, broken, skipped, disks } = other;
        self.lines.extend(lines);
        self.count.add(count);
        self.broken.extend(broken);
        self.skipped.extend(skipped);
        self.disks.extend(disks);
        self
    }
}

/// Runs rows one after another in one world.
pub async fn run(rows: Vec<Row>, lie: Option<Action>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut world = World::start(Setting {
        wire: Wire::Proxied,
        config: vec![
            ("MATRIX__PATIENCE_S", PATIENCE_S.to_owned()),
            ("MATRIX__REQUEST_TIMEOUT_S", REQUEST_TIMEOUT_S.to_owned()),
            ("IMPORT__BATCH_MESSAGES", "4".to_owned()),
        ],
        // The witness joins and leaves more rooms here in a minute than in a month elsewhere.
        rate_limits: RateLimits::Off,
        ..Setting::default()
    })
    .await;
    for (number, row) in rows.into_iter().enumerate() {
        let first = row.number * 100;
        let seed = (first..first + 100).find(|seed| is_fit(*seed)).unwrap();
        let started = std::time::Instant::now();
        let fault = row.fault;
        let lie = lie.as_ref().filter(|_| number == 0);
        let Some(line) = befall(&mut world, row, seed, lie, &mut outcome).await else {
            println!("skipped: {fault}");
            outcome.skipped.push(fault);
            continue;
        };
        print!("{:>5.1} s {}", started.elapsed().as_secs_f32(), line.written());
        outcome.lines.push(line);
    }
    outcome
}

/// Two people of one name are told apart by how much they wrote.
fn is_fit(seed: u64) -> bool {
    let sample = Sample::make(&Wanted::new(seed, MESSAGES, FILES));
    let wrote = |name: &str| {
        sample.truth.iter().filter(|truth| truth.sender.as_deref() == Some(name)).count()
    };
    wrote("Basile Ottavi") != wrote("~\u{202f}Basile Ottavi")
}

async fn befall(
    world: &mut World,
    row: Row,
    seed: u64,
    lie: Option<&Action>,
    outcome: &mut Outcome,
) -> Option<Line> {
    let Row { fault, at, trouble, remedy, .. } = row;
    let (sample, archive) = world.sample(seed, MESSAGES, FILES);
    let plan = world.approved(&archive).await;
    world.proxy().forget();
    if let Some(lie) = lie {
        world.proxy().set(Rule::new(At::Send.requests().0, lie.clone()).skip(6).times(1));
    }
    let mut line = Line {
        fault: fault.to_owned(),
        place: at.words().to_owned(),
        state: String::new(),
        error: String::new(),
        hint: String::new(),
        remedy: remedy.to_owned(),
        last: String::new(),
    };
    let job = if at == At::Redact {
        let job = world.start_job(&plan).await;
        world.follow(&job).await.done();
        // Once everything is taken back there is nobody left to join.
        world.eyes(&world.member).join(&world.room(&job).await).await;
        taken_back(world, &job, trouble, &mut line).await;
        job
    } else {
        let lift = bring(world, trouble).await?;
        let job = world.start_job(&plan).await;
        let lift = lift.watch(world, &job).await;
        look(world, &job, &mut line).await;
        outcome.disks.extend(lift.lift(world).await);
        let said = if ["paused", "failed", "daemon ended"].contains(&line.state.as_str()) {
            resume(world, &job, &line.state).await
        } else {
            world.follow(&job).await
        };
        if said.code != 0 {
            outcome.broken.push(format!("{fault}, {}: {said:#?}", at.words()));
        }
        job
    };
    let view = world.job(&job).await;
    view["state"].as_str().unwrap().clone_into(&mut line.last);
    let wanted = if at == At::Redact { "cancelled" } else { "done" };
    if line.last != wanted {
        outcome.broken.push(format!("{fault}, {}: {view:#}", at.words()));
    }
    count(world, &job, &sample, &plan, at, outcome).await;
    Some(line)
}

/// What the operator sees of a job once it rests.
async fn look(world: &mut World, job: &str, line: &mut Line) {
    let said = world.follow(job).await;
    if world.daemon_has_ended() {
        "daemon ended".clone_into(&mut line.state);
        let log = world.log();
        let last = log.split("\nerror: ").last().unwrap();
        let (error, rest) = last.split_once('\n').unwrap();
        error.clone_into(&mut line.error);
        rest.lines().find_map(|l| l.strip_prefix("hint: ")).unwrap().clone_into(&mut line.hint);
        return;
    }
    let view = world.job(job).await;
    let field = |name: &str| view[name].as_str().unwrap().to_owned();
    (line.state, line.error, line.hint) = (field("state"), plain(&field("fault")), field("hint"));
    // The command line says the same words, and how to go on.
    assert!(said.err.contains(view["fault"].as_str().unwrap()), "{said:#?}");
    assert_eq!(said.code == 0, line.error.is_empty(), "{said:#?}");
    assert!(line.error.is_empty() || !line.hint.is_empty(), "no hint: {view:#}");
}

/// What the system said of a broken connection depends on the moment; the rest does not.
fn plain(error: &str) -> String {
    if error.contains("did not answer") && !error.ends_with("operation timed out") {
        let known = error.rsplit_once(": ").map_or(error, |(known, _)| known);
        return format!("{known}: …");
    }
    error.to_owned()
}

async fn resume(world: &mut World, job: &str, state: &str) -> Said {
    if state == "daemon ended" {
        return world.follow(job).await;
    }
    world.cli(&["import", "resume", job, "--wait"]).await
}

/// Cancelling under a fault: the command itself says what went wrong, and can be repeated.
async fn taken_back(world: &World, job: &str, trouble: Trouble, line: &mut Line) {
    let Trouble::Wire(rule) = trouble else { panic!("only the wire disturbs a cancel") };
    let cancel = ["import", "cancel", job, "--yes"];
    let rule = world.proxy().set(rule);
    let said = world.cli(&cancel).await;
    assert_befell(world, rule);
    let view = world.job(job).await;
    view["state"].as_str().unwrap().clone_into(&mut line.state);
    world.proxy().clear();
    if said.code != 0 {
        let said = said.failed();
        let error = said.err.lines().find_map(|line| line.strip_prefix("error: ")).unwrap();
        line.error = plain(error);
        said.hint().clone_into(&mut line.hint);
        "the command was repeated".clone_into(&mut line.remedy);
        world.cli(&cancel).await.done();
    }
}

/// A member reads the room. With a broken job nobody was invited, so the bot is asked to.
async fn count(
    world: &World,
    job: &str,
    sample: &Sample,
    plan: &Path,
    at: At,
    outcome: &mut Outcome,
) {
    let view = world.job(job).await;
    let Some(room) = view["room_id"].as_str().map(str::to_owned) else {
        outcome.count.add(Count::of(&[], sample));
        return;
    };
    let member = world.eyes(&world.member);
    if at == At::Redact {
        let messages = member.messages(&room, 200).await;
        let left = messages.iter().filter(|event| event["content"].get("msgtype").is_some());
        let left = left.count();
        if left > 0 {
            outcome.broken.push(format!("{left} messages were not taken back"));
        }
        return;
    }
    if !member.invitations().await.contains(&room) {
        world.bot_invites(&room, &world.member).await;
    }
    member.join(&room).await;
    let messages = member.messages(&room, 200).await;
    let mut counted = Count::of(&messages, sample);
    // A second room is every message twice to whoever finds it.
    counted.doubled += world.rooms_of(job).await.saturating_sub(1);
    outcome.count.add(counted);
    if counted == Count::default() && outcome.broken.is_empty() {
        let plan = std::fs::read_to_string(plan).unwrap();
        assert_room_is(world, job, sample, &plan).await;
    }
}

/// A trouble that is there, and how it goes away.
enum Lift {
    Wire(RuleId),
    Homeserver(String),
    Witness(RuleId),
    Killed(RuleId),
    Disk(RuleId, Disk),
    Filled(Disk, PathBuf),
    Clock(RuleId, &'static str),
    Callers(JoinSet<()>),
}

async fn bring(world: &mut World, trouble: Trouble) -> Option<Lift> {
    let (sending, canary) = At::Send.requests();
    let hold = |world: &World| {
        world.proxy().set(Rule::new(sending, Action::HoldResponse).skip(canary + 1).times(1))
    };
    Some(match trouble {
        Trouble::Wire(rule) => Lift::Wire(world.proxy().set(rule)),
        Trouble::NoSuchHost => {
            another_homeserver(world, "http://matrix.nowhere.invalid").await;
            Lift::Homeserver(world.proxy().base_url().to_owned())
        }
        Trouble::TlsToPlain => {
            let plain = world.proxy().base_url().to_owned();
            another_homeserver(world, &plain.replace("http://", "https://")).await;
            Lift::Homeserver(plain)
        }
        Trouble::WitnessLoggedOut => Lift::Witness(hold(world)),
        Trouble::HomeserverKilled => Lift::Killed(hold(world)),
        Trouble::FullDisk => {
            let disk = Disk::mount(world.path("disk-of-the-table"))?;
            world.stop_daemon().await;
            world.configure("DAEMON__STATE_DIR", text(&disk.path));
            world.start_daemon().await;
            Lift::Disk(hold(world), disk)
        }
        Trouble::Clock(by) => {
            let library = faketime()?;
            let file = world.path("clock");
            std::fs::write(&file, "+0").unwrap();
            world.stop_daemon().await;
            world.spawn_daemon(Some(&format!(
                "export LD_PRELOAD={library} FAKETIME_TIMESTAMP_FILE={} FAKETIME_NO_CACHE=1 \
                 FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1",
                text(&file)
            )));
            world.wait_until("live", "the daemon with a clock of its own answers").await;
            Lift::Clock(hold(world), by)
        }
        Trouble::SlowCallers => {
            let address = world.appservice_url().trim_start_matches("http://").to_owned();
            let mut callers = JoinSet::new();
            for number in 0..SLOW_CALLERS {
                callers.spawn(call_slowly(address.clone(), number));
            }
            Lift::Callers(callers)
        }
    })
}

impl Lift {
    /// What has to happen while the job runs.
    async fn watch(self, world: &mut World, job: &str) -> Self {
        match self {
            Self::Witness(hold) => {
                world.proxy().wait_until_held(hold, HELD).await;
                let witness = world.eyes(&world.witness);
                let path = ["v3", "logout"];
                let (status, _) = witness.call(Method::POST, &path, &[], Some(json!({}))).await;
                assert!(status.is_success());
                world.proxy().release(hold);
                Self::Witness(hold)
            }
            Self::Killed(hold) => {
                world.proxy().wait_until_held(hold, HELD).await;
                world.synapse.kill().await;
                world.proxy().release(hold);
                Self::Killed(hold)
            }
            Self::Disk(hold, disk) => {
                world.proxy().wait_until_held(hold, HELD).await;
                let ballast = disk.fill();
                world.proxy().release(hold);
                world.daemon_end().await;
                Self::Filled(disk, ballast)
            }
            Self::Clock(hold, by) => {
                world.proxy().wait_until_held(hold, HELD).await;
                let before = world.job(job).await["changed_at"].as_i64().unwrap();
                std::fs::write(world.path("clock"), by).unwrap();
                world.proxy().release(hold);
                world.follow(job).await;
                let after = world.job(job).await["changed_at"].as_i64().unwrap();
                let hours = (after - before) / 3_600_000;
                assert!(!(-20..=8_000).contains(&hours), "the clock did not jump: {hours} h");
                Self::Clock(hold, by)
            }
            other @ (Self::Wire(_) | Self::Homeserver(_) | Self::Filled(..) | Self::Callers(_)) => {
                other
            }
        }
    }

    /// The operator puts it right. Returns a disk that the daemon still lives on.
    async fn lift(self, world: &mut World) -> Option<Disk> {
        if let Self::Wire(rule) = self {
            assert_befell(world, rule);
        }
        world.proxy().clear();
        match self {
            Self::Wire(_) => {}
            Self::Homeserver(url) => another_homeserver(world, &url).await,
            Self::Witness(_) => {
                let number = world.proxy().exchanges().len();
                let other = world.synapse.register_user(&format!("temoin-{number}")).await;
                world.stop_daemon().await;
                std::fs::write(world.path("secrets/witness_token"), &other.token).unwrap();
                world.witness = other;
                world.start_daemon().await;
            }
            Self::Killed(_) => world.synapse.restart().await,
            Self::Filled(disk, ballast) => {
                std::fs::remove_file(ballast).unwrap();
                world.start_daemon().await;
                return Some(disk);
            }
            Self::Disk(..) => panic!("the disk was never filled"),
            Self::Clock(..) => {
                world.stop_daemon().await;
                world.start_daemon().await;
            }
            Self::Callers(mut callers) => {
                // The daemon drops each of them by itself.
                while let Some(dropped) = callers.join_next().await {
                    dropped.unwrap();
                }
            }
        }
        None
    }
}

/// A fault that met no request shows nothing.
fn assert_befell(world: &World, rule: RuleId) {
    let befallen = world.proxy().exchanges().into_iter().any(|one| one.rule == Some(rule));
    assert!(befallen, "no such request was made: {:#?}", world.proxy().exchanges());
}

async fn another_homeserver(world: &mut World, url: &str) {
    world.stop_daemon().await;
    world.configure("MATRIX__HOMESERVER_URL", url);
    world.start_daemon().await;
}

/// Opens a connection and says nothing, or the head of a request byte by byte, until the daemon
/// hangs up.
async fn call_slowly(address: String, number: usize) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        b"PUT /_matrix/app/v1/transactions/1 HTTP/1.1\r\nHost: x\r\nX-Slow: aaaaaaaaaaaaaaaaa";
    let speaks = number.is_multiple_of(2);
    let talk = async {
        for byte in request.iter().cycle() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if speaks && stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            let mut answer = [0; 64];
            if let Ok(0) | Err(_) = not_yet(stream.try_read(&mut answer)) {
                return;
            }
        }
    };
    let dropped = tokio::time::timeout(Duration::from_mins(2), talk).await;
    assert!(dropped.is_ok(), "a caller that says nothing was kept for two minutes");
}

/// A read that would have to wait has not ended.
fn not_yet(read: std::io::Result<usize>) -> std::io::Result<usize> {
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(1),
        other => other,
    }
}

/// The library that gives a program another clock, from Debian's package `libfaketime`.
fn faketime() -> Option<String> {
    let listed = Command::new("sh")
        .args(["-c", "ls /usr/lib/*/faketime/libfaketimeMT.so.1"])
        .output()
        .ok()?;
    String::from_utf8(listed.stdout).ok()?.lines().next().map(str::to_owned)
}
