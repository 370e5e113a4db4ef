//! The pace as a table of moments, and what must hold for any of them.

use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn pace(calls: f64, messages: f64, in_flight: usize) -> Pace {
    let bound = |rate: f64| (rate > 0.0).then_some(rate);
    Pace::new(Limits {
        calls_per_second: bound(calls),
        messages_per_second: bound(messages),
        in_flight: (in_flight > 0).then_some(in_flight),
    })
}

/// Everything that may go at `now`.
fn go(pace: &mut Pace, now: Duration) -> Vec<Errand> {
    std::iter::from_fn(|| pace.grant(now, Hours::Free)).map(|granted| granted.errand).collect()
}

/// Calls go as soon as they may and are answered at once; the moments at which each went.
fn run(pace: &mut Pace, hours: Hours, until: Duration) -> Vec<(Duration, Errand)> {
    let mut went = Vec::new();
    let mut now = Duration::ZERO;
    while now < until {
        while let Some(granted) = pace.grant(now, hours) {
            went.push((now, granted.errand));
            pace.release(now, Answer::Other);
        }
        match pace.next_moment(hours) {
            Some(next) => now = next.max(now + MS),
            None => break,
        }
    }
    went
}

#[test]
fn one_call_a_second_is_one_call_a_second() {
    let mut pace = pace(1.0, 0.0, 8);
    for _ in 0..5 {
        pace.enter(Errand::Import(1), Load::Message);
    }
    let went: Vec<_> =
        run(&mut pace, Hours::Free, 100 * SECOND).iter().map(|(at, _)| *at).collect();
    assert_eq!(went, [0, 1, 2, 3, 4].map(Duration::from_secs));
    // After a long silence there is nothing saved up.
    for _ in 0..3 {
        pace.enter(Errand::Import(1), Load::Other);
    }
    assert_eq!(go(&mut pace, 500 * SECOND).len(), 1);
    assert_eq!(go(&mut pace, 500 * SECOND + 900 * MS).len(), 0);
    assert_eq!(go(&mut pace, 501 * SECOND).len(), 1);
}

#[test]
fn without_bounds_everything_goes_at_once() {
    let mut pace = pace(0.0, 0.0, 0);
    for number in 0..100 {
        pace.enter(Errand::Import(number), Load::Message);
    }
    assert_eq!(go(&mut pace, Duration::ZERO).len(), 100);
    assert_eq!(pace.calls_per_second(SECOND), None);
}

#[test]
fn imports_take_turns_and_people_go_first() {
    let mut pace = pace(1.0, 0.0, 0);
    for _ in 0..3 {
        pace.enter(Errand::Import(1), Load::Other);
    }
    pace.enter(Errand::Import(2), Load::Message);
    pace.enter(Errand::Import(2), Load::Message);
    pace.enter(Errand::People, Load::Message);
    let order: Vec<_> = run(&mut pace, Hours::Free, 100 * SECOND).iter().map(|(_, e)| *e).collect();
    let import = Errand::Import;
    assert_eq!(order, [Errand::People, import(1), import(2), import(1), import(2), import(1)]);
}

#[test]
fn a_flood_of_people_leaves_every_fifth_call_to_others() {
    let mut pace = pace(1.0, 0.0, 0);
    pace.enter(Errand::Import(1), Load::Message);
    pace.enter(Errand::Import(1), Load::Message);
    for _ in 0..12 {
        pace.enter(Errand::People, Load::Message);
    }
    let went = run(&mut pace, Hours::Free, 100 * SECOND);
    let imports: Vec<_> =
        went.iter().filter(|(_, e)| *e != Errand::People).map(|(at, _)| at.as_secs()).collect();
    assert_eq!(imports, [4, 9]);
    assert_eq!(went.len(), 14);
}

#[test]
fn full_in_flight_waits_for_answers_and_keeps_a_place_for_people() {
    let mut pace = pace(0.0, 0.0, 2);
    for _ in 0..3 {
        pace.enter(Errand::Import(1), Load::Other);
    }
    assert_eq!(go(&mut pace, SECOND).len(), 2);
    pace.enter(Errand::People, Load::Message);
    pace.enter(Errand::People, Load::Message);
    assert_eq!(go(&mut pace, SECOND), [Errand::People]);
    pace.release(SECOND, Answer::Other);
    assert_eq!(go(&mut pace, SECOND), [Errand::People]);
    pace.release(SECOND, Answer::Other);
    pace.release(SECOND, Answer::Other);
    assert_eq!(go(&mut pace, SECOND), [Errand::Import(1)]);
}

