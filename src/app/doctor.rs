//! What the doctor needs, wired: the daemon's own word where it runs, its place where it does
//! not. What the homeserver pushes meanwhile is stored as the daemon would store it.

use std::path::Path;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{TRANSACTIONS_AHEAD, language, namer, private_folder, take_in};
use crate::config::Config;
use crate::doctor::{self, Ear, Examination, Means, Records, Socket, Words};
use crate::matrix::{Delivered, Listener, Overheard, router};
use crate::model::time::{Clock, UnixMillis};
use crate::store::Store;
use crate::web::{Health, Limits, serve};
use crate::wording::Wording;

/// How far back archives reach, when nobody says.
const DEFAULT_AGE_MS: i64 = 3650 * 86_400_000;

/// What the operator gave.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// The configuration's file.
    pub config_path: &'a Path,
    /// A copy of the installed registration.
    pub registration: Option<&'a Path>,
    /// The archive that is to be imported.
    pub archive: Option<&'a Path>,
    /// The oldest date; ten years ago when absent.
    pub oldest: Option<UnixMillis>,
}

/// Examines this installation and its homeserver.
pub async fn examine(config: &Config, wish: Wish<'_>, tell: doctor::Listener<'_>) -> Examination {
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let (ear, records) = ear(config, &tasks, &stop).await;
    let Wish { config_path, registration, archive, oldest } = wish;
    let clock = Clock::system();
    let wording = Wording::new(language(config));
    let words =
        Words { room: wording.text("canary-room", &[]), message: wording.text("canary-text", &[]) };
    let oldest = oldest.unwrap_or(UnixMillis(clock.now().0 - DEFAULT_AGE_MS));
    let means =
        Means { config, config_path, registration, archive, oldest, clock, ear, records, words };
    let found = Box::pin(doctor::examine(&means, tell)).await;
    stop.cancel();
    tasks.close();
    // What is still under way at the homeserver is sent again to the daemon.
    let _ = tokio::time::timeout(config.daemon.stop_grace, tasks.wait()).await;
    found
}

async fn ear(
    config: &Config,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> (Ear, Result<Records, String>) {
    let socket = match Socket::new(&config.daemon.socket) {
        Ok(socket) => socket,
        Err(why) => return (Ear::Deaf(why.clone()), Err(why)),
    };
    match socket.view().await {
        Ok(Some(view)) => (Ear::Daemon(socket), view.records),
        Ok(None) => in_its_place(config, tasks, stop).await,
        Err(why) => (Ear::Deaf(why), Err("the daemon does not say".to_owned())),
    }
}

async fn in_its_place(
    config: &Config,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> (Ear, Result<Records, String>) {
    let state = &config.daemon.state_dir;
    let opened = private_folder(state)
        .map_err(|error| format!("{error:#}"))
        .and_then(|()| Store::open(&state.join("store")).map_err(|error| error.to_string()));
    let store = match opened {
        Ok(store) => store,
        Err(why) => return (Ear::Deaf(why.clone()), Err(why)),
    };
    let records = Records::look(&store, &state.join("spool")).await;
    let ear = match listen(config, &store, tasks, stop).await {
        Ok(overheard) => Ear::Own(overheard),
        Err(why) => Ear::Deaf(why),
    };
    (ear, records.map_err(|error| error.to_string()))
}

async fn listen(
    config: &Config,
    store: &Store,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Result<Overheard, String> {
    let section = &config.appservice;
    let hs_token = section.hs_token.clone().ok_or("appservice.hs_token is not set")?;
    let listener = TcpListener::bind(section.listen).await.map_err(|error| {
        format!("cannot listen on appservice.listen, {}: {error}", section.listen)
    })?;
    let overheard = Overheard::new(doctor::account(config));
    let (transactions, arriving) = mpsc::channel(TRANSACTIONS_AHEAD);
    let routes = Listener { hs_token, transactions, overheard: overheard.clone() };
    tasks.spawn(serve(listener, router(routes), Limits::APPSERVICE, stop.clone()));
    tasks.spawn(store_all(store.clone(), namer(config), arriving));
    Ok(overheard)
}

/// People may be speaking to the bot while the doctor listens.
async fn store_all(
    store: Store,
    namer: crate::portal::GhostNamer,
    mut arriving: mpsc::Receiver<Delivered>,
) {
    let counts = Health::default();
    while let Some((transaction, stored)) = arriving.recv().await {
        // Not stored is not answered: the homeserver keeps it for the daemon.
        if take_in(&store, &namer, &counts, &transaction).await.is_ok() {
            let _ = stored.send(());
        }
    }
}
