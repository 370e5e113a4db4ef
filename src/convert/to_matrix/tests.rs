//! Every kind of message, read back through ruma's types.

mod any_message;

use proptest::prelude::*;
use ruma::events::poll::unstable_start::UnstablePollStartEventContent;
use ruma::events::room::MediaSource;
use ruma::events::room::message::{MessageType, RoomMessageEventContent};
use ruma::events::{AnyMessageLikeEventContent, AnySyncMessageLikeEvent, AnySyncTimelineEvent};
use ruma::html::{Html, SanitizerConfig};
use ruma::{OwnedEventId, OwnedUserId, event_id, mxc_uri, user_id};
use serde_json::{Value, json};

use super::*;
use crate::convert::{
    Attribution, MediaFacts, Person, Speaker, SystemLines, Upload, UploadedThumbnail,
};
use crate::model::finding::Place;
use crate::model::ids::{ChatId, MessageId, ParticipantId, Sha256, TopicId};
use crate::model::media::{Attachment, AttachmentState, MediaKind};
use crate::model::message::{
    Author, Call, ContactCard, Edited, Forwarded, Location, Poll, PollOption, Reaction, ReplyTo,
    Revision, Vote,
};
use crate::model::system::{SystemEvent, SystemKind};
use crate::model::text::Markup;
use crate::model::time::{Precision, SentAt, UnixMillis, ZoneBasis};
use crate::wording::Language;

const NOON: i64 = 1_709_471_100_000; // 2024-03-03T13:05:00Z

pub(super) fn at(ms: i64) -> SentAt {
    SentAt {
        at: UnixMillis(ms),
        precision: Precision::Second,
        zone: ZoneBasis::Stated,
        local: None,
    }
}

pub(super) fn author(id: &str) -> Author {
    Author { id: ParticipantId::new(id), name: format!("carnet {id}") }
}

pub(super) fn message(body: Body) -> Message {
    Message {
        id: MessageId::new("m1"),
        chat: ChatId::new("c1"),
        sender: Some(author("alice")),
        sent_at: at(NOON),
        body,
        reply_to: None,
        forwarded: None,
        topic: None,
        edited: None,
        reactions: Vec::new(),
        expires_at: None,
        place: Place { entry: "chat.txt".to_owned(), line: Some(3) },
    }
}

fn person(id: &ParticipantId) -> Option<Person> {
    let (ghost, name, account): (OwnedUserId, &str, Option<OwnedUserId>) = match id.as_str() {
        "alice" => (user_id!("@_p_alice:example.org").to_owned(), "Alice <Roux>", None),
        "bob" => (
            user_id!("@_p_bob:example.org").to_owned(),
            "Bob",
            Some(user_id!("@bob:agent.example.org").to_owned()),
        ),
        _ => return None,
    };
    Some(Person { ghost, name: name.to_owned(), account })
}

fn event(id: &MessageId) -> Option<OwnedEventId> {
    matches!(id.as_str(), "m0" | "t1")
        .then(|| OwnedEventId::try_from(format!("${}", id.as_str())).expect("an event id"))
}

/// Files are named after what they are: `jpg`, `ogg`…; others are not uploaded.
fn upload(entry: &str) -> Option<Upload> {
    let (mime, width, duration_ms) = match entry {
        "jpg" => ("image/jpeg", Some(1200), None),
        "webp" => ("image/webp", Some(512), None),
        "mp4" => ("video/mp4", Some(640), Some(3_500)),
        "ogg" => ("audio/ogg", None, Some(4_200)),
        "tgs" => ("application/gzip", None, None),
        "pdf" => ("application/pdf", None, None),
        "vcf" => ("text/vcard", None, None),
        _ => return None,
    };
    Some(Upload {
        source: MediaSource::Plain(mxc_uri!("mxc://example.org/abc").to_owned()),
        facts: MediaFacts {
            mime: mime.to_owned(),
            size_bytes: 2_345,
            sha256: Sha256::from_bytes([7; 32]),
            width,
            height: width,
            duration_ms,
            blurhash: width.map(|_| "LEHV6nWB2yk8pyo0adR*.7kCMdnj".to_owned()),
            waveform: (mime == "audio/ogg").then(|| vec![0, 512, 1024]),
            thumbnail: None,
            animated: width.map(|_| false),
        },
        thumbnail: (entry == "jpg").then(|| UploadedThumbnail {
            source: MediaSource::Plain(mxc_uri!("mxc://example.org/thumb").to_owned()),
            width: 800,
            height: 600,
            mime: "image/jpeg".to_owned(),
            size_bytes: 999,
        }),
    })
}

