//! Applies what a reader of marks found to the text it found it in.

use std::ops::Range;

use ruma::OwnedUserId;

use super::rich::{Kind, Rich, may_link};
use super::{markdown, whatsapp};
use crate::model::ids::ParticipantId;
use crate::model::text::{Markup, Span, Style, Text};

/// A person as a text may name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The name as reviewed.
    pub name: String,
    /// Their real account, which a pill may name.
    pub account: Option<OwnedUserId>,
}

/// What is to be done to a text, all in byte offsets of the text as it stands.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Changes of the text; see [`Change`].
    pub(super) changes: Vec<Change>,
    /// Stretches and what they are.
    pub(super) marks: Vec<(Range<usize>, Kind)>,
}

/// One change: the bytes `at` become `with`. An empty `at` inserts.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) at: Range<usize>,
    pub(super) with: String,
    /// Whether the new words are for the plain body only.
    pub(super) plain_only: bool,
}

impl Reading {
    /// Takes a delimiter out of the text.
    pub(super) fn drop(&mut self, at: Range<usize>) {
        self.changes.push(Change { at, with: String::new(), plain_only: false });
    }

    /// Marks a stretch.
    pub(super) fn mark(&mut self, at: Range<usize>, kind: Kind) {
        self.marks.push((at, kind));
    }
}

/// Reads the formatting of `text` into a [`Rich`]; `person` names the people it mentions.
pub fn read(text: &Text, person: &dyn Fn(&ParticipantId) -> Option<Named>) -> Rich {
    let plain = text.plain.as_str();
    let mut reading = match text.markup {
        Markup::None => Reading::default(),
        Markup::Whatsapp => whatsapp::read(plain),
        Markup::Markdown => markdown::read(plain),
    };
    for span in &text.spans {
        let whole = plain.get(span.start..span.end).is_some_and(|words| !words.is_empty());
        if whole {
            read_span(plain, span, person, &mut reading);
        }
    }
    apply(plain, reading)
}

fn read_span(
    plain: &str,
    span: &Span,
    person: &dyn Fn(&ParticipantId) -> Option<Named>,
    reading: &mut Reading,
) {
    let at = span.start..span.end;
    let words = plain.get(at.clone()).unwrap_or_default();
    match &span.style {
        Style::Bold => reading.mark(at, Kind::Bold),
        Style::Italic => reading.mark(at, Kind::Italic),
        Style::Underline => reading.mark(at, Kind::Underline),
        Style::Strike => reading.mark(at, Kind::Strike),
        Style::Spoiler => reading.mark(at, Kind::Spoiler),
        Style::Code => reading.mark(at, Kind::Code),
        Style::Pre { language } => reading.mark(at, Kind::Pre(language.clone())),
        Style::Quote => quote(words, at, reading),
        Style::Link { url } => link(words, at, url, reading),
        Style::Mention { participant } => {
            let Some(named) = participant.as_ref().and_then(person) else { return };
            // `@…` was written by the app, from the exporter's address book or as a number:
            // the reviewed name replaces it. Words that people chose themselves stay.
            if words.starts_with('@') && !named.name.is_empty() {
                let with = format!("@{}", named.name);
                reading.changes.push(Change { at: at.clone(), with, plain_only: false });
            }
            if let Some(account) = named.account {
                reading.mark(at, Kind::Pill(account));
            }
        }
        Style::CustomEmoji => {}
    }
}

/// Marks a quoted block and puts `> ` before its lines in the plain body.
pub(super) fn quote(words: &str, at: Range<usize>, reading: &mut Reading) {
    let mut line = at.start;
    for piece in words.split_inclusive('\n') {
        let with = "> ".to_owned();
        reading.changes.push(Change { at: line..line, with, plain_only: true });
        line += piece.len();
    }
    reading.mark(at, Kind::Quote);
}

/// Marks a link. The plain body gets its address where the words do not show it; an address
/// that Matrix does not let us link is shown in both.
pub(super) fn link(words: &str, at: Range<usize>, address: &str, reading: &mut Reading) {
    let linked = may_link(address);
    if !shows(words, address) && !address.is_empty() {
        let with = format!(" ({address})");
        reading.changes.push(Change { at: at.end..at.end, with, plain_only: linked });
    }
    if linked {
        reading.mark(at, Kind::Link(address.to_owned()));
    }
}

/// Whether `words` are the address itself, up to what apps leave out.
fn shows(words: &str, address: &str) -> bool {
    let bare = |text: &str| {
        let text = text.trim();
        let text = ["https://", "http://", "mailto:", "tel:"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme))
            .unwrap_or(text);
        text.trim_end_matches('/').to_lowercase()
    };
    bare(words) == bare(address)
}

/// A change with the place it has in the new text.
struct Applied {
    old: Range<usize>,
    new: Range<usize>,
}

fn apply(plain: &str, reading: Reading) -> Rich {
    let Reading { mut changes, marks } = reading;
    // Insertions come before what replaces or drops the character after them.
    changes.sort_by_key(|change| (change.at.start, change.at.end));
    let mut text = String::with_capacity(plain.len());
    let mut applied: Vec<Applied> = Vec::with_capacity(changes.len());
    let mut hidden: Vec<Range<usize>> = Vec::new();
    let mut done = 0;
    for change in changes {
        if change.at.start < done && !change.at.is_empty() {
            // It overlaps an earlier change, which holds.
            continue;
        }
        // What is inserted into something dropped comes after it.
        let at = change.at.start.max(done)..change.at.end.max(done);
        let (Some(kept), Some(_)) = (plain.get(done..at.start), plain.get(at.clone())) else {
            continue;
        };
        text.push_str(kept);
        let from = text.len();
        text.push_str(&change.with);
        if change.plain_only && text.len() > from {
            hidden.push(from..text.len());
        }
        applied.push(Applied { old: change.at.start..at.end, new: from..text.len() });
        done = at.end;
    }
    text.push_str(plain.get(done..).unwrap_or_default());

    let mut rich = Rich::plain(text);
    for (stretch, kind) in marks {
        let start = moved(&applied, stretch.start, Side::Start);
        let end = moved(&applied, stretch.end, Side::End);
        rich.mark(start..end, kind);
    }
    for stretch in hidden {
        rich.mark(stretch, Kind::PlainOnly);
    }
    rich
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Start,
    End,
}

/// Where the old offset `at` is in the new text.
fn moved(applied: &[Applied], at: usize, side: Side) -> usize {
    let before = applied.partition_point(|change| change.old.start < at);
    match before.checked_sub(1).and_then(|last| applied.get(last)) {
        None => at,
        Some(change) if at >= change.old.end => change.new.end + (at - change.old.end),
        Some(change) if side == Side::Start => change.new.start,
        Some(change) => change.new.end,
    }
}
