//! One-line notices: calls, deletions, the messenger's own lines, and what nobody understands.

use super::draft::{Draft, Tone, Who};
use super::words;
use crate::convert::markup::Rich;
use crate::convert::policy::SystemLines;
use crate::model::author::Author;
use crate::model::finding::FindingKind;
use crate::model::message::Call;
use crate::model::system::{SystemEvent, SystemKind};

/// A call, said by who made it.
pub(super) fn call(draft: &mut Draft<'_>, call: &Call) {
    words::say_head(draft);
    let lasted = call.duration_s.filter(|seconds| *seconds > 0 && !call.missed);
    let line = if let Some(seconds) = lasted {
        let id = if call.video { "call-video-lasting" } else { "call-voice-lasting" };
        let duration = draft.wording.duration(seconds);
        draft.text(id, &[("duration", duration.into())])
    } else {
        let id = match (call.video, call.missed) {
            (false, false) => "call-voice",
            (false, true) => "call-voice-missed",
            (true, false) => "call-video",
            (true, true) => "call-video-missed",
        };
        draft.text(id, &[])
    };
    draft.notice(draft.author(), line);
}

/// The trace of a deleted message, said by who wrote it. The source's own words for it say no
/// more, and name people as the exporter's address book does.
pub(super) fn deleted(draft: &mut Draft<'_>) {
    words::say_head(draft);
    let line = draft.text("message-deleted", &[]);
    draft.notice(draft.author(), line);
}

/// A message of a kind no reader knows, in the source's own words.
pub(super) fn unknown(draft: &mut Draft<'_>, text: &str) {
    let who = draft.author();
    let mut words = words::head(draft);
    if text.trim().is_empty() {
        draft.lose(FindingKind::NotCarried, "a message of an unknown kind, without words");
        words.push_str(&draft.text("unknown-message", &[]));
    } else {
        words.push_str(text);
    }
    draft.say(who, Tone::Notice, &words);
}

/// A line of the messenger, said by the bot.
pub(super) fn system(draft: &mut Draft<'_>, event: &SystemEvent) {
    match draft.policy.system_lines {
        SystemLines::Notices => {
            let line = system_line(draft, event);
            draft.say(Who::Bot, Tone::Notice, &Rich::plain(line));
        }
        SystemLines::None => {
            draft.lose(FindingKind::NotCarried, "a line of the messenger, left out by the plan");
        }
    }
}

/// The line in our words where they say all of it, else as the export words it, else in our
/// words all the same.
fn system_line(draft: &Draft<'_>, event: &SystemEvent) -> String {
    let SystemEvent { kind, actor, targets, text } = event;
    let actor = actor.as_ref();
    let own = || text.trim().to_owned();
    let has_words = !text.trim().is_empty();
    let told = match kind {
        SystemKind::Created { title } => titled(draft, "system-created", actor, title.as_deref()),
        SystemKind::Renamed { title } => titled(draft, "system-renamed", actor, title.as_deref()),
        SystemKind::DescriptionChanged => by(draft, "system-description", actor),
        SystemKind::PhotoChanged => by(draft, "system-photo", actor),
        SystemKind::Joined => people(draft, "system-joined", actor, targets),
        SystemKind::Left => people(draft, "system-left", actor, targets),
        SystemKind::Added => done_to(draft, "system-added", actor, targets),
        SystemKind::Removed => done_to(draft, "system-removed", actor, targets),
        SystemKind::NumberChanged if has_words => None,
        SystemKind::NumberChanged => concerning(draft, "system-number", actor, targets),
        // Our words for these say less than the export's: which way, for how long, what.
        SystemKind::AdminChanged
        | SystemKind::Encryption
        | SystemKind::Ephemeral
        | SystemKind::Pinned
        | SystemKind::Blocked
        | SystemKind::Other
            if has_words =>
        {
            None
        }
        SystemKind::AdminChanged => concerning(draft, "system-admin", actor, targets),
        SystemKind::Encryption => Some(draft.text("system-encryption", &[])),
        SystemKind::Ephemeral => Some(draft.text("system-ephemeral", &[])),
        SystemKind::Pinned => by(draft, "system-pinned", actor),
        SystemKind::Blocked => Some(draft.text("system-blocked", &[])),
        SystemKind::Other => Some(draft.text("system-other", &[])),
    };
    match told {
        Some(line) => line,
        None if has_words => own(),
        None => draft.text(untold(kind), &[]),
    }
}

/// What is said when neither people nor words are known.
const fn untold(kind: &SystemKind) -> &'static str {
    match kind {
        SystemKind::Created { .. } => "system-created",
        SystemKind::Renamed { .. } => "system-renamed",
        SystemKind::DescriptionChanged => "system-description",
        SystemKind::PhotoChanged => "system-photo",
        SystemKind::Joined => "system-joined-unknown",
        SystemKind::Added => "system-added-unknown",
        SystemKind::Left => "system-left-unknown",
        SystemKind::Removed => "system-removed-unknown",
        SystemKind::AdminChanged => "system-admin",
        SystemKind::NumberChanged => "system-number",
        SystemKind::Encryption => "system-encryption",
        SystemKind::Ephemeral => "system-ephemeral",
        SystemKind::Pinned => "system-pinned",
        SystemKind::Blocked => "system-blocked",
        SystemKind::Other => "system-other",
    }
}

fn by(draft: &Draft<'_>, id: &str, actor: Option<&Author>) -> Option<String> {
    let name = draft.name(actor?);
    Some(draft.text(&format!("{id}-by"), &[("actor", name.into())]))
}

fn titled(
    draft: &Draft<'_>,
    id: &str,
    actor: Option<&Author>,
    title: Option<&str>,
) -> Option<String> {
    let Some(title) = title.filter(|title| !title.is_empty()) else {
        return by(draft, id, actor);
    };
    let title = ("title", title.into());
    Some(match actor {
        Some(actor) => {
            let actor = ("actor", draft.name(actor).into());
            draft.text(&format!("{id}-titled-by"), &[actor, title])
        }
        None => draft.text(&format!("{id}-titled"), &[title]),
    })
}

/// Something people did by themselves: the targets, or else the actor.
fn people(
    draft: &Draft<'_>,
    id: &str,
    actor: Option<&Author>,
    targets: &[Author],
) -> Option<String> {
    let names = named(draft, actor, targets)?;
    let gaps = [("people", draft.wording.list(&names).into()), ("count", names.len().into())];
    Some(draft.text(id, &gaps))
}

/// Something the actor did to the targets.
fn done_to(
    draft: &Draft<'_>,
    id: &str,
    actor: Option<&Author>,
    targets: &[Author],
) -> Option<String> {
    if targets.is_empty() {
        return None;
    }
    let people = ("people", draft.wording.list(&draft.names(targets)).into());
    Some(match actor {
        Some(actor) => {
            let actor = ("actor", draft.name(actor).into());
            draft.text(&format!("{id}-by"), &[actor, people])
        }
        None => draft.text(id, &[people]),
    })
}

/// Something that happened to the targets, or else to the actor.
fn concerning(
    draft: &Draft<'_>,
    id: &str,
    actor: Option<&Author>,
    targets: &[Author],
) -> Option<String> {
    let names = named(draft, actor, targets)?;
    let people = ("people", draft.wording.list(&names).into());
    Some(draft.text(&format!("{id}-of"), &[people]))
}

fn named(draft: &Draft<'_>, actor: Option<&Author>, targets: &[Author]) -> Option<Vec<String>> {
    if !targets.is_empty() {
        return Some(draft.names(targets));
    }
    actor.map(|actor| vec![draft.name(actor)])
}
