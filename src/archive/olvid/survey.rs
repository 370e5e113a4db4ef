//! What an export holds: every discussion counted in one pass.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io;

use serde_json::Deserializer;

use super::answers::{Answer, Answers};
use super::export::{Export, double, unreadable};
use super::files::Look;
use super::header::Discussion;
use super::ids::{self, DiscussionKind};
use super::lines::Lines;
use super::message::{Conversion, Converted};
use super::raw::{RawMessage, TakenOut};
use super::scan::{Attempt, Scan, ScanError};
use super::stream::{Step, StretchKey, walk};
use crate::archive::reader::{
    ArchiveError, ChatSurvey, FileSums, Flow, IdScope, NameKind, Options, ParticipantSurvey, Survey,
};
use crate::model::finding::{Finding, FindingKind, Place};
use crate::model::ids::{ChatId, Network};
use crate::model::message::Message;
use crate::model::time::SentAt;

/// Findings of one kind that a chat keeps; more are only counted.
const FINDINGS_KEPT: u64 = 1000;

const NEVER_CONTAINS: [&str; 7] = [
    "calls",
    "deleted messages",
    "edit history",
    "forward sources",
    "joins, leaves and other system events",
    "members who wrote nothing",
    "read-once messages",
];

/// Goes through the whole export once.
pub(super) fn survey(export: &Export<'_>, options: &Options) -> Result<Survey, ArchiveError> {
    let look = if options.hash_files { Look::Whole } else { Look::Listed };
    let mut counting = Counting {
        only: options.only_chat.as_ref(),
        conversion: export.conversion(options, look),
        chats: Vec::new(),
        by_id: HashMap::new(),
        answers: Answers::default(),
        element: 0,
        others: 0,
        ios: None,
        findings: export.header.findings.clone(),
    };
    for Discussion { chat, kind, title } in &export.header.discussions {
        if counting.wants(chat) {
            counting.chat(chat, *kind, title);
        }
    }
    let outcome = walk(&export.header, &|| export.text(), &mut |step| counting.step(step));
    // What goes for every chat stands with every chat, as reading one reports it.
    let broken = outcome.err().map(|error| export.broken(&error));
    let records: u64 = counting.chats.iter().map(|chat| chat.records).sum();
    for chat in &mut counting.chats {
        let others = export.others(records - chat.records + counting.others);
        for finding in [others, broken.clone()].into_iter().flatten() {
            chat.finding(finding);
        }
    }
    counting.findings.extend(broken);
    if let (Some(chat), []) = (counting.only, counting.chats.as_slice()) {
        return Err(ArchiveError::NoSuchChat { chat: chat.clone() });
    }
    Ok(counting.finish(export))
}

struct Counting<'c> {
    only: Option<&'c ChatId>,
    conversion: Conversion<'c>,
    chats: Vec<Counted>,
    by_id: HashMap<ChatId, usize>,
    answers: Answers,
    element: u64,
    /// Messages of discussions that were not asked for.
    others: u64,
    ios: Option<bool>,
    findings: Vec<Finding>,
}

/// What was counted of one chat so far.
struct Counted {
    id: ChatId,
    kind: DiscussionKind,
    title: String,
    lines: Lines,
    /// Messages by number of the person, zero for those who only reacted or were named.
    people: BTreeMap<usize, u64>,
    records: u64,
    messages: u64,
    by_kind: BTreeMap<&'static str, u64>,
    first: Option<SentAt>,
    last: Option<SentAt>,
    files: FileSums,
    findings: Vec<Finding>,
    finding_counts: BTreeMap<FindingKind, u64>,
}

impl Counted {
    fn finding(&mut self, finding: Finding) {
        let count = self.finding_counts.entry(finding.kind).or_default();
        *count += 1;
        if *count <= FINDINGS_KEPT {
            self.findings.push(finding);
        }
    }

    /// Notes an answer if its target was never met.
    fn answer(&mut self, answer: Answer, conversion: &Conversion<'_>) {
        let line = |number: u64| usize::try_from(number).ok().and_then(|at| self.lines.get(at));
        if line(answer.target_line).is_some_and(|line| line.holds(answer.target_sequence)) {
            return;
        }
        let message = line(answer.line).map(|line| ids::message(&line.id, answer.sequence));
        self.finding(Finding {
            kind: FindingKind::ReplyTargetMissing,
            place: conversion.place(answer.element),
            message,
            detail: String::new(),
        });
    }

