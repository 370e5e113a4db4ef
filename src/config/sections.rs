//! The typed sections. `default.toml` explains every key.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ruma::{OwnedServerName, OwnedUserId, RoomVersionId, UserId};
use serde::Deserialize;

use super::quiet_hours::QuietHours;
use super::secret::Secret;

/// The whole configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The homeserver.
    pub matrix: MatrixSection,
    /// The application service.
    pub appservice: AppserviceSection,
    /// The witness account.
    pub witness: WitnessSection,
    /// The daemon's own places.
    pub daemon: DaemonSection,
    /// Health and metrics.
    pub operator: OperatorSection,
    /// How rooms are made.
    pub rooms: RoomsSection,
    /// How imports run.
    pub import: ImportSection,
    /// How fast, how many at once, and when.
    pub pace: PaceSection,
    /// Encrypted rooms.
    pub encryption: EncryptionSection,
    /// Texts for people.
    pub wording: WordingSection,
    /// Logs.
    pub log: LogSection,
}

/// `[matrix]`
#[derive(Clone, Debug)]
pub struct MatrixSection {
    /// Base of the client API, without a trailing slash.
    pub homeserver_url: String,
    /// The part after the colon in user ids.
    pub server_name: OwnedServerName,
    /// Bound on one request.
    pub request_timeout: Duration,
    /// How long transient failures are waited out.
    pub patience: Duration,
}

/// `[appservice]`
#[derive(Clone, Debug)]
pub struct AppserviceSection {
    /// The registration's id.
    pub id: String,
    /// Where the homeserver reaches us.
    pub url: String,
    /// Where we listen for it.
    pub listen: SocketAddr,
    /// Our token towards the homeserver. `None` until `registration generate` has made it.
    pub as_token: Option<Secret>,
    /// The file the token is read from, when it is not in the configuration itself.
    pub as_token_file: Option<PathBuf>,
    /// The homeserver's token towards us.
    pub hs_token: Option<Secret>,
    /// As `as_token_file`.
    pub hs_token_file: Option<PathBuf>,
    /// The sender user's localpart; not the bot.
    pub sender_localpart: String,
    /// The bot's localpart, inside the namespace.
    pub bot_localpart: String,
    /// The bot's display name.
    pub bot_name: String,
    /// What every localpart of ours begins with.
    pub user_prefix: String,
    /// Appended to a ghost's display name; `{network}` stands for the messenger.
    pub ghost_suffix: String,
}

impl AppserviceSection {
    /// The bot's user id on `server`.
    ///
    /// # Panics
    /// Never: the localpart was checked when the configuration was loaded.
    pub fn bot_user_id(&self, server: &ruma::ServerName) -> OwnedUserId {
        UserId::parse(format!("@{}:{server}", self.bot_localpart))
            .expect("the localpart was checked at load")
    }
}

/// `[witness]`
#[derive(Clone, Debug)]
pub struct WitnessSection {
    /// The account's access token; without it nothing can be verified.
    pub token: Option<Secret>,
    /// The file the token is read from, when it is not in the configuration itself.
    pub token_file: Option<PathBuf>,
}

/// `[daemon]`
#[derive(Clone, Debug)]
pub struct DaemonSection {
    /// Records and spool.
    pub state_dir: PathBuf,
    /// The command socket.
    pub socket: PathBuf,
    /// How long a stop may take.
    pub stop_grace: Duration,
}

/// `[operator]`
#[derive(Clone, Debug)]
pub struct OperatorSection {
    /// Health and metrics listen here.
    pub listen: SocketAddr,
}

/// `[rooms]`
#[derive(Clone, Debug)]
pub struct RoomsSection {
    /// Which house rules apply.
    pub profile: RoomProfile,
    /// The version asked for.
    pub version: RoomVersionId,
    /// `m.federate`.
    pub federate: bool,
    /// The flavour of Tchap's access-rules module.
    pub access_rules: AccessRules,
    /// What the names of the servers of external people begin with.
    pub external_prefixes: Vec<String>,
}

impl RoomsSection {
    /// Whether somebody is an external: a partner from outside the State, whose account lies on a
    /// server of its own. Only Tchap knows such people.
    pub fn is_external(&self, user: &UserId) -> bool {
        let server = user.server_name().as_str();
        match self.profile {
            RoomProfile::Tchap => {
                self.external_prefixes.iter().any(|prefix| server.starts_with(prefix.as_str()))
            }
            RoomProfile::Generic => false,
        }
    }
}

/// The flavour of Tchap's access-rules module that the homeserver runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessRules {
    /// To be found out.
    Auto,
    /// `synapse-room-access-rules` 1.0.0.
    V1,
    /// The newer one.
    V2,
    /// There is none, or it lets the bot pass.
    None,
}

/// Whose rules a new room follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoomProfile {
    /// Tchap: access rules in the first state, forums and direct rooms refused.
    Tchap,
    /// Any other Matrix server.
    Generic,
}

/// `[import]`
#[derive(Clone, Debug)]
pub struct ImportSection {
    /// Uploads at once.
    pub uploads_in_flight: usize,
    /// Messages intended with one flush.
    pub batch_messages: usize,
    /// Larger files stay out; 0 leaves it to the homeserver's limit.
    pub max_file_bytes: u64,
    /// Larger archives are refused.
    pub max_archive_bytes: u64,
}

/// `[pace]`
#[derive(Clone, Debug)]
pub struct PaceSection {
    /// Calls to the homeserver a second, whoever makes them; `None` is no bound.
    pub calls_per_second: Option<f64>,
    /// Messages sent a second; `None` is no bound of their own.
    pub messages_per_second: Option<f64>,
    /// Calls without an answer yet; `None` is no bound.
    pub in_flight: Option<usize>,
    /// Jobs that run side by side.
    pub jobs_at_once: usize,
    /// When imports rest.
    pub quiet_hours: QuietHours,
    /// After a fault that may pass, how long a job is taken up again by itself.
    pub resume_for: Duration,
    /// How long it waits before the first of these tries; later ones wait longer.
    pub resume_after: Duration,
}

/// `[encryption]`
#[derive(Clone, Debug)]
pub struct EncryptionSection {
    /// The file with the key to the crypto stores.
    pub key_file: PathBuf,
    /// Which devices of people get keys.
    pub share_with: Devices,
    /// Which devices the bot listens to.
    pub believe: Devices,
    /// Devices of ours held open at once.
    pub open_devices: usize,
}

/// Which devices of people something applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Devices {
    /// All of them.
    All,
    /// Those their owner has signed.
    Signed,
}

/// `[wording]`
#[derive(Clone, Debug)]
pub struct WordingSection {
    /// The language people read.
    pub language: WordingLanguage,
}

/// A language people read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WordingLanguage {
    /// French.
    Fr,
    /// English.
    En,
}

/// `[log]`
#[derive(Clone, Debug)]
pub struct LogSection {
    /// A tracing filter.
    pub filter: String,
    /// How lines look.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
