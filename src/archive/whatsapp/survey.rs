//! What a chat holds: counts, people, the first and the last message, and what is doubtful.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;

use super::body::{Content, FileRef};
use super::chats::ChatFile;
use super::clock::{self, Local};
use super::events::EventKind;
use super::files::{FileIndex, is_debris};
use super::grammar::Shape;
use super::ids;
use super::learn::{self, Learned};
use super::message;
use super::walk::{self, Item, Meaning, Remark, Sender, Step};
use crate::archive::container::{Container, ContainerError};
use crate::archive::reader::{ChatSurvey, FileSums, IdScope, NameKind, Options, ParticipantSurvey};
use crate::model::author::Author;
use crate::model::finding::{Finding, FindingKind, Place};
use crate::model::ids::ParticipantId;
use crate::model::media::MediaKind;
use crate::model::time::{Precision, SentAt, UnixMillis, ZoneBasis};

/// What this format never holds; the facts' section 7.
pub(super) const NEVER_CONTAINS: [&str; 10] = [
    "reactions",
    "replies",
    "forwards",
    "receipts",
    "earlier texts of edited messages",
    "contents of deleted messages",
    "stars",
    "voters of polls",
    "ids of people and chats",
    "time zone",
];

/// Findings kept of one kind.
const MAX_FINDINGS: u64 = 1000;
/// People who are only spoken of, at the most.
const MAX_MENTIONED: usize = 50_000;
/// The app exports so many of the latest messages, with and without media.
const CUT_AT: [u64; 2] = [10_000, 40_000];

/// A surveyed chat, and what its survey says about the export.
pub(super) struct Surveyed {
    pub chat: ChatSurvey,
    pub iphone: bool,
    pub language: Option<&'static str>,
}

