//! `passerelle config`

use std::path::Path;

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
                    (
                        "appservice.as_token",
                        &config.appservice.as_token,
                        &config.appservice.as_token_file,
                    ),
                    (
                        "appservice.hs_token",
                        &config.appservice.hs_token,
                        &config.appservice.hs_token_file,
                    ),
                    ("witness.token", &config.witness.token, &config.witness.token_file),
                ];
                let mut exit = Exit::Done;
                for (key, token, file) in tokens {
                    if token.is_none() {
                        let where_to = file.as_ref().map_or_else(String::new, |file| {
                            format!(", {} does not exist", file.display())
                        });
                        output::say(&format!("warning: {key} is not set yet{where_to}"));
                        exit = Exit::CheckWarned;
                    }
                }
                Ok(exit)
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
    output::write_private(path, &text)
}
