//! Exports on disk become the neutral model.
//!
//! [`Archive::open`] takes a file or folder, asks every [`Reader`] how sure it is, and lets the
//! surest one survey it. Reading is streamed: a chat of any size goes message by message
//! through a sink. Nothing here knows Matrix, the network or the clock.
//!
//! A new messenger is one folder implementing [`Reader`] and one line in `READERS`.

mod container;
mod olvid;
mod opened;
mod reader;
mod telegram;
mod whatsapp;

pub use container::{Access, Container, ContainerError, Entry, Limits, Password};
pub use opened::Archive;
pub use reader::{
    ArchiveError, ChatSurvey, Confidence, FileSums, Flow, NameKind, Options, ParticipantSurvey,
    Reader, Record, Survey,
};

/// Every reader, in the order that settles a tie.
static READERS: &[&dyn Reader] = &[&whatsapp::Whatsapp, &telegram::Telegram, &olvid::Olvid];
