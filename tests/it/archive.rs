//! Readers of exports, against fixtures of every messenger and the generators' truth.
//!
//! A case is a folder `tests/fixtures/archives/<messenger>/{valid,invalid}/<case>/` with an
//! `input*` file or folder; the suites find it by themselves. `ACCEPT=1` rewrites what is expected.

mod cases;
mod contract;
mod golden;
mod hostile;
mod merging;
mod schema;
mod speed;
mod whatsapp_exports;
mod whatsapp_locales;
mod whatsapp_truth;
