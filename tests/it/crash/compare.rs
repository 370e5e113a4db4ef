//! Two rooms that should be one: what a member reads of each, and how the second differs.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::support::member::Member;

const MARK: &str = "fr.passerelle.import";

/// One message as a member reads it, without what may differ between two imports of one
/// archive: ghosts are named by their display names, files by their digests, jobs not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Which message of the archive, and which of its events.
    pub key: String,
    pub kind: String,
    pub sender: String,
    pub at_ms: i64,
    pub content: Value,
}

impl Told {
    /// Whether it says which message of which archive it is.
    pub fn is_marked(&self) -> bool {
        !self.content[MARK].is_null()
    }
}

/// How a room differs from the one it should equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    pub lost: usize,
    /// Events that stand there again, and events that should not stand there at all.
    pub doubled: usize,
    /// How many would have to move.
    pub reordered: usize,
    /// Those with another type, sender, time or content.
    pub changed: usize,
}

impl Differences {
    pub fn none(self) -> bool {
        self == Self::default()
    }

    pub fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.reordered += other.reordered;
        self.changed += other.changed;
    }
}

/// Reads a room's messages, and their files, as `reader`, who is in it.
pub async fn read(reader: &Member, room: &str) -> Vec<Told> {
    let names = reader.joined_members(room).await;
    let mut digests: BTreeMap<String, String> = BTreeMap::new();
    let mut told = Vec::new();
    for event in reader.messages(room, 200).await {
        let mut content = event["content"].clone();
        let mark = &mut content[MARK];
        let key = match mark.as_object_mut() {
            Some(mark) => {
                mark.remove("job");
                format!("{}/{}", mark["message"], mark["part"])
            }
            None => format!("unmarked {content}"),
        };
        fetch(reader, &content, &mut digests).await;
        put_names(&mut content, &names, &digests);
        let sender = event["sender"].as_str().unwrap();
        told.push(Told {
            key,
            kind: event["type"].as_str().unwrap().to_owned(),
            sender: names.get(sender).cloned().unwrap_or_else(|| sender.to_owned()),
            at_ms: event["origin_server_ts"].as_i64().unwrap(),
            content,
        });
    }
    told
}

/// Downloads what a content points at.
async fn fetch(reader: &Member, content: &Value, digests: &mut BTreeMap<String, String>) {
    for pointer in ["/url", "/info/thumbnail_url"] {
        let Some(mxc) = content.pointer(pointer).and_then(Value::as_str) else { continue };
        if !digests.contains_key(mxc) {
            let bytes = reader.download(mxc).await.bytes;
            digests.insert(mxc.to_owned(), hex::encode(Sha256::digest(&bytes)));
        }
    }
}

fn put_names(
    value: &mut Value,
    names: &BTreeMap<String, String>,
    digests: &BTreeMap<String, String>,
) {
    match value {
        Value::String(text) => {
            if let Some(digest) = digests.get(text) {
                text.clone_from(digest);
            } else if text.contains('@') {
                for (id, name) in names {
                    *text = text.replace(id, name);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                put_names(item, names, digests);
            }
        }
        Value::Object(fields) => {
            for field in fields.values_mut() {
                put_names(field, names, digests);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Compares a room with the one that was filled undisturbed.
pub fn compare(calm: &[Told], stormy: &[Told]) -> Differences {
    let places: HashMap<&str, usize> =
        calm.iter().enumerate().map(|(place, told)| (told.key.as_str(), place)).collect();
    let mut seen = vec![false; calm.len()];
    let mut order = Vec::with_capacity(stormy.len());
    let mut differences = Differences::default();
    for told in stormy {
        match places.get(told.key.as_str()) {
            Some(&place) if !seen[place] => {
                seen[place] = true;
                order.push(place);
                differences.changed += usize::from(*told != calm[place]);
            }
            Some(_) | None => differences.doubled += 1,
        }
    }
    differences.lost = seen.iter().filter(|seen| !**seen).count();
    differences.reordered = order.len() - longest_rise(&order);
    differences
}

/// The length of the longest part of `places` that rises, gaps allowed.
fn longest_rise(places: &[usize]) -> usize {
    let mut ends: Vec<usize> = Vec::new();
    for &place in places {
        let at = ends.partition_point(|&end| end < place);
        if at == ends.len() {
            ends.push(place);
        } else {
            ends[at] = place;
        }
    }
    ends.len()
}

#[test]
fn what_is_lost_doubled_moved_or_changed_is_counted() {
    let told = |key: &str| Told {
        key: key.to_owned(),
        kind: "m.room.message".to_owned(),
        sender: "Anaïs".to_owned(),
        at_ms: 1,
        content: serde_json::json!({ "body": key }),
    };
    let room = |keys: &str| keys.split(' ').map(told).collect::<Vec<_>>();
    let calm = room("a b c d e");
    let figures = |keys: &str| {
        let Differences { lost, doubled, reordered, changed } = compare(&calm, &room(keys));
        (lost, doubled, reordered, changed)
    };
    assert!(compare(&calm, &calm).none());
    assert_eq!(figures("a b d e"), (1, 0, 0, 0));
    assert_eq!(figures("a b b c d e b"), (0, 2, 0, 0));
    assert_eq!(figures("a c b d e"), (0, 0, 1, 0));
    assert_eq!(figures("e a b c d"), (0, 0, 1, 0));
    assert_eq!(figures("a b x c d e"), (0, 1, 0, 0));
    let mut other = calm.clone();
    other[2].at_ms = 2;
    assert_eq!(compare(&calm, &other), Differences { changed: 1, ..Differences::default() });
}
