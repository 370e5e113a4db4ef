//! A real Synapse for one test: its own directory and port, ended with the test.
//!
//! The environment, the configuration and the accounts are the work of
//! `sandbox/homeserver/homeserver.py`, which the demo uses too. Failures panic with the
//! server's own words: a test without its homeserver has nothing to say.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// Each takes about 150 MB and half a core while it starts; tests are separate processes under
/// cargo-nextest, so the places are files.
const PLACES: usize = 2;

/// What differs from the configuration of the fact sheet.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Known before the start when passerelle's configuration must name it; else chosen.
    pub port: Option<u16>,
    /// The application service's registration file.
    pub registration: Option<PathBuf>,
    /// Server-wide retention: what is older is accepted and never seen.
    pub retention_days: Option<u32>,
    /// `encryption_enabled_by_default_for_room_type: invite`.
    pub encryption: Encryption,
    /// Synapse's `max_upload_size`, such as `1M`.
    pub max_upload: Option<String>,
    /// The limits that ordinary people meet.
    pub rate_limits: RateLimits,
    /// Any keys of Synapse's own configuration, with JSON values.
    pub set: Vec<(&'static str, &'static str)>,
    /// Tchap's module.
    pub access_rules: AccessRules,
    /// The part of user ids after the colon, `tchap.test` when absent.
    pub server_name: Option<String>,
    /// What is for devices.
    pub devices: Devices,
}

/// Tchap's access-rules module, in the flavours that are in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessRules {
    /// `synapse-room-access-rules` 1.0.0, as it is published.
    #[default]
    Published,
    /// Our stand-in for the newer one.
    Newer,
    /// The same, which lets passerelle's bot pass.
    NewerWithBypass,
    /// None.
    None,
}

/// Whether the homeserver encrypts private rooms that did not ask for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    #[default]
    AsAsked,
    Forced,
}

/// Whether transactions hold what is for devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Devices {
    #[default]
    Told,
    Silent,
}

/// Synapse's defaults are tight: ten messages, then one in five seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RateLimits {
    #[default]
    AsShipped,
    Off,
    /// Two messages at once of each sender, then one in four seconds, and no other limit.
    Tight,
}

/// An ordinary account, with the token a client would have.
#[derive(Clone, Debug)]
pub struct Account {
    pub user_id: String,
    pub token: String,
}

/// A running homeserver; dropping it kills it.
pub struct Synapse {
    dir: TempDir,
    facts: Value,
    process: Option<Child>,
    _place: File,
}

