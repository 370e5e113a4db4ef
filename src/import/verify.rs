//! Reads the room back as an ordinary member and compares it with the archive.
//!
//! Two passes: the room is reduced to an index (who, when, what, where in the order), then the
//! archive is read again and each event it calls for is looked up. Nothing is taken from the
//! ledger but event ids that replies and reactions point at.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures_util::StreamExt;
use ruma::OwnedUserId;
use ruma::events::room::MediaSource;
use serde_json::{Map, Value};
use sha2::Digest;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::difference::{Difference, What};
use super::error::ImportError;
use super::job::Job;
use super::opening::known_portal;
use super::reader::{Reader, parse};
use super::records::RecordsFile;
use super::report::{Disposition, RecordLine, Report};
use super::settings::{Settings, Witness};
use super::source;
use super::upload::delivery_again;
use crate::archive::{Archive, Record};
use crate::convert::Upload;
use crate::matrix::{MatrixError, decrypted_sha256};
use crate::model::finding::{Finding, Place};
use crate::model::ids::{MessageId, Sha256};
use crate::portal::{Blob, Cipher, Delivery, Mark, Portal, Portals};
use crate::store::{LedgerRow, PartState};

/// Files downloaded at once for comparison.
const DOWNLOADS: usize = 4;
/// How often a file that breaks off in the middle is read again from its beginning.
const REREADINGS: usize = 2;

/// What we keep of one event of the room.
struct Seen {
    position: u64,
    times: u32,
    sender: OwnedUserId,
    at_ms: i64,
    event_type: String,
    content: [u8; 32],
}

/// Verifies a job's room, writing the fate of each record into `lines` as it goes. Changes
/// nothing but the witness's own membership.
///
/// # Errors
/// When the homeserver or the archive cannot be read. Differences are a result, not an error.
pub async fn verify(
    job: &Job,
    archive: &Arc<Archive>,
    portals: &Portals,
    settings: &Settings,
    lines: &mut RecordsFile,
) -> Result<Report, ImportError> {
    let witness = settings.witness().await?;
    let portal = Arc::new(known_portal(job, portals, settings).await?);
    portals.bot().invite(portal.room(), &witness.user).await?;
    witness.account.join(portal.room()).await?;
    let reader = match portal.cipher() {
        Cipher::Clear => None,
        Cipher::Encrypted { .. } => Some(Reader::open(&portal, &witness).await?),
    };
    let (mut room, others) = index(&portal, &witness, reader.as_ref()).await?;
    let mut report = Report::of(job, portal.room().clone());
    report.room_events_of_others = others;
    let mut last_position = None;
    let records = ReceiverStream::new(source::stream(archive, job.plan()));
    let mut compared = records
        .map(|record| {
            let (portal, archive, witness) =
                (Arc::clone(&portal), Arc::clone(archive), witness.clone());
            async move { compare_files(&portal, &archive, &witness, record?).await }
        })
        .buffered(DOWNLOADS);
    while let Some(record) = compared.next().await {
        match record? {
            Compared::Remark(finding) => {
                report.remark(&finding);
                lines.write(&serde_json::json!({ "remark": finding }))?;
            }
            Compared::Message { delivery, files, differences: mut found } => {
                let (rows, losses) = portal.expected(&delivery)?;
                let place = &delivery.message.place;
                found.extend(compare(&portal, &rows, place, &mut room, &mut last_position)?);
                report.files_compared += files;
                let line = line(&portal, &delivery, &rows, losses, found)?;
                report.add(&line);
                lines.write(&line)?;
            }
        }
    }
    drop(compared);
    for (message, part) in room.into_keys() {
        let place = Place::default();
        let difference = Difference { message, part, place, what: What::Unexpected };
        lines.write(&serde_json::json!({ "unexpected": difference }))?;
        report.differ(difference);
    }
    lines.finish()?;
    Ok(report)
}

/// A record of the archive whose files were compared.
enum Compared {
    Remark(Finding),
    Message { delivery: Box<Delivery>, files: u64, differences: Vec<Difference> },
}

