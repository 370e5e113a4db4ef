//! The test bed tested: what it says must be so before anything else is believed.

use std::collections::BTreeSet;
use std::io::{Cursor, Read as _};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::member::Member;
use super::proxy::{Action, Proxy, Reply, Rule};
use super::sample::{Names, Sample, Wanted};
use super::synapse::{Account, Encryption, Options, RateLimits, Synapse, free_port};

const PATIENCE: Duration = Duration::from_secs(20);
const SENDING: &str = "PUT */send/m.room.message/*";

#[tokio::test]
async fn a_member_reads_back_what_another_sent_across_a_stop_and_a_kill() {
    let mut synapse = Synapse::start(Options::default()).await;
    let alix = Member::new(synapse.base_url(), &synapse.register_user("alix").await);
    let zoe = Member::new(synapse.base_url(), &synapse.register_user("zoe").await);
    let room = alix.create_room(json!({ "name": "Essai", "preset": "private_chat" })).await;
    alix.invite(&room, zoe.user_id()).await;
    assert_eq!(zoe.invitations().await, [room.as_str()]);
    zoe.join(&room).await;
    let first = alix.send(&room, "t1", text("un")).await;
    synapse.restart().await;
    alix.send(&room, "t2", text("deux")).await;
    synapse.kill().await;
    synapse.restart().await;
    let mxc = alix.upload("text/plain", b"contenu".to_vec()).await;
    alix.send(&room, "t3", json!({ "msgtype": "m.file", "body": "a.txt", "url": mxc })).await;

    let bodies: Vec<_> =
        zoe.messages(&room, 2).await.iter().map(|e| e["content"]["body"].clone()).collect();
    assert_eq!(bodies, ["un", "deux", "a.txt"], "{}", synapse.log());
    let file = zoe.download(&mxc).await;
    // Synapse completes text types; others come back as they went.
    assert_eq!(file.content_type, "text/plain; charset=UTF-8");
    assert_eq!(file.bytes, b"contenu");
    assert_eq!(zoe.event(&room, &first).await.unwrap()["content"]["body"], "un");
    assert!(zoe.event(&room, "$none").await.is_none());
    assert_eq!(zoe.joined_members(&room).await.len(), 2);
    // The public module of Tchap is there, and the version it can create.
    let rules = zoe.state_content(&room, "im.vector.room.access_rules", "").await.unwrap();
    assert_eq!(rules["rule"], "restricted");
    assert_eq!(zoe.state_content(&room, "m.room.create", "").await.unwrap()["room_version"], "11");
    assert!(zoe.state_content(&room, "m.room.encryption", "").await.is_none());
    assert!(zoe.state(&room).await.len() > 5);
}

#[tokio::test]
async fn a_registration_is_accepted_and_its_service_sends_with_old_times() {
    let dir = tempfile::tempdir().unwrap();
    let registration = dir.path().join("registration.yaml");
    std::fs::write(&registration, REGISTRATION).unwrap();
    let port = free_port();
    let synapse = Synapse::start(Options {
        port: Some(port),
        registration: Some(registration),
        retention_days: Some(365),
        encryption: Encryption::Forced,
        max_upload: Some("1M".to_owned()),
        rate_limits: RateLimits::Off,
        ..Options::default()
    })
    .await;
    assert_eq!(synapse.base_url(), format!("http://127.0.0.1:{port}"));
    let service = Account {
        user_id: format!("@_passerelle_bot:{}", synapse.server_name()),
        token: "as-token-of-the-selftest".to_owned(),
    };
    let bot = Member::new(synapse.base_url(), &service);
    let register = json!({
        "type": "m.login.application_service", "username": "_passerelle_bot", "inhibit_login": true,
    });
    let (status, answer) = bot.call(Method::POST, &["v3", "register"], &[], Some(register)).await;
    assert!(status.is_success(), "{answer}");

    let as_bot = [("user_id", service.user_id.as_str())];
    let create = json!({ "preset": "private_chat" });
    let (status, room) = bot.call(Method::POST, &["v3", "createRoom"], &as_bot, Some(create)).await;
    assert!(status.is_success(), "{room}");
    let room = room["room_id"].as_str().unwrap();
    let witness = Member::new(synapse.base_url(), &synapse.register_user("temoin").await);
    let invite = json!({ "user_id": witness.user_id() });
    let path = ["v3", "rooms", room, "invite"];
    let (status, answer) = bot.call(Method::POST, &path, &as_bot, Some(invite)).await;
    assert!(status.is_success(), "{answer}");
    witness.join(room).await;
    assert!(witness.state_content(room, "m.room.encryption", "").await.is_some());

    // Retention of a year: an event of 2001 is accepted, and nobody sees it.
    let mut seen = Vec::new();
    for (transaction, ts) in [("now", None), ("old", Some("1000000000000"))] {
        let mut query = as_bot.to_vec();
        query.extend(ts.map(|ts| ("ts", ts)));
        let path = ["v3", "rooms", room, "send", "m.room.message", transaction];
        let (status, sent) = bot.call(Method::PUT, &path, &query, Some(text("x"))).await;
        assert!(status.is_success(), "{sent}");
        seen.push(witness.event(room, sent["event_id"].as_str().unwrap()).await.is_some());
    }
    assert_eq!(seen, [true, false]);
}

