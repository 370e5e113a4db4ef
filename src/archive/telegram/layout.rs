//! Finds Telegram exports in a container: `result.json` and the folders with `messages*.html`.
//!
//! Folders may have been renamed, merged or zipped with others, so only content counts. Which
//! file is an export, and how surely, is asked of `lookalike` for JSON; HTML is known by its
//! frame.

use std::collections::BTreeMap;
use std::io::Read;

use memchr::memmem;

use super::lookalike;
use crate::archive::container::{Container, Entry};
use crate::archive::reader::Confidence;

/// How much of a JSON file is read to know it by.
const JSON_HEAD: u64 = 256 << 10;

/// How much of a page: its frame and the chat's title stand in the first two thousand bytes. An
/// account may have thousands of chats, so no more is read.
const PAGE_HEAD: u64 = 8 << 10;

/// JSON files beyond this number are not looked at; a full export has two.
const MOST_CANDIDATES: usize = 32;

/// One export in a container.
#[derive(Debug)]
pub(super) struct Export<'a> {
    /// The folder that holds it: empty, or ending in `/`.
    pub(super) root: String,
    /// `result.json`, whatever it is called now.
    pub(super) json: Option<&'a Entry>,
    /// The HTML chats, by folder in the order of their numbers.
    pub(super) html: Vec<HtmlChat<'a>>,
    /// How sure it is.
    pub(super) confidence: Confidence,
}

/// The pages of one chat.
#[derive(Debug)]
pub(super) struct HtmlChat<'a> {
    /// The folder of its pages: empty, or ending in `/`.
    pub(super) folder: String,
    /// The number in `chats/chat_07/`; `None` where the chat is the whole export.
    pub(super) number: Option<u64>,
    /// `messages.html`, `messages2.html`, … in order.
    pub(super) pages: Vec<&'a Entry>,
}

/// Finds every export, in the order of their folders.
pub(super) fn find(container: &Container) -> Vec<Export<'_>> {
    let mut exports: BTreeMap<String, Export<'_>> = BTreeMap::new();
    for entry in candidates(container) {
        let confidence = lookalike::recognise(&head(container, entry, JSON_HEAD));
        if confidence == Confidence::No {
            continue;
        }
        // Of two in one folder the surer is the export; the exporter's own name comes first.
        let found = exports.entry(entry.folder().to_owned()).or_insert_with(|| Export {
            root: entry.folder().to_owned(),
            json: None,
            html: Vec::new(),
            confidence,
        });
        if found.json.is_none() || confidence > found.confidence {
            found.json = Some(entry);
            found.confidence = found.confidence.max(confidence);
        }
    }
    for chat in html_chats(container) {
        let (root, number) = split_chat_folder(&chat.folder);
        let root = root.to_owned();
        let chat = HtmlChat { number, ..chat };
        let found = exports.entry(root.clone()).or_insert_with(|| Export {
            root,
            json: None,
            html: Vec::new(),
            confidence: Confidence::Certain,
        });
        found.confidence = Confidence::Certain;
        found.html.push(chat);
    }
    let mut exports: Vec<_> = exports.into_values().collect();
    // An export that somebody sent as a file is an attachment of the export around it.
    let roots: Vec<String> = exports.iter().map(|export| export.root.clone()).collect();
    exports.retain(|export| !roots.iter().any(|root| is_attachment_of(&export.root, root)));
    for export in &mut exports {
        export.html.sort_by(|a, b| (a.number, &a.folder).cmp(&(b.number, &b.folder)));
    }
    exports
}

/// The JSON files of a container, those that are likely to be exports first.
fn candidates(container: &Container) -> Vec<&Entry> {
    let single = container.entries().len() == 1;
    let mut candidates: Vec<&Entry> = container
        .entries()
        .iter()
        .filter(|entry| {
            let name = entry.file_name();
            let end = name.rsplit_once('.').map_or("", |(_, end)| end);
            end.eq_ignore_ascii_case("json") || (single && !name.contains(".html"))
        })
        .collect();
    candidates.sort_by_cached_key(|entry| {
        (entry.file_name() != "result.json", entry.name.matches('/').count())
    });
    candidates.truncate(MOST_CANDIDATES);
    candidates
}

/// Whether a folder is, or lies in, a folder for the files of messages of an export.
fn is_attachment_of(folder: &str, root: &str) -> bool {
    folder.len() > root.len()
        && folder.strip_prefix(root).is_some_and(|inside| inside.split('/').any(is_media_folder))
}

