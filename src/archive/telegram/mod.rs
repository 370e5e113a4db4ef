//! Reads Telegram Desktop's exports: one chat, one topic or a whole account, as JSON, HTML or
//! both. `README.md` states the format and its gaps.
//!
//! The journey of a message: `layout` finds the export in the container; `walk` steps through
//! `result.json` and parses one message at a time into `raw`, with `repair` where the exporter
//! wrote no JSON; `convert` makes the neutral message with `text`, `media`, `action`, `clock` and
//! `ids`. `html` does the same for pages; `both` joins the two. What Matrix makes of it is left
//! to others, and so is merging several exports.

mod action;
mod body;
mod both;
mod clock;
mod convert;
mod fields;
mod files;
mod frame;
mod html;
mod ids;
mod json;
mod layout;
mod lookalike;
mod media;
mod numbers;
mod parts;
mod raw;
mod records;
mod repair;
mod rich;
mod sentences;
mod survey;
#[cfg(test)]
mod tests;
mod text;
mod told;
mod value;
mod walk;
mod window;

use std::borrow::Cow;
use std::collections::HashSet;

use self::files::Marks;
use self::json::Event;
use self::layout::Export;
use self::lookalike::Flavour;
use self::survey::Tally;
use super::container::Container;
use super::reader::{ArchiveError, ChatSurvey, Confidence, Flow, Options, Reader, Record, Survey};
use crate::model::finding::{Finding, FindingKind, Place};
use crate::model::ids::{ChatId, Network};

/// The reader of Telegram Desktop's exports.
#[derive(Clone, Copy, Debug)]
pub struct Telegram;

/// What no export of Telegram Desktop contains, in any format and version.
const NEVER: [&str; 10] = [
    "edit history",
    "read receipts",
    "quotes of replies",
    "link previews",
    "albums",
    "voters of polls",
    "member list",
    "secret chats",
    "stories in chats",
    "contents of paid media",
];

impl Reader for Telegram {
    fn recognise(&self, container: &Container) -> Confidence {
        let exports = layout::find(container);
        exports.iter().map(|export| export.confidence).max().unwrap_or(Confidence::No)
    }

    fn survey(&self, container: &Container, options: &Options) -> Result<Survey, ArchiveError> {
        let exports = layout::find(container);
        let mut survey = Survey {
            network: Network::Telegram,
            format: String::new(),
            chats: Vec::new(),
            findings: container.findings().to_vec(),
            never_contains: NEVER.map(Cow::Borrowed).to_vec(),
        };
        let mut known: HashSet<ChatId> = HashSet::new();
        let mut formats = Vec::new();
        for export in &exports {
            let (format, chats) = survey_export(container, export, options, &mut survey.findings)?;
            formats.push(format);
            for chat in chats {
                if known.insert(chat.id.clone()) {
                    survey.chats.push(chat);
                } else {
                    let detail = format!("the chat {} is exported more than once here", chat.id);
                    survey.findings.push(finding(FindingKind::Conflict, &export.root, detail));
                }
            }
        }
        if exports.is_empty() || (survey.chats.is_empty() && options.only_chat.is_none()) {
            return Err(ArchiveError::Empty { path: container.path().display().to_string() });
        }
        formats.dedup();
        survey.format = formats.join("; ");
        if formats.iter().any(|format| format.contains("JSON") && !format.contains("HTML")) {
            survey.never_contains.push("dates of forwarded originals".into());
        }
        if formats.iter().any(|format| !format.contains("JSON")) {
            let lacks = ["ids of people", "dates of edits", "times of services"];
            survey.never_contains.extend(lacks.map(Cow::Borrowed));
        }
        Ok(survey)
    }

    fn read(
        &self,
        container: &Container,
        chat: &ChatId,
        options: &Options,
        sink: &mut dyn FnMut(Record) -> Flow,
    ) -> Result<(), ArchiveError> {
        for export in &layout::find(container) {
            let mut found = false;
            let wanted = |id: &ChatId| id == chat;
            let mut tell = |event: Event<'_>| match event {
                Event::Begin(_) => {
                    found = true;
                    Flow::Continue
                }
                Event::Record(record) => sink(record),
                // The chat is over: nothing after it is even looked at.
                Event::End { .. } => Flow::Stop,
            };
            if export.json.is_some() {
                json::read(container, export, options, &wanted, None, &mut tell)?;
            } else {
                html::read(container, export, options, &wanted, &mut tell);
            }
            if found {
                return Ok(());
            }
        }
        Err(ArchiveError::NoSuchChat { chat: chat.clone() })
    }
}

/// One export's format in words, and its chats.
fn survey_export(
    container: &Container,
    export: &Export<'_>,
    options: &Options,
    findings: &mut Vec<Finding>,
) -> Result<(String, Vec<ChatSurvey>), ArchiveError> {
    let mut chats = Vec::new();
    let mut open: Option<Tally> = None;
    let wanted = |id: &ChatId| options.only_chat.as_ref().is_none_or(|only| only == id);
    let mut tell = |event: Event<'_>| {
        match event {
            Event::Begin(chat) => open = Some(Tally::new(chat)),
            Event::Record(record) => {
                if let Some(tally) = &mut open {
                    tally.add(record);
                }
            }
            Event::End { records } => chats.extend(open.take().map(|tally| tally.finish(records))),
        }
        Flow::Continue
    };
    let marks = Marks::default();
    let outcome = if export.json.is_some() {
        json::read(container, export, options, &wanted, Some(&marks), &mut tell)?
    } else {
        html::read(container, export, options, &wanted, &mut tell)
    };
    let entry = export.json.map_or(export.root.as_str(), |entry| entry.name.as_str());
    if let Some(reason) = outcome.cut {
        findings.push(finding(FindingKind::Truncated, entry, reason));
    }
    if outcome.skipped > 0 {
        let detail = format!("{} other chats, not read", outcome.skipped);
        findings.push(finding(FindingKind::OtherChatsPresent, entry, detail));
    }
    // Only JSON names every file, and only a whole reading tells what nobody names.
    if export.json.is_some() && options.only_chat.is_none() && outcome.cut.is_none() {
        let marks = marks.into_inner();
        let orphans = container
            .entries()
            .iter()
            .filter(|entry| layout::may_be_media(entry, export) && !marks.contains(&entry.name));
        let orphans = orphans.count();
        if orphans > 0 {
            let detail = format!("{orphans} files that no message names");
            findings.push(finding(FindingKind::OrphanFiles, &export.root, detail));
        }
    }
    let mut format = match outcome.signs.flavour() {
        Flavour::Desktop => "Telegram Desktop export".to_owned(),
        Flavour::Other => "export in the manner of Telegram Desktop, by another tool".to_owned(),
    };
    format.push_str(match (export.json.is_some(), export.html.is_empty()) {
        (true, true) => ", JSON",
        (true, false) => ", JSON and HTML",
        (false, _) => ", HTML",
    });
    format.push_str(if outcome.account { ", account" } else { ", one chat" });
    if let Some(since) = outcome.signs.since() {
        format.push_str(", as written since ");
        format.push_str(&since);
    }
    Ok((format, chats))
}

fn finding(kind: FindingKind, entry: &str, detail: impl Into<String>) -> Finding {
    Finding {
        kind,
        place: Place { entry: entry.to_owned(), line: None },
        message: None,
        detail: detail.into(),
    }
}
