//! Places on Earth and contact cards.

use std::fmt::Write as _;

use ruma::MilliSecondsSinceUnixEpoch;
use ruma::UInt;
use ruma::events::location::{AssetType, LocationContent};
use ruma::events::room::message::{
    LocationMessageEventContent, MessageType, RoomMessageEventContent,
};

use super::draft::{Draft, ROOM_MESSAGE, Tone};
use super::{file_event, file_name, files, words};
use crate::convert::markup::Rich;
use crate::model::finding::FindingKind;
use crate::model::media::AttachmentState;
use crate::model::message::{ContactCard, Location};

/// A label longer than this is said as a line of its own.
const LONGEST_LABEL_BYTES: usize = 1_000;

/// A place: a point on the map where the source has one, else a line.
pub(super) fn location(draft: &mut Draft<'_>, location: &Location) {
    let who = draft.author();
    let line = location_line(draft, location);
    let Some((latitude, longitude)) = point(location) else {
        draft.lose(FindingKind::NotCarried, "a place without usable coordinates");
        let mut words = words::head(draft);
        words.push_str(&line);
        draft.say(who, Tone::Notice, &words);
        return;
    };
    words::say_head(draft);
    let geo_uri = format!("geo:{latitude},{longitude}");
    let label = location.label.as_deref().filter(|label| !label.trim().is_empty());
    let short = line.len() <= LONGEST_LABEL_BYTES;
    let body = if short { format!("{line}\n{geo_uri}") } else { geo_uri.clone() };
    let mut content = LocationMessageEventContent::new(body, geo_uri.clone())
        .with_asset_type(if location.live { AssetType::Self_ } else { AssetType::Pin });
    if let Some(label) = label.filter(|_| short) {
        let mut block = LocationContent::new(geo_uri);
        block.description = Some(label.to_owned());
        content.location = Some(block);
    }
    let at = u64::try_from(draft.message.sent_at.at.0).ok().and_then(|ms| UInt::try_from(ms).ok());
    content.ts = at.map(MilliSecondsSinceUnixEpoch);
    let content = RoomMessageEventContent::new(MessageType::Location(content));
    let content = file_event::object(&content);
    draft.push(who, draft.message.sent_at.at, ROOM_MESSAGE, content);
    if !short {
        draft.notice(who, line);
    }
}

/// The coordinates as decimal text, if they are a point on Earth.
fn point(location: &Location) -> Option<(String, String)> {
    let (latitude, longitude) = (location.latitude?, location.longitude?);
    let on_earth = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
    // Seven decimals are a centimetre; never the exponent that `{}` gives tiny numbers.
    let decimal = |degrees: f64| {
        let text = format!("{degrees:.7}");
        let text = text.trim_end_matches('0').trim_end_matches('.').to_owned();
        if text == "-0" { "0".to_owned() } else { text }
    };
    on_earth.then(|| (decimal(latitude), decimal(longitude)))
}

fn location_line(draft: &Draft<'_>, location: &Location) -> String {
    let label = location.label.as_deref().filter(|label| !label.trim().is_empty());
    let mut line = match (location.live, location.period_s, label) {
        (true, Some(seconds), _) => {
            let duration = draft.wording.duration(seconds);
            draft.text("location-live-for", &[("duration", duration.into())])
        }
        (true, None, _) => draft.text("location-live", &[]),
        (false, _, Some(label)) => draft.text("location-labelled", &[("label", label.into())]),
        (false, _, None) => draft.text("location", &[]),
    };
    if location.live
        && let Some(label) = label
    {
        // Writing to a string cannot fail.
        let _ = write!(line, "\n{label}");
    }
    if let Some(url) = location.url.as_deref().filter(|url| !url.is_empty()) {
        let _ = write!(line, "\n{url}");
    }
    line
}

/// Contact cards: each a file with a readable line, or the line alone.
pub(super) fn contacts(draft: &mut Draft<'_>, cards: &[ContactCard]) {
    words::say_head(draft);
    if cards.is_empty() {
        let line = draft.text("contact-unnamed", &[]);
        draft.notice(draft.author(), line);
    }
    for card in cards {
        contact(draft, card);
    }
}

fn contact(draft: &mut Draft<'_>, card: &ContactCard) {
    let who = draft.author();
    let mut line = if card.name.trim().is_empty() {
        draft.text("contact-unnamed", &[])
    } else {
        draft.text("contact", &[("name", card.name.as_str().into())])
    };
    if let Some(phone) = card.phone.as_deref().filter(|phone| !phone.is_empty()) {
        let _ = write!(line, "\n{phone}");
    }
    let Some(vcard) = &card.vcard else {
        draft.notice(who, line);
        return;
    };
    if let Some(upload) = files::upload_of(draft, vcard) {
        let name = if card.name.trim().is_empty() { "contact" } else { card.name.as_str() };
        let name = file_name::file_name(vcard.name.as_deref(), name, &upload.facts.mime);
        if files::file_with_words(draft, &name, &upload, &Rich::plain(line.clone())) {
            return;
        }
    }
    let why = match vcard.state {
        AttachmentState::Present => "contact-card-not-imported",
        AttachmentState::Omitted | AttachmentState::Missing | AttachmentState::TooLarge => {
            "contact-card-missing"
        }
    };
    files::lose_file(draft, vcard);
    let why = draft.text(why, &[]);
    draft.notice(who, format!("{line}\n{why}"));
}
