//! Uploads, streamed.

use bytes::Bytes;
use futures_util::Stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use ruma::OwnedMxcUri;
use serde::Deserialize;

use super::actor::Actor;
use super::error::MatrixError;
use super::homeserver::Homeserver;

/// What is uploaded. Built anew for each attempt.
pub enum UploadBody<S> {
    /// Bytes in memory.
    Whole(Bytes),
    /// A stream of exactly this many bytes.
    Streamed {
        /// Its length; the homeserver insists on knowing it.
        length: u64,
        /// The bytes.
        stream: S,
    },
}

#[derive(Deserialize)]
struct Uploaded {
    content_uri: OwnedMxcUri,
}

impl Homeserver {
    /// Uploads a file as `actor`, waiting out transient failures; `body` is called once for
    /// each attempt.
    ///
    /// # Errors
    /// When the homeserver refuses (413 when it is too large) or cannot be reached.
    pub async fn upload<S>(
        &self,
        actor: &Actor,
        mime: &str,
        file_name: Option<&str>,
        mut body: impl FnMut() -> UploadBody<S>,
    ) -> Result<OwnedMxcUri, MatrixError>
    where
        S: Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    {
        self.patiently(|| self.upload_once(actor, mime, file_name, body())).await
    }

    async fn upload_once<S>(
        &self,
        actor: &Actor,
        mime: &str,
        file_name: Option<&str>,
        body: UploadBody<S>,
    ) -> Result<OwnedMxcUri, MatrixError>
    where
        S: Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    {
        let endpoint = "POST upload";
        let url = format!("{}/_matrix/media/v3/upload", self.base_url);
        let mut query = vec![("user_id", actor.user_id.as_str())];
        query.extend(file_name.map(|name| ("filename", name)));
        let (length, body) = match body {
            UploadBody::Whole(bytes) => (bytes.len() as u64, reqwest::Body::from(bytes)),
            UploadBody::Streamed { length, stream } => (length, reqwest::Body::wrap_stream(stream)),
        };
        let request = self
            .http
            .post(url)
            .query(&query)
            .bearer_auth(self.token.expose())
            .header(CONTENT_TYPE, mime)
            .header(CONTENT_LENGTH, length)
            .timeout(self.transfer_timeout(length))
            .body(body)
            .build()
            .map_err(|error| MatrixError::Request { reason: error.to_string() })?;
        let answer = self.exchange(endpoint, request).await?;
        let Uploaded { content_uri } = serde_json::from_slice(answer.body()).map_err(|error| {
            MatrixError::Malformed { endpoint: endpoint.to_owned(), reason: error.to_string() }
        })?;
        Ok(content_uri)
    }
}