#[test]
fn messages_have_a_bound_of_their_own_that_uploads_pass_by() {
    let mut pace = pace(10.0, 1.0, 0);
    for load in [Load::Message, Load::Message, Load::Other, Load::Other] {
        pace.enter(Errand::Import(1), load);
    }
    let went: Vec<_> =
        run(&mut pace, Hours::Free, 10 * SECOND).iter().map(|(at, _)| at.as_millis()).collect();
    assert_eq!(went, [0, 100, 200, 1000]);
}

#[test]
fn imports_rest_and_nobody_else_does() {
    let mut pace = pace(0.0, 0.0, 0);
    pace.enter(Errand::Import(1), Load::Other);
    pace.enter(Errand::Upkeep, Load::Other);
    pace.enter(Errand::People, Load::Other);
    let errands: Vec<_> =
        std::iter::from_fn(|| pace.grant(SECOND, Hours::Quiet)).map(|one| one.errand).collect();
    assert_eq!(errands, [Errand::People, Errand::Upkeep]);
    assert_eq!(pace.next_moment(Hours::Quiet), None);
    assert_eq!(go(&mut pace, SECOND), [Errand::Import(1)]);
}

#[test]
fn a_refusal_holds_everybody_then_halves_the_pace_which_comes_back() {
    let mut pace = pace(10.0, 0.0, 0);
    for _ in 0..3 {
        pace.enter(Errand::Import(1), Load::Other);
    }
    assert_eq!(go(&mut pace, SECOND).len(), 1);
    assert_eq!(pace.refused(2 * SECOND, SECOND, Some(3 * SECOND)), Episode::Begun);
    pace.enter(Errand::People, Load::Other);
    assert_eq!(go(&mut pace, 4 * SECOND).len(), 0, "people wait as well");
    assert_eq!(pace.calls_per_second(5 * SECOND), Some(5.0));
    // Answers to calls that were under way are the same refusal, not another.
    assert_eq!(pace.refused(3 * SECOND, SECOND, Some(4 * SECOND)), Episode::GoingOn);
    assert_eq!(pace.calls_per_second(7 * SECOND), Some(5.0));
    assert_eq!(go(&mut pace, 7 * SECOND), [Errand::People]);
    // A call of the slower pace that is refused, too, is one more.
    assert_eq!(pace.refused(8 * SECOND, 7 * SECOND, Some(SECOND)), Episode::GoingOn);
    let slower = pace.calls_per_second(9 * SECOND).unwrap();
    assert!((2.4..2.7).contains(&slower), "{slower}");
    assert!(!pace.has_recovered(30 * SECOND));
    assert!(pace.calls_per_second(30 * SECOND) > Some(slower));
    assert!(pace.has_recovered(9 * SECOND + RECOVERY) && !pace.has_recovered(100 * SECOND));
    assert_eq!(pace.calls_per_second(100 * SECOND), Some(10.0));
}

#[test]
fn a_storm_is_met_with_ever_fewer_calls_and_never_with_none() {
    let mut pace = pace(0.0, 0.0, 0);
    let mut calls = Vec::new();
    let mut now = Duration::ZERO;
    pace.enter(Errand::Import(1), Load::Message);
    while now < 3600 * SECOND {
        if let Some(_granted) = pace.grant(now, Hours::Free) {
            calls.push(now);
            pace.refused(now + 10 * MS, now, None);
            pace.release(now, Answer::Refused);
            pace.enter(Errand::Import(1), Load::Message);
        }
        now = pace.next_moment(Hours::Free).unwrap().max(now + MS);
    }
    assert!((6..40).contains(&calls.len()), "{}", calls.len());
    let distances: Vec<_> = calls.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    assert!(distances.windows(2).all(|pair| pair[1] >= pair[0]), "{distances:?}");
    assert!(distances.iter().all(|distance| *distance <= LONGEST_HOLD));
}

#[test]
fn a_refusal_after_a_good_answer_waits_no_longer_than_the_first() {
    let mut pace = pace(0.0, 0.0, 0);
    let mut held = Vec::new();
    for (second, between) in [(0, Answer::Refused), (100, Answer::Refused), (200, Answer::Other)] {
        let now = Duration::from_secs(second);
        pace.release(now, between);
        pace.refused(now, now, None);
        held.push((pace.held_until().saturating_sub(now)).as_millis());
        assert!(!pace.has_recovered(now));
    }
    assert_eq!(held, [500, 1000, 500]);
}

