//! What is published is what `docs/metrics.md` lists, and what has happened.

#![cfg(not(feature = "_shuttle"))] // a real runtime
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::future::{pending, ready};
use std::time::Duration;

use cachekit_core::{
    AttemptTimeout, Cache, CircuitBreaker, Deadline, ErrorCode, Invalidation, ManualClock, Namespace, OwnedLoads,
    Resilience, Retry, Ttl,
};
use common::Text;
use common::scripted::{Call, Scripted, When};
use metrics::LocalRecorderGuard;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

/// A series: name, and labels as `key=value` in alphabetical order.
type Series = (String, Vec<String>);

/// What this thread's recorder was told.
struct Told {
    snapshotter: Snapshotter,
    _guard: LocalRecorderGuard<'static>,
}

impl Told {
    fn begin() -> Self {
        let recorder: &'static DebuggingRecorder = Box::leak(Box::default());
        Self { snapshotter: recorder.snapshotter(), _guard: metrics::set_default_local_recorder(recorder) }
    }

    fn series(&self) -> BTreeMap<Series, DebugValue> {
        let seen = self.snapshotter.snapshot().into_vec().into_iter().map(|(key, _, _, value)| {
            let mut labels: Vec<String> =
                key.key().labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
            labels.sort();
            ((key.key().name().to_owned(), labels), value)
        });
        seen.collect()
    }

    /// Publishes, and tells what one series has come to.
    fn after(&self, cache: &Cache<Text>, name: &str, labels: &[&str]) -> f64 {
        cache.publish_metrics();
        let mut labels: Vec<String> = labels.iter().map(|&label| label.to_owned()).collect();
        labels.push("cache=default".to_owned());
        labels.sort();
        let series = self.series();
        match series.get(&(name.to_owned(), labels.clone())) {
            Some(DebugValue::Counter(count)) => *count as f64,
            Some(DebugValue::Gauge(value)) => value.0,
            Some(DebugValue::Histogram(values)) => values.iter().map(|value| value.0).sum(),
            None => panic!("no {name} with {labels:?} among {series:#?}"),
        }
    }
}

fn kind(value: &DebugValue) -> &'static str {
    match value {
        DebugValue::Counter(_) => "counter",
        DebugValue::Gauge(_) => "gauge",
        DebugValue::Histogram(_) => "histogram",
    }
}

/// The rows of the table: name, kind and the names of the labels.
fn listed() -> BTreeSet<(String, String, Vec<String>)> {
    let rows = include_str!("../../docs/metrics.md").lines().filter(|line| line.starts_with("| `cachekit_"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let code = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        let mut labels = code(cells[3]);
        labels.sort();
        (code(cells[1]).remove(0), cells[2].to_owned(), labels)
    })
    .collect()
}

fn policies() -> Resilience {
    Resilience::none()
        .with(Deadline::new(Duration::from_secs(10)).unwrap())
        .with(Retry::builder().with_attempts(2).with_first_wait(Duration::from_millis(1)).build().unwrap())
        .with(CircuitBreaker::builder().with_in_a_row(4).build().unwrap())
        .with(AttemptTimeout::new(Duration::from_secs(1)).unwrap())
}

/// A cache over a backend that does as it is told, with nothing kept in L1 for longer than the clock stands still.
fn cache(backend: &Scripted, clock: &ManualClock) -> (Cache<Text>, Namespace<u64>) {
    let cache: Cache<Text> =
        Cache::builder().backend(backend.clone()).resilience(policies()).clock(clock.clone()).build().unwrap();
    let numbers = cache.namespace::<u64>("numbers").ttl(Ttl::secs(60)).open().unwrap();
    (cache, numbers)
}

async fn load(numbers: &Namespace<u64>, key: u64) -> u64 {
    *numbers.get_or_load(key, || ready(Ok::<u64, Infallible>(key))).await.unwrap()
}

