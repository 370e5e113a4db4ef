//! The message object of `result.json`, as it is written; borrowed from the buffer.
//!
//! Lenient in form and strict in bookkeeping: a number may stand where a string is usual (ids
//! before 2.7.2, times of other tools), a key may stand twice (the exporter does so in
//! `send_webview_data`), and every key that is not a field of common messages is kept whole in
//! `rest`, where `action` and `media` take what they know and `convert` reports what is left.
//! What the values mean is theirs to say.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::value::{Int, Name, Part, RawText, Str};

/// Keys beside the common ones that are kept of one message. The exporter writes ten at most.
const MOST_KEYS: usize = 256;

/// One message object. `None` is an absent key.
#[derive(Debug, Default)]
pub(super) struct RawMessage<'a> {
    pub(super) id: Option<Int>,
    pub(super) kind: Option<Str<'a>>,
    pub(super) date: Option<Str<'a>>,
    pub(super) date_unixtime: Option<Int>,
    pub(super) edited: Option<Str<'a>>,
    pub(super) edited_unixtime: Option<Int>,
    pub(super) from: Name<'a>,
    pub(super) from_id: Option<Str<'a>>,
    pub(super) actor: Name<'a>,
    pub(super) actor_id: Option<Str<'a>>,
    pub(super) action: Option<Value>,
    pub(super) author: Option<Str<'a>>,
    pub(super) forwarded_from: Name<'a>,
    pub(super) forwarded_from_id: Option<Str<'a>>,
    pub(super) saved_from: Name<'a>,
    pub(super) reply_to_message_id: Option<Int>,
    pub(super) reply_to_peer_id: Option<Str<'a>>,
    pub(super) via_bot: Option<Str<'a>>,
    pub(super) text: RawText<'a>,
    pub(super) text_entities: Option<Vec<Part<'a>>>,
    pub(super) reactions: Vec<RawReaction<'a>>,
    pub(super) file: RawFile<'a>,
    /// Every other key, in order; the first of two equal ones.
    pub(super) rest: Vec<(String, Value)>,
}

/// The fields of photos and documents.
#[derive(Debug, Default)]
pub(super) struct RawFile<'a> {
    pub(super) photo: Option<Str<'a>>,
    pub(super) photo_file_size: Option<Int>,
    pub(super) file: Option<Str<'a>>,
    pub(super) file_name: Option<Str<'a>>,
    pub(super) file_size: Option<Int>,
    pub(super) thumbnail: Option<Str<'a>>,
    pub(super) thumbnail_file_size: Option<Int>,
    pub(super) media_type: Option<Str<'a>>,
    pub(super) mime_type: Option<Str<'a>>,
    pub(super) sticker_emoji: Option<Str<'a>>,
    pub(super) duration_seconds: Option<Int>,
    pub(super) width: Option<Int>,
    pub(super) height: Option<Int>,
    pub(super) media_spoiler: Option<bool>,
    pub(super) self_destruct_period_seconds: Option<Int>,
}

/// One emoji's reactions.
#[derive(Debug, Default)]
pub(super) struct RawReaction<'a> {
    pub(super) kind: Str<'a>,
    pub(super) count: Option<Int>,
    pub(super) emoji: Option<Str<'a>>,
    pub(super) document_id: Option<Str<'a>>,
    pub(super) recent: Vec<RawRecent<'a>>,
}

/// One person's reaction.
#[derive(Debug, Default)]
pub(super) struct RawRecent<'a> {
    pub(super) from: Name<'a>,
    pub(super) from_id: Option<Str<'a>>,
    pub(super) date: Option<Str<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for RawMessage<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MessageVisitor;
        impl<'de> Visitor<'de> for MessageVisitor {
            type Value = RawMessage<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a message object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut message = RawMessage::default();
                while let Some(key) = map.next_key::<Str<'de>>()? {
                    message.set(key, &mut map)?;
                }
                Ok(message)
            }
        }
        deserializer.deserialize_map(MessageVisitor)
    }
}

