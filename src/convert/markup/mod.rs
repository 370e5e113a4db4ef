//! Formatted text: foreign marks and ranges in, the HTML that Matrix allows and a clean plain
//! body out.
//!
//! The way of a text: a reader of marks (`whatsapp`, `markdown`) or the ranges the export
//! gives say what is to be dropped and what is styled (`Reading`); [`read`] applies this and
//! names people; [`Rich`] can be joined, cut and written as HTML. How events are made of it is
//! for `to_matrix`.

mod html;
mod markdown;
mod reading;
mod rich;
mod split;
#[cfg(test)]
mod tests;
mod whatsapp;

pub use html::escape;
pub use reading::{Named, read};
pub use rich::{Kind, Rich};
pub use split::{clip, cost, split};

use reading::Reading;
