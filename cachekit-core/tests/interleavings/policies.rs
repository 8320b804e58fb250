//! Policies that threads share: what they count is never lost and never handed out twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cachekit_core::{
    Admission, BreakerState, Call, CircuitBreaker, ConcurrencyLimit, Error, ErrorCode, Moment, Next, Operation,
    Outcome, ResiliencePolicy, Retry, RetryBudget, Verdict,
};

use super::{CROWD, explore, join, thread};

fn at(seconds: u64) -> Moment {
    Moment::from_nanos(seconds * 1_000_000_000)
}

fn call() -> Call {
    Call::new(Operation::Get, at(0))
}

fn admit(policy: &impl ResiliencePolicy, now: u64) -> Option<Admission> {
    match policy.admit(&call(), at(now), 0) {
        Verdict::Go(admission) => Some(admission),
        _ => None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Success,
    Failure,
    Abandoned,
}

fn finish(policy: &impl ResiliencePolicy, admission: Admission, end: End, now: u64) -> Next {
    let error = Error::new(ErrorCode::E010, "made up");
    let outcome = match end {
        End::Success => Outcome::Success(Duration::ZERO),
        End::Failure => Outcome::Failure(&error, Duration::ZERO),
        End::Abandoned => Outcome::Abandoned,
    };
    policy.finish(&call(), admission, outcome, at(now), 0)
}

/// Counts who is in at once. Not an atomic that is explored: it is to be seen, not to be interleaved with.
#[derive(Clone, Default)]
struct Crowd(Arc<AtomicUsize>);

impl Crowd {
    fn enter(&self, most: usize) {
        let before = self.0.fetch_add(1, Ordering::SeqCst);
        assert!(before < most, "{} at once, {most} allowed", before + 1);
    }

    fn leave(&self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A breaker that opened at 0 s, with two probes from 60 s on.
fn opened() -> CircuitBreaker {
    let breaker = CircuitBreaker::builder().with_in_a_row(1).with_probes(2).build().unwrap();
    let admission = admit(&breaker, 0).unwrap();
    finish(&breaker, admission, End::Failure, 0);
    breaker
}

/// Whether it closes again once everything works.
fn closes(breaker: &CircuitBreaker, from: u64) -> bool {
    for now in (from..).step_by(100).take(4) {
        if let Some(admission) = admit(breaker, now) {
            finish(breaker, admission, End::Success, now);
        }
    }
    breaker.state() == BreakerState::Closed
}

#[test]
fn probes_under_way_are_never_more_than_allowed_and_none_wedges_it() {
    for ends in [
        [End::Abandoned, End::Abandoned, End::Abandoned],
        [End::Success, End::Failure, End::Abandoned],
        [End::Failure, End::Failure, End::Success],
        [End::Success, End::Success, End::Success],
    ] {
        explore(move || {
            let (breaker, crowd) = (opened(), Crowd::default());
            let threads = ends.into_iter().take(CROWD).map(|end| {
                let (breaker, crowd) = (breaker.clone(), crowd.clone());
                thread::spawn(move || {
                    // The second time long enough after the first for another half-open state.
                    for now in [60, 130] {
                        let Some(admission) = admit(&breaker, now) else { continue };
                        let is_probe = admission.mark != 0;
                        if is_probe {
                            crowd.enter(2);
                        }
                        thread::yield_now();
                        if is_probe {
                            crowd.leave();
                        }
                        finish(&breaker, admission, end, now);
                    }
                })
            });
            join(threads.collect());
            assert!(closes(&breaker, 1_000), "{breaker:?}");
        });
    }
}

#[test]
fn no_failure_is_lost_and_it_opens_once() {
    explore(|| {
        let breaker = CircuitBreaker::builder().with_in_a_row(CROWD as u32).build().unwrap();
        let threads = (0..CROWD).map(|_| {
            let breaker = breaker.clone();
            thread::spawn(move || {
                let admission = admit(&breaker, 0).unwrap();
                finish(&breaker, admission, End::Failure, 0);
            })
        });
        join(threads.collect());
        assert_eq!((breaker.state(), breaker.opened()), (BreakerState::Open, 1));
    });
}

#[test]
fn a_success_that_came_last_ends_the_row() {
    explore(|| {
        let breaker = CircuitBreaker::builder().with_in_a_row(3).build().unwrap();
        let fail = |breaker: &CircuitBreaker, times| {
            for _ in 0..times {
                let admission = admit(breaker, 0).unwrap();
                finish(breaker, admission, End::Failure, 0);
            }
        };
        let threads = [End::Success, End::Failure].map(|end| {
            let breaker = breaker.clone();
            thread::spawn(move || {
                let admission = admit(&breaker, 0).unwrap();
                finish(&breaker, admission, end, 0);
            })
        });
        join(threads.into());
        let admission = admit(&breaker, 0).unwrap();
        finish(&breaker, admission, End::Success, 0);
        fail(&breaker, 2);
        assert_eq!(breaker.state(), BreakerState::Closed);
        fail(&breaker, 1);
        assert_eq!(breaker.state(), BreakerState::Open);
    });
}

#[test]
fn calls_from_before_the_opening_neither_close_it_nor_free_slots() {
    explore(|| {
        let breaker = CircuitBreaker::builder().with_in_a_row(1).with_probes(2).build().unwrap();
        let before: Vec<_> = (0..3).map(|_| admit(&breaker, 0).unwrap()).collect();
        let admission = admit(&breaker, 0).unwrap();
        finish(&breaker, admission, End::Failure, 0);
        let late = {
            let breaker = breaker.clone();
            thread::spawn(move || {
                for (admission, end) in before.into_iter().zip([End::Success, End::Abandoned, End::Success]) {
                    finish(&breaker, admission, end, 60);
                }
            })
        };
        let prober = {
            let breaker = breaker.clone();
            thread::spawn(move || {
                let probes = [admit(&breaker, 60).unwrap(), admit(&breaker, 60).unwrap()];
                assert_eq!(admit(&breaker, 60), None, "a slot that nobody gave back");
                for probe in probes {
                    finish(&breaker, probe, End::Abandoned, 60);
                }
            })
        };
        join(vec![late, prober]);
        assert_eq!((breaker.state(), breaker.closed()), (BreakerState::HalfOpen, 0));
        assert!(closes(&breaker, 60));
    });
}

#[test]
fn forcing_it_wins_over_what_is_under_way() {
    explore(|| {
        let breaker = opened();
        let prober = {
            let breaker = breaker.clone();
            thread::spawn(move || {
                for end in [End::Success, End::Failure] {
                    if let Some(admission) = admit(&breaker, 60) {
                        finish(&breaker, admission, end, 60);
                    }
                }
            })
        };
        breaker.force_closed();
        let state = breaker.state();
        join(vec![prober]);
        assert_eq!((state, breaker.state()), (BreakerState::ForcedClosed, BreakerState::ForcedClosed));
        breaker.force_open();
        assert_eq!(admit(&breaker, 1_000), None);
        breaker.automatic();
        assert!(closes(&breaker, 1_000));
    });
}

fn limit(at_once: u32, queue: u32) -> Arc<ConcurrencyLimit> {
    Arc::new(ConcurrencyLimit::builder(at_once).with_queue(queue).build().unwrap())
}

/// Asks, and asks again with the ticket a few times, then gives up.
fn ask(limit: &ConcurrencyLimit, patience: usize) -> Option<Admission> {
    let mut waiting = call();
    for _ in 0..=patience {
        match limit.admit(&waiting, at(0), 0) {
            Verdict::Go(admission) => return Some(admission),
            Verdict::Queue { ticket, .. } => waiting.ticket = Some(ticket),
            _ => return None,
        }
        thread::yield_now();
    }
    let ticket = waiting.ticket?;
    limit.finish(&waiting, Admission::new(0, ticket), Outcome::Abandoned, at(0), 0);
    None
}

#[test]
fn places_taken_are_never_more_than_there_are_and_none_is_lost() {
    const PLACES: usize = CROWD - 1;
    explore(|| {
        let (limit, crowd) = (limit(PLACES as u32, 2), Crowd::default());
        let threads = (0..2 * PLACES).map(|patience| {
            let (limit, crowd) = (Arc::clone(&limit), crowd.clone());
            thread::spawn(move || {
                for _ in 0..2 {
                    let Some(admission) = ask(&limit, patience) else { continue };
                    crowd.enter(PLACES);
                    thread::yield_now();
                    crowd.leave();
                    finish(&*limit, admission, End::Abandoned, 0);
                }
            })
        });
        join(threads.collect());
        assert_eq!((limit.under_way(), limit.waiting()), (0, 0));
        assert_eq!((0..=PLACES).filter(|_| admit(&*limit, 0).is_some()).count(), PLACES);
    });
}

#[test]
fn nobody_overtakes_who_waits() {
    explore(|| {
        let limit = limit(1, 2);
        let held = admit(&*limit, 0).unwrap();
        let mut first = call();
        let Verdict::Queue { ticket, .. } = limit.admit(&first, at(0), 0) else { panic!("it is full") };
        first.ticket = Some(ticket);
        let leaver = {
            let limit = Arc::clone(&limit);
            thread::spawn(move || {
                finish(&*limit, held, End::Success, 0);
            })
        };
        let newcomer = {
            let limit = Arc::clone(&limit);
            thread::spawn(move || assert_eq!(ask(&limit, 2), None, "a newcomer came first"))
        };
        let waiter = {
            let limit = Arc::clone(&limit);
            thread::spawn(move || {
                while !matches!(limit.admit(&first, at(0), 0), Verdict::Go(_)) {
                    thread::yield_now();
                }
            })
        };
        join(vec![leaver, newcomer, waiter]);
        assert_eq!((limit.under_way(), limit.waiting()), (1, 0));
    });
}

#[test]
fn nobody_begins_to_wait_while_a_place_is_free() {
    explore(|| {
        let limit = limit(1, 2);
        let held = admit(&*limit, 0).unwrap();
        let leaver = {
            let limit = Arc::clone(&limit);
            thread::spawn(move || {
                finish(&*limit, held, End::Success, 0);
                limit.waiting()
            })
        };
        let mut comer = call();
        let verdict = limit.admit(&comer, at(0), 0);
        let waiting = leaver.join().unwrap();
        if let Verdict::Queue { ticket, .. } = verdict {
            // Whoever gave the place back sees that somebody waits for it, and can wake them.
            assert_eq!(waiting, 1, "it waits for a place that was free before");
            comer.ticket = Some(ticket);
            assert!(matches!(limit.admit(&comer, at(0), 0), Verdict::Go(_)));
        }
        assert_eq!((limit.under_way(), limit.waiting()), (1, 0));
    });
}

#[test]
fn a_budget_pays_no_more_than_it_has() {
    explore(|| {
        let budget = RetryBudget::builder().with_capacity(12).build().unwrap();
        let retry = Arc::new(Retry::builder().with_budget(budget.clone()).build().unwrap());
        let paid = Arc::new(AtomicUsize::new(0));
        let mut threads: Vec<_> = (0..CROWD)
            .map(|_| {
                let (retry, paid) = (Arc::clone(&retry), Arc::clone(&paid));
                thread::spawn(move || {
                    let again = finish(&*retry, Admission::new(0, 0), End::Failure, 0) != Next::Done;
                    paid.fetch_add(usize::from(again), Ordering::SeqCst);
                })
            })
            .collect();
        let succeeding = Arc::clone(&retry);
        threads.push(thread::spawn(move || {
            for _ in 0..2 {
                finish(&*succeeding, Admission::new(0, 0), End::Success, 0);
            }
        }));
        join(threads);
        let paid = paid.load(Ordering::SeqCst);
        assert_eq!(paid, 2, "two can be paid for, and two successes do not make a third");
        // What was given back before anything had been spent did not count.
        assert!((2..=4).contains(&budget.left()), "{budget:?}");
    });
}
