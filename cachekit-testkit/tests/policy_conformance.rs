//! The suite for policies: an honest one keeps it, each clause has its rule, and a zoo of broken policies is caught.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod part_clauses;

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cachekit_core::{Admission, Call, ErrorCode, Moment, Next, Outcome, ResiliencePolicy, Verdict};
use cachekit_testkit::conformance::policy::{PolicyFixture, rules, run};
use cachekit_testkit::fakes::FakePolicy;

cachekit_testkit::policy_conformance!(fixture(Quirk::None), seed = 7);

fn fixture(quirk: Quirk) -> PolicyFixture {
    PolicyFixture::new(move || Animal { quirk, state: Mutex::default() }).with_setting("animal").with_setting("4")
}

#[test]
fn every_clause_has_a_rule_and_every_rule_a_clause() {
    let source = include_str!("../../cachekit-core/src/contract/policy.rs");
    let clauses = part_clauses::of("policy", source, "pub trait ResiliencePolicy", &[]);
    part_clauses::compare(&clauses, rules());
}

#[tokio::test]
async fn what_does_nothing_wrong_is_caught_by_no_rule_and_skipped_by_none() {
    let report = run("animal", None, async || fixture(Quirk::None)).await;
    assert_eq!((report.count("pass"), report.passed()), (rules().len(), true), "{report}");
}

#[tokio::test]
async fn the_fake_keeps_what_it_can_show() {
    let report = run("fake", None, async || PolicyFixture::new(FakePolicy::new)).await;
    assert_eq!((report.count("fail"), report.count("skip")), (0, 6), "{report}");
    let delaying = || {
        let fake = FakePolicy::new();
        fake.delay(Duration::from_secs(1));
        fake.retry(3, Duration::from_secs(1));
        fake
    };
    let report = run("fake", None, async || PolicyFixture::new(delaying)).await;
    assert_eq!(report.count("fail"), 0, "{report}");
}

