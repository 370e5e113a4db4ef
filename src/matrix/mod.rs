//! The homeserver, as an application service meets it: calls out, and transactions in.
//!
//! What to say is decided above; this folder knows how. Nothing here reads the store or an
//! archive.

mod account;
mod actor;
mod appservice;
mod error;
mod homeserver;
mod intent;
mod lookup;
mod media;
mod registration;
mod rooms;
mod timeline;

pub use account::Account;
pub use actor::Actor;
pub use appservice::{Delivered, Listener, Transaction, router};
pub use error::MatrixError;
pub use homeserver::Homeserver;
pub use intent::{Intent, Outgoing};
pub use lookup::Lookup;
pub use media::UploadBody;
pub use registration::{Registration, RegistrationError, new_token};
pub use rooms::{PORTAL_EVENT, RoomKind, RoomWish};
pub use timeline::{Page, RawPage, RoomEvent};
