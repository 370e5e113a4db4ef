//! Two WhatsApp exports of one chat: the same messages have the same ids, whatever changed
//! around them; and what the size of an export says.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use passerelle::archive::{Archive, Flow, Limits, Options, Record, Survey};
use passerelle::model::finding::FindingKind;
use passerelle::model::message::Message;

const NOTICE: &str = "Les messages et les appels sont chiffrés de bout en bout.";

fn read(path: &Path) -> (Survey, Vec<Message>) {
    let archive = Archive::open(path, Limits::default(), Options::default()).unwrap();
    let survey = archive.survey().unwrap();
    let mut messages = Vec::new();
    for chat in &survey.chats {
        let mut keep = |record| {
            if let Record::Message(message) = record {
                messages.push(*message);
            }
            Flow::Continue
        };
        archive.read(&chat.id, &mut keep).unwrap();
    }
    (survey, messages)
}

/// Reads a text under the name an Android phone gives it.
fn android(text: &str) -> (Survey, Vec<Message>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("Discussion WhatsApp avec Équipe.txt");
    fs::write(&path, text).unwrap();
    read(&path)
}

fn ids(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.id.as_str()).collect()
}

#[test]
fn a_longer_and_a_shorter_export_keep_the_ids() {
    let mut text = format!("13/03/2026 09:00 - {NOTICE}\n");
    for minute in 0..30 {
        let _ = writeln!(text, "13/03/2026 10:{minute:02} - Marie: ok");
        let _ = writeln!(text, "13/03/2026 10:{minute:02} - Karim: ok");
        let _ = writeln!(text, "13/03/2026 10:{minute:02} - Karim: <Médias omis>");
    }
    let (_, whole) = android(&text);
    let longer = android(&format!("{text}14/03/2026 08:00 - Zoé: encore\n")).1;
    assert_eq!(ids(&longer)[..whole.len()], ids(&whole));
    // A tail that begins with a new minute; the notice is written anew.
    let tail = text.split_inclusive('\n').skip(1 + 3 * 10).collect::<String>();
    let cut = android(&format!("20/03/2026 09:00 - {NOTICE}\n{tail}")).1;
    assert_eq!(ids(&cut)[1..], ids(&whole)[31..]);
    assert_eq!(ids(&cut)[0], ids(&whole)[0]);
}

#[test]
fn names_media_and_language_do_not_change_ids() {
    let before = android(&format!(
        "13/03/2026 09:00 - {NOTICE}\n\
         13/03/2026 10:00 - \u{202a}+33\u{a0}6\u{a0}39\u{a0}98\u{a0}00\u{a0}01\u{202c}: bonjour\n\
         13/03/2026 10:01 - Karim: <Médias omis>\nla salle\n\
         13/03/2026 10:02 - Karim: Ce message a été supprimé\n\
         13/03/2026 10:03 - Karim: merci @\u{2068}~Zoé\u{2069}\n\
         13/03/2026 10:04 - Karim a ajouté Zoé\n"
    ))
    .1;
    let after = android(
        "3/13/26, 9:05 AM - Messages and calls are end-to-end encrypted.\n\
         3/13/26, 10:00 AM - Zoé L.: bonjour\n\
         3/13/26, 10:01 AM - K: IMG-20260313-WA0001.jpg (file attached)\nla salle\n\
         3/13/26, 10:02 AM - K: This message was deleted\n\
         3/13/26, 10:03 AM - K: merci @\u{2068}Zoé L.\u{2069}\n\
         3/13/26, 10:04 AM - K added Zoé L.\n",
    )
    .1;
    assert_eq!(ids(&before), ids(&after));
}

#[test]
fn a_second_more_on_an_iphone_is_the_same_message() {
    let read_iphone = |second: u32| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("_chat.txt");
        let text = format!("[13/03/2026 10:00:{second:02}] Marie: bonjour\r\n");
        fs::write(&path, text).unwrap();
        read(&path).1
    };
    assert_eq!(ids(&read_iphone(2)), ids(&read_iphone(3)));
}

#[test]
fn exactly_as_many_messages_as_the_app_exports_is_suspicious() {
    for (count, suspicious) in [(9_999, false), (10_000, true), (10_001, false)] {
        let mut text = String::new();
        for number in 0..count {
            let (hour, minute) = (number / 60 % 24, number % 60);
            let day = number / 1440 + 13;
            let _ = writeln!(text, "{day:02}/03/2026 {hour:02}:{minute:02} - Marie: {number}");
        }
        let (survey, messages) = android(&text);
        assert_eq!(messages.len(), count);
        let found = survey.chats[0].finding_counts.get(&FindingKind::ProbablyCut).copied();
        assert_eq!(found, suspicious.then_some(1), "{count}");
    }
}

/// The reader's own count against one that knows nothing of the reader: lines that begin with a
/// date.
#[test]
fn records_agree_with_an_independent_count() {
    let mut text = format!("13/03/2026 09:00 - {NOTICE}\n");
    for number in 0..500 {
        let _ = writeln!(text, "13/03/2026 1{}:{:02} - Marie: un", number % 2, number % 60);
        if number % 3 == 0 {
            text.push_str("deux\n\n12/11 - trois\n");
        }
    }
    let counted = text
        .lines()
        .filter(|line| {
            let mut parts = line.split('/');
            parts.next().is_some_and(|day| day.len() == 2)
                && parts.next().is_some_and(|month| month.len() == 2)
                && parts.next().is_some_and(|rest| rest.len() > 12 && rest.as_bytes()[4] == b' ')
        })
        .count() as u64;
    let (survey, _) = android(&text);
    assert_eq!(survey.chats[0].records, counted);
}
