//! `passerelle archive`

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use serde::Serialize;

use super::{Exit, inspect, merge, output};
use crate::archive::{
    Access, Archive, ArchiveError, Flow, Limits, Options, Password, Record, Recount, Survey,
};
use crate::model::ids::ChatId;
use crate::wording::{Language, Wording};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say what an export is and what it holds.
    Inspect {
        #[command(flatten)]
        source: Source,
        /// As JSON, with every finding.
        #[arg(long)]
        json: bool,
        /// The language of the summary: `en` or `fr`.
        #[arg(long, default_value = "en", value_name = "LANGUAGE", conflicts_with = "json")]
        language: Language,
    },
    /// List the chats of an export, one a line: id, messages, title.
    Chats {
        #[command(flatten)]
        source: Source,
    },
    /// Print the messages of a chat as JSON, one a line.
    Messages {
        #[command(flatten)]
        source: Source,
        /// The chat's id, where the export holds several.
        #[arg(long, value_name = "ID")]
        chat: Option<String>,
        /// Read every file to print its digest.
        #[arg(long)]
        hash: bool,
        /// Print findings among the messages.
        #[arg(long)]
        findings: bool,
    },
    /// Put several exports of one chat together, or take one chat out of an export.
    Merge(merge::Arguments),
}

/// Which export, and how to read it.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// The export: a zip, a folder, or a text file.
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// The IANA time zone of wall-clock times.
    #[arg(long, default_value = "Europe/Paris", value_name = "ZONE")]
    pub(super) timezone: String,
    #[command(flatten)]
    pub(super) password: PasswordFile,
}

/// Where the password of an encrypted export is.
#[derive(Debug, Args)]
pub(super) struct PasswordFile {
    /// A file that holds the password of an encrypted export.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl PasswordFile {
    /// The password, if there is one.
    pub(super) fn read(&self) -> anyhow::Result<Option<Password>> {
        self.password_file.as_deref().map(read_password).transpose()
    }
}

/// Reads a password file.
pub(super) fn read_password(path: &Path) -> anyhow::Result<Password> {
    Password::from_file(path)
        .with_context(|| format!("cannot read the password in {}", path.display()))
}

/// The zone of that name.
pub(super) fn time_zone(name: &str) -> anyhow::Result<TimeZone> {
    TimeZone::get(name)
        .with_context(|| format!("`{name}` is not a time zone, expected one such as Europe/Paris"))
}

impl Source {
    /// Opens the export.
    pub(super) fn open(&self, chat: Option<&str>, hash_files: bool) -> anyhow::Result<Archive> {
        let time_zone = time_zone(&self.timezone)?;
        let password = self.password.read()?;
        let options = Options {
            time_zone,
            hash_files,
            only_chat: chat.map(ChatId::new),
            ..Options::default()
        };
        let access = Access { limits: Limits::default(), password };
        Ok(Archive::open(&self.file, access, options)?)
    }
}

pub(super) fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Inspect { source, json, language } => {
            let archive = source.open(None, false)?;
            let survey = archive.survey()?;
            let recount = archive.recount(&survey)?;
            if json {
                output::data(&serde_json::to_string_pretty(&Inspected { survey, recount })?);
            } else {
                output::data(&inspect::describe(&survey, recount, Wording::new(language)));
            }
        }
        Command::Chats { source } => {
            let survey = source.open(None, false)?.survey()?;
            for chat in &survey.chats {
                output::data(&format!("{}\t{}\t{}", chat.id, chat.messages, chat.title));
            }
        }
        Command::Messages { source, chat, hash, findings } => {
            let archive = source.open(chat.as_deref(), hash)?;
            let chat = choose(&archive, chat)?;
            print_messages(&archive, &chat, findings)?;
        }
        Command::Merge(arguments) => return merge::run(arguments),
    }
    Ok(Exit::Done)
}

/// What `inspect --json` prints.
#[derive(Serialize)]
struct Inspected {
    #[serde(flatten)]
    survey: Survey,
    #[serde(skip_serializing_if = "Option::is_none")]
    recount: Option<Recount>,
}

fn choose(archive: &Archive, wanted: Option<String>) -> anyhow::Result<ChatId> {
    if let Some(id) = wanted {
        return Ok(ChatId::new(id));
    }
    let survey = archive.survey()?;
    match survey.chats.as_slice() {
        [only] => Ok(only.id.clone()),
        [] => {
            let path = archive.container().path().display().to_string();
            Err(ArchiveError::Empty { path }.into())
        }
        several => anyhow::bail!(
            "the export holds {} chats\nhint: choose one with --chat; `passerelle archive chats` lists them",
            several.len()
        ),
    }
}

fn print_messages(archive: &Archive, chat: &ChatId, findings: bool) -> anyhow::Result<()> {
    let mut failure = None;
    archive.read(chat, &mut |record| {
        let line = match &record {
            Record::Message(message) => serde_json::to_string(message),
            Record::Finding(finding) if findings => {
                serde_json::to_string(&serde_json::json!({ "finding": finding }))
            }
            Record::Finding(_) => return Flow::Continue,
        };
        match line {
            Ok(line) => {
                output::data(&line);
                Flow::Continue
            }
            Err(error) => {
                failure = Some(error);
                Flow::Stop
            }
        }
    })?;
    failure.map_or(Ok(()), |error| Err(error.into()))
}

/// A kind as its serialised word, with spaces.
pub(super) fn word<T: Serialize>(kind: &T) -> String {
    serde_json::to_string(kind).unwrap_or_default().trim_matches('"').replace('_', " ")
}
