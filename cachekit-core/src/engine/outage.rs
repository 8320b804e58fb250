//! [`Outage`]: tells people about trouble with the cache, once rather than per call.

use std::collections::HashMap;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::{Error, ErrorCode, ErrorKind, Moment};

/// Tells people about trouble that callers do not see, once rather than per call.
///
/// - Trouble with the backend: one warning when it begins (an error-level event where waiting will not help), nothing
///   more while it lasts, and one information event when a call succeeds again.
/// - Trouble with one entry: one warning per key and minute.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    ill: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Error>,
    began: Option<Moment>,
    hidden: u64,
    /// When each entry was last complained about.
    entries: HashMap<String, Moment>,
}

impl Outage {
    /// A call of the backend failed.
    pub(crate) fn failed(&self, error: &Error, now: Moment) {
        let mut state = self.state.lock();
        state.last = Some(error.clone());
        if self.ill.swap(true, Ordering::AcqRel) {
            state.hidden += 1;
            drop(state);
            tracing::debug!(code = %error.code(), %error, "cache still degraded");
            return;
        }
        // A backend that fails every other call must not bring the flood back.
        let again = state.began.is_some_and(|began| now.since(began) < QUIET);
        if !again {
            state.began = Some(now);
        }
        drop(state);
        let (code, backend) = (error.code(), error.backend_name().unwrap_or("unknown"));
        if again {
            tracing::debug!(%code, backend, %error, "cache degraded again");
        } else if matches!(error.kind(), ErrorKind::Authentication | ErrorKind::Permanent) {
            tracing::error!(%code, backend, %error, "cache degraded: values are computed, not cached, until someone helps");
        } else {
            tracing::warn!(%code, backend, %error, "cache degraded: values are computed, not cached, until it is back");
        }
    }

    /// A call of the backend succeeded.
    #[inline]
    pub(crate) fn succeeded(&self) {
        if self.ill.load(Ordering::Relaxed) {
            self.recovered();
        }
    }

    /// An entry could not be read or made.
    pub(crate) fn bad_entry(&self, error: &Error, key: String, now: Moment) {
        let mut state = self.state.lock();
        state.last = Some(error.clone());
        if state.entries.get(&key).is_some_and(|last| now.since(*last) < QUIET) {
            return;
        }
        if state.entries.len() >= MOST_ENTRIES {
            state.entries.clear();
        }
        state.entries.insert(key, now);
        drop(state);
        tracing::warn!(code = %error.code(), %error, "cache entry not usable");
    }

    /// Whether the last call of the backend failed, and the error that was met last.
    pub(crate) fn look(&self) -> (bool, Option<Error>) {
        (self.ill.load(Ordering::Acquire), self.state.lock().last.clone())
    }

    #[cold]
    fn recovered(&self) {
        let mut state = self.state.lock();
        if self.ill.swap(false, Ordering::AcqRel) {
            let hidden = std::mem::take(&mut state.hidden);
            drop(state);
            tracing::info!(failures = hidden + 1, "cache recovered");
        }
    }
}

/// Whether the trouble is with one entry rather than with the backend.
pub(crate) fn concerns_entry(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::E003 | ErrorCode::E005 | ErrorCode::E006 | ErrorCode::E020 | ErrorCode::E021 | ErrorCode::E022
    )
}

/// How long nothing is said again about the same thing.
const QUIET: std::time::Duration = std::time::Duration::from_secs(60);
/// How many entries are remembered as complained about.
const MOST_ENTRIES: usize = 1024;
