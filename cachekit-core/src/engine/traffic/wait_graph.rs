//! [`WaitGraph`]: who waits for whom, so that a load never waits for itself.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use super::FlightId;

/// The flights that the current task leads: a load, inside which another load runs, and so on.
///
/// Loads may nest: the loader of one key asks for another. If it asks for its own, or two loads ask for each other's
/// key, each would wait for the other for ever. So a caller within a load says what it is about to wait for, and is
/// told if that would close a circle: then it does its own work.
#[derive(Clone, Debug, Default)]
pub(crate) struct WaitGraph(Option<Arc<Nested>>);

#[derive(Debug)]
struct Nested {
    flight: FlightId,
    outer: WaitGraph,
}

tokio::task_local! {
    static CURRENT: WaitGraph;
}

impl WaitGraph {
    /// The flights that the current task leads.
    pub(crate) fn current() -> Self {
        CURRENT.try_with(Clone::clone).unwrap_or_default()
    }

    /// These flights, and within them one more.
    pub(crate) fn and(self, flight: FlightId) -> Self {
        Self(Some(Arc::new(Nested { flight, outer: self })))
    }

    /// Runs `work` as part of these flights.
    pub(crate) fn scope<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        // Where interleavings are explored, all tasks are turns of one thread, and would find each other's flights.
        let scope = if cfg!(any(feature = "_shuttle", feature = "_loom")) { Self::default() } else { self };
        CURRENT.scope(scope, work)
    }

    /// Takes note that all of these flights wait for `flight`, until the answer is dropped; `None` if that would never
    /// end.
    pub(crate) fn wait_for(&self, flight: FlightId) -> Option<Waits> {
        let waiting: Vec<FlightId> = self.iter().collect();
        if waiting.is_empty() {
            return Some(Waits { waiting, flight });
        }
        let mut edges = edges();
        let mut reached = vec![flight];
        let mut next = 0;
        while let Some(&at) = reached.get(next) {
            if waiting.contains(&at) {
                return None;
            }
            reached.extend(edges.get(&at).into_iter().flatten().filter(|to| !reached.contains(to)).collect::<Vec<_>>());
            next += 1;
        }
        for &from in &waiting {
            edges.entry(from).or_default().push(flight);
        }
        Some(Waits { waiting, flight })
    }

    fn iter(&self) -> impl Iterator<Item = FlightId> + '_ {
        std::iter::successors(self.0.as_deref(), |nested| nested.outer.0.as_deref()).map(|nested| nested.flight)
    }
}

/// As long as this lives, flights wait for a flight: [`WaitGraph::wait_for`].
#[derive(Debug)]
pub(crate) struct Waits {
    waiting: Vec<FlightId>,
    flight: FlightId,
}

impl Drop for Waits {
    fn drop(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let mut edges = edges();
        for from in &self.waiting {
            if let Some(to) = edges.get_mut(from) {
                if let Some(at) = to.iter().position(|to| *to == self.flight) {
                    to.swap_remove(at);
                }
                if to.is_empty() {
                    edges.remove(from);
                }
            }
        }
    }
}

/// Only callers within a load come here, and only those that are about to wait.
fn edges() -> MutexGuard<'static, HashMap<FlightId, Vec<FlightId>>> {
    static EDGES: LazyLock<Mutex<HashMap<FlightId, Vec<FlightId>>>> = LazyLock::new(Mutex::default);
    EDGES.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(flights: &[FlightId]) -> WaitGraph {
        flights.iter().fold(WaitGraph::default(), |outer, &flight| outer.and(flight))
    }

    #[test]
    fn a_caller_outside_any_load_may_wait_for_anything() {
        assert!(WaitGraph::default().wait_for(9_000_001).is_some());
    }

    #[test]
    fn a_load_does_not_wait_for_itself_nor_for_one_that_it_is_part_of() {
        let graph = within(&[9_000_010, 9_000_011]);
        assert!(graph.wait_for(9_000_010).is_none());
        assert!(graph.wait_for(9_000_011).is_none());
        assert!(graph.wait_for(9_000_012).is_some());
    }

    #[test]
    fn a_circle_of_three_is_seen_by_whoever_would_close_it() {
        let (a, b, c) = (9_000_020, 9_000_021, 9_000_022);
        let first = within(&[a]).wait_for(b).unwrap();
        let _second = within(&[b]).wait_for(c).unwrap();
        assert!(within(&[c]).wait_for(a).is_none());
        drop(first);
        assert!(within(&[c]).wait_for(a).is_some(), "what no longer waits is no part of a circle");
    }
}
