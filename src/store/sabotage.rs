//! How a build made for the crash test breaks on purpose. Without the feature `sabotage`, which
//! no release has, nothing here does anything.
//!
//! - `FORGET_UNFLUSHED=1`: each start finds the store as the last flush left it. That is what a
//!   power cut does; SIGKILL alone does not, because sled hands each batch to the operating
//!   system soon after it is written.
//! - `BREAK=no-flush`: once there is a ledger, the store says it is on disk and is not.
//! - `ABORT_DIARY=FILE`: the process kills itself before each record write that the diary does
//!   not name yet, having named it. Started again and again, it dies once at every write of its
//!   work. `ABORT_TIMES=2` kills twice at each, so that the repair of the first death is hit
//!   too.
//!
//! Which daemon runs with what, and what must come of it, is the crash test's business.

#[cfg(feature = "sabotage")]
pub(super) use broken::{after_flush, before_open, before_write, skips_flushes};
#[cfg(not(feature = "sabotage"))]
pub(super) use sound::{after_flush, before_open, before_write, skips_flushes};

#[cfg(not(feature = "sabotage"))]
mod sound {
    /// The store is opened as it lies.
    pub fn before_open(_: &std::path::Path) {}

    /// Nothing more is to be done.
    pub fn after_flush() {}

    /// Every write passes.
    pub fn before_write(_: &sled::Tree, _: &[u8], _: &[u8]) {}

    /// Flushes are flushes.
    pub const fn skips_flushes() -> bool {
        false
    }
}

#[cfg(feature = "sabotage")]
mod broken {
    use std::collections::HashMap;
    use std::ffi::OsString;
    use std::fmt::Write as _;
    use std::fs::File;
    use std::io::{self, Read as _, Write as _};
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, OnceLock, PoisonError};

    use sha2::{Digest as _, Sha256};

    use crate::store::trees;

    /// The store's folder, when what is not flushed is to be forgotten.
    static FORGETFUL: OnceLock<Option<PathBuf>> = OnceLock::new();
    static COPIES: Mutex<u64> = Mutex::new(0);

    pub fn before_open(path: &Path) {
        let forgetful = std::env::var_os("FORGET_UNFLUSHED").map(|_| path.to_owned());
        let Some(path) = FORGETFUL.get_or_init(|| forgetful) else { return };
        let copies = copies_of(path).expect("the crash test's copies can be listed");
        let Some((number, copy)) = copies.last() else { return };
        *COPIES.lock().unwrap_or_else(PoisonError::into_inner) = *number;
        let replaced = std::fs::remove_dir_all(path).and_then(|()| copy_folder(copy, path));
        replaced.expect("the crash test's copy can be put in place");
    }

    pub fn after_flush() {
        let Some(Some(path)) = FORGETFUL.get() else { return };
        let mut number = COPIES.lock().unwrap_or_else(PoisonError::into_inner);
        let older = copies_of(path).expect("the crash test's copies can be listed");
        *number += 1;
        let half = path.with_extension("half");
        let _ = std::fs::remove_dir_all(&half);
        let copied = copy_folder(path, &half)
            .and_then(|()| std::fs::rename(&half, path.with_extension(format!("{number:08}"))));
        copied.expect("the crash test's copy can be made");
        for (_, old) in older {
            let _ = std::fs::remove_dir_all(old);
        }
    }

    /// The whole copies beside the store, the oldest first.
    fn copies_of(path: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
        let mut copies = Vec::new();
        for entry in std::fs::read_dir(path.parent().unwrap_or(path))? {
            let copy = entry?.path();
            let number = copy.extension().and_then(|number| number.to_str()?.parse().ok());
            copies.extend(number.filter(|_| copy.file_stem() == path.file_stem()).zip(Some(copy)));
        }
        copies.sort();
        Ok(copies)
    }

    fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
        std::fs::create_dir(to)?;
        for entry in std::fs::read_dir(from)? {
            let entry = entry?;
            let target = to.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                copy_folder(&entry.path(), &target)?;
            } else {
                std::fs::copy(entry.path(), target)?;
            }
        }
        Ok(())
    }

    pub fn skips_flushes() -> bool {
        std::env::var_os("BREAK").is_some_and(|value| value == "no-flush")
    }

    /// `record` is what is written at `key`, empty when it does not matter which stage of its
    /// life the record has reached.
    pub fn before_write(tree: &sled::Tree, key: &[u8], record: &[u8]) {
        static DIARY: OnceLock<Option<Mutex<Diary>>> = OnceLock::new();
        let diary = DIARY.get_or_init(|| std::env::var_os("ABORT_DIARY").map(Diary::open));
        let Some(diary) = diary else { return };
        diary.lock().unwrap_or_else(PoisonError::into_inner).before(tree, key, record);
    }

    struct Diary {
        file: File,
        /// How often each write was died at.
        died_at: HashMap<String, u64>,
        times: u64,
    }

    impl Diary {
        fn open(path: OsString) -> Mutex<Self> {
            let times = std::env::var("ABORT_TIMES").ok();
            let times = times.and_then(|text| text.parse().ok()).unwrap_or(1);
            let mut options = File::options();
            let mut file = options
                .read(true)
                .append(true)
                .create(true)
                .open(path)
                .expect("the crash test's diary can be opened");
            let mut text = String::new();
            file.read_to_string(&mut text).expect("the crash test's diary can be read");
            let mut died_at = HashMap::new();
            for line in text.lines() {
                *died_at.entry(line.to_owned()).or_insert(0) += 1;
            }
            Mutex::new(Self { file, died_at, times })
        }

        fn before(&mut self, tree: &sled::Tree, key: &[u8], record: &[u8]) {
            let write = name_of(tree, key, record);
            if self.died_at.get(&write).is_some_and(|deaths| *deaths >= self.times) {
                return;
            }
            writeln!(self.file, "{write}").expect("the crash test's diary can be written");
            // What SIGKILL does to a process it does to this one: nothing more is written.
            let _ = rustix::process::kill_process(
                rustix::process::getpid(),
                rustix::process::Signal::KILL,
            );
            std::process::abort();
        }
    }

    /// The same in every life of the daemon, whatever the clock says and whichever media
    /// addresses were given out meanwhile.
    fn name_of(tree: &sled::Tree, key: &[u8], record: &[u8]) -> String {
        let tree = String::from_utf8_lossy(&tree.name()).into_owned();
        let mut hash = Sha256::new();
        // A job that was killed while it was taken in gets another id, and every life of the
        // daemon has sessions of its own.
        if ![trees::JOBS, trees::SESSIONS, trees::GIVEN].contains(&tree.as_str()) {
            hash.update(key);
        }
        let mut stage = String::new();
        if let Ok(record) = serde_json::from_slice::<serde_json::Value>(record) {
            for part in ["state", "purged"].iter().filter_map(|field| record.get(field)) {
                let _ = write!(stage, " {part}");
            }
        }
        format!("{tree} {}{stage}", hex::encode(hash.finalize()).get(..16).unwrap_or_default())
    }
}
