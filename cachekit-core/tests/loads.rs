//! Loads: once however many ask, whatever becomes of callers, loaders and backends.

mod common;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cachekit_core::{Cache, MemoryBackend};
use common::Text;

#[tokio::test(start_paused = true)]
async fn a_thousand_cold_callers_cost_one_load() {
    let cache: Cache<Text> = Cache::builder().backend(MemoryBackend::new()).build().unwrap();
    let numbers = cache.namespace::<u64>("numbers").open().unwrap();
    let loads = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..1_000)
        .map(|_| {
            let (numbers, loads) = (numbers.clone(), Arc::clone(&loads));
            tokio::spawn(async move {
                let load = || async {
                    loads.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    Ok::<u64, Infallible>(42)
                };
                *numbers.get_or_load("answer", load).await.unwrap()
            })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), 42);
    }
    assert_eq!(loads.load(Ordering::SeqCst), 1);
    assert_eq!(cache.status().keys_in_motion, 0);
}
