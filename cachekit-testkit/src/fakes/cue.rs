//! [`Cue`]: tells one method of a fake when to fail, and counts its calls.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cachekit_core::{Error, ErrorCode, Result};

/// Tells one method of a fake when to fail, and counts its calls. Clones are the same cue.
///
/// ```
/// use cachekit_core::ErrorCode;
/// use cachekit_testkit::fakes::FakeKeyProvider;
/// use cachekit_core::KeyProvider;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let keys = FakeKeyProvider::new();
/// keys.on_keys().fail_next(1, ErrorCode::E062);
/// assert_eq!(keys.keys().await.unwrap_err().code(), ErrorCode::E062);
/// assert!(keys.keys().await.is_ok());
/// assert_eq!(keys.on_keys().calls(), 2);
/// # });
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cue(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    calls: u64,
    /// From which call on, before which one, and how.
    failing: Option<(u64, u64, ErrorCode)>,
}

impl Cue {
    /// From now on every call fails with `code`.
    pub fn fail(&self, code: ErrorCode) {
        self.fail_next(u64::MAX, code);
    }

    /// The next `times` calls fail with `code`. Instead of what the cue said before.
    pub fn fail_next(&self, times: u64, code: ErrorCode) {
        let mut state = self.state();
        let first = state.calls + 1;
        state.failing = Some((first, first.saturating_add(times), code));
    }

    /// The `n`-th call from now fails with `code`, the next being the first. Instead of what the cue said before.
    pub fn fail_nth(&self, n: u64, code: ErrorCode) {
        let mut state = self.state();
        let at = state.calls.saturating_add(n);
        state.failing = Some((at, at.saturating_add(1), code));
    }

    /// From now on no call fails.
    pub fn recover(&self) {
        self.state().failing = None;
    }

    /// How many calls there were, failed ones included.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Counts a call; the code with which it fails, if it does.
    pub(super) fn next(&self) -> Option<ErrorCode> {
        let mut state = self.state();
        state.calls += 1;
        let call = state.calls;
        state.failing.filter(|(first, end, _)| (*first..*end).contains(&call)).map(|(.., code)| code)
    }

    /// [`next`](Self::next) as a result, for the method `what`.
    pub(crate) fn check(&self, what: &str) -> Result<()> {
        self.next().map_or(Ok(()), |code| Err(Error::new(code, format!("{what}: a fake that failed on cue"))))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(cue: &Cue) -> Vec<usize> {
        (1..=6).filter(|_| cue.next().is_some()).collect()
    }

    #[test]
    fn calls_fail_when_the_cue_says_so() {
        let cue = Cue::default();
        assert_eq!(failing(&cue), [0; 0]);
        cue.fail_nth(2, ErrorCode::E020);
        assert_eq!(failing(&cue), [2]);
        cue.fail_next(2, ErrorCode::E020);
        assert_eq!(failing(&cue), [1, 2]);
        cue.fail(ErrorCode::E021);
        assert_eq!(failing(&cue), [1, 2, 3, 4, 5, 6]);
        assert_eq!(cue.check("deserialize").unwrap_err().code(), ErrorCode::E021);
        cue.clone().recover();
        assert_eq!(failing(&cue), [0; 0]);
        assert_eq!(cue.calls(), 31);
    }
}
