//! One message of the export becomes one of the model.

use std::borrow::Cow;

use super::files::Files;
use super::header::Header;
use super::ids;
use super::lines::Line;
use super::people::People;
use super::polls;
use super::raw::{
    RawAttachment, RawLocation, RawMention, RawMessage, RawReaction, RawReply, TakenOut,
};
use crate::archive::reader::Options;
use crate::model::author::Author;
use crate::model::finding::{Finding, FindingKind, Place};
use crate::model::ids::{ChatId, MessageId};
use crate::model::media::Attachment;
use crate::model::message::{Body, Edited, Forwarded, Location, Message, Reaction, ReplyTo};
use crate::model::text::{Markup, Span, Style, Text};
use crate::model::time::{Precision, SentAt, UnixMillis, ZoneBasis};

/// From here on an expiration is an instant in milliseconds (1973), below it a duration in
/// seconds (three thousand years): Android writes the one, iOS the other.
const INSTANT_FROM: f64 = 1e11;

/// What turns raw messages into messages.
pub(super) struct Conversion<'c> {
    pub(super) header: &'c Header,
    pub(super) options: &'c Options,
    pub(super) entry: &'c str,
    pub(super) people: People,
    pub(super) files: Files<'c>,
}

/// A message that was read, and what was noticed about it.
pub(super) struct Converted {
    /// `None` when it has expired.
    pub(super) message: Option<Message>,
    /// The line and number of the message it answers.
    pub(super) answers: Option<(String, i64)>,
    /// Numbers of people it names besides its sender.
    pub(super) people: Vec<usize>,
    pub(super) findings: Vec<Finding>,
}

/// Collects findings about one message.
pub(super) struct Notes<'n> {
    place: &'n Place,
    id: &'n MessageId,
    findings: Vec<Finding>,
}

impl Notes<'_> {
    pub(super) fn add(&mut self, kind: FindingKind, detail: impl Into<String>) {
        self.findings.push(Finding {
            kind,
            place: self.place.clone(),
            message: Some(self.id.clone()),
            detail: detail.into(),
        });
    }
}

