//! Every case gives exactly what its folder says.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::cases::{canonical, cases, read};

fn compare(path: &Path, found: &str) {
    if std::env::var_os("ACCEPT").is_some() {
        fs::write(path, found).unwrap();
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    if expected != found {
        let at = expected.lines().zip(found.lines()).position(|(a, b)| a != b);
        let line = at.unwrap_or(expected.lines().count().min(found.lines().count()));
        panic!(
            "{} differs in line {}:\nexpected {:?}\nfound    {:?}",
            path.display(),
            line + 1,
            expected.lines().nth(line),
            found.lines().nth(line)
        );
    }
}

#[test]
fn valid_cases_give_their_messages_and_survey() {
    for case in cases("valid") {
        let archive = case.open(&case.input);
        let archive = archive.unwrap_or_else(|error| panic!("{}: {error}", case.folder.display()));
        let reading = read(&archive);
        let reading = reading.unwrap_or_else(|error| panic!("{}: {error}", case.folder.display()));
        let mut lines = String::new();
        for record in &reading.records {
            writeln!(lines, "{}", canonical(record)).unwrap();
        }
        compare(&case.folder.join("expected.jsonl"), &lines);
        let survey = serde_json::to_string_pretty(&reading.survey).unwrap() + "\n";
        compare(&case.folder.join("expected.json"), &survey);
    }
}

/// `expected.txt` holds the variant of the error and what it says.
#[test]
fn invalid_cases_fail_for_the_reason_their_folder_names() {
    for case in cases("invalid") {
        let error = case.open(&case.input).and_then(|archive| read(&archive).map(|_| ()));
        let Err(error) = error else { panic!("{} is read", case.folder.display()) };
        let variant = format!("{error:?}");
        let variant: String = variant.chars().take_while(|c| c.is_alphanumeric()).collect();
        let text = format!("{variant}: {error}\n");
        let input = case.input.display().to_string();
        compare(&case.folder.join("expected.txt"), &text.replace(&input, "INPUT"));
    }
}
