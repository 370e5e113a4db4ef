//! Damaged exports, cut ones, and those that hold less than they seem to.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::truth::{View, by_chat, compare};
use super::{Telegram, generate, open, options, read, shared, survey};
use crate::archive::container::{Container, Limits};
use crate::archive::reader::{Confidence, Flow, Options, Reader, Record};
use crate::model::finding::FindingKind;
use crate::model::ids::ChatId;

fn count(container: &Container, kind: FindingKind) -> u64 {
    let survey = survey(container, &options("Europe/Paris"));
    let in_chats = survey.chats.iter().map(|chat| chat.finding_counts.get(&kind).unwrap_or(&0));
    in_chats.sum::<u64>() + survey.findings.iter().filter(|f| f.kind == kind).count() as u64
}

#[test]
fn each_defect_of_the_exporter() {
    let Some(shared) = shared() else { return };
    let cases: [(&str, &str, Option<FindingKind>); 7] = [
        ("xescape", "4.13.0", Some(FindingKind::Repaired)),
        ("xescape", "6.7.3", Some(FindingKind::Repaired)),
        ("unquoted-emoji", "4.0.4", Some(FindingKind::Repaired)),
        ("unquoted-emoji,xescape", "4.1.1", Some(FindingKind::Repaired)),
        ("truncated", "6.7.3", Some(FindingKind::Truncated)),
        ("missing-files", "6.7.3", Some(FindingKind::AttachmentMissing)),
        ("bom,dup-ids", "6.7.3", Some(FindingKind::Conflict)),
    ];
    for (defects, version, expected) in cases {
        let args = [
            "--messages",
            "600",
            "--texts",
            "500",
            "--version",
            version,
            "--defects",
            defects,
            "--type",
            "private_group",
        ];
        let dir = generate(&shared, &args);
        let container = open(&dir.path().join("export"));
        if let Some(kind) = expected {
            assert!(count(&container, kind) > 0, "{defects}");
        }
        assert!(compare(dir.path(), "Europe/Paris", View::Json, defects) > 200, "{defects}");
    }
}

#[test]
fn accounts_are_cut_where_they_are_cut() {
    let Some(shared) = shared() else { return };
    let args = ["--kind", "full", "--messages", "900", "--texts", "300", "--defects", "truncated"];
    let dir = generate(&shared, &args);
    assert!(compare(dir.path(), "Europe/Paris", View::Json, "truncated account") > 20);
    assert_eq!(count(&open(&dir.path().join("export")), FindingKind::Truncated), 1);
}

/// Every prefix gives the same first messages, and no panic.
#[test]
fn every_prefix_reads_up_to_its_last_whole_message() {
    let Some(shared) = shared() else { return };
    for format in ["json", "html"] {
        let args = ["--messages", "60", "--texts", "60", "--media", "none", "--format", format];
        let dir = generate(&shared, &args);
        let export = dir.path().join("export");
        let name = if format == "json" { "result.json" } else { "messages.html" };
        let bytes = fs::read(export.join(name)).unwrap();
        let whole = messages(&export);
        let small = tempfile::tempdir().unwrap();
        for length in (1..bytes.len()).step_by(bytes.len() / 150 + 1) {
            fs::write(small.path().join(name), &bytes[..length]).unwrap();
            let container = open(small.path());
            if Telegram.recognise(&container) == Confidence::No {
                assert!(length < 2_000, "{format} {length}");
                continue;
            }
            let part = messages(small.path());
            assert!(part.len() <= whole.len());
            assert_eq!(part[..], whole[..part.len()], "{format} {length}");
        }
    }
}

fn messages(export: &Path) -> Vec<Record> {
    let container = open(export);
    let options = options("Europe/Paris");
    let Ok(survey) = Telegram.survey(&container, &options) else { return Vec::new() };
    let Some(chat) = survey.chats.first() else { return Vec::new() };
    let records = read(&container, &chat.id, &options);
    records.into_iter().filter(|record| matches!(record, Record::Message(_))).collect()
}

