//! The figures that the policies have to reach, and the faults of others that they must not have.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use cachekit_core::{
    Admission, BreakerState, Call, CircuitBreaker, Error, ErrorCode, Moment, Next, Operation, Outcome,
    ResiliencePolicy, Retry, RetryBudget, Verdict,
};

use crate::dice::Dice;

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLI;

fn at(nanos: u64) -> Moment {
    Moment::from_nanos(nanos)
}

fn call(nanos: u64) -> Call {
    Call::new(Operation::Get, at(nanos))
}

fn admit(breaker: &CircuitBreaker, now: u64) -> Option<Admission> {
    match breaker.admit(&call(now), at(now), 0) {
        Verdict::Go(admission) => Some(admission),
        Verdict::Refuse(ErrorCode::E030) => None,
        other => panic!("{other:?}"),
    }
}

fn fail(breaker: &CircuitBreaker, admission: Admission, now: u64) {
    let error = Error::new(ErrorCode::E010, "made up");
    breaker.finish(&call(now), admission, Outcome::Failure(&error, Duration::from_millis(1)), at(now), 0);
}

fn succeed(breaker: &CircuitBreaker, admission: Admission, now: u64) {
    breaker.finish(&call(now), admission, Outcome::Success(Duration::from_millis(1)), at(now), 0);
}

#[test]
fn p6_a_stalled_backend_opens_it_within_thirty_seconds_of_a_lone_caller() {
    // Calls of 15.3 s, one after the other, each of three attempts that time out after 5 s. Counted once per call, with
    // five needed within a minute, none of eight would open anything.
    let breaker = CircuitBreaker::builder().build().unwrap();
    let mut now = 0;
    'calls: for _ in 0..8 {
        for wait in [100 * MILLI, 200 * MILLI, 0] {
            let Some(admission) = admit(&breaker, now) else { break 'calls };
            now += 5 * SECOND;
            let error = Error::new(ErrorCode::E011, "made up");
            let stalled = Outcome::Failure(&error, Duration::from_secs(5));
            breaker.finish(&call(now), admission, stalled, at(now), 0);
            now += wait;
        }
    }
    assert_eq!(breaker.state(), BreakerState::Open);
    assert!(now <= 30 * SECOND, "only after {now} ns");
}

