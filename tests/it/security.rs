//! Who can reach the daemon, for how long, and who can read what it writes.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::support::synapse::free_port;
use super::support::world::{Setting, World};

/// More than any limit of `web::Limits` for a caller without a token.
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_reads_the_files_or_reaches_the_ports() {
    let mut world = World::start(Setting::default()).await;
    let (_, archive) = world.sample(71, 8, 2);
    let job = world.import(&archive).await;
    world.follow(&job).await.done();
    let mut places = vec![world.path("passerelle.toml"), world.path("registration.yaml")];
    places.push(archive.with_file_name("plan.toml"));
    for folder in ["state", "secrets"] {
        below(&world.path(folder), &mut places);
    }
    let named = |name: &str| places.iter().any(|path| path.ends_with(name));
    for name in ["as_token", "hs_token", "store", "report.txt", "records.jsonl", "passerelle.sock"]
    {
        assert!(named(name), "{name} is not among {places:#?}");
    }
    for place in &places {
        let mode = std::fs::symlink_metadata(place).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", place.display());
    }

    let listening = listening(world.daemon_id());
    assert_eq!(listening.len(), 2, "{listening:?}");
    assert!(listening.iter().all(|address| address.starts_with("0100007F:")), "{listening:?}");
    assert!(!world.log().contains("can be reached from other machines"));
    assert!(!world.log().contains("can be read by other users"));

    // Configured otherwise, it says so.
    world.stop_daemon().await;
    world.configure("OPERATOR__LISTEN", &format!("0.0.0.0:{}", free_port()));
    let token = world.path("secrets/as_token");
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    world.spawn_daemon(None);
    let until = Instant::now() + PATIENCE;
    while world.log().matches("passerelle is running").count() < 2 {
        assert!(Instant::now() < until, "{}", world.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let log = world.log();
    let warned = |words: &str, key: &str| {
        log.lines().any(|line| line.contains("WARN") && line.contains(words) && line.contains(key))
    };
    assert!(warned("can be reached from other machines", "operator.listen"), "{log}");
    assert!(!warned("can be reached from other machines", "appservice.listen"), "{log}");
    assert!(warned("can be read by other users", "appservice.as_token_file"), "{log}");
}

fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    found.push(folder.to_owned());
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The TCP addresses a process listens on, as `/proc/net/tcp` spells them: `0100007F:7286`.
fn listening(process: u32) -> BTreeSet<String> {
    let files = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let links = files.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
    let sockets: BTreeSet<String> = links
        .filter_map(|link| {
            let name = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned();
            Some(name)
        })
        .collect();
    let mut found = BTreeSet::new();
    for table in ["tcp", "tcp6"] {
        let table =
            std::fs::read_to_string(format!("/proc/{process}/net/{table}")).unwrap_or_default();
        for line in table.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            // Local address, state "listen", inode.
            if words[3] == "0A" && sockets.contains(words[9]) {
                found.insert(words[1].to_owned());
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_stall_or_say_too_much_are_dropped() {
    let world = World::start(Setting::default()).await;
    let token = std::fs::read_to_string(world.path("secrets/hs_token")).unwrap();
    let address = world.appservice_url().trim_start_matches("http://").to_owned();
    let transaction = "PUT /_matrix/app/v1/transactions/1 HTTP/1.1\r\nHost: x\r\n";
    let stranger = format!("{transaction}Content-Length: 33000000\r\n\r\n");
    let stalled = format!(
        "{transaction}Authorization: Bearer {}\r\nContent-Length: 100\r\n\r\n{{",
        token.trim()
    );
    let endless = format!("GET /health/live HTTP/1.1\r\nX-Long: {}", "a".repeat(64 << 10));
    let operator = world.operator_address();
    let started = Instant::now();
    let (silent, half, stranger, stalled, endless, shown) = tokio::join!(
        call(&address, b""),
        call(&address, transaction.as_bytes()),
        call(&address, stranger.as_bytes()),
        call(&address, stalled.as_bytes()),
        call(&operator, endless.as_bytes()),
        call(&operator, b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"),
    );
    assert_eq!((silent.as_str(), half.as_str()), ("", ""));
    // Nothing of a stranger's body is read, and the connection is not kept.
    assert!(stranger.starts_with("HTTP/1.1 401"), "{stranger}");
    assert!(stalled.starts_with("HTTP/1.1 400"), "{stalled}");
    assert!(endless.starts_with("HTTP/1.1 431"), "{endless}");
    assert!(shown.starts_with("HTTP/1.1 200") && shown.ends_with("live\n"), "{shown}");
    assert!(started.elapsed() > Duration::from_secs(5));
}

/// Everything the daemon answers until it hangs up.
async fn call(address: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may be refused, and the connection closed, before all of it is sent.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "a caller was kept for {PATIENCE:?}");
    String::from_utf8_lossy(&answer).into_owned()
}
