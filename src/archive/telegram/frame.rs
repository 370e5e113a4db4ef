//! What can be told of JSON without parsing it: where a value ends, which bytes are text, how ids
//! are written further on.

use memchr::{memchr2, memmem};

use super::ids::IdStyle;

/// The valid text at the beginning of some bytes, which may end inside a character.
pub(super) fn text_at_hand(bytes: &[u8]) -> &str {
    let tail = bytes.iter().rev().take(3).take_while(|byte| **byte >= 0x80).count();
    let whole = bytes.get(..bytes.len() - tail).unwrap_or_default();
    simdutf8::compat::from_utf8(whole).unwrap_or_else(|error| {
        let valid = whole.get(..error.valid_up_to()).unwrap_or_default();
        std::str::from_utf8(valid).unwrap_or_default()
    })
}

/// Finds the end of one JSON value by its quotes and brackets alone.
#[derive(Debug, Default)]
pub(super) struct Frame {
    depth: usize,
    in_string: bool,
    escaped: bool,
    in_scalar: bool,
}

impl Frame {
    /// Takes more bytes; the number of them that belong to the value, once it is over.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if self.escaped {
                self.escaped = false;
                at += 1;
            } else if self.in_string {
                let found = memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default())?;
                at += found + 1;
                if bytes.get(at - 1) == Some(&b'\\') {
                    self.escaped = true;
                } else {
                    self.in_string = false;
                    if self.depth == 0 {
                        return Some(at);
                    }
                }
            } else {
                match byte {
                    b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t' if self.in_scalar => {
                        return Some(at);
                    }
                    b'"' => self.in_string = true,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => {
                        self.depth = self.depth.saturating_sub(1);
                        if self.depth == 0 {
                            return Some(at + 1);
                        }
                    }
                    _ => self.in_scalar = self.depth == 0,
                }
                at += 1;
            }
        }
        None
    }
}

/// The end of an object by its indentation: its closing bracket stands on a line of its own, less
/// indented than its first key. A line end cannot stand inside a string of JSON.
pub(super) fn end_by_lines(bytes: &[u8]) -> Option<usize> {
    let indent = |line: &[u8]| line.iter().take_while(|byte| **byte == b' ').count();
    let inner = bytes.strip_prefix(b"{")?;
    let inner = inner.strip_prefix(b"\r").unwrap_or(inner).strip_prefix(b"\n")?;
    let keys = indent(inner);
    memchr::memchr_iter(b'\n', bytes).find_map(|at| {
        let line = bytes.get(at + 1..)?;
        let depth = indent(line);
        (depth < keys && line.get(depth) == Some(&b'}')).then_some(at + 1 + depth + 1)
    })
}

/// How the messages ahead write people's ids. The keys cannot stand inside a text, where their
/// quotes would be escaped.
pub(super) fn id_style(ahead: &[u8]) -> IdStyle {
    for key in [&b"\"from_id\""[..], b"\"actor_id\""] {
        for at in memmem::find_iter(ahead, key) {
            let value = ahead.get(at + key.len()..).unwrap_or_default();
            let first = value.iter().find(|byte| !matches!(byte, b' ' | b':'));
            match first {
                Some(b'"') => return IdStyle::Peer,
                Some(byte) if byte.is_ascii_digit() || *byte == b'-' => {
                    // Exports with bare numbers are older than those with `date_unixtime`.
                    let both = memmem::find(ahead, b"\"date_unixtime\"").is_some();
                    return if both { IdStyle::Number } else { IdStyle::OldNumber };
                }
                Some(_) | None => {}
            }
        }
    }
    IdStyle::Unknown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_ends_where_it_ends_however_it_comes() {
        for (source, length) in [
            (r#"{"a}": ["]\"", 1]} "#, 18),
            (r#""a\"b", 1"#, 6),
            ("12, 3", 2),
            ("null}", 4),
            ("[[], {}]]", 8),
        ] {
            for cut in 0..source.len() {
                let (first, second) = source.as_bytes().split_at(cut);
                let mut frame = Frame::default();
                let found = frame.advance(first).or_else(|| frame.advance(second).map(|n| cut + n));
                assert_eq!(found, Some(length), "{source} cut at {cut}");
            }
        }
    }

    #[test]
    fn text_ends_before_what_is_no_text() {
        assert_eq!(text_at_hand("aé".as_bytes()), "a");
        assert_eq!(text_at_hand("éa".as_bytes()), "éa");
        assert_eq!(text_at_hand(b"a\xffb"), "a");
        assert_eq!(text_at_hand(b""), "");
    }
}
