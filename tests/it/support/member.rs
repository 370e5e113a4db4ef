//! A room as an ordinary member sees it: plain HTTP with an ordinary token, plain JSON back.
//!
//! It interprets nothing; what an event ought to hold is the test's business. A 429 is waited
//! out, any other refusal panics unless the call says otherwise.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Method, StatusCode, Url};
use serde_json::{Value, json};

use super::synapse::Account;

/// One person's client.
#[derive(Clone)]
pub struct Member {
    client: reqwest::Client,
    base_url: Url,
    account: Account,
}

/// A file as it was downloaded.
pub struct Download {
    /// The `Content-Type` header.
    pub content_type: String,
    pub bytes: Vec<u8>,
}

impl Member {
    pub fn new(base_url: &str, account: &Account) -> Self {
        Self {
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            base_url: base_url.parse().unwrap(),
            account: account.clone(),
        }
    }

    pub fn user_id(&self) -> &str {
        &self.account.user_id
    }

    pub async fn join(&self, room_id: &str) {
        self.must(Method::POST, &["v3", "rooms", room_id, "join"], &[], Some(json!({}))).await;
    }

    pub async fn leave(&self, room_id: &str) {
        self.must(Method::POST, &["v3", "rooms", room_id, "leave"], &[], Some(json!({}))).await;
    }

    /// Creates a room from the body of `POST /createRoom` and returns its id.
    pub async fn create_room(&self, content: Value) -> String {
        let made = self.must(Method::POST, &["v3", "createRoom"], &[], Some(content)).await;
        made["room_id"].as_str().unwrap().to_owned()
    }

    pub async fn invite(&self, room_id: &str, user_id: &str) {
        let body = json!({ "user_id": user_id });
        self.must(Method::POST, &["v3", "rooms", room_id, "invite"], &[], Some(body)).await;
    }

    /// Sends `content` as `m.room.message` under this transaction id; returns the event id.
    pub async fn send(&self, room_id: &str, transaction_id: &str, content: Value) -> String {
        let path = ["v3", "rooms", room_id, "send", "m.room.message", transaction_id];
        let sent = self.must(Method::PUT, &path, &[], Some(content)).await;
        sent["event_id"].as_str().unwrap().to_owned()
    }

    /// The whole timeline in the order the server tells it, oldest first, `page` at a time.
    pub async fn timeline(&self, room_id: &str, page: u32) -> Vec<Value> {
        let mut events = Vec::new();
        let mut from: Option<String> = None;
        loop {
            let limit = page.to_string();
            let mut query = vec![("dir", "f"), ("limit", limit.as_str())];
            if let Some(token) = &from {
                query.push(("from", token));
            }
            let path = ["v3", "rooms", room_id, "messages"];
            let mut answer = self.must(Method::GET, &path, &query, None).await;
            if let Value::Array(chunk) = answer["chunk"].take() {
                events.extend(chunk);
            }
            // Without `end` there is no more; the token alone says so, an empty page does not.
            match answer["end"].as_str() {
                Some(end) if from.as_deref() != Some(end) => from = Some(end.to_owned()),
                Some(_) | None => return events,
            }
        }
    }

    /// The messages only: the timeline without state events.
    pub async fn messages(&self, room_id: &str, page: u32) -> Vec<Value> {
        let mut events = self.timeline(room_id, page).await;
        events.retain(|event| event.get("state_key").is_none());
        events
    }

    /// All current state events.
    pub async fn state(&self, room_id: &str) -> Vec<Value> {
        let events = self.must(Method::GET, &["v3", "rooms", room_id, "state"], &[], None).await;
        events.as_array().unwrap().clone()
    }

    /// The content of one state event, `None` when there is none.
    pub async fn state_content(&self, room_id: &str, kind: &str, key: &str) -> Option<Value> {
        let path = ["v3", "rooms", room_id, "state", kind, key];
        let (status, content) = self.call(Method::GET, &path, &[], None).await;
        (status == StatusCode::OK).then_some(content)
    }

