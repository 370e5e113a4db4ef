//! Integration tests: one binary, one module for each thing that must hold.

mod architecture;
mod crash;
mod registration;
mod support;
