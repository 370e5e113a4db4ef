//! One homeserver's patience, shared by everybody who calls it: [`Pace`] with a clock and a
//! queue of sleepers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::pace::{Answer, Episode, Errand, Hours, Limits, Load, Pace, Ticket};
use crate::config::{PaceSection, QuietHours};
use crate::model::time::Clock;

/// How often the wall clock is looked at while imports rest: it may be set meanwhile.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(20);

/// How often, how many at once and when a homeserver is called. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// A call ended, or the pace changed: who sleeps must reckon anew until when.
    changed: Notify,
    beginning: Instant,
    limits: Limits,
    quiet_hours: QuietHours,
    clock: Clock,
}

#[derive(Debug)]
struct State {
    pace: Pace,
    sleepers: HashMap<Ticket, oneshot::Sender<Permit>>,
}

/// The right to one call. It ends with this.
#[derive(Debug)]
pub(super) struct Permit {
    budget: Budget,
    granted: Duration,
    refused: AtomicBool,
}

/// The call is not wanted any more.
#[derive(Debug)]
pub(super) struct Halted;

/// How things go, for operators.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Calls let go since the start.
    pub calls: u64,
    /// Calls answered with 429 since the start.
    pub refused: u64,
    /// Calls without an answer yet.
    pub in_flight: usize,
    /// Calls that wait for their turn.
    pub waiting: usize,
    /// The bound on calls a second now; `None` is none.
    pub calls_per_second: Option<f64>,
    /// Calls a second as they went, `None` before that was measured for a while.
    pub measured_per_second: Option<f64>,
    /// How long nobody may call, because the homeserver asked for it.
    pub held: Duration,
}

impl Budget {
    /// The budget of the configuration. Quiet hours go by `clock`.
    pub fn new(section: &PaceSection, clock: Clock) -> Self {
        Self::of(section.into(), section.quiet_hours.clone(), clock)
    }

    /// No bound but what the homeserver asks for.
    pub fn unlimited() -> Self {
        Self::of(Limits::default(), QuietHours::none(), Clock::system())
    }

    fn of(limits: Limits, quiet_hours: QuietHours, clock: Clock) -> Self {
        let state = State { pace: Pace::new(limits), sleepers: HashMap::new() };
        let beginning = Instant::now();
        let state = Mutex::new(state);
        let changed = Notify::new();
        Self { shared: Arc::new(Shared { state, changed, beginning, limits, quiet_hours, clock }) }
    }

    /// Waits for the right to one call; `halt` ends the wait.
    pub(super) async fn acquire(
        &self,
        errand: Errand,
        load: Load,
        halt: &CancellationToken,
    ) -> Result<Permit, Halted> {
        if halt.is_cancelled() {
            return Err(Halted);
        }
        let (sender, mut granted) = oneshot::channel();
        let ticket = {
            let mut state = self.lock();
            let ticket = state.pace.enter(errand, load);
            state.sleepers.insert(ticket, sender);
            ticket
        };
        let _place = Place { budget: self, ticket };
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let wait = self.let_go();
            tokio::select! {
                biased;
                permit = &mut granted => return permit.map_err(|_| Halted),
                () = halt.cancelled() => return Err(Halted),
                () = changed => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Lets go whoever may; returns how long it is until somebody else may by time alone.
    fn let_go(&self) -> Duration {
        let mut free = Vec::new();
        let (wait, recovered) = {
            let mut state = self.lock();
            let (now, rest) = (self.now(), self.rest());
            let hours = if rest.is_some() { Hours::Quiet } else { Hours::Free };
            let recovered = state.pace.has_recovered(now);
            while let Some(granted) = state.pace.grant(now, hours) {
                free.extend(state.sleepers.remove(&granted.ticket));
            }
            // What waits for an answer, not for time, is let go when the answer comes.
            let next = state.pace.next_moment(hours).filter(|next| *next > now);
            let next = next.map(|next| next.saturating_sub(now));
            let wait = next.into_iter().chain(rest).fold(LOOK_AT_CLOCK, Duration::min);
            (wait, recovered)
        };
        if recovered {
            tracing::info!("the homeserver is called at the usual pace again");
        }
        let granted = self.now();
        for sleeper in free {
            // Whoever has gone meanwhile gives it back by dropping it.
            let refused = AtomicBool::new(false);
            let _ = sleeper.send(Permit { budget: self.clone(), granted, refused });
        }
        wait
    }

    /// How things go.
    pub fn figures(&self) -> Figures {
        let state = self.lock();
        let now = self.now();
        let (rate, span) = state.pace.measured(now);
        Figures {
            calls: state.pace.calls_total,
            refused: state.pace.refused_total,
            in_flight: state.pace.in_flight(),
            waiting: state.pace.waiting(),
            calls_per_second: state.pace.calls_per_second(now),
            measured_per_second: (span >= Duration::from_secs(10)).then_some(rate),
            held: state.pace.held_until().saturating_sub(now),
        }
    }

    /// The configured bounds.
    pub fn limits(&self) -> Limits {
        self.shared.limits
    }

    /// When imports rest.
    pub fn quiet_hours(&self) -> &QuietHours {
        &self.shared.quiet_hours
    }

    /// Until when imports rest now.
    pub fn resting_until(&self) -> Option<Timestamp> {
        self.shared.quiet_hours.until(self.shared.clock.now().to_timestamp())
    }

    /// How long imports rest from now on, if they do.
    fn rest(&self) -> Option<Duration> {
        let now = self.shared.clock.now().to_timestamp();
        let left = self.shared.quiet_hours.until(now)?.duration_since(now);
        Some(Duration::try_from(left).unwrap_or_default())
    }

    fn now(&self) -> Duration {
        self.shared.beginning.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// The homeserver answered with 429. Everybody slows down.
    pub(super) fn refused(&self, retry_after: Option<Duration>) {
        self.refused.store(true, Ordering::Relaxed);
        let (episode, held, pace) = {
            let mut state = self.budget.lock();
            let now = self.budget.now();
            let episode = state.pace.refused(now, self.granted, retry_after);
            let held = state.pace.held_until().saturating_sub(now);
            (episode, held, state.pace.calls_per_second(now))
        };
        if episode == Episode::Begun {
            tracing::warn!(
                wait_ms = held.as_millis(),
                pace.calls_per_second = pace,
                "the homeserver asks for a slower pace"
            );
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let refused = self.refused.load(Ordering::Relaxed);
        let answer = if refused { Answer::Refused } else { Answer::Other };
        self.budget.lock().pace.release(self.granted, answer);
        self.budget.let_go();
        self.budget.shared.changed.notify_waiters();
    }
}

/// A place in the queue; whoever drops it before their turn gives it up.
struct Place<'a> {
    budget: &'a Budget,
    ticket: Ticket,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.budget.lock();
        if state.sleepers.remove(&self.ticket).is_some() {
            state.pace.leave(self.ticket);
        }
    }
}