fn resolved() -> Resolved<'static> {
    Resolved { person: &person, event: &event, upload: &upload }
}

fn bot() -> Policy {
    Policy { attribution: Attribution::BotWithPrefix, ..Policy::default() }
}

/// What an event must be, whatever the message was.
fn check(part: &Part, policy: &Policy) {
    let json = serde_json::to_string(&part.content).expect("JSON");
    assert!(json.len() <= policy.limit(), "{} bytes", json.len());
    assert!(!json.contains("\\u0000"));
    check_value(&Value::Object(part.content.clone()));
    let event = json!({
        "type": part.event_type,
        "content": part.content,
        "event_id": "$e",
        "sender": "@_p_x:example.org",
        "origin_server_ts": 1,
    });
    let event: AnySyncTimelineEvent = serde_json::from_value(event).expect("a timeline event");
    let AnySyncTimelineEvent::MessageLike(event) = event else { panic!("no message") };
    #[expect(clippy::wildcard_enum_match_arm, reason = "ruma's kinds of events grow")]
    match event {
        AnySyncMessageLikeEvent::RoomMessage(event) => {
            let content = &event.as_original().expect("content").content;
            assert!(!matches!(content.msgtype, MessageType::_Custom(_)));
            assert_eq!(part.content.get("m.mentions"), Some(&json!({})));
            assert!(!content.body().is_empty());
        }
        AnySyncMessageLikeEvent::UnstablePollStart(_)
        | AnySyncMessageLikeEvent::UnstablePollResponse(_)
        | AnySyncMessageLikeEvent::UnstablePollEnd(_)
        | AnySyncMessageLikeEvent::Reaction(_) => {}
        _ => panic!("unexpected {}", part.event_type),
    }
    let raw = serde_json::value::to_raw_value(&part.content).expect("raw");
    let raw = ruma::serde::Raw::<AnyMessageLikeEventContent>::from_json(raw);
    raw.deserialize_as_unchecked::<Value>().expect("content");
    if let Some(html) = part.content.get("formatted_body").and_then(Value::as_str) {
        // The one attribute that the specification does not list yet (MSC4144).
        let html = html.replace(" data-mx-profile-fallback", "");
        let (seen, allowed) = (Html::parse(&html), Html::parse(&html));
        allowed.sanitize_with(&SanitizerConfig::strict());
        assert_eq!(seen.to_string(), allowed.to_string());
    }
}

