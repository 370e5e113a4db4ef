//! The whole reader against the generator of exports and its truth.
//!
//! Runs where the generator lies in a folder `shared` beside the repository.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::ids::DiscussionKind;
use super::tests::{read_all, words};
use super::*;
use crate::archive::container::{Access, Limits, Password};
use crate::archive::merge::{MergeSource, MergeWishes, Role, merge};
use crate::archive::opened::Archive;
use crate::model::finding::FindingKind;
use crate::model::media::{AttachmentState, MediaKind};
use crate::model::message::{Body, Message};
use crate::model::text::Style;

const PASSWORD: &str = "ABcdEF-gh2346-789xyz";

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

/// A message in the words of the generator's truth.
#[expect(clippy::wildcard_enum_match_arm, reason = "other kinds do not come from Olvid")]
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

/// Where a message stands in the order of all: time, sender, thread, number.
type Position = (i64, String, String, i64);

fn position(truth: &Value) -> Position {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let key = &truth["key"];
    let number = key[2].as_i64().unwrap();
    (truth["sent_at_ms"].as_i64().unwrap(), text(&key[0]), text(&key[1]), number)
}

/// What several members' truths say of one message together: files that any of them has, places
/// as live as any of them says. Names are a matter of people, not of messages.
fn together(known: &mut Value, other: &Value) {
    let files = other["attachments"].as_array().unwrap().iter().enumerate();
    for (at, _) in files.filter(|(_, file)| file["state"] == "present") {
        known["attachments"][at]["state"] = json!("present");
    }
    if other["location"]["live"] == true {
        known["location"] = other["location"].clone();
    }
}

/// Exports of three members, merged, against what the three truths say together.
fn merged_members(tools: &Path, platforms: [&str; 3], seed: &str, extra: &[&str]) {
    let password = Password::new(PASSWORD);
    let mut expected: BTreeMap<ChatId, BTreeMap<Position, Value>> = BTreeMap::new();
    let mut holders: BTreeMap<ChatId, usize> = BTreeMap::new();
    // The names that members have for each other.
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let (mut sources, mut exports) = (Vec::new(), Vec::new());
    for (exporter, platform) in platforms.into_iter().enumerate() {
        let exporter = exporter.to_string();
        let arguments = ["--platform", platform, "--seed", seed, "--exporter", &exporter];
        let made = generate(tools, &[&arguments[..], extra].concat());
        let access = Access { limits: Limits::default(), password: Some(password.clone()) };
        let archive = Archive::open(&made.path(), access, Options::default()).unwrap();
        let survey = archive.survey().unwrap();
        for chat in &survey.chats {
            *holders.entry(chat.id.clone()).or_default() += 1;
        }
        let own = hex::decode(survey.chats[0].exporter.as_ref().unwrap().as_str()).unwrap();
        for truth in &made.truth {
            let chat = expected.entry(chat_of(truth, &own)).or_default();
            let said = told(truth);
            if let (Some(sender), Some(name)) =
                (truth["sender"].as_str(), truth["sender_name"].as_str())
            {
                names.entry(sender.to_owned()).or_default().insert(name.to_owned());
            }
            chat.entry(position(truth)).and_modify(|known| together(known, &said)).or_insert(said);
        }
        sources.push(MergeSource { archive, role: Role::Merged });
        exports.push(made);
    }
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("merged");
    let merged = merge(&sources, &MergeWishes::default(), &output).unwrap();
    let archive = Archive::open(
        &output,
        Limits::default(),
        Options { hash_files: true, ..Options::default() },
    );
    let archive = archive.unwrap();
    let survey = archive.survey().unwrap();
    expected.retain(|chat, _| holders[chat] > 1);
    assert!(merged.chats.iter().any(|chat| chat.filled > 0 && chat.in_common > 0));
    for chat in &survey.chats {
        let expected = expected.remove(&chat.id).unwrap_or_default();
        let (messages, findings) = read_all(&archive, &chat.id);
        assert_eq!(messages.len(), expected.len(), "{seed} {}", chat.title);
        let mut shown: BTreeMap<String, Value> = BTreeMap::new();
        for (message, truth) in messages.iter().zip(expected.values()) {
            let mut found = retold(message);
            let name = std::mem::replace(&mut found["sender_name"], truth["sender_name"].clone());
            assert_eq!(&found, truth);
            // One name a person, which one of the members has for them, and none only if none has.
            let sender = truth["sender"].as_str().unwrap().to_owned();
            let known = names.get(&sender);
            assert!(name.as_str().is_none_or(|name| known.unwrap().contains(name)), "{name}");
            assert!(!name.is_null() || truth["sender_name"].is_null(), "{truth}");
            assert_eq!(shown.entry(sender).or_insert_with(|| name.clone()), &name);
        }
        assert_eq!(chat.records, messages.len() as u64);
        let contradictions: Vec<_> = findings
            .iter()
            .filter(|finding| finding.kind == FindingKind::Conflict && finding.message.is_some())
            .collect();
        assert!(contradictions.is_empty(), "{contradictions:?}");
    }
    // What no common chat holds stays out.
    assert!(expected.is_empty(), "{:?}", expected.keys());
    let dir = archive.container().entries().iter();
    let files = dir.filter(|entry| entry.name.starts_with("files/")).count() as u64;
    assert_eq!(files, merged.files);
}

#[test]
fn three_members_exports_merge_into_what_they_know_together() {
    with_generator(|tools| {
        for seed in ["1", "2", "3"] {
            merged_members(tools, ["android", "android", "android"], seed, &[]);
            merged_members(tools, ["ios", "ios", "ios"], seed, &[]);
            merged_members(tools, ["android", "ios", "android"], seed, &[]);
        }
        if has_pyzipper() {
            merged_members(tools, ["ios", "android", "ios"], "4", &["--password", PASSWORD]);
        }
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
