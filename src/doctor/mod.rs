//! `passerelle doctor`: is this installation, with its homeserver, fit for an import?
//!
//! A list of checks. Each tries one thing, says what it saw and what to change, and none hides
//! another. What is done on the homeserver happens in a throw-away room and is undone; what
//! cannot be undone is named. Judgements are pure functions from what was seen to a verdict.
//! Printing is left to `cli`, and what must meet (daemon, store, listener) is wired in `app`.

mod ask;
mod catalogue;
mod devices;
mod ear;
mod examination;
mod homeserver;
mod keeping;
mod means;
mod media;
mod place;
mod records;
mod rooms;
mod service;
mod sheet;
mod stage;
mod transactions;
mod witness;

pub use ask::Ask;
pub use catalogue::{CHECKS, Check};
pub use ear::{DaemonView, Ear, Socket};
pub use examination::{Examination, examine, unusable};
pub use means::{Means, Words, account};
pub use records::Records;
pub use sheet::{Finding, Listener, Verdict};
