//! Builds every part from the configuration, wires them, starts and stops them.

mod doctor;
mod keys;

pub use doctor::{Wish, examine};

use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use ruma::RoomId;
use serde_json::value::RawValue;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::keys::KeyRounds;
use crate::bot::{Bot, Hearing};
use crate::config::{Config, Secret, WordingLanguage};
use crate::import::{Hands, Patience, Places, Runner, Settings};
use crate::matrix::{
    Account, Budget, Delivered, Errand, Homeserver, Listener, Lookup, Machines, Overheard,
    Transaction, Vault, new_token, router,
};
use crate::model::time::Clock;
use crate::portal::{GhostNamer, Portals};
use crate::store::{InboxRow, PortalState, Store, StoreError, Stored};
use crate::web::{Health, Limits, commands, health, serve};
use crate::wording::{Language, Wording};

/// Transactions that may wait for the store. The homeserver sends one at a time.
const TRANSACTIONS_AHEAD: usize = 4;
/// How often rooms are read up for events that no transaction brought.
const READ_UP_EVERY: Duration = Duration::from_mins(5);
/// After a handler's failure, before it is tried again.
const HANDLER_PAUSE: Duration = Duration::from_secs(5);

/// Pictures decoded at once. One of 12 megapixels takes 36 MB meanwhile, one of 25 takes 75; and
/// one thread decodes more than a homeserver that makes its own previews can take.
const DECODERS: usize = 1;

/// The language of `[wording]`.
pub fn language(config: &Config) -> Language {
    match config.wording.language {
        WordingLanguage::Fr => Language::French,
        WordingLanguage::En => Language::English,
    }
}

/// The homeserver of the configuration, spoken to with the service's own token.
///
/// # Errors
/// When there is no token yet.
pub fn homeserver(config: &Config) -> anyhow::Result<Homeserver> {
    let token = config.appservice.as_token.clone().context(
        "appservice.as_token is not set\nhint: run `passerelle registration generate` first",
    )?;
    Ok(Homeserver::new(&config.matrix, token)?)
}

/// How our accounts are named.
pub fn namer(config: &Config) -> GhostNamer {
    GhostNamer {
        prefix: config.appservice.user_prefix.clone(),
        server: config.matrix.server_name.clone(),
    }
}

/// A handle that can only look at the homeserver.
///
/// # Errors
/// When there is no token yet.
pub fn lookup(config: &Config) -> anyhow::Result<Lookup> {
    Ok(Lookup::new(homeserver(config)?.impatient()))
}

