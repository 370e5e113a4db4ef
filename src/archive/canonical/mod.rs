//! Reads archives in passerelle's own form: what `archive merge` writes.
//!
//! `passerelle.json` says what there is, `chats/N.jsonl` hold the messages in canonical JSON,
//! `files/` the files. Messages keep the ids, times and places they had in the exports they come
//! from. A folder can be edited by anybody, so every line is checked as one of a stranger's
//! export would be. README.md states the form.

pub(super) mod form;
mod lines;
mod tally;

use std::io::Read as _;

use super::container::{Container, Entry};
use super::reader::{ArchiveError, Confidence, Flow, Options, Reader, Record, Survey};
use crate::model::ids::ChatId;
use form::{ChatHeader, FORM, HEADER_NAME, Header};

const FORMAT: &str = "passerelle archive";
/// The header names chats and people; more is no header.
const HEADER_BYTES: u64 = 256 << 20;

/// The reader of canonical archives.
pub(super) struct Canonical;

/// An opened archive.
struct Opened<'c> {
    container: &'c Container,
    entry: &'c Entry,
    header: Header,
}

fn find(container: &Container) -> Option<&Entry> {
    let named = container.entries().iter().filter(|entry| entry.file_name() == HEADER_NAME);
    named.min_by_key(|entry| entry.name.len())
}

fn open(container: &Container) -> Result<Opened<'_>, ArchiveError> {
    let Some(entry) = find(container) else {
        return Err(ArchiveError::Unrecognised { path: container.path().display().to_string() });
    };
    let malformed = |reason: String| ArchiveError::Malformed {
        entry: entry.name.clone(),
        format: FORMAT,
        reason,
    };
    let stream = std::io::BufReader::new(container.reader(entry)?.take(HEADER_BYTES));
    let header: Header =
        serde_json::from_reader(stream).map_err(|error| malformed(error.to_string()))?;
    if header.form != FORM {
        return Err(malformed(format!("it is of form {}, known is {FORM}", header.form)));
    }
    Ok(Opened { container, entry, header })
}

impl Opened<'_> {
    fn read(
        &self,
        chat: &ChatHeader,
        options: &Options,
        sink: &mut dyn FnMut(Record) -> Flow,
    ) -> Result<(), ArchiveError> {
        let name = format!("{}{}", self.entry.folder(), chat.records);
        let Some(entry) = self.container.find(&name) else {
            return Err(ArchiveError::Malformed {
                entry: self.entry.name.clone(),
                format: FORMAT,
                reason: format!("it names {}, which is not there", chat.records),
            });
        };
        lines::read(self.container, entry, self.entry.folder(), chat, options, sink)
    }
}

impl Reader for Canonical {
    fn recognise(&self, container: &Container) -> Confidence {
        match find(container) {
            Some(_) => Confidence::Certain,
            None => Confidence::No,
        }
    }

    fn survey(&self, container: &Container, options: &Options) -> Result<Survey, ArchiveError> {
        let opened = open(container)?;
        let mut chats = Vec::new();
        for chat in &opened.header.chats {
            if options.only_chat.as_ref().is_some_and(|only| *only != chat.id) {
                continue;
            }
            let mut tally = tally::Tally::new(chat);
            opened.read(chat, options, &mut |record| {
                tally.add(record);
                Flow::Continue
            })?;
            chats.push(tally.finish());
        }
        if let (Some(only), []) = (&options.only_chat, chats.as_slice()) {
            return Err(ArchiveError::NoSuchChat { chat: only.clone() });
        }
        let mut findings = container.findings().to_vec();
        findings.extend(opened.header.findings);
        Ok(Survey {
            network: opened.header.network,
            format: opened.header.format,
            chats,
            findings,
            never_contains: opened.header.never_contains.into_iter().map(Into::into).collect(),
        })
    }

    fn read(
        &self,
        container: &Container,
        chat: &ChatId,
        options: &Options,
        sink: &mut dyn FnMut(Record) -> Flow,
    ) -> Result<(), ArchiveError> {
        let opened = open(container)?;
        let Some(header) = opened.header.chats.iter().find(|known| known.id == *chat) else {
            return Err(ArchiveError::NoSuchChat { chat: chat.clone() });
        };
        opened.read(header, options, sink)
    }
}
