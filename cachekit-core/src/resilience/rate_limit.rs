//! [`RateLimit`]: bounds how many calls go out in a span of time.

use std::cell::Cell;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use super::padded::Padded;
use super::settings::{INSTANT, LONGEST, within};
use crate::{Admission, Call, Error, ErrorCode, Moment, Next, Outcome, ResiliencePolicy, Result, Verdict};

/// `RateLimit` bounds how many calls go out in a span of time; what is too much waits a little or is refused.
///
/// A backend that counts calls per second, and has others to serve, is best asked no more than it answers: what it would
/// refuse costs a round trip and, with some, a ban. The calls of a span of time are spread evenly over it; after a pause
/// as many as the burst go out at once. Set it to what the backend bears, divided by the number of processes.
///
/// A call that comes too early books the next free moment, if that is near enough, and goes out then; it is not asked
/// again, so nobody can overtake it. If the wait is given up, the moment that was booked passes unused: the rate is then
/// lower than it might be, never higher.
///
/// ```
/// use std::time::Duration;
/// use cachekit_core::{Call, ErrorCode, Moment, Operation, RateLimit, ResiliencePolicy, Verdict};
///
/// let limit = RateLimit::builder(10, Duration::from_secs(1)).with_burst(1).with_wait(Duration::from_millis(150)).build()?;
/// let (now, call) = (Moment::from_nanos(0), Call::new(Operation::Get, Moment::from_nanos(0)));
/// assert!(matches!(limit.admit(&call, now, 0), Verdict::Go(_)));
/// assert!(matches!(limit.admit(&call, now, 0), Verdict::GoAfter(wait, _) if wait == Duration::from_millis(100)));
/// assert_eq!(limit.admit(&call, now, 0), Verdict::Refuse(ErrorCode::E031));
/// # Ok::<_, cachekit_core::Error>(())
/// ```
///
/// # Errors
/// A call that would have to wait too long fails with E031.
///
/// # Cancellation
/// A booked moment is not given back.
///
/// # Concurrency
/// Never blocks; a call takes one atomic operation.
///
/// # Position in the stack
/// To bound what the backend gets, inside [`Retry`](crate::Retry), where each attempt is counted; outside of it only the
/// first attempt of each call would be. Outside [`CircuitBreaker`](crate::CircuitBreaker), so that waiting for one's
/// moment is not taken for slowness of the backend; while the breaker is open calls then still use up moments, which
/// nobody misses. Inside [`Deadline`](crate::Deadline), which also bounds the wait.
pub struct RateLimit {
    settings: RateLimitBuilder,
    limiter: Padded<RateLimiter<NotKeyed, InMemoryState, Passed>>,
}

impl RateLimit {
    /// Begins one that lets `calls` go out per `span`, at least one and at most one in a nanosecond.
    pub fn builder(calls: u32, span: Duration) -> RateLimitBuilder {
        RateLimitBuilder { calls, span, burst: None, wait: Duration::ZERO }
    }

    /// Books the first moment from `now` on, and says how far away it is; `None` if it is too far.
    ///
    /// To book a moment that is to come is to ask as if it were there. Somebody else may book it first: then the next
    /// one is asked for.
    fn book(&self, now: Moment) -> Option<Duration> {
        // Later than this no program runs; the limiter reckons beyond it, and shall not overflow.
        let now = now.as_nanos().min(END_OF_TIME);
        let mut at = now;
        loop {
            let Err(too_early) = Passed::during(at, || self.limiter.check()) else {
                return Some(Duration::from_nanos(at - now));
            };
            at = too_early.earliest_possible().as_u64().max(at);
            if Duration::from_nanos(at - now) > self.settings.wait {
                return None;
            }
        }
    }
}

impl ResiliencePolicy for RateLimit {
    #[inline]
    fn admit(&self, _: &Call, now: Moment, _: u64) -> Verdict {
        let admission = Admission::new(0, 0);
        match self.book(now) {
            Some(Duration::ZERO) => Verdict::Go(admission),
            Some(wait) => Verdict::GoAfter(wait, admission),
            None => Verdict::Refuse(ErrorCode::E031),
        }
    }

