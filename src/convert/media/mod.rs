//! Looks into the bytes of a file: what it is, how large, how long, and a small picture of it.
//!
//! Pure and bounded: nothing here opens a file, and nothing believes a name or a claim where
//! the bytes speak. Reading entries, hashing and uploading belong to the callers.

mod film;
mod picture;
mod sniff;
mod sound;
#[cfg(test)]
mod tests;

pub use sniff::sniff;

use crate::model::ids::Sha256;
use crate::model::media::Attachment;

/// What is known of a file's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaFacts {
    /// The MIME type, found in the bytes.
    pub mime: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Digest of the bytes, in clear.
    pub sha256: Sha256,
    /// Width in pixels, as shown (after the turn that EXIF asks for).
    pub width: Option<u32>,
    /// Height in pixels, as shown.
    pub height: Option<u32>,
    /// Playing time in milliseconds.
    pub duration_ms: Option<u64>,
    /// A blurred miniature as text (<https://blurha.sh>).
    pub blurhash: Option<String>,
    /// Loudness over time, each value from 0 to 1024.
    pub waveform: Option<Vec<u16>>,
    /// A preview picture to upload beside the file.
    pub thumbnail: Option<Thumbnail>,
    /// Whether it moves; `None` when it is no picture or could not be told.
    pub animated: Option<bool>,
}

/// A preview picture, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thumbnail {
    /// The encoded picture.
    pub bytes: Vec<u8>,
    /// `image/jpeg` or `image/png`.
    pub mime: &'static str,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// What [`probe`] finds; with size and digest it becomes [`MediaFacts`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probe {
    /// The MIME type, found in the bytes.
    pub mime: String,
    /// Width in pixels, as shown.
    pub width: Option<u32>,
    /// Height in pixels, as shown.
    pub height: Option<u32>,
    /// Playing time in milliseconds.
    pub duration_ms: Option<u64>,
    /// A blurred miniature as text.
    pub blurhash: Option<String>,
    /// Loudness over time, each value from 0 to 1024.
    pub waveform: Option<Vec<u16>>,
    /// A preview picture to upload beside the file.
    pub thumbnail: Option<Thumbnail>,
    /// Whether it moves.
    pub animated: Option<bool>,
}

impl Probe {
    /// Adds what only a pass over the whole file tells.
    pub fn into_facts(self, size_bytes: u64, sha256: Sha256) -> MediaFacts {
        let Self { mime, width, height, duration_ms, blurhash, waveform, thumbnail, animated } =
            self;
        MediaFacts {
            mime,
            size_bytes,
            sha256,
            width,
            height,
            duration_ms,
            blurhash,
            waveform,
            thumbnail,
            animated,
        }
    }
}

/// Looks into a file. `head` is its beginning (some kilobytes), `whole` all of it when it is
/// small enough to hold, `hint` what the source says about it, believed only where the bytes
/// are silent.
///
/// Never fails: what cannot be found out stays `None`. Takes up to about 100 MB and, for large
/// pictures, some tenths of a second: not for an async thread.
pub fn probe(head: &[u8], whole: Option<&[u8]>, hint: &Attachment) -> Probe {
    let bytes = whole.unwrap_or(head);
    let mut probe = Probe { mime: sniff(bytes, hint.name.as_deref()), ..Probe::default() };
    if probe.mime.starts_with("image/") {
        let picture = picture::look(bytes, &probe.mime, whole.is_some());
        (probe.width, probe.height) = (picture.width, picture.height);
        (probe.blurhash, probe.thumbnail) = (picture.blurhash, picture.thumbnail);
        probe.animated = picture.animated;
    } else if matches!(
        probe.mime.as_str(),
        "video/mp4" | "video/quicktime" | "video/3gpp" | "audio/mp4"
    ) {
        let film = film::look(bytes);
        (probe.width, probe.height, probe.duration_ms) =
            (film.width, film.height, film.duration_ms);
    } else if probe.mime == "audio/ogg"
        && let Some(whole) = whole
    {
        let sound = sound::look(whole);
        (probe.duration_ms, probe.waveform) = (sound.duration_ms, sound.waveform);
    }
    if probe.width.is_none() || probe.height.is_none() {
        (probe.width, probe.height) = (hint.width, hint.height);
    }
    probe.duration_ms = probe.duration_ms.or(hint.duration_ms);
    probe
}
