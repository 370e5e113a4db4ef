//! Several exports of one chat become one archive.
//!
//! Members of a group each hold a part: files that one has lost, messages that another deleted
//! for themselves or that came before a third one joined; and later exports hold what earlier ones
//! could not. [`merge`] puts them together and writes a canonical archive (`archive::canonical`),
//! which is read, planned and imported like any export.
//!
//! The journey: [`spill`] reads each export's chat into a temporary file and notes the key of each
//! message, [`index`] finds which are the same, [`people`] who is, [`weave`] settles the order,
//! [`unite`] makes one message of several versions, [`write`] writes it and copies files. Only
//! some thirty bytes a message stay in memory. What cannot be decided is a finding; both sides of
//! it are kept.

mod chat;
mod choice;
mod edges;
mod error;
mod findings;
mod index;
mod people;
mod run;
mod spill;
mod unite;
mod weave;
mod write;

pub use error::MergeError;
pub use run::{KnownIds, MergeSource, MergeWishes, Merged, MergedChat, Role, merge};
