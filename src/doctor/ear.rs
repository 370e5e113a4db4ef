//! How we hear what the homeserver pushes: through the daemon, or by listening in its place.

use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::records::Records;
use crate::matrix::{Heard, Overheard};

const STEP: Duration = Duration::from_millis(150);
const DAEMON_TIMEOUT: Duration = Duration::from_secs(10);

/// What the running daemon says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DaemonView {
    /// Its version.
    pub version: String,
    /// What it owns, or why that cannot be told.
    pub records: Result<Records, String>,
}

/// The daemon's command socket.
#[derive(Clone, Debug)]
pub struct Socket {
    http: reqwest::Client,
}

impl Socket {
    /// The socket at this path, whether or not anybody answers there.
    ///
    /// # Errors
    /// When the HTTP client cannot be set up.
    pub fn new(path: &Path) -> Result<Self, String> {
        let http = reqwest::Client::builder().unix_socket(path).timeout(DAEMON_TIMEOUT).build();
        http.map(|http| Self { http }).map_err(|error| error.to_string())
    }

    /// What the daemon says; `None` when nobody is there.
    ///
    /// # Errors
    /// When what is there answers something else.
    pub async fn view(&self) -> Result<Option<DaemonView>, String> {
        self.get("/v1/doctor").await
    }

    /// What transactions carried for the doctor's account; quick, so that it may be asked often.
    async fn heard(&self) -> Option<Heard> {
        self.get("/v1/doctor/heard").await.ok().flatten()
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, String> {
        let answer = match self.http.get(format!("http://passerelle{path}")).send().await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => return Ok(None),
            Err(error) => return Err(error.without_url().to_string()),
        };
        if !answer.status().is_success() {
            return Err(format!("the daemon answered {}", answer.status()));
        }
        answer.json().await.map(Some).map_err(|_| "the daemon answered something else".to_owned())
    }
}

/// How we hear.
#[derive(Clone, Debug)]
pub enum Ear {
    /// The daemon runs and tells.
    Daemon(Socket),
    /// We listen in its place.
    Own(Overheard),
    /// Neither, and why.
    Deaf(String),
}

impl Ear {
    /// What has come so far; `None` when nothing can be heard.
    pub(super) async fn heard(&self) -> Option<Heard> {
        match self {
            Self::Daemon(socket) => socket.heard().await,
            Self::Own(overheard) => Some(overheard.heard()),
            Self::Deaf(_) => None,
        }
    }

    /// Listens until `wanted` has come, for as long as `patience` lasts.
    pub(super) async fn has_heard(
        &self,
        patience: Duration,
        wanted: impl Fn(&Heard) -> bool,
    ) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            if self.heard().await.is_some_and(|heard| wanted(&heard)) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(STEP).await;
        }
    }
}
