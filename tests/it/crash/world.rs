//! Where daemons are killed: a homeserver, a wire to it that can be slow, one installation, and
//! an ordinary member who reads what came of it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::compare::{Told, read};
use crate::support::daemon::{Daemon, Installation, Process, decide};
use crate::support::member::Member;
use crate::support::proxy::Proxy;
use crate::support::sample::{Sample, Wanted};
use crate::support::synapse::{Account, Options, RateLimits, Synapse, free_port};

/// An import of this many messages that was not disturbed any more takes seconds.
const PATIENCE: Duration = Duration::from_mins(4);

pub struct World {
    pub synapse: Synapse,
    pub proxy: Proxy,
    pub installation: Installation,
    reader: Member,
    admin: Account,
}

/// An export and its approved plan, with what an undisturbed import made of it.
pub struct Script {
    plan: PathBuf,
    pub calm: Vec<Told>,
}

/// How a job came to rest.
#[derive(Clone, Debug)]
pub enum Rest {
    Done,
    /// With the fault it gave.
    Failed(String),
    /// The daemon does not know it.
    Gone,
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
        installation.set_witness(&synapse.register_user("temoin-passerelle").await);
        let admin = synapse.register_user("camille.roy-exemple.gouv.fr").await;
        let reader = synapse.register_user("sacha.petit-exemple.gouv.fr").await;
        let reader = Member::new(synapse.base_url(), &reader);
        let proxy = Proxy::start(synapse.base_url()).await;
        Self { synapse, proxy, installation, reader, admin }
    }

    /// Makes an export, plans it, and imports it undisturbed.
    pub async fn script(&self, seed: u64, messages: usize, media: usize) -> Script {
        let name = format!("script-{seed}");
        let folder = self.installation.path(&name);
        std::fs::create_dir_all(&folder).unwrap();
        let sample = Sample::make(&Wanted::new(seed, messages, media));
        let archive = sample.write_to(&folder);
        self.installation.note_sample(&sample);
        let plan = folder.join("plan.toml");
        let process = Process::new("calm");
        let arguments = [
            "import",
            "plan",
            archive.to_str().unwrap(),
            "--output",
            plan.to_str().unwrap(),
            "--room-name",
            &name,
            "--admin",
            &self.admin.user_id,
            "--invite",
            self.reader.user_id(),
        ];
        self.installation.must(&process, &arguments);
        decide(&plan);
        let mut script = Script { plan, calm: Vec::new() };
        let mut daemon = self.installation.start(&process);
        assert!(daemon.is_ready().await, "{}", self.installation.log(&process));
        let job = self.hand_in(&process, &script).expect("a job is made");
        let rest = self.rest(&mut daemon, &job).await;
        let log = self.installation.log(&process);
        assert!(matches!(rest, Some(Rest::Done)), "undisturbed, and {rest:?}:\n{log}");
        script.calm = self.read(daemon.job(&job).await).await;
        daemon.stop().await;
        assert!(script.calm.len() >= sample.truth.len(), "not every line became an event");
        script
    }

    /// Hands a script in; `None` when the daemon died of it.
    pub fn hand_in(&self, process: &Process, script: &Script) -> Option<String> {
        let arguments = ["import", "start", script.plan.to_str().unwrap()];
        let output = self.installation.command(process, &arguments);
        let job = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        output.status.success().then_some(job)
    }

    /// Waits until a job rests, resuming it when it paused; `None` when the daemon ended before.
    pub async fn rest(&self, daemon: &mut Daemon, job: &str) -> Option<Rest> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "job {job} does not come to rest");
            if daemon.ended().is_some() {
                return None;
            }
            if let Some(rest) = self.rest_now(daemon, job).await {
                return Some(rest);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Whether a job rests already.
    pub async fn rest_now(&self, daemon: &Daemon, job: &str) -> Option<Rest> {
        let Some(view) = daemon.job(job).await else {
            // It takes commands and does not know the job.
            return daemon.knows_no(job).await.then_some(Rest::Gone);
        };
        match view["state"].as_str().unwrap() {
            "done" => Some(Rest::Done),
            "failed" | "cancelled" => Some(Rest::Failed(view["fault"].to_string())),
            "paused" => {
                daemon.resume(job).await;
                None
            }
            _ => None,
        }
    }

    /// How many archives lie in the spool of a daemon that has none to import.
    pub fn leftovers(&self, process: &Process) -> usize {
        let spool = self.installation.path(&process.state).join("spool");
        std::fs::read_dir(spool).unwrap().count()
    }

    /// A job's room as the reader sees it. Where nobody was invited, because the job failed,
    /// the bot is made to do it: the reader's eyes are the ones that count.
    pub async fn read(&self, job: Option<Value>) -> Vec<Told> {
        let Some(room) = job.and_then(|view| view["room_id"].as_str().map(str::to_owned)) else {
            return Vec::new();
        };
        if !self.reader.invitations().await.contains(&room) {
            let bot = Member::new(self.synapse.base_url(), &self.installation.bot());
            let as_bot = [("user_id", bot.user_id())];
            let body = json!({ "user_id": self.reader.user_id() });
            let path = ["v3", "rooms", room.as_str(), "invite"];
            // Refused where the reader is in the room already.
            let _ = bot.call(Method::POST, &path, &as_bot, Some(body)).await;
        }
        self.reader.join(&room).await;
        read(&self.reader, &room).await
    }
}
