//! Every version, every kind of chat, three seeds.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it expects, not the rest")]

use std::collections::HashMap;

use serde_json::Value;

use super::{generate, open, options, pages, read, shared, survey};
use crate::archive::container::Container;
use crate::archive::reader::{Options, Record};
use crate::model::author::Author;
use crate::model::finding::{Finding, FindingKind};
use crate::model::ids::ParticipantId;
use crate::model::media::{Attachment, AttachmentState, MediaKind};
use crate::model::message::{Body, Message, Poll};
use crate::model::system::{SystemEvent, SystemKind};
use crate::model::text::{Style, Text};
use crate::model::time::{SentAt, ZoneBasis};

/// The first release of each change of the format.
const VERSIONS: [&str; 27] = [
    "1.3.8", "1.4.8", "1.5.3", "2.1.8", "2.1.9", "2.4.1", "2.7.2", "3.3.2", "3.7.6", "4.0.4",
    "4.1.2", "4.3.0", "4.11.0", "4.13.0", "4.16.0", "4.16.9", "5.1.0", "5.5.7", "5.9.0", "5.11.0",
    "5.13.0", "5.16.0", "6.2.0", "6.3.4", "6.7.3", "7.0.9", "7.2.0",
];

/// What a file can show, and how to compare it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Json,
    Html,
    Both,
}

/// Beginnings of exports: winter, summer, and a month around the end of summer time.
const STARTS: [&str; 3] = ["1609459200", "1625097600", "1633000000"];

/// Each export is made in both formats, which are then read one without the other.
#[test]
fn accounts_of_every_version_as_json_and_as_html() {
    let Some(shared) = shared() else { return };
    // Two halves side by side: the generator is the slow part.
    std::thread::scope(|scope| {
        for half in [0, 1] {
            let shared = &shared;
            scope.spawn(move || {
                for (at, version) in VERSIONS.iter().enumerate().filter(|(at, _)| at % 2 == half) {
                    for (seed, start) in ["1", "2", "3"].into_iter().zip(STARTS) {
                        // Zones in turn, so that all are met with old and new versions.
                        let turn = at / 2 + seed.parse::<usize>().unwrap();
                        let zone = ZONES[turn % ZONES.len()];
                        let args = [
                            "--kind",
                            "full",
                            "--messages",
                            "300",
                            "--chats",
                            "9",
                            "--media",
                            "refs",
                            "--texts",
                            "300",
                            "--people",
                            "30",
                            "--format",
                            "both",
                            "--version",
                            version,
                            "--seed",
                            seed,
                            "--tz",
                            zone,
                            "--start",
                            start,
                        ];
                        account(shared, &args, zone, &format!("{version}, seed {seed}, {zone}"));
                    }
                }
            });
        }
    });
}

fn account(shared: &std::path::Path, args: &[&str], zone: &str, what: &str) {
    let dir = generate(shared, args);
    let alone = dir.path().join("json");
    std::fs::create_dir(&alone).unwrap();
    std::fs::rename(dir.path().join("export/result.json"), alone.join("result.json")).unwrap();
    let (options, truth) = (options(zone), dir.path().join("truth.jsonl"));
    let json = compare_with(&open(&alone), &options, &truth, View::Json, what);
    let html = compare(dir.path(), zone, View::Html, what);
    assert_eq!(json, html, "{what}");
    assert!(json > 120, "{what}: {json}");
}

#[test]
fn both_formats_of_one_account() {
    let Some(shared) = shared() else { return };
    for (version, zone) in [("5.2.0", "Europe/Kyiv"), ("6.7.3", "Europe/Paris")] {
        let args = [
            "--kind",
            "full",
            "--messages",
            "2500",
            "--chats",
            "9",
            "--media",
            "refs",
            "--format",
            "both",
            "--version",
            version,
            "--tz",
            zone,
            "--start",
            "1627000000",
        ];
        let dir = generate(&shared, &args);
        assert!(compare(dir.path(), zone, View::Both, version) > 1000);
    }
    let args = ["--messages", "2500", "--media", "none", "--format", "both", "--seed", "4"];
    let dir = generate(&shared, &args);
    assert!(compare(dir.path(), "Europe/Paris", View::Both, "one chat") > 2000);
}

/// A page names the standard offset only, so a plan with another zone is put right.
#[test]
fn a_page_names_its_zone() {
    let Some(shared) = shared() else { return };
    let args = [
        "--messages",
        "300",
        "--media",
        "none",
        "--format",
        "html",
        "--tz",
        "Europe/Kyiv",
        "--start",
        "1627000000",
    ];
    let dir = generate(&shared, &args);
    assert!(compare(dir.path(), "Europe/Paris", View::Html, "Kyiv") > 250);
}

