//! The files of messages: which of them the export really holds.
//!
//! A file lies at `files/<SHA-256 in hexadecimal>`. Only files that a message names are ever
//! opened: the folder of an Android export also holds those of messages that could be seen once.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use sha2::Digest as _;

use super::encoded::LinkPreview;
use super::ids;
use super::raw::RawAttachment;
use crate::archive::container::{Container, Entry};
use crate::model::finding::FindingKind;
use crate::model::ids::Sha256;
use crate::model::media::{Attachment, AttachmentState, MediaKind};

/// What is read of a file to know its type.
const HEAD_BYTES: usize = 4096;
/// Link previews hold a line of text and a thumbnail.
const PREVIEW_BYTES: u64 = 1 << 20;
/// SHA-256 of no bytes: the digest of a file that is truly empty.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
pub(super) const LINK_PREVIEW: &str = "olvid/link-preview";

/// How closely files are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Size only.
    Listed,
    /// The first bytes, for the type.
    Head,
    /// All bytes, for the digest.
    Whole,
}

/// What looking at a file showed.
#[derive(Clone, Debug)]
enum Seen {
    /// Its type, if known.
    Good(Option<&'static str>),
    /// A link preview and the address in it.
    Preview(Option<String>),
    /// It cannot be used; why.
    Bad(FindingKind, &'static str),
}

/// The files of an export.
pub(super) struct Files<'c> {
    container: &'c Container,
    /// The folder the export lies in, with its closing `/`.
    folder: String,
    /// Whether the exporter chose messages only.
    left_out: bool,
    look: Look,
    seen: HashMap<Sha256, Seen>,
    named: HashSet<Sha256>,
}

impl<'c> Files<'c> {
    /// `lists_files` is whether the export's JSON says that files go with it.
    pub(super) fn new(
        container: &'c Container,
        folder: &str,
        lists_files: bool,
        look: Look,
    ) -> Self {
        let mut files = Self {
            container,
            folder: format!("{folder}files/"),
            left_out: false,
            look,
            seen: HashMap::new(),
            named: HashSet::new(),
        };
        files.left_out = !lists_files && files.entries().next().is_none();
        files
    }

    /// Whether this is an export of messages only.
    pub(super) fn left_out(&self) -> bool {
        self.left_out
    }

    fn entries(&self) -> impl Iterator<Item = Sha256> {
        self.container
            .entries()
            .iter()
            .filter_map(|entry| Sha256::from_hex(entry.name.strip_prefix(self.folder.as_str())?))
    }

    /// How many files no message named so far.
    pub(super) fn orphans(&self) -> usize {
        self.entries().filter(|sha256| !self.named.contains(sha256)).count()
    }

    /// Turns what a message says of a file into what can be had of it; `wrong` gets what does
    /// not hold.
    pub(super) fn attachment(
        &mut self,
        raw: RawAttachment<'_>,
        wrong: &mut dyn FnMut(FindingKind, String),
    ) -> Attachment {
        let RawAttachment { sha256, number, size, mime_type, filename } = raw;
        let kind = kind(mime_type.as_deref(), filename.as_deref());
        let mut attachment = Attachment::new(kind, AttachmentState::Missing);
        attachment.name =
            filename.map(std::borrow::Cow::into_owned).filter(|name| !name.is_empty());
        attachment.claimed_mime = mime_type.map(std::borrow::Cow::into_owned);
        attachment.size_bytes = size;
        let digest = sha256.and_then(|text| <[u8; 32]>::try_from(ids::bytes(&text)?).ok());
        attachment.sha256 = digest.map(Sha256::from_bytes);
        let Some(sha256) = attachment.sha256 else {
            wrong(FindingKind::AttachmentMissing, format!("file {number} has no digest"));
            return attachment;
        };
        if self.left_out {
            attachment.state = AttachmentState::Omitted;
            return attachment;
        }
        self.named.insert(sha256);
        let name = format!("{}{sha256}", self.folder);
        let container = self.container;
        // Hand-made copies may spell the digest in capitals.
        let entry = container.find(&name).or_else(|| {
            container.find(&format!("{}{}", self.folder, sha256.to_string().to_uppercase()))
        });
        let Some(entry) = entry else {
            let detail = format!("file {number} is not in the export");
            wrong(FindingKind::AttachmentMissing, detail);
            return attachment;
        };
        let sniffed_mime = match self.look_at(entry, sha256, size, kind) {
            Seen::Good(sniffed_mime) => sniffed_mime,
            // The card must not show one address and lead to another.
            Seen::Preview(url) if url.is_some() && url != attachment.name => {
                let detail = format!("file {number} is a link preview that leads elsewhere");
                wrong(FindingKind::AttachmentMismatch, detail);
                return attachment;
            }
            Seen::Preview(_) => None,
            Seen::Bad(kind, why) => {
                wrong(kind, format!("file {number} {why}"));
                return attachment;
            }
        };
        attachment.state = AttachmentState::Present;
        attachment.size_bytes = Some(entry.size_bytes);
        attachment.sniffed_mime = sniffed_mime.map(str::to_owned);
        attachment.entry = Some(entry.name.clone());
        attachment
    }

