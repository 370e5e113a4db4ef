//! One installation of passerelle: its configuration, its secrets, and the built program, run
//! as an operator runs it. What it ought to do is the tests' business.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::logs;
use super::sample::Sample;
use super::synapse::{Account, free_port};

const SERVER_NAME: &str = "tchap.test";
/// A debug build on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A configuration and a registration in a folder of their own.
pub struct Installation {
    folder: TempDir,
    homeserver_url: String,
}

/// How one process of an installation differs from another.
#[derive(Clone, Debug)]
pub struct Process {
    /// Names the folder of its records.
    pub state: String,
    /// Where it finds the homeserver; the configured address when absent.
    pub homeserver_url: Option<String>,
    /// More of the environment.
    pub environment: Vec<(String, String)>,
}

impl Process {
    pub fn new(state: &str) -> Self {
        Self { state: state.to_owned(), homeserver_url: None, environment: Vec::new() }
    }

    #[must_use]
    pub fn through(mut self, homeserver_url: &str) -> Self {
        self.homeserver_url = Some(homeserver_url.to_owned());
        self
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Installation {
    /// Configured for a homeserver that will listen on `homeserver_port`.
    pub fn new(homeserver_port: u16) -> Self {
        let folder = tempfile::Builder::new().prefix("passerelle-daemon-").tempdir().unwrap();
        let homeserver_url = format!("http://127.0.0.1:{homeserver_port}");
        let installation = Self { folder, homeserver_url };
        let process = Process::new("none");
        let url = installation.homeserver_url.as_str();
        let init = ["config", "init", "--homeserver-url", url, "--server-name", SERVER_NAME];
        installation.must(&process, &init);
        let mut text = std::fs::read_to_string(installation.config()).unwrap();
        for port in ["29318", "29319"] {
            text = text.replace(port, &free_port().to_string());
        }
        for (polite, fast) in [
            ("calls_per_second = 1.0", "calls_per_second = 0"),
            ("in_flight = 8", "in_flight = 0"),
            ("jobs_at_once = 4", "jobs_at_once = 8"),
            ("resume_for_h = 72", "resume_for_h = 0"),
        ] {
            assert!(text.contains(polite), "{text}");
            text = text.replace(polite, fast);
        }
        text = text.replace("token_file = \"\"", "token_file = \"secrets/witness_token\"");
        std::fs::write(installation.config(), text).unwrap();
        let registration = installation.registration();
        let registration = registration.to_str().unwrap();
        installation.must(&process, &["registration", "generate", "--output", registration]);
        for file in ["secrets/as_token", "secrets/hs_token"] {
            let token = std::fs::read_to_string(installation.path(file)).unwrap();
            logs::note_secret(installation.folder.path(), &token);
        }
        installation
    }

    /// The registration file for the homeserver.
    pub fn registration(&self) -> PathBuf {
        self.path("registration.yaml")
    }

    /// A place of this name in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes an account the witness.
    pub fn set_witness(&self, account: &Account) {
        logs::note_secret(self.folder.path(), &account.token);
        std::fs::write(self.path("secrets/witness_token"), &account.token).unwrap();
    }

    /// The service's own token.
    pub fn service_token(&self) -> String {
        std::fs::read_to_string(self.path("secrets/as_token")).unwrap().trim().to_owned()
    }

    /// The bot as a client would be: with the service's token. Calls add `user_id`.
    pub fn bot(&self) -> Account {
        let user_id = format!("@_passerelle_bot:{SERVER_NAME}");
        Account { user_id, token: self.service_token() }
    }

    /// Notes what no log may tell of an export that is imported here.
    pub fn note_sample(&self, sample: &Sample) {
        logs::note_sample(self.folder.path(), sample);
    }

    /// Runs a command to its end.
    pub fn command(&self, process: &Process, arguments: &[&str]) -> Output {
        let output = self.program(process).args(arguments).output().expect("passerelle starts");
        let [out, err] = [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said));
        logs::keep_said(self.folder.path(), &out, &err);
        output
    }

    /// Runs a command that must succeed; returns what it says on standard output.
    pub fn must(&self, process: &Process, arguments: &[&str]) -> String {
        let output = self.command(process, arguments);
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "passerelle {arguments:?}: {words}{}", self.log(process));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts the daemon and does not wait for it.
    pub fn start(&self, process: &Process) -> Daemon {
        let log = File::options().append(true).create(true).open(self.log_path(process)).unwrap();
        let child = self
            .program(process)
            .arg("run")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("passerelle starts");
        let socket = self.path(&process.state).join("passerelle.sock");
        let client = reqwest::Client::builder()
            .unix_socket(socket)
            .timeout(Duration::from_secs(10))
            .build()
            .unwrap();
        Daemon { child, client }
    }

    /// What the daemons of this state folder have logged.
    pub fn whole_log(&self, process: &Process) -> String {
        std::fs::read_to_string(self.log_path(process)).unwrap_or_default()
    }

    /// The end of it.
    pub fn log(&self, process: &Process) -> String {
        let text = self.whole_log(process);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    fn log_path(&self, process: &Process) -> PathBuf {
        logs::log_of(self.folder.path(), &process.state)
    }

    fn config(&self) -> PathBuf {
        self.path("passerelle.toml")
    }

    fn program(&self, process: &Process) -> Command {
        let url = process.homeserver_url.as_ref().unwrap_or(&self.homeserver_url);
        // The bench measures another build than the one the tests are linked with.
        let program = std::env::var_os("PASSERELLE_PROGRAM");
        let program = program.unwrap_or_else(|| env!("CARGO_BIN_EXE_passerelle").into());
        let mut command = Command::new(program);
        command
            .arg("--config")
            .arg(self.config())
            .env_remove("BREAK")
            .env("PASSERELLE__MATRIX__HOMESERVER_URL", url)
            .env("PASSERELLE__DAEMON__STATE_DIR", self.path(&process.state))
            .env("PASSERELLE__LOG__FILTER", "passerelle=trace,info")
            .envs(process.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }
}

/// A running daemon; dropping it kills it.
pub struct Daemon {
    child: Child,
    client: reqwest::Client,
}

impl Daemon {
    /// Waits until it takes commands; `false` when it ended instead.
    pub async fn is_ready(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self.ended().is_some() {
                return false;
            }
            if self.get("/v1/jobs").await.is_some() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the daemon takes no commands after {PATIENCE:?}")
    }

    /// What it says of a job; `None` when it says nothing.
    pub async fn job(&self, id: &str) -> Option<Value> {
        self.get(&format!("/v1/jobs/{id}")).await
    }

    /// Whether it takes commands and knows no job of this id.
    pub async fn knows_no(&self, id: &str) -> bool {
        let jobs = self.get("/v1/jobs").await;
        let named = |jobs: &Vec<Value>| jobs.iter().any(|job| job["id"] == id);
        jobs.as_ref().and_then(Value::as_array).is_some_and(|jobs| !named(jobs))
    }

    /// Lets a paused or failed job go on.
    pub async fn resume(&self, id: &str) {
        let _ = self.client.post(format!("http://passerelle/v1/jobs/{id}/resume")).send().await;
    }

    /// The most memory it has held so far, in kibibytes, as the kernel counts it.
    pub fn peak_memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().strip_suffix(" kB").unwrap().parse().unwrap()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// SIGKILL, and the end of the process.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Stops it as an operator would, if it runs, and waits.
    pub async fn stop(mut self) {
        if self.ended().is_some() {
            return;
        }
        let pid = i32::try_from(self.child.id()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).expect("a child has a process id");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while self.ended().is_none() {
            assert!(Instant::now() < deadline, "the daemon does not stop");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn get(&self, path: &str) -> Option<Value> {
        let answer = self.client.get(format!("http://passerelle{path}")).send().await.ok()?;
        answer.error_for_status().ok()?.json().await.ok()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Decides what a plan leaves open, as an administrator does in an editor.
pub fn decide(plan: &Path) {
    let text = std::fs::read_to_string(plan).unwrap();
    let text = text
        .replacen("by = \"\"", "by = \"Camille Roy (essai)\"", 1)
        .replacen("\nexporter = \"\"", "\nexporter = \"?\"", 1)
        .replace("reviewed = false", "reviewed = true");
    std::fs::write(plan, text).unwrap();
}
