//! Retry, with numbers for time.

use super::super::settings::assert_refused;
use super::*;
use crate::Operation;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn at(millis: u64) -> Moment {
    Moment::from_nanos(millis * 1_000_000)
}

/// What is said of an attempt, of a call that began at 0, that failed at `now`; chance is at its highest.
fn after(retry: &Retry, operation: Operation, attempt: u32, error: &Error, now: u64) -> Option<Duration> {
    let mut call = Call::new(operation, at(0));
    call.attempt = attempt;
    match retry.finish(&call, Admission::new(0, 0), Outcome::Failure(error, ms(1)), at(now), u64::MAX) {
        Next::AgainAfter(wait) => Some(wait),
        Next::Done => None,
    }
}

fn error(code: ErrorCode) -> Error {
    Error::new(code, "made up")
}

fn reset() -> Error {
    error(ErrorCode::E010)
}

#[test]
fn attempts_are_counted_and_waits_grow() {
    let retry = Retry::builder().with_attempts(5).with_first_wait(ms(300)).build().unwrap();
    for (attempt, wait) in [(0, Some(300)), (1, Some(600)), (2, Some(1_000)), (3, Some(1_000)), (4, None), (9, None)] {
        assert_eq!(after(&retry, Operation::Get, attempt, &reset(), 0), wait.map(ms), "after attempt {attempt}");
    }
    let once = Retry::builder().with_attempts(1).build().unwrap();
    assert_eq!(after(&once, Operation::Get, 0, &reset(), 0), None);
}

#[test]
fn only_what_may_help_is_tried_again() {
    let retry = Retry::builder().build().unwrap();
    for &code in ErrorCode::ALL {
        let again = after(&retry, Operation::Get, 0, &error(code), 0).is_some();
        assert_eq!(again, code.is_retryable(), "{code}");
    }
    assert_eq!(after(&retry, Operation::Get, 0, &error(ErrorCode::E061).not_retryable(), 0), None);
}

#[test]
fn whether_timeouts_are_tried_again_is_a_setting() {
    let no = Retry::builder().with_timeouts(false).build().unwrap();
    assert_eq!(after(&no, Operation::Get, 0, &error(ErrorCode::E064), 0), None);
    assert!(after(&no, Operation::Get, 0, &error(ErrorCode::E011), 0).is_some());
    assert!(after(&no, Operation::Get, 0, &reset(), 0).is_some());
}

#[test]
fn what_stores_is_tried_again_only_if_nothing_was_sent() {
    let retry = Retry::builder().build().unwrap();
    for operation in [Operation::Set, Operation::SetMany, Operation::Expire, Operation::Clear] {
        assert_eq!(after(&retry, operation, 0, &reset(), 0), None, "{operation}");
        assert!(after(&retry, operation, 0, &reset().unsent(), 0).is_some(), "{operation}");
        assert!(after(&retry, operation, 0, &error(ErrorCode::E012), 0).is_some(), "{operation}");
    }
    for operation in [Operation::Get, Operation::Exists, Operation::Ttl, Operation::Delete, Operation::Acquire] {
        assert!(after(&retry, operation, 0, &reset(), 0).is_some(), "{operation}");
    }
}

#[test]
fn what_the_server_asks_for_is_kept_or_the_call_is_given_up() {
    let retry = Retry::builder().with_first_wait(ms(100)).with_longest_retry_after(ms(2_000)).build().unwrap();
    for (asked_for, wait) in [(0, Some(100)), (1, Some(101)), (2_000, Some(2_100)), (2_001, None), (u64::MAX, None)] {
        let error = error(ErrorCode::E061).with_retry_after(ms(asked_for));
        assert_eq!(after(&retry, Operation::Get, 0, &error, 0), wait.map(ms), "asked for {asked_for} ms");
    }
}

