//! Integration tests: one binary, one module for each thing that must hold.

mod support;
