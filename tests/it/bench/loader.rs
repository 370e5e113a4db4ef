//! The bare loader: the events of an import, prepared, sent one after another on one warm
//! connection. Nothing is converted, written down, checked or repeated.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::{Client, Method, Request, RequestBuilder, Url};
use serde_json::{Value, json};

use super::world::World;
use crate::support::member::Member;

/// What an import put into a room, ready to be put into another.
#[derive(Clone)]
pub struct Prepared {
    pub steps: Vec<Step>,
    senders: Vec<String>,
    creation: Value,
}

#[derive(Clone)]
pub enum Step {
    Upload { mime: String, bytes: Bytes },
    Send { sender: String, event_type: String, at: String, content: Bytes },
}

/// Reads a room as the bot: its events with their files before them, and what it takes to make
/// another like it.
pub async fn prepare(bot: &Member, room: &str) -> Prepared {
    let as_bot = [("user_id", bot.user_id())];
    let mut steps = Vec::new();
    let mut senders = BTreeSet::new();
    let mut from: Option<String> = None;
    loop {
        let mut query = vec![("dir", "f"), ("limit", "100"), as_bot[0]];
        query.extend(from.as_deref().map(|from| ("from", from)));
        let path = ["v3", "rooms", room, "messages"];
        let (_, page) = bot.call(Method::GET, &path, &query, None).await;
        for event in page["chunk"].as_array().unwrap() {
            if event.get("state_key").is_some() {
                continue;
            }
            let content = &event["content"];
            for (url, mime) in [
                (&content["url"], &content["info"]["mimetype"]),
                (&content["info"]["thumbnail_url"], &content["info"]["thumbnail_info"]["mimetype"]),
            ] {
                if let (Some(url), Some(mime)) = (url.as_str(), mime.as_str()) {
                    let bytes = bot.download(url).await.bytes.into();
                    steps.push(Step::Upload { mime: mime.to_owned(), bytes });
                }
            }
            let sender = event["sender"].as_str().unwrap().to_owned();
            senders.insert(sender.clone());
            steps.push(Step::Send {
                sender,
                event_type: event["type"].as_str().unwrap().to_owned(),
                at: event["origin_server_ts"].to_string(),
                content: serde_json::to_vec(content).unwrap().into(),
            });
        }
        match page["end"].as_str() {
            Some(end) => from = Some(end.to_owned()),
            None => break,
        }
    }
    let path = ["v3", "rooms", room, "state"];
    let (_, state) = bot.call(Method::GET, &path, &as_bot, None).await;
    Prepared { steps, senders: senders.into_iter().collect(), creation: creation(&state) }
}

/// The body of a createRoom that makes such a room.
fn creation(state: &Value) -> Value {
    let state = state.as_array().unwrap();
    let of = |kind: &str| state.iter().find(|event| event["type"] == kind).map(|e| &e["content"]);
    let kept = ["im.vector.room.access_rules", "m.room.history_visibility", "m.room.guest_access"];
    let initial = kept.iter().filter_map(|kind| {
        of(kind).map(|content| json!({ "type": kind, "state_key": "", "content": content }))
    });
    json!({
        "preset": "private_chat",
        "name": "Banc",
        "room_version": of("m.room.create").unwrap()["room_version"],
        "power_level_content_override": of("m.room.power_levels"),
        "initial_state": initial.collect::<Vec<_>>(),
    })
}

/// A room with everybody in it, a connection that has been used, and every request made: what is
/// timed is the homeserver's work and the wire.
pub struct Ready {
    pub room: String,
    client: Client,
    requests: Vec<Request>,
}

impl Ready {
    pub async fn new(world: &World, prepared: &Prepared) -> Self {
        let (bot, as_bot) = (&world.bot, [("user_id", world.bot.user_id())]);
        let create = Some(prepared.creation.clone());
        let (status, made) = bot.call(Method::POST, &["v3", "createRoom"], &as_bot, create).await;
        assert!(status.is_success(), "{made}");
        let room = made["room_id"].as_str().unwrap().to_owned();
        for ghost in prepared.senders.iter().filter(|ghost| *ghost != bot.user_id()) {
            let invite = Some(json!({ "user_id": ghost }));
            bot.call(Method::POST, &["v3", "rooms", &room, "invite"], &as_bot, invite).await;
            let (path, as_ghost) = (["v3", "rooms", &room, "join"], [("user_id", ghost.as_str())]);
            let (status, said) = bot.call(Method::POST, &path, &as_ghost, Some(json!({}))).await;
            assert!(status.is_success(), "{said}");
        }
        let client = Client::builder().no_proxy().build().unwrap();
        let base_url = world.synapse.base_url();
        let warming = client.get(format!("{base_url}/_matrix/client/versions"));
        warming.send().await.unwrap().bytes().await.unwrap();
        let steps = prepared.steps.iter().enumerate();
        let requests = steps.map(|(number, step)| {
            let transaction = format!("bare{number}");
            let request = step.request(&client, base_url, &room, &transaction);
            request.bearer_auth(&world.token).build().unwrap()
        });
        let requests = requests.collect();
        Self { room, client, requests }
    }

    /// Uploads and sends, one thing after another, and says how long that took.
    pub async fn load(self) -> Duration {
        let started = Instant::now();
        for request in self.requests {
            let answer = self.client.execute(request).await.unwrap();
            let status = answer.status();
            let said = answer.bytes().await.unwrap();
            assert!(status.is_success(), "{status} {}", String::from_utf8_lossy(&said));
        }
        started.elapsed()
    }
}

impl Step {
    fn request(
        &self,
        client: &Client,
        base_url: &str,
        room: &str,
        transaction: &str,
    ) -> RequestBuilder {
        let mut url: Url = base_url.parse().unwrap();
        match self {
            Self::Upload { mime, bytes } => {
                url.set_path("/_matrix/media/v3/upload");
                client.post(url).header("Content-Type", mime).body(bytes.clone())
            }
            Self::Send { sender, event_type, at, content } => {
                url.path_segments_mut()
                    .unwrap()
                    .extend(["_matrix", "client", "v3", "rooms", room, "send"])
                    .extend([event_type, transaction]);
                url.query_pairs_mut()
                    .append_pair("user_id", sender)
                    .append_pair("device_id", "PASSERELLE")
                    .append_pair("ts", at);
                let request = client.put(url).header("Content-Type", "application/json");
                request.body(content.clone())
            }
        }
    }
}
