//! An export in its container: which entry is its JSON, and what stands around the messages.

use super::files::{Files, Look};
use super::header::Header;
use super::message::Conversion;
use super::people::People;
use super::scan::ScanError;
use crate::archive::container::{Container, Entry};
use crate::archive::reader::{ArchiveError, Options};
use crate::model::finding::{Finding, FindingKind, Place};

const JSON_NAME: &str = "discussions_and_messages.json";
const FORMAT: &str = "Olvid history export";
/// How much of a renamed JSON file is looked at.
const HEAD_BYTES: usize = 64 * 1024;
/// How many renamed JSON files are looked at.
const CANDIDATES: usize = 8;

/// An opened export.
pub(super) struct Export<'c> {
    pub(super) container: &'c Container,
    pub(super) entry: &'c Entry,
    pub(super) header: Header,
}

/// The JSON of an export, by its name or else by its fields, and whether the name was right.
/// With several, the one that lies highest.
pub(super) fn find_json(container: &Container) -> Option<(&Entry, bool)> {
    let height = |entry: &&Entry| (entry.name.matches('/').count(), entry.name.len());
    let named = container.entries().iter().filter(|entry| entry.file_name() == JSON_NAME);
    if let Some(entry) = named.min_by_key(height) {
        return Some((entry, true));
    }
    let mut renamed: Vec<&Entry> = container
        .entries()
        .iter()
        .filter(|entry| entry.name.to_ascii_lowercase().ends_with(".json"))
        .collect();
    renamed.sort_by_key(height);
    let is_ours = |entry: &&Entry| {
        let head = container.head(entry, HEAD_BYTES).unwrap_or_default();
        let has = |field: &[u8]| memchr::memmem::find(&head, field).is_some();
        has(b"\"bytesOwnedIdentity\"") || (has(b"\"sequenceNumber\"") && has(b"\"timestamp\""))
    };
    renamed.into_iter().take(CANDIDATES).find(is_ours).map(|entry| (entry, false))
}

impl<'c> Export<'c> {
    /// Finds the JSON and reads what stands around its messages.
    pub(super) fn open(container: &'c Container) -> Result<Self, ArchiveError> {
        let Some((entry, _)) = find_json(container) else {
            let path = container.path().display().to_string();
            return Err(ArchiveError::Unrecognised { path });
        };
        let input = container.reader(entry)?;
        let header = Header::read(input, &entry.name).map_err(|error| malformed(entry, &error))?;
        Ok(Self { container, entry, header })
    }

    /// Opens the JSON's text anew.
    pub(super) fn text(&self) -> Result<Box<dyn std::io::Read + Send + 'c>, ScanError> {
        self.container
            .reader(self.entry)
            .map_err(|error| ScanError::Io(std::io::Error::other(error)))
    }

    pub(super) fn conversion<'e>(&'e self, options: &'e Options, look: Look) -> Conversion<'e> {
        let folder = self.entry.folder();
        Conversion {
            header: &self.header,
            options,
            entry: &self.entry.name,
            people: People::default(),
            files: Files::new(self.container, folder, self.header.lists_files, look),
        }
    }

    pub(super) fn malformed(&self, error: &ScanError) -> ArchiveError {
        malformed(self.entry, error)
    }

    /// The finding for messages of other discussions, if there are any.
    pub(super) fn others(&self, messages: u64) -> Option<Finding> {
        (messages > 0).then(|| Finding {
            kind: FindingKind::OtherChatsPresent,
            place: Place { entry: self.entry.name.clone(), line: None },
            message: None,
            detail: format!("the file also holds {messages} messages of other discussions"),
        })
    }

    /// The finding for a text that breaks off; what came before it was read.
    pub(super) fn broken(&self, error: &ScanError) -> Finding {
        let kind = match error {
            ScanError::Cut { .. } | ScanError::Io(_) => FindingKind::Truncated,
            ScanError::Malformed { .. } => FindingKind::Unreadable,
        };
        Finding {
            kind,
            place: Place { entry: self.entry.name.clone(), line: None },
            message: None,
            detail: format!("the file could be read only in part: {error}"),
        }
    }
}

fn malformed(entry: &Entry, error: &ScanError) -> ArchiveError {
    ArchiveError::Malformed { entry: entry.name.clone(), format: FORMAT, reason: error.to_string() }
}

/// The finding for a message whose number another message of its line has already.
pub(super) fn double(place: Place) -> Finding {
    let detail = "a second message of the same number was left out".to_owned();
    Finding { kind: FindingKind::Repaired, place, message: None, detail }
}

/// The finding for something that could not be read at all.
pub(super) fn unreadable(place: Place, what: &str) -> Finding {
    let detail = format!("{what} cannot be read and was left out");
    Finding { kind: FindingKind::Unreadable, place, message: None, detail }
}
