//! `passerelle doctor` on a right installation, and on many wrong ones.

use std::os::unix::fs::PermissionsExt;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use passerelle::doctor::CHECKS;

use super::support::member::Member;
use super::support::proxy::{Action, Reply, Rule};
use super::support::synapse::{AccessRules, Account, Encryption, free_port};
use super::support::world::{Said, Setting, Wire, World, run, text};

/// One examination in both its forms: what was said, and what it means.
struct Examined {
    said: Said,
    json: Value,
}

impl Examined {
    fn check(&self, id: &str) -> &Value {
        let checks = self.json["checks"].as_array().unwrap();
        let mut found = checks.iter().filter(|check| check["id"] == id);
        let check = found.next().unwrap_or_else(|| panic!("no check {id}: {:#}", self.json));
        assert!(found.next().is_none(), "{id} stands there twice");
        check
    }

    /// The check's verdict, and words of what it saw and of its advice.
    fn says(&self, id: &str, verdict: &str, seen: &str, change: &str) -> &Self {
        let check = self.check(id);
        assert_eq!(check["verdict"], verdict, "{check:#}");
        assert!(check["seen"].as_str().unwrap().contains(seen), "`{seen}` is not in {check:#}");
        let advice = check["change"].as_str().unwrap();
        assert!(advice.contains(change), "`{change}` is not in {check:#}");
        assert_eq!(advice.is_empty(), matches!(verdict, "ok" | "skipped"), "{check:#}");
        self
    }

    fn exit(&self, code: i32) -> &Self {
        assert_eq!(self.said.code, code, "{:#}", self.json);
        self
    }

    /// Every check that is neither ok nor skipped is among these.
    fn nothing_but(&self, ids: &[&str]) -> &Self {
        for check in self.json["checks"].as_array().unwrap() {
            let well = check["verdict"] == "ok" || check["verdict"] == "skipped";
            assert!(well || ids.contains(&check["id"].as_str().unwrap()), "{check:#}");
        }
        self
    }
}

/// Runs the doctor; whatever it says, it tells no secret, and every check has its line.
async fn doctor(world: &World, config: &[(&str, &str)], more: &[&str]) -> Examined {
    let said = world.cli_with(config, &[&["doctor", "--json"], more].concat()).await;
    let json: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:#?}"));
    let examined = Examined { said, json };
    for check in &CHECKS {
        let found = examined.check(check.id);
        assert_eq!(found["tried"], check.tries);
        let skipped = found["verdict"] == "skipped";
        let because = found["seen"].as_str().unwrap().starts_with("skipped because ");
        assert_eq!(skipped, because, "{found:#}");
    }
    assert_eq!(examined.json["checks"].as_array().unwrap().len(), CHECKS.len());
    discreet(world, &examined.said);
    examined
}

fn discreet(world: &World, said: &Said) {
    let secret = |name: &str| {
        std::fs::read_to_string(world.path(&format!("secrets/{name}"))).unwrap().trim().to_owned()
    };
    let tokens = [secret("as_token"), secret("hs_token"), world.witness.token.clone()];
    for token in tokens {
        assert!(!said.out.contains(&token) && !said.err.contains(&token), "a secret is told");
    }
}

/// The service's own account with its token.
fn ours(world: &World, name: &str) -> Member {
    let token = std::fs::read_to_string(world.path("secrets/as_token")).unwrap().trim().to_owned();
    let user_id = format!("@_passerelle_{name}:tchap.test");
    Member::new(world.synapse.base_url(), &Account { user_id, token })
}

/// Nobody is in a room any more, and no device is left.
async fn nothing_is_left(world: &World) {
    for name in ["bot", "doctor"] {
        let account = ours(world, name);
        let as_it = [("user_id", account.user_id())];
        let (status, rooms) =
            account.call(Method::GET, &["v3", "joined_rooms"], &as_it, None).await;
        assert_eq!((status, &rooms["joined_rooms"]), (StatusCode::OK, &Value::from(vec![""; 0])));
        let (_, devices) = account.call(Method::GET, &["v3", "devices"], &as_it, None).await;
        let devices = devices["devices"].as_array().unwrap();
        assert!(devices.iter().all(|d| d["device_id"] != "PASSERELLE_DOCTOR"), "{devices:#?}");
    }
    let witness = world.eyes(&world.witness);
    let (_, rooms) = witness.call(Method::GET, &["v3", "joined_rooms"], &[], None).await;
    assert_eq!(rooms["joined_rooms"], Value::from(vec![""; 0]));
    assert_eq!(witness.invitations().await, [] as [String; 0]);
}

