//! Loads that wait for each other, leaders that nobody polls, leaders that never end: nobody waits for ever.

#![cfg(not(feature = "_shuttle"))] // a real runtime
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

mod common;

use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cachekit_core::{Cache, Namespace, Resilience, Ttl};
use common::Text;
use common::by_hand::ByHand;
use common::scripted::{Call, Scripted, When};
use tokio::time::{Instant, sleep};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

type Loading<'a> = Pin<Box<dyn Future<Output = u64> + Send + 'a>>;

/// The namespaces that each of these tests is run in: in L1 alone, with a backend, with fences.
fn everywhere() -> Vec<(Cache<Text>, Namespace<u64>, &'static str)> {
    let local: Cache<Text> = Cache::builder().build().unwrap();
    let over = |backend: Scripted| {
        for call in [Call::Get, Call::Set, Call::Acquire, Call::SetFenced] {
            backend.wait(call, MS);
        }
        Cache::<Text>::builder().backend(backend).resilience(Resilience::none()).build().unwrap()
    };
    let (unfenced, fenced) = (over(Scripted::new().unfenced()), over(Scripted::new()));
    vec![
        (local.clone(), local.local("n").open().unwrap(), "local"),
        (unfenced.clone(), unfenced.namespace("n").open().unwrap(), "unfenced"),
        (fenced.clone(), fenced.namespace("n").open().unwrap(), "fenced"),
    ]
}

async fn done(cache: &Cache<Text>, began: Instant, within: Duration, place: &str) {
    assert!(began.elapsed() <= within, "{place}: took {:?}", began.elapsed());
    // What was loaded in a task is still on its way to the backend.
    sleep(Duration::from_secs(1)).await;
    assert_eq!(cache.status().keys_in_motion, 0, "{place}");
}

#[tokio::test(start_paused = true)]
async fn a_load_may_ask_for_its_own_key() {
    for (cache, namespace, place) in everywhere() {
        let began = Instant::now();
        let inner = || async {
            sleep(MS).await;
            Ok::<u64, Infallible>(1)
        };
        let value = namespace
            .get_or_load(1, || async { Ok::<_, Infallible>(*namespace.get_or_load(1, inner).await.unwrap() + 1) });
        assert_eq!(*value.await.unwrap(), 2, "{place}");
        // Also when it only looks, and when it is one of many.
        let looked = namespace
            .get_or_load(2, || async { Ok::<_, Infallible>(namespace.get(2).await.unwrap().map_or(7, |_| 8)) });
        assert_eq!(*looked.await.unwrap(), 7, "{place}");
        let many = |keys: Vec<u64>| async { Ok::<_, Infallible>(keys.into_iter().map(|key| (key, key))) };
        let batch = namespace.get_or_load(3, || async {
            let values = namespace.get_or_load_many(&[2, 3, 4], many).await.unwrap();
            Ok::<u64, Infallible>(values.iter().map(|value| **value.as_ref().unwrap()).sum())
        });
        assert_eq!(*batch.await.unwrap(), 7 + 3 + 4, "{place}");
        let within = namespace.get_or_load_many(&[5, 6], |keys: Vec<u64>| {
            let namespace = &namespace;
            async move {
                let inner = *namespace.get_or_load(6, || async { Ok::<u64, Infallible>(60) }).await.unwrap();
                Ok::<_, Infallible>(keys.into_iter().map(move |key| (key, inner)))
            }
        });
        assert_eq!(within.await.unwrap()[0].as_deref(), Some(&60), "{place}");
        done(&cache, began, SECOND, place).await;
    }
}

/// A load of `at`, which asks for the key after it in a ring of `ring`, until `depth` are nested.
fn around(namespace: &Namespace<u64>, at: u64, ring: u64, depth: u64, spawn: bool) -> Loading<'static> {
    let namespace = namespace.clone();
    Box::pin(async move {
        let inside = namespace.clone();
        let load = move || async move {
            sleep(10 * MS).await;
            let next = if depth == 0 { 0 } else { around(&inside, (at + 1) % ring, ring, depth - 1, spawn).await };
            Ok::<u64, Infallible>(next + 1)
        };
        let value = if spawn { namespace.get_or_spawn(at, load).await } else { namespace.get_or_load(at, load).await };
        *value.unwrap()
    })
}

