//! Reads `result.json`: which chat is which, and each chat's messages through its converter.

use std::collections::{HashMap, HashSet};

use super::both::Companion;
use super::clock::WallClock;
use super::convert::Converter;
use super::files::{Files, Marks};
use super::ids::{self, PeerKind};
use super::layout::Export;
use super::lookalike::Signs;
use super::walk::{Answer, ChatHead, End, Section, Step, walk};
use super::window::Window;
use crate::archive::container::Container;
use crate::archive::reader::{ArchiveError, Flow, Options, Record};
use crate::model::author::Author;
use crate::model::finding::FindingKind;
use crate::model::ids::{ChatId, ParticipantId};
use crate::model::message::Body;

/// A chat, as its export introduces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chat {
    pub(super) id: ChatId,
    pub(super) title: String,
    /// Whether two people or a group talk.
    pub(super) group: Option<bool>,
    /// The exporter, where the export says who that is.
    pub(super) owner: Option<ParticipantId>,
    /// The person a personal chat is with.
    pub(super) peer: Option<ParticipantId>,
    /// Whether people are known by their names only.
    pub(super) nameless: bool,
}

/// What reading tells, in order.
pub(super) enum Event<'a> {
    /// A chat begins.
    Begin(&'a Chat),
    /// A record of it.
    Record(Record),
    /// It is over; how many elements it had.
    End { records: u64 },
}

/// Whether a chat is wanted.
pub(super) type Wanted<'w> = dyn Fn(&ChatId) -> bool + 'w;

/// What is known of a file after reading it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// What was seen of its kind.
    pub(super) signs: Signs,
    /// How many chats were stepped over.
    pub(super) skipped: u64,
    /// Whether it is an account's export.
    pub(super) account: bool,
    /// Why it ends too early, outside of every chat that was read.
    pub(super) cut: Option<&'static str>,
}

/// Reads the wanted chats of one export; writes down the entries they name, if asked to.
///
/// # Errors
/// When the file cannot be opened or is no JSON object.
pub(super) fn read(
    container: &Container,
    export: &Export<'_>,
    options: &Options,
    wanted: &Wanted<'_>,
    marks: Option<&Marks>,
    tell: &mut dyn FnMut(Event<'_>) -> Flow,
) -> Result<Outcome, ArchiveError> {
    let Some(entry) = export.json else { return Ok(Outcome::default()) };
    let window = Window::new(container.reader(entry)?);
    let mut reading = Reading {
        container,
        export,
        options,
        entry: entry.name.clone(),
        wanted,
        marks,
        outcome: Outcome::default(),
        owner: options.exporter.clone(),
        names: HashMap::new(),
        ids: HashSet::new(),
        open: None,
    };
    let end = walk(window, &mut |step| reading.step(step, tell));
    match end {
        End::Whole | End::Stopped => {}
        End::Truncated => reading.truncated("the file ends in the middle", tell),
        End::Malformed(reason) if reading.ids.is_empty() => {
            return Err(ArchiveError::Malformed {
                entry: entry.name.clone(),
                format: "Telegram export",
                reason: reason.to_owned(),
            });
        }
        End::Malformed(reason) => reading.truncated(reason, tell),
    }
    Ok(reading.outcome)
}

struct Reading<'a> {
    container: &'a Container,
    export: &'a Export<'a>,
    options: &'a Options,
    entry: String,
    wanted: &'a Wanted<'a>,
    marks: Option<&'a Marks>,
    outcome: Outcome,
    owner: Option<ParticipantId>,
    /// How many chats had a name and no number.
    names: HashMap<String, u64>,
    ids: HashSet<ChatId>,
    open: Option<Open<'a>>,
}

/// The chat that is being read.
struct Open<'a> {
    converter: Converter<'a>,
    companion: Option<Companion<'a>>,
    section: Section,
    kind: Option<String>,
    records: u64,
    company: Company,
}

/// Who wrote, as far as it matters: nobody, one, or several.
#[derive(Debug, Default)]
enum Company {
    #[default]
    Nobody,
    One(ParticipantId),
    Several,
}

impl Company {
    fn meet(&mut self, author: &Author) {
        match self {
            Self::Nobody => *self = Self::One(author.id.clone()),
            Self::One(known) if *known != author.id => *self = Self::Several,
            Self::One(_) | Self::Several => {}
        }
    }
}

