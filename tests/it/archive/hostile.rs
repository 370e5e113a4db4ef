//! Whatever the bytes: no panic, no id twice, the same at every run, and the survey counts what
//! is read.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use passerelle::archive::{Archive, Limits, Options, Record};
use proptest::prelude::*;

use super::cases::{Reading, children, read};

/// Reads a folder if it can be read, and checks what always holds.
fn check(folder: &Path) -> Option<Reading> {
    let open = || Archive::open(folder, Limits::default(), Options::default()).ok();
    let archive = open()?;
    let reading = read(&archive).ok()?;
    assert_eq!(Some(&reading), open().and_then(|archive| read(&archive).ok()).as_ref());
    let mut ids = HashSet::new();
    let mut messages = 0;
    for record in &reading.records {
        if let Record::Message(message) = record {
            messages += 1;
            let id = (message.chat.clone(), message.id.clone());
            assert!(ids.insert(id), "{} comes twice", message.id);
            for span in message
                .body
                .words()
                .into_iter()
                .flat_map(|text| text.spans.iter().map(|span| (span, text.plain.as_str())))
            {
                let (span, plain) = span;
                assert!(plain.get(span.start..span.end).is_some(), "{span:?} in {plain:?}");
            }
        }
    }
    let counted: u64 = reading.survey.chats.iter().map(|chat| chat.messages).sum();
    assert_eq!(counted, messages);
    assert!(reading.survey.chats.iter().all(|chat| chat.records >= chat.messages));
    Some(reading)
}

fn check_file(name: &str, bytes: &[u8]) -> Option<Reading> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(name), bytes).unwrap();
    check(dir.path())
}

const CHAT: &str = "Discussion WhatsApp avec Équipe.txt";

/// Pieces that mean something to a WhatsApp reader, and some that only look so.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let texts = [
        "13/03/2026 10:02 - Marie: ",
        "13/03/2026 10:02 - ",
        "3/14/26, 9:07\u{202f}PM - Karim: ",
        "[13/03/2026 10:02:33] Marie: ",
        "\u{200e}[14/03/2026 23:59:59] Équipe: \u{200e}",
        "99/99/9999 99:99 - x: ",
        "29/03/2026 02:30 - Zoé: ",
        "25/10/2026 02:30 - Zoé: ",
        "[٢٢/٣/٢٠٢٢، ٢:٥٦:٠٠ م] x: ",
        "Marie a ajouté Karim",
        "<Médias omis>",
        "\u{200e}<pièce jointe : 1.jpg >",
        "IMG-20260313-WA0001.jpg (fichier joint)",
        "SONDAGE :\nOui ?\nOPTION : a (1 vote)\nOPTION : b (2 votes)",
        "localisation : https://maps.google.com/?q=48.85,2.35",
        "<Ce message a été modifié>",
        "@\u{2068}Ana\u{2069}",
        "null",
        ": ",
        " - ",
        "\u{202a}+33 6 39 98 00 00\u{202c}",
        "mot",
        "\n",
        "\r\n",
        "\r",
        "\0",
    ];
    prop_oneof![
        12 => prop::sample::select(texts.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(pieces in prop::collection::vec(piece(), 0..60)) {
        check_file(CHAT, &pieces.concat());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        check_file(CHAT, &bytes);
        check_file("_chat.txt", &bytes);
        check_file("export.zip", &bytes);
        check_file("discussions_and_messages.json", &bytes);
        check_file("passerelle.json", &bytes);
    }

    /// Golden exports with bytes changed, taken out and put in.
    #[test]
    fn damaged_exports_are_read_or_refused(
        which in any::<prop::sample::Index>(),
        wounds in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..6),
    ) {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/archives");
        let mut texts = Vec::new();
        for messenger in ["olvid", "passerelle", "whatsapp"] {
            for case in children(&fixtures.join(messenger).join("valid")) {
                texts.extend(children(&case.join("input")).into_iter().filter(|file| file.is_file()));
            }
        }
        let file = which.get(&texts);
        let mut bytes = fs::read(file).unwrap();
        for (at, byte, how) in wounds {
            let at = at.index(bytes.len().max(1));
            match how {
                0 if at < bytes.len() => bytes[at] = byte,
                1 if at < bytes.len() => drop(bytes.remove(at)),
                _ => bytes.insert(at.min(bytes.len()), byte),
            }
        }
        check_file(&file.file_name().unwrap().to_string_lossy(), &bytes);
    }

    /// The lines of a canonical chat, damaged: header and files stay whole.
    #[test]
    fn damaged_lines_of_a_merged_archive_cost_themselves_alone(
        at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let case = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures/archives/passerelle/valid/merged/input");
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("chats")).unwrap();
        fs::copy(case.join("passerelle.json"), dir.path().join("passerelle.json")).unwrap();
        let mut bytes = fs::read(case.join("chats/1.jsonl")).unwrap();
        let whole = bytes.split(|byte| *byte == b'\n').count() - 1;
        let at = at.index(bytes.len());
        bytes[at] = byte;
        fs::write(dir.path().join("chats/1.jsonl"), &bytes).unwrap();
        let reading = check(dir.path()).expect("one byte of one line");
        // A line that is no longer one is a finding; at most two have become one.
        prop_assert!(reading.records.len() + 1 >= whole);
    }

    /// A longer export gives the same ids to what the shorter one holds, and so does one whose
    /// beginning is cut at the turn of a minute.
    #[test]
    fn ids_survive_another_export(
        said in prop::collection::vec((0_u32..3, 0_usize..3, 0_usize..5, any::<bool>()), 12..80),
        cut in any::<prop::sample::Index>(),
        iphone in any::<bool>(),
    ) {
        let names = ["Marie Blanc", "Karim", "+33 6 39 98 00 01"];
        let words = ["ok", "d’accord", "voir 12/11 - note", "deux\nlignes", "ok ok"];
        let mut minute = 0;
        let lines: Vec<(u32, String)> = said
            .iter()
            .map(|(step, who, what, late)| {
                minute += step;
                let (hour, low) = (8 + minute / 60, minute % 60);
                let second = if *late { 40 } else { 20 };
                let text = if iphone {
                    format!("[13/03/2026 {hour:02}:{low:02}:{second}] {}: {}\r\n", names[*who], words[*what])
                } else {
                    format!("13/03/2026 {hour:02}:{low:02} - {}: {}\n", names[*who], words[*what])
                };
                (minute, text)
            })
            .collect();
        let ids = |lines: &[(u32, String)]| {
            let mut text = String::new();
            for (_, line) in lines {
                let _ = write!(text, "{line}");
            }
            let name = if iphone { "_chat.txt" } else { CHAT };
            let reading = check_file(name, text.as_bytes());
            let records = reading.map(|reading| reading.records).unwrap_or_default();
            let mut ids = Vec::new();
            for record in records {
                if let Record::Message(message) = record {
                    ids.push(message.id.to_string());
                }
            }
            ids
        };
        let whole = ids(&lines);
        prop_assert_eq!(whole.len(), lines.len());
        let at = cut.index(lines.len());
        let shorter = ids(&lines[..at]);
        if shorter.len() == at {
            prop_assert_eq!(&whole[..at], shorter.as_slice());
        }
        let turn = (at.max(1)..lines.len()).find(|at| lines[*at].0 != lines[*at - 1].0);
        if let Some(turn) = turn {
            let tail = ids(&lines[turn..]);
            if tail.len() == lines.len() - turn {
                prop_assert_eq!(&whole[turn..], tail.as_slice());
            }
        }
    }
}
