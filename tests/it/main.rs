//! Integration tests: one binary, one module for each thing that must hold.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access_rules;
mod appservice;
mod architecture;
mod archive;
mod bench;
mod cli;
mod crash;
mod discretion;
mod doctor;
mod encrypted;
mod faults;
mod import;
mod messengers;
mod pace;
mod plan;
mod registration;
mod security;
mod support;
mod tchap;
mod verify;
