//! Sentences that WhatsApp writes about people and the chat: who was added, by whom, the new
//! name. The templates are `wording/events.tsv`, for eleven languages.
//!
//! Kinds of quotes, no-break spaces, direction marks and what follows the sentence ("Tap to
//! change.") differ between versions and do not matter here.

use std::sync::LazyLock;

use memchr::memmem::{self, Finder};

use super::senders::ShortKeyMap;
use crate::model::system::SystemKind;

/// A sentence that was recognised. The names are as they stand in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event<'a> {
    /// What happened.
    pub kind: EventKind,
    /// Whether the exporter is the one who acted, or the one acted upon.
    pub exporter: Role,
    /// Who did it.
    pub actor: Option<&'a str>,
    /// Whom it was done to, or who came or left.
    pub target: Option<&'a str>,
    /// The chat's new name.
    pub title: Option<&'a str>,
    /// The language of the sentence.
    pub language: &'static str,
}

/// The part of "you" in a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// None.
    None,
    /// The exporter did it.
    Actor,
    /// It was done to the exporter.
    Target,
}

/// The model's kinds without what they carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventKind {
    Created,
    Renamed,
    Description,
    Photo,
    Joined,
    Added,
    Left,
    Removed,
    Admin,
    Number,
    Encryption,
    Ephemeral,
    Pinned,
    Blocked,
    Other,
}

impl EventKind {
    const ALL: [(&'static str, Self); 15] = [
        ("created", Self::Created),
        ("renamed", Self::Renamed),
        ("description", Self::Description),
        ("photo", Self::Photo),
        ("joined", Self::Joined),
        ("added", Self::Added),
        ("left", Self::Left),
        ("removed", Self::Removed),
        ("admin", Self::Admin),
        ("number", Self::Number),
        ("encryption", Self::Encryption),
        ("ephemeral", Self::Ephemeral),
        ("pinned", Self::Pinned),
        ("blocked", Self::Blocked),
        ("other", Self::Other),
    ];

    /// The word for it, in the table and in ids.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("other", |(word, _)| word)
    }

    /// The model's kind.
    pub fn system(self, title: Option<String>) -> SystemKind {
        match self {
            Self::Created => SystemKind::Created { title },
            Self::Renamed => SystemKind::Renamed { title },
            Self::Description => SystemKind::DescriptionChanged,
            Self::Photo => SystemKind::PhotoChanged,
            Self::Joined => SystemKind::Joined,
            Self::Added => SystemKind::Added,
            Self::Left => SystemKind::Left,
            Self::Removed => SystemKind::Removed,
            Self::Admin => SystemKind::AdminChanged,
            Self::Number => SystemKind::NumberChanged,
            Self::Encryption => SystemKind::Encryption,
            Self::Ephemeral => SystemKind::Ephemeral,
            Self::Pinned => SystemKind::Pinned,
            Self::Blocked => SystemKind::Blocked,
            Self::Other => SystemKind::Other,
        }
    }
}

#[derive(Debug)]
enum Piece {
    /// Fixed words, and the search for them, built once.
    Literal(&'static str, Box<Finder<'static>>),
    Slot(Slot),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Actor,
    Target,
    Title,
    Any,
}

struct Template {
    language: &'static str,
    kind: EventKind,
    exporter: Role,
    pieces: Vec<Piece>,
    open_ended: bool,
    literal_bytes: usize,
    /// Pairs of bytes that its words hold, for [`Pairs`].
    pairs: Vec<u16>,
}

/// Which pairs of bytes a sentence holds: a template whose pairs are not all there cannot fit.
struct Pairs([u64; 64]);

impl Pairs {
    fn of(text: &str) -> Self {
        let mut pairs = Self([0; 64]);
        for pair in pairs_of(text.as_bytes()) {
            if let Some(word) = pairs.0.get_mut(usize::from(pair >> 6)) {
                *word |= 1 << (pair & 63);
            }
        }
        pairs
    }

    fn hold(&self, wanted: &[u16]) -> bool {
        wanted.iter().all(|pair| {
            self.0.get(usize::from(pair >> 6)).is_some_and(|word| word >> (pair & 63) & 1 == 1)
        })
    }
}

