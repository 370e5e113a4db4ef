//! End-to-end encryption: one device for each account of ours, with its own identity.
//!
//! Nothing cryptographic is our own: the state machines are matrix-sdk-crypto's, their stores
//! matrix-sdk-sqlite's. This folder opens them, carries their requests to the homeserver, and
//! says who is given which key. What was given to whom is remembered above.

mod attachment;
mod hand_over;
mod machine;
mod machines;
mod ordinary;
mod publish;
mod pump;
mod receive;
mod seal;
mod vault;

pub use attachment::{FileKey, decrypted_sha256, encrypt_stream, encrypt_whole, encrypted_file};
pub use hand_over::{DeviceKeys, Given, HandOver, SessionKey};
pub use machine::Machine;
pub use machines::{Keys, Machines};
pub use receive::{ForDevice, KeyCounts};
pub use seal::Sealed;
pub use vault::{Vault, VaultError};
