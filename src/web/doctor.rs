//! What the daemon tells the doctor: what it owns, and what transactions carried.

use axum::extract::State;
use axum::response::Json;

use super::commands::Shared;
use crate::doctor::{DaemonView, Records};
use crate::matrix::Heard;

pub(super) async fn view(State(shared): State<Shared>) -> Json<DaemonView> {
    let Shared { runner, .. } = shared;
    let records = Records::look(runner.portals().store(), &runner.places().spool).await;
    Json(DaemonView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        records: records.map_err(|error| error.to_string()),
    })
}

pub(super) async fn heard(State(shared): State<Shared>) -> Json<Heard> {
    Json(shared.overheard.heard())
}
