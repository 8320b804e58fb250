//! [`Faults`]: a backend that fails as a script says.

mod abilities;
mod backend;
mod call;
mod damage;
pub(crate) mod dice;
mod gate;
mod rule;
mod script;
mod watch;

use std::fmt;
use std::sync::Arc;

use cachekit_core::{Backend, Clock, ErrorCode, Operation};

pub use self::gate::Gate;
pub use self::rule::{READS, Rule, WRITES};
use self::script::Script;
use crate::recorder::Recorder;

/// A backend that fails as a script says, and records every call.
///
/// It is a [`Backend`] over any other, with the abilities of that other one, each offered through itself: fences, watches and
/// all pass the script. Clones are handles to the same script, so a test keeps one and gives the other to a cache.
///
/// ```
/// use cachekit_core::{Backend, ErrorCode, Key, MemoryBackend, Operation};
/// use cachekit_testkit::faults::Faults;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let faults = Faults::over(MemoryBackend::new());
/// let key = Key::new("users:1")?;
///
/// faults.down(ErrorCode::E065);
/// assert_eq!(faults.get(&key).await.unwrap_err().code(), ErrorCode::E065);
/// faults.recover();
/// assert_eq!(faults.get(&key).await?, None);
/// assert_eq!(faults.calls(Operation::Get), 2);
/// # Ok::<_, cachekit_core::Error>(()) }).unwrap();
/// ```
///
/// # What happens when
/// [`inject`](Self::inject) takes a [`Rule`]: which fault, and which calls meet it. [`down`](Self::down) is the usual case of all
/// calls until [`recover`](Self::recover).
///
/// # The same again
/// What is left to chance is drawn by a seed, and depends on it and on the order of calls alone: the same seed, script and order give
/// the same faults. The seed is random unless [said](Self::with_seed); it stands in `Debug`, in every error of the
/// script, and on standard error if the thread that drops the last handle panics, which is how a test fails.
///
/// # Contract
/// Without a script it keeps every clause of the contracts that the inner backend keeps. What the script does breaks some of them: that
/// is its purpose. It waits on tokio's time, so that a paused clock passes delays at once.
///
/// What it remembers, for stale and torn values, are the last two values of every key that was written through it.
#[derive(Clone)]
pub struct Faults {
    inner: Arc<dyn Backend>,
    script: Arc<Script>,
}

impl Faults {
    /// The backend `inner`, well so far.
    #[must_use]
    pub fn over(inner: impl Backend) -> Self {
        Self { inner: Arc::new(inner), script: Arc::default() }
    }

    /// Draws what is left to chance by `seed`.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        self.script.set_seed(seed);
        self
    }

    /// Reckons [`Rule::during`] by `clock`. The system's unless said otherwise.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock) -> Self {
        self.script.set_clock(Arc::new(clock));
        self
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.script.seed()
    }

    /// Adds a rule to the script. Returns another handle, so that a script can be written in one expression.
    ///
    /// # Panics
    /// If the rule's probability is not from 0.0 to 1.0.
    pub fn inject(&self, rule: Rule) -> Self {
        self.script.add(rule);
        self.clone()
    }

    /// From now on every call fails with `code`, and watches lose sight, until [`recover`](Self::recover). Returns another handle.
    pub fn down(&self, code: ErrorCode) -> Self {
        self.script.set_down(Some(code));
        self.clone()
    }

    /// From now on nothing happens to any call: the backend is up, and the script is empty. Calls that a rule has caught already
    /// stay caught. Returns another handle.
    pub fn recover(&self) -> Self {
        self.script.clear();
        self.script.set_down(None);
        self.clone()
    }

    /// The code with which every call fails now, if [`down`](Self::down) was called.
    #[must_use]
    pub fn is_down(&self) -> Option<ErrorCode> {
        self.script.is_down()
    }

    /// How many calls of `operation` were made. Storing under a fence is [`Operation::Set`] too, and so on: the
    /// [recorder](Self::recorder) tells methods apart.
    #[must_use]
    pub fn calls(&self, operation: Operation) -> usize {
        self.script.recorder.calls(operation)
    }

    /// How many calls were made.
    #[must_use]
    pub fn total_calls(&self) -> usize {
        self.script.recorder.total()
    }

    /// Every call, and what came of it.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.script.recorder
    }

    /// The backend without faults, for looking at what is really stored.
    #[must_use]
    pub fn inner(&self) -> &Arc<dyn Backend> {
        &self.inner
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("inner", &self.inner).field("script", &self.script).finish()
    }
}
