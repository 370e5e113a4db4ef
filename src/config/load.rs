//! Layers become checked sections, or an error that says which key, where, and what is expected.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{File, FileFormat, Source, Value, ValueKind};
use ruma::{RoomVersionId, ServerName, UserId};
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::quiet_hours::QuietHours;
use super::secret::Secret;
use super::sections::{
    AppserviceSection, Config, DaemonSection, EncryptionSection, ImportSection, LogSection,
    MatrixSection, OperatorSection, PaceSection, RoomsSection, WitnessSection, WordingSection,
};

/// The compiled-in layer, which also explains every key.
pub const DEFAULTS: &str = include_str!("default.toml");

const ENVIRONMENT_PREFIX: &str = "PASSERELLE__";

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file is not there, or is not TOML.
    #[error("cannot use {path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A key nobody reads.
    #[error("{origin}: unknown key `{key}`{}", nearest.as_ref().map(|near| format!(", did you mean `{near}`?")).unwrap_or_default())]
    UnknownKey {
        /// The file, or the environment variable.
        origin: String,
        /// The key, dotted.
        key: String,
        /// The known key closest to it.
        nearest: Option<String>,
    },
    /// A value of the wrong type or form.
    #[error("{origin}: `{key}` is {found}, expected {expected}")]
    Value {
        /// The file, the environment variable, or the defaults.
        origin: String,
        /// The key, dotted.
        key: String,
        /// What was found; never a secret.
        found: String,
        /// What is expected.
        expected: String,
    },
    /// A secret given twice.
    #[error("{origin}: `{key}` and `{key}_file` are both set, expected exactly one")]
    TwoSecrets {
        /// Where the second one was found.
        origin: String,
        /// The key, dotted.
        key: String,
    },
    /// A secret's file that cannot be read.
    #[error("`{key}` names {path}, which cannot be read: {reason}")]
    SecretFile {
        /// The key, dotted.
        key: String,
        /// The file.
        path: String,
        /// Why not.
        reason: String,
    },
}

/// Loads the configuration from `file` (or none) and the given environment variables.
///
/// # Errors
/// When a layer cannot be read, a key is unknown, or a value is not what it should be.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let mut layers = Layers::defaults();
    let known: BTreeSet<String> = layers.keys.iter().map(|entry| entry.key.clone()).collect();
    if let Some(path) = file {
        layers.add_file(path)?;
    }
    layers.add_environment(environment);
    layers.refuse_unknown(&known)?;
    let base = file.and_then(Path::parent).map(Path::to_owned).unwrap_or_default();
    Sections { layers, base }.build()
}

/// A parser's message without the lines of the file it quotes: they may hold a token.
fn without_quotation(message: &str) -> String {
    let told = |line: &&str| {
        let quotes = line.split_once('|').is_some_and(|(number, _)| {
            number.trim().is_empty() || number.trim().parse::<u32>().is_ok()
        });
        !quotes && !line.trim().is_empty()
    };
    message.lines().filter(told).collect::<Vec<_>>().join(": ")
}

/// One value, and where it came from.
struct Entry {
    key: String,
    value: Value,
    origin: String,
}

/// All layers in order; the last entry of a key wins.
struct Layers {
    keys: Vec<Entry>,
}

impl Layers {
    fn defaults() -> Self {
        let mut layers = Self { keys: Vec::new() };
        let table = File::from_str(DEFAULTS, FileFormat::Toml)
            .collect()
            .expect("the compiled defaults are valid TOML, a test loads them");
        for (key, value) in table {
            layers.add(&key, value, "the defaults");
        }
        layers
    }

    fn add_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let refuse =
            |reason: String| ConfigError::File { path: path.display().to_string(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        let table = File::from_str(&text, FileFormat::Toml)
            .collect()
            .map_err(|error| refuse(without_quotation(&error.to_string())))?;
        let origin = path.display().to_string();
        for (key, value) in table {
            self.add(&key, value, &origin);
        }
        Ok(())
    }

    fn add_environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        for (name, text) in variables {
            if let Some(rest) = name.strip_prefix(ENVIRONMENT_PREFIX) {
                let key = rest.to_lowercase().replace("__", ".");
                self.keys.push(Entry { key, value: Value::from(text), origin: name });
            }
        }
    }

