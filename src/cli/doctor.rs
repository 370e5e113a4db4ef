//! `passerelle doctor`

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Exit, output};
use crate::app::{self, Wish};
use crate::config::load;
use crate::doctor::{self, Examination, Finding, Verdict};
use crate::model::time::UnixMillis;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// The oldest date of the archives to come [default: ten years ago].
    #[arg(long, value_name = "DATE")]
    oldest: Option<Date>,
    /// An archive to come: is there space for it?
    #[arg(long, value_name = "FILE")]
    archive: Option<PathBuf>,
    /// The registration file [default: registration.yaml beside the configuration, if it is there].
    #[arg(long, value_name = "FILE")]
    registration: Option<PathBuf>,
}

pub(super) async fn run(arguments: Arguments, config_path: &Path) -> anyhow::Result<Exit> {
    let Arguments { json, oldest, archive, registration } = arguments;
    let mut tell = |finding: &Finding| {
        if !json {
            output::data(&line(finding));
        }
    };
    let found = match load(Some(config_path), std::env::vars()) {
        Ok(config) => {
            let beside = config_path.with_file_name("registration.yaml");
            let registration = registration.or_else(|| beside.exists().then_some(beside));
            let oldest = oldest.and_then(|date| date.to_zoned(TimeZone::UTC).ok());
            let wish = Wish {
                config_path,
                registration: registration.as_deref(),
                archive: archive.as_deref(),
                oldest: oldest.map(|date| UnixMillis::from(date.timestamp())),
            };
            app::examine(&config, wish, &mut tell).await
        }
        Err(error) => {
            let hint = super::config_hint(config_path);
            doctor::unusable(&error.to_string(), hint, &mut tell)
        }
    };
    if json {
        output::data(&serde_json::to_string_pretty(&found)?);
    } else {
        close(&found);
    }
    Ok(match found.worst() {
        Verdict::Error => Exit::CheckFailed,
        Verdict::Warning => Exit::CheckWarned,
        Verdict::Ok | Verdict::Skipped => Exit::Done,
    })
}

fn line(finding: &Finding) -> String {
    let Finding { check, tried, verdict, seen, change, asks: _ } = finding;
    let mut text = format!(
        "{:8} {}\n         tried   {tried}\n         seen    {seen}",
        verdict.word(),
        check.id
    );
    if !change.is_empty() {
        text.push_str("\n         change  ");
        text.push_str(change);
    }
    text
}

fn close(found: &Examination) {
    if !found.ask.is_empty() {
        output::data("\nTo be asked of the homeserver's administrators:\n");
        output::data(found.ask.trim_end());
    }
    if !found.stays.is_empty() {
        output::data("\nWhat stays on the homeserver, because it cannot be removed:\n");
        for one in &found.stays {
            output::data(&format!("- {one}"));
        }
    }
    let count = |verdict| found.count(verdict);
    output::say(&format!(
        "{} error(s), {} warning(s), {} ok, {} skipped",
        count(Verdict::Error),
        count(Verdict::Warning),
        count(Verdict::Ok),
        count(Verdict::Skipped)
    ));
}