    fn look_at(
        &mut self,
        entry: &Entry,
        sha256: Sha256,
        size: Option<u64>,
        kind: MediaKind,
    ) -> Seen {
        if entry.size_bytes == 0 && sha256.to_string() != EMPTY {
            let why = "was missing on the telephone: the export holds an empty file in its place";
            return Seen::Bad(FindingKind::AttachmentMissing, why);
        }
        if size.is_some_and(|size| size != entry.size_bytes) {
            return Seen::Bad(FindingKind::AttachmentMismatch, "has another size than stated");
        }
        if self.look == Look::Listed {
            return Seen::Good(None);
        }
        if let Some(seen) = self.seen.get(&sha256) {
            return seen.clone();
        }
        let seen = self
            .open(entry, sha256, kind)
            .unwrap_or(Seen::Bad(FindingKind::AttachmentMismatch, "cannot be read to its end"));
        self.seen.insert(sha256, seen.clone());
        seen
    }

    fn open(&self, entry: &Entry, sha256: Sha256, kind: MediaKind) -> Option<Seen> {
        let mut head = self.container.head(entry, HEAD_BYTES).ok()?;
        let sniffed = infer::get(&head).map(|found| found.mime_type());
        if self.look == Look::Whole {
            let mut digest = sha2::Sha256::new();
            let mut stream = self.container.reader(entry).ok()?;
            std::io::copy(&mut stream, &mut digest).ok()?;
            if Sha256::from_bytes(digest.finalize().into()) != sha256 {
                let why = "is not the one that was sent: its digest differs";
                return Some(Seen::Bad(FindingKind::AttachmentMismatch, why));
            }
        }
        if kind == MediaKind::LinkPreview && entry.size_bytes <= PREVIEW_BYTES {
            if entry.size_bytes > HEAD_BYTES as u64 {
                head.clear();
                self.container.reader(entry).ok()?.read_to_end(&mut head).ok()?;
            }
            let Some(preview) = LinkPreview::decode(&head) else {
                let why = "is not the link preview it claims to be";
                return Some(Seen::Bad(FindingKind::AttachmentMismatch, why));
            };
            return Some(Seen::Preview(preview.url.map(str::to_owned)));
        }
        Some(Seen::Good(sniffed))
    }
}

/// What a file was to its sender, as far as its stated type and name tell.
fn kind(mime: Option<&str>, name: Option<&str>) -> MediaKind {
    let mime = mime.unwrap_or_default();
    if mime == LINK_PREVIEW {
        return MediaKind::LinkPreview;
    }
    match mime.split('/').next() {
        // Olvid names its own recordings so, on both platforms.
        Some("audio") if name.is_some_and(|name| name.ends_with(".olvidaudio.m4a")) => {
            MediaKind::Voice
        }
        Some("audio") => MediaKind::Audio,
        Some("video") => MediaKind::Video,
        Some("image") => MediaKind::Photo,
        Some(_) | None => MediaKind::Document,
    }
}