/// The folders that the exporter makes for the files of messages.
fn is_media_folder(name: &str) -> bool {
    matches!(
        name,
        "photos"
            | "video_files"
            | "animations"
            | "voice_messages"
            | "round_video_messages"
            | "stickers"
            | "files"
            | "contacts"
    )
}

/// Whether an entry may be a file that a message should name: one in the folders the exporter
/// makes for them. Previews beside files, the owner's own pictures and the frame of the pages
/// belong to no message.
pub(super) fn may_be_media(entry: &Entry, export: &Export<'_>) -> bool {
    let Some(path) = entry.name.strip_prefix(&export.root) else { return false };
    let Some((folders, name)) = path.rsplit_once('/') else { return false };
    let own = folders.rsplit('/').next().unwrap_or_default();
    let known = is_media_folder(own);
    // `files` of the root also holds the owner's profile music.
    let music = path.starts_with("files/") && export.json.is_some() && has_chats(export);
    known && !music && !name.contains("_thumb.")
}

fn has_chats(export: &Export<'_>) -> bool {
    export.html.iter().any(|chat| chat.number.is_some())
}

fn html_chats(container: &Container) -> Vec<HtmlChat<'_>> {
    let mut folders: BTreeMap<&str, Vec<(u64, &Entry)>> = BTreeMap::new();
    for entry in container.entries() {
        if let Some(number) = page_number(entry.file_name()) {
            folders.entry(entry.folder()).or_default().push((number, entry));
        }
    }
    folders
        .into_iter()
        .filter_map(|(folder, mut pages)| {
            pages.sort_by_key(|(number, _)| *number);
            let (_, first) = *pages.first()?;
            is_html_export(&page_head(container, first)).then(|| HtmlChat {
                folder: folder.to_owned(),
                number: None,
                pages: pages.into_iter().map(|(_, entry)| entry).collect(),
            })
        })
        .collect()
}

/// The number of a page: `messages.html` is 1, `messages2.html` 2.
fn page_number(name: &str) -> Option<u64> {
    let middle = name.strip_prefix("messages")?.strip_suffix(".html")?;
    if middle.is_empty() { Some(1) } else { middle.parse().ok() }
}

/// `x/chats/chat_07/` is chat 7 of the export in `x/`; a topic's folder lies one deeper. Any
/// other folder is an export of its own.
fn split_chat_folder(folder: &str) -> (&str, Option<u64>) {
    let Some((root, rest)) = folder.rsplit_once("chats/chat_") else { return (folder, None) };
    if !root.is_empty() && !root.ends_with('/') {
        return (folder, None);
    }
    match rest.trim_end_matches('/').parse() {
        Ok(number) => (root, Some(number)),
        Err(_) if rest.contains("/topic_") => (root, None),
        Err(_) => (folder, None),
    }
}

fn is_html_export(head: &[u8]) -> bool {
    let has = |needle: &str| memmem::find(head, needle.as_bytes()).is_some();
    has("class=\"page_wrap")
        && (has("class=\"history\"") || has("class=\"message "))
        && has("Exported Data")
}

/// The beginning of a page.
pub(super) fn page_head(container: &Container, page: &Entry) -> Vec<u8> {
    head(container, page, PAGE_HEAD)
}

/// The beginning of a file; what cannot be read is empty.
fn head(container: &Container, entry: &Entry, length: u64) -> Vec<u8> {
    let mut head = Vec::new();
    if let Ok(stream) = container.reader(entry) {
        // An error after some bytes is as good as an end: the head is only looked at.
        let _ = stream.take(length).read_to_end(&mut head);
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_folders() {
        assert_eq!(page_number("messages.html"), Some(1));
        assert_eq!(page_number("messages12.html"), Some(12));
        assert_eq!(page_number("messagesx.html"), None);
        assert_eq!(split_chat_folder("a/chats/chat_07/"), ("a/", Some(7)));
        assert_eq!(split_chat_folder("chats/chat_7/"), ("", Some(7)));
        assert_eq!(split_chat_folder("chats/chat_7/topic_3/"), ("", None));
        assert_eq!(split_chat_folder("mychats/chat_7/"), ("mychats/chat_7/", None));
        assert_eq!(split_chat_folder(""), ("", None));
        assert!(is_attachment_of("a/files/", "a/"));
        assert!(is_attachment_of("chats/chat_1/files/x/", ""));
        assert!(!is_attachment_of("files/", "files/"));
        assert!(!is_attachment_of("b/", ""));
    }
}