    fn add(&mut self, key: &str, value: Value, origin: &str) {
        if let ValueKind::Table(table) = value.kind {
            for (name, inner) in table {
                self.add(&format!("{key}.{name}"), inner, origin);
            }
        } else {
            self.keys.push(Entry { key: key.to_owned(), value, origin: origin.to_owned() });
        }
    }

    fn refuse_unknown(&self, known: &BTreeSet<String>) -> Result<(), ConfigError> {
        let Some(entry) = self.keys.iter().find(|entry| !known.contains(&entry.key)) else {
            return Ok(());
        };
        let nearest = known
            .iter()
            .map(|key| (strsim::jaro_winkler(key, &entry.key), key))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|(likeness, _)| *likeness > 0.7)
            .map(|(_, key)| key.clone());
        Err(ConfigError::UnknownKey {
            origin: entry.origin.clone(),
            key: entry.key.clone(),
            nearest,
        })
    }

    fn last(&self, key: &str) -> &Entry {
        self.keys
            .iter()
            .rev()
            .find(|entry| entry.key == key)
            .expect("every key that is asked for stands in the defaults, a test loads them")
    }
}

/// Turns layers into sections.
struct Sections {
    layers: Layers,
    base: PathBuf,
}

impl Sections {
    fn build(&self) -> Result<Config, ConfigError> {
        let state_dir = self.path("daemon.state_dir")?.unwrap_or_else(|| self.base.join("state"));
        let socket =
            self.path("daemon.socket")?.unwrap_or_else(|| state_dir.join("passerelle.sock"));
        let appservice = self.appservice()?;
        Ok(Config {
            matrix: MatrixSection {
                homeserver_url: self.url("matrix.homeserver_url")?,
                server_name: self.parsed("matrix.server_name", "a server name", |text| {
                    ServerName::parse(text).ok()
                })?,
                request_timeout: Duration::from_secs(self.value("matrix.request_timeout_s")?),
                patience: Duration::from_secs(self.value("matrix.patience_s")?),
            },
            appservice,
            witness: {
                let (token, token_file) = self.secret("witness.token")?;
                WitnessSection { token, token_file }
            },
            daemon: DaemonSection {
                state_dir,
                socket,
                stop_grace: Duration::from_secs(self.value("daemon.stop_grace_s")?),
            },
            operator: OperatorSection { listen: self.address("operator.listen")? },
            rooms: RoomsSection {
                profile: self.value("rooms.profile")?,
                version: self.parsed("rooms.version", "a room version", |text| {
                    RoomVersionId::try_from(text).ok()
                })?,
                federate: self.value("rooms.federate")?,
                access_rules: self.value("rooms.access_rules")?,
                external_prefixes: self.words("rooms.external_prefixes")?,
            },
            import: ImportSection {
                uploads_in_flight: self.at_least_one("import.uploads_in_flight")?,
                batch_messages: self.at_least_one("import.batch_messages")?,
                max_file_bytes: self.value("import.max_file_bytes")?,
                max_archive_bytes: self.value("import.max_archive_bytes")?,
            },
            pace: self.pace()?,
            encryption: EncryptionSection {
                key_file: self.path("encryption.key_file")?.unwrap_or_else(|| {
                    // Set to nothing: where it would be without being set.
                    self.base.join("secrets/encryption_key")
                }),
                share_with: self.value("encryption.share_with")?,
                believe: self.value("encryption.believe")?,
                open_devices: self.at_least_one("encryption.open_devices")?,
            },
            wording: WordingSection { language: self.value("wording.language")? },
            log: LogSection {
                filter: self.value("log.filter")?,
                format: self.value("log.format")?,
            },
        })
    }

