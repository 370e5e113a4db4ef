//! What one record holds: words, files, a place, a poll, a call, or words of the app.
//!
//! Works on the body of a record, borrowed; nothing is copied here. Names of files are looked up
//! in the container before any catalogue of languages. Sentences about people are in `events`,
//! turning this into the neutral model is in `message`.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use memchr::{memchr, memchr_iter, memrchr};

use super::files::{FileIndex, display_name, kind_of_name};
use super::phrases::{self, Phrase, is_mark};
use crate::model::media::MediaKind;

/// What a record holds.
#[derive(Debug, PartialEq)]
pub(super) enum Content<'a> {
    /// Typed words.
    Words(&'a str),
    /// Files with the words that came with them.
    Files { files: Vec<FileRef<'a>>, caption: Option<&'a str>, view_once: bool },
    /// Contact cards.
    Cards(Vec<FileRef<'a>>),
    /// A place.
    Place(Place<'a>),
    /// A poll: the question, and the options with their votes.
    Poll { question: &'a str, options: Vec<(&'a str, Option<u32>)> },
    /// A call, in the app's words.
    Call { video: bool, missed: bool, duration_s: Option<u64>, text: &'a str },
    /// Deleted, in the app's words.
    Deleted(&'a str),
    /// Certainly sent by a person, but the export does not show what.
    Unknown(&'a str),
    /// Words of the app that are none of the above.
    Notice(&'a str),
}

/// A file that a record speaks of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FileRef<'a> {
    /// What it is.
    pub kind: MediaKind,
    /// Its name in the export, when the record gives one.
    pub exported: Option<&'a str>,
    /// Its name as people know it.
    pub shown: Option<&'a str>,
}

/// A place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place<'a> {
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    pub label: Option<&'a str>,
    pub url: Option<&'a str>,
    pub live: bool,
}

/// What is known of the line before the body is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    /// An iPhone wrote the file.
    pub iphone: bool,
    /// A direction mark stands before the header.
    pub marked: bool,
    /// The record is known to be a single line.
    pub one_line: bool,
}

/// Understands a body; says whether it was edited.
pub(super) fn classify<'a>(
    body: &'a str,
    setting: Setting,
    files: &FileIndex,
) -> (Content<'a>, bool) {
    let (body, edited) =
        if body.ends_with('>') { strip_edited(body, files) } else { (body, false) };
    (content(body, setting, files), edited)
}

fn content<'a>(body: &'a str, setting: Setting, files: &FileIndex) -> Content<'a> {
    let bytes = body.as_bytes();
    let Some(&first) = bytes.first() else { return Content::Unknown(body) };
    let last = bytes.last().copied().unwrap_or(0);
    let line_end = if setting.one_line { None } else { memchr(b'\n', bytes) };
    let first_line = line_end.and_then(|at| body.get(..at)).unwrap_or(body);
    if let Some(phrase) = phrases::find(body) {
        return of_phrase(phrase, body, None);
    }
    if setting.iphone {
        let maybe = setting.marked || first == 0xe2 || last == b'>' || has_mark(bytes);
        if maybe && let Some(found) = iphone_file(body, files) {
            return found;
        }
    } else {
        if body == "null" {
            // What Android wrote for a picture to be seen once, until 2023.
            return once(MediaKind::Unknown);
        }
        if first == b'<'
            && let Some(found) = android_placeholder(body, first_line)
        {
            return found;
        }
        if let Some(found) = android_files(body, first_line, files) {
            return found;
        }
    }
    if let Some(place) = place(body, setting) {
        return Content::Place(place);
    }
    if first_line.len() < body.len()
        && let Some(found) = poll(body)
    {
        return found;
    }
    if body.starts_with(is_mark) && setting.iphone {
        return call(body).unwrap_or(Content::Notice(body));
    }
    Content::Words(body)
}

fn has_mark(bytes: &[u8]) -> bool {
    memchr_iter(0xe2, bytes)
        .any(|at| matches!(bytes.get(at + 1..at + 3), Some([0x80, 0x8e | 0x8f])))
}

