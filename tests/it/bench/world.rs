//! A homeserver and a daemon that stays up for both sides: the homeserver pushes every event of
//! our accounts to it, whoever sent them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::loader::{Prepared, Step, prepare};
use crate::support::daemon::{Daemon, Installation, Process, decide};
use crate::support::member::Member;
use crate::support::sample::{Photos, Sample, Wanted};
use crate::support::synapse::{Account, Options, RateLimits, Synapse, free_port};

const PATIENCE: Duration = Duration::from_mins(20);

pub struct World {
    pub synapse: Synapse,
    pub bot: Member,
    pub token: String,
    ground: Ground,
}

/// An installation whose daemon runs, whatever the homeserver.
pub struct Ground {
    installation: Installation,
    process: Process,
    daemon: Daemon,
    /// Whom plans name as the room's owner.
    admin: String,
}

/// How one import went, by the daemon's own log.
#[derive(Clone, Debug)]
pub struct Import {
    pub room: String,
    /// Lines of the archive that it sent.
    pub messages: f64,
    /// From the ledger's agreement with the room to the flush after the last message: reading,
    /// converting, uploading, writing, sending.
    pub sending: Duration,
    /// From the hand-in to the report.
    pub whole: Duration,
}

impl World {
    pub async fn new() -> Self {
        let port = free_port();
        let installation = Installation::new(port);
        let synapse = Synapse::start(Options {
            port: Some(port),
            registration: Some(installation.registration()),
            rate_limits: RateLimits::Off,
            ..Options::default()
        })
        .await;
        let witness = synapse.register_user("temoin-passerelle").await;
        let admin = synapse.register_user("camille.roy-exemple.gouv.fr").await;
        let token = installation.service_token();
        let bot = Member::new(synapse.base_url(), &installation.bot());
        let ground = Ground::new(installation, &witness, admin.user_id).await;
        Self { synapse, bot, token, ground }
    }

    /// Imports an archive and takes from its room what a bare loader would send.
    pub async fn prepare(&mut self, archive: &Path) -> Prepared {
        let import = self.import(&[archive.to_owned()]).await.remove(0);
        prepare(&self.bot, &import.room).await
    }

    /// Imports archives, all at once.
    pub async fn import(&mut self, archives: &[PathBuf]) -> Vec<Import> {
        self.ground.import(archives).await
    }

    /// Writes an export; another `title` makes another archive with the same messages.
    pub fn sample(&self, title: &str, wanted: &Wanted) -> PathBuf {
        self.ground.sample(title, wanted)
    }

    pub async fn stop(self) {
        self.ground.stop().await;
    }
}

impl Ground {
    pub async fn new(installation: Installation, witness: &Account, admin: String) -> Self {
        installation.set_witness(witness);
        let process = Process::new("state");
        let mut daemon = installation.start(&process);
        assert!(daemon.is_ready().await, "{}", installation.log(&process));
        Self { installation, process, daemon, admin }
    }

    pub fn sample(&self, title: &str, wanted: &Wanted) -> PathBuf {
        let wanted = Wanted { title: title.to_owned(), ..wanted.clone() };
        Sample::make(&wanted).write_to(&self.installation.path(""))
    }

    pub async fn import(&mut self, archives: &[PathBuf]) -> Vec<Import> {
        let plans: Vec<_> = archives.iter().map(|archive| self.plan(archive)).collect();
        let started = Instant::now();
        let hand_in = |plan: &PathBuf| {
            let arguments = ["import", "start", plan.to_str().unwrap()];
            self.installation.must(&self.process, &arguments).trim().to_owned()
        };
        let jobs: Vec<_> = plans.iter().map(hand_in).collect();
        let mut imports = Vec::new();
        for job in jobs {
            let room = self.done(&job).await;
            let log = self.installation.whole_log(&self.process);
            let line = log.lines().rev().find(|line| {
                line.contains("every message is in the room") && line.contains(job.as_str())
            });
            let line = line.expect("the daemon says when a room is filled");
            imports.push(Import {
                room,
                messages: field(line, "messages.sent"),
                sending: Duration::from_secs_f64(field(line, "duration_ms") / 1000.0),
                whole: started.elapsed(),
            });
        }
        imports
    }

    pub fn peak_memory_mib(&self) -> f64 {
        f64::from(u32::try_from(self.daemon.peak_memory_kib()).unwrap()) / 1024.0
    }

    pub async fn stop(self) {
        self.daemon.stop().await;
    }

    fn plan(&self, archive: &Path) -> PathBuf {
        let plan = archive.with_extension("toml");
        let [from, to] = [archive, &plan].map(|path| path.to_str().unwrap());
        let arguments =
            ["import", "plan", from, "--output", to, "--room-name", "Banc", "--admin", &self.admin];
        self.installation.must(&self.process, &arguments);
        decide(&plan);
        plan
    }

    async fn done(&mut self, job: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = || self.installation.log(&self.process);
            assert!(Instant::now() < deadline, "job {job} does not end:\n{}", log());
            assert!(self.daemon.ended().is_none(), "the daemon ended:\n{}", log());
            if let Some(view) = self.daemon.job(job).await {
                match view["state"].as_str().unwrap() {
                    "done" => return view["room_id"].as_str().unwrap().to_owned(),
                    "failed" | "paused" | "cancelled" => panic!("{view:#}\n{}", log()),
                    _ => {}
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// The export of a piece of work.
pub fn wanted(messages: usize, photos: usize, (width, height): (u32, u32)) -> Wanted {
    Wanted { photos: Photos::Of(width, height), ..Wanted::new(3, messages, photos) }
}

/// A number of a log line.
fn field(line: &str, name: &str) -> f64 {
    let values = line.split(' ').filter_map(|word| word.split_once('='));
    let mut named = values.filter(|(key, _)| *key == name).map(|(_, value)| value);
    named.next().expect("the line has this field").parse().unwrap()
}

impl Prepared {
    /// How many events it sends.
    pub fn events(&self) -> f64 {
        let sends = self.steps.iter().filter(|step| matches!(step, Step::Send { .. })).count();
        f64::from(u32::try_from(sends).unwrap())
    }
}