fn check_value(value: &Value) {
    match value {
        Value::Object(map) => {
            assert!(map.keys().is_sorted());
            map.values().for_each(check_value);
        }
        Value::Array(values) => values.iter().for_each(check_value),
        Value::Number(number) => assert!(number.is_i64() || number.is_u64(), "{number}"),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

fn ids(count: usize) -> Vec<OwnedEventId> {
    (0..count).map(|i| OwnedEventId::try_from(format!("$own{i}")).expect("an id")).collect()
}

/// Both halves of a conversion, checked.
fn convert(message: &Message, policy: &Policy) -> (Vec<Part>, Vec<Part>, Converted) {
    let made = parts(message, &resolved(), policy);
    assert!(!made.parts.is_empty() || !made.losses.is_empty(), "it disappeared");
    let events = ids(made.parts.len());
    let first = events.first().cloned().unwrap_or_else(|| event_id!("$none").to_owned());
    let later = followups(message, &first, &events, &resolved(), policy);
    for (index, part) in made.parts.iter().chain(&later.parts).enumerate() {
        assert_eq!(usize::from(part.index), index);
        check(part, policy);
    }
    (made.parts.clone(), later.parts, made)
}

fn said(message: &Message) -> Vec<Part> {
    convert(message, &Policy::default()).0
}

fn body(part: &Part) -> &str {
    part.content.get("body").and_then(Value::as_str).unwrap_or_default()
}

fn msgtype(part: &Part) -> &str {
    part.content.get("msgtype").and_then(Value::as_str).unwrap_or_default()
}

fn text(words: &str) -> Body {
    Body::Text(Text::plain(words))
}

fn file(kind: MediaKind, entry: &str) -> Attachment {
    let mut attachment = Attachment::new(kind, AttachmentState::Present);
    attachment.entry = Some(entry.to_owned());
    attachment.name = Some(format!("IMG.{entry}"));
    attachment
}

fn media(attachments: Vec<Attachment>, caption: Option<&str>) -> Body {
    Body::Media { attachments, caption: caption.map(Text::plain), view_once: false }
}

#[test]
fn plain_words_are_exactly_that() {
    let parts = said(&message(text("Bonjour <b>")));
    assert_eq!(parts.len(), 1);
    assert_eq!(parts[0].speaker, Speaker::Ghost(ParticipantId::new("alice")));
    assert_eq!(parts[0].at, UnixMillis(NOON));
    assert_eq!(
        Value::Object(parts[0].content.clone()),
        json!({ "body": "Bonjour <b>", "m.mentions": {}, "msgtype": "m.text" })
    );
}

#[test]
fn the_bot_says_whose_words_they_are() {
    let (parts, _, _) = convert(&message(text("Bonjour")), &bot());
    assert_eq!(parts[0].speaker, Speaker::Bot);
    assert_eq!(body(&parts[0]), "Alice <Roux>\u{a0}: Bonjour");
    assert_eq!(
        parts[0].content["formatted_body"],
        "<strong data-mx-profile-fallback>Alice &lt;Roux&gt;\u{a0}: </strong>Bonjour"
    );
    assert_eq!(
        parts[0].content["com.beeper.per_message_profile"],
        json!({ "id": "@_p_alice:example.org", "displayname": "Alice <Roux>", "has_fallback": true })
    );
}

#[test]
fn replies_are_real_or_quoted() {
    let mut answer = message(text("oui"));
    answer.reply_to = Some(ReplyTo { id: Some(MessageId::new("m0")), author: None, quote: None });
    let parts = said(&answer);
    assert_eq!(parts[0].content["m.relates_to"], json!({ "m.in_reply_to": { "event_id": "$m0" } }));
    answer.reply_to = Some(ReplyTo {
        id: Some(MessageId::new("absent")),
        author: Some(author("bob")),
        quote: Some("d'accord\npour <lundi>\u{202e}".to_owned()),
    });
    let parts = said(&answer);
    assert!(parts[0].content.get("m.relates_to").is_none());
    assert_eq!(body(&parts[0]), "> Bob\u{a0}:\n> d'accord\n> pour <lundi>\u{202e}\noui");
    answer.reply_to = Some(ReplyTo { id: None, author: None, quote: None });
    let (parts, _, made) = convert(&answer, &Policy::default());
    assert_eq!(body(&parts[0]), "En réponse à un message absent de ce salon\noui");
    assert_eq!(made.losses[0].kind, FindingKind::ReplyTargetMissing);
}

#[test]
fn topics_are_threads() {
    let mut inside = message(text("oui"));
    inside.topic = Some(TopicId::new("t1"));
    assert_eq!(
        said(&inside)[0].content["m.relates_to"],
        json!({
            "rel_type": "m.thread", "event_id": "$t1", "is_falling_back": true,
            "m.in_reply_to": { "event_id": "$t1" }
        })
    );
    inside.reply_to = Some(ReplyTo { id: Some(MessageId::new("m0")), author: None, quote: None });
    let relation = &said(&inside)[0].content["m.relates_to"];
    assert_eq!(relation["is_falling_back"], false);
    assert_eq!(relation["m.in_reply_to"]["event_id"], "$m0");
    inside.topic = Some(TopicId::new("unseen"));
    assert!(!convert(&inside, &Policy::default()).2.losses.is_empty());
}

#[test]
fn forwarded_says_from_whom_and_when() {
    let mut forwarded = message(text("à lire"));
    forwarded.forwarded =
        Some(Forwarded { from: Some(author("Lettre")), at: Some(at(NOON - 86_400_000)) });
    assert_eq!(
        body(&said(&forwarded)[0]),
        "Transféré de carnet Lettre, message du 2\u{a0}mars 2024 à 14:05\nà lire"
    );
}

#[test]
fn long_texts_are_split_and_related() {
    let long = "Une phrase entière. ".repeat(20_000);
    let parts = said(&message(text(&long)));
    assert!(parts.len() > 5);
    let count = parts.len();
    for (index, part) in parts.iter().enumerate() {
        assert_eq!(part.content["fr.passerelle.piece"], json!({ "index": index, "count": count }));
        assert!(body(part).trim_end().ends_with('.'));
    }
}

#[test]
fn a_photo_carries_its_caption_and_facts() {
    let parts = said(&message(media(vec![file(MediaKind::Photo, "jpg")], Some("la mairie"))));
    assert_eq!(parts.len(), 1);
    let content = Value::Object(parts[0].content.clone());
    assert_eq!(content["msgtype"], "m.image");
    assert_eq!(content["body"], "la mairie");
    assert_eq!(content["filename"], "IMG.jpg");
    assert_eq!(content["url"], "mxc://example.org/abc");
    assert_eq!(content["info"]["w"], 1200);
    assert_eq!(content["info"]["mimetype"], "image/jpeg");
    assert_eq!(content["info"]["thumbnail_info"]["w"], 800);
    assert_eq!(content["info"]["thumbnail_url"], "mxc://example.org/thumb");
    assert_eq!(content["info"]["xyz.amorgan.blurhash"], "LEHV6nWB2yk8pyo0adR*.7kCMdnj");
    let read: RoomMessageEventContent = serde_json::from_value(content).expect("a message");
    let MessageType::Image(image) = read.msgtype else { panic!("no image") };
    assert_eq!(image.caption(), Some("la mairie"));
    assert_eq!(image.filename(), "IMG.jpg");
}

#[test]
fn a_voice_note_is_one_and_keeps_its_words() {
    let parts = said(&message(media(vec![file(MediaKind::Voice, "ogg")], Some("écoute"))));
    assert_eq!(parts.len(), 2);
    assert_eq!(parts[0].content["org.matrix.msc3245.voice"], json!({}));
    assert_eq!(
        parts[0].content["org.matrix.msc1767.audio"],
        json!({ "duration": 4200, "waveform": [0, 512, 1024] })
    );
    assert_eq!(parts[0].content["info"]["duration"], 4200);
    assert_eq!((msgtype(&parts[1]), body(&parts[1])), ("m.text", "écoute"));
}

/// matrix-sdk, under Element X, refuses the details of a voice without a duration.
#[test]
fn a_voice_of_unknown_length_has_no_details() {
    let entry_without_time = |entry: &str| {
        upload(entry).map(|mut upload| {
            upload.facts.duration_ms = None;
            upload
        })
    };
    let resolved = Resolved { person: &person, event: &event, upload: &entry_without_time };
    let voice = message(media(vec![file(MediaKind::Voice, "ogg")], None));
    let made = parts(&voice, &resolved, &Policy::default());
    check(&made.parts[0], &Policy::default());
    assert!(made.parts[0].content.contains_key("org.matrix.msc3245.voice"));
    assert!(!made.parts[0].content.contains_key("org.matrix.msc1767.audio"));
}

#[test]
fn albums_keep_their_order_and_name_what_is_not_there() {
    let mut lost = Attachment::new(MediaKind::Photo, AttachmentState::Omitted);
    lost.name = Some("../../IMG\u{202e}_2.jpg".to_owned());
    lost.size_bytes = Some(2_340_000);
    let album = vec![lost, file(MediaKind::Video, "mp4"), file(MediaKind::Document, "pdf")];
    let (parts, _, made) = convert(&message(media(album, Some("vacances"))), &Policy::default());
    let kinds: Vec<&str> = parts.iter().map(msgtype).collect();
    assert_eq!(kinds, ["m.notice", "m.video", "m.file"]);
    assert_eq!(
        body(&parts[0]),
        "📎 Photo «\u{a0}IMG_2.jpg\u{a0}» (2,3\u{a0}Mo)\u{a0}: non inclus dans l’export"
    );
    assert_eq!(body(&parts[1]), "vacances");
    assert_eq!(made.losses[0].kind, FindingKind::AttachmentMissing);
    // In the container, but not on the homeserver.
    let refused = message(media(vec![file(MediaKind::Document, "exe")], None));
    let (parts, _, made) = convert(&refused, &Policy::default());
    assert!(body(&parts[0]).ends_with("non importé"));
    assert_eq!(made.losses[0].kind, FindingKind::NotCarried);
}

#[test]
fn kinds_and_bytes_decide_together() {
    for (kind, entry, shown) in [
        (MediaKind::Photo, "pdf", "m.file"),
        (MediaKind::Document, "jpg", "m.file"),
        (MediaKind::Unknown, "jpg", "m.image"),
        (MediaKind::Gif, "mp4", "m.video"),
        (MediaKind::Gif, "webp", "m.image"),
        (MediaKind::VideoNote, "mp4", "m.video"),
        (MediaKind::Audio, "ogg", "m.audio"),
    ] {
        let parts = said(&message(media(vec![file(kind, entry)], None)));
        assert_eq!(msgtype(&parts[0]), shown, "{kind:?} {entry}");
        assert_eq!(body(&parts[0]), format!("IMG.{entry}"));
    }
}

#[test]
fn stickers_are_pictures() {
    let mut sticker = file(MediaKind::Sticker, "webp");
    sticker.emoji = Some("😀".to_owned());
    let parts = said(&message(Body::Sticker { attachment: sticker.clone() }));
    assert_eq!((msgtype(&parts[0]), body(&parts[0])), ("m.image", "Autocollant 😀"));
    sticker.entry = Some("tgs".to_owned());
    sticker.thumbnail_entry = Some("webp".to_owned());
    let parts = said(&message(Body::Sticker { attachment: sticker }));
    assert_eq!(parts.iter().map(msgtype).collect::<Vec<_>>(), ["m.image", "m.file"]);
}

#[test]
fn places_are_points_or_lines() {
    let mut place = Location {
        latitude: Some(48.936_181),
        longitude: Some(2.357_444_12),
        label: Some("Mairie".to_owned()),
        url: None,
        live: false,
        period_s: None,
    };
    let parts = said(&message(Body::Location(place.clone())));
    assert_eq!(parts[0].content["geo_uri"], "geo:48.936181,2.3574441");
    assert_eq!(body(&parts[0]), "📍 Mairie\ngeo:48.936181,2.3574441");
    assert_eq!(parts[0].content["org.matrix.msc3488.location"]["description"], "Mairie");
    for nowhere in [None, Some(f64::NAN), Some(1e300)] {
        place.latitude = nowhere;
        let parts = said(&message(Body::Location(place.clone())));
        assert_eq!((msgtype(&parts[0]), body(&parts[0])), ("m.notice", "📍 Mairie"));
    }
}

#[test]
fn contacts_are_files_with_a_line() {
    let mut sent = ContactCard {
        name: "Paul / Durand".to_owned(),
        phone: Some("+33 6 12 34 56 78".to_owned()),
        vcard: Some(Attachment::new(MediaKind::Document, AttachmentState::Present)),
    };
    sent.vcard.as_mut().expect("a card").entry = Some("vcf".to_owned());
    let parts = said(&message(Body::Contact { cards: vec![sent.clone()] }));
    assert_eq!(msgtype(&parts[0]), "m.file");
    assert_eq!(body(&parts[0]), "👤 Contact\u{a0}: Paul / Durand\n+33 6 12 34 56 78");
    assert_eq!(parts[0].content["filename"], "Paul - Durand.vcf");
    sent.vcard = None;
    assert_eq!(msgtype(&said(&message(Body::Contact { cards: vec![sent] }))[0]), "m.notice");
}

fn option(text: &str, count: Option<u32>, people: &[&str]) -> PollOption {
    let voters = people.iter().map(|id| Vote { by: author(id), at: Some(at(NOON + 5_000)) });
    PollOption { text: text.to_owned(), votes: count, voters: voters.collect() }
}

fn poll(options: Vec<PollOption>) -> Poll {
    Poll {
        question: "Quand ?".to_owned(),
        options,
        multiple: Some(false),
        closed: Some(true),
        total_voters: None,
    }
}

#[test]
fn polls_are_polls_with_their_votes() {
    let options =
        vec![option("Lundi", Some(1), &["alice"]), option("Mardi", None, &["bob", "alice"])];
    let (parts, later, _) = convert(&message(Body::Poll(poll(options))), &Policy::default());
    assert_eq!(parts.len(), 1);
    let start: UnstablePollStartEventContent =
        serde_json::from_value(Value::Object(parts[0].content.clone())).expect("a poll");
    // Alice chose twice, so two must be allowed.
    assert_eq!(u64::from(start.poll_start().max_selections), 2);
    assert_eq!(later.len(), 3);
    assert_eq!(later[0].speaker, Speaker::Ghost(ParticipantId::new("alice")));
    assert_eq!(
        later[0].content["org.matrix.msc3381.poll.response"],
        json!({ "answers": ["1", "2"] })
    );
    assert_eq!(later[0].content["m.relates_to"]["event_id"], "$own0");
    assert_eq!(later[2].event_type, "org.matrix.msc3381.poll.end");
    assert!(later[2].at >= later[1].at);
}

#[test]
fn counts_are_said_and_impossible_polls_are_text() {
    let counted = vec![option("Lundi", Some(3), &[]), option("Mardi", Some(1), &["inconnu"])];
    let (parts, later, _) = convert(&message(Body::Poll(poll(counted))), &Policy::default());
    assert_eq!(
        body(&parts[1]),
        "📊 Résultats du sondage «\u{a0}Quand ?\u{a0}»\nLundi\u{a0}: 3 voix\n\
         Mardi\u{a0}: 1 voix (carnet inconnu)\nSondage terminé"
    );
    assert_eq!(later.len(), 1);
    let many = (0..25).map(|i| option(&format!("réponse {i}"), None, &[])).collect();
    let (parts, later, made) = convert(&message(Body::Poll(poll(many))), &Policy::default());
    assert_eq!(msgtype(&parts[0]), "m.notice");
    assert!(body(&parts[0]).contains("réponse 24"));
    assert!(later.is_empty() && !made.losses.is_empty());
}

#[test]
fn calls_deletions_and_unknown_things_are_notices() {
    let call = Call { video: true, missed: false, duration_s: Some(200), text: String::new() };
    let parts = said(&message(Body::Call(call)));
    assert_eq!(body(&parts[0]), "📹 Appel vidéo, 3\u{a0}min 20\u{a0}s");
    let parts = said(&message(Body::Deleted { text: "This message was deleted".to_owned() }));
    assert_eq!((msgtype(&parts[0]), body(&parts[0])), ("m.notice", "🗑️ Message supprimé"));
    assert_eq!(parts[0].speaker, Speaker::Ghost(ParticipantId::new("alice")));
    let mut unknown = message(Body::Unknown { text: "un jeu\0".to_owned() });
    unknown.sender = None;
    let parts = said(&unknown);
    assert_eq!(parts[0].speaker, Speaker::Bot);
    assert_eq!(body(&parts[0]), "un jeu\u{fffd}");
    let (_, _, made) = convert(&message(Body::Unknown { text: String::new() }), &Policy::default());
    assert!(!made.losses.is_empty());
}

fn system(kind: SystemKind, actor: Option<&str>, targets: &[&str], text: &str) -> Message {
    let mut line = message(Body::System(SystemEvent {
        kind,
        actor: actor.map(author),
        targets: targets.iter().map(|id| author(id)).collect(),
        text: text.to_owned(),
    }));
    line.sender = None;
    line
}

#[test]
fn the_bot_says_what_the_messenger_said() {
    for (line, words) in [
        (
            system(SystemKind::Added, Some("bob"), &["alice", "x"], "…"),
            "Bob a ajouté Alice <Roux> et carnet x",
        ),
        (
            system(SystemKind::Left, None, &["bob", "alice"], "…"),
            "Bob et Alice <Roux> ont quitté la discussion",
        ),
        (
            system(SystemKind::Renamed { title: Some("Cabinet".to_owned()) }, Some("bob"), &[], ""),
            "Bob a renommé la discussion en «\u{a0}Cabinet\u{a0}»",
        ),
        (system(SystemKind::Joined, None, &[], ""), "Quelqu’un a rejoint la discussion"),
        (system(SystemKind::Joined, None, &[], "Zoé joined"), "Zoé joined"),
        (system(SystemKind::Ephemeral, Some("bob"), &[], "Bob set 7 days"), "Bob set 7 days"),
        (
            system(SystemKind::Other, None, &[], ""),
            "Événement de la messagerie, sans texte dans l’export",
        ),
    ] {
        let parts = said(&line);
        assert_eq!((msgtype(&parts[0]), body(&parts[0])), ("m.notice", words));
        assert_eq!(parts[0].speaker, Speaker::Bot);
    }
    let silent = Policy { system_lines: SystemLines::None, ..Policy::default() };
    let (parts, _, made) = convert(&system(SystemKind::Pinned, None, &[], ""), &silent);
    assert!(parts.is_empty() && made.losses.len() == 1);
}

fn reaction(emoji: &str, by: Option<&str>, count: u32) -> Reaction {
    Reaction { emoji: emoji.to_owned(), by: by.map(author), at: None, count }
}

#[test]
fn reactions_are_real_or_counted() {
    let mut liked = message(media(vec![file(MediaKind::Voice, "ogg")], None));
    liked.reactions = vec![
        reaction("👍", Some("bob"), 1),
        reaction("👍", Some("bob"), 1),
        reaction("👍", Some("inconnu"), 1),
        reaction("👍", None, 4),
        reaction("❤️", None, 2),
    ];
    let (_, later, _) = convert(&liked, &Policy::default());
    assert_eq!(later.len(), 2);
    assert_eq!(later[0].speaker, Speaker::Ghost(ParticipantId::new("bob")));
    assert_eq!(
        later[0].content["m.relates_to"],
        json!({ "rel_type": "m.annotation", "event_id": "$own0", "key": "👍" })
    );
    assert_eq!(body(&later[1]), "Réactions\u{a0}: 👍 carnet inconnu (+\u{a0}4), ❤️ ×\u{a0}2");
    // The bot cannot react for several people.
    let (_, later, _) = convert(&liked, &bot());
    assert_eq!(later.len(), 1);
    assert!(body(&later[0]).contains("Bob"));
}

fn edited(history: &[&str]) -> Edited {
    let history = history.iter().enumerate().map(|(i, text)| Revision {
        text: Text::plain(*text),
        at: at(NOON + i64::try_from(i).expect("small") * 1_000),
    });
    Edited { at: Some(at(NOON + 60_000)), history: history.collect() }
}

#[test]
fn edits_are_real_where_the_past_is_known() {
    let mut changed = message(text("trois"));
    changed.edited = Some(edited(&["un", "deux"]));
    let (parts, later, _) = convert(&changed, &Policy::default());
    assert_eq!(body(&parts[0]), "un");
    assert_eq!(later.len(), 2);
    assert_eq!(later[1].content["m.new_content"]["body"], "trois");
    assert_eq!(later[1].content["body"], "* trois");
    assert_eq!(
        later[1].content["m.relates_to"],
        json!({ "rel_type": "m.replace", "event_id": "$own0" })
    );
    assert_eq!(later[1].at, UnixMillis(NOON + 60_000));
    changed.edited = Some(edited(&[]));
    let parts = said(&changed);
    assert_eq!(body(&parts[0]), "trois (modifié le 3\u{a0}mars 2024 à 14:06)");
    // A text that became too long cannot replace the short one.
    let mut grown = message(text(&"Long. ".repeat(20_000)));
    grown.edited = Some(edited(&["court"]));
    let (parts, later, _) = convert(&grown, &Policy::default());
    assert!(parts.len() > 1 && later.len() == 1);
    assert!(body(&later[0]).ends_with("court"));
}

#[test]
fn mentions_are_pills_that_notify_nobody() {
    let text = Text {
        plain: "vois @33612345678".to_owned(),
        markup: Markup::Whatsapp,
        spans: vec![crate::model::text::Span {
            start: 5,
            end: 17,
            style: crate::model::text::Style::Mention {
                participant: Some(ParticipantId::new("bob")),
            },
        }],
    };
    let parts = said(&message(Body::Text(text)));
    assert_eq!(body(&parts[0]), "vois @Bob");
    assert_eq!(
        parts[0].content["formatted_body"],
        "vois <a href=\"https://matrix.to/#/@bob:agent.example.org\">@Bob</a>"
    );
    assert_eq!(parts[0].content["m.mentions"], json!({}));
}

#[test]
fn every_finding_and_kind_has_words() {
    use FindingKind as K;
    let kinds = [
        K::Unreadable,
        K::UnknownKind,
        K::UnknownField,
        K::InvalidText,
        K::Truncated,
        K::Repaired,
        K::UnsafeEntry,
        K::DateOrderUncertain,
        K::ImpossibleTime,
        K::AmbiguousTime,
        K::ProbablyCut,
        K::BeginningMissing,
        K::NamesakesPossible,
        K::NameIsNumber,
        K::OtherChatsPresent,
        K::OrphanFiles,
        K::AttachmentMissing,
        K::AttachmentMismatch,
        K::Expired,
        K::ReplyTargetMissing,
        K::Conflict,
        K::OwnMessagesOnly,
        K::NotInFormat,
        K::NotCarried,
    ];
    for language in Language::ALL {
        let wording = crate::wording::Wording::new(language);
        for kind in kinds {
            let word = serde_json::to_value(kind).expect("a word");
            let id = format!("finding-{}", word.as_str().expect("text").replace('_', "-"));
            assert!(wording.has(&id), "{id} in {language:?}");
        }
    }
}

proptest! {

    /// Whatever a message holds: nothing panics, nothing disappears, every event is one.
    #[test]
    fn any_message_becomes_events(
        message in any_message::any_message(),
        by_bot in any::<bool>(),
        english in any::<bool>(),
        limit in prop_oneof![Just(0_usize), Just(5_000), Just(60_000)],
    ) {
        let policy = Policy {
            attribution: if by_bot { Attribution::BotWithPrefix } else { Attribution::Ghosts },
            language: if english { Language::English } else { Language::French },
            content_limit_bytes: limit,
            ..Policy::default()
        };
        convert(&message, &policy);
        prop_assert_eq!(
            parts(&message, &resolved(), &policy),
            parts(&message, &resolved(), &policy)
        );
    }
}

/// By hand: `cargo test --lib conversion_takes -- --ignored --nocapture`.
#[test]
#[ignore = "measures time"]
fn conversion_takes_microseconds() {
    let marked = |words: &str| Body::Text(Text::marked(words, Markup::Whatsapp));
    let mut answer = message(marked("d'accord pour *lundi*, à _dix_ heures"));
    answer.reply_to = Some(ReplyTo { id: Some(MessageId::new("m0")), author: None, quote: None });
    let messages = [
        message(marked("Bonjour à tous, la réunion est déplacée à demain.")),
        message(marked("oui")),
        message(marked("voir https://example.org/a_b_c et le point 3. merci")),
        message(media(vec![file(MediaKind::Photo, "jpg")], None)),
        message(media(vec![Attachment::new(MediaKind::Photo, AttachmentState::Omitted)], None)),
        answer,
        system(SystemKind::Added, Some("bob"), &["alice"], "Bob added Alice"),
    ];
    let policy = Policy::default();
    let resolved = resolved();
    for message in &messages {
        let started = std::time::Instant::now();
        for _ in 0..2_000 {
            std::hint::black_box(parts(message, &resolved, &policy));
        }
        println!("{:?} {:?}", started.elapsed() / 2_000, message.body.kind());
    }
}

/// Texts made to be slow: none may take more than a moment, even unoptimised.
#[test]
fn hostile_texts_take_linear_time() {
    let many = |piece: &str, n: usize| piece.repeat(n / 3);
    let texts = [
        Text::marked(many("*a* _b_ ~c~ ", 20_000), Markup::Whatsapp),
        Text::marked(many("*_~", 60_000), Markup::Whatsapp),
        Text::marked(many("```a``` ", 20_000), Markup::Whatsapp),
        Text::marked(many("` ", 90_000), Markup::Whatsapp),
        Text::marked(many("> a\n", 40_000), Markup::Whatsapp),
        Text::marked(many("https://a", 20_000), Markup::Whatsapp),
        Text::marked(many(">", 190_000), Markup::Markdown),
        Text::marked(many("- ", 90_000), Markup::Markdown),
        Text::marked(many("**a* ", 30_000), Markup::Markdown),
        Text::marked(many("[a](b) ", 20_000), Markup::Markdown),
        Text::marked(many("[", 190_000), Markup::Markdown),
        Text::marked(many("<a ", 60_000), Markup::Markdown),
        Text::marked(many("`a``b```c", 20_000), Markup::Markdown),
        Text::plain(many("e\u{301}", 100_000)),
        Text::plain(many("\u{1f1eb}", 50_000)),
        Text {
            plain: many("abcd", 10_000),
            spans: (0..6_000)
                .map(|i| crate::model::text::Span {
                    start: i,
                    end: 13_000 - i,
                    style: if i % 2 == 0 {
                        crate::model::text::Style::Quote
                    } else {
                        crate::model::text::Style::Bold
                    },
                })
                .collect(),
            ..Text::default()
        },
    ];
    for text in texts {
        let start: String = text.plain.chars().take(12).collect();
        let started = std::time::Instant::now();
        let made = parts(&message(Body::Text(text)), &resolved(), &Policy::default());
        let took = started.elapsed();
        println!("{took:?} {start:?} {}", made.parts.len());
        assert!(took.as_secs() < 10, "{start:?} took {took:?}");
        made.parts.iter().for_each(|part| check(part, &Policy::default()));
    }
}
