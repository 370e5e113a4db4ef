//! Formatted text: foreign marks and ranges in, the HTML that Matrix allows and a clean plain
//! body out.

mod escape;

pub use escape::escape;
