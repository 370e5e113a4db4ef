//! `passerelle archive merge`

use std::io::BufRead as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::archive::{read_password, time_zone};
use super::{Exit, output};
use crate::archive::{
    Access, Archive, ArchiveError, ContainerError, KnownIds, Limits, MergeSource, MergeWishes,
    MergedChat, Options, Password, Role, merge,
};
use crate::model::ids::{ChatId, MessageId};
use crate::model::time::Clock;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The exports, or archives that were merged before. Where they contradict each other, the
    /// first one's word stands, and a finding says so. One export alone is allowed: with --chat,
    /// to take a chat out of it.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The folder to write. It can be inspected, planned and imported like an export.
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    /// A chat to merge; those that more than one export holds when absent. Can be given several
    /// times.
    #[arg(long = "chat", value_name = "ID")]
    chats: Vec<String>,
    /// Take the only chat of each export for the same one, whatever it is called there.
    #[arg(long, conflicts_with = "chats")]
    one_chat: bool,
    /// An earlier export: messages it holds are left out. Can be given several times.
    #[arg(long = "since", value_name = "FILE")]
    earlier: Vec<PathBuf>,
    /// A file of ids of messages to leave out: one a line, or the records.jsonl of a report.
    #[arg(long, value_name = "FILE")]
    known_ids: Option<PathBuf>,
    /// The IANA time zone of wall-clock times.
    #[arg(long, default_value = "Europe/Paris", value_name = "ZONE")]
    timezone: String,
    /// A file that holds the password of encrypted exports. Can be given several times; each is
    /// tried.
    #[arg(long = "password-file", value_name = "FILE")]
    password_files: Vec<PathBuf>,
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let Arguments {
        files,
        output: folder,
        chats,
        one_chat,
        earlier,
        known_ids,
        timezone,
        password_files,
    } = arguments;
    let options = Options {
        time_zone: time_zone(&timezone)?,
        // What has expired is not to be kept by way of a merge.
        expired_before: Some(Clock::system().now()),
        ..Options::default()
    };
    let mut passwords = Vec::new();
    for path in &password_files {
        passwords.push(read_password(path)?);
    }
    let merged = files.iter().map(|path| (path, Role::Merged));
    let mut sources = Vec::new();
    for (path, role) in merged.chain(earlier.iter().map(|path| (path, Role::Known))) {
        let archive = open(path, &passwords, &options)?;
        sources.push(MergeSource { archive, role });
    }
    let known = known_ids.as_deref().map(read_ids).transpose()?.unwrap_or_default();
    let wishes =
        MergeWishes { chats: chats.into_iter().map(ChatId::new).collect(), one_chat, known };
    let merged = merge(&sources, &wishes, &folder)?;
    for chat in &merged.chats {
        output::data(&describe(chat));
    }
    output::say(&format!(
        "wrote {} with {} file(s), {} bytes",
        folder.display(),
        merged.files,
        merged.files_bytes
    ));
    Ok(Exit::Done)
}

/// Opens an export with whichever password fits.
fn open(path: &Path, passwords: &[Password], options: &Options) -> anyhow::Result<Archive> {
    let mut tries = passwords.iter().cloned().map(Some).chain([None]);
    loop {
        // Each password, and in the end none, whose refusal is then the answer.
        let password = tries.next().flatten();
        let is_last = password.is_none();
        let access = Access { limits: Limits::default(), password };
        match Archive::open(path, access, options.clone()) {
            Err(ArchiveError::Container(ContainerError::WrongPassword { .. })) if !is_last => {}
            Err(ArchiveError::Container(ContainerError::PasswordNeeded { path }))
                if !passwords.is_empty() =>
            {
                return Err(ContainerError::WrongPassword { path }.into());
            }
            opened => return Ok(opened?),
        }
    }
}

/// Ids, one a line; of a report's records those that were carried over; of canonical JSON all.
fn read_ids(path: &Path) -> anyhow::Result<KnownIds> {
    let cannot = || format!("cannot read {}", path.display());
    let file = std::fs::File::open(path).with_context(cannot)?;
    let mut known = KnownIds::default();
    for line in std::io::BufReader::new(file).lines() {
        let line = line.with_context(cannot)?;
        let id = if line.starts_with('{') {
            let value: serde_json::Value = serde_json::from_str(&line).with_context(cannot)?;
            let text = |key| value.get(key).and_then(serde_json::Value::as_str);
            match text("disposition") {
                Some("carried" | "carried_with_loss") => text("message"),
                Some(_) => None,
                None => text("id"),
            }
            .map(str::to_owned)
        } else {
            Some(line.trim().to_owned()).filter(|line| !line.is_empty())
        };
        known.extend(id.map(MessageId::new));
    }
    Ok(known)
}

fn describe(chat: &MergedChat) -> String {
    let MergedChat { id, title, read, in_common, known, written, filled, people_joined, conflicts } =
        chat;
    let read: Vec<String> = read.iter().map(ToString::to_string).collect();
    let mut lines = vec![
        format!("chat {id}: {title}"),
        format!("  {} messages read from the exports", read.join(" + ")),
        format!("  {in_common} are in more than one of them"),
    ];
    if *known > 0 {
        lines.push(format!("  {known} were taken before and left out"));
    }
    lines.push(format!("  {written} written"));
    lines.push(format!("  {filled} completed from another export"));
    if *people_joined > 0 {
        lines.push(format!("  {people_joined} people go by another name in another export"));
    }
    if *conflicts > 0 {
        lines.push(format!("  {conflicts} contradictions, each a finding; both sides were kept"));
    }
    lines.join("\n")
}
