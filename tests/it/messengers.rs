//! Exports of every messenger go all the way: golden cases are
//! planned, imported, and read back by the witness. The room's exact content is the readers' and
//! the conversion's business; here it is that nothing stops, and that what is sent is found again.

use std::path::{Path, PathBuf};

use super::support::world::{Setting, World, approve, edit, text};

/// The cases with bodies, files, reactions, topics and replies of each kind. What differs in the
/// others is how they are written, which the readers' own tests see to.
const CASES: [(&str, &[&str]); 4] = [
    ("telegram", &["both-formats", "html-group", "json-one-topic", "json-supergroup-topics"]),
    ("olvid", &["android", "encrypted-ae2"]),
    ("passerelle", &["merged"]),
    ("whatsapp", &["android-attachments", "android-polls", "iphone-attachments"]),
];

/// The input of a case, under its own name.
fn input(case: &Path) -> PathBuf {
    let mut entries = std::fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path());
    entries.find(|path| path.file_stem().is_some_and(|stem| stem == "input")).unwrap()
}

async fn import_every_chat(world: &World, case: &Path, archive: &Path) {
    let secret = case.join("password.txt");
    let password: &[&str] = if secret.exists() { &["--password-file", text(&secret)] } else { &[] };
    let chats = [&["archive", "chats", text(archive)], password].concat();
    let said = world.cli(&chats).await.done();
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
        let arguments = [&arguments[..], password].concat();
        world.cli(&arguments).await.done();
        edit(&plan, approve);
        let start = ["import", "start", text(&plan), "--archive", text(archive), "--wait"];
        let started = world.cli(&[&start[..], password].concat()).await;
        assert_eq!(started.code, 0, "{name}, chat {chat}: {started:#?}");
        let job = started.out.trim();
        if !password.is_empty() {
            assert_keeps_its_secret(world, case, job, archive, password).await;
        }
        let report = world.report(job).await;
        assert_eq!(report["sums"]["differs"], 0, "{name}: {report:#}");
        assert_eq!(report["sums"]["refused"], 0, "{name}: {report:#}");
    }
}

/// The password opens the archive and is nowhere else; without it nothing is handed in.
async fn assert_keeps_its_secret(
    world: &World,
    case: &Path,
    job: &str,
    archive: &Path,
    password: &[&str],
) {
    let verify = ["import", "verify", job, "--archive", text(archive)];
    world.cli(&[&verify[..], password].concat()).await.done();
    let refused = world.cli(&verify).await.failed();
    assert!(refused.hint().contains("--password-file"), "{refused:#?}");
    let spool = world.path("state/spool");
    assert_eq!(std::fs::read_dir(spool).unwrap().count(), 0, "a copy stayed");
    let secret = std::fs::read(case.join("password.txt")).unwrap();
    let secret = secret.trim_ascii_end();
    let mut pending = vec![world.dir.path().to_owned()];
    let mut files = 0;
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            files += 1;
            let found = bytes.windows(secret.len()).any(|window| window == secret);
            assert!(!found, "the password is in {}", path.display());
        }
    }
    assert!(files > 5, "the search finds nothing any more");
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