pub(super) const ZONES: [&str; 4] =
    ["Europe/Paris", "Europe/Kyiv", "Asia/Kolkata", "Asia/Tashkent"];

#[test]
fn one_chat_of_every_type_with_its_files() {
    let Some(shared) = shared() else { return };
    for kind in [
        "personal_chat",
        "private_group",
        "private_supergroup",
        "public_supergroup",
        "private_channel",
        "public_channel",
        "bot_chat",
        "saved_messages",
    ] {
        let args = ["--type", kind, "--messages", "200", "--seed", "7", "--start", "1727000000"];
        let dir = generate(&shared, &args);
        assert!(compare(dir.path(), "Europe/Paris", View::Json, kind) > 150);
    }
}

/// Compares an export with its truth; how many messages were the same.
pub(super) fn compare(dir: &std::path::Path, zone: &str, view: View, what: &str) -> usize {
    let container = open(&dir.join("export"));
    let options = options(zone);
    compare_with(&container, &options, &dir.join("truth.jsonl"), view, what)
}

pub(super) fn compare_with(
    container: &Container,
    options: &Options,
    truth: &std::path::Path,
    view: View,
    what: &str,
) -> usize {
    let chats = by_chat(truth);
    let survey = survey(container, options);
    let said: Vec<_> = survey.chats.iter().map(|chat| (&chat.id, chat.messages)).collect();
    assert_eq!(survey.chats.len(), chats.len(), "{what}: {said:?}");
    let mut compared = 0;
    for (chat, rows) in survey.chats.iter().zip(&chats) {
        let records = read(container, &chat.id, options);
        let what = format!("{what}, {} ({})", chat.id, rows[0]["chat_type"]);
        let again = records.iter().filter(|r| matches!(r, Record::Message(_))).count() as u64;
        assert_eq!(chat.messages, again, "{what}");
        assert_eq!(chat.records, rows.len() as u64, "{what}");
        if view == View::Html {
            assert!(chat.id.as_str().starts_with("named-"), "{what}");
        } else {
            check_chat_id(chat.id.as_str(), rows, &what);
        }
        let mut records = records.iter().peekable();
        let mut met = HashMap::new();
        for row in rows {
            let what = format!("{what}, message {}", row["id"]);
            if row["type"] == "unsupported" {
                let finding = records.next();
                assert!(
                    matches!(finding, Some(Record::Finding(f)) if f.kind == FindingKind::UnknownKind),
                    "{what}: {finding:?}"
                );
            } else {
                let Some(Record::Message(message)) = records.next() else {
                    panic!("{what}: absent")
                };
                let times = met.entry(row["id"].as_i64().unwrap()).or_insert(0);
                *times += 1;
                check_id(message, row, *times, &what);
                match view {
                    View::Json | View::Both => check(message, row, view, &what),
                    View::Html => pages::check(message, row, &what),
                }
                compared += 1;
            }
            // Findings stand behind their message.
            let id = row["id"].to_string();
            let own = |finding: &Finding| {
                finding.message.as_ref().is_some_and(|m| m.as_str().split('~').next() == Some(&id))
            };
            while records.next_if(|r| matches!(r, Record::Finding(f) if own(f))).is_some() {}
        }
        // What is left concerns the chat as a whole.
        assert!(records.all(|r| matches!(r, Record::Finding(f) if f.message.is_none())), "{what}");
    }
    compared
}

pub(super) fn by_chat(truth: &std::path::Path) -> Vec<Vec<Value>> {
    let text = std::fs::read_to_string(truth).unwrap();
    let mut chats: Vec<Vec<Value>> = Vec::new();
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let same = |chat: &Vec<Value>| {
            ["folder", "chat_id", "chat_name", "chat_type"]
                .iter()
                .all(|key| chat[0][key] == row[key])
        };
        match chats.last_mut() {
            Some(last) if same(last) => last.push(row),
            _ => chats.push(vec![row]),
        }
    }
    chats
}

fn check_chat_id(id: &str, rows: &[Value], what: &str) {
    let row = &rows[0];
    // The generator may write one deleted account twice; the second is told apart.
    let id = id.split('~').next().unwrap();
    let Some(number) = row["chat_id"].as_u64() else {
        assert!(id.starts_with("named-"), "{what}");
        return;
    };
    let kind = match row["chat_type"].as_str().unwrap() {
        "personal_chat" | "bot_chat" | "saved_messages" => "user",
        "private_group" => "chat",
        _ => "channel",
    };
    assert_eq!(id, format!("{kind}{}", bare(number, rows, kind)), "{what}");
}

