//! The homeserver, as an application service meets it: calls out, and transactions in.
//!
//! What to say is decided above; this folder knows how. Nothing here reads the store or an
//! archive.

mod access_rules;
mod account;
mod actor;
mod appservice;
mod budget;
mod crypto;
mod error;
mod homeserver;
mod intent;
mod lookup;
mod media;
mod overheard;
mod pace;
mod probe;
mod refusal;
mod registration;
mod room_state;
mod rooms;
mod timeline;

pub use access_rules::{ACCESS_RULES_EVENT, Flavour};
pub use account::Account;
pub use actor::Actor;
pub use appservice::{Delivered, Listener, Transaction, router};
pub use budget::{Budget, Figures};
pub use crypto::{
    DeviceKeys, FileKey, ForDevice, Given, HandOver, KeyCounts, Keys, Machine, Machines, Sealed,
    SessionKey, Vault, VaultError, decrypted_sha256, encrypt_stream, encrypt_whole, encrypted_file,
};
pub use error::MatrixError;
pub use homeserver::Homeserver;
pub use intent::{Intent, Outgoing};
pub use lookup::Lookup;
pub use media::UploadBody;
pub use overheard::{Heard, Overheard, PROBE_MESSAGE};
pub use pace::{Errand, Limits};
pub use probe::{Answer, Question};
pub use refusal::Refusal;
pub use registration::{Registration, RegistrationError, new_token};
pub use room_state::RoomState;
pub use rooms::{PORTAL_EVENT, RoomKind, RoomKindError, RoomRules, RoomWish};
pub use timeline::{Page, RawPage, RoomEvent};
