//! `passerelle archive`

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use jiff::tz::TimeZone;

use super::{Exit, output};
use crate::archive::{
    Access, Archive, ArchiveError, ChatSurvey, Flow, Limits, NameKind, Options, Password, Record,
    Survey,
};
use crate::model::finding::Finding;
use crate::model::ids::ChatId;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say what an export is and what it holds.
    Inspect {
        #[command(flatten)]
        source: Source,
        /// As JSON, with every finding.
        #[arg(long)]
        json: bool,
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
    /// A file that holds the password of an encrypted export.
    #[arg(long, value_name = "FILE")]
    pub(super) password_file: Option<PathBuf>,
}

impl Source {
    /// Opens the export.
    pub(super) fn open(&self, chat: Option<&str>, hash_files: bool) -> anyhow::Result<Archive> {
        let time_zone = TimeZone::get(&self.timezone).with_context(|| {
            format!("`{}` is not a time zone, expected one such as Europe/Paris", self.timezone)
        })?;
        let password = match &self.password_file {
            Some(path) => Some(
                Password::from_file(path)
                    .with_context(|| format!("cannot read the password in {}", path.display()))?,
            ),
            None => None,
        };
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
        Command::Inspect { source, json } => {
            let archive = source.open(None, false)?;
            let survey = archive.survey()?;
            if json {
                output::data(&serde_json::to_string_pretty(&survey)?);
            } else {
                output::data(&describe(&survey));
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
    }
    Ok(Exit::Done)
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

fn describe(survey: &Survey) -> String {
    let mut lines = vec![format!("{} · {}", survey.network, survey.format)];
    for chat in &survey.chats {
        lines.push(String::new());
        describe_chat(chat, &mut lines);
    }
    if !survey.findings.is_empty() {
        lines.push(String::new());
        lines.extend(survey.findings.iter().map(finding_line));
    }
    lines.push(String::new());
    lines.push(format!("never in exports of this kind: {}", survey.never_contains.join(", ")));
    lines.join("\n")
}

fn describe_chat(chat: &ChatSurvey, lines: &mut Vec<String>) {
    lines.push(format!("chat {}: {}", chat.id, chat.title));
    if let (Some(first), Some(last)) = (&chat.first, &chat.last) {
        lines.push(format!("  from {} to {}", first.at, last.at));
    }
    let findings: u64 = chat.records.saturating_sub(chat.messages);
    lines.push(format!(
        "  {} records = {} messages + {findings} that are findings only",
        chat.records, chat.messages
    ));
    for (kind, count) in &chat.by_kind {
        lines.push(format!("  {count:>8} {kind}"));
    }
    let files = &chat.files;
    lines.push(format!(
        "  files: {} present ({} bytes), {} omitted by the export, {} missing",
        files.present, files.present_bytes, files.omitted, files.missing
    ));
    let exporter = chat.exporter.as_ref().map_or("not stated", |id| id.as_str());
    lines.push(format!("  exported by: {exporter}"));
    lines.push(format!("  participants: {}", chat.participants.len()));
    for person in &chat.participants {
        let kind = match person.name_kind {
            NameKind::Name => "",
            NameKind::PushName => " (not a saved contact)",
            NameKind::Number => " (a number only)",
            NameKind::Missing => " (no name)",
        };
        lines.push(format!("  {:>8} {}{kind}", person.messages, person.name));
    }
    for (kind, count) in &chat.finding_counts {
        lines.push(format!("  {count:>8} finding: {}", word(kind)));
        for finding in chat.findings.iter().filter(|one| one.kind == *kind).take(3) {
            lines.push(format!("           {}", finding_line(finding)));
        }
    }
}

fn finding_line(finding: &Finding) -> String {
    format!("{}: {} {}", finding.place, word(&finding.kind), finding.detail)
}

/// A kind as its serialised word, with spaces.
pub(super) fn word<T: serde::Serialize>(kind: &T) -> String {
    serde_json::to_string(kind).unwrap_or_default().trim_matches('"').replace('_', " ")
}
