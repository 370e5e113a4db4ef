//! Messages, people and files to convert, and what every event must be.

use super::*;

pub(super) const NOON: i64 = 1_709_471_100_000; // 2024-03-03T13:05:00Z

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

pub(super) fn person(id: &ParticipantId) -> Option<Person> {
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

pub(super) fn event(id: &MessageId) -> Option<OwnedEventId> {
    matches!(id.as_str(), "m0" | "t1")
        .then(|| OwnedEventId::try_from(format!("${}", id.as_str())).expect("an event id"))
}

/// Files are named after what they are: `jpg`, `ogg`…; others are not uploaded.
pub(super) fn upload(entry: &str) -> Option<Upload> {
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

pub(super) fn resolved() -> Resolved<'static> {
    Resolved { person: &person, event: &event, upload: &upload }
}

pub(super) fn bot() -> Policy {
    Policy { attribution: Attribution::BotWithPrefix, ..Policy::default() }
}

/// What an event must be, whatever the message was.
pub(super) fn check(part: &Part, policy: &Policy) {
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

pub(super) fn check_value(value: &Value) {
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

pub(super) fn ids(count: usize) -> Vec<OwnedEventId> {
    (0..count).map(|i| OwnedEventId::try_from(format!("$own{i}")).expect("an id")).collect()
}

/// Both halves of a conversion, checked.
pub(super) fn convert(message: &Message, policy: &Policy) -> (Vec<Part>, Vec<Part>, Converted) {
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

pub(super) fn said(message: &Message) -> Vec<Part> {
    convert(message, &Policy::default()).0
}

pub(super) fn body(part: &Part) -> &str {
    part.content.get("body").and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn msgtype(part: &Part) -> &str {
    part.content.get("msgtype").and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn text(words: &str) -> Body {
    Body::Text(Text::plain(words))
}

pub(super) fn file(kind: MediaKind, entry: &str) -> Attachment {
    let mut attachment = Attachment::new(kind, AttachmentState::Present);
    attachment.entry = Some(entry.to_owned());
    attachment.name = Some(format!("IMG.{entry}"));
    attachment
}

pub(super) fn media(attachments: Vec<Attachment>, caption: Option<&str>) -> Body {
    Body::Media { attachments, caption: caption.map(Text::plain), view_once: false }
}
