//! One message object of `result.json` becomes one neutral message, and findings for what could
//! not be carried over. Remembers, within a chat, what later messages point at.

use std::collections::HashMap;

use super::action::{self, Act, Scene, by_name};
use super::clock::{WallClock, parse_local};
use super::fields::{Fields, describe, truncate};
use super::files::Files;
use super::ids::{self, IdStyle};
use super::media::{self, Content, Remarks};
use super::numbers::{Seen, Topics};
use super::raw::{Int, Part, RawMessage, RawReaction, RawRecent, RawText, Str};
use super::repair::Repairs;
use super::rich;
use super::text;
use crate::archive::reader::{Flow, Record};
use crate::model::finding::{Finding, FindingKind, Place};
use crate::model::ids::{ChatId, MessageId};
use crate::model::message::{Author, Body, Edited, Forwarded, Message, Reaction, ReplyTo};
use crate::model::system::SystemEvent;
use crate::model::text::Text;
use crate::model::time::{Precision, SentAt, UnixMillis, ZoneBasis};

/// What a message of the export became.
pub(super) type Sink<'s> = dyn FnMut(Record) -> Flow + 's;

/// What is the same for every message of a chat.
pub(super) struct Converter<'a> {
    pub(super) chat: ChatId,
    pub(super) style: IdStyle,
    /// The title of the chat, to know a topic's export by.
    pub(super) title: String,
    /// The container entry that is read.
    pub(super) entry: String,
    pub(super) clock: WallClock,
    pub(super) files: Files<'a>,
    /// Who made the export, where that is known.
    pub(super) owner: Option<Author>,
    seen: Seen,
    topics: Topics,
    /// The topic that the whole chat is, where the export is one topic's.
    whole_topic: Option<i64>,
    /// How many messages without a number say the same; files of other tools only.
    equals: HashMap<u64, u32>,
}

/// A message on its way: its findings are told after it.
struct Draft {
    findings: Vec<(FindingKind, String)>,
}

impl Draft {
    fn tell(&mut self, kind: FindingKind, detail: impl Into<String>) {
        self.findings.push((kind, detail.into()));
    }
}

impl<'a> Converter<'a> {
    pub(super) fn new(
        chat: ChatId,
        style: IdStyle,
        title: String,
        entry: String,
        clock: WallClock,
        files: Files<'a>,
        owner: Option<Author>,
    ) -> Self {
        Self {
            chat,
            style,
            title,
            entry,
            clock,
            files,
            owner,
            seen: Seen::default(),
            topics: Topics::default(),
            whole_topic: None,
            equals: HashMap::new(),
        }
    }

    /// A finding at an element of the chat.
    pub(super) fn finding(
        &self,
        kind: FindingKind,
        number: Option<u64>,
        message: Option<&MessageId>,
        detail: impl Into<String>,
    ) -> Finding {
        Finding {
            kind,
            place: Place { entry: self.entry.clone(), line: number },
            message: message.cloned(),
            detail: detail.into(),
        }
    }

    /// Converts one element and hands on what it became. `amend` may add what another form of
    /// the export knows.
    pub(super) fn message(
        &mut self,
        number: u64,
        raw: RawMessage<'_>,
        repairs: Repairs,
        misshapen: &[String],
        amend: &mut dyn FnMut(&mut Message, Option<i64>),
        sink: &mut Sink<'_>,
    ) -> Flow {
        let mut draft = Draft { findings: Vec::new() };
        tell_repairs(repairs, misshapen, &mut draft);
        let id = raw.id.map(|Int(id)| id);
        let message = self.convert(number, raw, &mut draft);
        let message_id = match message {
            Ok(mut message) => {
                amend(&mut message, id);
                let id = message.id.clone();
                if sink(Record::Message(Box::new(message))) == Flow::Stop {
                    return Flow::Stop;
                }
                Some(id)
            }
            Err(id) => id,
        };
        for (kind, detail) in draft.findings {
            let finding = self.finding(kind, Some(number), message_id.as_ref(), detail);
            if sink(Record::Finding(finding)) == Flow::Stop {
                return Flow::Stop;
            }
        }
        Flow::Continue
    }

