//! What the integration tests stand on: a real homeserver, an ordinary member's eyes, a proxy
//! that breaks the network on purpose, and exports whose every message is known. Nothing here
//! uses a line of passerelle, so that a mistake cannot hide on both sides.

#![expect(clippy::unwrap_used, reason = "clippy sees tests only in functions marked as such")]

pub mod bars;
pub mod compare;
pub mod daemon;
pub mod logs;
pub mod member;
pub mod person;
pub mod proxy;
pub mod sample;
pub mod synapse;
pub mod world;

mod selftest;