/// The number without the kind that versions before 2.7.2 wrote above bit 32.
fn bare(number: u64, rows: &[Value], kind: &str) -> u64 {
    let old = rows.iter().any(|row| row["sender_id"].is_number());
    let mark = if kind == "user" { 1 } else { 2 };
    if old && number >> 32 == mark { number & 0xffff_ffff } else { number }
}

fn check_id(message: &Message, row: &Value, times: u32, what: &str) {
    let id = row["id"].to_string();
    let expected = if times > 1 { format!("{id}~{times}") } else { id };
    assert_eq!(message.id.as_str(), expected, "{what}");
}

fn check_author(author: Option<&Author>, id: &Value, name: &Value, what: &str) {
    let expected_name = name.as_str().unwrap_or_default();
    match id {
        Value::Null => {
            // Without an id there is a name, or nothing.
            assert_eq!(author.map_or("", |a| a.name.as_str()), expected_name, "{what}");
        }
        Value::Number(number) => {
            let number = number.as_u64().unwrap();
            let author = author.unwrap_or_else(|| panic!("{what}: no sender"));
            assert!(author.id.as_str().ends_with(&(number & 0xffff_ffff).to_string()), "{what}");
            assert_eq!(author.name, expected_name, "{what}");
        }
        other => {
            let author = author.unwrap_or_else(|| panic!("{what}: no sender"));
            assert_eq!(author.id.as_str(), other.as_str().unwrap(), "{what}");
            assert_eq!(author.name, expected_name, "{what}");
        }
    }
}

fn check(message: &Message, row: &Value, view: View, what: &str) {
    check_time(Some(&message.sent_at), &row["epoch"], &format!("{what}: time"));
    let edited = message.edited.as_ref().and_then(|e| e.at.as_ref());
    check_time(edited, &row["edited_epoch"], &format!("{what}: edited"));
    let person = match &message.body {
        Body::System(event) => event.actor.as_ref(),
        _ => message.sender.as_ref(),
    };
    check_author(person, &row["sender_id"], &row["sender_name"], what);
    if row["type"] == "service" {
        check_service(message, row, what);
    } else {
        check_reply(message, row, what);
        check_body(message, row, what);
    }
    check_forward(message, row, view, what);
    check_reactions(message, row, what);
    let topic = message.topic.as_ref().map(|topic| topic.as_str().parse::<i64>().unwrap());
    assert_eq!(topic, row["topic"].as_i64(), "{what}: topic");
}

fn check_reply(message: &Message, row: &Value, what: &str) {
    let id = message.reply_to.as_ref().and_then(|reply| reply.id.as_ref());
    let expected = row["reply_to"].as_i64().map(|id| match &row["reply_to_peer"] {
        Value::Null => id.to_string(),
        Value::Number(peer) => format!("channel{}/{id}", peer.as_u64().unwrap() & 0xffff_ffff),
        peer => format!("{}/{id}", peer.as_str().unwrap()),
    });
    assert_eq!(id.map(|id| id.as_str().to_owned()), expected, "{what}: reply");
}

pub(super) fn check_forward(message: &Message, row: &Value, view: View, what: &str) {
    let expected = row["forwarded_epoch"].as_i64();
    assert_eq!(message.forwarded.is_some(), expected.is_some(), "{what}: forwarded");
    let Some(forwarded) = &message.forwarded else { return };
    let name = forwarded.from.as_ref().map_or("", |from| from.name.as_str());
    assert_eq!(name, row["forwarded_from"].as_str().unwrap_or_default(), "{what}");
    match (view, &forwarded.at) {
        (View::Json, at) => assert_eq!(*at, None, "{what}"),
        // A forward that is joined to the one before shows no date.
        (View::Html | View::Both, at) => {
            assert!(at.is_some() || message.place.line > Some(1), "{what}");
            if at.is_some() {
                check_time(at.as_ref(), &row["forwarded_epoch"], what);
            }
        }
    }
}

