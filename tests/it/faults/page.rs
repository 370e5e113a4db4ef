//! `docs/faults.md`: its table is what a run of `make faults` saw, or the run fails.

use std::path::PathBuf;

const BEGIN: &str = "<!-- what `make faults` saw -->\n";
const END: &str = "<!-- until here -->\n";
const HEAD: &str = "| what goes wrong | where | state | what the operator reads | what helps | in the end |\n\
                    | --- | --- | --- | --- | --- | --- |\n";

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Line {
    pub fault: String,
    pub place: String,
    /// How the job rested, or how the daemon ended.
    pub state: String,
    /// The error and its hint; empty when the fault was waited out.
    pub error: String,
    pub hint: String,
    /// What the operator did before the job was resumed; empty when nothing was needed.
    pub remedy: String,
    /// How the job stands after that.
    pub last: String,
}

impl Line {
    pub fn written(&self) -> String {
        let read = match (self.error.as_str(), self.hint.as_str()) {
            ("", _) => "nothing".to_owned(),
            (error, "") => format!("`{error}`"),
            (error, hint) => format!("`{error}` hint: {hint}"),
        };
        let remedy = if self.remedy.is_empty() { "–" } else { &self.remedy };
        let Self { fault, place, state, last, .. } = self;
        format!("| {fault} | {place} | {state} | {read} | {remedy} | {last} |\n")
    }
}

/// Compares lines with the page; returns what differs. All lines of the page must have been
/// seen when the run was the whole one.
pub fn differences(lines: &[Line], whole: bool) -> Vec<String> {
    let page = std::fs::read_to_string(path()).unwrap_or_default();
    let known: Vec<String> = table_of(&page).split_inclusive('\n').map(str::to_owned).collect();
    let seen: Vec<String> = lines.iter().map(Line::written).collect();
    let mut found = Vec::new();
    found.extend(seen.iter().filter(|line| !known.contains(line)).map(|line| format!("+ {line}")));
    if whole {
        let gone = known.iter().filter(|line| !seen.contains(line));
        found.extend(gone.map(|line| format!("- {line}")));
    }
    found
}

/// Puts the lines of a whole run into the page.
pub fn write(lines: &[Line]) {
    let page = std::fs::read_to_string(path()).unwrap();
    let table: String = lines.iter().map(Line::written).collect();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    std::fs::write(path(), format!("{before}{BEGIN}{HEAD}{table}{END}{after}")).unwrap();
}

fn table_of(page: &str) -> &str {
    let inside = page.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END));
    inside.and_then(|(table, _)| table.strip_prefix(HEAD)).unwrap_or("")
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/faults.md")
}