    fn message(&mut self, message: &Message) {
        self.messages += 1;
        *self.by_kind.entry(message.body.kind()).or_default() += 1;
        let at = &message.sent_at;
        if self.first.as_ref().is_none_or(|first| at.at < first.at) {
            self.first = Some(at.clone());
        }
        if self.last.as_ref().is_none_or(|last| at.at >= last.at) {
            self.last = Some(at.clone());
        }
        for attachment in message.body.attachments() {
            self.files.count(attachment);
        }
    }
}

impl Counting<'_> {
    fn wants(&self, chat: &ChatId) -> bool {
        self.only.is_none_or(|only| only == chat)
    }

    /// The number of a chat, which is added if it is new.
    fn chat(&mut self, id: &ChatId, kind: DiscussionKind, title: &str) -> usize {
        if let Some(number) = self.by_id.get(id) {
            return *number;
        }
        let number = self.chats.len();
        self.by_id.insert(id.clone(), number);
        self.chats.push(Counted {
            id: id.clone(),
            kind,
            title: title.to_owned(),
            lines: Lines::default(),
            people: BTreeMap::new(),
            records: 0,
            messages: 0,
            by_kind: BTreeMap::new(),
            first: None,
            last: None,
            files: FileSums::default(),
            findings: Vec::new(),
            finding_counts: BTreeMap::new(),
        });
        number
    }

    fn step<R: io::Read>(&mut self, step: Step<'_, R>) -> Result<Flow, ScanError> {
        let (StretchKey { chat, kind, sender, thread }, scan) = match step {
            Step::Stretch(key, scan) => (key, scan),
            Step::Unreadable => {
                let place = self.conversion.place(self.element + 1);
                self.findings.push(unreadable(place, "a stretch of messages"));
                return Ok(Flow::Continue);
            }
        };
        if thread.bytes().any(|byte| byte.is_ascii_alphabetic()) && self.ios.is_none() {
            self.ios = Some(thread.bytes().any(|byte| byte.is_ascii_uppercase()));
        }
        if !self.wants(chat) {
            let count = scan.skip_list()?;
            self.element += count;
            self.others += count;
            return Ok(Flow::Continue);
        }
        let header = self.conversion.header;
        let Some(person) = self.conversion.people.number(sender, header) else {
            scan.skip()?;
            return Ok(Flow::Continue);
        };
        let number = self.chat(chat, *kind, "");
        let id = self.conversion.people.line_id(person, thread);
        let identity =
            self.conversion.people.get(person).map_or(&[][..], |person| &person.identity);
        let Some(counted) = self.chats.get_mut(number) else { return Ok(Flow::Continue) };
        counted.people.entry(person).or_default();
        let line = counted.lines.number(&id, person, identity, thread);
        let (conversion, answers) = (&mut self.conversion, &mut self.answers);
        let mut one =
            One { counted, conversion, answers, chat: number, line, element: 0, failure: None };
        scan.take(b'[')?;
        let mut first = true;
        while scan.another(b']', &mut first)? {
            self.element += 1;
            one.element = self.element;
            one.read(scan)?;
        }
        Ok(Flow::Continue)
    }

    fn finish(mut self, export: &Export<'_>) -> Survey {
        let entry = &export.entry.name;
        let place = Place { entry: entry.clone(), line: None };
        let (chats, conversion) = (&mut self.chats, &self.conversion);
        let read_back = self.answers.for_each(|answer| {
            let chat = usize::try_from(answer.chat).ok();
            if let Some(chat) = chat.and_then(|number| chats.get_mut(number)) {
                chat.answer(answer, conversion);
            }
        });
        if let Err(error) = read_back {
            self.findings.push(export.broken(&error.into()));
        }
        let orphans = self.conversion.files.orphans();
        if orphans > 0 {
            self.findings.push(Finding {
                kind: FindingKind::OrphanFiles,
                place,
                message: None,
                detail: format!("{orphans} files that none of these messages names; never opened"),
            });
        }
        let mut findings = export.container.findings().to_vec();
        findings.append(&mut self.findings);
        let app = match self.ios {
            Some(true) => ", iOS",
            Some(false) => ", Android",
            None => "",
        };
        let scope = if self.conversion.files.left_out() { ", messages only" } else { "" };
        let conversion = self.conversion;
        Survey {
            network: Network::Olvid,
            format: format!("history export{app}{scope}"),
            chats: self.chats.into_iter().map(|chat| chat.finish(&conversion)).collect(),
            findings,
            never_contains: NEVER_CONTAINS.map(Cow::Borrowed).to_vec(),
        }
    }
}

