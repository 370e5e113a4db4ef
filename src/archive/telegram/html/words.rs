//! The words of a message and their formatting, from the markup of `div.text`.

use super::tree::{Element, Node, block, decode};
use crate::model::text::{Markup, Span, Style, Text};

/// Reads the text of a message. Line ends are `<br>`; the exporter's own around the block go.
pub(super) fn read(element: &Element<'_>) -> Text {
    let mut words = Words::default();
    words.inside(element);
    // What the exporter set around the block, in bytes.
    let kept = block(&words.plain);
    let start = words.plain.len() - words.plain.strip_prefix('\n').unwrap_or(&words.plain).len();
    let end = start + kept.len();
    let spans = words.spans.into_iter().filter_map(|span| {
        let from = span.start.max(start);
        let until = span.end.min(end);
        (from < until).then(|| Span { start: from - start, end: until - start, style: span.style })
    });
    let mut spans: Vec<Span> = spans.collect();
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    Text { plain: kept.to_owned(), markup: Markup::None, spans }
}

#[derive(Default)]
struct Words {
    plain: String,
    spans: Vec<Span>,
}

impl Words {
    fn inside(&mut self, element: &Element<'_>) {
        for node in &element.children {
            match node {
                Node::Text(text) => self.plain.push_str(&decode(text)),
                Node::Element(element) if element.tag == "br" => self.plain.push('\n'),
                Node::Element(element) => {
                    let start = self.plain.len();
                    self.inside(element);
                    let own = self.plain.get(start..).unwrap_or_default();
                    if let (Some(style), false) = (style(element, own), own.is_empty()) {
                        self.spans.push(Span { start, end: self.plain.len(), style });
                    }
                }
            }
        }
    }
}

fn style(element: &Element<'_>, words: &str) -> Option<Style> {
    Some(match element.tag {
        "strong" | "b" => Style::Bold,
        "em" | "i" => Style::Italic,
        "u" => Style::Underline,
        "s" | "del" => Style::Strike,
        "code" => Style::Code,
        "pre" => Style::Pre { language: None },
        "blockquote" => Style::Quote,
        "span" if element.has_class("spoiler") => Style::Spoiler,
        "a" => return link(element, words),
        _ => return None,
    })
}

/// Links, and what the exporter writes as links: people, emoji, and words that do something in
/// the app only.
fn link(element: &Element<'_>, words: &str) -> Option<Style> {
    let action = element.attribute("onclick").unwrap_or_default();
    if action.contains("ShowMentionName") {
        return Some(Style::Mention { participant: None });
    }
    if action.contains("Emoji") {
        return Some(Style::CustomEmoji);
    }
    if !action.is_empty() {
        return None;
    }
    let url = element.attribute("href").filter(|url| !url.is_empty())?;
    if let (Some(name), Some(user)) = (url.strip_prefix("https://t.me/"), words.strip_prefix('@'))
        && name == user
    {
        return Some(Style::Mention { participant: None });
    }
    // A custom emoji links to its own file.
    let is_file =
        !url.contains(':') && ["stickers/", "video_files/"].iter().any(|f| url.contains(f));
    if is_file {
        return Some(Style::CustomEmoji);
    }
    Some(Style::Link { url: url.into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::telegram::html::tree::parse;

    #[test]
    fn formatting_becomes_ranges_of_what_is_kept() {
        let root = parse(
            "<div class=\"text\">\n<strong>é</strong><br> <span class=\"spoiler hidden\"><span \
             aria-hidden=\"true\">x &amp; y</span></span> <a href=\"https://t.me/a\">@a</a> <a \
             href=\"\" onclick=\"return ShowHashtag(&quot;b&quot;)\">#b</a>\n       </div>",
        );
        let text = read(root.elements().next().unwrap());
        assert_eq!(text.plain, "é\n x & y @a #b");
        let spans: Vec<_> = text.spans.iter().map(|s| (s.start, s.end, &s.style)).collect();
        assert_eq!(
            spans,
            [
                (0, 2, &Style::Bold),
                (4, 9, &Style::Spoiler),
                (10, 12, &Style::Mention { participant: None })
            ]
        );
    }
}