#[tokio::test]
async fn a_seed_gives_the_same_result_each_time() {
    let mut seen = BTreeSet::new();
    for _ in 0..20 {
        seen.insert(run("animal", Some(7), async || fixture(Quirk::LeaksAbandoned)).await.to_string());
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
}

#[tokio::test]
async fn the_zoo_is_caught() {
    let mut catching = BTreeSet::<&str>::new();
    for &(quirk, expected) in ZOO {
        let report = run("animal", Some(7), async || fixture(quirk)).await;
        assert_eq!(report.ids("fail"), expected, "{quirk:?}: {report}");
        catching.extend(expected);
    }
    let idle: Vec<_> = rules().iter().map(|rule| rule.id).filter(|id| !catching.contains(id)).collect();
    assert!(idle.is_empty(), "no animal shows that these rules can fail: {idle:?}");
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quirk {
    None,
    LeaksAbandoned,
    LeaksOne,
    LeaksWhatIsStale,
    HeedsStaleFailures,
    CountsAbandonedAsFailures,
    GivesOneTicketToAll,
    ServesWhoAsksFirst,
    KeepsTicketsThatWereGivenUp,
    SubtractsTime,
    WaitsForEver,
    ShowsItsCount,
    HidesItsSettings,
    RefusesWithAnotherCode,
    EndsBeforeItBegan,
    EndsWithAnotherCode,
}

const ZOO: &[(Quirk, &[&str])] = &[
    (
        Quirk::LeaksAbandoned,
        &[
            "policy.1.what-was-finished-is-free-again",
            "policy.2.a-stale-finish-changes-nothing",
            "policy.3.abandoned-counts-neither-way",
            "policy.5.time-may-stand-still",
            "policy.5.threads-lose-nothing",
        ],
    ),
    // Three of four still go: who only looks whether a call goes out again does not see it.
    (
        Quirk::LeaksOne,
        &[
            "policy.1.what-was-finished-is-free-again",
            "policy.2.a-stale-finish-changes-nothing",
            "policy.5.time-may-stand-still",
            "policy.5.threads-lose-nothing",
        ],
    ),
    (Quirk::LeaksWhatIsStale, &["policy.2.a-stale-finish-changes-nothing"]),
    (Quirk::HeedsStaleFailures, &["policy.2.a-stale-finish-changes-nothing"]),
    (Quirk::CountsAbandonedAsFailures, &["policy.3.abandoned-counts-neither-way"]),
    (Quirk::GivesOneTicketToAll, &["policy.4.tickets-differ", "policy.4.tickets-are-served-in-order"]),
    (Quirk::ServesWhoAsksFirst, &["policy.4.tickets-are-served-in-order"]),
    (
        Quirk::KeepsTicketsThatWereGivenUp,
        &[
            "policy.1.what-was-finished-is-free-again",
            "policy.4.a-ticket-given-up-makes-way",
            "policy.5.time-may-stand-still",
        ],
    ),
    (Quirk::SubtractsTime, &["policy.5.no-call-panics"]),
    (Quirk::WaitsForEver, &["policy.5.time-may-stand-still"]),
    (Quirk::ShowsItsCount, &["policy.6.display-is-one-line-that-stays"]),
    (Quirk::HidesItsSettings, &["policy.6.display-shows-the-settings"]),
    (Quirk::RefusesWithAnotherCode, &["policy.errors.refusals-have-their-codes"]),
    (Quirk::EndsBeforeItBegan, &["policy.7.a-time-limit-is-ahead"]),
    (Quirk::EndsWithAnotherCode, &["policy.7.a-time-limit-is-ahead"]),
];

/// Four calls at once of two seconds each, the rest in a queue; five failures in a row refuse calls for ten seconds.
#[derive(Debug)]
struct Animal {
    quirk: Quirk,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    generation: u64,
    marks: u64,
    held: Vec<u64>,
    queue: VecDeque<u64>,
    failures: u32,
    leaked: bool,
    open_until: Option<Moment>,
}

impl ResiliencePolicy for Animal {
    fn admit(&self, call: &Call, now: Moment, _random: u64) -> Verdict {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(self.quirk != Quirk::SubtractsTime || call.began <= now, "time went back");
        if let Some(until) = state.open_until {
            if now < until {
                state.queue.retain(|&ticket| Some(ticket) != call.ticket);
                let another = self.quirk == Quirk::RefusesWithAnotherCode;
                return Verdict::Refuse(if another { ErrorCode::E010 } else { ErrorCode::E030 });
            }
            state.open_until = None;
            state.generation += 1;
            state.failures = 0;
        }
        let place = call.ticket.and_then(|ticket| state.queue.iter().position(|&waits| waits == ticket));
        let is_next = self.quirk == Quirk::ServesWhoAsksFirst || place.unwrap_or(state.queue.len()) == 0;
        state.marks += 1;
        let mark = state.marks;
        if state.held.len() < 4 && is_next {
            if let Some(place) = place {
                state.queue.remove(place);
            }
            state.held.push(mark);
            let ends = if self.quirk == Quirk::EndsBeforeItBegan { now } else { now + Duration::from_secs(2) };
            let another = self.quirk == Quirk::EndsWithAnotherCode;
            let code = if another { ErrorCode::E010 } else { ErrorCode::E033 };
            return Verdict::Go(Admission::new(state.generation, mark).ending(ends, code));
        }
        let at_most = if self.quirk == Quirk::WaitsForEver { Duration::MAX } else { Duration::from_secs(1) };
        let ticket = match (place, self.quirk) {
            (_, Quirk::GivesOneTicketToAll) => 1,
            (Some(place), _) => return Verdict::Queue { ticket: state.queue[place], at_most },
            (None, _) => mark,
        };
        if !state.queue.contains(&ticket) {
            state.queue.push_back(ticket);
        }
        Verdict::Queue { ticket, at_most }
    }

    fn finish(&self, call: &Call, admission: Admission, outcome: Outcome<'_>, now: Moment, _random: u64) -> Next {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let abandoned = matches!(outcome, Outcome::Abandoned);
        let held = state.held.iter().position(|&mark| mark == admission.mark);
        match held {
            Some(_) if abandoned && self.quirk == Quirk::LeaksAbandoned => {}
            Some(_) if abandoned && self.quirk == Quirk::LeaksOne && !std::mem::replace(&mut state.leaked, true) => {}
            Some(_) if admission.generation != state.generation && self.quirk == Quirk::LeaksWhatIsStale => {}
            Some(at) => drop(state.held.remove(at)),
            None if self.quirk == Quirk::KeepsTicketsThatWereGivenUp && state.queue.len() == 4 => return Next::Done,
            None => state.queue.retain(|&ticket| Some(ticket) != call.ticket),
        }
        let stale = admission.generation != state.generation && self.quirk != Quirk::HeedsStaleFailures;
        if held.is_none() || stale {
            return Next::Done;
        }
        match outcome {
            Outcome::Success(_) => state.failures = 0,
            Outcome::Abandoned if self.quirk != Quirk::CountsAbandonedAsFailures => {}
            _ => state.failures += 1,
        }
        if state.failures >= 5 {
            state.open_until = Some(now + Duration::from_secs(10));
        }
        Next::Done
    }
}

impl fmt::Display for Animal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.quirk {
            Quirk::ShowsItsCount => {
                let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                write!(f, "animal(4, {})", state.marks)
            }
            Quirk::HidesItsSettings => f.write_str("animal"),
            _ => f.write_str("animal(4)"),
        }
    }
}
