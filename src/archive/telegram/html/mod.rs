//! Reads the pages that Telegram Desktop writes: `messages.html`, `messages2.html`, …
//!
//! `pages` frames one message at a time, `tree` parses its markup, `shown`, `media` and `words`
//! read what it shows, `services` what the messenger said, `convert` makes neutral messages.
//! Pages have no ids of people, no edits and no times of services; but they alone have the dates
//! of forwarded originals and people's full names, which `both` adds to JSON.

mod convert;
mod media;
pub(super) mod pages;
mod services;
pub(super) mod shown;
mod tree;
mod words;

use std::collections::HashMap;
use std::io::Read;

use self::convert::Converter;
use self::pages::{Framed, Pages};
use self::services::DELETED;
use super::clock::WallClock;
use super::files::Files;
use super::ids;
use super::json::{Chat, Event, Outcome, Wanted};
use super::layout::{Export, HtmlChat, page_head};
use crate::archive::container::Container;
use crate::archive::reader::{Flow, Options, Record};
use crate::model::finding::{Finding, FindingKind, Place};

/// The list of chats is small; one that is not is not read to its end.
const LONGEST_LIST: u64 = 16 << 20;

/// Reads the wanted chats of one export. A page that cannot be opened is a finding.
pub(super) fn read(
    container: &Container,
    export: &Export<'_>,
    options: &Options,
    wanted: &Wanted<'_>,
    tell: &mut dyn FnMut(Event<'_>) -> Flow,
) -> Outcome {
    let account = export.html.iter().any(|chat| chat.number.is_some());
    let listed = if account { list(container, export) } else { HashMap::new() };
    let mut outcome = Outcome { account, ..Outcome::default() };
    let mut names: HashMap<String, u64> = HashMap::new();
    for html in &export.html {
        let title = full_title(container, html);
        let ordinal = names.entry(title.clone()).or_default();
        *ordinal += 1;
        let id = ids::named_chat(&title, *ordinal);
        if !wanted(&id) {
            outcome.skipped += 1;
            continue;
        }
        let listed = html.number.and_then(|number| listed.get(&number));
        let chat = Chat {
            id,
            title,
            group: listed.and_then(|listed| listed.group),
            owner: options.exporter.clone(),
            peer: None,
            nameless: true,
        };
        if read_chat(container, export, html, options, &chat, listed, tell) == Flow::Stop {
            break;
        }
    }
    outcome
}

/// The chat's title; nothing for a deleted account.
pub(super) fn full_title(container: &Container, html: &HtmlChat<'_>) -> String {
    let title = html.pages.first().map(|page| pages::title(&page_head(container, page)));
    title.filter(|title| title != DELETED).unwrap_or_default()
}

fn read_chat(
    container: &Container,
    export: &Export<'_>,
    html: &HtmlChat<'_>,
    options: &Options,
    chat: &Chat,
    listed: Option<&Listed>,
    tell: &mut dyn FnMut(Event<'_>) -> Flow,
) -> Flow {
    if tell(Event::Begin(chat)) == Flow::Stop {
        return Flow::Stop;
    }
    let files = Files::new(container, &export.root, options.hash_files);
    let folder = html.folder.strip_prefix(&export.root).unwrap_or_default().to_owned();
    let clock = WallClock::new(options.time_zone.clone());
    let mut converter = Converter::new(chat.id.clone(), clock, files, folder);
    let mut pages = Pages::new(container, html.pages.clone());
    let mut records = 0;
    let mut last = Place::default();
    while let Some(framed) = pages.next() {
        let mut sink = |record: Record| tell(Event::Record(record));
        let flow = match framed {
            Framed::Message { markup, page, number } => {
                let place = Place { entry: page, line: Some(number) };
                let flow = match shown::read(&markup) {
                    Some(shown) => {
                        let (flow, counts) = converter.message(shown, &place, &mut sink);
                        records += u64::from(counts);
                        flow
                    }
                    None => sink(Record::Finding(finding(FindingKind::Unreadable, &place, ""))),
                };
                last = place;
                flow
            }
            Framed::Truncated { page, number } => {
                let place = Place { entry: page, line: Some(number) };
                let detail = "the page ends in the middle";
                sink(Record::Finding(finding(FindingKind::Truncated, &place, detail)))
            }
            Framed::Unreadable { page, number } => {
                let place = Place { entry: page, line: Some(number) };
                let detail = "a message of more than 16 MiB, or a page that cannot be opened";
                sink(Record::Finding(finding(FindingKind::Unreadable, &place, detail)))
            }
        };
        if flow == Flow::Stop {
            return Flow::Stop;
        }
    }
    let place = Place { line: None, ..last };
    let mut closing = Vec::new();
    if listed.is_some_and(|listed| listed.own_only) {
        let detail = "the list of chats counts outgoing messages only";
        closing.push(finding(FindingKind::OwnMessagesOnly, &place, detail));
    }
    if converter.clock.is_foreign() {
        let detail = "the pages name another standard offset than the chosen zone has; the \
                      likeliest zone of that offset was taken";
        closing.push(finding(FindingKind::ImpossibleTime, &place, detail));
    }
    for finding in closing {
        if tell(Event::Record(Record::Finding(finding))) == Flow::Stop {
            return Flow::Stop;
        }
    }
    tell(Event::End { records })
}

fn finding(kind: FindingKind, place: &Place, detail: &str) -> Finding {
    Finding { kind, place: place.clone(), message: None, detail: detail.to_owned() }
}

/// What `lists/chats.html` says of a chat.
#[derive(Debug, Default)]
struct Listed {
    group: Option<bool>,
    own_only: bool,
}

/// The chats of an account by the number of their folder.
fn list(container: &Container, export: &Export<'_>) -> HashMap<u64, Listed> {
    let mut found = HashMap::new();
    let Some(entry) = container.find(&format!("{}lists/chats.html", export.root)) else {
        return found;
    };
    let mut bytes = Vec::new();
    if let Ok(stream) = container.reader(entry) {
        // What was read before an error is read all the same.
        let _ = stream.take(LONGEST_LIST).read_to_end(&mut bytes);
    }
    let text = String::from_utf8_lossy(&bytes);
    for part in text.split("href=\"").skip(1) {
        let Some((href, rest)) = part.split_once('"') else { continue };
        let number = href
            .rsplit_once("chats/chat_")
            .and_then(|(_, rest)| rest.split('/').next()?.parse::<u64>().ok());
        let Some(number) = number else { continue };
        let rest = rest.split("</a>").next().unwrap_or_default();
        let words = tree::parse(rest).words();
        let group = tree::parse(rest).find("info").and_then(|info| match info.words().trim() {
            "private" | "bot" => Some(false),
            "group" | "channel" => Some(true),
            _ => None,
        });
        found.insert(number, Listed { group, own_only: words.contains("outgoing messages") });
    }
    found
}
