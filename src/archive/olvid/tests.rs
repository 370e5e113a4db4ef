//! The whole reader on exports written here by hand.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::encoded::tests::encode;
use super::ids::DiscussionKind;
use super::*;
use crate::archive::container::Limits;
use crate::archive::opened::Archive;
use crate::model::finding::Finding;
use crate::model::finding::FindingKind::{self as K, AttachmentMismatch, AttachmentMissing};
use crate::model::media::AttachmentState::{Missing, Present};
use crate::model::media::MediaKind::{Document, LinkPreview, Photo, Video, Voice};
use crate::model::message::{Body, Message};
use crate::model::text::Text;
use crate::model::time::UnixMillis;

pub(super) fn read_all(archive: &Archive, chat: &ChatId) -> (Vec<Message>, Vec<Finding>) {
    let (mut messages, mut findings) = (Vec::new(), Vec::new());
    archive
        .read(chat, &mut |record| {
            match record {
                Record::Message(message) => messages.push(*message),
                Record::Finding(finding) => findings.push(finding),
            }
            Flow::Continue
        })
        .unwrap();
    (messages, findings)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "other kinds do not come from Olvid")]
pub(super) fn words(message: &Message) -> Option<&Text> {
    match &message.body {
        Body::Text(text) => Some(text),
        Body::Media { caption, .. } => caption.as_ref(),
        _ => None,
    }
}

const OWN: &[u8] = b"own identity";
const ALICE: &[u8] = b"alice's identity";
const BOB: &[u8] = b"bob's identity";

fn b64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn group() -> Value {
    json!({"t": 2, "id": b64(b"owner and uid")})
}

fn direct() -> Value {
    json!({"t": 1, "id": b64(ALICE)})
}

#[expect(clippy::needless_pass_by_value, reason = "built on the spot by every caller")]
fn stretch(discussion: &Value, sender: &[u8], thread: &str, messages: Value) -> Value {
    json!({"discussion": discussion, "sender": b64(sender), "threadId": thread, "messages": messages})
}

#[expect(clippy::needless_pass_by_value, reason = "built on the spot by every caller")]
fn export(stretches: Value) -> Value {
    json!({
        "bytesOwnedIdentity": b64(OWN),
        "sha256s": {},
        "discussions": [
            {"discussion": group(), "title": "Groupe"},
            {"discussion": direct(), "title": "Alice"},
        ],
        "contacts": [{"contact": b64(ALICE), "displayName": "Alice A."}],
        "messages": stretches,
    })
}

fn group_chat() -> ChatId {
    ids::chat(DiscussionKind::GroupV1, b"owner and uid", OWN)
}

fn direct_chat() -> ChatId {
    ids::chat(DiscussionKind::OneToOne, ALICE, OWN)
}

/// An export laid out in a folder.
struct Laid(TempDir);

impl Laid {
    fn out(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("discussions_and_messages.json"), text).unwrap();
        Self(folder)
    }

    fn file(self, bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        self.file_as(&hex::encode(sha2::Sha256::digest(bytes)), bytes)
    }

    fn file_as(self, name: &str, bytes: &[u8]) -> Self {
        let files = self.0.path().join("files");
        std::fs::create_dir_all(&files).unwrap();
        std::fs::write(files.join(name), bytes).unwrap();
        self
    }

    fn open(&self, options: Options) -> Archive {
        Archive::open(self.0.path(), Limits::default(), options).unwrap()
    }

    fn read(&self, chat: &ChatId) -> (Vec<Message>, Vec<Finding>) {
        read_all(&self.open(Options { hash_files: true, ..Options::default() }), chat)
    }
}

fn plain(message: &Message) -> &str {
    words(message).map_or("", |text| &text.plain)
}

fn kinds(findings: &[Finding]) -> Vec<K> {
    findings.iter().map(|finding| finding.kind).collect()
}

fn attachment(bytes: &[u8], number: i64, mime: &str, name: &str) -> Value {
    use sha2::Digest as _;
    json!({
        "sha256": b64(&sha2::Sha256::digest(bytes)), "number": number, "size": bytes.len(),
        "mimeType": mime, "filename": name,
    })
}

