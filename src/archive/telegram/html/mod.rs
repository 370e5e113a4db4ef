//! Reads `messages*.html`.

use super::json::{Event, Outcome, Wanted};
use super::layout::Export;
use crate::archive::container::Container;
use crate::archive::reader::{ArchiveError, Flow, Options};

/// Reads the wanted chats of one export.
///
/// # Errors
/// When a page cannot be opened.
pub(super) fn read(
    _container: &Container,
    _export: &Export<'_>,
    _options: &Options,
    _wanted: &Wanted<'_>,
    _tell: &mut dyn FnMut(Event<'_>) -> Flow,
) -> Result<Outcome, ArchiveError> {
    Ok(Outcome::default())
}
