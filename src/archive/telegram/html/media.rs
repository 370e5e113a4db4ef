//! What a message shows in its media box.

use super::tree::Element;
use crate::model::media::{AttachmentState, MediaKind};
use crate::model::message::{Call, Location, Poll, PollOption};

/// What was found in the box.
#[derive(Debug)]
pub(in super::super) enum Media {
    /// A file: its path from the page, or why it is not there.
    File(File),
    /// A contact: name, number, path of the card.
    Contact {
        name: String,
        phone: Option<String>,
        vcard: Option<String>,
    },
    Location(Location),
    Poll(Poll),
    Call(Call),
    /// Something the neutral model has no form for, in words, and what it is.
    Words {
        text: String,
        what: &'static str,
    },
}

/// A file as a page shows it.
#[derive(Debug)]
pub(in super::super) struct File {
    pub(in super::super) kind: MediaKind,
    pub(in super::super) path: Option<String>,
    pub(in super::super) state: AttachmentState,
    pub(in super::super) name: Option<String>,
    pub(in super::super) thumbnail: Option<String>,
    pub(in super::super) duration_ms: Option<u64>,
    pub(in super::super) emoji: Option<String>,
}

/// Reads `div.media_wrap`.
pub(super) fn read(wrap: &Element<'_>) -> Option<Media> {
    let inner = wrap.elements().next()?;
    for (class, kind) in [
        ("photo_wrap", MediaKind::Photo),
        ("sticker_wrap", MediaKind::Sticker),
        ("video_file_wrap", MediaKind::Video),
        ("animated_wrap", MediaKind::Gif),
    ] {
        if inner.has_class(class) {
            return Some(Media::File(shown_file(inner, kind)));
        }
    }
    if inner.has_class("media_poll") {
        return Some(poll(inner));
    }
    if inner.has_class("media_giveaway") {
        let text = squeeze(&inner.words());
        return Some(Media::Words { text, what: "a giveaway" });
    }
    let kind = inner.classes().find_map(|class| class.strip_prefix("media_"));
    Some(boxed(inner, kind.unwrap_or_default()))
}

/// A file that the page shows.
fn shown_file(link: &Element<'_>, kind: MediaKind) -> File {
    let picture = link.elements().find(|element| element.tag == "img");
    File {
        kind,
        path: link.attribute("href").map(std::borrow::Cow::into_owned),
        state: AttachmentState::Present,
        name: None,
        thumbnail: picture.and_then(|img| img.attribute("src")).map(std::borrow::Cow::into_owned),
        duration_ms: link.find("video_duration").and_then(|d| duration(d.words().trim())),
        emoji: None,
    }
}

/// A box with a title, a description and a status.
fn boxed(inner: &Element<'_>, kind: &str) -> Media {
    let part = |class: &str| {
        inner
            .find(class)
            .map(|part| part.words().trim().to_owned())
            .filter(|words| !words.is_empty())
    };
    let title = part("title");
    let description = part("description");
    let status = part("status").unwrap_or_default();
    let href = inner.attribute("href").map(std::borrow::Cow::into_owned);
    let words = |name: &str, what| {
        let parts = [title.clone(), description.clone(), Some(status.clone())];
        let parts: Vec<String> = parts.into_iter().flatten().filter(|p| !p.is_empty()).collect();
        Media::Words { text: format!("{name}: {}", parts.join("\n")), what }
    };
    match kind {
        "contact" => {
            let phone = status.split(" - vCard").next().unwrap_or_default().trim();
            Media::Contact {
                name: title.unwrap_or_default().trim().to_owned(),
                phone: Some(phone.to_owned()).filter(|p| !p.is_empty() && p != "vCard"),
                vcard: href,
            }
        }
        "location" | "live_location" | "venue" => {
            let (latitude, longitude) = degrees(&status, href.as_deref());
            let label = [title.filter(|_| kind == "venue"), description];
            let label: Vec<String> = label.into_iter().flatten().collect();
            Media::Location(Location {
                latitude,
                longitude,
                label: Some(label.join("\n")).filter(|label| !label.is_empty()),
                url: None,
                live: kind == "live_location",
                period_s: None,
            })
        }
        "call" => {
            let seconds = status.split_once('(').and_then(|(_, rest)| {
                rest.split_once(" seconds").or_else(|| rest.split_once(" second"))?.0.parse().ok()
            });
            let missed = seconds.is_none()
                && ["Missed", "Cancelled", "Declined", "Busy"]
                    .iter()
                    .any(|m| status.starts_with(m));
            Media::Call(Call { video: false, missed, duration_s: seconds, text: status })
        }
        "game" => words("Game", "a game"),
        "invoice" => words("Invoice", "an invoice or paid media"),
        _ => Media::File(boxed_file(kind, title, description.as_deref(), &status, href, inner)),
    }
}

