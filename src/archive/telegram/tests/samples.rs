//! Public samples, and exports of the generator kept beside them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Telegram, open, options, read, shared, survey};
use crate::archive::reader::{Confidence, Reader, Record};
use crate::model::finding::FindingKind;
use crate::model::message::{Body, Message};

fn corpus() -> Option<PathBuf> {
    let corpus = shared()?.join("corpora/telegram");
    corpus.is_dir().then_some(corpus)
}

fn all(path: &Path) -> (Vec<Message>, Vec<FindingKind>) {
    let container = open(path);
    let options = options("Europe/Paris");
    let survey = survey(&container, &options);
    let mut messages = Vec::new();
    let mut findings: Vec<_> = survey.findings.iter().map(|finding| finding.kind).collect();
    for chat in &survey.chats {
        for record in read(&container, &chat.id, &options) {
            match record {
                Record::Message(message) => messages.push(*message),
                Record::Finding(finding) => findings.push(finding.kind),
            }
        }
    }
    (messages, findings)
}

/// Counts of the generator's own files: chats, services and media.
#[test]
fn kept_exports_hold_what_is_expected() {
    let Some(corpus) = corpus() else { return };
    for case in fs::read_dir(corpus.join("generated")).unwrap() {
        let case = case.unwrap().path();
        let expected: Value =
            serde_json::from_slice(&fs::read(case.join("EXPECTED.json")).unwrap()).unwrap();
        let container = open(&case);
        let zone = expected["tz"].as_str().unwrap();
        let survey = survey(&container, &options(zone));
        let chats = expected["chats"].as_array().unwrap();
        if expected["stats"]["truncated"] == 1 {
            let cut = &survey.chats[0].finding_counts;
            assert_eq!(cut.get(&FindingKind::Truncated), Some(&1), "{case:?}");
            continue;
        }
        assert_eq!(survey.chats.len(), chats.len(), "{case:?}");
        for (chat, expected) in survey.chats.iter().zip(chats) {
            assert_eq!(chat.records, expected["messages"].as_u64().unwrap(), "{case:?}");
            assert_eq!(chat.title, expected["name"].as_str().unwrap_or_default(), "{case:?}");
            assert!(!chat.finding_counts.contains_key(&FindingKind::UnknownField), "{case:?}");
            assert!(!chat.finding_counts.contains_key(&FindingKind::Unreadable), "{case:?}");
        }
        let unsupported = expected["stats"]["unsupported"].as_u64().unwrap_or_default();
        let (records, messages) =
            survey.chats.iter().fold((0, 0), |(r, m), chat| (r + chat.records, m + chat.messages));
        assert_eq!(records - messages, unsupported, "{case:?}");
    }
}

#[test]
fn public_samples_are_read_to_the_end() {
    let Some(corpus) = corpus() else { return };
    // Folder or file, and how many messages it holds.
    for (sample, expected) in [
        ("tgif", 32),
        ("vorot93-telegram-export-sqlite/json_export", 4),
        ("vorot93-telegram-export-sqlite/voice_export", 1),
        ("vorot93-telegram-export-sqlite/basic_export", 8),
        ("frozenspider/telegram_2024-06_blockquote-collapsed", 1),
        ("frozenspider/telegram_2024-01_inline-bot-buttons", 5),
        ("frozenspider/telegram_2025-03_service-photo-size", 2),
        ("frozenspider/telegram_2021-06_supergroup", 4),
        ("frozenspider/telegram_2020-01", 50),
        ("mehrdad-telegram-export-parser/test_data.json", 7),
        ("innerdvations-telegram-chat-parser/bot.json", 2),
        ("innerdvations-telegram-chat-parser/users_test.json", 9),
        ("innerdvations-telegram-chat-parser/private_channel.json", 7),
        ("innerdvations-telegram-chat-parser/public_supergroup.json", 4),
        ("innerdvations-telegram-chat-parser/private_group.json", 2),
        ("innerdvations-telegram-chat-parser/saved.json", 21),
        ("innerdvations-telegram-chat-parser/error-unexpected.json", 16),
        ("innerdvations-telegram-chat-parser/personal.json", 0),
        ("chat-miner/test_single_export.json", 2),
        ("chat-miner/test_batch_export.json", 2),
    ] {
        let path = corpus.join(sample);
        assert!(Telegram.recognise(&open(&path)) > Confidence::No, "{sample}");
        let (messages, findings) = all(&path);
        assert_eq!(messages.len(), expected, "{sample}: {findings:?}");
        for message in &messages {
            assert!(message.sent_at.at.0 > 0, "{sample}: {message:?}");
            let empty = matches!(&message.body, Body::Unknown { text } if text.is_empty());
            assert!(
                !empty || findings.contains(&FindingKind::NotInFormat),
                "{sample}: {message:?}"
            );
        }
    }
}
