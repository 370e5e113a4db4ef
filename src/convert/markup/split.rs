//! Cuts a text that is too long for one event, at the best place near the limit.

use unicode_normalization::char::is_combining_mark;

use super::rich::Rich;

/// How many bytes a text takes in an event's JSON: plain body and HTML.
pub fn cost(rich: &Rich) -> usize {
    json_len(rich.text()) + rich.html().map_or(0, |html| json_len(&html))
}

/// The pieces of `rich`, in order, each with `lead` in front and costing at most `budget`.
/// Nothing is lost but the blanks at a cut; no character or cluster of characters is taken
/// apart, unless a single cluster is over the budget.
pub fn split(rich: &Rich, lead: &Rich, budget: usize) -> Vec<Rich> {
    let mut whole = lead.clone();
    whole.push(rich.clone());
    if cost(&whole) <= budget {
        return vec![whole];
    }
    let pieces = Pieces { rich, lead, budget };
    let mut made = Vec::new();
    let mut from = 0;
    while from < rich.text().len() {
        let end = pieces.longest(from);
        let cut = if end == rich.text().len() { end } else { best_cut(rich.text(), from, end) };
        if rich.text().get(from..cut).is_some_and(|words| !words.trim().is_empty()) {
            made.push(pieces.piece(from, cut));
        }
        from = cut;
        // The line break or blank the cut stands at would begin the next piece.
        let rest = rich.text().get(from..).unwrap_or_default();
        from += rest.len() - rest.trim_start_matches(['\n', ' ']).len();
    }
    made
}

/// `text` cut to at most `most` bytes, with an ellipsis where it was cut.
pub fn clip(text: String, most: usize) -> String {
    if text.len() <= most {
        return text;
    }
    let end = floor_border(&text, most.saturating_sub('…'.len_utf8()));
    let mut clipped = text.get(..cluster_border(&text, 0, end)).unwrap_or_default().to_owned();
    clipped.push('…');
    clipped
}

struct Pieces<'a> {
    rich: &'a Rich,
    lead: &'a Rich,
    budget: usize,
}

impl Pieces<'_> {
    fn piece(&self, from: usize, to: usize) -> Rich {
        let mut piece = self.lead.clone();
        piece.push(self.rich.slice(&(from..to)));
        piece
    }

    fn fits(&self, from: usize, to: usize) -> bool {
        cost(&self.piece(from, to)) <= self.budget
    }

    /// The farthest character border from `from` up to which a piece fits; always past `from`.
    fn longest(&self, from: usize) -> usize {
        let text = self.rich.text();
        // In JSON a byte takes at least a byte.
        let rest = text.len().saturating_sub(from);
        if rest <= self.budget && self.fits(from, text.len()) {
            return text.len();
        }
        let mut too_far = text.len().min(from.saturating_add(self.budget)) + 1;
        let mut good = from;
        // The cut goes back to a good place anyway; the last bytes are not worth the search.
        let close_enough = self.budget / 128;
        while too_far - good > 1 && (good == from || too_far - good > close_enough) {
            let middle = floor_border(text, good + (too_far - good) / 2);
            if middle <= good {
                // No border between: the next one decides.
                let next = next_border(text, good);
                if next >= too_far || !self.fits(from, next) {
                    break;
                }
                good = next;
            } else if self.fits(from, middle) {
                good = middle;
            } else {
                too_far = middle;
            }
        }
        if good == from { next_border(text, from) } else { good }
    }
}

/// The best border at or before `end`: an empty line, a line's end, a sentence's end, a blank,
/// and at worst a border between two characters that do not belong together.
fn best_cut(text: &str, from: usize, end: usize) -> usize {
    let Some(piece) = text.get(from..end) else { return end };
    // A cut in the first half would waste more than it pleases.
    let least = piece.len() / 2;
    let after = |found: Option<usize>| found.filter(|at| *at >= least).map(|at| from + at);
    after(piece.rfind("\n\n").map(|at| at + 1))
        .or_else(|| after(piece.rfind('\n')))
        .or_else(|| after(sentence_end(piece)))
        .or_else(|| after(piece.rfind([' ', '\t'])))
        .unwrap_or_else(|| cluster_border(text, from, end))
}

/// The byte after the last sentence end in `piece`.
fn sentence_end(piece: &str) -> Option<usize> {
    let mut found = None;
    let mut before = None;
    for (offset, c) in piece.char_indices() {
        let ended = before.is_some_and(|b| matches!(b, '.' | '!' | '?' | '…' | '؟' | '»' | '"'));
        // Scripts without blanks end sentences with their own full stop.
        if (ended && c == ' ') || before.is_some_and(|b| matches!(b, '。' | '！' | '？' | '।'))
        {
            found = Some(offset);
        }
        before = Some(c);
    }
    found
}

/// The last border at or before `end` that takes no cluster apart.
fn cluster_border(text: &str, from: usize, end: usize) -> usize {
    let mut at = end;
    // Clusters are short; a text that never stops combining is cut anyway.
    for _ in 0..64 {
        let before = text.get(from..at).and_then(|piece| piece.chars().next_back());
        let after = text.get(at..).and_then(|rest| rest.chars().next());
        let (Some(before), Some(after)) = (before, after) else { return end };
        if !belongs(before, after) {
            return at;
        }
        at -= before.len_utf8();
    }
    end
}

/// Whether two neighbouring characters are seen as one.
fn belongs(before: char, after: char) -> bool {
    const JOINER: char = '\u{200d}';
    let flag = |c: char| ('\u{1f1e6}'..='\u{1f1ff}').contains(&c);
    let extends = |c: char| {
        is_combining_mark(c)
            || matches!(c, '\u{200c}' | JOINER | '\u{fe00}'..='\u{fe0f}'
                | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}' | '\u{20e3}')
    };
    before == JOINER || extends(after) || (flag(before) && flag(after))
}

fn floor_border(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn next_border(text: &str, at: usize) -> usize {
    let len = text.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
    (at + len).min(text.len())
}

/// Bytes of `text` inside a JSON string.
fn json_len(text: &str) -> usize {
    text.bytes()
        .map(|b| match b {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
            0..=0x1f => 6,
            _ => 1,
        })
        .sum()
}
