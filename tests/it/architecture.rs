//! Arrows point down: who may import whom, as `docs/ARCHITECTURE.md` draws it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The floors, from the top. Modules on one line never meet.
const FLOORS: [&[&str]; 8] = [
    &["main"],
    &["cli"],
    &["app"],
    &["web", "bot"],
    &["import", "relay", "doctor"],
    &["portal"],
    &["archive", "convert", "olvid", "matrix", "store"],
    &["wording", "config", "model"],
];

/// Modules without a runtime, a network or a clock, and what would betray one.
const PURE: [&str; 3] = ["model", "convert", "archive"];
const IMPURE: [&str; 5] = ["tokio::", "reqwest::", "sled::", "axum::", "std::net::"];

/// Crates that stay at home.
const HOMES: [(&str, &str); 5] = [
    ("sled::", "store"),
    ("axum::", "web"),
    ("clap::", "cli"),
    ("matrix_sdk_crypto::", "matrix"),
    ("matrix_sdk_sqlite::", "matrix"),
];
const ALSO_AXUM: [&str; 2] = ["matrix", "app"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The top module a file belongs to; `None` for `lib.rs`.
fn module_of(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(root()).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (name != "lib").then(|| name.to_owned())
}

fn floor(module: &str) -> usize {
    FLOORS
        .iter()
        .position(|names| names.contains(&module))
        .unwrap_or_else(|| panic!("`{module}` stands on no floor: give it one in this test"))
}

/// Code lines only: what comments and documentation mention is no import.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn crate_paths(code: &str) -> BTreeSet<String> {
    code.match_indices("crate::")
        .map(|(at, word)| {
            let rest = &code[at + word.len()..];
            rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
        })
        .filter(|name: &String| !name.is_empty())
        .collect()
}

#[test]
fn imports_point_down_and_neighbours_never_meet() {
    let mut wrong = Vec::new();
    for path in sources(&root()) {
        let Some(module) = module_of(&path) else { continue };
        for target in crate_paths(&code(&path)) {
            if target != module && floor(&target) <= floor(&module) {
                wrong.push(format!("{} imports `{target}`", path.display()));
            }
        }
    }
    assert_eq!(wrong, [] as [String; 0]);
}

#[test]
fn grouped_imports_of_the_crate_are_not_used_to_slip_past_this_test() {
    for path in sources(&root()) {
        let code = code(&path);
        assert!(!code.contains("use crate::{"), "{}: one `use` a module", path.display());
        assert!(!code.contains("super::super::super"), "{}", path.display());
    }
}

#[test]
fn pure_modules_have_no_runtime_network_or_database() {
    for path in sources(&root()) {
        let Some(module) = module_of(&path) else { continue };
        if PURE.contains(&module.as_str()) {
            for word in IMPURE {
                assert!(!code(&path).contains(word), "{} uses {word}", path.display());
            }
        }
    }
}

#[test]
fn foreign_types_stay_home() {
    for path in sources(&root()) {
        let Some(module) = module_of(&path) else { continue };
        for (word, home) in HOMES {
            let at_home =
                module == home || (word == "axum::" && ALSO_AXUM.contains(&module.as_str()));
            assert!(at_home || !code(&path).contains(word), "{} uses {word}", path.display());
        }
    }
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    for path in sources(&root()) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{} opens without a sentence", path.display());
    }
}
