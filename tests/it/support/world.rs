//! Everything one import needs, running: a homeserver, a daemon of our own build with its
//! configuration and registration, a witness, people, and the command line as a function.
//!
//! Only the program is used here, never its library: what an operator types, what an operator
//! reads. The truth to compare with comes from `sample`.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::Value;
use tempfile::TempDir;

use super::compare::BOT;
use super::logs;
use super::member::Member;
use super::proxy::Proxy;
use super::sample::{Sample, Wanted};
use super::synapse::{
    AccessRules, Account, Devices, Encryption, Options, RateLimits, Synapse, free_port,
};

/// A debug build on a busy machine needs a while for everything.
const PATIENCE: Duration = Duration::from_mins(1);

/// How the daemon reaches its homeserver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wire {
    #[default]
    Direct,
    /// Through a proxy that the test can make misbehave.
    Proxied,
}

/// What differs from a plain installation.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    pub wire: Wire,
    pub encryption: Encryption,
    pub devices: Devices,
    pub retention_days: Option<u32>,
    pub access_rules: AccessRules,
    /// Whether the registration leaves the service under the homeserver's limits.
    pub rate_limited: bool,
    /// What the homeserver's administrators did to the registration before they installed it.
    pub registration: Option<fn(&str) -> String>,
    /// Any keys of Synapse's own configuration, with JSON values.
    pub synapse: Vec<(&'static str, &'static str)>,
    /// What ordinary accounts meet, the witness among them.
    pub rate_limits: RateLimits,
    /// More configuration, as environment variables without `PASSERELLE__`.
    pub config: Vec<(&'static str, String)>,
}

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Exit code 0, or the test ends with what the command said.
    pub fn done(self) -> Self {
        assert_eq!(self.code, 0, "{self:#?}");
        self
    }

    /// Exit code 1, a line that begins with `error: `, and a hint on a line of its own.
    pub fn failed(self) -> Self {
        assert_eq!(self.code, 1, "{self:#?}");
        assert!(self.out.is_empty() || !self.out.contains("error"), "{self:#?}");
        assert!(self.err.lines().any(|line| line.starts_with("error: ")), "{self:#?}");
        assert!(!self.hint().is_empty(), "no hint: {self:#?}");
        self
    }

    /// The text after `hint: `.
    pub fn hint(&self) -> &str {
        self.err.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap_or_default()
    }
}

/// A whole installation; dropping it ends everything.
pub struct World {
    pub dir: TempDir,
    pub synapse: Synapse,
    pub proxy: Option<Proxy>,
    /// The room's owner in every plan.
    pub admin: Account,
    /// The one who is invited and reads.
    pub member: Account,
    pub witness: Account,
    environment: Vec<(String, String)>,
    appservice_port: u16,
    operator_port: u16,
    daemon: Option<Child>,
}

impl World {
    /// Starts everything, the daemon last, and waits until it is ready.
    pub async fn start(setting: Setting) -> Self {
        let mut world = Self::without_daemon(setting).await;
        world.start_daemon().await;
        world
    }

    /// The same with a daemon that breaks in the way it is told to.
    pub async fn start_broken(setting: Setting, how: &str) -> Self {
        let mut world = Self::without_daemon(setting).await;
        world.spawn_daemon(Some(&format!("export BREAK={how}")));
        world.wait_until("live", "the daemon answers").await;
        world
    }

