//! Whether the homeserver knows us as the application service we think we are.

use std::path::Path;
use std::time::Duration;

use http::Method;
use ruma::UserId;

use super::ask::Ask;
use super::ear::Ear;
use super::means::Means;
use super::sheet::{Seen, Sheet};
use crate::config::Config;
use crate::matrix::{
    Actor, Homeserver, Intent, MatrixError, Question, Registration, RegistrationError,
};

const PING_TRIES: usize = 3;
const PING_PAUSE: Duration = Duration::from_millis(500);

/// An error of the homeserver in the sheet's words.
pub(super) fn refused(error: &MatrixError) -> Seen {
    let seen = Seen::error(error.to_string(), error.hint());
    match error {
        MatrixError::RateLimited { .. } => seen.asking(Ask::NoRateLimits),
        MatrixError::Unreachable { .. }
        | MatrixError::Server { .. }
        | MatrixError::TokenRejected { .. }
        | MatrixError::Refused { .. }
        | MatrixError::Malformed { .. }
        | MatrixError::Request { .. }
        | MatrixError::Source { .. }
        | MatrixError::Crypto { .. }
        | MatrixError::KeysGone
        | MatrixError::Halted { .. } => seen,
    }
}

/// What the checks after these may count on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// The token is ours and the bot is there.
    pub(super) bot_acts: bool,
    /// The homeserver reaches us.
    pub(super) pinged: bool,
}

pub(super) async fn examine(
    sheet: &mut Sheet<'_>,
    means: &Means<'_>,
    homeserver: Option<&Homeserver>,
) -> Standing {
    sheet.note("registration.file", file(means));
    let Some(homeserver) = homeserver else {
        let because = "the homeserver does not answer";
        sheet.skip(because, &["token", "bot", "registration.exclusive", "ping"]);
        return Standing::default();
    };
    if sheet.run("token", token(means, homeserver)).await.is_none() {
        let because = "the token is not accepted as ours";
        sheet.skip(because, &["bot", "registration.exclusive", "ping"]);
        return Standing::default();
    }
    let bot = sheet.run("bot", bot(means, homeserver)).await;
    sheet.look("registration.exclusive", exclusive(means, homeserver)).await;
    let ping = async {
        let answer = ping(homeserver, &means.config.appservice.id).await;
        let reached = answer.is_ok().then_some(());
        (judge_ping(means.config, &means.ear, answer), reached)
    };
    let pinged = sheet.run("ping", ping).await.is_some();
    Standing { bot_acts: bot.is_some(), pinged }
}

fn file(means: &Means<'_>) -> Seen {
    let Some(path) = means.registration else {
        return Seen::skipped("skipped because no copy is at hand; --registration FILE names one");
    };
    let Config { matrix, appservice, .. } = means.config;
    let same = Registration::read(path)
        .and_then(|found| found.same_as(&Registration::from_config(matrix, appservice)?, path));
    judge_file(path, same)
}

fn judge_file(path: &Path, same: Result<(), RegistrationError>) -> Seen {
    match same {
        Ok(()) => Seen::ok(format!("{} says what the configuration says", path.display())),
        Err(error) => Seen::error(
            error.to_string(),
            "make it anew with `passerelle registration generate --force`, install it, and restart the homeserver",
        ),
    }
}

async fn token(means: &Means<'_>, homeserver: &Homeserver) -> (Seen, Option<()>) {
    if means.config.appservice.as_token.is_none() {
        let change = "run `passerelle registration generate` and install the registration";
        return (Seen::error("appservice.as_token is not set", change), None);
    }
    match homeserver.whoami(None).await {
        Ok((user, _)) => judge_owner(means.config, &user),
        Err(error) => (refused(&error), None),
    }
}

fn judge_owner(config: &Config, user: &UserId) -> (Seen, Option<()>) {
    let (wanted, server) = (&config.appservice.sender_localpart, &config.matrix.server_name);
    if user.server_name() != server {
        let seen = format!("the homeserver calls itself {}, not {server}", user.server_name());
        let change = format!("matrix.server_name = \"{}\"", user.server_name());
        return (Seen::error(seen, change), None);
    }
    if user.localpart() != wanted {
        let seen = format!("the token belongs to {user}, not to @{wanted}:{server}");
        let change = "appservice.sender_localpart, or the token of another service is configured";
        return (Seen::warning(seen, change), Some(()));
    }
    (Seen::ok(format!("the homeserver knows it as {user}")), Some(()))
}

async fn bot(means: &Means<'_>, homeserver: &Homeserver) -> (Seen, Option<()>) {
    let bot = Actor { user_id: means.bot(), device_id: None };
    match Intent::new(homeserver.clone(), bot).register().await {
        Ok(()) => (Seen::ok(format!("{} is there", means.bot())), Some(())),
        Err(error) if error.errcode() == Some("M_EXCLUSIVE") => {
            let seen = format!("{} is not in the installed namespace", means.bot());
            let change = "install the registration that fits appservice.user_prefix, and restart the homeserver";
            (Seen::error(seen, change), None)
        }
        Err(error) => (refused(&error), None),
    }
}

/// Asked as anybody could who wants an account.
async fn exclusive(means: &Means<'_>, homeserver: &Homeserver) -> Seen {
    let name = format!("{}doctor_free", means.config.appservice.user_prefix);
    let question = Question {
        name: "GET register/available",
        method: Method::GET,
        path: &["_matrix", "client", "v3", "register", "available"],
        query: &[("username", &name)],
        body: None,
    };
    judge_exclusive(homeserver.ask(None, question).await.map(|_| ()))
}

