//! Imports under Tchap's rules on a real homeserver: both flavours of its access-rules module, a
//! homeserver without one, and what an operator reads where they stand in the way.

use std::path::Path;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::support::compare::{assert_log_is_discreet, assert_room_is};
use super::support::member::Member;
use super::support::sample::{Sample, Wanted};
use super::support::synapse::AccessRules;
use super::support::world::{Said, Setting, World, approve, edit, run, text};

const RULES: &str = "im.vector.room.access_rules";
const BOT: &str = "@_passerelle_bot:tchap.test";
const EXTERNAL: &str = "@pat.martin-cabinet.fr:ext.test";

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

    a_room_that_forgets_is_told(&world, &job, &archive).await;

    // With the bot in the space and in power there, the next room is listed by itself.
    admin.invite(&space, BOT).await;
    let mut levels = content(&admin, &space, "m.room.power_levels").await;
    levels["users"][BOT] = json!(100);
    let (status, answer) = admin.set_state(&space, "m.room.power_levels", levels).await;
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

    a_space_open_to_all_opens_no_room(&world, &space).await;
    the_last_administrator_stays(&mut world, &second, &listed).await;
    // Taken back, it is closed to the space's people, and out of its list.
    let child = admin.state_content(&space, "m.space.child", &listed).await.unwrap();
    assert_eq!(child, json!({}));
    let member = world.eyes(&world.member);
    let joining = content(&member, &listed, "m.room.join_rules").await;
    assert_eq!(joining["join_rule"], "invite");
    assert_log_is_discreet(&world, &sample);
}

/// Everybody could walk from the space into the room, so the room stays closed, and it is said.
async fn a_space_open_to_all_opens_no_room(world: &World, space: &str) {
    let admin = world.eyes(&world.admin);
    let open = json!({ "join_rule": "public" });
    let (status, answer) = admin.set_state(space, "m.room.join_rules", open).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let (_, archive) = world.sample(34, 12, 0);
    let plan = world.approved(&archive).await;
    edit(&plan, |plan| plan.replace("space = \"\"", &format!("space = \"{space}\"")));
    let job = world.start_job(&plan).await;
    world.follow(&job).await.done();
    let room = world.room(&job).await;
    admin.join(&room).await;
    let joining = content(&admin, &room, "m.room.join_rules").await;
    assert_eq!(joining["join_rule"], "invite");
    assert!(warned(&world.report(&job).await, "space_is_public"));
    assert!(admin.state_content(space, "m.space.child", &room).await.is_none());
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

/// An owner gives the room a retention; whoever verifies it again reads what that means.
async fn a_room_that_forgets_is_told(world: &World, job: &str, archive: &Path) {
    let (admin, room) = (world.eyes(&world.admin), world.room(job).await);
    let quarter = json!({ "max_lifetime": 7_776_000_000_u64 });
    let (status, answer) = admin.set_state(&room, "m.room.retention", quarter).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    admin.invite(&room, &world.witness.user_id).await;
    let verify = ["import", "verify", job, "--archive", text(archive)];
    let said = world.cli(&verify).await.done();
    assert!(said.out.contains("efface les messages après 90 jours"), "{said:#?}");
}

fn warned(report: &Value, what: &str) -> bool {
    report["warnings"].as_array().unwrap().iter().any(|one| one["warning"] == what)
}

/// The owner declines and a member is there: were the bot to leave, Tchap's servers would make
/// everybody an administrator. It stays, and says so.
async fn the_last_administrator_stays(world: &mut World, job: &str, room: &str) {
    let (admin, member) = (world.eyes(&world.admin), world.eyes(&world.member));
    admin.leave(room).await;
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
    assert!(said.err.contains("can make rooms of version 12"), "{said:#?}");
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
    let said = begin(&of("forum")).await;
    assert!(said.err.contains("older than 90 days"), "{said:#?}");
    let spaced = |plan: &str| plan.replace("space = \"\"", "space = \"Cabinet\"");
    let said = begin(&spaced).await;
    assert!(said.err.contains("room.space is `Cabinet`"), "{said:#?}");
}

async fn content(member: &Member, room: &str, event_type: &str) -> Value {
    member.state_content(room, event_type, "").await.unwrap_or_default()
}
