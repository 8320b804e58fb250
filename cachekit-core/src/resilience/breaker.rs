//! [`CircuitBreaker`]: leaves a backend alone that keeps failing, and finds out when it is well again.

mod builder;
mod event;
#[cfg(test)]
mod tests;
mod window;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::builder::CircuitBreakerBuilder;
use self::event::Standing;
pub use self::event::{BreakerEvent, BreakerState};
use self::window::{Bad, Steps, Successes, Trouble};
use super::padded::Padded;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use crate::{Admission, Call, ErrorCode, Moment, Next, Outcome, ResiliencePolicy, Verdict};

/// `CircuitBreaker` leaves a backend alone that keeps failing, and finds out when it is well again.
///
/// While a server is down, each call to it costs a timeout, and each call that it gets keeps it busy. After enough
/// failures the breaker refuses calls at once (E030) and lets a few probes find out, after a while, whether the server is
/// back. A cache that is refused is bypassed: its callers lose the time of computing, and nothing else.
///
/// # When it opens
/// - **At a rate**: half of the calls in the last 30 seconds failed, and there were at least 20. A rate, because a number
///   alone says nothing: five failures are a lot among ten calls, and nothing among a million. At least so many, because
///   one of two is no rate.
/// - **In a row**: 20 failures without a success between them. An hour of good calls must not hide that nothing has
///   worked since: in a window full of successes a rate takes half its length to turn.
/// - **In a drought**: three failures and no success, over at least 10 seconds. Who calls every ten seconds never fills a
///   window, and is to be spared the timeouts too.
/// - **When slow,** if [asked to](CircuitBreakerBuilder::with_slow_calls): a share of the calls took too long.
///
/// What counts as a failure is decided by the [catalogue](crate::Error::trips_breaker): a backend that is not reached,
/// takes too long or fails. An entry that cannot be decoded, a full pool or a refusal of our own says nothing about the
/// backend and counts neither way. So does a call that the limit on the whole call cut short (E033), unless slow calls
/// count and it took as long as those: then it counts among the slow, and ends no row of failures but makes it longer.
///
/// # How it closes
/// After the open time (60 s) it is half open: at most three probes are under way at once, and other calls are refused. As
/// soon as three have succeeded it closes, and begins with an empty window. A probe that fails, or is slow if slow calls
/// count, opens it again. A probe that was abandoned, or says nothing about the backend, gives its slot back and decides
/// nothing.
///
/// Each change of state begins a new generation. A call that was admitted in an older one tells of a time that is over:
/// its outcome is not counted, but a slot that it holds is given back then and not before, so that there are never more
/// probes under way than allowed.
///
/// # By hand
/// Clones are the same breaker: keep one to ask for its [state](Self::state) and to force it
/// [open](Self::force_open) or [closed](Self::force_closed). A [hook](CircuitBreakerBuilder::with_hook) is told of each
/// change.
///
/// ```
/// use std::time::Duration;
/// use cachekit_core::{BreakerState, Call, CircuitBreaker, Error, ErrorCode, Moment, Operation, Outcome};
/// use cachekit_core::{ResiliencePolicy, Verdict};
///
/// let breaker = CircuitBreaker::builder().with_in_a_row(2).build()?;
/// let at = |second: u64| Moment::from_nanos(second * 1_000_000_000);
/// let error = Error::new(ErrorCode::E010, "connection refused");
/// for second in [0, 1] {
///     let call = Call::new(Operation::Get, at(second));
///     let Verdict::Go(admission) = breaker.admit(&call, at(second), 0) else { panic!("it is closed") };
///     breaker.finish(&call, admission, Outcome::Failure(&error, Duration::ZERO), at(second), 0);
/// }
/// assert_eq!(breaker.state(), BreakerState::Open);
/// let call = Call::new(Operation::Get, at(2));
/// assert_eq!(breaker.admit(&call, at(2), 0), Verdict::Refuse(ErrorCode::E030));
/// # Ok::<_, Error>(())
/// ```
///
/// # Errors
/// A call that is refused fails with E030.
///
/// # Concurrency
/// A success while it is closed, and a refusal while it is open, take no lock and disturb no other thread.
///
/// # Position in the stack
/// Inside [`Retry`](crate::Retry), so that every attempt counts: one exhausted sequence of three is three failures, and a
/// refusal, which is not retried, ends the sequence at once. Outside [`AttemptTimeout`](crate::AttemptTimeout), which
/// turns a stall into a failure that counts; the other way round a stall would reach the breaker as a call that was cut
/// short. Inside what refuses or makes wait for reasons of our own ([`ConcurrencyLimit`](crate::ConcurrencyLimit),
/// [`RateLimit`](crate::RateLimit)), so that the wait is not taken for slowness, and a probe is not held up in a queue.
/// One breaker is for one backend.
#[derive(Clone)]
pub struct CircuitBreaker {
    shared: Arc<Padded<Shared>>,
}

