//! Reactions: as real ones by those who reacted, and in a line for those nobody can stand for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, json};

use super::Own;
use super::draft::{Draft, ROOM_MESSAGE, Who, put_words};
use crate::convert::markup::Rich;
use crate::convert::part::Speaker;
use crate::convert::policy::Attribution;
use crate::model::author::Author;
use crate::model::finding::FindingKind;
use crate::model::ids::ParticipantId;
use crate::model::message::{Message, Reaction};
use crate::wording::Value as Gap;

/// Longest key of a reaction; clients show nothing useful beyond a word.
const LONGEST_KEY_BYTES: usize = 64;

/// What could not be a reaction: an emoji, whose it is, and how many more there are.
struct Counted<'a> {
    emoji: &'a str,
    people: Vec<String>,
    more: u64,
}

/// Those that could not, in the order in which their emoji first came.
#[derive(Default)]
struct Rest<'a> {
    counted: Vec<Counted<'a>>,
    places: BTreeMap<&'a str, usize>,
}

impl<'a> Rest<'a> {
    fn add(&mut self, emoji: &'a str, name: Option<String>, more: u64) {
        let next = self.counted.len();
        let place = *self.places.entry(emoji).or_insert(next);
        if place == next {
            self.counted.push(Counted { emoji, people: Vec::new(), more: 0 });
        }
        if let Some(counted) = self.counted.get_mut(place) {
            counted.people.extend(name);
            counted.more = counted.more.saturating_add(more);
        }
    }
}

/// Sends the reactions of the message.
pub(super) fn tell(draft: &mut Draft<'_>, own: &Own<'_>) {
    let message = draft.message;
    if message.reactions.is_empty() {
        return;
    }
    // A head or a line about a missing file is not what people reacted to.
    let target =
        own.event(|part| part.content.get("msgtype").is_none_or(|msgtype| msgtype != "m.notice"));
    let mut seen: BTreeSet<(&ParticipantId, &str)> = BTreeSet::new();
    let mut rest = Rest::default();
    for reaction in &message.reactions {
        let Reaction { emoji, by, at, count } = reaction;
        if emoji.trim().is_empty() {
            draft.lose(FindingKind::NotCarried, "a reaction without an emoji");
            continue;
        }
        match by {
            Some(author) if stands_for(draft, author) && emoji.len() <= LONGEST_KEY_BYTES => {
                // Somebody's same reaction twice is refused by the server and says nothing.
                if seen.insert((&author.id, emoji)) {
                    let mut content = Map::new();
                    let annotation =
                        json!({ "rel_type": "m.annotation", "event_id": target, "key": emoji });
                    content.insert("m.relates_to".to_owned(), annotation);
                    let at = at.as_ref().unwrap_or(&message.sent_at).at;
                    let speaker = Speaker::Ghost(author.id.clone());
                    draft.push_bare(speaker, at, "m.reaction", content);
                }
            }
            Some(author) => rest.add(emoji, Some(draft.name(author)), 0),
            None => rest.add(emoji, None, u64::from(*count)),
        }
    }
    if rest.counted.is_empty() {
        return;
    }
    let list: Vec<String> = rest.counted.iter().map(|counted| in_words(draft, counted)).collect();
    let line = draft.text("reactions", &[("list", list.join(", ").into())]);
    let budget = draft.room_for_words(Who::Bot, 600);
    for piece in crate::convert::markup::split(&Rich::plain(line), &Rich::default(), budget) {
        let mut content = Map::new();
        put_words(&mut content, &piece);
        content.insert("msgtype".to_owned(), "m.notice".into());
        let reply = json!({ "m.in_reply_to": { "event_id": target } });
        content.insert("m.relates_to".to_owned(), reply);
        draft.push(Who::Bot, last_at(message), ROOM_MESSAGE, content);
    }
}

/// Whether there is a ghost that can react for `author`.
fn stands_for(draft: &Draft<'_>, author: &Author) -> bool {
    draft.policy.attribution == Attribution::Ghosts && draft.person(&author.id).is_some()
}

fn in_words(draft: &Draft<'_>, counted: &Counted<'_>) -> String {
    let Counted { emoji, people, more } = counted;
    let emoji = ("emoji", Gap::from(*emoji));
    let count = ("count", Gap::from(more.to_string()));
    match (people.is_empty(), *more) {
        (true, _) => draft.text("reaction-count", &[emoji, count]),
        (false, 0) => {
            let people = ("people", draft.wording.list(people).into());
            draft.text("reaction-people", &[emoji, people])
        }
        (false, _) => {
            let people = ("people", draft.wording.list(people).into());
            draft.text("reaction-people-count", &[emoji, people, count])
        }
    }
}

/// The time of the last reaction that is known, or else of the message.
fn last_at(message: &Message) -> crate::model::time::UnixMillis {
    let known = message.reactions.iter().filter_map(|reaction| reaction.at.as_ref());
    known.map(|at| at.at).max().unwrap_or(message.sent_at.at)
}
