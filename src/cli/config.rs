//! `passerelle config`

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use clap::Subcommand;

use super::{Exit, output};
use crate::config::{DEFAULTS, load};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check the file and the environment, without starting anything.
    Check,
    /// Write a configuration in which every key is explained.
    Init {
        /// Where the homeserver's client API is.
        #[arg(long, value_name = "URL")]
        homeserver_url: String,
        /// The part after the colon in its user ids.
        #[arg(long, value_name = "NAME")]
        server_name: String,
    },
}

pub(super) fn run(command: Command, path: &Path) -> anyhow::Result<Exit> {
    match command {
        Command::Check => match load(Some(path), std::env::vars()) {
            Ok(config) => {
                output::say(&format!("{} is usable", path.display()));
                let tokens = [
                    ("appservice.as_token", config.appservice.as_token.is_some()),
                    ("appservice.hs_token", config.appservice.hs_token.is_some()),
                    ("witness.token", config.witness.token.is_some()),
                ];
                for (key, _) in tokens.iter().filter(|(_, set)| !set) {
                    output::say(&format!("warning: {key} is not set yet"));
                }
                Ok(Exit::Done)
            }
            Err(error) => {
                output::error(&error.into());
                Ok(Exit::CheckFailed)
            }
        },
        Command::Init { homeserver_url, server_name } => {
            init(path, &homeserver_url, &server_name)?;
            output::say(&format!("wrote {}", path.display()));
            Ok(Exit::Done)
        }
    }
}

fn init(path: &Path, homeserver_url: &str, server_name: &str) -> anyhow::Result<()> {
    let quoted = |text: &str| toml_edit::Value::from(text).to_string();
    let text = DEFAULTS
        .replacen(
            "homeserver_url = \"\"",
            &format!("homeserver_url = {}", quoted(homeserver_url)),
            1,
        )
        .replacen("server_name = \"\"", &format!("server_name = {}", quoted(server_name)), 1);
    let mut options = std::fs::OpenOptions::new();
    let mut file =
        options.write(true).create_new(true).mode(0o600).open(path).with_context(|| {
            format!("cannot write {}; an existing file is not overwritten", path.display())
        })?;
    file.write_all(text.as_bytes())?;
    Ok(())
}
