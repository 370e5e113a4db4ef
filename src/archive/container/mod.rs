//! The wrapping of an export: a folder, a zip, or one bare text file.
//!
//! The container is the wall against hostile files: names that would leave it, links, bombs and
//! broken zips stop here. What a file means is the reader's business; a zip inside the container
//! is a file like any other and is not opened.
//!
//! Nothing is unpacked to disk. Every stream opens the file anew, so that any number of threads
//! can read any number of entries.

mod access;
mod digest;
mod error;
mod folder;
mod names;
mod salvage;
#[cfg(test)]
mod tests;
mod unpack;
mod zipped;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub use access::{Access, Limits, Password};
pub use error::ContainerError;

use crate::model::finding::{Finding, FindingKind, Place};

/// An opened export file or folder. Entries can be read any number of times, by several readers
/// and threads at once.
#[derive(Debug)]
pub struct Container {
    path: PathBuf,
    entries: Vec<Entry>,
    sources: Vec<Source>,
    /// Positions in `entries`, ordered by [`names::order`].
    by_name: Vec<usize>,
    zip: Option<zipped::Zip>,
    is_one_file: bool,
    is_encrypted: bool,
    findings: Vec<Finding>,
}

/// One file of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path inside the container, `/` between parts, as stored.
    pub name: String,
    /// Its unpacked size as the container claims it.
    pub size_bytes: u64,
    /// Its time as a wall clock (`2026-11-23T10:00:00`), where the container says one. Folders
    /// say none: the time of a copied file is the copy's.
    pub modified: Option<String>,
    index: usize,
}

impl Entry {
    /// The last part of the name.
    pub fn file_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// The name without its last part: empty, or ending in `/`.
    pub fn folder(&self) -> &str {
        self.name.strip_suffix(self.file_name()).unwrap_or_default()
    }
}

/// Where the bytes of an entry lie.
#[derive(Clone, Debug)]
enum Source {
    /// A file on disk.
    Path(PathBuf),
    /// Position in the zip's directory.
    Zip(usize),
}

/// What was found in a folder or zip, before it becomes a container.
#[derive(Debug, Default)]
struct Listing {
    entries: Vec<Entry>,
    sources: Vec<Source>,
    total_bytes: u64,
    is_encrypted: bool,
    findings: Vec<Finding>,
}

impl Listing {
    fn push(&mut self, name: String, size_bytes: u64, modified: Option<String>, source: Source) {
        let index = self.entries.len();
        self.total_bytes = self.total_bytes.saturating_add(size_bytes);
        self.entries.push(Entry { name, size_bytes, modified, index });
        self.sources.push(source);
    }

    fn check(&self, path: &Path, limits: Limits) -> Result<(), ContainerError> {
        let over = |what, found, allowed| {
            let path = path.display().to_string();
            Err(ContainerError::OverLimit { path, what, found, allowed })
        };
        if self.entries.len() > limits.entries {
            return over("entries", self.entries.len() as u64, limits.entries as u64);
        }
        if self.total_bytes > limits.total_bytes {
            return over("unpacked bytes", self.total_bytes, limits.total_bytes);
        }
        Ok(())
    }
}

/// The finding for an entry that is never read.
fn unsafe_entry(name: &str, why: &str) -> Finding {
    Finding {
        kind: FindingKind::UnsafeEntry,
        place: Place { entry: name.to_owned(), line: None },
        message: None,
        detail: format!("not read: {why}"),
    }
}

/// Positions of entries in the order of [`names::order`], then of the bytes of their names.
fn ordered(entries: &[Entry]) -> Vec<usize> {
    let name = |at: &usize| entries.get(*at).map_or("", |entry| entry.name.as_str());
    let mut by_name: Vec<usize> = (0..entries.len()).collect();
    by_name.sort_by(|a, b| {
        names::order(name(a), name(b)).then_with(|| name(a).cmp(name(b))).then(a.cmp(b))
    });
    by_name
}

/// Positions of entries whose name an earlier entry has already, ascending.
fn doubles(entries: &[Entry]) -> Vec<usize> {
    let name = |at: usize| entries.get(at).map(|entry| &entry.name);
    let mut doubles: Vec<usize> = ordered(entries)
        .windows(2)
        .filter_map(|pair| match pair {
            [a, b] if name(*a) == name(*b) => Some(*b),
            _ => None,
        })
        .collect();
    doubles.sort_unstable();
    doubles
}

