//! WhatsApp's own words in every language it speaks: each row of the tables of facts is written
//! as an export would hold it, and must be read as what it is.
//!
//! Runs where the tables lie in a folder `shared` beside the repository.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use passerelle::archive::{Archive, Flow, Limits, Options, Record};
use passerelle::model::media::{AttachmentState, MediaKind};
use passerelle::model::message::{Body, Message};

type Rows = BTreeMap<String, Vec<(String, String)>>;

/// The tables' folder, beside the repository or beside the folder of its worktrees.
fn tables() -> Option<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .skip(1)
        .map(|folder| folder.join("shared/facts/whatsapp-locales"))
        .find(|folder| folder.is_dir())
}

/// Rows of a table by language: key and text.
fn rows(name: &str, language: usize) -> Option<Rows> {
    let folder = tables()?;
    let mut rows = Rows::new();
    let text = fs::read_to_string(folder.join(name)).unwrap();
    for line in text.lines().filter(|line| !line.starts_with('#')).skip(1) {
        let cells: Vec<&str> = line.splitn(3, '\t').collect();
        let [a, b, words] = cells.as_slice() else { panic!("{line}") };
        let (language, key) = if language == 0 { (a, b) } else { (b, a) };
        let words = unescape(words);
        rows.entry((*language).to_owned()).or_default().push(((*key).to_owned(), words));
    }
    Some(rows)
}

fn unescape(text: &str) -> String {
    let mut parts = text.split("\\u");
    let mut plain = parts.next().unwrap().to_owned();
    for part in parts {
        let (code, rest) = part.split_at(4);
        plain.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
        plain.push_str(rest);
    }
    plain.replace("\\n", "\n")
}

/// Puts names, titles and numbers into a template of either platform.
fn fill(template: &str, values: &[&str]) -> String {
    let mut filled = String::new();
    let mut rest = template;
    let mut next = 0;
    while let Some((before, after)) = rest.split_once('%') {
        filled.push_str(before);
        let number = after.chars().next().filter(char::is_ascii_digit);
        let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
        let after = after.strip_prefix('$').unwrap_or(after);
        let long = after.trim_start_matches('l');
        let (kind, after) = long.split_at(long.chars().next().map_or(0, char::len_utf8));
        let at = number.and_then(|n| n.to_digit(10)).map_or(next, |n| n as usize - 1);
        next += 1;
        match kind {
            "@" | "s" => filled.push_str(values.get(at).copied().unwrap_or("Zoé")),
            "u" | "d" | "i" => filled.push('7'),
            _ => filled.push('%'),
        }
        rest = after;
    }
    filled + rest
}

fn read(name: &str, text: &str) -> Vec<Message> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(name), text).unwrap();
    let archive = Archive::open(dir.path(), Limits::default(), Options::default()).unwrap();
    let mut messages = Vec::new();
    for chat in archive.survey().unwrap().chats {
        let mut keep = |record| {
            if let Record::Message(message) = record {
                messages.push(*message);
            }
            Flow::Continue
        };
        archive.read(&chat.id, &mut keep).unwrap();
    }
    messages
}

/// Some ordinary conversation, so that the form of the file and the people are known.
const AROUND: [(&str, &str); 6] = [
    ("Ana", "bonjour"),
    ("Zoé", "oui"),
    ("Ana", "d’accord"),
    ("Zoé", "à demain"),
    ("Ana", "très bien"),
    ("Zoé", "ok"),
];

/// Writes records, each with a sender or without, as an iPhone or an Android phone does, and
/// gives what became of them.
fn exported(iphone: bool, records: &[(Option<&str>, String)]) -> Vec<Message> {
    let mut text = String::new();
    let around = AROUND.iter().map(|(sender, words)| (Some(*sender), (*words).to_owned()));
    for (number, (sender, body)) in around.chain(records.iter().cloned()).enumerate() {
        let (hour, minute) = (8 + number / 60, number % 60);
        let sender = sender.map(|sender| format!("{sender}: ")).unwrap_or_default();
        if iphone {
            let _ = write!(text, "[13/03/2026 {hour:02}:{minute:02}:17] {sender}{body}\r\n");
        } else {
            let _ = writeln!(text, "13/03/2026 {hour:02}:{minute:02} - {sender}{body}");
        }
    }
    let name = if iphone { "_chat.txt" } else { "WhatsApp Chat with Équipe.txt" };
    let messages = read(name, &text);
    assert_eq!(messages.len(), AROUND.len() + records.len(), "{text}");
    messages[AROUND.len()..].to_vec()
}

