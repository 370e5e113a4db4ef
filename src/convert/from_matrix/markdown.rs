//! A text with ranges as Olvid's Markdown.

use crate::model::text::{Span, Style, Text};

/// Writes `text` in the marks that Olvid shows. Words are not escaped: a star that somebody
/// typed looks in Olvid as if they had typed it there. Underlining and spoilers, which Olvid
/// has no marks for, are left out; links show their address.
pub fn markdown(text: &Text) -> String {
    // Marks of inner ranges stand inside those of outer ones: opened later, closed earlier.
    let mut marks: Vec<(usize, Rank, String)> = Vec::new();
    for (order, span) in text.spans.iter().enumerate() {
        let Some(words) = text.plain.get(span.start..span.end) else { continue };
        if words.is_empty() {
            continue;
        }
        add(&mut marks, order, span, words);
    }
    marks.sort_by_key(|(at, rank, _)| (*at, *rank));
    let mut out = String::with_capacity(text.plain.len() + 16);
    let mut from = 0;
    for (at, _, mark) in marks {
        out.push_str(text.plain.get(from..at).unwrap_or_default());
        out.push_str(&mark);
        from = at;
    }
    out.push_str(text.plain.get(from..).unwrap_or_default());
    out
}

/// Order of marks at one place: closing ones first, the innermost first; then opening ones,
/// the outermost first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Close(std::cmp::Reverse<usize>),
    Line,
    Open(usize),
}

fn add(marks: &mut Vec<(usize, Rank, String)>, order: usize, span: &Span, words: &str) {
    let mut around = |open: String, close: String| {
        // Blanks inside a mark would make it none.
        let lead = words.len() - words.trim_start().len();
        let trail = words.len() - words.trim_end().len();
        if lead < words.len() {
            marks.push((span.start + lead, Rank::Open(order), open));
            marks.push((span.end - trail, Rank::Close(std::cmp::Reverse(order)), close));
        }
    };
    match &span.style {
        Style::Bold => around("**".to_owned(), "**".to_owned()),
        Style::Italic => around("*".to_owned(), "*".to_owned()),
        Style::Strike => around("~~".to_owned(), "~~".to_owned()),
        Style::Code => around("`".to_owned(), "`".to_owned()),
        Style::Pre { language } => {
            let language = language.as_deref().unwrap_or_default();
            around(format!("```{language}\n"), "\n```".to_owned());
        }
        Style::Link { url } if words != url => around(String::new(), format!(" ({url})")),
        Style::Quote => {
            let mut line = span.start;
            for piece in words.split_inclusive('\n') {
                marks.push((line, Rank::Line, "> ".to_owned()));
                line += piece.len();
            }
        }
        Style::Underline
        | Style::Spoiler
        | Style::Link { .. }
        | Style::Mention { .. }
        | Style::CustomEmoji => {}
    }
}