struct Shared {
    settings: CircuitBreakerBuilder,
    steps: Steps,
    /// A [`Standing`]. Changed under the lock of `trouble` only.
    standing: AtomicU64,
    /// Until when it is open. Written before the standing that it belongs to.
    until: AtomicU64,
    /// Whether there is a run of failures, which a success has to end.
    in_run: AtomicBool,
    /// How many probes are under way, of whatever generation. Changed under the lock of `trouble` only.
    probes: AtomicU32,
    trouble: Mutex<Ledger>,
    successes: Successes,
    opened: AtomicU64,
    closed: AtomicU64,
}

/// What is written while there is trouble only.
#[derive(Debug, Default)]
struct Ledger {
    trouble: Trouble,
    /// How many probes of this half-open state succeeded.
    succeeded: u32,
}

/// What a call says about the backend.
#[derive(Clone, Copy)]
enum Seen {
    Good,
    /// It was answered, too late.
    Slow,
    /// It failed; whether it also took too long.
    Failed(ErrorCode, bool),
    /// A limit further out cut it short, after it had taken too long.
    Cut(ErrorCode),
    Nothing,
}

impl CircuitBreaker {
    /// Begins one with the usual settings.
    pub fn builder() -> CircuitBreakerBuilder {
        CircuitBreakerBuilder::default()
    }

    fn of(settings: CircuitBreakerBuilder) -> Self {
        let shared = Shared {
            steps: Steps::of(settings.window),
            settings,
            standing: AtomicU64::new(Standing::begin().to_word()),
            until: AtomicU64::new(0),
            in_run: AtomicBool::new(false),
            probes: AtomicU32::new(0),
            trouble: Mutex::default(),
            successes: Successes::default(),
            opened: AtomicU64::new(0),
            closed: AtomicU64::new(0),
        };
        Self { shared: Arc::new(Padded(shared)) }
    }

    /// In which state it is. It goes from open to half open with the first call after the open time, not before.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        self.shared.standing().state
    }

    /// How often it opened by itself. That a probe failed is still the same opening.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.shared.opened.load(Ordering::Relaxed)
    }

    /// How often it closed by itself.
    #[must_use]
    pub fn closed(&self) -> u64 {
        self.shared.closed.load(Ordering::Relaxed)
    }

    /// Refuses all calls from now on, until [`automatic`](Self::automatic).
    pub fn force_open(&self) {
        self.force(|_| BreakerState::ForcedOpen);
    }

    /// Lets all calls go from now on, whatever comes of them, until [`automatic`](Self::automatic).
    pub fn force_closed(&self) {
        self.force(|_| BreakerState::ForcedClosed);
    }

    /// Decides by itself again: closed and with an empty window if it was forced, else as it is.
    pub fn automatic(&self) {
        self.force(|state| match state {
            BreakerState::ForcedOpen | BreakerState::ForcedClosed => BreakerState::Closed,
            state => state,
        });
    }

    /// Whether it matters how long a success took.
    pub(super) fn counts_slow_calls(&self) -> bool {
        self.shared.settings.slow.is_some()
    }

    fn force(&self, to: impl FnOnce(BreakerState) -> BreakerState) {
        let mut ledger = self.shared.trouble.lock();
        let from = self.shared.standing().state;
        let to = to(from);
        let event = (to != from).then(|| self.shared.change(&mut ledger, to, None));
        drop(ledger);
        self.shared.tell(event);
    }
}

impl ResiliencePolicy for CircuitBreaker {
    #[inline]
    fn admit(&self, _: &Call, now: Moment, _: u64) -> Verdict {
        let standing = self.shared.standing();
        if standing.state == BreakerState::Closed {
            return Verdict::Go(Admission::new(standing.generation, CALL));
        }
        self.shared.admit_unless_open(standing, now)
    }

    #[inline(always)]
    fn finish(&self, _: &Call, admission: Admission, outcome: Outcome<'_>, now: Moment, _: u64) -> Next {
        let shared: &Shared = &self.shared;
        let standing = shared.standing();
        let counts = standing == Standing { generation: admission.generation, state: BreakerState::Closed };
        let may_be_slow = shared.settings.slow.is_some();
        let is_in_run = shared.in_run.load(Ordering::Relaxed);
        if matches!(outcome, Outcome::Success(_)) && counts && admission.mark == CALL && !may_be_slow && !is_in_run {
            shared.successes.add(shared.steps.number(now, standing.generation));
        } else {
            shared.finish_in_trouble(admission, outcome, now);
        }
        Next::Done
    }

