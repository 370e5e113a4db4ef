//! Why a container cannot be opened or read.

use std::io;

use thiserror::Error;

/// Why a container cannot be opened or read. [`ContainerError::hint`] says what to do about it.
#[derive(Debug, Error)]
pub enum ContainerError {
    /// The file system refused.
    #[error("cannot read {path}: {source}")]
    Io {
        /// What was being read.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// The zip is damaged.
    #[error("{path} is not a readable zip: {reason}")]
    BrokenZip {
        /// The file.
        path: String,
        /// What the unpacker found.
        reason: String,
    },
    /// The file holds no byte.
    #[error("{path} is empty")]
    EmptyFile {
        /// The file.
        path: String,
    },
    /// The zip is encrypted and no password was given.
    #[error("{path} is protected by a password, and none was given")]
    PasswordNeeded {
        /// The file.
        path: String,
    },
    /// The password does not open the zip.
    #[error("the password does not open {path}")]
    WrongPassword {
        /// The file.
        path: String,
    },
    /// The container asks for more than it may.
    #[error("{path} holds {found} {what}, more than the {allowed} allowed")]
    OverLimit {
        /// The file or folder.
        path: String,
        /// What there is too much of: `entries`, `unpacked bytes`, `packed bytes in entries`.
        what: &'static str,
        /// How much there is.
        found: u64,
        /// How much there may be.
        allowed: u64,
    },
    /// One entry is packed in a way we cannot undo.
    #[error("{entry} in {path} is packed in a way that is not supported: {reason}")]
    Unsupported {
        /// The zip.
        path: String,
        /// The entry.
        entry: String,
        /// Which way.
        reason: String,
    },
}

impl ContainerError {
    /// What to do about it, in one English sentence.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } => "check that the path exists and may be read",
            Self::BrokenZip { .. } => {
                "copy the file again from the telephone, or make the export again"
            }
            Self::EmptyFile { .. } => {
                "the transfer was probably cut; copy the file again from the telephone"
            }
            Self::PasswordNeeded { .. } => {
                "write the password into a file and name it with --password-file"
            }
            Self::WrongPassword { .. } => {
                "check the password file: upper and lower case count, and so does every dash"
            }
            Self::OverLimit { .. } => {
                "if the file comes from somebody you trust, raise the limit; otherwise leave it"
            }
            Self::Unsupported { .. } => "unpack the zip by other means and open the folder instead",
        }
    }
}
