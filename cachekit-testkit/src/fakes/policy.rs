//! [`FakePolicy`]: a resilience policy that does as it is told, and keeps account.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cachekit_core::{Admission, Call, Moment, Next, Outcome, ResiliencePolicy, Verdict};

use super::Cue;

/// A resilience policy that lets every call go until it is told otherwise, and keeps account of admissions. Clones are the same policy.
///
/// For testing what drives policies: after everything has ended, [`outstanding`](Self::outstanding) is zero whatever was
/// dropped, and [`unexpected`](Self::unexpected) is.
///
/// ```
/// use cachekit_core::{Admission, Call, ErrorCode, Moment, Operation, ResiliencePolicy, Verdict};
/// use cachekit_testkit::fakes::FakePolicy;
///
/// let policy = FakePolicy::new();
/// policy.on_admit().fail_next(1, ErrorCode::E030);
/// let (now, call) = (Moment::from_nanos(0), Call::new(Operation::Get, Moment::from_nanos(0)));
/// assert_eq!(policy.admit(&call, now, 0), Verdict::Refuse(ErrorCode::E030));
/// assert!(matches!(policy.admit(&call, now, 0), Verdict::Go(_)));
/// assert_eq!(policy.outstanding(), 1);
/// ```
#[derive(Clone, Debug, Default)]
pub struct FakePolicy {
    admit: Cue,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    delay: Duration,
    queueing: Option<Duration>,
    again: u64,
    after: Duration,
    /// Counts marks and tickets alike, lest one be taken for the other.
    handed_out: u64,
    outstanding: Vec<Admission>,
    finished: Account,
    unexpected: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Account {
    succeeded: usize,
    failed: usize,
    abandoned: usize,
}

impl FakePolicy {
    /// A policy that lets every call go.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The cue of [`ResiliencePolicy::admit`]: its code is that of the refusal.
    #[must_use]
    pub fn on_admit(&self) -> &Cue {
        &self.admit
    }

    /// From now on a call goes out so much later.
    pub fn delay(&self, time: Duration) {
        self.state().delay = time;
    }

    /// From now on a call has to queue, at most so long at a time; `None` lets calls go again.
    pub fn queue(&self, at_most: Option<Duration>) {
        self.state().queueing = at_most;
    }

    /// The next `times` calls that end in failure are made again, after so long.
    pub fn retry(&self, times: u64, after: Duration) {
        let mut state = self.state();
        state.again = times;
        state.after = after;
    }

    /// How many admissions were given and not finished.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.state().outstanding.len()
    }

    /// How many calls succeeded.
    #[must_use]
    pub fn succeeded(&self) -> usize {
        self.state().finished.succeeded
    }

    /// How many calls failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.state().finished.failed
    }

    /// How many calls were given up.
    #[must_use]
    pub fn abandoned(&self) -> usize {
        self.state().finished.abandoned
    }

    /// How many times something was finished that had not been admitted, or had been finished before.
    #[must_use]
    pub fn unexpected(&self) -> usize {
        self.state().unexpected
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResiliencePolicy for FakePolicy {
    fn admit(&self, call: &Call, _now: Moment, _random: u64) -> Verdict {
        if let Some(code) = self.admit.next() {
            return Verdict::Refuse(code);
        }
        let mut state = self.state();
        if let Some(at_most) = state.queueing {
            let ticket = call.ticket.unwrap_or_else(|| {
                state.handed_out += 1;
                state.handed_out
            });
            return Verdict::Queue { ticket, at_most };
        }
        state.handed_out += 1;
        let admission = Admission::new(0, state.handed_out);
        state.outstanding.push(admission);
        if state.delay.is_zero() { Verdict::Go(admission) } else { Verdict::GoAfter(state.delay, admission) }
    }

    fn finish(&self, call: &Call, admission: Admission, outcome: Outcome<'_>, _now: Moment, _random: u64) -> Next {
        let mut state = self.state();
        let held = state.outstanding.iter().position(|held| *held == admission);
        match held {
            Some(at) => drop(state.outstanding.swap_remove(at)),
            // A ticket that is given up was never admitted.
            None if call.ticket.is_some() && matches!(outcome, Outcome::Abandoned) => {}
            None => state.unexpected += 1,
        }
        match outcome {
            Outcome::Success(_) => state.finished.succeeded += 1,
            Outcome::Failure(..) => state.finished.failed += 1,
            _ => state.finished.abandoned += 1,
        }
        if matches!(outcome, Outcome::Failure(..)) && state.again > 0 {
            state.again -= 1;
            return Next::AgainAfter(state.after);
        }
        Next::Done
    }
}

impl fmt::Display for FakePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fake")
    }
}
