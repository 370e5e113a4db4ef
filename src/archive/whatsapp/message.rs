//! From an understood record to a message of the neutral model.

use std::io::Read;

use super::body::{Content, FileRef, Place};
use super::chats::ChatFile;
use super::clock;
use super::events::{Event, EventKind, Role};
use super::files::FileIndex;
use super::ids::{self, Essence, MessageIds};
use super::senders::People;
use super::walk::{Item, Meaning};
use crate::archive::container::{Container, ContainerError};
use crate::archive::reader::Options;
use crate::model;
use crate::model::author::Author;
use crate::model::finding::{Finding, FindingKind};
use crate::model::ids::Sha256;
use crate::model::media::{Attachment, AttachmentState, MediaKind};
use crate::model::message::{Body, Call, ContactCard, Edited, Location, Message, Poll, PollOption};
use crate::model::system::{SystemEvent, SystemKind};
use crate::model::text::{Markup, Span, Style, Text};

/// Builds the messages of one chat, in the order of the file.
pub(super) struct Builder<'a> {
    pub container: &'a Container,
    pub chat: &'a ChatFile<'a>,
    pub people: &'a People,
    pub files: &'a FileIndex,
    pub options: &'a Options,
    pub exporter: Option<Author>,
    pub ids: MessageIds,
}

