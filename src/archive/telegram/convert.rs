//! One message object of `result.json` becomes one neutral message, and findings for what could
//! not be carried over. Remembers, within a chat, what later messages point at.

use std::collections::HashMap;

use super::body::{Service, action_name};
use super::clock::{WallClock, parse_local};
use super::fields::Fields;
use super::files::Files;
use super::ids::{self, IdStyle};
use super::numbers::{Seen, Topics};
use super::raw::RawMessage;
use super::repair::Repairs;
use super::text;
use super::told::Told;
use super::value::{Int, Str};
use crate::archive::reader::{Flow, Record};
use crate::model::author::Author;
use crate::model::finding::{Finding, FindingKind, Place};
use crate::model::ids::{ChatId, MessageId};
use crate::model::message::Message;

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
    pub(super) seen: Seen,
    pub(super) topics: Topics,
    /// The topic that the whole chat is, where the export is one topic's.
    pub(super) whole_topic: Option<i64>,
    /// How many messages without a number say the same; files of other tools only.
    pub(super) equals: HashMap<u64, u32>,
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
        let mut told = Told::default();
        told.repairs(repairs, misshapen);
        let id = raw.id.map(|Int(id)| id);
        let message = self.convert(number, raw, &mut told);
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
        for (kind, detail) in told.0 {
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
        told: &mut Told,
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
        let (words, differ) = text::build(&text, text_entities.as_deref());
        if differ {
            told.tell(FindingKind::Conflict, "text and text_entities differ");
        }
        let kind = kind.as_ref().map_or("", Str::as_str);
        let bare = words.plain.is_empty() && from.is_absent() && actor.is_absent();
        let undated = date.is_none() && date_unixtime.is_none();
        if kind == "unsupported" || (bare && undated) {
            return Err(self.nothing(id, kind, told));
        }
        let action = action.as_ref().map(action_name);
        let is_service = kind == "service"
            && (action.is_some()
                || fields.has("information_text")
                || (file.file.is_none() && file.photo.is_none() && words.plain.is_empty()));
        if kind != "message" && !is_service {
            told.tell(FindingKind::UnknownKind, "a record of an unknown type");
        }
        if let Some(buttons) = fields.take("inline_bot_buttons") {
            let rows = buttons.as_array().map_or(0, Vec::len);
            told.tell(FindingKind::NotCarried, format!("{rows} rows of buttons"));
        }
        let local = date.as_ref().and_then(|date| parse_local(date.as_str()));
        let sent_at = self.sent_at(date.as_ref(), local, date_unixtime, told);
        let second = sent_at.at.0.div_euclid(1000);
        let topic_action = action.as_deref() == Some("topic_created");
        let (sender, body, points_at) = if is_service {
            // Other tools write the actor as the sender; in one action `from` is somebody else.
            let other = action.as_deref() == Some("proximity_reached") || !actor.is_absent();
            let actor = if other {
                self.person(&actor, actor_id.as_ref())
            } else {
                self.person(&from, from_id.as_ref())
            };
            let service = Service { action, actor, from, file, words };
            self.service(service, &mut fields, told)
        } else {
            let sender = self.person(&from.or(actor), from_id.or(actor_id).as_ref());
            (sender, self.spoken(file, words, &mut fields, told), None)
        };
        let answered = reply_to_message_id.map(|Int(id)| id);
        let quote = fields.words("reply_to_quote");
        let reply_to = self.reply(answered, reply_to_peer_id.as_ref(), points_at, quote, told);
        let forwarded = self.forwarded(&forwarded_from, forwarded_from_id.as_ref(), &mut fields);
        told.uncarried(&saved_from, forwarded.as_ref(), author.as_ref(), via_bot.as_ref());
        let edited = self.edited(edited.as_ref(), edited_unixtime, second);
        let observed = local.filter(|_| date_unixtime.is_some());
        let reactions = self.reactions(reactions, observed, second);
        let topic = self.topic(number, id, answered, topic_action, &body);
        let id = self.message_id(id, sender.as_ref(), &sent_at, &body, told);
        told.left(&fields.left());
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

    /// A record that says nothing: its number, if it has one.
    fn nothing(&mut self, id: Option<i64>, kind: &str, told: &mut Told) -> Option<MessageId> {
        let what = if kind == "unsupported" {
            "a message that the exporting version of Telegram did not know"
        } else {
            "a record without sender, date or words"
        };
        told.tell(FindingKind::UnknownKind, what);
        id.map(|id| ids::message(id, self.seen.insert(id)))
    }
}
