//! [`Deadline`]: bounds the time of a whole call.

use std::fmt;
use std::time::Duration;

use super::settings::{INSTANT, LONGEST, within};
use crate::{Admission, Call, ErrorCode, Moment, Next, Outcome, ResiliencePolicy, Result, Verdict};

/// `Deadline` bounds the time of a whole call: its attempts, the waits between them and the time in queues.
///
/// Limits on single steps add up: three attempts of a second each, with waits between them and a place in a queue, may
/// take five. Who calls has one time to give, so there is one limit that all steps spend from. It is counted from the
/// moment when the call began, not from when it got here, and a call whose time was spent before is refused. A caller who
/// [says](Call::within) how long a call may take is given that instead.
///
/// ```
/// use std::time::Duration;
/// use cachekit_core::{Call, Deadline, ErrorCode, Moment, Operation, ResiliencePolicy, Verdict};
///
/// let deadline = Deadline::new(Duration::from_secs(2))?;
/// assert_eq!(deadline.to_string(), "deadline(2s)");
///
/// let (begin, end) = (Moment::from_nanos(0), Moment::from_nanos(2_000_000_000));
/// let call = Call::new(Operation::Get, begin);
/// let Verdict::Go(admission) = deadline.admit(&call, begin, 0) else { panic!("there is time") };
/// assert_eq!(admission.ends, Some((end, ErrorCode::E033)));
/// assert_eq!(deadline.admit(&call, end, 0), Verdict::Refuse(ErrorCode::E033));
/// # Ok::<_, cachekit_core::Error>(())
/// ```
///
/// # Errors
/// A call that is not over in time fails with E033, and so does one that comes too late.
///
/// # Position in the stack
/// Outermost. Outside it would be time that nobody counts: a caller would wait in a queue further out for longer than
/// the limit says. Below it may stand anything: all is over when the time is, waits included. Inside
/// [`Retry`](crate::Retry) it bounds all attempts together just as well, for it counts from the beginning of the call,
/// but leaves the waits between them to the retry policy's own limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadline {
    limit: Duration,
}

impl Deadline {
    /// Bounds calls to `limit`: more than nothing, at most a day.
    ///
    /// # Errors
    /// E044 for any other.
    pub fn new(limit: Duration) -> Result<Self> {
        Ok(Self { limit: within("deadline", limit, INSTANT..=LONGEST)? })
    }

    /// The time that a call has.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.limit
    }
}

impl ResiliencePolicy for Deadline {
    #[inline]
    fn admit(&self, call: &Call, now: Moment, _random: u64) -> Verdict {
        let ends = call.began + call.within.unwrap_or(self.limit);
        if now >= ends {
            return Verdict::Refuse(ErrorCode::E033);
        }
        Verdict::Go(Admission::new(0, 0).ending(ends, ErrorCode::E033))
    }

    #[inline]
    fn finish(&self, _: &Call, _: Admission, _: Outcome<'_>, _: Moment, _: u64) -> Next {
        Next::Done
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "deadline({:?})", self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::assert_refused;
    use super::*;
    use crate::Operation;

    const SECOND: u64 = 1_000_000_000;

    /// Whether a call that began at the first second goes at `now`, and until when.
    fn check(limit: u64, now: u64, expected: Result<u64, ErrorCode>) {
        let deadline = Deadline::new(Duration::from_secs(limit)).unwrap();
        let mut call = Call::new(Operation::Get, Moment::from_nanos(SECOND));
        call.attempt = 2;
        let ends = match deadline.admit(&call, Moment::from_nanos(now * SECOND), 0) {
            Verdict::Go(Admission { ends: Some((ends, ErrorCode::E033)), .. }) => Ok(ends.as_nanos() / SECOND),
            Verdict::Refuse(code) => Err(code),
            other => panic!("{other:?}"),
        };
        assert_eq!(ends, expected, "{limit} s at {now}");
    }

    #[test]
    fn it_counts_from_the_beginning_of_the_call() {
        check(2, 1, Ok(3));
        check(2, 2, Ok(3));
        check(2, 3, Err(ErrorCode::E033));
        check(2, 9, Err(ErrorCode::E033));
        check(86_400, 9, Ok(86_401));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert_refused(Deadline::new(Duration::ZERO), "deadline: expected 1ns to 86400s, got 0ns");
        assert_refused(
            Deadline::new(Duration::MAX),
            "deadline: expected 1ns to 86400s, got 18446744073709551615.999999999s",
        );
    }
}
