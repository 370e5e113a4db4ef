//! Turns what a foreign chat holds into what a Matrix room holds. Pure: values in, values out.
//!
//! [`parts`] makes the events of one message, [`followups`] those that need the ids of these
//! events (reactions, edits, votes). What only the rim can know (who is who, which events and
//! files are already on the homeserver) comes in through [`Resolved`]; how the plan wants
//! things said comes in through [`Policy`]. Sending, encrypting, uploading and the mark that
//! says where an event was imported from belong to `portal`. [`media`] looks into files.
//! [`from_matrix`] is the way back, for what people write in the room.

pub mod from_matrix;
pub mod markup;
pub mod media;
mod part;
mod policy;
mod resolved;
mod to_matrix;

pub use media::{MediaFacts, Probe, Thumbnail};
pub use part::{Converted, Part, Speaker};
pub use policy::{Attribution, Policy, SystemLines, Topics};
pub use resolved::{Person, Resolved, Upload, UploadedThumbnail};
pub use to_matrix::{followups, parts};
