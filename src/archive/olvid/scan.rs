//! Walks through JSON of any size with a window of a few hundred kilobytes.
//!
//! `serde_json` reads slices several times faster than streams, so the values that matter are
//! parsed as slices of the window, which grows when a single value does not fit. What does not
//! matter is passed over by counting brackets, without being checked or kept.

use std::io::{self, Read};

use memchr::memchr2;
use serde::de::DeserializeOwned;
use thiserror::Error;

const WINDOW_BYTES: usize = 512 * 1024;
/// The largest single value (one message, or one element of a list).
const VALUE_BYTES: usize = 64 * 1024 * 1024;

/// Why the walk ends before the end.
#[derive(Debug, Error)]
pub(super) enum ScanError {
    /// The stream failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The text ends inside a value.
    #[error("it ends too early, after {at} bytes")]
    Cut {
        /// How many bytes there were.
        at: u64,
    },
    /// It is not the JSON it should be.
    #[error("byte {at}: {reason}")]
    Malformed {
        /// Where, from 0.
        at: u64,
        /// What was wrong, without any content.
        reason: String,
    },
}

/// What came of trying to parse the beginning of the window.
pub(super) enum Attempt<R> {
    /// A value, and how many bytes it took.
    Done(R, usize),
    /// The window ends inside the value.
    NeedsMore,
    /// The window begins with something else.
    Wrong(serde_json::Error),
}

impl<R> Attempt<R> {
    pub(super) fn failed(error: serde_json::Error) -> Self {
        if error.is_eof() { Self::NeedsMore } else { Self::Wrong(error) }
    }
}

/// A position in a JSON text.
pub(super) struct Scan<R> {
    input: R,
    window: Vec<u8>,
    /// Bytes of the window that are behind us.
    at: usize,
    /// Bytes of the window that hold text.
    filled: usize,
    /// Position of the window's first byte in the text.
    base: u64,
    ended: bool,
}

impl<R: Read> Scan<R> {
    pub(super) fn new(input: R) -> Self {
        Self::with_window(input, WINDOW_BYTES)
    }

    fn with_window(input: R, bytes: usize) -> Self {
        Self { input, window: vec![0; bytes], at: 0, filled: 0, base: 0, ended: false }
    }

    /// How many bytes are behind us.
    pub(super) fn position(&self) -> u64 {
        self.base + self.at as u64
    }

    fn malformed(&self, reason: impl Into<String>) -> ScanError {
        ScanError::Malformed { at: self.position(), reason: reason.into() }
    }

    fn ahead(&self) -> &[u8] {
        self.window.get(self.at..self.filled).unwrap_or_default()
    }

    /// Brings more text into the window; false at the end.
    fn more(&mut self) -> Result<bool, ScanError> {
        if self.ended {
            return Ok(false);
        }
        if self.at > 0 {
            self.window.copy_within(self.at..self.filled, 0);
            self.base += self.at as u64;
            self.filled -= self.at;
            self.at = 0;
        }
        if self.filled == self.window.len() {
            if self.window.len() >= VALUE_BYTES {
                return Err(self.malformed("one value is larger than 64 MiB"));
            }
            self.window.resize(self.window.len() * 2, 0);
        }
        // Fill up: every refill moves what is left, so few large ones are better.
        while let Some(room) = self.window.get_mut(self.filled..).filter(|room| !room.is_empty()) {
            match self.input.read(room) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.at < self.filled)
    }

