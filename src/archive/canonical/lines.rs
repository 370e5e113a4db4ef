//! The lines of a chat's file become records, once each of them has been checked.

use std::collections::HashSet;
use std::io::{self, BufRead, BufReader, Read};

use sha2::Digest as _;

use super::form::{ChatHeader, FILES, FindingLine};
use crate::archive::container::{Container, ContainerError, Entry};
use crate::archive::reader::{ArchiveError, Flow, Options, Record};
use crate::model::finding::{Finding, FindingKind, Place};
use crate::model::ids::Sha256;
use crate::model::media::{Attachment, AttachmentState};
use crate::model::message::{Body, Message};
use crate::model::text::Text;

/// A message of 65,536 characters with a thousand reactions is far below this.
const LINE_BYTES: u64 = 16 << 20;

/// Gives the records of `entry` to `sink`, in the order they are written.
pub(super) fn read(
    container: &Container,
    entry: &Entry,
    folder: &str,
    chat: &ChatHeader,
    options: &Options,
    sink: &mut dyn FnMut(Record) -> Flow,
) -> Result<(), ArchiveError> {
    let failed = |source| ContainerError::Io { path: entry.name.clone(), source };
    let mut stream = BufReader::with_capacity(256 << 10, container.reader(entry)?);
    let mut check = Check { container, folder, chat, options, seen: HashSet::new() };
    let (mut line, mut number) = (Vec::new(), 0);
    while next_line(&mut stream, &mut line).map_err(failed)? {
        number += 1;
        let place = Place { entry: entry.name.clone(), line: Some(number) };
        for record in check.line(&line, &place) {
            if sink(record) == Flow::Stop {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The next line without its end; false behind the last one. Of a line that is too long only the
/// beginning is kept, which is then no JSON.
fn next_line(stream: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    if stream.by_ref().take(LINE_BYTES).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.last() != Some(&b'\n') && line.len() as u64 == LINE_BYTES {
        stream.skip_until(b'\n')?;
    }
    Ok(true)
}

struct Check<'c> {
    container: &'c Container,
    folder: &'c str,
    chat: &'c ChatHeader,
    options: &'c Options,
    /// The ids so far, each as the beginning of a digest.
    seen: HashSet<[u8; 16]>,
}

impl Check<'_> {
    fn line(&mut self, line: &[u8], place: &Place) -> Vec<Record> {
        let finding = |kind, detail: &str| Finding {
            kind,
            place: place.clone(),
            message: None,
            detail: detail.to_owned(),
        };
        let mut message: Message = match serde_json::from_slice(line) {
            Ok(message) => message,
            Err(_) => {
                let found = match serde_json::from_slice(line) {
                    Ok(FindingLine { finding }) => finding,
                    Err(_) => finding(FindingKind::Unreadable, "the line is no message"),
                };
                return vec![Record::Finding(found)];
            }
        };
        let id = message.id.clone();
        if !self.seen.insert(short_digest(id.as_str())) {
            let found = finding(FindingKind::Unreadable, "a second message of the same id");
            return vec![Record::Finding(found)];
        }
        if let (Some(end), Some(now)) = (message.expires_at, self.options.expired_before)
            && end < now
        {
            let detail = format!("it expired at {end} and was left out");
            return vec![Record::Finding(finding(FindingKind::Expired, &detail))];
        }
        let mut findings = Vec::new();
        let mut note = |kind, detail: &str| {
            findings.push(Finding { message: Some(id.clone()), ..finding(kind, detail) });
        };
        message.chat = self.chat.id.clone();
        repair_body(&mut message.body, &mut note);
        for attachment in message.body.attachments_mut() {
            self.attachment(attachment, &mut note);
        }
        let records = findings.into_iter().map(Record::Finding);
        std::iter::once(Record::Message(Box::new(message))).chain(records).collect()
    }

    /// Whatever the line says, a file is present only if it lies where files lie, whole.
    fn attachment(&self, attachment: &mut Attachment, note: &mut dyn FnMut(FindingKind, &str)) {
        let held = |name: &str| {
            let plain = Sha256::from_hex(name.strip_prefix(FILES)?)?;
            let entry = self.container.find(&format!("{}{FILES}{plain}", self.folder))?;
            Some((plain, entry))
        };
        let thumbnail = attachment.thumbnail_entry.as_deref().and_then(held);
        attachment.thumbnail_entry = thumbnail.map(|(_, entry)| entry.name.clone());
        let stated = attachment.entry.take();
        if attachment.state != AttachmentState::Present {
            return;
        }
        attachment.state = AttachmentState::Missing;
        let Some((name, entry)) = stated.as_deref().and_then(held) else {
            note(FindingKind::AttachmentMissing, "the file that the message names is not there");
            return;
        };
        let is_whole = attachment.size_bytes == Some(entry.size_bytes)
            && attachment.sha256.is_some_and(|sha256| sha256 == name)
            && (!self.options.hash_files || self.digest(entry) == Some(name));
        if !is_whole {
            note(FindingKind::AttachmentMismatch, "the file is not the one the message names");
            return;
        }
        attachment.state = AttachmentState::Present;
        attachment.entry = Some(entry.name.clone());
    }

    fn digest(&self, entry: &Entry) -> Option<Sha256> {
        let mut digest = sha2::Sha256::new();
        io::copy(&mut self.container.reader(entry).ok()?, &mut digest).ok()?;
        Some(Sha256::from_bytes(digest.finalize().into()))
    }
}

/// The beginning of a digest: enough to know an id again.
fn short_digest(id: &str) -> [u8; 16] {
    let digest = sha2::Sha256::digest(id);
    let mut short = [0; 16];
    short.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    short
}

/// What the model promises of a body and JSON cannot: files where there are said to be some,
/// formatting on the borders of characters.
fn repair_body(body: &mut Body, note: &mut dyn FnMut(FindingKind, &str)) {
    let is_empty = match body {
        Body::Media { attachments, .. } => attachments.is_empty(),
        Body::Contact { cards } => cards.is_empty(),
        Body::Location(place) => {
            let in_range = |value: Option<f64>, limit: f64| value.filter(|v| v.abs() <= limit);
            place.latitude = in_range(place.latitude, 90.0);
            place.longitude = in_range(place.longitude, 180.0);
            false
        }
        Body::Text(_)
        | Body::Sticker { .. }
        | Body::Poll(_)
        | Body::Call(_)
        | Body::System(_)
        | Body::Deleted { .. }
        | Body::Unknown { .. } => false,
    };
    if is_empty {
        note(FindingKind::Repaired, "a message of files or cards without any");
        let words = body.words().cloned();
        *body = Body::Text(words.unwrap_or_default());
    }
    if let Some(Text { plain, markup: _, spans }) = body.words_mut() {
        let before = spans.len();
        spans.retain(|span| span.start <= span.end && plain.get(span.start..span.end).is_some());
        spans.sort_by_key(|span| span.start);
        if spans.len() < before {
            note(FindingKind::Repaired, "formatting that points outside the text");
        }
    }
}
