//! A message's words and their formatting, from the parts that JSON writes.
//!
//! Joining the parts gives the text exactly; nothing is trimmed or inserted. The exporter has
//! already dropped nested and overlapping formatting. Parts that Matrix has no form for
//! (hashtags, commands, bank cards) are words like any other.

use serde_json::Value;

use super::ids;
use super::value::{Part, RawText};
use crate::model::text::{Markup, Span, Style, Text};

/// Joins the parts of a text value. `true` when the two forms of the same text disagree.
///
/// `text_entities` (since 4.1.2) is preferred; some other tools leave it empty, or write a fuller
/// `text` beside it.
pub(super) fn build(text: &RawText<'_>, entities: Option<&[Part<'_>]>) -> (Text, bool) {
    let entities = entities.unwrap_or_default();
    if entities.is_empty() {
        return (from_raw(text), false);
    }
    let built = from_parts(entities);
    if is_same(text, &built.plain) {
        return (built, false);
    }
    if built.plain.is_empty() { (from_raw(text), true) } else { (built, !text.is_empty()) }
}

fn from_raw(text: &RawText<'_>) -> Text {
    match text {
        RawText::Absent => Text::default(),
        RawText::Plain(plain) => Text::plain(plain.as_str()),
        RawText::Parts(parts) => from_parts(parts),
    }
}

fn is_same(text: &RawText<'_>, plain: &str) -> bool {
    match text {
        RawText::Absent => plain.is_empty(),
        RawText::Plain(whole) => whole.as_str() == plain,
        RawText::Parts(parts) => {
            let mut rest = plain;
            parts.iter().all(|part| match rest.strip_prefix(part.text.as_str()) {
                Some(after) => {
                    rest = after;
                    true
                }
                None => false,
            }) && rest.is_empty()
        }
    }
}

fn from_parts(parts: &[Part<'_>]) -> Text {
    let mut plain = String::with_capacity(parts.iter().map(|part| part.text.0.len()).sum());
    let mut spans = Vec::new();
    for part in parts {
        let start = plain.len();
        plain.push_str(part.text.as_str());
        if plain.len() > start
            && let Some(style) = style(part)
        {
            spans.push(Span { start, end: plain.len(), style });
        }
    }
    Text { plain, markup: Markup::None, spans }
}

fn style(part: &Part<'_>) -> Option<Style> {
    let words = part.text.as_str();
    let additional =
        part.additional.as_ref().map(super::value::Str::as_str).filter(|a| !a.is_empty());
    Some(match part.kind.as_str() {
        "bold" => Style::Bold,
        "italic" => Style::Italic,
        "underline" => Style::Underline,
        "strikethrough" => Style::Strike,
        "spoiler" => Style::Spoiler,
        "code" => Style::Code,
        "pre" => Style::Pre { language: additional.map(str::to_owned) },
        "blockquote" => Style::Quote,
        "link" => Style::Link { url: words.to_owned() },
        "text_link" => Style::Link { url: additional.unwrap_or(words).to_owned() },
        "email" => Style::Link { url: format!("mailto:{words}") },
        "phone" => Style::Link { url: telephone(words) },
        "mention" => Style::Mention { participant: None },
        "mention_name" => {
            Style::Mention { participant: additional.and_then(|id| id.parse().ok()).map(ids::user) }
        }
        "custom_emoji" => Style::CustomEmoji,
        _ => return None,
    })
}

/// A number as the address of a link.
pub(super) fn telephone(words: &str) -> String {
    let digits: String =
        words.chars().filter(|c| c.is_ascii_digit() || matches!(c, '+' | '*' | '#')).collect();
    format!("tel:{digits}")
}

/// The words of a text value inside another object (`question`, `gift_text`): a string, or an
/// array of strings and parts.
pub(super) fn words_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(words_of).collect(),
        Value::Object(part) => part.get("text").map(words_of).unwrap_or_default(),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::telegram::raw::RawMessage;

    fn text(json: &str) -> (Text, bool) {
        let message: RawMessage<'_> = serde_json::from_str(json).unwrap();
        build(&message.text, message.text_entities.as_deref())
    }

    #[test]
    fn spans_are_byte_ranges() {
        let (text, differs) = text(
            r#"{"text": ["é ", {"type": "bold", "text": "été"}, {"type": "link", "text": "x"}, ""],
                "text_entities": [{"type": "plain", "text": "é "}, {"type": "bold", "text": "été"},
                {"type": "link", "text": "x"}, {"type": "plain", "text": ""}]}"#,
        );
        assert!(!differs);
        assert_eq!(text.plain, "é étéx");
        assert_eq!(text.spans[0], Span { start: 3, end: 8, style: Style::Bold });
        assert_eq!(text.spans[1].style, Style::Link { url: "x".into() });
    }

    #[test]
    fn the_fuller_form_wins_and_a_contradiction_is_told() {
        assert_eq!(text(r#"{"text": "a", "text_entities": []}"#), (Text::plain("a"), false));
        let (kept, differs) =
            text(r#"{"text": "ab", "text_entities": [{"type": "italic", "text": "a"}]}"#);
        assert!(differs);
        assert_eq!(kept.plain, "a");
        assert_eq!(text(r#"{"text": ""}"#), (Text::default(), false));
    }
}
