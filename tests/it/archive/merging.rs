//! Several WhatsApp exports of one chat become one archive. (Olvid's are merged by the reader's
//! own tests, against the generator's truth.)

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use jiff::tz::TimeZone;
use passerelle::archive::{
    Archive, Flow, KnownIds, Limits, MergeSource, MergeWishes, Merged, Options, Record, Role, merge,
};
use passerelle::model::finding::{Finding, FindingKind};
use passerelle::model::ids::MessageId;
use passerelle::model::media::AttachmentState;
use passerelle::model::message::{Body, Message};

use super::whatsapp_truth::{generator, profiles};

const NOTICE: &str = "Les messages et les appels sont chiffrés de bout en bout.";
const ANDROID: &str = "Discussion WhatsApp avec Équipe.txt";

struct Outcome {
    merged: Merged,
    messages: Vec<Message>,
    findings: Vec<Finding>,
}

impl Outcome {
    fn words(&self) -> Vec<&str> {
        let words = self.messages.iter().filter_map(|message| message.body.words());
        words.map(|text| text.plain.as_str()).collect()
    }

    fn senders(&self) -> Vec<&str> {
        let senders = self.messages.iter().filter_map(|message| message.sender.as_ref());
        senders.map(|sender| sender.name.as_str()).collect()
    }

    fn conflicts(&self) -> usize {
        self.findings.iter().filter(|finding| finding.kind == FindingKind::Conflict).count()
    }
}

fn open(path: &Path) -> Archive {
    Archive::open(path, Limits::default(), Options::default()).unwrap()
}

fn records_of(archive: &Archive) -> (Vec<Message>, Vec<Finding>) {
    let (mut messages, mut findings) = (Vec::new(), Vec::new());
    for chat in archive.survey().unwrap().chats {
        let mut take = |record| {
            match record {
                Record::Message(message) => messages.push(*message),
                Record::Finding(finding) => findings.push(finding),
            }
            Flow::Continue
        };
        archive.read(&chat.id, &mut take).unwrap();
    }
    (messages, findings)
}

/// Merges exports, each a list of files with their content.
fn merge_all(exports: &[(Role, &[(&str, &str)])], wishes: &MergeWishes) -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    let mut sources = Vec::new();
    for (number, (role, files)) in exports.iter().enumerate() {
        let folder = dir.path().join(number.to_string());
        fs::create_dir(&folder).unwrap();
        for (name, content) in *files {
            fs::write(folder.join(name), content).unwrap();
        }
        sources.push(MergeSource { archive: open(&folder), role: *role });
    }
    let output = dir.path().join("merged");
    let merged = merge(&sources, wishes, &output).unwrap();
    // Nothing else is left behind.
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), exports.len() + 1);
    let archive = open(&output);
    let (messages, findings) = records_of(&archive);
    let survey = archive.survey().unwrap();
    assert_eq!(survey.chats[0].records, messages.len() as u64);
    let written: u64 = merged.chats.iter().map(|chat| chat.written).sum();
    assert_eq!(written, messages.len() as u64);
    // A merged archive merged alone is the same once more.
    let again = dir.path().join("again");
    let alone = [MergeSource { archive, role: Role::Merged }];
    let chats = survey.chats.iter().map(|chat| chat.id.clone()).collect();
    merge(&alone, &MergeWishes { chats, ..MergeWishes::default() }, &again).unwrap();
    let (again, _) = records_of(&open(&again));
    let whole = |message: &Message| {
        let mut message = message.clone();
        message.place = passerelle::model::finding::Place::default();
        message
    };
    assert!(again.iter().map(whole).eq(messages.iter().map(whole)));
    Outcome { merged, messages, findings }
}

fn two(first: &str, second: &str) -> Outcome {
    let (first, second) = ([(ANDROID, first)], [(ANDROID, second)]);
    merge_all(&[(Role::Merged, &first), (Role::Merged, &second)], &MergeWishes::default())
}

fn minute(text: &mut String, minute: u32, sender: &str, words: &str) {
    let _ =
        writeln!(text, "13/03/2026 {}:{:02} - {sender}: {words}", 10 + minute / 60, minute % 60);
}

#[test]
fn beginning_and_end_overlap() {
    let (mut early, mut late) = (format!("13/03/2026 09:00 - {NOTICE}\n"), String::new());
    for number in 0..60 {
        let words = format!("message {number}");
        let sender = if number % 2 == 0 { "Marie" } else { "Karim" };
        if number < 40 {
            minute(&mut early, number, sender, &words);
        }
        if number >= 20 {
            minute(&mut late, number, sender, &words);
        }
    }
    let outcome = two(&early, &late);
    let expected: Vec<String> = (0..60).map(|number| format!("message {number}")).collect();
    assert_eq!(outcome.words(), expected);
    let chat = &outcome.merged.chats[0];
    assert_eq!((chat.read.as_slice(), chat.in_common, chat.written), (&[41, 40][..], 20, 61));
    assert_eq!(outcome.conflicts(), 0);
    // The later one's beginning is missing; theirs together is not.
    let kinds: Vec<_> = outcome.findings.iter().map(|finding| finding.kind).collect();
    assert!(!kinds.contains(&FindingKind::BeginningMissing), "{kinds:?}");
}