#[tokio::test]
async fn the_proxy_proves_where_a_blow_fell_and_breaks_what_it_is_told_to() {
    let synapse =
        Synapse::start(Options { rate_limits: RateLimits::Off, ..Options::default() }).await;
    let account = synapse.register_user("alix").await;
    let proxy = Proxy::start(synapse.base_url()).await;
    let alix = Member::new(proxy.base_url(), &account);
    let room = alix.create_room(json!({ "preset": "private_chat" })).await;
    assert_eq!(proxy.count("POST */createRoom"), 1);

    // Delays, before and after the homeserver has acted.
    for action in [
        Action::DelayRequest(Duration::from_millis(300)),
        Action::DelayResponse(Duration::from_millis(300)),
    ] {
        proxy.forget();
        proxy.set(Rule::new(SENDING, action.clone()).times(1));
        let started = Instant::now();
        alix.send(&room, &format!("{action:?}"), text("lent")).await;
        assert!(started.elapsed() >= Duration::from_millis(300));
        let exchange = proxy.exchanges().pop().unwrap();
        assert!(exchange.answered.unwrap() - exchange.received >= Duration::from_millis(300));
        assert_eq!(exchange.status, Some(200));
        proxy.clear();
    }

    // An answer held back: the homeserver has the event, its sender knows nothing.
    let hold = proxy.set(Rule::new(SENDING, Action::HoldResponse));
    let sending = tokio::spawn({
        let (alix, room) = (alix.clone(), room.clone());
        async move { alix.send(&room, "held", text("retenu")).await }
    });
    proxy.wait_until_held(hold, PATIENCE).await;
    let blow = Instant::now();
    assert!(!sending.is_finished());
    sending.abort();
    let abandoned = proxy
        .wait_for(PATIENCE, |all| all.iter().find(|one| one.abandoned.is_some()).cloned())
        .await;
    assert!(abandoned.was_open_at(blow), "{abandoned:?}");
    assert!(abandoned.decided.unwrap() <= blow && abandoned.answered.is_none());
    let count = alix.messages(&room, 50).await.len();
    assert_eq!(count, 3, "the event is there although nobody was told");

    // A held request never reaches the homeserver; released, it does.
    proxy.clear();
    let hold = proxy.set(Rule::new(SENDING, Action::HoldRequest));
    let sending = tokio::spawn({
        let (alix, room) = (alix.clone(), room.clone());
        async move { alix.send(&room, "kept", text("gardé")).await }
    });
    assert!(proxy.wait_until_held(hold, PATIENCE).await.forwarded.is_none());
    assert_eq!(alix.messages(&room, 50).await.len(), 3);
    proxy.release(hold);
    sending.await.unwrap();
    proxy.clear();

    // Lies and cuts, met by a bare client: a member would panic.
    let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/");
    let put_within = async |patience: Duration, transaction: &str| {
        let url = format!("{}{path}{transaction}", proxy.base_url());
        let client = reqwest::Client::builder().no_proxy().timeout(patience);
        let request = client.build().unwrap().put(url).bearer_auth(&account.token);
        let answer = request.json(&text(transaction)).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()))
    };
    let put = async |transaction: &str| put_within(PATIENCE, transaction).await;
    for (name, reply, status, retry) in [
        ("a", Reply::too_many_requests(Some(1234)), 429, true),
        ("b", Reply::too_many_requests(None), 429, false),
        ("c", Reply::error(503, "M_UNKNOWN"), 503, false),
        ("d", Reply::error(403, "M_FORBIDDEN"), 403, false),
    ] {
        proxy.set(Rule::new(SENDING, Action::Answer(reply)));
        let (seen, body) = put(name).await.unwrap();
        assert_eq!((seen, body.unwrap().contains("\"retry_after_ms\":1234")), (status, retry));
        proxy.clear();
    }
    proxy.set(Rule::new(SENDING, Action::CutRequest).skip(1).times(1));
    assert_eq!(put("e").await.unwrap().0, 200);
    assert!(put("f").await.is_none());
    assert_eq!(put("g").await.unwrap().0, 200);
    proxy.clear();
    proxy.set(Rule::new(SENDING, Action::CutResponse { after_bytes: 0 }).times(1));
    assert!(put("h").await.is_none());
    proxy.set(Rule::new(SENDING, Action::CutResponse { after_bytes: 5 }).times(1));
    assert_eq!(put("i").await, Some((200, None)), "a head, and half a body");
    proxy.set(Rule::new(SENDING, Action::Hang).times(1));
    assert!(put_within(Duration::from_millis(500), "j").await.is_none());
    let (bystander, ()) = tokio::join!(
        async {
            proxy.clear();
            proxy.set(Rule::new(SENDING, Action::HoldRequest));
            put("k").await
        },
        async {
            let open = |one: &&super::proxy::Exchange| one.held;
            proxy.wait_for(PATIENCE, |all| all.iter().find(open).cloned()).await;
            proxy.cut_everything();
        }
    );
    assert!(bystander.is_none());
    proxy.clear();

    let bodies: Vec<_> = alix
        .messages(&room, 50)
        .await
        .iter()
        .map(|event| event["content"]["body"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(bodies, ["lent", "lent", "retenu", "gardé", "e", "g", "h", "i"]);
}

#[test]
fn a_sample_is_the_same_for_a_seed_and_says_what_is_in_it() {
    let wanted = Wanted { names: Names::Hard, ..Wanted::new(7, 700, 30) };
    let sample = Sample::make(&wanted);
    assert!(sample.bytes == Sample::make(&wanted).bytes, "the same seed, other bytes");
    assert!(sample.bytes != Sample::make(&Wanted { seed: 8, ..wanted.clone() }).bytes);
    let named = |sample: &Sample, name| {
        sample.truth.iter().any(|record| record.sender.as_deref() == Some(name))
    };
    assert!(named(&sample, "Cabinet : permanence"));
    assert!(!named(&Sample::make(&Wanted::new(7, 700, 30)), "Cabinet : permanence"));
    assert_eq!(sample.truth.iter().filter(|record| record.sender.is_some()).count(), 700);
    assert_eq!(sample.truth.iter().filter(|record| record.file.is_some()).count(), 30);
    assert!(sample.truth.is_sorted_by_key(|record| record.utc_millis));

    let dir = tempfile::tempdir().unwrap();
    let path = sample.write_to(dir.path());
    let mut zip = zip::ZipArchive::new(Cursor::new(std::fs::read(path).unwrap())).unwrap();
    let mut digests = BTreeSet::new();
    for file in sample.truth.iter().filter_map(|record| record.file.as_ref()) {
        let mut bytes = Vec::new();
        zip.by_name(&file.name).unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(hex::encode(Sha256::digest(&bytes)), file.sha256);
        assert_eq!(bytes.len(), file.size_bytes);
        assert_eq!(infer::get(&bytes).unwrap().mime_type(), file.mime_type);
        let decoded = image::load_from_memory(&bytes).unwrap();
        assert_eq!((decoded.width(), decoded.height()), (file.width, file.height));
        digests.insert(file.sha256.clone());
    }
    assert_eq!(digests.len(), 30, "every file is another");

    let mut text = String::new();
    let name = sample.file_name.replace(".zip", ".txt");
    zip.by_name(&name).unwrap().read_to_string(&mut text).unwrap();
    for record in &sample.truth {
        assert!(text.contains(&record.text));
    }
    // Both passes of the hour that the night of 26 October 2025 has twice.
    let repeated = |line: &&str| line.starts_with("26/10/2025 02:");
    let hours: Vec<_> = text.lines().filter(repeated).map(|line| &line[11..16]).collect();
    assert_eq!(hours.windows(2).filter(|pair| pair[1] < pair[0]).count(), 1, "{hours:?}");
    assert!(hours.len() >= 20);
    // And neighbours that only their place tells apart.
    assert!(sample.truth.windows(2).any(|pair| pair[0] == pair[1]));
}

fn text(body: &str) -> serde_json::Value {
    json!({ "msgtype": "m.text", "body": body })
}

const REGISTRATION: &str = r#"
id: passerelle-selftest
url: "http://127.0.0.1:9"
as_token: as-token-of-the-selftest
hs_token: hs-token-of-the-selftest
sender_localpart: _passerelle_service
rate_limited: false
receive_ephemeral: true
de.sorunome.msc2409.push_ephemeral: true
org.matrix.msc3202: true
io.element.msc4190: true
namespaces:
  users: [{exclusive: true, regex: "@_passerelle_.*:tchap\\.test"}]
  rooms: []
  aliases: []
"#;
