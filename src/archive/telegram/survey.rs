//! Sums over a chat while it is read: who, when, how much, and what was found.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use super::json::Chat;
use crate::archive::reader::{ChatSurvey, FileSums, IdScope, NameKind, ParticipantSurvey, Record};
use crate::model::author::Author;
use crate::model::finding::{Finding, FindingKind, Place};
use crate::model::ids::ParticipantId;
use crate::model::message::{Body, Message};

/// Findings of one kind that are kept beside their count.
const MOST_OF_A_KIND: u64 = 1000;

/// The sums of one chat.
pub(super) struct Tally {
    survey: ChatSurvey,
    people: HashMap<ParticipantId, Person>,
    peer: Option<ParticipantId>,
    nameless: bool,
}

#[derive(Debug, Default)]
struct Person {
    name: String,
    messages: u64,
}

impl Tally {
    /// Begins a chat.
    pub(super) fn new(chat: &Chat) -> Self {
        Self {
            survey: ChatSurvey {
                id: chat.id.clone(),
                title: chat.title.clone(),
                group: chat.group,
                participants: Vec::new(),
                exporter: chat.owner.clone(),
                // Only supergroups and channels number their messages for everybody.
                id_scope: if chat.id.as_str().starts_with("channel") {
                    IdScope::Everyone
                } else {
                    IdScope::OneExporter
                },
                records: 0,
                messages: 0,
                by_kind: BTreeMap::new(),
                first: None,
                last: None,
                files: FileSums::default(),
                findings: Vec::new(),
                finding_counts: BTreeMap::new(),
            },
            people: HashMap::new(),
            peer: chat.peer.clone(),
            nameless: chat.nameless,
        }
    }

    /// Takes one record in.
    pub(super) fn add(&mut self, record: Record) {
        match record {
            Record::Finding(finding) => self.finding(finding),
            Record::Message(message) => self.message(&message),
        }
    }

    fn finding(&mut self, finding: Finding) {
        let count = self.survey.finding_counts.entry(finding.kind).or_default();
        *count += 1;
        if *count <= MOST_OF_A_KIND {
            self.survey.findings.push(finding);
        }
    }

    fn message(&mut self, message: &Message) {
        self.survey.messages += 1;
        *self.survey.by_kind.entry(message.body.kind()).or_default() += 1;
        for attachment in message.body.attachments() {
            self.survey.files.count(attachment);
        }
        if let Some(sender) = &message.sender {
            self.meet(sender).messages += 1;
        }
        for reaction in &message.reactions {
            if let Some(by) = &reaction.by {
                self.meet(by);
            }
        }
        if let Body::Poll(poll) = &message.body {
            for vote in poll.options.iter().flat_map(|option| &option.voters) {
                self.meet(&vote.by);
            }
        }
        if let Body::System(event) = &message.body {
            for person in event.actor.iter().chain(&event.targets) {
                self.meet(person);
            }
        }
        let at = &message.sent_at;
        if self.survey.first.as_ref().is_none_or(|first| at.at < first.at) {
            self.survey.first = Some(at.clone());
        }
        if self.survey.last.as_ref().is_none_or(|last| at.at >= last.at) {
            self.survey.last = Some(at.clone());
        }
    }

    fn meet(&mut self, author: &Author) -> &mut Person {
        if !self.people.contains_key(&author.id) {
            self.people.insert(author.id.clone(), Person::default());
        }
        let person = self.people.entry(author.id.clone()).or_default();
        // The name is the exporter's present one and the same everywhere; a later fuller one
        // (HTML knows surnames) wins.
        if author.name.len() > person.name.len() {
            author.name.clone_into(&mut person.name);
        }
        person
    }

    /// The finished survey.
    pub(super) fn finish(mut self, records: u64) -> ChatSurvey {
        self.survey.records = records;
        if self.nameless {
            let finding = Finding {
                kind: FindingKind::NamesakesPossible,
                place: Place::default(),
                message: None,
                detail: "this export knows people by their names only".to_owned(),
            };
            self.finding(finding);
        }
        let mut people: Vec<_> = self.people.into_iter().collect();
        people.sort_by(|(a_id, a), (b_id, b)| {
            (Reverse(a.messages), a_id).cmp(&(Reverse(b.messages), b_id))
        });
        self.survey.participants = people
            .into_iter()
            .map(|(id, Person { name, messages })| {
                let name_kind = if name.is_empty() { NameKind::Missing } else { NameKind::Name };
                ParticipantSurvey { id, name, name_kind, messages }
            })
            .collect();
        if self.survey.exporter.is_none() {
            self.survey.exporter =
                self.peer.as_ref().and_then(|peer| other_one(&self.survey, peer));
        }
        self.survey
    }
}

/// In a personal chat the exporter is the one the chat is not with.
fn other_one(survey: &ChatSurvey, peer: &ParticipantId) -> Option<ParticipantId> {
    let mut others = survey.participants.iter().filter(|p| p.messages > 0 && p.id != *peer);
    let first = others.next()?;
    others.next().is_none().then(|| first.id.clone())
}