    /// The next byte that is no white space, not consumed.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, ScanError> {
        loop {
            let blank = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
            match self.ahead().iter().position(|byte| !blank(byte)) {
                Some(skip) => {
                    self.at += skip;
                    return Ok(self.ahead().first().copied());
                }
                None => self.at = self.filled,
            }
            if !self.more()? {
                return Ok(None);
            }
        }
    }

    /// Consumes one punctuation mark.
    pub(super) fn take(&mut self, mark: u8) -> Result<(), ScanError> {
        match self.peek()? {
            Some(found) if found == mark => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(self.malformed(format!("expected {:?}", char::from(mark)))),
            None => Err(ScanError::Cut { at: self.position() }),
        }
    }

    /// Whether the list or object that `close` closes has another element; consumes the comma
    /// before it, or the closing mark. `first` is true before the first element.
    pub(super) fn another(&mut self, close: u8, first: &mut bool) -> Result<bool, ScanError> {
        match self.peek()? {
            None => Err(ScanError::Cut { at: self.position() }),
            Some(mark) if mark == close => {
                self.at += 1;
                Ok(false)
            }
            Some(_) if *first => {
                *first = false;
                Ok(true)
            }
            Some(_) => self.take(b',').map(|()| true),
        }
    }

    /// The name of the next field, and its colon.
    pub(super) fn key(&mut self) -> Result<String, ScanError> {
        let key = self.parse()?;
        self.take(b':')?;
        Ok(key)
    }

    /// Tries `parse` on what lies ahead, with more text each time it asks for it. For anything
    /// but a number, `parse` is done once and not called again.
    pub(super) fn attempt<T>(
        &mut self,
        mut parse: impl FnMut(&[u8]) -> Attempt<T>,
    ) -> Result<Result<T, serde_json::Error>, ScanError> {
        self.peek()?;
        loop {
            match parse(self.ahead()) {
                // A number at the very end of the window may go on behind it; everything else
                // has a closing mark.
                Attempt::Done(value, taken)
                    if taken < self.ahead().len()
                        || self.ended
                        || matches!(self.ahead().last(), Some(b'}' | b']' | b'"')) =>
                {
                    self.at += taken;
                    return Ok(Ok(value));
                }
                Attempt::Done(..) | Attempt::NeedsMore => {
                    let before = self.ahead().len();
                    self.more()?;
                    if self.ended && self.ahead().len() == before {
                        if let Attempt::Done(value, taken) = parse(self.ahead()) {
                            self.at += taken;
                            return Ok(Ok(value));
                        }
                        return Err(ScanError::Cut { at: self.base + self.filled as u64 });
                    }
                }
                Attempt::Wrong(error) => return Ok(Err(error)),
            }
        }
    }

    /// Parses the next value.
    pub(super) fn parse<T: DeserializeOwned>(&mut self) -> Result<T, ScanError> {
        let parsed = self.attempt(|ahead| {
            let mut values = serde_json::Deserializer::from_slice(ahead).into_iter();
            match values.next() {
                Some(Ok(value)) => Attempt::Done(value, values.byte_offset()),
                Some(Err(error)) => Attempt::failed(error),
                None => Attempt::NeedsMore,
            }
        })?;
        parsed.map_err(|error| self.malformed(without_content(&error)))
    }

    /// Passes over the next value; `keep` gets its text if it is given whole.
    pub(super) fn value<T>(&mut self, keep: impl FnOnce(&[u8]) -> T) -> Result<T, ScanError> {
        self.peek()?;
        let mut skip = Skip::default();
        let mut looked = 0;
        loop {
            match skip.through(self.ahead().get(looked..).unwrap_or_default()) {
                Some(length) => {
                    let end = looked + length;
                    let kept = keep(self.ahead().get(..end).unwrap_or_default());
                    self.at += end;
                    return Ok(kept);
                }
                None => looked = self.ahead().len(),
            }
            if !self.grow()? {
                return Err(ScanError::Cut { at: self.base + self.filled as u64 });
            }
        }
    }

    /// As [`Self::more`], true only if there is more text than before.
    fn grow(&mut self) -> Result<bool, ScanError> {
        let before = self.ahead().len();
        self.more()?;
        Ok(self.ahead().len() > before)
    }

    /// Passes over the list that lies ahead; gives the number of its elements.
    pub(super) fn skip_list(&mut self) -> Result<u64, ScanError> {
        self.take(b'[')?;
        let mut count = 0;
        let mut first = true;
        while self.another(b']', &mut first)? {
            self.skip()?;
            count += 1;
        }
        Ok(count)
    }

    /// Passes over the next value without keeping it, however large.
    pub(super) fn skip(&mut self) -> Result<(), ScanError> {
        self.peek()?;
        let mut skip = Skip::default();
        loop {
            if let Some(length) = skip.through(self.ahead()) {
                self.at += length;
                return Ok(());
            }
            self.at = self.filled;
            if !self.more()? {
                return Err(ScanError::Cut { at: self.position() });
            }
        }
    }
}

/// What serde says of a failure, without what it may quote of the content.
pub(super) fn without_content(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let kind = text.split([':', ',', '`', '"']).next().unwrap_or_default();
    kind.trim_end().to_owned()
}

