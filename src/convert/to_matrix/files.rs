//! Files: pictures, films, sounds, documents, stickers, and the lines that stand for those the
//! archive does not hold.

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

use super::draft::{Draft, ROOM_MESSAGE, Tone};
use super::words;
use crate::convert::markup::{self, Rich};
use crate::convert::policy::Attribution;
use crate::convert::resolved::{Upload, UploadedThumbnail};
use crate::model::finding::FindingKind;
use crate::model::media::{Attachment, AttachmentState, MediaKind};
use crate::model::message::Edited;
use crate::model::text::Text;

/// Longest file name kept; file systems of those who save it stop at 255 bytes.
const LONGEST_NAME_BYTES: usize = 200;

/// Greatest number JSON of Matrix may hold.
const GREATEST_INTEGER: u64 = (1 << 53) - 1;

/// How an event shows a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
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
    const fn carries_words(self) -> bool {
        match self {
            Self::Image | Self::Video | Self::Loop | Self::Audio | Self::File => true,
            Self::Voice => false,
        }
    }
}

/// Says a message of files; the words go with the first file that can carry them.
pub(super) fn media(
    draft: &mut Draft<'_>,
    attachments: &[Attachment],
    said: Option<&Text>,
    edited: Option<&Edited>,
    view_once: bool,
) {
    let who = draft.author();
    let head = words::head(draft);
    let mut words = Rich::default();
    if let Some(said) = said.filter(|said| !said.plain.trim().is_empty()) {
        words.push(draft.read(said));
        words.push(words::edited_mark(draft, edited));
    }
    if view_once {
        if !words.is_empty() {
            words.push_str("\n");
        }
        let mark = draft.text("view-once", &[]);
        words.push(Rich::marked(mark, markup::Kind::Italic));
    }
    let mut files: Vec<(&Attachment, Option<Upload>)> = Vec::new();
    for attachment in attachments {
        match attachment.kind {
            MediaKind::LinkPreview => draft.lose(FindingKind::NotCarried, "a link's preview card"),
            MediaKind::Photo
            | MediaKind::Video
            | MediaKind::Gif
            | MediaKind::VideoNote
            | MediaKind::Voice
            | MediaKind::Audio
            | MediaKind::Sticker
            | MediaKind::Document
            | MediaKind::Unknown => files.push((attachment, upload_of(draft, attachment))),
        }
    }
    let bearer = files.iter().position(|(attachment, upload)| {
        upload
            .as_ref()
            .is_some_and(|upload| shown_as(attachment.kind, &upload.facts.mime).carries_words())
    });
    if files.is_empty() {
        let mut whole = head;
        if words.is_empty() {
            whole.push_str(&draft.text("file-link-preview", &[]));
        }
        whole.push(words);
        draft.say(who, Tone::Words, &whole);
        return;
    }
    // The head goes with the words, or with the first file if that can carry it.
    let mut words = if !words.is_empty() || bearer == Some(0) {
        let mut whole = head;
        whole.push(words);
        whole.trimmed_end()
    } else {
        if !head.is_empty() {
            draft.say(who, Tone::Notice, &head.trimmed_end());
        }
        Rich::default()
    };
    for (index, (attachment, upload)) in files.into_iter().enumerate() {
        let Some(upload) = upload else {
            placeholder(draft, attachment);
            continue;
        };
        let caption =
            if bearer == Some(index) { std::mem::take(&mut words) } else { Rich::default() };
        if let Err(TooLong) = file(draft, attachment, &upload, &caption) {
            draft.say(who, Tone::Words, &caption);
            // Without words a file's event is far below any limit.
            let _ = file(draft, attachment, &upload, &Rich::default());
        }
    }
    if !words.is_empty() {
        draft.say(who, Tone::Words, &words);
    }
}

