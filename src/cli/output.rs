//! The only place that prints.

use std::io::{IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::archive::{ArchiveError, ContainerError, MergeError};
use crate::import::{ImportError, PlanError};
use crate::matrix::MatrixError;
use crate::store::StoreError;

/// Data, for people or programs. A reader that has gone is no error.
pub(super) fn data(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n"));
}

/// Talk: what happens, what to do next.
#[expect(clippy::print_stderr, reason = "this is the one place that may")]
pub(super) fn say(text: &str) {
    eprintln!("{text}");
}

/// A failure with what is behind it, and its hint on a line of its own.
#[expect(clippy::print_stderr, reason = "this is the one place that may")]
pub(super) fn error(error: &anyhow::Error) {
    let whole = format!("{error:#}");
    let known = hint_of(error);
    let (text, hint) = whole.split_once("\nhint: ").unwrap_or((whole.as_str(), known));
    eprintln!("error: {text}");
    if !hint.is_empty() {
        eprintln!("\nhint: {hint}");
    }
}

/// The hint of an error that has one of its own; empty for others.
fn hint_of(error: &anyhow::Error) -> &'static str {
    let known = error.chain().find_map(|cause| {
        let archive = cause.downcast_ref::<ArchiveError>().map(ArchiveError::hint);
        let container = || cause.downcast_ref::<ContainerError>().map(ContainerError::hint);
        let merge = || cause.downcast_ref::<MergeError>().map(MergeError::hint);
        let matrix = || cause.downcast_ref::<MatrixError>().map(MatrixError::hint);
        let import = || cause.downcast_ref::<ImportError>().map(ImportError::hint);
        let plan = || {
            cause.is::<PlanError>().then_some("make the plan anew with `passerelle import plan`")
        };
        let file =
            || cause.is::<std::io::Error>().then_some("check that the path exists and may be used");
        let store = || cause.downcast_ref::<StoreError>().map(StoreError::hint);
        archive
            .or_else(store)
            .or_else(container)
            .or_else(merge)
            .or_else(matrix)
            .or_else(import)
            .or_else(plan)
            .or_else(file)
    });
    known.unwrap_or_default()
}

/// A bar on stderr where somebody looks, nothing elsewhere.
pub(super) fn bar(total: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), target());
    let style = ProgressStyle::with_template("{msg:12} [{bar:40}] {pos}/{len} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("=> "));
    bar.set_message(what);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn target() -> ProgressDrawTarget {
    if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    }
}

/// Writes a new file that only this user may read. An existing one is never replaced.
pub(super) fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(path);
    if opened.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::AlreadyExists) {
        anyhow::bail!(
            "{} exists and is not overwritten\nhint: choose another name, or remove it first",
            path.display()
        );
    }
    let mut file = opened.with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(text.as_bytes())?;
    Ok(())
}
