//! What the homeserver says to us: who may say it, that it is stored before it is answered, and
//! that nothing is acted upon twice or missed.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::member::Member;
use super::support::proxy::{Action, Proxy, Rule};
use super::support::synapse::free_port;
use super::support::world::{Setting, Wire, World};

const PATIENCE: Duration = Duration::from_secs(30);
/// The bot's answers carry a transaction id of their own.
const ANSWERING: &str = "PUT */send/m.room.message/answer-*";

#[tokio::test(flavor = "multi_thread")]
async fn the_homeserver_is_believed_once_and_only_with_its_token() {
    let mut world = World::start(Setting { wire: Wire::Proxied, ..Setting::default() }).await;
    tokens(&world).await;
    let (_, archive) = world.sample(31, 8, 0);
    let job = world.import(&archive).await;
    world.follow(&job).await.done();
    let room = world.room(&job).await;
    let member = world.eyes(&world.member);
    member.join(&room).await;
    repetitions(&mut world, &member, &room).await;
    stored_before_answered(&mut world, &member, &room).await;
    read_up(&mut world, &member, &room).await;
    let said = world.cli(&["registration", "check", "--file", "registration.yaml"]).await.done();
    for check in ["ok     file", "ok     token", "ok     ping"] {
        assert!(said.err.contains(check), "{said:#?}");
    }
}

/// Between the arrival of a transaction and its answer the homeserver dies. What was in it is
/// acted upon once, and what is said afterwards arrives.
#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_killed_inside_a_transaction_is_answered_once() {
    let address = format!("127.0.0.1:{}", free_port());
    let towards_us = Proxy::start(&format!("http://{address}")).await;
    let mut world = World::start(Setting {
        wire: Wire::Proxied,
        config: vec![
            ("APPSERVICE__URL", towards_us.base_url().to_owned()),
            ("APPSERVICE__LISTEN", address),
        ],
        ..Setting::default()
    })
    .await;
    let (_, archive) = world.sample(32, 8, 0);
    let job = world.import(&archive).await;
    world.follow(&job).await.done();
    let room = world.room(&job).await;
    let member = world.eyes(&world.member);
    member.join(&room).await;
    fence(&member, &room, "k1").await;
    let hold = towards_us.set(Rule::new("PUT */transactions/*", Action::HoldResponse));
    let command = member.send(&room, "k2", text("!passerelle etat")).await;
    towards_us.wait_until_held(hold, PATIENCE).await;
    world.synapse.kill().await;
    towards_us.clear();
    world.synapse.restart().await;
    answer_to(&member, &room, &command).await;
    fence(&member, &room, "k3").await;
    // The answer itself may have been on its way when the homeserver died, and be sent again.
    assert_eq!(answers(&member, &room, &command).await.len(), 1);
}

async fn tokens(world: &World) {
    let token = hs_token(world);
    let empty = || Some(json!({ "events": [] }).to_string().into_bytes());
    let calls = [
        (Method::PUT, "/_matrix/app/v1/transactions/1", empty(), StatusCode::OK),
        (Method::PUT, "/transactions/2", empty(), StatusCode::OK),
        (Method::POST, "/_matrix/app/v1/ping", Some(b"{}".to_vec()), StatusCode::OK),
        (
            Method::GET,
            "/_matrix/app/v1/users/@_passerelle_x:tchap.test",
            None,
            StatusCode::NOT_FOUND,
        ),
        (Method::GET, "/_matrix/app/v1/rooms/%23x:tchap.test", None, StatusCode::NOT_FOUND),
    ];
    for (method, path, body, expected) in calls {
        let call = async |token: Option<&str>, path: &str| {
            say(world, method.clone(), path, token, body.clone()).await
        };
        let (status, answer) = call(None, path).await;
        assert_eq!(
            (status, &answer["errcode"]),
            (StatusCode::UNAUTHORIZED, &json!("M_MISSING_TOKEN"))
        );
        for wrong in ["x", &token[1..], &format!("{token}x")] {
            let (status, answer) = call(Some(wrong), path).await;
            let refused = (status, &answer["errcode"]);
            assert_eq!(refused, (StatusCode::FORBIDDEN, &json!("M_FORBIDDEN")), "{path} {wrong:?}");
        }
        assert_eq!(call(Some(&token), path).await.0, expected, "{method} {path}");
        // The old form, which some homeservers still use.
        let old = format!("{path}?access_token={token}");
        assert_eq!(call(None, &old).await.0, expected, "{method} {path}");
    }
    let path = "/_matrix/app/v1/transactions/3";
    let (status, _) = say(world, Method::PUT, path, Some(&token), Some(b"{".to_vec())).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let large = format!("{{\"events\":[],\"x\":\"{}\"}}", "x".repeat(33 << 20));
    let (status, _) = say(world, Method::PUT, path, Some(&token), Some(large.into_bytes())).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let nameless = json!({ "events": [{ "type": "m.room.message" }, 3] }).to_string();
    let (status, _) =
        say(world, Method::PUT, path, Some(&token), Some(nameless.into_bytes())).await;
    assert_eq!(status, StatusCode::OK, "what cannot be handled is not asked for again for ever");
}

