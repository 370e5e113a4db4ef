//! Files on their way into the media store, whether they come from a zip or from a daemon.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use sha2::Digest;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::error::PortalError;
use super::room::Portals;
use super::seal::Cipher;
use super::stored_file::{StoredSource, StoredThumbnail, write_record};
use crate::convert::{MediaFacts, Probe, Upload, media};
use crate::matrix::{Actor, MatrixError, UploadBody};
use crate::model::ids::Sha256;
use crate::model::media::Attachment;
use crate::store::UploadRecord;

/// Files up to this size are held in memory while they are looked at, one at a time, so that
/// pictures can be measured and shrunk.
const WHOLE_LIMIT_BYTES: u64 = 32 << 20;
/// Larger ones are not held on to until they are uploaded, but read again: many may wait.
const KEPT_LIMIT_BYTES: usize = 1 << 20;
/// What is looked at of a larger file.
const HEAD_BYTES: usize = 64 << 10;
const CHUNK_BYTES: usize = 128 << 10;
/// Chunks between the reading thread and the connection.
pub(super) const CHUNKS_AHEAD: usize = 4;

type Pour = dyn Fn(&mut dyn Write) -> io::Result<()> + Send + Sync;

/// A file that can be read any number of times, in bounded memory.
#[derive(Clone)]
pub struct Blob {
    size_bytes: u64,
    pour: Arc<Pour>,
}

impl Blob {
    /// A file of `size_bytes` whose bytes `pour` writes out from the beginning. `pour` blocks
    /// and runs on a thread of its own.
    pub fn new(
        size_bytes: u64,
        pour: impl Fn(&mut dyn Write) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self { size_bytes, pour: Arc::new(pour) }
    }

    /// The digest of its bytes. Blocks.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn sha256(&self) -> io::Result<Sha256> {
        let mut sink = Looking { hash: sha2::Sha256::new(), kept: Vec::new(), keep: 0, read: 0 };
        (self.pour)(&mut sink)?;
        Ok(Sha256::from_bytes(sink.hash.finalize().into()))
    }

    /// Writes its bytes out. Blocks.
    pub(super) fn pour(&self, into: &mut dyn Write) -> io::Result<()> {
        (self.pour)(into)
    }

    /// Its size.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blob").field("size_bytes", &self.size_bytes).finish_non_exhaustive()
    }
}

/// How an upload ended.
#[derive(Clone, Debug)]
pub enum Uploaded {
    /// The homeserver has it.
    Done(Box<Upload>),
    /// Larger than the homeserver, or the plan, allows.
    TooLarge,
    /// The bytes cannot be read.
    Unreadable {
        /// Why not.
        reason: String,
    },
}

impl Portals {
    /// What became of a file of an archive, if it was dealt with before.
    ///
    /// # Errors
    /// When the store fails.
    pub fn known_upload(&self, portal: &str, entry: &str) -> Result<Option<Uploaded>, PortalError> {
        Ok(self.store().upload(portal, entry)?.and_then(|record| self.read_record(record)))
    }

    /// Uploads the file `entry` of an archive, once per portal, encrypted where its room is. The
    /// file is measured on the way, never trusted.
    ///
    /// # Errors
    /// When the homeserver cannot be reached or our records fail. A file that is too large or
    /// unreadable is an outcome, not an error.
    pub async fn upload(
        &self,
        (portal, cipher): (&str, &Cipher),
        entry: &str,
        attachment: &Attachment,
        blob: Blob,
        limit_bytes: u64,
    ) -> Result<Uploaded, PortalError> {
        if let Some(uploaded) = self.known_upload(portal, entry)? {
            return Ok(uploaded);
        }
        let record = self.upload_anew(cipher, attachment, blob, limit_bytes).await?;
        let record = self.store().put_upload(portal, entry, record)?;
        Ok(self
            .read_record(record)
            .unwrap_or(Uploaded::Unreadable { reason: "its record cannot be read".to_owned() }))
    }

    async fn upload_anew(
        &self,
        cipher: &Cipher,
        attachment: &Attachment,
        blob: Blob,
        limit_bytes: u64,
    ) -> Result<UploadRecord, PortalError> {
        if blob.size_bytes > limit_bytes {
            return Ok(UploadRecord::TooLarge);
        }
        let Seen { mut facts, whole } = match self.look(blob.clone(), attachment.clone()).await {
            Ok(seen) => seen,
            Err(error) if is_broken(&error) => {
                return Ok(UploadRecord::Unreadable { reason: error.to_string() });
            }
            // The disk or the process, not the archive: it may read well another time.
            Err(error) => {
                return Err(MatrixError::Source { reason: error.to_string() }.into());
            }
        };
        let actor = Actor { user_id: self.settings().bot.clone(), device_id: None };
        let source = match self.store_file(&actor, cipher, &facts.mime, whole, &blob).await {
            Ok(source) => source,
            Err(PortalError::Matrix(MatrixError::Refused { status, .. }))
                if status == http::StatusCode::PAYLOAD_TOO_LARGE =>
            {
                return Ok(UploadRecord::TooLarge);
            }
            Err(error) => return Err(error),
        };
        let thumbnail = match facts.thumbnail.take() {
            None => None,
            Some(picture) => {
                let bytes = Bytes::from(picture.bytes);
                let whole = Some(bytes.clone());
                Some(StoredThumbnail {
                    source: self.store_file(&actor, cipher, picture.mime, whole, &blob).await?,
                    width: picture.width,
                    height: picture.height,
                    mime: picture.mime.to_owned(),
                    size_bytes: bytes.len() as u64,
                })
            }
        };
        write_record(facts, source, thumbnail)
    }

