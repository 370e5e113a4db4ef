//! What breaks, what the operator then reads, and that `resume` finishes it with nothing lost
//! or doubled.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::support::bars::{self, At, bar};
use super::support::compare::{assert_log_is_discreet, assert_room_is};
use super::support::proxy::{Action, NO_EVENT, Reply, Rule};
use super::support::sample::{Sample, Wanted};
use super::support::synapse::Encryption;
use super::support::world::{Said, Setting, Wire, World, run, text};

mod count;
mod page;
mod rows;
mod table;

const SENDING: &str = "PUT */send/m.room.message/*";
const UPLOADING: &str = "POST /_matrix/media/v3/upload";
const HELD: Duration = Duration::from_mins(1);

/// Asserts what an operator is told when a job stops, and how it stands afterwards.
async fn stopped(world: &World, job: &str, said: Said, state: &str, error: &[&str], hint: &str) {
    let said = said.failed();
    for words in error {
        assert!(said.err.contains(words), "`{words}` is not in {said:#?}");
    }
    assert!(said.hint().contains(hint), "`{hint}` is not the hint of {said:#?}");
    let view = world.job(job).await;
    assert_eq!(view["state"], state, "{view:#}");
    assert!(said.err.contains(view["fault"].as_str().unwrap()), "{view:#}");
    // The command line adds how to go on.
    assert!(said.hint().starts_with(view["hint"].as_str().unwrap()), "{view:#}");
    assert!(said.hint().ends_with(&format!("`passerelle import resume {job}` lets it go on")));
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_the_wire_are_told_as_the_page_says_and_lose_nothing() {
    let rows = rows::rows().into_iter().filter(|row| row.is_short).collect();
    let outcome = table::run(rows, None).await;
    assert!(outcome.broken.is_empty(), "{:#?}", outcome.broken);
    assert_eq!(outcome.count, count::Count::default());
    let differences = page::differences(&outcome.lines, false);
    assert!(differences.is_empty(), "not as docs/faults.md says:\n{}", differences.concat());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; `make faults` runs it"]
async fn the_whole_table() {
    let asked = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let lie = asked("BREAK").map(|lie| match lie.as_str() {
        "drop" => Action::Answer(Reply::json(200, NO_EVENT)),
        "double" => Action::Twice,
        other => panic!("BREAK is drop or double, not {other:?}"),
    });
    // Most of the time is spent waiting, so two worlds take little more than one.
    let mut first = rows::rows();
    let some = asked("ROWS");
    first.retain(|row| some.as_ref().is_none_or(|words| row.is_about(words)));
    let second = first.split_off(first.len() / 2);
    let (first, second) = tokio::join!(table::run(first, lie), table::run(second, None));
    let outcome = first.and(second);
    for broken in &outcome.broken {
        println!("fault: {broken}");
    }
    let whole = outcome.skipped.is_empty() && some.is_none();
    if asked("ACCEPT").is_some() && outcome.broken.is_empty() {
        assert!(whole, "not the whole table was shown, so the page stays: {:?}", outcome.skipped);
        page::write(&outcome.lines);
    }
    let differences = page::differences(&outcome.lines, whole);
    print!("{}", differences.concat());
    bars::show(
        "FAULTS_FIGURES",
        &[
            bar("faults.shown", outcome.lines.len(), &At::Least(50)),
            bar("faults.lost", outcome.count.lost, &At::Most(0)),
            bar("faults.doubled", outcome.count.doubled, &At::Most(0)),
            bar("faults.broken", outcome.broken.len(), &At::Most(0)),
            bar("faults.not_as_told", differences.len(), &At::Most(0)),
        ],
    );
    assert!(outcome.broken.is_empty(), "a job did not end well");
    assert_eq!(outcome.count, count::Count::default());
    assert!(differences.is_empty(), "docs/faults.md says otherwise");
}

#[tokio::test]
async fn a_file_that_cannot_be_imported_is_named_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let sample = Sample::make(&Wanted::new(3, 40, 4));
    let cases: Vec<(&str, Vec<u8>, &str, &str)> = vec![
        (
            "truncated.zip",
            sample.bytes[..200].to_vec(),
            "not a readable zip",
            "copy the file again",
        ),
        ("empty.zip", Vec::new(), "is empty", "copy the file again"),
        ("photo.jpg", vec![0xff, 0xd8, 0xff, 0xe0, 0, 0], "no known export", "what the messenger"),
        ("other.zip", zip_of(&[("notes.odt", b"rien")]), "no known export", "what the messenger"),
    ];
    let said = run(
        dir.path(),
        &[],
        &[
            "config",
            "init",
            "--homeserver-url",
            "http://127.0.0.1:9",
            "--server-name",
            "tchap.test",
        ],
    );
    said.await.done();
    for (name, bytes, error, hint) in cases {
        std::fs::write(dir.path().join(name), bytes).unwrap();
        for command in [
            vec!["archive", "inspect", name],
            vec!["archive", "messages", name],
            vec!["import", "plan", name, "--offline"],
        ] {
            let said = run(dir.path(), &[], &command).await.failed();
            assert!(said.err.contains(error) && said.err.contains(name), "{command:?}: {said:#?}");
            assert!(said.hint().contains(hint), "{command:?}: {said:#?}");
            assert!(!dir.path().join("plan.toml").exists());
        }
    }
    // Cut in the middle: what is whole is read, and the cut is told.
    let cut = &sample.bytes[..sample.bytes.len() - 30];
    std::fs::write(dir.path().join("cut.zip"), cut).unwrap();
    let said = run(dir.path(), &[], &["archive", "inspect", "cut.zip"]).await;
    assert!(
        said.code == 1 || said.out.contains("Incomplete file: what is whole was read"),
        "{said:#?}"
    );
    assert!(said.code == 0 || !said.hint().is_empty(), "{said:#?}");
    // Names that would leave the folder, and what unpacks without end, are left out, and told.
    let name = "Discussion WhatsApp avec Zoé.txt";
    let chat = "12/03/2025 10:00 - Zoé Aubry: bonjour\n12/03/2025 10:01 - Max Blin: oui\n";
    let zeros = vec![0; 10 << 20];
    let tricks: [(&str, &[u8]); 4] =
        [(name, chat.as_bytes()), ("../../evil.jpg", b"x"), ("/etc/evil", b"x"), ("bomb", &zeros)];
    std::fs::write(dir.path().join("tricks.zip"), zip_of(&tricks)).unwrap();
    let said = run(dir.path(), &[], &["archive", "inspect", "tricks.zip"]).await.done();
    assert!(said.out.contains("3 × Files with a dangerous name, never opened"), "{}", said.out);
    for trick in ["../../evil.jpg", "/etc/evil", "bomb"] {
        let told = said.out.lines().any(|l| l.contains(trick) && l.contains(" not read: "));
        assert!(told, "{}", said.out);
    }
    assert!(!dir.path().parent().unwrap().join("evil.jpg").exists());
}

fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_import_meets_every_failure_of_its_homeserver_and_is_finished() {
    let mut world = World::start(Setting {
        wire: Wire::Proxied,
        config: vec![
            ("MATRIX__PATIENCE_S", "3".to_owned()),
            ("MATRIX__REQUEST_TIMEOUT_S", "2".to_owned()),
            ("IMPORT__BATCH_MESSAGES", "4".to_owned()),
        ],
        ..Setting::default()
    })
    .await;
    let (sample, archive) = world.sample(11, 60, 6);
    let plan = world.approved(&archive).await;

    // A witness whose token is no longer valid: known before anything is made.
    let witness = world.path("secrets/witness_token");
    change_secret(&mut world, &witness, "syt_revoked").await;
    let job = world.start_job(&plan).await;
    let said = world.follow(&job).await;
    let error = ["does not accept the witness's token"];
    stopped(&world, &job, said, "failed", &error, "witness.token_file").await;
    assert_eq!(world.proxy().count("POST */createRoom"), 0);
    let token = world.witness.token.clone();
    change_secret(&mut world, &witness, &token).await;

    // The service's own token.
    let service = world.path("secrets/as_token");
    let token = std::fs::read_to_string(&service).unwrap();
    change_secret(&mut world, &service, "another-token").await;
    let said = resume(&world, &job).await;
    let error = ["does not accept the token"];
    stopped(&world, &job, said, "failed", &error, "registration check").await;
    change_secret(&mut world, &service, &token).await;

    // The room's making: the homeserver acts and its answer is lost. No second room.
    let proxy = world.proxy();
    let lost = Rule::new("POST */createRoom", Action::CutResponse { after_bytes: 0 });
    proxy.set(lost.skip(2).times(1));
    // Uploads: one breaks and is repeated, one is refused.
    proxy.set(Rule::new(UPLOADING, Action::CutRequest).times(1));
    proxy.set(Rule::new(UPLOADING, Action::Answer(Reply::error(403, "M_FORBIDDEN"))).skip(2));
    let said = resume(&world, &job).await;
    stopped(&world, &job, said, "failed", &["refused POST upload", "M_FORBIDDEN"], "message").await;
    let made = proxy.exchanges().into_iter().filter(|one| one.path().ends_with("/createRoom"));
    let made = made.filter(|one| one.status == Some(200)).count();
    assert_eq!(
        made, 3,
        "the one that tells the flavour of the access rules, the canary's and the chat's"
    );
    proxy.clear();

    // 5xx for longer than the daemon's patience.
    proxy.set(Rule::new(SENDING, Action::Answer(Reply::error(503, "M_UNKNOWN"))).skip(5));
    let started = Instant::now();
    let said = resume(&world, &job).await;
    assert!(started.elapsed() > Duration::from_secs(2), "it was not waited out");
    stopped(&world, &job, said, "paused", &["failed at", "503"], "lets it go on").await;
    assert!(world.job(&job).await["done"].as_u64() > Some(0));
    proxy.clear();

    // 403 on one send: nothing is left out behind its back.
    proxy
        .set(Rule::new(SENDING, Action::Answer(Reply::error(403, "M_FORBIDDEN"))).skip(3).times(1));
    let said = resume(&world, &job).await;
    stopped(&world, &job, said, "failed", &["refused", "403", "M_FORBIDDEN"], "message").await;
    proxy.clear();

    // 429 with a wait longer than its patience.
    proxy.set(Rule::new(SENDING, Action::Answer(Reply::too_many_requests(Some(8_000)))).skip(2));
    let said = resume(&world, &job).await;
    stopped(&world, &job, said, "paused", &["asks for a pause"], "rate_limited: false").await;
    proxy.clear();

    // Too slow, always: the homeserver has acted, the daemon cannot know.
    proxy.set(Rule::new(SENDING, Action::DelayResponse(Duration::from_secs(9))).skip(4));
    let said = resume(&world, &job).await;
    stopped(&world, &job, said, "paused", &["did not answer"], "homeserver runs").await;
    proxy.clear();

    // It goes away altogether, and comes back.
    proxy.set(Rule::new("* *", Action::CutRequest).skip(12));
    let said = resume(&world, &job).await;
    stopped(&world, &job, said, "paused", &["did not answer"], "homeserver runs").await;
    proxy.clear();

    // Short troubles are waited out without a word.
    proxy.forget();
    let limited = |wait| Action::Answer(Reply::too_many_requests(wait));
    proxy.set(Rule::new(SENDING, limited(None)).skip(1).times(2));
    proxy.set(Rule::new(SENDING, limited(Some(900))).skip(2).times(1));
    proxy.set(Rule::new(SENDING, Action::Answer(Reply::error(502, "M_UNKNOWN"))).skip(4).times(1));
    proxy.set(Rule::new(SENDING, Action::CutResponse { after_bytes: 0 }).skip(5).times(1));
    proxy.set(Rule::new(SENDING, Action::CutResponse { after_bytes: 9 }).skip(6).times(1));
    proxy.set(Rule::new(SENDING, Action::DelayResponse(Duration::from_secs(3))).skip(7).times(1));
    resume(&world, &job).await.done();
    let sent: Vec<_> = proxy.exchanges().into_iter().filter(|e| e.method == "PUT").collect();
    assert_eq!(sent.iter().filter(|exchange| exchange.status == Some(429)).count(), 3);
    let asked = sent.windows(2).find(|pair| {
        let pause = pair[1].received - pair[0].received;
        pair[0].path() == pair[1].path() && pause >= Duration::from_millis(900)
    });
    assert!(asked.is_some(), "the wait that was asked for was not kept");

    let plan = std::fs::read_to_string(plan).unwrap();
    assert_room_is(&world, &job, &sample, &plan).await;
    assert_log_is_discreet(&world, &sample);
}

async fn resume(world: &World, job: &str) -> Said {
    world.cli(&["import", "resume", job, "--wait"]).await
}

/// Puts another secret into a file and restarts the daemon, as the hint says.
async fn change_secret(world: &mut World, file: &Path, secret: &str) {
    world.stop_daemon().await;
    std::fs::write(file, secret).unwrap();
    world.start_daemon().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_encrypts_anyway_gets_no_message() {
    let world = World::start(Setting {
        encryption: Encryption::Forced,
        wire: Wire::Proxied,
        ..Setting::default()
    })
    .await;
    let (_, archive) = world.sample(12, 12, 1);
    let job = world.import(&archive).await;
    let said = world.follow(&job).await;
    let error = ["the room is not what the plan says", "turned encryption on"];
    stopped(&world, &job, said, "failed", &error, "nothing was sent into it").await;
    assert_eq!(world.proxy().count(SENDING), 0);
    assert_eq!(world.proxy().count(UPLOADING), 0);
    assert_eq!(world.eyes(&world.member).invitations().await, [] as [&str; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hides_old_events_gets_none() {
    let world = World::start(Setting {
        retention_days: Some(365),
        wire: Wire::Proxied,
        ..Setting::default()
    })
    .await;
    let (_, archive) = world.sample(13, 12, 1);
    let job = world.import(&archive).await;
    for said in [world.follow(&job).await, resume(&world, &job).await] {
        let error = ["2025-10-20", "a member cannot read it"];
        stopped(&world, &job, said, "failed", &error, "retention policy").await;
    }
    assert!(world.job(&job).await["room_id"].is_null(), "no room was made for the chat");
    // The canary itself, once and again with the same transaction.
    let paths = world.proxy().exchanges().into_iter().filter(|one| one.target.contains("/send/"));
    let paths: std::collections::BTreeSet<_> = paths.map(|one| one.path().to_owned()).collect();
    assert_eq!(paths.len(), 1, "{paths:?}");
    assert_eq!(world.eyes(&world.member).invitations().await, [] as [&str; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_store_and_a_full_disk_are_noticed() {
    let mut world = World::start(Setting {
        wire: Wire::Proxied,
        config: vec![
            ("MATRIX__PATIENCE_S", "2".to_owned()),
            ("IMPORT__BATCH_MESSAGES", "4".to_owned()),
        ],
        ..Setting::default()
    })
    .await;
    old_store(&mut world).await;
    full_disk(&mut world).await;
}

async fn old_store(world: &mut World) {
    let (sample, archive) = world.sample(14, 60, 2);
    let plan = world.approved(&archive).await;
    let job = world.start_job(&plan).await;
    stop_while_sending(world, 10).await;
    copy_folder(&world.path("state"), &world.path("backup"));

    world.start_daemon().await;
    stop_while_sending(world, 20).await;
    std::fs::rename(world.path("state"), world.path("newest")).unwrap();
    std::fs::rename(world.path("backup"), world.path("state")).unwrap();
    world.proxy().forget();
    world.start_daemon().await;
    let said = world.follow(&job).await;
    let error = ["restored from an older backup"];
    stopped(world, &job, said, "failed", &error, "bring back the newest store").await;
    assert_eq!(world.proxy().count(SENDING), 0, "nothing is sent twice");

    // The hint is right: with the newest store it goes on. The homeserver is down at first.
    world.stop_daemon().await;
    std::fs::remove_dir_all(world.path("state")).unwrap();
    std::fs::rename(world.path("newest"), world.path("state")).unwrap();
    world.synapse.stop().await;
    world.start_daemon().await;
    let said = world.follow(&job).await;
    stopped(world, &job, said, "paused", &["did not answer"], "homeserver runs").await;
    world.synapse.restart().await;
    resume(world, &job).await.done();
    let plan = std::fs::read_to_string(plan).unwrap();
    assert_room_is(world, &job, &sample, &plan).await;
}

/// Lets so many messages pass, and stops the daemon, which leaves the job as it is.
async fn stop_while_sending(world: &mut World, messages: usize) {
    let proxy = world.proxy();
    let hold = proxy.set(Rule::new(SENDING, Action::HoldResponse).skip(messages));
    proxy.wait_until_held(hold, HELD).await;
    world.proxy().clear();
    world.stop_daemon().await;
}

fn copy_folder(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(done.success());
}

#[expect(clippy::print_stdout, reason = "a skipped test says so")]
async fn full_disk(world: &mut World) {
    let Some(disk) = Disk::mount(world.path("small-disk")) else {
        println!("skipped: a full disk, since this user may not mount a small one");
        return;
    };
    world.stop_daemon().await;
    world.configure("DAEMON__STATE_DIR", text(&disk.path));
    world.start_daemon().await;
    let (sample, archive) = world.sample(15, 60, 20);
    let plan = world.approved(&archive).await;

    // No room for the archive.
    let ballast = disk.fill();
    let said = world.cli(&["import", "start", text(&plan)]).await.failed();
    assert!(said.err.contains("No space left"), "{said:#?}");
    assert!(said.hint().contains("free space below daemon.state_dir"), "{said:#?}");
    assert_eq!(world.cli(&["import", "status"]).await.done().out, "", "no job was made");
    std::fs::remove_file(&ballast).unwrap();

    // No room for the records, in the middle of sending.
    let proxy = world.proxy();
    proxy.forget();
    let hold = proxy.set(Rule::new(SENDING, Action::HoldResponse).skip(6));
    let job = world.start_job(&plan).await;
    world.proxy().wait_until_held(hold, HELD).await;
    let ballast = disk.fill();
    world.proxy().clear();
    // A daemon that can write nothing down ends, and says why; what it was doing is on disk.
    assert_eq!(world.daemon_end().await.code(), Some(1), "{}", world.log());
    let log = world.log();
    let last = log.split("\nerror: ").last().unwrap();
    assert!(last.contains("the store failed: no storage space"), "{last}");
    assert!(last.contains("\nhint: free space"), "{last}");
    let said = world.cli(&["import", "status", &job]).await.failed();
    assert!(said.hint().contains("passerelle run"), "{said:#?}");
    std::fs::remove_file(&ballast).unwrap();
    world.start_daemon().await;
    world.follow(&job).await.done();
    let plan = std::fs::read_to_string(plan).unwrap();
    assert_room_is(world, &job, &sample, &plan).await;
    world.stop_daemon().await;
}

/// A disk of a few mebibytes; unmounted when dropped.
struct Disk {
    path: PathBuf,
}

impl Disk {
    fn mount(path: PathBuf) -> Option<Self> {
        std::fs::create_dir(&path).unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=12m,mode=0700", "passerelle-test", text(&path)];
        let done = Command::new("mount").args(mount).output().ok()?;
        done.status.success().then_some(Self { path })
    }

    /// Takes all the space there is left.
    fn fill(&self) -> PathBuf {
        let ballast = self.path.join("ballast");
        let mut file = std::fs::File::create(&ballast).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
        ballast
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}