/// What differs from run to run.
fn without_the_volatile(world: &World, said: &str) -> String {
    let counted = |word: &str, unit: &str| {
        word.parse::<u64>().is_ok() && unit.starts_with(['m', 's', 'f', 'e', 'M'])
    };
    let said = said.replace(text(world.dir.path()), "HERE");
    let lines = said.lines().map(|line| {
        let line = line.find("mxc://").map_or(line, |at| &line[..at]);
        let line = line.find(" dated 2").map_or(line, |at| &line[..at]);
        let words: Vec<&str> = line.split(' ').collect();
        let next = |at: usize| words.get(at + 1).copied().unwrap_or_default();
        let told = |(at, word): (usize, &&str)| {
            if counted(word, next(at)) { "N".to_owned() } else { (*word).to_owned() }
        };
        words.iter().enumerate().map(told).collect::<Vec<_>>().join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_installation_is_said_to_be_right_and_each_wrong_key_is_named() {
    let mut world =
        World::without_daemon(Setting { wire: Wire::Proxied, ..Setting::default() }).await;

    // Without the daemon the doctor listens itself.
    let examined = doctor(&world, &[], &[]).await;
    examined.exit(0).nothing_but(&[]);
    examined.says("daemon", "ok", "listens in its place", "");
    nothing_is_left(&world).await;
    let said = world.cli(&["doctor"]).await.done();
    discreet(&world, &said);
    assert!(said.err.contains("0 error(s), 0 warning(s)"), "{said:#?}");
    insta::assert_snapshot!("right", without_the_volatile(&world, &said.out));
    nothing_is_left(&world).await;

    wrong_with_our_keys(&world).await;
    wrong_with_the_homeserver(&world).await;
    wrong_with_this_machine(&world).await;
    nothing_is_left(&world).await;

    // With the daemon it asks the daemon.
    world.start_daemon().await;
    let examined = doctor(&world, &[], &[]).await;
    examined.exit(0).nothing_but(&[]);
    examined.says("daemon", "ok", "it runs", "");
    examined.says("store", "ok", "the one before", "");
    nothing_is_left(&world).await;
    assert!(world.metric("passerelle_inbox_events").await == 0, "the bot had nothing to answer");
}

async fn wrong_with_our_keys(world: &World) {
    let examined = doctor(
        world,
        &[("APPSERVICE__AS_TOKEN_FILE", ""), ("APPSERVICE__AS_TOKEN", "elsewhere")],
        &[],
    )
    .await;
    examined.exit(10).says(
        "token",
        "error",
        "does not accept the token",
        "install the registration",
    );
    examined.says("registration.file", "error", "as_token", "registration generate --force");
    examined.says("room.create", "skipped", "the bot cannot act", "");
    examined.says("witness.token", "ok", "temoin-passerelle", "");

    let examined = doctor(
        world,
        &[("APPSERVICE__HS_TOKEN_FILE", ""), ("APPSERVICE__HS_TOKEN", "elsewhere")],
        &[],
    )
    .await;
    examined.exit(10).says("ping", "error", "refuses the homeserver's token", "hs_token");
    examined.nothing_but(&["ping", "registration.file"]);
    examined.says("transactions.arrive", "skipped", "does not reach us", "");

    let elsewhere = format!("127.0.0.1:{}", free_port());
    let examined = doctor(world, &[("APPSERVICE__LISTEN", &elsewhere)], &[]).await;
    examined.exit(10).says("ping", "error", "cannot connect", "appservice.listen");
    examined.nothing_but(&["ping"]);

    let examined = doctor(world, &[("MATRIX__SERVER_NAME", "elsewhere.test")], &[]).await;
    let change = "matrix.server_name = \"tchap.test\"";
    examined.exit(10).says("token", "error", "calls itself tchap.test", change);

    let examined = doctor(
        world,
        &[("APPSERVICE__USER_PREFIX", "_pont_"), ("APPSERVICE__BOT_LOCALPART", "_pont_bot")],
        &[],
    )
    .await;
    examined.exit(10).says("bot", "error", "not in the installed namespace", "user_prefix");

    let examined = doctor(world, &[("ROOMS__VERSION", "12")], &[]).await;
    examined.exit(10).says("room.create", "error", "version 12", "rooms.version = \"11\"");
    examined.nothing_but(&["room.create"]);
    examined.says("media.download", "ok", "the same bytes", "");

    let none = ("WITNESS__TOKEN_FILE", "");
    let examined = doctor(world, &[none], &[]).await;
    examined.exit(10).says("witness.token", "error", "no witness", "witness.token_file");
    examined.says("room.retention", "skipped", "no witness", "");
    examined.says("transactions.to_device", "ok", "brought it", "");
    let examined = doctor(world, &[none, ("WITNESS__TOKEN", "syt_revoked")], &[]).await;
    examined.exit(10).says("witness.token", "error", "does not accept", "log in as the witness");
    let token = std::fs::read_to_string(world.path("secrets/as_token")).unwrap();
    let examined = doctor(world, &[none, ("WITNESS__TOKEN", token.trim())], &[]).await;
    examined.exit(10).says("witness.ordinary", "error", "our own accounts", "ordinary account");
    examined.nothing_but(&["witness.ordinary"]);
}

async fn wrong_with_the_homeserver(world: &World) {
    let nowhere = ("MATRIX__HOMESERVER_URL", "http://127.0.0.1:9");
    let examined = doctor(world, &[nowhere], &[]).await;
    examined.exit(10).says("homeserver.reach", "error", "did not answer", "homeserver_url");
    examined.nothing_but(&["homeserver.reach"]);

    let years_ahead = Action::Redate("Tue, 01 Jan 2030 10:00:00 GMT".to_owned());
    world.proxy().set(Rule::new("GET /_matrix/client/versions", years_ahead));
    let examined = doctor(world, &[], &[]).await;
    examined.exit(10).says("clock", "error", "behind the homeserver's", "time synchronisation");
    examined.nothing_but(&["clock"]);
    world.proxy().clear();

    let refused = Action::Answer(Reply::error(404, "M_UNRECOGNIZED"));
    world.proxy().set(Rule::new("PUT /_matrix/client/v3/devices/*", refused));
    let examined = doctor(world, &[], &[]).await;
    examined.exit(10).says("device.create", "error", "M_UNRECOGNIZED", "io.element.msc4190");
    examined.nothing_but(&["device.create", "room.repeats"]);
    examined.says("device.keys", "skipped", "no device", "");
    assert!(examined.json["ask"].as_str().unwrap().contains("io.element.msc4190: true"));
    world.proxy().clear();

    let examined = doctor(world, &[("IMPORT__MAX_FILE_BYTES", "1000000000")], &[]).await;
    examined.exit(11).says("media.limit", "warning", "52 MB", "max_file_bytes");
    assert!(examined.json["ask"].as_str().unwrap().contains("max_upload_size: 954M"));
}

async fn wrong_with_this_machine(world: &World) {
    let token = world.path("secrets/as_token");
    let mode = |mode| std::fs::set_permissions(&token, PermissionsExt::from_mode(mode)).unwrap();
    mode(0o644);
    let wide = format!("0.0.0.0:{}", free_port());
    let archive = std::fs::File::create(world.path("large.zip")).unwrap();
    archive.set_len(1 << 43).unwrap();
    let nowhere = ("MATRIX__HOMESERVER_URL", "http://127.0.0.1:9");
    let wrong = [nowhere, ("OPERATOR__LISTEN", wide.as_str())];
    let examined = doctor(world, &wrong, &["--archive", "large.zip"]).await;
    examined.exit(10).says("secrets", "error", "every user of this machine", "chmod 600");
    examined.says("listen", "warning", "operator.listen = 0.0.0.0", "firewall");
    examined.says("disk", "error", "this archive needs", "free space");
    mode(0o600);
    let state = world.path("state");
    std::fs::set_permissions(&state, PermissionsExt::from_mode(0o755)).unwrap();
    let examined = doctor(world, &[nowhere], &[]).await;
    examined.says("state", "error", "has mode 755", "chmod 700");
    std::fs::set_permissions(&state, PermissionsExt::from_mode(0o700)).unwrap();

    let said = world.cli_with(&[("ROOMS__PROFILE", "olvid")], &["doctor"]).await;
    assert_eq!(said.code, 10, "{said:#?}");
    assert!(said.out.starts_with("error    config\n"), "{said:#?}");
    assert!(said.out.contains("ROOMS__PROFILE") && said.out.contains("config init"), "{said:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_was_not_told_anything_is_asked_for_the_exact_settings() {
    let unaware = |registration: &str| {
        registration
            .replace("rate_limited: false", "rate_limited: true")
            .replace("receive_ephemeral: true", "receive_ephemeral: false")
            .replace("push_ephemeral: true", "push_ephemeral: false")
            .replace("org.matrix.msc3202: true", "org.matrix.msc3202: false")
    };
    let world = World::without_daemon(Setting {
        wire: Wire::Direct,
        encryption: Encryption::Forced,
        retention_days: Some(365),
        registration: Some(unaware),
        synapse: vec![("experimental_features", "{}")],
        ..Setting::default()
    })
    .await;
    let examined = doctor(&world, &[], &[]).await;
    examined.exit(10);
    examined.says("registration.file", "error", "rate_limited", "registration generate --force");
    examined.says("rate.limits", "error", "asked for a pause", "rate_limited: false");
    examined.says("transactions.arrive", "ok", "brought the ghost's message", "");
    let flag = "msc2409_to_device_messages_enabled";
    examined.says("transactions.to_device", "warning", "no transaction", flag);
    examined.says("transactions.key_counts", "skipped", "did not come", "");
    let flag = "msc3202_transaction_extensions";
    examined.says("transactions.device_lists", "warning", "no transaction", flag);
    examined.says("room.encryption", "error", "encrypts every private room", "off");
    let seen = "hidden from members; one of 90 days ago is visible";
    examined.says("room.retention", "error", seen, "leave out older messages");
    examined.says("room.timestamp", "ok", "the date it was sent with", "");
    insta::assert_snapshot!("ask", examined.json["ask"].as_str().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_rules_module_is_recognised_and_compared_with_the_configuration() {
    let setting = |access_rules| Setting { access_rules, ..Setting::default() };
    let newer = World::without_daemon(setting(AccessRules::Newer)).await;
    let examined = doctor(&newer, &[], &[]).await;
    examined.exit(0).nothing_but(&[]).says("room.rules", "ok", "(v2)", "");
    drop(newer);

    let without = World::without_daemon(setting(AccessRules::None)).await;
    let examined = doctor(&without, &[("ROOMS__PROFILE", "generic")], &[]).await;
    examined.exit(0).nothing_but(&[]).says("room.rules", "ok", "no access-rules module", "");
    let examined = doctor(&without, &[], &[]).await;
    examined.exit(11).nothing_but(&["room.rules"]);
    examined.says("room.rules", "warning", "no Tchap homeserver", "rooms.profile = \"generic\"");
    let examined = doctor(&without, &[("ROOMS__ACCESS_RULES", "v1")], &[]).await;
    examined.exit(10).says("room.rules", "error", "says another", "rooms.access_rules = \"none\"");
}

#[tokio::test]
async fn without_a_configuration_it_says_so_and_skips_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let said = run(dir.path(), &[], &["doctor", "--json"]).await;
    assert_eq!(said.code, 10, "{said:#?}");
    let json: Value = serde_json::from_str(&said.out).unwrap();
    let examined = Examined { said, json };
    examined.says("config", "error", "passerelle.toml", "config init").nothing_but(&["config"]);
}

#[test]
fn the_documentation_lists_every_check_as_the_program_does() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/doctor.md");
    let page = std::fs::read_to_string(page).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let listed: Vec<&str> = rows.collect();
    let wanted: Vec<String> = CHECKS
        .iter()
        .map(|check| format!("| `{}` | {} | {} |", check.id, check.tries, check.mends))
        .collect();
    assert_eq!(listed, wanted);
}