async fn compare_files(
    portal: &Portal,
    archive: &Arc<Archive>,
    witness: &Witness,
    (ordinal, record): (u64, Record),
) -> Result<Compared, ImportError> {
    let message = match record {
        Record::Message(message) => message,
        Record::Finding(finding) => return Ok(Compared::Remark(finding)),
    };
    let (delivery, given_up) = delivery_again(portal, ordinal, *message)?;
    let mut differences = Vec::new();
    let differs = |found| Difference {
        message: delivery.message.id.clone(),
        part: 0,
        place: delivery.message.place.clone(),
        what: What::File { found },
    };
    let mut files = 0;
    for attachment in delivery.message.body.attachments() {
        let upload = attachment.entry.as_deref().and_then(|entry| delivery.uploads.get(entry));
        let (Some(upload), Some(blob)) = (upload, source::blob(archive, attachment)) else {
            continue;
        };
        files += 1;
        if let Some(found) = compare_file(witness, upload, blob).await? {
            differences.push(differs(found));
        }
    }
    for attachment in given_up {
        // It could not be read when the room was filled. If it can be now, it is missing there.
        let Some(blob) = source::blob(archive, &attachment) else { continue };
        let read = tokio::task::spawn_blocking(move || blob.sha256()).await;
        if read?.is_ok() {
            differences.push(differs("unreadable when it was to be uploaded".to_owned()));
        }
    }
    Ok(Compared::Message { delivery: Box::new(delivery), files, differences })
}

type Index = HashMap<(MessageId, u16), Seen>;

/// The room as the witness sees it, reduced. Also counts the messages that are not ours.
async fn index(
    portal: &Portal,
    witness: &Witness,
    reader: Option<&Reader>,
) -> Result<(Index, u64), ImportError> {
    let mut index = Index::new();
    let mut others = 0;
    let mut position = 0;
    let mut from = None;
    loop {
        let page = witness.account.page_forward(portal.room(), from).await?;
        for (_, raw) in page.events {
            position += 1;
            let event = match reader {
                Some(reader) => reader.read(portal.room(), &raw).await?,
                None => parse(&raw)?,
            };
            let mark = Mark::of(&event.content).filter(|mark| mark.job == portal.provenance().job);
            let Some(mark) = mark else {
                others += u64::from(event.state_key.is_none());
                continue;
            };
            let seen = index.entry((mark.message, mark.part)).or_insert_with(|| Seen {
                position,
                times: 0,
                sender: event.sender,
                at_ms: event.origin_server_ts,
                event_type: event.event_type,
                content: digest(&event.content),
            });
            seen.times += 1;
        }
        match page.next {
            Some(next) => from = Some(next),
            None => return Ok((index, others)),
        }
    }
}

/// Compares the events of one message and takes them out of the index.
fn compare(
    portal: &Portal,
    rows: &[LedgerRow],
    place: &Place,
    room: &mut Index,
    last_position: &mut Option<u64>,
) -> Result<Vec<Difference>, ImportError> {
    let mut differences = Vec::new();
    for row in rows {
        if let Some(PartState::Refused { .. }) = portal.part_state(&row.message, row.part)? {
            continue;
        }
        let mut differs = |what| {
            let (message, part) = (row.message.clone(), row.part);
            differences.push(Difference { message, part, place: place.clone(), what });
        };
        let Some(seen) = room.remove(&(row.message.clone(), row.part)) else {
            differs(What::Missing);
            continue;
        };
        if seen.times > 1 {
            differs(What::Doubled { times: seen.times });
        }
        if last_position.is_some_and(|last| seen.position <= last) {
            differs(What::OutOfOrder);
        } else {
            *last_position = Some(seen.position);
        }
        if seen.sender != row.sender {
            differs(What::Sender { found: seen.sender });
        }
        let expected_ms = row.at.0.max(0);
        if seen.at_ms != expected_ms {
            differs(What::Time { found_ms: seen.at_ms, expected_ms });
        }
        if seen.event_type != row.event_type {
            differs(What::Type { found: seen.event_type });
        }
        let expected: Map<String, Value> = serde_json::from_str(row.content.get())
            .map_err(|error| ImportError::Task { reason: error.to_string() })?;
        if seen.content != digest(&expected) {
            differs(What::Content);
        }
    }
    Ok(differences)
}

/// A digest that does not depend on the order of keys, which homeservers do not keep.
fn digest(content: &Map<String, Value>) -> [u8; 32] {
    let mut hash = sha2::Sha256::new();
    digest_object(content, &mut hash);
    hash.finalize().into()
}

fn digest_object(object: &Map<String, Value>, hash: &mut sha2::Sha256) {
    let sorted: BTreeMap<&String, &Value> = object.iter().collect();
    hash.update(b"{");
    for (key, value) in sorted {
        digest_value(&Value::String(key.clone()), hash);
        digest_value(value, hash);
    }
    hash.update(b"}");
}

