//! Writes a [`Rich`] as the subset of HTML that Matrix allows. Whatever the marks are, the
//! result is well-formed, as deep as clients accept, and linear in the input's size.

use std::collections::BTreeSet;
use std::iter::Peekable;

use super::rich::{Kind, Mark, Rich, is_language};

/// Blocks nested deeper than this are flattened; clients stop at 100 levels of elements.
const DEEPEST_BLOCK: usize = 8;

/// Escapes `text` for HTML, in content and in quoted attributes. Control characters, which
/// HTML cannot hold, become U+FFFD.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        escape_char(&mut out, c);
    }
    out
}

fn escape_char(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        '\n' | '\t' => out.push(c),
        c if c.is_control() => out.push(char::REPLACEMENT_CHARACTER),
        c => out.push(c),
    }
}

impl Rich {
    /// The text as HTML; `None` when nothing in it is formatted, so that the plain body says
    /// it all.
    pub fn html(&self) -> Option<String> {
        if self.marks().iter().all(|mark| mark.kind == Kind::PlainOnly) {
            return None;
        }
        Some(Writer::new(self).write())
    }
}

/// An element that is open, told apart from its neighbours of the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// A block, by its index.
    Block(usize),
    /// The prefix.
    Prefix,
    /// A link or pill, by its index.
    Anchor(usize),
    Spoiler,
    Bold,
    Italic,
    Underline,
    Strike,
    Code,
}

/// The inline styles of which only presence matters, outermost first.
const SIMPLE: [(Open, Kind); 7] = [
    (Open::Prefix, Kind::Prefix),
    (Open::Spoiler, Kind::Spoiler),
    (Open::Bold, Kind::Bold),
    (Open::Italic, Kind::Italic),
    (Open::Underline, Kind::Underline),
    (Open::Strike, Kind::Strike),
    (Open::Code, Kind::Code),
];

/// Which inline marks cover the place that is being written.
struct Present<'a> {
    marks: &'a [&'a Mark],
    /// Where marks begin (`true`) and end, in order.
    borders: Peekable<std::vec::IntoIter<(usize, bool, usize)>>,
    /// How many of each of [`SIMPLE`].
    simple: [usize; SIMPLE.len()],
    /// Links and pills, by index.
    anchors: BTreeSet<usize>,
    /// How many that hide.
    hidden: usize,
}

impl<'a> Present<'a> {
    fn new(marks: &'a [&'a Mark]) -> Self {
        let mut borders: Vec<(usize, bool, usize)> = marks
            .iter()
            .enumerate()
            .flat_map(|(index, mark)| [(mark.start, true, index), (mark.end, false, index)])
            .collect();
        borders.sort_unstable();
        let borders = borders.into_iter().peekable();
        Self { marks, borders, simple: [0; SIMPLE.len()], anchors: BTreeSet::new(), hidden: 0 }
    }

    fn move_to(&mut self, at: usize) {
        while let Some((_, begins, index)) = self.borders.next_if(|border| border.0 <= at) {
            let Some(mark) = self.marks.get(index) else { continue };
            let count = |n: &mut usize| {
                *n = if begins { *n + 1 } else { n.saturating_sub(1) };
            };
            match &mark.kind {
                Kind::PlainOnly => count(&mut self.hidden),
                Kind::Link(_) | Kind::Pill(_) => {
                    if begins {
                        self.anchors.insert(index);
                    } else {
                        self.anchors.remove(&index);
                    }
                }
                Kind::Bold
                | Kind::Italic
                | Kind::Underline
                | Kind::Strike
                | Kind::Spoiler
                | Kind::Code
                | Kind::Prefix
                | Kind::Quote
                | Kind::Pre(_)
                | Kind::Heading(_)
                | Kind::List { .. }
                | Kind::Item(_) => {
                    let kind = &mark.kind;
                    let kinds = SIMPLE.iter().zip(&mut self.simple);
                    kinds.filter(|((_, simple), _)| simple == kind).for_each(|(_, n)| count(n));
                }
            }
        }
    }

    /// The elements that should be open inside the blocks, outermost first.
    fn wanted(&self, in_code: bool) -> impl Iterator<Item = Open> {
        let simple = SIMPLE
            .iter()
            .zip(&self.simple)
            .filter(move |((open, _), n)| **n > 0 && !(in_code && *open == Open::Code))
            .map(|((open, _), _)| *open);
        self.anchors.first().copied().map(Open::Anchor).into_iter().chain(simple)
    }
}