impl Synapse {
    /// Starts a new, empty homeserver and waits until it answers.
    pub async fn start(options: Options) -> Self {
        let place = take_a_place().await;
        blocking(move || {
            let dir = tempfile::Builder::new().prefix("passerelle-synapse-").tempdir().unwrap();
            script(&["venv"]);
            let mut arguments = vec!["prepare".to_owned(), "--dir".to_owned(), text(dir.path())];
            arguments.extend(options.arguments());
            script(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
            let (process, facts) = launch(dir.path());
            Self { dir, facts, process: Some(process), _place: place }
        })
        .await
    }

    /// `http://127.0.0.1:PORT`, without a final slash.
    pub fn base_url(&self) -> &str {
        self.facts["base_url"].as_str().unwrap()
    }

    /// The part of user ids after the colon.
    pub fn server_name(&self) -> &str {
        self.facts["server_name"].as_str().unwrap()
    }

    /// Everything the server wrote; for the message of a failing assertion.
    pub fn log(&self) -> String {
        log_of(self.dir.path())
    }

    /// An ordinary account; asked twice for one name, it gives the same account.
    pub async fn register_user(&self, name: &str) -> Account {
        let (dir, name) = (text(self.dir.path()), name.to_owned());
        let printed = blocking(move || script(&["user", "--dir", &dir, &name])).await;
        let account: Value = serde_json::from_str(&printed).unwrap();
        Account {
            user_id: account["user_id"].as_str().unwrap().to_owned(),
            token: account["access_token"].as_str().unwrap().to_owned(),
        }
    }

    /// When each message of each room came in, in milliseconds by the server's own clock.
    pub async fn arrivals(&self) -> BTreeMap<String, Vec<u64>> {
        let dir = text(self.dir.path());
        let printed = blocking(move || script(&["arrivals", "--dir", &dir])).await;
        serde_json::from_str(&printed).unwrap()
    }

    /// The password an account was made with, for a client that logs in by itself.
    pub fn password(&self, account: &Account) -> String {
        let known = std::fs::read_to_string(self.dir.path().join("users.json")).unwrap();
        let known: Value = serde_json::from_str(&known).unwrap();
        let accounts = known.as_object().unwrap().values();
        let mut found = accounts.filter(|one| one["user_id"] == account.user_id.as_str());
        found.next().unwrap()["password"].as_str().unwrap().to_owned()
    }

    /// Ends it as an operator would (SIGTERM) and waits until it has ended.
    pub async fn stop(&mut self) {
        self.end(rustix::process::Signal::TERM).await;
    }

    /// Ends it as a power cut would (SIGKILL).
    pub async fn kill(&mut self) {
        self.end(rustix::process::Signal::KILL).await;
    }

    /// Starts it again on the same data and port; stops it first if it runs.
    pub async fn restart(&mut self) {
        if self.process.is_some() {
            self.stop().await;
        }
        let dir = self.dir.path().to_owned();
        let (process, facts) = blocking(move || launch(&dir)).await;
        (self.process, self.facts) = (Some(process), facts);
    }

    async fn end(&mut self, signal: rustix::process::Signal) {
        let Some(mut process) = self.process.take() else { return };
        let pid = self.facts["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.and_then(rustix::process::Pid::from_raw).expect("a process id was noted");
        // One that ended by itself is reaped by the script, and its number may be another's.
        if process.try_wait().unwrap().is_none() {
            let _ = rustix::process::kill_process(pid, signal);
        }
        let gone = blocking(move || {
            for _ in 0..300 {
                if process.try_wait().unwrap().is_some() {
                    return true;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            // Closing its standard input makes the script kill the server.
            drop(process.stdin.take());
            process.wait().unwrap();
            false
        })
        .await;
        assert!(gone, "Synapse ignored {signal:?} for 15 s:\n{}", self.log());
    }
}

impl Drop for Synapse {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            drop(process.stdin.take());
            let _ = process.wait();
        }
    }
}

impl Options {
    fn arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        let mut add = |name: &str, value: String| arguments.push(format!("--{name}={value}"));
        if let Some(port) = self.port {
            add("port", port.to_string());
        }
        if let Some(path) = &self.registration {
            add("registration", text(path));
        }
        if let Some(days) = self.retention_days {
            add("retention", days.to_string());
        }
        if let Some(size) = &self.max_upload {
            add("max-upload", size.clone());
        }
        if let Some(name) = &self.server_name {
            add("server-name", name.clone());
        }
        for (key, json) in &self.set {
            add("set", format!("{key}={json}"));
        }
        match self.access_rules {
            AccessRules::Published => {}
            AccessRules::Newer => add("access-rules", "v2".to_owned()),
            AccessRules::NewerWithBypass => {
                add("access-rules", "v2".to_owned());
                add("bypass", "@_passerelle_bot:tchap.test".to_owned());
            }
            AccessRules::None => add("access-rules", "none".to_owned()),
        }
        if self.encryption == Encryption::Forced {
            arguments.push("--force-encryption".to_owned());
        }
        if self.devices == Devices::Silent {
            arguments.push("--silent-devices".to_owned());
        }
        if self.rate_limits != RateLimits::AsShipped {
            arguments.push("--no-rate-limits".to_owned());
        }
        if self.rate_limits == RateLimits::Tight {
            let limit = r#"rc_message={"per_second": 0.25, "burst_count": 2}"#;
            arguments.extend(["--set".to_owned(), limit.to_owned()]);
        }
        arguments
    }
}

fn launch(dir: &Path) -> (Child, Value) {
    let mut process = Command::new("python3")
        .arg(script_path())
        .args(["run", "--dir", &text(dir)])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("python3 starts");
    // The script says what it started once the server answers, or ends having said nothing.
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let Ok(facts) = serde_json::from_str(&line) else {
        let _ = process.wait();
        panic!("Synapse did not start:\n{}", log_of(dir))
    };
    (process, facts)
}

fn log_of(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("homeserver.log")).unwrap_or_default()
}

/// A port nobody listens on now, for a server whose address must be known beforehand.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// Waits for one of the places; the lock goes with the file, and so with the process.
async fn take_a_place() -> File {
    let work = repository().join(".work");
    std::fs::create_dir_all(&work).unwrap();
    loop {
        for number in 0..PLACES {
            let place = File::create(work.join(format!("homeserver-place-{number}.lock"))).unwrap();
            if place.try_lock().is_ok() {
                return place;
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn script(arguments: &[&str]) -> String {
    let output = Command::new("python3")
        .arg(script_path())
        .args(arguments)
        .output()
        .expect("python3 starts");
    assert!(
        output.status.success(),
        "homeserver.py {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn script_path() -> PathBuf {
    repository().join("sandbox/homeserver/homeserver.py")
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &Path) -> String {
    path.to_str().expect("paths of tests are UTF-8").to_owned()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}
