//! What HTML can show, compared with the truth of the generator.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it expects, not the rest")]

use serde_json::Value;

use super::truth::{View, check_file, check_forward, check_poll, check_time, style};
use crate::model::media::{AttachmentState, MediaKind};
use crate::model::message::{Body, Message};
use crate::model::text::Text;
use crate::model::time::Precision;

pub(super) fn check(message: &Message, row: &Value, what: &str) {
    let action = row["action"].as_str();
    let is_call = matches!(action, Some("phone_call" | "conference_call"));
    if row["type"] == "service" && !is_call {
        check_service(message, row, what);
        return;
    }
    check_time(Some(&message.sent_at), &row["epoch"], &format!("{what}: time"));
    let sender = message.sender.as_ref().unwrap_or_else(|| panic!("{what}: no sender"));
    assert_eq!(sender.name, row["sender_name"].as_str().unwrap_or_default(), "{what}");
    if is_call {
        assert!(matches!(message.body, Body::Call(_)), "{what}");
        return;
    }
    let reply = message.reply_to.as_ref();
    assert_eq!(reply.is_some(), !row["reply_to"].is_null(), "{what}");
    if row["reply_to_peer"].is_null() {
        let id = reply.and_then(|reply| reply.id.as_ref()).map(|id| id.as_str().parse().unwrap());
        assert_eq!(id, row["reply_to"].as_i64(), "{what}: reply");
    }
    check_forward(message, row, View::Html, what);
    check_reactions(message, row, what);
    check_body(message, row, what);
}

/// A line of the messenger shows its day and a sentence.
fn check_service(message: &Message, row: &Value, what: &str) {
    assert_eq!(message.sent_at.precision, Precision::Day, "{what}");
    let day = &row["date_local"].as_str().unwrap()[..10];
    assert_eq!(&message.sent_at.local.as_deref().unwrap()[..10], day, "{what}");
    let Body::System(event) = &message.body else { panic!("{what}: {:?}", message.body) };
    assert!(!event.text.is_empty(), "{what}");
    let expected = match row["action"].as_str() {
        Some("pin_message") => "Pinned",
        Some("edit_group_title") => "Renamed",
        Some("create_group" | "create_channel") => "Created",
        Some("edit_group_photo" | "delete_group_photo") => "PhotoChanged",
        Some("set_messages_ttl") => "Ephemeral",
        Some("invite_members") => "Added Joined",
        Some("remove_members") => "Removed Left",
        Some("join_group_by_link" | "join_group_by_request") => "Joined",
        _ => return,
    };
    let kind = format!("{:?}", event.kind);
    let kind = kind.split([' ', '{']).next().unwrap();
    assert!(expected.split(' ').any(|e| e == kind), "{what}: {expected} {kind}");
}

fn check_reactions(message: &Message, row: &Value, what: &str) {
    let mut reactions = message.reactions.iter();
    for expected in row["reactions"].as_array().unwrap() {
        let emoji =
            expected["emoji"].as_str().unwrap_or(match expected["type"].as_str().unwrap() {
                "paid" => "⭐",
                _ => ":custom_emoji:",
            });
        let recent = expected["recent"].as_array().unwrap();
        for person in recent {
            let reaction = reactions.next().unwrap();
            assert_eq!((reaction.emoji.as_str(), reaction.count), (emoji, 1), "{what}");
            let name = reaction.by.as_ref().unwrap().name.as_str();
            assert_eq!(name, person["name"].as_str().unwrap_or_default(), "{what}");
        }
        let rest = expected["count"].as_u64().unwrap() - recent.len() as u64;
        if rest > 0 {
            let reaction = reactions.next().unwrap();
            assert_eq!(
                (reaction.emoji.as_str(), u64::from(reaction.count)),
                (emoji, rest),
                "{what}"
            );
        }
    }
    assert_eq!(reactions.next(), None, "{what}");
}

fn check_body(message: &Message, row: &Value, what: &str) {
    // A rich message is not on the page of the generator.
    let Some(words) = row["text"].as_str() else { return };
    let text = match &message.body {
        Body::Text(text) => text.clone(),
        Body::Media { caption, .. } => caption.clone().unwrap_or_default(),
        _ => Text::default(),
    };
    let same = |found: &str, expected: &str| {
        let expected = expected.replace(['\u{2028}', '\u{2029}'], "\n");
        assert_eq!(found.trim(), expected.trim(), "{what}");
    };
    same(&text.plain, words);
    let expected: Vec<_> = row["entities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entity| (entity["type"].as_str().unwrap(), entity["text"].as_str().unwrap()))
        .filter(|(kind, _)| {
            !matches!(*kind, "hashtag" | "bot_command" | "cashtag" | "bank_card" | "unknown")
        })
        .collect();
    assert_eq!(text.spans.len(), expected.len(), "{what}: {:?} {expected:?}", text.spans);
    for (span, (kind, words)) in text.spans.iter().zip(expected) {
        assert!(style(&span.style).contains(&kind), "{what}: {:?} {kind}", span.style);
        same(&text.plain[span.start..span.end], words);
    }
    check_media(&message.body, row, what);
}

fn check_media(body: &Body, row: &Value, what: &str) {
    let media = &row["media"];
    let state = media["state"].as_str().unwrap_or_default();
    let path = media["path"].as_str();
    match (media["kind"].as_str().unwrap_or_default(), body) {
        ("", Body::Text(_) | Body::Unknown { .. }) => {}
        ("sticker", Body::Sticker { attachment }) => {
            check_file(attachment, MediaKind::Sticker, state, path, what);
        }
        ("contact", Body::Contact { cards }) => {
            assert!(cards[0].name.starts_with("Jean"), "{what}");
            assert_eq!(cards[0].vcard.is_some(), path.is_some(), "{what}");
        }
        ("location", Body::Location(place)) => assert!(!place.live, "{what}"),
        ("live_location", Body::Location(place)) => {
            assert!(place.live && place.latitude.is_some(), "{what}");
        }
        ("venue", Body::Location(place)) => {
            assert!(place.label.is_some() && place.latitude.is_some(), "{what}");
        }
        ("poll", Body::Poll(poll)) => check_poll(poll, &row["poll"], what),
        (
            "todo" | "game" | "invoice" | "giveaway" | "giveaway_results" | "paid",
            Body::Unknown { text },
        ) => assert!(!text.is_empty(), "{what}"),
        (kind, Body::Media { attachments, .. }) => {
            let attachment = &attachments[0];
            let expected = match kind {
                "photo" => MediaKind::Photo,
                "video_file" => MediaKind::Video,
                "video_message" => MediaKind::VideoNote,
                "voice_message" => MediaKind::Voice,
                "animation" => MediaKind::Gif,
                "audio_file" => MediaKind::Audio,
                // What destroyed itself is shown as a film, whatever it was.
                "file"
                    if attachment.state == AttachmentState::Missing
                        && attachment.kind == MediaKind::Video =>
                {
                    MediaKind::Video
                }
                "file" => MediaKind::Document,
                other => panic!("{what}: {other}"),
            };
            check_file(attachment, expected, state, path, what);
        }
        (kind, other) => panic!("{what}: {kind} became {other:?}"),
    }
}
