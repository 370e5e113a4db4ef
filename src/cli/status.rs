//! `passerelle import status`, and staying with a job.

use std::time::Duration;

use anyhow::bail;
use jiff::tz::TimeZone;

use super::client::Daemon;
use super::{Exit, output};
use crate::config::Config;
use crate::model::time::UnixMillis;
use crate::store::JobState;
use crate::web::{JobView, KeysView};

/// How often a job that is followed is looked at.
const LOOK: Duration = Duration::from_millis(400);

/// Shows one job, or all.
pub(super) async fn status(
    job: Option<&str>,
    json: bool,
    wait: bool,
    config: &Config,
) -> anyhow::Result<Exit> {
    let daemon = Daemon::new(config)?;
    match job {
        Some(id) if wait => follow(id, config).await,
        Some(id) => {
            let view: JobView = daemon.get(&format!("/v1/jobs/{id}")).await?;
            output::data(&if json { serde_json::to_string_pretty(&view)? } else { long(&view) });
            Ok(Exit::Done)
        }
        None => {
            let views: Vec<JobView> = daemon.get("/v1/jobs").await?;
            if json {
                output::data(&serde_json::to_string_pretty(&views)?);
            } else {
                for row in table(&views) {
                    output::data(&row);
                }
            }
            Ok(Exit::Done)
        }
    }
}

/// Stays with jobs, one after the other. Fails when one did, after the last.
pub(super) async fn follow_all(ids: &[String], config: &Config) -> anyhow::Result<Exit> {
    let mut failed = None;
    for id in ids {
        match follow(id, config).await {
            Ok(_) => {}
            // A fault of one never stops another; the last words are those of the first.
            Err(error) if failed.is_some() => output::say(&format!("{error:#}")),
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(Exit::Done), Err)
}

/// Shows a job's progress until it rests for good. Fails when the job did.
pub(super) async fn follow(id: &str, config: &Config) -> anyhow::Result<Exit> {
    let daemon = Daemon::new(config)?;
    let bar = output::bar(0, "importing");
    let mut told = None;
    loop {
        let view: JobView = daemon.get(&format!("/v1/jobs/{id}")).await?;
        bar.set_length(view.total);
        bar.set_position(view.done);
        match view.state {
            JobState::Planned | JobState::Running | JobState::Verifying => {
                bar.set_message(words(&view));
            }
            JobState::Done => {
                bar.finish_and_clear();
                output::say(&long(&view));
                return Ok(Exit::Done);
            }
            // It goes on by itself: whoever waits for its end waits on.
            JobState::Paused if view.again_at.is_some() => {
                if told != view.again_at {
                    told = view.again_at;
                    bar.suspend(|| output::say(&long(&view)));
                }
                bar.set_message(words(&view));
            }
            JobState::Paused | JobState::Failed | JobState::Cancelled => {
                bar.finish_and_clear();
                let go_on = format!("`passerelle import resume {id}` lets it go on");
                let hint = match (view.state, view.hint.as_str()) {
                    (JobState::Cancelled, _) => "make a new plan to import the chat".to_owned(),
                    (_, "") => go_on,
                    (_, hint) => format!("{hint}; then {go_on}"),
                };
                let fault =
                    if view.fault.is_empty() { String::new() } else { format!(": {}", view.fault) };
                bail!("job {id} is {}{fault}\nhint: {hint}", view.state.word());
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// All jobs, a line each below a line of titles; nothing when there are none.
fn table(views: &[JobView]) -> Vec<String> {
    if views.is_empty() {
        return Vec::new();
    }
    let titles = ["JOB", "RECORDS", "STATE", "ROOM"].map(str::to_owned);
    let rows = views.iter().map(|view| {
        let records = format!("{}/{}", view.done, view.total);
        [view.id.clone(), records, words(view), view.room_name.clone()]
    });
    let rows: Vec<[String; 4]> = std::iter::once(titles).chain(rows).collect();
    let widths: Vec<usize> = (0..3)
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    rows.iter()
        .map(|[id, records, state, room]| {
            let (a, b, c) = (widths[0], widths[1], widths[2]);
            format!("{id:a$}  {records:b$}  {state:c$}  {room}")
        })
        .collect()
}

/// One job on one line.
pub(super) fn line(view: &JobView) -> String {
    format!("{}  {}/{}  {}  {}", view.id, view.done, view.total, words(view), view.room_name)
}

/// Its state, what it waits for and when it will have ended.
fn words(view: &JobView) -> String {
    let position = view.position.map(|place| format!("{} in the queue", nth(place)));
    let rest = view.resting_until.map(|until| format!("resting until {}", moment(until)));
    let rest = rest.or_else(|| {
        let until = moment(view.held_until?);
        Some(format!("the homeserver asked for a pause until {until}"))
    });
    let again = view.again_at.map(|again| format!("tries again at {}", moment(again)));
    let end = view.ends_at.map(|end| format!("ends about {}", moment(end)));
    let pieces = [Some(view.state.word().to_owned()), position, rest, again, end];
    pieces.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn nth(number: u64) -> String {
    let ending = match (number % 10, number % 100) {
        (1, tens) if tens != 11 => "st",
        (2, tens) if tens != 12 => "nd",
        (3, tens) if tens != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// A moment by the clock on the operator's wall.
fn moment(at: UnixMillis) -> String {
    at.to_timestamp().to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A duration as people say it: two units at most.
pub(super) fn lasting(duration: Duration) -> String {
    let minutes = duration.as_secs().div_ceil(60);
    match duration.as_secs() {
        seconds @ 0..=90 => format!("{seconds} s"),
        91..=5_400 => format!("{minutes} min"),
        5_401..=172_800 => format!("{} h {} min", minutes / 60, minutes % 60),
        _ => format!("{} days {} h", minutes / 1440, minutes % 1440 / 60),
    }
}

fn long(view: &JobView) -> String {
    let mut text = format!(
        "job {} is {}: {} of {} records, room {} ({})",
        view.id,
        words(view),
        view.done,
        view.total,
        view.room_name,
        view.room_id.as_deref().unwrap_or("not made yet")
    );
    for (name, value) in
        [("fault", &view.fault), ("hint", &view.hint)].iter().filter(|(_, value)| !value.is_empty())
    {
        text.extend(["\n", name, ": ", value]);
    }
    if let Some(KeysView { people, due, devices, unserved }) = view.keys {
        let all = people.saturating_sub(due);
        let have = format!("keys: {all} people have them all, on {devices} devices");
        let wait = format!("{due} people wait, {unserved} devices were not reached");
        text.extend(["\n", &have, "; ", &wait]);
    }
    if let Some(report) = &view.report {
        text.extend(["\nreport: ", report]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_places_are_said_as_people_say_them() {
        let said = [59, 95, 3_600, 25_900, 200_000].map(|s| lasting(Duration::from_secs(s)));
        assert_eq!(said, ["59 s", "2 min", "60 min", "7 h 12 min", "2 days 7 h"]);
        assert_eq!(
            [1, 2, 3, 4, 11, 12, 21, 113].map(nth),
            ["1st", "2nd", "3rd", "4th", "11th", "12th", "21st", "113th"]
        );
    }
}
