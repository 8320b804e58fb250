//! The exponential ceiling under which waits between attempts are drawn.

use std::time::Duration;

use backoff::backoff::Backoff as _;
use backoff::exponential::{ExponentialBackoff, ExponentialBackoffBuilder};

/// The longest waits before the second attempt, the third, and so on: `first`, doubled each time, never over `cap`.
///
/// The crate `backoff` does the reckoning and nothing else. It is asked when a policy is made, never during a call; its
/// own dice and the clock that it reads have no part in what it answers: its jitter is off, for ours is drawn from
/// randomness that is passed in, and its limit on time is off, for ours is counted by the clock that is passed in.
pub(super) fn ceilings(first: Duration, cap: Duration, count: usize) -> Box<[Duration]> {
    let mut backoff: ExponentialBackoff<backoff::SystemClock> = ExponentialBackoffBuilder::new()
        .with_initial_interval(first)
        .with_max_interval(cap)
        .with_multiplier(2.0)
        .with_randomization_factor(0.0)
        .with_max_elapsed_time(None)
        .build();
    let mut next = || {
        let ceiling = backoff.current_interval;
        backoff.next_backoff();
        ceiling.min(cap)
    };
    (0..count).map(|_| next()).collect()
}

/// A wait from nothing to `ceiling`, both included, uniform as `random` is: full jitter. The cap was applied before.
pub(super) fn full_jitter(ceiling: Duration, random: u64) -> Duration {
    let nanos = u64::try_from(ceiling.as_nanos()).unwrap_or(u64::MAX);
    let drawn = (u128::from(random) * (u128::from(nanos) + 1)) >> 64;
    Duration::from_nanos(u64::try_from(drawn).unwrap_or(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_double_up_to_the_cap() {
        let table: &[(u64, u64, &[u64])] = &[
            (50, 1_000, &[50, 100, 200, 400, 800, 1_000, 1_000]),
            (50, 50, &[50, 50, 50]),
            (1, 3, &[1, 2, 3, 3]),
            (1_000, 60_000, &[1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]),
            (50, 1_000, &[]),
        ];
        for &(first, cap, expected) in table {
            let got = ceilings(Duration::from_millis(first), Duration::from_millis(cap), expected.len());
            let expected: Box<[_]> = expected.iter().copied().map(Duration::from_millis).collect();
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn the_longest_ceiling_of_all_is_exact() {
        let day = Duration::from_secs(86_400);
        assert!(ceilings(day, day, 100).iter().all(|ceiling| *ceiling == day));
    }

    #[test]
    fn jitter_goes_from_nothing_to_the_ceiling() {
        let ceiling = Duration::from_nanos(9);
        let at = |tenths: u64| u64::MAX / 10 * tenths;
        for (random, nanos) in [(0, 0), (at(1), 0), (at(1) + 10, 1), (at(5) + 10, 5), (at(9) + 10, 9), (u64::MAX, 9)] {
            assert_eq!(full_jitter(ceiling, random), Duration::from_nanos(nanos), "{random}");
        }
        assert_eq!(full_jitter(Duration::ZERO, u64::MAX), Duration::ZERO);
        assert_eq!(full_jitter(Duration::MAX, u64::MAX), Duration::from_nanos(u64::MAX));
    }
}
