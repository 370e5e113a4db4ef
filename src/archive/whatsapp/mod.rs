//! WhatsApp's "Export chat": one text file, often in a zip with the files that were sent.
//!
//! Two passes over the text, both streamed: `learn` finds the form of headers, the date order
//! and the people; `walk` goes through the records, which `survey` counts and `message` turns
//! into the neutral model. README.md in this folder states the format and its gaps. WhatsApp's
//! databases are not read here.

mod body;
mod chats;
mod clock;
mod events;
mod files;
mod framing;
mod grammar;
mod ids;
mod learn;
mod message;
mod order;
mod phrases;
mod recount;
mod senders;
mod survey;
mod walk;

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::ControlFlow;

use super::container::Container;
use super::reader::{ArchiveError, Confidence, Flow, Options, Reader, Record, Recount, Survey};
use crate::model::finding::{Finding, FindingKind, Place};
use crate::model::ids::{ChatId, Network};
use walk::Step;

/// Reads WhatsApp's text exports.
pub(super) struct Whatsapp;

impl Reader for Whatsapp {
    fn recognise(&self, container: &Container) -> Confidence {
        chats::recognise(container)
    }

    fn survey(&self, container: &Container, options: &Options) -> Result<Survey, ArchiveError> {
        let found = chats::find(container);
        let mut named = HashSet::new();
        let mut surveyed = Vec::new();
        let mut findings = container.findings().to_vec();
        for chat in &found {
            if options.only_chat.as_ref().is_some_and(|only| *only != chat.id) {
                continue;
            }
            match survey::survey(container, chat, options, &mut named)? {
                Some(survey) => surveyed.push(survey),
                None => findings.push(unreadable(chat)),
            }
            if chat.again {
                findings.push(Finding {
                    kind: FindingKind::Conflict,
                    place: Place { entry: chat.entry.name.clone(), line: None },
                    message: None,
                    detail: "another file holds a chat of the same title; merge them".to_owned(),
                });
            }
        }
        let Some(first) = surveyed.first() else { return Err(nothing(container, &found)) };
        let app = if first.iphone { "iPhone" } else { "Android" };
        let format = match first.language.map(language_name) {
            Some(language) => format!("text export, {app}, {language}"),
            None => format!("text export, {app}"),
        };
        findings.extend(survey::orphans(container, &found, &named));
        Ok(Survey {
            network: Network::Whatsapp,
            format,
            chats: surveyed.into_iter().map(|survey| survey.chat).collect(),
            findings,
            never_contains: survey::NEVER_CONTAINS.map(Cow::Borrowed).to_vec(),
        })
    }

    fn read(
        &self,
        container: &Container,
        chat: &ChatId,
        options: &Options,
        sink: &mut dyn FnMut(Record) -> Flow,
    ) -> Result<(), ArchiveError> {
        let found = chats::find(container);
        let Some(chat) = found.iter().find(|known| known.id == *chat) else {
            return Err(ArchiveError::NoSuchChat { chat: chat.clone() });
        };
        let Some(learned) = learn::learn(container, chat.entry)? else {
            return Err(nothing(container, &found));
        };
        let files = files::FileIndex::new(container, chat.entry);
        let mut builder = message::Builder {
            container,
            chat,
            people: &learned.people,
            files: &files,
            options,
            exporter: survey::exporter(&learned, &chat.title, options),
            ids: ids::MessageIds::default(),
        };
        let mut failure = None;
        let entry = chat.entry;
        walk::walk(container, entry, &learned, &files, options, |step| {
            let records = match step {
                Step::Remark(remark) => (
                    None,
                    vec![Finding {
                        kind: remark.kind,
                        place: Place { entry: entry.name.clone(), line: remark.line },
                        message: None,
                        detail: remark.detail,
                    }],
                ),
                Step::Item(item) => match builder.message(item) {
                    Ok((message, findings)) => (Some(message), findings),
                    Err(error) => {
                        failure = Some(error);
                        return ControlFlow::Break(());
                    }
                },
            };
            let (message, findings) = records;
            let records = message
                .map(|message| Record::Message(Box::new(message)))
                .into_iter()
                .chain(findings.into_iter().map(Record::Finding));
            for record in records {
                if sink(record) == Flow::Stop {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    fn recount(
        &self,
        container: &Container,
        survey: &Survey,
    ) -> Result<Option<Recount>, ArchiveError> {
        let mut recount = Recount { counted: 0, accounted: 0 };
        for chat in chats::find(container) {
            if let Some(surveyed) = survey.chats.iter().find(|known| known.id == chat.id) {
                recount.counted += recount::count(container, chat.entry)?;
                let folded = surveyed.finding_counts.get(&FindingKind::Repaired);
                recount.accounted += surveyed.records + folded.copied().unwrap_or_default();
            }
        }
        Ok(Some(recount))
    }
}

fn unreadable(chat: &chats::ChatFile<'_>) -> Finding {
    Finding {
        kind: FindingKind::Unreadable,
        place: Place { entry: chat.entry.name.clone(), line: None },
        message: None,
        detail: "no message was found in this file".to_owned(),
    }
}

/// Why a container gives no chat: it is empty, or its dates are of no form that is known.
fn nothing(container: &Container, found: &[chats::ChatFile<'_>]) -> ArchiveError {
    match found.iter().find(|chat| chat.entry.size_bytes > 3) {
        Some(chat) => ArchiveError::Malformed {
            entry: chat.entry.name.clone(),
            format: "WhatsApp chat",
            reason: "no line begins with a date and a time of a known form".to_owned(),
        },
        None => ArchiveError::Empty { path: container.path().display().to_string() },
    }
}

/// English names of the languages with templates; others keep their code.
fn language_name(code: &'static str) -> &'static str {
    match code {
        "ar" => "Arabic",
        "de" => "German",
        "en" => "English",
        "es" => "Spanish",
        "fi" => "Finnish",
        "fr" => "French",
        "it" => "Italian",
        "ja" => "Japanese",
        "nl" => "Dutch",
        "pl" => "Polish",
        "pt" => "Portuguese",
        "ru" => "Russian",
        "tr" => "Turkish",
        "vi" => "Vietnamese",
        other => other,
    }
}
