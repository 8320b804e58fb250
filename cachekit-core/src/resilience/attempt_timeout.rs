//! [`AttemptTimeout`]: bounds the time of a single attempt.

use std::fmt;
use std::time::Duration;

use super::settings::{INSTANT, LONGEST, within};
use crate::{Admission, Call, Error, ErrorCode, ErrorKind, Moment, Next, Outcome, ResiliencePolicy, Result, Verdict};

/// `AttemptTimeout` bounds the time of each attempt.
///
/// A server that accepts and never answers looks, without a limit, like one that is about to answer. A limit per attempt
/// turns the stall into a failure that a breaker counts and that may be tried again while there is time. It belongs a
/// little above the slowest good answer: much above, a stall costs callers more than it has to; below, good answers are
/// thrown away and asked for again.
///
/// ```
/// use std::time::Duration;
/// use cachekit_core::{AttemptTimeout, ErrorCode};
///
/// let timeout = AttemptTimeout::new(Duration::from_millis(500))?.with_code(ErrorCode::E011)?;
/// assert_eq!(timeout.to_string(), "timeout(500ms, E011)");
/// # Ok::<_, cachekit_core::Error>(())
/// ```
///
/// Of a caller who [says](Call::within) how long the whole call may take, an attempt has two fifths of that, if that is
/// more: who is patient with a slow store shall not be cut short by a limit made for a quick one.
///
/// # Errors
/// An attempt that is not over in time fails with E064, or the code that was chosen. Whether it was done is not known.
///
/// # Position in the stack
/// Innermost, around the backend. Inside [`Retry`](crate::Retry), or all attempts together would have the time of one;
/// inside [`CircuitBreaker`](crate::CircuitBreaker), or the breaker would not learn that the backend stalls: outside, the
/// stall would reach it as a call that was given up. Inside what makes calls wait, or the wait would be counted as the
/// backend's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptTimeout {
    limit: Duration,
    code: ErrorCode,
}

impl AttemptTimeout {
    /// Bounds attempts to `limit`: more than nothing, at most a day.
    ///
    /// # Errors
    /// E044 for any other.
    pub fn new(limit: Duration) -> Result<Self> {
        Ok(Self { limit: within("attempt timeout", limit, INSTANT..=LONGEST)?, code: ErrorCode::E064 })
    }

    /// Has attempts fail with `code` rather than with E064: E011 is that of Redis.
    ///
    /// # Errors
    /// E044 for a code that a breaker would not count, or that does not mean that something took too long.
    pub fn with_code(self, code: ErrorCode) -> Result<Self> {
        if code.kind() == ErrorKind::Timeout && code.trips_breaker() {
            return Ok(Self { code, ..self });
        }
        Err(Error::invalid(ErrorCode::E044, "attempt timeout: code", "that of a backend's timeout, E011 or E064", code))
    }

    /// The time that an attempt has.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.limit
    }
}

impl ResiliencePolicy for AttemptTimeout {
    #[inline]
    fn admit(&self, call: &Call, now: Moment, _: u64) -> Verdict {
        let share = call.within.map_or(Duration::ZERO, |whole| whole.saturating_mul(2) / 5);
        Verdict::Go(Admission::new(0, 0).ending(now + self.limit.max(share), self.code))
    }

    #[inline]
    fn finish(&self, _: &Call, _: Admission, _: Outcome<'_>, _: Moment, _: u64) -> Next {
        Next::Done
    }
}

impl fmt::Display for AttemptTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "timeout({:?}, {})", self.limit, self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::assert_refused;
    use super::*;
    use crate::Operation;

    #[test]
    fn each_attempt_has_its_time_from_when_it_begins() {
        let timeout = AttemptTimeout::new(Duration::from_nanos(500)).unwrap();
        for (attempt, now, ends) in [(0, 0, 500), (0, 100, 600), (3, 10_000, 10_500), (0, u64::MAX, u64::MAX)] {
            let mut call = Call::new(Operation::Get, Moment::from_nanos(0));
            call.attempt = attempt;
            let expected = Admission::new(0, 0).ending(Moment::from_nanos(ends), ErrorCode::E064);
            assert_eq!(timeout.admit(&call, Moment::from_nanos(now), 0), Verdict::Go(expected), "at {now}");
        }
    }

    #[test]
    fn its_code_is_chosen_among_those_of_backends_that_took_too_long() {
        let timeout = AttemptTimeout::new(Duration::from_secs(1)).unwrap();
        for &code in ErrorCode::ALL {
            let made = timeout.clone().with_code(code);
            match code {
                ErrorCode::E011 | ErrorCode::E064 => assert_eq!(made.unwrap().code, code),
                _ => {
                    let expected = "attempt timeout: code: expected that of a backend's timeout, E011 or E064, got";
                    assert_refused(made, &format!("{expected} {code}"));
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let expected = "attempt timeout: expected 1ns to 86400s, got";
        assert_refused(AttemptTimeout::new(Duration::ZERO), &format!("{expected} 0ns"));
        assert_refused(AttemptTimeout::new(LONGEST + INSTANT), &format!("{expected} 86400.000000001s"));
    }
}