impl Counted {
    fn finish(mut self, conversion: &Conversion<'_>) -> ChatSurvey {
        self.findings.sort_by_key(|finding| finding.place.line);
        let mut participants: Vec<ParticipantSurvey> = self
            .people
            .iter()
            .filter_map(|(person, messages)| {
                let author = &conversion.people.get(*person)?.author;
                let is_named = !author.name.is_empty();
                Some(ParticipantSurvey {
                    id: author.id.clone(),
                    name: author.name.clone(),
                    name_kind: if is_named { NameKind::Name } else { NameKind::Missing },
                    messages: *messages,
                })
            })
            .collect();
        participants.sort_by(|a, b| b.messages.cmp(&a.messages).then_with(|| a.id.cmp(&b.id)));
        ChatSurvey {
            id: self.id,
            title: self.title,
            group: Some(self.kind != DiscussionKind::OneToOne),
            participants,
            exporter: Some(ids::participant(&conversion.header.own)),
            id_scope: IdScope::Everyone,
            records: self.records,
            messages: self.messages,
            by_kind: self.by_kind,
            first: self.first,
            last: self.last,
            files: self.files,
            findings: self.findings,
            finding_counts: self.finding_counts,
        }
    }
}

/// The message that is being counted.
struct One<'o, 'c> {
    counted: &'o mut Counted,
    conversion: &'o mut Conversion<'c>,
    answers: &'o mut Answers,
    chat: usize,
    line: usize,
    element: u64,
    /// Why an answer could not be set aside.
    failure: Option<io::Error>,
}

impl One<'_, '_> {
    fn read<R: io::Read>(&mut self, scan: &mut Scan<R>) -> Result<(), ScanError> {
        self.counted.records += 1;
        let parsed = scan.attempt(|ahead| {
            let mut values = Deserializer::from_slice(ahead).into_iter::<RawMessage<'_>>();
            match values.next() {
                Some(Ok(raw)) => {
                    let length = values.byte_offset();
                    self.count(raw, &TakenOut::default());
                    Attempt::Done((), length)
                }
                Some(Err(error)) => Attempt::failed(error),
                None => Attempt::NeedsMore,
            }
        })?;
        if let Some(error) = self.failure.take() {
            return Err(error.into());
        }
        if parsed.is_ok() {
            return Ok(());
        }
        let counted = scan.value(|json| {
            RawMessage::parse_leniently(json, |raw, taken| self.count(raw, &taken))
        })?;
        if counted.is_err() {
            let place = self.conversion.place(self.element);
            self.counted.finding(unreadable(place, "a message"));
        }
        Ok(())
    }

    fn count(&mut self, raw: RawMessage<'_>, taken: &TakenOut) {
        let Self { counted, conversion, answers: aside, chat, line: number, element, failure } =
            self;
        let sequence = raw.sequence_number;
        if !counted.lines.note(*number, sequence) {
            let place = conversion.place(*element);
            counted.finding(double(place));
            return;
        }
        let Some(line) = counted.lines.get(*number) else { return };
        let person = line.person;
        let Converted { message, answers, people, findings } =
            conversion.convert(raw, taken, &counted.id, line, *element);
        for finding in findings {
            counted.finding(finding);
        }
        let Some(message) = message else { return };
        counted.message(&message);
        *counted.people.entry(person).or_default() += 1;
        for person in people {
            counted.people.entry(person).or_default();
        }
        if let Some((target, target_sequence)) = answers
            && !counted.lines.holds(&target, target_sequence)
        {
            let answer = Answer {
                chat: *chat as u64,
                line: *number as u64,
                sequence,
                element: *element,
                target_line: counted.lines.reserve(&target) as u64,
                target_sequence,
            };
            if let Err(error) = aside.push(answer) {
                *failure = Some(error);
            }
        }
    }
}
