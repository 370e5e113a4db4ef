//! What keeps a plan from being started, by the command line and around it.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::support::compare::assert_log_is_discreet;
use super::support::world::{Setting, World, approve, edit, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_refused_until_everything_is_decided_and_true() {
    let world = World::start(Setting::default()).await;
    undecided(&world).await;
    edited_facts(&world).await;
    changed_archive(&world).await;
    one_chat_of_several(&world).await;
}

/// Unreviewed people, nobody who answers for it, no owner, namesakes: all in one list.
async fn undecided(world: &World) {
    let (_, archive) = world.sample(21, 60, 0);
    let plan = archive.with_file_name("plan.toml");
    let said = world.cli(&["import", "plan", text(&archive), "--output", text(&plan)]).await.done();
    // Planning says at once what is left to decide, and so does starting.
    let expected = [
        "approval.by is empty",
        "reading.exporter is empty",
        "room.admins is empty",
        "participant 1 (`",
        "participant 6 (`",
    ];
    for words in expected {
        assert!(said.err.contains(words), "{said:#?}");
    }
    let said = world.cli(&["import", "start", text(&plan)]).await.failed();
    for words in expected {
        assert!(said.err.contains(words), "{said:#?}");
    }
    assert_eq!(said.err.matches("is not reviewed").count(), 6, "{said:#?}");
    assert!(said.hint().contains("plan.toml"), "{said:#?}");
    assert_eq!(said.out, "");

    // Nobody's number is proposed as a name, and two people of one name are two.
    let proposed: toml::Table = std::fs::read_to_string(&plan).unwrap().parse().unwrap();
    let people = proposed["participant"].as_array().unwrap();
    let names: Vec<_> = people.iter().map(|person| person["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"Basile Ottavi") && names.contains(&"Basile Ottavi (2)"), "{names:?}");
    let number = names.iter().position(|name| name.starts_with("Participant ")).unwrap();
    assert_eq!(names[number], format!("Participant {}", number + 1));
    assert!(people[number]["exported_name"].as_str().unwrap().starts_with("+33"));

    // An administrator who makes them one again, forgets the owner and mistypes an account.
    let careless = |plan: &str| {
        approve(plan)
            .replace("Basile Ottavi (2)", "basile ottavi")
            .replacen("account = \"\"", "account = \"zoe\"", 1)
            .replace("Europe/Paris", "Paris")
    };
    edit(&plan, careless);
    let said = world.cli(&["import", "start", text(&plan)]).await.failed();
    for words in [
        "several participants are named `basile ottavi`",
        "room.admins is empty",
        "account of participant 1 is `zoe`",
        "time_zone is `Paris`",
    ] {
        assert!(said.err.to_lowercase().contains(&words.to_lowercase()), "{words}: {said:#?}");
    }
    assert!(!said.err.contains("not reviewed"), "{said:#?}");

    // Around the command line the daemon says the same.
    let (ticket, name) = hand_in(world, &archive).await;
    let (status, answer) = new_job(world, &plan, &ticket, &name).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    let kinds: Vec<_> = answer["objections"].as_array().unwrap().iter().collect();
    let kinds: Vec<_> = kinds.iter().map(|one| one["objection"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["time_zone", "no_admin", "bad_account", "same_name"]);
    assert_nothing_was_made(world).await;

    // A plan is not overwritten, an owner must exist, a plan must be one.
    let said =
        world.cli(&["import", "plan", text(&archive), "--output", text(&plan)]).await.failed();
    assert!(said.err.contains("exists and is not overwritten"), "{said:#?}");
    let other = archive.with_file_name("other.toml");
    let nobody = "@personne:tchap.test";
    let command = ["import", "plan", text(&archive), "-o", text(&other), "--admin", nobody];
    let said = world.cli(&command).await;
    assert_eq!(said.code, 1, "{said:#?}");
    assert!(said.err.contains("knows no @personne:tchap.test"), "{said:#?}");
    std::fs::write(&other, "form = 1\nseal = 3\n").unwrap();
    let said = world.cli(&["import", "start", text(&other)]).await.failed();
    assert!(said.err.contains("this is not a plan"), "{said:#?}");
    std::fs::write(&other, "form = 7\n").unwrap();
    let said = world.cli(&["import", "start", text(&other)]).await.failed();
    assert!(said.err.contains("form 7"), "{said:#?}");
}

async fn edited_facts(world: &World) {
    let (_, archive) = world.sample(22, 12, 0);
    let plan = world.approved(&archive).await;
    let approved = std::fs::read_to_string(&plan).unwrap();
    for (fact, other) in [
        ("messages = 15", "messages = 14"),
        ("exported_name = \"Basile", "exported_name = \"Basil"),
        ("chat = \"", "chat = \"x"),
        ("sha256 = \"", "sha256 = \"00"),
    ] {
        assert!(approved.contains(fact), "{approved}");
        let mut edited = approved.replacen(fact, other, 1);
        if fact.starts_with("sha256") {
            // Still sixty-four digits.
            let at = edited.find("sha256 = \"00").unwrap() + "sha256 = \"00".len();
            edited.replace_range(at..at + 2, "");
        }
        std::fs::write(&plan, edited).unwrap();
        let said = world.cli(&["import", "start", text(&plan)]).await.failed();
        assert!(said.err.contains("facts of the plan were edited"), "{fact}: {said:#?}");
    }
    let (ticket, name) = hand_in(world, &archive).await;
    let (status, answer) = new_job(world, &plan, &ticket, &name).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    assert_eq!(answer["objections"], json!([{ "objection": "seal_broken" }]));
    assert_nothing_was_made(world).await;
}

async fn changed_archive(world: &World) {
    let (sample, archive) = world.sample(23, 12, 1);
    let plan = world.approved(&archive).await;
    let mut changed = sample.bytes.clone();
    // A byte of the first picture.
    changed[400] ^= 1;
    std::fs::write(&archive, &changed).unwrap();
    let said = world.cli(&["import", "start", text(&plan)]).await.failed();
    assert!(
        said.err.contains("has digest") && said.err.contains("plan was made from"),
        "{said:#?}"
    );
    assert!(said.hint().contains("make a new plan"), "{said:#?}");
    assert_nothing_was_made(world).await;

    // Around the command line the daemon looks for itself, before it makes a room.
    let mut job = String::new();
    let truncated = sample.bytes[..200].to_vec();
    for (bytes, error) in [(truncated, "not a readable zip"), (changed, "the archive has digest")] {
        if !job.is_empty() {
            world.cli(&["import", "cancel", &job, "--yes"]).await.done();
        }
        std::fs::write(&archive, bytes).unwrap();
        let (ticket, name) = hand_in(world, &archive).await;
        let (status, made) = new_job(world, &plan, &ticket, &name).await;
        assert_eq!(status, StatusCode::OK, "{made}");
        made["id"].as_str().unwrap().clone_into(&mut job);
        for _ in 0..2 {
            let said = world.follow(&job).await.failed();
            assert!(said.err.contains(error), "{said:#?}");
            let view = world.job(&job).await;
            assert_eq!((&view["state"], &view["room_id"]), (&json!("failed"), &Value::Null));
            world.cli(&["import", "resume", &job]).await.done();
        }
        world.follow(&job).await.failed();
    }
    let job = job.as_str();
    assert_log_is_discreet(world, &sample);

    // While it stands, the same archive is not taken twice; given up, it is.
    std::fs::write(&archive, &sample.bytes).unwrap();
    let said = world.cli(&["import", "start", text(&plan)]).await.failed();
    assert!(said.err.contains(&format!("was imported by job {job}")), "{said:#?}");
    assert!(said.hint().contains("cancel it"), "{said:#?}");
    let said = world.cli(&["import", "cancel", job]).await.failed();
    assert!(said.hint().contains("--yes"), "{said:#?}");
    world.cli(&["import", "cancel", job, "--yes"]).await.done();
    let again = world.start_job(&plan).await;
    world.follow(&again).await.done();
    let said = world.cli(&["import", "start", text(&plan)]).await.failed();
    assert!(said.err.contains(&format!("was imported by job {again}")), "{said:#?}");
    // A done job neither goes on nor pauses; verifying it again finds it as it was.
    for what in ["pause", "resume"] {
        let said = world.cli(&["import", what, &again]).await;
        assert_eq!(said.code, 1, "{said:#?}");
        assert!(said.err.contains("is done"), "{said:#?}");
    }
    let verify = ["import", "verify", &again, "--archive", text(&archive)];
    let said = world.cli(&verify).await.done();
    assert!(said.out.contains(&again), "{said:#?}");
    assert_eq!(std::fs::read_dir(world.path("state/spool")).unwrap().count(), 0);
}

async fn one_chat_of_several(world: &World) {
    let chat = |who: &str| {
        format!("12/03/2025 10:00 - {who}: bonjour\n12/03/2025 10:01 - Max Blin: oui, {who}\n")
    };
    let folder = world.path("several");
    std::fs::create_dir(&folder).unwrap();
    let archive = folder.join("Sauvegarde.zip");
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for who in ["Zoé Aubry", "Ines Falk"] {
        let name = format!("Discussion WhatsApp avec {who}.txt");
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(chat(who).as_bytes()).unwrap();
    }
    std::fs::write(&archive, zip.finish().unwrap().into_inner()).unwrap();
    let listed = world.cli(&["archive", "chats", text(&archive)]).await.done().out;
    let ids: Vec<_> = listed.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(ids.len(), 2, "{listed}");

    let plan = folder.join("plan.toml");
    let said = world.cli(&["import", "plan", text(&archive), "-o", text(&plan)]).await;
    assert_eq!(said.code, 1, "{said:#?}");
    assert!(said.err.contains("2 chats") && said.err.contains("--chat"), "{said:#?}");
    assert!(ids.iter().all(|id| said.err.contains(id)), "{said:#?}");
    let said = world.cli(&["archive", "messages", text(&archive)]).await.failed();
    assert!(said.hint().contains("--chat"), "{said:#?}");
    for (id, who) in ids.iter().zip(["Zoé Aubry", "Ines Falk"]) {
        let plan = folder.join(format!("{id}.toml"));
        let output = text(&plan).to_owned();
        let command = [
            "import",
            "plan",
            text(&archive),
            "-o",
            &output,
            "--chat",
            id,
            "--admin",
            &world.admin.user_id,
            "--invite",
            &world.member.user_id,
        ];
        world.cli(&command).await.done();
        let planned = std::fs::read_to_string(&plan).unwrap();
        let other = if who == "Ines Falk" { "Zoé Aubry" } else { "Ines Falk" };
        assert!(planned.contains(who) && !planned.contains(other), "{planned}");
        edit(&plan, approve);
        let job = world.start_job(&plan).await;
        world.follow(&job).await.done();
        let room = world.room(&job).await;
        let member = world.eyes(&world.member);
        member.join(&room).await;
        let bodies = member.messages(&room, 50).await;
        let bodies: Vec<_> =
            bodies.iter().map(|e| e["content"]["body"].as_str().unwrap()).collect();
        assert_eq!(bodies, ["bonjour", &format!("oui, {who}")]);
    }
}

async fn assert_nothing_was_made(world: &World) {
    assert_eq!(world.cli(&["import", "status"]).await.done().out, "");
    assert_eq!(world.eyes(&world.admin).invitations().await, [] as [&str; 0]);
    assert_eq!(std::fs::read_dir(world.path("state/spool")).unwrap().count(), 0);
}

/// What `import start` does, without its checks.
async fn hand_in(world: &World, archive: &Path) -> (String, String) {
    let (_, ticket) = ask(world, Method::POST, "/v1/spool", &[], Vec::new()).await;
    let ticket = ticket["id"].as_str().unwrap().to_owned();
    let name = archive.file_name().unwrap().to_str().unwrap().to_owned();
    let path = format!("/v1/spool/{ticket}");
    let bytes = std::fs::read(archive).unwrap();
    let (status, _) = ask(world, Method::PUT, &path, &[("name", &name)], bytes).await;
    assert_eq!(status, StatusCode::OK);
    (ticket, name)
}

async fn new_job(world: &World, plan: &PathBuf, spool: &str, name: &str) -> (StatusCode, Value) {
    let plan = std::fs::read_to_string(plan).unwrap();
    let body = json!({ "plan": plan, "spool": spool, "name": name }).to_string();
    ask(world, Method::POST, "/v1/jobs", &[], body.into_bytes()).await
}

async fn ask(
    world: &World,
    method: Method,
    path: &str,
    query: &[(&str, &str)],
    body: Vec<u8>,
) -> (StatusCode, Value) {
    let socket = world.path("state/passerelle.sock");
    let client = reqwest::Client::builder().unix_socket(socket.as_path()).build().unwrap();
    let request = client.request(method, format!("http://passerelle{path}")).query(query);
    let request = request.header("Content-Type", "application/json").body(body);
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap_or(Value::Null))
}
