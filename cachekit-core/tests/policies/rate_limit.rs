//! The rate limit beside a naive one.

use std::time::Duration;

use cachekit_core::{Call, ErrorCode, Moment, Operation, RateLimit, ResiliencePolicy, Verdict};

use crate::SEQUENCES;
use crate::dice::Dice;

/// Credit in nanoseconds: a call costs an interval, time pays it back, up to the burst.
struct Naive {
    interval: i128,
    burst: i128,
    wait: i128,
    credit: i128,
    last: Moment,
}

impl Naive {
    fn admit(&mut self, now: Moment) -> Option<Duration> {
        let earned = i128::try_from(now.since(self.last).as_nanos()).unwrap();
        self.credit = (self.credit + earned).min(self.burst * self.interval);
        self.last = now;
        let wait = (self.interval - self.credit).max(0);
        if wait > self.wait {
            return None;
        }
        self.credit -= self.interval;
        Some(Duration::from_nanos(u64::try_from(wait).unwrap()))
    }
}

fn play(seed: u64) -> [bool; 3] {
    let mut dice = Dice::new(seed);
    let (calls, span) = (1 + dice.below(20), Duration::from_nanos(100 + dice.below(1_000_000)));
    let burst = 1 + dice.below(5);
    let wait = if dice.one_in(3) { Duration::ZERO } else { dice.up_to(span) };
    let limit = RateLimit::builder(u32::try_from(calls).unwrap(), span)
        .with_burst(u32::try_from(burst).unwrap())
        .with_wait(wait)
        .build()
        .unwrap();
    let mut now = Moment::from_nanos(dice.below(1 << 50));
    let interval = i128::try_from(span.as_nanos()).unwrap() / i128::from(calls);
    let burst = i128::from(burst);
    let wait = i128::try_from(wait.as_nanos()).unwrap();
    let mut naive = Naive { interval, burst, wait, credit: burst * interval, last: now };
    let pause = Duration::from_nanos(u64::try_from(interval * 2).unwrap());
    let mut met = [false; 3];
    for step in 0..40 {
        let seen = match limit.admit(&Call::new(Operation::Get, now), now, dice.next()) {
            Verdict::Go(_) => Some(Duration::ZERO),
            Verdict::GoAfter(wait, _) => Some(wait),
            Verdict::Refuse(ErrorCode::E031) => None,
            other => panic!("seed {seed}, step {step}: {other:?}"),
        };
        assert_eq!(seen, naive.admit(now), "seed {seed}, step {step}: {limit}");
        met[0] |= seen.is_some_and(|wait| wait.is_zero());
        met[1] |= seen.is_some_and(|wait| !wait.is_zero());
        met[2] |= seen.is_none();
        match dice.below(8) {
            0 => now = now + pause * 4,
            1..=4 => now = now + dice.up_to(pause),
            _ => {}
        }
    }
    met
}

#[test]
fn it_decides_as_a_naive_one_does() {
    let mut met = [0; 3];
    for seed in 0..SEQUENCES {
        for (count, met) in met.iter_mut().zip(play(seed)) {
            *count += u64::from(met);
        }
    }
    assert!(met.iter().all(|count| *count > SEQUENCES / 4), "{met:?}");
}
