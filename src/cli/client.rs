//! The CLI's side of the command socket.

use std::path::Path;

use anyhow::{Context, bail};
use reqwest::{Body, Client, Method, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::io::ReaderStream;

use super::output;
use crate::config::Config;
use crate::web::{ApiError, SpoolTicket};

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

    /// Streams a file or a folder into the daemon's spool.
    pub(super) async fn hand_in(&self, path: &Path) -> anyhow::Result<(SpoolTicket, String)> {
        let ticket: SpoolTicket = self.post("/v1/spool", None::<&()>).await?;
        let name = path
            .file_name()
            .with_context(|| format!("{} has no name", path.display()))?
            .to_str()
            .with_context(|| format!("the name of {} is not UTF-8", path.display()))?
            .to_owned();
        let files = files_below(path, &name)?;
        let bar = output::bar(files.iter().map(|file| file.size_bytes).sum(), "handing in");
        for file in files {
            let opened = tokio::fs::File::open(&file.path)
                .await
                .with_context(|| format!("cannot read {}", file.path.display()))?;
            let counted = bar.wrap_async_read(opened);
            let request = self
                .http
                .put(format!("http://passerelle/v1/spool/{}", ticket.id))
                .query(&[("name", &file.name)])
                .body(Body::wrap_stream(ReaderStream::with_capacity(counted, 256 << 10)));
            let _: serde_json::Value = read(request.send().await).await?;
        }
        bar.finish_and_clear();
        Ok((ticket, name))
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
