//! Where every program that a test starts writes, and what none of them may have written.
//!
//! All logs of a run lie in one folder; beside them each test notes the words, names, numbers and
//! tokens it worked with. `leaks` looks for any of those in all of the logs, whichever test they
//! are of: `make tests` does so at its end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use serde_json::Value;

use super::sample::Sample;

/// Shorter ones are part of words that a log may well use.
const SHORTEST_WORD: usize = 5;
const SHORTEST_SENTENCE: usize = 9;
const SHORTEST_NUMBER: usize = 8;

/// The folder of this run; the Makefile empties it before.
pub fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("logs");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A daemon's log, for a daemon that lives in this folder of its own.
pub fn log_of(home: &Path, name: &str) -> PathBuf {
    folder().join(format!("{}-{name}.log", name_of(home)))
}

/// Keeps what a command said. An operator's terminal may show names, and no tokens.
pub fn keep_said(home: &Path, out: &str, err: &str) {
    append(&folder().join(format!("{}.said", name_of(home))), &format!("{out}{err}"));
}

/// Notes a token or another secret: it may stand nowhere.
pub fn note_secret(home: &Path, secret: &str) {
    note(home, "secret", secret);
}

/// Notes an account of a person: it may stand in no log.
pub fn note_person(home: &Path, user_id: &str) {
    note(home, "person", user_id);
}

/// Notes what stands in a sample.
pub fn note_sample(home: &Path, sample: &Sample) {
    for truth in &sample.truth {
        for line in truth.text.lines() {
            note(home, "sentence", line);
        }
        if let Some(file) = &truth.file {
            note(home, "file name", &file.name);
        }
        if let Some(sender) = &truth.sender {
            note_name(home, sender);
        }
    }
}

/// Notes what stands in the archives of the golden cases, by what their readers found in them.
pub fn note_golden_cases(home: &Path) {
    let archives = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/archives");
    let mut folders = vec![archives];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name == "expected.jsonl") {
                for line in std::fs::read_to_string(path).unwrap().lines() {
                    note_texts(home, &serde_json::from_str(line).unwrap());
                }
            }
        }
    }
}

fn note_texts(home: &Path, value: &Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match (key.as_str(), value.as_str()) {
                    ("plain" | "text" | "question" | "label" | "title", Some(text)) => {
                        text.lines().for_each(|line| note(home, "sentence", line));
                    }
                    ("name" | "phone", Some(name)) => note_name(home, name),
                    ("entry", Some(name)) => note(home, "file name", name),
                    _ => note_texts(home, value),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| note_texts(home, item)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A person's name word by word, and a number with and without its spaces.
fn note_name(home: &Path, name: &str) {
    note(home, "name", name);
    for word in name.split(|c: char| !c.is_alphanumeric()) {
        if word.chars().next().is_some_and(char::is_uppercase) {
            note(home, "name", word);
        }
    }
    let digits: String = name.chars().filter(char::is_ascii_digit).collect();
    note(home, "number", &digits);
}

fn note(home: &Path, kind: &str, text: &str) {
    let text = text.trim();
    let shortest = match kind {
        "sentence" => SHORTEST_SENTENCE,
        "number" => SHORTEST_NUMBER,
        _ => SHORTEST_WORD,
    };
    if text.chars().count() < shortest {
        return;
    }
    let line = serde_json::json!([kind, text]).to_string() + "\n";
    append(&folder_of_notes(home), &line);
}

fn folder_of_notes(home: &Path) -> PathBuf {
    folder().join(format!("{}.notes", name_of(home)))
}

fn append(path: &Path, text: &str) {
    let mut file = File::options().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn name_of(home: &Path) -> &str {
    home.file_name().unwrap().to_str().unwrap()
}

/// What was looked through, and what was found.
#[derive(Debug, Default)]
pub struct Search {
    pub logs: usize,
    pub bytes: usize,
    pub needles: usize,
    /// `FILE:LINE tells a KIND: TEXT`.
    pub leaks: Vec<String>,
}

/// Looks for everything that was noted in everything that was written.
pub fn search(folder: &Path) -> Search {
    let mut needles: BTreeMap<String, String> = BTreeMap::new();
    let mut written = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("notes") => {
                for line in std::fs::read_to_string(path).unwrap().lines() {
                    let (kind, text): (String, String) = serde_json::from_str(line).unwrap();
                    // In a request line, a name looks like this.
                    let encoded = percent_encoded(&text);
                    needles.insert(encoded, kind.clone());
                    needles.insert(text, kind);
                }
            }
            Some("log" | "said") => written.push(path),
            _ => {}
        }
    }
    let (texts, kinds): (Vec<_>, Vec<_>) = needles.into_iter().unzip();
    let automaton = AhoCorasick::new(&texts).unwrap();
    let mut search = Search { needles: texts.len(), ..Search::default() };
    for path in written {
        let is_log = path.extension().is_some_and(|extension| extension == "log");
        let bytes = std::fs::read(&path).unwrap();
        search.logs += usize::from(is_log);
        search.bytes += bytes.len();
        for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            for found in automaton.find_overlapping_iter(line) {
                let (kind, text) = (&kinds[found.pattern()], &texts[found.pattern()]);
                // A terminal may show everything but secrets.
                if is_log || kind == "secret" {
                    let file = name_of(&path);
                    search.leaks.push(format!("{file}:{} tells a {kind}: {text}", number + 1));
                }
            }
        }
    }
    search
}

fn percent_encoded(text: &str) -> String {
    let mut url: reqwest::Url = "http://x".parse().unwrap();
    url.path_segments_mut().unwrap().push(text);
    url.path().trim_start_matches('/').to_owned()
}
