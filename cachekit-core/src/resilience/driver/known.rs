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

    /// Asks it. If the call may go, `hold` is given the admission; else the verdict is for the driver to obey.
    #[inline(always)]
    pub(super) fn admit(
        &self,
        call: &Call,
        now: Moment,
        chance: &Chance,
        hold: impl FnMut(Admission),
    ) -> ControlFlow<Verdict> {
        // Chance is drawn for those only who take some.
        match self {
            Self::Deadline(policy) => go(policy.admit(call, now, 0), hold),
            Self::ConcurrencyLimit(policy) => go(policy.admit(call, now, 0), hold),
            Self::Retry(policy) => go(policy.admit(call, now, 0), hold),
            Self::CircuitBreaker(policy) => go(policy.admit(call, now, 0), hold),
            Self::AttemptTimeout(policy) => go(policy.admit(call, now, 0), hold),
            Self::RateLimit(policy) => go(policy.admit(call, now, 0), hold),
            Self::Other(policy) => go(policy.admit(call, now, chance.next()), hold),
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

/// Handed over in each arm: what is common to all goes through memory, in pieces, and the processor waits until it is
/// whole again.
#[inline(always)]
fn go(verdict: Verdict, mut hold: impl FnMut(Admission)) -> ControlFlow<Verdict> {
    match verdict {
        Verdict::Go(admission) => {
            hold(admission);
            ControlFlow::Continue(())
        }
        verdict => ControlFlow::Break(verdict),
    }
}
