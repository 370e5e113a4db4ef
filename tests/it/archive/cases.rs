//! Finds the cases, and opens and reads one.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use passerelle::archive::{
    Access, Archive, ArchiveError, Flow, Limits, Options, Password, Record, Survey,
};
use serde_json::Value;

/// One case: a folder with an input and what is expected of it.
#[derive(Debug)]
pub struct Case {
    pub folder: PathBuf,
    pub input: PathBuf,
}

/// The cases of every messenger, `valid` or `invalid`.
pub fn cases(which: &str) -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/archives");
    let mut cases = Vec::new();
    for messenger in children(&root) {
        for folder in children(&messenger.join(which)) {
            let input = children(&folder).into_iter().find(|path| {
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("input"))
            });
            let input = input.unwrap_or_else(|| panic!("{} has no input", folder.display()));
            cases.push(Case { input: the_input(input), folder });
        }
    }
    cases
}

/// A folder `input` that holds a single zip stands for that zip, whose name matters.
fn the_input(input: PathBuf) -> PathBuf {
    match children(&input).as_slice() {
        [only] if only.extension().is_some_and(|end| end == "zip") => only.clone(),
        _ => input,
    }
}

pub fn children(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

impl Case {
    /// The options of the case: `timezone.txt` and `password.txt` beside the input.
    pub fn open(&self, input: &Path) -> Result<Archive, ArchiveError> {
        let mut options = Options { hash_files: true, ..Options::default() };
        if let Ok(zone) = fs::read_to_string(self.folder.join("timezone.txt")) {
            options.time_zone = TimeZone::get(zone.trim()).unwrap();
        }
        let password = fs::read(self.folder.join("password.txt")).ok();
        let password = password.map(|secret| Password::new(secret.trim_ascii_end()));
        Archive::open(input, Access { limits: Limits::default(), password }, options)
    }
}

/// Everything an archive gives.
#[derive(Debug, PartialEq)]
pub struct Reading {
    pub survey: Survey,
    pub records: Vec<Record>,
}

/// Surveys an archive and reads every chat of it.
pub fn read(archive: &Archive) -> Result<Reading, ArchiveError> {
    let survey = archive.survey()?;
    let mut records = Vec::new();
    for chat in &survey.chats {
        archive.read(&chat.id, &mut |record| {
            records.push(record);
            Flow::Continue
        })?;
    }
    Ok(Reading { survey, records })
}

/// A record as one line of `expected.jsonl`.
pub fn canonical(record: &Record) -> Value {
    match record {
        Record::Message(message) => serde_json::to_value(message).unwrap(),
        Record::Finding(finding) => serde_json::json!({ "finding": finding }),
    }
}

/// Packs a file or folder into a zip.
pub fn zip(input: &Path, to: &Path) {
    let mut writer = zip::ZipWriter::new(fs::File::create(to).unwrap());
    let mut pending = vec![input.to_owned()];
    let root = if input.is_dir() { input } else { input.parent().unwrap() };
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(children(&path).into_iter().rev());
            continue;
        }
        let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(&fs::read(&path).unwrap()).unwrap();
    }
    writer.finish().unwrap();
}
