//! A small tree of one message's markup, borrowed from the page.
//!
//! The exporter writes its pages by machine: every tag is closed, every attribute quoted, every
//! `<` of a text escaped. What is not so is read as far as it goes; nothing here fails.

use std::borrow::Cow;

/// The bytes of `#x10FFFF;`, and some.
const LONGEST_ENTITY: usize = 12;

/// Deeper elements are read as if their tags were not there.
const DEEPEST: usize = 64;

/// One element.
#[derive(Debug, Default)]
pub(super) struct Element<'a> {
    pub(super) tag: &'a str,
    attributes: &'a str,
    pub(super) children: Vec<Node<'a>>,
}

/// What stands in an element.
#[derive(Debug)]
pub(super) enum Node<'a> {
    Element(Element<'a>),
    /// Text, with its entities.
    Text(&'a str),
}

/// Reads markup into a nameless element that holds everything.
pub(super) fn parse(mut rest: &str) -> Element<'_> {
    let mut stack: Vec<Element<'_>> = vec![Element::default()];
    while let Some(at) = rest.find('<') {
        let (text, tag) = rest.split_at(at);
        push(&mut stack, Node::Text(text));
        let Some(end) = end_of_tag(tag) else {
            push(&mut stack, Node::Text(tag));
            return close_all(stack);
        };
        let inner = tag.get(1..end).unwrap_or_default();
        rest = tag.get(end + 1..).unwrap_or_default();
        if let Some(name) = inner.strip_prefix('/') {
            close(&mut stack, name.trim());
        } else if !inner.starts_with(['!', '?']) {
            open(&mut stack, inner);
        }
    }
    push(&mut stack, Node::Text(rest));
    close_all(stack)
}

/// The place of the `>` that ends a tag; one inside quotes does not.
fn end_of_tag(tag: &str) -> Option<usize> {
    let mut quoted = false;
    tag.bytes().position(|byte| {
        quoted ^= byte == b'"';
        byte == b'>' && !quoted
    })
}

fn open<'a>(stack: &mut Vec<Element<'a>>, inner: &'a str) {
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    let (tag, attributes) = inner.split_once([' ', '\n', '\t']).unwrap_or((inner, ""));
    let element = Element { tag, attributes, children: Vec::new() };
    let void = matches!(tag, "br" | "img" | "meta" | "link" | "hr" | "input");
    if void || stack.len() > DEEPEST {
        push(stack, Node::Element(element));
    } else {
        stack.push(element);
    }
}

/// Closes the nearest open element of that name, and whatever stands open in it.
fn close(stack: &mut Vec<Element<'_>>, name: &str) {
    let Some(at) = stack.iter().skip(1).rposition(|element| element.tag == name) else { return };
    while stack.len() > at + 1 {
        let Some(element) = stack.pop() else { return };
        push(stack, Node::Element(element));
    }
}

fn close_all(mut stack: Vec<Element<'_>>) -> Element<'_> {
    while stack.len() > 1 {
        let Some(element) = stack.pop() else { break };
        push(&mut stack, Node::Element(element));
    }
    stack.pop().unwrap_or_default()
}

fn push<'a>(stack: &mut [Element<'a>], node: Node<'a>) {
    if let (Some(top), false) = (stack.last_mut(), matches!(node, Node::Text(""))) {
        top.children.push(node);
    }
}

