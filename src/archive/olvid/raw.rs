//! The export's JSON, field by field, as its two writers put it down.
//!
//! Names and types follow `ObvHistoryTransfer` (iOS 4.2) and `history_transfer` (Android 4.4).
//! Every struct refuses fields it does not know, so that the quick path notices a new one; the
//! slow path ([`RawMessage::parse_leniently`]) then takes it out and says which it was.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

/// A discussion's key: its kind, and bytes whose meaning depends on the kind.
#[derive(Debug, Deserialize)]
pub(super) struct RawDiscussionId<'a> {
    /// 1 one-to-one, 2 group v1, 3 group v2.
    pub(super) t: i64,
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
}

/// An element of `discussions`.
#[derive(Debug, Deserialize)]
pub(super) struct RawDiscussion<'a> {
    #[serde(borrow)]
    pub(super) discussion: RawDiscussionId<'a>,
    #[serde(borrow, default)]
    pub(super) title: Option<Cow<'a, str>>,
}

/// An element of `contacts`: a person who wrote something, if still known.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawContact<'a> {
    #[serde(borrow)]
    pub(super) contact: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) display_name: Option<Cow<'a, str>>,
}

/// What a message must say to be put into its place.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawKey {
    pub(super) sequence_number: i64,
    pub(super) timestamp: i64,
}

/// One message.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawMessage<'a> {
    pub(super) sequence_number: i64,
    /// Differs from recipient to recipient, so it says nothing across exports.
    #[serde(default)]
    #[expect(dead_code, reason = "named so that it is no unknown field")]
    pub(super) uid_from_server: Option<IgnoredAny>,
    pub(super) timestamp: i64,
    /// How far a sent message got; the exporter's own business.
    #[serde(default)]
    #[expect(dead_code, reason = "named so that it is no unknown field")]
    pub(super) status: Option<IgnoredAny>,
    #[serde(borrow, default)]
    pub(super) body: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) reply: Option<RawReply<'a>>,
    /// Android: an instant in milliseconds; iOS: seconds from `timestamp`.
    #[serde(default)]
    pub(super) expiration: Option<f64>,
    #[serde(borrow, default)]
    pub(super) mentions: Option<Vec<RawMention<'a>>>,
    #[serde(default)]
    pub(super) forwarded: Option<bool>,
    #[serde(default)]
    pub(super) edited: Option<bool>,
    /// The exporter's private mark.
    #[serde(default)]
    #[expect(dead_code, reason = "named so that it is no unknown field")]
    pub(super) bookmarked: Option<IgnoredAny>,
    #[serde(borrow, default)]
    pub(super) location: Option<RawLocation<'a>>,
    #[serde(borrow, default)]
    pub(super) poll: Option<RawPoll<'a>>,
    #[serde(borrow, default)]
    pub(super) reactions: Option<Vec<RawReaction<'a>>>,
    #[serde(borrow, default)]
    pub(super) poll_votes: Option<Vec<RawVote<'a>>>,
    #[serde(borrow, default)]
    pub(super) attachments: Option<Vec<RawAttachment<'a>>>,
}

/// The key of the message that is answered.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawReply<'a> {
    pub(super) ssn: i64,
    #[serde(borrow)]
    pub(super) sti: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) si: Cow<'a, str>,
}

/// A person named in the body, from `rs` to before `re` in UTF-16 code units.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMention<'a> {
    #[serde(borrow)]
    pub(super) uid: Cow<'a, str>,
    pub(super) rs: i64,
    pub(super) re: i64,
}

/// A place. `t` is 1 for a place that was sent, 2 and 3 for one that moves or moved.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLocation<'a> {
    pub(super) t: i64,
    #[serde(default)]
    pub(super) ts: Option<i64>,
    #[serde(default)]
    pub(super) long: Option<f64>,
    #[serde(default)]
    pub(super) lat: Option<f64>,
    /// Metres; the model has no place for it.
    #[serde(default)]
    #[expect(dead_code, reason = "named so that it is no unknown field")]
    pub(super) alt: Option<IgnoredAny>,
    /// Metres; the model has no place for it.
    #[serde(default)]
    #[expect(dead_code, reason = "named so that it is no unknown field")]
    pub(super) prec: Option<IgnoredAny>,
    #[serde(borrow, default)]
    pub(super) add: Option<Cow<'a, str>>,
    /// How many positions were sent so far.
    #[serde(default)]
    #[expect(dead_code, reason = "named so that it is no unknown field")]
    pub(super) c: Option<IgnoredAny>,
    /// The accuracy that was asked for.
    #[serde(default)]
    #[expect(dead_code, reason = "named so that it is no unknown field")]
    pub(super) q: Option<IgnoredAny>,
    /// The end of sharing, in milliseconds.
    #[serde(default)]
    pub(super) se: Option<i64>,
}

