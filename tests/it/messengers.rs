//! Exports of every messenger go all the way: golden cases are
//! planned, imported, and read back by the witness. The room's exact content is the readers' and
//! the conversion's business; here it is that nothing stops, and that what is sent is found again.

use std::path::{Path, PathBuf};

use super::support::world::{Setting, World, approve, edit, text};

/// The cases with bodies, files, reactions, topics and replies of each kind. What differs in the
/// others is how they are written, which the readers' own tests see to.
const CASES: [(&str, &[&str]); 3] = [
    ("telegram", &["both-formats", "html-group", "json-one-topic", "json-supergroup-topics"]),
    ("olvid", &["android"]),
    ("whatsapp", &["android-attachments", "android-polls", "iphone-attachments"]),
];

/// The input of a case, under its own name.
fn input(case: &Path) -> PathBuf {
    let mut entries = std::fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path());
    entries.find(|path| path.file_stem().is_some_and(|stem| stem == "input")).unwrap()
}

async fn import_every_chat(world: &World, case: &Path, archive: &Path) {
    let said = world.cli(&["archive", "chats", text(archive)]).await.done();
    for line in said.out.lines() {
        let (chat, rest) = line.split_once('\t').unwrap();
        if rest.starts_with("0\t") {
            continue;
        }
        let name = case.file_name().unwrap().to_str().unwrap();
        let plan = world.path(&format!("{name}-{chat}.toml").replace('/', "_"));
        let arguments = [
            "import",
            "plan",
            text(archive),
            "--chat",
            chat,
            "--output",
            text(&plan),
            "--room-name",
            name,
            "--admin",
            &world.admin.user_id,
        ];
        world.cli(&arguments).await.done();
        edit(&plan, approve);
        let started = world
            .cli(&["import", "start", text(&plan), "--archive", text(archive), "--wait"])
            .await;
        assert_eq!(started.code, 0, "{name}, chat {chat}: {started:#?}");
        let report = world.report(started.out.trim()).await;
        assert_eq!(report["sums"]["differs"], 0, "{name}: {report:#}");
        assert_eq!(report["sums"]["refused"], 0, "{name}: {report:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_message_of_every_messenger_is_found_again() {
    let world = World::start(Setting::default()).await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/archives");
    for (messenger, names) in CASES {
        for name in names {
            let case = root.join(messenger).join("valid").join(name);
            import_every_chat(&world, &case, &input(&case)).await;
        }
    }
}
