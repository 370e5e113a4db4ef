//! One HTTP client towards one homeserver, with patience.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use ruma::api::auth_scheme::{AuthScheme, SendAccessToken};
use ruma::api::client::appservice::request_ping;
use ruma::api::client::discovery::get_supported_versions;
use ruma::api::error::FromHttpResponseError;
use ruma::api::path_builder::PathBuilder;
use ruma::api::{
    AppserviceUserIdentity, IncomingResponse, MatrixVersion, Metadata, OutgoingRequest,
    OutgoingRequestAppserviceExt, SupportedVersions,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::actor::Actor;
use super::budget::{Budget, Permit};
use super::error::MatrixError;
use super::pace::{Errand, Load};
use crate::config::{MatrixSection, Secret};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// [`endpoint_name`] of the sending of a message.
const SEND: &str = "PUT send_message_event";
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// A homeserver and a token for it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Homeserver {
    pub(super) http: reqwest::Client,
    pub(super) base_url: String,
    pub(super) token: Secret,
    /// How long transient failures are waited out before they are handed up.
    patience: Duration,
    request_timeout: Duration,
    versions: SupportedVersions,
    budget: Budget,
    errand: Errand,
    /// Ends the wait for a turn, and makes no call any more.
    halt: CancellationToken,
}

impl Homeserver {
    /// A client for the configured homeserver, speaking with `token`, as fast as it can.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(section: &MatrixSection, token: Secret) -> Result<Self, MatrixError> {
        let http = reqwest::Client::builder()
            .timeout(section.request_timeout)
            .connect_timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("passerelle/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| MatrixError::Request { reason: error.to_string() })?;
        let versions = SupportedVersions {
            versions: [MatrixVersion::V1_1, MatrixVersion::V1_11].into(),
            features: std::collections::BTreeSet::default(),
        };
        Ok(Self {
            http,
            base_url: section.homeserver_url.clone(),
            token,
            patience: section.patience,
            request_timeout: section.request_timeout,
            versions,
            budget: Budget::unlimited(),
            errand: Errand::People,
            halt: CancellationToken::new(),
        })
    }

    /// The same homeserver, called within `budget`.
    #[must_use]
    pub fn under(mut self, budget: &Budget) -> Self {
        self.budget = budget.clone();
        self
    }

    /// The same homeserver, called for somebody else, until `halt`.
    #[must_use]
    pub fn on_errand(&self, errand: Errand, halt: CancellationToken) -> Self {
        Self { errand, halt, ..self.clone() }
    }

    /// The budget its calls come from.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The same homeserver, giving up on transient failures at once.
    #[must_use]
    pub fn impatient(mut self) -> Self {
        self.patience = Duration::ZERO;
        self
    }

    /// How long a file of this size may take: the bound on a request, and a second for each
    /// hundred kilobytes.
    pub(super) fn transfer_timeout(&self, size_bytes: u64) -> Duration {
        self.request_timeout + Duration::from_secs(size_bytes / 100_000)
    }

    /// Has the homeserver ping us; returns how long that took.
    ///
    /// # Errors
    /// When it cannot reach us: the error code says why (`M_CONNECTION_FAILED`,
    /// `M_BAD_STATUS`, `M_CONNECTION_TIMEOUT`, `M_URL_NOT_SET`).
    pub async fn ping(&self, appservice: &str) -> Result<Duration, MatrixError> {
        let request = request_ping::v1::Request::new(appservice.to_owned());
        Ok(self.call_once(None, request).await?.duration)
    }

