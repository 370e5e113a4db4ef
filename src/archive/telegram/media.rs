//! What a message carries beside words: files, places, cards, polls, and the things of Telegram
//! that no other messenger has.

use serde_json::Value;

use super::fields::{Fields, describe, number_of};
use super::files::{Files, Named};
use super::raw::RawFile;
use super::text::words_of;
use super::value::{Int, Str};
use crate::model::author::Author;
use crate::model::media::{Attachment, MediaKind};
use crate::model::message::{ContactCard, Location, Poll, PollOption, Vote};

/// `self_destruct_period_seconds` of what could be seen only once, and
/// `live_location_period_seconds` of a place shared until stopped.
const UNTIL_STOPPED: i64 = 0x7fff_ffff;

/// What was found in a message beside its words.
#[derive(Debug)]
pub(super) enum Content {
    /// Nothing.
    None,
    /// A file.
    File { attachment: Box<Attachment>, view_once: bool },
    /// A sticker.
    Sticker(Box<Attachment>),
    /// A place.
    Location(Location),
    /// A contact.
    Contact(Box<ContactCard>),
    /// A poll.
    Poll(Poll),
    /// Something the neutral model has no form for, in words, and what it is.
    Words { text: String, what: &'static str },
}

/// What is told beside the content.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    /// A path is written, but the file is not in the container.
    pub(super) lost: Vec<String>,
    /// Things the neutral model has no place for.
    pub(super) not_carried: Vec<&'static str>,
    /// A `media_type` we do not know.
    pub(super) unknown_type: Option<String>,
}

/// Reads a message's media; takes the fields it knows.
pub(super) fn read(
    file: RawFile<'_>,
    fields: &mut Fields,
    files: Files<'_>,
    owner: Option<&Author>,
    remarks: &mut Remarks,
) -> Content {
    if file.photo.is_some() || file.file.is_some() {
        return file_content(file, fields, files, remarks);
    }
    if let Some(value) = fields.take("contact_information") {
        return contact(&value, fields, files, remarks);
    }
    if let Some(location) = location(fields) {
        return Content::Location(location);
    }
    if let Some(value) = fields.take("poll") {
        let poll = poll(&value, owner, remarks);
        return Content::Poll(poll);
    }
    odd(fields).unwrap_or(Content::None)
}

fn file_content(
    file: RawFile<'_>,
    fields: &mut Fields,
    files: Files<'_>,
    remarks: &mut Remarks,
) -> Content {
    let RawFile {
        photo,
        photo_file_size,
        file,
        file_name,
        file_size,
        thumbnail,
        // The size of a preview serves nobody.
        thumbnail_file_size: _,
        media_type,
        mime_type,
        sticker_emoji,
        duration_seconds,
        width,
        height,
        media_spoiler,
        self_destruct_period_seconds,
    } = file;
    let is_photo = file.is_none();
    let kind = match media_type.as_ref().map(Str::as_str) {
        _ if is_photo => MediaKind::Photo,
        None => MediaKind::Document,
        Some("sticker") => MediaKind::Sticker,
        Some("video_message") => MediaKind::VideoNote,
        Some("voice_message") => MediaKind::Voice,
        Some("animation") => MediaKind::Gif,
        Some("video_file") => MediaKind::Video,
        Some("audio_file") => MediaKind::Audio,
        Some(other) => {
            remarks.unknown_type = Some(other.to_owned());
            MediaKind::Unknown
        }
    };
    let path = file.or(photo).unwrap_or_default();
    let Named { mut attachment, lost } =
        files.attachment(kind, path.as_str(), file_name.as_ref().map(Str::as_str));
    if lost {
        remarks.lost.push(path.as_str().to_owned());
    }
    let claimed = if is_photo { photo_file_size } else { file_size };
    if attachment.size_bytes.is_none() {
        attachment.size_bytes = claimed.and_then(unsigned).filter(|size| *size > 0);
    }
    attachment.claimed_mime = mime_type.map(|mime| mime.0.into_owned());
    attachment.thumbnail_entry = thumbnail.and_then(|path| files.thumbnail(path.as_str()));
    attachment.width = width.and_then(unsigned).and_then(|w| u32::try_from(w).ok());
    attachment.height = height.and_then(unsigned).and_then(|h| u32::try_from(h).ok());
    attachment.duration_ms = duration_seconds.and_then(unsigned).map(|s| s.saturating_mul(1000));
    attachment.emoji = sticker_emoji.map(|emoji| emoji.0.into_owned());
    let performer = fields.words("performer");
    let title = if kind == MediaKind::Audio { fields.words("title") } else { None };
    if performer.is_some() || title.is_some() {
        remarks.not_carried.push("performer and title of a sound file");
    }
    if media_spoiler == Some(true) {
        remarks.not_carried.push("the veil over a picture");
    }
    let attachment = Box::new(attachment);
    if kind == MediaKind::Sticker {
        return Content::Sticker(attachment);
    }
    let period = self_destruct_period_seconds.map(|Int(period)| period);
    Content::File { attachment, view_once: period == Some(UNTIL_STOPPED) }
}

