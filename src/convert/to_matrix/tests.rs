//! Every kind of message, read back through ruma's types.

mod any_message;
mod files;
mod polls;
mod support;

use proptest::prelude::*;
use ruma::events::poll::unstable_start::UnstablePollStartEventContent;
use ruma::events::room::MediaSource;
use ruma::events::room::message::{MessageType, RoomMessageEventContent};
use ruma::events::{AnyMessageLikeEventContent, AnySyncMessageLikeEvent, AnySyncTimelineEvent};
use ruma::html::{Html, SanitizerConfig};
use ruma::{OwnedEventId, OwnedUserId, event_id, mxc_uri, user_id};
use serde_json::{Value, json};

use self::support::*;
use super::*;
use crate::convert::{
    Attribution, MediaFacts, Person, Speaker, SystemLines, Upload, UploadedThumbnail,
};
use crate::model::author::Author;
use crate::model::finding::Place;
use crate::model::ids::{ChatId, MessageId, ParticipantId, Sha256, TopicId};
use crate::model::media::{Attachment, AttachmentState, MediaKind};
use crate::model::message::{
    Call, ContactCard, Edited, Forwarded, Location, Poll, PollOption, Reaction, ReplyTo, Revision,
    Vote,
};
use crate::model::system::{SystemEvent, SystemKind};
use crate::model::text::Markup;
use crate::model::time::{Precision, SentAt, UnixMillis, ZoneBasis};
use crate::wording::Language;

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
