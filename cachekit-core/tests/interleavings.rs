//! Interleavings of threads, explored by shuttle: `cargo test -p cachekit-core --features _shuttle --test
//! interleavings`. Each model has 3,000 schedules, or as many as the variable `SCHEDULES` says.
//!
//! Values stay in L1, or go to a backend that lets others run before and after each step, so that nothing needs a
//! runtime or its timers: waiters then wait without a time limit, and a lost wake-up is a deadlock, which shuttle
//! reports.

#![cfg(feature = "_shuttle")]
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

mod common;
#[path = "interleavings/policies.rs"]
mod policies;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cachekit_core::{
    Backend, Cache, Entry, Key, ManualClock, MemoryBackend, Namespace, Resilience, Result, SetOptions, Ttl,
};
use common::Text;
use common::by_hand::give_up_after;
use shuttle::future::{block_on, yield_now};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner, thread};

/// How many threads meet where the number does not matter.
const CROWD: usize = 3;

/// Explores two schedules at random for each one that is picked so that rare orders of few steps come up (PCT).
fn explore(model: impl Fn() + Send + Sync + Clone + 'static) {
    let schedules = std::env::var("SCHEDULES").map_or(3_000, |schedules| schedules.parse().unwrap());
    // The futures of unoptimized builds need more than the stacks that shuttle gives its threads.
    let mut config = Config::new();
    config.stack_size = 1 << 20;
    Runner::new(RandomScheduler::new(schedules - schedules / 3), config.clone()).run(model.clone());
    Runner::new(PctScheduler::new(3, schedules / 3), config).run(model);
}

/// The truth that the cache holds copies of. Versions only grow.
#[derive(Clone, Default)]
struct Truth {
    version: Arc<AtomicU64>,
    /// The version from which on nothing older may be seen any more.
    acknowledged: Arc<AtomicU64>,
    loading: Arc<AtomicUsize>,
    loads: Arc<AtomicUsize>,
}

impl Truth {
    /// Reads the truth, and takes its time to tell.
    async fn load(&self) -> Result<u64, Infallible> {
        struct Loading<'a>(&'a AtomicUsize);
        impl Drop for Loading<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        self.loading.fetch_add(1, Ordering::SeqCst);
        let _loading = Loading(&self.loading);
        self.loads.fetch_add(1, Ordering::SeqCst);
        let version = self.version.load(Ordering::SeqCst);
        yield_now().await;
        yield_now().await;
        Ok(version)
    }

    /// Changes the truth and then takes its copy away.
    async fn change(&self, copies: &Namespace<u64>) {
        let version = self.version.fetch_add(1, Ordering::SeqCst) + 1;
        thread::yield_now();
        copies.delete(1).await.unwrap();
        self.acknowledged.fetch_max(version, Ordering::SeqCst);
    }

    /// Looks up in every way that there is. Nothing that was acknowledged before may be unknown.
    async fn look(&self, copies: &Namespace<u64>) {
        let floor = self.acknowledged.load(Ordering::SeqCst);
        let seen = copies.peek(1);
        assert!(seen.is_none_or(|seen| *seen >= floor), "a copy of an older version");
        let floor = self.acknowledged.load(Ordering::SeqCst);
        let seen = copies.get(1).await.unwrap();
        assert!(seen.is_none_or(|seen| *seen >= floor), "an older version was read");
        let floor = self.acknowledged.load(Ordering::SeqCst);
        let seen = copies.get_or_load(1, || self.load()).await.unwrap();
        assert!(*seen >= floor, "an older version was loaded");
    }
}

fn local() -> (Cache<Text>, Namespace<u64>) {
    let cache: Cache<Text> = Cache::builder().build().unwrap();
    let namespace = cache.local("n").open().unwrap();
    (cache, namespace)
}

