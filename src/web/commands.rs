//! The commands the CLI gives: hand in an archive, start, watch, pause, resume, cancel, verify.

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post, put};
use axum::{Router, extract::Request};
use serde::{Deserialize, Serialize};
use sha2::Digest;

use super::doctor;
use super::keys::resend;
use super::spool::{SpoolError, inside, take_in};
use super::view::{JobView, view};
use crate::import::{
    CancelError, ImportError, Job, JobError, Objection, PlanError, Report, Runner, Undone,
};
use crate::matrix::Overheard;
use crate::model::ids::Sha256;
use crate::store::{JobRecord, JobState, StoreError};

/// A plan is text; a thousand participants make a few hundred kilobytes.
const LARGEST_PLAN_BYTES: usize = 16 << 20;

/// A place in the spool.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SpoolTicket {
    /// Its id; files go to `/v1/spool/ID/NAME`.
    pub id: String,
}

/// A job to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewJob {
    /// The approved plan's file, verbatim.
    pub plan: String,
    /// The spool ticket.
    pub spool: String,
    /// The archive's own name below the ticket.
    pub name: String,
}

/// A job that was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MadeJob {
    /// Its id.
    pub id: String,
}

/// An error as the socket tells it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApiError {
    /// What went wrong.
    pub error: String,
    /// What to do about it; may be empty.
    pub hint: String,
    /// What keeps a plan from being started.
    #[serde(default)]
    pub objections: Vec<Objection>,
}

#[derive(Clone)]
pub(super) struct Shared {
    pub(super) runner: Runner,
    max_archive_bytes: u64,
    pub(super) overheard: Overheard,
}

/// The routes of the command socket.
pub fn commands(runner: Runner, max_archive_bytes: u64, overheard: Overheard) -> Router {
    Router::new()
        .route("/v1/spool", post(new_ticket))
        .route("/v1/spool/{id}", put(put_file).layer(DefaultBodyLimit::disable()))
        .route("/v1/jobs", get(list_jobs).post(new_job))
        .route("/v1/jobs/{id}", get(one_job))
        .route("/v1/jobs/{id}/pause", post(pause))
        .route("/v1/jobs/{id}/resume", post(resume))
        .route("/v1/jobs/{id}/cancel", post(cancel))
        .route("/v1/jobs/{id}/verify", post(verify))
        .route("/v1/jobs/{id}/report", get(report))
        .route("/v1/doctor", get(doctor::view))
        .route("/v1/doctor/heard", get(doctor::heard))
        .route("/v1/keys/resend", post(resend))
        .layer(DefaultBodyLimit::max(LARGEST_PLAN_BYTES))
        .with_state(Shared { runner, max_archive_bytes, overheard })
}

async fn new_ticket(State(shared): State<Shared>) -> Result<Json<SpoolTicket>, Failure> {
    // Said before gigabytes are handed in, not after.
    if !shared.runner.has_witness() {
        return Err(ImportError::NoWitness.into());
    }
    let id = fresh_id(&shared)?;
    let mut builder = tokio::fs::DirBuilder::new();
    builder.mode(0o700);
    let folder = shared.runner.places().spool.join(&id);
    builder.create(folder).await.map_err(SpoolError::from)?;
    Ok(Json(SpoolTicket { id }))
}

#[derive(Deserialize)]
struct FileName {
    name: String,
}

async fn put_file(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Query(FileName { name }): Query<FileName>,
    request: Request<Body>,
) -> Result<Json<serde_json::Value>, Failure> {
    let folder = shared.runner.places().spool.join(inside(&id)?);
    let body = request.into_body().into_data_stream();
    let bytes = take_in(&folder, &name, body, shared.max_archive_bytes).await?;
    Ok(Json(serde_json::json!({ "bytes": bytes })))
}

async fn new_job(
    State(shared): State<Shared>,
    Json(new): Json<NewJob>,
) -> Result<Json<MadeJob>, Failure> {
    let NewJob { plan, spool, name } = new;
    inside(&spool)?;
    inside(&name)?;
    let runner = &shared.runner;
    let digest = Sha256::from_bytes(sha2::Sha256::digest(&plan).into());
    let id = fresh_id(&shared)?;
    let place = format!("{spool}/{name}");
    let job = match runner.take_in(id, plan, digest, place) {
        Ok(job) => job,
        Err(error) => {
            // A refused plan leaves nothing behind; the owner still has the original.
            let _ = tokio::fs::remove_dir_all(runner.places().spool.join(&spool)).await;
            return Err(error.into());
        }
    };
    runner.portals().store().flush().await?;
    runner.wake();
    tracing::info!(job.id = job.id(), "job taken in");
    Ok(Json(MadeJob { id: job.id().to_owned() }))
}

async fn list_jobs(State(shared): State<Shared>) -> Result<Json<Vec<JobView>>, Failure> {
    let records = shared.runner.portals().store().jobs()?;
    let standings = shared.runner.standings()?;
    let view = |record: &JobRecord| {
        let standing = standings.get(&record.id).copied().unwrap_or_default();
        view(&shared.runner, record, standing)
    };
    Ok(Json(records.iter().map(view).collect::<Result<_, _>>()?))
}