#[test]
fn p7_outcomes_of_calls_from_another_state_neither_close_nor_free_anything() {
    let breaker = CircuitBreaker::builder().with_in_a_row(5).with_probes(1).build().unwrap();
    let mut before: Vec<_> = (0..55).map(|_| admit(&breaker, 0).unwrap()).collect();
    before.drain(..5).for_each(|admission| fail(&breaker, admission, 1));
    assert_eq!(breaker.state(), BreakerState::Open);
    // Half open, with one probe under way. Each of the fifty that ends would free a slot that it never took.
    let probe = admit(&breaker, 61 * SECOND).unwrap();
    for (place, admission) in before.into_iter().enumerate() {
        if place % 2 == 0 {
            succeed(&breaker, admission, 62 * SECOND)
        } else {
            fail(&breaker, admission, 62 * SECOND)
        }
        assert_eq!(breaker.state(), BreakerState::HalfOpen, "after {place}");
        assert_eq!(admit(&breaker, 62 * SECOND), None, "a second probe after {place}");
    }
    assert_eq!(breaker.closed(), 0, "closed without a probe");
    succeed(&breaker, probe, 63 * SECOND);
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn p8_a_breaker_without_probes_cannot_be_made() {
    let error = CircuitBreaker::builder().with_probes(0).build().unwrap_err();
    assert_eq!(error.code(), ErrorCode::E044);
    assert_eq!(error.message(), "breaker: probes: expected 1 to 1000, got 0");
    // With the fewest that there can be it is never stuck half open, whatever its probes come to.
    let breaker = CircuitBreaker::builder().with_in_a_row(1).with_probes(1).build().unwrap();
    fail(&breaker, admit(&breaker, 0).unwrap(), 0);
    for round in 1..=20 {
        let probe = admit(&breaker, round * 61 * SECOND);
        breaker.finish(&call(0), probe.unwrap(), Outcome::Abandoned, at(round * 61 * SECOND), 0);
    }
}

#[test]
fn p9_five_failures_among_a_million_calls_reject_nobody() {
    type IsFailure = fn(u64) -> bool;
    let places: [(&str, IsFailure); 4] = [
        ("far apart", |call| call % 200_000 == 100_000),
        ("at the beginning", |call| call < 5),
        ("every other one at the beginning", |call| call < 10 && call % 2 == 1),
        ("in a row in the middle", |call| (500_000..500_005).contains(&call)),
    ];
    for (name, is_failure) in places {
        let breaker = CircuitBreaker::builder().build().unwrap();
        let (mut rejected, mut failed) = (0, 0);
        for place in 0..1_000_000 {
            let now = place * MILLI;
            match admit(&breaker, now) {
                Some(admission) if is_failure(place) => {
                    failed += 1;
                    fail(&breaker, admission, now);
                }
                Some(admission) => succeed(&breaker, admission, now),
                None => rejected += 1,
            }
        }
        assert_eq!((failed, rejected), (5, 0), "{name}");
    }
}

#[test]
fn when_all_fail_it_is_open_after_twenty_calls_or_thirty_seconds() {
    // A call each so often, after a history of so many that went well.
    for pause in [0, 1, MILLI, 100 * MILLI, SECOND, 5 * SECOND, 10 * SECOND] {
        for history in [0, 1, 10, 100_000] {
            let breaker = CircuitBreaker::builder().build().unwrap();
            for place in 0..history {
                succeed(&breaker, admit(&breaker, place * MILLI).unwrap(), place * MILLI);
            }
            let start = history * MILLI;
            let failed = (0..).take_while(|place| {
                let now = start + place * pause;
                admit(&breaker, now).map(|admission| fail(&breaker, admission, now)).is_some()
            });
            let failed = u64::try_from(failed.count()).unwrap();
            let took = (failed - 1) * pause;
            assert!(failed <= 20 && took <= 30 * SECOND, "{failed} calls, {took} ns: each {pause} ns after {history}");
        }
    }
}

#[test]
fn ten_thousand_waits_are_spread_evenly_under_the_cap() {
    let cap = Duration::from_secs(1);
    let retry = Retry::builder().with_first_wait(cap).with_cap(cap).without_budget().build().unwrap();
    let error = Error::new(ErrorCode::E010, "made up");
    let mut dice = Dice::new(2);
    let mut buckets = [0_u64; 101];
    for _ in 0..10_000 {
        let failed = Outcome::Failure(&error, Duration::ZERO);
        let next = retry.finish(&call(0), Admission::new(0, 0), failed, at(0), dice.next());
        let Next::AgainAfter(wait) = next else { panic!("it is to be made again") };
        assert!(wait <= cap, "{wait:?}");
        buckets[usize::try_from(wait.as_millis() / 10).unwrap()] += 1;
    }
    let busiest = buckets.iter().max().unwrap();
    assert!(*busiest <= 3 * (10_000 / 100), "{busiest} in one bucket of 10 ms");
    assert!(buckets[..100].iter().all(|count| *count > 0), "{buckets:?}");
}

#[test]
fn p19_no_wait_is_over_the_cap_and_retries_have_a_budget() {
    let cap = Duration::from_millis(400);
    let retry = Retry::builder().with_attempts(10).with_cap(cap).without_budget().build().unwrap();
    let error = Error::new(ErrorCode::E010, "made up");
    for attempt in 0..9 {
        let mut call = call(0);
        call.attempt = attempt;
        let failed = Outcome::Failure(&error, Duration::ZERO);
        // The highest that chance can be: the cap comes after no jitter.
        let Next::AgainAfter(wait) = retry.finish(&call, Admission::new(0, 0), failed, at(0), u64::MAX) else {
            panic!("it is to be made again")
        };
        assert!(wait <= cap, "{wait:?} before attempt {attempt}");
    }
    assert!(Retry::builder().build().unwrap().budget().is_some(), "by default");
}

/// What happens next in the storm: when, to which call, at which attempt.
type Step = Reverse<(u64, u64, u32)>;

#[test]
fn a_retry_storm_is_not_raised_by_an_outage_and_ends_with_it() {
    const CLIENTS: u64 = 200;
    const CALLS: u64 = 10_000;
    const OUTAGE: u64 = 60 * SECOND;
    const TOTAL: u64 = 10 * SECOND;
    // Each client has a policy of its own, all share the budget of the backend. It is down for 60 s, in which each
    // client makes a call every 1.2 s, and well for the 60 s after that.
    let budget = RetryBudget::new();
    let clients: Vec<_> = (0..CLIENTS).map(|_| Retry::builder().with_budget(budget.clone()).build().unwrap()).collect();
    let mut dice = Dice::new(1);
    let begin = |call: u64| call * OUTAGE / CALLS;
    let mut steps: BinaryHeap<Step> = (0..2 * CALLS).map(|call| Reverse((begin(call), call, 0))).collect();
    let (mut attempts_late, mut attempts_after, mut failed_after, mut late) = (0, 0, 0, 0);
    while let Some(Reverse((now, place, attempt))) = steps.pop() {
        let retry = &clients[usize::try_from(place % CLIENTS).unwrap()];
        let mut call = call(begin(place));
        call.attempt = attempt;
        late += u64::from(now >= begin(place) + TOTAL);
        let Verdict::Go(admission) = retry.admit(&call, at(now), dice.next()) else { panic!("refused at {now}") };
        let (is_down, is_after) = (now < OUTAGE, begin(place) >= OUTAGE);
        attempts_late += u64::from(begin(place) >= 10 * SECOND && !is_after);
        attempts_after += u64::from(is_after);
        failed_after += u64::from(is_after && is_down);
        let error = Error::new(ErrorCode::E010, "down");
        let took = Duration::from_millis(2);
        let outcome = if is_down { Outcome::Failure(&error, took) } else { Outcome::Success(took) };
        if let Next::AgainAfter(wait) = retry.finish(&call, admission, outcome, at(now), dice.next()) {
            assert!(wait <= Duration::from_secs(1), "{wait:?}");
            steps.push(Reverse((now + u64::try_from(wait.as_nanos()).unwrap(), place, attempt + 1)));
        }
    }
    let calls_late = CALLS - CALLS / 6;
    assert!(attempts_late * 100 <= calls_late * 120, "{attempts_late} attempts for {calls_late} calls");
    // Afterwards there is nothing left of it: each call succeeds at once, and the budget is full again.
    assert_eq!((late, failed_after, attempts_after, budget.left()), (0, 0, CALLS, 500));
}
