//! The registration file that makes us an application service.
//!
//! Our own struct: ruma's lacks the fields for encryption and ephemeral events (MSC3202,
//! MSC4190, MSC2409).

use std::path::Path;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::config::{AppserviceSection, MatrixSection, Secret};

/// A registration, as the homeserver reads it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "it mirrors the homeserver's file")]
pub struct Registration {
    /// The service's id.
    pub id: String,
    /// Where the homeserver reaches us.
    pub url: String,
    /// Our token.
    pub as_token: String,
    /// The homeserver's token.
    pub hs_token: String,
    /// The sender user; apart from the bot, because Synapse cannot sync as it.
    pub sender_localpart: String,
    /// Whether rate limits apply to us.
    pub rate_limited: bool,
    /// Whether typing, receipts and to-device messages are pushed.
    pub receive_ephemeral: bool,
    /// The same under the name Synapse reads.
    #[serde(rename = "de.sorunome.msc2409.push_ephemeral")]
    pub push_ephemeral: bool,
    /// Device lists and key counts in transactions.
    #[serde(rename = "org.matrix.msc3202")]
    pub msc3202: bool,
    /// Devices without a login.
    #[serde(rename = "io.element.msc4190")]
    pub msc4190: bool,
    /// The accounts that are ours.
    pub namespaces: Namespaces,
}

/// What belongs to the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Namespaces {
    /// Accounts.
    pub users: Vec<Namespace>,
    /// Room aliases; we claim none.
    pub aliases: Vec<Namespace>,
    /// Room ids; we claim none.
    pub rooms: Vec<Namespace>,
}

/// One pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Namespace {
    /// Whether nobody else may use matching names.
    pub exclusive: bool,
    /// A regular expression over whole ids.
    pub regex: String,
}

/// Why a registration cannot be made or read.
#[derive(Debug, Error)]
pub enum RegistrationError {
    /// It is there already.
    #[error("{path} exists and is not overwritten")]
    Exists {
        /// The file.
        path: String,
    },
    /// The disk refuses.
    #[error("cannot use {path}: {reason}")]
    Io {
        /// The file.
        path: String,
        /// Why not.
        reason: String,
    },
    /// A token is missing from the configuration.
    #[error("appservice.{key} is not set")]
    NoToken {
        /// The key.
        key: &'static str,
    },
    /// The file says something else than the configuration.
    #[error("{path} differs from the configuration in: {fields}")]
    Differs {
        /// The file.
        path: String,
        /// The fields, without their values.
        fields: String,
    },
}

impl Registration {
    /// The registration that fits a configuration.
    ///
    /// # Errors
    /// When a token is missing.
    pub fn from_config(
        matrix: &MatrixSection,
        section: &AppserviceSection,
    ) -> Result<Self, RegistrationError> {
        let token = |token: &Option<Secret>, key| {
            token
                .as_ref()
                .map(|secret| secret.expose().to_owned())
                .ok_or(RegistrationError::NoToken { key })
        };
        let regex = format!(
            "^@{}.*:{}$",
            escape_regex(&section.user_prefix),
            escape_regex(matrix.server_name.as_str())
        );
        Ok(Self {
            id: section.id.clone(),
            url: section.url.clone(),
            as_token: token(&section.as_token, "as_token")?,
            hs_token: token(&section.hs_token, "hs_token")?,
            sender_localpart: section.sender_localpart.clone(),
            rate_limited: false,
            receive_ephemeral: true,
            push_ephemeral: true,
            msc3202: true,
            msc4190: true,
            namespaces: Namespaces {
                users: vec![Namespace { exclusive: true, regex }],
                aliases: Vec::new(),
                rooms: Vec::new(),
            },
        })
    }

    /// The file's text.
    ///
    /// # Errors
    /// Never in practice; the YAML library's own.
    pub fn to_yaml(&self) -> Result<String, RegistrationError> {
        serde_saphyr::to_string(self).map_err(|error| RegistrationError::Io {
            path: "the registration".to_owned(),
            reason: error.to_string(),
        })
    }

    /// Reads a registration file.
    ///
    /// # Errors
    /// When it cannot be read or is not a registration of ours.
    pub fn read(path: &Path) -> Result<Self, RegistrationError> {
        let io =
            |reason: String| RegistrationError::Io { path: path.display().to_string(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| io(error.to_string()))?;
        // The library's message quotes the lines around an error, and those hold tokens.
        serde_saphyr::from_str(&text)
            .map_err(|_| io("it is not a registration of passerelle".into()))
    }

    /// Names the fields in which `self`, read from `path`, differs from what the configuration
    /// wants.
    ///
    /// # Errors
    /// When there is any.
    pub fn same_as(&self, wanted: &Self, path: &Path) -> Result<(), RegistrationError> {
        let pairs = [
            ("id", self.id == wanted.id),
            ("url", self.url == wanted.url),
            ("as_token", self.as_token == wanted.as_token),
            ("hs_token", self.hs_token == wanted.hs_token),
            ("sender_localpart", self.sender_localpart == wanted.sender_localpart),
            ("rate_limited", self.rate_limited == wanted.rate_limited),
            ("receive_ephemeral", self.receive_ephemeral == wanted.receive_ephemeral),
            ("de.sorunome.msc2409.push_ephemeral", self.push_ephemeral == wanted.push_ephemeral),
            ("org.matrix.msc3202", self.msc3202 == wanted.msc3202),
            ("io.element.msc4190", self.msc4190 == wanted.msc4190),
            ("namespaces", self.namespaces == wanted.namespaces),
        ];
        let fields: Vec<&str> =
            pairs.iter().filter(|(_, same)| !same).map(|(name, _)| *name).collect();
        if fields.is_empty() {
            return Ok(());
        }
        Err(RegistrationError::Differs {
            path: path.display().to_string(),
            fields: fields.join(", "),
        })
    }
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registration").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A token of 256 random bits.
///
/// # Errors
/// When the system has no randomness.
pub fn new_token() -> Result<Secret, RegistrationError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| RegistrationError::Io {
        path: "the system's randomness".to_owned(),
        reason: error.to_string(),
    })?;
    Ok(Secret::new(&hex::encode(bytes)))
}

fn escape_regex(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, c| {
        if !c.is_ascii_alphanumeric() && c != '_' {
            escaped.push('\\');
        }
        escaped.push(c);
        escaped
    })
}
