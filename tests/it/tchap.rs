//! Tchap's rules on a real homeserver: both flavours of its access-rules module, a homeserver
//! without one, and what an operator reads where they stand in the way.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::compare::{assert_log_is_discreet, assert_room_is};
use super::support::member::Member;
use super::support::sample::{Sample, Wanted};
use super::support::synapse::{AccessRules, Encryption, Options, RateLimits, Synapse};
use super::support::world::{Said, Setting, World, approve, edit, run, text};

const RULES: &str = "im.vector.room.access_rules";
const BOT: &str = "@_passerelle_bot:tchap.test";
const EXTERNAL: &str = "@pat.martin-cabinet.fr:ext.test";
const MEGOLM: &str = "m.megolm.v1.aes-sha2";

// The modules themselves, asked by an ordinary person's client: what our rooms are built on.

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
    let same = set_state(alix, &room, RULES, json!({ "rule": "restricted" })).await;
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
    let same = set_state(alix, &room, RULES, rules.clone()).await;
    assert_eq!(same.0, StatusCode::OK, "{}", same.1);
    let forgetful = set_state(alix, &room, RULES, json!({ "rule": "unrestricted" })).await;
    refused(alix, StatusCode::FORBIDDEN, &forgetful);
    rules["rule"] = json!("unrestricted");
    let careful = set_state(alix, &room, RULES, rules).await;
    assert_eq!(careful.0, StatusCode::OK, "{}", careful.1);

    // A forum keeps open and unencrypted.
    let forum = json!({ "preset": "public_chat", "visibility": "public", "name": "Forum" });
    let room = alix.create_room(forum).await;
    assert_eq!(content(alix, &room, RULES).await["visibility"], "public");
    for (event_type, change) in [
        ("m.room.encryption", json!({ "algorithm": MEGOLM })),
        ("m.room.join_rules", json!({ "join_rule": "invite" })),
    ] {
        let change = set_state(alix, &room, event_type, change).await;
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
    let back = set_state(alix, &room, RULES, rules).await;
    assert_eq!(refused(alix, StatusCode::FORBIDDEN, &back), error);
    let room = alix.create_room(json!({ "is_direct": true, "preset": "private_chat" })).await;
    assert_eq!(content(alix, &room, RULES).await["rule"], "direct");
    let named = set_state(alix, &room, "m.room.name", json!({ "name": "Nous" })).await;
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

async fn set_state(member: &Member, room: &str, event_type: &str, body: Value) -> Answer {
    let path = ["v3", "rooms", room, "state", event_type, ""];
    member.call(Method::PUT, &path, &[], Some(body)).await
}

async fn invite(member: &Member, room: &str, user: &str) -> Answer {
    let path = ["v3", "rooms", room, "invite"];
    member.call(Method::POST, &path, &[], Some(json!({ "user_id": user }))).await
}

async fn leave(member: &Member, room: &str) {
    let path = ["v3", "rooms", room, "leave"];
    let (status, answer) = member.call(Method::POST, &path, &[], Some(json!({}))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

fn refused(member: &Member, status: StatusCode, answer: &Answer) -> String {
    assert_eq!(answer.0, status, "{}: {}", member.user_id(), answer.1);
    answer.1["error"].as_str().unwrap().to_owned()
}

async fn content(member: &Member, room: &str, event_type: &str) -> Value {
    member.state_content(room, event_type, "").await.unwrap_or_default()
}

// passerelle on each of them.

#[tokio::test(flavor = "multi_thread")]
async fn a_room_open_to_externals_in_a_space_on_the_newer_module() {
    let mut world = World::start(Setting {
        access_rules: AccessRules::Newer,
        config: vec![("ROOMS__EXTERNAL_PREFIXES", "ext.".to_owned())],
        ..Setting::default()
    })
    .await;
    let admin = world.eyes(&world.admin);
    let space = json!({ "name": "Cabinet", "creation_content": { "type": "m.space" } });
    let space = admin.create_room(space).await;

    let (sample, archive) = world.sample(31, 24, 2);
    let plan = archive.with_file_name("plan.toml");
    let said = world
        .cli(&[
            "import",
            "plan",
            text(&archive),
            "--output",
            text(&plan),
            "--room-kind",
            "private_unencrypted_externals",
            "--space",
            &space,
            "--admin",
            &world.admin.user_id,
            "--invite",
            &world.member.user_id,
        ])
        .await
        .done();
    for words in ["set room.externals_confirmed = true", "nobody external is invited"] {
        assert!(said.err.contains(words), "{said:#?}");
    }
    let written = std::fs::read_to_string(&plan).unwrap();
    assert!(written.contains("# WARNING: accounts on Tchap expire"), "{written}");
    assert!(
        written.contains(r"@_passerelle_.*:tchap\\.test")
            || written.contains(r"@_passerelle_.*:tchap\.test")
    );
    let said = world.cli(&["import", "start", text(&plan)]).await.failed();
    assert!(said.err.contains("externals_confirmed"), "{said:#?}");
    edit(&plan, |plan| {
        let invite = format!("invite = [\"{}\"", world.member.user_id);
        assert!(plan.contains(&invite), "{plan}");
        approve(plan)
            .replace("externals_confirmed = false", "externals_confirmed = true")
            .replace(&invite, &format!("{invite}, \"{EXTERNAL}\""))
    });
    let job = world.start_job(&plan).await;
    world.follow(&job).await.done();
    let recognised = "access-rules module recognised";
    assert!(world.log().contains(recognised) && world.log().contains("v2"), "{}", world.log());

    let plan = std::fs::read_to_string(&plan).unwrap();
    assert_room_is(&world, &job, &sample, &plan).await;
    let room = world.room(&job).await;
    admin.join(&room).await;
    let rules = content(&admin, &room, RULES).await;
    let expected = json!({
        "rule": "unrestricted", "visibility": "private", "force_unencrypted_at_creation": true,
    });
    assert_eq!(rules, expected);
    assert!(admin.state_content(&room, "m.room.encryption", "").await.is_none());
    let history = content(&admin, &room, "m.room.history_visibility").await;
    assert_eq!(history["history_visibility"], "shared");

    what_is_not_as_wished_is_told(&world, &job, &space).await;

    // With the bot in the space and in power there, the next room is listed by itself.
    admin.invite(&space, BOT).await;
    let mut levels = content(&admin, &space, "m.room.power_levels").await;
    levels["users"][BOT] = json!(100);
    let (status, answer) = set_state(&admin, &space, "m.room.power_levels", levels).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let (_, archive) = world.sample(32, 12, 0);
    let second = world.approved(&archive).await;
    edit(&second, |plan| plan.replace("space = \"\"", &format!("space = \"{space}\"")));
    let second = world.start_job(&second).await;
    world.follow(&second).await.done();
    let listed = world.room(&second).await;
    let child = admin.state_content(&space, "m.space.child", &listed).await.unwrap();
    assert_eq!(child["via"], json!(["tchap.test"]));
    assert!(!warned(&world.report(&second).await, "not_in_space"));

    the_last_administrator_stays(&mut world, &second, &listed).await;
    assert_log_is_discreet(&world, &sample);
}

/// The people of the space may come in now; that the space does not list it yet is said, with
/// the external whom this homeserver's federation does not know.
async fn what_is_not_as_wished_is_told(world: &World, job: &str, space: &str) {
    let admin = world.eyes(&world.admin);
    let room = world.room(job).await;
    let joining = content(&admin, &room, "m.room.join_rules").await;
    let allow = json!([{ "type": "m.room_membership", "room_id": space }]);
    assert_eq!(joining, json!({ "join_rule": "restricted", "allow": allow }));
    let report = world.report(job).await;
    assert!(
        warned(&report, "not_in_space") && warned(&report, "accounts_may_expire"),
        "{report:#}"
    );
    assert!(!warned(&report, "no_external"), "{report:#}");
    assert_eq!(report["not_invited"][0]["user"], EXTERNAL);
    assert_eq!(report["not_invited"][0]["refusal"], "federation_denied");
    let read = world.cli(&["import", "report", job]).await.done().out;
    for words in [
        "Salon privé non chiffré, ouvert aux externes",
        "ne fait pas partie de la fédération",
        space,
    ] {
        assert!(read.contains(words), "{read}");
    }
}

fn warned(report: &Value, what: &str) -> bool {
    report["warnings"].as_array().unwrap().iter().any(|one| one["warning"] == what)
}

/// The owner declines and a member is there: were the bot to leave, Tchap's servers would make
/// everybody an administrator. It stays, and says so.
async fn the_last_administrator_stays(world: &mut World, job: &str, room: &str) {
    let (admin, member) = (world.eyes(&world.admin), world.eyes(&world.member));
    leave(&admin, room).await;
    member.join(room).await;
    let said = world.cli(&["import", "cancel", job, "--yes"]).await.done();
    assert!(said.err.contains("the bot stays in the room"), "{said:#?}");
    assert!(member.joined_members(room).await.contains_key(BOT));
    assert_eq!(world.job(job).await["state"], "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_lets_the_bot_pass_leaves_everything_to_it() {
    let world =
        World::start(Setting { access_rules: AccessRules::NewerWithBypass, ..Setting::default() })
            .await;
    let (sample, archive) = world.sample(33, 12, 1);
    let plan = world.approved(&archive).await;
    let job = world.start_job(&plan).await;
    world.follow(&job).await.done();
    let plan = std::fs::read_to_string(&plan).unwrap();
    assert_room_is(&world, &job, &sample, &plan).await;
    let (room, member) = (world.room(&job).await, world.eyes(&world.member));
    let rules = content(&member, &room, RULES).await;
    let expected = json!({
        "rule": "restricted", "visibility": "private", "force_unencrypted_at_creation": true,
    });
    assert_eq!(rules, expected);
    let levels = content(&member, &room, "m.room.power_levels").await;
    assert_eq!((&levels["invite"], &levels["state_default"]), (&json!(50), &json!(100)));
    assert_eq!(levels["users"][&world.admin.user_id], 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generic_homeserver_gets_a_plain_private_room() {
    let world = World::start(Setting {
        access_rules: AccessRules::None,
        config: vec![
            ("ROOMS__PROFILE", "generic".to_owned()),
            // The version that Synapse takes by itself; Tchap's module could not make it.
            ("ROOMS__VERSION", "10".to_owned()),
        ],
        ..Setting::default()
    })
    .await;
    let (sample, archive) = world.sample(34, 40, 4);
    let plan = world.approved(&archive).await;
    let written = std::fs::read_to_string(&plan).unwrap();
    assert!(!written.contains("# WARNING"), "{written}");
    let job = world.start_job(&plan).await;
    world.follow(&job).await.done();
    assert_room_is(&world, &job, &sample, &written).await;
    let (room, member) = (world.room(&job).await, world.eyes(&world.member));
    assert_eq!(member.state_content(&room, RULES, "").await, None);
    assert_eq!(content(&member, &room, "m.room.create").await["room_version"], "10");
    // Synapse alone would let every member of a private room invite.
    let levels = content(&member, &room, "m.room.power_levels").await;
    assert_eq!(levels["invite"], 50);
    assert_eq!(content(&member, &room, "m.room.guest_access").await["guest_access"], "forbidden");
    let report = world.report(&job).await;
    assert_eq!(report["warnings"], json!([]), "{report:#}");
    world.cli(&["import", "cancel", &job, "--yes"]).await.done();
    assert!(!member.joined_members(&room).await.contains_key(BOT));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_version_that_tchaps_module_cannot_make_is_told_in_a_sentence() {
    let mut world = World::start(Setting {
        config: vec![("ROOMS__VERSION", "12".to_owned())],
        ..Setting::default()
    })
    .await;
    let (_, archive) = world.sample(35, 12, 0);
    let job = world.import(&archive).await;
    let said = world.follow(&job).await.failed();
    assert!(said.err.contains("cannot make rooms of version 12"), "{said:#?}");
    assert!(said.hint().contains("rooms.version"), "{said:#?}");
    assert!(world.job(&job).await["room_id"].is_null());
    // As the hint says.
    world.stop_daemon().await;
    world.configure("ROOMS__VERSION", "11");
    world.start_daemon().await;
    world.cli(&["import", "resume", &job, "--wait"]).await.done();
    assert!(world.log().contains("recognised") && world.log().contains("v1"), "{}", world.log());
}

#[tokio::test]
async fn rooms_that_cannot_be_are_refused_before_anything_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let sample = Sample::make(&Wanted::new(36, 12, 0));
    let archive = sample.write_to(dir.path());
    let archive = text(&archive);
    let cli = async |arguments: &[&str]| run(dir.path(), &[], arguments).await;
    let url = "http://127.0.0.1:9";
    let server = "agent.pm.tchap.gouv.fr";
    cli(&["config", "init", "--homeserver-url", url, "--server-name", server]).await.done();

    for (kind, reason) in [
        ("forum", "older than 90 days"),
        ("direct", "holds two people"),
        ("salon", "is no kind of room"),
    ] {
        let said = cli(&["import", "plan", archive, "--offline", "--room-kind", kind]).await;
        assert_eq!(said.code, 2, "{said:#?}");
        assert!(said.err.contains(reason), "{said:#?}");
    }
    let agent = "@chef-pm.gouv.fr:agent.pm.tchap.gouv.fr";
    let external = "@pat-cabinet.fr:agent.externe.tchap.gouv.fr";
    let plan = ["import", "plan", archive, "--offline", "--admin", external, "--invite", external];
    cli(&[&plan[..], &["--admin", agent]].concat()).await.done();
    let path = dir.path().join("plan.toml");
    edit(&path, approve);
    let begin = async |change: &dyn Fn(&str) -> String| -> Said {
        let before = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, change(&before)).unwrap();
        let said = cli(&["import", "start", "plan.toml"]).await.failed();
        std::fs::write(&path, before).unwrap();
        said
    };
    let of = |kind: &'static str| {
        move |plan: &str| plan.replace("\"private_unencrypted\"", &format!("\"{kind}\""))
    };
    let said = begin(&of("private_unencrypted")).await;
    assert!(
        said.err.contains(&format!("{external} is an external, and externals cannot be admin"))
    );
    assert!(said.err.contains("room.kind is closed to externals"), "{said:#?}");
    let said = begin(&of("private_unencrypted_externals")).await;
    assert!(said.err.contains("externals cannot be admin"), "{said:#?}");
    assert!(said.err.contains("set room.externals_confirmed = true"), "{said:#?}");
    let said = begin(&of("private_encrypted")).await;
    assert!(said.err.contains("cannot fill encrypted rooms yet"), "{said:#?}");
    let said = begin(&of("forum")).await;
    assert!(said.err.contains("older than 90 days"), "{said:#?}");
    let spaced = |plan: &str| plan.replace("space = \"\"", "space = \"Cabinet\"");
    let said = begin(&spaced).await;
    assert!(said.err.contains("room.space is `Cabinet`"), "{said:#?}");
}
