//! The two files say the same things, and everything the code asks for is there.

use std::collections::BTreeSet;
use std::path::Path;

use fluent_bundle::FluentResource;

use super::*;

fn ids(language: Language) -> BTreeSet<String> {
    let source = language.source();
    assert!(FluentResource::try_new(source.to_owned()).is_ok(), "{} is faulty", language.code());
    source
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter_map(|line| line.split_once(" ="))
        .map(|(id, _)| id.to_owned())
        .collect()
}

/// The gaps of each text, such as `$name`.
fn gaps(language: Language) -> BTreeSet<(String, String)> {
    let mut id = String::new();
    let mut gaps = BTreeSet::new();
    for line in language.source().lines() {
        if line.starts_with(|c: char| c.is_ascii_lowercase())
            && let Some((found, _)) = line.split_once(" =")
        {
            id = found.to_owned();
        }
        for gap in line.split('$').skip(1) {
            let name = gap.chars().take_while(char::is_ascii_alphanumeric).collect();
            gaps.insert((id.clone(), name));
        }
    }
    gaps
}

#[test]
fn both_languages_say_the_same_things() {
    assert_eq!(ids(Language::French), ids(Language::English));
    assert_eq!(gaps(Language::French), gaps(Language::English));
    for language in Language::ALL {
        let wording = Wording::new(language);
        assert!(ids(language).iter().all(|id| wording.has(id)));
    }
}

#[test]
fn no_id_is_given_twice() {
    for language in Language::ALL {
        let lines = language.source().lines();
        let count = lines
            .filter(|line| {
                line.starts_with(|c: char| c.is_ascii_lowercase()) && line.contains(" =")
            })
            .count();
        assert_eq!(count, ids(language).len(), "{}", language.code());
    }
}

/// Every `text("…")` in the sources, whoever calls it.
fn asked_for(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            asked_for(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let code = std::fs::read_to_string(&path).expect("a source file");
            for call in code.split("text(\n").flat_map(|piece| piece.split("text(")).skip(1) {
                let call = call.trim_start();
                let id: Option<&str> = call.strip_prefix('"').and_then(|c| c.split('"').next());
                found.extend(id.filter(|id| !id.contains(['{', ' '])).map(ToOwned::to_owned));
            }
        }
    }
}

#[test]
fn every_text_the_code_asks_for_exists() {
    let mut asked = BTreeSet::new();
    asked_for(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/convert"), &mut asked);
    assert!(asked.contains("message-deleted"), "the search finds nothing any more");
    let wording = Wording::new(Language::French);
    let known: Vec<&String> = asked.iter().filter(|id| id.contains('-')).collect();
    assert!(known.len() > 20);
    for id in known {
        assert!(wording.has(id), "{id}");
    }
}

/// French puts no-break spaces before `:`, `;`, `!`, `?` and inside `« »`.
#[test]
fn french_typography() {
    let source = Language::French.source();
    for (number, line) in source.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
        for (before, after) in line.chars().zip(line.chars().skip(1)) {
            let number = number + 1;
            if matches!(after, ':' | ';' | '!' | '?') {
                assert!(matches!(before, '\u{a0}' | '\u{202f}'), "line {number}: {line}");
            }
            if before == '«' || after == '»' {
                let inner = if before == '«' { after } else { before };
                assert_eq!(inner, '\u{a0}', "line {number}: {line}");
            }
            assert_ne!(after, '\'', "line {number}: {line}");
        }
    }
}

#[test]
fn texts_are_filled_without_marks() {
    let french = Wording::new(Language::French);
    let english = Wording::new(Language::English);
    assert_eq!(french.text("contact", &[("name", "Zoé".into())]), "👤 Contact\u{a0}: Zoé");
    assert_eq!(french.text("no-such-text", &[]), "no-such-text");
    let votes =
        |n: u32| english.text("poll-option-votes", &[("option", "A".into()), ("votes", n.into())]);
    assert_eq!((votes(1), votes(2)), ("A: 1 vote".to_owned(), "A: 2 votes".to_owned()));
    assert_eq!(french.text("speaker-prefix", &[("name", "Zoé".into())]), "Zoé\u{a0}: ");
}

#[test]
fn dates_sizes_and_lists() {
    let french = Wording::new(Language::French);
    let english = Wording::new(Language::English);
    let at = civil::date(2024, 3, 1).at(4, 5, 59, 0);
    assert_eq!(french.moment(at), "1er\u{a0}mars 2024 à 04:05");
    assert_eq!(english.moment(at), "1\u{a0}March 2024 at 04:05");
    assert_eq!(french.duration(45), "45\u{a0}s");
    assert_eq!(french.duration(3_900), "1\u{a0}h 5\u{a0}min");
    assert_eq!(french.size(512), "512 octets");
    assert_eq!(french.size(2_345_678), "2,3\u{a0}Mo");
    assert_eq!(english.size(1_000), "1\u{a0}kB");
    assert_eq!(english.size(u64::MAX), "18446744073\u{a0}GB");
    let people = ["A".to_owned(), "B".to_owned(), "C".to_owned()];
    assert_eq!(french.list(&people), "A, B et C");
    assert_eq!(french.list(&people[..1]), "A");
}
