//! The whole texts that WhatsApp writes in place of what somebody sent, in every language known:
//! omitted files, deleted messages, missed calls. The table is `wording/phrases.tsv`.
//!
//! Sentences about people and the chat, with names in them, are in `events`.

use std::sync::LazyLock;

use super::senders::ShortKeyMap;
use crate::model::media::MediaKind;

/// What a phrase stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phrase {
    /// A file of that kind was left out of the export.
    Omitted(MediaKind),
    /// A contact card was left out.
    OmittedCard,
    /// A voice message that could be heard once was left out.
    OmittedVoiceOnce,
    /// Deleted for everyone.
    Deleted,
    /// Nobody answered.
    MissedCall {
        /// With pictures.
        video: bool,
    },
    /// The first words of a call that took place.
    Call {
        /// With pictures.
        video: bool,
    },
    /// A place that moves.
    LiveLocation,
    /// The phone had not yet decrypted it.
    Waiting,
    /// The text before it was edited.
    Edited,
}

struct Table {
    phrases: ShortKeyMap<&'static str, Phrase>,
    /// For each first byte, the lengths modulo 64 that some phrase has.
    lengths: [u64; 256],
    attached_after: Vec<&'static str>,
    attached_before: Vec<&'static str>,
    location: Vec<&'static str>,
    encryption: Vec<&'static str>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(include_str!("wording/phrases.tsv")));

/// No phrase is longer.
const MAX_PHRASE_BYTES: usize = 240;

impl Table {
    fn parse(source: &'static str) -> Self {
        let mut table = Self {
            phrases: ShortKeyMap::default(),
            lengths: [0; 256],
            attached_after: Vec::new(),
            attached_before: Vec::new(),
            location: Vec::new(),
            encryption: Vec::new(),
        };
        for line in source.lines().filter(|line| !line.starts_with('#')) {
            let mut cells = line.splitn(3, '\t');
            let (Some(kind), Some(_language), Some(text)) =
                (cells.next(), cells.next(), cells.next())
            else {
                continue;
            };
            match kind {
                "attached-after" => table.attached_after.push(text),
                "attached-before" => table.attached_before.push(text),
                "location" => table.location.push(text),
                "encryption" => table.encryption.push(text),
                _ => {
                    if let Some(phrase) = phrase(kind) {
                        table.phrases.entry(text).or_insert(phrase);
                        if let Some(lengths) = table.lengths.get_mut(first_byte(text)) {
                            *lengths |= 1 << (text.len() % 64);
                        }
                    }
                }
            }
        }
        table
    }
}

fn phrase(kind: &str) -> Option<Phrase> {
    Some(match kind {
        "omitted" => Phrase::Omitted(MediaKind::Unknown),
        "omitted-photo" => Phrase::Omitted(MediaKind::Photo),
        "omitted-video" => Phrase::Omitted(MediaKind::Video),
        "omitted-video-note" => Phrase::Omitted(MediaKind::VideoNote),
        "omitted-audio" => Phrase::Omitted(MediaKind::Audio),
        "omitted-gif" => Phrase::Omitted(MediaKind::Gif),
        "omitted-sticker" => Phrase::Omitted(MediaKind::Sticker),
        "omitted-document" => Phrase::Omitted(MediaKind::Document),
        "omitted-contact" => Phrase::OmittedCard,
        "omitted-voice-once" => Phrase::OmittedVoiceOnce,
        "deleted" => Phrase::Deleted,
        "missed-voice" => Phrase::MissedCall { video: false },
        "missed-video" => Phrase::MissedCall { video: true },
        "call-voice" => Phrase::Call { video: false },
        "call-video" => Phrase::Call { video: true },
        "live-location" => Phrase::LiveLocation,
        "waiting" => Phrase::Waiting,
        "edited" => Phrase::Edited,
        _ => return None,
    })
}

fn first_byte(text: &str) -> usize {
    text.bytes().next().map_or(0, usize::from)
}

/// What a whole text is, if it is one of the app's. Marks before it and a full stop after it
/// do not matter; nor does case in `<…>`, where versions differ.
#[inline]
pub(super) fn find(text: &str) -> Option<Phrase> {
    if text.len() > MAX_PHRASE_BYTES + 8 {
        return None;
    }
    let table = &*TABLE;
    // Most texts are ordinary words, and are seen to be no phrase by beginning and length.
    let (Some(first), Some(last)) = (text.as_bytes().first(), text.as_bytes().last()) else {
        return None;
    };
    if first.is_ascii() && last.is_ascii() && !matches!(last, b'.' | b'>') {
        let lengths = table.lengths.get(usize::from(*first)).copied().unwrap_or(0);
        if lengths >> (text.len() % 64) & 1 == 0 {
            return None;
        }
    }
    let bare = bare(text);
    let known = |text: &str| {
        let lengths = table.lengths.get(first_byte(text)).copied().unwrap_or(0);
        (lengths >> (text.len() % 64) & 1 == 1).then(|| table.phrases.get(text).copied())?
    };
    known(bare).or_else(|| {
        if !bare.starts_with('<') {
            return None;
        }
        known(&bare.to_lowercase()).or_else(|| {
            // `<media omitted>` may be listed as `<Media omitted>`.
            let letter = bare.chars().nth(1)?;
            let rest = bare.get(1 + letter.len_utf8()..)?;
            let capital = format!("<{}{rest}", letter.to_uppercase());
            known(&capital)
        })
    })
}

/// Without direction marks and spaces around, and without the last full stop.
pub(super) fn bare(text: &str) -> &str {
    text.trim_start_matches(is_mark).trim_end_matches(is_mark).trim_end_matches(['.', '。', '।'])
}

/// U+200E and U+200F, which open the app's own words on an iPhone.
pub(super) fn is_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}')
}

