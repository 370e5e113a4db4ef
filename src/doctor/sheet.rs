//! What the checks found, in the order they ended.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::ask::Ask;
use super::catalogue::{Check, check};

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Not tried, or not to be seen from here.
    Skipped,
    /// It works, and somebody should look at it.
    Warning,
    /// Imports will not work.
    Error,
}

impl Verdict {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One line of the sheet.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The check.
    #[serde(rename = "id", serialize_with = "id_of")]
    pub check: &'static Check,
    /// What it tried.
    pub tried: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What was seen, or why nothing was tried.
    pub seen: String,
    /// What to change; empty when all is well.
    pub change: String,
    /// What somebody else has to change.
    #[serde(skip)]
    pub asks: Vec<Ask>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
fn id_of<S: Serializer>(check: &&'static Check, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(check.id)
}

/// What one check saw, before it stands on the sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) verdict: Verdict,
    pub(super) text: String,
    pub(super) change: String,
    pub(super) asks: Vec<Ask>,
}

impl Seen {
    pub(super) fn ok(text: impl Into<String>) -> Self {
        Self::new(Verdict::Ok, text, "")
    }

    pub(super) fn skipped(text: impl Into<String>) -> Self {
        Self::new(Verdict::Skipped, text, "")
    }

    pub(super) fn warning(text: impl Into<String>, change: impl Into<String>) -> Self {
        Self::new(Verdict::Warning, text, change)
    }

    pub(super) fn error(text: impl Into<String>, change: impl Into<String>) -> Self {
        Self::new(Verdict::Error, text, change)
    }

    /// Adds what the homeserver's administrators are to be asked for.
    pub(super) fn asking(mut self, ask: Ask) -> Self {
        self.asks.push(ask);
        self
    }

    fn new(verdict: Verdict, text: impl Into<String>, change: impl Into<String>) -> Self {
        Self { verdict, text: text.into(), change: change.into(), asks: Vec::new() }
    }
}

/// Where findings are told as they come.
pub type Listener<'a> = &'a mut (dyn FnMut(&Finding) + Send);

/// The findings so far.
pub(super) struct Sheet<'a> {
    findings: Vec<Finding>,
    tell: Listener<'a>,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(tell: Listener<'a>) -> Self {
        Self { findings: Vec::new(), tell }
    }

    /// Runs a check within its time limit. Its value is for the checks that build on it.
    pub(super) async fn run<T>(
        &mut self,
        id: &'static str,
        work: impl Future<Output = (Seen, Option<T>)>,
    ) -> Option<T> {
        let (seen, value) = within(check(id).limit, work).await;
        self.note(id, seen);
        value
    }

    /// The same for a check that nothing builds on.
    pub(super) async fn look(&mut self, id: &'static str, work: impl Future<Output = Seen>) {
        self.run(id, async { (work.await, None::<()>) }).await;
    }

    pub(super) fn note(&mut self, id: &'static str, seen: Seen) {
        let check = check(id);
        let Seen { verdict, text: seen, change, asks } = seen;
        let finding = Finding { check, tried: check.tries, verdict, seen, change, asks };
        (self.tell)(&finding);
        self.findings.push(finding);
    }

    /// Notes checks that cannot be made, with what keeps them.
    pub(super) fn skip(&mut self, because: &str, ids: &[&'static str]) {
        for id in ids {
            self.note(id, Seen::skipped(format!("skipped because {because}")));
        }
    }

    pub(super) fn into_findings(self) -> Vec<Finding> {
        self.findings
    }
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = (Seen, Option<T>)>,
) -> (Seen, Option<T>) {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        let seen = format!("it did not end within {} s", limit.as_secs());
        let change =
            "look at the load of both machines and at what stands between them, then run it again";
        (Seen::error(seen, change), None)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_check_that_hangs_is_an_error_and_the_next_one_is_made() {
        let (seen, value) =
            within(Duration::ZERO, std::future::pending::<(Seen, Option<()>)>()).await;
        assert_eq!((seen.verdict, value), (Verdict::Error, None));
        let mut told = Vec::new();
        let mut tell = |finding: &Finding| told.push((finding.check.id, finding.verdict));
        let mut sheet = Sheet::new(&mut tell);
        sheet.note("homeserver.reach", seen);
        let value = sheet.run("token", async { (Seen::ok("fine"), Some(7)) }).await;
        assert_eq!(value, Some(7));
        sheet.skip("of the load", &["ping"]);
        assert_eq!(sheet.into_findings()[2].seen, "skipped because of the load");
        assert_eq!(
            told,
            [
                ("homeserver.reach", Verdict::Error),
                ("token", Verdict::Ok),
                ("ping", Verdict::Skipped)
            ]
        );
    }
}