/// Something of everything that is counted.
async fn scenario(told: &Told) -> Cache<Text> {
    let (backend, clock) = (Scripted::new(), ManualClock::new());
    let (cache, numbers) = cache(&backend, &clock);
    load(&numbers, 1).await;
    load(&numbers, 1).await;
    numbers.get_or_load(2, || ready(Err::<u64, _>("failed"))).await.unwrap_err();
    // An attempt that is cut short and made again, failures until the breaker opens, and calls that it refuses.
    backend.wait(Call::Get, Duration::from_secs(2));
    load(&numbers, 3).await;
    backend.recover();
    backend.fall_ill();
    for key in 4..8 {
        load(&numbers, key).await;
    }
    assert!(matches!(numbers.invalidate(1).await, Invalidation::Pending));
    assert_eq!(told.after(&cache, "cachekit_repairs_pending", &[]), 1.0);
    cache
}

#[tokio::test(start_paused = true)]
async fn what_is_published_is_what_the_page_lists() {
    let told = Told::begin();
    let cache = scenario(&told).await;
    cache.publish_metrics();
    let seen: BTreeSet<_> = told
        .series()
        .into_iter()
        .map(|((name, labels), value)| {
            let keys = labels.iter().map(|label| label.split_once('=').unwrap().0.to_owned()).collect();
            (name, kind(&value).to_owned(), keys)
        })
        .collect();
    let listed = listed();
    let missing: Vec<_> = listed.difference(&seen).collect();
    let unlisted: Vec<_> = seen.difference(&listed).collect();
    assert!(
        missing.is_empty() && unlisted.is_empty(),
        "listed, not seen: {missing:#?}; seen, not listed: {unlisted:#?}"
    );
    assert_eq!(listed.len(), 20, "a row that is not read is not held");
}

#[tokio::test(start_paused = true)]
async fn lookups_and_loads_are_told_by_outcome() {
    let told = Told::begin();
    let (backend, clock) = (Scripted::new(), ManualClock::new());
    let (cache, numbers) = cache(&backend, &clock);
    let of = "namespace=numbers";
    let lookups = |layer, outcome| told.after(&cache, "cachekit_lookups_total", &[of, layer, outcome]);
    assert_eq!(lookups("layer=l1", "outcome=hit"), 0.0, "there before anything happens");
    load(&numbers, 1).await;
    for _ in 0..5 {
        load(&numbers, 1).await;
    }
    numbers.get(2).await.unwrap();
    clock.advance(Duration::from_secs(40)); // past `l1_ttl`, within the life
    load(&numbers, 1).await;
    assert_eq!(lookups("layer=l1", "outcome=hit"), 5.0);
    assert_eq!(lookups("layer=backend", "outcome=hit"), 1.0);
    assert_eq!(lookups("layer=none", "outcome=miss"), 2.0);
    assert_eq!(told.after(&cache, "cachekit_stores_total", &[of]), 1.0);

    let slow = || async {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        Err::<u64, _>("failed")
    };
    let (first, second) = tokio::join!(numbers.get_or_load(3, slow), numbers.get_or_load(3, slow));
    assert!(first.is_err() && second.is_err());
    assert_eq!(told.after(&cache, "cachekit_load_seconds", &[of, "outcome=failed"]), 1.5);
    assert_eq!(told.after(&cache, "cachekit_loads_total", &[of, "outcome=failed"]), 1.0);
    assert_eq!(told.after(&cache, "cachekit_loads_total", &[of, "outcome=ok"]), 1.0);
    assert_eq!(told.after(&cache, "cachekit_waits_total", &[of]), 1.0);

    let given_up = numbers.get_or_load(4, pending::<Result<u64, Infallible>>);
    assert!(tokio::time::timeout(Duration::from_secs(1), given_up).await.is_err());
    assert_eq!(told.after(&cache, "cachekit_loads_total", &[of, "outcome=failed"]), 1.0);
    assert_eq!(numbers.stats().loads, 3);

    assert_eq!(told.after(&cache, "cachekit_l1_entries", &[]), 1.0);
    assert_eq!(told.after(&cache, "cachekit_l1_bytes", &[]), cache.status().l1_bytes as f64);
    assert_eq!(told.after(&cache, "cachekit_l1_capacity_bytes", &[]), (100 << 20) as f64);
}

