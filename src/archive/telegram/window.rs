//! A growing window over a byte stream: what JSON and HTML reading share.
//!
//! Bytes are consumed from the front and refilled at the back, so memory stays at one chunk plus
//! the longest record. What the bytes mean is left to `walk` and `html`.

use std::io::Read;

/// How much is read at once.
const CHUNK: usize = 256 * 1024;

/// A window over a stream. A read error ends the stream as its end would; it is remembered, so
/// that the caller can say that the source is cut.
pub(super) struct Window<'a> {
    source: Box<dyn Read + Send + 'a>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    failed: bool,
}

impl<'a> Window<'a> {
    /// Opens a window at the beginning of a stream; a byte order mark is swallowed.
    pub(super) fn new(source: Box<dyn Read + Send + 'a>) -> Self {
        let mut window =
            Self { source, buffer: Vec::new(), start: 0, end: 0, ended: false, failed: false };
        window.want(3);
        if window.rest().starts_with(b"\xEF\xBB\xBF") {
            window.consume(3);
        }
        window
    }

    /// The bytes at hand that are not consumed yet.
    pub(super) fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Steps over `count` bytes, at most those at hand.
    pub(super) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// Whether nothing more can be read from the source.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Whether the source failed rather than ended.
    pub(super) fn failed(&self) -> bool {
        self.failed
    }

    /// Makes at least `count` bytes available, or all there are. Says whether they are there.
    pub(super) fn want(&mut self, count: usize) -> bool {
        while self.end - self.start < count && self.more() {}
        self.end - self.start >= count
    }

    /// Reads one more chunk behind what is at hand. `false` at the end of the source.
    pub(super) fn more(&mut self) -> bool {
        if self.ended {
            return false;
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() < self.end + CHUNK {
            self.buffer.resize(self.end + CHUNK, 0);
        }
        let Some(space) = self.buffer.get_mut(self.end..) else { return false };
        loop {
            match self.source.read(space) {
                Ok(0) => self.ended = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(_) => {
                    self.ended = true;
                    self.failed = true;
                }
            }
            return !self.ended;
        }
    }

    /// Gives back the memory of an unusually long record.
    pub(super) fn shrink(&mut self) {
        if self.buffer.len() > 8 * CHUNK && self.end - self.start < CHUNK {
            self.more();
            self.buffer.truncate(self.end);
            self.buffer.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swallows_the_mark_and_keeps_what_is_not_consumed() {
        let mut window = Window::new(Box::new(&b"\xEF\xBB\xBFabcdef"[..]));
        assert_eq!(window.rest(), b"abcdef");
        window.consume(2);
        assert!(window.want(4));
        assert!(!window.want(5));
        assert_eq!(window.rest(), b"cdef");
        assert!(window.ended() && !window.failed());
    }
}
