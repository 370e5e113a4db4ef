//! Whatever bytes come, nothing panics, and what is counted is what is read.

use std::fmt::Write as _;
use std::fs;

use proptest::prelude::*;

use super::{Telegram, open, options};
use crate::archive::reader::{Flow, Reader, Record};
use crate::archive::telegram::repair::repair;

const JSON: &str = include_str!(
    "../../../../tests/fixtures/archives/telegram/valid/json-personal/input/result.json"
);
const GROUP: &str = include_str!(
    "../../../../tests/fixtures/archives/telegram/valid/json-supergroup-topics/input/result.json"
);
const PAGE: &str = include_str!(
    "../../../../tests/fixtures/archives/telegram/valid/html-group/input/messages.html"
);

/// Reads bytes as an export of that name.
fn read(name: &str, bytes: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(name), bytes).unwrap();
    let container = open(dir.path());
    let options = options("Europe/Paris");
    let _ = Telegram.recognise(&container);
    let Ok(survey) = Telegram.survey(&container, &options) else { return };
    for chat in survey.chats {
        let mut messages = 0;
        let mut ids = std::collections::HashSet::new();
        Telegram
            .read(&container, &chat.id, &options, &mut |record| {
                if let Record::Message(message) = record {
                    messages += 1;
                    assert!(ids.insert(message.id.clone()), "{} twice", message.id);
                }
                Flow::Continue
            })
            .unwrap();
        assert_eq!(messages, chat.messages);
        assert!(chat.records >= messages);
    }
}

/// One wound: where, and what becomes of it.
fn wound(bytes: &mut Vec<u8>, at: usize, kind: u8, byte: u8) {
    let at = at % bytes.len().max(1);
    match kind % 4 {
        0 => bytes[at] = byte,
        1 => bytes.insert(at, byte),
        2 => drop(bytes.drain(at..(at + usize::from(byte)).min(bytes.len()))),
        _ => {
            let copy = bytes[at..(at + usize::from(byte)).min(bytes.len())].to_vec();
            bytes.splice(at..at, copy);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn wounded_exports(
        which in 0..3_usize,
        wounds in prop::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), 1..6),
    ) {
        let (name, source) = [("result.json", JSON), ("result.json", GROUP), ("messages.html", PAGE)][which];
        let mut bytes = source.as_bytes().to_vec();
        for (at, kind, byte) in wounds {
            wound(&mut bytes, at, kind, byte);
        }
        read(name, &bytes);
    }

    #[test]
    fn repairing_what_is_sound_changes_nothing(text in any::<String>()) {
        let json = serde_json::json!({ "id": 1, "text": text, "document_id": text }).to_string();
        // Escapes and quotes as they should be: only the parser's own form may differ.
        let (fixed, _) = repair(json.as_bytes());
        let value: serde_json::Value = serde_json::from_str(&fixed).unwrap();
        prop_assert_eq!(value["text"].as_str(), Some(text.as_str()));
    }

    #[test]
    fn escapes_of_the_exporter_are_read(text in "[\\x00-\\x1f\\x22\\x5ca-zé😀]{0,20}") {
        let mut written = String::from("{\"text\": \"");
        for c in text.chars() {
            match c {
                '\n' => written.push_str("\\n"),
                '\r' => written.push_str("\\r"),
                '\t' => written.push_str("\\t"),
                '"' => written.push_str("\\\""),
                '\\' => written.push_str("\\\\"),
                c if u32::from(c) < 32 => write!(written, "\\x{:02X}", u32::from(c)).unwrap(),
                c => written.push(c),
            }
        }
        written.push_str("\"}");
        let (fixed, _) = repair(written.as_bytes());
        let value: serde_json::Value = serde_json::from_str(&fixed).unwrap();
        prop_assert_eq!(value["text"].as_str(), Some(text.as_str()));
    }
}