/// The hour that happens twice cannot always be settled; every other time is exact.
pub(super) fn check_time(at: Option<&SentAt>, expected: &Value, what: &str) {
    let found = at.map(|at| at.at.0 / 1000);
    let expected = expected.as_i64();
    if let (Some(at), Some(expected)) = (at, expected)
        && at.zone == ZoneBasis::AssumedAmbiguous
    {
        assert!((at.at.0 / 1000 - expected).abs() <= 3600, "{what}");
        return;
    }
    assert_eq!(found, expected, "{what}");
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
            let reaction = reactions.next().unwrap_or_else(|| panic!("{what}: reaction"));
            assert_eq!((reaction.emoji.as_str(), reaction.count), (emoji, 1), "{what}");
            check_author(reaction.by.as_ref(), &person["from_id"], &person["name"], what);
            check_time(reaction.at.as_ref(), &person["epoch"], &format!("{what}: reaction"));
        }
        let rest = expected["count"].as_u64().unwrap() - recent.len() as u64;
        if rest > 0 {
            let reaction = reactions.next().unwrap_or_else(|| panic!("{what}: reactions"));
            assert_eq!(
                (reaction.emoji.as_str(), u64::from(reaction.count)),
                (emoji, rest),
                "{what}"
            );
            assert_eq!(reaction.by, None, "{what}");
        }
    }
    assert_eq!(reactions.next(), None, "{what}");
}

pub(super) fn check_service(message: &Message, row: &Value, what: &str) {
    let action = row["action"].as_str();
    let kind = match &message.body {
        Body::Call(_) => {
            assert!(
                matches!(action, Some("phone_call" | "conference_call" | "group_call")),
                "{what}: {action:?}"
            );
            return;
        }
        Body::System(SystemEvent { kind, text, .. }) => {
            if action == Some("send_webview_data") {
                assert!(text.contains(row["text"].as_str().unwrap()), "{what}");
            }
            assert!(!text.contains("unknown action"), "{what}: {text}");
            assert!(!text.contains('?'), "{what}: {text}");
            assert!(*kind != SystemKind::Other || !text.is_empty(), "{what}");
            kind
        }
        other => panic!("{what}: {other:?}"),
    };
    let expected = match action {
        Some("create_group" | "create_channel") => {
            matches!(kind, SystemKind::Created { title: Some(_) })
        }
        Some("edit_group_title") => matches!(kind, SystemKind::Renamed { title: Some(_) }),
        Some("edit_group_photo" | "delete_group_photo") => *kind == SystemKind::PhotoChanged,
        Some("invite_members") => matches!(kind, SystemKind::Added | SystemKind::Joined),
        Some("remove_members") => matches!(kind, SystemKind::Removed | SystemKind::Left),
        Some("join_group_by_link" | "join_group_by_request" | "join_group_via_community") => {
            *kind == SystemKind::Joined
        }
        Some("pin_message") => *kind == SystemKind::Pinned && message.reply_to.is_some(),
        Some("set_messages_ttl") => *kind == SystemKind::Ephemeral,
        Some("new_creator_pending" | "change_creator") => *kind == SystemKind::AdminChanged,
        Some(_) | None => *kind == SystemKind::Other,
    };
    assert!(expected, "{what}: {action:?} {kind:?}");
}

fn check_body(message: &Message, row: &Value, what: &str) {
    let words = row["text"].as_str();
    let text = match &message.body {
        Body::Text(text) => Some(text.clone()),
        Body::Media { caption, .. } => caption.clone(),
        Body::Unknown { text } => Some(Text::plain(text.clone())),
        _ => None,
    };
    let media = &row["media"];
    match media["kind"].as_str() {
        None => match words {
            None => assert!(text.is_some_and(|text| text.plain.contains("Décision")), "{what}"),
            Some("") => {
                let empty = matches!(&message.body, Body::Unknown { text } if text.is_empty());
                assert!(empty, "{what}: {:?}", message.body);
            }
            Some(words) => {
                assert!(matches!(message.body, Body::Text(_)), "{what}: {:?}", message.body);
                check_text(&text.unwrap(), words, &row["entities"], what);
            }
        },
        Some(kind) => {
            check_media(&message.body, kind, row, what);
            if let Body::Media { caption, .. } = &message.body {
                let caption = caption.clone().unwrap_or_default();
                check_text(&caption, words.unwrap(), &row["entities"], what);
            } else {
                assert_eq!(words, Some(""), "{what}");
            }
        }
    }
}

fn check_text(text: &Text, words: &str, entities: &Value, what: &str) {
    assert_eq!(text.plain, words, "{what}");
    let expected: Vec<_> = entities
        .as_array()
        .unwrap()
        .iter()
        .map(|entity| (entity["type"].as_str().unwrap(), entity["text"].as_str().unwrap()))
        .filter(|(kind, _)| {
            !matches!(*kind, "hashtag" | "bot_command" | "cashtag" | "bank_card" | "unknown")
        })
        .collect();
    let found: Vec<_> = text
        .spans
        .iter()
        .map(|span| (style(&span.style), &text.plain[span.start..span.end]))
        .collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    for ((styles, found), (kind, words)) in found.iter().zip(expected) {
        assert!(styles.contains(&kind), "{what}: {styles:?} {kind}");
        assert_eq!(*found, words, "{what}");
    }
}

