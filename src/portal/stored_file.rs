//! Uploaded files as our records keep them: everything but their bytes, their keys sealed.

use ruma::OwnedMxcUri;
use ruma::events::room::MediaSource;
use serde::{Deserialize, Serialize};

use super::blob::Uploaded;
use super::error::PortalError;
use super::room::Portals;
use crate::convert::{MediaFacts, Upload, UploadedThumbnail};
use crate::matrix::{MatrixError, encrypted_file};
use crate::store::UploadRecord;

/// What the store keeps of [`MediaFacts`]: everything but the thumbnail's bytes.
#[derive(Serialize, Deserialize)]
struct StoredFacts {
    mime: String,
    size_bytes: u64,
    width: Option<u32>,
    height: Option<u32>,
    duration_ms: Option<u64>,
    blurhash: Option<String>,
    waveform: Option<Vec<u16>>,
    animated: Option<bool>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredThumbnail {
    #[serde(flatten)]
    pub source: StoredSource,
    pub width: u32,
    pub height: u32,
    pub mime: String,
    pub size_bytes: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredSource {
    pub url: OwnedMxcUri,
    /// The file's key, sealed; only where it is encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_key: Option<String>,
}

impl Portals {
    /// Where a file is, as an event names it; `None` when its key cannot be read.
    fn source(&self, stored: StoredSource) -> Option<MediaSource> {
        let StoredSource { url, sealed_key } = stored;
        let Some(sealed) = sealed_key else { return Some(MediaSource::Plain(url)) };
        let key = self.machines().vault().unseal(&hex::decode(sealed).ok()?).ok()?;
        Some(MediaSource::Encrypted(Box::new(encrypted_file(url, key))))
    }

    /// `None` when another version wrote the record; the file is then uploaded again.
    pub(super) fn read_record(&self, record: UploadRecord) -> Option<Uploaded> {
        let (sha256, source, thumbnail, facts) = match record {
            UploadRecord::Done { sha256, source, thumbnail, facts } => {
                (sha256, source, thumbnail, facts)
            }
            UploadRecord::TooLarge => return Some(Uploaded::TooLarge),
            UploadRecord::Unreadable { reason } => return Some(Uploaded::Unreadable { reason }),
        };
        let facts: StoredFacts = serde_json::from_value(facts).ok()?;
        let thumbnail: Option<StoredThumbnail> =
            thumbnail.map(serde_json::from_value).transpose().ok()?;
        let thumbnail = match thumbnail {
            None => None,
            Some(stored) => Some(UploadedThumbnail {
                source: self.source(stored.source)?,
                width: stored.width,
                height: stored.height,
                mime: stored.mime,
                size_bytes: stored.size_bytes,
            }),
        };
        Some(Uploaded::Done(Box::new(Upload {
            source: self.source(serde_json::from_value(source).ok()?)?,
            facts: MediaFacts {
                mime: facts.mime,
                size_bytes: facts.size_bytes,
                sha256,
                width: facts.width,
                height: facts.height,
                duration_ms: facts.duration_ms,
                blurhash: facts.blurhash,
                waveform: facts.waveform,
                thumbnail: None,
                animated: facts.animated,
            },
            thumbnail,
        })))
    }
}

pub(super) fn write_record(
    facts: MediaFacts,
    source: StoredSource,
    thumbnail: Option<StoredThumbnail>,
) -> Result<UploadRecord, PortalError> {
    let MediaFacts {
        mime,
        size_bytes,
        sha256,
        width,
        height,
        duration_ms,
        blurhash,
        waveform,
        thumbnail: _,
        animated,
    } = facts;
    let facts =
        StoredFacts { mime, size_bytes, width, height, duration_ms, blurhash, waveform, animated };
    let unwritable = |error: serde_json::Error| MatrixError::Request { reason: error.to_string() };
    Ok(UploadRecord::Done {
        sha256,
        source: serde_json::to_value(source).map_err(unwritable)?,
        thumbnail: thumbnail.map(serde_json::to_value).transpose().map_err(unwritable)?,
        facts: serde_json::to_value(facts).map_err(unwritable)?,
    })
}
