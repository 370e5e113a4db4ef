//! The words people read in Tchap and in reports, in French and English (Fluent files).
//!
//! Knows texts and how to fill them; what to say and when belongs to the callers. Logs and the
//! command line do not come here: they are in English.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentError, FluentResource};
use jiff::civil;
use serde::{Deserialize, Serialize};
use unic_langid::LanguageIdentifier;

/// A value that fills a gap of a text: `Value::from("…")` or `Value::from(3)`. Numbers choose
/// the plural form.
pub use fluent_bundle::FluentValue as Value;

/// A language the program speaks to people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Language {
    /// French, the default.
    #[default]
    #[serde(rename = "fr")]
    French,
    /// English.
    #[serde(rename = "en")]
    English,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::French, Self::English];

    /// The language's code: `fr`, `en`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::French => "fr",
            Self::English => "en",
        }
    }

    const fn source(self) -> &'static str {
        match self {
            Self::French => include_str!("fr.ftl"),
            Self::English => include_str!("en.ftl"),
        }
    }
}

/// The code of a language that is not spoken here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown language `{0}`, expected `fr` or `en`")]
pub struct UnknownLanguage(String);

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|language| language.code() == code)
            .ok_or_else(|| UnknownLanguage(code.to_owned()))
    }
}

/// The texts of one language. Cheap to copy: the texts are read once per process.
#[derive(Clone, Copy)]
pub struct Wording {
    language: Language,
    bundle: &'static FluentBundle<Arc<FluentResource>>,
}

impl std::fmt::Debug for Wording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wording").field("language", &self.language).finish_non_exhaustive()
    }
}

static FRENCH: LazyLock<FluentBundle<Arc<FluentResource>>> =
    LazyLock::new(|| bundle(Language::French));
static ENGLISH: LazyLock<FluentBundle<Arc<FluentResource>>> =
    LazyLock::new(|| bundle(Language::English));

fn bundle(language: Language) -> FluentBundle<Arc<FluentResource>> {
    let locale: LanguageIdentifier = language.code().parse().unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![locale]);
    // The marks would stand in the room around every name, and be searched and copied with it.
    bundle.set_use_isolating(false);
    // A fault in a file costs the message it is in, not the process; a test finds it first.
    let resource = FluentResource::try_new(language.source().to_owned())
        .unwrap_or_else(|(resource, _)| resource);
    bundle.add_resource_overriding(Arc::new(resource));
    bundle
}

impl Wording {
    /// The texts of `language`.
    pub fn new(language: Language) -> Self {
        let bundle = match language {
            Language::French => &*FRENCH,
            Language::English => &*ENGLISH,
        };
        Self { language, bundle }
    }

    /// The language these texts are in.
    pub const fn language(self) -> Language {
        self.language
    }

    /// The text `id` with its gaps filled. An unknown id is answered by the id itself, so a
    /// forgotten text shows and does no harm.
    pub fn text(self, id: &str, arguments: &[(&str, Value<'_>)]) -> String {
        let mut filled = FluentArgs::with_capacity(arguments.len());
        for (name, value) in arguments {
            filled.set(Cow::Borrowed(*name), value.clone());
        }
        self.format(id, &filled).map_or_else(|| id.to_owned(), |(text, _)| text)
    }

    /// Whether there is a text `id`.
    pub fn has(self, id: &str) -> bool {
        self.bundle.get_message(id).is_some_and(|message| message.value().is_some())
    }

    fn format(self, id: &str, arguments: &FluentArgs<'_>) -> Option<(String, Vec<FluentError>)> {
        let pattern = self.bundle.get_message(id)?.value()?;
        let mut faults = Vec::new();
        let text = self.bundle.format_pattern(pattern, Some(arguments), &mut faults).into_owned();
        Some((text, faults))
    }

    /// A day in words: `3 mars 2024`, `3 March 2024`.
    pub fn day(self, date: civil::Date) -> String {
        let month = self.text(&format!("month-{}", date.month()), &[]);
        // French writes the first of a month as an ordinal.
        let day = match (self.language, date.day()) {
            (Language::French, 1) => "1er".to_owned(),
            (Language::French | Language::English, day) => day.to_string(),
        };
        format!("{day}\u{a0}{month} {}", date.year())
    }

    /// A moment in words, to the minute: `3 mars 2024 à 14:05`.
    pub fn moment(self, at: civil::DateTime) -> String {
        let day = self.day(at.date());
        let time = format!("{:02}:{:02}", at.hour(), at.minute());
        self.text("moment", &[("day", day.into()), ("time", time.into())])
    }

    /// A length of time in words, from seconds: `3 min 20 s`, `1 h 5 min`.
    pub fn duration(self, seconds: u64) -> String {
        let (hours, minutes, rest) = (seconds / 3600, seconds % 3600 / 60, seconds % 60);
        match (hours, minutes, rest) {
            (0, 0, s) => format!("{s}\u{a0}s"),
            (0, m, 0) => format!("{m}\u{a0}min"),
            (0, m, s) => format!("{m}\u{a0}min {s}\u{a0}s"),
            (h, 0, _) => format!("{h}\u{a0}h"),
            (h, m, _) => format!("{h}\u{a0}h {m}\u{a0}min"),
        }
    }

    /// Several things in words: `A`, `A et B`, `A, B et C`.
    pub fn list(self, things: &[String]) -> String {
        match things {
            [] => String::new(),
            [one] => one.clone(),
            [first @ .., last] => self.text(
                "list-and",
                &[("first", first.join(", ").into()), ("last", last.as_str().into())],
            ),
        }
    }

    /// A size of a file in words, from bytes: `512 octets`, `2,3 Mo`.
    pub fn size(self, bytes: u64) -> String {
        const UNITS: [(u64, &str); 3] =
            [(1_000_000_000, "size-gb"), (1_000_000, "size-mb"), (1_000, "size-kb")];
        let Some((unit, id)) = UNITS.into_iter().find(|(unit, _)| bytes >= *unit) else {
            let number = bytes.to_string();
            return self.text("size-bytes", &[("number", number.into()), ("count", bytes.into())]);
        };
        let tenths = bytes / (unit / 10);
        let comma = match self.language {
            Language::French => ',',
            Language::English => '.',
        };
        let number = match (tenths / 10, tenths % 10) {
            (whole, 0) => whole.to_string(),
            (whole, _) if whole >= 100 => whole.to_string(),
            (whole, tenth) => format!("{whole}{comma}{tenth}"),
        };
        self.text(id, &[("number", number.into())])
    }
}
