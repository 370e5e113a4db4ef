//! The archive as a job reads it: opened on a blocking thread, streamed through a channel.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::error::ImportError;
use super::objection::{Objection, PlanError};
use super::plan::Plan;
use crate::archive::{Archive, ArchiveError, Flow, Limits, Record};
use crate::model::media::Attachment;
use crate::portal::Blob;

/// Records read ahead of the sender. Small: a message may be sixty kilobytes.
const RECORDS_AHEAD: usize = 64;

/// Opens the archive of a plan and checks that it is the one the plan was made from.
///
/// # Errors
/// When it cannot be read or has another digest.
pub async fn open_archive(path: &Path, plan: &Plan) -> Result<Arc<Archive>, ImportError> {
    let options = plan.options().ok_or_else(|| {
        let found = plan.reading.time_zone.clone();
        PlanError::Objections(vec![Objection::TimeZone { found }])
    })?;
    let path = path.to_owned();
    let expected = plan.archive.sha256;
    let opened = tokio::task::spawn_blocking(move || {
        let archive = Archive::open(&path, Limits::default(), options)?;
        let found = archive.container().digest().map_err(ArchiveError::from)?;
        if found == expected {
            Ok(archive)
        } else {
            Err(ImportError::ArchiveChanged {
                expected: expected.to_string(),
                found: found.to_string(),
            })
        }
    });
    opened.await?.map(Arc::new)
}

/// Streams a chat's records with their number, from 0. Dropping the receiver stops the reading.
pub(super) fn stream(
    archive: &Arc<Archive>,
    plan: &Plan,
) -> mpsc::Receiver<Result<(u64, Record), ImportError>> {
    let (sender, receiver) = mpsc::channel(RECORDS_AHEAD);
    let archive = Arc::clone(archive);
    let chat = plan.archive.chat.clone();
    tokio::task::spawn_blocking(move || {
        let mut number = 0;
        let ended = archive.read(&chat, &mut |record| {
            let numbered = (number, record);
            number += 1;
            match sender.blocking_send(Ok(numbered)) {
                Ok(()) => Flow::Continue,
                Err(_) => Flow::Stop,
            }
        });
        if let Err(error) = ended {
            // A receiver that has gone wants no error either.
            let _ = sender.blocking_send(Err(error.into()));
        }
    });
    receiver
}

/// The bytes of an attachment; `None` when the archive does not hold them.
pub(super) fn blob(archive: &Arc<Archive>, attachment: &Attachment) -> Option<Blob> {
    let entry = attachment.entry.as_deref()?;
    let size_bytes = archive.container().find(entry)?.size_bytes;
    let archive = Arc::clone(archive);
    let attachment = attachment.clone();
    Some(Blob::new(size_bytes, move |sink| {
        let opened = archive.open_attachment(&attachment).map_err(std::io::Error::other)?;
        let mut reader = opened.ok_or(std::io::ErrorKind::NotFound)?;
        std::io::copy(&mut reader, sink)?;
        sink.flush()
    }))
}
