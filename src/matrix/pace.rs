//! When the next call to a homeserver may go, and whose it is: a decision without a clock, a
//! runtime or a network. `budget` gives it those.
//!
//! Moments are durations since any fixed beginning, by a clock that never goes back.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::config::PaceSection;

/// For whom a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Errand {
    /// Somebody waits for it in a room. It goes first, and never rests.
    People,
    /// What an operator asked for, and upkeep. In turn with the imports; it does not rest.
    Upkeep,
    /// An import, by a number of its own. Imports take turns, and rest in quiet hours.
    Import(u64),
}

/// What a call does to a homeserver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// It sends a message.
    Message,
    /// Anything else.
    Other,
}

/// Whether imports rest now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hours {
    /// They may work.
    Free,
    /// They rest.
    Quiet,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// With 429.
    Refused,
    /// In any other way.
    Other,
}

/// What a refusal with 429 meant for the pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Episode {
    /// The first for a while.
    Begun,
    /// One of several.
    GoingOn,
}

/// The bounds; `None` is none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Calls a second.
    pub calls_per_second: Option<f64>,
    /// Messages a second.
    pub messages_per_second: Option<f64>,
    /// Calls without an answer.
    pub in_flight: Option<usize>,
}

impl From<&PaceSection> for Limits {
    fn from(section: &PaceSection) -> Self {
        Self {
            calls_per_second: section.calls_per_second,
            messages_per_second: section.messages_per_second,
            in_flight: section.in_flight,
        }
    }
}

/// A place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ticket(u64);

/// A call that may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Granted {
    pub ticket: Ticket,
    pub errand: Errand,
}

/// A call that comes late by less than this does not make the ones after it late.
const SLACK: Duration = Duration::from_millis(50);
/// So many calls for people in a row, then others have a turn.
const PEOPLE_IN_A_ROW: u32 = 4;
/// However often it is refused, a call goes now and then, or nothing would be noticed to be over.
const SLOWEST_PER_SECOND: f64 = 0.05;
/// What a homeserver with an unlimited pace is taken to be called with, at the least.
const UNLIMITED_AT_LEAST: f64 = 10.0;
/// From a stand-still back to the full pace.
const RECOVERY: Duration = Duration::from_mins(1);
/// A homeserver that does not say how long: this, then twice as long each time.
const FIRST_HOLD: Duration = Duration::from_millis(500);
/// No wait is kept for longer without asking again.
const LONGEST_HOLD: Duration = Duration::from_mins(15);
/// What the measured pace looks back on, in seconds.
const MEASURED_S: u64 = 60;

/// Who waits, what is under way, and how fast it may go.
#[derive(Debug, Default)]
pub(super) struct Pace {
    limits: Limits,
    calls: Meter,
    messages: Meter,
    in_flight: usize,
    next_ticket: u64,
    waiting: BTreeMap<Errand, VecDeque<(Ticket, Load)>>,
    /// Errands that take turns, the next one first. [`Errand::People`] is not among them.
    turns: VecDeque<Errand>,
    people_in_a_row: u32,
    held_until: Duration,
    slowed: Option<Slowed>,
    measured: Measured,
    /// Calls let go.
    pub calls_total: u64,
    /// Calls answered with 429.
    pub refused_total: u64,
}

/// A pace below the configured one, rising again with time.
#[derive(Clone, Copy, Debug)]
struct Slowed {
    /// When it was slowed down last.
    at: Duration,
    /// Calls a second at `from`.
    rate: f64,
    /// From when on it rises.
    from: Duration,
    /// Where it is over.
    goal: f64,
    /// Refusals in a row.
    refusals: u32,
}

impl Slowed {
    fn rate(&self, now: Duration) -> f64 {
        let passed = now.saturating_sub(self.from).as_secs_f64();
        self.rate + self.goal * passed / RECOVERY.as_secs_f64()
    }
}

/// Lets things go at even distances.
#[derive(Debug, Default)]
struct Meter {
    next: Duration,
}

