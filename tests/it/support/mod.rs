//! What the integration tests stand on: a real homeserver, an ordinary member's eyes, a proxy
//! that breaks the network on purpose, and exports whose every message is known. Nothing here
//! uses a line of passerelle, so that a mistake cannot hide on both sides.

pub mod member;
pub mod proxy;
pub mod sample;
pub mod synapse;

mod selftest;