/// Surveys one chat; `None` if it holds no record.
pub(super) fn survey(
    container: &Container,
    chat: &ChatFile<'_>,
    options: &Options,
    named_files: &mut HashSet<usize>,
) -> Result<Option<Surveyed>, ContainerError> {
    let Some(learned) = learn::learn(container, chat.entry)? else { return Ok(None) };
    let files = FileIndex::new(container, chat.entry);
    let mut tally = Tally::new(container, chat, &learned, &files, named_files);
    walk::walk(container, chat.entry, &learned, &files, options, |step| {
        // A record is looked at where it lies: it is too large to be moved a million times.
        match &step {
            Step::Item(item) => tally.item(item),
            Step::Remark(Remark { kind, line, detail }) => {
                tally.remark(*kind, *line, detail.clone());
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(Some(tally.finish(options)))
}

/// When a record was sent.
#[derive(Clone, Copy)]
struct Moment {
    local: Local,
    at: UnixMillis,
    zone: ZoneBasis,
    precision: Precision,
}

impl Moment {
    fn sent_at(self) -> SentAt {
        clock::sent_at(self.local, self.at, self.zone, self.precision)
    }
}

struct Tally<'a> {
    container: &'a Container,
    chat: &'a ChatFile<'a>,
    learned: &'a Learned,
    files: &'a FileIndex,
    named_files: &'a mut HashSet<usize>,
    records: u64,
    by_kind: BTreeMap<&'static str, u64>,
    messages_of: Vec<u64>,
    others: HashMap<ParticipantId, (Author, NameKind, u64)>,
    first: Option<Moment>,
    last: Option<Moment>,
    sums: FileSums,
    findings: Vec<Finding>,
    finding_counts: BTreeMap<FindingKind, u64>,
    languages: BTreeMap<&'static str, u64>,
    /// Messages of words only; not in `by_kind` before the end.
    words: u64,
    /// Other messages that were sent.
    sent: u64,
    begins_properly: bool,
    group_events: bool,
    first_line: u64,
}

impl<'a> Tally<'a> {
    fn new(
        container: &'a Container,
        chat: &'a ChatFile<'a>,
        learned: &'a Learned,
        files: &'a FileIndex,
        named_files: &'a mut HashSet<usize>,
    ) -> Self {
        Self {
            container,
            chat,
            learned,
            files,
            named_files,
            records: 0,
            by_kind: BTreeMap::new(),
            messages_of: vec![0; learned.people.all().len()],
            others: HashMap::new(),
            first: None,
            last: None,
            sums: FileSums::default(),
            findings: Vec::new(),
            finding_counts: BTreeMap::new(),
            languages: BTreeMap::new(),
            words: 0,
            sent: 0,
            begins_properly: false,
            group_events: false,
            first_line: 1,
        }
    }

    fn remark(&mut self, kind: FindingKind, line: Option<u64>, detail: String) {
        let count = self.finding_counts.entry(kind).or_insert(0);
        *count += 1;
        if *count <= MAX_FINDINGS {
            let place = Place { entry: self.chat.entry.name.clone(), line };
            self.findings.push(Finding { kind, place, message: None, detail });
        }
    }

    fn item(&mut self, item: &Item<'_>) {
        self.records += 1;
        if self.records == 1 {
            self.first_line = item.line;
        }
        if self.first.is_none_or(|first| item.at < first.at) {
            self.first = Some(Moment {
                local: item.local,
                at: item.at,
                zone: item.zone,
                precision: item.precision,
            });
        }
        if self.last.is_none_or(|last| item.at >= last.at) {
            self.last = Some(Moment {
                local: item.local,
                at: item.at,
                zone: item.zone,
                precision: item.precision,
            });
        }
        match item.sender {
            Sender::Known(index, _) => {
                if let Some(count) = self.messages_of.get_mut(index) {
                    *count += 1;
                }
            }
            Sender::Stranger(author) => self.other(author, ids::author(&author.name).1, 1),
            Sender::App => {}
        }
        let kind = match &item.meaning {
            Meaning::Line { event, encryption_notice, .. } => {
                if let Some(event) = event {
                    *self.languages.entry(event.language).or_insert(0) += 1;
                    for name in event.actor.iter().chain(&event.target) {
                        let people = &self.learned.people;
                        if people.find(name).is_none() && message::together(name, people).is_none()
                        {
                            let (author, kind) = ids::author(name);
                            self.other(&author, kind, 0);
                        }
                    }
                }
                let event = event.as_ref().map(|event| event.kind);
                self.line(event, *encryption_notice);
                "system"
            }
            Meaning::Sent(Content::Words(_)) => {
                // Most records are words, and counting them by name is slow.
                self.words += 1;
                return;
            }
            Meaning::Sent(content) => {
                self.sent += 1;
                self.content(content, item.line)
            }
        };
        *self.by_kind.entry(kind).or_insert(0) += 1;
    }

    fn line(&mut self, event: Option<EventKind>, encryption_notice: bool) {
        match event {
            Some(EventKind::Created | EventKind::Added | EventKind::Joined) => {
                self.group_events = true;
                self.begins_properly |= self.records <= 3;
            }
            Some(EventKind::Removed | EventKind::Left | EventKind::Renamed | EventKind::Admin) => {
                self.group_events = true;
            }
            Some(
                EventKind::Description
                | EventKind::Photo
                | EventKind::Number
                | EventKind::Encryption
                | EventKind::Ephemeral
                | EventKind::Pinned
                | EventKind::Blocked
                | EventKind::Other,
            )
            | None => {}
        }
        self.begins_properly |= encryption_notice && self.records <= 3;
    }

    fn content(&mut self, content: &Content<'_>, line: u64) -> &'static str {
        match content {
            Content::Words(_) => "text",
            Content::Files { files, caption, view_once } => {
                for file in files {
                    self.file(file, line);
                }
                let sticker = files.len() == 1
                    && files.first().is_some_and(|file| file.kind == MediaKind::Sticker);
                if sticker && caption.is_none() && !view_once { "sticker" } else { "media" }
            }
            Content::Cards(files) => {
                for file in files {
                    self.file(file, line);
                }
                "contact"
            }
            Content::Place(_) => "location",
            Content::Poll { .. } => "poll",
            Content::Call { .. } => "call",
            Content::Deleted(_) => "deleted",
            Content::Unknown(_) | Content::Notice(_) => "unknown",
        }
    }

    fn file(&mut self, file: &FileRef<'_>, line: u64) {
        let Some(exported) = file.exported else {
            self.sums.omitted += 1;
            return;
        };
        let position = self.files.position(exported);
        let Some((position, entry)) =
            position.and_then(|at| Some((at, self.container.entries().get(at)?)))
        else {
            self.sums.missing += 1;
            let detail = "the file that the message names is not in the export".to_owned();
            self.remark(FindingKind::AttachmentMissing, Some(line), detail);
            return;
        };
        self.sums.present += 1;
        self.sums.present_bytes += entry.size_bytes;
        if !self.named_files.insert(position) {
            return;
        }
        let claimed = file.shown.and_then(message::claimed_mime);
        let detail = match message::sniff(self.container, entry) {
            Ok(sniffed) if message::mismatch(claimed.as_deref(), sniffed) => {
                "the file is not of the kind that its name says"
            }
            Ok(_) => return,
            Err(_) => "the file cannot be unpacked",
        };
        self.remark(FindingKind::AttachmentMismatch, Some(line), detail.to_owned());
    }

    fn other(&mut self, author: &Author, kind: NameKind, messages: u64) {
        if let Some((_, _, count)) = self.others.get_mut(&author.id) {
            *count += messages;
        } else if self.others.len() < MAX_MENTIONED {
            self.others.insert(author.id.clone(), (author.clone(), kind, messages));
        }
    }

    fn finish(mut self, options: &Options) -> Surveyed {
        let exporter = exporter(self.learned, &self.chat.title, options);
        let speakers = self.messages_of.iter().filter(|count| **count > 0).count();
        let two_sided = self.learned.people.find(&self.chat.title).is_some();
        let group = if self.group_events || speakers > 2 {
            Some(true)
        } else if two_sided {
            Some(false)
        } else {
            None
        };
        self.sent += self.words;
        if self.words > 0 {
            self.by_kind.insert("text", self.words);
        }
        self.doubts();
        let mut participants: Vec<ParticipantSurvey> = self
            .learned
            .people
            .all()
            .iter()
            .zip(&self.messages_of)
            .map(|(person, messages)| ParticipantSurvey {
                id: person.author.id.clone(),
                name: person.author.name.clone(),
                name_kind: person.name_kind,
                messages: *messages,
            })
            .collect();
        participants.extend(self.others.into_values().map(|(author, name_kind, messages)| {
            ParticipantSurvey { id: author.id, name: author.name, name_kind, messages }
        }));
        participants.sort_by(|a, b| b.messages.cmp(&a.messages).then_with(|| a.name.cmp(&b.name)));
        let language =
            self.languages.iter().max_by_key(|(_, count)| **count).map(|(language, _)| *language);
        let iphone = self.learned.rules.shapes.first().is_some_and(Shape::is_iphone);
        let chat = ChatSurvey {
            id: self.chat.id.clone(),
            title: self.chat.title.clone(),
            group,
            participants,
            exporter: exporter.map(|author| author.id),
            id_scope: IdScope::Derived,
            records: self.records,
            messages: self.records,
            by_kind: self.by_kind,
            first: self.first.map(Moment::sent_at),
            last: self.last.map(Moment::sent_at),
            files: self.sums,
            findings: self.findings,
            finding_counts: self.finding_counts,
        };
        Surveyed { chat, iphone, language: language.or(self.chat.language) }
    }

    /// What the sums and names make doubtful.
    fn doubts(&mut self) {
        if CUT_AT.contains(&self.records) || CUT_AT.contains(&self.sent) {
            let detail = format!(
                "exactly {} messages: the app exports only so many, older ones may be missing",
                if CUT_AT.contains(&self.records) { self.records } else { self.sent }
            );
            self.remark(FindingKind::ProbablyCut, None, detail);
        }
        if self.sent == 0 {
            let detail = "nothing but lines of the app: the export is empty, as exports from a \
                          linked device may be";
            self.remark(FindingKind::ProbablyCut, None, detail.to_owned());
        }
        if !self.begins_properly {
            let detail = "the file does not begin with the app's first notice: it may be cut";
            self.remark(FindingKind::BeginningMissing, Some(self.first_line), detail.to_owned());
        }
        let people = self.learned.people.all();
        let numbers = people.iter().filter(|person| person.name_kind == NameKind::Number).count();
        let namesakes = people.iter().filter(|person| person.namesake).count() / 2;
        if numbers > 0 {
            let detail = format!("{numbers} people are known by their number only");
            self.remark(FindingKind::NameIsNumber, None, detail);
        }
        if namesakes > 0 {
            let detail = format!("{namesakes} names occur both saved and as `~ name`");
            self.remark(FindingKind::NamesakesPossible, None, detail);
        }
    }
}

/// Who made the export: as the plan says; or of two people, the one whom the chat is not named
/// after.
pub(super) fn exporter(learned: &Learned, title: &str, options: &Options) -> Option<Author> {
    let people = learned.people.all();
    if let Some(id) = &options.exporter {
        return Some(people.iter().find(|person| person.author.id == *id).map_or_else(
            || Author { id: id.clone(), name: String::new() },
            |person| person.author.clone(),
        ));
    }
    let other = learned.people.find(title)?;
    match people {
        [a, b] if a.author.id == other.author.id => Some(b.author.clone()),
        [a, b] if b.author.id == other.author.id => Some(a.author.clone()),
        _ => None,
    }
}

/// Files that no message names.
pub(super) fn orphans(
    container: &Container,
    chats: &[ChatFile<'_>],
    named: &HashSet<usize>,
) -> Option<Finding> {
    let orphans = container
        .entries()
        .iter()
        .enumerate()
        .filter(|(position, entry)| {
            !named.contains(position)
                && !is_debris(entry)
                && !chats.iter().any(|chat| chat.entry.name == entry.name)
        })
        .map(|(_, entry)| entry.name.as_str());
    let (mut count, mut first) = (0_u64, None);
    for name in orphans {
        count += 1;
        first.get_or_insert(name);
    }
    let place = Place { entry: first?.to_owned(), line: None };
    let detail = format!("{count} files are named by no message; this is the first");
    Some(Finding { kind: FindingKind::OrphanFiles, place, message: None, detail })
}
