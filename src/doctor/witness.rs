//! Whether the witness is an ordinary account whose token works.

use http::Method;
use ruma::{OwnedUserId, UserId};

use super::means::Means;
use super::service::refused;
use super::sheet::{Seen, Sheet};
use crate::matrix::{Account, Homeserver, MatrixError, Question};

/// A witness whose token works.
#[derive(Clone, Debug)]
pub(super) struct Witness {
    pub(super) homeserver: Homeserver,
    pub(super) account: Account,
    pub(super) user: OwnedUserId,
}

/// The witness, unless it is one of our own accounts or none at all.
pub(super) async fn examine(sheet: &mut Sheet<'_>, means: &Means<'_>) -> Option<Witness> {
    let Some(witness) = sheet.run("witness.token", token(means)).await else {
        sheet.skip("there is no witness", &["witness.ordinary"]);
        return None;
    };
    sheet.run("witness.ordinary", ordinary(means, witness)).await
}

async fn token(means: &Means<'_>) -> (Seen, Option<Witness>) {
    let section = &means.config.witness;
    let Some(token) = section.token.clone() else {
        let seen = section.token_file.as_ref().map_or_else(
            || "no witness is configured".to_owned(),
            |file| format!("{} does not exist", file.display()),
        );
        let change = "put the access token of an ordinary account into witness.token_file: without it no import starts";
        return (Seen::error(seen, change), None);
    };
    let asked = async {
        let homeserver = Homeserver::new(&means.config.matrix, token)?.impatient();
        let account = Account::new(homeserver.clone());
        let user = account.whoami().await?;
        Ok(Witness { homeserver, account, user })
    };
    match asked.await {
        Ok(witness) => (Seen::ok(format!("it is the token of {}", witness.user)), Some(witness)),
        Err(error @ MatrixError::TokenRejected { .. }) => {
            let change =
                "log in as the witness and put the new access token into witness.token_file";
            (Seen::error(error.to_string(), change), None)
        }
        Err(error) => (refused(&error), None),
    }
}

async fn ordinary(means: &Means<'_>, witness: Witness) -> (Seen, Option<Witness>) {
    let user = witness.user.as_str();
    let question = Question {
        name: "GET admin",
        method: Method::GET,
        path: &["_synapse", "admin", "v1", "users", user, "admin"],
        query: &[],
        body: None,
    };
    // Only an administrator is answered here.
    let administers = witness.homeserver.ask(None, question).await.is_ok();
    let kind = if means.is_ours(&witness.user) {
        Kind::Ours
    } else if witness.user.server_name() != means.config.matrix.server_name {
        Kind::Elsewhere
    } else if administers {
        Kind::Administrator
    } else {
        Kind::Ordinary
    };
    (judge_witness(&witness.user, kind), (kind != Kind::Ours).then_some(witness))
}

/// What kind of account a witness is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ours,
    Elsewhere,
    Administrator,
    Ordinary,
}

fn judge_witness(user: &UserId, kind: Kind) -> Seen {
    let change = "use the token of an ordinary account of this homeserver";
    match kind {
        Kind::Ours => Seen::error(
            format!("{user} is one of our own accounts: it proves nothing of what members see"),
            change,
        ),
        Kind::Elsewhere => Seen::error(format!("{user} lives on another homeserver"), change),
        Kind::Administrator => Seen::warning(
            format!("{user} administers the homeserver and may see more than a member"),
            change,
        ),
        Kind::Ordinary => Seen::ok("neither ours nor an administrator"),
    }
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::super::sheet::Verdict;
    use super::*;

    #[test]
    fn only_an_ordinary_account_is_a_witness() {
        let judge = |kind| judge_witness(user_id!("@temoin:a.test"), kind).verdict;
        assert_eq!(judge(Kind::Ordinary), Verdict::Ok);
        assert_eq!(judge(Kind::Administrator), Verdict::Warning);
        assert_eq!(judge(Kind::Ours), Verdict::Error);
        assert_eq!(judge(Kind::Elsewhere), Verdict::Error);
    }
}