    #[inline]
    fn finish(&self, _: &Call, _: Admission, _: Outcome<'_>, _: Moment, _: u64) -> Next {
        Next::Done
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RateLimitBuilder { calls, span, wait, .. } = self.settings;
        write!(f, "rate({calls} calls in {span:?}, {} at once, ", self.settings.burst())?;
        if wait.is_zero() { f.write_str("no wait)") } else { write!(f, "wait up to {wait:?})") }
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Makes a [`RateLimit`].
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct RateLimitBuilder {
    calls: u32,
    span: Duration,
    burst: Option<u32>,
    wait: Duration,
}

impl RateLimitBuilder {
    /// How many calls may go out at once after a pause. Default: a hundredth of a span's calls, at least one.
    pub fn with_burst(self, calls: u32) -> Self {
        Self { burst: Some(calls), ..self }
    }

    /// How long a call may wait for its moment. Default: not at all.
    pub fn with_wait(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }

    /// Makes the limit.
    ///
    /// # Errors
    /// E044 for no calls or no time, for more calls than there are nanoseconds, for a burst of nothing or one that takes
    /// more than a day to come together, and for a wait of more than a day.
    pub fn build(self) -> Result<RateLimit> {
        let span = within("rate limit: span", self.span, INSTANT..=LONGEST)?;
        let most = u32::try_from(span.as_nanos()).unwrap_or(u32::MAX);
        let calls = within("rate limit: calls", self.calls, 1..=most)?;
        let interval = span / calls;
        let longest_burst = u32::try_from(LONGEST.as_nanos() / interval.as_nanos().max(1)).unwrap_or(u32::MAX);
        let burst = within("rate limit: burst", self.burst(), 1..=longest_burst)?;
        within("rate limit: wait", self.wait, Duration::ZERO..=LONGEST)?;
        let quota = Quota::with_period(interval).zip(NonZeroU32::new(burst));
        let Some((quota, burst)) = quota else {
            return Err(Error::invalid(ErrorCode::E044, "rate limit", "calls and time", "none"));
        };
        let limiter = Passed::during(0, || RateLimiter::direct_with_clock(quota.allow_burst(burst), Passed));
        Ok(RateLimit { settings: self, limiter: Padded(limiter) })
    }

    fn burst(&self) -> u32 {
        self.burst.unwrap_or((self.calls / 100).max(1))
    }
}

/// The limiter's clock: it shows the time that was passed to the policy by the call that this thread is making.
#[derive(Clone, Copy, Debug)]
struct Passed;

thread_local! {
    static PASSED: Cell<u64> = const { Cell::new(0) };
}

impl Passed {
    #[inline]
    fn during<T>(now: u64, ask: impl FnOnce() -> T) -> T {
        PASSED.set(now);
        ask()
    }
}

impl Clock for Passed {
    type Instant = Nanos;

    #[inline]
    fn now(&self) -> Nanos {
        Nanos::from(PASSED.get())
    }
}

/// Some three centuries after the clock's start.
const END_OF_TIME: u64 = u64::MAX / 2;

#[cfg(test)]
mod tests {
    use super::super::settings::assert_refused;
    use super::*;
    use crate::Operation;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// What is decided of calls at these milliseconds: the wait, or `None`.
    fn check(limit: RateLimitBuilder, calls: &[(u64, Option<u64>)]) {
        let limit = limit.build().unwrap();
        for (place, &(now, expected)) in calls.iter().enumerate() {
            let now = Moment::from_nanos(now * 1_000_000);
            let wait = match limit.admit(&Call::new(Operation::Get, now), now, 0) {
                Verdict::Go(_) => Some(Duration::ZERO),
                Verdict::GoAfter(wait, _) => Some(wait),
                Verdict::Refuse(ErrorCode::E031) => None,
                other => panic!("{other:?}"),
            };
            assert_eq!(wait, expected.map(ms), "{limit}, call {place} at {now:?}");
        }
    }

    fn ten_a_second() -> RateLimitBuilder {
        RateLimit::builder(10, Duration::from_secs(1))
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let now = Some(0);
        check(ten_a_second(), &[(0, now), (0, None), (99, None), (100, now), (150, None), (250, now), (300, None)]);
        check(ten_a_second().with_burst(3), &[(5, now), (5, now), (5, now), (5, None), (105, now), (105, None)]);
        // A pause saves up as much as the burst and no more.
        let calls = [(0, now), (9_000, now), (9_000, now), (9_000, None), (9_100, now)];
        check(ten_a_second().with_burst(2), &calls);
    }

    #[test]
    fn what_is_a_little_too_much_waits_for_its_moment() {
        let waiting = ten_a_second().with_wait(ms(250));
        check(waiting, &[(0, Some(0)), (0, Some(100)), (0, Some(200)), (0, None), (50, Some(250)), (50, None)]);
        // Moments that were booked are taken, whoever comes later.
        check(waiting, &[(0, Some(0)), (0, Some(100)), (100, Some(100)), (300, Some(0))]);
    }

    #[test]
    fn the_burst_is_a_hundredth_unless_told_otherwise() {
        let shown = |limit: RateLimitBuilder| limit.build().unwrap().to_string();
        assert_eq!(shown(ten_a_second()), "rate(10 calls in 1s, 1 at once, no wait)");
        let many = RateLimit::builder(5_000, Duration::from_secs(1)).with_wait(ms(20));
        assert_eq!(shown(many), "rate(5000 calls in 1s, 50 at once, wait up to 20ms)");
    }

    #[test]
    fn time_is_that_of_each_call_and_begins_anywhere() {
        let end = END_OF_TIME / 1_000_000;
        check(ten_a_second(), &[(end - 1_000, Some(0)), (end - 950, None), (end - 900, Some(0))]);
        let limit = ten_a_second().with_wait(ms(100)).build().unwrap();
        let last = Moment::FAR;
        let verdicts: Vec<_> = (0..3).map(|_| limit.admit(&Call::new(Operation::Get, last), last, 0)).collect();
        assert_eq!(verdicts[2], Verdict::Refuse(ErrorCode::E031), "{verdicts:?}");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let second = Duration::from_secs(1);
        let refused = RateLimit::builder(0, second).build();
        assert_refused(refused, "rate limit: calls: expected 1 to 1000000000, got 0");
        let refused = RateLimit::builder(1, Duration::ZERO).build();
        assert_refused(refused, "rate limit: span: expected 1ns to 86400s, got 0ns");
        let refused = RateLimit::builder(11, Duration::from_nanos(10)).build();
        assert_refused(refused, "rate limit: calls: expected 1 to 10, got 11");
        assert_refused(ten_a_second().with_burst(0).build(), "rate limit: burst: expected 1 to 864000, got 0");
        let refused = ten_a_second().with_wait(Duration::from_secs(86_401)).build();
        assert_refused(refused, "rate limit: wait: expected 0ns to 86400s, got 86401s");
    }
}
