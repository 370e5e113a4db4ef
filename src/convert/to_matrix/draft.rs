//! The events of one message as they are being made: who says them, what they answer, how a
//! long text is cut, and the form all contents share.

use jiff::civil;
use ruma::OwnedEventId;
use serde_json::{Map, Value, json};

use crate::convert::markup::{self, Kind, Named, Rich};
use crate::convert::part::{Converted, Part, Speaker};
use crate::convert::policy::{Attribution, Policy, Topics};
use crate::convert::resolved::{Person, Resolved};
use crate::model::author::Author;
use crate::model::finding::{Finding, FindingKind};
use crate::model::ids::{MessageId, ParticipantId};
use crate::model::message::Message;
use crate::model::text::Text;
use crate::model::time::{Precision, SentAt, UnixMillis};
use crate::wording::{Value as Gap, Wording};

/// The type of an ordinary message.
pub(super) const ROOM_MESSAGE: &str = "m.room.message";

/// Bytes kept free in every event for what is added around the text.
const SLACK_BYTES: usize = 256;

/// Names longer than this are cut: they stand in front of every message, and homeservers
/// refuse longer ones for profiles too (Synapse: 256 characters).
const LONGEST_NAME_BYTES: usize = 256;

/// Who says something, as the source knows them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Who<'a> {
    /// A person.
    Author(&'a Author),
    /// Nobody: the messenger, or the program itself.
    Bot,
}

/// Whether a line is somebody's words or a notice about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// `m.text`.
    Words,
    /// `m.notice`.
    Notice,
}

pub(super) struct Draft<'a> {
    pub(super) message: &'a Message,
    pub(super) resolved: &'a Resolved<'a>,
    pub(super) policy: &'a Policy,
    pub(super) wording: Wording,
    /// Parts made before, by [`super::parts`].
    before: usize,
    made: Converted,
    reply_to: Option<OwnedEventId>,
    thread: Option<OwnedEventId>,
}