fn holds_a_file(body: &Body, state: AttachmentState) -> bool {
    matches!(body, Body::Media { attachments, .. } if attachments[0].state == state)
}

fn is_call(body: &Body, video: bool) -> bool {
    matches!(body, Body::Call(call) if call.missed && call.video == video)
}

#[test]
fn what_iphones_write_in_every_language() {
    let Some(languages) = rows("ios_markers.tsv", 0) else {
        println!("skipped: no tables of facts beside the repository");
        return;
    };
    assert_eq!(languages.len(), 42);
    let mut wrong = Vec::new();
    for (language, rows) in &languages {
        let records: Vec<_> = rows
            .iter()
            .map(|(key, words)| {
                let words = words.replace("%@", "00000007-PHOTO-2026-03-13-10-00-01.jpg");
                let sender = if key == "e2e_notice" { "Équipe" } else { "Ana" };
                (Some(sender), words)
            })
            .collect();
        for ((key, words), message) in rows.iter().zip(exported(true, &records)) {
            let body = &message.body;
            let omitted = holds_a_file(body, AttachmentState::Omitted);
            let right = match key.as_str() {
                "attached" => {
                    holds_a_file(body, AttachmentState::Missing)
                        && body.attachments()[0].kind == MediaKind::Photo
                }
                "sticker_omitted" => matches!(body, Body::Sticker { .. }),
                "contact_omitted" => matches!(body, Body::Contact { .. }),
                "image_omitted" | "video_omitted" | "audio_omitted" | "gif_omitted"
                | "document_omitted" | "product_omitted" => omitted,
                "deleted" | "you_deleted" | "you_deleted_2" | "deleted_by_admin" => {
                    matches!(body, Body::Deleted { .. })
                }
                // Greek has the words for a video call here, too: WhatsApp's own slip.
                "missed_voice_2" if language.ends_with("EL") => is_call(body, true),
                "missed_voice_1" | "missed_voice_2" | "missed_group_voice" => is_call(body, false),
                "missed_video" | "missed_group_video" => is_call(body, true),
                "waiting_for_message" => matches!(body, Body::Unknown { .. }),
                "e2e_notice" => matches!(body, Body::System(_)) && message.sender.is_none(),
                other => panic!("the table has a new key {other}"),
            };
            if !right {
                wrong.push(format!("{language} {key} {words:?}: {body:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} rows\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_android_phones_write_in_every_language() {
    let Some(languages) = rows("android_markers.tsv", 0) else {
        println!("skipped: no tables of facts beside the repository");
        return;
    };
    assert!(languages.len() >= 60);
    let mut wrong = Vec::new();
    for (language, rows) in &languages {
        let in_exports =
            |key: &str| !matches!(key, "settings_security_info" | "email_conversation_subject");
        let rows: Vec<_> = rows.iter().filter(|(key, _)| in_exports(key)).collect();
        let records: Vec<_> = rows
            .iter()
            .map(|(key, words)| match key.as_str() {
                "email_file_attached" => (Some("Ana"), fill(words, &["IMG-20260313-WA0001.jpg"])),
                "email_location_message" => {
                    (Some("Ana"), fill(words, &["https://maps.google.com/?q=48.850,2.350"]))
                }
                "group_info_encrypted"
                | "group_encryption_state_change"
                | "identity_changed_name" => (None, fill(words, &["Zoé"])),
                _ => (Some("Ana"), words.clone()),
            })
            .collect();
        for ((key, words), message) in rows.iter().zip(exported(false, &records)) {
            let body = &message.body;
            let right = match key.as_str() {
                "email_file_attached" => holds_a_file(body, AttachmentState::Missing),
                "email_media_omitted" => holds_a_file(body, AttachmentState::Omitted),
                "email_location_message" => {
                    matches!(body, Body::Location(place) if place.latitude.is_some())
                }
                "email_live_location_message" => {
                    matches!(body, Body::Location(place) if place.live)
                }
                "revoked_msg_incoming" | "revoked_msg_outgoing" => {
                    matches!(body, Body::Deleted { .. })
                }
                "missed_voice_call" => is_call(body, false),
                "video_missed_call" => is_call(body, true),
                "group_info_encrypted"
                | "group_encryption_state_change"
                | "identity_changed_name" => {
                    matches!(body, Body::System(_)) && message.sender.is_none()
                }
                other => panic!("the table has a new key {other}"),
            };
            if !right {
                wrong.push(format!("{language} {key} {words:?}: {body:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} rows\n{}", wrong.len(), wrong.join("\n"));
}

/// What a line of the app is, by the name of its template; `None` where several are right.
fn event_of(key: &str) -> Option<&'static str> {
    [
        ("group_created", "created"),
        ("group_subject", "renamed"),
        ("joined_by_link", "joined"),
        ("changed_number", "number_changed"),
        ("promoted", "admin_changed"),
        ("demoted", "admin_changed"),
        ("_left_", "left"),
        ("removed", "removed"),
        ("added", "added"),
        ("group_description", "description_changed"),
    ]
    .into_iter()
    .find(|(part, _)| key.contains(part) && key != "group_icon_removed")
    .map(|(_, event)| event)
}

#[test]
fn lines_of_the_app_on_android() {
    let Some(languages) = rows("android_events.tsv", 0) else {
        println!("skipped: no tables of facts beside the repository");
        return;
    };
    assert_eq!(languages.len(), 12);
    let mut wrong = Vec::new();
    for (language, rows) in &languages {
        let records: Vec<_> =
            rows.iter().map(|(_, words)| (None, fill(words, &["Ana", "Zoé"]))).collect();
        for ((key, words), message) in rows.iter().zip(exported(false, &records)) {
            let json = serde_json::to_value(&message.body).unwrap();
            let is_line = json["kind"] == "system" && message.sender.is_none();
            let right = is_line && event_of(key).is_none_or(|event| json["event"] == event);
            if !right {
                wrong.push(format!("{language} {key} {words:?}: {json}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} rows\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn lines_of_the_app_on_iphones() {
    let Some(languages) = rows("ios_events.tsv", 1) else {
        println!("skipped: no tables of facts beside the repository");
        return;
    };
    assert_eq!(languages.len(), 12);
    let mut wrong = Vec::new();
    let mut count = 0;
    for (language, rows) in &languages {
        for with_title in [true, false] {
            let sender = with_title.then_some("Équipe");
            let records: Vec<_> =
                rows.iter().map(|(_, words)| (sender, fill(words, &["Ana", "Zoé"]))).collect();
            for ((key, words), message) in rows.iter().zip(exported(true, &records)) {
                count += 1;
                // Calls and deleted messages have templates here, too.
                let right =
                    matches!(message.body, Body::System(_) | Body::Call(_) | Body::Deleted { .. });
                if !right || (matches!(message.body, Body::System(_)) && message.sender.is_some()) {
                    wrong.push(format!("{language} {key} {words:?}: {:?}", message.body));
                }
            }
        }
    }
    assert!(count > 5_000, "{count}");
    assert!(wrong.is_empty(), "{} rows\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn names_of_exports_in_every_language() {
    let Some(folder) = tables() else {
        println!("skipped: no tables of facts beside the repository");
        return;
    };
    let text = fs::read_to_string(folder.join("android_filename_patterns.tsv")).unwrap();
    let mut count = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')).skip(1) {
        let (language, pattern) = line.split_once('\t').unwrap();
        let dir = tempfile::tempdir().unwrap();
        let stem = pattern.replace("{}", "Équipe Ω");
        for name in [format!("{stem}.txt"), format!("{stem} (2).txt")] {
            let path = dir.path().join(name);
            fs::write(&path, "13/03/2026 10:02 - Ana: x\n13/03/2026 10:03 - Zoé: y\n").unwrap();
            let archive = Archive::open(&path, Limits::default(), Options::default()).unwrap();
            let survey = archive.survey().unwrap();
            assert_eq!(survey.chats[0].title, "Équipe Ω", "{language}: {}", path.display());
        }
        count += 1;
    }
    assert!(count >= 60, "{count}");
}