    /// The same without the daemon.
    pub async fn without_daemon(setting: Setting) -> Self {
        let Setting {
            wire,
            encryption,
            devices,
            retention_days,
            access_rules,
            rate_limited,
            registration,
            synapse,
            rate_limits,
            config,
        } = setting;
        let dir = tempfile::Builder::new().prefix("passerelle-it-").tempdir().unwrap();
        let (port, appservice_port, operator_port) = (free_port(), free_port(), free_port());
        let mut environment: Vec<(String, String)> = vec![
            set("APPSERVICE__URL", format!("http://127.0.0.1:{appservice_port}")),
            set("APPSERVICE__LISTEN", format!("127.0.0.1:{appservice_port}")),
            set("OPERATOR__LISTEN", format!("127.0.0.1:{operator_port}")),
            set("WITNESS__TOKEN_FILE", "secrets/witness_token".to_owned()),
            // As fast as the machine can, and whoever stops stays stopped until resumed.
            set("PACE__CALLS_PER_SECOND", "0".to_owned()),
            set("PACE__IN_FLIGHT", "0".to_owned()),
            set("PACE__RESUME_FOR_H", "0".to_owned()),
            // Everything the program itself could say, so that what it must not say would show.
            set("LOG__FILTER", "passerelle=trace,info".to_owned()),
        ];
        environment.extend(config.into_iter().map(|(key, value)| set(key, value)));

        let passerelle = async |arguments: &[&str]| run(dir.path(), &environment, arguments).await;
        let url = format!("http://127.0.0.1:{port}");
        passerelle(&["config", "init", "--homeserver-url", &url, "--server-name", "tchap.test"])
            .await
            .done();
        passerelle(&["registration", "generate"]).await.done();
        if rate_limited {
            edit(&dir.path().join("registration.yaml"), |text| {
                text.replace("rate_limited: false", "rate_limited: true")
            });
        }
        if let Some(change) = registration {
            edit(&dir.path().join("registration.yaml"), change);
        }
        let synapse = Synapse::start(Options {
            port: Some(port),
            registration: Some(dir.path().join("registration.yaml")),
            retention_days,
            encryption,
            access_rules,
            rate_limits: if rate_limited { RateLimits::Tight } else { rate_limits },
            set: synapse,
            devices,
            ..Options::default()
        })
        .await;
        let admin = synapse.register_user("camille.roy-exemple.gouv.fr").await;
        let member = synapse.register_user("sacha.petit-exemple.gouv.fr").await;
        let witness = synapse.register_user("temoin-passerelle").await;
        let witness_token = dir.path().join("secrets/witness_token");
        std::fs::write(&witness_token, &witness.token).unwrap();
        std::fs::set_permissions(&witness_token, Permissions::from_mode(0o600)).unwrap();
        for file in ["secrets/as_token", "secrets/hs_token"] {
            let token = std::fs::read_to_string(dir.path().join(file)).unwrap();
            logs::note_secret(dir.path(), &token);
        }
        for account in [&admin, &member, &witness] {
            logs::note_secret(dir.path(), &account.token);
            logs::note_person(dir.path(), &account.user_id);
        }
        let proxy = match wire {
            Wire::Direct => None,
            Wire::Proxied => Some(Proxy::start(synapse.base_url()).await),
        };
        if let Some(proxy) = &proxy {
            environment.push(set("MATRIX__HOMESERVER_URL", proxy.base_url().to_owned()));
        }
        Self {
            dir,
            synapse,
            proxy,
            admin,
            member,
            witness,
            environment,
            appservice_port,
            operator_port,
            daemon: None,
        }
    }

