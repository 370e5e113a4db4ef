//! An opened export: a container and the reader that knows it.

use std::io::Read;
use std::path::Path;

use super::READERS;
use super::container::{Access, Container, Entry};
use super::reader::{ArchiveError, Confidence, Flow, Options, Reader, Record, Recount, Survey};
use crate::model::ids::ChatId;
use crate::model::media::Attachment;

/// An opened export.
pub struct Archive {
    container: Container,
    reader: &'static dyn Reader,
    options: Options,
}

impl Archive {
    /// Opens a file or folder with the reader that recognises it best. `access` is the limits,
    /// or the limits and a password.
    ///
    /// # Errors
    /// When the container cannot be read, or no reader knows it.
    pub fn open(
        path: &Path,
        access: impl Into<Access>,
        options: Options,
    ) -> Result<Self, ArchiveError> {
        let container = Container::open(path, access)?;
        let surest = READERS
            .iter()
            .map(|reader| (reader.recognise(&container), *reader))
            .rev()
            .max_by_key(|(confidence, _)| *confidence);
        match surest {
            Some((confidence, reader)) if confidence > Confidence::No => {
                Ok(Self { container, reader, options })
            }
            _ => Err(ArchiveError::Unrecognised { path: path.display().to_string() }),
        }
    }

    /// The options it was opened with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The container.
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// What it holds; reads the whole export once.
    ///
    /// # Errors
    /// As [`Reader::survey`].
    pub fn survey(&self) -> Result<Survey, ArchiveError> {
        self.reader.survey(&self.container, &self.options)
    }

    /// Counts the records of what was surveyed once more; see [`Reader::recount`].
    ///
    /// # Errors
    /// As [`Reader::recount`].
    pub fn recount(&self, survey: &Survey) -> Result<Option<Recount>, ArchiveError> {
        self.reader.recount(&self.container, survey)
    }

    /// Reads one chat; see [`Reader::read`].
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn read(
        &self,
        chat: &ChatId,
        sink: &mut dyn FnMut(Record) -> Flow,
    ) -> Result<(), ArchiveError> {
        self.reader.read(&self.container, chat, &self.options, sink)
    }

    /// Opens the bytes of a present attachment.
    ///
    /// # Errors
    /// When the container no longer holds them.
    pub fn open_attachment(
        &self,
        attachment: &Attachment,
    ) -> Result<Option<Box<dyn Read + Send + '_>>, ArchiveError> {
        let entry: Option<&Entry> =
            attachment.entry.as_deref().and_then(|name| self.container.find(name));
        entry.map(|entry| self.container.reader(entry)).transpose().map_err(Into::into)
    }
}
