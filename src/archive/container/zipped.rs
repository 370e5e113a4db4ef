//! A zip as a container: its central directory, or what can be saved without one.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zip::read::ZipArchiveMetadata;
use zip::result::ZipError;
use zip::{ZipArchive, ZipReadOptions};

use super::access::Password;
use super::names::{self, Verdict};
use super::{Access, ContainerError, Listing, Source, unpack, unsafe_entry};
use crate::model::finding::{Finding, FindingKind, Place};

/// Entries smaller than this may be packed as tightly as they like.
const RATIO_FROM_BYTES: u64 = 1 << 20;
/// How many bytes a central directory may take for each entry that is allowed, so that a
/// directory of hundreds of millions of entries is refused before it fills the memory.
const DIRECTORY_BYTES_PER_ENTRY: u64 = 400;
const FILE_BUFFER_BYTES: usize = 64 * 1024;

/// A zip whose central directory was read.
#[derive(Clone, Debug)]
pub(super) struct Zip {
    path: PathBuf,
    password: Option<Password>,
    metadata: Arc<ZipArchiveMetadata>,
}

/// What opening a zip gave.
pub(super) enum Opened {
    Whole(Zip, Listing),
    /// There is no usable central directory; why.
    NoDirectory(String),
}

/// Reads the central directory and lists what it names.
pub(super) fn open(path: &Path, access: &Access) -> Result<Opened, ContainerError> {
    let file = open_file(path)?;
    let allowance = (access.limits.entries as u64)
        .saturating_mul(DIRECTORY_BYTES_PER_ENTRY)
        .saturating_add(1 << 20);
    let metered = Metered { inner: file, left: allowance };
    let metadata = match ZipArchive::new(BufReader::new(metered)) {
        Ok(archive) => archive.metadata(),
        Err(ZipError::Io(source)) if source.kind() == io::ErrorKind::QuotaExceeded => {
            return Err(ContainerError::OverLimit {
                path: path.display().to_string(),
                what: "bytes of directory at the least",
                found: allowance,
                allowed: allowance,
            });
        }
        Err(error) => return Ok(Opened::NoDirectory(error.to_string())),
    };
    let zip = Zip { path: path.to_owned(), password: access.password.clone(), metadata };
    let listing = zip.list(access)?;
    Ok(Opened::Whole(zip, listing))
}

impl Zip {
    fn list(&self, access: &Access) -> Result<Listing, ContainerError> {
        let limits = access.limits;
        let file_bytes = std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len());
        let mut listing = Listing::default();
        let mut packed_sum = 0u64;
        let mut first_encrypted = None;
        for index in 0..self.metadata.len() {
            let entry = self.metadata.entry(index).map_err(|e| self.broken(&e))?;
            let stored = names::decode(entry.name_raw());
            packed_sum = packed_sum.saturating_add(entry.compressed_size());
            if entry.is_dir() {
                continue;
            }
            let name = match names::judge(&stored) {
                Verdict::Inside(name) => name,
                Verdict::Clutter => continue,
                Verdict::Unsafe(why) => {
                    listing.findings.push(unsafe_entry(&stored, why));
                    continue;
                }
            };
            let refusal = if entry.is_symlink() {
                Some("a symbolic link")
            } else if name.matches('/').count() >= limits.depth {
                Some("a folder nested too deeply")
            } else if entry.size() > RATIO_FROM_BYTES
                && entry.size() / entry.compressed_size().max(1) > limits.ratio
            {
                Some("it would unpack to far more than it takes, as a bomb does")
            } else if entry.header_start().saturating_add(entry.compressed_size()) > file_bytes {
                Some("it claims bytes beyond the end of the zip")
            } else {
                None
            };
            if let Some(why) = refusal {
                listing.findings.push(unsafe_entry(&name, why));
                continue;
            }
            if entry.encrypted() && first_encrypted.is_none() {
                first_encrypted = Some(index);
            }
            let modified = entry.last_modified().and_then(wall_clock);
            listing.push(name, entry.size(), modified, Source::Zip(index));
            listing.check(&self.path, limits)?;
        }
        if packed_sum > file_bytes {
            // Entries that share their packed bytes: the bomb that needs no nesting.
            return Err(ContainerError::OverLimit {
                path: self.path.display().to_string(),
                what: "packed bytes in its entries",
                found: packed_sum,
                allowed: file_bytes,
            });
        }
        if self.metadata.has_duplicate_names() {
            listing.findings.push(Finding {
                kind: FindingKind::Repaired,
                place: Place::default(),
                message: None,
                detail: "the zip names some files twice; the last of each name was taken"
                    .to_owned(),
            });
        }
        if let Some(index) = first_encrypted {
            // Opening checks the password; nothing is read.
            self.unpack(index, &mut |_| {})?;
        }
        Ok(listing)
    }

    /// The unpacked bytes of the entry at `index` of the central directory.
    pub(super) fn stream(
        &self,
        index: usize,
        size_bytes: u64,
    ) -> Result<Box<dyn Read + Send>, ContainerError> {
        let zip = self.clone();
        unpack::stream(size_bytes, move |with| zip.unpack(index, with))
    }

    fn unpack(
        &self,
        index: usize,
        with: &mut dyn FnMut(&mut dyn Read),
    ) -> Result<(), ContainerError> {
        let mut file = BufReader::with_capacity(FILE_BUFFER_BYTES, open_file(&self.path)?);
        let entry = self.metadata.entry(index).map_err(|e| self.broken(&e))?;
        let name = names::decode(entry.name_raw()).into_owned();
        let options =
            ZipReadOptions::new().password(self.password.as_ref().map(Password::as_bytes));
        let mut stream = entry
            .with_reader(&mut file, options)
            .map_err(|error| explain(&self.path, &name, &error))?;
        with(&mut stream);
        Ok(())
    }

    fn broken(&self, error: &ZipError) -> ContainerError {
        let path = self.path.display().to_string();
        ContainerError::BrokenZip { path, reason: error.to_string() }
    }
}

/// Turns the unpacker's refusal to open an entry into ours.
pub(super) fn explain(path: &Path, entry: &str, error: &ZipError) -> ContainerError {
    let path = path.display().to_string();
    match error {
        ZipError::InvalidPassword => ContainerError::WrongPassword { path },
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => {
            ContainerError::PasswordNeeded { path }
        }
        ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) => {
            let (entry, reason) = (entry.to_owned(), error.to_string());
            ContainerError::Unsupported { path, entry, reason }
        }
        _ => ContainerError::BrokenZip { path, reason: format!("{entry}: {error}") },
    }
}

/// Opens the zip file itself.
pub(super) fn open_file(path: &Path) -> Result<File, ContainerError> {
    File::open(path)
        .map_err(|source| ContainerError::Io { path: path.display().to_string(), source })
}

/// A zip's time, unless it is the one that stands for none.
pub(super) fn wall_clock(time: zip::DateTime) -> Option<String> {
    let (year, month, day) = (time.year(), time.month(), time.day());
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    ((year, month, day, hour, minute) != (1980, 1, 1, 0, 0))
        .then(|| format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"))
}

/// A file of which only so many bytes may be read.
struct Metered {
    inner: File,
    left: u64,
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => return Err(io::ErrorKind::QuotaExceeded.into()),
        }
        Ok(count)
    }
}

impl Seek for Metered {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}
