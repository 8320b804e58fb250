//! [`Load`]: callers who load through the cache, one value after another, and write down what it costs.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cachekit::{Cache, Namespace};
use tokio::task::JoinHandle;

use crate::{now, since};

/// Callers who load through the cache, one value after another.
pub(super) struct Load {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

struct Shared {
    over: AtomicBool,
    seen: Mutex<Seen>,
}

impl Shared {
    fn note(&self, loaded: bool, failed: bool, wrong: bool, cost: Duration) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.calls += 1;
        seen.loads += u64::from(loaded);
        seen.errors += u64::from(failed);
        seen.wrong += u64::from(wrong);
        seen.costs.push(cost);
    }
}

/// What callers have seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) calls: u64,
    pub(super) loads: u64,
    pub(super) errors: u64,
    pub(super) wrong: u64,
    /// What each call cost beyond computing.
    costs: Vec<Duration>,
}

impl Load {
    pub(super) fn start(cache: &Cache, callers: usize) -> Self {
        // Nothing is served from L1, so that each call needs the server.
        let numbers =
            cache.namespace::<String>("soak").l1_ttl(Duration::from_nanos(1)).open().expect("a new namespace");
        let shared = Arc::new(Shared { over: AtomicBool::new(false), seen: Mutex::default() });
        let tasks = (0..callers).map(|caller| {
            let (numbers, shared) = (numbers.clone(), Arc::clone(&shared));
            tokio::spawn(async move { call_on_and_on(&numbers, &shared, caller as u64).await })
        });
        Self { tasks: tasks.collect(), shared }
    }

    /// What was seen since the last time.
    pub(super) fn take(&self) -> Seen {
        std::mem::take(&mut *self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) async fn stop(self) {
        self.shared.over.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("no caller panics");
        }
    }
}

async fn call_on_and_on(numbers: &Namespace<String>, shared: &Shared, caller: u64) {
    let mut dice = caller + 1;
    while !shared.over.load(Ordering::Relaxed) {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Keys of its own: who waits for another's computing would take it for a cost.
        let key = caller * KEYS + (dice >> 33) % KEYS;
        let computed = Mutex::new(None);
        let began = now();
        let loader = || async {
            let began = now();
            tokio::time::sleep(COMPUTING).await;
            *computed.lock().unwrap_or_else(PoisonError::into_inner) = Some(since(began));
            Ok::<_, Infallible>(value(key))
        };
        let answer = numbers.get_or_load(key, loader).await;
        let took = since(began);
        let computed = computed.into_inner().unwrap_or_else(PoisonError::into_inner);
        let cost = took.saturating_sub(computed.unwrap_or_default());
        let wrong = answer.as_ref().is_ok_and(|found| **found != value(key));
        shared.note(computed.is_some(), answer.is_err(), wrong, cost);
        tokio::time::sleep(PAUSE).await;
    }
}

impl Seen {
    /// Which part of the calls needed no computing.
    pub(super) fn hit_rate(&self) -> f64 {
        if self.calls == 0 { 0.0 } else { 1.0 - self.loads as f64 / self.calls as f64 }
    }

    pub(super) fn slowest(&self) -> Duration {
        self.percentile(100.0)
    }

    /// What so many percent of the calls did not cost more than.
    pub(super) fn percentile(&self, percent: f64) -> Duration {
        let mut costs = self.costs.clone();
        costs.sort_unstable();
        let at = (costs.len() as f64 * percent / 100.0).ceil() as usize;
        costs.get(at.saturating_sub(1)).copied().unwrap_or_default()
    }
}

fn value(key: u64) -> String {
    format!("the value of {key}, and of no other: {}", key.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// How many keys a caller has.
const KEYS: u64 = 40;
const COMPUTING: Duration = Duration::from_millis(5);
const PAUSE: Duration = Duration::from_millis(2);
