//! What conversion must be told because only the rim can know it.

use std::fmt;

use ruma::events::room::MediaSource;
use ruma::{OwnedEventId, OwnedUserId};

use super::media::MediaFacts;
use crate::model::ids::{MessageId, ParticipantId};

/// Look-ups without I/O, filled by `portal` before it converts.
#[derive(Clone, Copy)]
pub struct Resolved<'a> {
    /// Who a participant is, as reviewed; `None` for people the roster does not hold.
    pub person: &'a dyn Fn(&ParticipantId) -> Option<Person>,
    /// The first event of an earlier message, if it is in the room.
    pub event: &'a dyn Fn(&MessageId) -> Option<OwnedEventId>,
    /// The uploaded file of a container entry; `None` when it could not or may not be uploaded.
    pub upload: &'a dyn Fn(&str) -> Option<Upload>,
}

impl fmt::Debug for Resolved<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolved").finish_non_exhaustive()
    }
}

/// A participant in Matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The ghost that speaks for them.
    pub ghost: OwnedUserId,
    /// Their name as reviewed; the only name that is shown for them.
    pub name: String,
    /// Their own account. It is named by pills and never the sender.
    pub account: Option<OwnedUserId>,
}

/// A file that is on the homeserver.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Where it is: an address, or an encrypted file with its keys.
    pub source: MediaSource,
    /// What is known of its bytes.
    pub facts: MediaFacts,
    /// Its preview picture, uploaded in the same way.
    pub thumbnail: Option<UploadedThumbnail>,
}

/// A preview picture that is on the homeserver.
#[derive(Clone, Debug)]
pub struct UploadedThumbnail {
    /// Where it is.
    pub source: MediaSource,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// MIME type.
    pub mime: String,
    /// Size in bytes.
    pub size_bytes: u64,
}
