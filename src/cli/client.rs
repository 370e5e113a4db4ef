//! The CLI's side of the command socket.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use bytes::Bytes;
use reqwest::{Body, Client, Method, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::io::ReaderStream;

use super::output;
use crate::archive::{Access, Container, ContainerError, Entry, Limits, Password};
use crate::config::Config;
use crate::web::{ApiError, SpoolTicket};

/// How much of a file is sent at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// Talks to the running daemon.
pub(super) struct Daemon {
    http: Client,
}

impl Daemon {
    pub(super) fn new(config: &Config) -> anyhow::Result<Self> {
        let http = Client::builder().unix_socket(config.daemon.socket.as_path()).build()?;
        Ok(Self { http })
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.ask(Method::GET, path, None::<&()>).await
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> anyhow::Result<T> {
        self.ask(Method::POST, path, body).await
    }

    /// Streams a file or a folder into the daemon's spool. An encrypted zip is decrypted on the
    /// way and arrives as a folder: the password stays here.
    pub(super) async fn hand_in(
        &self,
        path: &Path,
        password: Option<Password>,
    ) -> anyhow::Result<(SpoolTicket, String)> {
        let name = path
            .file_name()
            .with_context(|| format!("{} has no name", path.display()))?
            .to_str()
            .with_context(|| format!("the name of {} is not UTF-8", path.display()))?
            .to_owned();
        let encrypted = open_encrypted(path, password)?;
        let ticket: SpoolTicket = self.post("/v1/spool", None::<&()>).await?;
        if let Some(container) = encrypted {
            self.hand_in_decrypted(container, &ticket, &name).await?;
            return Ok((ticket, name));
        }
        let files = files_below(path, &name)?;
        let bar = output::bar(files.iter().map(|file| file.size_bytes).sum(), "handing in");
        for file in files {
            let opened = tokio::fs::File::open(&file.path)
                .await
                .with_context(|| format!("cannot read {}", file.path.display()))?;
            let counted = bar.wrap_async_read(opened);
            let body = Body::wrap_stream(ReaderStream::with_capacity(counted, CHUNK_BYTES));
            self.put(&ticket, &file.name, body).await?;
        }
        bar.finish_and_clear();
        Ok((ticket, name))
    }

    async fn hand_in_decrypted(
        &self,
        container: Container,
        ticket: &SpoolTicket,
        name: &str,
    ) -> anyhow::Result<()> {
        let container = Arc::new(container);
        let total = container.entries().iter().map(|entry| entry.size_bytes).sum();
        let bar = output::bar(total, "handing in");
        for entry in container.entries() {
            let (sender, receiver) = mpsc::channel(2);
            let (from, entry_there) = (Arc::clone(&container), entry.clone());
            let reading =
                tokio::task::spawn_blocking(move || send_chunks(&from, &entry_there, &sender));
            let body = Body::wrap_stream(ReceiverStream::new(receiver));
            let put = self.put(ticket, &format!("{name}/{}", entry.name), body).await;
            // A file that cannot be decrypted says more than the upload it broke off.
            reading.await?.with_context(|| format!("cannot read {}", entry.name))?;
            put?;
            bar.inc(entry.size_bytes);
        }
        bar.finish_and_clear();
        Ok(())
    }

    async fn put(&self, ticket: &SpoolTicket, name: &str, body: Body) -> anyhow::Result<()> {
        let request = self
            .http
            .put(format!("http://passerelle/v1/spool/{}", ticket.id))
            .query(&[("name", name)])
            .body(body);
        let _: serde_json::Value = read(request.send().await).await?;
        Ok(())
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> anyhow::Result<T> {
        let mut request = self.http.request(method, format!("http://passerelle{path}"));
        if let Some(body) = body {
            request = request.json(body);
        }
        read(request.send().await).await
    }
}

async fn read<T: DeserializeOwned>(answer: reqwest::Result<Response>) -> anyhow::Result<T> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) if error.is_connect() => bail!(
            "the daemon does not answer on its socket\nhint: start it with `passerelle run`, with the same --config"
        ),
        Err(error) => return Err(error.into()),
    };
    if answer.status().is_success() {
        return Ok(answer.json().await?);
    }
    let status = answer.status();
    let Ok(ApiError { error, hint, objections }) = answer.json().await else {
        bail!("the daemon answered {status}");
    };
    let mut text = error;
    for objection in objections {
        text.push_str("\n  - ");
        text.push_str(&objection.to_string());
    }
    if !hint.is_empty() {
        text.push_str("\nhint: ");
        text.push_str(&hint);
    }
    bail!("{text}")
}

/// Opens `path` if it is an encrypted zip. A wrong password fails here, before anything is sent.
fn open_encrypted(path: &Path, password: Option<Password>) -> anyhow::Result<Option<Container>> {
    let access = Access { limits: Limits::default(), password };
    match Container::open(path, access) {
        Ok(container) if container.is_encrypted() => Ok(Some(container)),
        // The daemon will say what is wrong with a file that is not.
        Ok(_) | Err(ContainerError::BrokenZip { .. } | ContainerError::EmptyFile { .. }) => {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Sends the bytes of an entry. An error that breaks off reaches the receiver, too, so that the
/// file does not look whole to it.
fn send_chunks(
    container: &Container,
    entry: &Entry,
    to: &mpsc::Sender<std::io::Result<Bytes>>,
) -> anyhow::Result<()> {
    let mut stream = container.reader(entry)?;
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                let chunk = buffer.get(..count).unwrap_or_default();
                if to.blocking_send(Ok(Bytes::copy_from_slice(chunk))).is_err() {
                    // The other side has gone and will say why.
                    return Ok(());
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => {
                let _ = to.blocking_send(Err(error.kind().into()));
                return Err(error.into());
            }
        }
    }
}

struct HandedIn {
    path: std::path::PathBuf,
    name: String,
    size_bytes: u64,
}

/// Every ordinary file below a folder, or the file itself. Links are not followed.
fn files_below(path: &Path, name: &str) -> anyhow::Result<Vec<HandedIn>> {
    let cannot = || format!("cannot read {}", path.display());
    let metadata = std::fs::symlink_metadata(path).with_context(cannot)?;
    let target = if metadata.is_symlink() {
        std::fs::metadata(path).with_context(cannot)?
    } else {
        metadata
    };
    if !target.is_dir() {
        let size_bytes = target.len();
        return Ok(vec![HandedIn { path: path.to_owned(), name: name.to_owned(), size_bytes }]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        if entry.file_type().with_context(cannot)?.is_symlink() {
            continue;
        }
        let inner = entry.file_name();
        let inner = inner
            .to_str()
            .with_context(|| format!("the name of {} is not UTF-8", entry.path().display()))?;
        files.extend(files_below(&entry.path(), &format!("{name}/{inner}"))?);
    }
    Ok(files)
}
