//! The event of one uploaded file: how it is shown, and what is said of its bytes.

use std::time::Duration;

use ruma::UInt;
use ruma::events::room::message::{
    AudioInfo, AudioMessageEventContent, FileInfo, FileMessageEventContent, FormattedBody,
    ImageMessageEventContent, MessageType, RoomMessageEventContent, VideoInfo,
    VideoMessageEventContent,
};
use ruma::events::room::{ImageInfo, MediaSource, ThumbnailInfo};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::draft::Draft;
use crate::convert::markup::Rich;
use crate::convert::resolved::{Upload, UploadedThumbnail};
use crate::model::media::{Attachment, MediaKind};

/// Greatest number JSON of Matrix may hold.
const GREATEST_INTEGER: u64 = (1 << 53) - 1;

/// How an event shows a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Image,
    Video,
    /// A film that plays by itself, silently and for ever.
    Loop,
    Audio,
    Voice,
    File,
}

impl Shown {
    /// Whether clients show words together with it.
    pub(super) const fn carries_words(self) -> bool {
        match self {
            Self::Image | Self::Video | Self::Loop | Self::Audio | Self::File => true,
            Self::Voice => false,
        }
    }
}

/// How to show a file of this kind with these bytes. The bytes decide what is possible, the
/// kind what was meant: a picture sent as a document stays a document.
pub(super) fn shown_as(kind: MediaKind, mime: &str) -> Shown {
    // What browsers and both Element X apps decode; SVG is a document with scripts.
    let picture = matches!(
        mime,
        "image/jpeg"
            | "image/png"
            | "image/gif"
            | "image/webp"
            | "image/bmp"
            | "image/apng"
            | "image/avif"
    );
    let film = mime.starts_with("video/");
    let sound = mime.starts_with("audio/");
    match kind {
        MediaKind::Photo | MediaKind::Sticker | MediaKind::Gif | MediaKind::Unknown if picture => {
            Shown::Image
        }
        MediaKind::Sticker | MediaKind::Gif if film => Shown::Loop,
        MediaKind::Video | MediaKind::VideoNote | MediaKind::Unknown if film => Shown::Video,
        MediaKind::Voice if sound => Shown::Voice,
        MediaKind::Audio | MediaKind::Unknown if sound => Shown::Audio,
        MediaKind::Photo
        | MediaKind::Sticker
        | MediaKind::Gif
        | MediaKind::Video
        | MediaKind::VideoNote
        | MediaKind::Voice
        | MediaKind::Audio
        | MediaKind::Unknown
        | MediaKind::Document
        | MediaKind::LinkPreview => Shown::File,
    }
}