impl Reading<'_> {
    fn step(&mut self, step: Step<'_>, tell: &mut dyn FnMut(Event<'_>) -> Flow) -> Answer {
        let flow = match step {
            Step::Owner(id) => {
                self.owner = Some(ids::user(id));
                Flow::Continue
            }
            Step::Chat(head) => return self.begin(head, tell),
            Step::Message { number, raw, repairs, misshapen } => {
                self.outcome.signs.look(&raw);
                let Some(open) = &mut self.open else { return Answer::Go };
                open.records = number;
                let Open { converter, companion, company, .. } = open;
                converter.message(
                    number,
                    *raw,
                    repairs,
                    &misshapen,
                    &mut |message, id| {
                        if let (Some(companion), Some(id)) = (companion.as_mut(), id) {
                            companion.amend(message, id);
                        }
                    },
                    &mut |record| {
                        if let Record::Message(message) = &record
                            && let (Some(sender), false) =
                                (&message.sender, matches!(message.body, Body::System(_)))
                        {
                            company.meet(sender);
                        }
                        tell(Event::Record(record))
                    },
                )
            }
            Step::Unreadable { number, reason } => {
                let Some(open) = &mut self.open else { return Answer::Go };
                open.records = number;
                let finding =
                    open.converter.finding(FindingKind::Unreadable, Some(number), None, reason);
                tell(Event::Record(Record::Finding(finding)))
            }
            Step::ChatEnd => self.end(tell),
        };
        if flow == Flow::Stop { Answer::Stop } else { Answer::Go }
    }

    fn begin(&mut self, head: ChatHead, tell: &mut dyn FnMut(Event<'_>) -> Flow) -> Answer {
        let ChatHead { section, number, name, kind, id, id_style } = head;
        let peer_kind = PeerKind::of(kind.as_deref());
        self.outcome.account |= section != Section::Single;
        self.outcome.signs.known_type |= peer_kind != PeerKind::Unknown;
        let title = name.clone().unwrap_or_default();
        let chat_id = if let Some(id) = id {
            ids::chat(peer_kind, id, id_style)
        } else {
            let known = self.names.entry(title.clone()).or_default();
            *known += 1;
            ids::named_chat(&title, *known)
        };
        let chat_id = unused(chat_id, &self.ids);
        self.ids.insert(chat_id.clone());
        if kind.as_deref() == Some("saved_messages") && self.owner.is_none() && id.is_some() {
            self.owner = Some(ParticipantId::new(chat_id.as_str()));
        }
        if !(self.wanted)(&chat_id) {
            self.outcome.skipped += 1;
            return Answer::Skip;
        }
        let companion = Companion::find(self.container, self.export, section, number, self.options);
        let title = companion.as_ref().map_or(title.clone(), |companion| companion.title(&title));
        let owner = self.owner.clone();
        let personal =
            matches!(kind.as_deref(), Some("personal_chat" | "bot_chat" | "private_chat"));
        let chat = Chat {
            id: chat_id.clone(),
            title: title.clone(),
            group: group_of(kind.as_deref()),
            owner: owner.clone(),
            peer: (personal && id.is_some()).then(|| ParticipantId::new(chat_id.as_str())),
            nameless: id.is_none(),
        };
        let files = Files::new(self.container, &self.export.root, self.options.hash_files);
        let files = files.marking(self.marks);
        let converter = Converter::new(
            chat_id,
            id_style,
            // Only a file of one chat may be a topic's.
            name.filter(|_| section == Section::Single).unwrap_or_default(),
            self.entry.clone(),
            WallClock::new(self.options.time_zone.clone()),
            files,
            owner.map(|id| Author { id, name: String::new() }),
        );
        let company = Company::default();
        self.open = Some(Open { converter, companion, section, kind, records: 0, company });
        if tell(Event::Begin(&chat)) == Flow::Stop { Answer::Stop } else { Answer::Go }
    }

    fn end(&mut self, tell: &mut dyn FnMut(Event<'_>) -> Flow) -> Flow {
        let Some(open) = self.open.take() else { return Flow::Continue };
        if let Some(detail) = self.own_messages_only(&open) {
            let finding = open.converter.finding(FindingKind::OwnMessagesOnly, None, None, detail);
            if tell(Event::Record(Record::Finding(finding))) == Flow::Stop {
                return Flow::Stop;
            }
        }
        if open.converter.clock.is_foreign() {
            let detail = "the exporting computer was not in the chosen zone; its own offset was \
                          taken for the times of reactions";
            let finding = open.converter.finding(FindingKind::ImpossibleTime, None, None, detail);
            if tell(Event::Record(Record::Finding(finding))) == Flow::Stop {
                return Flow::Stop;
            }
        }
        tell(Event::End { records: open.records })
    }

    /// Why a chat of an account holds only what its owner wrote, if it does. The file does not
    /// say so itself.
    fn own_messages_only(&self, open: &Open<'_>) -> Option<&'static str> {
        if open.records == 0 {
            return None;
        }
        match (open.section, open.kind.as_deref()) {
            (Section::Left, _) => Some("a chat that was left"),
            (Section::Chats, Some("public_supergroup" | "public_channel")) => {
                Some("public groups and channels are never exported whole with an account")
            }
            (Section::Chats, Some("private_group" | "private_supergroup")) => match &open.company {
                Company::One(author) if self.owner.as_ref().is_none_or(|owner| owner == author) => {
                    Some("every message of the group is by one person")
                }
                Company::One(_) | Company::Nobody | Company::Several => None,
            },
            (Section::Chats | Section::Single, _) => None,
        }
    }

    /// The file ends too early: what was whole has been told.
    fn truncated(&mut self, reason: &'static str, tell: &mut dyn FnMut(Event<'_>) -> Flow) {
        let Some(open) = &self.open else {
            self.outcome.cut = Some(reason);
            return;
        };
        let next = Some(open.records + 1);
        let finding = open.converter.finding(FindingKind::Truncated, next, None, reason);
        if tell(Event::Record(Record::Finding(finding))) == Flow::Continue {
            self.end(tell);
        }
    }
}

/// The plain id, or the first numbered one nobody has yet: an id that stands twice would make
/// two chats one.
fn unused(plain: ChatId, used: &HashSet<ChatId>) -> ChatId {
    if !used.contains(&plain) {
        return plain;
    }
    let mut numbered = (2..).map(|n: u64| ChatId::new(format!("{plain}~{n}")));
    numbered.find(|id| !used.contains(id)).unwrap_or(plain)
}

/// Whether a chat of this type is a group; `None` for types of which nothing is known.
fn group_of(kind: Option<&str>) -> Option<bool> {
    match PeerKind::of(kind) {
        PeerKind::User => Some(false),
        PeerKind::Chat | PeerKind::Channel => Some(true),
        PeerKind::Unknown => None,
    }
}
