//! The flavours of Tchap's access-rules module, asked by an ordinary person's client: what our
//! rooms are built on. passerelle has no part in this.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::member::Member;
use super::support::synapse::{AccessRules, Encryption, Options, RateLimits, Synapse};

const RULES: &str = "im.vector.room.access_rules";
const EXTERNAL: &str = "@pat.martin-cabinet.fr:ext.test";
const MEGOLM: &str = "m.megolm.v1.aes-sha2";

#[tokio::test]
async fn the_published_module_makes_each_private_kind_and_refuses_the_rest() {
    let server = Server::start(AccessRules::Published, Encryption::AsAsked).await;
    let alix = &server.alix;
    each_private_kind(alix).await;

    // It adds the rule and nothing else, and keeps what it is given.
    let room = alix.create_room(json!({ "preset": "private_chat" })).await;
    assert_eq!(content(alix, &room, RULES).await, json!({ "rule": "restricted" }));
    let history = content(alix, &room, "m.room.history_visibility").await;
    assert_eq!(history["history_visibility"], "shared");
    let levels = content(alix, &room, "m.room.power_levels").await;
    assert_eq!((&levels["invite"], &levels["state_default"]), (&json!(50), &json!(100)));

    impossible_rooms(alix).await;
    let twelve = json!({ "preset": "private_chat", "room_version": "12" });
    let error = refused(alix, StatusCode::BAD_REQUEST, &create(alix, twelve).await);
    assert!(error.contains("must not appear in content.users"), "{error}");

    let forbidden = "This event is not allowed in this context";
    one_way_and_closed(alix, forbidden).await;
    // The same rule again is a change that is no change; an external is not invited.
    let room = alix.create_room(json!({ "preset": "private_chat" })).await;
    let same = alix.set_state(&room, RULES, json!({ "rule": "restricted" })).await;
    assert_eq!(refused(alix, StatusCode::FORBIDDEN, &same), forbidden);
    let external = invite(alix, &room, EXTERNAL).await;
    assert_eq!(refused(alix, StatusCode::FORBIDDEN, &external), forbidden);
    history_is_for_those_who_were_there(&server).await;
}

#[tokio::test]
async fn the_newer_module_adds_what_clients_look_for_and_forces_encryption() {
    let server = Server::start(AccessRules::Newer, Encryption::AsAsked).await;
    let alix = &server.alix;
    each_private_kind(alix).await;

    let room = alix.create_room(json!({ "preset": "private_chat" })).await;
    let rules = json!({ "rule": "restricted", "visibility": "private" });
    assert_eq!(content(alix, &room, RULES).await, rules);
    let history = content(alix, &room, "m.room.history_visibility").await;
    assert_eq!(history["history_visibility"], "invited");
    assert_eq!(content(alix, &room, "m.room.encryption").await["algorithm"], MEGOLM);
    let levels = content(alix, &room, "m.room.power_levels").await;
    assert_eq!((&levels["invite"], &levels["state_default"]), (&json!(50), &json!(100)));
    assert_eq!(levels["events"]["m.call.member"], 0);

    impossible_rooms(alix).await;
    let twelve = json!({ "preset": "private_chat", "room_version": "12" });
    let error = refused(alix, StatusCode::BAD_REQUEST, &create(alix, twelve).await);
    assert!(error.contains("must not appear in content.users"), "{error}");

    one_way_and_closed(alix, "This message has been rejected as probable spam").await;
    // The same rule may be sent again, and a change repeats the other keys.
    let room = alix.create_room(kind("restricted", false)).await;
    let mut rules = content(alix, &room, RULES).await;
    let same = alix.set_state(&room, RULES, rules.clone()).await;
    assert_eq!(same.0, StatusCode::OK, "{}", same.1);
    let forgetful = alix.set_state(&room, RULES, json!({ "rule": "unrestricted" })).await;
    refused(alix, StatusCode::FORBIDDEN, &forgetful);
    rules["rule"] = json!("unrestricted");
    let careful = alix.set_state(&room, RULES, rules).await;
    assert_eq!(careful.0, StatusCode::OK, "{}", careful.1);

    // A forum keeps open and unencrypted.
    let forum = json!({ "preset": "public_chat", "visibility": "public", "name": "Forum" });
    let room = alix.create_room(forum).await;
    assert_eq!(content(alix, &room, RULES).await["visibility"], "public");
    for (event_type, change) in [
        ("m.room.encryption", json!({ "algorithm": MEGOLM })),
        ("m.room.join_rules", json!({ "join_rule": "invite" })),
    ] {
        let change = alix.set_state(&room, event_type, change).await;
        refused(alix, StatusCode::FORBIDDEN, &change);
    }
    history_is_for_those_who_were_there(&server).await;
}

