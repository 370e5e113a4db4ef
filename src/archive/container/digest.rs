//! One digest that stands for a whole export, to recognise it again.

use std::io::{self, Read};

use sha2::Digest as _;

use super::{Container, ContainerError, Entry};
use crate::model::ids::Sha256;

impl Container {
    /// The SHA-256 of the file's bytes. For a folder, and for an encrypted zip as for the folder it
    /// unpacks to (its own bytes differ with every salt, and a copy in clear must be known again): the SHA-256 over one line an entry, in the
    /// byte order of the names, each line being the name, a zero byte, the size in decimal, a
    /// zero byte, the SHA-256 of the content in lower-case hexadecimal, and a line feed. What is
    /// not read for safety's sake is not in it.
    ///
    /// # Errors
    /// When something cannot be read to its end.
    pub fn digest(&self) -> Result<Sha256, ContainerError> {
        if self.is_one_file && !self.is_encrypted {
            let file = std::fs::File::open(&self.path);
            return file.and_then(|mut file| hash(&mut file)).map_err(|source| {
                ContainerError::Io { path: self.path.display().to_string(), source }
            });
        }
        let mut entries: Vec<&Entry> = self.entries.iter().collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let mut whole = sha2::Sha256::new();
        for entry in entries {
            let content = hash(&mut self.reader(entry)?)
                .map_err(|source| ContainerError::Io { path: entry.name.clone(), source })?;
            whole.update(format!("{}\0{}\0{content}\n", entry.name, entry.size_bytes));
        }
        Ok(Sha256::from_bytes(whole.finalize().into()))
    }
}

/// The SHA-256 of a stream.
fn hash(stream: &mut dyn Read) -> io::Result<Sha256> {
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = match stream.read(&mut buffer) {
            Ok(0) => return Ok(Sha256::from_bytes(hasher.finalize().into())),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(buffer.get(..count).unwrap_or_default());
    }
}
