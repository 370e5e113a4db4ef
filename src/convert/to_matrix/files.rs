//! Messages of files: which file carries the words, stickers, and the lines that stand for
//! files the archive does not hold.

use super::draft::{Draft, ROOM_MESSAGE, Tone};
use super::file_event::{Shown, event_of, shown_as};
use super::file_name::{clean_name, file_name};
use super::words;
use crate::convert::markup::{self, Rich};
use crate::convert::policy::Attribution;
use crate::convert::resolved::Upload;
use crate::model::finding::FindingKind;
use crate::model::media::{Attachment, AttachmentState, MediaKind};
use crate::model::message::Edited;
use crate::model::text::Text;

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
