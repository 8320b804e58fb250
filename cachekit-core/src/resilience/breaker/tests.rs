//! The breaker, with numbers for time.

use std::sync::Mutex;

use super::super::settings::assert_refused;
use super::*;
use crate::{Error, Operation};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn at(millis: u64) -> Moment {
    Moment::from_nanos(millis * 1_000_000)
}

fn call() -> Call {
    Call::new(Operation::Get, at(0))
}

/// Asks at so many milliseconds; `None` if refused.
fn admit(breaker: &CircuitBreaker, now: u64) -> Option<Admission> {
    match breaker.admit(&call(), at(now), 0) {
        Verdict::Go(admission) => Some(admission),
        Verdict::Refuse(ErrorCode::E030) => None,
        other => panic!("{other:?}"),
    }
}

fn succeed(breaker: &CircuitBreaker, admission: Admission, now: u64, took: Duration) {
    breaker.finish(&call(), admission, Outcome::Success(took), at(now), 0);
}

fn fail(breaker: &CircuitBreaker, admission: Admission, now: u64, code: ErrorCode, took: Duration) {
    let error = Error::new(code, "made up");
    breaker.finish(&call(), admission, Outcome::Failure(&error, took), at(now), 0);
}

fn abandon(breaker: &CircuitBreaker, admission: Admission, now: u64) {
    breaker.finish(&call(), admission, Outcome::Abandoned, at(now), 0);
}

/// Makes the calls that `calls` shows, one each `step` milliseconds from `begin`, and says how many were refused:
/// `s` succeeds, `f` fails, `n` fails with a code that does not count, `a` is abandoned, `S` is slow and succeeds, `F`
/// is slow and fails, `c` was cut short soon, `C` after long, `.` makes no call.
fn play(breaker: &CircuitBreaker, begin: u64, step: u64, calls: &str) -> usize {
    let (soon, late) = (Duration::from_millis(1), secs(5));
    let mut refused = 0;
    for (now, what) in (begin..).step_by(usize::try_from(step).unwrap()).zip(calls.chars()) {
        if what == '.' {
            continue;
        }
        let Some(admission) = admit(breaker, now) else {
            refused += 1;
            continue;
        };
        match what {
            's' => succeed(breaker, admission, now, soon),
            'S' => succeed(breaker, admission, now, late),
            'f' => fail(breaker, admission, now, ErrorCode::E010, soon),
            'F' => fail(breaker, admission, now, ErrorCode::E010, late),
            'n' => fail(breaker, admission, now, ErrorCode::E012, late),
            'c' => fail(breaker, admission, now, ErrorCode::E033, soon),
            'C' => fail(breaker, admission, now, ErrorCode::E033, late),
            'a' => abandon(breaker, admission, now),
            _ => unreachable!("{what}"),
        }
    }
    refused
}

fn usual() -> CircuitBreaker {
    CircuitBreaker::builder().build().unwrap()
}

/// Four of eight in 30 s; the other reasons to open are far away.
fn rate_only() -> CircuitBreakerBuilder {
    CircuitBreaker::builder().with_least_calls(8).with_in_a_row(1_000).with_drought(1_000, secs(1_000))
}

fn opened(seconds: u64) -> CircuitBreaker {
    let breaker = CircuitBreaker::builder().with_in_a_row(2).with_open_time(secs(seconds)).build().unwrap();
    assert_eq!(play(&breaker, 0, 1, "ff"), 0);
    assert_eq!(breaker.state(), BreakerState::Open);
    breaker
}

#[test]
fn it_opens_at_the_rate_and_not_before_there_are_enough_calls() {
    // Each of these leaves it closed, until one more failure is to open it.
    for (calls, opens) in [
        ("fffffff", true),         // the eighth of eight
        ("ffffff", false),         // the seventh of seven
        ("ssssfff", true),         // four of eight
        ("sssssfff", false),       // four of nine
        ("ssssssssfffffff", true), // eight of sixteen
        ("fffssss", true),
        ("fffnnnn", false), // what does not count is no call either
        ("fffaaaa", false),
        ("fffcccc", false),
        ("fffCCCC", false), // slow calls do not count here
    ] {
        let breaker = rate_only().build().unwrap();
        assert_eq!(play(&breaker, 0, 1, calls), 0, "{calls}");
        assert_eq!(breaker.state(), BreakerState::Closed, "{calls}");
        play(&breaker, 100, 1, "f");
        let expected = if opens { BreakerState::Open } else { BreakerState::Closed };
        assert_eq!(breaker.state(), expected, "{calls}f");
    }
}