#[tokio::test(start_paused = true)]
async fn an_outage_shows_in_the_figures_and_in_the_status() {
    let told = Told::begin();
    let (backend, clock) = (Scripted::new(), ManualClock::new());
    let (cache, numbers) = cache(&backend, &clock);
    let of = "backend=scripted";
    let state = |state| told.after(&cache, "cachekit_breaker_state", &[of, state]);
    assert_eq!((state("state=closed"), state("state=open")), (1.0, 0.0));

    // One attempt over its time, the next in time.
    backend.recover();
    let parked = backend.park(Call::Get, When::Before);
    load(&numbers, 1).await;
    drop(parked);
    assert_eq!(told.after(&cache, "cachekit_cut_short_total", &[of, "code=E064"]), 1.0);
    assert_eq!(told.after(&cache, "cachekit_retries_total", &[of]), 1.0);
    assert_eq!(told.after(&cache, "cachekit_degraded", &[of]), 0.0);

    backend.fall_ill();
    for key in 2..10 {
        load(&numbers, key).await;
    }
    assert_eq!((state("state=closed"), state("state=open"), state("state=half_open")), (0.0, 1.0, 0.0));
    assert_eq!(told.after(&cache, "cachekit_degraded", &[of]), 1.0);
    assert_eq!(told.after(&cache, "cachekit_breaker_openings_total", &[of]), 1.0);
    // Four failures in two calls open it; six calls are refused.
    assert_eq!(told.after(&cache, "cachekit_retries_total", &[of]), 3.0);
    assert_eq!(told.after(&cache, "cachekit_refusals_total", &[of, "code=E030"]), 6.0);
    assert_eq!(told.after(&cache, "cachekit_errors_total", &["namespace=numbers", "code=E030"]), 6.0);
    assert_eq!(told.after(&cache, "cachekit_errors_total", &["namespace=numbers", "code=E065"]), 2.0);
    let counts = cache.status().counts;
    assert_eq!((counts.retries, counts.openings), (3, 1));
    assert_eq!((counts.refused, counts.cut), (vec![(ErrorCode::E030, 6)], vec![(ErrorCode::E064, 1)]));

    assert!(matches!(numbers.invalidate(1).await, Invalidation::Pending));
    backend.recover();
    clock.advance(Duration::from_secs(60));
    tokio::time::sleep(Duration::from_secs(10)).await;
    load(&numbers, 20).await;
    load(&numbers, 21).await;
    assert_eq!((state("state=closed"), state("state=open")), (1.0, 0.0));
    assert_eq!(told.after(&cache, "cachekit_repairs_pending", &[]), 0.0);
    assert_eq!(told.after(&cache, "cachekit_repairs_total", &[]), 1.0);
    assert_eq!((cache.status().repairs, cache.status().pending_repairs), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn older_values_and_refreshes_are_told() {
    let told = Told::begin();
    let (backend, clock) = (Scripted::new(), ManualClock::new());
    let (cache, _) = cache(&backend, &clock);
    let kept: Namespace<u64> =
        cache.namespace("kept").ttl(Ttl::secs(10)).stale_for(Duration::from_secs(60)).open().unwrap();
    load(&kept, 1).await;
    clock.advance(Duration::from_secs(11));
    kept.get_or_load(1, || ready(Err::<u64, _>("failed"))).await.unwrap();
    assert_eq!(told.after(&cache, "cachekit_stale_serves_total", &["namespace=kept"]), 1.0);
    let fresh: Namespace<u64, OwnedLoads> =
        cache.namespace("fresh").ttl(Ttl::secs(20)).refresh_after(Duration::from_secs(5)).open().unwrap();
    for _ in 0..2 {
        fresh.get_or_spawn(1, || ready(Ok::<u64, Infallible>(1))).await.unwrap();
        clock.advance(Duration::from_secs(6));
    }
    assert_eq!(told.after(&cache, "cachekit_refreshes_total", &["namespace=fresh"]), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_recorder_that_comes_late_is_found() {
    let (backend, clock) = (Scripted::new(), ManualClock::new());
    let (cache, numbers) = cache(&backend, &clock);
    load(&numbers, 1).await;
    cache.publish_metrics(); // to nobody
    let told = Told::begin();
    numbers
        .get_or_load(2, || async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            Ok::<u64, Infallible>(2)
        })
        .await
        .unwrap();
    assert_eq!(told.after(&cache, "cachekit_load_seconds", &["namespace=numbers", "outcome=ok"]), 2.0);
    assert_eq!(told.after(&cache, "cachekit_loads_total", &["namespace=numbers", "outcome=ok"]), 2.0);
}

#[tokio::test(start_paused = true)]
async fn labels_hold_neither_keys_nor_tenants() {
    let told = Told::begin();
    let cache: Cache<Text> = Cache::builder().backend(Scripted::new()).build().unwrap();
    let names = cache.namespace::<String>("names").per_tenant().open().unwrap();
    let of_tenant = names.tenant("acme").unwrap();
    of_tenant.get_or_load("alice", || ready(Ok::<_, Infallible>("bob".to_owned()))).await.unwrap();
    cache.publish_metrics();
    let all = format!("{:?}", told.series());
    assert!(all.contains("namespace=names"));
    for secret in ["acme", "alice", "bob"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}

#[tokio::test(start_paused = true)]
async fn caches_with_names_do_not_disturb_each_other() {
    let told = Told::begin();
    for (name, entries) in [("one", 1), ("two", 2)] {
        let cache: Cache<Text> = Cache::builder().name(name).build().unwrap();
        assert_eq!(cache.name(), name);
        let numbers = cache.namespace::<u64>("numbers").open().unwrap();
        for key in 0..entries {
            load(&numbers, key).await;
        }
        cache.publish_metrics();
    }
    let series = told.series();
    for (cache, entries) in [("cache=one", 1.0), ("cache=two", 2.0)] {
        let labels = vec![cache.to_owned()];
        let found = series.get(&("cachekit_l1_entries".to_owned(), labels)).unwrap();
        assert!(matches!(found, DebugValue::Gauge(value) if value.0 == entries), "{found:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn publishing_in_the_background_ends_with_the_cache() {
    let told = Told::begin();
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = alive();
    let (cache, numbers) = cache(&Scripted::new(), &ManualClock::new());
    let hits = || match told.series().get(&(
        "cachekit_lookups_total".to_owned(),
        ["cache=default", "layer=l1", "namespace=numbers", "outcome=hit"].map(str::to_owned).to_vec(),
    )) {
        Some(DebugValue::Counter(count)) => *count,
        _ => 0,
    };
    assert_eq!(cache.publish_metrics_every(Duration::ZERO).unwrap_err().code(), ErrorCode::E044);
    cache.publish_metrics_every(Duration::from_secs(10)).unwrap();
    load(&numbers, 1).await;
    load(&numbers, 1).await;
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(hits(), 1);
    load(&numbers, 1).await;
    assert!(cache.close(Duration::from_secs(1)).await, "what publishes ends when the cache closes");
    assert_eq!(hits(), 2, "the last figures are told too");
    assert_eq!(cache.publish_metrics_every(Duration::from_secs(10)).unwrap_err().code(), ErrorCode::E036);

    let dropped: Cache<Text> = Cache::builder().build().unwrap();
    dropped.publish_metrics_every(Duration::from_secs(10)).unwrap();
    tokio::task::yield_now().await;
    drop(dropped);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(alive(), before, "publishing does not keep a cache alive");
}
