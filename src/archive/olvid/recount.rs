//! Counts messages in the bytes of an export, without parsing any JSON.
//!
//! Each message has one `sequenceNumber`, and nothing else has. Inside a text its quotes would be
//! escaped, so a key is told from words by the bytes around it alone.

use std::io::{self, Read};

use crate::archive::container::{Container, ContainerError, Entry};
use crate::archive::reader::{Recount, Survey};
use crate::model::finding::FindingKind;

const KEY: &[u8] = b"\"sequenceNumber\"";

/// `None` if only some of the discussions were surveyed.
pub(super) fn recount(
    container: &Container,
    entry: &Entry,
    survey: &Survey,
) -> Result<Option<Recount>, ContainerError> {
    let kinds = survey.chats.iter().flat_map(|chat| &chat.findings);
    let others = kinds.filter(|finding| finding.kind == FindingKind::OtherChatsPresent).count();
    if survey.chats.len() == 1 && others > 0 {
        return Ok(None);
    }
    let failed = |source| ContainerError::Io { path: entry.name.clone(), source };
    let counted = count(&mut *container.reader(entry)?).map_err(failed)?;
    let accounted = survey.chats.iter().map(|chat| chat.records).sum();
    Ok(Some(Recount { counted, accounted }))
}

/// Keys of that name in a stream. What breaks off counts as far as it goes.
fn count(stream: &mut dyn Read) -> io::Result<u64> {
    let mut window = Vec::new();
    let mut count = 0;
    loop {
        let before = window.len();
        let ended = match stream.take(1 << 18).read_to_end(&mut window) {
            Ok(read) => read == 0,
            Err(_) => true,
        };
        debug_assert!(ended || window.len() > before, "a stream that gives must give something");
        let mut kept = window.len().saturating_sub(KEY.len());
        for at in memchr::memmem::find_iter(&window, KEY) {
            let behind = window.get(at + KEY.len()..).unwrap_or_default();
            match behind.iter().find(|byte| !byte.is_ascii_whitespace()) {
                Some(b':') => count += 1,
                // A text that is just this word.
                Some(_) => {}
                None => {
                    // What follows is not there yet.
                    kept = kept.min(at);
                    continue;
                }
            }
            kept = kept.max(at + KEY.len());
        }
        if ended {
            return Ok(count);
        }
        window.drain(..kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct Drops<'b>(&'b [u8]);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = buffer.len().min(1);
            self.0.read(&mut buffer[..length])
        }
    }

    #[test]
    fn keys_are_counted_and_words_are_not() {
        let text = br#"{"sequenceNumber":1,"body":"\"sequenceNumber\":2"},{"sequenceNumber"
            : 3, "body":"sequenceNumber"},{"body":"\\\"sequenceNumber\":4"}"#;
        assert_eq!(count(&mut &text[..]).unwrap(), 2);
        assert_eq!(count(&mut Drops(text)).unwrap(), 2);
        assert_eq!(count(&mut &b""[..]).unwrap(), 0);
    }

    #[test]
    fn keys_across_blocks_are_counted_once() {
        let one = br#"{"sequenceNumber":1,"body":"abc"},"#;
        let text = one.repeat(40_000);
        assert_eq!(count(&mut text.as_slice()).unwrap(), 40_000);
    }
}