struct Writer<'a> {
    rich: &'a Rich,
    /// Blocks by start, outer before inner, properly nested.
    blocks: Vec<Mark>,
    block_starts: BTreeSet<usize>,
    block_ends: BTreeSet<usize>,
    out: String,
    stack: Vec<Open>,
}

impl<'a> Writer<'a> {
    fn new(rich: &'a Rich) -> Self {
        let blocks = nested_blocks(rich.marks());
        let block_starts = blocks.iter().map(|block| block.start).collect();
        let block_ends = blocks.iter().map(|block| block.end).collect();
        let out = String::with_capacity(rich.text().len() * 2);
        Self { rich, blocks, block_starts, block_ends, out, stack: Vec::new() }
    }

    fn write(mut self) -> String {
        let rich = self.rich;
        let inline: Vec<&Mark> = rich.marks().iter().filter(|mark| !mark.kind.is_block()).collect();
        let mut stops: BTreeSet<usize> =
            inline.iter().flat_map(|mark| [mark.start, mark.end]).collect();
        stops.extend(&self.block_starts);
        stops.extend(&self.block_ends);
        stops.extend([0, rich.text().len()]);
        let stops: Vec<usize> = stops.into_iter().collect();

        let mut present = Present::new(&inline);
        let mut next_block = 0;
        let mut open_blocks: Vec<usize> = Vec::new();
        for pair in stops.windows(2) {
            let [from, to] = pair else { continue };
            present.move_to(*from);
            while open_blocks
                .last()
                .and_then(|index| self.blocks.get(*index))
                .is_some_and(|block| block.end <= *from)
            {
                open_blocks.pop();
            }
            while self.blocks.get(next_block).is_some_and(|block| block.start <= *from) {
                open_blocks.push(next_block);
                next_block += 1;
            }
            if present.hidden > 0 {
                continue;
            }
            let verbatim = open_blocks.iter().any(|index| self.is_pre(*index));
            let mut wanted: Vec<Open> = open_blocks.iter().copied().map(Open::Block).collect();
            wanted.extend(present.wanted(verbatim));
            self.change_to(&wanted, &inline);
            self.write_text(*from, *to, verbatim);
        }
        self.change_to(&[], &inline);
        self.out
    }

    fn is_pre(&self, block: usize) -> bool {
        self.blocks.get(block).is_some_and(|block| matches!(block.kind, Kind::Pre(_)))
    }

    /// Closes and opens what it takes to have exactly `wanted` open.
    fn change_to(&mut self, wanted: &[Open], inline: &[&Mark]) {
        let common = self.stack.iter().zip(wanted).take_while(|(a, b)| a == b).count();
        while self.stack.len() > common {
            let Some(open) = self.stack.pop() else { break };
            self.close(open);
        }
        for open in wanted.iter().skip(common) {
            self.stack.push(*open);
            self.open(*open, inline);
        }
    }

    fn open(&mut self, open: Open, inline: &[&Mark]) {
        match open {
            Open::Block(index) => self.open_block(index),
            Open::Prefix => self.out.push_str("<strong data-mx-profile-fallback>"),
            Open::Anchor(index) => {
                let address = match inline.get(index).map(|mark| &mark.kind) {
                    Some(Kind::Link(address)) => address.clone(),
                    Some(Kind::Pill(person)) => person.matrix_to_uri().to_string(),
                    Some(_) | None => String::new(),
                };
                self.out.push_str("<a href=\"");
                self.out.push_str(&escape(&address));
                self.out.push_str("\">");
            }
            Open::Spoiler => self.out.push_str("<span data-mx-spoiler>"),
            Open::Bold => self.out.push_str("<strong>"),
            Open::Italic => self.out.push_str("<em>"),
            Open::Underline => self.out.push_str("<u>"),
            Open::Strike => self.out.push_str("<del>"),
            Open::Code => self.out.push_str("<code>"),
        }
    }

