//! [`Clock`]: where time comes from.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

/// Tells the time: monotonic for what happens in this process, wall time for what is written into entries.
///
/// # Contract
/// 1. [`now`](Self::now) never goes back, also between threads. It may lag real time by a stated granularity, but never
///    runs ahead of it.
/// 2. [`wall`](Self::wall) is the time since the Unix epoch and may jump.
/// 3. Neither blocks nor allocates: a cache hit asks for the time.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The monotonic time.
    fn now(&self) -> Moment;

    /// The wall time.
    fn wall(&self) -> UnixTime;

    /// By how much [`now`](Self::now) may lag: what ends is taken to end so much earlier, lest it be served past its
    /// end. It never changes: a cache asks once.
    fn granularity(&self) -> Duration {
        Duration::ZERO
    }
}

/// A point of a clock's monotonic time: nanoseconds since a start of the clock's own choosing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// The end of time: what lives for ever ends then.
    pub const FAR: Self = Self(u64::MAX);

    /// The moment so many nanoseconds after the clock's start.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock's start.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to here, zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    /// Stops at [`Moment::FAR`].
    #[inline]
    fn add(self, duration: Duration) -> Self {
        let nanos = duration.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(duration.subsec_nanos()));
        Self(self.0.saturating_add(nanos))
    }
}

/// A point of wall time: milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The point so many milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to here, zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for UnixTime {
    type Output = Self;

    /// Stops at the largest value.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }
}