    /// Sets the state event with an empty state key, whatever that answers.
    pub async fn set_state(
        &self,
        room_id: &str,
        kind: &str,
        content: Value,
    ) -> (StatusCode, Value) {
        let path = ["v3", "rooms", room_id, "state", kind, ""];
        self.call(Method::PUT, &path, &[], Some(content)).await
    }

    /// One event, `None` when this member may not or cannot see it.
    pub async fn event(&self, room_id: &str, event_id: &str) -> Option<Value> {
        let path = ["v3", "rooms", room_id, "event", event_id];
        let (status, event) = self.call(Method::GET, &path, &[], None).await;
        (status == StatusCode::OK).then_some(event)
    }

    /// User id to display name (empty when there is none) of those who have joined.
    pub async fn joined_members(&self, room_id: &str) -> BTreeMap<String, String> {
        let path = ["v3", "rooms", room_id, "joined_members"];
        let answer = self.must(Method::GET, &path, &[], None).await;
        let joined = answer["joined"].as_object().unwrap();
        let name = |member: &Value| member["display_name"].as_str().unwrap_or("").to_owned();
        joined.iter().map(|(user_id, member)| (user_id.clone(), name(member))).collect()
    }

    /// The rooms this member is invited to.
    pub async fn invitations(&self) -> Vec<String> {
        let answer = self.must(Method::GET, &["v3", "sync"], &[("timeout", "0")], None).await;
        let rooms = answer["rooms"]["invite"].as_object();
        rooms.map(|rooms| rooms.keys().cloned().collect()).unwrap_or_default()
    }

    /// Stores a file and returns its `mxc://` address.
    pub async fn upload(&self, content_type: &str, bytes: Vec<u8>) -> String {
        let mut url = self.base_url.clone();
        url.set_path("/_matrix/media/v3/upload");
        let request = self.client.post(url).bearer_auth(&self.account.token);
        let answer = request.header("Content-Type", content_type).body(bytes).send().await.unwrap();
        let answer: Value = answer.error_for_status().unwrap().json().await.unwrap();
        answer["content_uri"].as_str().unwrap().to_owned()
    }

    /// The file behind an `mxc://` address, by the authenticated way.
    pub async fn download(&self, mxc: &str) -> Download {
        let (server, id) =
            mxc.strip_prefix("mxc://").and_then(|rest| rest.split_once('/')).unwrap();
        let url = self.url(&["v1", "media", "download", server, id]);
        let request = self.client.get(url).bearer_auth(&self.account.token);
        let answer = request.send().await.unwrap().error_for_status().unwrap();
        let content_type =
            answer.headers().get("Content-Type").map(|value| value.to_str().unwrap());
        Download {
            content_type: content_type.unwrap_or("").to_owned(),
            bytes: answer.bytes().await.unwrap().to_vec(),
        }
    }

    /// Any call under `/_matrix/client/`, whatever it answers.
    pub async fn call(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        loop {
            let mut request = self.client.request(method.clone(), self.url(path)).query(query);
            request = request.bearer_auth(&self.account.token);
            if let Some(body) = &body {
                request = request.json(body);
            }
            let answer = request.send().await.unwrap();
            let status = answer.status();
            let content: Value = answer.json().await.unwrap_or(Value::Null);
            if status != StatusCode::TOO_MANY_REQUESTS {
                return (status, content);
            }
            let pause_ms = content["retry_after_ms"].as_u64().unwrap_or(500);
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        }
    }

    async fn must(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<Value>,
    ) -> Value {
        let (status, content) = self.call(method, path, query, body).await;
        assert!(status.is_success(), "{path:?} as {} answered {status}: {content}", self.user_id());
        content
    }

    /// Room ids and state keys hold `!`, `:` and `/`; each segment is encoded on its own.
    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base_url.clone();
        url.path_segments_mut().unwrap().clear().extend(["_matrix", "client"]).extend(path);
        url
    }
}
