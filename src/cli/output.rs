//! The only place that prints.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

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
    let (text, hint) = whole.split_once("\nhint: ").unwrap_or((whole.as_str(), ""));
    eprintln!("error: {text}");
    if !hint.is_empty() {
        eprintln!("\nhint: {hint}");
    }
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