    fn condition(&self) -> Option<&'static str> {
        Some(self.state().as_str())
    }

    fn openings(&self) -> u64 {
        self.opened()
    }
}

impl Shared {
    #[inline]
    fn standing(&self) -> Standing {
        Standing::of_word(self.standing.load(Ordering::Acquire))
    }

    /// Whatever is not a plain success while all is well, or may turn out not to be.
    #[cold]
    fn finish_in_trouble(&self, admission: Admission, outcome: Outcome<'_>, now: Moment) {
        let seen = self.see(outcome);
        let standing = self.standing();
        let counts = standing == Standing { generation: admission.generation, state: BreakerState::Closed };
        if counts && matches!(seen, Seen::Good | Seen::Slow) {
            self.successes.add(self.steps.number(now, standing.generation));
        }
        let says_nothing = match seen {
            Seen::Good => !counts || !self.in_run.load(Ordering::Relaxed),
            Seen::Slow | Seen::Failed(..) | Seen::Cut(_) => !counts,
            Seen::Nothing => true,
        };
        if admission.mark == PROBE || !says_nothing {
            self.take_note(admission, seen, now);
        }
    }

    fn see(&self, outcome: Outcome<'_>) -> Seen {
        let is_slow = |took: Duration| self.settings.slow.is_some_and(|(time, _)| took >= time);
        match outcome {
            Outcome::Success(took) if is_slow(took) => Seen::Slow,
            Outcome::Success(_) => Seen::Good,
            Outcome::Failure(error, took) if error.trips_breaker() => Seen::Failed(error.code(), is_slow(took)),
            Outcome::Failure(error, took) if error.code() == ErrorCode::E033 && is_slow(took) => {
                Seen::Cut(error.code())
            }
            Outcome::Failure(..) | Outcome::Abandoned => Seen::Nothing,
        }
    }

    /// Decides for a breaker that is not closed. All but probes are decided without the lock.
    #[cold]
    fn admit_unless_open(&self, standing: Standing, now: Moment) -> Verdict {
        let refuse = match standing.state {
            BreakerState::Closed | BreakerState::ForcedClosed => {
                return Verdict::Go(Admission::new(standing.generation, CALL));
            }
            BreakerState::ForcedOpen => true,
            BreakerState::Open => now.as_nanos() < self.until.load(Ordering::Relaxed),
            BreakerState::HalfOpen => self.probes.load(Ordering::Relaxed) >= self.settings.probes,
        };
        if refuse {
            return Verdict::Refuse(ErrorCode::E030);
        }
        let mut ledger = self.trouble.lock();
        let mut event = None;
        let mut standing = self.standing();
        if standing.state == BreakerState::Open && now.as_nanos() >= self.until.load(Ordering::Relaxed) {
            event = Some(self.change(&mut ledger, BreakerState::HalfOpen, None));
            standing = self.standing();
        }
        let verdict = match standing.state {
            BreakerState::Closed | BreakerState::ForcedClosed => Verdict::Go(Admission::new(standing.generation, CALL)),
            BreakerState::HalfOpen if self.take_slot() => Verdict::Go(Admission::new(standing.generation, PROBE)),
            BreakerState::HalfOpen | BreakerState::Open | BreakerState::ForcedOpen => Verdict::Refuse(ErrorCode::E030),
        };
        drop(ledger);
        self.tell(event);
        verdict
    }

    /// Takes note of what is more than a plain success while there is no trouble.
    #[cold]
    fn take_note(&self, admission: Admission, seen: Seen, now: Moment) {
        let mut ledger = self.trouble.lock();
        if admission.mark == PROBE {
            self.give_slot_back();
        }
        let standing = self.standing();
        let event = if standing.generation != admission.generation {
            None
        } else {
            match standing.state {
                BreakerState::Closed => self.count(&mut ledger, seen, now),
                BreakerState::HalfOpen => self.judge_probe(&mut ledger, seen, now),
                BreakerState::Open | BreakerState::ForcedOpen | BreakerState::ForcedClosed => None,
            }
        };
        drop(ledger);
        self.tell(event);
    }

