//! The parts of a message that are not its content: who, when, what it answers, where it came
//! from, who reacted, and by which number it is known.

use jiff::civil::DateTime;

use super::action::by_name;
use super::clock::{WallClock, parse_local};
use super::convert::Converter;
use super::fields::Fields;
use super::ids;
use super::raw::{RawReaction, RawRecent};
use super::told::Told;
use super::value::{Int, Name, Part, RawText, Str};
use crate::model::author::Author;
use crate::model::finding::FindingKind;
use crate::model::ids::MessageId;
use crate::model::message::{Body, Edited, Forwarded, Reaction, ReplyTo};
use crate::model::time::{Precision, SentAt, UnixMillis, ZoneBasis};

impl Converter<'_> {
    /// Takes note of the pictures of custom emoji.
    pub(super) fn mention(
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

    pub(super) fn sent_at(
        &mut self,
        date: Option<&Str<'_>>,
        local: Option<DateTime>,
        unixtime: Option<Int>,
        told: &mut Told,
    ) -> SentAt {
        if let Some(Int(second)) = unixtime {
            return self.clock.stated(second);
        }
        if let Some(local) = local {
            let at = self.clock.message(local);
            match at.zone {
                ZoneBasis::Stated | ZoneBasis::Assumed => {}
                ZoneBasis::AssumedAmbiguous => {
                    told.tell(FindingKind::AmbiguousTime, "this hour happens twice in the zone");
                }
                ZoneBasis::AssumedImpossible => {
                    told.tell(FindingKind::ImpossibleTime, "this hour is left out in the zone");
                }
            }
            return at;
        }
        // Other tools write the UTC second as `date`.
        if let Some(second) = date.and_then(|date| date.as_str().trim().parse().ok()) {
            return self.clock.stated(second);
        }
        let detail = "no date; the time of the message before was taken";
        told.tell(FindingKind::ImpossibleTime, detail);
        SentAt {
            at: UnixMillis(self.clock.last_second().unwrap_or_default().saturating_mul(1000)),
            precision: Precision::Day,
            zone: ZoneBasis::AssumedImpossible,
            local: None,
        }
    }

    /// A person by id, or by name where there is none. `None` when neither is written.
    pub(super) fn person(&self, name: &Name<'_>, id: Option<&Str<'_>>) -> Option<Author> {
        match id {
            Some(id) => Some(Author {
                id: ids::peer(id.as_str(), self.style, &self.chat),
                name: name.known().unwrap_or_default().to_owned(),
            }),
            None if name.is_absent() => None,
            None => Some(by_name(name.known().filter(|name| !name.is_empty()))),
        }
    }

    pub(super) fn reply(
        &self,
        answered: Option<i64>,
        elsewhere: Option<&Str<'_>>,
        points_at: Option<i64>,
        quote: Option<String>,
        told: &mut Told,
    ) -> Option<ReplyTo> {
        let Some(target) = answered.or(points_at) else {
            return quote.map(|quote| ReplyTo { id: None, author: None, quote: Some(quote) });
        };
        let id = if let (Some(peer), Some(_)) = (elsewhere, answered) {
            let peer = ids::peer(peer.as_str(), self.style, &self.chat);
            let detail = "the answered message is in another chat";
            told.tell(FindingKind::ReplyTargetMissing, detail);
            MessageId::new(format!("{peer}/{target}"))
        } else {
            if !self.seen.has(target) {
                let detail = "the answered message is not in the export";
                told.tell(FindingKind::ReplyTargetMissing, detail);
            }
            ids::message(target, 1)
        };
        Some(ReplyTo { id: Some(id), author: None, quote })
    }

    pub(super) fn forwarded(
        &mut self,
        from: &Name<'_>,
        id: Option<&Str<'_>>,
        fields: &mut Fields,
    ) -> Option<Forwarded> {
        // Only other tools write the original's date into JSON.
        let at = fields.words("forwarded_date").and_then(|date| match date.parse::<i64>() {
            Ok(second) => Some(WallClock::instant(second)),
            Err(_) => parse_local(&date).map(|local| self.clock.aside(local, None)),
        });
        if from.is_absent() && id.is_none() {
            return None;
        }
        let nobody = from.known().is_none() && id.is_none();
        let from = if nobody { None } else { self.person(from, id) };
        Some(Forwarded { from, at })
    }

    pub(super) fn edited(
        &mut self,
        local: Option<&Str<'_>>,
        unixtime: Option<Int>,
        message_second: i64,
    ) -> Option<Edited> {
        // Before 2.1.9 every message had the key, with the epoch where it was never edited.
        let at = match unixtime {
            Some(Int(second)) if second <= 0 => return None,
            Some(Int(second)) => WallClock::instant(second),
            None => {
                let local = parse_local(local?.as_str()).filter(|local| local.year() > 1970)?;
                self.clock.aside(local, Some(message_second))
            }
        };
        Some(Edited { at: Some(at), history: Vec::new() })
    }

    pub(super) fn reactions(
        &mut self,
        raw: Vec<RawReaction<'_>>,
        message_local: Option<DateTime>,
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
                let by = self.person(&from, from_id.as_ref());
                reactions.push(Reaction { emoji: emoji.clone(), by, at, count: 1 });
            }
            let count = count.and_then(|Int(count)| u32::try_from(count).ok()).unwrap_or(named);
            if let Some(rest @ 1..) = count.checked_sub(named) {
                reactions.push(Reaction { emoji, by: None, at: None, count: rest });
            }
        }
        reactions
    }

    pub(super) fn topic(
        &mut self,
        number: u64,
        id: Option<i64>,
        answered: Option<i64>,
        created: bool,
        body: &Body,
    ) -> Option<i64> {
        if let (true, Some(id)) = (created, id) {
            self.topics.create(id);
            // The export of one topic begins with the topic and is called like it.
            let title = format!("“{}”", self.title);
            let named = matches!(body, Body::System(event) if event.text.contains(&title));
            if number == 1 && named {
                self.whole_topic = Some(id);
            }
            return Some(id);
        }
        answered.and_then(|answered| self.topics.answer(id, answered)).or(self.whole_topic)
    }

    pub(super) fn message_id(
        &mut self,
        id: Option<i64>,
        sender: Option<&Author>,
        sent_at: &SentAt,
        body: &Body,
        told: &mut Told,
    ) -> MessageId {
        if let Some(id) = id {
            let occurrence = self.seen.insert(id);
            if occurrence > 1 {
                told.tell(FindingKind::Conflict, "the number of another message of the chat");
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