#[test]
fn a_number_becomes_a_name() {
    let (mut first, mut second) = (String::new(), String::new());
    for number in 0..10 {
        for (text, name) in [(&mut first, "+33 6 39 98 00 01"), (&mut second, "Zoé Petit")] {
            minute(text, number, "Marie", &format!("question {number}"));
            minute(text, number, name, &format!("réponse {number}"));
        }
    }
    minute(&mut first, 30, "+33 6 39 98 00 01", "avant d’être enregistrée");
    let outcome = two(&first, &second);
    assert_eq!(outcome.messages.len(), 21);
    assert_eq!(outcome.senders().iter().filter(|name| **name == "Zoé Petit").count(), 11);
    assert_eq!(outcome.merged.chats[0].people_joined, 1);
    assert!(!outcome.findings.iter().any(|finding| finding.kind == FindingKind::NameIsNumber));
    assert_eq!(outcome.conflicts(), 0);
}

#[test]
fn equal_words_by_two_people_are_two_messages() {
    let (mut first, mut second) = (String::new(), String::new());
    for number in 0..30 {
        for text in [&mut first, &mut second] {
            minute(text, number, "Marie", &format!("m {number}"));
            minute(text, number, "Karim", &format!("k {number}"));
        }
    }
    minute(&mut first, 40, "Marie", "ok");
    minute(&mut second, 40, "Karim", "ok");
    let outcome = two(&first, &second);
    assert_eq!(outcome.messages.len(), 62);
    assert_eq!(outcome.senders()[60..], ["Marie", "Karim"]);
    assert_eq!(outcome.conflicts(), 2);
}

#[test]
fn files_come_from_whoever_has_them() {
    let text = |photo: &str| {
        let mut text = format!("13/03/2026 09:00 - {NOTICE}\n");
        minute(&mut text, 1, "Marie", "voici");
        minute(&mut text, 2, "Marie", photo);
        minute(&mut text, 3, "Karim", "merci");
        text
    };
    let omitted = text("<Médias omis>\nla salle");
    let attached = text("\u{200e}IMG-20260313-WA0001.jpg (fichier joint)\nla salle");
    let first = [(ANDROID, omitted.as_str())];
    let second = [(ANDROID, attached.as_str()), ("IMG-20260313-WA0001.jpg", "\u{fffd}photo")];
    let exports: [(Role, &[(&str, &str)]); 2] = [(Role::Merged, &first), (Role::Merged, &second)];
    let outcome = merge_all(&exports, &MergeWishes::default());
    assert_eq!(outcome.messages.len(), 4);
    let files = outcome.messages[2].body.attachments();
    assert_eq!(files[0].state, AttachmentState::Present);
    assert_eq!(files[0].size_bytes, Some(8));
    assert_eq!((outcome.merged.files, outcome.merged.chats[0].in_common), (1, 4));
    assert_eq!(outcome.words(), ["voici", "la salle", "merci"]);
}

#[test]
fn a_second_across_the_border_of_a_minute_is_the_same_message() {
    let iphone = |second: &str| {
        format!(
            "[13/03/2026 09:00:00] Équipe: \u{200e}{NOTICE}\r\n[13/03/2026 09:01:10] Marie: un\r\n\
             [13/03/2026 09:{second}] Karim: sur le bord\r\n[13/03/2026 09:03:00] Marie: deux\r\n"
        )
    };
    let (first, second) = (iphone("01:59"), iphone("02:00"));
    let (first, second) = ([("_chat.txt", first.as_str())], [("_chat.txt", second.as_str())]);
    let wishes = MergeWishes { one_chat: true, ..MergeWishes::default() };
    let outcome = merge_all(&[(Role::Merged, &first), (Role::Merged, &second)], &wishes);
    assert_eq!(outcome.words(), ["un", "sur le bord", "deux"]);
}

#[test]
fn a_deleted_message_is_not_silently_doubled() {
    let (mut first, mut second) = (String::new(), String::new());
    for number in 0..10 {
        for text in [&mut first, &mut second] {
            minute(text, number, "Marie", &format!("m {number}"));
            minute(text, number, "Karim", &format!("k {number}"));
        }
    }
    minute(&mut first, 20, "Marie", "à ne pas dire");
    minute(&mut second, 20, "Marie", "Ce message a été supprimé");
    let outcome = two(&first, &second);
    assert_eq!(outcome.messages.len(), 22);
    assert_eq!(outcome.conflicts(), 1);
    assert!(outcome.messages.iter().any(|message| matches!(message.body, Body::Deleted { .. })));
}

