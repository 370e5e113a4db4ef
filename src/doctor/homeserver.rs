//! Whether the homeserver is there, is the right one, and agrees with us about the time.

use std::net::IpAddr;
use std::time::Duration;

use http::Method;
use reqwest::Url;

use super::means::Means;
use super::service::refused;
use super::sheet::{Seen, Sheet};
use crate::matrix::{Answer, Homeserver, MatrixError, Question};
use crate::model::time::UnixMillis;

/// Authenticated media, the youngest thing imports need of the specification.
const NEEDED_VERSION: &str = "v1.11";
/// More than this is no longer the travel of an answer.
const SKEW: Duration = Duration::from_secs(30);
/// More than this makes the homeserver's own times and ours tell different stories.
const GREAT_SKEW: Duration = Duration::from_mins(5);
const WELL_KNOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// The homeserver, if it can be spoken to at all.
pub(super) async fn examine(sheet: &mut Sheet<'_>, means: &Means<'_>) -> Option<Homeserver> {
    let section = &means.config.matrix;
    let found = sheet.run("homeserver.reach", reach(means)).await;
    sheet.note("homeserver.address", judge_address(&section.homeserver_url));
    sheet.look("homeserver.name", name(means)).await;
    let Some((homeserver, answer, at)) = found else {
        sheet.skip("the homeserver does not answer", &["homeserver.versions", "clock"]);
        return None;
    };
    let spoken = answer.body.get("versions").and_then(serde_json::Value::as_array);
    let spoken: Vec<&str> = spoken.into_iter().flatten().filter_map(|v| v.as_str()).collect();
    sheet.note("homeserver.versions", judge_versions(&spoken));
    sheet.note("clock", judge_clock(answer.date.as_deref(), at, answer.took));
    Some(homeserver)
}

async fn reach(means: &Means<'_>) -> (Seen, Option<(Homeserver, Answer, UnixMillis)>) {
    let question = Question {
        name: "GET versions",
        method: Method::GET,
        path: &["_matrix", "client", "versions"],
        query: &[],
        body: None,
    };
    let asked = async {
        // Without the token: whether that is right is another question.
        let section = &means.config.matrix;
        let stranger = Homeserver::new(section, crate::config::Secret::new(""))?.impatient();
        let answer = stranger.ask(None, question).await?;
        Ok::<_, MatrixError>((means.homeserver()?, answer, means.clock.now()))
    };
    match asked.await {
        Ok(found) if found.1.body.get("versions").is_some() => {
            let seen = format!("it answers in {} ms", found.1.took.as_millis());
            (Seen::ok(seen), Some(found))
        }
        Ok(_) => {
            let change = "matrix.homeserver_url: it must be the client API of a Matrix homeserver";
            (Seen::error("what answers there is no Matrix homeserver", change), None)
        }
        Err(error) => (refused(&error), None),
    }
}

fn judge_versions(spoken: &[&str]) -> Seen {
    let latest = spoken.last().copied().unwrap_or("none");
    if spoken.contains(&NEEDED_VERSION) {
        return Seen::ok(format!("it speaks {NEEDED_VERSION}, and up to {latest}"));
    }
    Seen::error(
        format!("it does not speak {NEEDED_VERSION} (authenticated media), only up to {latest}"),
        "ask for a newer homeserver",
    )
}

fn judge_address(text: &str) -> Seen {
    let Ok(url) = Url::parse(text) else {
        return Seen::error("matrix.homeserver_url is no address", "an https:// address");
    };
    if url.scheme() == "https" {
        return Seen::ok("TLS; its certificate is verified at every call");
    }
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if local {
        return Seen::ok("plain HTTP, on this machine only");
    }
    Seen::warning(
        "plain HTTP to another machine: whoever listens on the way reads tokens and messages",
        "an https:// address in matrix.homeserver_url, or an encrypted network between the two",
    )
}

/// What the server's name says about where its people's clients go.
async fn name(means: &Means<'_>) -> Seen {
    let section = &means.config.matrix;
    let url = format!("https://{}/.well-known/matrix/client", section.server_name);
    let client = reqwest::Client::builder().timeout(WELL_KNOWN_TIMEOUT).build();
    let asked = async {
        let answer = client.ok()?.get(url).send().await.ok()?.error_for_status().ok()?;
        let body: serde_json::Value = answer.json().await.ok()?;
        body.get("m.homeserver")?.get("base_url")?.as_str().map(str::to_owned)
    };
    judge_name(asked.await.as_deref(), &section.homeserver_url)
}

