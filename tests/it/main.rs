//! Integration tests: one binary, one module for each thing that must hold.

mod appservice;
mod architecture;
mod cli;
mod faults;
mod import;
mod plan;
mod registration;
mod support;
mod verify;
