//! A zip as a container: its central directory, or what can be saved without one.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zip::read::ZipArchiveMetadata;
use zip::result::ZipError;
use zip::{ZipArchive, ZipReadOptions};

use super::access::Password;
use super::names::{self, Verdict};
use super::{Access, ContainerError, Limits, Listing, Source, salvage, unpack, unsafe_entry};
use crate::model::finding::{Finding, FindingKind, Place};

/// Entries smaller than this may be packed as tightly as they like.
const RATIO_FROM_BYTES: u64 = 1 << 20;
/// How many bytes a central directory may take for each entry that is allowed, so that a
/// directory of hundreds of millions of entries is refused before it fills the memory.
const DIRECTORY_BYTES_PER_ENTRY: u64 = 400;
const FILE_BUFFER_BYTES: usize = 64 * 1024;

/// A zip whose directory is known.
#[derive(Clone, Debug)]
pub(super) struct Zip {
    file: ZipFile,
    password: Option<Password>,
    metadata: Arc<ZipArchiveMetadata>,
}

/// Opens the zip at `path` and lists what its directory names. Without a usable directory, the
/// entries that are whole are found one after the other.
pub(super) fn open(path: &Path, access: &Access) -> Result<(Zip, Listing), ContainerError> {
    let file = ZipFile { path: path.to_owned(), salvaged: None };
    let (file, metadata, finding) = match file.directory(access.limits)? {
        Ok(metadata) => (file, metadata, None),
        Err(reason) => salvage(file, &reason, access.limits)?,
    };
    let zip = Zip { file, password: access.password.clone(), metadata };
    let mut listing = zip.list(access.limits)?;
    listing.findings.splice(0..0, finding);
    Ok((zip, listing))
}

fn salvage(
    mut file: ZipFile,
    reason: &str,
    limits: Limits,
) -> Result<(ZipFile, Arc<ZipArchiveMetadata>, Option<Finding>), ContainerError> {
    let path = file.path.display().to_string();
    let saved = File::open(&file.path)
        .and_then(|plain| salvage::walk(&plain, limits.entries))
        .map_err(|source| ContainerError::Io { path: path.clone(), source })?;
    if saved.entries == 0 {
        let reason = format!("{reason}, and it ends before its first file is whole");
        return Err(ContainerError::BrokenZip { path, reason });
    }
    file.salvaged = Some((saved.whole_bytes, Arc::from(saved.directory)));
    match file.directory(limits)? {
        Ok(metadata) => Ok((file, metadata, Some(saved.finding))),
        Err(reason) => Err(ContainerError::BrokenZip { path, reason }),
    }
}

/// The file of a zip, with the directory that was made for it if it had none.
#[derive(Clone, Debug)]
struct ZipFile {
    path: PathBuf,
    /// How many bytes of the file count, and what stands behind them.
    salvaged: Option<(u64, Arc<[u8]>)>,
}

impl ZipFile {
    fn open(&self, allowance: u64) -> Result<BufReader<Spliced>, ContainerError> {
        let fail = |source| ContainerError::Io { path: self.path.display().to_string(), source };
        let file = File::open(&self.path).map_err(fail)?;
        let (file_bytes, tail) = match &self.salvaged {
            Some((whole_bytes, tail)) => (*whole_bytes, Arc::clone(tail)),
            None => (file.metadata().map_err(fail)?.len(), Arc::default()),
        };
        let spliced = Spliced { file, file_bytes, tail, at: 0, allowance };
        Ok(BufReader::with_capacity(FILE_BUFFER_BYTES, spliced))
    }

