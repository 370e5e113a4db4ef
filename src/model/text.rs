//! What somebody wrote, exactly as the source holds it.

use serde::{Deserialize, Serialize};

use super::ids::ParticipantId;

/// A text and its formatting. The text is never trimmed or normalised.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// The characters, verbatim, with `\n` between lines.
    pub plain: String,
    /// Formatting marks that still stand in `plain` and that `convert` must read.
    #[serde(default, skip_serializing_if = "Markup::is_none")]
    pub markup: Markup,
    /// Formatting that the source gives as ranges; sorted by start, may nest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<Span>,
}

impl Text {
    /// A text without any formatting.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { plain: text.into(), markup: Markup::None, spans: Vec::new() }
    }

    /// A text that still holds its network's own marks.
    pub fn marked(text: impl Into<String>, markup: Markup) -> Self {
        Self { plain: text.into(), markup, spans: Vec::new() }
    }
}

/// Which inline marks a text still holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Markup {
    /// None: what is written is what is meant.
    #[default]
    None,
    /// WhatsApp's `*bold*`, `_italic_`, `~strike~`, `` ``` `` code.
    Whatsapp,
    /// Olvid's Markdown.
    Markdown,
}

impl Markup {
    /// Whether there is nothing left to read.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

/// A formatted stretch of a [`Text`]: byte offsets into its UTF-8 form, on character borders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// What the stretch is.
    #[serde(flatten)]
    pub style: Style,
}

/// What a [`Span`] means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "style", rename_all = "snake_case")]
pub enum Style {
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
    /// A block of code.
    Pre {
        /// The programming language, when the source names one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        language: Option<String>,
    },
    /// A quoted block.
    Quote,
    /// A link whose address differs from its text, or the address itself.
    Link {
        /// Where it leads.
        url: String,
    },
    /// A person named in the text.
    Mention {
        /// Who, when the source knows more than the name that is written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        participant: Option<ParticipantId>,
    },
    /// A picture standing for the ordinary emoji in the text.
    CustomEmoji,
}