#[test]
fn what_lies_before_the_window_is_forgotten() {
    // A call each second: 30 s later at the latest the failures are out of the window, 26 s later they are not.
    for (quiet, opens) in [(20, true), (26, true), (31, false), (500, false)] {
        let breaker = rate_only().with_least_calls(4).build().unwrap();
        play(&breaker, 0, 1, "fff");
        play(&breaker, quiet * 1_000, 1, "f");
        assert_eq!(breaker.state() == BreakerState::Open, opens, "after {quiet} s");
    }
    // So are the successes that made a bad rate look good.
    let breaker = rate_only().with_least_calls(4).build().unwrap();
    play(&breaker, 0, 1, &"s".repeat(1_000));
    play(&breaker, 15_000, 1, "fff");
    play(&breaker, 26_000, 1, "f");
    assert_eq!(breaker.state(), BreakerState::Closed);
    play(&breaker, 31_000, 1, "f");
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[test]
fn it_opens_after_twenty_failures_in_a_row_whatever_was_before() {
    let breaker = usual();
    play(&breaker, 0, 1, &"s".repeat(20_000));
    play(&breaker, 20_000, 1, &"f".repeat(19));
    assert_eq!(breaker.state(), BreakerState::Closed);
    // Neither way: they do not break the row, nor are they part of it.
    play(&breaker, 20_100, 1, "nacC");
    assert_eq!(breaker.state(), BreakerState::Closed);
    play(&breaker, 20_200, 1, "f");
    assert_eq!(breaker.state(), BreakerState::Open);

    let breaker = usual();
    play(&breaker, 0, 1, &"s".repeat(20_000));
    play(&breaker, 20_000, 1, &("f".repeat(19) + "s" + &"f".repeat(19)));
    assert_eq!(breaker.state(), BreakerState::Closed, "a success ends the row");
}

#[test]
fn a_lone_caller_opens_it_within_thirty_seconds() {
    // One call each so many milliseconds, all failing after one that succeeded: when is it open?
    for (step, open_at) in [(10_000, 20_000), (5_000, 10_000), (15_000, 30_000), (1_000, 10_000), (100, 1_800)] {
        let breaker = usual();
        play(&breaker, 0, 1, "s");
        let mut now = 1_000;
        while breaker.state() == BreakerState::Closed {
            play(&breaker, now, 1, "f");
            now += step;
        }
        assert_eq!(now - step - 1_000, open_at, "a call each {step} ms");
    }
}

#[test]
fn slow_calls_count_if_they_are_asked_to() {
    let slow = || rate_only().with_slow_calls(secs(2), 75).with_failure_rate(100);
    for (calls, opens) in [
        ("ssSSSSS", true), // six of eight
        ("sssSSSS", false),
        ("SSSSSss", true),
        ("SSSSSS", false), // seven
        ("ssFFFFF", true), // a failure that is slow is also slow
        ("ssCCCCC", true), // and so is what was cut short after long
        ("ssccccc", false),
        ("ssnnnnn", false),
    ] {
        let breaker = slow().build().unwrap();
        play(&breaker, 0, 1, calls);
        assert_eq!(breaker.state(), BreakerState::Closed, "{calls}");
        play(&breaker, 100, 1, "S");
        assert_eq!(breaker.state() == BreakerState::Open, opens, "{calls}S");
    }
    // Who only ever sees calls cut short sees no success.
    let breaker = CircuitBreaker::builder().with_slow_calls(secs(2), 100).build().unwrap();
    play(&breaker, 0, 5_000, "sCCC");
    assert_eq!(breaker.state(), BreakerState::Open);
    let breaker = CircuitBreaker::builder().with_slow_calls(secs(2), 100).build().unwrap();
    play(&breaker, 0, 5_000, "sCCSCC");
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn only_codes_of_the_backend_count() {
    for &code in ErrorCode::ALL {
        let breaker = CircuitBreaker::builder().with_in_a_row(1).build().unwrap();
        let admission = admit(&breaker, 0).unwrap();
        fail(&breaker, admission, 1, code, Duration::ZERO);
        assert_eq!(breaker.state() == BreakerState::Open, code.trips_breaker(), "{code}");
    }
}

#[test]
fn it_is_open_for_its_time_and_then_lets_probes_through() {
    let breaker = opened(60);
    // It opened at 1 ms.
    for now in [1, 2, 30_000, 60_000] {
        assert_eq!(admit(&breaker, now), None, "at {now}");
    }
    assert_eq!(breaker.state(), BreakerState::Open);
    let probes: Vec<_> = (0..5).map(|_| admit(&breaker, 60_001)).collect();
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    assert_eq!(probes.iter().flatten().count(), 3);
    // The slot of a probe that was abandoned, or says nothing, is free again.
    abandon(&breaker, probes[0].unwrap(), 60_002);
    let again = admit(&breaker, 60_002).unwrap();
    assert_eq!(admit(&breaker, 60_002), None);
    fail(&breaker, again, 60_003, ErrorCode::E020, Duration::ZERO);
    let again = admit(&breaker, 60_003).unwrap();
    assert_eq!(admit(&breaker, 60_003), None);
    for probe in [probes[1], probes[2]] {
        succeed(&breaker, probe.unwrap(), 60_004, Duration::ZERO);
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
    }
    succeed(&breaker, again, 60_005, Duration::ZERO);
    assert_eq!(breaker.state(), BreakerState::Closed);
    assert_eq!((breaker.opened(), breaker.closed()), (1, 1));
}

#[test]
fn a_probe_that_fails_opens_it_for_another_time() {
    let breaker = opened(60);
    assert_eq!(play(&breaker, 60_001, 1, "ssf"), 0);
    assert_eq!(breaker.state(), BreakerState::Open);
    assert_eq!(admit(&breaker, 120_002), None);
    assert_eq!(play(&breaker, 120_003, 1, "sss"), 0);
    assert_eq!(breaker.state(), BreakerState::Closed);
    assert_eq!((breaker.opened(), breaker.closed()), (1, 1), "it was one opening");
}

#[test]
fn a_slow_probe_opens_it_again_if_slow_calls_count() {
    for (slow, calls, expected) in [
        (true, "S", BreakerState::Open),
        (true, "C", BreakerState::Open),
        (true, "c", BreakerState::HalfOpen),
        (false, "C", BreakerState::HalfOpen),
        (false, "SSS", BreakerState::Closed),
    ] {
        let mut settings = CircuitBreaker::builder().with_in_a_row(1);
        if slow {
            settings = settings.with_slow_calls(secs(2), 100);
        }
        let breaker = settings.build().unwrap();
        play(&breaker, 0, 1, "f");
        play(&breaker, 60_000, 1, calls);
        assert_eq!(breaker.state(), expected, "{slow} {calls}");
    }
}

#[test]
fn it_closes_with_an_empty_window() {
    let breaker = rate_only().with_window(secs(3_600)).with_open_time(secs(1)).with_probes(1).build().unwrap();
    play(&breaker, 0, 1, "ffffffff");
    assert_eq!(breaker.state(), BreakerState::Open);
    play(&breaker, 1_007, 1, "s");
    assert_eq!(breaker.state(), BreakerState::Closed);
    play(&breaker, 1_100, 1, "fffffff");
    assert_eq!(breaker.state(), BreakerState::Closed, "seven calls are not enough");
    play(&breaker, 1_200, 1, "f");
    assert_eq!((breaker.state(), breaker.opened(), breaker.closed()), (BreakerState::Open, 2, 1));
}

#[test]
fn outcomes_of_another_generation_change_nothing_but_give_their_slot_back() {
    let breaker = opened(60);
    let probes: Vec<_> = (0..3).map(|_| admit(&breaker, 60_001).unwrap()).collect();
    fail(&breaker, probes[0], 60_002, ErrorCode::E010, Duration::ZERO);
    assert_eq!(breaker.state(), BreakerState::Open);
    succeed(&breaker, probes[1], 60_003, Duration::ZERO);
    assert_eq!(breaker.state(), BreakerState::Open);
    // One of the first three is still under way: two slots are free.
    let (second, third) = (admit(&breaker, 120_002).unwrap(), admit(&breaker, 120_002).unwrap());
    assert_eq!(admit(&breaker, 120_002), None);
    // It fails at last, which says nothing about now, and a slot is free.
    fail(&breaker, probes[2], 120_003, ErrorCode::E010, Duration::ZERO);
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    let last = admit(&breaker, 120_003).unwrap();
    assert_eq!(admit(&breaker, 120_003), None);
    for probe in [second, third, last] {
        succeed(&breaker, probe, 120_004, Duration::ZERO);
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn probes_that_never_come_back_leave_no_room_for_others() {
    let breaker = opened(60);
    let [first, second, third] = [60_001; 3].map(|now| admit(&breaker, now).unwrap());
    let error = ErrorCode::E010;
    fail(&breaker, first, 60_002, error, Duration::ZERO);
    let fourth = admit(&breaker, 120_002).unwrap();
    fail(&breaker, fourth, 120_003, error, Duration::ZERO);
    let fifth = admit(&breaker, 180_003).unwrap();
    assert_eq!(admit(&breaker, 180_003), None);
    breaker.force_closed();
    breaker.automatic();
    play(&breaker, 180_010, 1, "ff");
    // Three of older times are still under way when the next one begins.
    assert_eq!(admit(&breaker, 300_000), None);
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    for stale in [second, third, fifth] {
        abandon(&breaker, stale, 300_001);
    }
    assert_eq!((0..5).filter_map(|_| admit(&breaker, 300_002)).count(), 3);
}

#[test]
fn calls_from_before_it_opened_do_not_count_after_it_closed() {
    let breaker = CircuitBreaker::builder().with_in_a_row(2).with_probes(1).build().unwrap();
    let before: Vec<_> = (0..10).map(|_| admit(&breaker, 0).unwrap()).collect();
    play(&breaker, 1, 1, "ff");
    // They neither close it nor free a slot that they do not hold.
    let probe = {
        succeed(&breaker, before[0], 60_002, Duration::ZERO);
        let probe = admit(&breaker, 60_002).unwrap();
        succeed(&breaker, before[1], 60_003, Duration::ZERO);
        abandon(&breaker, before[2], 60_003);
        fail(&breaker, before[3], 60_003, ErrorCode::E010, Duration::ZERO);
        probe
    };
    assert_eq!((breaker.state(), admit(&breaker, 60_004)), (BreakerState::HalfOpen, None));
    succeed(&breaker, probe, 60_005, Duration::ZERO);
    assert_eq!(breaker.state(), BreakerState::Closed);
    for late in &before[4..] {
        fail(&breaker, *late, 60_006, ErrorCode::E010, Duration::ZERO);
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn it_can_be_forced_and_left_to_itself_again() {
    let breaker = opened(60);
    let handle = breaker.clone();
    handle.force_closed();
    assert_eq!(play(&breaker, 10, 1, &"f".repeat(100)), 0);
    assert_eq!(breaker.state(), BreakerState::ForcedClosed);
    handle.force_open();
    assert_eq!(play(&breaker, 1_000_000, 1, "ss"), 2);
    assert_eq!(breaker.state(), BreakerState::ForcedOpen);
    handle.automatic();
    assert_eq!(play(&breaker, 1_000_010, 1, "sf"), 0);
    assert_eq!(breaker.state(), BreakerState::Closed);
    play(&breaker, 1_000_020, 1, "f");
    assert_eq!(breaker.state(), BreakerState::Open);
    handle.automatic();
    assert_eq!(breaker.state(), BreakerState::Open, "it decided so by itself");
    assert_eq!((breaker.opened(), breaker.closed()), (2, 0));
}

#[test]
fn a_hook_is_told_of_each_change() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let (seen, handle) = (Arc::clone(&events), Arc::new(Mutex::new(None::<CircuitBreaker>)));
    let asked = Arc::clone(&handle);
    let hook = move |event: &BreakerEvent| {
        // It may ask the breaker.
        let state = asked.lock().unwrap().as_ref().map(CircuitBreaker::state);
        assert_eq!(state, Some(event.to));
        seen.lock().unwrap().push((event.from, event.to, event.generation, event.code));
    };
    let breaker = CircuitBreaker::builder().with_in_a_row(2).with_probes(1).with_hook(hook).build().unwrap();
    *handle.lock().unwrap() = Some(breaker.clone());
    play(&breaker, 0, 1, "ff");
    play(&breaker, 60_001, 1, "f");
    play(&breaker, 120_001, 1, "s");
    breaker.force_open();
    breaker.force_open();
    breaker.automatic();
    let (closed, open, half_open) = (BreakerState::Closed, BreakerState::Open, BreakerState::HalfOpen);
    let expected = [
        (closed, open, 1, Some(ErrorCode::E010)),
        (open, half_open, 2, None),
        (half_open, open, 3, Some(ErrorCode::E010)),
        (open, half_open, 4, None),
        (half_open, closed, 5, None),
        (closed, BreakerState::ForcedOpen, 6, None),
        (BreakerState::ForcedOpen, closed, 7, None),
    ];
    assert_eq!(*events.lock().unwrap(), expected);
}

#[test]
fn it_tells_its_settings() {
    let expected =
        "breaker(50% of 20 calls in 30s, 20 in a row, 3 in a row over 10s, slow calls not counted, open 60s, 3 probes)";
    assert_eq!(usual().to_string(), expected);
    let slow = CircuitBreaker::builder().with_slow_calls(secs(2), 80).with_open_time(Duration::from_millis(500));
    let expected =
        "breaker(50% of 20 calls in 30s, 20 in a row, 3 in a row over 10s, 80% slower than 2s, open 500ms, 3 probes)";
    assert_eq!(slow.build().unwrap().to_string(), expected);
}

#[test]
fn what_cannot_be_is_refused() {
    let make = CircuitBreaker::builder;
    let calls = "expected 1 to 1000000, got";
    for (settings, words) in [
        (make().with_failure_rate(0), "failure rate in percent: expected 1 to 100, got 0".to_owned()),
        (make().with_failure_rate(101), "failure rate in percent: expected 1 to 100, got 101".to_owned()),
        (make().with_least_calls(0), format!("least calls: {calls} 0")),
        (make().with_window(secs(0)), "window: expected 100ms to 3600s, got 0ns".to_owned()),
        (make().with_window(secs(3_601)), "window: expected 100ms to 3600s, got 3601s".to_owned()),
        (make().with_in_a_row(0), format!("failures in a row: {calls} 0")),
        (make().with_drought(0, secs(1)), format!("failures in a drought: {calls} 0")),
        (make().with_drought(1, secs(86_401)), "time of a drought: expected 0ns to 86400s, got 86401s".to_owned()),
        (make().with_slow_calls(secs(0), 1), "time of a slow call: expected 1ns to 86400s, got 0ns".to_owned()),
        (make().with_slow_calls(secs(1), 0), "rate of slow calls in percent: expected 1 to 100, got 0".to_owned()),
        (make().with_open_time(secs(0)), "open time: expected 1ns to 86400s, got 0ns".to_owned()),
        (make().with_probes(0), "probes: expected 1 to 1000, got 0".to_owned()),
        (make().with_probes(1_001), "probes: expected 1 to 1000, got 1001".to_owned()),
    ] {
        assert_refused(settings.build(), &format!("breaker: {words}"));
    }
}
