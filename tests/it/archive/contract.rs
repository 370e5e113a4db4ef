//! What every reader owes: the same ids in the same order at every run and from folder and zip,
//! nothing dropped without a word, no panic on whatever is left of a file.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use passerelle::archive::{Flow, Record};

use super::cases::{Case, Reading, canonical, cases, children, read, zip};

fn open_and_read(case: &Case, input: &Path) -> Reading {
    let reading = case.open(input).and_then(|archive| read(&archive));
    reading.unwrap_or_else(|error| panic!("{}: {error}", case.folder.display()))
}

#[test]
fn two_runs_give_the_same() {
    for case in cases("valid") {
        let first = open_and_read(&case, &case.input);
        assert_eq!(first, open_and_read(&case, &case.input), "{}", case.folder.display());
    }
}

#[test]
fn folder_and_zip_give_the_same() {
    for case in cases("valid") {
        if case.input.extension().is_some_and(|end| end == "zip") {
            continue;
        }
        let dir = tempfile::tempdir().unwrap();
        let packed = dir.path().join("input.zip");
        zip(&case.input, &packed);
        let lines = |reading: &Reading| -> Vec<String> {
            reading.records.iter().map(|record| canonical(record).to_string()).collect()
        };
        let (plain, packed) = (open_and_read(&case, &case.input), open_and_read(&case, &packed));
        assert_eq!(lines(&plain), lines(&packed), "{}", case.folder.display());
        assert_eq!(plain.survey.chats, packed.survey.chats, "{}", case.folder.display());
    }
}

#[test]
fn surveys_agree_with_what_is_read() {
    for case in cases("valid") {
        let archive = case.open(&case.input).unwrap();
        for chat in archive.survey().unwrap().chats {
            let (mut messages, mut ids) = (0, HashSet::new());
            let mut kinds: BTreeMap<&'static str, u64> = BTreeMap::new();
            let mut written: BTreeMap<String, u64> = BTreeMap::new();
            let mut found = BTreeMap::new();
            let mut record = |record| {
                match record {
                    Record::Message(message) => {
                        messages += 1;
                        *kinds.entry(message.body.kind()).or_default() += 1;
                        if let Some(sender) = &message.sender {
                            *written.entry(sender.id.to_string()).or_default() += 1;
                        }
                        assert_eq!(message.chat, chat.id);
                        assert!(ids.insert(message.id.clone()), "{} comes twice", message.id);
                    }
                    Record::Finding(finding) => *found.entry(finding.kind).or_insert(0_u64) += 1,
                }
                Flow::Continue
            };
            archive.read(&chat.id, &mut record).unwrap();
            let place = case.folder.display();
            assert_eq!((messages, kinds), (chat.messages, chat.by_kind), "{place}");
            assert!(chat.records >= messages, "{place}");
            for person in &chat.participants {
                let wrote = written.remove(person.id.as_str()).unwrap_or(0);
                assert_eq!(wrote, person.messages, "{place}: {}", person.name);
            }
            assert!(written.is_empty(), "{place}: {written:?} are in no survey");
            for (kind, count) in found {
                assert!(
                    chat.finding_counts.get(&kind).copied().unwrap_or(0) >= count,
                    "{place}: the survey has fewer {kind:?}"
                );
            }
        }
    }
}

/// A counter that knows nothing of the reader finds as many records in the same bytes.
#[test]
fn sums_agree_with_a_count_over_the_bytes() {
    let mut counted = 0;
    for case in cases("valid") {
        let archive = case.open(&case.input).unwrap();
        let survey = archive.survey().unwrap();
        let Some(recount) = archive.recount(&survey).unwrap() else { continue };
        assert_eq!(recount.counted, recount.accounted, "{}", case.folder.display());
        counted += 1;
    }
    assert!(counted > 50, "only {counted} cases were counted");
}

#[test]
fn a_reader_stops_when_told() {
    for case in cases("valid") {
        let archive = case.open(&case.input).unwrap();
        for chat in archive.survey().unwrap().chats {
            let mut count = 0;
            let mut record = |_| {
                count += 1;
                Flow::Stop
            };
            archive.read(&chat.id, &mut record).unwrap();
            assert!(count <= 1);
        }
    }
}

/// Cuts every file of every input at many places. An error is fine, a panic is not, and whatever
/// the survey counts is what is read.
#[test]
fn truncated_inputs_never_panic() {
    for case in cases("valid") {
        let dir = tempfile::tempdir().unwrap();
        let files: Vec<_> = walk(&case.input);
        for file in &files {
            let bytes = fs::read(file).unwrap();
            let root = if case.input.is_dir() { &case.input } else { case.input.parent().unwrap() };
            let copy = dir.path().join(case.input.file_name().unwrap());
            let target = if case.input.is_dir() {
                copy_folder(root, &copy);
                copy.join(file.strip_prefix(root).unwrap())
            } else {
                copy.clone()
            };
            let step = (bytes.len() / 40).max(1);
            for cut in (0..bytes.len()).step_by(step) {
                fs::write(&target, &bytes[..cut]).unwrap();
                if let Ok(archive) = case.open(&copy)
                    && let Ok(reading) = read(&archive)
                {
                    let read = reading.records.iter();
                    let messages =
                        read.filter(|record| matches!(record, Record::Message(_))).count();
                    let counted: u64 = reading.survey.chats.iter().map(|chat| chat.messages).sum();
                    assert_eq!(messages as u64, counted, "{} at {cut}", case.folder.display());
                }
            }
            if case.input.is_dir() {
                fs::remove_dir_all(&copy).unwrap();
            }
        }
    }
}

fn walk(path: &Path) -> Vec<std::path::PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    children(path).iter().flat_map(|child| walk(child)).collect()
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for child in children(from) {
        let target = to.join(child.file_name().unwrap());
        if child.is_dir() {
            copy_folder(&child, &target);
        } else {
            fs::copy(&child, &target).unwrap();
        }
    }
}