/// A poll.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPoll<'a> {
    /// What the answers are; `string` so far.
    #[serde(borrow, default)]
    pub(super) t: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) q: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) c: Vec<RawCandidate<'a>>,
    #[serde(default)]
    pub(super) m: Option<bool>,
    /// When voting ends, in milliseconds.
    #[serde(default)]
    pub(super) e: Option<i64>,
}

/// An answer of a poll.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCandidate<'a> {
    #[serde(borrow)]
    pub(super) uuid: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) t: Option<Cow<'a, str>>,
}

/// One person's reaction.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawReaction<'a> {
    #[serde(borrow)]
    pub(super) reaction: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) sender: Cow<'a, str>,
    #[serde(default)]
    pub(super) timestamp: Option<i64>,
}

/// One change of one person's vote; the highest version counts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawVote<'a> {
    #[serde(borrow)]
    pub(super) candidate: Cow<'a, str>,
    pub(super) voted: bool,
    pub(super) version: i64,
    #[serde(borrow)]
    pub(super) sender: Cow<'a, str>,
    #[serde(default)]
    pub(super) timestamp: Option<i64>,
}

/// A file of a message.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawAttachment<'a> {
    #[serde(borrow, default)]
    pub(super) sha256: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) number: i64,
    #[serde(default)]
    pub(super) size: Option<u64>,
    #[serde(borrow, default)]
    pub(super) mime_type: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) filename: Option<Cow<'a, str>>,
}

/// A level of the JSON: the fields we know, and those that hold a level of their own.
struct Level {
    fields: &'static [&'static str],
    inner: &'static [(&'static str, &'static Level)],
}

static LEAF_REPLY: Level = Level { fields: &["ssn", "sti", "si"], inner: &[] };
static LEAF_MENTION: Level = Level { fields: &["uid", "rs", "re"], inner: &[] };
static LEAF_LOCATION: Level =
    Level { fields: &["t", "ts", "long", "lat", "alt", "prec", "add", "c", "q", "se"], inner: &[] };
static LEAF_CANDIDATE: Level = Level { fields: &["uuid", "t"], inner: &[] };
static LEVEL_POLL: Level =
    Level { fields: &["t", "q", "c", "m", "e"], inner: &[("c", &LEAF_CANDIDATE)] };
static LEAF_REACTION: Level = Level { fields: &["reaction", "sender", "timestamp"], inner: &[] };
static LEAF_VOTE: Level =
    Level { fields: &["candidate", "voted", "version", "sender", "timestamp"], inner: &[] };
static LEAF_ATTACHMENT: Level =
    Level { fields: &["sha256", "number", "size", "mimeType", "filename"], inner: &[] };
static LEVEL_MESSAGE: Level = Level {
    fields: &[
        "sequenceNumber",
        "uidFromServer",
        "timestamp",
        "status",
        "body",
        "reply",
        "expiration",
        "mentions",
        "forwarded",
        "edited",
        "bookmarked",
        "location",
        "poll",
        "reactions",
        "pollVotes",
        "attachments",
    ],
    inner: &[
        ("reply", &LEAF_REPLY),
        ("mentions", &LEAF_MENTION),
        ("location", &LEAF_LOCATION),
        ("poll", &LEVEL_POLL),
        ("reactions", &LEAF_REACTION),
        ("pollVotes", &LEAF_VOTE),
        ("attachments", &LEAF_ATTACHMENT),
    ],
};

/// What had to be taken out of a message to read it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TakenOut {
    /// Fields nobody knows yet.
    pub(super) unknown: Vec<String>,
    /// Fields we know, with something else in them.
    pub(super) unreadable: Vec<&'static str>,
    /// Whether bytes that are no UTF-8 were replaced.
    pub(super) bad_utf8: bool,
    /// Whether a field stood twice; the last one counts.
    pub(super) doubled: bool,
}

impl<'a> RawMessage<'a> {
    /// Reads a message that follows the format to the letter.
    pub(super) fn parse(json: &'a [u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(json)
    }

