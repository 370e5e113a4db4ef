//! What becomes of a message's files before the message can be delivered.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::ImportError;
use super::source;
use crate::archive::Archive;
use crate::convert::Upload;
use crate::model::media::{Attachment, AttachmentState};
use crate::model::message::Message;
use crate::portal::{Delivery, Portal, PortalError, Uploaded};

/// The delivery of a message, its files uploaded.
pub(super) async fn delivery(
    portal: &Portal,
    archive: &Arc<Archive>,
    ordinal: u64,
    mut message: Message,
    limit_bytes: u64,
) -> Result<Delivery, ImportError> {
    let mut uploads = BTreeMap::new();
    for attachment in present_files(&mut message) {
        let Some(entry) = attachment.entry.clone() else { continue };
        let uploaded = match source::blob(archive, attachment) {
            Some(blob) => {
                let place = (portal.id(), portal.cipher());
                portal.portals().upload(place, &entry, attachment, blob, limit_bytes).await?
            }
            None => Uploaded::Unreadable { reason: "it is not in the archive".to_owned() },
        };
        take_over(attachment, entry, uploaded, &mut uploads);
    }
    Ok(Delivery { ordinal, message, uploads })
}

/// The delivery of a message whose files were dealt with before, for verification, and the files
/// that could not be read then.
pub(super) fn delivery_again(
    portal: &Portal,
    ordinal: u64,
    mut message: Message,
) -> Result<(Delivery, Vec<Attachment>), PortalError> {
    let mut uploads = BTreeMap::new();
    let mut given_up = Vec::new();
    for attachment in present_files(&mut message) {
        let Some(entry) = attachment.entry.clone() else { continue };
        let known = portal.portals().known_upload(portal.id(), &entry)?;
        let uploaded = known.unwrap_or(Uploaded::Unreadable { reason: String::new() });
        if let Uploaded::Unreadable { .. } = &uploaded {
            given_up.push(attachment.clone());
        }
        take_over(attachment, entry, uploaded, &mut uploads);
    }
    Ok((Delivery { ordinal, message, uploads }, given_up))
}

/// What became of a file changes what the message can say about it.
fn take_over(
    attachment: &mut Attachment,
    entry: String,
    uploaded: Uploaded,
    uploads: &mut BTreeMap<String, Upload>,
) {
    match uploaded {
        Uploaded::Done(upload) => {
            uploads.insert(entry, *upload);
        }
        Uploaded::TooLarge => {
            attachment.state = AttachmentState::TooLarge;
            attachment.entry = None;
        }
        Uploaded::Unreadable { .. } => {
            attachment.state = AttachmentState::Missing;
            attachment.entry = None;
        }
    }
}

fn present_files(message: &mut Message) -> Vec<&mut Attachment> {
    let files = message.body.attachments_mut();
    files.into_iter().filter(|file| file.state == AttachmentState::Present).collect()
}