/// Runs the daemon until `stop`.
///
/// # Errors
/// When a part cannot be built: a token is missing, an address is taken, the store is in use.
pub async fn run(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    private_folder(&config.daemon.state_dir)?;
    warn_of_exposure(&config);
    let store = Store::open(&config.daemon.state_dir.join("store"))?;
    let runner = runner(&config, &store)?;
    runner.tidy().await?;
    let hs_token = config.appservice.hs_token.clone().context(
        "appservice.hs_token is not set\nhint: run `passerelle registration generate` first",
    )?;
    let counts = Health::default();
    let tasks = TaskTracker::new();

    let (transactions, arriving) = mpsc::channel(TRANSACTIONS_AHEAD);
    let arrived = Arc::new(Notify::new());
    let appservice = TcpListener::bind(config.appservice.listen).await.with_context(|| {
        format!("cannot listen on appservice.listen, {}", config.appservice.listen)
    })?;
    let operator = TcpListener::bind(config.operator.listen)
        .await
        .with_context(|| format!("cannot listen on operator.listen, {}", config.operator.listen))?;
    let socket = listen_on_socket(&config.daemon.socket)?;

    let overheard = Overheard::new(crate::doctor::account(&config));
    let listener = Listener { hs_token, transactions, overheard: overheard.clone() };
    tasks.spawn(serve(appservice, router(listener), Limits::APPSERVICE, stop.clone()));
    let figures = health(runner.clone(), counts.clone());
    tasks.spawn(serve(operator, figures, Limits::OPERATOR, stop.clone()));
    let commands = commands(runner.clone(), config.import.max_archive_bytes, overheard);
    tasks.spawn(serve(socket, commands, Limits::COMMANDS, stop.clone()));
    let upkeep = runner.portals().on_errand(Errand::Upkeep, stop.clone());
    let bot = Bot::new(runner.clone(), Wording::new(language(&config)));
    let keys = KeyRounds {
        runner: runner.clone(),
        portals: upkeep.clone(),
        bot: bot.clone(),
        work: Arc::default(),
    };
    tasks.spawn(keys.clone().run(stop.clone()));
    let inbox =
        Inbox { store: store.clone(), runner: runner.clone(), upkeep, keys, counts, arrived };
    tasks.spawn(inbox.clone().take_in(arriving));
    tasks.spawn(inbox.clone().handle(bot, stop.clone()));
    tasks.spawn(inbox.read_up(stop.clone()));
    let working = tasks.spawn({
        let (runner, stop) = (runner.clone(), stop.clone());
        async move { runner.run(stop).await }
    });
    tracing::info!("passerelle is running");

    let ended = tokio::select! {
        () = stop.cancelled() => Ok(()),
        ended = working => ended.context("the job runner died").and_then(|ended| Ok(ended?)),
    };
    stop.cancel();
    tasks.close();
    if tokio::time::timeout(config.daemon.stop_grace, tasks.wait()).await.is_err() {
        tracing::warn!("stopping with work in flight; it is taken up at the next start");
    }
    store.flush().await?;
    // The socket of a daemon that has gone would make the next command wait for nothing.
    let _ = std::fs::remove_file(&config.daemon.socket);
    tracing::info!("passerelle has stopped");
    ended
}

fn runner(config: &Config, store: &Store) -> anyhow::Result<Runner> {
    let clock = Clock::system();
    let budget = Budget::new(&config.pace, clock);
    let homeserver = homeserver(config)?.under(&budget);
    let bot = config.appservice.bot_user_id(&config.matrix.server_name);
    let crypto = config.daemon.state_dir.join("crypto");
    private_folder(&crypto)?;
    let vault = Vault::open(&config.encryption.key_file, &crypto)
        .map_err(|error| anyhow::anyhow!("{error}\nhint: {}", error.hint()))?;
    let run = new_token()?.expose().to_owned();
    // Machines outlive the jobs that open them, so no job's halt may stop them.
    let keys = homeserver.on_errand(Errand::Upkeep, CancellationToken::new());
    let machines = Machines::new(&crypto, vault, keys, &config.encryption, run);
    let portals = Portals::new(
        store.clone(),
        homeserver.clone(),
        machines,
        (bot, config.appservice.bot_name.clone()),
        namer(config),
        DECODERS,
    );
    let witness = config
        .witness
        .token
        .clone()
        .map(|token: Secret| Homeserver::new(&config.matrix, token))
        .map(|made| made.map(|homeserver| Account::new(homeserver.under(&budget))))
        .transpose()?;
    if let (None, Some(file)) = (&witness, &config.witness.token_file) {
        anyhow::bail!(
            "witness.token_file names {}, which does not exist\nhint: put the witness's access token there",
            file.display()
        );
    }
    if witness.is_none() {
        tracing::warn!("no witness is configured, imports will not start");
    }
    let wording = Wording::new(language(config));
    let settings = Settings {
        rooms: config.rooms.clone(),
        uploads_in_flight: config.import.uploads_in_flight,
        batch_messages: config.import.batch_messages,
        max_file_bytes: config.import.max_file_bytes,
        lookup: Lookup::new(homeserver),
        ghost_suffix: config.appservice.ghost_suffix.clone(),
        language: wording.language(),
        canary_room_name: wording.text("canary-room", &[]),
        canary_text: wording.text("canary-text", &[]),
        witness,
    };
    let places = Places::below(&config.daemon.state_dir)?;
    let patience = Patience { within: config.pace.resume_for, first: config.pace.resume_after };
    let hands = Hands { jobs_at_once: config.pace.jobs_at_once, patience };
    Ok(Runner::new(portals, settings, places, clock, hands))
}