    /// The message, or, where there is nothing but a number, that number.
    fn convert(
        &mut self,
        number: u64,
        mut raw: RawMessage<'_>,
        draft: &mut Draft,
    ) -> Result<Message, Option<MessageId>> {
        let mut fields = Fields::of(&mut raw);
        let RawMessage {
            id,
            kind,
            date,
            date_unixtime,
            edited,
            edited_unixtime,
            from,
            from_id,
            actor,
            actor_id,
            action,
            author,
            forwarded_from,
            forwarded_from_id,
            saved_from,
            reply_to_message_id,
            reply_to_peer_id,
            via_bot,
            text,
            text_entities,
            reactions,
            file,
            rest: _,
        } = raw;
        let id = id.map(|Int(id)| id);
        self.mention(text_entities.as_deref(), &text, &reactions);
        let (mut words, differ) = text::build(&text, text_entities.as_deref());
        if differ {
            draft.tell(FindingKind::Conflict, "text and text_entities differ");
        }
        let kind = kind.as_ref().map_or("", Str::as_str);
        let is_bare = words.plain.is_empty() && from.is_none() && actor.is_none();
        if kind == "unsupported" || (is_bare && date.is_none() && date_unixtime.is_none()) {
            let id = id.map(|id| ids::message(id, self.seen.insert(id)));
            let what = if kind == "unsupported" {
                "a message that the exporting version of Telegram did not know"
            } else {
                "a record without sender, date or words"
            };
            draft.tell(FindingKind::UnknownKind, what);
            return Err(id);
        }
        // Another tool's action is an object; its words are all there is.
        let action_name = action.as_ref().map(|action| match action.as_str() {
            Some(name) => name.to_owned(),
            None => {
                let mut words = String::new();
                describe(action, &mut words, 0);
                words
            }
        });
        let is_service = kind == "service"
            && (action_name.is_some()
                || fields.has("information_text")
                || (file.file.is_none() && file.photo.is_none() && words.plain.is_empty()));
        if kind != "message" && !is_service {
            draft.tell(FindingKind::UnknownKind, "a record of an unknown type");
        }
        if let Some(buttons) = fields.take("inline_bot_buttons") {
            let rows = buttons.as_array().map_or(0, Vec::len);
            draft.tell(FindingKind::NotCarried, format!("{rows} rows of buttons"));
        }
        let local = date.as_ref().and_then(|date| parse_local(date.as_str()));
        let sent_at = self.sent_at(date.as_ref(), local, date_unixtime, draft);
        let second = sent_at.at.0.div_euclid(1000);

        let mut points_at = None;
        let mut remarks = Remarks::default();
        let sender;
        let body;
        if is_service {
            let actor = self
                .person(actor.or_else(|| from.clone().filter(|_| action_name.is_none())), actor_id);
            let photo = file.photo.as_ref().map(Str::as_str);
            self.files.mention(photo.unwrap_or_default());
            let duration = file.duration_seconds.and_then(|Int(s)| u64::try_from(s).ok());
            let from = from.flatten();
            let scene = Scene {
                actor: actor.as_ref(),
                from: from.as_ref().map(Str::as_str),
                duration_s: duration,
                words: &words.plain,
                photo,
            };
            let acted = action::read(action_name.as_deref(), &mut fields, &scene);
            points_at = acted.points_at;
            if !acted.known {
                let mut name = action_name.clone().unwrap_or_default();
                truncate(&mut name, 64);
                draft.tell(FindingKind::UnknownKind, format!("an unknown action: {name}"));
            }
            if photo.is_some() {
                draft.tell(FindingKind::NotCarried, "a new picture of the chat or of a person");
            }
            (sender, body) = match acted.act {
                Act::Call(call) => (actor, Body::Call(call)),
                Act::System { kind, targets, text } => {
                    (None, Body::System(SystemEvent { kind, actor, targets, text }))
                }
            };
        } else {
            sender = self.person(from.or(actor), from_id.or(actor_id));
            let mut content =
                media::read(file, &mut fields, self.files, self.owner.as_ref(), &mut remarks);
            if let Some(rich) = fields.take("rich_message") {
                let (flat, lossy) = rich::flatten(&rich);
                if words.plain.is_empty() {
                    words = flat;
                }
                if lossy {
                    draft.tell(FindingKind::NotCarried, "pictures or forms inside a rich message");
                }
            }
            if matches!(content, Content::None)
                && words.plain.is_empty()
                && !fields.left().is_empty()
            {
                // Something we have no name for: its fields are all there is to show.
                let text = fields.describe();
                content = Content::Words { text, what: "" };
                draft.tell(FindingKind::UnknownKind, "a message of an unknown kind");
            }
            body = body_of(content, words, draft);
        }
        tell_remarks(&remarks, draft);

        let answered = reply_to_message_id.map(|Int(id)| id);
        let quote = fields.words("reply_to_quote");
        let reply_to = self.reply(answered, reply_to_peer_id, points_at, quote, draft);
        let forwarded = self.forwarded(forwarded_from, forwarded_from_id, &mut fields);
        tell_uncarried(saved_from, forwarded.as_ref(), author, via_bot, draft);
        if !is_service && fields.take("topic_id").is_some() {
            draft.tell(FindingKind::NotCarried, "a topic number of another tool");
        }
        let edited = self.edited(edited, edited_unixtime, second);
        let reactions =
            self.reactions(reactions, local.filter(|_| date_unixtime.is_some()), second);
        let topic = self.topic(number, id, answered, action_name.as_deref(), &body);
        let id = self.message_id(id, sender.as_ref(), &sent_at, &body, draft);
        let left = fields.left();
        if !left.is_empty() {
            let mut names = left.join(", ");
            truncate(&mut names, 200);
            draft.tell(FindingKind::UnknownField, names);
        }
        Ok(Message {
            id,
            chat: self.chat.clone(),
            sender,
            sent_at,
            body,
            reply_to,
            forwarded,
            topic: topic.map(ids::topic),
            edited,
            reactions,
            expires_at: None,
            place: Place { entry: self.entry.clone(), line: Some(number) },
        })
    }

