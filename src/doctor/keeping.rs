//! Whether a room keeps what is sent into it: dates, repetitions, old messages, many at once.

use std::time::Duration;

use serde_json::Value;

use super::ask::Ask;
use super::service::refused;
use super::sheet::Seen;
use super::stage::Stage;
use super::witness::Witness;
use crate::matrix::MatrixError;
use crate::model::time::UnixMillis;
use crate::portal::is_heard;

/// Synapse lets ten messages through at once before it limits, by default.
const BURST: usize = 15;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Ages tried, in days, when the oldest date is hidden.
const AGES_DAYS: [i64; 5] = [3650, 1825, 730, 365, 90];

const OLD_HOMESERVER: &str =
    "ask for Synapse 1.141 or later, which remembers transaction ids for each device";

pub(super) async fn timestamp(stage: &Stage<'_>, now: UnixMillis) -> Seen {
    let wanted = UnixMillis(now.0 - HOUR_MS);
    let sent = async {
        let event = stage.say(&stage.ghost(), "hour", Some(wanted)).await?;
        stage.read(&stage.cast.bot, &event).await
    };
    match sent.await {
        Ok(event) => {
            let found = event.get("origin_server_ts").and_then(Value::as_i64);
            judge_timestamp(wanted, found)
        }
        Err(error) => refused(&error),
    }
}

fn judge_timestamp(wanted: UnixMillis, found: Option<i64>) -> Seen {
    if found == Some(wanted.0) {
        return Seen::ok("the message carries the date it was sent with");
    }
    Seen::error(
        "the homeserver dates the message itself",
        "a homeserver that honours `ts` of application services; Synapse does",
    )
}

pub(super) async fn repeats(stage: &Stage<'_>) -> Seen {
    let ghost = stage.ghost();
    let said = async {
        let first = stage.say(&ghost, "twice", None).await?;
        let again = stage.say(&ghost, "twice", None).await?;
        Ok((first == again, stage.read(&stage.cast.ghost, &first).await?))
    };
    match said.await {
        Ok((once, event)) => {
            let kept = event.pointer("/unsigned/transaction_id").and_then(Value::as_str);
            judge_repeats(once, kept == Some(&stage.txn_id("twice")))
        }
        Err(error) => refused(&error),
    }
}

/// `kept` is whether the homeserver tells the device its own transaction id: only what it stored
/// for a device outlives its restart.
fn judge_repeats(once: bool, kept: bool) -> Seen {
    match (once, kept) {
        (true, true) => {
            Seen::ok("the repetition was recognised, and the id is kept for the device")
        }
        (true, false) => Seen::warning(
            "the repetition was recognised, but the id is not kept for the device: after a restart of the homeserver it would not be",
            OLD_HOMESERVER,
        ),
        (false, _) => {
            Seen::error("a message sent twice under one id is in the room twice", OLD_HOMESERVER)
        }
    }
}

pub(super) async fn retention(
    stage: &Stage<'_>,
    witness: &Witness,
    oldest: UnixMillis,
    now: UnixMillis,
) -> Seen {
    let heard = async |at: UnixMillis| {
        let txn_id = format!("doctor-{}-{}", stage.nonce, at.0);
        let ghost = stage.ghost();
        let heard = is_heard(&stage.room, &ghost, &witness.account, stage.words, &txn_id, at);
        Box::pin(heard).await
    };
    match heard(oldest).await {
        Ok(true) => return judge_retention(oldest, Ok(())),
        Ok(false) => {}
        Err(error) => return refused(&error),
    }
    let younger = AGES_DAYS.into_iter().map(|days| (days, UnixMillis(now.0 - days * DAY_MS)));
    for (days, at) in younger.filter(|(_, at)| *at > oldest) {
        match heard(at).await {
            Ok(true) => return judge_retention(oldest, Err(Some(days))),
            Ok(false) => {}
            Err(error) => return refused(&error),
        }
    }
    judge_retention(oldest, Err(None))
}

/// `Err` holds the greatest age in days that was still visible.
fn judge_retention(oldest: UnixMillis, visible: Result<(), Option<i64>>) -> Seen {
    let day = oldest.to_timestamp().strftime("%Y-%m-%d");
    let still = match visible {
        Ok(()) => return Seen::ok(format!("the witness reads a message dated {day}")),
        Err(Some(days)) => format!("one of {days} days ago is visible"),
        Err(None) => format!("nor is one of {} days ago visible", AGES_DAYS[AGES_DAYS.len() - 1]),
    };
    Seen::error(
        format!("a message dated {day} is accepted and then hidden from members; {still}"),
        "have the retention policy lifted for imported rooms, or leave out older messages in the plan",
    )
    .asking(Ask::NoRetention)
}

pub(super) async fn burst(stage: &Stage<'_>) -> Seen {
    let began = std::time::Instant::now();
    for number in 0..BURST {
        match stage.say(&stage.ghost(), &format!("burst-{number}"), None).await {
            Ok(_) => {}
            Err(MatrixError::RateLimited { retry_after, .. }) => {
                return judge_burst(Err((number, retry_after)));
            }
            Err(error) => return refused(&error),
        }
    }
    judge_burst(Ok(began.elapsed()))
}

/// `Err` holds how many passed before the limit, and the pause it asks for.
fn judge_burst(met: Result<Duration, (usize, Option<Duration>)>) -> Seen {
    match met {
        Ok(took) => Seen::ok(format!("no limit was met in {} ms", took.as_millis())),
        Err((passed, pause)) => {
            let pause =
                pause.map_or_else(String::new, |pause| format!(" for {} ms", pause.as_millis()));
            Seen::error(
                format!("after {passed} messages the homeserver asked for a pause{pause}: an import would take days"),
                "rate_limited: false in the registration; where that is refused, an administrator can lift the limits of each account: POST /_synapse/admin/v1/users/USER/override_ratelimit with {\"messages_per_second\": 0, \"burst_count\": 0}",
            )
            .asking(Ask::NoRateLimits)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sheet::Verdict;
    use super::*;

    #[test]
    fn dates_and_limits_are_told_with_figures() {
        let oldest = UnixMillis(1_400_000_000_000);
        assert_eq!(
            judge_retention(oldest, Ok(())).text,
            "the witness reads a message dated 2014-05-13"
        );
        let hidden = judge_retention(oldest, Err(Some(365)));
        assert!(hidden.text.ends_with("one of 365 days ago is visible"), "{}", hidden.text);
        assert_eq!(hidden.asks, [Ask::NoRetention]);
        assert!(judge_retention(oldest, Err(None)).text.contains("nor is one of 90 days"));
        assert_eq!(judge_timestamp(oldest, Some(oldest.0)).verdict, Verdict::Ok);
        assert_eq!(judge_timestamp(oldest, None).verdict, Verdict::Error);
        let met = judge_burst(Err((10, Some(Duration::from_millis(900)))));
        assert!(met.text.starts_with("after 10 messages") && met.text.contains("900 ms"));
        assert_eq!(judge_burst(Ok(Duration::ZERO)).verdict, Verdict::Ok);
        assert_eq!(judge_repeats(true, true).verdict, Verdict::Ok);
        assert_eq!(judge_repeats(true, false).verdict, Verdict::Warning);
        assert_eq!(judge_repeats(false, false).verdict, Verdict::Error);
    }
}
