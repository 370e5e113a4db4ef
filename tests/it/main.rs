//! Integration tests: one binary, one module for each thing that must hold.

mod architecture;
mod archive;
mod registration;
mod support;
