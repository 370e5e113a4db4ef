//! Writes a canonical archive: lines, files, and the header last.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::Digest as _;
use tempfile::TempDir;

use super::error::MergeError;
use crate::archive::canonical::form::{FILES, HEADER_NAME, Header};
use crate::archive::opened::Archive;
use crate::model::ids::Sha256;
use crate::model::media::{Attachment, AttachmentState};

/// A folder that is being written. Until it is whole it has another name beside the wanted one,
/// and is removed if it never is.
pub(super) struct Output {
    wanted: PathBuf,
    folder: TempDir,
    copied: HashMap<(usize, String), (Sha256, u64)>,
    pub(super) files: u64,
    pub(super) files_bytes: u64,
}

/// A chat's file.
pub(super) struct ChatLines {
    path: PathBuf,
    out: BufWriter<File>,
}

impl Output {
    /// Begins beside `wanted`, which must not exist.
    pub(super) fn begin(wanted: &Path) -> Result<Self, MergeError> {
        if fs::symlink_metadata(wanted).is_ok() {
            return Err(MergeError::OutputExists { path: wanted.to_owned() });
        }
        let beside = match wanted.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
        let fail = |source| disk(wanted, source);
        // Only this user may look into it, as temporary folders are made.
        let folder = tempfile::Builder::new().prefix(".merging-").tempdir_in(beside);
        let folder = folder.map_err(fail)?;
        for part in ["chats", FILES] {
            DirBuilder::new().mode(0o700).create(folder.path().join(part)).map_err(fail)?;
        }
        let wanted = wanted.to_owned();
        Ok(Self { wanted, folder, copied: HashMap::new(), files: 0, files_bytes: 0 })
    }

    /// Begins a chat's file; its name is for the header.
    pub(super) fn chat(&self, number: usize) -> Result<(ChatLines, String), MergeError> {
        let name = format!("chats/{number}.jsonl");
        let path = self.folder.path().join(&name);
        let file = create(&path).map_err(|source| disk(&path, source))?;
        Ok((ChatLines { path, out: BufWriter::with_capacity(1 << 18, file) }, name))
    }

    /// Copies a file that `archive`, export number `source`, says it holds; `held` is where it
    /// lies there, `attachment` what the merged message says of it. False if the export does not
    /// hold what it says.
    pub(super) fn copy(
        &mut self,
        archive: &Archive,
        source: usize,
        held: &Attachment,
        attachment: &mut Attachment,
    ) -> Result<bool, MergeError> {
        let Some(copied) = self.taken_over(archive, source, held)? else { return Ok(false) };
        let (sha256, size_bytes) = copied;
        let thumbnail = match held.thumbnail_entry.clone() {
            Some(entry) => {
                let mut picture = held.clone();
                (picture.entry, picture.sha256) = (Some(entry), None);
                self.taken_over(archive, source, &picture)?
            }
            None => None,
        };
        attachment.state = AttachmentState::Present;
        attachment.sha256 = Some(sha256);
        attachment.size_bytes = Some(size_bytes);
        attachment.entry = Some(format!("{FILES}{sha256}"));
        attachment.thumbnail_entry = thumbnail.map(|(sha256, _)| format!("{FILES}{sha256}"));
        Ok(true)
    }

    fn taken_over(
        &mut self,
        archive: &Archive,
        source: usize,
        held: &Attachment,
    ) -> Result<Option<(Sha256, u64)>, MergeError> {
        let Some(entry) = held.entry.clone() else { return Ok(None) };
        let key = (source, entry);
        if let Some(copied) = self.copied.get(&key) {
            return Ok(
                Some(*copied).filter(|(sha256, _)| held.sha256.is_none_or(|it| it == *sha256))
            );
        }
        let Some(mut stream) = archive.open_attachment(held)? else { return Ok(None) };
        let partial = self.folder.path().join(FILES).join("partial");
        let (sha256, size_bytes) = match hash_into(&mut stream, &partial) {
            Ok(copied) => copied,
            // Our own disk is a reason to stop, a file that cannot be unpacked is not.
            Err(Copying::Write(source)) => return Err(disk(&partial, source)),
            Err(Copying::Read) => {
                fs::remove_file(&partial).map_err(|source| disk(&partial, source))?;
                return Ok(None);
            }
        };
        if held.sha256.is_some_and(|stated| stated != sha256) {
            fs::remove_file(&partial).map_err(|source| disk(&partial, source))?;
            return Ok(None);
        }
        let path = self.folder.path().join(FILES).join(sha256.to_string());
        if !path.exists() {
            self.files += 1;
            self.files_bytes += size_bytes;
        }
        fs::rename(&partial, &path).map_err(|source| disk(&path, source))?;
        self.copied.insert(key, (sha256, size_bytes));
        Ok(Some((sha256, size_bytes)))
    }

    /// Writes the header and gives the folder its name.
    pub(super) fn finish(self, header: &Header) -> Result<(), MergeError> {
        let path = self.folder.path().join(HEADER_NAME);
        let fail = |source| disk(&path, source);
        let mut out = BufWriter::new(create(&path).map_err(fail)?);
        serde_json::to_writer_pretty(&mut out, header).map_err(io::Error::from).map_err(fail)?;
        out.write_all(b"\n").and_then(|()| whole(out)).map_err(fail)?;
        fs::rename(self.folder.path(), &self.wanted)
            .map_err(|source| disk(&self.wanted, source))?;
        // It has another name now, and nothing is left to remove.
        let _ = self.folder.keep();
        Ok(())
    }
}

impl ChatLines {
    /// Writes one line.
    pub(super) fn write(&mut self, line: &impl Serialize) -> Result<(), MergeError> {
        let written = serde_json::to_writer(&mut self.out, line).map_err(io::Error::from);
        let written = written.and_then(|()| self.out.write_all(b"\n"));
        written.map_err(|source| disk(&self.path, source))
    }

    pub(super) fn finish(self) -> Result<(), MergeError> {
        whole(self.out).map_err(|source| disk(&self.path, source))
    }
}

fn disk(path: &Path, source: io::Error) -> MergeError {
    MergeError::Disk { path: path.to_owned(), source }
}

/// A new file that only this user may read.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn whole(out: BufWriter<File>) -> io::Result<()> {
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

/// Which side of a copy failed.
enum Copying {
    Read,
    Write(io::Error),
}

fn hash_into(stream: &mut dyn Read, path: &Path) -> Result<(Sha256, u64), Copying> {
    let mut file = create(path).map_err(Copying::Write)?;
    let (mut digest, mut size_bytes) = (sha2::Sha256::new(), 0);
    let mut buffer = vec![0; 256 << 10];
    loop {
        let count = match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return Err(Copying::Read),
        };
        let chunk = buffer.get(..count).unwrap_or_default();
        digest.update(chunk);
        file.write_all(chunk).map_err(Copying::Write)?;
        size_bytes += count as u64;
    }
    Ok((Sha256::from_bytes(digest.finalize().into()), size_bytes))
}
