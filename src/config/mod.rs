//! The configuration: compiled defaults, then a file, then the environment.
//!
//! Each part of the program receives its own section, never the whole. Secrets are types that
//! do not print themselves.

mod load;
mod quiet_hours;
mod secret;
mod sections;

pub use load::{ConfigError, DEFAULTS, load};
pub use quiet_hours::QuietHours;
pub use secret::Secret;
pub use sections::{
    AccessRules, AppserviceSection, Config, DaemonSection, Devices, EncryptionSection,
    ImportSection, LogFormat, LogSection, MatrixSection, OperatorSection, PaceSection, RoomProfile,
    RoomsSection, WitnessSection, WordingLanguage, WordingSection,
};
