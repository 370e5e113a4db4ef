//! HTTP for operators: commands on a unix socket, health and metrics on loopback.
//!
//! The socket's file mode is the permission: who may open it may command the daemon.

mod commands;
mod doctor;
mod health;
mod keys;
mod serve;
mod spool;
mod view;

pub use commands::{ApiError, MadeJob, NewJob, SpoolTicket, commands};
pub use health::{Health, health};
pub use keys::{KeysView, Resend, Resent};
pub use serve::{Limits, serve};
pub use view::JobView;
