//! [`Retry`]: makes a failed call again where that may help and does no harm.

use std::fmt;
use std::time::Duration;

use super::backoff::{ceilings, full_jitter};
use super::retry_budget::RetryBudget;
use super::settings::{INSTANT, LONGEST, within};
use crate::{Admission, Call, Error, ErrorCode, ErrorKind, Moment, Next, Outcome, ResiliencePolicy, Result, Verdict};

/// `Retry` makes a failed call again where that may help and does no harm.
///
/// Much that fails once succeeds a moment later: a connection that was just closed, a server that is being restarted.
/// Trying again hides that from callers. Done carelessly it turns a small outage into a large one, so:
///
/// - Only what [may succeed](Error::is_retryable) is tried again, and only where doing it twice does no more than doing it
///   once: an operation that [may be repeated](crate::Operation::is_repeatable), or any if nothing of it
///   [was sent](Error::is_unsent). A store whose fate is unknown is not: it could replace a newer value.
/// - **Waits grow and are drawn at random.** The ceiling doubles from the first wait up to the cap; the wait is drawn
///   between nothing and the ceiling (full jitter), so that callers who failed together do not come back together. No
///   wait is over the cap.
/// - **What the server asked for is kept.** A retry never comes before the time that an error names
///   ([`retry_after`](Error::retry_after)); the drawn wait is added to it, for the server told everybody the same. Asked
///   for more than the bound, the policy gives up instead of coming early.
/// - **All retries share a [`RetryBudget`]**, so that an outage is not answered with a multiple of the usual load.
/// - Attempts and the time for all of them are bounded.
///
/// ```
/// use std::time::Duration;
/// use cachekit_core::{Admission, Call, Error, ErrorCode, Moment, Next, Operation, Outcome, ResiliencePolicy, Retry};
///
/// let retry = Retry::builder().with_first_wait(Duration::from_millis(100)).build()?;
/// let (now, call) = (Moment::from_nanos(0), Call::new(Operation::Get, Moment::from_nanos(0)));
/// let error = Error::new(ErrorCode::E010, "connection reset");
/// let failed = Outcome::Failure(&error, Duration::from_millis(1));
/// // As chance has it: a quarter of the ceiling.
/// let next = retry.finish(&call, Admission::new(0, 0), failed, now, u64::MAX / 4);
/// assert_eq!(next, Next::AgainAfter(Duration::from_millis(25)));
/// # Ok::<_, Error>(())
/// ```
///
/// # Errors
/// The error of the last attempt stands. An attempt that comes after the time for all attempts, because it was kept
/// waiting, is refused with E033.
///
/// # Position in the stack
/// Outside [`CircuitBreaker`](crate::CircuitBreaker): every attempt then counts, so that a breaker sees an outage as soon
/// as it is there, and one that opens ends the retries, for its refusal is not retried. The other way round, one exhausted
/// sequence of attempts would count as one failure. Inside [`ConcurrencyLimit`](crate::ConcurrencyLimit), which so keeps
/// the place of a call between its attempts: outside, each attempt would queue anew, behind calls that came later. Inside
/// [`Deadline`](crate::Deadline), which bounds attempts and waits alike.
#[derive(Clone, Debug)]
pub struct Retry {
    settings: RetryBuilder,
    ceilings: Box<[Duration]>,
}

impl Retry {
    /// Begins one with the usual settings.
    pub fn builder() -> RetryBuilder {
        RetryBuilder::default()
    }

    /// What retries may still cost, unless there is no such bound.
    #[must_use]
    pub fn budget(&self) -> Option<&RetryBudget> {
        self.settings.budget.as_ref()
    }

    /// How long to wait before the next attempt, if there is to be one.
    fn wait(&self, call: &Call, error: &Error, now: Moment, random: u64) -> Option<Duration> {
        let RetryBuilder { total, longest_retry_after, timeouts, budget, .. } = &self.settings;
        let may_help = error.is_retryable() && (*timeouts || error.code() != ErrorCode::E064);
        let is_harmless = call.operation.is_repeatable() || error.is_unsent();
        if !may_help || !is_harmless {
            return None;
        }
        let asked_for = error.retry_after().unwrap_or_default();
        if asked_for > *longest_retry_after {
            return None;
        }
        // There is one for each wait between two attempts: after the last one nothing is waited for.
        let ceiling = self.ceilings.get(call.attempt as usize)?;
        let wait = asked_for + full_jitter(*ceiling, random);
        if now + wait >= call.began + call.within.unwrap_or(*total) {
            return None;
        }
        let after_timeout = error.kind() == ErrorKind::Timeout;
        budget.as_ref().is_none_or(|budget| budget.pay(after_timeout)).then_some(wait)
    }
}

