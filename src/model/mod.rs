//! The words the whole program speaks: what a foreign chat holds, in neutral form.
//!
//! Plain values only: no I/O, no clock, no Matrix id, no foreign struct. Readers build these
//! values, `convert` turns them into events, `import` and `relay` carry them about.
//! The JSON form (`archive messages`) is described in `docs/neutral-model.md`.

pub mod author;
pub mod finding;
pub mod ids;
pub mod media;
pub mod message;
pub mod system;
pub mod text;
pub mod time;
