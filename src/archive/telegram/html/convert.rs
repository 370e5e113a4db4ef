//! What a page shows of a message becomes a neutral message.

use std::collections::HashMap;

use super::media::{File, Media};
use super::services::{UNSUPPORTED, author, read as service};
use super::shown::{Content, Original, Reply, Shared, Shown, Spoken, Stamp};
use crate::archive::reader::{Flow, Record};
use crate::archive::telegram::clock::WallClock;
use crate::archive::telegram::convert::Sink;
use crate::archive::telegram::files::{Files, Named};
use crate::archive::telegram::ids;
use crate::archive::telegram::numbers::Seen;
use crate::model::author::Author;
use crate::model::finding::{Finding, FindingKind, Place};
use crate::model::ids::{ChatId, MessageId};
use crate::model::media::AttachmentState;
use crate::model::message::{Body, ContactCard, Forwarded, Message, Reaction, ReplyTo};
use crate::model::text::Text;
use crate::model::time::{Precision, SentAt, UnixMillis, ZoneBasis};

/// Converts the messages of one chat.
pub(super) struct Converter<'a> {
    pub(super) chat: ChatId,
    pub(super) clock: WallClock,
    pub(super) files: Files<'a>,
    /// The folder of the pages below the export's root, for paths that lead out of it.
    pub(super) folder: String,
    seen: Seen,
    /// How many messages without a number say the same.
    equals: HashMap<u64, u32>,
    day: Option<SentAt>,
    /// The head of the message before, for those that are joined to it.
    sender: Option<Author>,
    original: Option<Author>,
}

impl<'a> Converter<'a> {
    pub(super) fn new(chat: ChatId, clock: WallClock, files: Files<'a>, folder: String) -> Self {
        let (seen, equals) = (Seen::default(), HashMap::new());
        Self { chat, clock, files, folder, seen, equals, day: None, sender: None, original: None }
    }

    /// Converts one message and hands on what it became; a line between days becomes nothing.
    /// Says whether there was a record.
    pub(super) fn message(
        &mut self,
        shown: Shown,
        place: &Place,
        sink: &mut Sink<'_>,
    ) -> (Flow, bool) {
        let Shown { number, content } = shown;
        let mut findings = Vec::new();
        let occurrence = |seen: &mut Seen| number.map_or(1, |number| seen.insert(number));
        let (message, id) = match content {
            Content::Day(day) => {
                self.day = Some(self.clock.day(day));
                return (Flow::Continue, false);
            }
            Content::Service { words, .. } if words.starts_with(UNSUPPORTED) => {
                let times = occurrence(&mut self.seen);
                findings.push((
                    FindingKind::UnknownKind,
                    "a message that the exporting version of Telegram did not know".to_owned(),
                ));
                (None, number.map(|number| ids::message(number, times)))
            }
            Content::Service { words, points_at } => {
                let event = service(&words);
                let sent_at = self.today();
                let reply_to = points_at.map(|target| self.reply(target, &mut findings));
                let times = occurrence(&mut self.seen);
                let message =
                    self.draft(number, times, &words, sent_at, Body::System(event), place);
                let message = Message { reply_to, ..message };
                let id = message.id.clone();
                (Some(message), Some(id))
            }
            Content::Message(spoken) => {
                let message = self.spoken(number, *spoken, place, &mut findings);
                let id = message.id.clone();
                (Some(message), Some(id))
            }
        };
        if let Some(message) = message
            && sink(Record::Message(Box::new(message))) == Flow::Stop
        {
            return (Flow::Stop, true);
        }
        for (kind, detail) in findings {
            let finding = Finding { kind, place: place.clone(), message: id.clone(), detail };
            if sink(Record::Finding(finding)) == Flow::Stop {
                return (Flow::Stop, true);
            }
        }
        (Flow::Continue, true)
    }

