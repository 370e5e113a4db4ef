//! Olvid's Markdown: `CommonMark` with `~~strike~~` (Olvid for Android `Markdown.kt`, which
//! renders with commonmark-java). HTML in it is text, and a single `~` is a tilde.
//!
//! The parser says where words are; what lies between them is either syntax, which goes, or
//! line breaks and the signs of lists and quotes, which stay in the plain body.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd};

use super::Reading;
use super::reading::{Change, link};
use super::rich::{Kind, is_language};

/// Texts longer than this are not parsed but kept as written: no message is that long, and
/// the parser's time on hostile input is its own affair.
const LONGEST: usize = 200_000;

/// Finds the marks in `text`.
pub(super) fn read(text: &str) -> Reading {
    let mut found = Found {
        text,
        reading: Reading::default(),
        kept: Vec::new(),
        lists: Vec::new(),
        links: Vec::new(),
        fences: Vec::new(),
        quotes: 0,
    };
    if text.len() > LONGEST {
        return found.reading;
    }
    let parser = Parser::new_ext(text, Options::ENABLE_STRIKETHROUGH);
    for (event, at) in parser.into_offset_iter() {
        found.take(event, at);
    }
    found.finish()
}

struct Found<'a> {
    text: &'a str,
    reading: Reading,
    /// Stretches that stay.
    kept: Vec<Range<usize>>,
    /// Numbers of the lists that are open.
    lists: Vec<Option<u64>>,
    /// Where addresses and titles of links stand; they are shown in another form.
    links: Vec<Range<usize>>,
    /// Opening lines of fenced code.
    fences: Vec<Range<usize>>,
    /// How many quotes are open.
    quotes: usize,
}

