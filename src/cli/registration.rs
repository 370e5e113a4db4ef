//! `passerelle registration`

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use super::{Exit, output};
use crate::app;
use crate::config::{Config, Secret};
use crate::matrix::{MatrixError, Registration, RegistrationError, new_token};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make the registration file, and the tokens if there are none yet.
    Generate(Generate),
    /// Compare a registration with the configuration, and have the homeserver ping us.
    Check {
        /// The registration file, if it is at hand.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Generate {
    /// Where to write it.
    #[arg(short, long, default_value = "registration.yaml", value_name = "FILE")]
    output: PathBuf,
    /// Replace an existing file. The tokens stay as they are.
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<Exit> {
    match command {
        Command::Generate(generate) => make(&generate, config),
        Command::Check { file } => check(file.as_deref(), config).await,
    }
}

fn make(Generate { output, force }: &Generate, config: &Config) -> anyhow::Result<Exit> {
    if output.exists() && !force {
        let path = output.display().to_string();
        let error = anyhow::Error::from(RegistrationError::Exists { path });
        bail!("{error}\nhint: --force replaces it and keeps the tokens");
    }
    let mut section = config.appservice.clone();
    ensure_token(&mut section.as_token, section.as_token_file.as_deref(), "as_token")?;
    ensure_token(&mut section.hs_token, section.hs_token_file.as_deref(), "hs_token")?;
    let registration = Registration::from_config(&config.matrix, &section)?;
    let yaml = registration.to_yaml()?;
    if *force && output.exists() {
        std::fs::remove_file(output)
            .with_context(|| format!("cannot replace {}", output.display()))?;
    }
    output::write_private(output, &yaml)?;
    output::say(&format!("wrote {} (mode 0600)", output.display()));
    output::say("next: add it to app_service_config_files of the homeserver and restart that,");
    output::say("then `passerelle run` and `passerelle registration check`");
    Ok(Exit::Done)
}

fn ensure_token(
    token: &mut Option<Secret>,
    file: Option<&Path>,
    key: &'static str,
) -> anyhow::Result<()> {
    if token.is_some() {
        return Ok(());
    }
    let file = file.ok_or(RegistrationError::NoToken { key })?;
    let made = new_token()?;
    if let Some(parent) = file.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)
            .with_context(|| format!("cannot make {}", parent.display()))?;
    }
    output::write_private(file, made.expose())?;
    output::say(&format!("wrote a new token to {} (mode 0600)", file.display()));
    *token = Some(made);
    Ok(())
}

async fn check(file: Option<&Path>, config: &Config) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    let mut report = |what: &str, found: Result<String, String>| match found {
        Ok(text) => output::say(&format!("ok     {what}: {text}")),
        Err(text) => {
            output::say(&format!("error  {what}: {text}"));
            exit = Exit::CheckFailed;
        }
    };
    if let Some(path) = file {
        let same = Registration::read(path).and_then(|found| {
            found.same_as(&Registration::from_config(&config.matrix, &config.appservice)?, path)
        });
        report(
            "file",
            same.map(|()| "as the configuration says".to_owned()).map_err(|error| {
                format!("{error}; make it anew with `passerelle registration generate --force`")
            }),
        );
    }
    let lookup = app::lookup(config)?;
    let known = lookup.upload_limit_bytes().await;
    report("token", known.map(|_| "the homeserver knows us".to_owned()).map_err(|e| explain(&e)));
    let homeserver = app::homeserver(config)?.impatient();
    let ping = homeserver.ping(&config.appservice.id).await;
    report(
        "ping",
        ping.map(|took| format!("the homeserver reached us in {} ms", took.as_millis()))
            .map_err(|error| explain_ping(&error, config)),
    );
    Ok(exit)
}

fn explain(error: &MatrixError) -> String {
    format!("{error}; {}", error.hint())
}

fn explain_ping(error: &MatrixError, config: &Config) -> String {
    let url = &config.appservice.url;
    match error.errcode() {
        Some("M_CONNECTION_FAILED") => format!(
            "the homeserver cannot connect to {url}; is `passerelle run` running, and appservice.url right as seen from the homeserver?"
        ),
        Some("M_CONNECTION_TIMEOUT") => {
            format!("the homeserver gets no answer from {url}; something between drops packets")
        }
        Some("M_BAD_STATUS") => format!(
            "what answers at {url} refuses the homeserver's token; the installed registration has another hs_token, or another program listens there"
        ),
        Some("M_URL_NOT_SET") => "the installed registration has no url".to_owned(),
        Some(_) | None => explain(error),
    }
}
