//! A clean text with marked stretches: the one form all foreign formatting is brought into.

use std::ops::Range;

use ruma::OwnedUserId;

/// What a stretch of a [`Rich`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bold.
    Bold,
    /// Italic.
    Italic,
    /// Underlined.
    Underline,
    /// Struck through.
    Strike,
    /// Hidden until tapped.
    Spoiler,
    /// Inline code.
    Code,
    /// A link; only addresses that `may_link` admits.
    Link(String),
    /// A person's real account.
    Pill(OwnedUserId),
    /// The name in front of a message said by proxy (MSC4144's fallback).
    Prefix,
    /// Shown in the plain body only: `> ` of quotes, bullets, addresses of links.
    PlainOnly,
    /// A quoted block.
    Quote,
    /// A block of code, with its language.
    Pre(Option<String>),
    /// A heading of level 1 to 6.
    Heading(u8),
    /// A list, numbered or not; its entries are [`Kind::Item`]s inside.
    List {
        /// With numbers.
        numbered: bool,
    },
    /// One entry of a list, with its number in numbered ones.
    Item(Option<u64>),
}

impl Kind {
    /// Whether it is a block that contains whole lines.
    pub(super) const fn is_block(&self) -> bool {
        match self {
            Self::Quote | Self::Pre(_) | Self::Heading(_) | Self::List { .. } | Self::Item(_) => {
                true
            }
            Self::Bold
            | Self::Italic
            | Self::Underline
            | Self::Strike
            | Self::Spoiler
            | Self::Code
            | Self::Link(_)
            | Self::Pill(_)
            | Self::Prefix
            | Self::PlainOnly => false,
        }
    }
}

/// A marked stretch: bytes `start..end` of the text, on character borders, never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: Kind,
}

/// A text as people see it, and how stretches of it are shown. Stretches may nest, repeat and
/// overlap; writing HTML makes them well-formed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rich {
    text: String,
    marks: Vec<Mark>,
}

impl Rich {
    /// A text without formatting.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), marks: Vec::new() }
    }

    /// A text that is `kind` from end to end.
    pub fn marked(text: impl Into<String>, kind: Kind) -> Self {
        Self::plain(text).wrapped(kind)
    }

    /// The clean plain body.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The whole of it marked as `kind`.
    #[must_use]
    pub fn wrapped(mut self, kind: Kind) -> Self {
        self.mark(0..self.text.len(), kind);
        self
    }

    /// Marks a stretch; what lies outside the text or between the bytes of a character is
    /// no stretch and is left unmarked.
    pub(super) fn mark(&mut self, stretch: Range<usize>, kind: Kind) {
        let Range { start, end } = stretch;
        if start < end && self.text.is_char_boundary(start) && self.text.is_char_boundary(end) {
            self.marks.push(Mark { start, end, kind });
        }
    }

    /// Appends another text with its marks.
    pub fn push(&mut self, other: Self) {
        let shift = self.text.len();
        self.text.push_str(&other.text);
        self.marks.extend(other.marks.into_iter().map(|mark| Mark {
            start: mark.start + shift,
            end: mark.end + shift,
            kind: mark.kind,
        }));
    }

    /// Appends words without formatting.
    pub fn push_str(&mut self, words: &str) {
        self.text.push_str(words);
    }

    /// The same without blanks and line breaks at its end.
    #[must_use]
    pub fn trimmed_end(&self) -> Self {
        self.slice(&(0..self.text.trim_end().len()))
    }

    /// The bytes `stretch` of it with the marks that reach into them. A stretch that does not
    /// lie on character borders yields nothing.
    pub(super) fn slice(&self, stretch: &Range<usize>) -> Self {
        let Some(text) = self.text.get(stretch.clone()) else {
            return Self::default();
        };
        let marks = self
            .marks
            .iter()
            .filter(|mark| mark.start < stretch.end && mark.end > stretch.start)
            .map(|mark| Mark {
                start: mark.start.max(stretch.start) - stretch.start,
                end: mark.end.min(stretch.end) - stretch.start,
                kind: mark.kind.clone(),
            })
            .collect();
        Self { text: text.to_owned(), marks }
    }
}

/// Whether Matrix lets `address` be linked: the schemes of the client-server specification
/// ("m.room.message msgtypes", v1.18), and nothing a reader could not see.
pub fn may_link(address: &str) -> bool {
    const SCHEMES: [&str; 5] = ["https", "http", "ftp", "mailto", "magnet"];
    let Some((scheme, rest)) = address.split_once(':') else {
        return false;
    };
    SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme))
        && !rest.is_empty()
        && !address.chars().any(|c| c.is_control() || c.is_whitespace())
}

/// Whether `name` may stand in a class of a `code` element.
pub(super) fn is_language(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+#.-".contains(&b))
}
