//! Flattens a `rich_message` (7.0.9 on) into words with formatting.
//!
//! A rich message is a small document: blocks of text trees, lists, tables, pictures. Matrix
//! carries one formatted text, so headings become bold lines, lists get their bullets, tables
//! their bars. Pictures and films inside are named where they stand; the files themselves are
//! left to a finding of `convert`.

use serde_json::{Map, Value};

use super::ids;
use crate::model::text::{Markup, Span, Style, Text};

/// Deeper trees are cut; the parser itself refuses more than 128 levels.
const DEEPEST: usize = 64;

/// The words of a rich message, and whether something in it has no words.
pub(super) fn flatten(rich: &Value) -> (Text, bool) {
    let mut flat = Flat::default();
    if let Some(blocks) = rich.get("blocks").and_then(Value::as_array) {
        flat.blocks(blocks, 0);
    }
    let kept = flat.plain.trim_end_matches('\n').len();
    flat.plain.truncate(kept);
    for span in &mut flat.spans {
        span.end = span.end.min(kept);
    }
    flat.spans.retain(|span| span.start < span.end);
    flat.spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    (Text { plain: flat.plain, markup: Markup::None, spans: flat.spans }, flat.lossy)
}

#[derive(Default)]
struct Flat {
    plain: String,
    spans: Vec<Span>,
    lossy: bool,
}

impl Flat {
    fn blocks(&mut self, blocks: &[Value], depth: usize) {
        for block in blocks {
            match block.as_object() {
                Some(block) if depth < DEEPEST => self.block(block, depth),
                Some(_) | None => self.lossy = true,
            }
        }
    }

    fn block(&mut self, block: &Map<String, Value>, depth: usize) {
        let kind = block.get("type").and_then(Value::as_str).unwrap_or_default();
        match kind {
            "heading" => self.styled(block, Some(Style::Bold), depth),
            "paragraph" | "footer" | "thinking" | "author_date" | "anchor" => {
                self.styled(block, None, depth);
            }
            "code" => {
                let language = block.get("language").and_then(Value::as_str);
                let language = language.filter(|l| !l.is_empty()).map(str::to_owned);
                self.styled(block, Some(Style::Pre { language }), depth);
            }
            "math" => {
                let source = block.get("source").or_else(|| block.get("formula"));
                self.wrap(Some(Style::Code), |flat| {
                    if let Some(source) = source {
                        flat.inline(source, depth);
                    }
                });
                self.styled(block, None, depth);
            }
            "divider" => self.line("———"),
            "quote" => {
                let start = self.plain.len();
                self.styled(block, None, depth);
                self.span(start, Style::Quote);
            }
            "list" => self.list(block, depth),
            "table" => self.table(block, depth),
            "details" => {
                if let Some(title) = block.get("title") {
                    self.wrap(Some(Style::Bold), |flat| flat.inline(title, depth));
                    self.end_line();
                }
                self.styled(block, None, depth);
            }
            _ => {
                // Pictures, films, maps, channels, embeds and whatever comes next.
                self.lossy = true;
                let name = if kind.is_empty() { "block" } else { kind };
                self.line(&format!("[{name}]"));
                self.styled(block, None, depth);
            }
        }
    }

    /// The texts of a block: its own, its caption's, its inner blocks'.
    fn styled(&mut self, block: &Map<String, Value>, style: Option<Style>, depth: usize) {
        self.wrap(style, |flat| {
            if let Some(text) = block.get("text") {
                flat.inline(text, depth + 1);
            }
        });
        self.end_line();
        if let Some(inner) = block.get("blocks").and_then(Value::as_array) {
            self.blocks(inner, depth + 1);
        }
        if let Some(caption) = block.get("caption") {
            self.inline(caption, depth + 1);
            self.end_line();
        }
    }

    fn list(&mut self, block: &Map<String, Value>, depth: usize) {
        let ordered =
            block.get("kind").and_then(Value::as_str).is_some_and(|k| k.starts_with("ord"));
        let items = block.get("items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for (at, item) in items.iter().enumerate() {
            let mark = match item.get("task_state").and_then(Value::as_str) {
                Some("checked") => "☑ ".to_owned(),
                Some("unchecked") => "☐ ".to_owned(),
                Some(_) | None if ordered => format!("{}. ", at + 1),
                Some(_) | None => "• ".to_owned(),
            };
            self.plain.push_str(&mark);
            match item.as_object() {
                Some(item) if depth < DEEPEST => self.styled(item, None, depth + 1),
                Some(_) | None => self.lossy = true,
            }
            self.end_line();
        }
    }

