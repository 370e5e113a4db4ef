//! Files that belong to messages.

use serde::{Deserialize, Serialize};

use super::ids::Sha256;

/// One file of a message, whether the export holds it or only names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// What kind of file the source says it is.
    pub kind: MediaKind,
    /// Whether the bytes can be had.
    pub state: AttachmentState,
    /// The file's name as people know it; `None` when the source gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The MIME type the source claims. Never trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_mime: Option<String>,
    /// The MIME type found in the first bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sniffed_mime: Option<String>,
    /// Size in bytes, as stored or as the source claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Digest of the bytes, when they were read or the source states it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
    /// Name of the container entry that holds the bytes; set exactly when `state` is `Present`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// Name of the container entry that holds a preview picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail_entry: Option<String>,
    /// Width in pixels, as the source says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height in pixels, as the source says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Playing time in milliseconds, as the source says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// The emoji a sticker stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emoji: Option<String>,
}

impl Attachment {
    /// An attachment of which only kind and state are known.
    pub fn new(kind: MediaKind, state: AttachmentState) -> Self {
        Self {
            kind,
            state,
            name: None,
            claimed_mime: None,
            sniffed_mime: None,
            size_bytes: None,
            sha256: None,
            entry: None,
            thumbnail_entry: None,
            width: None,
            height: None,
            duration_ms: None,
            emoji: None,
        }
    }
}

/// What a file is to the people who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// A picture.
    Photo,
    /// A film.
    Video,
    /// A short silent loop, often an MP4.
    Gif,
    /// A round video note.
    VideoNote,
    /// A voice recording.
    Voice,
    /// Music or another sound file.
    Audio,
    /// A sticker.
    Sticker,
    /// Any other file.
    Document,
    /// A card the source shows for a link; never a file of its own in Matrix.
    LinkPreview,
    /// The source does not say.
    Unknown,
}

/// Whether an attachment's bytes can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttachmentState {
    /// In the container.
    Present,
    /// The person chose an export without media, or the source left the file out.
    Omitted,
    /// Named by the message, but not in the container or not what it should be.
    Missing,
    /// Left out by the source because of its size.
    TooLarge,
}