impl<'a> RawMessage<'a> {
    /// Takes the value of one key. The commonest come first.
    fn set<'de: 'a, A: MapAccess<'de>>(
        &mut self,
        key: Str<'de>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match key.as_str() {
            "id" => self.id = map.next_value()?,
            "type" => self.kind = map.next_value()?,
            "date" => self.date = map.next_value()?,
            "date_unixtime" => self.date_unixtime = map.next_value()?,
            "from" => self.from = map.next_value()?,
            "from_id" => self.from_id = map.next_value()?,
            "text" => {
                let text: RawText<'de> = map.next_value()?;
                if self.text.is_empty() {
                    self.text = text;
                }
            }
            "text_entities" => self.text_entities = map.next_value()?,
            "reply_to_message_id" => self.reply_to_message_id = map.next_value()?,
            "reactions" => self.reactions = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "edited" => self.edited = map.next_value()?,
            "edited_unixtime" => self.edited_unixtime = map.next_value()?,
            "actor" => self.actor = map.next_value()?,
            "actor_id" => self.actor_id = map.next_value()?,
            "action" => self.action = map.next_value()?,
            "author" => self.author = map.next_value()?,
            "forwarded_from" => self.forwarded_from = map.next_value()?,
            "forwarded_from_id" => self.forwarded_from_id = map.next_value()?,
            "saved_from" => self.saved_from = map.next_value()?,
            "reply_to_peer_id" => self.reply_to_peer_id = map.next_value()?,
            "via_bot" => self.via_bot = map.next_value()?,
            "photo" => self.file.photo = map.next_value()?,
            "photo_file_size" => self.file.photo_file_size = map.next_value()?,
            "file" => self.file.file = map.next_value()?,
            "file_name" => self.file.file_name = map.next_value()?,
            "file_size" => self.file.file_size = map.next_value()?,
            "thumbnail" => self.file.thumbnail = map.next_value()?,
            "thumbnail_file_size" => self.file.thumbnail_file_size = map.next_value()?,
            "media_type" => self.file.media_type = map.next_value()?,
            "mime_type" => self.file.mime_type = map.next_value()?,
            "sticker_emoji" => self.file.sticker_emoji = map.next_value()?,
            "duration_seconds" => self.file.duration_seconds = map.next_value()?,
            "width" => self.file.width = map.next_value()?,
            "height" => self.file.height = map.next_value()?,
            "media_spoiler" => self.file.media_spoiler = map.next_value()?,
            "self_destruct_period_seconds" => {
                self.file.self_destruct_period_seconds = map.next_value()?;
            }
            other
                if self.rest.len() >= MOST_KEYS
                    || self.rest.iter().any(|(known, _)| known == other) =>
            {
                map.next_value::<IgnoredAny>()?;
            }
            _ => self.rest.push((key.0.into_owned(), map.next_value()?)),
        }
        Ok(())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawReaction<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ReactionVisitor;
        impl<'de> Visitor<'de> for ReactionVisitor {
            type Value = RawReaction<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a reaction")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut reaction = RawReaction::default();
                while let Some(key) = map.next_key::<Str<'de>>()? {
                    match key.as_str() {
                        "type" => reaction.kind = map.next_value()?,
                        "count" => reaction.count = map.next_value()?,
                        "emoji" => reaction.emoji = map.next_value()?,
                        "document_id" => reaction.document_id = map.next_value()?,
                        "recent" => {
                            reaction.recent = map.next_value::<Option<_>>()?.unwrap_or_default();
                        }
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(reaction)
            }
        }
        deserializer.deserialize_map(ReactionVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawRecent<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RecentVisitor;
        impl<'de> Visitor<'de> for RecentVisitor {
            type Value = RawRecent<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("who reacted")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut recent = RawRecent::default();
                while let Some(key) = map.next_key::<Str<'de>>()? {
                    match key.as_str() {
                        "from" => recent.from = map.next_value()?,
                        "from_id" => recent.from_id = map.next_value()?,
                        "date" => recent.date = map.next_value()?,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(recent)
            }
        }
        deserializer.deserialize_map(RecentVisitor)
    }
}

/// Reads as much of an object as has the expected form; the names of the other keys come
/// beside it. For files of other tools, which write objects where the exporter writes words.
pub(super) fn salvage(object: &Value) -> (RawMessage<'_>, Vec<&str>) {
    let mut message = RawMessage::default();
    let mut misshapen = Vec::new();
    let Some(object) = object.as_object() else { return (message, misshapen) };
    for (key, value) in object {
        let mut one = de::value::MapDeserializer::<_, serde_json::Error>::new(std::iter::once((
            key.as_str(),
            value,
        )));
        let taken = one
            .next_key::<Str<'_>>()
            .is_ok_and(|k| k.is_some_and(|k| message.set(k, &mut one).is_ok()));
        if !taken {
            misshapen.push(key.as_str());
            message.rest.push((key.clone(), value.clone()));
        }
    }
    (message, misshapen)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    #[test]
    fn reads_numbers_and_strings_alike() {
        let message: RawMessage<'_> = serde_json::from_str(
            r#"{"id": 5, "date_unixtime": "12", "from": null, "from_id": 4294967297,
                "text": ["a", {"type": "bold", "text": "b"}, ""], "new": {"x": 1}}"#,
        )
        .unwrap();
        assert_eq!(message.id, Some(Int(5)));
        assert_eq!(message.date_unixtime, Some(Int(12)));
        assert_eq!(message.from, Name::Gone);
        assert_eq!(message.from_id.unwrap().as_str(), "4294967297");
        assert!(matches!(&message.text, RawText::Parts(parts) if parts.len() == 3));
        assert_eq!(message.rest.len(), 1);
    }

    #[test]
    fn the_first_of_two_texts_stays() {
        let message: RawMessage<'_> =
            serde_json::from_str(r#"{"text": "Valider", "text": ""}"#).unwrap();
        assert_eq!(message.text, RawText::Plain(Str(Cow::Borrowed("Valider"))));
    }

    #[test]
    fn what_has_the_wrong_form_is_kept_aside() {
        let value: Value =
            serde_json::from_str(r#"{"id": 7, "date": 1000, "text": {"error": "x"}}"#).unwrap();
        let (message, misshapen) = salvage(&value);
        assert_eq!(message.id, Some(Int(7)));
        assert_eq!(message.date.unwrap().as_str(), "1000");
        assert_eq!(misshapen, ["text"]);
    }
}