fn join(threads: Vec<thread::JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn one_leads_and_the_others_wait() {
    explore(|| {
        let ((cache, copies), truth) = (local(), Truth::default());
        let threads = (0..3).map(|_| {
            let (copies, truth) = (copies.clone(), truth.clone());
            thread::spawn(move || {
                let load = || async {
                    assert_eq!(truth.loading.load(Ordering::SeqCst), 0, "two leaders at once");
                    truth.load().await
                };
                block_on(copies.get_or_load(1, load)).unwrap();
                assert!(copies.peek(1).is_some(), "who was served finds the value in L1");
            })
        });
        join(threads.collect());
        assert_eq!(truth.loads.load(Ordering::SeqCst), 1);
        assert_eq!(cache.status().keys_in_motion, 0);
    });
}

#[test]
fn nothing_older_is_seen_after_a_write_was_acknowledged() {
    explore(|| {
        let ((cache, copies), truth) = (local(), Truth::default());
        let mut threads = Vec::new();
        for writes in [true, true, false, false] {
            let (copies, truth) = (copies.clone(), truth.clone());
            threads.push(thread::spawn(move || {
                block_on(async {
                    if writes {
                        truth.change(&copies).await;
                    }
                    truth.look(&copies).await;
                });
            }));
        }
        join(threads);
        block_on(truth.look(&copies));
        assert_eq!(cache.status().keys_in_motion, 0);
    });
}

#[test]
fn a_value_that_was_set_is_not_replaced_by_one_that_was_being_loaded() {
    explore(|| {
        let ((cache, copies), truth) = (local(), Truth::default());
        let loader = {
            let (copies, truth) = (copies.clone(), truth.clone());
            thread::spawn(move || drop(block_on(copies.get_or_load(1, || truth.load())).unwrap()))
        };
        let clearer = {
            let copies = copies.clone();
            thread::spawn(move || block_on(copies.clear()).unwrap())
        };
        truth.version.store(7, Ordering::SeqCst);
        block_on(copies.set(1, 7)).unwrap();
        let seen = copies.peek(1);
        assert!(seen.is_none_or(|seen| *seen == 7));
        join(vec![loader, clearer]);
        assert!(copies.peek(1).is_none_or(|seen| *seen == 7));
        assert_eq!(cache.status().keys_in_motion, 0);
    });
}

#[test]
fn leaders_that_are_dropped_are_succeeded() {
    explore(|| {
        let ((cache, copies), truth) = (local(), Truth::default());
        let mut threads = Vec::new();
        for polls in [Some(1), Some(2), None, None] {
            let (copies, truth) = (copies.clone(), truth.clone());
            threads.push(thread::spawn(move || {
                let load = copies.get_or_load(1, || truth.load());
                match polls {
                    Some(polls) => drop(block_on(give_up_after(polls, load))),
                    None => drop(block_on(load).unwrap()),
                }
            }));
        }
        join(threads);
        assert_eq!(truth.loading.load(Ordering::SeqCst), 0);
        assert_eq!(cache.status().keys_in_motion, 0);
    });
}

#[test]
fn batches_that_overlap_do_not_wait_for_each_other_for_ever() {
    explore(|| {
        let (cache, copies) = local();
        let threads = [[1, 2, 3], [3, 2, 1], [2, 1, 3]].map(|keys: [u64; 3]| {
            let copies = copies.clone();
            thread::spawn(move || {
                let load = |keys: Vec<u64>| async move {
                    yield_now().await;
                    Ok::<_, Infallible>(keys.into_iter().map(|key| (key, key * 10)).collect::<Vec<_>>())
                };
                let values = block_on(copies.get_or_load_many(&keys, load)).unwrap();
                assert!(keys.iter().zip(values).all(|(key, value)| *value.unwrap() == key * 10));
            })
        });
        join(threads.into());
        assert_eq!(cache.status().keys_in_motion, 0);
    });
}

/// A backend without fences that lets others run before and after each step.
#[derive(Debug)]
struct Yielding(MemoryBackend);

#[async_trait]
impl Backend for Yielding {
    fn name(&self) -> &str {
        "yielding"
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        yield_now().await;
        let found = self.0.get(key).await;
        yield_now().await;
        found
    }

    async fn set(&self, key: &Key, value: Bytes, options: &SetOptions) -> Result<()> {
        yield_now().await;
        let stored = self.0.set(key, value, options).await;
        yield_now().await;
        stored
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        yield_now().await;
        let deleted = self.0.delete(key).await;
        yield_now().await;
        deleted
    }
}

#[test]
fn nothing_older_is_read_from_a_backend_without_fences_after_a_write_was_acknowledged() {
    for l1_bytes in [1, 1 << 20] {
        explore(move || {
            let backend = Yielding(MemoryBackend::new());
            let cache: Cache<Text> =
                Cache::builder().backend(backend).resilience(Resilience::none()).l1_bytes(l1_bytes).build().unwrap();
            let (copies, truth) = (cache.namespace::<u64>("n").open().unwrap(), Truth::default());
            let mut threads = Vec::new();
            for writes in [true, false, false] {
                let (copies, truth) = (copies.clone(), truth.clone());
                threads.push(thread::spawn(move || {
                    block_on(async {
                        if writes {
                            truth.change(&copies).await;
                        }
                        truth.look(&copies).await;
                    });
                }));
            }
            join(threads);
            assert_eq!(cache.status().keys_in_motion, 0);
        });
    }
}

#[test]
fn what_was_taken_away_is_not_served_in_hard_times() {
    explore(|| {
        let clock = ManualClock::new();
        let cache: Cache<Text> = Cache::builder().clock(clock.clone()).build().unwrap();
        let copies = cache.local("n").ttl(Ttl::secs(1)).stale_for(Duration::from_secs(9)).open().unwrap();
        block_on(copies.set(1, 1)).unwrap();
        clock.advance(Duration::from_secs(1));
        let gone = Arc::new(AtomicU64::new(0));
        let mut threads = Vec::new();
        for deletes in [true, false, false] {
            let (copies, gone) = (copies.clone(), Arc::clone(&gone));
            threads.push(thread::spawn(move || {
                block_on(async {
                    if deletes {
                        copies.expire(1).await.unwrap();
                        copies.delete(1).await.unwrap();
                        gone.store(1, Ordering::SeqCst);
                    }
                    let was_gone = gone.load(Ordering::SeqCst) == 1;
                    let load = async || {
                        yield_now().await;
                        Err::<u64, _>("no answer")
                    };
                    let served = copies.get_or_load(1, load).await;
                    assert!(!was_gone || served.is_err(), "served after it was deleted");
                    assert!(copies.peek(1).is_none(), "stale, and not for a mere look-up");
                });
            }));
        }
        join(threads);
        assert_eq!(cache.status().keys_in_motion, 0);
    });
}
