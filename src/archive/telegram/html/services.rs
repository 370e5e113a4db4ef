//! Lines of the messenger on a page: English sentences whatever the language of the app.
//!
//! The sentence is kept as it stands; what it reports is read from its fixed words. Names stand
//! bare in it: of several members it cannot be said where one name ends.

use crate::archive::telegram::action::by_name;
use crate::model::author::Author;
use crate::model::system::{SystemEvent, SystemKind};

/// What the exporter writes in the place of a message it did not know.
pub(super) const UNSUPPORTED: &str = "This message is not supported";

/// The name of an account that is gone.
pub(super) const DELETED: &str = "Deleted Account";

/// A person by the name that a page shows.
pub(super) fn author(name: &str) -> Author {
    by_name(Some(name).filter(|name| !matches!(*name, DELETED | "")))
}

/// Reads a sentence.
pub(super) fn read(words: &str) -> SystemEvent {
    let event = |kind, actor: Option<&str>, targets| SystemEvent {
        kind,
        actor: actor.map(author),
        targets,
        text: words.to_owned(),
    };
    let after = |verb: &str| words.split_once(verb);
    if let Some(title) =
        words.strip_prefix("Channel «").and_then(|rest| rest.strip_suffix("» created"))
    {
        return event(SystemKind::Created { title: Some(title.to_owned()) }, None, Vec::new());
    }
    if let Some((actor, rest)) = after(" created group «") {
        let title = match rest.rsplit_once("» with members") {
            Some((title, _)) => title,
            None => rest.strip_suffix('»').unwrap_or(rest),
        };
        let title = title.to_owned();
        return event(SystemKind::Created { title: Some(title) }, Some(actor), Vec::new());
    }
    for verb in [" changed group title to «", " changed channel title to «"] {
        if let Some((actor, rest)) = after(verb) {
            let title = rest.strip_suffix('»').unwrap_or(rest).to_owned();
            return event(SystemKind::Renamed { title: Some(title) }, Some(actor), Vec::new());
        }
    }
    // More particular phrases stand before those they contain.
    let phrases: [(&str, SystemKind); 13] = [
        (" to the voice chat", SystemKind::Other),
        (" changed group photo", SystemKind::PhotoChanged),
        (" changed channel photo", SystemKind::PhotoChanged),
        (" removed group photo", SystemKind::PhotoChanged),
        (" joined group by link", SystemKind::Joined),
        (" joined group by request", SystemKind::Joined),
        (" joined the group", SystemKind::Joined),
        (" left the group", SystemKind::Left),
        (" pinned ", SystemKind::Pinned),
        (" has set messages to auto-delete", SystemKind::Ephemeral),
        (" has set messages not to auto-delete", SystemKind::Ephemeral),
        (" invited ", SystemKind::Added),
        (" removed ", SystemKind::Removed),
    ];
    for (phrase, kind) in phrases {
        let Some((actor, rest)) = after(phrase) else { continue };
        return match kind {
            SystemKind::Other => event(kind, None, Vec::new()),
            SystemKind::Added if rest == actor => {
                event(SystemKind::Joined, Some(actor), Vec::new())
            }
            SystemKind::Removed if rest == actor => {
                event(SystemKind::Left, Some(actor), Vec::new())
            }
            SystemKind::Added | SystemKind::Removed => {
                let one = !rest.contains(" and ") && !rest.contains(", ");
                let targets = if one { vec![author(rest)] } else { Vec::new() };
                event(kind, Some(actor), targets)
            }
            SystemKind::Created { .. }
            | SystemKind::Renamed { .. }
            | SystemKind::DescriptionChanged
            | SystemKind::PhotoChanged
            | SystemKind::Joined
            | SystemKind::Left
            | SystemKind::AdminChanged
            | SystemKind::NumberChanged
            | SystemKind::Encryption
            | SystemKind::Ephemeral
            | SystemKind::Pinned
            | SystemKind::Blocked => event(kind, Some(actor), Vec::new()),
        };
    }
    event(SystemKind::Other, None, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences() {
        let kind = |words: &str| read(words).kind;
        assert_eq!(kind("Eve invited Eve"), SystemKind::Joined);
        assert_eq!(kind("Eve removed Bob"), SystemKind::Removed);
        assert_eq!(kind("Eve removed group photo"), SystemKind::PhotoChanged);
        assert_eq!(kind("Eve invited Bob to the voice chat"), SystemKind::Other);
        let created = read("Eve created group «A «b»» with members X and Y");
        assert_eq!(created.kind, SystemKind::Created { title: Some("A «b»".into()) });
        assert_eq!(created.actor.unwrap().name, "Eve");
        assert_eq!(read("Eve invited Deleted Account").targets[0].name, "");
    }
}
