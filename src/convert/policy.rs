//! How the plan wants messages to look in the room.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::wording::Language;

/// The choices of a plan that conversion obeys.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The language of the program's own words in the room.
    pub language: Language,
    /// Who appears as the author of imported words.
    pub attribution: Attribution,
    /// What becomes of the messenger's own lines.
    pub system_lines: SystemLines,
    /// What becomes of topics.
    pub topics: Topics,
    /// Most bytes of one event's content as JSON. The server refuses events over 65,536 bytes
    /// all told; the default leaves room for the envelope and the mark. In an encrypted room
    /// this must be [`Policy::ENCRYPTED_CONTENT_LIMIT_BYTES`] or less: ciphertext is written
    /// in base64 and takes a third more.
    pub content_limit_bytes: usize,
    /// The zone in which dates are written where the export gives no wall-clock time.
    pub zone: TimeZone,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            language: Language::default(),
            attribution: Attribution::default(),
            system_lines: SystemLines::default(),
            topics: Topics::default(),
            content_limit_bytes: Self::CONTENT_LIMIT_BYTES,
            zone: TimeZone::get("Europe/Paris").unwrap_or(TimeZone::UTC),
        }
    }
}

impl Policy {
    /// The default of `content_limit_bytes`.
    pub const CONTENT_LIMIT_BYTES: usize = 60_000;
    /// The most that fits once it is encrypted: 46,000 bytes, the mark and the inner envelope
    /// (some 1,500) make 63,400 bytes of base64.
    pub const ENCRYPTED_CONTENT_LIMIT_BYTES: usize = 46_000;
    /// Below this a media event with all its facts would not fit; smaller limits count as this.
    pub const LEAST_CONTENT_LIMIT_BYTES: usize = 4_096;

    /// The limit in force.
    pub(super) fn limit(&self) -> usize {
        self.content_limit_bytes.max(Self::LEAST_CONTENT_LIMIT_BYTES)
    }
}

/// Who appears as the author of imported words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribution {
    /// Every person has a ghost of their own.
    #[default]
    Ghosts,
    /// The bot says everything, with the name in front and as a per-message profile (MSC4144).
    BotWithPrefix,
}

/// What becomes of the messenger's own lines (joins, renames…).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SystemLines {
    /// The bot says them as notices.
    #[default]
    Notices,
    /// They are left out, and counted as such.
    None,
}

/// What becomes of the topics of a chat that is divided into topics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topics {
    /// Each topic is a thread whose root is the message the topic is named after.
    #[default]
    Threads,
    /// The room is one topic already, or topics do not matter.
    Flat,
}
