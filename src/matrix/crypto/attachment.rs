//! Files for an encrypted room: encrypted in a stream, the key in the event that names them.

use std::io::{self, Read};

use bytes::Bytes;
use matrix_sdk_crypto::{AttachmentDecryptor, AttachmentEncryptor, MediaEncryptionInfo};
use ruma::OwnedMxcUri;
use ruma::events::room::EncryptedFile;
use serde::{Deserialize, Serialize};
use sha2::Digest;
use tokio::sync::mpsc;

use crate::model::ids::Sha256;

const CHUNK_BYTES: usize = 128 << 10;

/// What opens one encrypted file, and the digest that tells whether it is the right one.
#[derive(Serialize, Deserialize)]
pub struct FileKey(MediaEncryptionInfo);

impl std::fmt::Debug for FileKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FileKey(***)")
    }
}

/// Encrypts a file in memory.
///
/// # Errors
/// Never in practice: memory is read.
pub fn encrypt_whole(clear: &[u8]) -> io::Result<(Bytes, FileKey)> {
    let mut reader = clear;
    let mut encryptor = AttachmentEncryptor::new(&mut reader);
    let mut sealed = Vec::with_capacity(clear.len());
    encryptor.read_to_end(&mut sealed)?;
    Ok((Bytes::from(sealed), FileKey(encryptor.finish())))
}

/// Encrypts what `clear` reads into `sealed`, to the end. Blocks.
///
/// # Errors
/// When `clear` cannot be read, or nobody takes the bytes any more.
pub fn encrypt_stream(
    mut clear: impl Read,
    sealed: &mpsc::Sender<io::Result<Bytes>>,
) -> io::Result<FileKey> {
    let mut encryptor = AttachmentEncryptor::new(&mut clear);
    loop {
        let mut chunk = vec![0; CHUNK_BYTES];
        let read = encryptor.read(&mut chunk)?;
        if read == 0 {
            return Ok(FileKey(encryptor.finish()));
        }
        chunk.truncate(read);
        sealed
            .blocking_send(Ok(Bytes::from(chunk)))
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
    }
}

/// The digest of what an encrypted file holds. Blocks.
///
/// # Errors
/// When the bytes are not those that were encrypted, or cannot be read.
pub fn decrypted_sha256(mut sealed: impl Read, file: &EncryptedFile) -> io::Result<Sha256> {
    let info = MediaEncryptionInfo::from(file.clone());
    let mut clear = AttachmentDecryptor::new(&mut sealed, info).map_err(io::Error::other)?;
    let mut hash = sha2::Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match clear.read(&mut chunk)? {
            0 => return Ok(Sha256::from_bytes(hash.finalize().into())),
            read => hash.update(chunk.get(..read).unwrap_or_default()),
        }
    }
}

/// The file as an event names it.
pub fn encrypted_file(url: OwnedMxcUri, key: FileKey) -> EncryptedFile {
    let FileKey(MediaEncryptionInfo { encryption_info, hashes }) = key;
    EncryptedFile::new(url, encryption_info, hashes)
}