/// Says a sticker as a picture: Tchap's clients have stickers switched off.
pub(super) fn sticker(draft: &mut Draft<'_>, attachment: &Attachment) {
    words::say_head(draft);
    let Some(upload) = upload_of(draft, attachment) else {
        placeholder(draft, attachment);
        return;
    };
    let shown = shown_as(MediaKind::Sticker, &upload.facts.mime);
    if shown == Shown::File {
        // An animation that only its own app can play: its still picture first, if there is one.
        draft.lose(FindingKind::NotCarried, "an animated sticker, shown still or as a file");
        let still = attachment.thumbnail_entry.as_deref().and_then(|e| (draft.resolved.upload)(e));
        if let Some(still) =
            still.filter(|s| shown_as(MediaKind::Sticker, &s.facts.mime) == Shown::Image)
        {
            let _ = file(draft, attachment, &still, &Rich::default());
        } else {
            let line = sticker_words(draft, attachment);
            draft.notice(draft.author(), line);
        }
        let mut original = attachment.clone();
        original.kind = MediaKind::Document;
        let _ = file(draft, &original, &upload, &Rich::default());
        return;
    }
    let _ = file(draft, attachment, &upload, &Rich::default());
}

fn sticker_words(draft: &Draft<'_>, attachment: &Attachment) -> String {
    match attachment.emoji.as_deref().filter(|emoji| !emoji.is_empty() && emoji.len() < 64) {
        Some(emoji) => draft.text("sticker-emoji", &[("emoji", emoji.into())]),
        None => draft.text("kind-sticker", &[]),
    }
}

/// The uploaded bytes of an attachment, if the archive holds them and they could be uploaded.
pub(super) fn upload_of(draft: &Draft<'_>, attachment: &Attachment) -> Option<Upload> {
    match attachment.state {
        AttachmentState::Present => (draft.resolved.upload)(attachment.entry.as_deref()?),
        AttachmentState::Omitted | AttachmentState::Missing | AttachmentState::TooLarge => None,
    }
}

/// Says that a file is not there, and names it.
fn placeholder(draft: &mut Draft<'_>, attachment: &Attachment) {
    lose_file(draft, attachment);
    let mut named = draft.text(kind_id(attachment.kind), &[]);
    if let Some(name) = attachment.name.as_deref().map(clean_name).filter(|n| !n.is_empty()) {
        named = draft.text("file-named", &[("kind", named.into()), ("name", name.into())]);
    } else if attachment.kind == MediaKind::Sticker {
        named = sticker_words(draft, attachment);
    }
    if let Some(size) = attachment.size_bytes {
        let size = draft.wording.size(size);
        named = draft.text("file-sized", &[("file", named.into()), ("size", size.into())]);
    }
    let id = match attachment.state {
        AttachmentState::Present => "file-not-imported",
        AttachmentState::Omitted => "file-omitted",
        AttachmentState::Missing => "file-missing",
        AttachmentState::TooLarge => "file-too-large",
    };
    let line = draft.text(id, &[("file", named.into())]);
    draft.notice(draft.author(), line);
}

/// Notes that a file stays behind.
pub(super) fn lose_file(draft: &mut Draft<'_>, attachment: &Attachment) {
    let (kind, detail) = match attachment.state {
        AttachmentState::Present => (FindingKind::NotCarried, "a file that was not uploaded"),
        AttachmentState::Omitted => (FindingKind::AttachmentMissing, "left out of the export"),
        AttachmentState::Missing => (FindingKind::AttachmentMissing, "not in the container"),
        AttachmentState::TooLarge => {
            (FindingKind::AttachmentMissing, "left out by the source because of its size")
        }
    };
    draft.lose(kind, detail);
}

const fn kind_id(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Photo => "kind-photo",
        MediaKind::Video => "kind-video",
        MediaKind::Gif => "kind-gif",
        MediaKind::VideoNote => "kind-video-note",
        MediaKind::Voice => "kind-voice",
        MediaKind::Audio => "kind-audio",
        MediaKind::Sticker => "kind-sticker",
        MediaKind::Document => "kind-document",
        MediaKind::LinkPreview => "kind-link-preview",
        MediaKind::Unknown => "kind-unknown",
    }
}

