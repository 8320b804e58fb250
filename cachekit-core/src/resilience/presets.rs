//! The presets: lists of policies to begin with.

use std::time::Duration;

use super::{AttemptTimeout, CircuitBreaker, ConcurrencyLimit, Deadline, RateLimit, Resilience, Retry};
use crate::ResiliencePolicy;

/// # Presets
/// `Display` prints each in full.
impl Resilience {
    /// The least that keeps an outage from costing much: a call is over within a second, and a backend that keeps failing
    /// is left alone. Nothing is tried again, and nobody queues.
    ///
    /// For those who have retries elsewhere, as in a proxy before the store.
    #[must_use]
    pub fn minimal() -> Self {
        Self::none()
            .with(valid(Deadline::new(PRODUCTION)))
            .with(valid(CircuitBreaker::builder().build()))
            .with(valid(AttemptTimeout::new(PRODUCTION * 4 / 5)))
    }

    /// What a service wants before a store that is one hop away, and what a cache has unless something else is said.
    ///
    /// A call is over within a second, whatever happens: a stall costs that much until the breaker opens, and nothing
    /// while it is open. Within it there is time for two attempts that stall, or three that fail at once.
    ///
    /// ```
    /// let shown = cachekit_core::Resilience::production().to_string();
    /// let parts: Vec<&str> = shown.split(" > ").collect();
    /// assert_eq!(
    ///     parts,
    ///     [
    ///         "deadline(1s)",
    ///         "limit(1024 at once, 16384 in the queue for 500ms)",
    ///         "retry(3 attempts in 1s, waits 20ms..200ms, retry-after up to 500ms, timeouts too, budget 500-5/10+1)",
    ///         "breaker(50% of 20 calls in 30s, 20 in a row, 3 in a row over 10s, slow calls not counted, open 60s, \
    ///          3 probes)",
    ///         "timeout(400ms, E064)",
    ///     ]
    /// );
    /// ```
    #[must_use]
    pub fn production() -> Self {
        Self::production_within(PRODUCTION)
    }

    /// As [`production`](Self::production), with another time for the whole call: an attempt has two fifths of it.
    ///
    /// # Panics
    /// If it is less than 10 ms or more than a day.
    #[must_use]
    pub fn production_within(whole: Duration) -> Self {
        assert!((SHORTEST..=LONGEST).contains(&whole), "time for a call: expected 10 ms to a day, got {whole:?}");
        let retry = Retry::builder()
            .with_first_wait(whole / 50)
            .with_cap(whole / 5)
            .with_total(whole)
            .with_longest_retry_after(whole / 2);
        Self::none()
            .with(valid(Deadline::new(whole)))
            .with(valid(ConcurrencyLimit::builder(1_024).with_queue(16_384).with_wait(whole / 2).build()))
            .with(valid(retry.build()))
            .with(valid(CircuitBreaker::builder().build()))
            .with(valid(AttemptTimeout::new(whole * 2 / 5)))
    }

    /// For a service that is reached over HTTP and counts requests: slower, asked less often, and patient with a server
    /// that says when to come again.
    #[must_use]
    pub fn io() -> Self {
        let whole = Duration::from_secs(5);
        let retry = Retry::builder().with_first_wait(whole / 50).with_cap(whole / 5).with_total(whole);
        Self::none()
            .with(valid(Deadline::new(whole)))
            .with(valid(RateLimit::builder(500, Duration::from_secs(1)).build()))
            .with(valid(ConcurrencyLimit::builder(256).with_queue(4_096).with_wait(whole / 5).build()))
            .with(valid(retry.build()))
            .with(valid(CircuitBreaker::builder().build()))
            .with(valid(AttemptTimeout::new(whole * 2 / 5)))
    }

    /// For tests: a call is over within a second, and that is all. Each call reaches the backend once, and nothing that one
    /// test does to a backend has an effect on the next.
    ///
    /// ```
    /// assert_eq!(cachekit_core::Resilience::test().to_string(), "deadline(1s)");
    /// ```
    #[must_use]
    pub fn test() -> Self {
        Self::none().with(valid(Deadline::new(PRODUCTION)))
    }
}

/// The settings above are constants, or checked by then.
fn valid<P: ResiliencePolicy>(policy: crate::Result<P>) -> P {
    policy.expect("the settings of a preset are valid")
}

const PRODUCTION: Duration = Duration::from_secs(1);
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(86_400);
