//! Metrics: what the cache counts anyway, told to whatever recorder the program has installed.
//!
//! A hit does not pay: it adds to a counter of its own thread, as without this. Only [`Cache::publish_metrics`] reads
//! those, and tells the recorder what they have come to.

use std::sync::Arc;
use std::time::Duration;

use metrics::{Key, KeyName, Label, Level, Metadata, Recorder, SharedString, Unit};

use super::cache::{Cache, Engine, Opened};
use crate::{BreakerState, Error, ErrorCode, ResilientBackend, Result};

impl<F> Cache<F> {
    /// Tells the recorder that is installed now what has happened so far: to be called by whatever answers `/metrics`,
    /// before it renders.
    ///
    /// Names, kinds and labels are listed in `docs/metrics.md`. They are part of this crate's interface: bounded by the
    /// namespaces that are open, the backend and the error codes; no key and no tenant is among them. The times of loads
    /// are recorded when the loads end, and are not waited for here. Without a recorder nothing happens.
    ///
    /// # Concurrency
    /// Any number at once. It walks over namespaces and threads, and disturbs no look-up.
    pub fn publish_metrics(&self) {
        publish(&self.engine);
    }

    /// [Publishes](Self::publish_metrics) now and every `period` in the background, for recorders that send what they
    /// have by themselves; and a last time when the cache is [closed](Self::close), which waits for that. It ends also
    /// when the last handle of the cache is dropped.
    ///
    /// # Errors
    /// E044 for a period of zero; E036 if the cache is closed, or outside a tokio runtime.
    pub fn publish_metrics_every(&self, period: Duration) -> Result<()> {
        if period.is_zero() {
            return Err(Error::invalid(ErrorCode::E044, "publish_metrics_every", "more than zero", "zero"));
        }
        self.engine.check_open()?;
        let engine = Arc::downgrade(&self.engine);
        let mut closing = Box::pin(self.engine.tasks.closing());
        let work = async move {
            let mut closes = false;
            while let Some(engine) = engine.upgrade() {
                publish(&engine);
                drop(engine);
                if closes {
                    return;
                }
                closes = tokio::time::timeout(period, &mut closing).await.is_ok();
            }
        };
        if self.engine.tasks.spawn(work) {
            Ok(())
        } else {
            Err(Error::new(ErrorCode::E036, "no runtime is there to publish metrics"))
        }
    }
}

fn publish(engine: &Engine) {
    metrics::with_recorder(|recorder| {
        let told = Told { recorder, cache: engine.name.clone().into() };
        for (name, opened) in engine.opened() {
            told.namespace(&name.into(), &opened);
        }
        // Of whole numbers to 2^53, which no memory and no count here reaches, a float loses none.
        told.gauge(L1_ENTRIES, &[], engine.l1.len() as f64);
        told.gauge(L1_BYTES, &[], engine.l1.weight() as f64);
        told.gauge(L1_CAPACITY, &[], engine.l1.capacity() as f64);
        if let Some(driver) = &engine.driver {
            told.backend(engine.outage.is_ill(), driver);
            told.gauge(REPAIRS_PENDING, &[], engine.repairs.len() as f64);
            told.counter(REPAIRS, &[], engine.repairs.done());
        }
    });
}

/// What is told of one cache, to one recorder.
struct Told<'a> {
    recorder: &'a dyn Recorder,
    cache: SharedString,
}

impl Told<'_> {
    fn namespace(&self, name: &SharedString, opened: &Opened) {
        let stats = opened.stats.read();
        let of = [label("namespace", name.clone())];
        let lookups =
            [("l1", "hit", stats.l1_hits), ("backend", "hit", stats.backend_hits), ("none", "miss", stats.misses)];
        for (layer, outcome, count) in lookups {
            let labels = [of[0].clone(), label("layer", layer), label("outcome", outcome)];
            self.counter(LOOKUPS, &labels, count);
        }
        for (outcome, count) in [(OK, stats.load_successes), (FAILED, stats.load_failures)] {
            self.counter(LOADS, &[of[0].clone(), label("outcome", outcome)], count);
        }
        for (code, count) in opened.stats.codes() {
            self.counter(ERRORS, &[of[0].clone(), label("code", code.as_str())], count);
        }
        self.counter(WAITS, &of, stats.waits);
        self.counter(STALE_SERVES, &of, stats.stale_serves);
        self.counter(REFRESHES, &of, stats.refreshes);
        self.counter(STORES, &of, stats.stores);
        self.gauge(KEYS_IN_MOTION, &of, (opened.in_motion)() as f64);
        self.recorder.describe_histogram(LOAD_SECONDS.key_name(), Some(Unit::Seconds), LOAD_SECONDS.about());
    }

    fn backend(&self, degraded: bool, driver: &ResilientBackend) {
        use crate::Backend;
        let counts = driver.counts();
        let of = [label("backend", driver.name().to_owned())];
        let by_code = |metric, counts: &[(ErrorCode, u64)]| {
            for (code, count) in counts {
                self.counter(metric, &[of[0].clone(), label("code", code.as_str())], *count);
            }
        };
        by_code(REFUSALS, &counts.refused);
        by_code(CUT, &counts.cut);
        self.counter(RETRIES, &of, counts.retries);
        self.gauge(DEGRADED, &of, f64::from(u8::from(degraded)));
        let conditions = driver.conditions();
        // Nothing is said of a breaker where there is none.
        if conditions.iter().any(|condition| STATES.iter().any(|state| state.as_str() == *condition)) {
            self.counter(BREAKER_OPENINGS, &of, counts.openings);
            for state in STATES {
                let is_in = conditions.contains(&state.as_str());
                let labels = [of[0].clone(), label("state", state.as_str())];
                self.gauge(BREAKER_STATE, &labels, f64::from(u8::from(is_in)));
            }
        }
    }

    fn counter(&self, metric: Metric, labels: &[Label], value: u64) {
        self.recorder.describe_counter(metric.key_name(), None, metric.about());
        self.recorder.register_counter(&metric.key(&self.cache, labels), &METADATA).absolute(value);
    }

    fn gauge(&self, metric: Metric, labels: &[Label], value: f64) {
        self.recorder.describe_gauge(metric.key_name(), None, metric.about());
        self.recorder.register_gauge(&metric.key(&self.cache, labels), &METADATA).set(value);
    }
}