async fn one_job(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<JobView>, Failure> {
    shown(&shared, &shared.runner.job(&id)?)
}

async fn pause(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<JobView>, Failure> {
    let job = shared.runner.pause(&id)?;
    shared.runner.portals().store().flush().await?;
    shown(&shared, &job)
}

async fn resume(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<JobView>, Failure> {
    let job = shared.runner.resume(&id)?;
    shared.runner.portals().store().flush().await?;
    shown(&shared, &job)
}

async fn cancel(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<serde_json::Value>, Failure> {
    let runner = shared.runner.clone();
    // On a task of its own: a command line that goes away must not leave it half done.
    let cancelled = tokio::spawn(async move { runner.cancel(&id).await });
    let Undone { redacted, out_of_reach, bot_stays, keys_forgotten } =
        cancelled.await.map_err(ImportError::from)??;
    shared.runner.portals().store().flush().await?;
    Ok(Json(serde_json::json!({
        "redacted": redacted,
        "out_of_reach": out_of_reach,
        "bot_stays": bot_stays,
        "keys_forgotten": keys_forgotten,
    })))
}

#[derive(Deserialize)]
struct Again {
    spool: String,
    name: String,
}

async fn verify(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Json(Again { spool, name }): Json<Again>,
) -> Result<Json<Report>, Failure> {
    let folder = shared.runner.places().spool.join(inside(&spool)?);
    let archive = folder.join(inside(&name)?);
    // On a task of its own: a command line that goes away must leave neither copy nor witness.
    let verified = tokio::spawn(async move {
        let verified = verify_from(&shared, &id, &archive).await;
        // Verified, refused or failed: no copy stays. The next start clears what this cannot.
        let _ = tokio::fs::remove_dir_all(folder).await;
        verified
    });
    verified.await.map_err(ImportError::from)?.map(Json)
}

async fn verify_from(
    shared: &Shared,
    id: &str,
    archive: &std::path::Path,
) -> Result<Report, Failure> {
    let job = shared.runner.job(id)?;
    if job.state() != JobState::Done {
        return Err(Failure::conflict(
            format!("job {id} is not done"),
            "it verifies by itself when everything is sent",
        ));
    }
    Ok(shared.runner.verify_again(&job, archive).await?)
}

async fn report(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Response, Failure> {
    let job = shared.runner.job(&id)?;
    let path = shared.runner.report_folder(job.id()).join("report.json");
    match tokio::fs::read(&path).await {
        Ok(bytes) => Ok(([("content-type", "application/json")], bytes).into_response()),
        Err(_) => Err(Failure::conflict(
            format!("job {id} has no report yet"),
            "it is written when the room has been read back",
        )),
    }
}

fn shown(shared: &Shared, job: &Job) -> Result<Json<JobView>, Failure> {
    let standing = shared.runner.standings()?.remove(job.id()).unwrap_or_default();
    Ok(Json(view(&shared.runner, job.record(), standing)?))
}

/// An id that sorts by time and does not repeat within the second.
fn fresh_id(shared: &Shared) -> Result<String, Failure> {
    let now = shared.runner.clock().now().to_timestamp();
    let mut random = [0; 4];
    getrandom::fill(&mut random)
        .map_err(|error| Failure::conflict(error.to_string(), "the system has no randomness"))?;
    Ok(format!("{}-{}", now.strftime("%Y%m%d-%H%M%S"), hex::encode(random)))
}

/// What a handler could not do.
pub(super) struct Failure {
    status: StatusCode,
    error: ApiError,
}

impl Failure {
    fn new(status: StatusCode, error: String, hint: &str) -> Self {
        let hint = hint.to_owned();
        Self { status, error: ApiError { error, hint, objections: Vec::new() } }
    }

    pub(super) fn conflict(error: String, hint: &str) -> Self {
        Self::new(StatusCode::CONFLICT, error, hint)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status, Json(self.error)).into_response()
    }
}

impl From<JobError> for Failure {
    fn from(error: JobError) -> Self {
        let text = error.to_string();
        match error {
            JobError::Unknown { .. } => {
                Self::new(StatusCode::NOT_FOUND, text, "`passerelle import status` lists the jobs")
            }
            JobError::WrongState { .. } => Self::conflict(text, ""),
            JobError::Busy { .. } => Self::conflict(
                text,
                "pause it, or wait for what is being done with it to end, then try again",
            ),
            JobError::Repeated { .. } => {
                Self::conflict(text, "see its report, or cancel it before importing the chat again")
            }
            JobError::Plan(PlanError::Objections(objections)) => Self {
                status: StatusCode::UNPROCESSABLE_ENTITY,
                error: ApiError {
                    error: text,
                    hint: "edit the plan and start it again".to_owned(),
                    objections,
                },
            },
            JobError::Plan(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, text, ""),
            JobError::Store(error) => error.into(),
        }
    }
}

impl From<CancelError> for Failure {
    fn from(error: CancelError) -> Self {
        match error {
            CancelError::Job(error) => error.into(),
            CancelError::Import(error) => error.into(),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let hint = "check the disk of daemon.state_dir";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string(), hint)
    }
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, error.to_string(), error.hint())
    }
}

impl From<SpoolError> for Failure {
    fn from(error: SpoolError) -> Self {
        let (status, hint) = match &error {
            SpoolError::Name { .. } => (StatusCode::BAD_REQUEST, ""),
            SpoolError::TooLarge { .. } => {
                (StatusCode::PAYLOAD_TOO_LARGE, "raise import.max_archive_bytes")
            }
            SpoolError::Cut { .. } => (StatusCode::BAD_REQUEST, "start it again"),
            SpoolError::Disk { .. } => {
                (StatusCode::INSUFFICIENT_STORAGE, "free space below daemon.state_dir")
            }
        };
        Self::new(status, error.to_string(), hint)
    }
}