#[test]
fn messages_come_in_order_of_time_across_senders_and_threads() {
    let text = export(json!([
        stretch(
            &group(),
            ALICE,
            "T2",
            json!([
                {"sequenceNumber": 1, "timestamp": 30, "body": "c"},
                {"sequenceNumber": 2, "timestamp": 10, "body": "a"},
            ])
        ),
        stretch(
            &direct(),
            ALICE,
            "t2",
            json!([{"sequenceNumber": 9, "timestamp": 1, "body": "x"}])
        ),
        stretch(
            &group(),
            OWN,
            "t1",
            json!([
                {"sequenceNumber": 7, "timestamp": 20, "body": "b", "status": 8},
                {"sequenceNumber": 8, "timestamp": 30, "body": "d"},
            ])
        ),
    ]));
    let laid = Laid::out(&text.to_string());
    let (messages, findings) = laid.read(&group_chat());
    assert_eq!(messages.iter().map(plain).collect::<Vec<_>>(), ["a", "b", "c", "d"]);
    assert_eq!(kinds(&findings), [K::OtherChatsPresent]);
    assert_eq!(messages[0].id, ids::message(&ids::line(ALICE, "t2"), 2));
    assert_eq!(messages[0].place.line, Some(2));
    assert_eq!(messages[1].sender.as_ref().unwrap().name, "");
    assert_eq!(messages[0].sender.as_ref().unwrap().name, "Alice A.");
    assert_eq!(laid.read(&direct_chat()).0.len(), 1);
}

#[test]
fn fields_may_stand_in_any_order() {
    let stretch = r#"{"messages":[{"timestamp":5,"body":"a\/b","sequenceNumber":1}],"threadId":"AB","sender":"SENDER","discussion":{"id":"GROUP","t":2}}"#
        .replace("SENDER", &b64(ALICE))
        .replace("GROUP", &b64(b"owner and uid"));
    let text = format!(
        r#"{{"messages":[{stretch},{stretch2}],"contacts":[],"later":{{"x":[1]}},"discussions":[],"sha256s":{{"AA==":3}},"bytesOwnedIdentity":"{own}"}}"#,
        stretch2 = stretch.replace("Number\":1", "Number\":2"),
        own = b64(OWN),
    );
    let laid = Laid::out(&text);
    let (messages, findings) = laid.read(&group_chat());
    assert_eq!(messages.iter().map(plain).collect::<Vec<_>>(), ["a/b", "a/b"]);
    assert!(findings.is_empty());
    let survey = laid.open(Options::default()).survey().unwrap();
    assert_eq!(survey.format, "history export, iOS");
    assert_eq!(kinds(&survey.findings), [K::UnknownField]);
    assert_eq!(survey.chats[0].messages, 2);
}

#[test]
fn only_the_chosen_discussion_is_looked_at() {
    let text = export(json!([
        stretch(&direct(), ALICE, "t", json!([{"private": [{"deep": "\"]"}]}, 7, "secret"])),
        stretch(&group(), BOB, "t", json!([{"sequenceNumber": 1, "timestamp": 1, "body": "ici"}])),
    ]));
    let laid = Laid::out(&text.to_string());
    let options = Options { only_chat: Some(group_chat()), ..Options::default() };
    let survey = laid.open(options).survey().unwrap();
    assert_eq!(survey.chats.len(), 1);
    assert_eq!(survey.chats[0].title, "Groupe");
    assert_eq!(survey.chats[0].finding_counts, BTreeMap::from([(K::OtherChatsPresent, 1)]));
    assert_eq!(kinds(&survey.chats[0].findings), [K::OtherChatsPresent]);
    assert_eq!(laid.read(&group_chat()).0.len(), 1);
    // Read by itself, the other one is three records that are no messages.
    let (messages, findings) = laid.read(&direct_chat());
    assert!(messages.is_empty());
    assert_eq!(kinds(&findings)[..3], [K::Unreadable; 3]);
    let survey = laid.open(Options::default()).survey().unwrap();
    assert_eq!((survey.chats[1].records, survey.chats[1].messages), (3, 0));
}

#[test]
fn an_unknown_chat_is_an_error() {
    let laid = Laid::out(&export(json!([])).to_string());
    let none = ChatId::new("none");
    let error = laid.open(Options::default()).read(&none, &mut |_| Flow::Continue).unwrap_err();
    assert!(matches!(error, ArchiveError::NoSuchChat { .. }), "{error}");
    let options = Options { only_chat: Some(none), ..Options::default() };
    let error = laid.open(options).survey().unwrap_err();
    assert!(matches!(error, ArchiveError::NoSuchChat { .. }), "{error}");
    assert_eq!(laid.read(&group_chat()).0.len(), 0);
}