    fn count(&self, ledger: &mut Ledger, seen: Seen, now: Moment) -> Option<BreakerEvent> {
        let (bad, code) = match seen {
            Seen::Good => (Bad::default(), None),
            Seen::Slow => (Bad { slow: 1, ..Bad::default() }, None),
            Seen::Failed(code, slow) => (Bad { failed: 1, slow: u64::from(slow), cut: 0 }, Some(code)),
            Seen::Cut(code) => (Bad { failed: 0, slow: 1, cut: 1 }, Some(code)),
            Seen::Nothing => return None,
        };
        let trouble = &mut ledger.trouble;
        if code.is_some() {
            trouble.lengthen_run(now)
        } else {
            trouble.run = None
        }
        self.in_run.store(code.is_some(), Ordering::Relaxed);
        if bad == Bad::default() {
            return None;
        }
        let number = self.steps.number(now, self.standing().generation);
        trouble.add(number, bad);
        self.has_enough(trouble, number, now).then(|| self.open(ledger, now, code))
    }

    /// Whether what went wrong is reason to open.
    fn has_enough(&self, trouble: &Trouble, number: u64, now: Moment) -> bool {
        let settings = &self.settings;
        if let Some((length, began)) = trouble.run {
            let (few, time) = settings.drought;
            if length >= u64::from(settings.in_a_row) || (length >= u64::from(few) && now.since(began) >= time) {
                return true;
            }
        }
        let bad = trouble.count(self.steps, number);
        let is_rate = |part: u64, percent: u32, calls: u64| part * 100 >= u64::from(percent) * calls;
        // The successes lie scattered over the threads: no need to look if too many even without them.
        let reaches = |calls: u64| {
            let slow = settings.slow.is_some_and(|(_, percent)| is_rate(bad.slow, percent, calls));
            slow || is_rate(bad.failed, settings.failure_rate, calls)
        };
        let least = u64::from(settings.least_calls);
        reaches(least) && {
            let calls = self.successes.count(self.steps, number) + bad.failed + bad.cut;
            calls >= least && reaches(calls)
        }
    }

    fn judge_probe(&self, ledger: &mut Ledger, seen: Seen, now: Moment) -> Option<BreakerEvent> {
        match seen {
            Seen::Good => {
                ledger.succeeded += 1;
                (ledger.succeeded >= self.settings.probes).then(|| {
                    self.closed.fetch_add(1, Ordering::Relaxed);
                    self.change(ledger, BreakerState::Closed, None)
                })
            }
            Seen::Slow => Some(self.open(ledger, now, None)),
            Seen::Failed(code, _) | Seen::Cut(code) => Some(self.open(ledger, now, Some(code))),
            Seen::Nothing => None,
        }
    }

    fn open(&self, ledger: &mut Ledger, now: Moment, code: Option<ErrorCode>) -> BreakerEvent {
        self.until.store((now + self.settings.open_for).as_nanos(), Ordering::Relaxed);
        if self.standing().state == BreakerState::Closed {
            self.opened.fetch_add(1, Ordering::Relaxed);
        }
        self.change(ledger, BreakerState::Open, code)
    }

    /// Begins another state, as if nothing had been before. `ledger` shows that the lock is held.
    fn change(&self, ledger: &mut Ledger, to: BreakerState, code: Option<ErrorCode>) -> BreakerEvent {
        *ledger = Ledger::default();
        self.in_run.store(false, Ordering::Relaxed);
        let from = self.standing();
        let next = from.next(to);
        self.standing.store(next.to_word(), Ordering::Release);
        BreakerEvent { from: from.state, to, generation: next.generation, code }
    }

    fn take_slot(&self) -> bool {
        let taken = self.probes.load(Ordering::Relaxed);
        let is_free = taken < self.settings.probes;
        if is_free {
            self.probes.store(taken + 1, Ordering::Relaxed);
        }
        is_free
    }

    fn give_slot_back(&self) {
        self.probes.store(self.probes.load(Ordering::Relaxed).saturating_sub(1), Ordering::Relaxed);
    }

    fn tell(&self, event: Option<BreakerEvent>) {
        if let (Some(event), Some(hook)) = (event, &self.settings.hook) {
            hook(&event);
        }
    }
}

impl fmt::Display for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.settings.fmt(f)
    }
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared: &Shared = &self.shared;
        f.debug_struct("CircuitBreaker")
            .field("settings", &format_args!("{}", shared.settings))
            .field("standing", &shared.standing())
            .field("probes", &shared.probes.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

/// The mark of an admission that holds a slot for probes, and of one that does not.
const PROBE: u64 = 1;
const CALL: u64 = 0;
