//! [`CircuitBreakerBuilder`]: when a breaker opens, for how long, and how it closes again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::super::settings::{INSTANT, LONGEST, within};
use super::{BreakerEvent, CircuitBreaker};
use crate::Result;

type Hook = Arc<dyn Fn(&BreakerEvent) + Send + Sync>;

/// Makes a [`CircuitBreaker`].
#[derive(Clone)]
#[must_use]
pub struct CircuitBreakerBuilder {
    pub(super) failure_rate: u32,
    pub(super) least_calls: u32,
    pub(super) window: Duration,
    pub(super) in_a_row: u32,
    pub(super) drought: (u32, Duration),
    pub(super) slow: Option<(Duration, u32)>,
    pub(super) open_for: Duration,
    pub(super) probes: u32,
    pub(super) hook: Option<Hook>,
}

impl Default for CircuitBreakerBuilder {
    fn default() -> Self {
        Self {
            failure_rate: 50,
            least_calls: 20,
            window: Duration::from_secs(30),
            in_a_row: 20,
            drought: (3, Duration::from_secs(10)),
            slow: None,
            open_for: Duration::from_secs(60),
            probes: 3,
            hook: None,
        }
    }
}

impl CircuitBreakerBuilder {
    /// Opens when so many percent of the calls in the window failed, 1 to 100. Default: 50.
    pub fn with_failure_rate(self, percent: u32) -> Self {
        Self { failure_rate: percent, ..self }
    }

    /// Looks at rates only when so many calls are in the window. Default: 20.
    pub fn with_least_calls(self, least_calls: u32) -> Self {
        Self { least_calls, ..self }
    }

    /// How far back it remembers, 100 ms to an hour. It forgets in steps, so what it remembers is at least seven eighths
    /// of this and never more. Default: 30 s.
    pub fn with_window(self, window: Duration) -> Self {
        Self { window, ..self }
    }

    /// Opens when so many calls failed with no success between them, whatever came before. Default: 20.
    pub fn with_in_a_row(self, failures: u32) -> Self {
        Self { in_a_row: failures, ..self }
    }

    /// Opens when at least `failures` calls failed, over at least `time`, with no success between them: for those who
    /// make few calls. Default: 3 over 10 s.
    pub fn with_drought(self, failures: u32, time: Duration) -> Self {
        Self { drought: (failures, time), ..self }
    }

    /// Opens also when `percent` of the calls in the window took at least `time`, whatever came of them. Default: slow
    /// calls do not count.
    pub fn with_slow_calls(self, time: Duration, percent: u32) -> Self {
        Self { slow: Some((time, percent)), ..self }
    }

    /// How long it is open before it tries a probe. Default: 60 s.
    pub fn with_open_time(self, open_for: Duration) -> Self {
        Self { open_for, ..self }
    }

    /// How many probes may be under way at once, and how many have to succeed until it closes. Default: 3.
    pub fn with_probes(self, probes: u32) -> Self {
        Self { probes, ..self }
    }

    /// Has `hook` told of each change of state. It is called by whoever made the call that brought the change about,
    /// under no lock: be quick, do not block, do not panic. It may ask and turn the breaker.
    pub fn with_hook(self, hook: impl Fn(&BreakerEvent) + Send + Sync + 'static) -> Self {
        Self { hook: Some(Arc::new(hook)), ..self }
    }

    /// Makes the breaker, closed.
    ///
    /// # Errors
    /// E044 for what cannot be: no probes, a rate of nothing or over 100 percent, no calls, no time.
    pub fn build(self) -> Result<CircuitBreaker> {
        within("breaker: failure rate in percent", self.failure_rate, 1..=100)?;
        within("breaker: least calls", self.least_calls, 1..=MOST_CALLS)?;
        within("breaker: window", self.window, SHORTEST_WINDOW..=LONGEST_WINDOW)?;
        within("breaker: failures in a row", self.in_a_row, 1..=MOST_CALLS)?;
        within("breaker: failures in a drought", self.drought.0, 1..=MOST_CALLS)?;
        within("breaker: time of a drought", self.drought.1, Duration::ZERO..=LONGEST)?;
        if let Some((time, percent)) = self.slow {
            within("breaker: time of a slow call", time, INSTANT..=LONGEST)?;
            within("breaker: rate of slow calls in percent", percent, 1..=100)?;
        }
        within("breaker: open time", self.open_for, INSTANT..=LONGEST)?;
        within("breaker: probes", self.probes, 1..=MOST_PROBES)?;
        Ok(CircuitBreaker::of(self))
    }
}

impl fmt::Display for CircuitBreakerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { failure_rate, least_calls, window, in_a_row, drought, slow, open_for, probes, hook: _ } = self;
        write!(f, "breaker({failure_rate}% of {least_calls} calls in {window:?}, {in_a_row} in a row, ")?;
        write!(f, "{} in a row over {:?}, ", drought.0, drought.1)?;
        match slow {
            Some((time, percent)) => write!(f, "{percent}% slower than {time:?}, ")?,
            None => f.write_str("slow calls not counted, ")?,
        }
        write!(f, "open {open_for:?}, {probes} probes)")
    }
}

impl fmt::Debug for CircuitBreakerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CircuitBreakerBuilder").field(&format_args!("{self}")).finish()
    }
}

const MOST_CALLS: u32 = 1_000_000;
const MOST_PROBES: u32 = 1_000;
const SHORTEST_WINDOW: Duration = Duration::from_millis(100);
const LONGEST_WINDOW: Duration = Duration::from_secs(60 * 60);
