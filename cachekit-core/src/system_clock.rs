//! [`SystemClock`]: the clock of production.

use std::time::{Duration, Instant, SystemTime};

use crate::{Clock, Moment, UnixTime};

/// Tells the time of the operating system: as cheaply as it can be had, or [precisely](Self::precise).
///
/// On Linux and Android the monotonic time is `CLOCK_MONOTONIC_COARSE`, which the kernel writes down at every tick and
/// which costs a memory read: 2.7 ns on a 2-core Xeon VM, where `Instant::now` costs 20 ns, `coarsetime` 5.4 ns (the
/// same clock, without its granularity) and `quanta` 10.9 ns after 0.6 ms of calibration. Elsewhere it is [`Instant`],
/// which does not lag.
///
/// Each clock counts from a start of its own: do not compare the moments of two.
#[derive(Clone, Debug)]
pub struct SystemClock(Source);

#[derive(Clone, Debug)]
enum Source {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Coarse {
        granularity: Duration,
    },
    Precise {
        start: Instant,
    },
}

impl SystemClock {
    /// The cheapest clock there is, with a stated [granularity](Clock::granularity): three of the kernel's ticks on
    /// Linux and Android (12 ms at 250 ticks a second), zero elsewhere.
    #[must_use]
    pub fn new() -> Self {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let source = Source::Coarse { granularity: coarse::granularity() };
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let source = Source::Precise { start: instant() };
        Self(source)
    }

    /// A clock that does not lag, at the price of [`Instant::now`] for each reading.
    #[must_use]
    pub fn precise() -> Self {
        Self(Source::Precise { start: instant() })
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[inline]
    fn now(&self) -> Moment {
        match &self.0 {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Source::Coarse { .. } => coarse::now(),
            Source::Precise { start } => Moment::from_nanos(0) + instant().duration_since(*start),
        }
    }

    /// A wall clock set to before 1970 reads as 1970.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that others ask")]
    fn wall(&self) -> UnixTime {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        UnixTime::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn granularity(&self) -> Duration {
        match &self.0 {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Source::Coarse { granularity } => *granularity,
            Source::Precise { .. } => Duration::ZERO,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock that others ask")]
fn instant() -> Instant {
    Instant::now()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod coarse {
    use std::time::Duration;

    use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

    use crate::Moment;

    #[inline]
    pub(super) fn now() -> Moment {
        Moment::from_nanos(nanos(clock_gettime(ClockId::MonotonicCoarse)))
    }

    /// At each tick the kernel moves the coarse time up to the last whole tick of its own reckoning. What a reader sees
    /// is therefore up to two ticks old (3.5 to 7.5 ms were measured with ticks of 4 ms), and a third is for ticks that
    /// come late.
    pub(super) fn granularity() -> Duration {
        3 * Duration::from_nanos(nanos(clock_getres(ClockId::MonotonicCoarse)))
    }

    #[inline]
    fn nanos(time: Timespec) -> u64 {
        // Monotonic time is counted from the start of the machine, so neither part is negative nor near overflow.
        time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::SystemClock;
    use crate::{Clock, Moment, UnixTime};

    /// Waits for a condition that only real time brings about.
    fn moves(clock: &SystemClock) -> (Moment, Moment) {
        let start = clock.now();
        loop {
            let now = clock.now();
            assert!(now >= start, "never back");
            if now > start {
                return (start, now);
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn time_moves_and_never_goes_back() {
        for clock in [SystemClock::new(), SystemClock::precise()] {
            let (start, later) = moves(&clock);
            assert!(later.since(start) > Duration::ZERO, "{clock:?}");
        }
    }

    #[test]
    fn the_granularity_is_stated() {
        let granularity = SystemClock::new().granularity();
        assert_eq!(SystemClock::precise().granularity(), Duration::ZERO);
        assert!(granularity <= Duration::from_millis(30), "three ticks of the slowest kernel, got {granularity:?}");
        #[cfg(target_os = "linux")]
        assert!(granularity > Duration::ZERO);
    }

    /// Both clocks of Linux count from the same start, so that the lag can be seen.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_coarse_time_never_runs_ahead() {
        use rustix::time::{ClockId, clock_gettime};
        let clock = SystemClock::new();
        for _ in 0..10_000 {
            let coarse = clock.now().as_nanos();
            let precise = clock_gettime(ClockId::Monotonic);
            let precise =
                u64::try_from(precise.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(precise.tv_nsec).unwrap();
            assert!(coarse <= precise, "{coarse} is ahead of {precise}");
        }
    }

    #[test]
    fn the_wall_clock_tells_a_time_of_this_era() {
        let year_2020 = UnixTime::from_millis(1_577_836_800_000);
        assert!(SystemClock::new().wall() > year_2020);
    }
}