#[test]
fn a_later_export_gives_only_what_is_new() {
    let (mut earlier, mut later) = (format!("13/03/2026 09:00 - {NOTICE}\n"), String::new());
    for number in 0..10 {
        minute(&mut earlier, number, "Marie", &format!("m {number}"));
    }
    later.push_str(&earlier);
    for number in 10..15 {
        minute(&mut later, number, "Karim", &format!("m {number}"));
    }
    let new = [(ANDROID, later.as_str())];
    let old = [(ANDROID, earlier.as_str())];
    let outcome = merge_all(&[(Role::Merged, &new), (Role::Known, &old)], &MergeWishes::default());
    assert_eq!(outcome.words(), ["m 10", "m 11", "m 12", "m 13", "m 14"]);
    assert_eq!(outcome.merged.chats[0].known, 11);

    // The same by a list of ids.
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    for (folder, text) in [(&old, &earlier), (&new, &later)] {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join(ANDROID), text).unwrap();
    }
    let mut known = KnownIds::default();
    known.extend(
        records_of(&open(&old)).0.into_iter().map(|message: Message| -> MessageId { message.id }),
    );
    let archive = open(&new);
    let chats = archive.survey().unwrap().chats.into_iter().map(|chat| chat.id).collect();
    let output = dir.path().join("merged");
    let wishes = MergeWishes { chats, known, ..MergeWishes::default() };
    merge(&[MergeSource { archive, role: Role::Merged }], &wishes, &output).unwrap();
    assert_eq!(records_of(&open(&output)).0.len(), 5);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut text = String::new();
    minute(&mut text, 1, "Marie", "un");
    minute(&mut text, 2, "Karim", "deux");
    let path = |title: &str| {
        let folder = dir.path().join(title);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(format!("Discussion WhatsApp avec {title}.txt")), &text).unwrap();
        MergeSource { archive: open(&folder), role: Role::Merged }
    };
    let sources = [path("Marie"), path("Karim")];
    let output = dir.path().join("merged");
    let error = merge(&sources, &MergeWishes::default(), &output).unwrap_err();
    assert!(error.to_string().contains("no chat is in more than one"), "{error}");
    assert!(!output.exists());
    // Each side of a conversation calls it by the other one's name.
    let wishes = MergeWishes { one_chat: true, ..MergeWishes::default() };
    merge(&sources, &wishes, &output).unwrap();
    assert_eq!(records_of(&open(&output)).0.len(), 2);
    let error = merge(&sources, &wishes, &output).unwrap_err();
    assert!(error.to_string().contains("not overwritten"), "{error}");
}

/// The beginning, the middle and the end of a generated chat, merged, are the whole one: in every
/// regional form the same ids, order, senders, times and contents.
#[test]
fn parts_of_a_generated_chat_merge_into_the_whole() {
    let Some(generator) = generator() else {
        println!("skipped: no generator beside the repository");
        return;
    };
    for (profile, zone) in profiles(&generator).unwrap_or_default() {
        let dir = tempfile::tempdir().unwrap();
        let (text, truth) = (dir.path().join("chat.txt"), dir.path().join("truth.jsonl"));
        let made = Command::new("python3")
            .arg(&generator)
            .args(["--profile", &profile, "--messages", "600", "--seed", "5", "--no-lookalikes"])
            .arg("--out")
            .arg(&text)
            .arg("--truth")
            .arg(&truth)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let text = fs::read_to_string(text).unwrap();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        // Where records begin, and the minute of each.
        let records: Vec<(usize, i64)> = fs::read_to_string(truth)
            .unwrap()
            .lines()
            .map(|line| {
                let record: serde_json::Value = serde_json::from_str(line).unwrap();
                let line = record["line"].as_u64().unwrap();
                (usize::try_from(line).unwrap() - 1, record["epoch"].as_i64().unwrap() / 60)
            })
            .collect();
        let turn = |from: usize| {
            let at = (from..records.len()).find(|at| records[*at].1 != records[*at - 1].1);
            records[at.unwrap()].0
        };
        let (b, c, d, e) = (turn(200), turn(260), turn(400), turn(450));
        let parts = [lines[..c].concat(), lines[b..e].concat(), lines[d..].concat()];
        let options = Options { time_zone: TimeZone::get(&zone).unwrap(), ..Options::default() };
        let open = |path: &Path| Archive::open(path, Limits::default(), options.clone()).unwrap();
        let mut sources = Vec::new();
        for (number, part) in parts.iter().enumerate() {
            let folder = dir.path().join(number.to_string());
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("WhatsApp Chat with Équipe.txt"), part).unwrap();
            sources.push(MergeSource { archive: open(&folder), role: Role::Merged });
        }
        let whole = dir.path().join("WhatsApp Chat with Équipe.txt");
        fs::write(&whole, &text).unwrap();
        let (whole, _) = records_of(&open(&whole));
        let output = dir.path().join("merged");
        merge(&sources, &MergeWishes::default(), &output).unwrap();
        let (merged, findings) = records_of(&open(&output));
        let told = |message: &Message| {
            let Message { id, sender, sent_at, body, edited, .. } = message.clone();
            (id, sender, sent_at.at, sent_at.local, body, edited)
        };
        for (found, expected) in merged.iter().zip(&whole) {
            assert_eq!(told(found), told(expected), "{profile}");
        }
        assert_eq!(merged.len(), whole.len(), "{profile}");
        let conflicts = findings.iter().filter(|one| one.kind == FindingKind::Conflict);
        assert_eq!(conflicts.count(), 0, "{profile}: {findings:#?}");
    }
}
