//! [`Known`]: a policy, by its name if it is one of ours.

use std::any::Any;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::chance::Chance;
use crate::{
    Admission, AttemptTimeout, Call, CircuitBreaker, ConcurrencyLimit, Deadline, Moment, Next, Outcome, RateLimit,
    ResiliencePolicy, Retry, Verdict,
};

/// A policy, by its name if it is one of ours.
///
/// What is asked by name is compiled into the way of a call, and its answer stays in registers; that of a call through a
/// table goes through memory. What is only settings, or a handle, lies here as a copy.
#[repr(u8)]
pub(super) enum Known {
    Deadline(Deadline),
    ConcurrencyLimit(Arc<ConcurrencyLimit>),
    Retry(Retry),
    CircuitBreaker(CircuitBreaker),
    AttemptTimeout(AttemptTimeout),
    RateLimit(Arc<RateLimit>),
    Other(Arc<dyn ResiliencePolicy>),
}

/// An [`Admission`] that names no end: two whole words, which are stored and read without waiting.
#[derive(Clone, Copy)]
pub(super) struct Pass {
    generation: u64,
    mark: u64,
}

impl Pass {
    /// Stands for the admission of a policy that was not asked.
    pub(super) const UNASKED: Self = Self { generation: 0, mark: 0 };
}

impl From<Pass> for Admission {
    #[inline]
    fn from(Pass { generation, mark }: Pass) -> Self {
        Self::new(generation, mark)
    }
}

impl Known {
    pub(super) fn new(policy: Arc<dyn ResiliencePolicy>) -> Self {
        let any: &dyn Any = &*policy;
        if let Some(deadline) = any.downcast_ref::<Deadline>() {
            return Self::Deadline(deadline.clone());
        }
        if let Some(retry) = any.downcast_ref::<Retry>() {
            return Self::Retry(retry.clone());
        }
        if let Some(breaker) = any.downcast_ref::<CircuitBreaker>() {
            return Self::CircuitBreaker(breaker.clone());
        }
        if let Some(timeout) = any.downcast_ref::<AttemptTimeout>() {
            return Self::AttemptTimeout(timeout.clone());
        }
        let any: Arc<dyn Any + Send + Sync> = Arc::clone(&policy) as _;
        match any.downcast::<ConcurrencyLimit>() {
            Ok(limit) => Self::ConcurrencyLimit(limit),
            Err(any) => any.downcast().map_or(Self::Other(policy), Self::RateLimit),
        }
    }

    /// The policy as one of many, for all that is not done at every call.
    pub(super) fn any(&self) -> &dyn ResiliencePolicy {
        match self {
            Self::Deadline(policy) => policy,
            Self::ConcurrencyLimit(policy) => &**policy,
            Self::Retry(policy) => policy,
            Self::CircuitBreaker(policy) => policy,
            Self::AttemptTimeout(policy) => policy,
            Self::RateLimit(policy) => &**policy,
            Self::Other(policy) => &**policy,
        }
    }

    /// Whether it hands out tickets and does not say itself when somebody waits.
    pub(super) fn may_queue(&self) -> bool {
        matches!(self, Self::Other(_))
    }

    /// Whether it may hold up a call that begins. Deadlines do not, nor do limits on attempts, and the policy of retries
    /// only has a say in further ones.
    pub(super) fn may_hold_up(&self) -> bool {
        !matches!(self, Self::Deadline(_) | Self::Retry(_) | Self::AttemptTimeout(_))
    }

    /// The admission of a call that just begins, of a policy that does not hold it up and so was not asked.
    #[cold]
    pub(super) fn unasked(&self, call: &Call) -> Admission {
        match self.any().admit(call, call.began, 0) {
            Verdict::Go(admission) => admission,
            _ => Admission::new(0, 0),
        }
    }

    /// Whether it does anything about a success.
    pub(super) fn learns_from_success(&self) -> bool {
        !matches!(self, Self::Deadline(_) | Self::AttemptTimeout(_) | Self::RateLimit(_))
    }

    /// Whether it matters to it how long a success took.
    pub(super) fn minds_time(&self) -> bool {
        match self {
            Self::CircuitBreaker(breaker) => breaker.counts_slow_calls(),
            Self::Other(_) => true,
            _ => false,
        }
    }

    /// Asks it about a call that just begins, and breaks off unless the call may go at once and is given no time to be over.
    #[inline(always)]
    pub(super) fn let_pass(&self, call: &Call, chance: &Chance) -> ControlFlow<Verdict, Pass> {
        let now = call.began;
        // Chance is drawn for those only who take some.
        match self {
            Self::Deadline(policy) => pass(policy.admit(call, now, 0)),
            Self::ConcurrencyLimit(policy) => pass(policy.admit(call, now, 0)),
            Self::Retry(policy) => pass(policy.admit(call, now, 0)),
            Self::CircuitBreaker(policy) => pass(policy.admit(call, now, 0)),
            Self::AttemptTimeout(policy) => pass(policy.admit(call, now, 0)),
            Self::RateLimit(policy) => pass(policy.admit(call, now, 0)),
            Self::Other(policy) => pass(policy.admit(call, now, chance.next())),
        }
    }

    /// What comes of it, and whether somebody waits who is to be woken now.
    #[inline(always)]
    pub(super) fn finish(
        &self,
        call: &Call,
        admission: Admission,
        outcome: Outcome<'_>,
        now: Moment,
        chance: &Chance,
    ) -> (Next, bool) {
        let next = match self {
            Self::ConcurrencyLimit(policy) => return (Next::Done, policy.end(admission)),
            Self::Deadline(_) | Self::AttemptTimeout(_) | Self::RateLimit(_) => Next::Done,
            Self::Retry(policy) => {
                let random = if matches!(outcome, Outcome::Failure(..)) { chance.next() } else { 0 };
                policy.finish(call, admission, outcome, now, random)
            }
            Self::CircuitBreaker(policy) => policy.finish(call, admission, outcome, now, 0),
            Self::Other(policy) => policy.finish(call, admission, outcome, now, chance.next()),
        };
        (next, false)
    }
}

/// Taken apart in each arm: what is common to all goes through memory, in pieces, and the processor waits until it is
/// whole again.
#[inline(always)]
fn pass(verdict: Verdict) -> ControlFlow<Verdict, Pass> {
    match verdict {
        Verdict::Go(Admission { generation, mark, ends: None }) => ControlFlow::Continue(Pass { generation, mark }),
        verdict => ControlFlow::Break(verdict),
    }
}