#[tokio::test]
async fn the_newer_module_lets_no_external_make_a_room() {
    let synapse = Synapse::start(Options {
        access_rules: AccessRules::Newer,
        server_name: Some("ext.test".to_owned()),
        ..Options::default()
    })
    .await;
    let pat = Member::new(synapse.base_url(), &synapse.register_user("pat").await);
    let made = create(&pat, json!({ "preset": "private_chat" })).await;
    let error = refused(&pat, StatusCode::FORBIDDEN, &made);
    assert!(error.contains("cannot create rooms"), "{error}");
}

#[tokio::test]
async fn a_server_that_encrypts_by_default_ignores_the_word_against_it() {
    // The room is encrypted, and its rules still say that it is not: only reading back tells.
    let server = Server::start(AccessRules::Published, Encryption::Forced).await;
    let room = server.alix.create_room(kind("restricted", false)).await;
    let rules = content(&server.alix, &room, RULES).await;
    assert_eq!(rules["force_unencrypted_at_creation"], true);
    assert_eq!(content(&server.alix, &room, "m.room.encryption").await["algorithm"], MEGOLM);
}

struct Server {
    synapse: Synapse,
    alix: Member,
}

impl Server {
    async fn start(access_rules: AccessRules, encryption: Encryption) -> Self {
        let rate_limits = RateLimits::Off;
        let options = Options { encryption, rate_limits, access_rules, ..Options::default() };
        let synapse = Synapse::start(options).await;
        let alix = Member::new(synapse.base_url(), &synapse.register_user("alix").await);
        Self { synapse, alix }
    }
}

/// The body of `createRoom` for a private kind, as Tchap's web client sends it.
fn kind(rule: &str, encrypted: bool) -> Value {
    let state =
        |kind: &str, content: Value| json!({ "type": kind, "state_key": "", "content": content });
    let mut rules = json!({ "rule": rule });
    let mut events = vec![
        state("m.room.join_rules", json!({ "join_rule": "invite" })),
        state("m.room.history_visibility", json!({ "history_visibility": "shared" })),
        state("m.room.guest_access", json!({ "guest_access": "forbidden" })),
    ];
    if encrypted {
        events.push(state("m.room.encryption", json!({ "algorithm": MEGOLM })));
    } else {
        rules["visibility"] = json!("private");
        rules["force_unencrypted_at_creation"] = json!(true);
    }
    events.push(state(RULES, rules));
    json!({
        "name": "Salon", "preset": "private_chat", "visibility": "private", "room_version": "11",
        "creation_content": { "m.federate": true }, "initial_state": events,
    })
}

async fn each_private_kind(alix: &Member) {
    for (rule, encrypted) in [
        ("restricted", true),
        ("unrestricted", true),
        ("restricted", false),
        ("unrestricted", false),
    ] {
        let room = alix.create_room(kind(rule, encrypted)).await;
        let rules = content(alix, &room, RULES).await;
        assert_eq!(rules["rule"], rule);
        let encryption = alix.state_content(&room, "m.room.encryption", "").await;
        assert_eq!(encryption.is_some(), encrypted, "{rule}");
        if !encrypted {
            assert_eq!(rules["visibility"], "private");
            assert_eq!(rules["force_unencrypted_at_creation"], true);
        }
        for (event_type, key, value) in [
            ("m.room.history_visibility", "history_visibility", "shared"),
            ("m.room.guest_access", "guest_access", "forbidden"),
            ("m.room.join_rules", "join_rule", "invite"),
            ("m.room.create", "room_version", "11"),
        ] {
            assert_eq!(content(alix, &room, event_type).await[key], value);
        }
    }
}

