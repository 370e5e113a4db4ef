//! A foreign chat and its room: the one door through which every message enters.
//!
//! `import` and `relay` decide what shall be said; here it is converted, written down, flushed,
//! sent, and written down again, once and in order, whatever happens in between.

mod ahead;
mod blob;
mod canary;
mod courier;
mod deliver;
mod doubt;
mod error;
mod ghost;
mod mark;
mod room;
mod room_check;
mod roster;
mod seal;
mod sealed_file;
mod space;
mod stored_file;

pub use blob::{Blob, Uploaded};
pub use canary::is_heard;
pub use courier::{Brought, LookAgain};
pub use deliver::{Delivery, Portal, Refusals};
pub use doubt::Settled;
pub use error::PortalError;
pub use mark::{MARK, Mark, Provenance};
pub use room::Portals;
pub use room_check::{RoomDifference, difference};
pub use roster::{GhostNamer, Roster};
pub use seal::Cipher;
pub use space::Listed;
