//! HTML of Matrix messages to a text with ranges.

use ruma::html::{Html, NodeRef};
use ruma::matrix_uri::MatrixId;
use ruma::{MatrixToUri, OwnedUserId};

use super::Known;
use crate::model::text::{Span, Style, Text};

/// More tags than this are not read: trees are walked and freed by recursion, and no client
/// writes so many.
const MOST_TAGS: usize = 2_000;

/// Deeper elements are read as their words (the specification's limit).
const DEEPEST: usize = 100;

/// Reads a formatted body; `None` if it is not one to be read.
pub(super) fn read(html: &str, known: &Known<'_>) -> Option<Text> {
    if html.bytes().filter(|byte| *byte == b'<').count() > MOST_TAGS {
        return None;
    }
    let tree = Html::parse(html);
    let mut reader = Reader { text: String::new(), spans: Vec::new(), known };
    for node in tree.children() {
        reader.node(&node, &Place::default());
    }
    let Reader { text, mut spans, .. } = reader;
    let end = text.trim_end_matches('\n').len();
    let text = text.get(..end).unwrap_or_default().to_owned();
    for span in &mut spans {
        span.end = span.end.min(end);
    }
    spans.retain(|span| span.start < span.end);
    spans.sort_by(|a, b| a.start.cmp(&b.start).then(b.end.cmp(&a.end)));
    Some(Text { plain: text, spans, ..Text::default() })
}

/// Where a node stands.
#[derive(Clone, Copy, Default)]
struct Place {
    depth: usize,
    /// Inside `pre`, where blanks count.
    verbatim: bool,
}

struct Reader<'a> {
    text: String,
    spans: Vec<Span>,
    known: &'a Known<'a>,
}

impl Reader<'_> {
    fn node(&mut self, node: &NodeRef, place: &Place) {
        if place.depth > DEEPEST {
            return;
        }
        if let Some(words) = node.as_text() {
            self.words(&words.borrow(), place.verbatim);
        } else if let Some(element) = node.as_element() {
            let attribute = |wanted: &str| {
                let attributes = element.attrs.borrow();
                let found = attributes.iter().find(|a| &*a.name.local == wanted);
                found.map(|attribute| attribute.value.to_string())
            };
            self.element(&element.name.local, &attribute, node, place);
        } else {
            self.inside(node, place);
        }
    }

    fn inside(&mut self, node: &NodeRef, place: &Place) {
        let place = Place { depth: place.depth + 1, ..*place };
        for child in node.children() {
            self.node(&child, &place);
        }
    }

    fn element(
        &mut self,
        name: &str,
        attribute: &dyn Fn(&str) -> Option<String>,
        node: &NodeRef,
        place: &Place,
    ) {
        match name {
            "strong" | "b" => self.styled(Style::Bold, node, place),
            "em" | "i" => self.styled(Style::Italic, node, place),
            "u" => self.styled(Style::Underline, node, place),
            "del" | "s" | "strike" => self.styled(Style::Strike, node, place),
            "code" if place.verbatim => self.inside(node, place),
            "code" => self.styled(Style::Code, node, place),
            "span" if attribute("data-mx-spoiler").is_some() => {
                self.styled(Style::Spoiler, node, place);
            }
            "a" => match attribute("href") {
                Some(address) => {
                    let style = self.anchor(address);
                    self.styled(style, node, place);
                }
                None => self.inside(node, place),
            },
            "br" => self.text.push('\n'),
            "hr" => {
                self.new_line();
                self.text.push_str("---\n");
            }
            "pre" => {
                let code = node.children().find_map(|child| {
                    let element = child.as_element()?;
                    let attributes = element.attrs.borrow();
                    let class = attributes.iter().find(|a| &*a.name.local == "class")?;
                    class.value.strip_prefix("language-").map(ToOwned::to_owned)
                });
                let place = Place { verbatim: true, ..*place };
                self.block(Some(Style::Pre { language: code }), node, &place);
            }
            "blockquote" => self.block(Some(Style::Quote), node, place),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.block(Some(Style::Bold), node, place),
            "p" | "div" | "table" | "tr" | "details" | "summary" => self.block(None, node, place),
            "ul" | "ol" => self.list(name == "ol", attribute("start"), node, place),
            "td" | "th" => {
                self.inside(node, place);
                self.text.push('\t');
            }
            // The quote older clients put above a reply.
            "mx-reply" => {}
            "img" => self.text.push_str(&attribute("alt").unwrap_or_default()),
            _ => self.inside(node, place),
        }
    }

    fn styled(&mut self, style: Style, node: &NodeRef, place: &Place) {
        let start = self.text.len();
        self.inside(node, place);
        let end = self.text.len();
        self.spans.push(Span { start, end, style });
    }

    fn block(&mut self, style: Option<Style>, node: &NodeRef, place: &Place) {
        self.new_line();
        let start = self.text.len();
        self.inside(node, place);
        let bare = self.text.trim_end_matches('\n').len().max(start);
        self.text.truncate(bare);
        // What was marked up to the end of the line breaks ends before them too.
        for span in &mut self.spans {
            span.end = span.end.min(bare);
        }
        if let Some(style) = style {
            self.spans.push(Span { start, end: bare, style });
        }
        self.text.push('\n');
    }

    fn list(&mut self, numbered: bool, start: Option<String>, node: &NodeRef, place: &Place) {
        let mut number: u64 = start.and_then(|start| start.parse().ok()).unwrap_or(1);
        self.new_line();
        for child in node.children().filter(|child| child.as_element().is_some()) {
            self.new_line();
            if numbered {
                self.text.push_str(&number.to_string());
                self.text.push_str(". ");
                number = number.saturating_add(1);
            } else {
                self.text.push_str("- ");
            }
            self.inside(&child, place);
        }
        self.new_line();
    }

    /// A link, or a person if it is one to somebody in Matrix.
    fn anchor(&self, address: String) -> Style {
        match user_of(&address) {
            Some(user) => Style::Mention { participant: (self.known)(&user) },
            None => Style::Link { url: address },
        }
    }

    fn new_line(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    fn words(&mut self, words: &str, verbatim: bool) {
        if verbatim {
            self.text.push_str(words);
        } else if !(words.trim().is_empty() && words.contains('\n')) {
            // Outside `pre` a line break is a blank.
            self.text.push_str(&words.replace('\n', " "));
        }
    }
}

fn user_of(address: &str) -> Option<OwnedUserId> {
    let uri = MatrixToUri::parse(address).ok()?;
    if let MatrixId::User(user) = uri.id() { Some(user.clone()) } else { None }
}