impl ResiliencePolicy for Retry {
    #[inline]
    fn admit(&self, call: &Call, now: Moment, _random: u64) -> Verdict {
        if call.attempt > 0 && now >= call.began + call.within.unwrap_or(self.settings.total) {
            return Verdict::Refuse(ErrorCode::E033);
        }
        Verdict::Go(Admission::new(0, 0))
    }

    #[inline]
    fn finish(&self, call: &Call, _: Admission, outcome: Outcome<'_>, now: Moment, random: u64) -> Next {
        match outcome {
            Outcome::Success(_) => {
                if let Some(budget) = &self.settings.budget {
                    budget.give_back();
                }
                Next::Done
            }
            Outcome::Failure(error, _) => self.wait(call, error, now, random).map_or(Next::Done, Next::AgainAfter),
            Outcome::Abandoned => Next::Done,
        }
    }
}

impl fmt::Display for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RetryBuilder { attempts, first_wait, cap, total, longest_retry_after, timeouts, budget } = &self.settings;
        write!(f, "retry({attempts} attempts in {total:?}, waits {first_wait:?}..{cap:?}, ")?;
        write!(f, "retry-after up to {longest_retry_after:?}, ")?;
        f.write_str(if *timeouts { "timeouts too, " } else { "no timeouts, " })?;
        match budget {
            Some(budget) => write!(f, "{budget})"),
            None => f.write_str("no budget)"),
        }
    }
}

/// Makes a [`Retry`].
#[derive(Clone, Debug)]
#[must_use]
pub struct RetryBuilder {
    attempts: u32,
    first_wait: Duration,
    cap: Duration,
    total: Duration,
    longest_retry_after: Duration,
    timeouts: bool,
    budget: Option<RetryBudget>,
}

impl Default for RetryBuilder {
    fn default() -> Self {
        Self {
            attempts: 3,
            first_wait: Duration::from_millis(50),
            cap: Duration::from_secs(1),
            total: Duration::from_secs(10),
            longest_retry_after: Duration::from_secs(5),
            timeouts: true,
            budget: Some(RetryBudget::new()),
        }
    }
}

impl RetryBuilder {
    /// How many attempts a call has, the first one included. Default: 3. With 1 nothing is tried again.
    pub fn with_attempts(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }

    /// The ceiling of the first wait; it doubles with each. Default: 50 ms.
    pub fn with_first_wait(self, first_wait: Duration) -> Self {
        Self { first_wait, ..self }
    }

    /// The ceiling of all waits. Default: 1 s. What the server asks for comes on top.
    pub fn with_cap(self, cap: Duration) -> Self {
        Self { cap, ..self }
    }

    /// The time within which the last attempt has to begin, counted from the beginning of the call; of a caller who
    /// [says](Call::within) how long a call may take, that time. Default: 10 s.
    pub fn with_total(self, total: Duration) -> Self {
        Self { total, ..self }
    }

    /// The most that the server may ask for; asked for more, the policy gives up. Default: 5 s.
    pub fn with_longest_retry_after(self, longest_retry_after: Duration) -> Self {
        Self { longest_retry_after, ..self }
    }

    /// Whether an attempt that failed with E064, for it took too long, is made again. Default: yes.
    pub fn with_timeouts(self, timeouts: bool) -> Self {
        Self { timeouts, ..self }
    }

    /// Shares `budget` with other policies. Default: one of its own, with the usual figures.
    pub fn with_budget(self, budget: RetryBudget) -> Self {
        Self { budget: Some(budget), ..self }
    }

    /// Does without a budget: an outage then multiplies the load by the number of attempts.
    pub fn without_budget(self) -> Self {
        Self { budget: None, ..self }
    }

    /// Makes the policy.
    ///
    /// # Errors
    /// E044 for no attempt or more than 100, for a first wait over the cap, and for times of nothing or more than a day.
    pub fn build(self) -> Result<Retry> {
        within("retry: attempts", self.attempts, 1..=100)?;
        within("retry: cap", self.cap, INSTANT..=LONGEST)?;
        within("retry: first wait", self.first_wait, INSTANT..=self.cap)?;
        within("retry: time for all attempts", self.total, INSTANT..=LONGEST)?;
        within("retry: longest retry-after", self.longest_retry_after, Duration::ZERO..=LONGEST)?;
        let ceilings = ceilings(self.first_wait, self.cap, self.attempts as usize - 1);
        Ok(Retry { settings: self, ceilings })
    }
}

#[cfg(test)]
mod tests;