#[test]
fn nothing_is_lost_without_a_word() {
    let text = export(json!([
        stretch(&group(), ALICE, "t", json!([
            {"sequenceNumber": 1, "timestamp": 1, "body": "un", "sparkle": true},
            {"sequenceNumber": 1, "timestamp": 2, "body": "doublet"},
            {"sequenceNumber": "trois", "timestamp": 3},
            {"sequenceNumber": 4, "timestamp": 4, "body": "@X", "mentions": [
                {"uid": b64(BOB), "rs": 0, "re": 2}, {"uid": b64(BOB), "rs": 1, "re": 9},
                {"uid": "?", "rs": 0, "re": 1}]},
            {"sequenceNumber": 5, "timestamp": 5, "poll": {"t": "date", "q": "?", "c": []},
             "pollVotes": [{"candidate": "x", "voted": true, "version": 1, "sender": b64(BOB)}]},
            {"sequenceNumber": 6, "timestamp": 6, "reply": {"ssn": 99, "sti": "t", "si": b64(BOB)}},
            {"sequenceNumber": 7, "timestamp": 7, "reply": {"ssn": 4, "sti": "T", "si": b64(ALICE)}},
            {"sequenceNumber": 8, "timestamp": 8, "location": {"t": 1, "lat": 95, "long": 2}},
        ])),
        {"sender": "?", "messages": [1, 2]},
        "what",
    ]));
    let laid = Laid::out(&text.to_string());
    let (messages, findings) = laid.read(&group_chat());
    assert_eq!(messages.len(), 6);
    assert_eq!(
        kinds(&findings),
        [
            K::Repaired,
            K::Unreadable,
            K::UnknownField,
            K::Repaired,
            K::Unreadable,
            K::UnknownKind,
            K::Unreadable,
            K::ReplyTargetMissing,
            K::Unreadable,
        ]
    );
    let survey = laid.open(Options::default()).survey().unwrap();
    assert_eq!((survey.chats[0].records, survey.chats[0].messages), (8, 6));
    let named: Vec<_> = survey.chats[0].participants.iter().map(|p| p.messages).collect();
    assert_eq!(named, [6, 0]);
    assert_eq!(kinds(&survey.findings), [K::Unreadable, K::Unreadable]);
}

#[test]
fn expired_messages_are_left_out_and_others_say_when() {
    let text = export(json!([stretch(
        &group(),
        ALICE,
        "t",
        json!([
            {"sequenceNumber": 1, "timestamp": 1_700_000_000_000i64, "expiration": 3600},
            {"sequenceNumber": 2, "timestamp": 1_700_000_000_001i64, "expiration": 1_900_000_000_000i64},
            {"sequenceNumber": 3, "timestamp": 1_700_000_000_002i64, "expiration": 1_700_000_000_003i64},
        ])
    )]));
    let laid = Laid::out(&text.to_string());
    let expired_before = Some(UnixMillis(1_750_000_000_000));
    let archive = laid.open(Options { expired_before, ..Options::default() });
    let (messages, findings) = read_all(&archive, &group_chat());
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].expires_at, Some(UnixMillis(1_900_000_000_000)));
    assert_eq!(kinds(&findings), [K::Expired; 2]);
    assert!(findings.iter().all(|finding| finding.message.is_some()));
    let chat = &archive.survey().unwrap().chats[0];
    assert_eq!((chat.records, chat.messages), (3, 1));
    assert_eq!(laid.read(&group_chat()).0[0].expires_at, Some(UnixMillis(1_700_003_600_000)));
}

