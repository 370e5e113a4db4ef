//! What goes out comes back, but for what is listed here.

use proptest::prelude::*;
use ruma::{mxc_uri, owned_user_id};
use serde_json::json;

use super::*;
use crate::convert::{MediaFacts, Part, Person, Policy, Resolved, Upload};
use crate::model::author::Author;
use crate::model::finding::Place;
use crate::model::ids::{ChatId, MessageId, Sha256};
use crate::model::message::{Message, Reaction, ReplyTo};
use crate::model::text::{Span, Style};
use crate::model::time::{Precision, SentAt, UnixMillis, ZoneBasis};

fn nobody(user: &UserId) -> Option<ParticipantId> {
    (user == "@bob:agent.example.org").then(|| ParticipantId::new("bob"))
}

fn read(event_type: &str, content: Value) -> Written {
    let Value::Object(content) = content else { panic!("no object") };
    written(event_type, &content, &nobody).expect("written")
}

fn said(content: Value) -> NewMessage {
    let Written::Message(message) = read("m.room.message", content) else { panic!("no message") };
    *message
}

fn html(formatted: &str) -> Text {
    let content = json!({
        "msgtype": "m.text", "body": "x",
        "format": "org.matrix.custom.html", "formatted_body": formatted,
    });
    let Body::Text(text) = said(content).body else { panic!("no text") };
    text
}

fn span(start: usize, end: usize, style: Style) -> Span {
    Span { start, end, style }
}

#[test]
fn what_clients_write() {
    let text =
        html("<p>un <strong>mot</strong></p>\n<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n<p>fin</p>");
    assert_eq!(text.plain, "un mot\n- a\n- b\nfin");
    assert_eq!(text.spans, [span(3, 6, Style::Bold)]);
    let text = html("<mx-reply><blockquote>avant</blockquote></mx-reply>oui<br><code>a</code>");
    assert_eq!((text.plain.as_str(), text.spans.len()), ("oui\na", 1));
    let text = html("<a href=\"https://matrix.to/#/@bob:agent.example.org\">Bob</a> vois");
    let participant = Some(ParticipantId::new("bob"));
    assert_eq!(text.spans, [span(0, 3, Style::Mention { participant })]);
    let text = html("<pre><code class=\"language-rust\">fn a() {\n}\n</code></pre>");
    assert_eq!(text.plain, "fn a() {\n}");
    assert_eq!(text.spans, [span(0, 10, Style::Pre { language: Some("rust".to_owned()) })]);
    // Too many tags to be a message: the plain body speaks.
    assert_eq!(html(&"<b>".repeat(20_000)).plain, "x");
}

#[test]
fn markdown_for_olvid() {
    let text = html(
        "<blockquote>un<br>deux</blockquote><b>a <i>b</i></b> <a href=\"https://e.org\">c</a>",
    );
    assert_eq!(markdown(&text), "> un\n> deux\n**a *b*** c (https://e.org)");
}

#[test]
fn relations() {
    let edit = read(
        "m.room.message",
        json!({
            "msgtype": "m.text", "body": "* b", "m.new_content": { "msgtype": "m.text", "body": "b" },
            "m.relates_to": { "rel_type": "m.replace", "event_id": "$a" },
        }),
    );
    assert!(matches!(edit, Written::Edit { of, text } if of == "$a" && text.plain == "b"));
    let answer = said(json!({
        "msgtype": "m.text", "body": "> <@a:b> x\n> y\n\noui",
        "m.relates_to": { "m.in_reply_to": { "event_id": "$a" } },
    }));
    assert_eq!(answer.reply_to.as_deref().map(ruma::EventId::as_str), Some("$a"));
    assert_eq!(answer.body, Body::Text(Text::plain("oui")));
    let threaded = said(json!({
        "msgtype": "m.notice", "body": "oui",
        "m.relates_to": { "rel_type": "m.thread", "event_id": "$t", "is_falling_back": true,
            "m.in_reply_to": { "event_id": "$a" } },
    }));
    assert_eq!((threaded.reply_to, threaded.by), (None, Tone::Program));
    assert!(threaded.thread.is_some());
    let gone = read("m.room.redaction", json!({ "redacts": "$a" }));
    assert!(matches!(gone, Written::Deletion { of } if of == "$a"));
    let invalid = Map::new();
    assert!(matches!(
        written("m.room.message", &invalid, &nobody),
        Err(WrittenError::Invalid { .. })
    ));
    assert!(matches!(written("m.odd", &invalid, &nobody), Err(WrittenError::OtherType(_))));
}

fn message(body: Body) -> Message {
    let sent_at = SentAt {
        at: UnixMillis(1_000),
        precision: Precision::Second,
        zone: ZoneBasis::Stated,
        local: None,
    };
    Message {
        id: MessageId::new("m1"),
        chat: ChatId::new("c1"),
        sender: Some(Author { id: ParticipantId::new("bob"), name: "Bob".to_owned() }),
        sent_at,
        body,
        reply_to: None,
        forwarded: None,
        topic: None,
        edited: None,
        reactions: Vec::new(),
        expires_at: None,
        place: Place::default(),
    }
}

