//! Integration tests: one binary, one module for each thing that must hold.

mod architecture;
mod import;
mod registration;
mod support;
