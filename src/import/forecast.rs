//! How long an import takes: the calls it will make, and when the queue will have made them.
//!
//! An estimate, and a pessimistic one: what happened already counts as what it was planned as.

use std::time::Duration;

use super::plan::Plan;
use crate::matrix::Limits;

/// What a standard homeserver keeps up with in one room, in calls a second, when nothing else
/// bounds the pace.
const UNBOUNDED_PER_SECOND: f64 = 30.0;
/// Calls for the canary and the room: made, looked at, entered and left.
const OPENING: u64 = 38;
/// Calls for a person: register, device, name, looked for in the room, invited, joined.
const PER_PERSON: u64 = 6;
/// Events of the room's state at its beginning, and of each person's coming.
const STATE_EVENTS: u64 = 15;
const STATE_EVENTS_PER_PERSON: u64 = 2;
/// Calls for a file: itself and, where it is a picture, its preview.
const PER_FILE: u64 = 2;
/// Events of one page that the witness reads.
const PAGE: u64 = 100;

/// The calls an import makes, by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// The room, the accounts, who comes in.
    pub opening: u64,
    /// Messages sent.
    pub messages: u64,
    /// Uploads of files and of their previews.
    pub uploads: u64,
    /// Pages and files read back, and the invitations.
    pub reading: u64,
}

/// Where a job is in its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing is known to be done.
    Ahead,
    /// So many of so many messages.
    Sending { done: u64, total: u64 },
    /// For so long.
    Reading { since: Duration },
}

impl Effort {
    /// What a plan calls for.
    pub fn of(plan: &Plan) -> Self {
        let people = plan.participants.len() as u64;
        let guests = (plan.room.admins.len() + plan.room.invite.len()) as u64;
        let (messages, facts) = (plan.archive.messages, &plan.archive);
        let files = facts.files.saturating_sub(facts.files_too_large);
        let events = messages + STATE_EVENTS + STATE_EVENTS_PER_PERSON * people;
        Self {
            opening: OPENING + guests + PER_PERSON * people,
            messages,
            uploads: PER_FILE * files,
            reading: 7 + events.div_ceil(PAGE) + files + 2 * guests,
        }
    }

    /// All of them.
    pub fn calls(&self) -> u64 {
        self.opening + self.messages + self.uploads + self.reading
    }

    /// How long that takes within these limits.
    pub fn duration(&self, limits: &Limits) -> Duration {
        let rate = usual_rate(limits);
        Duration::from_secs_f64(self.left(Stage::Ahead, limits, rate) / rate)
    }

    /// The calls that are left, a message counted as the calls that could be made in its time.
    #[expect(clippy::cast_precision_loss, reason = "an estimate of less than 2^52 calls")]
    pub(super) fn left(&self, stage: Stage, limits: &Limits, rate: f64) -> f64 {
        let weight = limits.messages_per_second.map_or(1.0, |messages| (rate / messages).max(1.0));
        let sending = self.messages as f64 * weight + self.uploads as f64;
        let reading = self.reading as f64;
        match stage {
            Stage::Ahead => self.opening as f64 + sending + reading,
            Stage::Sending { done, total } => {
                let share = 1.0 - (done as f64 / total.max(1) as f64).min(1.0);
                sending * share + reading
            }
            Stage::Reading { since } => (reading - since.as_secs_f64() * rate).max(1.0),
        }
    }
}

/// The pace that is to be expected before one was measured.
pub(super) fn usual_rate(limits: &Limits) -> f64 {
    limits.calls_per_second.map_or(UNBOUNDED_PER_SECOND, |rate| rate.min(UNBOUNDED_PER_SECOND))
}

/// When each of these jobs, in the order of the queue and with so many calls left, will have
/// ended, where `at_once` of them share `rate` calls a second evenly and the next one follows
/// whoever ends.
pub(super) fn ends(left: &[f64], at_once: usize, rate: f64) -> Vec<Duration> {
    let mut ends = vec![Duration::ZERO; left.len()];
    let mut running: Vec<(usize, f64)> = Vec::new();
    let mut queue = left.iter().copied().enumerate();
    let mut passed = 0.0;
    loop {
        running.extend(queue.by_ref().take(at_once.max(1).saturating_sub(running.len())));
        let Some(least) = running.iter().map(|(_, left)| *left).min_by(f64::total_cmp) else {
            return ends;
        };
        passed += least * f64::from(u32::try_from(running.len()).unwrap_or(u32::MAX)) / rate;
        for (place, left) in &mut running {
            *left -= least;
            if *left <= 0.0
                && let Some(end) = ends.get_mut(*place)
            {
                *end = Duration::try_from_secs_f64(passed).unwrap_or(Duration::MAX);
            }
        }
        running.retain(|(_, left)| *left > 0.0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits(calls: f64, messages: f64) -> Limits {
        Limits {
            calls_per_second: Some(calls),
            messages_per_second: (messages > 0.0).then_some(messages),
            in_flight: None,
        }
    }

    const EFFORT: Effort = Effort { opening: 100, messages: 3_600, uploads: 200, reading: 300 };

    #[test]
    fn a_message_an_hour_takes_hours() {
        assert_eq!(EFFORT.duration(&limits(1.0, 0.0)), Duration::from_mins(70));
        assert_eq!(EFFORT.duration(&limits(10.0, 0.0)), Duration::from_mins(7));
        // Ten calls a second, but one message.
        assert_eq!(EFFORT.duration(&limits(10.0, 1.0)), Duration::from_mins(61));
        assert_eq!(EFFORT.duration(&Limits::default()), Duration::from_secs(140));
    }

    #[test]
    fn what_is_left_shrinks_with_what_is_done() {
        let one = limits(1.0, 0.0);
        let left = |stage| EFFORT.left(stage, &one, 1.0).round();
        let half = Stage::Sending { done: 50, total: 100 };
        let times =
            [Stage::Ahead, half, Stage::Reading { since: Duration::from_secs(100) }].map(left);
        assert_eq!(times.map(|calls| calls.to_string()), ["4200", "2200", "200"]);
    }

    #[test]
    fn a_short_job_beside_a_long_one_ends_early_and_the_next_one_follows_it() {
        let seconds = |left: &[f64], at_once| -> Vec<u64> {
            ends(left, at_once, 2.0).iter().map(Duration::as_secs).collect()
        };
        assert_eq!(seconds(&[100.0, 10.0], 2), [55, 10]);
        assert_eq!(seconds(&[100.0, 10.0, 20.0], 2), [65, 10, 30]);
        assert_eq!(seconds(&[100.0, 10.0], 1), [50, 55]);
        assert_eq!(seconds(&[], 4), [0; 0]);
    }

    proptest! {
        /// Nothing is lost: the last one ends when all the work is done, whoever shares.
        #[test]
        fn the_queue_ends_when_all_calls_are_made(
            left in prop::collection::vec(1_u32..10_000, 1..20), at_once in 1_usize..6
        ) {
            let left: Vec<f64> = left.into_iter().map(f64::from).collect();
            let ends = ends(&left, at_once, 4.0);
            let all = left.iter().sum::<f64>() / 4.0;
            let last = ends.iter().max().unwrap().as_secs_f64();
            prop_assert!((last - all).abs() < 0.01, "{last} {all}");
            for (end, own) in ends.iter().zip(&left) {
                prop_assert!(end.as_secs_f64() >= own / 4.0 - 0.01);
            }
        }
    }
}