/// Built once: most messages are shorter than what building a search costs.
static HTTPS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("https://"));

fn once<'a>(kind: MediaKind) -> Content<'a> {
    let file = FileRef { kind, exported: None, shown: None };
    Content::Files { files: vec![file], caption: None, view_once: true }
}

/// What stands for a phrase, with the words that came with it.
fn of_phrase<'a>(phrase: Phrase, body: &'a str, caption: Option<&'a str>) -> Content<'a> {
    let file = |kind| FileRef { kind, exported: None, shown: None };
    let words = body.trim_start_matches(is_mark);
    match phrase {
        Phrase::Omitted(kind) => {
            Content::Files { files: vec![file(kind)], caption, view_once: false }
        }
        Phrase::OmittedCard => Content::Cards(vec![file(MediaKind::Document)]),
        Phrase::OmittedVoiceOnce => once(MediaKind::Voice),
        Phrase::Deleted => Content::Deleted(words),
        Phrase::MissedCall { video } => {
            Content::Call { video, missed: true, duration_s: None, text: words }
        }
        Phrase::LiveLocation => Content::Place(Place {
            latitude: None,
            longitude: None,
            label: None,
            url: None,
            live: true,
        }),
        Phrase::Waiting => Content::Unknown(words),
        // Somebody typed just these words.
        Phrase::Edited | Phrase::Call { .. } => {
            if body.starts_with(is_mark) {
                Content::Notice(body)
            } else {
                Content::Words(body)
            }
        }
    }
}

/// Takes ` <This message was edited>` from the end. With a mark before it any language will do,
/// without one only known wordings: people write `<` too.
fn strip_edited<'a>(body: &'a str, files: &FileIndex) -> (&'a str, bool) {
    let plain = (body, false);
    let Some(at) = memrchr(b'<', body.as_bytes()) else { return plain };
    let (Some(before), Some(tail)) = (body.get(..at), body.get(at..)) else { return plain };
    let unmarked = before.trim_end_matches(is_mark);
    let Some(text) = unmarked.strip_suffix(' ') else { return plain };
    let marked = unmarked.len() < before.len();
    let known = phrases::find(tail) == Some(Phrase::Edited);
    let inner = tail.get(1..tail.len() - 1).unwrap_or_default();
    let names_file = inner.contains([':', '：', '.']) || file_inside(inner, files).is_some();
    if known || (marked && !names_file) { (text, true) } else { plain }
}

/// `<Media omitted>` in any language, and the caption on the lines after it.
fn android_placeholder<'a>(body: &'a str, first_line: &'a str) -> Option<Content<'a>> {
    let inner = first_line.strip_prefix('<')?.strip_suffix('>')?;
    let caption = body.get(first_line.len() + 1..).filter(|caption| !caption.is_empty());
    if let Some(phrase) = phrases::find(first_line) {
        return Some(of_phrase(phrase, first_line, caption));
    }
    // Words in brackets and nothing else are the app's in the languages nobody listed, too.
    let short = inner.chars().count() <= 60;
    let words = inner.contains(' ') && !inner.contains(['<', '>', '/', '=', '"']);
    (short && words && caption.is_none())
        .then(|| of_phrase(Phrase::Omitted(MediaKind::Unknown), body, None))
}

/// `NAME (file attached)`, several of them, and the caption on the lines after them.
fn android_files<'a>(body: &'a str, first_line: &'a str, files: &FileIndex) -> Option<Content<'a>> {
    let mut found = Vec::new();
    let mut rest = body;
    let mut line = first_line;
    while let Some(file) = android_file(line, files) {
        found.push(file);
        rest = body.get(offset(body, line) + line.len()..).unwrap_or_default();
        let Some(next) = rest.strip_prefix('\n') else { break };
        line = next.split('\n').next().unwrap_or(next);
    }
    let first = found.first()?;
    let is_card = |file: &FileRef| file.exported.is_some_and(ends_with_vcf);
    let caption = rest.strip_prefix('\n').filter(|caption| {
        // Documents are followed by their own name again.
        !caption.is_empty() && Some(*caption) != first.exported && Some(*caption) != first.shown
    });
    if found.iter().all(is_card) && caption.is_none() {
        return Some(Content::Cards(found));
    }
    Some(Content::Files { files: found, caption, view_once: false })
}

