//! Whether the daemon lives, whether it can work, and its figures for Prometheus.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::import::Runner;

const READY_TIMEOUT: Duration = Duration::from_secs(3);

/// Counts the daemon keeps for its operators.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// Transactions answered.
    pub transactions: Arc<AtomicU64>,
    /// Events of transactions that had come before.
    pub repeated_events: Arc<AtomicU64>,
    /// Events found in rooms that no transaction had brought.
    pub recovered_events: Arc<AtomicU64>,
}

#[derive(Clone)]
struct Shared {
    runner: Runner,
    health: Health,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StateLabel {
    state: String,
}

/// `/health/live`, `/health/ready`, `/metrics`.
pub fn health(runner: Runner, health: Health) -> Router {
    Router::new()
        .route("/health/live", get(|| async { "live\n" }))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Shared { runner, health })
}

/// Ready is: our records answer, and so does the homeserver.
async fn ready(State(shared): State<Shared>) -> Response {
    if shared.runner.states().is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the store fails\n").into_response();
    }
    let homeserver = shared.runner.portals().homeserver().clone().impatient();
    match tokio::time::timeout(READY_TIMEOUT, homeserver.spoken_versions()).await {
        Ok(Ok(_)) => "ready\n".into_response(),
        Ok(Err(_)) | Err(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "the homeserver does not answer\n").into_response()
        }
    }
}

async fn metrics(State(shared): State<Shared>) -> Response {
    let mut registry = Registry::with_prefix("passerelle");
    let jobs = Family::<StateLabel, Gauge>::default();
    let records = Family::<StateLabel, Gauge>::default();
    registry.register("jobs", "Import jobs by state", jobs.clone());
    registry.register("job_records_done", "Records dealt with, by state of job", records.clone());
    let inbox: Gauge = Gauge::default();
    registry.register("inbox_events", "Events waiting to be handled", inbox.clone());
    let bytes: Gauge = Gauge::default();
    registry.register("store_bytes", "Size of the store on disk", bytes.clone());
    let figures = shared.runner.portals().homeserver().budget().figures();
    let Ok(standings) = shared.runner.standings() else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "the store fails\n").into_response();
    };
    let queued = standings.values().filter(|one| one.position.is_some()).count();
    let to_be_tried = standings.values().filter(|one| one.again_at.is_some()).count();
    for (name, help, value) in [
        ("queued_jobs", "Jobs that wait for their turn", queued),
        ("jobs_to_be_tried_again", "Jobs that wait for their next try after a fault", to_be_tried),
        ("homeserver_calls_in_flight", "Calls without an answer yet", figures.in_flight),
        ("homeserver_calls_waiting", "Calls that wait for their turn", figures.waiting),
    ] {
        let gauge: Gauge = Gauge::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        registry.register(name, help, gauge);
    }
    for (name, help, value) in [
        ("homeserver_calls", "Calls made to the homeserver", figures.calls),
        ("homeserver_refusals", "Calls answered with 429", figures.refused),
    ] {
        let counter: Counter = Counter::default();
        counter.inc_by(value);
        registry.register(name, help, counter);
    }
    for (name, help, value) in [
        (
            "pace_calls_per_second",
            "Bound on calls a second now; infinite when there is none",
            figures.calls_per_second.unwrap_or(f64::INFINITY),
        ),
        (
            "pace_measured_calls_per_second",
            "Calls a second in the last minute; 0 before ten seconds were measured",
            figures.measured_per_second.unwrap_or(0.0),
        ),
        ("pace_held_seconds", "How long nobody calls, on request", figures.held.as_secs_f64()),
    ] {
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    }
    let counted = [
        ("transactions", "Transactions answered", &shared.health.transactions),
        ("repeated_events", "Events that came again", &shared.health.repeated_events),
        ("recovered_events", "Events no transaction brought", &shared.health.recovered_events),
    ];
    for (name, help, value) in counted {
        let counter: Counter = Counter::default();
        counter.inc_by(value.load(Ordering::Relaxed));
        registry.register(name, help, counter);
    }
    let store = shared.runner.portals().store();
    let Ok(all) = store.jobs() else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "the store fails\n").into_response();
    };
    let mut by_state: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for job in all {
        let sums = by_state.entry(job.state.word()).or_default();
        sums.0 += 1;
        sums.1 += i64::try_from(job.done).unwrap_or(i64::MAX);
    }
    for (state, (count, done)) in by_state {
        let label = StateLabel { state: state.to_owned() };
        jobs.get_or_create(&label).set(count);
        records.get_or_create(&label).set(done);
    }
    inbox.set(i64::try_from(store.inbox_len()).unwrap_or(i64::MAX));
    bytes.set(i64::try_from(store.size_bytes().unwrap_or(0)).unwrap_or(i64::MAX));
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([("content-type", kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