/// Transactions on their way from the wire to whoever acts on them.
#[derive(Clone)]
struct Inbox {
    store: Store,
    runner: Runner,
    /// Calls that no person and no import waits for.
    upkeep: Portals,
    keys: KeyRounds,
    counts: Health,
    arrived: Arc<Notify>,
}

impl Inbox {
    /// Stores what arrives, and only then lets it be answered. Ends when the listener does.
    async fn take_in(self, mut arriving: mpsc::Receiver<Delivered>) {
        while let Some((transaction, stored)) = arriving.recv().await {
            match self.store_transaction(&transaction).await {
                Ok(()) => {
                    self.counts.transactions.fetch_add(1, Ordering::Relaxed);
                    // A homeserver that no longer waits sends it again, which is harmless.
                    let _ = stored.send(());
                    self.arrived.notify_one();
                }
                Err(error) => tracing::error!(error = %error, "a transaction was not stored"),
            }
        }
    }

    async fn store_transaction(&self, transaction: &Transaction) -> anyhow::Result<()> {
        let for_devices = self.keys.store_for_devices(transaction)?;
        if for_devices {
            self.store.flush().await?;
        }
        take_in(&self.store, self.runner.portals().namer(), &self.counts, transaction).await?;
        if for_devices {
            self.keys.work.notify_one();
        }
        Ok(())
    }

    fn is_echo(&self, event: &RawValue) -> bool {
        is_echo(self.runner.portals().namer(), event)
    }

    /// Notes that a piece was handled, on disk before the next one is: a restart must not handle
    /// a whole stretch again.
    async fn handled(&self, number: u64) -> Result<(), StoreError> {
        self.store.inbox_done(number)?;
        self.store.flush().await
    }

    /// Notes who came or went, and has the bot hear an event. One that has no key yet is kept
    /// apart and tried again.
    async fn hear(&self, bot: &Bot, row: &InboxRow) -> anyhow::Result<()> {
        if self.keys.note_membership(&row.event)? {
            self.keys.work.notify_one();
        }
        match bot.hear(&row.event).await? {
            Hearing::Done => Ok(()),
            Hearing::Unreadable => self.keys.keep_unread(&row.event),
        }
    }