#[test]
fn what_is_given_up_leaves_no_trace() {
    let mut pace = pace(1.0, 0.0, 0);
    let gone = pace.enter(Errand::Import(1), Load::Other);
    pace.enter(Errand::Import(2), Load::Other);
    pace.leave(gone);
    assert_eq!(go(&mut pace, Duration::ZERO), [Errand::Import(2)]);
    assert_eq!((pace.waiting(), pace.next_moment(Hours::Free)), (0, None));
}

#[test]
fn the_measured_pace_is_what_went_in_the_last_minute() {
    let mut pace = pace(2.0, 0.0, 0);
    for _ in 0..400 {
        pace.enter(Errand::Import(1), Load::Other);
    }
    run(&mut pace, Hours::Free, 100 * SECOND);
    let (rate, span) = pace.measured(100 * SECOND);
    assert!((1.9..2.1).contains(&rate) && span >= 59 * SECOND, "{rate} {span:?}");
    assert_eq!(pace.measured(1000 * SECOND).1, Duration::ZERO);
}

fn errands() -> impl Strategy<Value = Errand> {
    prop_oneof![Just(Errand::People), Just(Errand::Upkeep), (0_u64..4).prop_map(Errand::Import),]
}

fn loads() -> impl Strategy<Value = Load> {
    prop_oneof![Just(Load::Message), Just(Load::Other)]
}

proptest! {
    /// Whatever comes when: no stretch of time sees more calls or messages than it should, no
    /// more are in flight, every one goes in the end, and each queue keeps its order.
    #[test]
    fn bounds_hold_and_nobody_starves(
        arrivals in prop::collection::vec((0_u64..30_000, errands(), loads()), 1..80),
        rate in 1_u32..50, messages in 1_u32..50, places in 1_usize..4, answer_ms in 1_u64..3_000,
        refused in prop::collection::btree_set(0_usize..80, 0..4),
    ) {
        let (rate, messages) = (f64::from(rate) / 5.0, f64::from(messages) / 5.0);
        let mut pace = pace(rate, messages, places);
        let mut arrivals = arrivals;
        arrivals.sort_by_key(|(at, ..)| *at);
        let mut coming = arrivals.iter().peekable();
        let mut loads = BTreeMap::new();
        let mut went: Vec<(Duration, Granted)> = Vec::new();
        let mut open: Vec<(Duration, Duration)> = Vec::new();
        let mut now = Duration::ZERO;
        while went.len() < arrivals.len() {
            prop_assert!(now < 40_000 * SECOND, "{} of {} went", went.len(), arrivals.len());
            while let Some((_, errand, load)) =
                coming.next_if(|(at, ..)| Duration::from_millis(*at) <= now)
            {
                loads.insert(pace.enter(*errand, *load), *load);
            }
            let over = open.iter().filter(|(_, end)| *end <= now).count();
            open.retain(|(_, end)| *end > now);
            for _ in 0..over {
                pace.release(SECOND, Answer::Other);
            }
            while let Some(granted) = pace.grant(now, Hours::Free) {
                if refused.contains(&went.len()) {
                    pace.refused(now, now, None);
                }
                went.push((now, granted));
                open.push((now, now + Duration::from_millis(answer_ms)));
                prop_assert!(open.len() <= places + 1);
            }
            let moments = [
                pace.next_moment(Hours::Free).filter(|next| *next > now),
                coming.peek().map(|(at, ..)| Duration::from_millis(*at)),
                open.iter().map(|(_, end)| *end).min(),
            ];
            now = moments.into_iter().flatten().min().unwrap_or(now).max(now + MS);
        }
        let within = |times: &[Duration], rate: f64| {
            times.iter().enumerate().all(|(first, from)| {
                times[first..].iter().enumerate().all(|(count, at)| {
                    let allowed = (at.saturating_sub(*from) + SLACK).as_secs_f64() * rate + 1.5;
                    f64::from(u32::try_from(count + 1).unwrap()) <= allowed
                })
            })
        };
        let all: Vec<_> = went.iter().map(|(at, _)| *at).collect();
        prop_assert!(within(&all, rate));
        let sent = went.iter().filter(|(_, one)| loads[&one.ticket] == Load::Message);
        let sent: Vec<_> = sent.map(|(at, _)| *at).collect();
        prop_assert!(within(&sent, messages));
        let mut last: BTreeMap<(Errand, bool), Ticket> = BTreeMap::new();
        for (_, one) in &went {
            let queue = (one.errand, loads[&one.ticket] == Load::Message);
            let before = last.insert(queue, one.ticket);
            prop_assert!(before.is_none_or(|before| before < one.ticket));
        }
    }
}
