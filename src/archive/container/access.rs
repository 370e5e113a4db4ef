//! What the caller allows a container to cost, and the password that opens it.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// How much a container may ask of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Entries at the most.
    pub entries: usize,
    /// Unpacked bytes at the most, over all entries.
    pub total_bytes: u64,
    /// Unpacked over packed size, for entries over one mebibyte.
    pub ratio: u64,
    /// Folder depth.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 1_000_000, total_bytes: 1 << 40, ratio: 200, depth: 32 }
    }
}

/// The password of an encrypted zip. It prints as stars.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Arc<[u8]>);

impl Password {
    /// Wraps a password as it was typed.
    pub fn new(secret: impl AsRef<[u8]>) -> Self {
        Self(Arc::from(secret.as_ref()))
    }

    /// Reads a password file: everything up to one closing line break.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn from_file(path: &Path) -> io::Result<Self> {
        let bytes = std::fs::read(path)?;
        let secret = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        Ok(Self::new(secret.strip_suffix(b"\r").unwrap_or(secret)))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(***)")
    }
}

/// How a container is to be opened. [`Limits`] alone turn into one without a password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// What it may cost.
    pub limits: Limits,
    /// The password of an encrypted zip.
    pub password: Option<Password>,
}

impl From<Limits> for Access {
    fn from(limits: Limits) -> Self {
        Self { limits, password: None }
    }
}