impl Conversion<'_> {
    /// Where the message with this number in the file stands.
    pub(super) fn place(&self, element: u64) -> Place {
        Place { entry: self.entry.to_owned(), line: Some(element) }
    }

    /// The author with this number among the people.
    fn author(&self, person: usize) -> Option<Author> {
        self.people.get(person).map(|person| person.author.clone())
    }

    /// Converts a message of `line`.
    pub(super) fn convert(
        &mut self,
        raw: RawMessage<'_>,
        taken: &TakenOut,
        chat: &ChatId,
        line: &Line,
        element: u64,
    ) -> Converted {
        let RawMessage {
            sequence_number,
            uid_from_server: _,
            timestamp,
            status: _,
            body,
            reply,
            expiration,
            mentions,
            forwarded,
            edited,
            bookmarked: _,
            location,
            poll,
            reactions,
            poll_votes,
            attachments,
        } = raw;
        let id = ids::message(&line.id, sequence_number);
        let place = self.place(element);
        let mut notes = Notes { place: &place, id: &id, findings: Vec::new() };
        for field in &taken.unknown {
            notes.add(FindingKind::UnknownField, format!("the field `{field}` is unknown"));
        }
        for field in &taken.unreadable {
            notes.add(FindingKind::Unreadable, format!("the field `{field}` cannot be read"));
        }
        if taken.bad_utf8 {
            notes.add(FindingKind::InvalidText, "bytes that are no text were replaced");
        }
        if taken.doubled {
            notes.add(FindingKind::Repaired, "a field stands twice; the last one was taken");
        }
        let expires_at = expiration.map(|value| expiry(value, timestamp));
        if let (Some(end), Some(now)) = (expires_at, self.options.expired_before)
            && end < now
        {
            notes.add(FindingKind::Expired, format!("it expired at {end} and was left out"));
            let findings = notes.findings;
            return Converted { message: None, answers: None, people: Vec::new(), findings };
        }

        let mut people = Vec::new();
        let text =
            body.map(|body| self.text(body, mentions.unwrap_or_default(), &mut people, &mut notes));
        let attachments = self.attachments(attachments.unwrap_or_default(), &mut notes);
        let body = if let Some(poll) = poll {
            if !attachments.is_empty() {
                notes.add(FindingKind::UnknownKind, "a poll with files; the files are left out");
            }
            if text.is_some_and(|text| text.plain != poll.q) {
                notes.add(FindingKind::UnknownKind, "a poll with a text; the text is left out");
            }
            let votes = poll_votes.unwrap_or_default();
            Body::Poll(polls::poll(poll, votes, self, &mut people, &mut notes))
        } else if let Some(location) = location {
            if !attachments.is_empty() {
                notes.add(FindingKind::UnknownKind, "a place with files; the files are left out");
            }
            Body::Location(place_on_earth(location, text, &mut notes))
        } else if attachments.is_empty() {
            // Without any content the writers leave out the body: an empty message.
            Body::Text(text.unwrap_or_default())
        } else {
            Body::Media { attachments, caption: text, view_once: false }
        };
        let reactions = self.reactions(reactions.unwrap_or_default(), &mut people, &mut notes);
        let (reply_to, answers) = self.reply(reply, &mut notes).unzip();
        let sender = self.author(line.person);
        let findings = notes.findings;
        let message = Message {
            id,
            chat: chat.clone(),
            sender,
            sent_at: sent_at(timestamp),
            body,
            reply_to,
            forwarded: forwarded.unwrap_or_default().then_some(Forwarded { from: None, at: None }),
            topic: None,
            edited: edited.unwrap_or_default().then(|| Edited { at: None, history: Vec::new() }),
            reactions,
            expires_at,
            place,
        };
        Converted { message: Some(message), answers, people, findings }
    }

    fn text(
        &mut self,
        body: Cow<'_, str>,
        mentions: Vec<RawMention<'_>>,
        people: &mut Vec<usize>,
        notes: &mut Notes<'_>,
    ) -> Text {
        let mut text = Text::marked(body, Markup::Markdown);
        for RawMention { uid, rs, re } in mentions {
            let range = byte_offset(&text.plain, rs).zip(byte_offset(&text.plain, re));
            let Some((start, end)) = range.filter(|(start, end)| start < end) else {
                notes.add(FindingKind::Repaired, "a mention that points outside the text");
                continue;
            };
            let mentioned = self.people.author(&uid, self.header);
            if mentioned.is_none() {
                notes.add(FindingKind::Unreadable, "a mention of nobody that can be read");
            }
            let participant = mentioned.map(|(number, author)| {
                people.push(number);
                author.id
            });
            text.spans.push(Span { start, end, style: Style::Mention { participant } });
        }
        text.spans.sort_by_key(|span| (span.start, span.end));
        text
    }

    fn attachments(
        &mut self,
        mut raw: Vec<RawAttachment<'_>>,
        notes: &mut Notes<'_>,
    ) -> Vec<Attachment> {
        raw.sort_by_key(|file| file.number);
        raw.into_iter()
            .map(|file| self.files.attachment(file, &mut |kind, detail| notes.add(kind, detail)))
            .collect()
    }

    fn reactions(
        &mut self,
        raw: Vec<RawReaction<'_>>,
        people: &mut Vec<usize>,
        notes: &mut Notes<'_>,
    ) -> Vec<Reaction> {
        let mut reactions = Vec::with_capacity(raw.len());
        for RawReaction { reaction, sender, timestamp } in raw {
            let by = self.people.author(&sender, self.header);
            if by.is_none() {
                notes.add(FindingKind::Unreadable, "a reaction of nobody that can be read");
            }
            let by = by.map(|(number, author)| {
                people.push(number);
                author
            });
            let (emoji, at) = (reaction.into_owned(), timestamp.map(sent_at));
            reactions.push(Reaction { emoji, by, at, count: 1 });
        }
        reactions
    }

    fn reply(
        &mut self,
        raw: Option<RawReply<'_>>,
        notes: &mut Notes<'_>,
    ) -> Option<(ReplyTo, (String, i64))> {
        let RawReply { ssn, sti, si } = raw?;
        let Some((number, author)) = self.people.author(&si, self.header) else {
            notes.add(FindingKind::Unreadable, "an answer to nobody that can be read");
            return None;
        };
        let line = self.people.line_id(number, &sti);
        let id = Some(ids::message(&line, ssn));
        Some((ReplyTo { id, author: Some(author), quote: None }, (line, ssn)))
    }
}