fn android_file<'a>(line: &'a str, files: &FileIndex) -> Option<FileRef<'a>> {
    const TAMIL: &str = "இணைக்கப்பட்டது";
    const PERSIAN: &str = "فایل";
    let candidate = line.ends_with(')')
        || line.trim_start_matches(is_mark).starts_with(PERSIAN)
        || line.ends_with(TAMIL);
    if !candidate {
        return None;
    }
    // A name of the container before the last parenthesis needs no language.
    let held = memrchr(b'(', line.as_bytes())
        .and_then(|at| line.get(..at))
        .map(|name| name.trim_matches(|c| c == ' ' || is_mark(c)))
        .filter(|name| files.holds(without_pages(name)));
    let name = without_pages(held.or_else(|| phrases::strip_attached(line))?);
    Some(FileRef { kind: kind_of_name(name), exported: Some(name), shown: Some(name) })
}

/// `Rapport.pdf` of `Rapport.pdf • 3 pages`.
fn without_pages(name: &str) -> &str {
    name.split_once(" \u{2022} ").map_or(name, |(name, _)| name)
}

/// A file on an iPhone: after the last mark stands `<attached: NAME>` or `image omitted`, before
/// it the caption, or a document's name and number of pages.
fn iphone_file<'a>(body: &'a str, files: &FileIndex) -> Option<Content<'a>> {
    let (before, tail) = match body.char_indices().rev().find(|(_, c)| is_mark(*c)) {
        Some((at, mark)) => (body.get(..at)?, body.get(at + mark.len_utf8()..)?),
        // Marks are lost in editors.
        None => return unmarked_iphone_file(body, files),
    };
    let before = before.trim_end_matches(is_mark);
    if let Some(inner) = tail.strip_prefix('<').and_then(|tail| tail.strip_suffix('>')) {
        let (name, _) = file_inside(inner, files)?;
        return Some(attached(name, before));
    }
    // `<⟨mark⟩image omitted>`, before 2019.
    let (before, tail) = match (before.strip_suffix('<'), tail.strip_suffix('>')) {
        (Some(before), Some(tail)) => (before, tail),
        (Some(_) | None, _) => (before, tail),
    };
    let phrase = phrases::find(tail)?;
    let words = before.strip_suffix(' ').unwrap_or(before).trim_start_matches(is_mark);
    match phrase {
        Phrase::Omitted(MediaKind::Document) if !words.is_empty() => {
            let name = words.split_once(" \u{2022} ").map_or(words, |(name, _)| name);
            let file = FileRef { kind: MediaKind::Document, exported: None, shown: Some(name) };
            Some(Content::Files { files: vec![file], caption: None, view_once: false })
        }
        Phrase::Omitted(_) => Some(of_phrase(phrase, tail, (!words.is_empty()).then_some(words))),
        Phrase::OmittedCard
        | Phrase::OmittedVoiceOnce
        | Phrase::Deleted
        | Phrase::MissedCall { .. }
        | Phrase::Call { .. }
        | Phrase::LiveLocation
        | Phrase::Waiting
        | Phrase::Edited => words.is_empty().then(|| of_phrase(phrase, tail, None)),
    }
}

