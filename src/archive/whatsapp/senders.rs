//! Who wrote a record: the name before the first colon, names that hold a colon themselves,
//! numbers in invisible wrapping, and lines that nobody wrote.
//!
//! A first pass over the file fills [`Census`]; [`People`] then answers for every line. What the
//! app's own lines say is in `events`, what a message holds in `body`.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use memchr::{memchr, memchr_iter, memmem};

use super::events;
use super::grammar::marks_len;
use super::ids;
use super::phrases;
use crate::archive::reader::NameKind;
use crate::model::author::Author;

/// Nobody's name is longer, and lines of the app are: 25 characters is the app's own limit,
/// a saved contact's has some more.
const MAX_NAME_CHARS: usize = 60;
/// More people than this are not counted; their names are taken as they stand.
const MAX_PREFIXES: usize = 50_000;
/// Second segments kept for one prefix.
const MAX_SEGMENTS: usize = 8;

/// A fast hash for short keys of a table that is bounded anyway.
#[derive(Default)]
pub(super) struct ShortKeyHasher(u64);

impl Hasher for ShortKeyHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (chunks, rest) = bytes.as_chunks::<8>();
        for chunk in chunks {
            self.mix(u64::from_le_bytes(*chunk));
        }
        // The last bytes may be mixed in twice, which costs less than a loop over the rest.
        let last = match (bytes.last_chunk::<8>(), rest) {
            (Some(last), _) => u64::from_le_bytes(*last),
            (None, rest) => rest.iter().fold(0, |word, byte| (word << 8) | u64::from(*byte)),
        };
        self.mix(last ^ bytes.len() as u64);
    }

    fn write_u8(&mut self, value: u8) {
        self.mix(u64::from(value));
    }

    fn write_usize(&mut self, value: usize) {
        self.mix(value as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl ShortKeyHasher {
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

pub(super) type ShortKeyMap<K, V> = HashMap<K, V, BuildHasherDefault<ShortKeyHasher>>;

/// What the first pass learns about the words before the first colon of every record.
#[derive(Debug, Default)]
pub(super) struct Census {
    index: ShortKeyMap<Box<[u8]>, usize>,
    entries: Vec<Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    prefix: Box<[u8]>,
    /// Records that are not one of the app's known lines.
    plain: u64,
    /// Whether something that a person sends stood in the app's own words: a file, a call.
    sent: bool,
    /// How many records opened with a direction mark, as the app's own words on an iPhone do.
    marked: u32,
    /// What follows the prefix up to the next colon.
    segments: Vec<Segment>,
    /// Under which date orders some record stands in its place in time.
    orderly: u8,
}

#[derive(Debug)]
struct Segment {
    /// What all of its records share, up to and including their last common `: `.
    shared: Vec<u8>,
    count: u64,
}

/// The words before the first colon, where a line has any: `(name, body)`.
#[inline]
pub(super) fn split_colon(line: &[u8]) -> Option<(&[u8], &[u8])> {
    // Names are short: a loop is done before a search has begun.
    for (at, byte) in line.iter().take(320).enumerate() {
        if *byte == b'\n' {
            return None;
        }
        if *byte != b':' || at == 0 {
            continue;
        }
        match line.get(at + 1) {
            Some(b' ') => return Some((line.get(..at)?, line.get(at + 2..)?)),
            // `Name:` with nothing after it is an empty message.
            None => return Some((line.get(..at)?, line.get(at + 1..)?)),
            Some(_) => {}
        }
    }
    None
}

/// Up to and including the next `: ` on the same line.
fn next_segment(body: &[u8]) -> Option<&[u8]> {
    let window = body.get(..body.len().min(4 * MAX_NAME_CHARS))?;
    let line = window.get(..memchr(b'\n', window).unwrap_or(window.len()))?;
    let at = memchr_iter(b':', line).find(|at| line.get(at + 1) == Some(&b' '))?;
    (at > 0).then(|| line.get(..at + 2))?
}

impl Census {
    /// Takes one record into account. `orderly` has a bit for each date order under which the
    /// record does not lie far behind the one before it; `file_mark` says that a direction mark
    /// stands before its header, as where a file is or was.
    #[inline]
    pub fn see(&mut self, line: &[u8], orderly: u8, file_mark: bool) {
        if opens_marked(line) {
            return;
        }
        let Some((prefix, body)) = split_colon(line) else { return };
        let index = if let Some(index) = self.index.get(prefix) {
            *index
        } else {
            if self.entries.len() >= MAX_PREFIXES {
                return;
            }
            self.index.insert(prefix.into(), self.entries.len());
            self.entries.push(Entry { prefix: prefix.into(), ..Entry::default() });
            self.entries.len() - 1
        };
        let Some(entry) = self.entries.get_mut(index) else { return };
        entry.orderly |= orderly;
        if opens_marked(body) {
            if !entry.sent && entry.marked < 64 {
                entry.marked += 1;
                entry.sent = file_mark || phrases::is_sent(&String::from_utf8_lossy(body));
            }
            return;
        }
        // Once enough of a person's messages are ordinary words, no more need be looked at.
        let settled = entry.plain > 64 && entry.segments.iter().all(|s| s.count * 4 < entry.plain);
        if settled {
            entry.plain += 1;
            return;
        }
        if (entry.plain < 3 || next_segment(body).is_none())
            && events::is_event(&String::from_utf8_lossy(line))
        {
            return;
        }
        entry.plain += 1;
        if let Some(segment) = next_segment(body) {
            entry.see_segment(segment, body);
        }
    }

    /// Settles who everybody is.
    pub fn people(self, order_bit: u8, iphone: bool) -> People {
        let mut people = People {
            prefixes: ShortKeyMap::default(),
            list: Vec::new(),
            by_id: HashMap::new(),
            iphone,
        };
        for entry in self.entries {
            let extension = entry.extension();
            let name = String::from_utf8_lossy(&entry.prefix).into_owned();
            let odd = name.chars().count() > MAX_NAME_CHARS || name.contains(QUOTES);
            // Quoted words and long ones are lines of the app, unless they keep coming back.
            let speaks = if odd { entry.plain >= 3 } else { entry.plain > 0 };
            let orderly = entry.orderly & order_bit != 0;
            let extended = extension.as_ref().map(|shared| {
                let mut full = entry.prefix.to_vec();
                full.extend_from_slice(b": ");
                full.extend_from_slice(shared.strip_suffix(b": ").unwrap_or(shared));
                people.add(&String::from_utf8_lossy(&full))
            });
            let plain = (extended.is_none() && (speaks || entry.sent)).then(|| people.add(&name));
            let known = Prefix {
                person: plain,
                extended: extended.zip(extension),
                speaks: speaks && extended.is_none(),
                orderly,
            };
            people.prefixes.insert(entry.prefix, known);
        }
        people
    }
}

const QUOTES: [char; 8] = ['"', '“', '”', '„', '«', '»', '「', '\n'];

/// Whether the app itself wrote this, on an iPhone.
#[inline]
pub(super) fn opens_marked(text: &[u8]) -> bool {
    matches!(text, [0xe2, 0x80, 0x8e | 0x8f, ..])
}

impl Entry {
    fn see_segment(&mut self, segment: &[u8], body: &[u8]) {
        if let Some(known) = self.segments.iter_mut().find(|s| s.shared.starts_with(segment)) {
            known.count += 1;
            let same = known.shared.iter().zip(body).take_while(|(a, b)| a == b).count();
            if same < known.shared.len() {
                let shared = known.shared.get(..same).unwrap_or_default();
                let keep = memmem::rfind(shared, b": ").map_or(segment.len(), |at| at + 2);
                known.shared.truncate(keep.max(segment.len()));
            }
        } else if self.segments.len() < MAX_SEGMENTS {
            let line = body.get(..memchr(b'\n', body).unwrap_or(body.len())).unwrap_or_default();
            let window = line.get(..line.len().min(4 * MAX_NAME_CHARS)).unwrap_or_default();
            let to = memmem::rfind(window, b": ").map_or(segment.len(), |at| at + 2);
            let shared = window.get(..to).unwrap_or(segment).to_vec();
            self.segments.push(Segment { shared, count: 1 });
        }
    }

    /// The rest of a name that holds a colon: whatever practically all records go on with.
    /// Lines of the app in languages without templates may begin with half a name.
    fn extension(&self) -> Option<Vec<u8>> {
        let segment = self.segments.iter().max_by_key(|segment| segment.count)?;
        let whole_name = segment.count >= 3 && segment.count * 20 >= self.plain * 19;
        whole_name.then(|| segment.shared.clone())
    }
}

/// Everybody who wrote in a chat, and how to find them in a line.
#[derive(Debug)]
pub(super) struct People {
    prefixes: ShortKeyMap<Box<[u8]>, Prefix>,
    list: Vec<Person>,
    by_id: HashMap<String, usize>,
    iphone: bool,
}

#[derive(Debug)]
struct Prefix {
    /// The person of exactly this name.
    person: Option<usize>,
    /// The person whose name goes on after the colon, and how.
    extended: Option<(usize, Vec<u8>)>,
    /// Whether the person of exactly this name types messages.
    speaks: bool,
    orderly: bool,
}

/// One person of the chat.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// Id and name as messages carry them.
    pub author: Author,
    /// What the name is.
    pub name_kind: NameKind,
    /// Whether somebody else has the same name, saved or not: `~ Ana` beside `Ana`.
    pub namesake: bool,
}

/// Who wrote a line.
#[derive(Debug, PartialEq)]
pub(super) enum Writer {
    /// A person of the list.
    Person(usize),
    /// A person beyond the bound of the list.
    Stranger(Box<Author>),
    /// The app.
    App,
}

impl People {
    /// Splits what follows a header into writer and body.
    #[inline]
    pub fn split<'a>(&self, line: &'a [u8]) -> (Writer, &'a [u8]) {
        if opens_marked(line) && self.iphone {
            return (Writer::App, line);
        }
        let Some((prefix, body)) = split_colon(line) else { return (Writer::App, line) };
        let Some(known) = self.prefixes.get(prefix) else {
            let author = ids::author(&String::from_utf8_lossy(prefix)).0;
            return (Writer::Stranger(Box::new(author)), body);
        };
        if let Some((person, shared)) = &known.extended {
            if let Some(rest) = body.strip_prefix(shared.as_slice()) {
                return (Writer::Person(*person), rest);
            }
            // `Name: rest:` without anything after it is an empty message.
            if shared.strip_suffix(b" ") == Some(body) {
                return (Writer::Person(*person), &[]);
            }
        }
        match known.person {
            Some(person) if known.speaks || opens_marked(body) => (Writer::Person(person), body),
            // A chat's own name stands before lines of the app on an iPhone.
            None if opens_marked(body) && self.iphone => {
                (Writer::App, line.get(prefix.len() + 2..).unwrap_or_default())
            }
            Some(_) | None => (Writer::App, line),
        }
    }

    /// Whether a line that lies far behind its neighbours in time was pasted: nobody of that
    /// name ever speaks in their place in time.
    pub fn is_foreign(&self, line: &[u8]) -> bool {
        if opens_marked(line) {
            return false;
        }
        split_colon(line)
            .and_then(|(prefix, _)| self.prefixes.get(prefix))
            .is_some_and(|known| !known.orderly)
    }

    /// A person by number in the list.
    pub fn get(&self, index: usize) -> Option<&Person> {
        self.list.get(index)
    }

    /// Everyone.
    pub fn all(&self) -> &[Person] {
        &self.list
    }

    /// The person of that name, however it is wrapped. `~ Ana` is Ana unless both spellings
    /// write in this chat.
    pub fn find(&self, name: &str) -> Option<&Person> {
        let (author, name_kind) = ids::author(name);
        let first = self.by_id.get(author.id.as_str()).and_then(|index| self.list.get(*index))?;
        if first.name_kind == name_kind {
            return Some(first);
        }
        let second = self.by_id.get(ids::namesake(&author).id.as_str());
        second.and_then(|index| self.list.get(*index)).or(Some(first))
    }

    /// The person whose telephone number has these digits.
    pub fn find_number(&self, digits: &str) -> Option<&Person> {
        self.list.iter().find(|person| {
            person.name_kind == NameKind::Number
                && person.author.name.chars().filter(char::is_ascii_digit).eq(digits.chars())
        })
    }

    fn add(&mut self, exported: &str) -> usize {
        let (mut author, name_kind) = ids::author(exported);
        let mut namesake = false;
        if let Some(index) = self.by_id.get(author.id.as_str()).copied() {
            match self.list.get_mut(index) {
                // Names are written when the export is made: a saved `Ana` beside a `~ Ana` who
                // is not saved are two telephones. Whoever comes first keeps the plain id, so
                // that a longer export of the chat changes nobody's.
                Some(first) if first.name_kind != name_kind => {
                    first.namesake = true;
                    namesake = true;
                    author = ids::namesake(&author);
                    if let Some(second) = self.by_id.get(author.id.as_str()) {
                        return *second;
                    }
                }
                _ => return index,
            }
        }
        self.by_id.insert(author.id.as_str().to_owned(), self.list.len());
        self.list.push(Person { author, name_kind, namesake });
        self.list.len() - 1
    }
}

/// The name in front of words of the app on an iPhone, and those words.
pub(super) fn title_before_mark(line: &[u8]) -> Option<(&[u8], &[u8])> {
    split_colon(line.get(marks_len(line)..)?).filter(|(_, words)| opens_marked(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(lines: &[&str]) -> People {
        let mut census = Census::default();
        for line in lines {
            census.see(line.as_bytes(), 7, false);
        }
        census.people(1, false)
    }

    fn split(people: &People, line: &str) -> (Option<String>, String) {
        let (writer, body) = people.split(line.as_bytes());
        let name = match writer {
            Writer::Person(index) => Some(people.get(index).unwrap().author.name.clone()),
            Writer::Stranger(author) => Some(author.name),
            Writer::App => None,
        };
        (name, String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn a_name_with_a_colon_is_found_by_what_all_its_records_share() {
        let lines = [
            "Équipe: support: bonjour",
            "Équipe: support: note: demain",
            "Équipe: support: oui",
            "Équipe: support a ajouté Zoé",
            "Zoé: note: rien",
            "Zoé: merci",
            "Zoé: note: si",
        ];
        let people = people(&lines);
        let name = |name: &str, body: &str| (Some(name.to_owned()), body.to_owned());
        assert_eq!(split(&people, lines[1]), name("Équipe: support", "note: demain"));
        assert_eq!(split(&people, "Équipe: support: "), name("Équipe: support", ""));
        assert_eq!(split(&people, lines[3]), (None, lines[3].to_owned()));
        assert_eq!(split(&people, lines[4]), name("Zoé", "note: rien"));
    }

    #[test]
    fn lines_of_the_app_have_no_sender() {
        let lines = ["Ana a modifié le sujet “Plans” en “Plans : suite: 2”", "Ana: x", "Ana left"];
        let people = people(&lines);
        assert_eq!(split(&people, lines[0]).0, None);
        assert_eq!(split(&people, lines[1]).0, Some("Ana".to_owned()));
        assert_eq!(split(&people, lines[2]).0, None);
    }

    #[test]
    fn a_saved_name_and_the_same_name_unsaved_are_two_people() {
        let lines =
            ["\u{202a}+33\u{a0}6\u{a0}39\u{202c}: x", "~\u{202f}Ana: x", "Ana: x", "~ Ana: y"];
        let people = people(&lines);
        let id = |name: &str| people.find(name).unwrap().author.id.clone();
        assert_ne!(id("Ana"), id("~ Ana"));
        assert_eq!(id("~\u{202f}Ana"), ids::author("Ana").0.id, "the first keeps the plain id");
        let kinds: Vec<_> = people.all().iter().map(|p| (p.name_kind, p.namesake)).collect();
        assert_eq!(
            kinds,
            [(NameKind::Number, false), (NameKind::PushName, true), (NameKind::Name, true)]
        );
        assert!(people.find("+33\u{a0}6\u{a0}39").is_some());
        assert!(people.find_number("33639").is_some());
    }
}
