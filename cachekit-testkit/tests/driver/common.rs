//! What these tests share: time that tokio moves, policies that write down what they are asked.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cachekit_core::{
    Admission, Backend, Call, Clock, Entropy, ErrorCode, Key, MemoryBackend, Moment, Next, Outcome, Resilience,
    ResiliencePolicy, ResilientBackend, SetOptions, Ttl, UnixTime, Verdict,
};
use cachekit_testkit::faults::Faults;
use tokio::time::Instant;

/// Time as tokio tells it: it stands still until all wait, and then jumps.
#[derive(Debug)]
pub(crate) struct TokioClock(Instant);

impl TokioClock {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Moment {
        Moment::from_nanos(0) + self.0.elapsed()
    }

    fn wall(&self) -> UnixTime {
        UnixTime::from_millis(1_800_000_000_000) + self.0.elapsed()
    }
}

/// The same number each time.
#[derive(Debug)]
pub(crate) struct Always(pub(crate) u64);

impl Entropy for Always {
    fn next(&self) -> u64 {
        self.0
    }
}

/// A backend in memory that fails on cue, with policies around it.
pub(crate) fn driven(faults: &Faults, resilience: Resilience) -> ResilientBackend {
    ResilientBackend::with_parts(Arc::new(faults.clone()), resilience, Arc::new(TokioClock::new()), &Always(7))
}

pub(crate) fn memory() -> Faults {
    Faults::over(MemoryBackend::new()).with_seed(7)
}

pub(crate) fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

pub(crate) fn options() -> SetOptions {
    SetOptions::new(Ttl::secs(60))
}

pub(crate) async fn fill(backend: &dyn Backend, names: &[&str]) {
    for name in names {
        backend.set(&key(name), name.as_bytes().to_vec().into(), &options()).await.unwrap();
    }
}

/// What was asked of policies, in order: those of one diary write into it together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    pub(crate) fn write(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    pub(crate) fn read(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Lets all go, and writes down what it is asked.
#[derive(Debug)]
pub(crate) struct Witness {
    pub(crate) name: &'static str,
    pub(crate) diary: Diary,
    /// How long a call may take, and the code if it does not.
    pub(crate) limit: Option<(Duration, ErrorCode)>,
    /// After how long a call that failed is made again, and how often.
    pub(crate) again: Option<(Duration, u32)>,
}

impl Witness {
    pub(crate) fn new(name: &'static str, diary: &Diary) -> Self {
        Self { name, diary: diary.clone(), limit: None, again: None }
    }
}

impl ResiliencePolicy for Witness {
    fn admit(&self, call: &Call, now: Moment, _random: u64) -> Verdict {
        self.diary.write(format!("{} admits {} #{}", self.name, call.operation, call.attempt));
        let admission = Admission::new(3, 4);
        Verdict::Go(match self.limit {
            Some((time, code)) => admission.ending(now + time, code),
            None => admission,
        })
    }

    fn finish(&self, call: &Call, admission: Admission, outcome: Outcome<'_>, _now: Moment, _random: u64) -> Next {
        assert_eq!((admission.generation, admission.mark), (3, 4), "what was given is handed back");
        let outcome = match outcome {
            Outcome::Success(took) => format!("success after {took:?}"),
            Outcome::Failure(error, took) => format!("{} after {took:?}", error.code()),
            _ => "abandoned".to_owned(),
        };
        self.diary.write(format!("{}: {outcome}", self.name));
        match self.again {
            Some((pause, times)) if outcome.starts_with('E') && call.attempt < times => Next::AgainAfter(pause),
            _ => Next::Done,
        }
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Lets one call go at a time; the others queue, in order, for so long.
#[derive(Debug)]
pub(crate) struct Turnstile {
    pub(crate) at_most: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    busy: bool,
    next: u64,
    waiting: Vec<(u64, Moment)>,
    finished: usize,
    given_up: usize,
}

impl Turnstile {
    pub(crate) fn new(at_most: Duration) -> Arc<Self> {
        Arc::new(Self { at_most, state: Mutex::default() })
    }

    /// Whether a call is under way, and how many wait.
    pub(crate) fn state(&self) -> (bool, usize) {
        let state = self.state.lock().unwrap();
        (state.busy, state.waiting.len())
    }

    /// How many calls were finished, and how many tickets given up.
    pub(crate) fn ended(&self) -> (usize, usize) {
        let state = self.state.lock().unwrap();
        (state.finished, state.given_up)
    }
}

impl ResiliencePolicy for Turnstile {
    fn admit(&self, call: &Call, now: Moment, _random: u64) -> Verdict {
        let mut state = self.state.lock().unwrap();
        let place = call.ticket.map(|ticket| state.waiting.iter().position(|&(waits, _)| waits == ticket).unwrap());
        if !state.busy && place.unwrap_or(state.waiting.len()) == 0 {
            if place.is_some() {
                state.waiting.remove(0);
            }
            state.busy = true;
            return Verdict::Go(Admission::new(0, 1_000));
        }
        match place {
            None => {
                state.next += 1;
                let ticket = state.next;
                state.waiting.push((ticket, now + self.at_most));
                Verdict::Queue { ticket, at_most: self.at_most }
            }
            Some(place) if state.waiting[place].1 <= now => {
                state.waiting.remove(place);
                Verdict::Refuse(ErrorCode::E032)
            }
            Some(place) => {
                Verdict::Queue { ticket: state.waiting[place].0, at_most: state.waiting[place].1.since(now) }
            }
        }
    }

    fn finish(&self, call: &Call, admission: Admission, outcome: Outcome<'_>, _now: Moment, _random: u64) -> Next {
        let mut state = self.state.lock().unwrap();
        if let Some(ticket) = call.ticket {
            assert!(matches!(outcome, Outcome::Abandoned) && admission.mark == ticket);
            let before = state.waiting.len();
            state.waiting.retain(|&(waits, _)| waits != ticket);
            assert_eq!(state.waiting.len() + 1, before, "a ticket is given up once");
            state.given_up += 1;
        } else {
            assert!(std::mem::take(&mut state.busy) && admission.mark == 1_000, "what was admitted is finished once");
            state.finished += 1;
        }
        Next::Done
    }
}

impl fmt::Display for Turnstile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "turnstile({:?})", self.at_most)
    }
}
