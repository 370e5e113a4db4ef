//! One chat: every group of versions becomes a line of the archive.

use std::collections::BTreeSet;

use super::choice::Choice;
use super::error::MergeError;
use super::findings;
use super::index::Index;
use super::people::People;
use super::run::{KnownIds, MergeSource, MergedChat, Role};
use super::spill::{Spilled, key};
use super::unite::{United, Version, unite};
use super::weave::{Rank, Weave};
use super::write::{ChatLines, Output};
use crate::archive::canonical::form::FindingLine;
use crate::archive::reader::IdScope;
use crate::model::finding::{Finding, FindingKind, Place};
use crate::model::ids::{MessageId, Network, ParticipantId};
use crate::model::media::AttachmentState;
use crate::model::message::{Body, Message};
use crate::model::time::UnixMillis;

/// What is known of a chat when its groups are found.
pub(super) struct Chat<'m> {
    pub(super) sources: &'m [MergeSource],
    pub(super) known: &'m KnownIds,
    pub(super) network: Network,
    pub(super) choice: &'m Choice<'m>,
    pub(super) scope: IdScope,
    /// One for each of `choice.held`.
    pub(super) spilled: Vec<Spilled>,
    pub(super) index: &'m Index,
    pub(super) people: &'m People,
}

/// The chat while it is written.
struct Writing<'w> {
    out: &'w mut Output,
    lines: ChatLines,
    /// Which groups were written.
    written: Vec<bool>,
    minute: Minute,
    told: MergedChat,
}

/// Messages of the current minute that one export has and the others have not.
#[derive(Default)]
struct Minute {
    minute: i64,
    alone: Vec<(usize, Option<ParticipantId>, bool)>,
}

impl Minute {
    /// Whether a message that only this export has may be one that only another has: the one
    /// deleted, the other not, by one person in one minute.
    fn deleted_elsewhere(&mut self, source: usize, message: &Message) -> bool {
        let minute = message.sent_at.at.0.div_euclid(60_000);
        if self.minute != minute {
            self.minute = minute;
            self.alone.clear();
        }
        let sender = message.sender.as_ref().map(|sender| sender.id.clone());
        let deleted = matches!(message.body, Body::Deleted { .. });
        let found = self
            .alone
            .iter()
            .any(|(other, who, gone)| *other != source && *who == sender && *gone != deleted);
        self.alone.push((source, sender, deleted));
        found
    }
}