fn judge_exclusive(answer: Result<(), MatrixError>) -> Seen {
    match answer {
        Err(error) if error.errcode() == Some("M_EXCLUSIVE") => {
            Seen::ok("nobody else may use names of our namespace")
        }
        // With registration closed, Synapse does not say.
        Err(error) if error.errcode() == Some("M_FORBIDDEN") => {
            Seen::ok("registration is closed: nobody can take a name of our namespace")
        }
        Err(error) if error.errcode() == Some("M_INVALID_USERNAME") => {
            Seen::ok("the homeserver gives nobody a name that begins like ours")
        }
        Ok(()) => Seen::error(
            "anybody may register a name of our namespace and pass for an imported person",
            "exclusive: true in the registration's namespace",
        )
        .asking(Ask::ExclusiveNamespace),
        Err(error) => {
            Seen::skipped(format!("skipped because the homeserver does not say: {error}"))
        }
    }
}

/// A connection that the homeserver kept from an earlier run of ours is dead, and it finds out
/// only by using it: so a ping that could not connect is tried again.
async fn ping(homeserver: &Homeserver, id: &str) -> Result<Duration, MatrixError> {
    for _ in 0..PING_TRIES {
        match homeserver.ping(id).await {
            Err(error) if error.errcode() == Some("M_CONNECTION_FAILED") => {
                tokio::time::sleep(PING_PAUSE).await;
            }
            settled => return settled,
        }
    }
    homeserver.ping(id).await
}

fn judge_ping(config: &Config, ear: &Ear, answer: Result<Duration, MatrixError>) -> Seen {
    let (url, id) = (&config.appservice.url, &config.appservice.id);
    let error = match answer {
        Ok(took) => {
            return Seen::ok(format!("the homeserver reached us in {} ms", took.as_millis()));
        }
        Err(error) => error,
    };
    let deaf = if let Ear::Deaf(why) = ear { format!(" ({why})") } else { String::new() };
    match error.errcode() {
        Some("M_CONNECTION_FAILED") => Seen::error(
            format!("the homeserver cannot connect to the url of the installed registration{deaf}"),
            format!(
                "it should be {url}, as seen from the homeserver, and lead to appservice.listen"
            ),
        ),
        Some("M_CONNECTION_TIMEOUT") => Seen::error(
            "the homeserver gets no answer from the url of the installed registration",
            format!(
                "something between the homeserver and {url} drops packets: look at the firewall"
            ),
        ),
        Some("M_BAD_STATUS") => Seen::error(
            "what answers there refuses the homeserver's token",
            "install the registration with the hs_token of this configuration, or see that no other program listens there",
        ),
        Some("M_URL_NOT_SET") => Seen::error(
            "the installed registration has no url",
            format!("url: {url} in the registration"),
        ),
        Some("M_FORBIDDEN") => Seen::error(
            format!("the homeserver knows our token under another id than {id}"),
            "appservice.id, or install the registration anew",
        ),
        Some(_) | None => refused(&error),
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::super::sheet::Verdict;
    use super::*;

    fn refusal(errcode: &str) -> MatrixError {
        MatrixError::Refused {
            endpoint: "POST ping".to_owned(),
            status: StatusCode::BAD_GATEWAY,
            errcode: errcode.to_owned(),
            message: String::new(),
        }
    }

    fn config() -> Config {
        let set = [("HOMESERVER_URL", "http://127.0.0.1:1"), ("SERVER_NAME", "tchap.test")];
        let set = set.map(|(key, value)| (format!("PASSERELLE__MATRIX__{key}"), value.to_owned()));
        crate::config::load(None, set).unwrap()
    }

    #[test]
    fn each_refused_ping_says_what_to_change() {
        let config = config();
        for (errcode, change) in [
            ("M_CONNECTION_FAILED", "http://127.0.0.1:29318, as seen from the homeserver"),
            ("M_CONNECTION_TIMEOUT", "firewall"),
            ("M_BAD_STATUS", "hs_token"),
            ("M_URL_NOT_SET", "url: http"),
            ("M_FORBIDDEN", "appservice.id"),
        ] {
            let seen = judge_ping(&config, &Ear::Deaf("taken".to_owned()), Err(refusal(errcode)));
            assert_eq!(seen.verdict, Verdict::Error);
            assert!(seen.change.contains(change), "{errcode}: {seen:?}");
        }
        let seen = judge_ping(&config, &Ear::Deaf(String::new()), Ok(Duration::from_millis(4)));
        assert_eq!(seen.text, "the homeserver reached us in 4 ms");
    }

    #[test]
    fn a_token_of_another_server_or_service_is_told_apart() {
        let judge = |user: &str| judge_owner(&config(), &UserId::parse(user).unwrap());
        let (seen, go_on) = judge("@_passerelle:tchap.test");
        assert_eq!((seen.verdict, go_on), (Verdict::Ok, Some(())));
        let (seen, go_on) = judge("@_passerelle:elsewhere.test");
        assert_eq!((seen.verdict, go_on), (Verdict::Error, None));
        assert_eq!(seen.change, "matrix.server_name = \"elsewhere.test\"");
        assert_eq!(judge("@other:tchap.test").0.verdict, Verdict::Warning);
        assert_eq!(judge_exclusive(Err(refusal("M_EXCLUSIVE"))).verdict, Verdict::Ok);
        assert_eq!(judge_exclusive(Ok(())).asks, [Ask::ExclusiveNamespace]);
        let limited = MatrixError::RateLimited { endpoint: String::new(), retry_after: None };
        assert_eq!(refused(&limited).asks, [Ask::NoRateLimits]);
    }
}