    /// Handles what is stored, in order, each until it succeeds.
    async fn handle(self, bot: Bot, stop: CancellationToken) {
        loop {
            match self.store.inbox_first() {
                Ok(Some((number, row))) => match self.hear(&bot, &row).await {
                    Ok(()) => match self.handled(number).await {
                        Ok(()) => continue,
                        Err(error) => tracing::error!(error = %error, "the inbox failed"),
                    },
                    Err(error) => {
                        tracing::warn!(error = %error, "an event will be handled again");
                        tokio::select! {
                            () = tokio::time::sleep(HANDLER_PAUSE) => continue,
                            () = stop.cancelled() => return,
                        }
                    }
                },
                Ok(None) => {}
                Err(error) => tracing::error!(error = %error, "the inbox failed"),
            }
            tokio::select! {
                () = self.arrived.notified() => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Reads rooms that people use for events that no transaction brought: a homeserver that
    /// restarts forgets what it had queued for us.
    async fn read_up(self, stop: CancellationToken) {
        loop {
            if let Err(error) = self.read_up_once().await {
                tracing::warn!(error = %error, "rooms could not be read up");
            }
            tokio::select! {
                () = tokio::time::sleep(READ_UP_EVERY) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn read_up_once(&self) -> anyhow::Result<()> {
        for portal in self.store.portals()? {
            let (PortalState::Ready, Some(room)) = (portal.state, portal.room_id) else { continue };
            // Without a mark nobody was invited yet.
            let Some(mark) = self.store.room_mark(&room)? else { continue };
            // Owners may put the bot out of their room; the others must not suffer for it.
            if let Err(error) = self.read_up_room(&room, &mark).await {
                tracing::warn!(portal.id, error = %error, "a room could not be read up");
            }
        }
        Ok(())
    }

    async fn read_up_room(&self, room: &RoomId, mark: &str) -> anyhow::Result<()> {
        let bot = self.upkeep.bot();
        let mut missed = Vec::new();
        let mut newest = None;
        let mut from = None;
        'room: loop {
            let page = bot.page_back_raw(room, from).await?;
            for (id, event) in page.events {
                newest.get_or_insert_with(|| id.clone());
                if id.as_str() == mark {
                    break 'room;
                }
                missed.push((id, event));
            }
            match page.next {
                Some(next) => from = Some(next),
                None => break,
            }
        }
        for (id, event) in missed.into_iter().rev().filter(|(_, event)| !self.is_echo(event)) {
            if self.store.take_in(&id, &InboxRow { event })? == Stored::New {
                self.counts.recovered_events.fetch_add(1, Ordering::Relaxed);
            }
        }
        if let Some(newest) = newest {
            self.store.put_room_mark(room, newest.as_str())?;
        }
        self.store.flush().await?;
        self.arrived.notify_one();
        Ok(())
    }
}

/// Puts what is new in a transaction on disk.
async fn take_in(
    store: &Store,
    namer: &GhostNamer,
    counts: &Health,
    transaction: &Transaction,
) -> anyhow::Result<()> {
    let mut fresh = false;
    for (id, event) in &transaction.events {
        if is_echo(namer, event) {
            continue;
        }
        match store.take_in(id, &InboxRow { event: event.clone() })? {
            Stored::New => fresh = true,
            Stored::Repeated => {
                counts.repeated_events.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    if fresh {
        store.flush().await?;
    }
    Ok(())
}

/// Whether one of our own accounts sent it: the homeserver pushes those, too.
fn is_echo(namer: &GhostNamer, event: &RawValue) -> bool {
    #[derive(serde::Deserialize)]
    struct Head {
        sender: ruma::OwnedUserId,
    }
    serde_json::from_str::<Head>(event.get()).is_ok_and(|head| namer.is_ours(&head.sender))
}

/// What is reachable from elsewhere is said at every start: the answer to "who could call us?"
/// must not depend on somebody's memory of the configuration.
fn warn_of_exposure(config: &Config) {
    for (key, address) in [
        ("appservice.listen", config.appservice.listen),
        ("operator.listen", config.operator.listen),
    ] {
        if !address.ip().is_loopback() {
            tracing::warn!(
                config.key = key,
                "this address can be reached from other machines, without encryption"
            );
        }
    }
    let secrets = [
        ("appservice.as_token_file", &config.appservice.as_token_file),
        ("appservice.hs_token_file", &config.appservice.hs_token_file),
        ("witness.token_file", &config.witness.token_file),
    ];
    for (key, file) in secrets {
        let mode = file.as_ref().and_then(|file| std::fs::metadata(file).ok());
        if mode.is_some_and(|found| found.permissions().mode() & 0o077 != 0) {
            tracing::warn!(config.key = key, "this secret's file can be read by other users");
        }
    }
}

/// The store is ours alone by now, so a socket that is still there is a dead daemon's.
fn listen_on_socket(path: &Path) -> anyhow::Result<UnixListener> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)
            .with_context(|| format!("cannot replace the socket {}", path.display()))?,
        Ok(_) => anyhow::bail!(
            "daemon.socket, {}, is something else than a socket\nhint: name another path",
            path.display()
        ),
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)
        .with_context(|| format!("cannot make the socket {}", path.display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn private_folder(path: &Path) -> anyhow::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot make daemon.state_dir, {}", path.display()))
}