/// A finding about `message`.
pub(super) fn finding(message: &Message, kind: FindingKind, detail: &str) -> Finding {
    Finding {
        kind,
        place: message.place.clone(),
        message: Some(message.id.clone()),
        detail: detail.to_owned(),
    }
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        message: &'a Message,
        resolved: &'a Resolved<'a>,
        policy: &'a Policy,
    ) -> Self {
        Self {
            message,
            resolved,
            policy,
            wording: Wording::new(policy.language),
            before: 0,
            made: Converted::default(),
            reply_to: None,
            thread: None,
        }
    }

    /// Finds out what the message answers and which thread it stands in.
    pub(super) fn relate(&mut self) {
        let answered = self.message.reply_to.as_ref().and_then(|reply| reply.id.as_ref());
        self.reply_to = answered.and_then(|id| (self.resolved.event)(id));
        self.thread = match (self.policy.topics, &self.message.topic) {
            (Topics::Flat, _) | (Topics::Threads, None) => None,
            // A topic is named after the message that opened it, which is the thread's root.
            (Topics::Threads, Some(topic)) if topic.as_str() == self.message.id.as_str() => None,
            (Topics::Threads, Some(topic)) => {
                let root = (self.resolved.event)(&MessageId::new(topic.as_str()));
                if root.is_none() {
                    self.lose(FindingKind::NotCarried, "its topic's first message is not there");
                }
                root
            }
        };
    }

    /// Makes part indexes go on after `count` parts.
    pub(super) fn continue_after(&mut self, count: usize) {
        self.before = count;
    }

    pub(super) fn finish(self) -> Converted {
        self.made
    }

    pub(super) fn has_parts(&self) -> bool {
        !self.made.parts.is_empty()
    }

    /// Whether the message answers one that is in the room.
    pub(super) fn answers(&self) -> bool {
        self.reply_to.is_some()
    }

    pub(super) fn lose(&mut self, kind: FindingKind, detail: &str) {
        self.made.losses.push(finding(self.message, kind, detail));
    }

    pub(super) fn text(&self, id: &str, gaps: &[(&str, Gap<'_>)]) -> String {
        self.wording.text(id, gaps)
    }

    /// Who wrote the message.
    pub(super) fn author(&self) -> Who<'a> {
        self.message.sender.as_ref().map_or(Who::Bot, Who::Author)
    }

    pub(super) fn person(&self, id: &ParticipantId) -> Option<Person> {
        (self.resolved.person)(id)
    }

    /// The name to show for somebody: as reviewed, else as the export has it.
    pub(super) fn name(&self, author: &Author) -> String {
        let reviewed = self.person(&author.id).map(|person| person.name);
        let name = reviewed.filter(|name| !name.is_empty()).unwrap_or_else(|| author.name.clone());
        if name.trim().is_empty() {
            self.text("somebody", &[])
        } else {
            markup::clip(name, LONGEST_NAME_BYTES)
        }
    }

    pub(super) fn names(&self, people: &[Author]) -> Vec<String> {
        people.iter().map(|author| self.name(author)).collect()
    }

    /// A foreign text with its formatting read and its people named.
    pub(super) fn read(&self, text: &Text) -> Rich {
        markup::read(text, &|id| {
            self.person(id).map(|person| Named { name: person.name, account: person.account })
        })
    }

    /// A moment in words, by the clock of those who were there.
    pub(super) fn moment(&self, at: &SentAt) -> String {
        let written = at.local.as_deref().and_then(|local| local.parse::<civil::DateTime>().ok());
        let local = written.unwrap_or_else(|| self.policy.zone.to_datetime(at.at.to_timestamp()));
        match at.precision {
            Precision::Day => self.wording.day(local.date()),
            Precision::Minute | Precision::Second | Precision::Millisecond => {
                self.wording.moment(local)
            }
        }
    }

    /// The name in front of words that the bot says for somebody; empty where ghosts speak.
    pub(super) fn prefix(&self, who: Who<'_>) -> Rich {
        match (self.policy.attribution, who) {
            (Attribution::BotWithPrefix, Who::Author(author)) => {
                let name = self.name(author);
                let words = self.text("speaker-prefix", &[("name", name.into())]);
                Rich::marked(words, Kind::Prefix)
            }
            (Attribution::BotWithPrefix, Who::Bot) | (Attribution::Ghosts, _) => Rich::default(),
        }
    }

    /// Says a text, in as many events as it takes.
    pub(super) fn say(&mut self, who: Who<'_>, tone: Tone, words: &Rich) {
        self.say_at(who, tone, words, self.message.sent_at.at);
    }

    pub(super) fn say_at(&mut self, who: Who<'_>, tone: Tone, words: &Rich, at: UnixMillis) {
        let prefix = self.prefix(who);
        let budget = self.policy.limit().saturating_sub(self.frame_bytes(who)).max(SLACK_BYTES);
        let pieces = markup::split(words, &prefix, budget);
        let count = pieces.len();
        for (index, piece) in pieces.into_iter().enumerate() {
            let mut content = Map::new();
            put_words(&mut content, &piece);
            let msgtype = match tone {
                Tone::Words => "m.text",
                Tone::Notice => "m.notice",
            };
            content.insert("msgtype".to_owned(), msgtype.into());
            if count > 1 {
                let place = json!({ "index": index, "count": count });
                content.insert("fr.passerelle.piece".to_owned(), place);
            }
            self.push(who, at, ROOM_MESSAGE, content);
        }
    }

    /// Says a line of the program's own words.
    pub(super) fn notice(&mut self, who: Who<'_>, line: impl Into<String>) {
        self.say(who, Tone::Notice, &Rich::plain(line));
    }

    /// Bytes that an event takes besides its words.
    fn frame_bytes(&self, who: Who<'_>) -> usize {
        const EVENT_ID_BYTES: usize = 255;
        let related = usize::from(self.reply_to.is_some()) + usize::from(self.thread.is_some());
        let profile = self.profile(who).map_or(0, |profile| profile.to_string().len() + 40);
        SLACK_BYTES + related * (EVENT_ID_BYTES + 80) + profile
    }

    /// Bytes left for words in an event whose other content takes `taken`.
    pub(super) fn room_for_words(&self, who: Who<'_>, taken: usize) -> usize {
        self.policy.limit().saturating_sub(taken + self.frame_bytes(who))
    }

    fn profile(&self, who: Who<'_>) -> Option<Value> {
        match (self.policy.attribution, who) {
            (Attribution::BotWithPrefix, Who::Author(author)) => {
                let id = self
                    .person(&author.id)
                    .map_or_else(|| author.id.to_string(), |person| person.ghost.to_string());
                let id = markup::clip(id, LONGEST_NAME_BYTES);
                let name = self.name(author);
                Some(json!({ "id": id, "displayname": name, "has_fallback": true }))
            }
            (Attribution::BotWithPrefix, Who::Bot) | (Attribution::Ghosts, _) => None,
        }
    }

    pub(super) fn speaker(&self, who: Who<'_>) -> Speaker {
        match (self.policy.attribution, who) {
            (Attribution::Ghosts, Who::Author(author)) => Speaker::Ghost(author.id.clone()),
            (Attribution::BotWithPrefix, Who::Author(_))
            | (Attribution::Ghosts | Attribution::BotWithPrefix, Who::Bot) => Speaker::Bot,
        }
    }

    /// Adds an event that people read: with its relation, its silence and its author.
    pub(super) fn push(
        &mut self,
        who: Who<'_>,
        at: UnixMillis,
        event_type: &str,
        mut content: Map<String, Value>,
    ) {
        // Explicitly nobody: without the key, servers fall back to looking for names.
        content.insert("m.mentions".to_owned(), json!({}));
        if !content.contains_key("m.relates_to")
            && let Some(relation) = self.relation()
        {
            content.insert("m.relates_to".to_owned(), relation);
        }
        if let Some(profile) = self.profile(who) {
            content.insert("com.beeper.per_message_profile".to_owned(), profile);
        }
        let speaker = self.speaker(who);
        self.push_bare(speaker, at, event_type, content);
    }

    /// Adds an event as it is.
    pub(super) fn push_bare(
        &mut self,
        speaker: Speaker,
        at: UnixMillis,
        event_type: &str,
        content: Map<String, Value>,
    ) {
        let Ok(index) = u16::try_from(self.before + self.made.parts.len()) else {
            self.lose(FindingKind::NotCarried, "more than 65,536 events for one message");
            return;
        };
        let event_type = event_type.to_owned();
        let content = canonical(content);
        self.made.parts.push(Part { index, speaker, at, event_type, content });
    }

    /// What the next part relates to. Only the first answers; all stand in the thread.
    fn relation(&self) -> Option<Value> {
        let reply = self.reply_to.as_ref().filter(|_| !self.has_parts());
        match (&self.thread, reply) {
            (None, None) => None,
            (None, Some(reply)) => Some(json!({ "m.in_reply_to": { "event_id": reply } })),
            (Some(root), reply) => Some(json!({
                "rel_type": "m.thread",
                "event_id": root,
                "is_falling_back": reply.is_none(),
                "m.in_reply_to": { "event_id": reply.unwrap_or(root) },
            })),
        }
    }
}

