//! [`Outage`]: tells people about trouble with the cache, once rather than per call.

use std::collections::HashMap;
use std::time::Duration;

use super::spans::tell;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::{Error, ErrorCode, ErrorKind, Moment};

/// Tells people about trouble that callers do not see, once rather than per call.
///
/// - Trouble with the backend: one warning in each stretch of it (an error-level event where waiting will not help),
///   and one information event when a call succeeds again. A stretch that begins within a minute of the last warning
///   is told when the minute is over, if it lasts so long: a backend that fails every other call does not flood.
/// - A breaker that opens: one warning per opening, which may be that of the stretch.
/// - Refused credentials: an error-level event at once, and then one a second at most, with a count.
/// - Trouble with one entry, or with loading it: one warning per key and minute.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    ill: AtomicBool,
    /// How often a breaker was seen to open.
    openings: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Error>,
    /// When a stretch of trouble was told of last.
    told: Option<Moment>,
    /// Whether this stretch was.
    is_told: bool,
    /// Whether a breaker opened in this stretch.
    opened: bool,
    /// Whether the backend itself has failed since a breaker last refused a call: when it refuses again, it has opened.
    failed: bool,
    /// How many calls failed in this stretch.
    failures: u64,
    /// When refused credentials were told of last, and how many calls met them since.
    alerted: Option<Moment>,
    refused: u64,
    /// When each entry was last complained about.
    entries: HashMap<String, Moment>,
}

/// Taken before a call, for [`Outage::failed`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Since(u64);

/// How loud an error is told.
enum Told {
    Not,
    Stretch,
    Opening,
    Alert(u64),
}

impl Outage {
    /// A call of the backend is about to be made.
    #[inline]
    pub(crate) fn begin(&self) -> Since {
        Since(self.openings.load(Ordering::Relaxed))
    }

    /// A call of the backend, made `since`, failed.
    pub(crate) fn failed(&self, error: &Error, since: Since, now: Moment) {
        let mut state = self.state.lock();
        state.last = Some(error.clone());
        if !self.ill.swap(true, Ordering::AcqRel) {
            (state.is_told, state.opened) = (false, false);
        }
        state.failures += 1;
        let told = self.weigh(&mut state, error, since, now);
        match told {
            Told::Not => {}
            Told::Stretch | Told::Opening | Told::Alert(_) => (state.is_told, state.told) = (true, Some(now)),
        }
        drop(state);
        match told {
            Told::Not => tell!(debug, error, "cache still degraded"),
            Told::Alert(calls) => {
                tell!(error, error, (calls), "cache degraded: the backend refuses the credentials");
            }
            Told::Opening => {
                tell!(warn, error, "cache degraded: the breaker is open, values are computed, not cached");
            }
            Told::Stretch if error.kind() == ErrorKind::Permanent => {
                tell!(error, error, "cache degraded: values are computed, not cached, until someone helps");
            }
            Told::Stretch => {
                tell!(warn, error, "cache degraded: values are computed, not cached, until it is back");
            }
        }
    }

    fn weigh(&self, state: &mut State, error: &Error, since: Since, now: Moment) -> Told {
        if error.code() == ErrorCode::E030 {
            let (again, failed) = (state.opened, std::mem::take(&mut state.failed));
            if failed || !again {
                state.opened = true;
                self.openings.fetch_add(1, Ordering::Relaxed);
                // Without a failure that was seen, the breaker opened for somebody else, or is opened by hand; no such
                // thing happens twice a second.
                let new = failed || state.told.is_none_or(|told| now.since(told) >= ALERT);
                if new && (again || !state.is_told) {
                    return Told::Opening;
                }
            }
        } else if since.0 == self.openings.load(Ordering::Relaxed) {
            // What set out before the breaker opened, and comes home only now, is no probe that failed.
            state.failed = true;
        }
        if error.kind() == ErrorKind::Authentication {
            state.refused += 1;
            if state.alerted.is_none_or(|last| now.since(last) >= ALERT) {
                state.alerted = Some(now);
                return Told::Alert(std::mem::take(&mut state.refused));
            }
            return Told::Not;
        }
        let quiet = state.told.is_some_and(|told| now.since(told) < QUIET);
        if state.is_told || quiet { Told::Not } else { Told::Stretch }
    }

    /// A call of the backend succeeded.
    #[inline]
    pub(crate) fn succeeded(&self) {
        if self.is_ill() {
            self.recovered();
        }
    }

    /// Whether the last call of the backend failed.
    #[inline]
    pub(crate) fn is_ill(&self) -> bool {
        self.ill.load(Ordering::Relaxed)
    }

    /// A loader failed, and its caller was served an older value instead of its error.
    pub(crate) fn bad_load(&self, why: &'static str, key: String, now: Moment) {
        let mut state = self.state.lock();
        if state.may_complain(&key, now) {
            drop(state);
            tracing::warn!(why, key, "load failed, an older value is served");
        }
    }

    /// An entry could not be read or made.
    pub(crate) fn bad_entry(&self, error: &Error, key: String, now: Moment) {
        let mut state = self.state.lock();
        state.last = Some(error.clone());
        if !state.may_complain(&key, now) {
            return;
        }
        drop(state);
        tell!(warn, error, "cache entry not usable");
    }

    /// Whether the last call of the backend failed, and the error that was met last.
    pub(crate) fn look(&self) -> (bool, Option<Error>) {
        (self.ill.load(Ordering::Acquire), self.state.lock().last.clone())
    }

    #[cold]
    fn recovered(&self) {
        let mut state = self.state.lock();
        if self.ill.swap(false, Ordering::AcqRel) {
            let failures = std::mem::take(&mut state.failures);
            let is_told = state.is_told;
            drop(state);
            // What was not told of needs no end.
            if is_told {
                tracing::info!(failures, "cache recovered");
            } else {
                tracing::debug!(failures, "cache recovered");
            }
        }
    }
}

impl State {
    /// Whether it is time to complain about `key` again. Takes note that it is done.
    fn may_complain(&mut self, key: &str, now: Moment) -> bool {
        if self.entries.get(key).is_some_and(|last| now.since(*last) < QUIET) {
            return false;
        }
        if self.entries.len() >= MOST_ENTRIES {
            self.entries.clear();
        }
        self.entries.insert(key.to_owned(), now);
        true
    }
}

/// Whether the trouble is with one entry rather than with the backend.
pub(crate) fn concerns_entry(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::E003
            | ErrorCode::E005
            | ErrorCode::E006
            | ErrorCode::E008
            | ErrorCode::E020
            | ErrorCode::E021
            | ErrorCode::E022
    )
}

/// How long nothing is said again about the same thing.
const QUIET: Duration = Duration::from_secs(60);
/// How long nothing is said again about refused credentials, or about a breaker that opens unseen.
const ALERT: Duration = Duration::from_secs(1);
/// How many entries are remembered as complained about.
const MOST_ENTRIES: usize = 1024;