    pub fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().expect("this world was made with Wire::Proxied")
    }

    /// `http://127.0.0.1:PORT`, where the homeserver finds the daemon.
    pub fn appservice_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.appservice_port)
    }

    /// `127.0.0.1:PORT`, where health and figures are.
    pub fn operator_address(&self) -> String {
        format!("127.0.0.1:{}", self.operator_port)
    }

    /// The running daemon's process id.
    pub fn daemon_id(&self) -> u32 {
        self.daemon.as_ref().expect("a daemon runs").id()
    }

    /// A file or folder beside the configuration.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Adds or replaces a key of the configuration, as an environment variable without
    /// `PASSERELLE__`. A running daemon does not see it.
    pub fn configure(&mut self, key: &str, value: &str) {
        self.environment.push(set(key, value.to_owned()));
    }

    /// Runs a command with more configuration, as environment variables without `PASSERELLE__`.
    pub async fn cli_with(&self, config: &[(&str, &str)], arguments: &[&str]) -> Said {
        let more = config.iter().map(|(key, value)| set(key, (*value).to_owned()));
        let environment: Vec<_> = self.environment.iter().cloned().chain(more).collect();
        run(self.dir.path(), &environment, arguments).await
    }

    /// Runs a command as an operator would.
    pub async fn cli(&self, arguments: &[&str]) -> Said {
        run(self.dir.path(), &self.environment, arguments).await
    }

    /// Starts the daemon and waits until it answers.
    pub async fn start_daemon(&mut self) {
        self.spawn_daemon(None);
        self.wait_until("live", "the daemon answers").await;
    }

    /// Starts the daemon, through a shell that first does what `shell` says.
    pub fn spawn_daemon(&mut self, shell: Option<&str>) {
        assert!(self.daemon.is_none(), "a daemon runs already");
        let log = File::options().create(true).append(true).open(self.log_path()).unwrap();
        let mut command = match shell {
            None => program(self.dir.path(), &self.environment),
            Some(first) => {
                let mut shell = Command::new("bash");
                shell.arg("-c").arg(format!("{first}; exec \"$0\" \"$@\"")).arg(binary());
                prepare(&mut shell, self.dir.path(), &self.environment);
                shell
            }
        };
        command.arg("run").stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.daemon = Some(command.spawn().expect("the daemon starts"));
    }

    /// Waits until `/health/WHAT` answers 200.
    pub async fn wait_until(&mut self, what: &str, hope: &str) {
        let url = format!("http://127.0.0.1:{}/health/{what}", self.operator_port);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let until = Instant::now() + PATIENCE;
        loop {
            if let Ok(answer) = client.get(&url).send().await
                && answer.status().is_success()
            {
                return;
            }
            let ended = self.daemon.as_mut().and_then(|daemon| daemon.try_wait().unwrap());
            assert!(ended.is_none(), "the daemon ended, {ended:?}:\n{}", self.log());
            assert!(Instant::now() < until, "not seen: {hope}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A figure of `/metrics`, 0 when it is not there.
    pub async fn metric(&self, name: &str) -> u64 {
        let url = format!("http://127.0.0.1:{}/metrics", self.operator_port);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let text = client.get(url).send().await.unwrap().text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.map_or(0, |value| value.trim().parse().unwrap())
    }

    /// Ends the daemon as an operator would, and waits until it has ended.
    pub async fn stop_daemon(&mut self) -> ExitStatus {
        let daemon = self.daemon.as_ref().expect("a daemon runs");
        let pid = rustix::process::Pid::from_child(daemon);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.daemon_end().await
    }

    /// Ends the daemon as a power cut would.
    pub fn kill_daemon(&mut self) {
        let mut daemon = self.daemon.take().expect("a daemon runs");
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }

    /// Waits until the daemon has ended by itself.
    pub async fn daemon_end(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            let daemon = self.daemon.as_mut().expect("a daemon runs");
            if let Some(status) = daemon.try_wait().unwrap() {
                self.daemon = None;
                return status;
            }
            assert!(Instant::now() < until, "the daemon does not end:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether a daemon that was started runs no more.
    pub fn daemon_has_ended(&self) -> bool {
        self.daemon.is_none()
    }

    /// Has the bot invite somebody, as nobody does whose import went wrong.
    pub async fn bot_invites(&self, room: &str, whom: &Account) {
        let invite = serde_json::json!({ "user_id": whom.user_id });
        let path = ["v3", "rooms", room, "invite"];
        let (status, answer) = self.as_bot(Method::POST, &path, Some(invite)).await;
        assert!(status.is_success(), "{answer}");
    }

    /// How many rooms that the bot is in say that they are this job's.
    pub async fn rooms_of(&self, job: &str) -> usize {
        let (_, joined) = self.as_bot(Method::GET, &["v3", "joined_rooms"], None).await;
        let mut found = 0;
        for room in joined["joined_rooms"].as_array().unwrap() {
            let room = room.as_str().unwrap();
            let path = ["v3", "rooms", room, "state", "fr.passerelle.portal", ""];
            let (_, content) = self.as_bot(Method::GET, &path, None).await;
            found += usize::from(content["portal"] == format!("import-{job}"));
        }
        found
    }

    async fn as_bot(
        &self,
        method: Method,
        path: &[&str],
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let token = std::fs::read_to_string(self.path("secrets/as_token")).unwrap();
        let service = Account { user_id: BOT.to_owned(), token: token.trim().to_owned() };
        self.eyes(&service).call(method, path, &[("user_id", BOT)], body).await
    }

    /// Everything every daemon of this world wrote.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        logs::log_of(self.dir.path(), "daemon")
    }

    /// Somebody's eyes.
    pub fn eyes(&self, account: &Account) -> Member {
        Member::new(self.synapse.base_url(), account)
    }

    /// Makes a sample and puts it beside the configuration, in a folder of its own.
    pub fn sample(&self, seed: u64, messages: usize, media: usize) -> (Sample, PathBuf) {
        let sample = Sample::make(&Wanted::new(seed, messages, media));
        let folder = self.path(&format!("export-{seed}"));
        std::fs::create_dir_all(&folder).unwrap();
        let path = sample.write_to(&folder);
        logs::note_sample(self.dir.path(), &sample);
        (sample, path)
    }

    /// `import plan` with this world's people; returns the plan beside the archive.
    pub async fn plan(&self, archive: &Path) -> PathBuf {
        let plan = archive.with_file_name("plan.toml");
        self.cli(&[
            "import",
            "plan",
            text(archive),
            "--output",
            text(&plan),
            "--admin",
            &self.admin.user_id,
            "--invite",
            &self.member.user_id,
        ])
        .await
        .done();
        plan
    }

    /// A plan with every decision taken.
    pub async fn approved(&self, archive: &Path) -> PathBuf {
        let plan = self.plan(archive).await;
        edit(&plan, approve);
        plan
    }

    /// `import start`; returns the job.
    pub async fn start_job(&self, plan: &Path) -> String {
        self.cli(&["import", "start", text(plan)]).await.done().out.trim().to_owned()
    }

    /// Plans, approves and starts an archive.
    pub async fn import(&self, archive: &Path) -> String {
        let plan = self.approved(archive).await;
        self.start_job(&plan).await
    }

    /// Stays with a job until it rests.
    pub async fn follow(&self, job: &str) -> Said {
        self.cli(&["import", "status", job, "--wait"]).await
    }

    /// `import status JOB --json`.
    pub async fn job(&self, job: &str) -> Value {
        let said = self.cli(&["import", "status", job, "--json"]).await.done();
        serde_json::from_str(&said.out).unwrap()
    }

    /// `import report JOB --json`.
    pub async fn report(&self, job: &str) -> Value {
        let said = self.cli(&["import", "report", job, "--json"]).await.done();
        serde_json::from_str(&said.out).unwrap()
    }

    /// The job's room as its status names it.
    pub async fn room(&self, job: &str) -> String {
        self.job(job).await["room_id"].as_str().unwrap().to_owned()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// What an administrator does in an editor: everybody looked at, somebody answers for it.
pub fn approve(plan: &str) -> String {
    plan.replacen("by = \"\"", "by = \"Camille Roy, cheffe de cabinet (essai)\"", 1)
        .replacen("\nexporter = \"\"", "\nexporter = \"?\"", 1)
        .replace("reviewed = false", "reviewed = true")
}

/// Changes a text file.
pub fn edit(path: &Path, change: impl FnOnce(&str) -> String) {
    let before = std::fs::read_to_string(path).unwrap();
    std::fs::write(path, change(&before)).unwrap();
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("paths of tests are UTF-8")
}

/// Runs the program in a folder, with nothing of this process's environment that could
/// configure it.
pub async fn run(folder: &Path, environment: &[(String, String)], arguments: &[&str]) -> Said {
    let mut command = program(folder, environment);
    command.args(arguments).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
    let output = output.expect("the program starts");
    let said = Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    };
    logs::keep_said(folder, &said.out, &said.err);
    said
}

fn program(folder: &Path, environment: &[(String, String)]) -> Command {
    let mut command = Command::new(binary());
    prepare(&mut command, folder, environment);
    command
}

fn prepare(command: &mut Command, folder: &Path, environment: &[(String, String)]) {
    let inherited = std::env::vars().map(|(name, _)| name);
    for name in inherited.filter(|name| name.starts_with("PASSERELLE")) {
        command.env_remove(name);
    }
    // Help is wrapped to the terminal's width where there is one.
    command.env_remove("COLUMNS").current_dir(folder);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
}

fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_passerelle")
}

fn set(key: &str, value: String) -> (String, String) {
    (format!("PASSERELLE__{key}"), value)
}