    fn draft(
        &mut self,
        number: Option<i64>,
        occurrence: u32,
        words: &str,
        sent_at: SentAt,
        body: Body,
        place: &Place,
    ) -> Message {
        let id = if let Some(number) = number {
            ids::message(number, occurrence)
        } else {
            let key = ids::content_key(&[&sent_at.at.0.to_string(), words]);
            let ordinal = self.equals.entry(key).or_default();
            *ordinal += 1;
            ids::unnumbered(key, *ordinal)
        };
        Message {
            id,
            chat: self.chat.clone(),
            sender: None,
            sent_at,
            body,
            reply_to: None,
            forwarded: None,
            topic: None,
            edited: None,
            reactions: Vec::new(),
            expires_at: None,
            place: place.clone(),
        }
    }

    /// Lines of the messenger show the day only.
    fn today(&self) -> SentAt {
        self.day.clone().unwrap_or(SentAt {
            at: UnixMillis(self.clock.last_second().unwrap_or_default().saturating_mul(1000)),
            precision: Precision::Day,
            zone: ZoneBasis::AssumedImpossible,
            local: None,
        })
    }

    fn spoken(
        &mut self,
        number: Option<i64>,
        spoken: Spoken,
        place: &Place,
        findings: &mut Vec<(FindingKind, String)>,
    ) -> Message {
        let Spoken {
            joined,
            from,
            via_bot,
            at,
            forwarded,
            reply,
            media,
            text,
            reactions,
            buttons,
            signed,
            unknown,
        } = spoken;
        let sent_at = match at {
            Some(stamp) => self.sent_at(stamp, findings),
            None => self.today(),
        };
        let sender = from.map(|name| author(&name)).or_else(|| {
            // Only a joined message may leave its head out.
            if joined { self.sender.clone() } else { None }
        });
        self.sender.clone_from(&sender);
        let forwarded = forwarded.map(|original| self.forwarded(original, joined));
        if forwarded.is_none() {
            self.original = None;
        }
        for (wanted, what) in [
            (via_bot, "the bot by way of which a message was made"),
            (signed, "the signature of a post"),
        ] {
            if wanted {
                findings.push((FindingKind::NotCarried, what.to_owned()));
            }
        }
        if buttons > 0 {
            findings.push((FindingKind::NotCarried, format!("{buttons} rows of buttons")));
        }
        for class in unknown {
            findings.push((FindingKind::UnknownField, class));
        }
        let words = text.plain.clone();
        let body = self.body(media, text, findings);
        let reply_to = reply.map(|reply| match reply {
            Reply::To(target) => self.reply(target, findings),
            Reply::Elsewhere => {
                let detail = "the answered message is in another chat".to_owned();
                findings.push((FindingKind::ReplyTargetMissing, detail));
                ReplyTo { id: None, author: None, quote: None }
            }
        });
        let occurrence = number.map_or(1, |number| self.seen.insert(number));
        if occurrence > 1 {
            let detail = "the number of another message of the chat".to_owned();
            findings.push((FindingKind::Conflict, detail));
        }
        let reactions = shared(reactions);
        let message = self.draft(number, occurrence, &words, sent_at, body, place);
        Message { sender, reply_to, forwarded, reactions, ..message }
    }

    fn sent_at(
        &mut self,
        (local, offset): Stamp,
        findings: &mut Vec<(FindingKind, String)>,
    ) -> SentAt {
        if let Some(offset) = offset {
            self.clock.named_offset(local.year(), offset);
        }
        let at = self.clock.message(local);
        let finding = match at.zone {
            ZoneBasis::Stated | ZoneBasis::Assumed => None,
            ZoneBasis::AssumedAmbiguous => {
                Some((FindingKind::AmbiguousTime, "this hour happens twice in the zone"))
            }
            ZoneBasis::AssumedImpossible => {
                Some((FindingKind::ImpossibleTime, "this hour is left out in the zone"))
            }
        };
        findings.extend(finding.map(|(kind, detail)| (kind, detail.to_owned())));
        at
    }

    fn forwarded(&mut self, original: Original, joined: bool) -> Forwarded {
        let Original { from, at } = original;
        if let Some(name) = from {
            self.original = Some(author(&name)).filter(|author| !author.name.is_empty());
        } else if !joined {
            self.original = None;
        }
        let at = at.map(|(local, _)| self.clock.aside(local, None));
        Forwarded { from: self.original.clone(), at }
    }