    fn table(&mut self, block: &Map<String, Value>, depth: usize) {
        if let Some(title) = block.get("title") {
            self.wrap(Some(Style::Bold), |flat| flat.inline(title, depth));
            self.end_line();
        }
        let rows = block.get("rows").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for row in rows {
            let cells = row.get("cells").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            for (at, cell) in cells.iter().enumerate() {
                if at > 0 {
                    self.plain.push_str(" | ");
                }
                if let Some(text) = cell.get("text") {
                    self.inline(text, depth + 1);
                }
            }
            self.end_line();
        }
    }

    /// A tree of inline text.
    fn inline(&mut self, node: &Value, depth: usize) {
        if depth >= DEEPEST {
            self.lossy = true;
            return;
        }
        match node {
            Value::String(text) => self.plain.push_str(text),
            Value::Array(nodes) => nodes.iter().for_each(|node| self.inline(node, depth + 1)),
            Value::Object(object) => {
                let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
                let style = self.style(kind, object);
                let inner = object.get("text").or_else(|| object.get("source"));
                self.wrap(style, |flat| {
                    if let Some(inner) = inner {
                        flat.inline(inner, depth + 1);
                    }
                });
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn style(&mut self, kind: &str, node: &Map<String, Value>) -> Option<Style> {
        Some(match kind {
            "bold" => Style::Bold,
            "italic" => Style::Italic,
            "underline" => Style::Underline,
            "strikethrough" => Style::Strike,
            "spoiler" => Style::Spoiler,
            "code" | "math" => Style::Code,
            "text_link" | "link" => {
                Style::Link { url: node.get("href").and_then(Value::as_str)?.to_owned() }
            }
            "mention" => Style::Mention { participant: None },
            "mention_name" => {
                let id = node.get("user_id").map(super::text::words_of);
                Style::Mention { participant: id.and_then(|id| id.parse().ok()).map(ids::user) }
            }
            "custom_emoji" => Style::CustomEmoji,
            "plain" | "concat" | "empty" | "" => return None,
            _ => {
                self.lossy |= matches!(kind, "inline_image" | "subscript" | "superscript" | "diff");
                return None;
            }
        })
    }

    fn wrap(&mut self, style: Option<Style>, inner: impl FnOnce(&mut Self)) {
        let start = self.plain.len();
        inner(self);
        if let Some(style) = style {
            self.span(start, style);
        }
    }

    fn span(&mut self, start: usize, style: Style) {
        let end = start + self.plain.get(start..).unwrap_or_default().trim_end_matches('\n').len();
        if end > start {
            self.spans.push(Span { start, end, style });
        }
    }

    fn line(&mut self, words: &str) {
        self.plain.push_str(words);
        self.plain.push('\n');
    }

    fn end_line(&mut self) {
        if !self.plain.is_empty() && !self.plain.ends_with('\n') {
            self.plain.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_document() {
        let rich: Value = serde_json::from_str(
            r#"{"rtl": false, "blocks": [
              {"type": "heading", "level": 2, "text": {"type": "plain", "text": "Titre"}},
              {"type": "paragraph", "text": {"type": "concat", "text": [
                {"type": "bold", "text": {"type": "plain", "text": "Décision"}},
                {"type": "plain", "text": " : oui"}]}},
              {"type": "list", "kind": "bullet", "items": [
                {"task_state": "checked", "content": "text", "text": {"type": "plain", "text": "un"}},
                {"content": "text", "text": {"type": "plain", "text": "deux"}}]},
              {"type": "table", "rows": [{"cells": [{"text": "a"}, {"text": "b"}]}]},
              {"type": "photo", "caption": {"type": "plain", "text": "vue"}}]}"#,
        )
        .unwrap();
        let (text, lossy) = flatten(&rich);
        assert!(lossy);
        assert_eq!(text.plain, "Titre\nDécision : oui\n☑ un\n• deux\na | b\n[photo]\nvue");
        assert_eq!(text.spans[0], Span { start: 0, end: 5, style: Style::Bold });
        assert_eq!(text.spans[1], Span { start: 6, end: 15, style: Style::Bold });
    }
}