/// What neither flavour makes.
async fn impossible_rooms(alix: &Member) {
    let rules =
        |rule: &str| json!([{ "type": RULES, "state_key": "", "content": { "rule": rule } }]);
    let levels =
        |levels: Value| json!({ "preset": "private_chat", "power_level_content_override": levels });
    let mut open_handed = levels(json!({ "users": { EXTERNAL: 50 } }));
    open_handed["initial_state"] = rules("unrestricted");
    for (body, error) in [
        (levels(json!({ "invite": 0 })), "Invalid power levels content override"),
        (levels(json!({ "state_default": 50 })), "Invalid power levels content override"),
        (open_handed, "Invalid power levels content override"),
        (json!({ "initial_state": rules("open") }), "Invalid access rule"),
        (json!({ "is_direct": true, "initial_state": rules("restricted") }), "Invalid access rule"),
    ] {
        let made = create(alix, body.clone()).await;
        assert_eq!(refused(alix, StatusCode::BAD_REQUEST, &made), error, "{body}");
    }
}

/// A room that was opened is never closed again, and a direct room has no name.
async fn one_way_and_closed(alix: &Member, error: &str) {
    let room = alix.create_room(kind("unrestricted", true)).await;
    let mut rules = content(alix, &room, RULES).await;
    rules["rule"] = json!("restricted");
    let back = alix.set_state(&room, RULES, rules).await;
    assert_eq!(refused(alix, StatusCode::FORBIDDEN, &back), error);
    let room = alix.create_room(json!({ "is_direct": true, "preset": "private_chat" })).await;
    assert_eq!(content(alix, &room, RULES).await["rule"], "direct");
    let named = alix.set_state(&room, "m.room.name", json!({ "name": "Nous" })).await;
    assert_eq!(refused(alix, StatusCode::FORBIDDEN, &named), error);
}

/// Why our rooms say `shared`: with Tchap's own default, who comes later reads nothing.
async fn history_is_for_those_who_were_there(server: &Server) {
    let zoe = Member::new(server.synapse.base_url(), &server.synapse.register_user("zoe").await);
    for (history, seen) in [("invited", false), ("shared", true)] {
        let mut body = kind("restricted", false);
        body["initial_state"][1]["content"]["history_visibility"] = json!(history);
        let room = server.alix.create_room(body).await;
        let said = json!({ "msgtype": "m.text", "body": "avant" });
        let event = server.alix.send(&room, "before", said).await;
        server.alix.invite(&room, zoe.user_id()).await;
        zoe.join(&room).await;
        assert_eq!(zoe.event(&room, &event).await.is_some(), seen, "{history}");
    }
}

type Answer = (StatusCode, Value);

async fn create(member: &Member, body: Value) -> Answer {
    member.call(Method::POST, &["v3", "createRoom"], &[], Some(body)).await
}

async fn invite(member: &Member, room: &str, user: &str) -> Answer {
    let path = ["v3", "rooms", room, "invite"];
    member.call(Method::POST, &path, &[], Some(json!({ "user_id": user }))).await
}

fn refused(member: &Member, status: StatusCode, answer: &Answer) -> String {
    assert_eq!(answer.0, status, "{}: {}", member.user_id(), answer.1);
    answer.1["error"].as_str().unwrap().to_owned()
}

async fn content(member: &Member, room: &str, event_type: &str) -> Value {
    member.state_content(room, event_type, "").await.unwrap_or_default()
}