    fn reply(&self, target: i64, findings: &mut Vec<(FindingKind, String)>) -> ReplyTo {
        if !self.seen.has(target) {
            let detail = "the answered message is not in the export".to_owned();
            findings.push((FindingKind::ReplyTargetMissing, detail));
        }
        let id: MessageId = ids::message(target, 1);
        ReplyTo { id: Some(id), author: None, quote: None }
    }

    fn body(
        &self,
        media: Option<Media>,
        text: Text,
        findings: &mut Vec<(FindingKind, String)>,
    ) -> Body {
        let caption = (!text.plain.is_empty()).then_some(text);
        let Some(media) = media else {
            if let Some(text) = caption {
                return Body::Text(text);
            }
            let detail = "an empty message: a die, a story, a live stream or a bare link \
                                  preview";
            findings.push((FindingKind::NotInFormat, detail.to_owned()));
            return Body::Unknown { text: String::new() };
        };
        match media {
            Media::File(file) => self.file(file, caption, findings),
            Media::Contact { name, phone, vcard } => {
                let vcard = vcard.map(|path| {
                    let kind = crate::model::media::MediaKind::Document;
                    let Named { mut attachment, lost } =
                        self.files.attachment(kind, &self.inside(&path), None);
                    attachment.claimed_mime = Some("text/vcard".to_owned());
                    if lost {
                        findings.push((FindingKind::AttachmentMissing, path));
                    }
                    attachment
                });
                Body::Contact { cards: vec![ContactCard { name, phone, vcard }] }
            }
            Media::Location(location) => Body::Location(location),
            Media::Poll(poll) => Body::Poll(poll),
            Media::Call(call) => Body::Call(call),
            Media::Words { mut text, what } => {
                findings.push((FindingKind::NotCarried, format!("{what}, kept as words")));
                if let Some(caption) = caption {
                    text.push('\n');
                    text.push_str(&caption.plain);
                }
                Body::Unknown { text }
            }
        }
    }

    fn file(
        &self,
        file: File,
        caption: Option<Text>,
        findings: &mut Vec<(FindingKind, String)>,
    ) -> Body {
        let File { kind, path, state, name, thumbnail, duration_ms, emoji } = file;
        let path = path.map(|path| self.inside(&path)).unwrap_or_default();
        let Named { mut attachment, lost } = self.files.attachment(kind, &path, name.as_deref());
        if lost {
            findings.push((FindingKind::AttachmentMissing, path));
        } else if state != AttachmentState::Present {
            attachment.state = state;
        }
        attachment.thumbnail_entry =
            thumbnail.and_then(|path| self.files.thumbnail(&self.inside(&path)));
        attachment.duration_ms = duration_ms;
        attachment.emoji = emoji;
        match (kind, caption) {
            (crate::model::media::MediaKind::Sticker, None) => Body::Sticker { attachment },
            (_, caption) => {
                Body::Media { attachments: vec![attachment], caption, view_once: false }
            }
        }
    }

    /// A path from the page, seen from the export's root.
    fn inside(&self, href: &str) -> String {
        let mut parts: Vec<&str> = self.folder.split('/').filter(|part| !part.is_empty()).collect();
        for part in href.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        parts.join("/")
    }
}

fn shared(shown: Vec<Shared>) -> Vec<Reaction> {
    let mut reactions = Vec::new();
    for Shared { emoji, by, count } in shown {
        let named = u32::try_from(by.len()).unwrap_or(u32::MAX);
        for name in by {
            let by = Some(author(&name));
            reactions.push(Reaction { emoji: emoji.clone(), by, at: None, count: 1 });
        }
        // Where all are shown by picture, no count is.
        let count = count.unwrap_or(named);
        if let Some(rest @ 1..) = count.checked_sub(named) {
            reactions.push(Reaction { emoji, by: None, at: None, count: rest });
        }
    }
    reactions
}