/// Pairs of bytes, each as a number below 4096.
fn pairs_of(bytes: &[u8]) -> impl Iterator<Item = u16> + '_ {
    bytes.windows(2).filter_map(|pair| match *pair {
        [a, b] => Some((u16::from(a) * 31 + u16::from(b)) & 4095),
        _ => None,
    })
}

fn literal(text: &'static str) -> Piece {
    Piece::Literal(text, Box::new(Finder::new(text)))
}

/// Templates, found by the first or last three bytes of a sentence where they are fixed.
struct Table {
    templates: Vec<Template>,
    by_beginning: ShortKeyMap<[u8; 3], Vec<usize>>,
    by_end: ShortKeyMap<[u8; 3], Vec<usize>>,
    others: Vec<usize>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(include_str!("wording/events.tsv")));

/// The longest sentence that is looked at.
const MAX_SENTENCE_BYTES: usize = 1200;

impl Table {
    fn parse(source: &'static str) -> Self {
        let mut table = Self {
            templates: Vec::new(),
            by_beginning: ShortKeyMap::default(),
            by_end: ShortKeyMap::default(),
            others: Vec::new(),
        };
        for line in source.lines().filter(|line| !line.starts_with('#')) {
            let Some(template) = Template::parse(line) else { continue };
            let index = table.templates.len();
            let beginning = match template.pieces.first() {
                Some(Piece::Literal(text, _)) => text.as_bytes().first_chunk::<3>(),
                Some(Piece::Slot(_)) | None => None,
            };
            let end = match template.pieces.last() {
                Some(Piece::Literal(text, _)) if !template.open_ended => {
                    text.as_bytes().last_chunk::<3>()
                }
                Some(Piece::Literal(..) | Piece::Slot(_)) | None => None,
            };
            match (beginning, end) {
                (Some(key), _) => table.by_beginning.entry(*key).or_default().push(index),
                (None, Some(key)) => table.by_end.entry(*key).or_default().push(index),
                (None, None) => table.others.push(index),
            }
            table.templates.push(template);
        }
        table
    }
}

impl Template {
    fn parse(line: &'static str) -> Option<Self> {
        let mut cells = line.splitn(3, '\t');
        let (language, kind, mut rest) = (cells.next()?, cells.next()?, cells.next()?);
        let (kind, exporter) = kind.split_once(':').unwrap_or((kind, ""));
        let kind = EventKind::ALL.iter().find(|(word, _)| *word == kind)?.1;
        let exporter = match exporter {
            "actor" => Role::Actor,
            "target" => Role::Target,
            _ => Role::None,
        };
        let open_ended = rest.ends_with('*');
        rest = rest.trim_end_matches('*');
        let mut pieces = Vec::new();
        while let Some((before, after)) = rest.split_once('{') {
            let (slot, after) = after.split_once('}')?;
            if !before.is_empty() {
                pieces.push(literal(before));
            }
            pieces.push(Piece::Slot(match slot {
                "actor" => Slot::Actor,
                "target" => Slot::Target,
                "title" => Slot::Title,
                _ => Slot::Any,
            }));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(literal(rest));
        }
        let pairs = pieces
            .iter()
            .flat_map(|piece| match piece {
                Piece::Literal(text, _) => pairs_of(text.as_bytes()).take(6).collect(),
                Piece::Slot(_) => Vec::new(),
            })
            .collect();
        let literal_bytes = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text, _) => text.len(),
                Piece::Slot(_) => 0,
            })
            .sum();
        Some(Self { language, kind, exporter, pieces, open_ended, literal_bytes, pairs })
    }

    /// The slots of a sentence that fits, as ranges of its bytes.
    fn fit(&self, text: &str, slots: &mut Vec<(Slot, usize, usize)>) -> bool {
        slots.clear();
        let mut at = 0;
        let mut open: Option<Slot> = None;
        for (index, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Slot(slot) => open = Some(*slot),
                Piece::Literal(literal, finder) => {
                    let Some(rest) = text.get(at..) else { return false };
                    let last = index + 1 == self.pieces.len() && !self.open_ended;
                    let Some(slot) = open.take() else {
                        if !rest.starts_with(*literal) || (last && rest.len() != literal.len()) {
                            return false;
                        }
                        at += literal.len();
                        continue;
                    };
                    let found = if last {
                        rest.strip_suffix(*literal).map(str::len)
                    } else {
                        finder.find(rest.as_bytes())
                    };
                    let Some(length) = found.filter(|length| *length > 0) else { return false };
                    slots.push((slot, at, at + length));
                    at += length + literal.len();
                }
            }
        }
        if let Some(slot) = open {
            if at >= text.len() {
                return false;
            }
            slots.push((slot, at, text.len()));
            at = text.len();
        }
        self.open_ended || at == text.len()
    }
}