fn unsigned(Int(number): Int) -> Option<u64> {
    u64::try_from(number).ok()
}

fn contact(value: &Value, fields: &mut Fields, files: Files<'_>, remarks: &mut Remarks) -> Content {
    let word = |key: &str| value.get(key).map(words_of).unwrap_or_default();
    let name = [word("first_name"), word("last_name")];
    let name: Vec<_> = name.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    fields.take("contact_vcard_file_size");
    let vcard = fields.words("contact_vcard").map(|path| {
        let Named { mut attachment, lost } = files.attachment(MediaKind::Document, &path, None);
        attachment.claimed_mime = Some("text/vcard".to_owned());
        if lost {
            remarks.lost.push(path);
        }
        attachment
    });
    let phone = Some(word("phone_number")).filter(|phone| !phone.is_empty());
    Content::Contact(Box::new(ContactCard { name: name.join(" "), phone, vcard }))
}

/// A place, a venue, or a place shared while moving.
fn location(fields: &mut Fields) -> Option<Location> {
    let place = fields.take("location_information");
    let label = [fields.words("place_name"), fields.words("address")];
    let label: Vec<String> = label.into_iter().flatten().collect();
    if place.is_none() && label.is_empty() {
        return None;
    }
    let degrees = |key: &str| place.as_ref()?.get(key)?.as_f64();
    let period = fields.number("live_location_period_seconds");
    Some(Location {
        latitude: degrees("latitude"),
        longitude: degrees("longitude"),
        label: Some(label.join("\n")).filter(|label| !label.is_empty()),
        url: None,
        live: period.is_some(),
        period_s: period.filter(|p| *p != UNTIL_STOPPED).and_then(|p| u64::try_from(p).ok()),
    })
}

fn count(value: Option<&Value>) -> Option<u32> {
    u32::try_from(number_of(value?)?).ok()
}

/// The export marks the vote of its owner only; who that is may be known from elsewhere.
fn poll(value: &Value, owner: Option<&Author>, remarks: &mut Remarks) -> Poll {
    let answers = value.get("answers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let chosen = |answer: &Value| answer.get("chosen").and_then(Value::as_bool) == Some(true);
    if owner.is_none() && answers.iter().any(chosen) {
        remarks.not_carried.push("the exporter's own vote, as the export does not say who that is");
    }
    Poll {
        question: value.get("question").map(words_of).unwrap_or_default(),
        options: answers
            .iter()
            .map(|answer| PollOption {
                text: answer.get("text").map(words_of).unwrap_or_default(),
                votes: count(answer.get("voters")),
                voters: match owner {
                    Some(owner) if chosen(answer) => vec![Vote { by: owner.clone(), at: None }],
                    Some(_) | None => Vec::new(),
                },
            })
            .collect(),
        multiple: None,
        closed: value.get("closed").and_then(Value::as_bool),
        total_voters: count(value.get("total_voters")),
    }
}

/// What only Telegram has.
fn odd(fields: &mut Fields) -> Option<Content> {
    let words = |text: String, what| Some(Content::Words { text, what });
    if let Some(title) = fields.words("game_title") {
        let parts = [Some(title), fields.words("game_description"), fields.words("game_link")];
        return words(join("Game: ", parts), "a game");
    }
    if fields.has("game_description") || fields.has("game_link") {
        let parts = [fields.words("game_description"), fields.words("game_link")];
        return words(join("Game: ", parts), "a game");
    }
    if let Some(value) = fields.take("invoice_information") {
        // Usually a text that holds a JSON object.
        let inner = value.as_str().and_then(|text| serde_json::from_str(text).ok());
        let mut text = "Invoice: ".to_owned();
        describe(&inner.unwrap_or(value), &mut text, 0);
        return words(text, "an invoice");
    }
    if let Some(list) = fields.take("todo_list") {
        let title = list.get("title").map(words_of).unwrap_or_default();
        let mut text = format!("To-do list: {title}");
        let tasks = list.get("answers").or_else(|| list.get("items")).and_then(Value::as_array);
        for task in tasks.map_or(&[][..], Vec::as_slice) {
            text.push_str("\n- ");
            text.push_str(&words_of(task));
        }
        return words(text, "a to-do list");
    }
    for (key, name, what) in [
        ("giveaway_information", "Giveaway: ", "a giveaway"),
        ("giveaway_results", "Results of a giveaway: ", "a giveaway"),
    ] {
        if let Some(value) = fields.take(key) {
            let mut text = name.to_owned();
            describe(&value, &mut text, 0);
            return words(text, what);
        }
    }
    if let Some(stars) = fields.words("paid_stars_amount") {
        return words(format!("Paid media for {stars} stars, not in the export"), "paid media");
    }
    None
}

fn join<const N: usize>(prefix: &str, parts: [Option<String>; N]) -> String {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("{prefix}{}", parts.join("\n"))
}
