//! What an ordinary member finds in a room, counted against the sample's own truth.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::sample::{Sample, Truth};

/// How many messages of a sample are not in the room, and how many events too many are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub lost: usize,
    pub doubled: usize,
}

impl Count {
    /// Counts a room's messages; the order and everything else is `assert_room_is`'s business.
    pub fn of(messages: &[Value], sample: &Sample) -> Self {
        let mut balance: BTreeMap<(i64, String), isize> = BTreeMap::new();
        for truth in &sample.truth {
            *balance.entry((truth.utc_millis, words_of(truth))).or_default() += 1;
        }
        for event in messages {
            let at_ms = event["origin_server_ts"].as_i64().unwrap();
            *balance.entry((at_ms, words_in(&event["content"]))).or_default() -= 1;
        }
        let sum = |wanted: fn(isize) -> isize| {
            balance.values().map(|left| wanted(*left).max(0).unsigned_abs()).sum()
        };
        Self { lost: sum(|left| left), doubled: sum(|left| -left) }
    }

    pub fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.doubled += other.doubled;
    }
}

/// The bot words joins and titles itself, so that a notice is known by its time only.
fn words_of(truth: &Truth) -> String {
    match (&truth.sender, &truth.file) {
        (None, _) => "notice".to_owned(),
        (Some(_), Some(file)) => file.name.clone(),
        (Some(_), None) => truth.text.trim_matches('*').to_owned(),
    }
}

fn words_in(content: &Value) -> String {
    let field = |name: &str| content[name].as_str().unwrap_or_default().to_owned();
    match content["msgtype"].as_str() {
        Some("m.notice") => "notice".to_owned(),
        Some("m.text") => field("body").trim_matches('*').to_owned(),
        _ => field("filename"),
    }
}

#[test]
fn what_is_missing_and_what_is_there_again_is_counted() {
    let sample = Sample::make(&crate::support::sample::Wanted::new(5, 12, 2));
    let event = |truth: &Truth| {
        let content = match (&truth.sender, &truth.file) {
            (None, _) => serde_json::json!({ "msgtype": "m.notice", "body": "…" }),
            (Some(_), Some(file)) => {
                serde_json::json!({ "msgtype": "m.image", "body": "…", "filename": file.name })
            }
            (Some(_), None) => serde_json::json!({ "msgtype": "m.text", "body": truth.text }),
        };
        serde_json::json!({ "origin_server_ts": truth.utc_millis, "content": content })
    };
    let whole: Vec<_> = sample.truth.iter().map(event).collect();
    assert_eq!(Count::of(&whole, &sample), Count::default());
    let mut other = whole.clone();
    other.remove(7);
    other.push(whole[3].clone());
    other.push(whole[3].clone());
    assert_eq!(Count::of(&other, &sample), Count { lost: 1, doubled: 2 });
    assert_eq!(Count::of(&[], &sample), Count { lost: whole.len(), doubled: 0 });
}
