//! When a job that was stopped by something that may pass is taken up again by itself.

use std::time::Duration;

use crate::model::time::UnixMillis;
use crate::store::Again;

/// No try waits longer than this for the next.
const LONGEST: Duration = Duration::from_mins(30);

/// How long and how often jobs are taken up again.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From the first fault on without progress; none is never.
    pub within: Duration,
    /// Before the first try.
    pub first: Duration,
}

impl Patience {
    /// The next try of a job that was stopped `now` with `done` messages dealt with, after the
    /// tries `before`. `None` when it waits for a person from here on.
    pub(super) fn next(&self, before: Option<Again>, done: u64, now: UnixMillis) -> Option<Again> {
        // A job that got on meanwhile starts afresh.
        let before = before.filter(|before| done <= before.done);
        let tries = before.map_or(0, |before| before.tries);
        let since = before.map_or(now, |before| before.since);
        let passed = now.0.saturating_sub(since.0);
        if passed >= millis(self.within) {
            return None;
        }
        let wait = self.first.saturating_mul(2_u32.saturating_pow(tries)).min(LONGEST);
        let at = UnixMillis(now.0.saturating_add(millis(wait)));
        let done = before.map_or(done, |before| before.done);
        Some(Again { at, tries: tries + 1, since, done })
    }
}

/// Whether a try is due. A clock that was set back must not keep a job waiting for years.
pub(super) fn is_due(again: &Again, now: UnixMillis) -> bool {
    now >= again.at || again.at.0.saturating_sub(now.0) > millis(LONGEST)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn patience() -> Patience {
        Patience { within: Duration::from_hours(2), first: Duration::from_mins(1) }
    }

    #[test]
    fn tries_come_ever_later_and_end() {
        let mut now = UnixMillis(0);
        let mut again = None;
        let mut waits = Vec::new();
        while let Some(next) = patience().next(again, 5, now) {
            waits.push((next.at.0 - now.0) / MINUTE);
            (again, now) = (Some(next), next.at);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
        let never = Patience { within: Duration::ZERO, ..patience() };
        assert_eq!(never.next(None, 0, UnixMillis(0)), None);
    }

    #[test]
    fn whoever_gets_on_starts_afresh() {
        let first = patience().next(None, 5, UnixMillis(0)).unwrap();
        let later = UnixMillis(110 * MINUTE);
        let stuck = patience().next(Some(first), 5, later).unwrap();
        assert_eq!((stuck.tries, stuck.since), (2, UnixMillis(0)));
        let moved = patience().next(Some(first), 6, later).unwrap();
        assert_eq!((moved.tries, moved.since), (1, later));
    }

    #[test]
    fn a_clock_that_jumps_keeps_nobody_waiting() {
        let again = patience().next(None, 0, UnixMillis(1_000 * MINUTE)).unwrap();
        assert!(!is_due(&again, UnixMillis(1_000 * MINUTE)));
        assert!(is_due(&again, UnixMillis(1_001 * MINUTE)));
        assert!(is_due(&again, UnixMillis(0)), "set back by hours");
        assert!(is_due(&again, UnixMillis(9_000 * MINUTE)), "set forward");
    }
}
