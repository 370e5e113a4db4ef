//! Goes through the pages of one chat and frames each message's markup, streaming.
//!
//! A message is a `div` whose class begins with `message`; it ends where its `div`s are closed.
//! Between messages stand only the frame of the page and links to other pages.

use memchr::memmem;

use super::super::window::Window;
use crate::archive::container::{Container, Entry};

/// How a message's markup begins.
const MESSAGE: &[u8] = b"<div class=\"message ";

/// A message longer than this is stepped over and reported.
const LONGEST: usize = 16 << 20;

/// The pages of one chat, one message at a time.
pub(in super::super) struct Pages<'a> {
    container: &'a Container,
    coming: std::vec::IntoIter<&'a Entry>,
    open: Option<(Window<'a>, String)>,
    /// The number of the last message on the page, from 1.
    number: u64,
}

/// What the pages hold, in order.
pub(in super::super) enum Framed {
    /// A message's markup, its page and its number on it.
    Message { markup: String, page: String, number: u64 },
    /// A page ends in the middle.
    Truncated { page: String, number: u64 },
    /// A message that is too long, or a page that cannot be opened.
    Unreadable { page: String, number: u64 },
}

impl<'a> Pages<'a> {
    pub(in super::super) fn new(container: &'a Container, pages: Vec<&'a Entry>) -> Self {
        Self { container, coming: pages.into_iter(), open: None, number: 0 }
    }

    /// The next message; `None` at the end of the last page.
    pub(in super::super) fn next(&mut self) -> Option<Framed> {
        loop {
            let Some((window, page)) = &mut self.open else {
                let entry = self.coming.next()?;
                self.number = 0;
                let Ok(stream) = self.container.reader(entry) else {
                    return Some(Framed::Unreadable { page: entry.name.clone(), number: 0 });
                };
                self.open = Some((Window::new(stream), entry.name.clone()));
                continue;
            };
            let page = page.clone();
            if !seek(window, MESSAGE) {
                let cut = window.failed() || memmem::find(window.rest(), b"</html>").is_none();
                let number = self.number + 1;
                self.open = None;
                if cut {
                    return Some(Framed::Truncated { page, number });
                }
                continue;
            }
            self.number += 1;
            let number = self.number;
            match frame(window) {
                Some(length) => {
                    let markup = window.rest().get(..length).unwrap_or_default();
                    let markup = String::from_utf8_lossy(markup).into_owned();
                    window.consume(length);
                    return Some(Framed::Message { markup, page, number });
                }
                None if window.ended() => {
                    self.open = None;
                    return Some(Framed::Truncated { page, number });
                }
                None => {
                    window.consume(MESSAGE.len());
                    window.shrink();
                    return Some(Framed::Unreadable { page, number });
                }
            }
        }
    }
}

/// Moves to the next occurrence. At the end of the page the last bytes stay at hand.
fn seek(window: &mut Window<'_>, needle: &[u8]) -> bool {
    loop {
        if let Some(at) = memmem::find(window.rest(), needle) {
            window.consume(at);
            return true;
        }
        let keep = needle.len();
        let length = window.rest().len();
        if !window.more() {
            return false;
        }
        window.consume(length.saturating_sub(keep));
    }
}

/// The length of the `div` that begins here, once it is wholly at hand; `None` when the page
/// ends before, or the message is too long.
fn frame(window: &mut Window<'_>) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        let fresh = window.rest().get(at..).unwrap_or_default();
        let found = memchr::memchr(b'<', fresh).map(|found| at + found);
        let tag = found.and_then(|found| window.rest().get(found..found + 6));
        match (found, tag) {
            (Some(found), Some(tag)) => {
                at = found + 1;
                if tag.starts_with(b"<div") {
                    depth += 1;
                } else if tag == b"</div>" {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return Some(found + 6);
                    }
                }
            }
            (found, _) => {
                at = found.unwrap_or(window.rest().len());
                if at > LONGEST || !window.more() {
                    return None;
                }
            }
        }
    }
}

/// The chat's title, from the head of its first page.
pub(in super::super) fn title(head: &[u8]) -> String {
    let find = |needle: &str, bytes: &[u8]| memmem::find(bytes, needle.as_bytes());
    let title = find("class=\"page_header\"", head).and_then(|at| {
        let header = head.get(at..)?;
        let header = header.get(find("class=\"text bold\"", header)?..)?;
        let header = header.get(memchr::memchr(b'>', header)? + 1..)?;
        header.get(..memchr::memchr(b'<', header)?)
    });
    let title = String::from_utf8_lossy(title.unwrap_or_default()).into_owned();
    super::tree::decode(super::tree::block(&title)).trim_end_matches(' ').to_owned()
}
