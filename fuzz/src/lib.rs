//! What the fuzz targets share: an export made of the fuzzer's bytes, read in every way there is,
//! and what must hold whatever the bytes are.

#[path = "../../src/archive/mod.rs"]
pub mod archive;
#[path = "../../src/model/mod.rs"]
pub mod model;

use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use archive::{Access, Archive, Container, Flow, Limits, Options, Password, Record};
use model::message::Body;
use model::time::UnixMillis;

/// One folder a process, in memory where the system has such a place.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let shm = Path::new("/dev/shm");
    let parent = if shm.is_dir() { shm.to_owned() } else { std::env::temp_dir() };
    let folder = parent.join(format!("passerelle-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for the export can be made");
    folder
});

/// Small limits, so that no input may cost more than a moment.
const LIMITS: Limits = Limits { entries: 1000, total_bytes: 16 << 20, ratio: 200, depth: 8 };

/// Puts the bytes where an export has them and reads it.
pub fn read_as(name: &str, bytes: &[u8]) {
    let path = FOLDER.join(name);
    fs::write(&path, bytes).expect("the export can be written");
    read(&FOLDER);
}

/// Puts the bytes into a file of their own and reads that file.
pub fn read_file(name: &str, bytes: &[u8]) {
    let path = FOLDER.join(name);
    fs::write(&path, bytes).expect("the export can be written");
    for password in [None, Some(Password::new("secret"))] {
        let access = Access { limits: LIMITS, password };
        if let Ok(container) = Container::open(&path, access) {
            unpack(&container);
        }
    }
    read(&path);
}

/// Every entry read to its end: never more than it claims.
fn unpack(container: &Container) {
    let mut unpacked = 0;
    for entry in container.entries() {
        assert!(!entry.name.split('/').any(|part| part == ".."), "a name leaves the container");
        assert!(!entry.name.starts_with('/'), "a name leaves the container");
        let Ok(mut stream) = container.reader(entry) else { continue };
        let mut buffer = [0; 8192];
        let mut size_bytes = 0;
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            size_bytes += count as u64;
        }
        assert!(size_bytes <= entry.size_bytes, "an entry is longer than it claims");
        unpacked += size_bytes;
    }
    assert!(unpacked <= LIMITS.total_bytes, "more than the limit was unpacked");
    let _ = container.digest();
}

/// Surveys an export and reads each of its chats; the two must agree.
fn read(path: &Path) {
    let options = Options { hash_files: true, ..Options::default() };
    let Ok(archive) = Archive::open(path, LIMITS, options) else { return };
    let Ok(survey) = archive.survey() else { return };
    for chat in &survey.chats {
        let (mut messages, mut ids) = (0, HashSet::new());
        let outcome = archive.read(&chat.id, &mut |record| {
            if let Record::Message(message) = record {
                messages += 1;
                assert_eq!(message.chat, chat.id, "a message of another chat");
                assert!(ids.insert(message.id.clone()), "two messages have one id");
                let text = match &message.body {
                    Body::Text(text) => Some(text),
                    Body::Media { caption, .. } => caption.as_ref(),
                    _ => None,
                };
                for (text, span) in text.iter().flat_map(|text| text.spans.iter().map(|s| (*text, s))) {
                    assert!(text.plain.get(span.start..span.end).is_some(), "a span cuts a character");
                }
                serde_json::to_string(&message).expect("a message can be written");
            }
            Flow::Continue
        });
        if outcome.is_ok() {
            assert_eq!(messages, chat.messages, "the survey and the reading disagree");
        }
        assert!(chat.records >= chat.messages, "more messages than records");
    }
    // The ways that cut a reading short.
    if let Some(chat) = survey.chats.first() {
        let mut left = 3_u32;
        let _ = archive.read(&chat.id, &mut |_| {
            left -= 1;
            if left == 0 { Flow::Stop } else { Flow::Continue }
        });
        let options = Options {
            only_chat: Some(chat.id.clone()),
            expired_before: Some(UnixMillis(1_700_000_000_000)),
            ..Options::default()
        };
        if let Ok(archive) = Archive::open(path, LIMITS, options) {
            let _ = archive.survey();
        }
    }
}
