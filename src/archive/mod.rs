//! Exports on disk become the neutral model.
//!
//! [`Archive::open`] takes a file or folder, asks every [`Reader`] how sure it is, and lets the
//! surest one survey it. Reading is streamed: a chat of any size goes message by message
//! through a sink. Nothing here knows Matrix, the network or the clock.
//!
//! A new messenger is one folder implementing [`Reader`] and one line in `READERS`.

mod canonical;
mod container;
mod merge;
mod olvid;
mod opened;
mod reader;
mod telegram;
mod whatsapp;

pub use container::{Access, Container, ContainerError, Entry, Limits, Password};
pub use merge::{KnownIds, MergeError, MergeSource, MergeWishes, Merged, MergedChat, Role, merge};
pub use opened::Archive;
pub use reader::{
    ArchiveError, ChatSurvey, Confidence, FileSums, Flow, IdScope, NameKind, Options,
    ParticipantSurvey, Reader, Record, Recount, Survey,
};

/// Every reader, in the order that settles a tie.
static READERS: &[&dyn Reader] =
    &[&canonical::Canonical, &whatsapp::Whatsapp, &telegram::Telegram, &olvid::Olvid];