impl Meter {
    fn take(&mut self, now: Duration, rate: Option<f64>) {
        if let Some(rate) = rate {
            let distance = Duration::from_secs_f64(1.0 / rate);
            let earliest = now.saturating_sub(SLACK.min(distance / 2));
            self.next = self.next.max(earliest) + distance;
        }
    }
}

/// How many calls went in each of the last seconds.
#[derive(Debug, Default)]
struct Measured {
    seconds: VecDeque<(u64, u32)>,
}

impl Measured {
    fn count(&mut self, now: Duration) {
        let second = now.as_secs();
        match self.seconds.back_mut() {
            Some((last, count)) if *last == second => *count += 1,
            _ => self.seconds.push_back((second, 1)),
        }
        while self.seconds.front().is_some_and(|(first, _)| first + MEASURED_S < second) {
            self.seconds.pop_front();
        }
    }

    /// Calls a second over what is remembered, and how much that is.
    fn rate(&self, now: Duration) -> (f64, Duration) {
        let since = now.as_secs().saturating_sub(MEASURED_S);
        let mut recent = self.seconds.iter().filter(|(second, _)| *second >= since).peekable();
        let Some((first, _)) = recent.peek() else { return (0.0, Duration::ZERO) };
        let span = now.saturating_sub(Duration::from_secs(*first)).max(Duration::from_secs(1));
        let calls: u32 = recent.map(|(_, count)| count).sum();
        (f64::from(calls) / span.as_secs_f64(), span)
    }
}