/// A sentence with plain quotes and spaces, and where each of its bytes stands in the original.
struct Plain {
    text: String,
    origin: Vec<usize>,
}

impl Plain {
    fn of(sentence: &str) -> Self {
        let mut text = String::with_capacity(sentence.len());
        let mut origin = Vec::with_capacity(sentence.len() + 1);
        for (at, c) in sentence.char_indices() {
            let c = match c {
                '“' | '”' | '„' | '‟' | '«' | '»' | '「' | '」' | '″' => '"',
                '’' | '‘' => '\'',
                '\u{a0}' | '\u{202f}' => ' ',
                '\u{200e}' | '\u{200f}' | '\u{2068}' | '\u{2069}' | '\u{202a}' | '\u{202c}'
                | '\u{feff}' => continue,
                other => other,
            };
            text.push(c);
            origin.resize(text.len(), at);
        }
        origin.push(sentence.len());
        let kept = text.trim_end_matches(['.', '。', '।', ' ']).len();
        text.truncate(kept);
        origin.truncate(kept);
        origin.push(sentence.len());
        Self { text, origin }
    }

    /// Where the original goes on after the byte before `at`: invisible wrapping belongs to what
    /// it wraps.
    fn after(&self, sentence: &str, at: usize) -> Option<usize> {
        let Some(before) = at.checked_sub(1) else { return Some(0) };
        let start = *self.origin.get(before)?;
        Some(start + sentence.get(start..)?.chars().next()?.len_utf8())
    }
}

/// Whether a sentence is one of the app's.
pub(super) fn is_event(sentence: &str) -> bool {
    recognise(sentence).is_some()
}

/// Understands a sentence of the app.
pub(super) fn recognise(sentence: &str) -> Option<Event<'_>> {
    if sentence.len() > MAX_SENTENCE_BYTES || sentence.contains('\n') {
        return None;
    }
    let plain = Plain::of(sentence);
    let full = plain.text.len();
    // A sentence may be followed by others; names may hold full stops too, so the longest first.
    let mut ends: Vec<usize> = memmem::find_iter(plain.text.as_bytes(), b". ").take(4).collect();
    ends.push(full);
    ends.iter().rev().find_map(|end| {
        let text = plain.text.get(..*end)?;
        let (template, slots) = best(text)?;
        let original = |wanted: Slot| {
            let (_, from, to) = slots.iter().find(|(slot, ..)| *slot == wanted)?;
            let to = if *to == full { end_of_name(sentence) } else { *plain.origin.get(*to)? };
            let name = sentence.get(plain.after(sentence, *from)?..to)?;
            (!name.is_empty()).then_some(name)
        };
        Some(Event {
            kind: template.kind,
            exporter: template.exporter,
            actor: original(Slot::Actor),
            target: original(Slot::Target),
            title: original(Slot::Title),
            language: template.language,
        })
    })
}

/// The end of a name that ends the sentence: a mark, a space or a full stop is not part of it.
fn end_of_name(sentence: &str) -> usize {
    sentence.trim_end_matches(['\u{200e}', '\u{200f}', '.', '。', '।', ' ']).len()
}

type Slots = Vec<(Slot, usize, usize)>;

