//! passerelle moves conversations from WhatsApp, Telegram and Olvid into Tchap rooms, and
//! relays Olvid groups. `docs/ARCHITECTURE.md` walks through the house; a module opens with
//! what it does and what it leaves to others.

pub mod app;
pub mod archive;
pub mod bot;
pub mod cli;
pub mod config;
pub mod convert;
pub mod doctor;
pub mod import;
pub mod matrix;
pub mod model;
pub mod portal;
pub mod store;
pub mod web;
pub mod wording;
