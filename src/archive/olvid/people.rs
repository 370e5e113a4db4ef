//! Everybody an export names, each worked out once.

use std::collections::HashMap;

use super::header::Header;
use super::ids;
use crate::model::author::Author;

/// A person of the export.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// Id and display name; the name is empty for people the exporter no longer knew.
    pub(super) author: Author,
    pub(super) identity: Vec<u8>,
}

/// People by the base64 text of their identity, which is how the export names them.
#[derive(Debug, Default)]
pub(super) struct People {
    list: Vec<Person>,
    by_text: HashMap<String, usize>,
    by_identity: HashMap<Vec<u8>, usize>,
    /// Ids of lines by number of a person and thread.
    line_ids: HashMap<(usize, String), String>,
}

impl People {
    /// The number of a person; `None` when the text is no identity.
    pub(super) fn number(&mut self, base64: &str, header: &Header) -> Option<usize> {
        if let Some(number) = self.by_text.get(base64) {
            return Some(*number);
        }
        let identity = ids::bytes(base64)?;
        let id = ids::participant(&identity);
        let next = self.list.len();
        // Two texts can stand for one identity when one of them is not padded.
        let number = *self.by_identity.entry(identity.clone()).or_insert(next);
        if number == next {
            let name = header.names.get(&identity).cloned().unwrap_or_default();
            self.list.push(Person { author: Author { id, name }, identity });
        }
        self.by_text.insert(base64.to_owned(), number);
        Some(number)
    }

    pub(super) fn get(&self, number: usize) -> Option<&Person> {
        self.list.get(number)
    }

    /// As [`Self::number`], as the author of something.
    pub(super) fn author(&mut self, base64: &str, header: &Header) -> Option<(usize, Author)> {
        let number = self.number(base64, header)?;
        Some((number, self.get(number)?.author.clone()))
    }

    /// The id of a person's line.
    pub(super) fn line_id(&mut self, person: usize, thread: &str) -> String {
        let key = (person, ids::lower(thread).into_owned());
        if let Some(id) = self.line_ids.get(&key) {
            return id.clone();
        }
        let identity = self.list.get(person).map_or(&[][..], |person| &person.identity);
        let id = ids::line(identity, &key.1);
        self.line_ids.insert(key, id.clone());
        id
    }
}
