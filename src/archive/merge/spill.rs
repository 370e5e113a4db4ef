//! One chat of one export, read once and set aside on disk.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek as _, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use super::edges;
use super::error::MergeError;
use crate::archive::opened::Archive;
use crate::archive::reader::{Flow, IdScope, Record};
use crate::model::finding::Finding;
use crate::model::ids::{ChatId, ParticipantId};
use crate::model::message::Message;

/// What a message is known by in every export.
pub(super) type Key = [u8; 12];

/// The key of an id.
pub(super) fn key(id: &str) -> Key {
    shortened(&Sha256::digest(id))
}

/// The beginning of a digest.
pub(super) fn shortened(digest: &[u8]) -> Key {
    let mut key = Key::default();
    key.iter_mut().zip(digest).for_each(|(to, from)| *to = *from);
    key
}

/// Nobody: the line of an app.
pub(super) const NOBODY: u32 = u32::MAX;

/// A chat of an export, set aside.
pub(super) struct Spilled {
    messages: File,
    /// Where each message ends in `messages`.
    ends: Vec<u64>,
    findings: File,
    /// The key of each message.
    pub(super) keys: Vec<Key>,
    /// The sender of each message, as a number of `people`.
    pub(super) senders: Vec<u32>,
    /// Everybody who wrote something.
    pub(super) people: Vec<ParticipantId>,
    /// What a message at the edge of a minute or in the hour that comes twice may also be known
    /// by: its position and that key.
    pub(super) edges: Vec<(Key, u32)>,
}

fn failed(source: io::Error) -> MergeError {
    MergeError::Disk { path: PathBuf::from("a temporary file"), source }
}

impl Spilled {
    /// Reads `chat` of `archive`.
    pub(super) fn read(
        archive: &Archive,
        chat: &ChatId,
        scope: IdScope,
    ) -> Result<Self, MergeError> {
        let mut messages = BufWriter::with_capacity(1 << 18, tempfile::tempfile().map_err(failed)?);
        let mut findings = BufWriter::new(tempfile::tempfile().map_err(failed)?);
        let (mut ends, mut end) = (Vec::new(), 0);
        let (mut keys, mut senders, mut edges) = (Vec::new(), Vec::new(), Vec::new());
        let mut people = People::default();
        let mut failure = None;
        let mut line = Vec::new();
        archive.read(chat, &mut |record| {
            line.clear();
            let written = match &record {
                Record::Message(message) => {
                    keys.push(key(message.id.as_str()));
                    senders.push(message.sender.as_ref().map_or(NOBODY, |one| people.of(&one.id)));
                    if scope == IdScope::Derived
                        && let Some(key) = edges::key(message)
                        && let Ok(position) = u32::try_from(ends.len())
                    {
                        edges.push((key, position));
                    }
                    serde_json::to_writer(&mut line, message)
                        .map_err(io::Error::from)
                        .and_then(|()| messages.write_all(&line))
                        .map(|()| {
                            end += line.len() as u64;
                            ends.push(end);
                        })
                }
                Record::Finding(finding) => serde_json::to_writer(&mut line, finding)
                    .map_err(io::Error::from)
                    .and_then(|()| {
                        line.push(b'\n');
                        findings.write_all(&line)
                    }),
            };
            match written {
                Ok(()) => Flow::Continue,
                Err(error) => {
                    failure = Some(failed(error));
                    Flow::Stop
                }
            }
        })?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        if u32::try_from(ends.len()).is_err() {
            return Err(MergeError::TooMany);
        }
        let whole =
            |out: BufWriter<File>| out.into_inner().map_err(|error| failed(error.into_error()));
        let (messages, findings) = (whole(messages)?, whole(findings)?);
        Ok(Self { messages, ends, findings, keys, senders, people: people.list, edges })
    }

    /// How many messages there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The message at a position.
    pub(super) fn message(&self, position: usize) -> Result<Message, MergeError> {
        let end = self.ends.get(position).copied().unwrap_or_default();
        let start = position.checked_sub(1).and_then(|at| self.ends.get(at)).copied();
        let start = start.unwrap_or_default();
        let mut line = vec![0; usize::try_from(end - start).unwrap_or_default()];
        self.messages.read_exact_at(&mut line, start).map_err(failed)?;
        serde_json::from_slice(&line).map_err(|error| failed(error.into()))
    }

    /// Gives each finding to `take`.
    pub(super) fn each_finding(
        &mut self,
        mut take: impl FnMut(Finding) -> Result<(), MergeError>,
    ) -> Result<(), MergeError> {
        self.findings.rewind().map_err(failed)?;
        for line in BufReader::new(&self.findings).lines() {
            let finding = serde_json::from_str(&line.map_err(failed)?);
            take(finding.map_err(|error| failed(error.into()))?)?;
        }
        Ok(())
    }
}

/// Numbers people.
#[derive(Default)]
struct People {
    list: Vec<ParticipantId>,
    by_id: HashMap<ParticipantId, u32>,
}

impl People {
    fn of(&mut self, id: &ParticipantId) -> u32 {
        if let Some(number) = self.by_id.get(id) {
            return *number;
        }
        let number = u32::try_from(self.list.len()).unwrap_or(NOBODY);
        self.list.push(id.clone());
        self.by_id.insert(id.clone(), number);
        number
    }
}
