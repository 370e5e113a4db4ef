//! Archives handed in: streamed into a private folder, never read into memory.

use std::path::{Component, Path, PathBuf};

use axum::body::BodyDataStream;
use futures_util::StreamExt;
use thiserror::Error;
use tokio::io::AsyncWriteExt;

/// Why a file cannot be taken in.
#[derive(Debug, Error)]
pub enum SpoolError {
    /// A name that would leave the folder.
    #[error("`{name}` is not a name inside an archive")]
    Name {
        /// The name.
        name: String,
    },
    /// More bytes than allowed.
    #[error("the archive is larger than import.max_archive_bytes, {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// The connection broke.
    #[error("the upload was cut off: {reason}")]
    Cut {
        /// Why.
        reason: String,
    },
    /// The disk refuses.
    #[error("cannot write into the spool: {source}")]
    Disk {
        /// Why not.
        source: std::io::Error,
    },
}

impl From<std::io::Error> for SpoolError {
    fn from(source: std::io::Error) -> Self {
        Self::Disk { source }
    }
}

/// Writes a stream to `folder/name`. A file that does not arrive whole is removed.
pub(super) async fn take_in(
    folder: &Path,
    name: &str,
    body: BodyDataStream,
    limit: u64,
) -> Result<u64, SpoolError> {
    let path = folder.join(inside(name)?);
    if let Some(parent) = path.parent() {
        let mut builder = tokio::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(parent).await?;
    }
    let written = write(&path, body, limit).await;
    if written.is_err() {
        // The error that is on its way says more than a failed removal would.
        let _ = tokio::fs::remove_file(&path).await;
    }
    written
}

async fn write(path: &Path, mut body: BodyDataStream, limit: u64) -> Result<u64, SpoolError> {
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(path).await?;
    let mut written = 0;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| SpoolError::Cut { reason: error.to_string() })?;
        written += chunk.len() as u64;
        if written > limit {
            return Err(SpoolError::TooLarge { limit });
        }
        file.write_all(&chunk).await?;
    }
    file.flush().await?;
    file.sync_all().await?;
    Ok(written)
}

/// A relative path made of ordinary parts only.
pub(super) fn inside(name: &str) -> Result<PathBuf, SpoolError> {
    let path = Path::new(name);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if name.is_empty() || !plain || name.contains('\0') {
        return Err(SpoolError::Name { name: name.to_owned() });
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_the_folder() {
        for name in ["../x", "/etc/passwd", "a/../../b", "", ".", "a/./../b"] {
            assert!(inside(name).is_err(), "{name}");
        }
        assert!(inside("folder/Discussion WhatsApp avec A.txt").is_ok());
    }
}
