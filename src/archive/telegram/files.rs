//! The files that messages name: found in the container, or said to be absent.
//!
//! Paths in the export are relative to its root; they are used as names to look up and never as
//! paths to open, so that nothing outside the container can be reached.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::Read;

use sha2::{Digest, Sha256 as Hasher};

use crate::archive::container::{Container, Entry};
use crate::model::ids::Sha256;
use crate::model::media::{Attachment, AttachmentState, MediaKind};

/// As many bytes as the recognition of a file type looks at.
const MAGIC: usize = 8192;

/// The entries that something in the export names.
pub(super) type Marks = RefCell<HashSet<String>>;

/// Where the files of one export are looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Files<'a> {
    container: &'a Container,
    /// The folder of the export inside the container: empty, or ending in `/`.
    root: &'a str,
    /// Whether every file is read to learn its digest.
    hash: bool,
    /// Where it is written down which entries were named.
    marks: Option<&'a Marks>,
}

/// What the export says in the place of a path (its English whatever the language).
fn sentence(text: &str) -> Option<AttachmentState> {
    if !text.starts_with('(') {
        return None;
    }
    if text.contains("not included.") {
        Some(AttachmentState::Omitted)
    } else if text.contains("exceeds maximum size") {
        Some(AttachmentState::TooLarge)
    } else if text.contains("unavailable, please try again later") {
        Some(AttachmentState::Missing)
    } else {
        None
    }
}

/// A file as a message names it, and whether it should be there and is not.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) attachment: Attachment,
    /// A path was written and there is no such file.
    pub(super) lost: bool,
}

impl<'a> Files<'a> {
    pub(super) fn new(container: &'a Container, root: &'a str, hash: bool) -> Self {
        Self { container, root, hash, marks: None }
    }

    /// The same, writing down which entries are named.
    pub(super) fn marking(self, marks: Option<&'a Marks>) -> Self {
        Self { marks, ..self }
    }

    /// The entry of a path that the export writes.
    pub(super) fn find(&self, path: &str) -> Option<&'a Entry> {
        if path.is_empty() || path.starts_with('/') {
            return None;
        }
        let entry = if self.root.is_empty() {
            self.container.find(path)
        } else {
            self.container.find(&format!("{}{path}", self.root))
        }?;
        if let Some(marks) = self.marks {
            marks.borrow_mut().insert(entry.name.clone());
        }
        Some(entry)
    }

    /// Takes note of a file that is named and not carried: a custom emoji, a photo of the chat.
    pub(super) fn mention(&self, path: &str) {
        if self.marks.is_some() && sentence(path).is_none() {
            self.find(path);
        }
    }

    /// An attachment for a path, or for the sentence that stands in its place.
    pub(super) fn attachment(&self, kind: MediaKind, path: &str, name: Option<&str>) -> Named {
        if let Some(state) = sentence(path) {
            let mut attachment = Attachment::new(kind, state);
            attachment.name = name.map(str::to_owned);
            return Named { attachment, lost: false };
        }
        let own = path.rsplit('/').next().filter(|own| !own.is_empty());
        let mut attachment = Attachment::new(kind, AttachmentState::Missing);
        attachment.name = name.or(own).map(str::to_owned);
        let Some(entry) = self.find(path) else {
            return Named { attachment, lost: !path.is_empty() };
        };
        attachment.state = AttachmentState::Present;
        attachment.size_bytes = Some(entry.size_bytes);
        attachment.entry = Some(entry.name.clone());
        if self.hash {
            self.examine(entry, &mut attachment);
        }
        Named { attachment, lost: false }
    }

    /// The entry of a preview, if it is there.
    pub(super) fn thumbnail(&self, path: &str) -> Option<String> {
        sentence(path).is_none().then(|| self.find(path).map(|entry| entry.name.clone())).flatten()
    }

    /// Reads a file: what it is by its first bytes, and its digest. A file that breaks off is
    /// as good as missing its digest.
    fn examine(&self, entry: &Entry, attachment: &mut Attachment) {
        let Ok(mut stream) = self.container.reader(entry) else { return };
        let mut head = Vec::with_capacity(MAGIC);
        if stream.by_ref().take(MAGIC as u64).read_to_end(&mut head).is_err() {
            return;
        }
        attachment.sniffed_mime = infer::get(&head).map(|kind| kind.mime_type().to_owned());
        let mut hasher = Hasher::new();
        hasher.update(&head);
        let mut buffer = vec![0; 1 << 16];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => hasher.update(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
        attachment.sha256 = Some(Sha256::from_bytes(hasher.finalize().into()));
    }
}