    fn pace(&self) -> Result<PaceSection, ConfigError> {
        let in_flight: usize = self.value("pace.in_flight")?;
        let zone = self.parsed("pace.time_zone", "a time zone such as Europe/Paris", |text| {
            jiff::tz::TimeZone::get(text).ok()
        })?;
        let resume_hours: u64 = self.value("pace.resume_for_h")?;
        Ok(PaceSection {
            calls_per_second: self.rate("pace.calls_per_second")?,
            messages_per_second: self.rate("pace.messages_per_second")?,
            in_flight: (in_flight > 0).then_some(in_flight),
            jobs_at_once: self.at_least_one("pace.jobs_at_once")?,
            quiet_hours: self.parsed(
                "pace.quiet_hours",
                "hours such as \"08:00-19:00\" or \"mon-fri 08:00-19:00\", with some of the week left free",
                |text| QuietHours::parse(text, zone.clone()),
            )?,
            resume_for: Duration::from_secs(resume_hours.saturating_mul(3600)),
            resume_after: Duration::from_secs(self.at_least_one("pace.resume_after_s")? as u64),
        })
    }

    /// A number a second; 0 is no bound.
    fn rate(&self, key: &str) -> Result<Option<f64>, ConfigError> {
        let rate: f64 = self.value(key)?;
        if !(0.0..=1e6).contains(&rate) || (rate > 0.0 && rate < 0.01) {
            return Err(self.wrong(key, "0 for no bound, or a number from 0.01 to 1000000"));
        }
        Ok((rate > 0.0).then_some(rate))
    }

    fn appservice(&self) -> Result<AppserviceSection, ConfigError> {
        let (as_token, as_token_file) = self.secret("appservice.as_token")?;
        let (hs_token, hs_token_file) = self.secret("appservice.hs_token")?;
        let user_prefix = self.localpart("appservice.user_prefix")?;
        let bot_localpart = self.localpart("appservice.bot_localpart")?;
        let sender_localpart = self.localpart("appservice.sender_localpart")?;
        if !bot_localpart.starts_with(&user_prefix) {
            let expected = format!("a name beginning with appservice.user_prefix, {user_prefix}");
            return Err(self.wrong("appservice.bot_localpart", &expected));
        }
        if sender_localpart.starts_with(&user_prefix) {
            let expected = format!("a name outside appservice.user_prefix, {user_prefix}");
            return Err(self.wrong("appservice.sender_localpart", &expected));
        }
        Ok(AppserviceSection {
            id: self.value("appservice.id")?,
            url: self.url("appservice.url")?,
            listen: self.address("appservice.listen")?,
            as_token,
            as_token_file,
            hs_token,
            hs_token_file,
            sender_localpart,
            bot_localpart,
            bot_name: self.value("appservice.bot_name")?,
            user_prefix,
            ghost_suffix: self.value("appservice.ghost_suffix")?,
        })
    }

    fn wrong(&self, key: &str, expected: &str) -> ConfigError {
        let entry = self.layers.last(key);
        let found = match &entry.value.kind {
            ValueKind::String(text) if text.is_empty() => "not set".to_owned(),
            ValueKind::Array(_) => "a list".to_owned(),
            ValueKind::Table(_) => "a table".to_owned(),
            ValueKind::Nil
            | ValueKind::Boolean(_)
            | ValueKind::I64(_)
            | ValueKind::I128(_)
            | ValueKind::U64(_)
            | ValueKind::U128(_)
            | ValueKind::Float(_)
            | ValueKind::String(_) => format!("`{}`", entry.value),
        };
        ConfigError::Value {
            origin: entry.origin.clone(),
            key: key.to_owned(),
            found,
            expected: expected.to_owned(),
        }
    }

    fn value<T: DeserializeOwned>(&self, key: &str) -> Result<T, ConfigError> {
        let entry = self.layers.last(key);
        entry.value.clone().try_deserialize().map_err(|error| {
            let text = error.to_string();
            let expected = text.rsplit_once("expected ").map_or(text.as_str(), |(_, rest)| rest);
            self.wrong(key, expected)
        })
    }

