//! Every interleaving of two threads that takes at most three preemptions, by loom: `cargo test --release -p cachekit-core
//! --features _loom --test exhaustive`. The stacks that loom gives its threads are too small for unoptimized futures.
//!
//! The models of policies are those that shuttle explores at random, with more threads, in `interleavings.rs`.

#![cfg(feature = "_loom")]
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

#[path = "interleavings/policies.rs"]
mod policies;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cachekit_core::{Cache, Namespace};
use common::Text;
use common::by_hand::give_up_after;
use loom::future::block_on;
use loom::thread;

mod common;

fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.max_branches = 100_000;
    let orders = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&orders);
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let orders = orders.load(Ordering::Relaxed);
    assert!(orders > 5, "{orders} orders: the threads do not meet");
}

/// How many threads meet where the number does not matter: with each more there are many times as many orders.
const CROWD: usize = 2;

fn join(threads: Vec<thread::JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

fn local() -> (Cache<Text>, Namespace<u64>) {
    let cache: Cache<Text> = Cache::builder().build().unwrap();
    let namespace = cache.local("n").open().unwrap();
    (cache, namespace)
}

/// A load that lets others go on while it is under way.
async fn load(value: u64, loads: &AtomicUsize) -> Result<u64, Infallible> {
    loads.fetch_add(1, Ordering::SeqCst);
    thread::yield_now();
    Ok(value)
}

#[test]
fn one_leads_and_the_other_waits() {
    explore(|| {
        let ((cache, copies), loads) = (local(), Arc::new(AtomicUsize::new(0)));
        let threads = (0..2).map(|_| {
            let (copies, loads) = (copies.clone(), Arc::clone(&loads));
            thread::spawn(move || {
                assert_eq!(*block_on(copies.get_or_load(1, || load(7, &loads))).unwrap(), 7);
                assert!(copies.peek(1).is_some(), "who was served finds the value in L1");
            })
        });
        join(threads.collect());
        assert_eq!((loads.load(Ordering::SeqCst), cache.status().keys_in_motion), (1, 0));
    });
}

#[test]
fn a_value_that_was_set_is_not_replaced_by_one_that_was_being_loaded() {
    explore(|| {
        let ((cache, copies), loads) = (local(), Arc::new(AtomicUsize::new(0)));
        let loaders = (0..2).map(|_| {
            let (copies, loads) = (copies.clone(), Arc::clone(&loads));
            thread::spawn(move || drop(block_on(copies.get_or_load(1, || load(7, &loads))).unwrap()))
        });
        let loaders = loaders.collect();
        block_on(copies.set(1, 8)).unwrap();
        assert!(copies.peek(1).is_none_or(|seen| *seen == 8));
        join(loaders);
        assert!(copies.peek(1).is_none_or(|seen| *seen == 8));
        assert_eq!(cache.status().keys_in_motion, 0);
    });
}

#[test]
fn leaders_that_are_dropped_are_succeeded() {
    explore(|| {
        let ((cache, copies), loads) = (local(), Arc::new(AtomicUsize::new(0)));
        let leaver = {
            let (copies, loads) = (copies.clone(), Arc::clone(&loads));
            thread::spawn(move || {
                let load = async {
                    loads.fetch_add(1, Ordering::SeqCst);
                    std::future::pending::<Result<u64, Infallible>>().await
                };
                block_on(give_up_after(1, copies.get_or_load(1, || load)));
            })
        };
        let waiter = {
            let (copies, loads) = (copies.clone(), Arc::clone(&loads));
            thread::spawn(move || assert_eq!(*block_on(copies.get_or_load(1, || load(7, &loads))).unwrap(), 7))
        };
        join(vec![leaver, waiter]);
        assert_eq!(cache.status().keys_in_motion, 0);
    });
}
