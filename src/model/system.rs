//! What the messenger itself said: joins, renames, settings.

use serde::{Deserialize, Serialize};

use super::author::Author;

/// A line written by the messenger, not by a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemEvent {
    /// What happened.
    #[serde(flatten)]
    pub kind: SystemKind,
    /// Who did it, when the line says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Author>,
    /// Whom it was done to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Author>,
    /// The line as the export words it; empty when the source has no words for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// What kind of thing the messenger reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum SystemKind {
    /// The chat was created.
    Created {
        /// Its first name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
    },
    /// The chat has a new name.
    Renamed {
        /// The new name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
    },
    /// The description changed.
    DescriptionChanged,
    /// The photo changed or went.
    PhotoChanged,
    /// Somebody came in by themselves, or by a link.
    Joined,
    /// The actor added the targets.
    Added,
    /// The targets left by themselves.
    Left,
    /// The actor removed the targets.
    Removed,
    /// The targets became, or are no longer, administrators.
    AdminChanged,
    /// Somebody has another number or account.
    NumberChanged,
    /// The encryption notice, or a changed security code.
    Encryption,
    /// Disappearing messages were set, changed or ended.
    Ephemeral,
    /// A message was pinned or unpinned.
    Pinned,
    /// A contact was blocked or unblocked.
    Blocked,
    /// Something else; the words say what.
    Other,
}
