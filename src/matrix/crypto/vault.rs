//! The key all crypto stores share, and the box in which the daemon's own records keep secrets.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use matrix_sdk_store_encryption::StoreCipher;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// The name of the file beside the stores that holds the cipher, itself under the key.
const CIPHER_FILE: &str = "cipher";

/// Opens stores and keeps secrets at rest. Its key comes from a file of the operator's and is
/// not stretched: it is 256 random bits, so opening a store costs nothing.
pub struct Vault {
    key: Box<[u8; 32]>,
    cipher: StoreCipher,
}

/// Why secrets cannot be kept or read.
#[derive(Debug, Error)]
pub enum VaultError {
    /// The disk refuses.
    #[error("cannot use {path}: {reason}")]
    Disk {
        /// The file.
        path: String,
        /// Why not.
        reason: String,
    },
    /// The key's file holds something else than a key.
    #[error("{path} holds no key: 64 hexadecimal digits are expected")]
    NoKey {
        /// The file.
        path: String,
    },
    /// There are stores and no key for them.
    #[error("{path} is gone, and with it the key to the encryption keys of all our accounts")]
    KeyGone {
        /// The file.
        path: String,
    },
    /// The key is not the one the stores were made with.
    #[error("the key in {path} does not open the crypto stores")]
    WrongKey {
        /// The file.
        path: String,
    },
    /// A sealed record that does not open.
    #[error("a sealed record cannot be opened")]
    Sealed,
}

impl VaultError {
    /// What an operator can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Disk { .. } => "check the folder's owner and free space",
            Self::NoKey { .. } | Self::KeyGone { .. } | Self::WrongKey { .. } | Self::Sealed => {
                "bring encryption.key_file back from the backup that belongs to daemon.state_dir"
            }
        }
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

impl Vault {
    /// Opens the vault of the crypto stores in `folder` with the key in `key_file`. Both are
    /// made, readable by their owner alone, where there is nothing yet.
    ///
    /// # Errors
    /// When the key is missing although there are stores, is no key, or is another one.
    pub fn open(key_file: &Path, folder: &Path) -> Result<Self, VaultError> {
        let cipher_file = folder.join(CIPHER_FILE);
        let cipher = read(&cipher_file)?;
        let key = match read(key_file)? {
            Some(text) => {
                parse_key(&text).ok_or_else(|| VaultError::NoKey { path: shown(key_file) })?
            }
            None if cipher.is_some() => {
                return Err(VaultError::KeyGone { path: shown(key_file) });
            }
            None => {
                let mut key = Box::new([0; 32]);
                getrandom::fill(key.as_mut_slice()).map_err(|error| VaultError::Disk {
                    path: "the system's randomness".to_owned(),
                    reason: error.to_string(),
                })?;
                write_new(key_file, hex::encode(key.as_slice()).as_bytes())?;
                key
            }
        };
        let wrong = |_| VaultError::WrongKey { path: shown(key_file) };
        let cipher = match cipher {
            Some(sealed) => StoreCipher::import_with_key(&key, &sealed).map_err(wrong)?,
            None => {
                let cipher = StoreCipher::new().map_err(wrong)?;
                write_new(&cipher_file, &cipher.export_with_key(&key).map_err(wrong)?)?;
                cipher
            }
        };
        Ok(Self { key, cipher })
    }

    /// The key of every crypto store.
    pub(super) fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// Closes a value, for a record of ours.
    ///
    /// # Errors
    /// When the value cannot be written.
    pub fn seal(&self, value: &impl Serialize) -> Result<Vec<u8>, VaultError> {
        self.cipher.encrypt_value(value).map_err(|_| VaultError::Sealed)
    }

    /// Opens what [`Vault::seal`] closed.
    ///
    /// # Errors
    /// When it was closed with another key, or is damaged.
    pub fn unseal<T: DeserializeOwned>(&self, sealed: &[u8]) -> Result<T, VaultError> {
        self.cipher.decrypt_value(sealed).map_err(|_| VaultError::Sealed)
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn parse_key(text: &[u8]) -> Option<Box<[u8; 32]>> {
    let bytes = hex::decode(text.trim_ascii()).ok()?;
    <[u8; 32]>::try_from(bytes).ok().map(Box::new)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, VaultError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(disk(path, &error)),
    }
}

/// Whole or not at all: half a key would look like a lost one.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), VaultError> {
    let failed = |error: std::io::Error| disk(path, &error);
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let half = path.with_extension("new");
    let mut options = std::fs::File::options();
    let mut file =
        options.write(true).create(true).truncate(true).mode(0o600).open(&half).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(&half, path).map_err(failed)?;
    // The name must not be forgotten either.
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

fn disk(path: &Path, error: &std::io::Error) -> VaultError {
    VaultError::Disk { path: shown(path), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_vault_opens_again_with_its_key_and_with_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let (key, stores) = (folder.path().join("key"), folder.path().join("crypto"));
        let sealed = Vault::open(&key, &stores).unwrap().seal(&"secret").unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        let again = Vault::open(&key, &stores).unwrap();
        assert_eq!(again.unseal::<String>(&sealed).unwrap(), "secret");
        for file in [&key, &stores.join(CIPHER_FILE)] {
            let mode = std::fs::metadata(file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", file.display());
        }
        std::fs::write(&key, "0".repeat(64)).unwrap();
        assert!(matches!(Vault::open(&key, &stores), Err(VaultError::WrongKey { .. })));
        std::fs::write(&key, "0".repeat(63)).unwrap();
        assert!(matches!(Vault::open(&key, &stores), Err(VaultError::NoKey { .. })));
        std::fs::remove_file(&key).unwrap();
        assert!(matches!(Vault::open(&key, &stores), Err(VaultError::KeyGone { .. })));
    }
}