    /// Reads the directory; an inner error says why there is none.
    fn directory(
        &self,
        limits: Limits,
    ) -> Result<Result<Arc<ZipArchiveMetadata>, String>, ContainerError> {
        let allowed = (limits.entries as u64)
            .saturating_mul(DIRECTORY_BYTES_PER_ENTRY)
            .saturating_add(1 << 20);
        match ZipArchive::new(self.open(allowed)?) {
            // The file begins with an entry of its own, so a directory that counts from elsewhere
            // is that of a zip packed inside, and this file's own directory is lost.
            Ok(archive) if archive.offset() != 0 => Ok(Err("its directory is missing".to_owned())),
            Ok(archive) => Ok(Ok(archive.metadata())),
            Err(ZipError::Io(source)) if source.kind() == io::ErrorKind::QuotaExceeded => {
                let path = self.path.display().to_string();
                let what = "bytes of directory";
                Err(ContainerError::OverLimit { path, what, found: allowed + 1, allowed })
            }
            Err(error) => Ok(Err(error.to_string())),
        }
    }
}

/// A file, then bytes in memory, as one; only so many bytes of it may be read.
struct Spliced {
    file: File,
    file_bytes: u64,
    tail: Arc<[u8]>,
    at: u64,
    allowance: u64,
}

impl Read for Spliced {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = if let Some(within) = self.at.checked_sub(self.file_bytes) {
            let start = usize::try_from(within).unwrap_or(usize::MAX);
            self.tail.get(start..).unwrap_or_default().read(buffer)?
        } else {
            let left = usize::try_from(self.file_bytes - self.at).unwrap_or(usize::MAX);
            let length = buffer.len().min(left);
            self.file.read_at(buffer.get_mut(..length).unwrap_or_default(), self.at)?
        };
        self.at += count as u64;
        match self.allowance.checked_sub(count as u64) {
            Some(left) => self.allowance = left,
            None => return Err(io::ErrorKind::QuotaExceeded.into()),
        }
        Ok(count)
    }
}

impl Seek for Spliced {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => (self.file_bytes + self.tail.len() as u64).checked_add_signed(by),
        };
        self.at = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

impl Zip {
    fn list(&self, limits: Limits) -> Result<Listing, ContainerError> {
        let path = &self.file.path;
        let file_bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
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
            listing.check(path, limits)?;
        }
        if packed_sum > file_bytes {
            // Entries that share their packed bytes: the bomb that needs no nesting.
            return Err(ContainerError::OverLimit {
                path: path.display().to_string(),
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
            listing.is_encrypted = true;
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

    /// Unpacks the beginning of an entry; the inner result is the unpacker's.
    pub(super) fn head(
        &self,
        index: usize,
        length: u64,
        into: &mut Vec<u8>,
    ) -> Result<io::Result<()>, ContainerError> {
        let mut outcome = Ok(());
        self.unpack(index, &mut |stream| {
            outcome = stream.take(length).read_to_end(into).map(|_| ());
        })?;
        Ok(outcome)
    }

    fn unpack(
        &self,
        index: usize,
        with: &mut dyn FnMut(&mut dyn Read),
    ) -> Result<(), ContainerError> {
        let mut file = self.file.open(u64::MAX)?;
        let entry = self.metadata.entry(index).map_err(|e| self.broken(&e))?;
        let name = names::decode(entry.name_raw()).into_owned();
        let options =
            ZipReadOptions::new().password(self.password.as_ref().map(Password::as_bytes));
        let mut stream = entry
            .with_reader(&mut file, options)
            .map_err(|error| explain(&self.file.path, &name, &error))?;
        with(&mut stream);
        Ok(())
    }

    fn broken(&self, error: &ZipError) -> ContainerError {
        let path = self.file.path.display().to_string();
        ContainerError::BrokenZip { path, reason: error.to_string() }
    }
}

/// Turns the unpacker's refusal to open an entry into ours.
#[expect(clippy::wildcard_enum_match_arm, reason = "the enum is not ours and may grow")]
fn explain(path: &Path, entry: &str, error: &ZipError) -> ContainerError {
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

/// A zip's time, unless it is the one that stands for none.
fn wall_clock(time: zip::DateTime) -> Option<String> {
    let (year, month, day) = (time.year(), time.month(), time.day());
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    ((year, month, day, hour, minute) != (1980, 1, 1, 0, 0))
        .then(|| format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"))
}