fn unmarked_iphone_file<'a>(body: &'a str, files: &FileIndex) -> Option<Content<'a>> {
    let at = memrchr(b'<', body.as_bytes())?;
    let inner = body.get(at + 1..)?.strip_suffix('>')?;
    let before = body.get(..at)?;
    // `2013-08-06-PHOTO-00000006.jpg <attached>`, the oldest form.
    let name = before.strip_suffix(' ').unwrap_or(before);
    if !name.is_empty() && (files.holds(name) || is_oldest_name(name)) {
        return Some(attached(name, ""));
    }
    let (name, held) = file_inside(inner, files)?;
    let numbered = name.as_bytes().get(8) == Some(&b'-')
        && name.bytes().take(8).all(|byte| byte.is_ascii_digit());
    (held || (numbered && name.contains('.'))).then(|| attached(name, before))
}

fn is_oldest_name(name: &str) -> bool {
    !name.contains([' ', '\n'])
        && ["-PHOTO-", "-VIDEO-", "-AUDIO-"].iter().any(|part| name.contains(part))
}

/// An attached file of an iPhone, with what stands before its marker.
fn attached<'a>(name: &'a str, before: &'a str) -> Content<'a> {
    let before = before.strip_suffix(' ').unwrap_or(before).trim_start_matches(is_mark);
    let shown = display_name(name);
    let file = FileRef { kind: kind_of_name(name), exported: Some(name), shown: Some(shown) };
    if ends_with_vcf(name) && before.is_empty() {
        return Content::Cards(vec![file]);
    }
    // A document's own name, with its pages, is no caption; what stands before it is.
    let own = before.rfind(" \u{2022} ").and_then(|at| before.get(..at)).unwrap_or(before);
    let caption = match own.strip_suffix(shown) {
        Some("") => None,
        Some(rest) if rest.ends_with([' ', '\n']) => rest.get(..rest.len() - 1),
        Some(_) | None => (!before.is_empty()).then_some(before),
    };
    Content::Files { files: vec![file], caption, view_once: false }
}

fn ends_with_vcf(name: &str) -> bool {
    name.len() > 4 && name.get(name.len() - 4..).is_some_and(|end| end.eq_ignore_ascii_case(".vcf"))
}

/// The name in `attached: NAME`, `pièce jointe : NAME `, `NAME eklendi`; and whether the
/// container holds it.
fn file_inside<'a>(inner: &'a str, files: &FileIndex) -> Option<(&'a str, bool)> {
    let trim = |text: &'a str| text.trim_matches(|c| c == ' ' || c == '\u{a0}' || is_mark(c));
    let inner = trim(inner);
    let starts = inner
        .char_indices()
        .filter(|(_, c)| matches!(c, ':' | '：' | ' ' | '\u{a0}'))
        .map(|(at, c)| at + c.len_utf8());
    let mut tries = 0;
    for start in std::iter::once(0).chain(starts) {
        tries += 1;
        if tries > 64 {
            break;
        }
        let rest = trim(inner.get(start..)?);
        if files.holds(rest) {
            return Some((rest, true));
        }
        if let Some((shorter, _)) = rest.rsplit_once(' ')
            && files.holds(trim(shorter))
        {
            return Some((trim(shorter), true));
        }
    }
    let name = match inner.split_once([':', '：']) {
        Some((_, name)) => trim(name),
        None => trim(inner.strip_suffix("eklendi")?),
    };
    (!name.is_empty()).then_some((name, false))
}

/// A place: `location: https://maps.google.com/?q=LAT,LON`, or a name and a page of Foursquare.
fn place(body: &str, setting: Setting) -> Option<Place<'_>> {
    const MAP: &str = "https://maps.google.com/?q=";
    const VENUE: &str = "https://foursquare.com/v/";
    if body.len() > 1000 {
        return None;
    }
    // Few texts hold a colon, and one byte is found sooner than eight.
    let colon = memchr(b':', body.as_bytes())?;
    let from = colon.saturating_sub("https".len());
    let at = from + HTTPS.find(body.as_bytes().get(from..)?)?;
    let (before, url) = (body.get(..at)?, body.get(at..)?);
    let app = setting.iphone && before.starts_with(is_mark);
    if let Some(pair) = url.strip_prefix(MAP) {
        if !app && !phrases::is_location_label(before) {
            return None;
        }
        let (latitude, longitude) = pair.split_once(',')?;
        return Some(Place {
            latitude: Some(latitude.parse().ok().filter(|value: &f64| value.abs() <= 90.0)?),
            longitude: Some(longitude.parse().ok().filter(|value: &f64| value.abs() <= 180.0)?),
            label: None,
            url: Some(url),
            live: false,
        });
    }
    if !url.starts_with(VENUE) || url.contains([' ', '\n']) {
        return None;
    }
    let label = before.trim_start_matches(is_mark);
    let label = label.strip_suffix('\n').or_else(|| label.strip_suffix(": ").filter(|_| app))?;
    Some(Place { latitude: None, longitude: None, label: Some(label), url: Some(url), live: false })
}