    fn open_block(&mut self, index: usize) {
        let Some(block) = self.blocks.get(index) else { return };
        match &block.kind {
            Kind::Quote => self.out.push_str("<blockquote>"),
            Kind::Pre(language) => match language.as_deref().filter(|l| is_language(l)) {
                Some(language) => {
                    self.out.push_str("<pre><code class=\"language-");
                    self.out.push_str(language);
                    self.out.push_str("\">");
                }
                None => self.out.push_str("<pre><code>"),
            },
            Kind::Heading(level) => {
                self.out.push_str("<h");
                self.out.push(heading_digit(*level));
                self.out.push('>');
            }
            Kind::List { numbered: false } => self.out.push_str("<ul>"),
            Kind::List { numbered: true } => {
                // The first entry says where counting begins: the list may have been cut.
                let first = self.blocks.iter().skip(index + 1).find_map(|inner| {
                    if let Kind::Item(number) = inner.kind { Some(number) } else { None }
                });
                match first.flatten() {
                    Some(number) if number != 1 => {
                        self.out.push_str("<ol start=\"");
                        self.out.push_str(&number.to_string());
                        self.out.push_str("\">");
                    }
                    Some(_) | None => self.out.push_str("<ol>"),
                }
            }
            Kind::Item(_) => self.out.push_str("<li>"),
            // No blocks.
            Kind::Bold
            | Kind::Italic
            | Kind::Underline
            | Kind::Strike
            | Kind::Spoiler
            | Kind::Code
            | Kind::Link(_)
            | Kind::Pill(_)
            | Kind::Prefix
            | Kind::PlainOnly => {}
        }
    }

    fn close(&mut self, open: Open) {
        match open {
            Open::Block(index) => match self.blocks.get(index).map(|block| &block.kind) {
                Some(Kind::Quote) => self.out.push_str("</blockquote>"),
                Some(Kind::Pre(_)) => self.out.push_str("</code></pre>"),
                Some(Kind::Heading(level)) => {
                    self.out.push_str("</h");
                    self.out.push(heading_digit(*level));
                    self.out.push('>');
                }
                Some(Kind::List { numbered: false }) => self.out.push_str("</ul>"),
                Some(Kind::List { numbered: true }) => self.out.push_str("</ol>"),
                Some(Kind::Item(_)) => self.out.push_str("</li>"),
                Some(_) | None => {}
            },
            Open::Prefix | Open::Bold => self.out.push_str("</strong>"),
            Open::Anchor(_) => self.out.push_str("</a>"),
            Open::Spoiler => self.out.push_str("</span>"),
            Open::Italic => self.out.push_str("</em>"),
            Open::Underline => self.out.push_str("</u>"),
            Open::Strike => self.out.push_str("</del>"),
            Open::Code => self.out.push_str("</code>"),
        }
    }

    fn write_text(&mut self, from: usize, to: usize, verbatim: bool) {
        let Some(text) = self.rich.text().get(from..to) else { return };
        let mut after_space = false;
        for (offset, c) in text.char_indices() {
            let at = from + offset;
            if c == '\n' && !verbatim {
                // A block breaks the line by itself.
                let by_block = self.block_ends.contains(&at)
                    || self.block_starts.contains(&(at + 1))
                    || self.block_ends.contains(&(at + 1));
                if !by_block {
                    self.out.push_str("<br>");
                }
            } else if c == '\n' && self.block_ends.contains(&(at + 1)) {
                // The last line break of a block of code would show as an empty line.
            } else if c == ' ' && after_space && !verbatim {
                // HTML folds spaces; people align with them.
                self.out.push('\u{a0}');
            } else {
                escape_char(&mut self.out, c);
            }
            after_space = c == ' ' && !after_space;
        }
    }
}

/// The blocks among `marks`, outer before inner; one that reaches out of another is cut there.
fn nested_blocks(marks: &[Mark]) -> Vec<Mark> {
    let mut blocks: Vec<Mark> = marks.iter().filter(|mark| mark.kind.is_block()).cloned().collect();
    // A stable sort: among equals the order of the reader holds (a list before its first entry).
    blocks.sort_by(|a, b| a.start.cmp(&b.start).then(b.end.cmp(&a.end)));
    let mut ends: Vec<usize> = Vec::new();
    blocks.retain_mut(|block| {
        while ends.last().is_some_and(|end| *end <= block.start) {
            ends.pop();
        }
        if let Some(end) = ends.last() {
            block.end = block.end.min(*end);
        }
        let kept = ends.len() < DEEPEST_BLOCK;
        if kept {
            ends.push(block.end);
        }
        kept
    });
    blocks
}

fn heading_digit(level: u8) -> char {
    char::from(b'0' + level.clamp(1, 6))
}