/// Under which names a namespace records how long its loads take.
///
/// The names are kept and not the recorder's handles: a recorder may be installed after the namespace was opened, and a
/// load is slow enough to look for it.
#[derive(Debug)]
pub(crate) struct LoadTimes {
    ok: Key,
    failed: Key,
}

impl LoadTimes {
    pub(crate) fn of(cache: &str, namespace: &str) -> Self {
        let key = |outcome| {
            let labels = [label("namespace", namespace.to_owned()), label("outcome", outcome)];
            LOAD_SECONDS.key(&cache.to_owned().into(), &labels)
        };
        Self { ok: key(OK), failed: key(FAILED) }
    }

    /// A load took so long.
    pub(crate) fn record(&self, ok: bool, took: Duration) {
        let key = if ok { &self.ok } else { &self.failed };
        metrics::with_recorder(|recorder| recorder.register_histogram(key, &METADATA).record(took));
    }
}

/// A name, and what it stands for.
#[derive(Clone, Copy)]
struct Metric(&'static str, &'static str);

impl Metric {
    fn key(self, cache: &SharedString, labels: &[Label]) -> Key {
        let cache = label("cache", cache.clone());
        Key::from_parts(self.0, std::iter::once(cache).chain(labels.iter().cloned()).collect::<Vec<_>>())
    }

    fn key_name(self) -> KeyName {
        KeyName::from_const_str(self.0)
    }

    fn about(self) -> SharedString {
        SharedString::const_str(self.1)
    }
}

fn label(name: &'static str, value: impl Into<SharedString>) -> Label {
    Label::new(name, value)
}

const LOOKUPS: Metric = Metric("cachekit_lookups_total", "Look-ups, by who answered.");
const WAITS: Metric = Metric("cachekit_waits_total", "Callers who waited for the look-up or load of another.");
const LOADS: Metric = Metric("cachekit_loads_total", "Loaders that ended.");
const LOAD_SECONDS: Metric = Metric("cachekit_load_seconds", "How long loaders took.");
const STALE_SERVES: Metric = Metric("cachekit_stale_serves_total", "Callers who were served a value past its life.");
const REFRESHES: Metric = Metric("cachekit_refreshes_total", "Loads that began because a value was due.");
const STORES: Metric = Metric("cachekit_stores_total", "Values that were stored.");
const ERRORS: Metric = Metric("cachekit_errors_total", "Errors met, whether a caller saw them or not.");
const KEYS_IN_MOTION: Metric = Metric("cachekit_keys_in_motion", "Keys being looked up, loaded or written.");
const L1_ENTRIES: Metric = Metric("cachekit_l1_entries", "Values in L1.");
const L1_BYTES: Metric = Metric("cachekit_l1_bytes", "What they weigh.");
const L1_CAPACITY: Metric = Metric("cachekit_l1_capacity_bytes", "What they may weigh.");
const DEGRADED: Metric = Metric("cachekit_degraded", "1 if the last call of the backend failed, else 0.");
const RETRIES: Metric = Metric("cachekit_retries_total", "Calls that were made again.");
const REFUSALS: Metric = Metric("cachekit_refusals_total", "Calls that a policy refused.");
const CUT: Metric = Metric("cachekit_cut_short_total", "Attempts and waits that a time limit cut short.");
const BREAKER_STATE: Metric = Metric("cachekit_breaker_state", "1 for the state that the breaker is in, else 0.");
const BREAKER_OPENINGS: Metric = Metric("cachekit_breaker_openings_total", "How often the breaker opened.");
const REPAIRS_PENDING: Metric = Metric("cachekit_repairs_pending", "Deletes that wait to be repeated.");
const REPAIRS: Metric = Metric("cachekit_repairs_total", "Deletes that had to be repeated and were done.");

const OK: &str = "ok";
const FAILED: &str = "failed";

const STATES: [BreakerState; 5] = [
    BreakerState::Closed,
    BreakerState::Open,
    BreakerState::HalfOpen,
    BreakerState::ForcedOpen,
    BreakerState::ForcedClosed,
];

static METADATA: Metadata<'static> = Metadata::new("cachekit", Level::INFO, Some(module_path!()));
