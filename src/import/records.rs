//! The files of a report, readable by the daemon's user only: `report.json`, `report.txt`, and
//! `records.jsonl` with one line for each record of the archive, each remark beside them
//! and each event of the room that belongs to none.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::ImportError;
use super::report::Report;
use crate::wording::Wording;

/// The fate of each record, written as it is found: a report of any length in constant memory.
#[derive(Debug)]
pub struct RecordsFile {
    path: PathBuf,
    out: BufWriter<File>,
}

impl RecordsFile {
    /// Makes the file anew in a report's folder.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn create(folder: &Path) -> Result<Self, ImportError> {
        private_folder(folder)?;
        let path = folder.join("records.jsonl");
        let file = private_file(&path).map_err(|error| disk(&path, &error))?;
        Ok(Self { path, out: BufWriter::new(file) })
    }

    /// Adds one line: a record, or something that belongs to none.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&mut self, line: &impl Serialize) -> Result<(), ImportError> {
        serde_json::to_writer(&mut self.out, line)
            .map_err(io::Error::from)
            .and_then(|()| self.out.write_all(b"\n"))
            .map_err(|error| disk(&self.path, &error))
    }

    /// Says that every record is written.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn finish(&mut self) -> Result<(), ImportError> {
        self.out.flush().map_err(|error| disk(&self.path, &error))
    }
}

/// Writes the report itself.
///
/// # Errors
/// When the disk refuses.
pub(super) fn write_report(
    folder: &Path,
    report: &Report,
    wording: Wording,
) -> Result<(), ImportError> {
    let json = serde_json::to_string_pretty(report)
        .map_err(|error| ImportError::Task { reason: error.to_string() })?;
    for (name, text) in [("report.json", json + "\n"), ("report.txt", report.to_text(wording))] {
        let path = folder.join(name);
        private_file(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| disk(&path, &error))?;
    }
    Ok(())
}

/// Makes a folder that only the daemon's user may enter.
///
/// # Errors
/// When the disk refuses.
pub(super) fn private_folder(path: &Path) -> Result<(), ImportError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| disk(path, &error))
}

fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// A fault of the disk, with the file it concerns.
pub(super) fn disk(path: &Path, error: &io::Error) -> ImportError {
    ImportError::Disk { path: path.display().to_string(), reason: error.to_string() }
}
