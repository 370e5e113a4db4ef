//! The report as people read it, in the language of the installation.

use std::fmt::{self, Write};

use super::difference::{Difference, What};
use super::report::Report;
use super::warning::Warning;

use crate::wording::{Value, Wording};

impl Report {
    /// The readable report.
    pub fn to_text(&self, wording: Wording) -> String {
        let mut text = String::new();
        self.write_text(&mut text, wording).expect("a String takes everything");
        text
    }

    fn write_text(&self, out: &mut String, wording: Wording) -> fmt::Result {
        let say = |id: &str, arguments: &[(&str, Value<'_>)]| wording.text(id, arguments);
        let head = &self.head;
        let title = say("report-title", &[]);
        writeln!(out, "{title}\n{}\n", "=".repeat(title.chars().count()))?;
        let verdict = if self.is_verified() { "report-verified" } else { "report-not-verified" };
        writeln!(out, "{}\n", say(verdict, &[]))?;

        let lines: [(&str, String); 14] = [
            ("report-job", head.job.clone()),
            ("report-software", head.software.clone()),
            ("report-started", head.started_at.to_string()),
            ("report-read-back", head.verified_at.to_string()),
            ("report-approved-by", head.approved_by.clone()),
            ("report-plan-digest", head.plan_sha256.to_string()),
            ("report-source", format!("{} ({})", head.archive.file, head.archive.network)),
            ("report-source-format", head.archive.format.clone()),
            ("report-source-digest", head.archive.sha256.to_string()),
            ("report-period", format!("{} → {}", head.archive.first, head.archive.last)),
            ("report-zone", head.time_zone.clone()),
            ("report-room", format!("{} ({})", head.room_name, head.room_id)),
            ("report-admins", joined(&head.admins)),
            ("report-invited", joined(&head.invite)),
        ];
        for (id, value) in lines {
            writeln!(out, "{}", say(id, &[("value", value.into())]))?;
        }
        if let Some(kind) = head.room_kind {
            let value = say(&format!("room-kind-{}", slug(&kind)), &[]);
            writeln!(out, "{}", say("report-room-kind", &[("value", value.into())]))?;
        }

        writeln!(out, "\n{}", say("report-people", &[]))?;
        for person in &head.people {
            let account = if person.account.is_empty() { "—" } else { &person.account };
            writeln!(out, "  {} · {} · {account}", person.name, person.messages)?;
        }

        let sums = &self.sums;
        writeln!(out, "\n{}", say("report-sums", &[]))?;
        let rows = [
            ("report-carried", sums.carried),
            ("report-carried-with-loss", sums.carried_with_loss),
            ("report-left-out", sums.left_out),
            ("report-refused", sums.refused),
            ("report-differs", sums.differs),
            ("report-findings-only", sums.findings_only),
        ];
        for (id, count) in rows {
            writeln!(out, "  {count:>8}  {}", say(id, &[]))?;
        }
        writeln!(out, "  {:>8}", "--------")?;
        writeln!(out, "  {:>8}  {}", sums.disposed(), say("report-total", &[]))?;
        writeln!(out, "  {:>8}  {}", head.archive.records, say("report-records", &[]))?;
        writeln!(out, "  {:>8}  {}", sums.events, say("report-events", &[]))?;
        writeln!(out, "  {:>8}  {}", self.files_compared, say("report-files", &[]))?;

        writeln!(out, "\n{}", say("report-kinds", &[]))?;
        for (kind, count) in &sums.by_kind {
            writeln!(out, "  {count:>8}  {}", say(&format!("report-kind-{kind}"), &[]))?;
        }

        if !self.findings.is_empty() {
            writeln!(out, "\n{}", say("report-findings", &[]))?;
            for (kind, count) in &self.findings {
                let id = format!("finding-{}", slug(kind));
                writeln!(out, "  {count:>8}  {}", say(&id, &[]))?;
                for example in self.examples.iter().filter(|one| one.kind == *kind) {
                    writeln!(out, "            {}", example.place)?;
                }
            }
        }

        if !self.not_invited.is_empty() {
            writeln!(out, "\n{}", say("report-not-invited", &[]))?;
            for one in &self.not_invited {
                let meaning = one
                    .refusal
                    .map(|refusal| say(&format!("refusal-{}", slug(&refusal)), &[]) + " · ");
                writeln!(out, "  {} : {}{}", one.user, meaning.unwrap_or_default(), one.reason)?;
            }
        }

        if !self.warnings.is_empty() {
            writeln!(out, "\n{}", say("report-warnings", &[]))?;
            for warning in &self.warnings {
                writeln!(out, "  {}", warn(warning, wording))?;
            }
        }

        if !self.differences.is_empty() {
            writeln!(out, "\n{}", say("report-differences", &[]))?;
            for difference in &self.differences {
                writeln!(out, "  {}", describe(difference, wording))?;
            }
        }
        Ok(())
    }
}

/// A unit enum's word as texts are named after it.
fn slug<T: serde::Serialize>(value: &T) -> String {
    let word = serde_json::to_value(value).ok();
    word.as_ref().and_then(|word| word.as_str()).unwrap_or_default().replace('_', "-")
}

fn warn(warning: &Warning, wording: Wording) -> String {
    let say = |id: &str, arguments: &[(&str, Value<'_>)]| wording.text(id, arguments);
    match warning {
        Warning::NoExternal => say("warning-no-external", &[]),
        Warning::OldMessages { first } => {
            say("warning-old-messages", &[("first", first.clone().into())])
        }
        Warning::AccountsMayExpire { pattern } => {
            say("warning-accounts-may-expire", &[("pattern", pattern.clone().into())])
        }
        Warning::RoomForgets { days } => {
            say("warning-room-forgets", &[("days", days.to_string().into())])
        }
        Warning::NotInSpace { space, reason } => say(
            "warning-not-in-space",
            &[("space", space.to_string().into()), ("reason", reason.clone().into())],
        ),
        Warning::SpaceIsPublic { space } => {
            say("warning-space-is-public", &[("space", space.to_string().into())])
        }
    }
}

fn joined<T: fmt::Display>(items: &[T]) -> String {
    let shown: Vec<String> = items.iter().map(ToString::to_string).collect();
    if shown.is_empty() { "—".to_owned() } else { shown.join(", ") }
}

fn describe(difference: &Difference, wording: Wording) -> String {
    let (id, found) = match &difference.what {
        What::Missing => ("difference-missing", String::new()),
        What::Doubled { times } => ("difference-doubled", times.to_string()),
        What::OutOfOrder => ("difference-order", String::new()),
        What::Sender { found } => ("difference-sender", found.to_string()),
        What::Time { found_ms, expected_ms } => {
            ("difference-time", format!("{found_ms} / {expected_ms}"))
        }
        What::Type { found } => ("difference-type", found.clone()),
        What::Content => ("difference-content", String::new()),
        What::File { found } => ("difference-file", found.clone()),
        What::Unexpected => ("difference-unexpected", String::new()),
    };
    let what = wording.text(id, &[("found", found.into())]);
    format!("{} [{}#{}] {what}", difference.place, difference.message, difference.part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::{Refusal, RoomKind};
    use crate::wording::Language;

    #[test]
    fn every_kind_and_every_refusal_has_its_words() {
        for wording in Language::ALL.map(Wording::new) {
            for kind in RoomKind::ALL {
                assert!(wording.has(&format!("room-kind-{}", slug(&kind))), "{kind:?}");
            }
            for refusal in Refusal::ALL {
                assert!(wording.has(&format!("refusal-{}", slug(&refusal))), "{refusal:?}");
            }
        }
    }
}