    /// Reads what can be read of a message that [`Self::parse`] refused: unknown fields are taken out, then known ones that
    /// do not hold what they should. `keep` gets the result.
    pub(super) fn parse_leniently<R>(
        json: &[u8],
        keep: impl FnOnce(RawMessage<'_>, TakenOut) -> R,
    ) -> serde_json::Result<R> {
        let repaired = String::from_utf8_lossy(json);
        let bad_utf8 = matches!(repaired, Cow::Owned(_));
        let mut value: Value = serde_json::from_str(&repaired)?;
        let mut taken = TakenOut { bad_utf8, ..TakenOut::default() };
        prune(&mut value, &LEVEL_MESSAGE, &mut taken.unknown);
        let mut text = value.to_string();
        if let Err(error) = RawMessage::parse(text.as_bytes()) {
            // Take out single fields, then all that are not needed to place the message.
            let optional = LEVEL_MESSAGE.fields.iter().filter(|field| {
                !matches!(**field, "sequenceNumber" | "timestamp") && value.get(**field).is_some()
            });
            let optional: Vec<&'static str> = optional.copied().collect();
            for field in &optional {
                let alone = value.as_object_mut().and_then(|object| object.remove(*field));
                let Some(alone) = alone else { continue };
                if RawMessage::parse(value.to_string().as_bytes()).is_ok() {
                    taken.unreadable.push(field);
                    break;
                }
                value[*field] = alone;
            }
            if taken.unreadable.is_empty() {
                let Some(object) = value.as_object_mut() else { return Err(error) };
                // Several are wrong: keep each one that is right by itself.
                let mut kept = serde_json::Map::new();
                for field in ["sequenceNumber", "timestamp"] {
                    if let Some(needed) = object.remove(field) {
                        kept.insert(field.to_owned(), needed);
                    }
                }
                for field in optional {
                    let Some(content) = object.remove(field) else { continue };
                    kept.insert(field.to_owned(), content);
                    if RawMessage::parse(Value::Object(kept.clone()).to_string().as_bytes())
                        .is_err()
                    {
                        kept.remove(field);
                        taken.unreadable.push(field);
                    }
                }
                value = Value::Object(kept);
            }
            text = value.to_string();
        }
        // Of a text that was refused, what went through unchanged had a field twice.
        taken.doubled = taken == TakenOut::default();
        RawMessage::parse(text.as_bytes()).map(|raw| keep(raw, taken))
    }
}

fn prune(value: &mut Value, level: &Level, unknown: &mut Vec<String>) {
    match value {
        Value::Array(elements) => {
            for element in elements {
                prune(element, level, unknown);
            }
        }
        Value::Object(fields) => {
            fields.retain(|name, _| {
                let known = level.fields.contains(&name.as_str());
                if !known && !unknown.contains(name) && unknown.len() < 16 {
                    unknown.push(name.chars().take(64).collect());
                }
                known
            });
            for (name, inner) in level.inner {
                if let Some(content) = fields.get_mut(*name) {
                    prune(content, inner, unknown);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_field_is_in_its_level() {
        // `deny_unknown_fields` refuses what the struct lacks, so a full message proves both.
        let full = r#"{"sequenceNumber":1,"uidFromServer":"AA==","timestamp":2,"status":3,
            "body":"b","reply":{"ssn":1,"sti":"t","si":"s"},"expiration":1.5,
            "mentions":[{"uid":"u","rs":0,"re":1}],"forwarded":true,"edited":false,
            "bookmarked":true,"location":{"t":1,"ts":1,"long":1.0,"lat":2,"alt":1,"prec":1,
            "add":"a","c":1,"q":1,"se":1},"poll":{"t":"string","q":"q","c":[{"uuid":"u","t":"x"}],
            "m":true,"e":1},"reactions":[{"reaction":"r","sender":"s","timestamp":1}],
            "pollVotes":[{"candidate":"u","voted":true,"version":1,"sender":"s","timestamp":1}],
            "attachments":[{"sha256":"s","number":0,"size":1,"mimeType":"m","filename":"f"}]}"#;
        assert!(RawMessage::parse(full.as_bytes()).is_ok());
        let taken = RawMessage::parse_leniently(full.as_bytes(), |_, taken| taken).unwrap();
        assert_eq!(taken, TakenOut { doubled: true, ..TakenOut::default() });
    }

    #[test]
    fn what_is_new_or_wrong_is_taken_out_by_name() {
        let odd = r#"{"sequenceNumber":1,"timestamp":2,"body":"b","sparkle":{"x":1},
            "reactions":[{"reaction":"r","sender":"s","skin":2}],"edited":"maybe","status":[]}"#;
        assert!(RawMessage::parse(odd.as_bytes()).is_err());
        let (body, taken) = RawMessage::parse_leniently(odd.as_bytes(), |raw, taken| {
            (raw.body.map(Cow::into_owned), taken)
        })
        .unwrap();
        assert_eq!(body.as_deref(), Some("b"));
        assert_eq!(taken.unknown, ["sparkle", "skin"]);
        assert_eq!(taken.unreadable, ["edited"]);
        let two = r#"{"sequenceNumber":1,"timestamp":2,"body":7,"poll":3,"edited":true}"#;
        let taken = RawMessage::parse_leniently(two.as_bytes(), |_, taken| taken).unwrap();
        assert_eq!(taken.unreadable, ["body", "poll"]);
        assert!(RawMessage::parse_leniently(b"{\"timestamp\":2}", |_, _| ()).is_err());
        assert!(RawMessage::parse_leniently(b"[1]", |_, _| ()).is_err());
    }
}
