//! Which files of a container are chats, and what they are called.
//!
//! The title in the name of the file is the only identity an exported chat has. Documents that
//! people sent may be text files too, so the ending alone says nothing.

use std::io::Read;
use std::sync::LazyLock;

use super::files::{composed, is_debris};
use super::framing::{Framer, Rules};
use super::ids;
use super::learn;
use super::phrases;
use super::senders;
use crate::archive::container::{Container, Entry};
use crate::archive::reader::Confidence;
use crate::model::ids::ChatId;

/// A chat of the container.
#[derive(Debug)]
pub(super) struct ChatFile<'c> {
    /// The file that holds it.
    pub entry: &'c Entry,
    /// Its id.
    pub id: ChatId,
    /// Its title; may be empty.
    pub title: String,
    /// The language of the file's name, where it has one.
    pub language: Option<&'static str>,
    /// Whether an earlier file of the container has the same title.
    pub again: bool,
}

/// How much of a file is read to see whether it is a chat.
const SAMPLE_BYTES: u64 = 64 << 10;

struct Pattern {
    language: &'static str,
    before: &'static str,
    after: &'static str,
}

static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    include_str!("wording/titles.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let (language, pattern) = line.split_once('\t')?;
            let (before, after) = pattern.split_once("{}")?;
            let (before, after) =
                (before.trim_start_matches(is_mark), after.trim_end_matches(is_mark));
            Some(Pattern { language, before, after })
        })
        .collect()
});

/// The title in the name of an export, without extension; and the language of the name.
pub(super) fn title_of_stem(stem: &str) -> Option<(String, &'static str)> {
    let stem = composed(stem);
    let stem = without_copy_number(stem.trim()).trim_matches(is_mark);
    // A no-break space may stand before the name; some transports replace all spaces.
    let plain: String = stem.chars().map(|c| if c == '\u{a0}' { ' ' } else { c }).collect();
    let spaced: String = if plain.contains(' ') {
        plain
    } else {
        plain.chars().map(|c| if matches!(c, '_' | '+') { ' ' } else { c }).collect()
    };
    PATTERNS.iter().find_map(|pattern| {
        let rest = spaced.strip_prefix(pattern.before)?.strip_suffix(pattern.after)?;
        let title = rest.trim_matches(|c: char| c == ' ' || is_mark(c));
        (!title.is_empty()).then(|| (title.to_owned(), pattern.language))
    })
}

/// Marks of direction, which stand around names in right-to-left languages.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}' | '\u{202c}')
}