impl Pace {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Somebody wants to make a call.
    pub(super) fn enter(&mut self, errand: Errand, load: Load) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let queue = self.waiting.entry(errand).or_default();
        if queue.is_empty() && errand != Errand::People {
            self.turns.push_back(errand);
        }
        queue.push_back((ticket, load));
        ticket
    }

    /// They do not want to any more.
    pub(super) fn leave(&mut self, ticket: Ticket) {
        for queue in self.waiting.values_mut() {
            queue.retain(|(waiting, _)| *waiting != ticket);
        }
        self.drop_empty();
    }

    /// The next call that may go now, if one may. To be asked until it says `None`.
    pub(super) fn grant(&mut self, now: Duration, hours: Hours) -> Option<Granted> {
        if now < self.held_until || now < self.calls.next {
            return None;
        }
        let others_wait = self.turns.iter().any(|errand| !rests(*errand, hours));
        let people_first = self.people_in_a_row < PEOPLE_IN_A_ROW || !others_wait;
        let granted = if people_first { self.take(Errand::People, now) } else { None };
        let granted = granted.or_else(|| {
            let mut turns = self.turns.clone().into_iter().filter(|errand| !rests(*errand, hours));
            turns.find_map(|errand| self.take(errand, now))
        });
        let granted = granted.or_else(|| self.take(Errand::People, now))?;
        if granted.errand == Errand::People {
            self.people_in_a_row += 1;
        } else {
            self.people_in_a_row = 0;
        }
        Some(granted)
    }

    /// The first call of an errand that may go, taken out of its queue.
    fn take(&mut self, errand: Errand, now: Duration) -> Option<Granted> {
        let places = self.limits.in_flight.map(|places| match errand {
            Errand::People => places + 1,
            Errand::Upkeep | Errand::Import(_) => places,
        });
        if places.is_some_and(|places| self.in_flight >= places) {
            return None;
        }
        let messages_wait = now < self.messages.next;
        let queue = self.waiting.get_mut(&errand)?;
        let place =
            queue.iter().position(|(_, load)| !(messages_wait && *load == Load::Message))?;
        let (ticket, load) = queue.remove(place)?;
        let rate = self.calls_per_second(now);
        self.calls.take(now, rate);
        if load == Load::Message {
            self.messages.take(now, self.limits.messages_per_second);
        }
        self.in_flight += 1;
        self.calls_total += 1;
        self.measured.count(now);
        self.turns.retain(|other| *other != errand);
        if errand != Errand::People {
            self.turns.push_back(errand);
        }
        self.drop_empty();
        Some(Granted { ticket, errand })
    }

    /// When time alone may let something go; `None` when nobody waits for time.
    pub(super) fn next_moment(&self, hours: Hours) -> Option<Duration> {
        let mut waiting =
            self.waiting.iter().filter(|(errand, _)| !rests(**errand, hours)).peekable();
        waiting.peek()?;
        let any_load = waiting.any(|(_, queue)| queue.iter().any(|(_, load)| *load == Load::Other));
        let earliest = self.held_until.max(self.calls.next);
        Some(if any_load { earliest } else { earliest.max(self.messages.next) })
    }

    /// A call that was let go at `granted` is over.
    pub(super) fn release(&mut self, granted: Duration, answer: Answer) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let (Answer::Other, Some(slowed)) = (answer, &mut self.slowed)
            && granted >= slowed.at
        {
            slowed.refusals = 0;
        }
    }

    /// A call that was let go at `granted` was answered with 429: everybody waits as long as the
    /// homeserver asks, and goes half as fast from then on. Answers to calls that went before the
    /// pace was slowed down only lengthen the wait.
    pub(super) fn refused(
        &mut self,
        now: Duration,
        granted: Duration,
        retry_after: Option<Duration>,
    ) -> Episode {
        self.refused_total += 1;
        let refusals = self.slowed.map_or(0, |slowed| slowed.refusals);
        let hold = retry_after.unwrap_or(FIRST_HOLD * 2_u32.pow(refusals.min(10)));
        self.held_until = self.held_until.max(now + hold.min(LONGEST_HOLD));
        let episode = if self.slowed.is_some() { Episode::GoingOn } else { Episode::Begun };
        let (before, goal) = match self.slowed {
            Some(slowed) if granted < slowed.at => {
                self.slowed = Some(Slowed { from: self.held_until, ..slowed });
                return episode;
            }
            Some(slowed) => (slowed.rate(now).min(slowed.goal), slowed.goal),
            None => match self.limits.calls_per_second {
                Some(rate) => (rate, rate),
                None => {
                    let rate = self.measured.rate(now).0.max(UNLIMITED_AT_LEAST);
                    (rate, rate * 2.0)
                }
            },
        };
        let floor = SLOWEST_PER_SECOND.min(goal);
        let rate = (before / 2.0).max(floor);
        let from = self.held_until;
        self.slowed = Some(Slowed { at: now, rate, from, goal, refusals: refusals + 1 });
        episode
    }

    /// Whether an episode of refusals has just ended.
    pub(super) fn has_recovered(&mut self, now: Duration) -> bool {
        let over = self.slowed.is_some_and(|slowed| slowed.rate(now) >= slowed.goal);
        if over {
            self.slowed = None;
        }
        over
    }

    /// The bound on calls a second now; `None` is none.
    pub(super) fn calls_per_second(&self, now: Duration) -> Option<f64> {
        match (self.limits.calls_per_second, self.slowed) {
            (limit, None) => limit,
            (None, Some(slowed)) => Some(slowed.rate(now)),
            (Some(limit), Some(slowed)) => Some(limit.min(slowed.rate(now))),
        }
    }

    /// Calls a second as they went in the last minute, and how long that has been measured.
    pub(super) fn measured(&self, now: Duration) -> (f64, Duration) {
        self.measured.rate(now)
    }

    /// Until when nobody may call.
    pub(super) fn held_until(&self) -> Duration {
        self.held_until
    }

    /// Calls without an answer.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Calls that wait for their turn.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.values().map(VecDeque::len).sum()
    }

    fn drop_empty(&mut self) {
        self.waiting.retain(|_, queue| !queue.is_empty());
        self.turns.retain(|errand| self.waiting.contains_key(errand));
    }
}

fn rests(errand: Errand, hours: Hours) -> bool {
    match errand {
        Errand::People | Errand::Upkeep => false,
        Errand::Import(_) => hours == Hours::Quiet,
    }
}

#[cfg(test)]
#[path = "pace_tests.rs"]
mod tests;
