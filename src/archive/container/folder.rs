//! A folder as a container: everything below it, links and special files left alone.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::names::{self, Verdict};
use super::{ContainerError, Limits, Listing, Source, unsafe_entry};

/// Lists every plain file below `root`.
pub(super) fn list(root: &Path, limits: Limits) -> Result<Listing, ContainerError> {
    let mut listing = Listing::default();
    let mut pending = vec![(root.to_owned(), String::new(), 1)];
    while let Some((folder, prefix, depth)) = pending.pop() {
        let fail = |source| ContainerError::Io { path: folder.display().to_string(), source };
        for child in fs::read_dir(&folder).map_err(fail)? {
            let child = child.map_err(fail)?;
            let metadata = child.metadata().map_err(fail)?;
            let stored = format!("{prefix}{}", child.file_name().to_string_lossy());
            let name = match names::judge(&stored) {
                Verdict::Inside(name) => name,
                Verdict::Clutter => continue,
                Verdict::Unsafe(why) => {
                    listing.findings.push(unsafe_entry(&stored, why));
                    continue;
                }
            };
            if metadata.is_dir() {
                if depth >= limits.depth {
                    listing.findings.push(unsafe_entry(&name, "a folder nested too deeply"));
                } else {
                    pending.push((child.path(), format!("{name}/"), depth + 1));
                }
            } else if metadata.is_symlink() {
                listing.findings.push(unsafe_entry(&name, "a symbolic link"));
            } else if metadata.is_file() {
                listing.push(name, metadata.len(), None, Source::Path(child.path()));
                listing.check(root, limits)?;
            } else {
                listing.findings.push(unsafe_entry(&name, "neither a file nor a folder"));
            }
        }
    }
    Ok(listing)
}

/// Opens a plain file without following a link that was put in its place meanwhile.
pub(super) fn open(path: &PathBuf) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "it is no longer a plain file"))
    }
}
