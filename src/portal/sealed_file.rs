//! Files for encrypted rooms on their way into the media store.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use bytes::Bytes;
use ruma::OwnedMxcUri;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;

use super::blob::{Blob, CHUNKS_AHEAD};
use super::room::Portals;
use crate::matrix::{Actor, FileKey, MatrixError, UploadBody, encrypt_stream, encrypt_whole};

/// What the homeserver is told of an encrypted file: nothing.
const OPAQUE: &str = "application/octet-stream";

impl Portals {
    /// Encrypts bytes that are in memory, and uploads them.
    pub(super) async fn upload_sealed(
        &self,
        actor: &Actor,
        clear: Bytes,
    ) -> Result<(OwnedMxcUri, FileKey), MatrixError> {
        let unreadable = |reason: String| MatrixError::Source { reason };
        let sealed = tokio::task::spawn_blocking(move || encrypt_whole(&clear)).await;
        let (bytes, key) = sealed
            .map_err(|error| unreadable(error.to_string()))?
            .map_err(|error| unreadable(error.to_string()))?;
        let body = || UploadBody::<ReceiverStream<_>>::Whole(bytes.clone());
        Ok((self.homeserver().upload(actor, OPAQUE, None, body).await?, key))
    }

    /// Encrypts a file while it is uploaded.
    pub(super) async fn upload_sealing(
        &self,
        actor: &Actor,
        blob: &Blob,
    ) -> Result<(OwnedMxcUri, FileKey), MatrixError> {
        // Each attempt encrypts anew, with a key of its own; the last one is the one that counts.
        let mut attempt = None;
        let body = || {
            let (stream, encrypting) = sealing(blob.clone());
            attempt = Some(encrypting);
            UploadBody::Streamed { length: blob.size_bytes(), stream }
        };
        let url = self.homeserver().upload(actor, OPAQUE, None, body).await?;
        let unreadable = |reason: String| MatrixError::Source { reason };
        let last = attempt.ok_or_else(|| unreadable("nothing was uploaded".to_owned()))?;
        let key = last.await.map_err(|error| unreadable(error.to_string()))?;
        Ok((url, key.map_err(|error| unreadable(error.to_string()))?))
    }
}

/// The encrypted bytes of a blob, and their key at the end: one thread reads, another encrypts.
fn sealing(blob: Blob) -> (ReceiverStream<io::Result<Bytes>>, JoinHandle<io::Result<FileKey>>) {
    let (clear, reading) = sync_channel(CHUNKS_AHEAD);
    tokio::task::spawn_blocking(move || {
        let mut pouring = Pouring(&clear);
        if let Err(error) = blob.pour(&mut pouring) {
            // Nobody listening means the upload was given up.
            let _ = clear.send(Err(error));
        }
    });
    let (sealed, receiver) = mpsc::channel(CHUNKS_AHEAD);
    let encrypting = tokio::task::spawn_blocking(move || {
        let clear = Poured { reading, chunk: Vec::new(), taken: 0 };
        encrypt_stream(clear, &sealed).inspect_err(|error| {
            let told = io::Error::new(error.kind(), error.to_string());
            let _ = sealed.blocking_send(Err(told));
        })
    });
    (ReceiverStream::new(receiver), encrypting)
}

/// The writing end of a pipe between two threads. An error of the writer is one for the reader.
struct Pouring<'a>(&'a SyncSender<io::Result<Vec<u8>>>);

impl Write for Pouring<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.0.send(Ok(bytes.to_vec())).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The reading end.
struct Poured {
    reading: Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    taken: usize,
}

impl Read for Poured {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.chunk.len() {
            match self.reading.recv() {
                Ok(chunk) => (self.chunk, self.taken) = (chunk?, 0),
                Err(_) => return Ok(0),
            }
        }
        let rest = self.chunk.get(self.taken..).unwrap_or_default();
        let count = rest.len().min(into.len());
        for (to, from) in into.iter_mut().zip(rest) {
            *to = *from;
        }
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use ruma::owned_mxc_uri;
    use sha2::Digest;

    use super::*;
    use crate::matrix::{decrypted_sha256, encrypted_file};
    use crate::model::ids::Sha256;

    #[tokio::test]
    async fn what_is_encrypted_on_the_way_decrypts_to_the_same_bytes() {
        let clear: Vec<u8> = (0..700_001_u32).map(|n| (n % 251) as u8).collect();
        let expected = Sha256::from_bytes(sha2::Sha256::digest(&clear).into());
        let length = clear.len() as u64;
        let blob = Blob::new(length, move |sink| sink.write_all(&clear));
        let (stream, encrypting) = sealing(blob);
        let chunks: Vec<_> = stream.collect().await;
        let mut sealed = Vec::new();
        for chunk in chunks {
            sealed.extend_from_slice(&chunk.unwrap());
        }
        assert_eq!(sealed.len() as u64, length);
        let file = encrypted_file(
            owned_mxc_uri!("mxc://tchap.test/x"),
            encrypting.await.unwrap().unwrap(),
        );
        assert_eq!(decrypted_sha256(sealed.as_slice(), &file).unwrap(), expected);
        sealed[70] ^= 1;
        assert!(decrypted_sha256(sealed.as_slice(), &file).is_err());
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_read_to_its_end_is_no_shorter_file() {
        let blob = Blob::new(9, |sink| {
            sink.write_all(b"half")?;
            Err(io::Error::from(io::ErrorKind::InvalidData))
        });
        let (stream, encrypting) = sealing(blob);
        let chunks: Vec<_> = stream.collect().await;
        assert!(chunks.last().unwrap().is_err());
        assert!(encrypting.await.unwrap().is_err());
    }
}