/// A stated instant.
pub(super) fn sent_at(milliseconds: i64) -> SentAt {
    SentAt {
        at: UnixMillis(milliseconds),
        precision: Precision::Millisecond,
        zone: ZoneBasis::Stated,
        local: None,
    }
}

/// When a message of this time ends.
fn expiry(value: f64, timestamp: i64) -> UnixMillis {
    #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
    let whole = |value: f64| value.round() as i64;
    if value >= INSTANT_FROM {
        UnixMillis(whole(value))
    } else {
        UnixMillis(timestamp.saturating_add(whole(value * 1000.0)))
    }
}

/// The byte at which so many UTF-16 code units end; `None` inside a character or beyond the end.
fn byte_offset(text: &str, units: i64) -> Option<usize> {
    let mut left = usize::try_from(units).ok()?;
    for (at, character) in text.char_indices() {
        if left == 0 {
            return Some(at);
        }
        left = left.checked_sub(character.len_utf16())?;
    }
    (left == 0).then_some(text.len())
}

/// The place of a message; its text is a map's address.
fn place_on_earth(raw: RawLocation<'_>, text: Option<Text>, notes: &mut Notes<'_>) -> Location {
    let RawLocation { t, ts, long, lat, alt: _, prec: _, add, c: _, q: _, se } = raw;
    if !(1..=3).contains(&t) {
        notes.add(FindingKind::UnknownKind, format!("a place of unknown kind {t}"));
    }
    let in_range = |value: &f64, limit: f64| value.abs() <= limit;
    let latitude = lat.filter(|value| in_range(value, 90.0));
    let longitude = long.filter(|value| in_range(value, 180.0));
    if latitude.is_none() || longitude.is_none() {
        notes.add(FindingKind::Unreadable, "a place without usable coordinates");
    }
    let words = text.map(|text| text.plain).filter(|words| !words.is_empty());
    let (url, words) = match words {
        Some(words) if words.starts_with("https://") || words.starts_with("http://") => {
            (Some(words), None)
        }
        words => (None, words),
    };
    let label = match (add.map(Cow::into_owned).filter(|add| !add.is_empty()), words) {
        (Some(address), Some(words)) if address != words => Some(format!("{address}\n{words}")),
        (address, words) => address.or(words),
    };
    let period_s = ts
        .zip(se)
        .and_then(|(start, end)| u64::try_from(end.checked_sub(start)?).ok())
        .map(|period_ms| period_ms / 1000);
    Location { latitude, longitude, label, url, live: t == 2 || t == 3, period_s }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf16_offsets_become_bytes() {
        let text = "a👍🏽é@";
        let units = |units| byte_offset(text, units);
        assert_eq!(units(0), Some(0));
        assert_eq!(units(1), Some(1));
        assert_eq!(units(2), None);
        assert_eq!(units(3), Some(5));
        assert_eq!(units(5), Some(9));
        assert_eq!(units(6), Some(11));
        assert_eq!(units(7), Some(12));
        assert_eq!(units(8), None);
        assert_eq!(units(-1), None);
    }

    #[test]
    fn both_expirations_are_instants() {
        assert_eq!(expiry(1_750_000_000_123.0, 5), UnixMillis(1_750_000_000_123));
        assert_eq!(expiry(3600.0, 5), UnixMillis(3_600_005));
        assert_eq!(expiry(1.5, 0), UnixMillis(1500));
        assert_eq!(expiry(f64::MAX, 0), UnixMillis(i64::MAX));
        assert_eq!(expiry(-1e300, 0), UnixMillis(i64::MIN));
    }
}