#[test]
fn own_messages_only_is_said() {
    let Some(shared) = shared() else { return };
    for format in ["json", "html"] {
        let args = [
            "--kind",
            "full",
            "--messages",
            "600",
            "--texts",
            "300",
            "--only-my",
            "--format",
            format,
        ];
        let dir = generate(&shared, &args);
        let container = open(&dir.path().join("export"));
        let survey = survey(&container, &options("Europe/Paris"));
        let truth = by_chat(&dir.path().join("truth.jsonl"));
        for (chat, rows) in survey.chats.iter().zip(&truth) {
            let kind = rows[0]["chat_type"].as_str().unwrap();
            let only = chat.finding_counts.contains_key(&FindingKind::OwnMessagesOnly);
            match kind {
                "private_group" | "private_supergroup" | "public_supergroup" => {
                    assert!(only || chat.messages == 0, "{format} {kind}");
                }
                "personal_chat" | "bot_chat" | "saved_messages" => {
                    assert!(!only, "{format} {kind}");
                }
                _ => {}
            }
        }
    }
}

#[test]
fn only_the_chosen_chat_is_read() {
    let Some(shared) = shared() else { return };
    let args = ["--kind", "full", "--messages", "300", "--texts", "100", "--format", "json"];
    let dir = generate(&shared, &args);
    let container = open(&dir.path().join("export"));
    let all = survey(&container, &options("Europe/Paris"));
    let third = &all.chats[2];
    let chosen = Options { only_chat: Some(third.id.clone()), ..options("Europe/Paris") };
    let one = survey(&container, &chosen);
    assert_eq!(one.chats.len(), 1);
    assert_eq!(one.chats[0], *third);
    assert!(one.findings.iter().any(|f| f.kind == FindingKind::OtherChatsPresent));
    assert!(all.chats[0].exporter.is_some());
    let nobody = ChatId::new("user1");
    let error = Telegram.read(&container, &nobody, &chosen, &mut |_| Flow::Continue);
    assert!(error.is_err());
}

/// The listener may stop anywhere.
#[test]
fn reading_stops_when_told() {
    let Some(shared) = shared() else { return };
    for format in ["json", "html", "both"] {
        let args = ["--messages", "50", "--texts", "50", "--format", format];
        let dir = generate(&shared, &args);
        let container = open(&dir.path().join("export"));
        let options = options("Europe/Paris");
        let chat = survey(&container, &options).chats[0].id.clone();
        for most in [1, 2, 20] {
            let mut seen = 0;
            Telegram
                .read(&container, &chat, &options, &mut |_| {
                    seen += 1;
                    if seen == most { Flow::Stop } else { Flow::Continue }
                })
                .unwrap();
            assert_eq!(seen, most);
        }
    }
}

/// The same from the folder and from a zip of it, whatever the folder is called in there.
#[test]
fn folder_and_zip_agree() {
    let Some(shared) = shared() else { return };
    let args = [
        "--kind",
        "full",
        "--messages",
        "150",
        "--texts",
        "100",
        "--format",
        "both",
        "--chats",
        "4",
    ];
    let dir = generate(&shared, &args);
    let folder = open(&dir.path().join("export"));
    let zip = dir.path().join("export.zip");
    let made = std::process::Command::new("python3")
        .args([
            "-c",
            "import shutil, sys; shutil.make_archive(sys.argv[1], 'zip', sys.argv[2], 'export')",
        ])
        .arg(dir.path().join("export"))
        .arg(dir.path())
        .status()
        .unwrap();
    assert!(made.success());
    let zip = Container::open(&zip, Limits::default()).unwrap();
    let options = Options { hash_files: true, ..options("Europe/Paris") };
    let (a, b) = (survey(&folder, &options), survey(&zip, &options));
    assert_eq!(a.chats.len(), b.chats.len());
    for (a, b) in a.chats.iter().zip(&b.chats) {
        assert_eq!((&a.id, a.messages, a.files), (&b.id, b.messages, b.files));
        let plain = |container: &Container| -> Vec<Value> {
            let records = read(container, &a.id, &options);
            let messages = records.iter().filter_map(|record| match record {
                Record::Message(message) => Some(serde_json::to_string(message).unwrap()),
                Record::Finding(_) => None,
            });
            messages
                .map(|text| serde_json::from_str(&text.replace("\"export/", "\"")).unwrap())
                .collect()
        };
        assert_eq!(plain(&folder), plain(&zip));
    }
}