#[test]
fn of_a_thousand_retry_afters_none_is_ignored() {
    let retry = Retry::builder().with_budget(RetryBudget::builder().with_capacity(5_000).build().unwrap()).build();
    let retry = retry.unwrap();
    for step in 0..1_000 {
        let asked_for = ms(step * 5);
        let error = error(ErrorCode::E061).with_retry_after(asked_for);
        let mut call = Call::new(Operation::Get, at(0));
        call.attempt = u32::from(step % 2 == 0);
        let random = step.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let next = retry.finish(&call, Admission::new(0, 0), Outcome::Failure(&error, ms(1)), at(0), random);
        let Next::AgainAfter(wait) = next else { panic!("given up for {asked_for:?}") };
        assert!(wait >= asked_for && wait <= asked_for + ms(100), "{wait:?} for {asked_for:?}");
    }
}

#[test]
fn the_last_attempt_begins_within_the_time_for_all() {
    let retry = Retry::builder().with_first_wait(ms(100)).with_total(ms(1_000)).build().unwrap();
    for (now, wait) in [(0, Some(100)), (899, Some(100)), (900, None), (5_000, None)] {
        assert_eq!(after(&retry, Operation::Get, 0, &reset(), now), wait.map(ms), "failed at {now} ms");
    }
    // What was kept waiting comes too late; a first attempt always goes.
    let mut call = Call::new(Operation::Get, at(0));
    assert!(matches!(retry.admit(&call, at(1_000), 0), Verdict::Go(_)));
    call.attempt = 1;
    assert!(matches!(retry.admit(&call, at(999), 0), Verdict::Go(_)));
    assert_eq!(retry.admit(&call, at(1_000), 0), Verdict::Refuse(ErrorCode::E033));
}

#[test]
fn retries_are_paid_for_out_of_the_budget() {
    let budget = RetryBudget::builder().with_capacity(20).build().unwrap();
    let retry = Retry::builder().with_budget(budget.clone()).build().unwrap();
    let again = |error: &Error| after(&retry, Operation::Get, 0, error, 0).is_some();
    assert!(again(&reset()));
    assert_eq!(budget.left(), 15);
    assert!(again(&error(ErrorCode::E064)));
    assert_eq!(budget.left(), 5);
    assert!(!again(&error(ErrorCode::E064)));
    assert!(!again(&error(ErrorCode::E020)), "what would not have been made again costs nothing");
    assert!(again(&reset()));
    assert!(!again(&reset()));
    let call = Call::new(Operation::Get, at(0));
    retry.finish(&call, Admission::new(0, 0), Outcome::Success(ms(1)), at(0), 0);
    assert_eq!(budget.left(), 1);
    retry.finish(&call, Admission::new(0, 0), Outcome::Abandoned, at(0), 0);
    assert_eq!(budget.left(), 1);
}

#[test]
fn without_a_budget_nobody_counts() {
    let retry = Retry::builder().without_budget().build().unwrap();
    assert!((0..1_000).all(|_| after(&retry, Operation::Get, 0, &reset(), 0).is_some()));
}

#[test]
fn it_tells_its_settings() {
    let usual = Retry::builder().build().unwrap();
    let expected = "retry(3 attempts in 10s, waits 50ms..1s, retry-after up to 5s, timeouts too, budget 500-5/10+1)";
    assert_eq!(usual.to_string(), expected);
    let other = Retry::builder().with_attempts(2).with_timeouts(false).without_budget().build().unwrap();
    let expected = "retry(2 attempts in 10s, waits 50ms..1s, retry-after up to 5s, no timeouts, no budget)";
    assert_eq!(other.to_string(), expected);
}

#[test]
fn what_cannot_be_is_refused() {
    let make = Retry::builder;
    assert_refused(make().with_attempts(0).build(), "retry: attempts: expected 1 to 100, got 0");
    assert_refused(make().with_attempts(101).build(), "retry: attempts: expected 1 to 100, got 101");
    assert_refused(make().with_cap(ms(0)).build(), "retry: cap: expected 1ns to 86400s, got 0ns");
    assert_refused(make().with_first_wait(ms(2_000)).build(), "retry: first wait: expected 1ns to 1s, got 2s");
    assert_refused(make().with_total(ms(0)).build(), "retry: time for all attempts: expected 1ns to 86400s, got 0ns");
    let refused = make().with_longest_retry_after(Duration::MAX).build();
    assert_refused(refused, "retry: longest retry-after: expected 0ns to 86400s, got 18446744073709551615.999999999s");
}