    /// The specification versions the homeserver speaks; needs no token. Outside the budget: it
    /// asks whether the homeserver answers at all, and no limit counts it.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn spoken_versions(&self) -> Result<Vec<String>, MatrixError> {
        let endpoint = "GET versions";
        let url = format!("{}/_matrix/client/versions", self.base_url);
        let request = self
            .http
            .get(url)
            .build()
            .map_err(|error| MatrixError::Request { reason: error.to_string() })?;
        let answer = self.exchange_now(endpoint, request).await?;
        let answer: get_supported_versions::Response = IncomingResponse::try_from_http_response(
            answer,
        )
        .map_err(|error: FromHttpResponseError<ruma::api::error::Error>| {
            MatrixError::Malformed { endpoint: endpoint.to_owned(), reason: error.to_string() }
        })?;
        Ok(answer.versions)
    }

    /// Calls an endpoint, waiting out transient failures. The request must be repeatable.
    pub(super) async fn call<R>(
        &self,
        actor: Option<&Actor>,
        request: R,
    ) -> Result<R::IncomingResponse, MatrixError>
    where
        R: OutgoingRequest + Clone,
        for<'a> R::Authentication: AuthScheme<Input<'a> = SendAccessToken<'a>>,
        for<'a> R::PathBuilder: PathBuilder<Input<'a> = Cow<'a, SupportedVersions>>,
    {
        self.patiently(|| self.call_once(actor, request.clone())).await
    }

    /// Calls an endpoint that would do its work twice if it were called twice: only an answer of
    /// 429, which says that nothing was done, is waited out.
    pub(super) async fn call_unrepeated<R>(
        &self,
        actor: Option<&Actor>,
        request: R,
    ) -> Result<R::IncomingResponse, MatrixError>
    where
        R: OutgoingRequest + Clone,
        for<'a> R::Authentication: AuthScheme<Input<'a> = SendAccessToken<'a>>,
        for<'a> R::PathBuilder: PathBuilder<Input<'a> = Cow<'a, SupportedVersions>>,
    {
        let is_undone = |error: &MatrixError| matches!(error, MatrixError::RateLimited { .. });
        self.repeat_while(is_undone, || self.call_once(actor, request.clone())).await
    }

    /// Repeats `attempt` while its failure is transient and patience lasts.
    pub(super) async fn patiently<T, F>(&self, attempt: impl FnMut() -> F) -> Result<T, MatrixError>
    where
        F: Future<Output = Result<T, MatrixError>>,
    {
        self.repeat_while(MatrixError::is_transient, attempt).await
    }

    async fn repeat_while<T, F>(
        &self,
        may_pass: impl Fn(&MatrixError) -> bool,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, MatrixError>
    where
        F: Future<Output = Result<T, MatrixError>>,
    {
        // Patience begins with the first failure: waiting for one's turn is none.
        let mut deadline = None;
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match attempt().await {
                Err(error @ MatrixError::Halted { .. }) => return Err(error),
                Err(error) if may_pass(&error) => error,
                settled => return settled,
            };
            // The budget keeps everybody from calling for as long as the homeserver asks.
            let held = matches!(error, MatrixError::RateLimited { .. });
            let wait = if held { self.budget.figures().held } else { pause };
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + self.patience);
            if Instant::now() + wait > deadline {
                return Err(error);
            }
            if !held {
                tracing::debug!(wait_ms = wait.as_millis(), "waiting out a homeserver failure");
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = self.halt.cancelled() => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    /// Calls an endpoint exactly once.
    pub(super) async fn call_once<R>(
        &self,
        actor: Option<&Actor>,
        request: R,
    ) -> Result<R::IncomingResponse, MatrixError>
    where
        R: OutgoingRequest,
        for<'a> R::Authentication: AuthScheme<Input<'a> = SendAccessToken<'a>>,
        for<'a> R::PathBuilder: PathBuilder<Input<'a> = Cow<'a, SupportedVersions>>,
    {
        let endpoint = endpoint_name::<R>();
        let token = SendAccessToken::Appservice(self.token.expose());
        let versions = Cow::Borrowed(&self.versions);
        let made = match actor {
            Some(actor) => {
                let mut identity = AppserviceUserIdentity::new(&actor.user_id);
                identity.device_id = actor.device_id.as_deref();
                request.try_into_http_request_with_identity::<Vec<u8>>(
                    &self.base_url,
                    token,
                    identity,
                    versions,
                )
            }
            None => request.try_into_http_request::<Vec<u8>>(&self.base_url, token, versions),
        };
        let made = made.map_err(|error| MatrixError::Request { reason: error.to_string() })?;
        let made = reqwest::Request::try_from(made)
            .map_err(|error| MatrixError::Request { reason: error.to_string() })?;
        let answer = self.exchange(&endpoint, made).await?;
        R::IncomingResponse::try_from_http_response(answer)
            .map_err(|error| MatrixError::Malformed { endpoint, reason: error.to_string() })
    }

    /// Waits for a turn, sends a request and returns a successful answer whole.
    pub(super) async fn exchange(
        &self,
        endpoint: &str,
        request: reqwest::Request,
    ) -> Result<http::Response<Bytes>, MatrixError> {
        let turn = self.turn(endpoint).await?;
        let answer = self.exchange_now(endpoint, request).await;
        if let Err(error) = &answer {
            heed(&turn, error);
        }
        answer
    }

    /// Waits until a call may go.
    pub(super) async fn turn(&self, endpoint: &str) -> Result<Permit, MatrixError> {
        let load = if endpoint == SEND { Load::Message } else { Load::Other };
        let turn = self.budget.acquire(self.errand, load, &self.halt).await;
        turn.map_err(|_| MatrixError::Halted { endpoint: endpoint.to_owned() })
    }

    async fn exchange_now(
        &self,
        endpoint: &str,
        request: reqwest::Request,
    ) -> Result<http::Response<Bytes>, MatrixError> {
        let unreachable = |error: reqwest::Error| MatrixError::Unreachable {
            endpoint: endpoint.to_owned(),
            reason: root_cause(&error.without_url()),
        };
        let answer = self.http.execute(request).await.map_err(unreachable)?;
        let status = answer.status();
        let headers = answer.headers().clone();
        let body = answer.bytes().await.map_err(unreachable)?;
        if !status.is_success() {
            return Err(MatrixError::from_answer(endpoint, status, &body).or_header(&headers));
        }
        let mut whole = http::Response::new(body);
        *whole.status_mut() = status;
        *whole.headers_mut() = headers;
        Ok(whole)
    }
}

/// Tells the budget when the homeserver asked for a pause.
pub(super) fn heed(turn: &Permit, error: &MatrixError) {
    if let MatrixError::RateLimited { retry_after, .. } = error {
        turn.refused(*retry_after);
    }
}

/// Method and last path words of an endpoint: enough for a log, and free of ids.
fn endpoint_name<R: Metadata>() -> String {
    let module = std::any::type_name::<R>();
    let name = module.rsplit("::").nth(2).unwrap_or(module);
    format!("{} {name}", R::METHOD)
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

#[cfg(test)]
mod tests {
    use ruma::api::client::message::send_message_event;

    use super::*;

    #[test]
    fn the_sending_of_a_message_is_known_by_its_name() {
        assert_eq!(endpoint_name::<send_message_event::v3::Request>(), SEND);
    }
}
