//! Retry beside a naive one.

use std::time::Duration;

use cachekit_core::{
    Admission, Call, Error, ErrorCode, Moment, Next, Operation, Outcome, ResiliencePolicy, Retry, RetryBudget, Verdict,
};

use crate::SEQUENCES;
use crate::dice::Dice;

#[derive(Clone, Copy, Debug)]
struct Settings {
    attempts: u32,
    first: u64,
    cap: u64,
    total: u64,
    longest_retry_after: u64,
    timeouts: bool,
}

fn settings(dice: &mut Dice) -> Settings {
    let cap = 1 + dice.below(5_000_000_000);
    Settings {
        attempts: 1 + u32::try_from(dice.below(8)).unwrap(),
        first: 1 + dice.below(cap),
        cap,
        total: 1 + dice.below(20_000_000_000),
        longest_retry_after: dice.below(3_000_000_000),
        timeouts: dice.one_in(2),
    }
}

/// What the rules say, one after the other; `coins` is what is left of the budget.
fn naive(settings: Settings, call: &Call, error: &Error, now: u64, random: u64, coins: &mut u64) -> Option<u64> {
    let repeatable = matches!(
        call.operation,
        Operation::Get | Operation::Delete | Operation::Acquire | Operation::Exists | Operation::Ttl
    );
    if !error.is_retryable() || (error.code() == ErrorCode::E064 && !settings.timeouts) {
        return None;
    }
    if !repeatable && !error.is_unsent() {
        return None;
    }
    if call.attempt + 1 >= settings.attempts {
        return None;
    }
    let mut ceiling = settings.first;
    for _ in 0..call.attempt {
        ceiling = (ceiling * 2).min(settings.cap);
    }
    let asked_for = error.retry_after().map_or(0, |after| u64::try_from(after.as_nanos()).unwrap());
    if asked_for > settings.longest_retry_after {
        return None;
    }
    let wait = asked_for + u64::try_from(u128::from(random) * u128::from(ceiling + 1) / (1 << 64)).unwrap();
    if now + wait >= call.began.as_nanos() + settings.total {
        return None;
    }
    let cost = if matches!(error.code(), ErrorCode::E011 | ErrorCode::E064) { 10 } else { 5 };
    if *coins < cost {
        return None;
    }
    *coins -= cost;
    Some(wait)
}

fn error(dice: &mut Dice) -> Error {
    let codes = [ErrorCode::E010, ErrorCode::E011, ErrorCode::E012, ErrorCode::E020, ErrorCode::E030, ErrorCode::E061];
    let mut error = Error::new(dice.pick(&[&codes[..], &[ErrorCode::E064]].concat()), "made up");
    if dice.one_in(3) {
        error = error.with_retry_after(dice.up_to(Duration::from_secs(4)));
    }
    if dice.one_in(4) {
        error = error.unsent();
    }
    if dice.one_in(8) { error.not_retryable() } else { error }
}

fn play(seed: u64) -> [bool; 2] {
    let mut dice = Dice::new(seed);
    let capacity = 10 + dice.below(60);
    let budget = RetryBudget::builder().with_capacity(u32::try_from(capacity).unwrap()).build().unwrap();
    let mut coins = capacity;
    // Two policies before one backend share the budget.
    let policies = [settings(&mut dice), settings(&mut dice)].map(|settings| {
        let nanos = Duration::from_nanos;
        let retry = Retry::builder()
            .with_attempts(settings.attempts)
            .with_cap(nanos(settings.cap))
            .with_first_wait(nanos(settings.first))
            .with_total(nanos(settings.total))
            .with_longest_retry_after(nanos(settings.longest_retry_after))
            .with_timeouts(settings.timeouts)
            .with_budget(budget.clone());
        (settings, retry.build().unwrap())
    });
    let began = Moment::from_nanos(dice.below(1 << 50));
    let mut met = [false; 2];
    for step in 0..32 {
        let (settings, retry) = &policies[usize::try_from(dice.below(2)).unwrap()];
        let operations = [Operation::Get, Operation::Delete, Operation::Acquire, Operation::Set, Operation::SetMany];
        let mut call = Call::new(dice.pick(&operations), began);
        call.attempt = u32::try_from(dice.below(8)).unwrap();
        let now = began + dice.up_to(Duration::from_nanos(settings.total + 10));
        let goes = call.attempt == 0 || now < began + Duration::from_nanos(settings.total);
        let verdict = retry.admit(&call, now, dice.next());
        assert_eq!(matches!(verdict, Verdict::Go(_)), goes, "seed {seed}, step {step}: {verdict:?}");
        let (outcome, random) = (dice.below(4), dice.next());
        if outcome == 0 {
            retry.finish(&call, Admission::new(0, 0), Outcome::Success(Duration::ZERO), now, random);
            coins = (coins + 1).min(capacity);
        } else {
            let error = error(&mut dice);
            let failed = Outcome::Failure(&error, Duration::ZERO);
            let seen = retry.finish(&call, Admission::new(0, 0), failed, now, random);
            let expected = naive(*settings, &call, &error, now.as_nanos(), random, &mut coins)
                .map_or(Next::Done, |wait| Next::AgainAfter(Duration::from_nanos(wait)));
            assert_eq!(seen, expected, "seed {seed}, step {step}: {call:?}, {error}, {settings:?}");
            met[0] |= seen != Next::Done;
            met[1] |= coins < 5;
        }
        assert_eq!(u64::from(budget.left()), coins, "seed {seed}, step {step}");
    }
    met
}

#[test]
fn it_decides_as_a_naive_one_does() {
    let mut met = [0; 2];
    for seed in 0..SEQUENCES {
        for (count, met) in met.iter_mut().zip(play(seed)) {
            *count += u64::from(met);
        }
    }
    assert!(met.iter().all(|count| *count > SEQUENCES / 10), "{met:?}");
}
