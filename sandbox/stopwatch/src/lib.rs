//! The readers, compiled from the program's sources.

#[path = "../../../src/archive/mod.rs"]
pub mod archive;
#[path = "../../../src/model/mod.rs"]
pub mod model;
