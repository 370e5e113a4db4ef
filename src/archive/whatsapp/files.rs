//! The files of the container as messages name them, and what a name says about a file.

use std::borrow::Cow;
use std::collections::HashMap;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::archive::container::{Container, Entry};
use crate::model::media::MediaKind;

/// Finds entries by the name that messages use.
#[derive(Debug, Default)]
pub(super) struct FileIndex {
    /// Composed file name to position in the container.
    positions: HashMap<String, usize>,
}

impl FileIndex {
    /// The files that the chat in `chat` may name: those beside it first, then any other.
    pub fn new(container: &Container, chat: &Entry) -> Self {
        let folder = chat.folder();
        let mut positions = HashMap::with_capacity(container.entries().len());
        for beside in [false, true] {
            for (position, entry) in container.entries().iter().enumerate() {
                if (entry.folder() == folder) == beside && entry.name != chat.name {
                    positions.insert(composed(entry.file_name()).into_owned(), position);
                }
            }
        }
        Self { positions }
    }

    /// Whether the container has a file of that name, in any Unicode form.
    pub fn holds(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// Its position among the container's entries.
    pub fn position(&self, name: &str) -> Option<usize> {
        if name.is_empty() || self.positions.is_empty() {
            return None;
        }
        self.positions.get(composed(name).as_ref()).copied()
    }

    #[cfg(test)]
    pub fn of_names<const N: usize>(names: [&str; N]) -> Self {
        let names = names.iter().enumerate();
        Self { positions: names.map(|(at, name)| (composed(name).into_owned(), at)).collect() }
    }
}

/// The same text with composed accents; macOS decomposes them in zips.
pub(super) fn composed(text: &str) -> Cow<'_, str> {
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => Cow::Borrowed(text),
        IsNormalized::No | IsNormalized::Maybe => Cow::Owned(text.nfc().collect()),
    }
}

/// Files that systems leave behind and nobody sent.
pub(super) fn is_debris(entry: &Entry) -> bool {
    let name = entry.file_name();
    name.starts_with("._")
        || matches!(name, ".DS_Store" | "Thumbs.db" | "desktop.ini" | "")
        || entry.name.starts_with("__MACOSX/")
}

/// The name without the number an iPhone puts before it: `Plan.pdf` of `00000047-Plan.pdf`.
/// The names an iPhone makes up are kept whole.
pub(super) fn display_name(name: &str) -> &str {
    let numbered = name.as_bytes().get(8) == Some(&b'-')
        && name.bytes().take(8).all(|byte| byte.is_ascii_digit());
    match name.get(9..) {
        Some(rest) if numbered && !rest.is_empty() && made_up_kind(rest).is_none() => rest,
        Some(_) | None => name,
    }
}

/// The kind in `PHOTO-2022-03-27-21-41-55.jpg`.
fn made_up_kind(name: &str) -> Option<MediaKind> {
    let (word, rest) = name.split_once('-')?;
    if !rest.starts_with("20") {
        return None;
    }
    Some(match word {
        "PHOTO" => MediaKind::Photo,
        "VIDEO" => MediaKind::Video,
        "GIF" => MediaKind::Gif,
        "STICKER" => MediaKind::Sticker,
        "AUDIO" => audio_kind(name),
        _ => return None,
    })
}

fn audio_kind(name: &str) -> MediaKind {
    if has_extension(name, "opus") { MediaKind::Voice } else { MediaKind::Audio }
}

fn has_extension(name: &str, wanted: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, extension)| extension.eq_ignore_ascii_case(wanted))
}

/// What a file is, by the names that WhatsApp gives: the facts' section 6.1.
pub(super) fn kind_of_name(name: &str) -> MediaKind {
    let bytes = name.as_bytes();
    if let Some(kind) = name.get(9..).filter(|_| bytes.get(8) == Some(&b'-')).and_then(made_up_kind)
    {
        return kind;
    }
    let dated = bytes.get(3) == Some(&b'-')
        && bytes.get(4..12).is_some_and(|day| day.iter().all(u8::is_ascii_digit));
    match name.get(..3) {
        Some("IMG") if dated => MediaKind::Photo,
        Some("VID") if dated => MediaKind::Video,
        Some("GIF") if dated => MediaKind::Gif,
        Some("STK") if dated => MediaKind::Sticker,
        Some("PTT") if dated => MediaKind::Voice,
        Some("AUD") if dated => audio_kind(name),
        // `2013-08-06-PHOTO-00000006.jpg`, the oldest names of iPhones.
        Some(_) if name.contains("-PHOTO-") => MediaKind::Photo,
        Some(_) if name.contains("-VIDEO-") => MediaKind::Video,
        Some(_) if name.contains("-AUDIO-") => MediaKind::Audio,
        Some(_) | None => MediaKind::Document,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_kinds() {
        for (name, kind, shown) in [
            ("IMG-20220323-WA0002.jpg", MediaKind::Photo, "IMG-20220323-WA0002.jpg"),
            ("PTT-20220323-WA0002.opus", MediaKind::Voice, "PTT-20220323-WA0002.opus"),
            ("AUD-20190101-WA0000.", MediaKind::Audio, "AUD-20190101-WA0000."),
            (
                "00000003-AUDIO-2022-03-27-21-41-55.opus",
                MediaKind::Voice,
                "00000003-AUDIO-2022-03-27-21-41-55.opus",
            ),
            (
                "00000003-STICKER-2022-03-27-21-41-55.webp",
                MediaKind::Sticker,
                "00000003-STICKER-2022-03-27-21-41-55.webp",
            ),
            ("00000047-Plan é.pdf", MediaKind::Document, "Plan é.pdf"),
            ("IMG sans date.png", MediaKind::Document, "IMG sans date.png"),
            ("é", MediaKind::Document, "é"),
            ("2013-08-06-PHOTO-00000006.jpg", MediaKind::Photo, "2013-08-06-PHOTO-00000006.jpg"),
        ] {
            assert_eq!((kind_of_name(name), display_name(name)), (kind, shown), "{name}");
        }
    }

    #[test]
    fn decomposed_names_are_found() {
        let index = FileIndex::of_names(["e\u{301}te\u{301}.pdf"]);
        assert!(index.holds("été.pdf") && !index.holds("ete.pdf") && !index.holds(""));
    }
}
