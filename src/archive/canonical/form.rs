//! The files of a canonical archive, as they are written and read.

use serde::{Deserialize, Serialize};

use crate::archive::reader::{IdScope, NameKind};
use crate::model::finding::Finding;
use crate::model::ids::{ChatId, Network, ParticipantId, Sha256};

/// The name of the file that makes a folder a canonical archive.
pub(in crate::archive) const HEADER_NAME: &str = "passerelle.json";
/// The form described here. A reader that does not know a form refuses it.
pub(in crate::archive) const FORM: u32 = 1;
/// The folder of files, each under its SHA-256.
pub(in crate::archive) const FILES: &str = "files/";

/// `passerelle.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::archive) struct Header {
    /// Always [`FORM`].
    pub(in crate::archive) form: u32,
    /// The messenger the messages come from.
    pub(in crate::archive) network: Network,
    /// What it was made from, in English.
    pub(in crate::archive) format: String,
    /// The zone that wall-clock times were read in; the instants in the messages are settled.
    pub(in crate::archive) time_zone: String,
    /// What none of the exports can contain.
    pub(in crate::archive) never_contains: Vec<String>,
    /// The exports, in the order of the `source-N/` at the beginning of places.
    pub(in crate::archive) sources: Vec<SourceHeader>,
    pub(in crate::archive) chats: Vec<ChatHeader>,
    /// Findings of the exports that belong to no single chat.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::archive) findings: Vec<Finding>,
}

/// One export that went in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::archive) struct SourceHeader {
    /// Its digest, as a plan states it.
    pub(in crate::archive) sha256: Sha256,
    /// What kind of export it is.
    pub(in crate::archive) format: String,
}

/// One chat.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::archive) struct ChatHeader {
    pub(in crate::archive) id: ChatId,
    pub(in crate::archive) title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::archive) group: Option<bool>,
    /// The person who made the exports, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::archive) exporter: Option<ParticipantId>,
    pub(in crate::archive) id_scope: IdScope,
    /// The file of its messages, one canonical JSON a line, findings among them.
    pub(in crate::archive) records: String,
    pub(in crate::archive) participants: Vec<ParticipantHeader>,
}

/// A person of a chat, with the best name that any export has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::archive) struct ParticipantHeader {
    pub(in crate::archive) id: ParticipantId,
    pub(in crate::archive) name: String,
    pub(in crate::archive) name_kind: NameKind,
}

/// A line of a chat's file that is no message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::archive) struct FindingLine {
    pub(in crate::archive) finding: Finding,
}