/// The entities of Telegram that a style may come from.
pub(super) fn style(style: &Style) -> &'static [&'static str] {
    match style {
        Style::Bold => &["bold"],
        Style::Italic => &["italic"],
        Style::Underline => &["underline"],
        Style::Strike => &["strikethrough"],
        Style::Spoiler => &["spoiler"],
        Style::Code => &["code"],
        Style::Pre { .. } => &["pre"],
        Style::Quote => &["blockquote"],
        Style::Link { .. } => &["link", "text_link", "email", "phone"],
        Style::Mention { .. } => &["mention", "mention_name"],
        Style::CustomEmoji => &["custom_emoji"],
    }
}

fn check_media(body: &Body, kind: &str, row: &Value, what: &str) {
    let state = row["media"]["state"].as_str().unwrap();
    let path = row["media"]["path"].as_str();
    match (kind, body) {
        ("sticker", Body::Sticker { attachment }) => {
            check_file(attachment, MediaKind::Sticker, state, path, what);
        }
        ("contact", Body::Contact { cards }) => {
            assert!(cards[0].name.starts_with("Jean"), "{what}");
            assert_eq!(cards[0].vcard.is_some(), path.is_some(), "{what}");
            if let Some(vcard) = &cards[0].vcard {
                check_file(vcard, MediaKind::Document, state, path, what);
            }
        }
        ("location", Body::Location(place)) => {
            assert!(!place.live && place.label.is_none(), "{what}");
        }
        ("live_location", Body::Location(place)) => assert!(place.live, "{what}"),
        ("venue", Body::Location(place)) => {
            assert!(place.label.is_some() && place.latitude.is_some(), "{what}");
        }
        ("poll", Body::Poll(poll)) => check_poll(poll, &row["poll"], what),
        ("todo", Body::Unknown { text }) => {
            for task in row["todo"]["answers"].as_array().unwrap() {
                assert!(text.contains(task["text"].as_str().unwrap()), "{what}");
            }
        }
        ("game" | "invoice" | "giveaway" | "giveaway_results" | "paid", Body::Unknown { text }) => {
            assert!(!text.is_empty(), "{what}");
        }
        (_, Body::Media { attachments, .. }) => {
            let kind = match kind {
                "photo" => MediaKind::Photo,
                "file" => MediaKind::Document,
                "video_file" => MediaKind::Video,
                "video_message" => MediaKind::VideoNote,
                "voice_message" => MediaKind::Voice,
                "animation" => MediaKind::Gif,
                "audio_file" => MediaKind::Audio,
                other => panic!("{what}: {other}"),
            };
            check_file(&attachments[0], kind, state, path, what);
        }
        (_, other) => panic!("{what}: {kind} became {other:?}"),
    }
}

pub(super) fn check_file(
    file: &Attachment,
    kind: MediaKind,
    state: &str,
    path: Option<&str>,
    what: &str,
) {
    assert_eq!(file.kind, kind, "{what}");
    let expected = match state {
        "present" => AttachmentState::Present,
        "not_included" => AttachmentState::Omitted,
        "too_big" => AttachmentState::TooLarge,
        "unavailable" | "missing_file" => AttachmentState::Missing,
        other => panic!("{what}: {other}"),
    };
    assert_eq!(file.state, expected, "{what}");
    assert_eq!(file.entry.is_some(), expected == AttachmentState::Present, "{what}");
    if let (Some(entry), Some(path)) = (&file.entry, path) {
        assert_eq!(entry, path, "{what}");
    }
}

pub(super) fn check_poll(poll: &Poll, expected: &Value, what: &str) {
    assert_eq!(poll.question, expected["question"].as_str().unwrap(), "{what}");
    assert_eq!(poll.closed, expected["closed"].as_bool(), "{what}");
    assert_eq!(poll.total_voters.map(u64::from), expected["total_voters"].as_u64(), "{what}");
    let answers = expected["answers"].as_array().unwrap();
    assert_eq!(poll.options.len(), answers.len(), "{what}");
    for (option, answer) in poll.options.iter().zip(answers) {
        assert_eq!(option.text, answer["text"].as_str().unwrap(), "{what}");
        assert_eq!(option.votes.map(u64::from), answer["voters"].as_u64(), "{what}");
        let by: Vec<&ParticipantId> = option.voters.iter().map(|vote| &vote.by.id).collect();
        assert!(by.is_empty() || (by.len() == 1 && answer["chosen"] == true), "{what}");
    }
}