impl Found<'_> {
    fn take(&mut self, event: Event<'_>, at: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, at),
            Event::End(TagEnd::List(_)) => {
                self.lists.pop();
            }
            Event::End(TagEnd::BlockQuote(_)) => self.quotes = self.quotes.saturating_sub(1),
            Event::Text(words) => self.words(&words, at),
            Event::Code(words) => {
                let source = self.text.get(at.clone()).unwrap_or_default();
                let ticks = source.bytes().take_while(|b| *b == b'`').count();
                let inside = at.start + ticks..at.end.saturating_sub(ticks).max(at.start + ticks);
                self.words(&words, inside.clone());
                self.reading.mark(inside, Kind::Code);
            }
            Event::SoftBreak | Event::HardBreak => {
                // A hard break's blanks or backslash are syntax; its line break is not.
                let source = self.text.get(at.clone()).unwrap_or_default();
                if let Some(offset) = source.find('\n') {
                    self.kept.push(at.start + offset..at.start + offset + 1);
                }
            }
            // HTML is not interpreted, and a rule is shown as it is typed.
            Event::Html(_) | Event::InlineHtml(_) | Event::Rule => self.kept.push(at),
            Event::End(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::FootnoteReference(_)
            | Event::TaskListMarker(_) => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "tags of extensions that are off")]
    fn start(&mut self, tag: Tag<'_>, at: Range<usize>) {
        match tag {
            Tag::Heading { level, .. } => {
                let block = self.without_line_end(at);
                self.reading.mark(block, Kind::Heading(level_of(level)));
            }
            Tag::BlockQuote(_) => {
                let block = self.without_line_end(at);
                // The outermost quote sees the signs of those inside it.
                if self.quotes == 0 {
                    self.quote_signs(block.clone());
                }
                self.quotes += 1;
                self.reading.mark(block, Kind::Quote);
            }
            Tag::CodeBlock(kind) => self.code_block(&kind, at),
            Tag::List(first) => {
                self.lists.push(first);
                let block = self.with_indent(self.without_line_end(at));
                self.reading.mark(block, Kind::List { numbered: first.is_some() });
            }
            Tag::Item => {
                let number = self.lists.last().copied().flatten();
                if let Some(Some(next)) = self.lists.last_mut() {
                    *next = next.saturating_add(1);
                }
                let block = self.without_line_end(at);
                self.item_sign(&block);
                let block = self.with_indent(block);
                self.reading.mark(block, Kind::Item(number));
            }
            Tag::Emphasis => self.reading.mark(at, Kind::Italic),
            Tag::Strong => self.reading.mark(at, Kind::Bold),
            Tag::Strikethrough => {
                let source = self.text.get(at.clone()).unwrap_or_default();
                if source.starts_with("~~") {
                    self.reading.mark(at, Kind::Strike);
                } else {
                    // One tilde is a tilde.
                    self.kept.push(at.start..at.start + 1);
                    self.kept.push(at.end.saturating_sub(1)..at.end);
                }
            }
            Tag::Link { link_type, dest_url, title, .. } => {
                let source = self.text.get(at.clone()).unwrap_or_default();
                // The words are the address itself in `<https://…>`.
                let words = if matches!(link_type, LinkType::Autolink | LinkType::Email) {
                    dest_url.as_ref()
                } else {
                    let inside = source.split_once('[').map_or(source, |(_, inside)| inside);
                    inside.rsplit_once("](").map_or(inside, |(words, _)| words)
                };
                self.link(words, at, &dest_url, &title);
            }
            Tag::Image { dest_url, title, .. } => self.link("", at, &dest_url, &title),
            _ => {}
        }
    }

    fn link(&mut self, words: &str, at: Range<usize>, address: &str, title: &str) {
        link(words, at.clone(), address, &mut self.reading);
        if !title.is_empty() {
            let with = format!(" ({title})");
            self.reading.changes.push(Change { at: at.end..at.end, with, plain_only: false });
        }
        self.links.push(at);
    }

    /// Keeps the words of an event; where they are not the source (`&amp;`), replaces it.
    fn words(&mut self, words: &str, at: Range<usize>) {
        if self.text.get(at.clone()).is_some_and(|source| source != words) {
            self.reading.changes.push(Change {
                at: at.clone(),
                with: words.to_owned(),
                plain_only: false,
            });
        }
        self.kept.push(at);
    }

    /// A block without the line break that ends it.
    fn without_line_end(&self, at: Range<usize>) -> Range<usize> {
        let words = self.text.get(at.clone()).unwrap_or_default();
        at.start..at.start + words.trim_end_matches(['\n', ' ', '\t']).len()
    }

    /// Keeps the `>` at the beginning of every line of a quote, for the plain body.
    fn quote_signs(&mut self, block: Range<usize>) {
        let words = self.text.get(block.clone()).unwrap_or_default();
        let mut line_start = block.start;
        for line in words.split_inclusive('\n') {
            let sign = line.bytes().take_while(|b| matches!(b, b' ' | b'>')).count();
            if line.get(..sign).is_some_and(|sign| sign.contains('>')) {
                self.sign(line_start..line_start + sign);
            }
            line_start += line.len();
        }
    }

    /// Keeps the bullet or number of an entry, with what the line is indented by.
    fn item_sign(&mut self, block: &Range<usize>) {
        let words = self.text.get(block.clone()).unwrap_or_default();
        let digits = words.bytes().take_while(u8::is_ascii_digit).count();
        let bullet = digits + usize::from(words.len() > digits);
        let blanks = words.bytes().skip(bullet).take_while(|b| matches!(b, b' ' | b'\t')).count();
        let from = self.with_indent(block.clone()).start;
        self.sign(from..block.start + bullet + blanks);
    }

    /// A block with the blanks its first line is indented by.
    fn with_indent(&self, block: Range<usize>) -> Range<usize> {
        let before = self.text.get(..block.start).unwrap_or_default();
        let bare = before.trim_end_matches([' ', '\t']);
        if bare.is_empty() || bare.ends_with('\n') { bare.len()..block.end } else { block }
    }

    /// A block of code. What follows the opening fence is its language; other words there
    /// would be lost, so they stay, and a block without lines is no block.
    fn code_block(&mut self, kind: &CodeBlockKind<'_>, at: Range<usize>) {
        let source = self.text.get(at.clone()).unwrap_or_default();
        let block = self.without_line_end(at.clone());
        let CodeBlockKind::Fenced(info) = kind else {
            self.reading.mark(block, Kind::Pre(None));
            return;
        };
        let is_fence =
            |line: &str| line.trim_matches(|c| matches!(c, ' ' | '>' | '`' | '~')).is_empty();
        if source.lines().skip(1).all(is_fence) {
            self.kept.push(at);
            return;
        }
        let info = info.trim();
        if info.is_empty() || is_language(info) {
            let language = (!info.is_empty()).then(|| info.to_owned());
            self.reading.mark(block, Kind::Pre(language));
        } else {
            let first = source.lines().next().map_or(0, str::len);
            self.kept.push(at.start..at.start + first);
            self.reading.mark(block, Kind::Pre(None));
        }
        if let Some(first) = source.find('\n') {
            self.fences.push(at.start..at.start + first);
        }
    }

    fn sign(&mut self, at: Range<usize>) {
        if self.text.get(at.clone()).is_some() {
            self.reading.mark(at.clone(), Kind::PlainOnly);
            self.kept.push(at);
        }
    }

    /// Drops what no event kept, line breaks apart.
    fn finish(mut self) -> Reading {
        self.kept.sort_by_key(|kept| (kept.start, kept.end));
        let mut from = 0;
        let mut gaps = Vec::new();
        for kept in &self.kept {
            if kept.start > from {
                gaps.push(from..kept.start);
            }
            from = from.max(kept.end);
        }
        gaps.push(from..self.text.len());
        for gap in gaps {
            let mut start = gap.start;
            for line in self.text.get(gap).unwrap_or_default().split_inclusive('\n') {
                let words = line.trim_end_matches('\n');
                let is_fence =
                    words.trim_start().starts_with("```") || words.trim_start().starts_with("~~~");
                let dropped = if is_fence { line.len() } else { words.len() };
                // Definitions of links and the like: syntax to the parser, words to people.
                let has_words = words.chars().any(|c| c.is_alphanumeric() || !c.is_ascii())
                    && !covered(&self.links, start)
                    && !covered(&self.fences, start);
                if dropped > 0 && !has_words {
                    self.reading.drop(start..start + dropped);
                }
                start += line.len();
            }
        }
        self.reading
    }
}

/// Whether `at` lies in one of `stretches`, which are sorted by start and do not overlap but
/// for images inside links.
fn covered(stretches: &[Range<usize>], at: usize) -> bool {
    let past = stretches.partition_point(|stretch| stretch.start <= at);
    stretches.iter().take(past).rev().take(4).any(|stretch| stretch.contains(&at))
}

const fn level_of(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}