    /// A list of words; the environment gives them in one text, with spaces between.
    fn words(&self, key: &str) -> Result<Vec<String>, ConfigError> {
        if let ValueKind::String(text) = &self.layers.last(key).value.kind {
            return Ok(text.split_whitespace().map(str::to_owned).collect());
        }
        self.value(key)
    }

    fn at_least_one(&self, key: &str) -> Result<usize, ConfigError> {
        match self.value(key)? {
            0 => Err(self.wrong(key, "at least 1")),
            number => Ok(number),
        }
    }

    fn parsed<T>(
        &self,
        key: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        let text: String = self.value(key)?;
        parse(&text).ok_or_else(|| self.wrong(key, expected))
    }

    fn address(&self, key: &str) -> Result<SocketAddr, ConfigError> {
        self.parsed(key, "an address and port such as 127.0.0.1:29318", |text| text.parse().ok())
    }

    fn url(&self, key: &str) -> Result<String, ConfigError> {
        self.parsed(key, "an http:// or https:// address", |text| {
            let url = reqwest::Url::parse(text).ok()?;
            let plain = matches!(url.scheme(), "http" | "https") && url.has_host();
            plain.then(|| text.trim_end_matches('/').to_owned())
        })
    }

    fn localpart(&self, key: &str) -> Result<String, ConfigError> {
        self.parsed(key, "lower-case letters, digits, `_`, `.`, `=` or `/`", |text| {
            let valid = UserId::parse(format!("@{text}:example.org")).is_ok()
                && !text.is_empty()
                && text
                    .bytes()
                    .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'=' | b'/'));
            valid.then(|| text.to_owned())
        })
    }

    fn path(&self, key: &str) -> Result<Option<PathBuf>, ConfigError> {
        let text: String = self.value(key)?;
        Ok((!text.is_empty()).then(|| self.base.join(text)))
    }

    /// The secret and the file it comes from. A file of the defaults may be absent still.
    fn secret(&self, key: &str) -> Result<(Option<Secret>, Option<PathBuf>), ConfigError> {
        let file_key = format!("{key}_file");
        let inline: String = self.value(key)?;
        let file = self.path(&file_key)?;
        let origin = &self.layers.last(&file_key).origin;
        let file_is_default = origin == "the defaults";
        match (inline.is_empty(), file) {
            (false, Some(_)) if !file_is_default => {
                Err(ConfigError::TwoSecrets { origin: origin.clone(), key: key.to_owned() })
            }
            (false, _) => Ok((Some(Secret::new(&inline)), None)),
            (true, None) => Ok((None, None)),
            (true, Some(path)) => match std::fs::read_to_string(&path) {
                Ok(text) if text.trim().is_empty() => Err(ConfigError::SecretFile {
                    key: file_key,
                    path: path.display().to_string(),
                    reason: "it is empty".to_owned(),
                }),
                Ok(text) => Ok((Some(Secret::new(&text)), Some(path))),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    Ok((None, Some(path)))
                }
                Err(error) => Err(ConfigError::SecretFile {
                    key: file_key,
                    path: path.display().to_string(),
                    reason: error.to_string(),
                }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDED: &str =
        "[matrix]\nhomeserver_url = \"http://127.0.0.1:8008\"\nserver_name = \"tchap.test\"\n";

    fn load_text(extra: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passerelle.toml");
        std::fs::write(&path, format!("{NEEDED}{extra}")).unwrap();
        load(Some(&path), environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
    }

    fn message(result: Result<Config, ConfigError>) -> String {
        let text = result.unwrap_err().to_string();
        match text.split_once("passerelle.toml") {
            Some((_, rest)) => rest.to_owned(),
            None => text,
        }
    }

    #[test]
    fn the_environment_wins_over_the_file_over_the_defaults() {
        let config = load_text(
            "[import]\nbatch_messages = 8\n",
            &[
                ("PASSERELLE__IMPORT__BATCH_MESSAGES", "4"),
                ("PASSERELLE__ROOMS__FEDERATE", "false"),
            ],
        )
        .unwrap();
        assert_eq!(config.import.batch_messages, 4);
        assert_eq!(config.import.uploads_in_flight, 4);
        assert!(!config.rooms.federate);
    }

    #[test]
    fn a_list_of_words_is_written_either_way() {
        let list = |config: Config| config.rooms.external_prefixes;
        assert_eq!(list(load_text("", &[]).unwrap()), ["agent.externe.", "e."]);
        let file = "[rooms]\nexternal_prefixes = [\"ext01.\"]\n";
        assert_eq!(list(load_text(file, &[]).unwrap()), ["ext01."]);
        let text = ("PASSERELLE__ROOMS__EXTERNAL_PREFIXES", "ext01. e.");
        assert_eq!(list(load_text(file, &[text]).unwrap()), ["ext01.", "e."]);
        let said = message(load_text("[rooms]\nexternal_prefixes = 3\n", &[]));
        assert!(said.starts_with(": `rooms.external_prefixes` is `3`, expected"), "{said}");
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_known_one() {
        assert_eq!(
            message(load_text("[rooms]\nprofle = \"tchap\"\n", &[])),
            ": unknown key `rooms.profle`, did you mean `rooms.profile`?"
        );
        assert_eq!(
            message(load_text("", &[("PASSERELLE__MATRIX__TOKEN", "x")])).split(',').next(),
            Some("PASSERELLE__MATRIX__TOKEN: unknown key `matrix.token`")
        );
    }

    #[test]
    fn a_wrong_value_names_file_key_found_and_expected() {
        assert_eq!(
            message(load_text("[operator]\nlisten = \"here\"\n", &[])),
            ": `operator.listen` is `here`, expected an address and port such as 127.0.0.1:29318"
        );
        let text = message(load_text("[rooms]\nprofile = \"olvid\"\n", &[]));
        assert!(text.starts_with(": `rooms.profile` is `olvid`, expected"), "{text}");
    }

    #[test]
    fn the_pace_is_polite_unless_told_otherwise() {
        let pace = load_text("", &[]).unwrap().pace;
        assert_eq!((pace.calls_per_second, pace.messages_per_second), (Some(1.0), None));
        let pace = load_text("[pace]\ncalls_per_second = 0\nin_flight = 0\n", &[]).unwrap().pace;
        assert_eq!((pace.calls_per_second, pace.in_flight), (None, None));
        let text = message(load_text("[pace]\ncalls_per_second = -1\n", &[]));
        assert!(text.starts_with(": `pace.calls_per_second` is `-1`, expected 0 for no"), "{text}");
        let text = message(load_text("[pace]\nquiet_hours = \"00:00-00:00\"\n", &[]));
        assert!(text.contains("with some of the week left free"), "{text}");
        let text = message(load_text("[pace]\ntime_zone = \"Paris\"\n", &[]));
        assert!(text.contains("expected a time zone"), "{text}");
    }

    #[test]
    fn a_secret_is_given_once_and_never_shown() {
        let twice = load_text("[witness]\ntoken = \"hush\"\ntoken_file = \"w\"\n", &[]);
        let text = message(twice);
        assert!(text.contains("`witness.token` and `witness.token_file` are both set"), "{text}");
        assert!(!text.contains("hush"));
        let config = load_text("[witness]\ntoken = \"hush\"\n", &[]).unwrap();
        assert!(!format!("{config:?}").contains("hush"));
    }

    #[test]
    fn a_syntax_error_does_not_quote_the_line() {
        let text = message(load_text("[witness]\ntoken = \"syt_hush_hush\n", &[]));
        assert!(text.contains("line") && !text.contains("hush"), "{text}");
    }

    #[test]
    fn the_bot_stays_inside_and_the_sender_outside_the_namespace() {
        let text = message(load_text("[appservice]\nbot_localpart = \"robot\"\n", &[]));
        assert!(text.contains("appservice.user_prefix"), "{text}");
        let text = message(load_text("[appservice]\nsender_localpart = \"_passerelle_x\"\n", &[]));
        assert!(text.contains("outside"), "{text}");
    }
}
