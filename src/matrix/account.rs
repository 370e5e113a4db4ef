//! An ordinary account: the witness, who sees rooms as any member does.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use ruma::api::Direction;
use ruma::api::client::{account::whoami, membership, room};
use ruma::{EventId, OwnedMxcUri, OwnedUserId, RoomId};
use tokio_util::sync::CancellationToken;

use super::crypto::{Machine, Machines};
use super::error::MatrixError;
use super::homeserver::{Homeserver, heed};
use super::intent::page_raw;
use super::pace::Errand;
use super::timeline::{RawPage, RoomEvent};

/// Acts with an ordinary access token, outside the application service.
#[derive(Clone, Debug)]
pub struct Account {
    homeserver: Homeserver,
}

/// A file's bytes as they arrive.
pub type Download = Pin<Box<dyn Stream<Item = Result<Bytes, MatrixError>> + Send>>;

impl Account {
    /// Wraps a homeserver whose token is that of an ordinary account.
    pub fn new(homeserver: Homeserver) -> Self {
        Self { homeserver }
    }

    /// The same account, called for somebody else, until `halt`.
    #[must_use]
    pub fn on_errand(&self, errand: Errand, halt: CancellationToken) -> Self {
        Self { homeserver: self.homeserver.on_errand(errand, halt) }
    }

    /// Whose token it is.
    ///
    /// # Errors
    /// When the token is not accepted or the homeserver cannot be reached.
    pub async fn whoami(&self) -> Result<OwnedUserId, MatrixError> {
        Ok(self.homeserver.call(None, whoami::v3::Request::new()).await?.user_id)
    }

    /// The machine of the token's device, published and, where the homeserver lets us, signed:
    /// a device of its own, that shares no key with those of our accounts.
    ///
    /// # Errors
    /// When the token has no device, the device has keys of somebody else's making, or the
    /// homeserver cannot be reached.
    pub async fn reader(&self, machines: &Machines) -> Result<Arc<Machine>, MatrixError> {
        let answer = self.homeserver.call(None, whoami::v3::Request::new()).await?;
        let device = answer.device_id.ok_or_else(|| MatrixError::Malformed {
            endpoint: "GET whoami".to_owned(),
            reason: "the token belongs to no device".to_owned(),
        })?;
        // The machine outlives the job that opens it, so the job's halt must not stop it.
        let homeserver = self.homeserver.on_errand(Errand::Upkeep, CancellationToken::new());
        machines.of_ordinary(&homeserver, &answer.user_id, &device).await
    }

    /// Joins a room it was invited to.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn join(&self, room: &RoomId) -> Result<(), MatrixError> {
        let request = membership::join_room_by_id::v3::Request::new(room.to_owned());
        self.homeserver.call(None, request).await.map(|_| ())
    }

    /// Leaves a room. Not being in it is success.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn leave(&self, room: &RoomId) -> Result<(), MatrixError> {
        let request = membership::leave_room::v3::Request::new(room.to_owned());
        match self.homeserver.call(None, request).await {
            Err(MatrixError::Refused { .. }) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// One event; `None` when the homeserver says there is none.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn event(
        &self,
        room: &RoomId,
        event: &EventId,
    ) -> Result<Option<RoomEvent>, MatrixError> {
        let request = room::get_room_event::v3::Request::new(room.to_owned(), event.to_owned());
        match self.homeserver.call(None, request).await {
            Ok(answer) => {
                serde_json::from_str(answer.event.json().get()).map(Some).map_err(|error| {
                    MatrixError::Malformed {
                        endpoint: "GET event".to_owned(),
                        reason: error.to_string(),
                    }
                })
            }
            Err(error) if error.errcode() == Some("M_NOT_FOUND") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A page of a room's timeline, oldest first, with events exactly as the homeserver tells them.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn page_forward(
        &self,
        room: &RoomId,
        from: Option<String>,
    ) -> Result<RawPage, MatrixError> {
        page_raw(&self.homeserver, None, room, Direction::Forward, from).await
    }

    /// Opens a file of about `size_bytes` for download, as any client would.
    ///
    /// # Errors
    /// When the homeserver refuses or cannot be reached.
    pub async fn download(
        &self,
        uri: &OwnedMxcUri,
        size_bytes: u64,
    ) -> Result<Download, MatrixError> {
        let endpoint = "GET media";
        let (server, media) = uri.parts().map_err(|error| MatrixError::Malformed {
            endpoint: endpoint.to_owned(),
            reason: error.to_string(),
        })?;
        let url = format!(
            "{}/_matrix/client/v1/media/download/{server}/{media}",
            self.homeserver.base_url
        );
        self.homeserver.patiently(|| self.open_download(endpoint, &url, size_bytes)).await
    }

    async fn open_download(
        &self,
        endpoint: &str,
        url: &str,
        size_bytes: u64,
    ) -> Result<Download, MatrixError> {
        let unreachable = |endpoint: &str, error: reqwest::Error| MatrixError::Unreachable {
            endpoint: endpoint.to_owned(),
            reason: error.without_url().to_string(),
        };
        let request = self
            .homeserver
            .http
            .get(url)
            .timeout(self.homeserver.transfer_timeout(size_bytes))
            .bearer_auth(self.homeserver.token.expose());
        let turn = self.homeserver.turn(endpoint).await?;
        let answer = request.send().await.map_err(|error| unreachable(endpoint, error))?;
        let headers = answer.headers().clone();
        let status = answer.status();
        if !status.is_success() {
            let body = answer.bytes().await.map_err(|error| unreachable(endpoint, error))?;
            let error = MatrixError::from_answer(endpoint, status, &body).or_header(&headers);
            heed(&turn, &error);
            return Err(error);
        }
        let endpoint = endpoint.to_owned();
        let stream = answer.bytes_stream().map(move |chunk| {
            // The call is over when its last byte is here.
            let _turn = &turn;
            chunk.map_err(|error| unreachable(&endpoint, error))
        });
        Ok(Box::pin(stream))
    }
}