#[test]
fn files_are_what_they_should_be_or_are_missing() {
    let good = b"\x89PNG\r\n\x1a\n....";
    let link = encode(4, &[encode(0, b"url"), encode(0, b"https://exemple.invalid/")].concat());
    let mut value = export(json!([stretch(
        &group(),
        ALICE,
        "t",
        json!([
            {"sequenceNumber": 1, "timestamp": 1, "attachments": [
                attachment(b"absent", 3, "text/plain", "absent.txt"),
                attachment(good, 0, "image/png", "a.png"),
                attachment(b"", 1, "text/plain", "vide.txt"),
                attachment(b"hollow", 2, "audio/x-m4a", "2026.olvidaudio.m4a"),
                attachment(b"changed", 4, "video/mp4", "c.mp4"),
                attachment(b"longer", 5, "", ""),
                attachment(&link, 6, "olvid/link-preview", "https://exemple.invalid/"),
                attachment(&link, 7, "olvid/link-preview", "https://ailleurs.invalid/"),
            ]},
        ])
    )]));
    value["sha256s"] = json!({"AA==": 1});
    let name = |bytes: &[u8]| {
        use sha2::Digest as _;
        hex::encode(sha2::Sha256::digest(bytes))
    };
    let laid = Laid::out(&value.to_string())
        .file(good)
        .file(b"")
        .file(&link)
        .file(b"read once")
        .file_as(&name(b"hollow"), b"")
        .file_as(&name(b"changed"), b"chanGed")
        .file_as(&name(b"longer"), b"longer still");
    let (messages, findings) = laid.read(&group_chat());
    let files = messages[0].body.attachments();
    let states: Vec<_> = files.iter().map(|file| file.state).collect();
    assert_eq!(states, [Present, Present, Missing, Missing, Missing, Missing, Present, Missing]);
    assert!(files.iter().all(|file| file.entry.is_some() == (file.state == Present)));
    assert_eq!(files[0].sniffed_mime.as_deref(), Some("image/png"));
    let media: Vec<_> = files.iter().map(|file| file.kind).collect();
    assert_eq!(
        media,
        [Photo, Document, Voice, Document, Video, Document, LinkPreview, LinkPreview]
    );
    assert_eq!(
        kinds(&findings),
        [
            AttachmentMissing,
            AttachmentMissing,
            AttachmentMismatch,
            AttachmentMismatch,
            AttachmentMismatch,
        ]
    );
    let survey = laid.open(Options::default()).survey().unwrap();
    assert_eq!(kinds(&survey.findings), [K::OrphanFiles]);
    assert_eq!(survey.findings[0].detail.split(' ').next(), Some("1"));
}

#[test]
fn every_prefix_gives_what_is_whole_and_says_so() {
    let text = export(json!([
        stretch(
            &group(),
            ALICE,
            "t",
            json!([
                {"sequenceNumber": 1, "timestamp": 1, "body": "é\n\"\\", "edited": true},
                {"sequenceNumber": 2, "timestamp": 2, "body": "deux"},
            ])
        ),
        stretch(
            &group(),
            BOB,
            "t",
            json!([{"sequenceNumber": 1, "timestamp": 3, "body": "trois"}])
        ),
    ]))
    .to_string();
    // serde_json sorts keys, so the messages stand before the header's last fields.
    let whole = Laid::out(&text).read(&group_chat()).0;
    for length in (0..text.len()).filter(|length| text.is_char_boundary(*length)) {
        let laid = Laid::out(&text[..length]);
        let Ok(archive) = Archive::open(laid.0.path(), Limits::default(), Options::default())
        else {
            continue;
        };
        let _ = archive.survey();
        let mut messages = Vec::new();
        let mut told = false;
        let outcome = archive.read(&group_chat(), &mut |record| {
            match record {
                Record::Message(message) => messages.push(*message),
                Record::Finding(finding) => told |= finding.kind == K::Truncated,
            }
            Flow::Continue
        });
        if outcome.is_ok() {
            assert!(told);
            assert!(messages.iter().all(|message| whole.iter().any(|full| full.id == message.id)));
        }
    }
}

#[test]
fn a_sink_that_stops_is_heeded() {
    let text = export(json!([stretch(
        &group(),
        ALICE,
        "t",
        json!([
            3, {"sequenceNumber": 1, "timestamp": 1}, {"sequenceNumber": 2, "timestamp": 2},
        ])
    ),]));
    let laid = Laid::out(&text.to_string());
    for stop_after in 1..=3 {
        let mut seen = 0;
        let archive = laid.open(Options::default());
        let outcome = archive.read(&group_chat(), &mut |_| {
            seen += 1;
            if seen == stop_after { Flow::Stop } else { Flow::Continue }
        });
        assert!(outcome.is_ok());
        assert_eq!(seen, stop_after);
    }
}

#[test]
fn a_renamed_json_file_is_still_known() {
    let text = export(json!([stretch(&group(), ALICE, "t", json!([]))])).to_string();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export olvid.json");
    std::fs::write(&path, text).unwrap();
    let archive = Archive::open(&path, Limits::default(), Options::default()).unwrap();
    let survey = archive.survey().unwrap();
    assert_eq!(survey.network, crate::model::ids::Network::Olvid);
    assert_eq!(survey.format, "history export, Android, messages only");
    std::fs::write(&path, "{\"name\": \"autre\"}").unwrap();
    assert!(Archive::open(&path, Limits::default(), Options::default()).is_err());
}
