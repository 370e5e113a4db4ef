//! Serves a listener: how many may call at once, and how long a caller may take.
//!
//! Whoever reaches a port can open connections and say nothing, or say it byte by byte. Each
//! wait has an end here, so that such callers cost a bounded number of connections for a
//! bounded time. Sizes are bounded by the routes; who may ask what is theirs, too.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONNECTION;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The lines before a body; requests of ours and of homeservers have less than one.
const LARGEST_HEAD_BYTES: usize = 32 << 10;

/// What a caller may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; further callers wait until one ends.
    pub connections: usize,
    /// From connecting to the end of the first request's head.
    pub first_head: Duration,
    /// From an answer to the end of the next request's head.
    pub next_head: Duration,
    /// From one piece of a body to the next.
    pub body_pause: Duration,
    /// From a request's head to the answer; `None` where work of any length is asked for.
    pub answer: Option<Duration>,
}

impl Limits {
    /// For the homeserver. It keeps connections for two minutes and is surprised by one that is
    /// closed earlier.
    pub const APPSERVICE: Self = Self {
        connections: 64,
        first_head: Duration::from_secs(10),
        next_head: Duration::from_secs(150),
        body_pause: Duration::from_secs(20),
        answer: Some(Duration::from_mins(1)),
    };
    /// For whoever watches health and figures.
    pub const OPERATOR: Self = Self {
        connections: 32,
        first_head: Duration::from_secs(5),
        next_head: Duration::from_secs(30),
        body_pause: Duration::from_secs(5),
        answer: Some(Duration::from_secs(10)),
    };
    /// For the command line, which hands in archives of any size and waits for a verification.
    pub const COMMANDS: Self = Self {
        connections: 64,
        first_head: Duration::from_secs(10),
        next_head: Duration::from_mins(1),
        body_pause: Duration::from_mins(2),
        answer: None,
    };
}

/// Serves until `stop`, and then until the requests under way are answered.
pub async fn serve<L: Listener>(
    mut listener: L,
    routes: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let routes = routes.layer(from_fn_with_state(limits, in_time));
    let places = Arc::new(Semaphore::new(limits.connections));
    let open = TaskTracker::new();
    loop {
        let caller = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await.0)
        };
        let (place, io) = tokio::select! {
            caller = caller => caller,
            () = stop.cancelled() => break,
        };
        let (routes, stop) = (routes.clone(), stop.clone());
        open.spawn(async move {
            let _place = place;
            converse(io, routes, limits, stop).await;
        });
    }
    // Later callers are refused, not left waiting.
    drop(listener);
    open.close();
    open.wait().await;
}

/// One connection, until either side ends it. What becomes of a caller that goes away is its own
/// affair, so nothing is reported.
async fn converse(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    routes: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let heard = CancellationToken::new();
    let routes = TowerToHyperService::new(routes);
    let service = service_fn({
        let heard = heard.clone();
        move |request| {
            heard.cancel();
            routes.call(request)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.next_head)
        .max_buf_size(LARGEST_HEAD_BYTES)
        .serve_connection(TokioIo::new(io), service);
    let mut connection = std::pin::pin!(connection);
    let silent = async {
        if tokio::time::timeout(limits.first_head, heard.cancelled()).await.is_ok() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        _ = connection.as_mut() => {}
        () = silent => tracing::debug!("a caller was dropped, it asked for nothing in time"),
        () = stop.cancelled() => if heard.is_cancelled() {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        },
    }
}

/// Ends bodies that stall and requests that are not answered in time.
async fn in_time(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let request = request.map(|body| {
        let parts = body.into_data_stream().timeout(limits.body_pause);
        Body::from_stream(parts.map(|part| part.unwrap_or_else(|late| Err(axum::Error::new(late)))))
    });
    let answer = next.run(request);
    let Some(bound) = limits.answer else { return answer.await };
    match tokio::time::timeout(bound, answer).await {
        Ok(answer) => answer,
        Err(_) => (StatusCode::REQUEST_TIMEOUT, [(CONNECTION, "close")]).into_response(),
    }
}
