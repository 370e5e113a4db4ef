//! Reads Olvid's chat history exports (Android 4.3 and iOS 4.2 onwards).
//!
//! An export holds a whole profile: every discussion, the private ones too. So the discussion is
//! chosen first, and the messages of the others are passed over without being parsed, let alone
//! kept. The journey of a message: [`scan`] finds it in the text, [`stream`] says whose it is,
//! [`order`] puts it into its place, [`message`] makes it one of the model's. README.md states
//! the format and what is known to be missing.
//!
//! Merging the exports of several members is left to `archive::merge`; ids are made for it.

mod answers;
mod encoded;
mod export;
mod files;
mod header;
mod ids;
mod lines;
mod message;
mod order;
mod people;
mod polls;
mod raw;
mod read;
mod recount;
mod scan;
mod stream;
mod survey;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod truth;

use self::export::Export;
use super::container::Container;
use super::reader::{ArchiveError, Confidence, Flow, Options, Reader, Record, Recount, Survey};
use crate::model::ids::ChatId;

/// The reader of Olvid's exports.
pub(super) struct Olvid;

impl Reader for Olvid {
    fn recognise(&self, container: &Container) -> Confidence {
        match export::find_json(container) {
            Some((_, true)) => Confidence::Certain,
            Some((_, false)) => Confidence::Likely,
            None => Confidence::No,
        }
    }

    fn survey(&self, container: &Container, options: &Options) -> Result<Survey, ArchiveError> {
        survey::survey(&Export::open(container)?, options)
    }

    fn read(
        &self,
        container: &Container,
        chat: &ChatId,
        options: &Options,
        sink: &mut dyn FnMut(Record) -> Flow,
    ) -> Result<(), ArchiveError> {
        read::read(&Export::open(container)?, chat, options, sink)
    }

    fn recount(
        &self,
        container: &Container,
        survey: &Survey,
    ) -> Result<Option<Recount>, ArchiveError> {
        let Some((entry, _)) = export::find_json(container) else { return Ok(None) };
        Ok(recount::recount(container, entry, survey)?)
    }
}
