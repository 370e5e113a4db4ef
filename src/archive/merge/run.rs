//! Merges: chooses the chats, and takes each of them through all steps.

use std::collections::HashSet;
use std::path::Path;

use super::chat::Chat;
use super::choice::{self, Choice, Wanted};
use super::error::MergeError;
use super::findings;
use super::index::Index;
use super::people::People;
use super::spill::{self, Key, Spilled};
use super::write::Output;
use crate::archive::canonical::form::{ChatHeader, FORM, Header, SourceHeader};
use crate::archive::opened::Archive;
use crate::archive::reader::{IdScope, Survey};
use crate::model::ids::{ChatId, MessageId, Network, ParticipantId};

/// An export that goes in.
pub struct MergeSource {
    /// The opened export.
    pub archive: Archive,
    /// What it is for.
    pub role: Role,
}

/// What an export is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Its messages go into the merged archive.
    Merged,
    /// Its messages were taken before: they are left out wherever they come from.
    Known,
}

/// Ids of messages that were taken before. Takes twelve bytes an id.
#[derive(Debug, Default)]
pub struct KnownIds(HashSet<Key>);

impl KnownIds {
    pub(super) fn contains(&self, key: &Key) -> bool {
        self.0.contains(key)
    }
}

impl Extend<MessageId> for KnownIds {
    fn extend<T: IntoIterator<Item = MessageId>>(&mut self, ids: T) {
        self.0.extend(ids.into_iter().map(|id| spill::key(id.as_str())));
    }
}

/// What is wanted of a merge.
#[derive(Debug, Default)]
pub struct MergeWishes {
    /// The chats; where empty, those that more than one export holds.
    pub chats: Vec<ChatId>,
    /// Each export holds one chat, and all of them are the same, whatever they are called.
    pub one_chat: bool,
    /// Messages that were taken before.
    pub known: KnownIds,
}

/// What became of a merge.
#[derive(Debug)]
pub struct Merged {
    /// The chats, in the order they were written.
    pub chats: Vec<MergedChat>,
    /// Files that were written.
    pub files: u64,
    /// Their bytes.
    pub files_bytes: u64,
}

/// What became of one chat.
#[derive(Debug)]
pub struct MergedChat {
    /// Its id.
    pub id: ChatId,
    /// Its title.
    pub title: String,
    /// How many messages each export holds of it, in the order of the exports.
    pub read: Vec<u64>,
    /// Messages that more than one export holds, counted once.
    pub in_common: u64,
    /// Messages that were left out, because they were taken before.
    pub known: u64,
    /// Messages that were written.
    pub written: u64,
    /// Messages of which one export lacks words or a file that another has.
    pub filled: u64,
    /// People known by another name in another export.
    pub people_joined: u64,
    /// Findings of things that could not be decided.
    pub conflicts: u64,
}

/// Merges exports into the new folder `output`.
///
/// # Errors
/// When an export cannot be read, they cannot be compared, or the folder cannot be written. There
/// is no `output` then.
pub fn merge(
    sources: &[MergeSource],
    wishes: &MergeWishes,
    output: &Path,
) -> Result<Merged, MergeError> {
    let surveys: Vec<Survey> =
        sources.iter().map(|source| source.archive.survey()).collect::<Result<_, _>>()?;
    let wanted = Wanted { chats: &wishes.chats, one_chat: wishes.one_chat };
    let choices = choice::choose(&surveys, &wanted)?;
    let network = surveys.first().map_or(Network::Olvid, |survey| survey.network);
    let mut merging = Merging { sources, wishes, network, out: Output::begin(output)? };
    let (mut chats, mut headers) = (Vec::new(), Vec::new());
    for (number, choice) in choices.iter().enumerate() {
        let (chat, header) = merging.chat(number + 1, choice)?;
        chats.push(chat);
        headers.push(header);
    }
    let header = merging.header(&surveys, headers)?;
    let (files, files_bytes) = (merging.out.files, merging.out.files_bytes);
    merging.out.finish(&header)?;
    Ok(Merged { chats, files, files_bytes })
}

struct Merging<'m> {
    sources: &'m [MergeSource],
    wishes: &'m MergeWishes,
    network: Network,
    out: Output,
}

impl Merging<'_> {
    fn header(&self, surveys: &[Survey], chats: Vec<ChatHeader>) -> Result<Header, MergeError> {
        let mut sources = Vec::new();
        let mut formats: Vec<&str> = Vec::new();
        for (source, survey) in self.sources.iter().zip(surveys) {
            let sha256 = source.archive.container().digest()?;
            sources.push(SourceHeader { sha256, format: survey.format.clone() });
            formats.push(&survey.format);
        }
        formats.dedup();
        let lacking = surveys.first().map(|first| first.never_contains.iter());
        let never_contains = lacking
            .into_iter()
            .flatten()
            .filter(|what| surveys.iter().all(|survey| survey.never_contains.contains(what)))
            .map(ToString::to_string)
            .collect();
        let zone =
            self.sources.first().and_then(|source| source.archive.options().time_zone.iana_name());
        let mut remarks = Vec::new();
        for (source, survey) in surveys.iter().enumerate() {
            let kept = survey.findings.iter().filter(|one| !findings::is_settled(one.kind));
            remarks.extend(kept.cloned().map(|mut finding| {
                findings::placed(&mut finding.place, source);
                finding
            }));
        }
        let formats = formats.join("; ");
        let format = match sources.len() {
            1 => format!("taken from one export: {formats}"),
            several => format!("merged from {several} exports: {formats}"),
        };
        Ok(Header {
            form: FORM,
            network: self.network,
            format,
            time_zone: zone.unwrap_or("UTC").to_owned(),
            never_contains,
            sources,
            chats,
            findings: remarks,
        })
    }

    fn chat(
        &mut self,
        number: usize,
        choice: &Choice<'_>,
    ) -> Result<(MergedChat, ChatHeader), MergeError> {
        let scope = choice.held.first().map_or(IdScope::Everyone, |(_, chat)| chat.id_scope);
        let mut spilled = Vec::new();
        for (source, chat) in &choice.held {
            let Some(source) = self.sources.get(*source) else { continue };
            spilled.push(Spilled::read(&source.archive, &chat.id, scope)?);
        }
        let index = Index::new(&mut spilled)?;
        let surveys: Vec<_> =
            choice.held.iter().map(|(_, chat)| chat.participants.as_slice()).collect();
        let people = People::new(&surveys, &spilled, &index, scope);
        let (lines, records) = self.out.chat(number)?;
        let chat = Chat {
            sources: self.sources,
            known: &self.wishes.known,
            network: self.network,
            choice,
            scope,
            spilled,
            index: &index,
            people: &people,
        };
        let told = chat.merge(&mut self.out, lines)?;
        let header = ChatHeader {
            id: choice.id.clone(),
            title: told.title.clone(),
            group: choice.held.iter().find_map(|(_, chat)| chat.group),
            exporter: exporter(choice, &people),
            id_scope: scope,
            records,
            participants: people.into_list(),
        };
        Ok((told, header))
    }
}

/// The person who made the exports, if it was one.
fn exporter(choice: &Choice<'_>, people: &People) -> Option<ParticipantId> {
    let mut all = choice.held.iter().map(|(_, chat)| chat.exporter.as_ref());
    let first = people.shown(all.next()??);
    all.all(|other| other.is_some_and(|other| people.shown(other) == first)).then_some(first)
}