fn digest_value(value: &Value, hash: &mut sha2::Sha256) {
    match value {
        Value::Object(object) => digest_object(object, hash),
        Value::Array(items) => {
            hash.update(b"[");
            for item in items {
                digest_value(item, hash);
            }
            hash.update(b"]");
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            hash.update(value.to_string());
            hash.update(b",");
        }
    }
}

fn line(
    portal: &Portal,
    delivery: &Delivery,
    rows: &[LedgerRow],
    losses: Vec<Finding>,
    differences: Vec<Difference>,
) -> Result<RecordLine, ImportError> {
    let mut refused = None;
    let mut events = Vec::with_capacity(rows.len());
    for row in rows {
        match portal.part_state(&row.message, row.part)? {
            Some(PartState::Sent { event_id }) => events.push(event_id),
            Some(PartState::Refused { reason }) => refused = Some(reason),
            Some(PartState::Intended) | None => {}
        }
    }
    let disposition = if let Some(reason) = refused {
        Disposition::Refused { reason }
    } else if !differences.is_empty() {
        Disposition::Differs
    } else if rows.is_empty() {
        Disposition::LeftOut
    } else if losses.is_empty() {
        Disposition::Carried
    } else {
        Disposition::CarriedWithLoss
    };
    Ok(RecordLine {
        number: delivery.ordinal,
        message: delivery.message.id.clone(),
        place: delivery.message.place.clone(),
        kind: delivery.message.body.kind().to_owned(),
        disposition,
        events,
        findings: losses,
        differences,
    })
}

/// Downloads a file as a member and compares its digest with the archive's bytes; says what
/// differs.
async fn compare_file(
    witness: &Witness,
    upload: &Upload,
    blob: Blob,
) -> Result<Option<String>, ImportError> {
    let size_bytes = blob.size_bytes();
    let expected = tokio::task::spawn_blocking(move || blob.sha256()).await?.map_err(|error| {
        ImportError::Disk { path: "a file of the archive".to_owned(), reason: error.to_string() }
    })?;
    let mut read = downloaded(witness, &upload.source, size_bytes).await;
    for _ in 0..REREADINGS {
        if read.as_ref().is_err_and(MatrixError::is_transient) {
            read = downloaded(witness, &upload.source, size_bytes).await;
        }
    }
    match read {
        Ok(found) if found == expected => Ok(None),
        Ok(found) => Ok(Some(found.to_string())),
        Err(error) if error.is_transient() => Err(error.into()),
        Err(error) => Ok(Some(error.to_string())),
    }
}

async fn downloaded(
    witness: &Witness,
    source: &MediaSource,
    size_bytes: u64,
) -> Result<Sha256, MatrixError> {
    let file = match source {
        MediaSource::Plain(uri) => {
            let mut chunks = witness.account.download(uri, size_bytes).await?;
            let mut hash = sha2::Sha256::new();
            while let Some(chunk) = chunks.next().await {
                hash.update(chunk?);
            }
            return Ok(Sha256::from_bytes(hash.finalize().into()));
        }
        MediaSource::Encrypted(file) => file.as_ref().clone(),
    };
    let chunks = witness.account.download(&file.url, size_bytes).await?;
    let chunks = StreamReader::new(chunks.map(|chunk| chunk.map_err(std::io::Error::other)));
    let sealed = SyncIoBridge::new(Box::pin(chunks));
    let unreadable =
        |reason: String| MatrixError::Malformed { endpoint: "GET media".to_owned(), reason };
    let digest = tokio::task::spawn_blocking(move || decrypted_sha256(sealed, &file)).await;
    digest.map_err(|error| unreadable(error.to_string()))?.map_err(|error| {
        // A connection that was cut says nothing about the file.
        error.downcast::<MatrixError>().unwrap_or_else(|error| unreadable(error.to_string()))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest_of(value: &Value) -> [u8; 32] {
        digest(value.as_object().unwrap())
    }

    #[test]
    fn the_order_of_keys_does_not_matter_and_everything_else_does() {
        let one = digest_of(&json!({"a": [1, {"b": 2, "c": null}], "d": "e"}));
        assert_eq!(one, digest_of(&json!({"d": "e", "a": [1, {"c": null, "b": 2}]})));
        assert_ne!(one, digest_of(&json!({"d": "e", "a": [1, {"c": null, "b": "2"}]})));
        assert_ne!(one, digest_of(&json!({"d": "e", "a": [{"c": null, "b": 2}, 1]})));
    }
}
