//! Names to save files under.

/// Longest file name kept; file systems of those who save it stop at 255 bytes.
const LONGEST_NAME_BYTES: usize = 200;

/// The name to save a file under: its own, else `word` with the ending its bytes call for.
pub(super) fn file_name(name: Option<&str>, word: &str, mime: &str) -> String {
    let name = name.map(clean_name).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| {
        // In a person's name a slash is no folder.
        let word = clean_name(&word.replace(['/', '\\'], "-"));
        match ending(mime) {
            Some(ending) => format!("{word}.{ending}"),
            None => word,
        }
    })
}

/// A file name without folders, without characters that hide or turn what follows
/// (`facture\u{202e}fdp.exe`), and not endless.
pub(super) fn clean_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let hides = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let visible: String = last.chars().filter(|c| !hides(*c)).collect();
    let visible = visible.trim();
    if visible.chars().all(|c| c == '.') {
        return String::new();
    }
    if visible.len() <= LONGEST_NAME_BYTES {
        return visible.to_owned();
    }
    let ending = visible.rsplit_once('.').map(|(_, ending)| ending).filter(|e| e.len() <= 10);
    let mut short = String::new();
    for c in visible.chars() {
        if short.len() + c.len_utf8() > LONGEST_NAME_BYTES - 16 {
            break;
        }
        short.push(c);
    }
    short.push('…');
    if let Some(ending) = ending {
        short.push('.');
        short.push_str(ending);
    }
    short
}

/// The usual ending of files of a type, for those we meet.
fn ending(mime: &str) -> Option<&'static str> {
    match mime {
        "image/jpeg" => Some("jpg"),
        "image/png" => Some("png"),
        "image/gif" => Some("gif"),
        "image/webp" => Some("webp"),
        "video/mp4" => Some("mp4"),
        "video/webm" => Some("webm"),
        "video/quicktime" => Some("mov"),
        "audio/ogg" => Some("ogg"),
        "audio/mpeg" => Some("mp3"),
        "audio/mp4" | "audio/x-m4a" | "audio/m4a" => Some("m4a"),
        "application/pdf" => Some("pdf"),
        "text/vcard" => Some("vcf"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lie_no_more() {
        assert_eq!(clean_name("a/../b\\c.pdf"), "c.pdf");
        assert_eq!(clean_name("facture\u{202e}fdp.exe"), "facturefdp.exe");
        let long = clean_name(&format!("{}.pdf", "é".repeat(300)));
        assert!(long.len() <= LONGEST_NAME_BYTES && long.ends_with("….pdf"), "{long}");
        assert_eq!(file_name(None, "photo", "image/jpeg"), "photo.jpg");
        assert_eq!(file_name(Some("..\u{0}"), "Paul / D", "text/vcard"), "Paul - D.vcf");
        assert_eq!(file_name(Some(" "), "Paul / D", "text/vcard"), "Paul - D.vcf");
    }
}
