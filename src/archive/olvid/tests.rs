//! The whole reader: exports written here by hand, and those of the generator with its truth.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::encoded::tests::encode;
use super::ids::DiscussionKind;
use super::*;
use crate::archive::container::{Access, Limits, Password};
use crate::archive::opened::Archive;
use crate::model::finding::{Finding, FindingKind};
use crate::model::media::{AttachmentState, MediaKind};
use crate::model::message::{Body, Message};
use crate::model::text::{Style, Text};
use crate::model::time::UnixMillis;

// --- written by hand -------------------------------------------------------------------------

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

fn stretch(discussion: &Value, sender: &[u8], thread: &str, messages: Value) -> Value {
    json!({"discussion": discussion, "sender": b64(sender), "threadId": thread, "messages": messages})
}

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

fn kinds(findings: &[Finding]) -> Vec<FindingKind> {
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
    assert_eq!(kinds(&findings), [FindingKind::OtherChatsPresent]);
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
    assert_eq!(kinds(&survey.findings), [FindingKind::UnknownField]);
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
    assert_eq!(survey.chats[0].finding_counts, BTreeMap::new());
    assert_eq!(kinds(&survey.findings), [FindingKind::OtherChatsPresent]);
    assert_eq!(laid.read(&group_chat()).0.len(), 1);
    // Read by itself, the other one is three records that are no messages.
    let (messages, findings) = laid.read(&direct_chat());
    assert!(messages.is_empty());
    assert_eq!(kinds(&findings)[..3], [FindingKind::Unreadable; 3]);
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
    use FindingKind as K;
    assert_eq!(
        kinds(&findings),
        [
            K::Unreadable,
            K::Unreadable,
            K::Unreadable,
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
    assert_eq!(kinds(&findings), [FindingKind::Expired; 2]);
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
    use AttachmentState::{Missing, Present};
    let states: Vec<_> = files.iter().map(|file| file.state).collect();
    // The second link preview is the same file, which was found good under its own name.
    assert_eq!(states[..7], [Present, Present, Missing, Missing, Missing, Missing, Present]);
    assert!(files.iter().all(|file| file.entry.is_some() == (file.state == Present)));
    assert_eq!(files[0].sniffed_mime.as_deref(), Some("image/png"));
    let media: Vec<_> = files.iter().map(|file| file.kind).collect();
    use MediaKind::{Document, LinkPreview, Photo, Video, Voice};
    assert_eq!(
        media,
        [Photo, Document, Voice, Document, Video, Document, LinkPreview, LinkPreview]
    );
    use FindingKind::{AttachmentMismatch, AttachmentMissing};
    assert_eq!(
        kinds(&findings),
        [AttachmentMissing, AttachmentMissing, AttachmentMismatch, AttachmentMismatch]
    );
    let survey = laid.open(Options::default()).survey().unwrap();
    assert_eq!(kinds(&survey.findings), [FindingKind::OrphanFiles]);
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
                Record::Finding(finding) => told |= finding.kind == FindingKind::Truncated,
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
    assert_eq!(archive.network(), Network::Olvid);
    assert_eq!(archive.survey().unwrap().format, "history export, Android, messages only");
    std::fs::write(&path, "{\"name\": \"autre\"}").unwrap();
    assert!(Archive::open(&path, Limits::default(), Options::default()).is_err());
}

const PASSWORD: &str = "ABcdEF-gh2346-789xyz";

fn read_all(archive: &Archive, chat: &ChatId) -> (Vec<Message>, Vec<Finding>) {
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

// --- against the generator -------------------------------------------------------------------

/// The shared folder of generators and samples, beside the repository or above a worktree.
fn shared() -> Option<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .skip(1)
        .map(|folder| folder.join("shared"))
        .find(|folder| folder.join("tools/gen_olvid.py").is_file())
}

fn python() -> String {
    std::env::var("PASSERELLE_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

fn has_pyzipper() -> bool {
    let probe = Command::new(python()).args(["-c", "import pyzipper"]).output();
    probe.is_ok_and(|output| output.status.success())
}

struct Generated {
    folder: TempDir,
    truth: Vec<Value>,
}

impl Generated {
    fn path(&self) -> PathBuf {
        self.folder.path().join("export.zip")
    }
}

fn generate(tools: &Path, arguments: &[&str]) -> Generated {
    let folder = tempfile::tempdir().unwrap();
    let truth = folder.path().join("truth.jsonl");
    let output = Command::new(python())
        .arg(tools.join("tools/gen_olvid.py"))
        .args(arguments)
        .arg("--out")
        .arg(folder.path().join("export.zip"))
        .arg("--truth")
        .arg(&truth)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let truth = std::fs::read_to_string(truth).unwrap();
    let truth = truth.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    Generated { folder, truth }
}

fn unhex(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn message_id(key: &Value) -> String {
    let line = ids::line(&unhex(&key[0]), key[1].as_str().unwrap());
    ids::message(&line, key[2].as_i64().unwrap()).to_string()
}

fn utf16(text: &str, byte: usize) -> usize {
    text[..byte].encode_utf16().count()
}

fn words(message: &Message) -> Option<&Text> {
    match &message.body {
        Body::Text(text) => Some(text),
        Body::Media { caption, .. } => caption.as_ref(),
        _ => None,
    }
}

/// A message in the words of the generator's truth.
fn retold(message: &Message) -> Value {
    let text = words(message);
    let attachments = message.body.attachments();
    let kind = match &message.body {
        Body::Poll(_) => "poll",
        Body::Location(_) => "location",
        _ if attachments.iter().any(|file| file.kind != MediaKind::LinkPreview) => "attachment",
        // No body and an empty body are told apart only by what the truth says.
        _ if text.is_none_or(|text| text.plain.is_empty()) => "empty",
        _ => "text",
    };
    let sender = message.sender.as_ref().unwrap();
    let hexid = |id: &crate::model::ids::ParticipantId| id.as_str().to_owned();
    let mentions: Vec<Value> = text
        .map(|text| {
            let mention = |span: &crate::model::text::Span| match &span.style {
                Style::Mention { participant } => json!({
                    "start_utf16": utf16(&text.plain, span.start),
                    "end_utf16": utf16(&text.plain, span.end),
                    "identity": participant.as_ref().map(hexid),
                }),
                other => panic!("{other:?}"),
            };
            text.spans.iter().map(mention).collect()
        })
        .unwrap_or_default();
    let mut told = json!({
        "id": message.id.as_str(),
        "sender": sender.id.as_str(),
        "sender_name": (!sender.name.is_empty()).then_some(&sender.name),
        "sent_at_ms": message.sent_at.at.0,
        "kind": kind,
        "mentions": mentions,
        "reply_to": message.reply_to.as_ref().and_then(|reply| reply.id.as_ref()).map(ToString::to_string),
        "reactions": message.reactions.iter().map(|reaction| json!({
            "emoji": reaction.emoji,
            "sender": reaction.by.as_ref().map(|by| hexid(&by.id)),
            "at_ms": reaction.at.as_ref().map(|at| at.at.0),
        })).collect::<Vec<_>>(),
        "edited": message.edited.is_some(),
        "forwarded": message.forwarded.is_some(),
        "expires_at_ms": message.expires_at.map(|at| at.0),
        "attachments": attachments.iter().map(|file| json!({
            "name": file.name,
            "mime": file.claimed_mime,
            "size": file.size_bytes,
            "sha256": file.sha256.map(|digest| digest.to_string()),
            "state": match file.state {
                AttachmentState::Present => "present",
                AttachmentState::Missing => "missing",
                AttachmentState::Omitted => "omitted",
                AttachmentState::TooLarge => "too large",
            },
        })).collect::<Vec<_>>(),
    });
    match &message.body {
        Body::Poll(poll) => {
            told["poll"] = json!({
                "question": poll.question,
                "multiple": poll.multiple,
                "candidates": poll.options.iter().map(|option| &option.text).collect::<Vec<_>>(),
                "votes": votes(poll.options.iter().enumerate().flat_map(|(at, option)| {
                    option.voters.iter().map(move |vote| {
                        (hexid(&vote.by.id), at, vote.at.as_ref().unwrap().at.0)
                    })
                })),
            });
        }
        Body::Location(place) => {
            told["location"] = json!({
                "latitude": place.latitude,
                "longitude": place.longitude,
                "address": place.label,
                "live": place.live,
                "period_s": place.period_s,
            });
            told["text"] = json!(place.url);
        }
        _ => told["text"] = json!(text.map(|text| &text.plain).filter(|text| !text.is_empty())),
    }
    told
}

fn votes(all: impl Iterator<Item = (String, usize, i64)>) -> Value {
    let mut all: Vec<_> = all.collect();
    all.sort();
    json!(all)
}

/// The truth about a message, as far as the model can hold it.
fn told(truth: &Value) -> Value {
    let id = |key: &Value| if key.is_null() { Value::Null } else { json!(message_id(key)) };
    let mut told = json!({
        "id": id(&truth["key"]),
        "reply_to": id(&truth["reply_to"]),
    });
    for field in [
        "sender",
        "sender_name",
        "sent_at_ms",
        "kind",
        "mentions",
        "reactions",
        "edited",
        "forwarded",
        "expires_at_ms",
        "attachments",
    ] {
        told[field] = truth[field].clone();
    }
    if let Value::Object(poll) = &truth["poll"] {
        let candidates = poll["candidates"].as_array().unwrap();
        let position = |uuid: &Value| candidates.iter().position(|c| c["uuid"] == *uuid).unwrap();
        told["poll"] = json!({
            "question": poll["question"],
            "multiple": poll["multiple"],
            "candidates": candidates.iter().map(|c| c["text"].as_str().unwrap_or_default())
                .collect::<Vec<_>>(),
            "votes": votes(poll["votes"].as_array().unwrap().iter().map(|vote| {
                let sender = vote["sender"].as_str().unwrap().to_owned();
                (sender, position(&vote["candidate"]), vote["at_ms"].as_i64().unwrap())
            })),
        });
    } else {
        told["text"] = match truth["text"].as_str() {
            Some("") | None => Value::Null,
            Some(text) => json!(text),
        };
    }
    if let Value::Object(place) = &truth["location"] {
        let period =
            place["ends_at_ms"].as_i64().map(|end| (end - place["ts_ms"].as_i64().unwrap()) / 1000);
        told["location"] = json!({
            "latitude": place["latitude"],
            "longitude": place["longitude"],
            "address": place["address"],
            "live": place["type"] != 1,
            "period_s": period,
        });
    }
    told
}

fn chat_of(truth: &Value, own: &[u8]) -> ChatId {
    let kind = DiscussionKind::of(truth["discussion_type"].as_i64().unwrap()).unwrap();
    ids::chat(kind, &unhex(&truth["discussion"]), own)
}

/// Reads every chat of an export and compares it with the truth, message by message.
fn compare(path: &Path, truth: &[Value], access: &Access) {
    let options = Options { hash_files: true, ..Options::default() };
    let archive = Archive::open(path, access.clone(), options).unwrap();
    let survey = archive.survey().unwrap();
    let own = hex::decode(survey.chats[0].exporter.as_ref().unwrap().as_str()).unwrap();
    let mut by_chat: BTreeMap<ChatId, Vec<&Value>> = BTreeMap::new();
    for message in truth {
        by_chat.entry(chat_of(message, &own)).or_default().push(message);
    }
    assert_eq!(survey.chats.iter().map(|chat| chat.messages).sum::<u64>(), truth.len() as u64);
    for chat in &survey.chats {
        let expected = by_chat.remove(&chat.id).unwrap_or_default();
        assert_eq!(chat.messages, expected.len() as u64);
        assert_eq!(chat.records, chat.messages);
        if let Some(first) = expected.first() {
            assert_eq!(chat.title, first["title"].as_str().unwrap_or_default());
            assert_eq!(chat.group, Some(first["discussion_type"] != 1));
        }
        let (messages, findings) = read_all(&archive, &chat.id);
        assert_eq!(messages.len(), expected.len());
        for (message, truth) in messages.iter().zip(&expected) {
            assert_eq!(retold(message), told(truth));
        }
        let count = |state| {
            let files = messages.iter().flat_map(|message| message.body.attachments());
            files.filter(|file| file.state == state).count() as u64
        };
        assert_eq!(chat.files.present, count(AttachmentState::Present));
        assert_eq!(chat.files.missing, count(AttachmentState::Missing));
        assert_eq!(chat.files.omitted, count(AttachmentState::Omitted));
        // What survey and reading notice about messages is the same.
        let mut counts = BTreeMap::new();
        for finding in &findings {
            *counts.entry(finding.kind).or_insert(0) += 1;
        }
        counts.remove(&FindingKind::OtherChatsPresent);
        assert_eq!(counts, chat.finding_counts);
    }
    assert!(by_chat.is_empty());
}

fn with_generator(test: impl Fn(&Path)) {
    match shared() {
        Some(tools) => test(&tools),
        None => println!("skipped: no folder ../shared with the generators"),
    }
}

#[test]
fn generated_exports_are_read_exactly() {
    with_generator(|tools| {
        for platform in ["android", "ios"] {
            for seed in ["1", "2", "3"] {
                let made = generate(tools, &["--platform", platform, "--seed", seed]);
                assert!(made.truth.len() > 150);
                compare(&made.path(), &made.truth, &Access::default());
                let made = generate(
                    tools,
                    &["--platform", platform, "--seed", seed, "--messages-only", "--exporter", "2"],
                );
                compare(&made.path(), &made.truth, &Access::default());
            }
        }
    });
}

#[test]
fn generated_exports_of_early_betas_and_aborted_ones() {
    with_generator(|tools| {
        let made = generate(tools, &["--no-contacts", "--seed", "4"]);
        compare(&made.path(), &made.truth, &Access::default());
        let made = generate(tools, &["--truncate", "--seed", "5"]);
        compare(&made.path(), &made.truth, &Access::default());
        let archive = Archive::open(&made.path(), Limits::default(), Options::default()).unwrap();
        let kinds: Vec<_> = archive.survey().unwrap().findings.iter().map(|f| f.kind).collect();
        assert!(kinds.contains(&FindingKind::Truncated));
    });
}

#[test]
fn generated_encrypted_exports_are_read_exactly() {
    with_generator(|tools| {
        if !has_pyzipper() {
            println!("skipped: this Python has no pyzipper");
            return;
        }
        let access = Access { limits: Limits::default(), password: Some(Password::new(PASSWORD)) };
        for platform in ["android", "ios"] {
            let made = generate(tools, &["--platform", platform, "--password", PASSWORD]);
            compare(&made.path(), &made.truth, &access);
        }
    });
}

#[test]
fn members_of_a_discussion_agree_on_its_ids() {
    with_generator(|tools| {
        let mut chats: BTreeMap<u64, ChatId> = BTreeMap::new();
        for (platform, exporter) in [("android", "0"), ("ios", "1"), ("android", "2")] {
            let made = generate(tools, &["--platform", platform, "--exporter", exporter]);
            compare(&made.path(), &made.truth, &Access::default());
            let archive =
                Archive::open(&made.path(), Limits::default(), Options::default()).unwrap();
            let survey = archive.survey().unwrap();
            let own = hex::decode(survey.chats[0].exporter.as_ref().unwrap().as_str()).unwrap();
            for message in &made.truth {
                let chat = chat_of(message, &own);
                let conversation = message["conversation"].as_u64().unwrap();
                assert_eq!(chats.entry(conversation).or_insert_with(|| chat.clone()), &chat);
            }
        }
        assert!(chats.len() > 6);
    });
}

#[test]
fn samples_are_read() {
    with_generator(|shared| {
        let password = Some(Password::new(PASSWORD));
        for entry in std::fs::read_dir(shared.join("corpora/olvid")).unwrap() {
            let path = entry.unwrap().path();
            let access = Access { limits: Limits::default(), password: password.clone() };
            let archive = Archive::open(&path, access, Options::default()).unwrap();
            let survey = archive.survey().unwrap();
            assert!(survey.chats.iter().map(|chat| chat.messages).sum::<u64>() > 0);
            for chat in &survey.chats {
                let (messages, _) = read_all(&archive, &chat.id);
                assert_eq!(messages.len() as u64, chat.messages);
            }
        }
    });
}