/// The same event in the same transaction, in another, and after a restart.
async fn repetitions(world: &mut World, member: &Member, room: &str) {
    let command = member.send(room, "c1", text("!passerelle etat")).await;
    let answer = answer_to(member, room, &command).await;
    assert_eq!(answer["sender"], "@_passerelle_bot:tchap.test");
    assert_eq!(answer["content"]["msgtype"], "m.notice");
    assert!(answer["content"]["body"].as_str().unwrap().contains("Cellule d’essai"), "{answer}");
    let event = member.event(room, &command).await.unwrap();
    for id in ["again", "again", "another"] {
        assert_eq!(transaction(world, id, &event).await, StatusCode::OK);
    }
    fence(member, room, "f1").await;
    world.stop_daemon().await;
    world.start_daemon().await;
    for id in ["again", "after-the-restart"] {
        assert_eq!(transaction(world, id, &event).await, StatusCode::OK);
    }
    fence(member, room, "f2").await;
    assert_answered_once(world, member, room, &command).await;
    assert!(world.metric("passerelle_repeated_events_total").await >= 2);
}

/// While the handler hangs, a transaction is answered; killed then, the daemon still knows it.
async fn stored_before_answered(world: &mut World, member: &Member, room: &str) {
    world.proxy().set(Rule::new(ANSWERING, Action::HoldRequest));
    let first = member.send(room, "c2", text("!passerelle aide")).await;
    let held = |all: &[super::support::proxy::Exchange]| all.iter().find(|one| one.held).cloned();
    world.proxy().wait_for(PATIENCE, held).await;
    let second = json!({
        "event_id": "$of-no-homeserver", "room_id": room, "sender": member.user_id(),
        "type": "m.room.message", "origin_server_ts": 1, "content": text("!passerelle bidule"),
    });
    let asked = Instant::now();
    assert_eq!(transaction(world, "while-busy", &second).await, StatusCode::OK);
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    world.kill_daemon();
    // Let go before the proxy has seen the end, the request would still reach the homeserver.
    let abandoned = |all: &[super::support::proxy::Exchange]| {
        all.iter().find(|one| one.abandoned.is_some()).cloned()
    };
    world.proxy().wait_for(PATIENCE, abandoned).await;
    world.proxy().clear();
    world.start_daemon().await;
    answer_to(member, room, &first).await;
    let unknown = answer_to(member, room, "$of-no-homeserver").await;
    assert!(unknown["content"]["body"].as_str().unwrap().contains("bidule"), "{unknown}");
    fence(member, room, "f3").await;
    assert_answered_once(world, member, room, &first).await;
    assert_answered_once(world, member, room, "$of-no-homeserver").await;
}

/// What no transaction ever brings is read from the room when the daemon starts.
async fn read_up(world: &mut World, member: &Member, room: &str) {
    world.stop_daemon().await;
    let command = member.send(room, "c4", text("!passerelle etat")).await;
    // Where the homeserver looks for us nobody listens now.
    let address = world.appservice_url();
    let elsewhere = format!("127.0.0.1:{}", free_port());
    world.configure("APPSERVICE__LISTEN", &elsewhere);
    world.start_daemon().await;
    answer_to(member, room, &command).await;
    assert_eq!(world.metric("passerelle_transactions_total").await, 0);
    assert!(world.metric("passerelle_recovered_events_total").await >= 1);
    // And when the transaction comes after all, it is old news; nor is the room read up twice.
    world.stop_daemon().await;
    world.configure("APPSERVICE__LISTEN", address.trim_start_matches("http://"));
    world.start_daemon().await;
    let event = member.event(room, &command).await.unwrap();
    assert_eq!(transaction(world, "late", &event).await, StatusCode::OK);
    let last = json!({
        "event_id": "$last", "room_id": room, "sender": member.user_id(),
        "type": "m.room.message", "origin_server_ts": 1, "content": text("!passerelle aide"),
    });
    assert_eq!(transaction(world, "last", &last).await, StatusCode::OK);
    answer_to(member, room, "$last").await;
    assert_answered_once(world, member, room, &command).await;
}

/// A later command's answer: everything before it was handled.
async fn fence(member: &Member, room: &str, transaction: &str) {
    let command = member.send(room, transaction, text("!passerelle aide")).await;
    answer_to(member, room, &command).await;
}

async fn answer_to(member: &Member, room: &str, command: &str) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = answers(member, room, command).await.pop() {
            return answer;
        }
        assert!(Instant::now() < until, "nobody answered {command}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn answers(member: &Member, room: &str, command: &str) -> Vec<Value> {
    let mut events = member.messages(room, 100).await;
    events.retain(|e| e["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == command);
    events
}

/// Once in the room, and sent once: the homeserver would hide a second send under the same
/// transaction id. A send that was cut off before the homeserver heard of it is none.
async fn assert_answered_once(world: &World, member: &Member, room: &str, command: &str) {
    assert_eq!(answers(member, room, command).await.len(), 1);
    let wanted = format!("/answer-{command}").replace('$', "%24");
    let exchanges = world.proxy().exchanges();
    let sent = exchanges.iter().filter(|one| one.forwarded.is_some());
    let sent = sent.filter(|one| one.path().replace('$', "%24").ends_with(&wanted)).count();
    assert_eq!(sent, 1, "{command}");
}

fn hs_token(world: &World) -> String {
    std::fs::read_to_string(world.path("secrets/hs_token")).unwrap().trim().to_owned()
}

async fn transaction(world: &World, id: &str, event: &Value) -> StatusCode {
    let path = format!("/_matrix/app/v1/transactions/{id}");
    let body = json!({ "events": [event] }).to_string().into_bytes();
    say(world, Method::PUT, &path, Some(&hs_token(world)), Some(body)).await.0
}

async fn say(
    world: &World,
    method: Method,
    path: &str,
    token: Option<&str>,
    body: Option<Vec<u8>>,
) -> (StatusCode, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.request(method, format!("{}{path}", world.appservice_url()));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.header("Content-Type", "application/json").body(body);
    }
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap_or(Value::Null))
}

fn text(body: &str) -> Value {
    json!({ "msgtype": "m.text", "body": body })
}
