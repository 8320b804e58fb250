//! [`Status`]: how a cache is at this moment.

use std::fmt;

use super::cache::Engine;
use crate::{Error, ResilienceCounts};

/// How a cache is at this moment: for health pages, logs and people.
///
/// `Display` is one line.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// Whether values are looked up and stored: neither disabled nor closed.
    pub serving: bool,
    /// Whether the cache was closed.
    pub closed: bool,
    /// The name of the backend, if there is one.
    pub backend: Option<String>,
    /// The policies that decide about the backend's calls, with all their settings, and the backend's name.
    pub resilience: Option<String>,
    /// The state of each of these policies that has states: a breaker's is `closed`, `open`, `half_open`, `forced_open` or
    /// `forced_closed`.
    pub conditions: Vec<&'static str>,
    /// What these policies had made again, refused and cut short so far.
    pub counts: ResilienceCounts,
    /// What the backend can do: [`Abilities::names`](crate::Abilities::names).
    pub abilities: Vec<&'static str>,
    /// Whether the last call of the backend failed.
    pub degraded: bool,
    /// The error that was met last, whenever that was.
    pub last_error: Option<Error>,
    /// How many values are in L1.
    pub l1_entries: usize,
    /// What they weigh, in bytes.
    pub l1_bytes: u64,
    /// What they may weigh, in bytes.
    pub l1_capacity: u64,
    /// How many namespaces are open.
    pub namespaces: usize,
    /// How many keys are being looked up, loaded or written.
    pub keys_in_motion: usize,
    /// How many deletes wait to be repeated.
    pub pending_repairs: usize,
    /// How many deletes that had to be repeated were done in the end.
    pub repairs: u64,
}

impl Status {
    pub(crate) fn of(engine: &Engine) -> Self {
        let (degraded, last_error) = engine.outage.look();
        let (namespaces, keys_in_motion) = engine.census();
        Self {
            serving: engine.is_serving(),
            closed: engine.is_closed(),
            backend: engine.backend.as_ref().map(|backend| backend.name().to_owned()),
            resilience: engine.driver.as_ref().map(ToString::to_string),
            conditions: engine.driver.as_ref().map(|driver| driver.conditions()).unwrap_or_default(),
            counts: engine.driver.as_ref().map(|driver| driver.counts()).unwrap_or_default(),
            abilities: engine.backend.as_ref().map(|backend| backend.abilities().names()).unwrap_or_default(),
            degraded,
            last_error,
            l1_entries: engine.l1.len(),
            l1_bytes: engine.l1.weight(),
            l1_capacity: engine.l1.capacity(),
            namespaces,
            keys_in_motion,
            pending_repairs: engine.repairs.len(),
            repairs: engine.repairs.done(),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match (self.closed, self.serving, self.degraded) {
            (true, ..) => "closed",
            (_, false, _) => "disabled",
            (_, _, true) => "degraded",
            _ => "serving",
        };
        let backend = self.backend.as_deref().unwrap_or("L1 only");
        write!(
            f,
            "{state}, {backend}, L1 {} of {} bytes in {} entries",
            self.l1_bytes, self.l1_capacity, self.l1_entries
        )?;
        for condition in &self.conditions {
            write!(f, ", {condition}")?;
        }
        match &self.last_error {
            Some(error) => write!(f, ", last error {}", error.code()),
            None => Ok(()),
        }
    }
}
