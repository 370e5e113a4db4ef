//! Public samples.
