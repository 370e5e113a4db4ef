//! A homeserver that does nothing but remember: as fast as the wire allows, so that a hundred
//! thousand messages take a minute and every byte of memory that grows is the daemon's own.
//! It speaks what an import needs and pushes no transactions.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::support::synapse::Account;

const WITNESS: &str = "@temoin-passerelle:tchap.test";
const WITNESS_TOKEN: &str = "a-token-that-nothing-else-is-called";
const LARGEST_FILE_BYTES: usize = 64 << 20;

/// A running stub; it ends with the runtime of the test.
pub struct Stub {
    pub witness: Account,
    _media: TempDir,
}

type Asked = Query<BTreeMap<String, String>>;
type Known = State<Arc<Mutex<Memory>>>;

struct Memory {
    rooms: Vec<Room>,
    files: usize,
    media: PathBuf,
}

#[derive(Default)]
struct Room {
    state: BTreeMap<(String, String), Value>,
    /// Message events, as they are told.
    events: Vec<Box<serde_json::value::RawValue>>,
}

impl Stub {
    pub async fn start(port: u16) -> Self {
        let dir = tempfile::Builder::new().prefix("passerelle-stub-").tempdir().unwrap();
        let memory = Memory { rooms: Vec::new(), files: 0, media: dir.path().to_owned() };
        let yes = || async { Json(json!({})) };
        let client = Router::new()
            .route("/versions", get(async || Json(json!({ "versions": ["v1.1", "v1.11"] }))))
            .route("/v3/account/whoami", get(whoami))
            .route("/v3/register", post(async || Json(json!({ "user_id": "@some:tchap.test" }))))
            .route("/v3/devices/{device}", put(yes))
            .route("/v3/profile/{user}/{field}", get(yes).put(yes))
            .route("/v1/media/config", get(config))
            .route("/v1/media/download/{server}/{file}", get(download))
            .route("/v3/createRoom", post(create_room))
            .route("/v3/joined_rooms", get(joined_rooms))
            .route("/v3/rooms/{room}/joined_members", get(joined_members))
            .route("/v3/rooms/{room}/state", get(whole_state))
            .route("/v3/rooms/{room}/state/{kind}/", get(state).put(put_state))
            .route("/v3/rooms/{room}/state/{kind}/{key}", get(keyed_state))
            .route("/v3/rooms/{room}/invite", post(invite))
            .route("/v3/rooms/{room}/join", post(join))
            .route("/v3/rooms/{room}/leave", post(leave))
            .route("/v3/rooms/{room}/send/{kind}/{transaction}", put(send))
            .route("/v3/rooms/{room}/messages", get(messages))
            .route("/v3/rooms/{room}/event/{event}", get(event));
        let routes = Router::new()
            .nest("/_matrix/client", client)
            .route("/_matrix/media/v3/upload", post(upload))
            .layer(DefaultBodyLimit::max(LARGEST_FILE_BYTES))
            .with_state(Arc::new(Mutex::new(memory)));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        tokio::spawn(async { axum::serve(listener, routes).await });
        let witness = Account { user_id: WITNESS.to_owned(), token: WITNESS_TOKEN.to_owned() };
        Self { witness, _media: dir }
    }
}

impl Memory {
    /// Rooms are called by their number.
    fn room(&mut self, id: &str) -> &mut Room {
        let number = id.strip_prefix('!').and_then(|rest| rest.split_once(':')).unwrap().0;
        let number: usize = number.parse().unwrap();
        &mut self.rooms[number]
    }
}

impl Room {
    fn put(&mut self, kind: &str, key: &str, content: Value) {
        self.state.insert((kind.to_owned(), key.to_owned()), content);
    }

    fn get(&self, kind: &str, key: &str) -> Response {
        match self.state.get(&(kind.to_owned(), key.to_owned())) {
            Some(content) => Json(content.clone()).into_response(),
            None => absent(),
        }
    }
}

fn absent() -> Response {
    let body = Json(json!({ "errcode": "M_NOT_FOUND", "error": "not there" }));
    (StatusCode::NOT_FOUND, body).into_response()
}

/// For whom a request is made.
fn who(headers: &HeaderMap, asked: &BTreeMap<String, String>) -> String {
    let token = headers["Authorization"].to_str().unwrap();
    if token.ends_with(WITNESS_TOKEN) {
        return WITNESS.to_owned();
    }
    asked.get("user_id").cloned().unwrap_or_else(|| "@_passerelle:tchap.test".to_owned())
}

async fn whoami(headers: HeaderMap, asked: Asked) -> Json<Value> {
    Json(json!({ "user_id": who(&headers, &asked) }))
}

async fn config() -> Json<Value> {
    Json(json!({ "m.upload.size": LARGEST_FILE_BYTES }))
}

async fn create_room(
    known: Known,
    headers: HeaderMap,
    asked: Asked,
    Json(wish): Json<Map<String, Value>>,
) -> Json<Value> {
    let mut room = Room::default();
    room.put("m.room.create", "", json!({ "room_version": wish["room_version"] }));
    if let Some(levels) = wish.get("power_level_content_override") {
        room.put("m.room.power_levels", "", levels.clone());
    }
    if let Some(name) = wish.get("name") {
        room.put("m.room.name", "", json!({ "name": name }));
    }
    for event in wish.get("initial_state").and_then(Value::as_array).into_iter().flatten() {
        room.put(event["type"].as_str().unwrap(), "", event["content"].clone());
    }
    room.put("m.room.member", &who(&headers, &asked), json!({ "membership": "join" }));
    let mut known = known.lock().unwrap();
    known.rooms.push(room);
    Json(json!({ "room_id": format!("!{}:tchap.test", known.rooms.len() - 1) }))
}