impl Container {
    /// Opens a folder, a zip, or a single file. [`Limits`] alone do where no password is needed.
    ///
    /// # Errors
    /// When it does not exist, cannot be read, is empty, needs another password, or breaks a
    /// limit. A single entry that is unsafe is left out, with a finding.
    pub fn open(path: &Path, access: impl Into<Access>) -> Result<Self, ContainerError> {
        let access = access.into();
        let fail = |source| ContainerError::Io { path: path.display().to_string(), source };
        let metadata = std::fs::metadata(path).map_err(fail)?;
        if metadata.is_dir() {
            let mut listing = folder::list(path, access.limits)?;
            // The order of a directory means nothing and changes between machines.
            let mut order: Vec<_> =
                listing.entries.drain(..).zip(listing.sources.drain(..)).collect();
            order.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
            for (entry, source) in order {
                let index = listing.entries.len();
                listing.entries.push(Entry { index, ..entry });
                listing.sources.push(source);
            }
            return Ok(Self::assemble(path, listing, None));
        }
        if metadata.len() == 0 {
            return Err(ContainerError::EmptyFile { path: path.display().to_string() });
        }
        let mut magic = Vec::new();
        File::open(path).and_then(|f| f.take(4).read_to_end(&mut magic)).map_err(fail)?;
        // A zip begins with an entry, the end of an empty directory, or the mark of a split zip.
        if matches!(magic.as_slice(), b"PK\x03\x04" | b"PK\x05\x06" | b"PK\x07\x08") {
            let (zip, listing) = zipped::open(path, &access)?;
            return Ok(Self::assemble(path, listing, Some(zip)));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut listing = Listing::default();
        listing.push(name, metadata.len(), None, Source::Path(path.to_owned()));
        listing.check(path, access.limits)?;
        Ok(Self::assemble(path, listing, None))
    }

    fn assemble(path: &Path, listing: Listing, zip: Option<zipped::Zip>) -> Self {
        let Listing { mut entries, mut sources, total_bytes: _, is_encrypted, mut findings } =
            listing;
        let is_one_file =
            zip.is_some() || matches!(sources.as_slice(), [Source::Path(only)] if only == path);
        let doubles = doubles(&entries);
        if !doubles.is_empty() {
            let files = entries.into_iter().zip(sources).enumerate();
            let (kept, left_out): (Vec<_>, Vec<_>) =
                files.partition(|(at, _)| doubles.binary_search(at).is_err());
            (entries, sources) = kept.into_iter().map(|(_, file)| file).unzip();
            findings.extend(left_out.iter().map(|(_, (double, _))| {
                unsafe_entry(&double.name, "another file has the same name")
            }));
        }
        for (index, entry) in entries.iter_mut().enumerate() {
            entry.index = index;
        }
        let by_name = ordered(&entries);
        let path = path.to_owned();
        Self { path, entries, sources, by_name, zip, is_one_file, is_encrypted, findings }
    }

    /// Where it lies on disk.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it needed a password.
    pub fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// Its files, in the container's own order; those of a folder by name.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What was wrong with the container and did not stop us.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The entry of that exact name, or the one whose name is the same text in another Unicode
    /// form (macOS decomposes accents).
    pub fn find(&self, name: &str) -> Option<&Entry> {
        let named = |at: &usize| self.entries.get(*at);
        let start = self.by_name.partition_point(|at| {
            named(at).is_some_and(|entry| names::order(&entry.name, name).is_lt())
        });
        let mut equal = self
            .by_name
            .get(start..)?
            .iter()
            .filter_map(named)
            .take_while(|entry| names::order(&entry.name, name).is_eq());
        let first = equal.next()?;
        if first.name == name {
            return Some(first);
        }
        Some(equal.find(|entry| entry.name == name).unwrap_or(first))
    }

    /// The single folder that holds everything, with its closing `/`; empty where there is none.
    /// People zip the unpacked folder again, and readers should not care.
    pub fn top(&self) -> &str {
        let first = self.entries.first().map_or("", |entry| entry.name.as_str());
        let top = first.find('/').and_then(|slash| first.get(..=slash)).unwrap_or_default();
        if self.entries.iter().all(|entry| entry.name.starts_with(top)) { top } else { "" }
    }

    /// The first bytes of an entry, `length` at the most; cheaper than [`Self::reader`] where no
    /// more is wanted.
    ///
    /// # Errors
    /// When the entry cannot be opened or unpacked.
    pub fn head(&self, entry: &Entry, length: usize) -> Result<Vec<u8>, ContainerError> {
        let length = entry.size_bytes.min(length as u64);
        let mut head = Vec::new();
        let outcome = match (self.sources.get(entry.index), &self.zip) {
            (Some(Source::Zip(index)), Some(zip)) => zip.head(*index, length, &mut head)?,
            (Some(Source::Zip(_) | Source::Path(_)) | None, _) => {
                self.reader(entry)?.take(length).read_to_end(&mut head).map(|_| ())
            }
        };
        let path = || format!("{} in {}", entry.name, self.path.display());
        outcome.map_err(|source| ContainerError::Io { path: path(), source })?;
        Ok(head)
    }

    /// Opens an entry of this container for reading from its beginning. The stream gives exactly
    /// the bytes that the entry claims, or an error.
    ///
    /// # Errors
    /// When the entry cannot be opened.
    pub fn reader(&self, entry: &Entry) -> Result<Box<dyn Read + Send + '_>, ContainerError> {
        let label = format!("{} in {}", entry.name, self.path.display());
        let failed = |source| ContainerError::Io { path: label.clone(), source };
        let stream: Box<dyn Read + Send> = match (self.sources.get(entry.index), &self.zip) {
            (Some(Source::Path(path)), _) if *path == self.path => {
                Box::new(File::open(path).map_err(failed)?)
            }
            (Some(Source::Path(path)), _) => Box::new(folder::open(path).map_err(failed)?),
            (Some(Source::Zip(index)), Some(zip)) => zip.stream(*index, entry.size_bytes)?,
            (Some(Source::Zip(_)) | None, _) => {
                return Err(failed(io::Error::from(io::ErrorKind::NotFound)));
            }
        };
        Ok(Box::new(unpack::Exactly::new(stream, entry.size_bytes, label)))
    }
}