fn sent(message: &Message) -> Vec<Part> {
    let resolved = Resolved {
        person: &|_| {
            Some(Person {
                ghost: owned_user_id!("@_p_bob:example.org"),
                name: "Bob".to_owned(),
                account: Some(owned_user_id!("@bob:agent.example.org")),
            })
        },
        event: &|id| OwnedEventId::try_from(format!("${}", id.as_str())).ok(),
        upload: &|entry| {
            Some(Upload {
                source: MediaSource::Plain(mxc_uri!("mxc://example.org/a").to_owned()),
                facts: MediaFacts {
                    mime: entry.to_owned(),
                    size_bytes: 10,
                    sha256: Sha256::from_bytes([0; 32]),
                    width: None,
                    height: None,
                    duration_ms: Some(3),
                    blurhash: None,
                    waveform: None,
                    thumbnail: None,
                    animated: None,
                },
                thumbnail: None,
            })
        },
    };
    let first = OwnedEventId::try_from("$own").expect("an id");
    let own = [first.clone()];
    let policy = Policy::default();
    let mut made = crate::convert::parts(message, &resolved, &policy).parts;
    made.extend(crate::convert::followups(message, &first, &own, &resolved, &policy).parts);
    made
}

fn back(part: &Part) -> Written {
    written(&part.event_type, &part.content, &nobody).expect("written")
}

fn body_back(body: Body) -> Body {
    let Written::Message(message) = back(&sent(&message(body))[0]) else { panic!("no message") };
    message.body
}

#[test]
fn texts_come_back_whole() {
    let text = Text {
        plain: "un gras, du code et @Bob\ncité\nlet a = 1;\nfin".to_owned(),
        spans: vec![
            span(3, 7, Style::Bold),
            span(12, 16, Style::Code),
            span(20, 24, Style::Mention { participant: Some(ParticipantId::new("bob")) }),
            span(25, 30, Style::Quote),
            span(31, 41, Style::Pre { language: Some("rust".to_owned()) }),
        ],
        ..Text::default()
    };
    assert_eq!(body_back(Body::Text(text.clone())), Body::Text(text));
}

/// What Matrix events do not carry: kinds of files beyond four, what the source said of a
/// file's state, digests and previews, a poll's counts, a place's link and liveness.
#[test]
fn other_kinds_come_back_but_for_what_is_listed() {
    for (kind, mime, as_kind) in [
        (MediaKind::Photo, "image/png", MediaKind::Photo),
        (MediaKind::Video, "video/mp4", MediaKind::Video),
        (MediaKind::Gif, "video/mp4", MediaKind::Video),
        (MediaKind::VideoNote, "video/mp4", MediaKind::Video),
        (MediaKind::Voice, "audio/ogg", MediaKind::Voice),
        (MediaKind::Audio, "audio/ogg", MediaKind::Audio),
        (MediaKind::Document, "application/pdf", MediaKind::Document),
    ] {
        let mut file = Attachment::new(kind, AttachmentState::Present);
        (file.entry, file.name) = (Some(mime.to_owned()), Some("a.bin".to_owned()));
        let caption = (kind != MediaKind::Voice).then(|| Text::plain("légende"));
        let media =
            Body::Media { attachments: vec![file], caption: caption.clone(), view_once: false };
        let Body::Media { attachments, caption: again, .. } = body_back(media) else {
            panic!("no file");
        };
        assert_eq!(again, caption);
        assert_eq!((attachments[0].kind, attachments[0].name.as_deref()), (as_kind, Some("a.bin")));
        assert_eq!(attachments[0].claimed_mime.as_deref(), Some(mime));
        assert_eq!(attachments[0].entry.as_deref(), Some("mxc://example.org/a"));
    }
    let place = Location {
        latitude: Some(48.5),
        longitude: Some(-2.25),
        label: Some("Mairie".to_owned()),
        url: None,
        live: false,
        period_s: None,
    };
    assert_eq!(body_back(Body::Location(place.clone())), Body::Location(place));
    let option = |text: &str| PollOption { text: text.to_owned(), votes: None, voters: Vec::new() };
    let poll = Poll {
        question: "Quand ?".to_owned(),
        options: vec![option("lundi"), option("mardi")],
        multiple: Some(true),
        closed: None,
        total_voters: None,
    };
    assert_eq!(body_back(Body::Poll(poll.clone())), Body::Poll(poll));
}

#[test]
fn replies_and_reactions_come_back() {
    let mut answer = message(Body::Text(Text::plain("oui")));
    answer.reply_to = Some(ReplyTo { id: Some(MessageId::new("m0")), author: None, quote: None });
    let by = answer.sender.clone();
    answer.reactions = vec![Reaction { emoji: "👍".to_owned(), by, at: None, count: 1 }];
    let parts = sent(&answer);
    assert!(matches!(back(&parts[0]), Written::Message(m) if m.reply_to.is_some()));
    assert!(
        matches!(back(&parts[1]), Written::Reaction { to, emoji } if to == "$own" && emoji == "👍")
    );
}

proptest! {

    /// Any HTML is read without harm, and its ranges fit its text.
    #[test]
    fn any_html_is_read(markup in "(<(b|i|pre|code|ul|ol|li|p|br|blockquote|a href='x'|/b|/pre|/ul|/li|/p|mx-reply)>|[a é\n&;<>\"]){0,40}") {
        let text = html(&markup);
        for span in &text.spans {
            prop_assert!(text.plain.get(span.start..span.end).is_some());
        }
        markdown(&text);
    }

    /// A text with one style comes back as it was, if HTML can hold its blanks.
    #[test]
    fn styled_words_come_back(words in "[a-zé<>&\"'](\n?[a-zé<>&\"' ]?[a-zé<>&\"']){0,20}", cut in 1_usize..20) {
        let end = words.char_indices().nth(cut).map_or(words.len(), |(at, _)| at);
        let text = Text {
            spans: vec![span(0, end, Style::Italic)],
            plain: words,
            ..Text::default()
        };
        prop_assert_eq!(body_back(Body::Text(text.clone())), Body::Text(text));
    }
}
