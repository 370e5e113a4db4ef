//! The generator knows what it wrote; the reader must find exactly that, in every regional form.
//!
//! What no reader can tell, and is therefore allowed to differ:
//! - outside iPhone exports, a pasted line inside a message that looks like a header of the same
//!   form, with the time of that message and a plausible name, is a message to everyone. It must
//!   begin at such a line, and the message it was pasted into must be its beginning.
//! - the second pass of the hour that clocks repeat in autumn, where no message of the first pass
//!   shows it: off by exactly that hour, and marked as ambiguous.
//! - captions of documents, which iPhones do not export.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::tz::TimeZone;
use passerelle::archive::{Archive, Flow, Limits, Options, Record};
use passerelle::model::media::{AttachmentState, MediaKind};
use passerelle::model::message::{Body, Message};
use passerelle::model::time::ZoneBasis;
use serde_json::Value;

const MESSAGES: usize = 500;

/// `shared/tools` beside the repository, or beside the folder of its worktrees.
pub fn generator() -> Option<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .skip(1)
        .map(|folder| folder.join("shared/tools/gen_whatsapp.py"))
        .find(|path| path.is_file())
}

/// The generator's regional forms, each with its time zone; `None` without Python.
pub fn profiles(generator: &Path) -> Option<Vec<(String, String)>> {
    let list = Command::new("python3").arg(generator).arg("--list").output().ok()?;
    let list = String::from_utf8(list.stdout).unwrap();
    let profiles: Vec<(String, String)> = list
        .lines()
        .map(|line| {
            let mut words = line.split_whitespace();
            (words.next().unwrap().to_owned(), words.nth(1).unwrap().to_owned())
        })
        .collect();
    assert!(profiles.len() >= 24, "{list}");
    Some(profiles)
}

#[derive(Default, Debug)]
struct Untellable {
    lookalikes: usize,
    repeated_hours: usize,
}

#[test]
fn every_profile_gives_the_generators_truth() {
    let Some(generator) = generator() else {
        println!("skipped: no generator beside the repository");
        return;
    };
    let Some(profiles) = profiles(&generator) else {
        println!("skipped: no python3");
        return;
    };
    let mut runs = Vec::new();
    for (profile, zone) in &profiles {
        for (seed, lookalikes, media) in [
            (1, true, "omitted"),
            (2, true, "attached"),
            (3, true, "omitted"),
            (1, false, "omitted"),
            (2, false, "attached"),
            (3, false, "attached"),
        ] {
            runs.push((profile.as_str(), zone.as_str(), seed, lookalikes, media));
        }
    }
    let next = std::sync::Mutex::new(runs.into_iter());
    let take = || next.lock().unwrap().next();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((profile, zone, seed, lookalikes, media)) = take() {
                    let allowed = check(&generator, profile, zone, seed, lookalikes, media);
                    if !lookalikes || profile.ends_with("_ios") {
                        assert_eq!(allowed.lookalikes, 0, "{profile} {seed}");
                    }
                    assert!(allowed.lookalikes <= MESSAGES / 100, "{profile} {seed} {allowed:?}");
                    assert!(allowed.repeated_hours <= 8, "{profile} {seed} {allowed:?}");
                }
            });
        }
    });
}

fn check(
    generator: &Path,
    profile: &str,
    zone: &str,
    seed: u32,
    lookalikes: bool,
    media: &str,
) -> Untellable {
    let name = format!("{profile} seed {seed} {media} lookalikes {lookalikes}");
    let dir = tempfile::tempdir().unwrap();
    let (zip, truth) = (dir.path().join("chat.zip"), dir.path().join("truth.jsonl"));
    let mut command = Command::new("python3");
    command.arg(generator).args(["--profile", profile, "--media", media]);
    command.args(["--messages", &MESSAGES.to_string(), "--seed", &seed.to_string()]);
    command.arg("--zip").arg(&zip).arg("--truth").arg(&truth);
    if !lookalikes {
        command.arg("--no-lookalikes");
    }
    let made = command.output().unwrap();
    assert!(made.status.success(), "{name}: {}", String::from_utf8_lossy(&made.stderr));

    let options = Options { time_zone: TimeZone::get(zone).unwrap(), ..Options::default() };
    let archive = Archive::open(&zip, Limits::default(), options).unwrap();
    let survey = archive.survey().unwrap();
    assert_eq!(survey.chats.len(), 1, "{name}");
    assert_eq!(survey.chats[0].title, "Équipe projet", "{name}");
    let mut messages: Vec<Message> = Vec::new();
    let mut record = |record| {
        if let Record::Message(message) = record {
            messages.push(*message);
        }
        Flow::Continue
    };
    archive.read(&survey.chats[0].id, &mut record).unwrap();
    assert_eq!(messages.len() as u64, survey.chats[0].records, "{name}");

    let held: HashSet<String> =
        archive.container().entries().iter().map(|entry| entry.name.clone()).collect();
    let truth: Vec<Value> = fs::read_to_string(&truth)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut untellable = Untellable::default();
    let mut found = messages.iter().peekable();
    for (at, truth_record) in truth.iter().enumerate() {
        let line = truth_record["line"].as_u64();
        let message = found.next().unwrap_or_else(|| panic!("{name}: nothing at {line:?}"));
        assert_eq!(message.place.line, line, "{name}: {message:?}");
        let end = truth.get(at + 1).map(|next| next["line"].as_u64().unwrap());
        let mut cut_at = None;
        while let Some(extra) = found.peek()
            && extra.place.line.unwrap() < end.unwrap_or(u64::MAX)
        {
            cut_at.get_or_insert(extra.place.line.unwrap() - line.unwrap());
            untellable.lookalikes += 1;
            found.next();
        }
        let context = format!("{name}: {truth_record} became {message:?}");
        compare(truth_record, message, profile, cut_at, &held, &context, &mut untellable);
    }
    assert!(found.next().is_none(), "{name}: more messages than were written");
    untellable
}

