//! A job as the socket tells it.

use serde::{Deserialize, Serialize};

use super::keys::{KeysView, keys_of};
use crate::import::{Runner, Standing};
use crate::model::time::UnixMillis;
use crate::store::{JobRecord, JobState, StoreError};

/// A job as the CLI shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobView {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub state: JobState,
    /// Records dealt with.
    pub done: u64,
    /// Records in all.
    pub total: u64,
    /// Its room, once there is one.
    pub room_id: Option<String>,
    /// The room's name.
    pub room_name: String,
    /// When it was taken in.
    pub created_at: UnixMillis,
    /// When it last moved.
    pub changed_at: UnixMillis,
    /// Why it stopped.
    pub fault: String,
    /// What to do about it.
    pub hint: String,
    /// Where its report lies, once there is one.
    pub report: Option<String>,
    /// How far the keys of an encrypted room have come.
    #[serde(default)]
    pub keys: Option<KeysView>,
    /// Its place among the jobs that wait for their turn, from 1.
    #[serde(default)]
    pub position: Option<u64>,
    /// When it will have ended, as far as that can be told.
    #[serde(default)]
    pub ends_at: Option<UnixMillis>,
    /// Until when it rests: these are quiet hours.
    #[serde(default)]
    pub resting_until: Option<UnixMillis>,
    /// Until when nobody calls: the homeserver asked for a pause.
    #[serde(default)]
    pub held_until: Option<UnixMillis>,
    /// When it is taken up again by itself.
    #[serde(default)]
    pub again_at: Option<UnixMillis>,
}

/// What a record, its room and its place in the queue come to.
pub(super) fn view(
    runner: &Runner,
    record: &JobRecord,
    standing: Standing,
) -> Result<JobView, StoreError> {
    let Standing { position, ends_at, resting_until, held_until, again_at } = standing;
    let store = runner.portals().store();
    let room_id = store.portal(&record.portal)?.and_then(|portal| portal.room_id);
    let keys = keys_of(runner.portals(), room_id.as_deref())?;
    let report = runner.report_folder(&record.id).join("report.txt");
    let room_name =
        runner.job(&record.id).map(|job| job.plan().room.name.clone()).unwrap_or_default();
    Ok(JobView {
        id: record.id.clone(),
        state: record.state,
        done: record.done,
        total: record.total,
        room_id: room_id.map(|id| id.to_string()),
        room_name,
        created_at: record.created_at,
        changed_at: record.changed_at,
        fault: record.fault.clone(),
        hint: record.hint.clone(),
        report: report.exists().then(|| report.display().to_string()),
        keys,
        position,
        ends_at,
        resting_until,
        held_until,
        again_at,
    })
}
