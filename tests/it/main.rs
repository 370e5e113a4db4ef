//! Integration tests: one binary, one module for each thing that must hold.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod architecture;
mod archive;
mod crash;
mod registration;
mod support;
