//! Where each job stands in the queue, and when it will have ended.

use std::collections::BTreeMap;
use std::time::Duration;

use super::forecast::{Effort, Stage, ends, usual_rate};
use super::plan::Plan;
use super::runner::Runner;
use crate::model::time::UnixMillis;
use crate::store::{JobRecord, JobState, StoreError};

/// What the queue, the pace and the hours mean for one job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Its place among those that wait for their turn, from 1.
    pub position: Option<u64>,
    /// When it will have ended, as far as that can be told.
    pub ends_at: Option<UnixMillis>,
    /// Until when it rests, because these are quiet hours.
    pub resting_until: Option<UnixMillis>,
    /// Until when nobody calls, because the homeserver asked for a pause.
    pub held_until: Option<UnixMillis>,
    /// When it is taken up again by itself after a fault.
    pub again_at: Option<UnixMillis>,
}

impl Runner {
    /// Where the jobs stand that run, wait for their turn or for their next try.
    ///
    /// # Errors
    /// When the store fails.
    pub fn standings(&self) -> Result<BTreeMap<String, Standing>, StoreError> {
        let budget = self.portals().homeserver().budget();
        let now = self.clock().now();
        let (limits, figures) = (budget.limits(), budget.figures());
        let usual = usual_rate(&limits);
        // What was measured counts while it is work that was measured: not a rest or a wait.
        let rate = figures.measured_per_second.filter(|rate| *rate > usual / 20.0).unwrap_or(usual);
        let resting_until = budget.resting_until();
        let held = figures.held.as_millis();
        let held_until = i64::try_from(held).ok().filter(|held| *held > 0);
        let mut standings = BTreeMap::new();
        let mut order = Vec::new();
        let mut position = 0;
        for job in self.queue()? {
            let mut standing = Standing::default();
            if job.state == JobState::Paused {
                standing.again_at = job.again.map(|again| again.at);
            } else {
                standing.resting_until = resting_until.map(UnixMillis::from);
                standing.held_until = held_until.map(|held| UnixMillis(now.0 + held));
                let runs = self.is_claimed(&job.id);
                if !runs {
                    position += 1;
                    standing.position = Some(position);
                }
                // A plan that cannot be read is told of when the job's turn comes.
                if let Ok(plan) = Plan::parse(&job.plan) {
                    let left = Effort::of(&plan).left(stage(&job, now), &limits, rate);
                    order.push((!runs, job.id.clone(), left));
                }
            }
            standings.insert(job.id, standing);
        }
        // Those that run first, each half in the order it was handed in.
        order.sort_by_key(|(waits, ..)| *waits);
        let left: Vec<f64> = order.iter().map(|(.., left)| *left).collect();
        let ends = ends(&left, self.hands().jobs_at_once, rate);
        for ((_, id, _), work) in order.iter().zip(ends) {
            let begin = now.to_timestamp();
            let begin = begin.checked_add(figures.held).unwrap_or(begin);
            let end = budget.quiet_hours().end_of(begin, work);
            if let Some(standing) = standings.get_mut(id) {
                standing.ends_at = Some(end.into());
            }
        }
        Ok(standings)
    }
}

fn stage(job: &JobRecord, now: UnixMillis) -> Stage {
    match job.state {
        JobState::Verifying => {
            let since = now.0.saturating_sub(job.changed_at.0).max(0).unsigned_abs();
            Stage::Reading { since: Duration::from_millis(since) }
        }
        JobState::Running if job.done > 0 => Stage::Sending { done: job.done, total: job.total },
        JobState::Planned
        | JobState::Running
        | JobState::Done
        | JobState::Paused
        | JobState::Failed
        | JobState::Cancelled => Stage::Ahead,
    }
}