    /// Uploads `whole`, or else what `blob` reads. No file name: it may name a person, and the
    /// event's content carries it anyway.
    async fn store_file(
        &self,
        actor: &Actor,
        cipher: &Cipher,
        mime: &str,
        whole: Option<Bytes>,
        blob: &Blob,
    ) -> Result<StoredSource, PortalError> {
        let (url, key) = match (cipher, whole) {
            (Cipher::Clear, whole) => {
                let body = || match &whole {
                    Some(bytes) => UploadBody::Whole(bytes.clone()),
                    None => UploadBody::Streamed {
                        length: blob.size_bytes,
                        stream: stream(blob.clone()),
                    },
                };
                let url = self.homeserver().upload(actor, mime, None, body).await?;
                return Ok(StoredSource { url, sealed_key: None });
            }
            (Cipher::Encrypted { .. }, Some(bytes)) => self.upload_sealed(actor, bytes).await?,
            (Cipher::Encrypted { .. }, None) => self.upload_sealing(actor, blob).await?,
        };
        let sealed_key = Some(hex::encode(self.machines().vault().seal(&key)?));
        Ok(StoredSource { url, sealed_key })
    }

    /// Reads a file once: its digest, its kind, and what a client wants to know of it.
    async fn look(&self, blob: Blob, attachment: Attachment) -> io::Result<Seen> {
        // Holding and decoding cost memory, so the permit covers reading, too. What is larger is
        // neither held nor decoded.
        let permit = if blob.size_bytes <= WHOLE_LIMIT_BYTES {
            let closed = |_| io::Error::from(io::ErrorKind::Interrupted);
            Some(self.decoders().clone().acquire_owned().await.map_err(closed)?)
        } else {
            None
        };
        let (again, hint) = (blob.clone(), attachment.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let seen = look_blocking(&blob, |kept, whole| media::probe(kept, whole, &attachment));
            drop(permit);
            seen
        });
        match looked.await {
            Ok(seen) => seen,
            // A decoder gave up on a hostile picture. The file itself is still a file.
            Err(_) => tokio::task::spawn_blocking(move || {
                look_blocking(&again, |kept, _| Probe {
                    mime: media::sniff(kept, hint.name.as_deref()),
                    ..Probe::default()
                })
            })
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::Interrupted))?,
        }
    }
}

struct Seen {
    facts: MediaFacts,
    whole: Option<Bytes>,
}

/// Whether the archive itself is at fault: it will never read better.
fn is_broken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::NotFound
            | io::ErrorKind::Other
    )
}

fn look_blocking(
    blob: &Blob,
    probe: impl FnOnce(&[u8], Option<&[u8]>) -> Probe,
) -> io::Result<Seen> {
    let keep = if blob.size_bytes <= WHOLE_LIMIT_BYTES {
        usize::try_from(blob.size_bytes).unwrap_or(HEAD_BYTES)
    } else {
        HEAD_BYTES
    };
    let mut sink =
        Looking { hash: sha2::Sha256::new(), kept: Vec::with_capacity(keep), keep, read: 0 };
    (blob.pour)(&mut sink)?;
    let digest = Sha256::from_bytes(sink.hash.finalize().into());
    let kept = Bytes::from(sink.kept);
    let whole = (sink.read == kept.len() as u64).then(|| kept.clone());
    let probe = probe(&kept, whole.as_deref());
    let whole = whole.filter(|bytes| bytes.len() <= KEPT_LIMIT_BYTES);
    Ok(Seen { facts: probe.into_facts(sink.read, digest), whole })
}

struct Looking {
    hash: sha2::Sha256,
    kept: Vec<u8>,
    keep: usize,
    read: u64,
}

impl Write for Looking {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hash.update(bytes);
        self.read += bytes.len() as u64;
        let room = self.keep.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The bytes of a blob as a stream, read on a thread of its own, a few chunks ahead.
fn stream(blob: Blob) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    tokio::task::spawn_blocking(move || {
        let mut sink = Sending { sender: &sender, chunk: Vec::with_capacity(CHUNK_BYTES) };
        let ended = (blob.pour)(&mut sink).and_then(|()| sink.flush());
        if let Err(error) = ended {
            // Nobody listening means the upload was given up; then there is nobody to tell.
            let _ = sender.blocking_send(Err(error));
        }
    });
    ReceiverStream::new(receiver)
}

struct Sending<'a> {
    sender: &'a mpsc::Sender<io::Result<Bytes>>,
    chunk: Vec<u8>,
}

impl Write for Sending<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(bytes);
        if self.chunk.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES));
        self.sender
            .blocking_send(Ok(Bytes::from(chunk)))
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}