impl Chat<'_> {
    /// Writes all lines.
    pub(super) fn merge(
        mut self,
        out: &mut Output,
        lines: ChatLines,
    ) -> Result<MergedChat, MergeError> {
        let titles = self.choice.held.iter().map(|(_, chat)| &chat.title);
        let told = MergedChat {
            id: self.choice.id.clone(),
            title: titles.into_iter().find(|title| !title.is_empty()).cloned().unwrap_or_default(),
            read: self.spilled.iter().map(|one| one.len() as u64).collect(),
            in_common: 0,
            known: 0,
            written: 0,
            filled: 0,
            people_joined: self.people.joined,
            conflicts: 0,
        };
        let written = vec![false; self.index.len()];
        let mut writing = Writing { out, lines, written, minute: Minute::default(), told };
        let mut weave = Weave::new(self.index, self.spilled.len());
        while let Some(group) = weave.next(&mut |source, position| {
            Ok(Rank::of(self.network, &self.message(source, position)?))
        })? {
            self.group(group, &mut writing)?;
        }
        self.findings(&mut writing)?;
        let Writing { lines, told, .. } = writing;
        lines.finish()?;
        Ok(told)
    }

    fn message(&self, source: usize, position: usize) -> Result<Message, MergeError> {
        let spilled = self.spilled.get(source).ok_or(MergeError::TooMany)?;
        spilled.message(position)
    }

    /// The number of the export that the chat's `held`-th version comes from.
    fn source(&self, held: usize) -> usize {
        self.choice.held.get(held).map_or(held, |(source, _)| *source)
    }

    fn is_known(&self, held: usize) -> bool {
        self.sources.get(self.source(held)).is_some_and(|source| source.role == Role::Known)
    }

    fn group(&self, group: u32, writing: &mut Writing<'_>) -> Result<(), MergeError> {
        let members = self.index.members(group);
        if members.len() > 1 {
            writing.told.in_common += 1;
        }
        let taken_before = self.index.key(group).is_some_and(|key| self.known.contains(key));
        if taken_before || members.iter().any(|(held, _)| self.is_known(usize::from(*held))) {
            writing.told.known += 1;
            return Ok(());
        }
        if let Some(slot) = writing.written.get_mut(group as usize) {
            *slot = true;
        }
        // Who sent it is no part of a derived id: equal words of one minute by two people, of
        // which each export has lost one, are two messages.
        let mut parts: Vec<(Option<ParticipantId>, Vec<Version>)> = Vec::new();
        for (held, position) in members {
            let held = usize::from(*held);
            let mut message = self.message(held, *position as usize)?;
            self.people.name(&mut message);
            let sender = message.sender.as_ref().map(|sender| sender.id.clone());
            let version = Version { source: held, message };
            match parts.iter_mut().find(|(known, _)| *known == sender) {
                Some((_, versions)) => versions.push(version),
                None => parts.push((sender, vec![version])),
            }
        }
        let last: Vec<UnixMillis> = self
            .choice
            .held
            .iter()
            .map(|(_, chat)| chat.last.as_ref().map_or(UnixMillis(i64::MIN), |last| last.at))
            .collect();
        let disputed = parts.len() > 1;
        let alone = members.len() == 1 && self.spilled.len() > 1;
        for (number, (_, versions)) in parts.into_iter().enumerate() {
            let Some(mut united) = unite(&versions, &last) else { continue };
            if number > 0 {
                let id = format!("{}~{}", united.message.id, number + 1);
                united.message.id = MessageId::new(id);
            }
            if disputed {
                united.conflicts.push("the exports name different people for it; each was kept");
            }
            if alone
                && self.scope == IdScope::Derived
                && writing.minute.deleted_elsewhere(united.source, &united.message)
            {
                united.conflicts.push(
                    "one export has a deleted message of that minute, another one that was not deleted, by the same person: perhaps the same; both were kept",
                );
            }
            self.write(united, writing)?;
        }
        Ok(())
    }

    fn write(&self, united: United, writing: &mut Writing<'_>) -> Result<(), MergeError> {
        let United { mut message, source, files, versions, filled_text, conflicts } = united;
        message.chat = self.choice.id.clone();
        findings::placed(&mut message.place, self.source(source));
        let mut notes: Vec<(FindingKind, &str)> = Vec::new();
        let mut filled = filled_text;
        for (attachment, candidates) in message.body.attachments_mut().into_iter().zip(&files) {
            let mut copied = false;
            for (held, theirs) in candidates {
                let number = self.source(*held);
                let Some(from) = self.sources.get(number) else { continue };
                if writing.out.copy(&from.archive, number, theirs, attachment)? {
                    // Some export has the message without the file.
                    filled |= candidates.len() < versions;
                    copied = true;
                    break;
                }
            }
            if copied {
                continue;
            }
            (attachment.entry, attachment.thumbnail_entry) = (None, None);
            if attachment.state == AttachmentState::Present {
                attachment.state = AttachmentState::Missing;
                let detail = "the file cannot be unpacked, or is not the one that was sent";
                notes.push((FindingKind::AttachmentMismatch, detail));
            } else if attachment.state == AttachmentState::Missing {
                notes.push((FindingKind::AttachmentMissing, "none of the exports holds the file"));
            }
        }
        let target = message.reply_to.as_ref().and_then(|reply| reply.id.as_ref());
        if target.is_some_and(|id| {
            let key = key(id.as_str());
            self.index.find(&key).is_none() && !self.known.contains(&key)
        }) {
            notes.push((FindingKind::ReplyTargetMissing, ""));
        }
        writing.told.conflicts += conflicts.len() as u64;
        notes.extend(conflicts.into_iter().map(|detail| (FindingKind::Conflict, detail)));
        writing.told.filled += u64::from(filled);
        writing.told.written += 1;
        writing.lines.write(&message)?;
        for (kind, detail) in notes {
            let finding = Finding {
                kind,
                place: message.place.clone(),
                message: Some(message.id.clone()),
                detail: detail.to_owned(),
            };
            writing.lines.write(&FindingLine { finding })?;
        }
        Ok(())
    }

    /// What the exports say beside their messages, as far as it still holds.
    fn findings(&mut self, writing: &mut Writing<'_>) -> Result<(), MergeError> {
        let mut spilled = std::mem::take(&mut self.spilled);
        for (held, spilled) in spilled.iter_mut().enumerate() {
            if self.is_known(held) {
                continue;
            }
            let source = self.source(held);
            let mut met = BTreeSet::new();
            let mut keep = |mut finding: Finding| {
                let goes_on = !findings::is_settled(finding.kind)
                    && !findings::is_mended(finding.kind, self.choice)
                    && finding.message.as_ref().is_none_or(|id| {
                        let group = self.index.find(&key(id.as_str()));
                        group
                            .is_some_and(|group| writing.written.get(group as usize) == Some(&true))
                    });
                if !goes_on {
                    return Ok(());
                }
                findings::placed(&mut finding.place, source);
                writing.lines.write(&FindingLine { finding })
            };
            spilled.each_finding(|finding| {
                met.insert(finding.kind);
                keep(finding)
            })?;
            for finding in findings::of_the_chat(self.choice, source, &met) {
                keep(finding)?;
            }
        }
        let numbers = self.people.numbers();
        if numbers > 0 {
            let detail = format!("{numbers} people are known by their number only");
            self.whole(FindingKind::NameIsNumber, detail, writing)?;
        }
        if self.people.undecided > 0 {
            let detail = format!(
                "{} pairs of names share messages and could not be told to be one person; they were kept apart",
                self.people.undecided
            );
            self.whole(FindingKind::NamesakesPossible, detail, writing)?;
        }
        let mut titles = self.choice.held.iter().map(|(_, chat)| &chat.title);
        let first = titles.next();
        if titles.any(|title| Some(title) != first && !title.is_empty()) {
            let detail = "the exports call the chat by different names; the first one's was taken";
            writing.told.conflicts += 1;
            self.whole(FindingKind::Conflict, detail.to_owned(), writing)?;
        }
        Ok(())
    }

    /// A finding about the whole chat.
    fn whole(
        &self,
        kind: FindingKind,
        detail: String,
        writing: &mut Writing<'_>,
    ) -> Result<(), MergeError> {
        let source = self.choice.held.first().map_or(0, |(source, _)| *source);
        let mut place = Place::default();
        findings::placed(&mut place, source);
        writing
            .lines
            .write(&FindingLine { finding: Finding { kind, place, message: None, detail } })
    }
}
