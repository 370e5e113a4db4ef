//! What can be seen on this machine: files, addresses, disk, limits.

use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::means::Means;
use super::records::size_below;
use super::sheet::{Seen, Sheet};
use crate::config::Config;

/// Under this no job is safe.
const LEAST_FREE_BYTES: u64 = 512 << 20;
/// Under this a large archive will not fit.
const SMALL_FREE_BYTES: u64 = 5 << 30;
const LEAST_FILES: u64 = 256;
const GOOD_FILES: u64 = 1024;

pub(super) async fn examine(sheet: &mut Sheet<'_>, means: &Means<'_>) {
    let Means { config, config_path, .. } = *means;
    sheet.note("config", Seen::ok(format!("{} is usable", config_path.display())));
    let files = secret_files(config, config_path, means.registration);
    let modes: Vec<_> = files.iter().map(|path| (path.as_path(), mode(path))).collect();
    sheet.note("secrets", judge_secrets(&modes, &missing_tokens(config)));
    let state = &config.daemon.state_dir;
    sheet.note("state", judge_state(state, mode(state), mode(&config.daemon.socket)));
    sheet.note(
        "listen",
        judge_addresses([
            ("appservice.listen", config.appservice.listen),
            ("operator.listen", config.operator.listen),
        ]),
    );
    let (place, archive) = (nearest_folder(state), means.archive.map(Path::to_owned));
    let archive_bytes = tokio::task::spawn_blocking(move || archive.map(|path| size_below(&path)));
    let archive_bytes = archive_bytes.await.unwrap_or(None);
    let free = rustix::fs::statvfs(&place).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    sheet.note("disk", judge_disk(free.map_err(|error| error.to_string()), archive_bytes));
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    sheet.note("files", judge_files(limit));
}

/// Files that only the daemon's user should read, as far as they exist.
fn secret_files(config: &Config, config_path: &Path, registration: Option<&Path>) -> Vec<PathBuf> {
    let sections = [
        (&config.appservice.as_token, &config.appservice.as_token_file),
        (&config.appservice.hs_token, &config.appservice.hs_token_file),
        (&config.witness.token, &config.witness.token_file),
    ];
    // A token that comes from no file stands in the configuration, or in the environment.
    let inline = sections.iter().any(|(token, file)| token.is_some() && file.is_none());
    let own = inline.then(|| config_path.to_owned());
    let named = sections.iter().filter_map(|(_, file)| (*file).clone());
    let all = named.chain(registration.map(Path::to_owned)).chain(own);
    all.filter(|path| path.exists()).collect()
}

fn missing_tokens(config: &Config) -> Vec<&'static str> {
    let tokens = [
        ("appservice.as_token", &config.appservice.as_token),
        ("appservice.hs_token", &config.appservice.hs_token),
    ];
    tokens.iter().filter(|(_, token)| token.is_none()).map(|(key, _)| *key).collect()
}

/// Permission bits; `None` when the file is not there.
fn mode(path: &Path) -> Option<u32> {
    std::fs::metadata(path).ok().map(|metadata| metadata.mode() & 0o777)
}

fn judge_secrets(files: &[(&Path, Option<u32>)], missing: &[&str]) -> Seen {
    let open = |bits: u32| {
        let names = files.iter().filter(|(_, mode)| mode.is_some_and(|mode| mode & bits != 0));
        let names: Vec<String> = names.map(|(path, _)| path.display().to_string()).collect();
        (!names.is_empty()).then(|| names.join(" "))
    };
    if let Some(names) = open(0o007) {
        return Seen::error(
            format!("every user of this machine may use {names}"),
            format!("chmod 600 {names}; if others had access, make new tokens"),
        );
    }
    if !missing.is_empty() {
        return Seen::error(
            format!("{} is not set", missing.join(" and ")),
            "run `passerelle registration generate` and install the registration",
        );
    }
    if let Some(names) = open(0o070) {
        return Seen::warning(
            format!("the group may use {names}"),
            format!("chmod 600 {names}, unless the group is the daemon's own"),
        );
    }
    Seen::ok(format!("{} file(s), each for its owner alone", files.len()))
}

fn judge_state(path: &Path, folder: Option<u32>, socket: Option<u32>) -> Seen {
    let shown = path.display();
    match (folder, socket) {
        (Some(mode), _) if mode & 0o077 != 0 => Seen::error(
            format!("{shown} has mode {mode:03o}: others may look into archives and records"),
            format!("chmod 700 {shown}"),
        ),
        (_, Some(mode)) if mode & 0o077 != 0 => Seen::error(
            format!("the command socket has mode {mode:03o}: who may open it commands the daemon"),
            "stop the daemon, remove the socket, start the daemon again",
        ),
        (Some(_), _) => Seen::ok(format!("{shown} is for its owner alone")),
        (None, _) => Seen::ok(format!("{shown} is not there yet; the daemon makes it")),
    }
}

