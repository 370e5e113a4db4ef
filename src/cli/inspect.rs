//! What `archive inspect` says, in the words of people who are to decide about an export.

use crate::archive::{ChatSurvey, NameKind, Recount, Survey};
use crate::model::finding::{Finding, FindingKind};
use crate::wording::{Value, Wording};

/// Places that are named for each kind of finding; `--json` has all of them.
const PLACES: usize = 3;

/// The summary of an export.
pub(super) fn describe(survey: &Survey, recount: Option<Recount>, wording: Wording) -> String {
    let mut text = Text { wording, lines: Vec::new() };
    let network = survey.network.to_string();
    text.add("", "inspect-head", &[("network", network), ("format", survey.format.clone())]);
    for chat in &survey.chats {
        text.lines.push(String::new());
        text.chat(chat);
    }
    if let Some(Recount { counted, accounted }) = recount {
        let id =
            if counted == accounted { "inspect-recount-agrees" } else { "inspect-recount-differs" };
        text.lines.push(String::new());
        let gaps = [("counted", counted.to_string()), ("accounted", accounted.to_string())];
        text.add("", id, &gaps);
    }
    let mut kinds: Vec<FindingKind> = survey.findings.iter().map(|finding| finding.kind).collect();
    kinds.sort_unstable();
    if !kinds.is_empty() {
        text.lines.push(String::new());
    }
    for kind in kinds.chunk_by(|a, b| a == b) {
        if let [kind, ..] = kind {
            let count = survey.findings.iter().filter(|finding| finding.kind == *kind).count();
            text.finding(*kind, count as u64, &survey.findings);
        }
    }
    text.lines.push(String::new());
    text.add("", "inspect-never", &[("what", survey.never_contains.join(", "))]);
    text.lines.join("\n")
}

struct Text {
    wording: Wording,
    lines: Vec<String>,
}

impl Text {
    fn say(&self, id: &str, gaps: &[(&'static str, String)]) -> String {
        let gaps: Vec<(&str, Value<'_>)> =
            gaps.iter().map(|(name, value)| (*name, Value::from(value.as_str()))).collect();
        self.wording.text(id, &gaps)
    }

    fn add(&mut self, indent: &str, id: &str, gaps: &[(&'static str, String)]) {
        let line = format!("{indent}{}", self.say(id, gaps));
        self.lines.push(line);
    }

    fn chat(&mut self, chat: &ChatSurvey) {
        let gaps = [("id", chat.id.to_string()), ("title", chat.title.clone())];
        self.add("", "inspect-chat", &gaps);
        if let (Some(first), Some(last)) = (&chat.first, &chat.last) {
            let gaps = [("first", first.at.to_string()), ("last", last.at.to_string())];
            self.add("  ", "inspect-period", &gaps);
        }
        let rest = chat.records.saturating_sub(chat.messages);
        let gaps = [
            ("records", chat.records.to_string()),
            ("messages", chat.messages.to_string()),
            ("rest", rest.to_string()),
        ];
        self.add("  ", "inspect-records", &gaps);
        for (kind, count) in &chat.by_kind {
            let word = self.say(&format!("report-kind-{kind}"), &[]);
            self.lines.push(format!("  {count:>8} {word}"));
        }
        let files = &chat.files;
        let gaps = [
            ("present", files.present.to_string()),
            ("bytes", files.present_bytes.to_string()),
            ("omitted", files.omitted.to_string()),
            ("missing", files.missing.to_string()),
        ];
        self.add("  ", "inspect-files", &gaps);
        let who = match &chat.exporter {
            Some(id) => {
                let known = chat.participants.iter().find(|person| person.id == *id);
                let name = known.map_or("", |person| person.name.as_str());
                if name.is_empty() { id.to_string() } else { name.to_owned() }
            }
            None => self.say("inspect-exporter-unknown", &[]),
        };
        self.add("  ", "inspect-exporter", &[("who", who)]);
        let count = chat.participants.len().to_string();
        self.add("  ", "inspect-participants", &[("count", count)]);
        for person in &chat.participants {
            let id = match person.name_kind {
                NameKind::Name => "inspect-name",
                NameKind::PushName => "inspect-name-push-name",
                NameKind::Number => "inspect-name-number",
                NameKind::Missing => "inspect-name-missing",
            };
            let name = self.say(id, &[("name", person.name.clone())]);
            self.lines.push(format!("  {:>8} {}", person.messages, name.trim_start()));
        }
        for (kind, count) in &chat.finding_counts {
            self.finding(*kind, *count, &chat.findings);
        }
    }

    /// What was found, what it means, and the first places.
    fn finding(&mut self, kind: FindingKind, count: u64, all: &[Finding]) {
        let slug = super::archive::word(&kind).replace(' ', "-");
        let what = self.say(&format!("finding-{slug}"), &[]);
        let advice = self.say(&format!("finding-{slug}-advice"), &[]);
        self.lines.push(format!("  {count:>8} × {what}"));
        self.lines.push(format!("           {advice}"));
        for finding in all.iter().filter(|finding| finding.kind == kind).take(PLACES) {
            let place = format!("{} {}", finding.place, finding.detail);
            self.lines.push(format!("             {}", place.trim()));
        }
    }
}