#[tokio::test(start_paused = true)]
async fn loads_that_ask_for_each_other_end() {
    for ring in 1..=4 {
        for spawn in [false, true] {
            for (cache, namespace, place) in everywhere() {
                let place = format!("{place}, {ring} in the ring, spawn: {spawn}");
                let began = Instant::now();
                let callers: Vec<_> =
                    (0..ring).map(|at| tokio::spawn(around(&namespace, at, ring, ring, spawn))).collect();
                for caller in callers {
                    assert!(caller.await.unwrap() >= 1, "{place}");
                }
                sleep(MS).await;
                done(&cache, began, SECOND, &place).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn batches_whose_loaders_ask_for_each_others_keys_end() {
    for (cache, namespace, place) in everywhere() {
        let began = Instant::now();
        let batch = |keys: [u64; 2], asks: u64| {
            let namespace = &namespace;
            async move {
                let load = |missing: Vec<u64>| async move {
                    sleep(10 * MS).await;
                    let other = namespace.get_or_load(asks, || async { Ok::<u64, Infallible>(asks) });
                    other.await.unwrap();
                    Ok::<_, Infallible>(missing.into_iter().map(|key| (key, key)).collect::<Vec<_>>())
                };
                namespace.get_or_load_many(&keys, load).await.unwrap().len()
            }
        };
        assert_eq!(tokio::join!(batch([1, 2], 3), batch([3, 4], 2)), (2, 2));
        done(&cache, began, SECOND, place).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_not_polled_again_is_replaced_within_seconds() {
    for (cache, namespace, place) in everywhere() {
        let runs = AtomicUsize::new(0);
        let load = || async {
            let run = runs.fetch_add(1, Ordering::SeqCst);
            sleep(10 * MS).await;
            Ok::<u64, Infallible>(run as u64)
        };
        // Polled until it is in the loader; what it waits for comes, and nobody looks.
        let mut shelf = Vec::new();
        let mut leader = ByHand::new(namespace.get_or_load(1, load));
        while runs.load(Ordering::SeqCst) == 0 {
            assert!(leader.poll_times(1).await.is_none());
        }
        shelf.push(leader);
        let began = Instant::now();
        let waiters: Vec<_> = (0..10).map(|_| namespace.get_or_load(1, load)).collect();
        for value in futures_util::future::join_all(waiters).await {
            assert_eq!(*value.unwrap(), 1, "{place}");
        }
        // Where there are fences, the leader holds one, and the `lock_timeout` has to pass too.
        let within = if place == "fenced" { 8 * SECOND } else { 3 * SECOND };
        assert!(began.elapsed() <= within, "{place}: took {:?}", began.elapsed());
        assert_eq!(runs.load(Ordering::SeqCst), 2, "{place}");

        // Hours later it goes on, with what is hours old: its caller gets it, and nobody else.
        sleep(3600 * SECOND).await;
        let late = shelf.pop().unwrap().poll_times(10).await.unwrap().unwrap();
        assert_eq!(*late, 0, "{place}");
        if place != "fenced" {
            assert_eq!(namespace.get(1).await.unwrap().as_deref(), Some(&1), "{place}");
        }
        assert_eq!(cache.status().keys_in_motion, 0, "{place}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_up_that_is_not_polled_again_is_replaced_within_seconds() {
    let backend = Scripted::new();
    let cache: Cache<Text> = Cache::builder().backend(backend.clone()).resilience(Resilience::none()).build().unwrap();
    let namespace = cache.namespace::<u64>("n").open().unwrap();
    let gate = backend.park(Call::Get, When::Before);
    let mut leader = ByHand::new(namespace.get(1));
    assert!(leader.poll_times(1).await.is_none());
    gate.open();
    let began = Instant::now();
    assert_eq!(namespace.get(1).await.unwrap(), None);
    assert!(began.elapsed() <= 3 * SECOND, "took {:?}", began.elapsed());
    drop(leader);
    assert_eq!(cache.status().keys_in_motion, 0);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_never_ends_is_replaced_when_patience_is() {
    for (cache, namespace, place) in everywhere() {
        let began = Instant::now();
        let stuck = tokio::spawn({
            let namespace = namespace.clone();
            async move { namespace.get_or_load(1, pending::<Result<u64, Infallible>>).await.map(|value| *value) }
        });
        sleep(10 * MS).await;
        let load = || async { Ok::<u64, Infallible>(1) };
        let later = async {
            sleep(20 * SECOND).await;
            *namespace.get_or_load(1, load).await.unwrap()
        };
        let (first, later) = tokio::join!(namespace.get_or_load(1, load), later);
        assert_eq!((*first.unwrap(), later), (1, 1), "{place}: one's patience is enough for all");
        assert!(began.elapsed() <= 40 * SECOND, "{place}: took {:?}", began.elapsed());
        assert_eq!(namespace.peek(1).as_deref(), Some(&1), "{place}");
        stuck.abort();
        assert!(stuck.await.unwrap_err().is_cancelled());
        assert_eq!(cache.status().keys_in_motion, 0, "{place}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_loader_slower_than_all_patience_still_fills_the_cache() {
    for (cache, namespace, place) in everywhere() {
        let (namespace, runs) = (namespace.with_ttl(Ttl::secs(3600)), AtomicUsize::new(0));
        let caller = |after: u64| {
            let (namespace, runs) = (&namespace, &runs);
            async move {
                sleep(Duration::from_secs(after)).await;
                let load = || async {
                    runs.fetch_add(1, Ordering::SeqCst);
                    sleep(45 * SECOND).await;
                    Ok::<u64, Infallible>(1)
                };
                namespace.get_or_load(1, load).await.unwrap();
            }
        };
        // Somebody asks all the time. The first value is served as soon as it is there.
        futures_util::future::join_all((0..200).map(caller)).await;
        let runs = runs.load(Ordering::SeqCst);
        assert!(runs <= 2, "{place}: {runs} runs");
        assert_eq!(cache.status().keys_in_motion, 0, "{place}");
    }
}

#[test]
fn waiting_needs_no_runtime() {
    let cache: Cache<Text> = Cache::builder().build().unwrap();
    let namespace = cache.local::<u64>("n").open().unwrap();
    let (open, gate) = tokio::sync::oneshot::channel::<()>();
    let value = futures_util::future::join3(
        namespace.get_or_load(1, || async {
            gate.await.unwrap();
            Ok::<u64, Infallible>(1)
        }),
        namespace.get_or_load(1, || async { Ok::<u64, Infallible>(2) }),
        async { open.send(()).unwrap() },
    );
    let (one, other, ()) = run_alone(value);
    assert_eq!((*one.unwrap(), *other.unwrap()), (1, 1));
}

/// Polls `future` for as long as it makes progress.
fn run_alone<R>(future: impl Future<Output = R>) -> R {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for _ in 0..10 {
        if let std::task::Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
    panic!("no progress")
}
