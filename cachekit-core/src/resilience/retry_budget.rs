//! [`RetryBudget`]: what all callers of a backend may spend on retries together.

use std::fmt;
use std::sync::Arc;

use super::padded::Padded;
use super::settings::within;
use crate::Result;
use crate::sync::atomic::{AtomicU32, Ordering};

/// `RetryBudget` is what all callers of a backend may spend on retries together.
///
/// A bound on attempts per call does not protect a server that is down: three attempts by everybody are three times the
/// load, at the worst moment, and can keep down what wants to come back. Callers cannot see each other, so they share a
/// budget: a retry costs some, a success gives a little back. While most calls succeed it is full and nobody notices;
/// when most fail it is soon spent, and calls fail at their first attempt, as if there were no retries, until successes
/// come again.
///
/// The figures are those that large clients have in common: 500 to begin with and at most; a retry costs 5, one after a
/// timeout, which has cost the server more, 10; a success gives back 1. So a fifth of the calls that succeed is the most
/// that is retried in the long run, and a total outage brings 100 retries, however long it is and whoever calls.
///
/// Clones are the same budget: give one to each [`Retry`](crate::Retry) before the same backend.
///
/// ```
/// use cachekit_core::{Retry, RetryBudget};
///
/// let budget = RetryBudget::builder().with_capacity(1_000).build()?;
/// let reads = Retry::builder().with_budget(budget.clone()).build()?;
/// let writes = Retry::builder().with_attempts(2).with_budget(budget).build()?;
/// # Ok::<_, cachekit_core::Error>(())
/// ```
///
/// # Concurrency
/// Never blocks. A success that finds it full only looks, so that callers do not disturb each other while all is well.
#[derive(Clone)]
pub struct RetryBudget {
    shared: Arc<Padded<Shared>>,
}

struct Shared {
    /// Read by every success, and written while there is trouble only.
    left: AtomicU32,
    settings: RetryBudgetBuilder,
}

impl RetryBudget {
    /// The usual figures.
    #[must_use]
    pub fn new() -> Self {
        Self::of(RetryBudgetBuilder::default())
    }

    /// Begins one with other figures.
    pub fn builder() -> RetryBudgetBuilder {
        RetryBudgetBuilder::default()
    }

    /// What is left.
    #[must_use]
    pub fn left(&self) -> u32 {
        self.shared.left.load(Ordering::Relaxed)
    }

    /// Pays for a retry, unless too little is left.
    pub(super) fn pay(&self, after_timeout: bool) -> bool {
        let settings = &self.shared.settings;
        let cost = if after_timeout { settings.timeout_cost } else { settings.retry_cost };
        let paid = |left: u32| left.checked_sub(cost);
        self.shared.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, paid).is_ok()
    }

    /// Gives back for a success.
    #[inline]
    pub(super) fn give_back(&self) {
        if self.left() < self.shared.settings.capacity {
            self.refill();
        }
    }

    #[cold]
    fn refill(&self) {
        let RetryBudgetBuilder { capacity, refund, .. } = self.shared.settings;
        let more = |left: u32| (left < capacity).then(|| left.saturating_add(refund).min(capacity));
        // Somebody else filled it up meanwhile: just as well.
        let _ = self.shared.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    fn of(settings: RetryBudgetBuilder) -> Self {
        Self { shared: Arc::new(Padded(Shared { left: AtomicU32::new(settings.capacity), settings })) }
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RetryBudgetBuilder { capacity, retry_cost, timeout_cost, refund } = self.shared.settings;
        write!(f, "budget {capacity}-{retry_cost}/{timeout_cost}+{refund}")
    }
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryBudget").field("left", &self.left()).field("settings", &self.shared.settings).finish()
    }
}

/// Makes a [`RetryBudget`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct RetryBudgetBuilder {
    capacity: u32,
    retry_cost: u32,
    timeout_cost: u32,
    refund: u32,
}

impl Default for RetryBudgetBuilder {
    fn default() -> Self {
        Self { capacity: 500, retry_cost: 5, timeout_cost: 10, refund: 1 }
    }
}

impl RetryBudgetBuilder {
    /// What there is to begin with, and at most. Default: 500.
    pub fn with_capacity(self, capacity: u32) -> Self {
        Self { capacity, ..self }
    }

    /// What a retry costs. Default: 5.
    pub fn with_retry_cost(self, retry_cost: u32) -> Self {
        Self { retry_cost, ..self }
    }

    /// What a retry costs if the attempt before it took too long. Default: 10.
    pub fn with_timeout_cost(self, timeout_cost: u32) -> Self {
        Self { timeout_cost, ..self }
    }

    /// What a success gives back. Default: 1.
    pub fn with_refund(self, refund: u32) -> Self {
        Self { refund, ..self }
    }

    /// Makes the budget, full.
    ///
    /// # Errors
    /// E044 if nothing is given back or a retry costs nothing or more than there can be.
    pub fn build(self) -> Result<RetryBudget> {
        let capacity = within("retry budget: capacity", self.capacity, 1..=u32::MAX)?;
        within("retry budget: cost of a retry", self.retry_cost, 1..=capacity)?;
        within("retry budget: cost of a retry after a timeout", self.timeout_cost, 1..=capacity)?;
        within("retry budget: refund of a success", self.refund, 1..=capacity)?;
        Ok(RetryBudget::of(self))
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::assert_refused;
    use super::*;

    #[test]
    fn a_retry_costs_and_a_success_gives_back() {
        let budget = RetryBudget::builder().with_capacity(12).build().unwrap();
        let steps: &[(&str, bool, u32)] = &[
            ("retry", true, 7),
            ("timeout", false, 7),
            ("retry", true, 2),
            ("retry", false, 2),
            ("success", true, 3),
            ("success", true, 4),
            ("retry", false, 4),
            ("success", true, 5),
            ("retry", true, 0),
            ("retry", false, 0),
        ];
        for &(step, paid, left) in steps {
            let done = match step {
                "success" => {
                    budget.give_back();
                    true
                }
                _ => budget.pay(step == "timeout"),
            };
            assert_eq!((done, budget.left()), (paid, left), "{step}");
        }
    }

    #[test]
    fn it_does_not_grow_over_its_capacity() {
        let budget = RetryBudget::builder().with_capacity(7).with_timeout_cost(5).with_refund(3).build().unwrap();
        assert!(budget.pay(false));
        for left in [5, 7, 7] {
            budget.give_back();
            assert_eq!(budget.left(), left);
        }
    }

    #[test]
    fn clones_share_it() {
        let budget = RetryBudget::new();
        assert!(budget.clone().pay(true));
        assert_eq!(budget.left(), 490);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let make = RetryBudget::builder;
        assert_refused(make().with_capacity(0).build(), "retry budget: capacity: expected 1 to 4294967295, got 0");
        let refused = make().with_retry_cost(0).build();
        assert_refused(refused, "retry budget: cost of a retry: expected 1 to 500, got 0");
        let refused = make().with_capacity(9).build();
        assert_refused(refused, "retry budget: cost of a retry after a timeout: expected 1 to 9, got 10");
        let refused = make().with_refund(0).build();
        assert_refused(refused, "retry budget: refund of a success: expected 1 to 500, got 0");
    }
}
