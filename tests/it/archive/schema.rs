//! The JSON Schema in the documentation, against what the readers and generators really give.
//!
//! The judge is Python's `jsonschema`, which the homeserver's environment holds anyway: a validator
//! of our own would only repeat our mistakes.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use passerelle::archive::{Archive, Limits, Options};
use serde_json::{Value, json};

use super::cases::{canonical, cases, read};
use super::whatsapp_truth::generator;

/// Prints the number of each line that does not fit, and why.
const JUDGE: &str = "
import json, sys
from jsonschema import Draft202012Validator
with open(sys.argv[1], encoding='utf-8') as schema:
    judge = Draft202012Validator(json.load(schema))
judge.check_schema(judge.schema)
for number, line in enumerate(sys.stdin.buffer):
    for error in judge.iter_errors(json.loads(line)):
        print(number, error.json_path, error.message[:300], [c.message[:200] for c in error.context])
";

/// The lines that do not fit.
fn misfits(lines: &[Value]) -> Vec<(usize, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = Command::new("python3")
        .args(["sandbox/homeserver/homeserver.py", "venv"])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut judge = Command::new(root.join(".work/venv/bin/python"))
        .args(["-c", JUDGE])
        .arg(root.join("docs/neutral-model.schema.json"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = String::new();
    for line in lines {
        text.push_str(&line.to_string());
        text.push('\n');
    }
    let mut input = judge.stdin.take().unwrap();
    let feeding = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = judge.wait_with_output().unwrap();
    feeding.join().unwrap().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines()
        .map(|line| {
            let (number, why) = line.split_once(' ').unwrap();
            (number.parse().unwrap(), why.to_owned())
        })
        .collect()
}

fn assert_fits(lines: &[Value], what: &str) {
    let misfits = misfits(lines);
    let shown: Vec<_> =
        misfits.iter().take(5).map(|(at, why)| format!("{why}\n{}", lines[*at])).collect();
    assert!(misfits.is_empty(), "{what}: {} lines\n{}", misfits.len(), shown.join("\n"));
}

#[test]
fn golden_cases_fit() {
    let mut lines = Vec::new();
    for case in cases("valid") {
        let reading = read(&case.open(&case.input).unwrap()).unwrap();
        lines.extend(reading.records.iter().map(canonical));
    }
    assert!(lines.len() > 500, "{}", lines.len());
    assert_fits(&lines, "golden cases");
}

#[test]
fn what_the_generators_write_fits() {
    let Some(whatsapp) = generator() else {
        println!("skipped: no generator beside the repository");
        return;
    };
    let olvid = whatsapp.with_file_name("gen_olvid.py");
    let dir = tempfile::tempdir().unwrap();
    let runs = [
        (&whatsapp, vec!["--profile", "fr_ios", "--media", "attached", "--zip"]),
        (&whatsapp, vec!["--profile", "ar_ios", "--zip"]),
        (&whatsapp, vec!["--profile", "fr_android", "--media", "attached", "--zip"]),
        (&whatsapp, vec!["--profile", "us_android", "--stray-bytes", "20", "--zip"]),
        (&olvid, vec!["--platform", "android", "--out"]),
        (&olvid, vec!["--platform", "ios", "--messages-only", "--out"]),
    ];
    for (number, (generator, arguments)) in runs.iter().enumerate() {
        let path = dir.path().join(format!("{number}.zip"));
        let made = Command::new("python3")
            .arg(generator)
            .args(["--messages", "800", "--seed", "7"])
            .args(arguments)
            .arg(&path)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let options = Options { hash_files: true, ..Options::default() };
        let reading = read(&Archive::open(&path, Limits::default(), options).unwrap()).unwrap();
        let lines: Vec<Value> = reading.records.iter().map(canonical).collect();
        assert!(lines.len() >= 700, "{}", lines.len());
        assert_fits(&lines, &format!("{arguments:?}"));
    }
}

/// A schema that allows everything says nothing.
#[test]
fn what_the_model_does_not_know_does_not_fit() {
    let good = json!({
        "id": "1", "chat": "c", "sent_at": { "at": 0, "precision": "minute", "zone": "assumed" },
        "body": { "kind": "text", "plain": "x" }, "place": {},
    });
    let with = |pointer: &str, key: &str, value: Value| {
        let mut bad = good.clone();
        bad.pointer_mut(pointer).unwrap()[key] = value;
        bad
    };
    let file = json!({ "kind": "media", "attachments": [{ "kind": "photo", "state": "present" }] });
    let lines = [
        good.clone(),
        with("", "surprise", json!(1)),
        with("", "id", json!("")),
        with("", "body", file),
        with("/body", "kind", json!("hologram")),
        with("/body", "question", json!("?")),
        with("/body", "spans", json!([])),
        with("/sent_at", "precision", json!("hour")),
        with("/place", "line", json!(0)),
        json!({ "finding": { "kind": "mystery", "place": {} } }),
        json!({}),
    ];
    let mut misfits: Vec<usize> = misfits(&lines).into_iter().map(|(at, _)| at).collect();
    misfits.dedup();
    assert_eq!(misfits, (1..lines.len()).collect::<Vec<_>>());
}
