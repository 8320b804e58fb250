//! [`ResilienceCounts`]: what the driver did beyond letting each call go once.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::ErrorCode;
use crate::by_code::ByCode;

/// What a [`ResilientBackend`](crate::ResilientBackend) did beyond letting each call go once, since it was made.
/// Numbers only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResilienceCounts {
    /// Calls that were made again.
    pub retries: u64,
    /// Calls that a policy refused, by the code that they failed with: E030 for an open breaker, E031 and E032 for what
    /// was shed. Only codes that came up.
    pub refused: Vec<(ErrorCode, u64)>,
    /// Attempts and waits that a time limit cut short, by the code that they failed with: E033 for the deadline of the
    /// call, E064 or the backend's own word for the limit on an attempt. Only codes that came up.
    pub cut: Vec<(ErrorCode, u64)>,
    /// How often a breaker [opened](crate::ResiliencePolicy::openings) by itself.
    pub openings: u64,
}

/// Where these are counted. Touched on cold ways only: a call that succeeds at once passes it by.
#[derive(Debug, Default)]
pub(super) struct Tally {
    retries: AtomicU64,
    refused: ByCode,
    cut: ByCode,
}

impl Tally {
    #[cold]
    pub(super) fn made_again(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    #[cold]
    pub(super) fn refused(&self, code: ErrorCode) {
        self.refused.add(code);
    }

    #[cold]
    pub(super) fn cut(&self, code: ErrorCode) {
        self.cut.add(code);
    }

    pub(super) fn read(&self, openings: u64) -> ResilienceCounts {
        let (refused, cut) = (self.refused.read(), self.cut.read());
        ResilienceCounts { retries: self.retries.load(Ordering::Relaxed), refused, cut, openings }
    }
}
