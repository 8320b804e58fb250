//! [`ManualClock`]: a clock that is moved by hand, for tests.

use std::sync::Arc;
// Not the engine's atomics: the time is an input of the interleavings that shuttle explores, not a part of them.
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::{Clock, Moment, UnixTime};

/// A clock that stands still until it is moved, so that a test says what time it is and never waits.
///
/// Clones are the same clock, and any thread may move it. It starts at an arbitrary but fixed moment and wall time.
///
/// ```
/// use std::time::Duration;
/// use cachekit_core::{Clock, ManualClock};
///
/// let clock = ManualClock::new();
/// let start = clock.now();
/// clock.clone().advance(Duration::from_secs(5));
/// assert_eq!(clock.now().since(start), Duration::from_secs(5));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<State>);

#[derive(Debug)]
struct State {
    nanos: AtomicU64,
    /// What to add to the milliseconds of `nanos`, modulo 2^64, for the wall time.
    wall_offset: AtomicU64,
    granularity: AtomicU64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            nanos: AtomicU64::new(START_NANOS),
            wall_offset: AtomicU64::new(START_WALL_MILLIS - START_NANOS / NANOS_PER_MILLI),
            granularity: AtomicU64::new(0),
        }
    }
}

impl ManualClock {
    /// A clock that stands at its start, without granularity.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says of the clock that it may lag by `granularity`, as production's clock does. Its readings stay exact.
    #[must_use]
    pub fn with_granularity(self, granularity: Duration) -> Self {
        let nanos = u64::try_from(granularity.as_nanos()).unwrap_or(u64::MAX);
        self.0.granularity.store(nanos, Ordering::SeqCst);
        self
    }

    /// Moves the monotonic and the wall time on by `duration`. They stop at their last moment.
    pub fn advance(&self, duration: Duration) {
        let moved = |nanos| Some((Moment::from_nanos(nanos) + duration).as_nanos());
        // The closure always answers `Some`, so there is no failure to look at.
        let _ = self.0.nanos.fetch_update(Ordering::SeqCst, Ordering::SeqCst, moved);
    }

    /// Sets the wall time, forwards or back. The monotonic time stays, and later moves move both.
    pub fn set_wall(&self, wall: UnixTime) {
        let millis = self.0.nanos.load(Ordering::SeqCst) / NANOS_PER_MILLI;
        self.0.wall_offset.store(wall.as_millis().wrapping_sub(millis), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        Moment::from_nanos(self.0.nanos.load(Ordering::SeqCst))
    }

    fn wall(&self) -> UnixTime {
        let millis = self.0.nanos.load(Ordering::SeqCst) / NANOS_PER_MILLI;
        UnixTime::from_millis(millis.wrapping_add(self.0.wall_offset.load(Ordering::SeqCst)))
    }

    fn granularity(&self) -> Duration {
        Duration::from_nanos(self.0.granularity.load(Ordering::SeqCst))
    }
}

const NANOS_PER_MILLI: u64 = 1_000_000;
/// An hour, so that tests may reckon backwards.
const START_NANOS: u64 = 3_600_000_000_000;
/// 14 November 2023, 22:13:20 UTC.
const START_WALL_MILLIS: u64 = 1_700_000_000_000;

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::ManualClock;
    use crate::{Clock, Moment, UnixTime};

    #[test]
    fn it_stands_still_until_moved() {
        let clock = ManualClock::new();
        assert_eq!((clock.now(), clock.wall()), (clock.now(), UnixTime::from_millis(1_700_000_000_000)));
        assert_eq!(clock.granularity(), Duration::ZERO);
    }

    #[test]
    fn clones_move_together() {
        let clock = ManualClock::new();
        let (start, wall) = (clock.now(), clock.wall());
        clock.clone().advance(Duration::from_micros(1_500));
        assert_eq!(clock.now().since(start), Duration::from_micros(1_500));
        assert_eq!(clock.wall().since(wall), Duration::from_millis(1));
    }

    #[test]
    fn the_wall_time_jumps_without_the_monotonic_time() {
        let clock = ManualClock::new();
        let start = clock.now();
        clock.set_wall(UnixTime::from_millis(5));
        assert_eq!((clock.now(), clock.wall()), (start, UnixTime::from_millis(5)));
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.wall(), UnixTime::from_millis(1_005));
    }

    #[test]
    fn moves_from_many_threads_add_up() {
        let clock = ManualClock::new();
        let start = clock.now();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| clock.advance(Duration::from_nanos(1))));
            }
        });
        assert_eq!(clock.now().since(start), Duration::from_nanos(4_000));
    }

    #[test]
    fn the_end_of_time_is_kept() {
        let clock = ManualClock::new().with_granularity(Duration::from_millis(4));
        clock.advance(Duration::MAX);
        assert_eq!(clock.now(), Moment::FAR);
        assert_eq!(clock.granularity(), Duration::from_millis(4));
    }
}