/// Whether words of the app stand for something that a person sent, rather than for an event.
pub(super) fn is_sent(body: &str) -> bool {
    let last = body.rsplit(is_mark).next().unwrap_or(body);
    last.ends_with('>')
        || find(last).is_some()
        || body.contains("://maps.google.com/")
        || body
            .trim_start_matches(is_mark)
            .lines()
            .next()
            .is_some_and(|line| line.ends_with(':') || strip_attached(line).is_some())
}

/// The name before (rarely after) `(file attached)` in any language.
pub(super) fn strip_attached(line: &str) -> Option<&str> {
    let table = &*TABLE;
    table
        .attached_after
        .iter()
        .find_map(|marker| line.strip_suffix(marker))
        .or_else(|| table.attached_before.iter().find_map(|marker| line.strip_prefix(marker)))
        .map(|name| name.trim_matches(|c| c == ' ' || is_mark(c)))
        .filter(|name| !name.is_empty())
}

/// Whether `label` is the word before an address on a map.
pub(super) fn is_location_label(label: &str) -> bool {
    let label = label.trim_matches(|c| c == ' ' || c == '\u{a0}' || is_mark(c));
    TABLE.location.contains(&label)
}

/// Whether a line of the app is its notice of encryption.
pub(super) fn is_encryption_notice(text: &str) -> bool {
    /// What the sentences of all years have in common.
    const WORDS: [&str; 16] = [
        "end-to-end",
        "bout en bout",
        "Ende-zu-Ende",
        "extremo a extremo",
        "ponta a ponta",
        "ponta-a-ponta",
        "ponto a ponto",
        "uçtan uca",
        "сквозн",
        "w pełni zaszyfrowane",
        "pełne szyfrowanie",
        "مشفرة",
        "エンドツーエンド",
        "종단간 암호화",
        "端對端",
        "端到端",
    ];
    let text = bare(text);
    WORDS.iter().any(|word| text.contains(word))
        || TABLE.encryption.iter().any(|notice| text.starts_with(notice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_understood() {
        let source = include_str!("wording/phrases.tsv");
        for line in source.lines().filter(|line| !line.starts_with('#')) {
            let cells: Vec<_> = line.split('\t').collect();
            assert_eq!(cells.len(), 3, "{line}");
            let listed = ["attached-after", "attached-before", "location", "encryption"];
            if !listed.contains(&cells[0]) {
                assert!(phrase(cells[0]).is_some(), "{line}");
                assert!(find(cells[2]).is_some(), "{line}");
                assert!(cells[2].len() <= MAX_PHRASE_BYTES, "{line}");
            }
        }
    }

    #[test]
    fn a_file_is_sent_by_a_person_with_a_caption_or_without() {
        for body in ["IMG-1.jpg (fichier joint)", "IMG-1.jpg (file attached)\nUne légende"] {
            assert!(is_sent(&format!("\u{200e}{body}")), "{body}");
        }
        assert!(!is_sent("\u{200e}Zoé a été ajoutée"));
    }

    #[test]
    fn marks_stops_and_case_do_not_matter() {
        assert_eq!(find("\u{200e}Ce message a été supprimé."), Some(Phrase::Deleted));
        assert_eq!(find("<médias omis>"), Some(Phrase::Omitted(MediaKind::Unknown)));
        assert_eq!(find("<Media Omitted>"), Some(Phrase::Omitted(MediaKind::Unknown)));
        assert_eq!(find("\u{200f}لم يتم إدراج الصورة"), Some(Phrase::Omitted(MediaKind::Photo)));
        assert_eq!(find("bonjour"), None);
        assert_eq!(find(""), None);
    }

    #[test]
    fn file_markers() {
        assert_eq!(strip_attached("\u{200e}a b.pdf (fichier joint)"), Some("a b.pdf"));
        assert_eq!(strip_attached("فایل پیوست شد a.pdf"), Some("a.pdf"));
        assert_eq!(strip_attached("a.pdf இணைக்கப்பட்டது"), Some("a.pdf"));
        assert_eq!(strip_attached("(fichier joint)"), None);
    }
}
