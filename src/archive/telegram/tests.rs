//! The generator's truth reproduced, record for record, and the public samples.
//!
//! Both lie in a folder `shared` beside the repository; where it is absent the tests say so and
//! pass. The generator's truth says what a file holds in the generator's own words, so the
//! comparison below is a second, independent reading of the format's facts.

mod damage;
mod hostile;
mod pages;
mod samples;
mod truth;

use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::tz::TimeZone;
use tempfile::TempDir;

use super::Telegram;
use crate::archive::container::{Container, Limits};
use crate::archive::reader::{Flow, Options, Reader, Record, Survey};
use crate::model::ids::ChatId;

/// The folder of samples and generators, if it is there.
fn shared() -> Option<PathBuf> {
    let house = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = ["../shared", "../../shared"].iter().map(|p| house.join(p)).find(|p| p.is_dir());
    if found.is_none() {
        println!("skipped: no folder `shared` beside the repository");
    }
    found
}

/// Runs the generator.
fn generate(shared: &Path, args: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let status = Command::new("python3")
        .arg(shared.join("tools/gen_telegram.py"))
        .arg("--out")
        .arg(dir.path().join("export"))
        .arg("--truth")
        .arg(dir.path().join("truth.jsonl"))
        .args(args)
        .status()
        .unwrap();
    assert!(status.success());
    std::fs::remove_file(dir.path().join("export/EXPECTED.json")).unwrap();
    dir
}

fn options(zone: &str) -> Options {
    Options { time_zone: TimeZone::get(zone).unwrap(), ..Options::default() }
}

fn open(path: &Path) -> Container {
    Container::open(path, Limits::default()).unwrap()
}

fn survey(container: &Container, options: &Options) -> Survey {
    Telegram.survey(container, options).unwrap()
}

fn read(container: &Container, chat: &ChatId, options: &Options) -> Vec<Record> {
    let mut records = Vec::new();
    Telegram
        .read(container, chat, options, &mut |record| {
            records.push(record);
            Flow::Continue
        })
        .unwrap();
    records
}
