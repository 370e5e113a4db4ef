//! Counts what a chat holds.

use std::collections::{BTreeMap, HashMap};

use super::form::{ChatHeader, ParticipantHeader};
use crate::archive::reader::{ChatSurvey, FileSums, NameKind, ParticipantSurvey, Record};
use crate::model::author::Author;
use crate::model::finding::{Finding, FindingKind};
use crate::model::ids::ParticipantId;
use crate::model::message::Message;

/// Findings of one kind that a chat keeps; more are only counted.
const FINDINGS_KEPT: u64 = 1000;

pub(super) struct Tally {
    survey: ChatSurvey,
    people: HashMap<ParticipantId, (String, NameKind, u64)>,
}

impl Tally {
    pub(super) fn new(chat: &ChatHeader) -> Self {
        let ChatHeader { id, title, group, exporter, id_scope, records: _, participants } = chat;
        let people = participants.iter().map(|person| {
            let ParticipantHeader { id, name, name_kind } = person;
            (id.clone(), (name.clone(), *name_kind, 0))
        });
        Self {
            survey: ChatSurvey {
                id: id.clone(),
                title: title.clone(),
                group: *group,
                participants: Vec::new(),
                exporter: exporter.clone(),
                id_scope: *id_scope,
                records: 0,
                messages: 0,
                by_kind: BTreeMap::new(),
                first: None,
                last: None,
                files: FileSums::default(),
                findings: Vec::new(),
                finding_counts: BTreeMap::new(),
            },
            people: people.collect(),
        }
    }

    pub(super) fn add(&mut self, record: Record) {
        match record {
            Record::Message(mut message) => self.message(&mut message),
            Record::Finding(finding) => self.finding(finding),
        }
    }

    fn message(&mut self, message: &mut Message) {
        let survey = &mut self.survey;
        survey.records += 1;
        survey.messages += 1;
        *survey.by_kind.entry(message.body.kind()).or_default() += 1;
        let at = &message.sent_at;
        if survey.first.as_ref().is_none_or(|first| at.at < first.at) {
            survey.first = Some(at.clone());
        }
        if survey.last.as_ref().is_none_or(|last| at.at >= last.at) {
            survey.last = Some(at.clone());
        }
        for attachment in message.body.attachments() {
            survey.files.count(attachment);
        }
        let sender = message.sender.as_ref().map(|sender| sender.id.clone());
        for Author { id, name } in message.authors_mut() {
            self.people.entry(id.clone()).or_insert_with(|| {
                let kind = if name.is_empty() { NameKind::Missing } else { NameKind::Name };
                (name.clone(), kind, 0)
            });
        }
        if let Some((_, _, count)) = sender.and_then(|id| self.people.get_mut(&id)) {
            *count += 1;
        }
    }

    fn finding(&mut self, finding: Finding) {
        // What was left out or could not be read is a record that became no message.
        let is_record = finding.message.is_none()
            && finding.place.line.is_some()
            && matches!(finding.kind, FindingKind::Unreadable | FindingKind::Expired);
        self.survey.records += u64::from(is_record);
        let count = self.survey.finding_counts.entry(finding.kind).or_default();
        *count += 1;
        if *count <= FINDINGS_KEPT {
            self.survey.findings.push(finding);
        }
    }

    pub(super) fn finish(self) -> ChatSurvey {
        let Self { mut survey, people } = self;
        let people = people.into_iter();
        survey.participants = people
            .map(|(id, (name, name_kind, messages))| ParticipantSurvey {
                id,
                name,
                name_kind,
                messages,
            })
            .collect();
        survey.participants.sort_by(|a, b| {
            b.messages.cmp(&a.messages).then_with(|| (&a.name, &a.id).cmp(&(&b.name, &b.id)))
        });
        survey
    }
}
