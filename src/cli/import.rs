//! `passerelle import`

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use ruma::{OwnedRoomId, OwnedUserId};

use super::archive::{PasswordFile, Source};
use super::client::Daemon;
use super::status::{follow, follow_all, lasting, line, status};
use super::{Exit, output};
use crate::app;
use crate::archive::{Access, Container, Password};
use crate::config::Config;
use crate::import::{Effort, ImportError, Plan, PlanError, Report, Warning, Wishes, plan};
use crate::matrix::{Limits, RoomKind};
use crate::model::ids::ChatId;
use crate::model::time::Clock;
use crate::web::{JobView, MadeJob, NewJob};
use crate::wording::Wording;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read an archive and write a plan to be edited and approved.
    Plan(PlanArguments),
    /// Hand an approved plan and its archive to the daemon.
    Start(StartArguments),
    /// Show one job, or all.
    Status {
        /// The job.
        job: Option<String>,
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// Stay until the job is done or has stopped.
        #[arg(long, requires = "job")]
        wait: bool,
    },
    /// Stop a job at the next message.
    Pause {
        /// The job.
        job: String,
    },
    /// Let a paused or failed job go on.
    Resume {
        /// The job.
        job: String,
        /// Stay until it is done or has stopped.
        #[arg(long)]
        wait: bool,
    },
    /// Give a job up: what it sent is redacted, its working copy removed.
    Cancel {
        /// The job.
        job: String,
        /// Confirms that what was imported is to be redacted.
        #[arg(long)]
        yes: bool,
    },
    /// Read a finished job's room back once more.
    Verify {
        /// The job.
        job: String,
        /// The archive; the daemon does not keep it.
        #[arg(long, value_name = "FILE")]
        archive: PathBuf,
        #[command(flatten)]
        password: PasswordFile,
    },
    /// Print a job's report.
    Report {
        /// The job.
        job: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct PlanArguments {
    #[command(flatten)]
    source: Source,
    /// Where to write the plan.
    #[arg(short, long, default_value = "plan.toml", value_name = "FILE")]
    output: PathBuf,
    /// The chat's id, where the archive holds several.
    #[arg(long, value_name = "ID")]
    chat: Option<String>,
    /// The room's name; the chat's title when absent.
    #[arg(long, value_name = "NAME")]
    room_name: Option<String>,
    /// What kind of room, in a plan's word; private and not encrypted when absent.
    #[arg(long, value_name = "KIND")]
    room_kind: Option<RoomKind>,
    /// The room id of the space it belongs to.
    #[arg(long, value_name = "ROOM")]
    space: Option<OwnedRoomId>,
    /// A person who owns the room. Can be given several times.
    #[arg(long = "admin", value_name = "USER")]
    admins: Vec<OwnedUserId>,
    /// A person to invite once the room is verified. Can be given several times.
    #[arg(long, value_name = "USER")]
    invite: Vec<OwnedUserId>,
    /// Plan without asking the homeserver.
    #[arg(long)]
    offline: bool,
}

#[derive(Debug, Args)]
pub(super) struct StartArguments {
    /// The approved plans, to be carried out in this order.
    #[arg(required = true, value_name = "PLAN")]
    plans: Vec<PathBuf>,
    /// The archive, if it does not lie beside the plan. With several plans, each archive lies
    /// beside its own.
    #[arg(long, value_name = "FILE")]
    archive: Option<PathBuf>,
    #[command(flatten)]
    password: PasswordFile,
    /// Stay until the jobs are done or have stopped.
    #[arg(long)]
    wait: bool,
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<Exit> {
    match command {
        Command::Plan(arguments) => make_plan(arguments, config).await,
        Command::Start(arguments) => start(arguments, config).await,
        Command::Status { job, json, wait } => status(job.as_deref(), json, wait, config).await,
        Command::Pause { job } => {
            let view: JobView = post(config, &job, "pause").await?;
            output::data(&line(&view));
            Ok(Exit::Done)
        }
        Command::Resume { job, wait } => {
            let view: JobView = post(config, &job, "resume").await?;
            if wait {
                return follow(&job, config).await;
            }
            output::data(&line(&view));
            Ok(Exit::Done)
        }
        Command::Cancel { job, yes } => cancel(&job, yes, config).await,
        Command::Verify { job, archive, password } => {
            verify(&job, &archive, &password, config).await
        }
        Command::Report { job, json } => {
            let daemon = Daemon::new(config)?;
            let report: Report = daemon.get(&format!("/v1/jobs/{job}/report")).await?;
            if json {
                output::data(&serde_json::to_string_pretty(&report)?);
            } else {
                output::data(&report.to_text(Wording::new(app::language(config))));
            }
            Ok(Exit::Done)
        }
    }
}

async fn make_plan(arguments: PlanArguments, config: &Config) -> anyhow::Result<Exit> {
    let PlanArguments {
        source,
        output: path,
        chat,
        room_name,
        room_kind: kind,
        space,
        admins,
        invite,
        offline,
    } = arguments;
    if path.exists() {
        bail!(
            "{} exists and is not overwritten\nhint: choose another name with --output",
            path.display()
        );
    }
    let archive = Arc::new(source.open(chat.as_deref(), false)?);
    let lookup = if offline { None } else { Some(app::lookup(config)?) };
    if let Some(lookup) = &lookup {
        for person in admins.iter().chain(&invite) {
            if person.server_name() == config.matrix.server_name
                && !lookup.account_exists(person).await?
            {
                bail!("the homeserver knows no {person}");
            }
        }
    }
    let wishes = Wishes {
        chat: chat.map(ChatId::new),
        room_name,
        kind,
        space,
        admins,
        invite,
        max_file_bytes: config.import.max_file_bytes,
    };
    let made = plan(archive, lookup.as_ref(), wishes).await.map_err(|error| explain(&error))?;
    let warnings = warnings(&made, config);
    output::write_private(&path, &made.to_text(&warnings))?;
    let facts = &made.archive;
    output::say(&format!(
        "{} messages from {} to {}, {} files ({} bytes), {} participants",
        facts.messages,
        facts.first,
        facts.last,
        facts.files,
        facts.files_bytes,
        made.participants.len()
    ));
    say_effort(&made, config);
    if facts.files_too_large > 0 {
        output::say(&format!("{} file(s) are too large for the homeserver", facts.files_too_large));
    }
    if facts.files_absent > 0 {
        output::say(&format!("{} file(s) are not in the archive", facts.files_absent));
    }
    for (kind, count) in &facts.findings {
        output::say(&format!("finding: {count} × {}", super::archive::word(kind)));
    }
    output::say(&format!("wrote {}; still to be decided:", path.display()));
    for objection in made.objections(&config.rooms) {
        output::say(&format!("  - {objection}"));
    }
    warn(&warnings);
    Ok(Exit::Done)
}

fn warnings(plan: &Plan, config: &Config) -> Vec<Warning> {
    plan.warnings(&config.rooms, &app::namer(config), Clock::system().now())
}

fn warn(warnings: &[Warning]) {
    for warning in warnings {
        output::say(&format!("warning: {warning}"));
    }
}

/// The calls the plan means, and how long they take as the daemon is configured.
fn say_effort(plan: &Plan, config: &Config) {
    let effort = Effort::of(plan);
    let limits = Limits::from(&config.pace);
    let pace = match limits.calls_per_second {
        Some(rate) => format!("at {rate} call(s) a second"),
        None => "as fast as a homeserver of usual speed".to_owned(),
    };
    output::say(&format!(
        "about {} calls to the homeserver ({} messages, {} uploads, {} to prepare the room and its people, {} to read it back): {} {pace}",
        effort.calls(),
        effort.messages,
        effort.uploads,
        effort.opening,
        effort.reading,
        lasting(effort.duration(&limits)),
    ));
    if !config.pace.quiet_hours.is_none() {
        output::say("quiet hours come on top: `passerelle import status` says when it will end");
    }
}

fn explain(error: &ImportError) -> anyhow::Error {
    if let ImportError::Plan(PlanError::ChatWanted { chats }) = error {
        let list: Vec<String> =
            chats.iter().map(|(id, title)| format!("\n  {id}  {title}")).collect();
        return anyhow::anyhow!("{error}:{}", list.concat());
    }
    let hint = error.hint();
    anyhow::anyhow!("{error}\nhint: {hint}")
}

async fn start(arguments: StartArguments, config: &Config) -> anyhow::Result<Exit> {
    let StartArguments { plans, archive, password, wait } = arguments;
    let password = password.read()?;
    if archive.is_some() && plans.len() > 1 {
        bail!("--archive goes with one plan\nhint: put each archive beside its plan");
    }
    // Everything that can be known before the first is handed in.
    let mut ready = Vec::with_capacity(plans.len());
    for path in &plans {
        ready.push(check_plan(path, archive.clone(), password.clone(), config)?);
    }
    let daemon = Daemon::new(config)?;
    let mut made = Vec::with_capacity(ready.len());
    for (text, archive) in ready {
        let (ticket, name) = daemon.hand_in(&archive, password.clone()).await?;
        let new = NewJob { plan: text, spool: ticket.id, name };
        let MadeJob { id } = daemon.post("/v1/jobs", Some(&new)).await?;
        output::data(&id);
        made.push(id);
    }
    if wait {
        return follow_all(&made, config).await;
    }
    match made.as_slice() {
        [one] => output::say(&format!("follow it with `passerelle import status {one} --wait`")),
        _ => output::say("`passerelle import status` shows them all"),
    }
    Ok(Exit::Done)
}

/// A plan's text and its archive, if it can be started.
fn check_plan(
    path: &Path,
    archive: Option<PathBuf>,
    password: Option<Password>,
    config: &Config,
) -> anyhow::Result<(String, PathBuf)> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let plan = Plan::parse(&text)?;
    let objections = plan.objections(&config.rooms);
    if !objections.is_empty() {
        let list: Vec<String> = objections.iter().map(|one| format!("\n  - {one}")).collect();
        bail!(
            "the plan cannot be started yet:{}\nhint: edit {} and start it again",
            list.concat(),
            path.display()
        );
    }
    let archive = archive.unwrap_or_else(|| path.with_file_name(&plan.archive.file));
    if !archive.exists() {
        bail!("the archive is not at {}\nhint: say where it is with --archive", archive.display());
    }
    check_digest(&archive, password, &plan)?;
    warn(&warnings(&plan, config));
    Ok((text, archive))
}

/// Before gigabytes are handed in: is it the archive the plan was made from?
fn check_digest(archive: &Path, password: Option<Password>, plan: &Plan) -> anyhow::Result<()> {
    let container = Container::open(archive, Access { password, ..Access::default() })?;
    let found = container.digest()?;
    if found != plan.archive.sha256 {
        bail!(
            "{} has digest {found}, the plan was made from {}\nhint: make a new plan from this archive, or bring the old one",
            archive.display(),
            plan.archive.sha256
        );
    }
    Ok(())
}

async fn post(config: &Config, job: &str, what: &str) -> anyhow::Result<JobView> {
    Daemon::new(config)?.post(&format!("/v1/jobs/{job}/{what}"), None::<&()>).await
}

async fn cancel(job: &str, yes: bool, config: &Config) -> anyhow::Result<Exit> {
    if !yes {
        bail!(
            "everything job {job} has sent would be redacted\nhint: say --yes if that is what you want"
        );
    }
    let answer: serde_json::Value =
        Daemon::new(config)?.post(&format!("/v1/jobs/{job}/cancel"), None::<&()>).await?;
    output::say(&format!("job {job} is cancelled, {} event(s) were redacted", answer["redacted"]));
    if let Some(keys @ 1..) = answer["keys_forgotten"].as_u64() {
        output::say(&format!("{keys} key(s) of its encrypted room were forgotten"));
    }
    if answer["out_of_reach"] != 0 {
        output::say(&format!(
            "{} event(s) stay: the room's owners have put the bot out",
            answer["out_of_reach"]
        ));
    }
    if answer["bot_stays"] == true {
        output::say(
            "the bot stays in the room: it is its last administrator, and everybody would become one if it left",
        );
    }
    output::say(
        "its files stay in the homeserver's media store until an administrator purges them",
    );
    Ok(Exit::Done)
}

async fn verify(
    job: &str,
    archive: &Path,
    password: &PasswordFile,
    config: &Config,
) -> anyhow::Result<Exit> {
    let daemon = Daemon::new(config)?;
    let (ticket, name) = daemon.hand_in(archive, password.read()?).await?;
    let body = serde_json::json!({ "spool": ticket.id, "name": name });
    let report: Report = daemon.post(&format!("/v1/jobs/{job}/verify"), Some(&body)).await?;
    output::data(&report.to_text(Wording::new(app::language(config))));
    Ok(if report.is_verified() { Exit::Done } else { Exit::CheckFailed })
}
