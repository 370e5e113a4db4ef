//! Names of entries: which ones are safe, how their bytes become text, and how they are found.

use std::borrow::Cow;
use std::cmp::Ordering;

use unicode_normalization::UnicodeNormalization;

/// What a stored name amounts to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A path inside the container, `/` between its parts.
    Inside(String),
    /// Something the file system added by itself, not part of any export.
    Clutter,
    /// It would leave the container, or means different files to different systems; why.
    Unsafe(&'static str),
}

/// Judges a stored name. Parts that mean nothing (`./`, doubled slashes) are taken out.
pub(super) fn judge(stored: &str) -> Verdict {
    if stored.contains('\0') {
        return Verdict::Unsafe("a name with a zero byte");
    }
    if stored.contains('\\') {
        return Verdict::Unsafe("a name with a backslash");
    }
    if stored.starts_with('/') {
        return Verdict::Unsafe("an absolute path");
    }
    let mut bytes = stored.bytes();
    if bytes.next().is_some_and(|b| b.is_ascii_alphabetic()) && bytes.next() == Some(b':') {
        return Verdict::Unsafe("a path with a drive letter");
    }
    let mut name = String::with_capacity(stored.len());
    for part in stored.split('/') {
        match part {
            "" | "." => continue,
            ".." => return Verdict::Unsafe("a path that climbs out"),
            // Finder's resource forks and folder views, Explorer's thumbnails.
            "__MACOSX" | ".DS_Store" | "Thumbs.db" | "desktop.ini" => return Verdict::Clutter,
            _ => {}
        }
        if !name.is_empty() {
            name.push('/');
        }
        name.push_str(part);
    }
    if name.is_empty() {
        return Verdict::Unsafe("an empty name");
    }
    Verdict::Inside(name)
}

/// Makes text of the bytes of a zip name.
///
/// The UTF-8 flag is not asked: macOS writes UTF-8 without it, and no name in an old code page
/// is valid UTF-8 by accident. What is not UTF-8 is CP437, or CP850 where CP437 would give
/// box-drawing lines: Explorer writes the console's code page, which is 850 in France.
pub(super) fn decode(raw: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(raw) {
        return Cow::Borrowed(text);
    }
    let page = if raw.iter().any(|b| (0xB0..=0xDF).contains(b)) { CP850 } else { CP437 };
    let high: Vec<char> = page.chars().collect();
    let letter = |&byte: &u8| match byte.checked_sub(0x80) {
        None => char::from(byte),
        Some(at) => high.get(usize::from(at)).copied().unwrap_or(char::REPLACEMENT_CHARACTER),
    };
    Cow::Owned(raw.iter().map(letter).collect())
}

/// Bytes 80 to FF of IBM's code page 437.
const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»\
                     ░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
                     αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// Bytes 80 to FF of IBM's code page 850.
const CP850: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»\
                     ░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀\
                     ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{ad}±‗¾¶§÷¸°¨·¹³²■\u{a0}";

/// Orders names as if all were in Unicode form C, so that equal texts are neighbours.
pub(super) fn order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.nfc().cmp(b.nfc()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_leave_is_unsafe() {
        for name in
            ["/etc/passwd", "../x", "a/../../x", "a/..", "C:/x", "c:x", "a\\b", "x\0y", "", "./"]
        {
            assert!(matches!(judge(name), Verdict::Unsafe(_)), "{name:?}");
        }
        assert_eq!(judge("./a//b.txt"), Verdict::Inside("a/b.txt".into()));
        assert_eq!(judge("a..b/...c"), Verdict::Inside("a..b/...c".into()));
        assert_eq!(judge("__MACOSX/a/._b"), Verdict::Clutter);
    }

    #[test]
    fn code_pages_have_their_size() {
        assert_eq!(CP437.chars().count(), 128);
        assert_eq!(CP850.chars().count(), 128);
        assert_eq!(decode("été".as_bytes()), "été");
        assert_eq!(decode(b"r\x82union \x85 7h.txt"), "réunion à 7h.txt");
        assert_eq!(decode(b"\xb7 l'\x90tat.txt"), "À l'État.txt");
    }

    #[test]
    fn unicode_forms_are_neighbours() {
        assert_eq!(order("e\u{301}te\u{301}", "\u{e9}t\u{e9}"), Ordering::Equal);
        assert_eq!(order("a", "\u{e9}"), Ordering::Less);
    }
}
