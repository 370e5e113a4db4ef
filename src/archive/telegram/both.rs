//! JSON and HTML of one export, read side by side: JSON leads, HTML adds what only it shows, the
//! dates of forwarded originals and people's full names.
//!
//! Both hold the same messages in the same order under the same numbers, so the pages are read
//! along, one message at a time.

use super::clock::WallClock;
use super::html::full_title;
use super::html::pages::{Framed, Pages};
use super::html::shown::{self, Content, Spoken, Stamp};
use super::layout::Export;
use super::walk::Section;
use crate::archive::container::Container;
use crate::archive::reader::Options;
use crate::model::author::Author;
use crate::model::message::Message;

/// The HTML of a chat that is read from JSON.
pub(super) struct Companion<'a> {
    pages: Pages<'a>,
    /// The message the pages have come to, not used yet.
    ahead: Option<(i64, Box<Spoken>)>,
    clock: WallClock,
    title: String,
}

impl<'a> Companion<'a> {
    /// The pages that belong to a chat of the JSON: those of the folder with its number, as
    /// chats are numbered in the order of the file.
    pub(super) fn find(
        container: &'a Container,
        export: &'a Export<'a>,
        section: Section,
        number: u64,
        options: &Options,
    ) -> Option<Self> {
        let html = match section {
            Section::Single => export.html.first(),
            Section::Chats | Section::Left => {
                export.html.iter().find(|html| html.number == Some(number))
            }
        }?;
        Some(Self {
            title: full_title(container, html),
            pages: Pages::new(container, html.pages.clone()),
            ahead: None,
            clock: WallClock::new(options.time_zone.clone()),
        })
    }

    /// The chat's title with the surname that JSON leaves out.
    pub(super) fn title(&self, title: &str) -> String {
        fuller(title, &self.title).unwrap_or(title).to_owned()
    }

    /// Adds what the page shows of a message.
    pub(super) fn amend(&mut self, message: &mut Message, number: i64) {
        let Some(spoken) = self.find_message(number) else { return };
        if let Some((local, Some(offset))) = spoken.at {
            self.clock.named_offset(local.year(), offset);
        }
        if let (Some(sender), Some(name)) = (&mut message.sender, &spoken.from) {
            name_fully(sender, name);
        }
        if let (Some(forwarded), Some(original)) = (&mut message.forwarded, spoken.forwarded) {
            forwarded.at = original.at.map(|(local, _): Stamp| self.clock.aside(local, None));
            if let (Some(from), Some(name)) = (&mut forwarded.from, &original.from) {
                name_fully(from, name);
            }
        }
    }

    /// Reads on to a message. Numbers grow within a chat: a page that has gone beyond the
    /// number does not have it.
    fn find_message(&mut self, number: i64) -> Option<Spoken> {
        loop {
            match self.ahead.take() {
                Some((at, spoken)) if at == number => return Some(*spoken),
                Some((at, spoken)) if at > number => {
                    self.ahead = Some((at, spoken));
                    return None;
                }
                Some(_) | None => {}
            }
            let Framed::Message { markup, .. } = self.pages.next()? else { continue };
            // Lines between days and of the messenger show nothing that JSON lacks.
            if let Some(shown) = shown::read(&markup)
                && let (Some(at), Content::Message(spoken)) = (shown.number, shown.content)
            {
                self.ahead = Some((at, spoken));
            }
        }
    }
}

fn name_fully(author: &mut Author, shown: &str) {
    if let Some(name) = fuller(&author.name, shown) {
        author.name = name.to_owned();
    }
}

/// The shown name, if it is the known one with a surname.
fn fuller<'n>(known: &str, shown: &'n str) -> Option<&'n str> {
    let surname = shown.strip_prefix(known)?;
    (!known.is_empty() && surname.starts_with(' ') && !surname.trim().is_empty()).then_some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surnames_are_added_and_nothing_else() {
        assert_eq!(fuller("Léa", "Léa Martin"), Some("Léa Martin"));
        assert_eq!(fuller("Léa", "Léa"), None);
        assert_eq!(fuller("Léa", "Léandre"), None);
        assert_eq!(fuller("", " Martin"), None);
        assert_eq!(fuller("Léa", "Eve Martin"), None);
    }
}