/// How to show a file of this kind with these bytes. The bytes decide what is possible, the
/// kind what was meant: a picture sent as a document stays a document.
fn shown_as(kind: MediaKind, mime: &str) -> Shown {
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

/// The words do not fit in the event of the file.
struct TooLong;

/// Pushes the event of an uploaded file, with `words` as its caption.
fn file(
    draft: &mut Draft<'_>,
    attachment: &Attachment,
    upload: &Upload,
    words: &Rich,
) -> Result<(), TooLong> {
    let who = draft.author();
    let facts = &upload.facts;
    let shown = shown_as(attachment.kind, &facts.mime);
    let word = draft.text(kind_id(attachment.kind), &[]).to_lowercase();
    let name = file_name(attachment.name.as_deref(), &word, &facts.mime);
    let mut caption = Rich::default();
    if shown.carries_words() {
        caption.push(draft.prefix(who));
    } else if draft.policy.attribution == Attribution::BotWithPrefix && words.is_empty() {
        // Clients without per-message profiles would not say whose voice it is.
        let line = draft.text(kind_id(attachment.kind), &[]);
        draft.notice(who, line);
    }
    caption.push(words.clone());
    let is_sticker = attachment.kind == MediaKind::Sticker && shown != Shown::File;
    if is_sticker && caption.is_empty() {
        // Its name says nothing; what it stands for is read aloud and shown in lists.
        let mut content = event_of(draft, shown, attachment, upload, &name, &caption);
        content.insert("body".to_owned(), sticker_words(draft, attachment).into());
        content.remove("filename");
        draft.push(who, draft.message.sent_at.at, ROOM_MESSAGE, content);
        return Ok(());
    }
    let content = event_of(draft, shown, attachment, upload, &name, &caption);
    let taken = serde_json::to_string(&content).map_or(0, |json| json.len());
    if !words.is_empty() && taken > draft.room_for_words(who, 0) {
        return Err(TooLong);
    }
    draft.push(who, draft.message.sent_at.at, ROOM_MESSAGE, content);
    Ok(())
}

/// Pushes any uploaded file as a document with words; `false` if they do not fit.
pub(super) fn file_with_words(
    draft: &mut Draft<'_>,
    name: &str,
    upload: &Upload,
    words: &Rich,
) -> bool {
    let mut attachment = Attachment::new(MediaKind::Document, AttachmentState::Present);
    attachment.name = Some(name.to_owned());
    file(draft, &attachment, upload, words).is_ok()
}

fn event_of(
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
            // second.
            let mut audio = Map::new();
            if let Some(ms) = duration_ms {
                audio.insert("duration".to_owned(), ms.into());
            }
            let waveform = facts.waveform.clone().unwrap_or_default();
            audio.insert("waveform".to_owned(), waveform.into());
            content.insert("org.matrix.msc1767.audio".to_owned(), audio.into());
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

/// The name to save a file under: its own, else `word` with the ending its bytes call for.
pub(super) fn file_name(name: Option<&str>, word: &str, mime: &str) -> String {
    let name = name.map(clean_name).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| {
        // In a person's name a slash is no folder.
        let word = clean_name(&word.replace(['/', '\\'], "-"));
        match ending(mime) {
            Some(ending) => format!("{word}.{ending}"),
            None => word,
        }
    })
}

/// A file name without folders, without characters that hide or turn what follows
/// (`facture\u{202e}fdp.exe`), and not endless.
fn clean_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let hides = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let visible: String = last.chars().filter(|c| !hides(*c)).collect();
    let visible = visible.trim();
    if visible.len() <= LONGEST_NAME_BYTES {
        return visible.to_owned();
    }
    let ending = visible.rsplit_once('.').map(|(_, ending)| ending).filter(|e| e.len() <= 10);
    let mut short = String::new();
    for c in visible.chars() {
        if short.len() + c.len_utf8() > LONGEST_NAME_BYTES - 16 {
            break;
        }
        short.push(c);
    }
    short.push('…');
    if let Some(ending) = ending {
        short.push('.');
        short.push_str(ending);
    }
    short
}

/// The usual ending of files of a type, for those we meet.
fn ending(mime: &str) -> Option<&'static str> {
    match mime {
        "image/jpeg" => Some("jpg"),
        "image/png" => Some("png"),
        "image/gif" => Some("gif"),
        "image/webp" => Some("webp"),
        "video/mp4" => Some("mp4"),
        "video/webm" => Some("webm"),
        "video/quicktime" => Some("mov"),
        "audio/ogg" => Some("ogg"),
        "audio/mpeg" => Some("mp3"),
        "audio/mp4" | "audio/x-m4a" | "audio/m4a" => Some("m4a"),
        "application/pdf" => Some("pdf"),
        "text/vcard" => Some("vcf"),
        _ => None,
    }
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