fn boxed_file(
    kind: &str,
    title: Option<String>,
    description: Option<&str>,
    status: &str,
    href: Option<String>,
    inner: &Element<'_>,
) -> File {
    // These titles are the exporter's; any other is the file's own name.
    let fixed = match title.as_deref() {
        Some("Photo" | "Self-destructing photo") => Some(MediaKind::Photo),
        Some("Sticker") => Some(MediaKind::Sticker),
        Some("Video file" | "Self-destructing video") => Some(MediaKind::Video),
        Some("Video message") => Some(MediaKind::VideoNote),
        Some("Animation") => Some(MediaKind::Gif),
        Some("Voice message") => Some(MediaKind::Voice),
        Some("Audio file") => Some(MediaKind::Audio),
        Some("File") => Some(MediaKind::Document),
        Some(_) | None => None,
    };
    let by_class = match kind {
        "photo" => MediaKind::Photo,
        "video" => MediaKind::Video,
        "voice_message" => MediaKind::Voice,
        "audio_file" => MediaKind::Audio,
        "file" => MediaKind::Document,
        _ => MediaKind::Unknown,
    };
    let state = match description {
        Some(text) if text.starts_with("Not included") => AttachmentState::Omitted,
        Some(text) if text.starts_with("Exceeds maximum size") => AttachmentState::TooLarge,
        Some(_) | None if href.is_some() => AttachmentState::Present,
        Some(_) | None => AttachmentState::Missing,
    };
    let kind = fixed.unwrap_or(by_class);
    let thumb = inner.elements().find(|element| element.has_class("thumb"));
    let own_name = matches!(kind, MediaKind::Document | MediaKind::Unknown);
    File {
        kind,
        path: href,
        state,
        name: title.filter(|_| fixed.is_none() && own_name),
        thumbnail: thumb.and_then(|img| img.attribute("src")).map(std::borrow::Cow::into_owned),
        duration_ms: status.split(',').next().and_then(duration),
        emoji: (kind == MediaKind::Sticker)
            .then(|| status.split(',').next().unwrap_or_default().trim().to_owned())
            .filter(|emoji| !emoji.is_empty()),
    }
}

/// `01:05` or `1:02:03`.
fn duration(text: &str) -> Option<u64> {
    let mut seconds: u64 = 0;
    for part in text.contains(':').then_some(text)?.split(':') {
        seconds = seconds.checked_mul(60)?.checked_add(part.trim().parse().ok()?)?;
    }
    seconds.checked_mul(1000)
}

/// From `48.858370, 2.294481`, or from the link to a map.
fn degrees(status: &str, href: Option<&str>) -> (Option<f64>, Option<f64>) {
    let from_link = || {
        let (_, query) = href?.split_once("?q=")?;
        query.split('&').next()
    };
    let pair = Some(status).filter(|s| s.contains(',')).or_else(from_link).unwrap_or_default();
    let Some((latitude, longitude)) = pair.split_once(',') else { return (None, None) };
    (latitude.trim().parse().ok(), longitude.trim().parse().ok())
}

/// A poll, or a list of things to do.
fn poll(inner: &Element<'_>) -> Media {
    let words = |class: &str| inner.child(class).map(|e| e.words().trim().to_owned());
    let question = words("question").unwrap_or_default();
    let details = words("details").unwrap_or_default();
    let mut answers = Vec::new();
    inner.find_all("answer", &mut answers);
    let options: Vec<PollOption> = answers
        .into_iter()
        .map(|answer| {
            let text = answer.own_words();
            let votes = answer.child("details").map_or_else(String::new, Element::words);
            let text = text.trim_end_matches([' ', '\n']);
            PollOption {
                text: text.strip_prefix("- ").unwrap_or(text).to_owned(),
                votes: Some(count(&votes)),
                voters: Vec::new(),
            }
        })
        .collect();
    if details == "To-do List" {
        let tasks = options.into_iter().map(|option| option.text);
        let lines: Vec<String> = std::iter::once(question).chain(tasks).collect();
        return Media::Words {
            text: format!("To-do list: {}", lines.join("\n- ")),
            what: "a to-do list",
        };
    }
    Media::Poll(Poll {
        question,
        options,
        multiple: None,
        closed: Some(details.contains("Final results")),
        total_voters: inner.child("total").map(|total| count(&total.words())),
    })
}

/// `3 votes, chosen vote`; `No votes` is none.
fn count(votes: &str) -> u32 {
    votes.split_ascii_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or_default()
}

/// Words of several blocks, one line each.
fn squeeze(words: &str) -> String {
    words.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_values() {
        assert_eq!(duration("01:05"), Some(65_000));
        assert_eq!(duration("1:00:01"), Some(3_601_000));
        assert_eq!(duration("12 KB"), None);
        assert_eq!(count("3 votes, chosen vote"), 3);
        assert_eq!(count("No votes"), 0);
        assert_eq!(degrees("", Some("https://m/?q=1.5,-2&ll=1,2")), (Some(1.5), Some(-2.0)));
    }
}
