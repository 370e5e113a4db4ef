//! The command line: one file a command. Data goes to stdout, talk to stderr.
//!
//! Exit codes: 0 done, 1 failed and said why, 2 misused; checks answer 10 for errors and
//! 11 for warnings.

mod archive;
mod client;
mod config;
mod doctor;
mod import;
mod inspect;
mod keys;
mod merge;
mod output;
mod registration;
mod run;
mod status;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, load};

/// Moves WhatsApp, Telegram and Olvid conversations into Tchap rooms.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
struct Arguments {
    /// The configuration file.
    #[arg(
        long,
        global = true,
        env = "PASSERELLE_CONFIG",
        default_value = "passerelle.toml",
        value_name = "FILE"
    )]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon.
    Run,
    /// Look into exports, without a homeserver or a daemon.
    #[command(subcommand)]
    Archive(archive::Command),
    /// Import an archive into a room.
    #[command(subcommand)]
    Import(import::Command),
    /// Who has the keys of encrypted rooms.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Make and check the application-service registration.
    #[command(subcommand)]
    Registration(registration::Command),
    /// Make and check the configuration.
    #[command(subcommand)]
    Config(config::Command),
    /// Examine this installation and its homeserver before an import.
    Doctor(doctor::Arguments),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Done,
    /// A check found errors.
    CheckFailed,
    /// A check found something to look at.
    CheckWarned,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::error(&anyhow::anyhow!("cannot start: {error}"));
            return ExitCode::from(1);
        }
    };
    match runtime.block_on(dispatch(arguments)) {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::CheckFailed) => ExitCode::from(10),
        Ok(Exit::CheckWarned) => ExitCode::from(11),
        Err(error) => {
            output::error(&error);
            ExitCode::from(1)
        }
    }
}

async fn dispatch(arguments: Arguments) -> anyhow::Result<Exit> {
    let Arguments { config, command } = arguments;
    match command {
        Command::Run => run::run(load_config(&config)?).await,
        Command::Archive(command) => archive::run(command),
        Command::Import(command) => import::run(command, &load_config(&config)?).await,
        Command::Keys(command) => keys::run(command, &load_config(&config)?).await,
        Command::Registration(command) => registration::run(command, &load_config(&config)?).await,
        Command::Config(command) => config::run(command, &config),
        Command::Doctor(arguments) => doctor::run(arguments, &config).await,
    }
}

fn load_config(path: &std::path::Path) -> anyhow::Result<Config> {
    load(Some(path), std::env::vars())
        .map_err(|error| anyhow::anyhow!("{error}\nhint: {}", config_hint(path)))
}

fn config_hint(path: &std::path::Path) -> &'static str {
    if path.exists() {
        "`passerelle config init` writes a file in which every key is explained"
    } else {
        "make one with `passerelle config init`, or name yours with --config"
    }
}