/// A poll: a word in capitals and a colon, the question, and `OPTION: words (3 votes)`.
fn poll(body: &str) -> Option<Content<'_>> {
    let text = body.trim_start_matches(is_mark).trim_end_matches('\n');
    let (title, rest) = text.split_once('\n')?;
    let word = title.strip_suffix([':', '：'])?.trim_end_matches([' ', '\u{a0}', '\u{202f}']);
    let one_word = !word.is_empty()
        && word.chars().count() <= 20
        && word.chars().all(|c| c.is_alphabetic() && !c.is_lowercase());
    if !one_word {
        return None;
    }
    let mut options = Vec::new();
    let mut label = None;
    let mut end = rest.len();
    for line in rest.rsplit('\n') {
        let Some((word, option)) = poll_option(line) else { break };
        if *label.get_or_insert(word) != word {
            break;
        }
        options.push(option);
        end = offset(rest, line).saturating_sub(1);
    }
    options.reverse();
    let question = rest.get(..end)?;
    (options.len() >= 2).then_some(Content::Poll { question, options })
}

fn poll_option(line: &str) -> Option<(&str, (&str, Option<u32>))> {
    let (word, rest) = line.split_once([':', '：'])?;
    let word = word.trim_end_matches([' ', '\u{a0}', '\u{202f}']);
    if word.is_empty() || word.contains(char::is_whitespace) || word.chars().any(char::is_lowercase)
    {
        return None;
    }
    let rest = rest.strip_prefix(' ').unwrap_or(rest).strip_suffix(')')?;
    let (text, votes) = rest.rsplit_once('(')?;
    let count: String = votes.chars().take_while(char::is_ascii_digit).collect();
    Some((word, (text.strip_suffix(' ').unwrap_or(text), count.parse().ok())))
}

/// `Voice call. 5 min • 2 joined`, since 2023 on iPhones.
fn call(body: &str) -> Option<Content<'_>> {
    let text = body.trim_start_matches(is_mark);
    let (head, rest) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let phrase = phrases::find(head)?;
    let (video, missed) = match phrase {
        Phrase::Call { video } => (video, rest.contains("No answer")),
        Phrase::MissedCall { video } => (video, true),
        Phrase::Omitted(_)
        | Phrase::OmittedCard
        | Phrase::OmittedVoiceOnce
        | Phrase::Deleted
        | Phrase::LiveLocation
        | Phrase::Waiting
        | Phrase::Edited => return None,
    };
    Some(Content::Call { video, missed, duration_s: duration_s(rest), text })
}

fn duration_s(words: &str) -> Option<u64> {
    let mut total = None;
    let mut number: Option<u64> = None;
    let part = words.split('\u{2022}').next().unwrap_or(words);
    for word in part.split(|c: char| c.is_whitespace() || is_mark(c) || c == ',') {
        let digits = word.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            number = word.get(..digits)?.parse().ok();
        }
        let unit = word.get(digits..).unwrap_or_default();
        let seconds = match unit.chars().next() {
            Some('h' | 'H' | 'u' | 'U') => 3600,
            Some('m' | 'M') => 60,
            Some('s' | 'S') => 1,
            Some(_) | None => continue,
        };
        if let Some(count) = number.take() {
            total = Some(total.unwrap_or(0) + count.checked_mul(seconds)?);
        }
    }
    total
}

