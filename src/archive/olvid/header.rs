//! What an export says besides its messages: whose it is, which discussions, which names.

use std::collections::HashMap;
use std::io::Read;

use super::encoded;
use super::ids::{self, DiscussionKind};
use super::raw::{RawContact, RawDiscussion, RawDiscussionId};
use super::scan::{Scan, ScanError};
use crate::model::finding::{Finding, FindingKind, Place};
use crate::model::ids::ChatId;

/// A discussion as `discussions` lists it.
#[derive(Debug)]
pub(super) struct Discussion {
    pub(super) chat: ChatId,
    pub(super) kind: DiscussionKind,
    /// Empty for some locked discussions.
    pub(super) title: String,
}

/// Everything around the messages. Names of people are kept for all discussions, for the export
/// does not say who belongs to which.
#[derive(Debug, Default)]
pub(super) struct Header {
    /// The exporter's identity.
    pub(super) own: Vec<u8>,
    pub(super) discussions: Vec<Discussion>,
    /// Display names by identity.
    pub(super) names: HashMap<Vec<u8>, String>,
    /// Whether the export lists any file to go with it.
    pub(super) lists_files: bool,
    pub(super) findings: Vec<Finding>,
    /// How the text ended, if badly; what was read before stands.
    pub(super) broken: Option<ScanError>,
}

impl Header {
    /// Reads the header fields, wherever they stand: Android writes them before the messages,
    /// iOS in any order.
    pub(super) fn read(input: impl Read, entry: &str) -> Result<Self, ScanError> {
        let mut reading = Reading::new(entry);
        let mut scan = Scan::new(input);
        reading.header.broken = reading.fields(&mut scan).err();
        let has_identity = reading.has_identity;
        let header = reading.finish();
        match header.broken {
            Some(error) if !has_identity => Err(error),
            None if !has_identity => Err(ScanError::Malformed {
                at: 0,
                reason: "it has no field bytesOwnedIdentity".to_owned(),
            }),
            Some(_) | None => Ok(header),
        }
    }

    /// The chat of a discussion key; `None` for a kind nobody knows.
    pub(super) fn chat(&self, id: &RawDiscussionId<'_>) -> Option<(ChatId, DiscussionKind)> {
        chat(id, &self.own)
    }
}

fn chat(id: &RawDiscussionId<'_>, own: &[u8]) -> Option<(ChatId, DiscussionKind)> {
    let kind = DiscussionKind::of(id.t)?;
    Some((ids::chat(kind, &ids::bytes(&id.id)?, own), kind))
}

/// A discussion before the exporter's identity is known.
struct Pending {
    t: i64,
    id: String,
    title: String,
    element: u64,
}

struct Reading<'a> {
    entry: &'a str,
    header: Header,
    discussions: Vec<Pending>,
    has_identity: bool,
    seen: usize,
}

impl<'a> Reading<'a> {
    fn new(entry: &'a str) -> Self {
        let header = Header::default();
        Self { entry, header, discussions: Vec::new(), has_identity: false, seen: 0 }
    }

    fn fields<R: Read>(&mut self, scan: &mut Scan<R>) -> Result<(), ScanError> {
        scan.take(b'{')?;
        let mut first = true;
        while scan.another(b'}', &mut first)? {
            match scan.key()?.as_str() {
                "bytesOwnedIdentity" => {
                    let identity: String = scan.parse()?;
                    if let Some(own) = ids::bytes(&identity) {
                        self.header.own = own;
                        self.has_identity = true;
                    }
                    self.seen += 1;
                }
                "sha256s" => {
                    self.files(scan)?;
                    self.seen += 1;
                }
                "discussions" => {
                    self.discussions(scan)?;
                    self.seen += 1;
                }
                "contacts" => {
                    self.contacts(scan)?;
                    self.seen += 1;
                }
                // With all four fields known, nothing behind the messages matters.
                "messages" if self.seen == 4 => return Ok(()),
                "messages" => scan.skip()?,
                unknown => {
                    let detail = format!("the export has a field `{unknown}` nobody knows");
                    self.finding(FindingKind::UnknownField, None, detail);
                    scan.skip()?;
                }
            }
        }
        Ok(())
    }

    fn finding(&mut self, kind: FindingKind, element: Option<u64>, detail: impl Into<String>) {
        let place = Place { entry: self.entry.to_owned(), line: element };
        self.header.findings.push(Finding { kind, place, message: None, detail: detail.into() });
    }

    fn files<R: Read>(&mut self, scan: &mut Scan<R>) -> Result<(), ScanError> {
        if scan.peek()? != Some(b'{') {
            return scan.skip();
        }
        scan.take(b'{')?;
        let mut first = true;
        while scan.another(b'}', &mut first)? {
            self.header.lists_files = true;
            scan.key()?;
            scan.skip()?;
        }
        Ok(())
    }

    fn discussions<R: Read>(&mut self, scan: &mut Scan<R>) -> Result<(), ScanError> {
        let mut element = 0;
        each(scan, |json| {
            element += 1;
            if let Ok(RawDiscussion { discussion, title }) = serde_json::from_slice(json) {
                let RawDiscussionId { t, id } = discussion;
                let (id, title) = (id.into_owned(), title.unwrap_or_default().into_owned());
                self.discussions.push(Pending { t, id, title, element });
            } else {
                let detail = "an element of `discussions` cannot be read";
                self.finding(FindingKind::Unreadable, Some(element), detail);
            }
        })
    }

    fn contacts<R: Read>(&mut self, scan: &mut Scan<R>) -> Result<(), ScanError> {
        let mut element = 0;
        each(scan, |json| {
            element += 1;
            let contact = serde_json::from_slice(json).ok();
            let named = contact.and_then(|RawContact { contact, display_name }| {
                Some((ids::bytes(&contact)?, display_name.unwrap_or_default().into_owned()))
            });
            if let Some((identity, name)) = named {
                self.header.names.insert(identity, name);
            } else {
                let detail = "an element of `contacts` cannot be read";
                self.finding(FindingKind::Unreadable, Some(element), detail);
            }
        })
    }

    fn finish(mut self) -> Header {
        for Pending { t, id, title, element } in std::mem::take(&mut self.discussions) {
            let key = RawDiscussionId { t, id: id.into() };
            if let Some((chat, kind)) = chat(&key, &self.header.own) {
                let is_odd = kind == DiscussionKind::GroupV2
                    && !ids::bytes(&key.id).is_some_and(|id| encoded::is_group_key(&id));
                if is_odd {
                    let detail = "a group whose key has an unknown form";
                    self.finding(FindingKind::UnknownKind, Some(element), detail);
                }
                self.header.discussions.push(Discussion { chat, kind, title });
            } else {
                let detail = format!("a discussion of unknown kind {t}");
                self.finding(FindingKind::UnknownKind, Some(element), detail);
            }
        }
        self.header
    }
}

/// Gives each element of a list to `keep`; something else than a list is passed over.
fn each<R: Read>(scan: &mut Scan<R>, mut keep: impl FnMut(&[u8])) -> Result<(), ScanError> {
    if scan.peek()? != Some(b'[') {
        return scan.skip();
    }
    scan.take(b'[')?;
    let mut first = true;
    while scan.another(b']', &mut first)? {
        scan.value(&mut keep)?;
    }
    Ok(())
}