fn judge_name(published: Option<&str>, ours: &str) -> Seen {
    let host = |text: &str| Url::parse(text).ok()?.host_str().map(str::to_owned);
    match published {
        None => {
            Seen::ok("nothing is published there, or not for this machine; nothing depends on it")
        }
        Some(published) if host(published) == host(ours) => {
            Seen::ok("people's clients go to the same host")
        }
        // An address inside the network is as good, and the token says whose server it is.
        Some(published) => Seen::ok(format!(
            "people's clients go to {}, we go to {}; fine if both are the same server",
            host(published).unwrap_or_default(),
            host(ours).unwrap_or_default()
        )),
    }
}

fn judge_clock(date: Option<&str>, now: UnixMillis, took: Duration) -> Seen {
    let there = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    let Some(there) = there else {
        return Seen::skipped("skipped because the homeserver's answer has no Date");
    };
    let there = UnixMillis::from(there.timestamp());
    // The header counts whole seconds.
    let slack = took + Duration::from_secs(1);
    let apart = Duration::from_millis(now.0.abs_diff(there.0)).saturating_sub(slack);
    let side = if now.0 > there.0 { "ahead of" } else { "behind" };
    let change = "time synchronisation (chrony, systemd-timesyncd) on both machines";
    match apart {
        apart if apart > GREAT_SKEW => Seen::error(
            format!("our clock is {} s {side} the homeserver's", apart.as_secs()),
            change,
        ),
        apart if apart > SKEW => Seen::warning(
            format!("our clock is {} s {side} the homeserver's", apart.as_secs()),
            change,
        ),
        _ => Seen::ok("both clocks agree"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sheet::Verdict;
    use super::*;

    #[test]
    fn clocks_are_compared_both_ways() {
        let date = Some("Tue, 24 Nov 2026 08:10:28 GMT");
        let there: jiff::Timestamp = "2026-11-24T08:10:28Z".parse().unwrap();
        let judge = |seconds: i64| {
            let now = UnixMillis(there.as_millisecond() + seconds * 1000);
            judge_clock(date, now, Duration::from_millis(40))
        };
        assert_eq!(judge(0).verdict, Verdict::Ok);
        assert_eq!(judge(-20).verdict, Verdict::Ok);
        assert_eq!(judge(120).verdict, Verdict::Warning);
        let seen = judge(-3600);
        assert_eq!(seen.verdict, Verdict::Error);
        assert!(seen.text.contains("behind"), "{}", seen.text);
        for unreadable in [None, Some("yesterday")] {
            let seen = judge_clock(unreadable, UnixMillis(0), Duration::ZERO);
            assert_eq!(seen.verdict, Verdict::Skipped);
        }
    }

    #[test]
    fn tokens_do_not_travel_in_clear_text_unnoticed() {
        for (url, verdict) in [
            ("https://matrix.exemple.fr", Verdict::Ok),
            ("http://127.0.0.1:8008", Verdict::Ok),
            ("http://[::1]:8008", Verdict::Ok),
            ("http://localhost:8008", Verdict::Ok),
            ("http://matrix.exemple.fr", Verdict::Warning),
            ("http://10.0.0.1:8008", Verdict::Warning),
        ] {
            assert_eq!(judge_address(url).verdict, verdict, "{url}");
        }
    }

    #[test]
    fn versions_and_names() {
        assert_eq!(judge_versions(&["v1.1", "v1.11", "v1.12"]).verdict, Verdict::Ok);
        assert_eq!(judge_versions(&["r0.6.1", "v1.1"]).verdict, Verdict::Error);
        assert!(judge_name(None, "http://a.fr").text.contains("nothing"));
        assert!(judge_name(Some("https://a.fr/"), "http://a.fr:8008").text.contains("same host"));
        assert!(judge_name(Some("https://b.fr"), "https://a.fr").text.contains("b.fr"));
    }
}