/// The content of the event of `upload`, named `name`, with `caption` as its words.
pub(super) fn event_of(
    draft: &Draft<'_>,
    shown: Shown,
    attachment: &Attachment,
    upload: &Upload,
    name: &str,
    caption: &Rich,
) -> Map<String, Value> {
    let body = if caption.is_empty() { name.to_owned() } else { caption.text().to_owned() };
    let formatted = caption.html().map(FormattedBody::html);
    let facts = &upload.facts;
    let source = upload.source.clone();
    let thumbnail = thumbnail_of(draft, attachment, upload);
    let (thumbnail_source, thumbnail_info) = thumbnail.map_or((None, None), |thumbnail| {
        let mut info = ThumbnailInfo::new();
        info.width = Some(thumbnail.width.into());
        info.height = Some(thumbnail.height.into());
        info.mimetype = Some(thumbnail.mime);
        info.size = integer(thumbnail.size_bytes);
        (Some(thumbnail.source), Some(Box::new(info)))
    });
    let width = facts.width.or(attachment.width).map(UInt::from);
    let height = facts.height.or(attachment.height).map(UInt::from);
    let duration_ms =
        facts.duration_ms.or(attachment.duration_ms).map(|ms| ms.min(GREATEST_INTEGER));
    let duration = duration_ms.map(Duration::from_millis);
    let mimetype = Some(facts.mime.clone());
    let size = integer(facts.size_bytes);
    let filename = Some(name.to_owned());
    let message = match shown {
        Shown::Image => {
            let mut content = ImageMessageEventContent::new(body, source);
            let mut info = ImageInfo::new();
            (info.width, info.height, info.mimetype, info.size) = (width, height, mimetype, size);
            (info.thumbnail_source, info.thumbnail_info) = (thumbnail_source, thumbnail_info);
            info.blurhash.clone_from(&facts.blurhash);
            info.is_animated = facts.animated;
            (content.filename, content.formatted) = (filename, formatted);
            content.info = Some(Box::new(info));
            MessageType::Image(content)
        }
        Shown::Video | Shown::Loop => {
            let mut content = VideoMessageEventContent::new(body, source);
            let mut info = VideoInfo::new();
            (info.width, info.height, info.mimetype, info.size) = (width, height, mimetype, size);
            (info.thumbnail_source, info.thumbnail_info) = (thumbnail_source, thumbnail_info);
            info.blurhash.clone_from(&facts.blurhash);
            info.duration = duration;
            (content.filename, content.formatted) = (filename, formatted);
            content.info = Some(Box::new(info));
            MessageType::Video(content)
        }
        Shown::Audio | Shown::Voice => {
            let mut content = AudioMessageEventContent::new(body, source);
            let mut info = AudioInfo::new();
            (info.mimetype, info.size, info.duration) = (mimetype, size, duration);
            (content.filename, content.formatted) = (filename, formatted);
            content.info = Some(Box::new(info));
            MessageType::Audio(content)
        }
        Shown::File => {
            let mut content = FileMessageEventContent::new(body, source);
            let mut info = FileInfo::new();
            (info.mimetype, info.size) = (mimetype, size);
            (info.thumbnail_source, info.thumbnail_info) = (thumbnail_source, thumbnail_info);
            (content.filename, content.formatted) = (filename, formatted);
            content.info = Some(Box::new(info));
            MessageType::File(content)
        }
    };
    let mut content = object(&RoomMessageEventContent::new(message));
    match shown {
        Shown::Voice => {
            // The names that clients read are those of MSC3245's first version; ruma writes the
            // second unless told otherwise. Element X refuses the whole event when the block of
            // details is there without a duration.
            if let Some(ms) = duration_ms {
                let waveform = facts.waveform.clone().unwrap_or_default();
                let details = json!({ "duration": ms, "waveform": waveform });
                content.insert("org.matrix.msc1767.audio".to_owned(), details);
            }
            content.insert("org.matrix.msc3245.voice".to_owned(), json!({}));
        }
        Shown::Loop => {
            // What the bridges of mautrix write for GIFs that are films; others ignore it.
            if let Some(Value::Object(info)) = content.get_mut("info") {
                for flag in ["gif", "loop", "autoplay", "hide_controls", "no_audio"] {
                    info.insert(format!("fi.mau.{flag}"), true.into());
                }
            }
        }
        Shown::Image | Shown::Video | Shown::Audio | Shown::File => {}
    }
    content
}

/// The preview picture: the one made from the bytes, or the one the source brought.
fn thumbnail_of(
    draft: &Draft<'_>,
    attachment: &Attachment,
    upload: &Upload,
) -> Option<UploadedThumbnail> {
    if let Some(thumbnail) = &upload.thumbnail {
        return Some(thumbnail.clone());
    }
    let brought = (draft.resolved.upload)(attachment.thumbnail_entry.as_deref()?)?;
    let Upload { source, facts, thumbnail: _ } = brought;
    let same = matches!((&source, &upload.source),
        (MediaSource::Plain(a), MediaSource::Plain(b)) if a == b);
    if same || shown_as(MediaKind::Photo, &facts.mime) != Shown::Image {
        return None;
    }
    Some(UploadedThumbnail {
        source,
        width: facts.width?,
        height: facts.height?,
        mime: facts.mime,
        size_bytes: facts.size_bytes,
    })
}

fn integer(number: u64) -> Option<UInt> {
    UInt::try_from(number).ok()
}

/// A typed content as a JSON object.
pub(super) fn object<T: Serialize>(content: &T) -> Map<String, Value> {
    match serde_json::to_value(content) {
        Ok(Value::Object(map)) => map,
        // Contents of ruma are objects and serialise; an empty one is refused by the server.
        Ok(_) | Err(_) => Map::new(),
    }
}