fn compare(
    truth: &Value,
    message: &Message,
    profile: &str,
    cut_at: Option<u64>,
    held: &HashSet<String>,
    context: &str,
    untellable: &mut Untellable,
) {
    let ios = profile.ends_with("_ios");
    let epoch = truth["epoch"].as_i64().unwrap();
    let unit = if ios { 1 } else { 60 };
    let (expected, found) = (epoch / unit * unit, message.sent_at.at.0 / 1000);
    if expected != found {
        assert_eq!(message.sent_at.zone, ZoneBasis::AssumedAmbiguous, "{context}");
        assert_eq!(truth["fold"].as_u64(), Some(1), "{context}");
        assert_eq!(expected - found, 3600, "{context}");
        untellable.repeated_hours += 1;
    }
    assert_eq!(message.sent_at.local.as_deref(), truth["local"].as_str(), "{context}");
    let kind = truth["kind"].as_str().unwrap();
    if kind == "system" {
        assert_eq!(message.sender, None, "{context}");
    } else {
        let exported = truth["sender"].as_str().unwrap();
        let name = exported.strip_prefix('~').map_or(exported, str::trim_start);
        assert_eq!(
            message.sender.as_ref().map(|sender| sender.name.as_str()),
            Some(name),
            "{context}"
        );
    }
    assert_eq!(message.edited.is_some(), truth["edited"].as_bool().unwrap(), "{context}");
    compare_content(truth, message, ios, cut_at, held, context);
}

fn compare_content(
    truth: &Value,
    message: &Message,
    ios: bool,
    cut_at: Option<u64>,
    held: &HashSet<String>,
    context: &str,
) {
    let kind = truth["kind"].as_str().unwrap();
    let text = truth["text"].as_str().unwrap();
    let file = truth["file"].as_str();
    let state_of = |file: &str| {
        if held.contains(file) { AttachmentState::Present } else { AttachmentState::Missing }
    };
    match (kind, &message.body) {
        ("text", Body::Text(found)) => match cut_at {
            None => assert_eq!(found.plain, text, "{context}"),
            Some(lines) => {
                let kept: Vec<&str> =
                    text.split('\n').take(usize::try_from(lines).unwrap()).collect();
                assert_eq!(found.plain, kept.join("\n"), "{context}");
            }
        },
        ("media_omitted" | "viewonce", Body::Media { attachments, caption, view_once }) => {
            assert_eq!(attachments[0].state, AttachmentState::Omitted, "{context}");
            assert_eq!(*view_once, kind == "viewonce" && !ios, "{context}");
            let document = attachments[0].kind == MediaKind::Document;
            match caption {
                Some(caption) => assert_eq!(caption.plain, text, "{context}"),
                // The truth then shows the whole body, or a caption that was not exported.
                None => assert!(
                    document || text.contains(['<', '\u{200e}', '\u{200f}']) || text == "null",
                    "{context}"
                ),
            }
        }
        ("media_omitted", Body::Sticker { attachment }) => {
            assert_eq!(attachment.state, AttachmentState::Omitted, "{context}");
        }
        ("media_omitted", Body::Contact { cards }) => {
            let card = cards[0].vcard.as_ref().unwrap();
            assert_eq!(card.state, AttachmentState::Omitted, "{context}");
        }
        ("media", Body::Media { attachments, caption, .. }) => {
            let file = file.unwrap();
            let attachment = &attachments[0];
            assert_eq!(attachment.state, state_of(file), "{context}");
            if attachment.state == AttachmentState::Present {
                assert_eq!(attachment.entry.as_deref(), Some(file), "{context}");
            }
            assert!(file.ends_with(attachment.name.as_deref().unwrap()), "{context}");
            let unexported = ios && attachment.kind == MediaKind::Document;
            match caption {
                Some(caption) => assert_eq!(caption.plain, text, "{context}"),
                None => assert!(unexported || text.contains(file), "{context}"),
            }
        }
        ("media", Body::Sticker { attachment }) => {
            assert_eq!(attachment.state, state_of(file.unwrap()), "{context}");
            assert_eq!(attachment.name.as_deref(), file, "{context}");
        }
        ("contact", Body::Contact { cards }) => {
            let card = cards[0].vcard.as_ref().unwrap();
            assert_eq!(card.state, state_of(file.unwrap()), "{context}");
            assert!(file.unwrap().ends_with(card.name.as_deref().unwrap()), "{context}");
        }
        ("location", Body::Location(place)) => {
            assert_eq!(place.url.as_deref(), Some(text), "{context}");
            assert!(place.latitude.is_some() && !place.live, "{context}");
        }
        ("live_location", Body::Location(place)) => assert!(place.live, "{context}"),
        ("poll", Body::Poll(poll)) => {
            assert_eq!(poll.question, text, "{context}");
            assert_eq!(poll.options.len(), 3, "{context}");
            assert!(poll.options.iter().all(|option| option.votes.is_some()), "{context}");
        }
        ("deleted", Body::Deleted { text: found }) => {
            assert_eq!(found.trim_end_matches('.'), text.trim_end_matches('.'), "{context}");
        }
        ("call", Body::Call(call)) => {
            assert!(call.missed, "{context}");
            assert_eq!(call.text, text, "{context}");
        }
        ("system", Body::System(event)) => assert_eq!(event.text, text, "{context}"),
        ("empty", Body::Unknown { text: found }) => assert_eq!(found, text, "{context}"),
        _ => panic!("{context}"),
    }
}