fn judge_addresses(addresses: [(&str, SocketAddr); 2]) -> Seen {
    let wide: Vec<String> = addresses
        .iter()
        .filter(|(_, address)| !address.ip().is_loopback())
        .map(|(key, address)| format!("{key} = {address}"))
        .collect();
    if wide.is_empty() {
        return Seen::ok("both stay on this machine");
    }
    Seen::warning(
        format!("beyond loopback: {}", wide.join(", ")),
        "loopback where possible; else a firewall that lets only the homeserver in, and TLS before it: the listener speaks plain HTTP, and health and metrics take no token",
    )
}

/// Where the state folder is, or will be made.
fn nearest_folder(path: &Path) -> PathBuf {
    let there = path.ancestors().find(|folder| folder.is_dir());
    there.map_or_else(|| PathBuf::from("."), Path::to_owned)
}

fn judge_disk(free: Result<u64, String>, archive_bytes: Option<u64>) -> Seen {
    let free = match free {
        Ok(free) => free,
        Err(reason) => return Seen::error(reason, "look at the disk of daemon.state_dir"),
    };
    let (shown, change) = (megabytes(free), "free space below daemon.state_dir");
    // Its copy in the spool, what is unpacked from it, and the records.
    let needed =
        archive_bytes.map(|bytes| bytes.saturating_mul(2).saturating_add(LEAST_FREE_BYTES));
    match needed {
        Some(needed) if free < needed => Seen::error(
            format!("{shown} are free, this archive needs {}", megabytes(needed)),
            change,
        ),
        _ if free < LEAST_FREE_BYTES => Seen::error(format!("only {shown} are free"), change),
        Some(needed) => {
            Seen::ok(format!("{shown} are free, this archive needs {}", megabytes(needed)))
        }
        None if free < SMALL_FREE_BYTES => Seen::warning(
            format!("{shown} are free"),
            "an import needs twice the size of its archive; `passerelle doctor --archive FILE` says whether one fits",
        ),
        None => Seen::ok(format!("{shown} are free")),
    }
}

pub(super) fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes / 1_000_000)
}

fn judge_files(limit: Option<u64>) -> Seen {
    match limit {
        None => Seen::ok("no limit"),
        Some(limit) if limit < LEAST_FILES => Seen::error(
            format!("{limit} files may be open at once"),
            "LimitNOFILE=65536 in the service's unit, or `ulimit -n 65536`",
        ),
        Some(limit) if limit < GOOD_FILES => Seen::warning(
            format!("{limit} files may be open at once"),
            "LimitNOFILE=65536 in the service's unit, or `ulimit -n 65536`",
        ),
        Some(limit) => Seen::ok(format!("{limit} files may be open at once")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sheet::Verdict;
    use super::*;

    #[test]
    fn modes_are_judged_by_who_else_may_read() {
        let path = Path::new("secrets/as_token");
        let judge = |mode| judge_secrets(&[(path, Some(mode))], &[]);
        assert_eq!(judge(0o600).verdict, Verdict::Ok);
        assert_eq!(judge(0o640).verdict, Verdict::Warning);
        let seen = judge(0o604);
        assert_eq!(seen.verdict, Verdict::Error);
        assert!(seen.change.starts_with("chmod 600 secrets/as_token"));
        let seen = judge_secrets(&[], &["appservice.as_token"]);
        assert!(seen.change.contains("registration generate"));
        let state = Path::new("state");
        assert_eq!(judge_state(state, Some(0o700), Some(0o600)).verdict, Verdict::Ok);
        assert_eq!(judge_state(state, Some(0o750), None).verdict, Verdict::Error);
        assert_eq!(judge_state(state, Some(0o700), Some(0o660)).verdict, Verdict::Error);
        assert_eq!(judge_state(state, None, None).verdict, Verdict::Ok);
    }

    #[test]
    fn an_address_beyond_loopback_is_warned_about() {
        let parse = |text: &str| text.parse().unwrap();
        let judge = |one, two| judge_addresses([("a", parse(one)), ("b", parse(two))]);
        assert_eq!(judge("127.0.0.1:1", "[::1]:2").verdict, Verdict::Ok);
        let seen = judge("0.0.0.0:1", "127.0.0.1:2");
        assert_eq!(seen.verdict, Verdict::Warning);
        assert_eq!(seen.text, "beyond loopback: a = 0.0.0.0:1");
    }

    #[test]
    fn a_disk_is_judged_by_what_is_to_come() {
        let judge = |free, archive| judge_disk(Ok(free), archive).verdict;
        assert_eq!(judge(100 << 20, None), Verdict::Error);
        assert_eq!(judge(1 << 30, None), Verdict::Warning);
        assert_eq!(judge(1 << 30, Some(100 << 20)), Verdict::Ok);
        assert_eq!(judge(1 << 30, Some(400 << 20)), Verdict::Error);
        assert_eq!(judge(u64::MAX, Some(u64::MAX / 2)), Verdict::Ok);
        assert_eq!(judge_disk(Err("no such disk".to_owned()), None).verdict, Verdict::Error);
        assert_eq!(judge_files(Some(64)).verdict, Verdict::Error);
        assert_eq!(judge_files(Some(512)).verdict, Verdict::Warning);
        assert_eq!(judge_files(None).verdict, Verdict::Ok);
    }
}
