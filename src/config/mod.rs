//! The configuration: compiled defaults, then a file, then the environment.
//!
//! Each part of the program receives its own section, never the whole. Secrets are types that
//! do not print themselves.

mod load;
mod secret;
mod sections;

pub use load::{ConfigError, DEFAULTS, load};
pub use secret::Secret;
pub use sections::{
    AccessRules, AppserviceSection, Config, DaemonSection, ImportSection, LogFormat, LogSection,
    MatrixSection, OperatorSection, RoomProfile, RoomsSection, WitnessSection, WordingLanguage,
    WordingSection,
};
