//! Makes JSON of what Telegram Desktop writes when it does not write JSON.
//!
//! Three defects are known in the source of the exporter, and a fourth in files of other tools:
//! control characters written as `\x1F`; a custom emoji's path without quotes (4.0.4 – 4.1.1);
//! bytes that are not UTF-8; raw control characters inside strings. The third kind of the
//! exporter, a key that stands twice, needs no repair here: [`super::raw`] keeps the first.
//!
//! Only a record that does not parse comes here, so sound exports pay nothing.

/// What had to be repaired in a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Repairs {
    /// `\xNN` became `\u00NN`.
    pub(super) escapes: bool,
    /// A bare `document_id` was quoted.
    pub(super) unquoted: bool,
    /// Bytes that are not UTF-8 became U+FFFD.
    pub(super) not_text: bool,
}

impl Repairs {
    /// Whether anything was changed at all.
    #[cfg(test)]
    pub(super) fn any(self) -> bool {
        self.escapes || self.unquoted || self.not_text
    }
}

/// Rewrites one record so that a JSON parser accepts it.
pub(super) fn repair(record: &[u8]) -> (String, Repairs) {
    let mut repairs = Repairs::default();
    let text = String::from_utf8_lossy(record);
    repairs.not_text = matches!(text, std::borrow::Cow::Owned(_));
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest: &str = &text;
    while let Some(quote) = rest.find('"') {
        let (before, string) = rest.split_at(quote + 1);
        out.push_str(before);
        let length = copy_string(string, &mut out, &mut repairs);
        let (content, after) = string.split_at(length);
        rest = after;
        if content == "document_id\"" {
            rest = copy_bare_value(rest, &mut out, &mut repairs);
        }
    }
    out.push_str(rest);
    (out, repairs)
}

/// Copies a string's inside and closing quote; returns how many bytes of the source it took.
fn copy_string(string: &str, out: &mut String, repairs: &mut Repairs) -> usize {
    let bytes = string.as_bytes();
    let (mut copied, mut at) = (0, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += 1;
                break;
            }
            b'\\' if bytes.get(at + 1) == Some(&b'x') && is_hex_pair(bytes, at + 2) => {
                out.push_str(string.get(copied..at).unwrap_or_default());
                out.push_str("\\u00");
                copied = at + 2;
                at += 4;
                repairs.escapes = true;
            }
            b'\\' => at += 2,
            0..0x20 => {
                out.push_str(string.get(copied..at).unwrap_or_default());
                out.push_str("\\u00");
                out.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
                out.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
                at += 1;
                copied = at;
                repairs.escapes = true;
            }
            _ => at += 1,
        }
    }
    let mut end = at.min(bytes.len());
    while !string.is_char_boundary(end) {
        end += 1;
    }
    out.push_str(string.get(copied..end).unwrap_or_default());
    end
}

fn is_hex_pair(bytes: &[u8], at: usize) -> bool {
    bytes.get(at..at + 2).is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit))
}

/// Quotes the value after a `document_id` key if it is bare: everything up to the line's end.
fn copy_bare_value<'a>(rest: &'a str, out: &mut String, repairs: &mut Repairs) -> &'a str {
    let Some(colon) = rest.find(|c: char| c != ' ') else { return rest };
    if !rest.get(colon..).is_some_and(|r| r.starts_with(':')) {
        return rest;
    }
    let (before, value) = rest.split_at(colon + 1);
    let line = value.find('\n').map_or(value, |end| value.get(..end).unwrap_or(value));
    let bare = line.trim_matches([' ', '\r', ',']);
    let first = bare.chars().next();
    // A quoted value, or null, is as it should be; nothing at all becomes an empty string.
    let null =
        bare.strip_prefix("null").is_some_and(|rest| !rest.starts_with(char::is_alphanumeric));
    if first == Some('"') || null || first.is_some_and(|c| c.is_ascii_digit()) {
        return rest;
    }
    out.push_str(before);
    out.push_str(" \"");
    out.push_str(&bare.replace('\\', "\\\\").replace('"', "\\\""));
    out.push('"');
    if line.trim_end().ends_with(',') {
        out.push(',');
    }
    repairs.unquoted = true;
    value.get(line.len()..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_become_unicode_escapes() {
        let (fixed, repairs) = repair(br#"{"text": "a\x01\\x02\x1F"}"#);
        assert_eq!(fixed, r#"{"text": "a\u0001\\x02\u001F"}"#);
        assert!(repairs.escapes && !repairs.unquoted);
        let value: serde_json::Value = serde_json::from_str(&fixed).unwrap();
        assert_eq!(value["text"], "a\u{1}\\x02\u{1f}");
    }

    #[test]
    fn bare_paths_get_quotes() {
        let source = "{\n \"a\": [\n  {\n   \"type\": \"custom_emoji\",\n   \"document_id\": \
                      video_files/sticker (2).webm\n  },\n  {\n   \"document_id\": \n  },\n  {\n   \
                      \"document_id\": \"fine\"\n  },\n  {\n   \"document_id\": null, \"b\": 1}]}";
        let (fixed, repairs) = repair(source.as_bytes());
        assert!(repairs.unquoted && !repairs.escapes);
        let value: serde_json::Value = serde_json::from_str(&fixed).unwrap();
        assert_eq!(value["a"][0]["document_id"], "video_files/sticker (2).webm");
        assert_eq!(value["a"][1]["document_id"], "");
        assert_eq!(value["a"][2]["document_id"], "fine");
        assert_eq!(value["a"][3]["b"], 1);
    }

    #[test]
    fn hostile_ends_do_not_panic() {
        for source in
            ["\"", "\"\\", "\"\\x", "\"\\é", "\"document_id\"", "\"document_id\":", "é\"é"]
        {
            let (fixed, _) = repair(source.as_bytes());
            assert!(fixed.len() >= source.len());
        }
        let (fixed, repairs) = repair(b"{\"a\": \"\xff\"}");
        assert!(repairs.not_text);
        assert_eq!(fixed, "{\"a\": \"\u{fffd}\"}");
    }
}