/// Puts a text into a content: `body`, and `formatted_body` where there is formatting.
pub(super) fn put_words(content: &mut Map<String, Value>, words: &Rich) {
    if let Some(html) = words.html() {
        content.insert("format".to_owned(), "org.matrix.custom.html".into());
        content.insert("formatted_body".to_owned(), html.into());
    }
    content.insert("body".to_owned(), words.text().into());
}

/// Keys in order at every level, and no NUL, which databases of homeservers refuse.
fn canonical(content: Map<String, Value>) -> Map<String, Value> {
    // Nearly always: `serde_json` keeps keys in order unless a crate asks it not to.
    if is_canonical(&content) {
        return content;
    }
    let mut entries: Vec<(String, Value)> = content.into_iter().collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    entries.into_iter().map(|(key, value)| (key, canonical_value(value))).collect()
}

fn is_canonical(content: &Map<String, Value>) -> bool {
    content.keys().is_sorted() && content.values().all(is_canonical_value)
}

fn is_canonical_value(value: &Value) -> bool {
    match value {
        Value::Object(map) => is_canonical(map),
        Value::Array(values) => values.iter().all(is_canonical_value),
        Value::String(text) => !text.contains('\0'),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

fn canonical_value(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(canonical(map)),
        Value::Array(values) => values.into_iter().map(canonical_value).collect(),
        Value::String(text) if text.contains('\0') => text.replace('\0', "\u{fffd}").into(),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}
