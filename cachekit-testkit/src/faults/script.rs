//! [`Script`]: what the handles of [`Faults`](super::Faults) share: rules, seed, record and memory.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cachekit_core::{Clock, Entropy, ErrorCode, Moment, Operation, SystemClock, SystemEntropy};
use tokio::sync::watch;

use super::damage::Memory;
use super::dice;
use super::rule::{Fault, Rule};
use crate::recorder::Recorder;

/// What the handles of [`Faults`](super::Faults) share.
pub(super) struct Script {
    pub(super) recorder: Recorder,
    state: Mutex<State>,
    memory: Mutex<Memory>,
    /// Told to those who watch.
    down: watch::Sender<Option<ErrorCode>>,
}

struct State {
    seed: u64,
    clock: Arc<dyn Clock>,
    rules: Vec<Armed>,
    /// How many rules there ever were: their names.
    injected: u64,
}

/// A rule that has been injected.
struct Armed {
    rule: Rule,
    name: u64,
    until: Option<Moment>,
    /// How many calls have met its conditions.
    seen: u64,
}

/// A fault that meets a call.
pub(super) struct Hit {
    pub(super) fault: Fault,
    pub(super) late: bool,
    /// Which elements of the call it meets.
    pub(super) elements: Vec<bool>,
    /// What the fault may use where something is left to chance.
    pub(super) drawn: u64,
    /// The number of the rule.
    pub(super) rule: u64,
}

impl Script {
    /// What happens to a call of `operation` about these keys or this prefix; about the whole store, there is one nameless element.
    pub(super) fn hits(&self, operation: Operation, names: &[&str]) -> Vec<Hit> {
        let mut state = self.state();
        let State { seed, clock, rules, .. } = &mut *state;
        let mut hits = Vec::new();
        for armed in rules {
            let rule = &armed.rule;
            if !rule.is_for(operation) || armed.until.is_some_and(|until| clock.now() >= until) {
                continue;
            }
            let elements: Vec<bool> = match &rule.keys {
                None => vec![true; names.len()],
                Some(matches) => names.iter().map(|name| matches(name)).collect(),
            };
            if !elements.contains(&true) {
                continue;
            }
            armed.seen += 1;
            if armed.seen <= rule.skipped || armed.seen - rule.skipped > rule.times {
                continue;
            }
            let drawn = dice::draw(*seed, armed.name, armed.seen);
            if dice::happens(drawn, rule.probability) {
                let fault = rule.fault.clone();
                hits.push(Hit { fault, late: rule.late, elements, drawn: dice::mix(drawn), rule: armed.name });
            }
        }
        hits
    }

    /// Adds a rule.
    ///
    /// # Panics
    /// If its probability is not one.
    pub(super) fn add(&self, rule: Rule) {
        let probability = rule.probability;
        assert!((0.0..=1.0).contains(&probability), "probability: expected 0.0 to 1.0, got {probability}");
        let mut state = self.state();
        let until = rule.lasting.map(|time| state.clock.now() + time);
        state.injected += 1;
        let name = state.injected;
        state.rules.push(Armed { rule, name, until, seen: 0 });
    }

    pub(super) fn clear(&self) {
        self.state().rules.clear();
    }

    pub(super) fn set_down(&self, code: Option<ErrorCode>) {
        self.down.send_replace(code);
    }

    pub(super) fn is_down(&self) -> Option<ErrorCode> {
        *self.down.borrow()
    }

    pub(super) fn watch_down(&self) -> watch::Receiver<Option<ErrorCode>> {
        self.down.subscribe()
    }

    pub(super) fn seed(&self) -> u64 {
        self.state().seed
    }

    pub(super) fn set_seed(&self, seed: u64) {
        self.state().seed = seed;
    }

    pub(super) fn set_clock(&self, clock: Arc<dyn Clock>) {
        self.state().clock = clock;
    }

    /// What was written through these faults.
    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Script {
    fn default() -> Self {
        let state = State {
            seed: SystemEntropy.next(),
            clock: Arc::new(SystemClock::precise()),
            rules: Vec::new(),
            injected: 0,
        };
        Self {
            recorder: Recorder::new(),
            state: Mutex::new(state),
            memory: Mutex::default(),
            down: watch::Sender::new(None),
        }
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Script")
            .field("seed", &state.seed)
            .field("down", &self.is_down())
            .field("rules", &state.rules.iter().map(|armed| &armed.rule).collect::<Vec<_>>())
            .field("calls", &self.recorder.total())
            .finish_non_exhaustive()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let seed = self.seed();
        let left_to_chance = self.state().injected > 0;
        if left_to_chance && std::thread::panicking() {
            #[expect(clippy::print_stderr, reason = "whoever reads why the test failed needs it to see the same again")]
            {
                eprintln!("note: the faults were drawn by the seed {seed}; to see them again: `.with_seed({seed})`");
            }
        }
    }
}