impl Builder<'_> {
    /// The message of a record, and what is wrong with its files.
    pub fn message(&mut self, item: Item<'_>) -> Result<(Message, Vec<Finding>), ContainerError> {
        let mut findings = Vec::new();
        let id = self.ids.mint(item.at, essence(&item.meaning));
        let place =
            model::finding::Place { entry: self.chat.entry.name.clone(), line: Some(item.line) };
        let mut sender = item.sender.author().cloned();
        let body = match item.meaning {
            Meaning::Sent(content) => self.body(content, &mut findings)?,
            Meaning::Line { event, encryption_notice, text } => {
                self.system(event, encryption_notice, text, sender.take())
            }
        };
        for finding in &mut findings {
            finding.place = place.clone();
            finding.message = Some(id.clone());
        }
        let message = Message {
            id,
            chat: self.chat.id.clone(),
            sender,
            sent_at: clock::sent_at(item.local, item.at, item.zone, item.precision),
            body,
            reply_to: None,
            forwarded: None,
            topic: None,
            edited: item.edited.then(|| Edited { at: None, history: Vec::new() }),
            reactions: Vec::new(),
            expires_at: None,
            place,
        };
        Ok((message, findings))
    }

    fn body(
        &self,
        content: Content<'_>,
        findings: &mut Vec<Finding>,
    ) -> Result<Body, ContainerError> {
        Ok(match content {
            Content::Words(text) => Body::Text(self.text(text)),
            Content::Files { files, caption, view_once } => {
                let mut attachments = Vec::with_capacity(files.len());
                for file in &files {
                    attachments.push(self.attachment(file, findings)?);
                }
                if caption.is_none()
                    && !view_once
                    && attachments.len() == 1
                    && attachments.first().is_some_and(|only| only.kind == MediaKind::Sticker)
                    && let Some(attachment) = attachments.pop()
                {
                    return Ok(Body::Sticker { attachment });
                }
                let caption = caption.map(|caption| self.text(caption));
                Body::Media { attachments, caption, view_once }
            }
            Content::Cards(files) => {
                let mut cards = Vec::with_capacity(files.len());
                for file in &files {
                    let shown = file.shown.unwrap_or_default();
                    let name = shown.get(..shown.len().saturating_sub(4)).unwrap_or(shown);
                    let vcard = Some(self.attachment(file, findings)?);
                    cards.push(ContactCard { name: name.to_owned(), phone: None, vcard });
                }
                Body::Contact { cards }
            }
            Content::Place(Place { latitude, longitude, label, url, live }) => {
                Body::Location(Location {
                    latitude,
                    longitude,
                    label: label.map(str::to_owned),
                    url: url.map(str::to_owned),
                    live,
                    period_s: None,
                })
            }
            Content::Poll { question, options } => Body::Poll(Poll {
                question: question.to_owned(),
                options: options
                    .into_iter()
                    .map(|(text, votes)| PollOption {
                        text: text.to_owned(),
                        votes,
                        voters: Vec::new(),
                    })
                    .collect(),
                multiple: None,
                closed: None,
                total_voters: None,
            }),
            Content::Call { video, missed, duration_s, text } => {
                Body::Call(Call { video, missed, duration_s, text: text.to_owned() })
            }
            Content::Deleted(text) => Body::Deleted { text: text.to_owned() },
            Content::Unknown(text) | Content::Notice(text) => {
                Body::Unknown { text: text.to_owned() }
            }
        })
    }

    fn text(&self, words: &str) -> Text {
        let mut text = Text::marked(words, Markup::Whatsapp);
        mentions(words, self.people, &mut text.spans);
        text
    }

    fn system(
        &self,
        event: Option<Box<Event<'_>>>,
        encryption_notice: bool,
        text: &str,
        sender: Option<Author>,
    ) -> Body {
        let mut line = SystemEvent {
            kind: if encryption_notice { SystemKind::Encryption } else { SystemKind::Other },
            actor: sender,
            targets: Vec::new(),
            text: text.to_owned(),
        };
        if let Some(event) = event {
            let person = |name: &str| match self.people.find(name) {
                Some(person) => person.author.clone(),
                None => ids::author(name).0,
            };
            line.kind = event.kind.system(event.title.map(str::to_owned));
            if let Some(actor) = event.actor {
                line.actor = Some(person(actor));
            }
            if let Some(names) = event.target {
                line.targets = match together(names, self.people) {
                    Some(people) => people,
                    None => vec![person(names)],
                };
            }
            match event.exporter {
                Role::Actor => line.actor.clone_from(&self.exporter),
                Role::Target => line.targets.extend(self.exporter.clone()),
                Role::None => {}
            }
        }
        Body::System(line)
    }

    fn attachment(
        &self,
        file: &FileRef<'_>,
        findings: &mut Vec<Finding>,
    ) -> Result<Attachment, ContainerError> {
        let mut attachment = Attachment::new(file.kind, AttachmentState::Omitted);
        attachment.name = file.shown.map(str::to_owned);
        attachment.claimed_mime = file.shown.and_then(claimed_mime);
        let Some(exported) = file.exported else { return Ok(attachment) };
        let entry = self.files.position(exported).and_then(|at| self.container.entries().get(at));
        let Some(entry) = entry else {
            attachment.state = AttachmentState::Missing;
            findings.push(finding(
                FindingKind::AttachmentMissing,
                "the file that the message names is not in the export",
            ));
            return Ok(attachment);
        };
        attachment.state = AttachmentState::Present;
        attachment.entry = Some(entry.name.clone());
        attachment.size_bytes = Some(entry.size_bytes);
        match sniff(self.container, entry) {
            Ok(mime) => attachment.sniffed_mime = mime.map(str::to_owned),
            Err(_) => findings
                .push(finding(FindingKind::AttachmentMismatch, "the file cannot be unpacked")),
        }
        if mismatch(attachment.claimed_mime.as_deref(), attachment.sniffed_mime.as_deref()) {
            findings.push(finding(
                FindingKind::AttachmentMismatch,
                "the file is not of the kind that its name says",
            ));
        }
        if self.options.hash_files {
            attachment.sha256 = digest(self.container.reader(entry)?);
        }
        Ok(attachment)
    }
}

fn finding(kind: FindingKind, detail: &str) -> Finding {
    let place = model::finding::Place::default();
    Finding { kind, place, message: None, detail: detail.to_owned() }
}

/// The MIME type that a name claims.
pub(super) fn claimed_mime(name: &str) -> Option<String> {
    mime_guess::from_path(name).first().map(|mime| mime.essence_str().to_owned())
}

