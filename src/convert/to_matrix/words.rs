//! Words somebody wrote, and the lines above and below them: where they were forwarded from,
//! what they answer, that they were edited.

use super::draft::{Draft, Tone, Who};
use crate::convert::markup::{Kind, Rich};
use crate::model::finding::FindingKind;
use crate::model::message::{Edited, Forwarded, ReplyTo};
use crate::model::text::Text;

/// Says a text message.
pub(super) fn say(draft: &mut Draft<'_>, text: &Text, edited: Option<&Edited>) {
    let who = draft.author();
    let mut words = head(draft);
    if text.plain.trim().is_empty() {
        words.push_str(&draft.text("empty-message", &[]));
        draft.say(who, Tone::Notice, &words);
        return;
    }
    words.push(draft.read(text));
    words.push(edited_mark(draft, edited));
    let tone = match who {
        Who::Author(_) => Tone::Words,
        Who::Bot => Tone::Notice,
    };
    draft.say(who, tone, &words);
}

/// What stands above the words of a message: empty, or whole lines with their line breaks.
pub(super) fn head(draft: &mut Draft<'_>) -> Rich {
    let mut head = Rich::default();
    if let Some(forwarded) = &draft.message.forwarded {
        head.push(Rich::marked(forwarded_line(draft, forwarded), Kind::Italic));
        head.push_str("\n");
    }
    if let Some(reply) = &draft.message.reply_to
        && !draft.answers()
    {
        head.push(absent_target(draft, reply));
    }
    head
}

fn forwarded_line(draft: &Draft<'_>, forwarded: &Forwarded) -> String {
    let name = forwarded.from.as_ref().map(|from| draft.name(from));
    let moment = forwarded.at.as_ref().map(|at| draft.moment(at));
    match (name, moment) {
        (None, None) => draft.text("forwarded", &[]),
        (Some(name), None) => draft.text("forwarded-from", &[("name", name.into())]),
        (None, Some(moment)) => draft.text("forwarded-at", &[("moment", moment.into())]),
        (Some(name), Some(moment)) => {
            let gaps = [("name", name.into()), ("moment", moment.into())];
            draft.text("forwarded-from-at", &gaps)
        }
    }
}

/// Stands for a message that is answered but is not in the room: its words if they are known.
fn absent_target(draft: &mut Draft<'_>, reply: &ReplyTo) -> Rich {
    let name = reply.author.as_ref().map(|author| draft.name(author));
    let mut lines = Rich::default();
    if let Some(quote) = reply.quote.as_deref().filter(|quote| !quote.trim().is_empty()) {
        let mut quoted = Rich::default();
        if let Some(name) = name {
            quoted.push(Rich::marked("> ", Kind::PlainOnly));
            let line = draft.text("quote-of", &[("name", name.into())]);
            quoted.push(Rich::marked(line, Kind::Bold));
            quoted.push_str("\n");
        }
        for (index, line) in quote.lines().enumerate() {
            if index > 0 {
                quoted.push_str("\n");
            }
            quoted.push(Rich::marked("> ", Kind::PlainOnly));
            quoted.push_str(line);
        }
        lines.push(quoted.wrapped(Kind::Quote));
    } else {
        draft.lose(FindingKind::ReplyTargetMissing, "neither the answered message nor a quote");
        let line = match name {
            Some(name) => draft.text("reply-absent-of", &[("name", name.into())]),
            None => draft.text("reply-absent", &[]),
        };
        lines.push(Rich::marked(line, Kind::Italic));
    }
    lines.push_str("\n");
    lines
}

/// What stands below words that were edited, on the same line.
pub(super) fn edited_mark(draft: &Draft<'_>, edited: Option<&Edited>) -> Rich {
    let Some(edited) = edited else { return Rich::default() };
    let words = match &edited.at {
        Some(at) => draft.text("edited-at", &[("moment", draft.moment(at).into())]),
        None => draft.text("edited", &[]),
    };
    let mut mark = Rich::plain(" ");
    mark.push(Rich::marked(words, Kind::Italic));
    mark
}

/// Says the head of a message whose own event can carry no words, if there is one.
pub(super) fn say_head(draft: &mut Draft<'_>) {
    let head = head(draft);
    if !head.is_empty() {
        let who = draft.author();
        draft.say(who, Tone::Notice, &head.trimmed_end());
    }
}
