//! The daemon's own records, in sled. No sled type leaves this folder.
//!
//! One process owns the store. Writes are in memory until [`Store::flush`] returns; whoever
//! must not forget something before acting on it flushes first.

mod database;
mod devices;
mod ghosts;
mod inbox;
mod jobs;
mod keys;
mod ledger;
mod portals;
mod sabotage;
mod trees;
mod uploads;

pub use database::{Store, StoreError};
pub use devices::{DeviceRow, UnreadRow};
pub use ghosts::{GhostRecord, PublishedKeys};
pub use inbox::{InboxRow, Stored};
pub use jobs::{Again, JobRecord, JobState, Wanted};
pub use keys::{ReaderRecord, ReaderState, SessionRecord};
pub use ledger::{LedgerRow, MessageRow, PartKey, PartState};
pub use portals::{PortalRecord, PortalState};
pub use uploads::UploadRecord;