/// The MIME type of the first bytes.
pub(super) fn sniff(
    container: &Container,
    entry: &crate::archive::container::Entry,
) -> Result<Option<&'static str>, ContainerError> {
    let mut first = Vec::with_capacity(512);
    let read = container.reader(entry)?.take(512).read_to_end(&mut first);
    if let Err(source) = read {
        return Err(ContainerError::Io { path: entry.name.clone(), source });
    }
    Ok(infer::get(&first).map(|kind| kind.mime_type()))
}

/// Whether picture, sound and film are told apart wrongly by the name.
pub(super) fn mismatch(claimed: Option<&str>, sniffed: Option<&str>) -> bool {
    let top = |mime: &str| match mime.split('/').next() {
        Some("image") => Some(0),
        // Containers of films hold sound alone, too.
        Some("audio" | "video") => Some(1),
        Some(_) | None => None,
    };
    match (claimed.map(top), sniffed.map(top)) {
        (Some(Some(claimed)), Some(sniffed)) => Some(claimed) != sniffed,
        (Some(None) | None, _) | (Some(Some(_)), None) => false,
    }
}

fn digest(mut stream: impl Read) -> Option<Sha256> {
    use sha2::Digest as _;
    let mut digest = sha2::Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Some(Sha256::from_bytes(digest.finalize().into())),
            Ok(count) => digest.update(buffer.get(..count)?),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

/// What of a record tells it from others of its minute.
fn essence<'a>(meaning: &Meaning<'a>) -> Essence<'a> {
    match meaning {
        Meaning::Line { encryption_notice: true, .. } => Essence::EncryptionNotice,
        Meaning::Line { event, .. } => {
            Essence::Event(event.as_ref().map_or(EventKind::Other, |event| event.kind).word())
        }
        Meaning::Sent(content) => match content {
            Content::Words(text) => Essence::Words(text),
            Content::Files { caption, .. } => Essence::File(caption.unwrap_or_default()),
            Content::Cards(_) => Essence::Card,
            Content::Place(place) => Essence::Place(place.url.unwrap_or_default()),
            Content::Poll { question, .. } => Essence::Poll(question),
            Content::Call { .. } => Essence::Call,
            Content::Deleted(_) => Essence::Deleted,
            Content::Unknown(_) | Content::Notice(_) => Essence::Other,
        },
    }
}

/// Several known people in one place of a sentence: `Ana, Bob et Zoé`. Names may hold commas,
/// so this only splits where every part is somebody.
pub(super) fn together(names: &str, people: &People) -> Option<Vec<Author>> {
    const AND: [&str; 12] =
        [" et ", " and ", " & ", " und ", " y ", " e ", " en ", " и ", " ve ", " i ", " و", " a "];
    if people.find(names).is_some() {
        return None;
    }
    let mut parts: Vec<&str> = names.split(", ").collect();
    let last = parts.pop()?;
    match AND.iter().find_map(|and| last.split_once(and)) {
        Some((a, b)) => parts.extend([a, b]),
        None => parts.push(last),
    }
    if parts.len() < 2 {
        return None;
    }
    parts.iter().map(|part| people.find(part).map(|person| person.author.clone())).collect()
}

/// Mentions: `@` and a name between U+2068 and U+2069, or `@` and a number.
fn mentions(words: &str, people: &People, spans: &mut Vec<Span>) {
    for at in memchr::memchr_iter(b'@', words.as_bytes()) {
        let Some(rest) = words.get(at + 1..) else { continue };
        let (end, person) = if let Some(inner) = rest.strip_prefix('\u{2068}') {
            let Some(length) = inner.find('\u{2069}') else { continue };
            (at + 1 + 3 + length + 3, inner.get(..length).and_then(|name| people.find(name)))
        } else {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let stands_free = words
                .get(..at)
                .and_then(|before| before.chars().next_back())
                .is_none_or(|c| !c.is_alphanumeric());
            if !(8..=15).contains(&digits) || !stands_free {
                continue;
            }
            (at + 1 + digits, rest.get(..digits).and_then(|number| people.find_number(number)))
        };
        let participant = person.map(|person| person.author.id.clone());
        spans.push(Span { start: at, end, style: Style::Mention { participant } });
    }
}
