//! Moments as an export knows them, and the clock everyone else must ask.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An instant in milliseconds since 1970-01-01T00:00:00Z, the unit of `origin_server_ts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// The same instant as a `jiff` timestamp; instants outside jiff's range saturate.
    pub fn to_timestamp(self) -> Timestamp {
        let fallback = if self.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
        Timestamp::from_millisecond(self.0).unwrap_or(fallback)
    }
}

impl From<Timestamp> for UnixMillis {
    fn from(timestamp: Timestamp) -> Self {
        Self(timestamp.as_millisecond())
    }
}

/// RFC 3339 in UTC.
impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_timestamp().fmt(f)
    }
}

/// When something was said, with how well the export knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentAt {
    /// The instant in UTC, truncated to `precision`.
    pub at: UnixMillis,
    /// How fine the source is.
    pub precision: Precision,
    /// How the instant was found from what is written.
    pub zone: ZoneBasis,
    /// The wall-clock time as written, `2025-10-26T02:30:00`; absent when the source gives UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<String>,
}

/// The finest unit the source states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Only the day is known; the instant is its beginning.
    Day,
    /// Minutes.
    Minute,
    /// Seconds.
    Second,
    /// Milliseconds.
    Millisecond,
}

/// How a wall-clock time became an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZoneBasis {
    /// The source states UTC or an offset.
    Stated,
    /// The plan's time zone was applied, and only one instant fits.
    Assumed,
    /// The hour happens twice that night; the order of messages decided.
    AssumedAmbiguous,
    /// That wall-clock time does not exist in the zone: the zone is probably wrong.
    AssumedImpossible,
}

/// The only source of the current time. Production uses [`Clock::system`]; tests fix it.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// Always the same instant.
    Fixed(UnixMillis),
}

impl Clock {
    /// The machine's clock.
    pub const fn system() -> Self {
        Self::System
    }

    /// The current instant.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may ask")]
    pub fn now(self) -> UnixMillis {
        match self {
            Self::System => Timestamp::now().into(),
            Self::Fixed(instant) => instant,
        }
    }
}