/// `Chat (2)` is the second copy of `Chat`.
fn without_copy_number(stem: &str) -> &str {
    stem.strip_suffix(')')
        .and_then(|rest| rest.rsplit_once(" ("))
        .filter(|(_, number)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
        .map_or(stem, |(stem, _)| stem)
}

/// ` (2)` of `Chat (2)`; empty without.
fn copy_number(stem: &str) -> &str {
    stem.get(without_copy_number(stem).len()..).unwrap_or_default()
}

fn stem(name: &str) -> &str {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    if stem.is_empty() { name } else { stem }
}

fn is_text(entry: &Entry) -> bool {
    entry.file_name().rsplit_once('.').is_some_and(|(_, end)| end.eq_ignore_ascii_case("txt"))
        && !is_debris(entry)
}

/// An iPhone calls every chat the same.
fn is_iphone_name(entry: &Entry) -> bool {
    without_copy_number(stem(entry.file_name())) == "_chat"
}

/// What a look into a file shows.
struct Look {
    headers: usize,
    /// The name before the first words of the app on an iPhone: the chat's.
    notice_title: Option<String>,
}

fn look(container: &Container, entry: &Entry) -> Look {
    let mut sample = Vec::new();
    if let Ok(stream) = container.reader(entry) {
        // A broken stream shows what it shows.
        let _ = stream.take(SAMPLE_BYTES).read_to_end(&mut sample);
    }
    let Some(rules) = learn::rules_of_sample(&sample) else {
        return Look { headers: 0, notice_title: None };
    };
    let (headers, notice_title) = first_notice(&sample, &rules);
    Look { headers, notice_title }
}

fn first_notice(sample: &[u8], rules: &Rules) -> (usize, Option<String>) {
    let mut framer = Framer::new(sample, rules);
    let (mut headers, mut title) = (0, None);
    while let Some(batch) = framer.batch(|_, _| true) {
        for frame in batch.frames().filter(|frame| frame.header.is_some()) {
            headers += 1;
            if title.is_none() && headers <= 5 {
                title = senders::title_before_mark(frame.body)
                    .filter(|(_, words)| {
                        phrases::is_encryption_notice(&String::from_utf8_lossy(words))
                    })
                    .map(|(name, _)| ids::author(&String::from_utf8_lossy(name)).0.name);
            }
        }
    }
    (headers, title)
}

/// How sure it is that the container holds WhatsApp chats.
pub(super) fn recognise(container: &Container) -> Confidence {
    candidates(container)
        .iter()
        .map(|entry| {
            let named = is_iphone_name(entry) || title_of_stem(stem(entry.file_name())).is_some();
            match (named, look(container, entry).headers) {
                (false, 0) => Confidence::No,
                (true, 0) | (false, 1) => Confidence::Possible,
                (true, _) => Confidence::Certain,
                (false, _) => Confidence::Likely,
            }
        })
        .max()
        .unwrap_or(Confidence::No)
}

/// The files that may be chats: by name where any has a chat's name, otherwise the text files.
fn candidates(container: &Container) -> Vec<&Entry> {
    let texts: Vec<&Entry> = container.entries().iter().filter(|entry| is_text(entry)).collect();
    let named: Vec<&Entry> = texts
        .iter()
        .copied()
        .filter(|entry| is_iphone_name(entry) || title_of_stem(stem(entry.file_name())).is_some())
        .collect();
    if !named.is_empty() {
        return named;
    }
    // A bare file may have lost its ending.
    if container.entries().len() == 1 {
        return container.entries().iter().collect();
    }
    texts.into_iter().take(64).collect()
}

/// The chats of a container, in its order.
pub(super) fn find(container: &Container) -> Vec<ChatFile<'_>> {
    let candidates = candidates(container);
    let mut looks: Vec<(&Entry, Look)> =
        candidates.into_iter().map(|entry| (entry, look(container, entry))).collect();
    let named =
        |entry: &Entry| is_iphone_name(entry) || title_of_stem(stem(entry.file_name())).is_some();
    if !looks.iter().any(|(entry, _)| named(entry)) {
        // Without a telling name the one with the most headers is the chat; the others are sent.
        let most = looks.iter().map(|(_, look)| look.headers).max().unwrap_or(0);
        let chosen = looks.iter().position(|(_, look)| look.headers == most && most > 0);
        looks = chosen.map(|at| looks.swap_remove(at)).into_iter().collect();
    }
    // The first copy is the one without a number, however the container lists them.
    looks.sort_by_key(|(entry, _)| copy_number(stem(entry.file_name())).len());
    let mut chats: Vec<ChatFile<'_>> = Vec::new();
    for (entry, look) in looks {
        if look.headers == 0 && entry.size_bytes > 0 && chats.iter().any(|chat| !chat.again) {
            continue;
        }
        let (title, language) = title(container, entry, look.notice_title);
        let copies = chats.iter().filter(|chat| chat.title == title).count();
        chats.push(ChatFile {
            entry,
            id: ids::chat(&title, copies),
            title,
            language,
            again: copies > 0,
        });
    }
    chats
}

/// From the chat's own file name, the folder it lies in, the container's name, the chat itself;
/// and if none of them says, whatever the file or container is called.
fn title(
    container: &Container,
    entry: &Entry,
    notice_title: Option<String>,
) -> (String, Option<&'static str>) {
    let outer = container.path().file_name().unwrap_or_default().to_string_lossy();
    let is_folder = container.path().is_dir();
    let outer_stem = if is_folder { outer.as_ref() } else { stem(&outer) };
    let folder = entry.folder().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let telling = [stem(entry.file_name()), folder, outer_stem];
    if let Some((title, language)) = telling.iter().find_map(|name| title_of_stem(name)) {
        return (title, Some(language).filter(|language| !language.is_empty()));
    }
    if let Some(title) = notice_title {
        return (composed(&title).into_owned(), None);
    }
    let name = if is_iphone_name(entry) { outer_stem } else { stem(entry.file_name()) };
    let name = without_copy_number(name);
    (if name == "_chat" { String::new() } else { composed(name).into_owned() }, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_in_every_language() {
        for (stem, title) in [
            ("Discussion WhatsApp avec Équipe projet", "Équipe projet"),
            ("Discussion WhatsApp avec E\u{301}quipe (1)", "Équipe"),
            ("WhatsApp Chat with Ana (notes)", "Ana (notes)"),
            ("WhatsApp Chat - Ana", "Ana"),
            ("WhatsApp_Chat_with_Ana_B", "Ana B"),
            ("Чат WhatsApp с\u{a0}контактом Ана", "Ана"),
            ("AnaとのWhatsAppチャット", "Ana"),
            ("Ana ile WhatsApp Sohbeti", "Ana"),
            ("WhatsApp 与 Ana 的对话", "Ana"),
            ("Chat WhatsApp con Ana", "Ana"),
            ("Chat de WhatsApp con Ana", "Ana"),
        ] {
            assert_eq!(
                title_of_stem(stem).map(|(title, _)| title).as_deref(),
                Some(title),
                "{stem}"
            );
        }
        assert!(title_of_stem("notes").is_none());
    }

    #[test]
    fn every_pattern_finds_its_title() {
        for pattern in PATTERNS.iter() {
            let stem = format!("{}Zoé{}", pattern.before, pattern.after);
            assert!(title_of_stem(&stem).is_some_and(|(title, _)| title.contains("Zoé")), "{stem}");
        }
    }
}