    /// Takes note of the pictures of custom emoji.
    fn mention(
        &self,
        parts: Option<&[Part<'_>]>,
        text: &RawText<'_>,
        reactions: &[RawReaction<'_>],
    ) {
        let in_text = match text {
            RawText::Parts(parts) => parts.as_slice(),
            RawText::Plain(_) | RawText::Absent => &[],
        };
        for part in parts.unwrap_or_default().iter().chain(in_text) {
            if let ("custom_emoji", Some(path)) = (part.kind.as_str(), &part.additional) {
                self.files.mention(path.as_str());
            }
        }
        for path in reactions.iter().filter_map(|reaction| reaction.document_id.as_ref()) {
            self.files.mention(path.as_str());
        }
    }

    fn sent_at(
        &mut self,
        date: Option<&Str<'_>>,
        local: Option<jiff::civil::DateTime>,
        unixtime: Option<Int>,
        draft: &mut Draft,
    ) -> SentAt {
        if let Some(Int(second)) = unixtime {
            return self.clock.stated(second);
        }
        if let Some(local) = local {
            let at = self.clock.message(local);
            match at.zone {
                ZoneBasis::Stated | ZoneBasis::Assumed => {}
                ZoneBasis::AssumedAmbiguous => {
                    draft.tell(FindingKind::AmbiguousTime, "this hour happens twice in the zone");
                }
                ZoneBasis::AssumedImpossible => {
                    draft.tell(FindingKind::ImpossibleTime, "this hour is left out in the zone");
                }
            }
            return at;
        }
        // Other tools write the UTC second as `date`.
        if let Some(second) = date.and_then(|date| date.as_str().trim().parse().ok()) {
            return self.clock.stated(second);
        }
        draft
            .tell(FindingKind::ImpossibleTime, "no date; the time of the message before was taken");
        SentAt {
            at: UnixMillis(self.clock.last_second().unwrap_or_default().saturating_mul(1000)),
            precision: Precision::Day,
            zone: ZoneBasis::AssumedImpossible,
            local: None,
        }
    }

    /// A person by id, or by name where there is none. `None` when neither is written.
    fn person(&self, name: Option<Option<Str<'_>>>, id: Option<Str<'_>>) -> Option<Author> {
        let Some(id) = id else {
            let name = name?;
            return Some(by_name(name.as_ref().map(Str::as_str).filter(|name| !name.is_empty())));
        };
        let name = name.flatten().map(|name| name.0.into_owned()).unwrap_or_default();
        Some(Author { id: ids::peer(id.as_str(), self.style, &self.chat), name })
    }

    fn reply(
        &self,
        answered: Option<i64>,
        elsewhere: Option<Str<'_>>,
        points_at: Option<i64>,
        quote: Option<String>,
        draft: &mut Draft,
    ) -> Option<ReplyTo> {
        let Some(target) = answered.or(points_at) else {
            return quote.map(|quote| ReplyTo { id: None, author: None, quote: Some(quote) });
        };
        let id = match elsewhere.filter(|_| answered.is_some()) {
            Some(peer) => {
                let peer = ids::peer(peer.as_str(), self.style, &self.chat);
                draft.tell(
                    FindingKind::ReplyTargetMissing,
                    "the answered message is in another chat",
                );
                MessageId::new(format!("{peer}/{target}"))
            }
            None => {
                if !self.seen.has(target) {
                    let detail = "the answered message is not in the export";
                    draft.tell(FindingKind::ReplyTargetMissing, detail);
                }
                ids::message(target, 1)
            }
        };
        Some(ReplyTo { id: Some(id), author: None, quote })
    }

    fn forwarded(
        &mut self,
        from: Option<Option<Str<'_>>>,
        id: Option<Str<'_>>,
        fields: &mut Fields,
    ) -> Option<Forwarded> {
        // Only other tools write the original's date into JSON.
        let at = fields.words("forwarded_date").and_then(|date| match date.parse::<i64>() {
            Ok(second) => Some(SentAt {
                at: UnixMillis(second.saturating_mul(1000)),
                precision: Precision::Second,
                zone: ZoneBasis::Stated,
                local: None,
            }),
            Err(_) => parse_local(&date).map(|local| self.clock.aside(local, None)),
        });
        if from.is_none() && id.is_none() {
            return None;
        }
        let nobody = from.as_ref().is_none_or(Option::is_none) && id.is_none();
        let from = if nobody { None } else { self.person(from, id) };
        Some(Forwarded { from, at })
    }

    fn edited(
        &mut self,
        local: Option<Str<'_>>,
        unixtime: Option<Int>,
        message_second: i64,
    ) -> Option<Edited> {
        // Before 2.1.9 every message had the key, with the epoch where it was never edited.
        let at = match unixtime {
            Some(Int(second)) if second <= 0 => return None,
            Some(Int(second)) => SentAt {
                at: UnixMillis(second.saturating_mul(1000)),
                precision: Precision::Second,
                zone: ZoneBasis::Stated,
                local: None,
            },
            None => {
                let local = parse_local(local?.as_str()).filter(|local| local.year() > 1970)?;
                self.clock.aside(local, Some(message_second))
            }
        };
        Some(Edited { at: Some(at), history: Vec::new() })
    }

    fn reactions(
        &mut self,
        raw: Vec<RawReaction<'_>>,
        message_local: Option<jiff::civil::DateTime>,
        message_second: i64,
    ) -> Vec<Reaction> {
        let mut reactions = Vec::new();
        for RawReaction { kind, count, emoji, document_id: _, recent } in raw {
            let emoji = match (kind.as_str(), emoji) {
                (_, Some(emoji)) => emoji.0.into_owned(),
                ("custom_emoji", None) => ":custom_emoji:".to_owned(),
                ("paid", None) => "⭐".to_owned(),
                (_, None) => {
                    format!(":{}:", if kind.0.is_empty() { "empty" } else { kind.as_str() })
                }
            };
            let named = u32::try_from(recent.len()).unwrap_or(u32::MAX);
            for RawRecent { from, from_id, date } in recent {
                let at = date
                    .and_then(|date| parse_local(date.as_str()))
                    .map(|local| self.clock.reaction(local, message_local, message_second));
                let by = self.person(Some(from), from_id);
                reactions.push(Reaction { emoji: emoji.clone(), by, at, count: 1 });
            }
            let count = count.and_then(|Int(count)| u32::try_from(count).ok()).unwrap_or(named);
            if let Some(rest @ 1..) = count.checked_sub(named) {
                reactions.push(Reaction { emoji, by: None, at: None, count: rest });
            }
        }
        reactions
    }

    fn topic(
        &mut self,
        number: u64,
        id: Option<i64>,
        answered: Option<i64>,
        action: Option<&str>,
        body: &Body,
    ) -> Option<i64> {
        if action == Some("topic_created")
            && let Some(id) = id
        {
            self.topics.create(id);
            // The export of one topic begins with the topic and is called like it.
            let says_title = matches!(body, Body::System(event) if event.text.contains(&format!("“{}”", self.title)));
            if number == 1 && says_title {
                self.whole_topic = Some(id);
            }
            return Some(id);
        }
        answered.and_then(|answered| self.topics.answer(id, answered)).or(self.whole_topic)
    }

    fn message_id(
        &mut self,
        id: Option<i64>,
        sender: Option<&Author>,
        sent_at: &SentAt,
        body: &Body,
        draft: &mut Draft,
    ) -> MessageId {
        if let Some(id) = id {
            let occurrence = self.seen.insert(id);
            if occurrence > 1 {
                draft.tell(FindingKind::Conflict, "the number of another message of the chat");
            }
            return ids::message(id, occurrence);
        }
        let words = match body {
            Body::Text(text) => text.plain.as_str(),
            Body::Unknown { text } | Body::Deleted { text } => text.as_str(),
            Body::Media { .. }
            | Body::Sticker { .. }
            | Body::Location(_)
            | Body::Contact { .. }
            | Body::Poll(_)
            | Body::Call(_)
            | Body::System(_) => body.kind(),
        };
        let sender = sender.map_or("", |sender| sender.id.as_str());
        let key = ids::content_key(&[sender, &sent_at.at.0.to_string(), words]);
        let ordinal = self.equals.entry(key).or_default();
        *ordinal += 1;
        ids::unnumbered(key, *ordinal)
    }
}

fn body_of(content: Content, words: Text, draft: &mut Draft) -> Body {
    let caption = (!words.plain.is_empty()).then_some(words);
    match (content, caption) {
        (Content::None, Some(words)) => Body::Text(words),
        (Content::None, None) => {
            draft.tell(
                FindingKind::NotInFormat,
                "an empty message: a die, a story, a live stream or a bare link preview",
            );
            Body::Unknown { text: String::new() }
        }
        (Content::File { attachment, view_once }, caption) => {
            Body::Media { attachments: vec![*attachment], caption, view_once }
        }
        (Content::Sticker(attachment), None) => Body::Sticker { attachment: *attachment },
        (Content::Sticker(attachment), caption) => {
            Body::Media { attachments: vec![*attachment], caption, view_once: false }
        }
        // Telegram has no captions for these; if words stand there all the same, they are kept
        // where they can be read.
        (Content::Location(mut location), caption) => {
            location.label = joined(location.label, caption);
            Body::Location(location)
        }
        (Content::Poll(mut poll), caption) => {
            poll.question = joined(Some(poll.question), caption).unwrap_or_default();
            Body::Poll(poll)
        }
        (Content::Contact(mut card), caption) => {
            card.name = joined(Some(card.name), caption).unwrap_or_default();
            Body::Contact { cards: vec![*card] }
        }
        (Content::Words { text, what }, caption) => {
            if !what.is_empty() {
                draft.tell(FindingKind::NotCarried, format!("{what}, kept as words"));
            }
            Body::Unknown { text: joined(Some(text), caption).unwrap_or_default() }
        }
    }
}

fn joined(first: Option<String>, second: Option<Text>) -> Option<String> {
    match (first, second) {
        (Some(first), Some(second)) => Some(format!("{first}\n{}", second.plain)),
        (first, second) => first.or(second.map(|text| text.plain)),
    }
}

fn tell_repairs(repairs: Repairs, misshapen: &[String], draft: &mut Draft) {
    let Repairs { escapes, unquoted, not_text } = repairs;
    if escapes {
        draft.tell(FindingKind::Repaired, "control characters written in an invalid way");
    }
    if unquoted {
        draft.tell(FindingKind::Repaired, "the path of an emoji without quotes");
    }
    if not_text {
        draft.tell(FindingKind::InvalidText, "bytes that are not UTF-8");
    }
    if !misshapen.is_empty() {
        let mut names = misshapen.join(", ");
        truncate(&mut names, 200);
        draft.tell(FindingKind::UnknownField, format!("unexpected form: {names}"));
    }
}

fn tell_remarks(remarks: &Remarks, draft: &mut Draft) {
    let Remarks { lost, not_carried, unknown_type } = remarks;
    for path in lost {
        draft.tell(FindingKind::AttachmentMissing, path.as_str());
    }
    for what in not_carried {
        draft.tell(FindingKind::NotCarried, *what);
    }
    if let Some(unknown) = unknown_type {
        let mut unknown = unknown.clone();
        truncate(&mut unknown, 64);
        draft.tell(FindingKind::UnknownKind, format!("an unknown kind of file: {unknown}"));
    }
}

/// What the neutral model has no place for.
fn tell_uncarried(
    saved_from: Option<Option<Str<'_>>>,
    forwarded: Option<&Forwarded>,
    author: Option<Str<'_>>,
    via_bot: Option<Str<'_>>,
    draft: &mut Draft,
) {
    let forwarder = forwarded.and_then(|f| f.from.as_ref()).map(|from| from.name.as_str());
    if let Some(Some(saved_from)) = saved_from
        && forwarder != Some(saved_from.as_str())
    {
        draft.tell(FindingKind::NotCarried, "the chat a saved message came from");
    }
    if author.is_some_and(|author| !author.0.is_empty()) {
        draft.tell(FindingKind::NotCarried, "the signature of a post");
    }
    if via_bot.is_some() {
        draft.tell(FindingKind::NotCarried, "the bot by way of which a message was made");
    }
}