/// Where `part`, a slice of `whole`, begins in it.
fn offset(whole: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize).min(whole.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANDROID: Setting = Setting { iphone: false, marked: false, one_line: false };
    const IPHONE: Setting = Setting { iphone: true, marked: true, one_line: false };

    fn read(body: &str, setting: Setting) -> (Content<'_>, bool) {
        classify(
            body,
            setting,
            &FileIndex::of_names(["Été (2).pdf", "a : b.jpg", "00000007-Bon de : commande.pdf"]),
        )
    }

    fn file<'a>(kind: MediaKind, exported: &'a str, shown: &'a str) -> FileRef<'a> {
        FileRef { kind, exported: Some(exported), shown: Some(shown) }
    }

    fn files<'a>(file: FileRef<'a>, caption: Option<&'a str>) -> Content<'a> {
        Content::Files { files: vec![file], caption, view_once: false }
    }

    fn omitted<'a>(
        kind: MediaKind,
        shown: Option<&'a str>,
        caption: Option<&'a str>,
    ) -> Content<'a> {
        files(FileRef { kind, exported: None, shown }, caption)
    }

    #[test]
    fn words_stay_words() {
        for body in [
            "bonjour",
            "  deux espaces  ",
            "a <b> c",
            "x <y>",
            "voir (ci-joint)",
            "https://x.fr/ : ok",
            "\u{200d}",
            "TOTAL:\n3",
            "https://maps.google.com/?q=1,2",
            "<3",
            "<html>",
            "a\n\nb",
        ] {
            assert_eq!(read(body, ANDROID), (Content::Words(body), false), "{body}");
        }
    }

    #[test]
    fn android_files() {
        let photo = file(MediaKind::Photo, "IMG-20220323-WA0002.jpg", "IMG-20220323-WA0002.jpg");
        for (body, expected) in [
            (
                "\u{200e}IMG-20220323-WA0002.jpg (fichier joint)\nune\nlégende",
                files(photo, Some("une\nlégende")),
            ),
            ("IMG-20220323-WA0002.jpg (file attached)", files(photo, None)),
            (
                "Été (2).pdf (mots inconnus)",
                files(file(MediaKind::Document, "Été (2).pdf", "Été (2).pdf"), None),
            ),
            (
                "R.pdf (file attached)\nR.pdf",
                files(file(MediaKind::Document, "R.pdf", "R.pdf"), None),
            ),
            (
                "\u{200e}R.pdf • \u{200e}3 pages \u{200e}(fichier joint)",
                files(file(MediaKind::Document, "R.pdf", "R.pdf"), None),
            ),
            (
                "A.vcf (file attached)\nB.vcf (file attached)",
                Content::Cards(vec![
                    file(MediaKind::Document, "A.vcf", "A.vcf"),
                    file(MediaKind::Document, "B.vcf", "B.vcf"),
                ]),
            ),
            ("<Médias omis>\nlégende", omitted(MediaKind::Unknown, None, Some("légende"))),
            ("<quelque chose oublié>", omitted(MediaKind::Unknown, None, None)),
        ] {
            assert_eq!(read(body, ANDROID).0, expected, "{body}");
        }
    }

    #[test]
    fn iphone_files() {
        let name = "00000035-PHOTO-2022-03-27-21-41-55.jpg";
        let photo = file(MediaKind::Photo, name, name);
        let order =
            file(MediaKind::Document, "00000007-Bon de : commande.pdf", "Bon de : commande.pdf");
        for (body, expected) in [
            (format!("\u{200e}<attached: {name}>"), files(photo, None)),
            (format!("\u{200e}< pièce jointe : {name} >"), files(photo, None)),
            (format!("légende \u{200e}<附件：{name}>"), files(photo, Some("légende"))),
            (format!("\u{200e}<{name} eklendi>"), files(photo, None)),
            (
                format!(
                    "Bon de : commande.pdf • \u{200e}2 pages \u{200e}<joint : {}>",
                    order.exported.unwrap()
                ),
                files(order, None),
            ),
            ("\u{200e}image absente".to_owned(), omitted(MediaKind::Photo, None, None)),
            (
                "mots \u{200e}image absente".to_owned(),
                omitted(MediaKind::Photo, None, Some("mots")),
            ),
            (
                "N.pdf • \u{200e}2 pages \u{200e}document manquant".to_owned(),
                omitted(MediaKind::Document, Some("N.pdf"), None),
            ),
            ("<\u{200e}image omitted>".to_owned(), omitted(MediaKind::Photo, None, None)),
        ] {
            assert_eq!(read(&body, IPHONE).0, expected, "{body}");
        }
    }

    #[test]
    fn edited_texts() {
        for (body, setting, text) in [
            ("oui <Ce message a été modifié>", ANDROID, "oui"),
            ("oui \u{200e}<Se editó este mensaje.>", IPHONE, "oui"),
            ("oui \u{200e}<quelque langue>", IPHONE, "oui"),
        ] {
            assert_eq!(read(body, setting), (Content::Words(text), true), "{body}");
        }
    }

    #[test]
    fn the_rest() {
        let place = |label, url| Place { latitude: None, longitude: None, label, url, live: false };
        let url = "https://maps.google.com/?q=51.5,-0.12";
        let point =
            Place { latitude: Some(51.5), longitude: Some(-0.12), ..place(None, Some(url)) };
        let venue = "https://foursquare.com/v/4ac";
        for (body, setting, expected) in [
            (
                "localisation : https://maps.google.com/?q=51.5,-0.12",
                ANDROID,
                Content::Place(point),
            ),
            ("\u{200e}Ort: https://maps.google.com/?q=51.5,-0.12", IPHONE, Content::Place(point)),
            (
                "Café\n1 rue X\nhttps://foursquare.com/v/4ac",
                ANDROID,
                Content::Place(place(Some("Café\n1 rue X"), Some(venue))),
            ),
            (
                "\u{200e}Café (1 rue X): https://foursquare.com/v/4ac",
                IPHONE,
                Content::Place(place(Some("Café (1 rue X)"), Some(venue))),
            ),
            (
                "live location shared",
                ANDROID,
                Content::Place(Place { live: true, ..place(None, None) }),
            ),
            (
                "SONDAGE :\nOù (et quand) ?\nOPTION : ici (12 votes)\nOPTION : là (1 vote)\n",
                ANDROID,
                Content::Poll {
                    question: "Où (et quand) ?",
                    options: vec![("ici", Some(12)), ("là", Some(1))],
                },
            ),
            (
                "\u{200e}Voice call. \u{200e}1 hr, 5 min • \u{200e}2 joined",
                IPHONE,
                Content::Call {
                    video: false,
                    missed: false,
                    duration_s: Some(3900),
                    text: "Voice call. \u{200e}1 hr, 5 min • \u{200e}2 joined",
                },
            ),
            (
                "Appel vidéo manqué",
                ANDROID,
                Content::Call {
                    video: true,
                    missed: true,
                    duration_s: None,
                    text: "Appel vidéo manqué",
                },
            ),
            ("null", ANDROID, once(MediaKind::Unknown)),
            ("", ANDROID, Content::Unknown("")),
            (
                "\u{200e}Ana a créé le groupe",
                IPHONE,
                Content::Notice("\u{200e}Ana a créé le groupe"),
            ),
            (
                "\u{200e}Ce message a été supprimé.",
                IPHONE,
                Content::Deleted("Ce message a été supprimé."),
            ),
            (
                "Waiting for this message. This may take a while.",
                ANDROID,
                Content::Unknown("Waiting for this message. This may take a while."),
            ),
        ] {
            assert_eq!(read(body, setting).0, expected, "{body}");
        }
    }
}
