//! Messages whose earlier texts are known: sent as they first were, then really edited; where
//! that cannot be, sent as they ended, with the earlier texts in notices.

use serde_json::{Map, Value, json};

use super::draft::{Draft, ROOM_MESSAGE, Tone};
use super::{Earlier, Own, compose};
use crate::convert::markup::{Kind, Rich};
use crate::convert::part::{Converted, Part};
use crate::convert::policy::Policy;
use crate::convert::resolved::Resolved;
use crate::model::message::{Body, Edited, Message, Revision};
use crate::model::text::Text;
use crate::model::time::UnixMillis;

/// One text of a message and the events it would have been.
pub(super) struct Version {
    pub(super) converted: Converted,
    at: UnixMillis,
}

/// The versions of a message, oldest first, if each can replace the one before it part by
/// part; `None` for messages without a known past and for those that must be told otherwise.
pub(super) fn versions(
    message: &Message,
    resolved: &Resolved<'_>,
    policy: &Policy,
) -> Option<Vec<Version>> {
    let Edited { at, history } = message.edited.as_ref()?;
    let last = last_text(message)?;
    if history.is_empty() {
        return None;
    }
    let mut texts: Vec<(&Text, UnixMillis)> =
        history.iter().map(|Revision { text, at }| (text, at.at)).collect();
    let ended = at.as_ref().map(|at| at.at);
    let ended = ended.or_else(|| texts.last().map(|(_, at)| *at)).unwrap_or(message.sent_at.at);
    texts.push((last, ended));
    let versions: Vec<Version> = texts
        .into_iter()
        .map(|(text, at)| {
            let converted = compose(message, Some(&Earlier { text }), resolved, policy);
            Version { converted, at: at.max(message.sent_at.at) }
        })
        .collect();
    let (first, later) = versions.split_first()?;
    let replaceable = later.iter().all(|version| {
        let (old, new) = (&first.converted.parts, &version.converted.parts);
        old.len() == new.len()
            && old.iter().zip(new).all(|(old, new)| can_replace(old, new, policy))
    });
    replaceable.then_some(versions)
}

/// The text that changed: the words of a text, or of files.
fn last_text(message: &Message) -> Option<&Text> {
    match &message.body {
        Body::Text(text) => Some(text),
        Body::Media { caption, .. } => caption.as_ref(),
        Body::Sticker { .. }
        | Body::Location(_)
        | Body::Contact { .. }
        | Body::Poll(_)
        | Body::Call(_)
        | Body::System(_)
        | Body::Deleted { .. }
        | Body::Unknown { .. } => None,
    }
}

/// Whether `new` may stand in the place of `old`: the same kind of event by the same speaker,
/// and short enough to be said twice, once for clients that know no edits.
fn can_replace(old: &Part, new: &Part, policy: &Policy) -> bool {
    old.speaker == new.speaker
        && old.event_type == ROOM_MESSAGE
        && new.event_type == ROOM_MESSAGE
        && old.content.get("msgtype") == new.content.get("msgtype")
        && (old.content == new.content || json_bytes(&new.content) * 2 + 1_024 <= policy.limit())
}

fn json_bytes(content: &Map<String, Value>) -> usize {
    serde_json::to_string(content).map_or(usize::MAX / 4, |json| json.len())
}

/// Tells how the message changed.
pub(super) fn tell(draft: &mut Draft<'_>, own: &Own<'_>) {
    let message = draft.message;
    match versions(message, draft.resolved, draft.policy) {
        Some(versions) => {
            for pair in versions.windows(2) {
                if let [before, after] = pair {
                    replace(draft, own, before, after);
                }
            }
        }
        None => {
            for revision in message.edited.iter().flat_map(|edited| &edited.history) {
                earlier_version(draft, revision);
            }
        }
    }
}

fn replace(draft: &mut Draft<'_>, own: &Own<'_>, before: &Version, after: &Version) {
    let pairs = before.converted.parts.iter().zip(&after.converted.parts);
    for (index, (old, new)) in pairs.enumerate() {
        if old.content == new.content {
            continue;
        }
        let mut inner = new.content.clone();
        inner.remove("m.relates_to");
        let mut content = inner.clone();
        // For clients that know no edits; the star is their custom.
        for key in ["body", "formatted_body"] {
            if let Some(Value::String(words)) = content.get_mut(key) {
                words.insert_str(0, "* ");
            }
        }
        content.insert("m.new_content".to_owned(), inner.into());
        let relation = json!({ "rel_type": "m.replace", "event_id": own.at(index) });
        content.insert("m.relates_to".to_owned(), relation);
        draft.push_bare(new.speaker.clone(), after.at, ROOM_MESSAGE, content);
    }
}

/// Says an earlier text that could not be the message's first form.
fn earlier_version(draft: &mut Draft<'_>, revision: &Revision) {
    let moment = draft.moment(&revision.at);
    let title = draft.text("earlier-version", &[("moment", moment.into())]);
    let mut words = Rich::marked(title, Kind::Italic);
    words.push_str("\n");
    words.push(draft.read(&revision.text));
    draft.say(draft.author(), Tone::Notice, &words);
}
