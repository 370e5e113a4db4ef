//! JSON and HTML of one export, read side by side: JSON leads, HTML adds what only it shows.

use super::layout::Export;
use super::walk::Section;
use crate::archive::container::Container;
use crate::archive::reader::Options;
use crate::model::message::Message;

/// The HTML of a chat that is read from JSON.
pub(super) struct Companion<'a> {
    folder: &'a str,
}

impl<'a> Companion<'a> {
    /// The pages that belong to a chat of the JSON.
    pub(super) fn find(
        _container: &'a Container,
        _export: &'a Export<'a>,
        _section: Section,
        _number: u64,
        _options: &Options,
    ) -> Option<Self> {
        None
    }

    /// The chat's full title.
    pub(super) fn title(&self, title: &str) -> String {
        let _ = self.folder;
        title.to_owned()
    }

    /// Adds what the page shows of a message.
    pub(super) fn amend(&mut self, _message: &mut Message, _number: i64) {}
}
