//! `passerelle run`

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::Exit;
use crate::app;
use crate::config::{Config, LogFormat};

/// Libraries whose log lines name people and devices. What fails in them comes back as an error.
const NAMING_LIBRARIES: [&str; 4] =
    ["matrix_sdk_crypto", "matrix_sdk_sqlite", "matrix_sdk_common", "vodozemac"];

pub(super) async fn run(config: Config) -> anyhow::Result<Exit> {
    // Everything the daemon writes holds other people's words.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let mut filter = EnvFilter::try_new(&config.log.filter)
        .map_err(|error| anyhow::anyhow!("log.filter is not a filter: {error}"))?;
    for library in NAMING_LIBRARIES {
        filter = filter.add_directive(format!("{library}=off").parse()?);
    }
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log.format {
        LogFormat::Text => builder.with_ansi(false).init(),
        LogFormat::Json => builder.json().init(),
    }
    let stop = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let asked = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping");
        asked.cancel();
    });
    app::run(config, stop).await?;
    Ok(Exit::Done)
}