async fn joined_rooms(known: Known) -> Json<Value> {
    let count = known.lock().unwrap().rooms.len();
    let ids: Vec<_> = (0..count).map(|number| format!("!{number}:tchap.test")).collect();
    Json(json!({ "joined_rooms": ids }))
}

async fn joined_members(known: Known, Path(room): Path<String>) -> Json<Value> {
    let mut known = known.lock().unwrap();
    let is_in =
        |kind: &str, content: &Value| kind == "m.room.member" && content["membership"] == "join";
    let state = &known.room(&room).state;
    let members = state.iter().filter(|((kind, _), content)| is_in(kind, content));
    let members: Map<String, Value> =
        members.map(|((_, user), _)| (user.clone(), json!({}))).collect();
    Json(json!({ "joined": members }))
}

async fn state(known: Known, Path((room, kind)): Path<(String, String)>) -> Response {
    known.lock().unwrap().room(&room).get(&kind, "")
}

async fn keyed_state(
    known: Known,
    Path((room, kind, key)): Path<(String, String, String)>,
) -> Response {
    known.lock().unwrap().room(&room).get(&kind, &key)
}

async fn whole_state(known: Known, Path(room): Path<String>) -> Json<Value> {
    let mut known = known.lock().unwrap();
    let told = |((kind, key), content): (&(String, String), &Value)| {
        json!({
            "event_id": "$state", "sender": "@_passerelle_bot:tchap.test", "origin_server_ts": 1,
            "type": kind, "state_key": key, "content": content,
        })
    };
    Json(known.room(&room).state.iter().map(told).collect())
}

async fn put_state(
    known: Known,
    Path((room, kind)): Path<(String, String)>,
    Json(content): Json<Value>,
) -> Json<Value> {
    known.lock().unwrap().room(&room).put(&kind, "", content);
    Json(json!({ "event_id": "$state" }))
}

async fn invite(known: Known, room: Path<String>, Json(invited): Json<Value>) -> Json<Value> {
    become_member(&known, &room, invited["user_id"].as_str().unwrap(), "invite")
}

async fn join(known: Known, room: Path<String>, headers: HeaderMap, asked: Asked) -> Json<Value> {
    become_member(&known, &room, &who(&headers, &asked), "join")
}

async fn leave(known: Known, room: Path<String>, headers: HeaderMap, asked: Asked) -> Json<Value> {
    become_member(&known, &room, &who(&headers, &asked), "leave")
}

fn become_member(known: &Known, room: &str, user: &str, membership: &str) -> Json<Value> {
    let content = json!({ "membership": membership });
    known.lock().unwrap().room(room).put("m.room.member", user, content);
    Json(json!({ "room_id": room }))
}

async fn send(
    known: Known,
    Path((room, kind, _)): Path<(String, String, String)>,
    headers: HeaderMap,
    asked: Asked,
    content: Bytes,
) -> Json<Value> {
    let content: &serde_json::value::RawValue = serde_json::from_slice(&content).unwrap();
    let sender = who(&headers, &asked);
    let at: i64 = asked["ts"].parse().unwrap();
    let mut known = known.lock().unwrap();
    let room = known.room(&room);
    let event_id = format!("${}", room.events.len());
    room.events.push(
        serde_json::value::to_raw_value(&json!({
            "event_id": event_id, "sender": sender, "type": kind, "origin_server_ts": at,
            "content": content,
        }))
        .unwrap(),
    );
    Json(json!({ "event_id": event_id }))
}

async fn messages(known: Known, Path(room): Path<String>, asked: Asked) -> Json<Value> {
    let mut known = known.lock().unwrap();
    let events = &known.room(&room).events;
    let limit: usize = asked["limit"].parse().unwrap();
    let from = asked.get("from").map(|from| from.parse::<usize>().unwrap());
    let (chunk, end): (Vec<_>, _) = if asked["dir"] == "f" {
        let from = from.unwrap_or(0);
        let until = events.len().min(from + limit);
        (events[from..until].iter().collect(), (until < events.len()).then_some(until))
    } else {
        let until = from.unwrap_or(events.len());
        let from = until.saturating_sub(limit);
        (events[from..until].iter().rev().collect(), (from > 0).then_some(from))
    };
    let mut page = json!({ "start": "0", "chunk": chunk });
    if let Some(end) = end {
        page["end"] = end.to_string().into();
    }
    Json(page)
}

async fn event(known: Known, Path((room, event)): Path<(String, String)>) -> Response {
    let mut known = known.lock().unwrap();
    let number: Option<usize> = event.strip_prefix('$').and_then(|number| number.parse().ok());
    match number.and_then(|number| known.room(&room).events.get(number)) {
        Some(event) => Json(event.clone()).into_response(),
        None => absent(),
    }
}

async fn upload(known: Known, bytes: Bytes) -> Json<Value> {
    let path = {
        let mut known = known.lock().unwrap();
        known.files += 1;
        known.media.join(known.files.to_string())
    };
    tokio::fs::write(&path, bytes).await.unwrap();
    let file = path.file_name().unwrap().to_str().unwrap();
    Json(json!({ "content_uri": format!("mxc://tchap.test/{file}") }))
}

async fn download(known: Known, Path((_, file)): Path<(String, String)>) -> Vec<u8> {
    let path = known.lock().unwrap().media.join(file);
    tokio::fs::read(path).await.unwrap()
}
