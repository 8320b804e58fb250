//! [`Pulse`]: how many callers a connection has, and whether its other end still answers.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How many callers a connection has, and whether its other end still answers.
///
/// A caller who waits for the whole time limit finds out that a connection is dead. One who gives up sooner does not, and
/// if all do, over a connection that swallows what is sent and never breaks, nobody ever would. So it is noted when a
/// call was given up, and forgotten as soon as anything is heard.
#[derive(Debug)]
pub(crate) struct Pulse {
    callers: AtomicUsize,
    start: Instant,
    /// When a call was first given up since anything was heard: milliseconds from the start, and one; zero if none was.
    given_up: AtomicU64,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self { callers: AtomicUsize::new(0), start: Instant::now(), given_up: AtomicU64::new(0) }
    }

    /// How many callers wait for an answer.
    pub(crate) fn callers(&self) -> usize {
        self.callers.load(Ordering::Relaxed)
    }

    pub(crate) fn came(&self) {
        self.callers.fetch_add(1, Ordering::Relaxed);
    }

    /// A caller is gone, with its answer or without.
    pub(crate) fn went(&self, answered: bool) {
        self.callers.fetch_sub(1, Ordering::Relaxed);
        if !answered {
            // A later one does not move the time.
            let _ = self.given_up.compare_exchange(0, self.millis() + 1, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Something came from the other end.
    pub(crate) fn heard(&self) {
        if self.given_up.load(Ordering::Relaxed) != 0 {
            self.given_up.store(0, Ordering::Relaxed);
        }
    }

    /// Whether a call was given up so long ago, and nothing was heard since.
    pub(crate) fn is_silent_for(&self, limit: Duration) -> bool {
        match self.given_up.load(Ordering::Relaxed) {
            0 => false,
            given_up => u128::from(self.millis() + 1 - given_up) >= limit.as_millis(),
        }
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_call_that_was_given_up_counts_until_something_is_heard() {
        let pulse = Pulse::new();
        let silent = |seconds| pulse.is_silent_for(seconds * SECOND);
        pulse.came();
        tokio::time::advance(9 * SECOND).await;
        assert!(!silent(1), "a call that still waits has a time limit of its own");
        pulse.went(true);
        assert!(!silent(0));

        pulse.came();
        pulse.came();
        pulse.went(false);
        tokio::time::advance(3 * SECOND).await;
        pulse.went(false);
        assert_eq!((silent(3), silent(4), pulse.callers()), (true, false, 0), "the first counts");
        pulse.heard();
        assert!(!silent(0));
        pulse.came();
        pulse.went(false);
        assert_eq!((silent(0), silent(1)), (true, false));
    }
}
