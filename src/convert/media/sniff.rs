//! What kind of file some bytes are.

/// The MIME type of a file from its first bytes (some kilobytes). `name` only refines what
/// the bytes leave open: it can make a ZIP a document of an office suite, a text a CSV, and
/// unknown bytes an `application/…`; never a picture, a film, a sound or a web page.
pub fn sniff(head: &[u8], name: Option<&str>) -> String {
    let by_name = || name.and_then(|name| mime_guess::from_path(name).first_raw());
    if let Some(mime) = iso_media(head) {
        return mime.to_owned();
    }
    if let Some(mime) = infer::get(head).map(|kind| kind.mime_type()) {
        // `infer` finds web pages and scripts in texts; `written` is stricter about them.
        if !mime.starts_with("text/") {
            return refined(usual(mime), by_name()).to_owned();
        }
    }
    if let Some(mime) = written(head) {
        let refined = by_name().filter(|guess| mime == "text/plain" && is_text(guess));
        return refined.unwrap_or(mime).to_owned();
    }
    by_name()
        .filter(|guess| guess.starts_with("application/") && !is_text(guess))
        .unwrap_or("application/octet-stream")
        .to_owned()
}

/// The family of MP4, by the brand in its first box (ISO/IEC 14496-12, `ftyp`).
fn iso_media(head: &[u8]) -> Option<&'static str> {
    if head.get(4..8)? != b"ftyp" {
        return None;
    }
    Some(match head.get(8..12)? {
        b"M4A " | b"M4B " | b"M4P " => "audio/mp4",
        b"qt  " => "video/quicktime",
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"mif1" | b"msf1" => "image/heic",
        b"avif" | b"avis" => "image/avif",
        b"crx " => "image/x-canon-cr3",
        brand if brand.starts_with(b"3g") => "video/3gpp",
        _ => "video/mp4",
    })
}

/// The name clients know a type by.
fn usual(mime: &'static str) -> &'static str {
    match mime {
        "audio/opus" => "audio/ogg",
        "audio/m4a" => "audio/mp4",
        "audio/x-wav" => "audio/wav",
        "audio/x-flac" => "audio/flac",
        "video/x-m4v" => "video/mp4",
        other => other,
    }
}

/// Containers that many formats share may be named by the file's ending.
fn refined<'a>(mime: &'a str, by_name: Option<&'a str>) -> &'a str {
    let shared = matches!(mime, "application/zip" | "application/x-ole-storage");
    by_name
        .filter(|guess| {
            shared && (guess.starts_with("application/vnd.") || *guess == "application/msword")
        })
        .unwrap_or(mime)
}

/// The type of bytes that are text, or `None` if they are not.
fn written(head: &[u8]) -> Option<&'static str> {
    // The head may end inside a character.
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(fault) if fault.error_len().is_none() => {
            std::str::from_utf8(head.get(..fault.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    let controls = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}');
    if text.is_empty() || text.chars().any(controls) {
        return None;
    }
    let start: String =
        text.trim_start_matches('\u{feff}').trim_start().chars().take(512).collect();
    let start = start.to_ascii_lowercase();
    Some(if start.starts_with("begin:vcard") {
        "text/vcard"
    } else if start.starts_with("begin:vcalendar") {
        "text/calendar"
    } else if start.starts_with("<svg") || (start.starts_with("<?xml") && start.contains("<svg")) {
        "image/svg+xml"
    } else if start.starts_with("<!doctype html") || start.starts_with("<html") {
        "text/html"
    } else if start.starts_with("<?xml") {
        "application/xml"
    } else if start.starts_with("{\\rtf") {
        "application/rtf"
    } else {
        "text/plain"
    })
}

/// Types that a plain text may be by its name; nothing a browser would run.
fn is_text(guess: &str) -> bool {
    matches!(
        guess,
        "text/plain"
            | "text/csv"
            | "text/tab-separated-values"
            | "text/markdown"
            | "application/json"
            | "application/toml"
            | "text/x-yaml"
            | "text/x-log"
    )
}

#[cfg(test)]
mod tests {
    use super::sniff;

    #[test]
    fn bytes_speak_before_names() {
        for (head, name, mime) in [
            (&b"\xff\xd8\xff\xe0\0\x10JFIF"[..], "a.pdf", "image/jpeg"),
            (
                b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead",
                "a.opus",
                "audio/ogg",
            ),
            (b"\0\0\0\x18ftypmp42\0\0\0\0", "a.jpg", "video/mp4"),
            (b"\0\0\0\x18ftypM4A \0\0\0\0", "a", "audio/mp4"),
            (b"\0\0\0\x18ftypheic\0\0\0\0", "a.jpg", "image/heic"),
            (b"\xef\xbb\xbfBEGIN:VCARD\r\nVERSION:3.0", "a.txt", "text/vcard"),
            (b"a;b;c\n1;2;3\n", "a.csv", "text/csv"),
            (b"bonjour \xc3", "a.jpg", "text/plain"),
            (b"<script>alert(1)</script>", "a.html", "text/plain"),
            (b"<!DOCTYPE html><html>", "a.txt", "text/html"),
            (b"<?xml version=\"1.0\"?><svg onload=\"x\">", "a.png", "image/svg+xml"),
            (b"PK\x03\x04\x14\0\0\0\x08\0", "a.odt", "application/vnd.oasis.opendocument.text"),
            (b"PK\x03\x04\x14\0\0\0\x08\0", "a.jpg", "application/zip"),
            (b"\x1f\x8b\x08\0", "a.tgs", "application/gzip"),
            (b"\0\x01\x02\x03\xff", "a.jpg", "application/octet-stream"),
            (b"", "a.mp4", "application/octet-stream"),
        ] {
            assert_eq!(sniff(head, Some(name)), mime, "{name}");
        }
    }
}
