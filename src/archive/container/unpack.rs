//! Bytes of one entry as a plain stream, never more than it claims.
//!
//! The zip crate's reader borrows its file mutably, so it cannot be handed out together with
//! the file without unsafe code. Small entries are therefore unpacked at once; larger ones by a
//! thread of their own, a few chunks ahead, which also lets inflating and parsing overlap.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::error::ContainerError;

/// Entries up to this size are unpacked at once.
const SMALL_BYTES: u64 = 256 * 1024;
/// What the thread hands over at a time.
const CHUNK_BYTES: usize = 128 * 1024;
/// How many chunks it may be ahead.
const CHUNKS_AHEAD: usize = 3;

enum Piece {
    Opened,
    Refused(ContainerError),
    Bytes(Vec<u8>),
    Failed(io::Error),
    End,
}

/// Opens the stream of an entry that claims `size_bytes`. `unpack` opens the entry and calls
/// what it is given once, with the unpacked stream.
pub(super) fn stream(
    size_bytes: u64,
    unpack: impl FnOnce(&mut dyn FnMut(&mut dyn Read)) -> Result<(), ContainerError> + Send + 'static,
) -> Result<Box<dyn Read + Send>, ContainerError> {
    if size_bytes <= SMALL_BYTES {
        let mut bytes = Vec::new();
        let mut failure = None;
        unpack(&mut |stream| {
            failure = stream.take(size_bytes + 1).read_to_end(&mut bytes).err();
        })?;
        let pieces = Pieces { chunk: bytes, at: 0, rest: Rest::Known(failure) };
        return Ok(Box::new(pieces));
    }
    let (sender, receiver) = sync_channel(CHUNKS_AHEAD);
    let spawned = thread::Builder::new().name("unpack".to_owned()).spawn(move || {
        let outcome = unpack(&mut |stream| pump(stream, &sender));
        if let Err(error) = outcome {
            // The receiver may have been dropped; then nobody wants to know.
            let _ = sender.send(Piece::Refused(error));
        }
    });
    if let Err(source) = spawned {
        return Err(ContainerError::Io { path: "a thread to unpack with".to_owned(), source });
    }
    match receiver.recv() {
        Ok(Piece::Refused(error)) => Err(error),
        Ok(Piece::Opened | Piece::Bytes(_) | Piece::Failed(_) | Piece::End) | Err(_) => {
            Ok(Box::new(Pieces { chunk: Vec::new(), at: 0, rest: Rest::Thread(receiver) }))
        }
    }
}

/// Reads to the end and sends what it reads; stops when nobody listens any more.
fn pump(stream: &mut dyn Read, sender: &SyncSender<Piece>) {
    if sender.send(Piece::Opened).is_err() {
        return;
    }
    loop {
        let mut chunk = Vec::new();
        let outcome = stream.take(CHUNK_BYTES as u64).read_to_end(&mut chunk);
        let ended = chunk.is_empty();
        if !ended && sender.send(Piece::Bytes(chunk)).is_err() {
            return;
        }
        let last = match outcome {
            Ok(_) if !ended => continue,
            Ok(_) => Piece::End,
            Err(error) => Piece::Failed(error),
        };
        let _ = sender.send(last);
        return;
    }
}

enum Rest {
    /// Nothing more but perhaps an error.
    Known(Option<io::Error>),
    Thread(Receiver<Piece>),
}

struct Pieces {
    chunk: Vec<u8>,
    at: usize,
    rest: Rest,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.chunk.get(self.at..).unwrap_or_default();
            if !ready.is_empty() || buffer.is_empty() {
                let count = ready.read(buffer)?;
                self.at += count;
                return Ok(count);
            }
            let next = match &mut self.rest {
                Rest::Known(failure) => return failure.take().map_or(Ok(0), Err),
                Rest::Thread(receiver) => receiver.recv(),
            };
            match next {
                Ok(Piece::Opened) => {}
                Ok(Piece::Bytes(chunk)) => (self.chunk, self.at) = (chunk, 0),
                Ok(Piece::End) => self.rest = Rest::Known(None),
                Ok(Piece::Failed(error)) => self.rest = Rest::Known(Some(error)),
                Ok(Piece::Refused(error)) => {
                    self.rest = Rest::Known(Some(io::Error::other(error.to_string())));
                }
                Err(_) => {
                    let lost = io::Error::other("the unpacker stopped without a word");
                    self.rest = Rest::Known(Some(lost));
                }
            }
        }
    }
}

/// Lets through exactly the bytes an entry claims; more or fewer are an error that names it.
pub(super) struct Exactly<R> {
    inner: R,
    left: u64,
    label: String,
}

impl<R: Read> Exactly<R> {
    /// `label` names the entry in errors.
    pub(super) fn new(inner: R, size_bytes: u64, label: String) -> Self {
        Self { inner, left: size_bytes, label }
    }

    fn fail(&self, kind: io::ErrorKind, reason: impl std::fmt::Display) -> io::Error {
        io::Error::new(kind, format!("{}: {reason}", self.label))
    }
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = self.inner.read(buffer).map_err(|error| self.fail(error.kind(), &error))?;
        if count == 0 && self.left > 0 {
            let reason = format!("it ends {} bytes too early", self.left);
            return Err(self.fail(io::ErrorKind::UnexpectedEof, reason));
        }
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => {
                return Err(self.fail(io::ErrorKind::InvalidData, "it is longer than it claims"));
            }
        }
        Ok(count)
    }
}