impl<'a> Element<'a> {
    /// An attribute's value as written, entities included.
    fn raw_attribute(&self, name: &str) -> Option<&'a str> {
        let mut rest = self.attributes;
        loop {
            let (key, after) = rest.split_once('=')?;
            // Custom emoji are written with blanks around the sign.
            let (_, value) = after.split_once('"')?;
            let (value, after) = value.split_once('"')?;
            if key.trim() == name {
                return Some(value);
            }
            rest = after;
        }
    }

    /// An attribute's value, decoded.
    pub(super) fn attribute(&self, name: &str) -> Option<Cow<'a, str>> {
        self.raw_attribute(name).map(decode)
    }

    /// Whether the element has a class.
    pub(super) fn has_class(&self, class: &str) -> bool {
        self.classes().any(|own| own == class)
    }

    /// Its classes, in order.
    pub(super) fn classes(&self) -> impl Iterator<Item = &'a str> {
        self.raw_attribute("class").unwrap_or_default().split_ascii_whitespace()
    }

    /// The elements directly inside.
    pub(super) fn elements(&self) -> impl Iterator<Item = &Element<'a>> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The first element directly inside that has a class.
    pub(super) fn child(&self, class: &str) -> Option<&Element<'a>> {
        self.elements().find(|element| element.has_class(class))
    }

    /// The first element at any depth that has a class.
    pub(super) fn find(&self, class: &str) -> Option<&Element<'a>> {
        self.elements().find_map(|element| {
            if element.has_class(class) { Some(element) } else { element.find(class) }
        })
    }

    /// Every element at any depth that has a class, in order; not those inside another.
    pub(super) fn find_all<'e>(&'e self, class: &str, found: &mut Vec<&'e Element<'a>>) {
        for element in self.elements() {
            if element.has_class(class) {
                found.push(element);
            } else {
                element.find_all(class, found);
            }
        }
    }

    /// All words inside, without the line ends that the exporter sets around a block.
    pub(super) fn words(&self) -> String {
        let mut words = String::new();
        self.collect(&mut words);
        block(&words).to_owned()
    }

    /// The words directly inside, up to the first element.
    pub(super) fn own_words(&self) -> String {
        let mut words = String::new();
        for node in &self.children {
            match node {
                Node::Text(text) => words.push_str(&decode(text)),
                Node::Element(_) => break,
            }
        }
        block(&words).to_owned()
    }

    fn collect(&self, words: &mut String) {
        for node in &self.children {
            match node {
                Node::Text(text) => words.push_str(&decode(text)),
                Node::Element(element) if element.tag == "br" => words.push('\n'),
                Node::Element(element) => element.collect(words),
            }
        }
    }
}

/// A block's content: the exporter sets a line end before, and a line end and blanks after it.
pub(super) fn block(text: &str) -> &str {
    let text = text.strip_prefix('\n').unwrap_or(text);
    let bare = text.trim_end_matches(' ');
    bare.strip_suffix('\n').unwrap_or(text)
}

/// Resolves the entities that the exporter writes.
pub(super) fn decode(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find('&') else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len());
    let (plain, mut rest) = text.split_at(first);
    out.push_str(plain);
    while let Some(after) = rest.strip_prefix('&') {
        // No entity is longer; a text full of ampersands must not be searched for each.
        let end = after.bytes().take(LONGEST_ENTITY).position(|byte| byte == b';');
        let entity = end.and_then(|end| {
            let (name, rest) = after.split_at_checked(end)?;
            Some((entity(name)?, rest.strip_prefix(';')?))
        });
        let (character, after) = entity.unwrap_or(('&', after));
        out.push(character);
        rest = after;
        let next = rest.find('&').unwrap_or(rest.len());
        let (plain, after) = rest.split_at(next);
        out.push_str(plain);
        rest = after;
    }
    Cow::Owned(out)
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        "laquo" => '«',
        "raquo" => '»',
        _ => {
            let number = name.strip_prefix('#').filter(|number| number.len() <= 8)?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_exporter_writes() {
        let root = parse(
            "<div class=\"a b\" title=\"x &gt; &quot;y&quot;\">\nl&apos;&#xe9;t&eacute;<br>2 \
             <i>3</i>\n   </div><a href = \"s (2).tgs\">😁</a>",
        );
        let first = root.elements().next().unwrap();
        assert!(first.has_class("b") && !first.has_class("c"));
        assert_eq!(first.attribute("title").unwrap(), "x > \"y\"");
        assert_eq!(first.words(), "l'ét&eacute;\n2 3");
        assert_eq!(first.own_words(), "\nl'ét&eacute;".trim_start());
        let link = root.elements().nth(1).unwrap();
        assert_eq!(link.attribute("href").unwrap(), "s (2).tgs");
    }

    #[test]
    fn hostile_markup_is_survived() {
        for source in
            ["<", "<a", "</b>", "<a></b></a>", "<a b=\"", "&", "&;", "&#x110000;", "<a><b></a>"]
        {
            let _ = parse(source).words();
        }
        let deep = "<b>".repeat(100_000);
        assert_eq!(parse(&deep).words(), "");
    }
}