/// Finds the end of a value by counting brackets.
#[derive(Default)]
struct Skip {
    depth: usize,
    in_text: bool,
    escaped: bool,
    started: bool,
}

impl Skip {
    /// Goes on through `bytes`; the length up to the end of the value if it lies in them.
    fn through(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            if self.in_text {
                if self.escaped && at < bytes.len() {
                    self.escaped = false;
                    at += 1;
                }
                let hit = memchr2(b'"', b'\\', bytes.get(at..)?)?;
                at += hit + 1;
                if bytes.get(at - 1) == Some(&b'\\') {
                    self.escaped = true;
                    continue;
                }
                self.in_text = false;
                if self.depth == 0 {
                    return Some(at);
                }
            }
            // Outside of texts marks stand close together; looking at each byte is quickest.
            let mut scalar_ended = None;
            for (index, byte) in bytes.get(at..)?.iter().enumerate() {
                match byte {
                    b'"' => {
                        self.in_text = true;
                        self.started = true;
                        at += index + 1;
                        break;
                    }
                    b'{' | b'[' => {
                        self.depth += 1;
                        self.started = true;
                    }
                    b'}' | b']' => {
                        if self.depth <= 1 {
                            // At depth 0 the mark closes what a number or word stands in.
                            scalar_ended = Some(at + index + self.depth);
                            break;
                        }
                        self.depth -= 1;
                    }
                    b',' if self.depth == 0 && self.started => {
                        scalar_ended = Some(at + index);
                        break;
                    }
                    _ => self.started = true,
                }
            }
            if scalar_ended.is_some() {
                return scalar_ended;
            }
            if !self.in_text {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// Any JSON value, with strings full of marks.
    fn value() -> impl Strategy<Value = Value> {
        let text = r#"[a-z"\\{}\[\],:\n 0-9é😀]{0,12}"#;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::from),
            // serde_json rounds the last bit of longer fractions.
            any::<i32>().prop_map(|n| Value::from(f64::from(n) / 4.0)),
            text.prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((text, inner), 0..6)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    /// Gives a few bytes at a time.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = buffer.len().min(3);
            self.0.read(&mut buffer[..length])
        }
    }

    proptest! {
        #[test]
        fn values_end_where_serde_says(
            values in prop::collection::vec(value(), 0..5),
            pretty in any::<bool>(),
            window in 1..40usize,
        ) {
            let list = Value::from(values.clone());
            let text = if pretty {
                serde_json::to_string_pretty(&list).unwrap()
            } else {
                list.to_string()
            };
            let open = || Scan::with_window(Drip(text.as_bytes()), window);
            let mut scans = [open(), open(), open()];
            for scan in &mut scans {
                scan.take(b'[').unwrap();
            }
            let mut firsts = [true; 3];
            for value in &values {
                for (scan, first) in scans.iter_mut().zip(&mut firsts) {
                    prop_assert!(scan.another(b']', first).unwrap());
                }
                let [skipping, keeping, parsing] = &mut scans;
                skipping.skip().unwrap();
                let kept = keeping.value(|json| serde_json::from_slice::<Value>(json)).unwrap().unwrap();
                let parsed: Value = parsing.parse().unwrap();
                prop_assert_eq!(&parsed, value);
                prop_assert_eq!(&parsed, &kept);
                // Blanks behind a number may be on either side.
                for scan in [&mut *skipping, &mut *keeping, &mut *parsing] {
                    scan.peek().unwrap();
                }
                prop_assert_eq!(skipping.position(), parsing.position());
                prop_assert_eq!(keeping.position(), parsing.position());
            }
            for (scan, first) in scans.iter_mut().zip(&mut firsts) {
                prop_assert!(!scan.another(b']', first).unwrap());
                prop_assert_eq!(scan.position(), text.len() as u64);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(
            bytes in prop::collection::vec(
                prop::sample::select(&b"{}[],:\"\\ae1-. \n\xff"[..]), 0..60),
            window in 1..20usize,
        ) {
            let open = || Scan::with_window(Drip(&bytes), window);
            let _ = open().skip();
            let _ = open().skip_list();
            let _ = open().value(<[u8]>::len);
            let _ = open().parse::<Value>();
            let _ = open().key();
        }
    }
}