fn best(text: &str) -> Option<(&'static Template, Slots)> {
    let table = &*TABLE;
    let bytes = text.as_bytes();
    let none: &[usize] = &[];
    let list = |found: Option<&'static Vec<usize>>| found.map_or(none, Vec::as_slice);
    let beginning = list(bytes.first_chunk::<3>().and_then(|key| table.by_beginning.get(key)));
    let end = list(bytes.last_chunk::<3>().and_then(|key| table.by_end.get(key)));
    let pairs = Pairs::of(text);
    let mut slots = Vec::new();
    let mut winner: Option<(&'static Template, Slots)> = None;
    for index in beginning.iter().chain(end).chain(&table.others) {
        let Some(template) = table.templates.get(*index) else { continue };
        let better =
            winner.as_ref().is_none_or(|(best, _)| template.literal_bytes > best.literal_bytes);
        if better && pairs.hold(&template.pairs) && template.fit(text, &mut slots) {
            winner = Some((template, slots.clone()));
        }
    }
    winner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_understood_and_finds_itself() {
        let source = include_str!("wording/events.tsv");
        for line in source.lines().filter(|line| !line.starts_with('#')) {
            let template = Template::parse(line).unwrap_or_else(|| panic!("{line}"));
            let mut text = String::new();
            for piece in &template.pieces {
                match piece {
                    Piece::Literal(literal, _) => text.push_str(literal),
                    Piece::Slot(_) => text.push_str("Zoé 7"),
                }
            }
            let event = recognise(&text).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(event.language.len(), 2);
        }
    }

    #[test]
    fn names_come_out_as_they_stand() {
        let event = recognise("~\u{202f}Ana a ajouté \u{202a}+33\u{a0}6\u{a0}39\u{202c}").unwrap();
        assert_eq!(event.kind, EventKind::Added);
        assert_eq!(event.actor, Some("~\u{202f}Ana"));
        assert_eq!(event.target, Some("\u{202a}+33\u{a0}6\u{a0}39\u{202c}"));
    }

    #[test]
    fn sentences_of_each_kind() {
        use EventKind::{
            Added, Admin, Created, Encryption, Ephemeral, Joined, Left, Number, Photo, Pinned,
            Removed, Renamed,
        };
        for (sentence, kind, actor, target, title) in [
            ("Ana a créé le groupe \"Équipe\"", Created, Some("Ana"), None, Some("Équipe")),
            ("Ana vous a ajouté·e", Added, Some("Ana"), None, None),
            ("Mme. Martin, RH a retiré Papa", Removed, Some("Mme. Martin, RH"), Some("Papa"), None),
            ("Ana a modifié le sujet “A: b” en “C: d”", Renamed, Some("Ana"), None, Some("C: d")),
            ("Ana a quitté le groupe", Left, None, Some("Ana"), None),
            ("Ana hat die Gruppe „Eins“ erstellt", Created, Some("Ana"), None, Some("Eins")),
            (
                "Votre code de sécurité avec Ana a changé. Appuyez.",
                Encryption,
                None,
                Some("Ana"),
                None,
            ),
            (
                "Ana turned off disappearing messages. Tap to change.",
                Ephemeral,
                Some("Ana"),
                None,
                None,
            ),
            ("Ana joined using this group's invite link", Joined, None, Some("Ana"), None),
            ("Ana a changé l'icône de ce groupe", Photo, Some("Ana"), None, None),
            ("Ana pinned a message", Pinned, Some("Ana"), None, None),
            ("You're now an admin", Admin, None, None, None),
            (
                "Ana changed their phone number to a new number. Tap to message or add the new number.",
                Number,
                Some("Ana"),
                None,
                None,
            ),
            ("Ana heeft Bob toegevoegd", Added, Some("Ana"), Some("Bob"), None),
            ("Ana, Bob kişisini ekledi", Added, Some("Ana"), Some("Bob"), None),
        ] {
            let event = recognise(sentence).unwrap_or_else(|| panic!("{sentence}"));
            assert_eq!(
                (event.kind, event.actor, event.target, event.title),
                (kind, actor, target, title),
                "{sentence}"
            );
        }
        assert_eq!(recognise("bonjour à tous"), None);
        assert_eq!(recognise(""), None);
    }
}
