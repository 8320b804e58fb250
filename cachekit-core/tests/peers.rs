//! Weaknesses that were found in others, shown absent. More of them stand where they belong: `p4_…` and `p12_…` among
//! the loads, `p13_…` among the coherence tests.

#![cfg(not(feature = "_shuttle"))] // a real runtime

mod common;

use std::convert::Infallible;
use std::time::Duration;

use cachekit_core::{Cache, Namespace, Resilience};
use common::Text;
use common::scripted::{Call, Scripted};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

const MS: Duration = Duration::from_millis(1);

/// The budget of L1 is in bytes: entries of any size stay within it.
#[tokio::test]
async fn p21_l1_is_bounded_in_bytes_and_not_in_entries() {
    for size in [0, 100, 10_000, 200_000] {
        let cache: Cache<Text> =
            Cache::builder().backend(Scripted::new()).resilience(Resilience::none()).l1_bytes(8 << 20).build().unwrap();
        let texts = cache.namespace::<String>("texts").open().unwrap();
        for key in 0..200_u64 {
            texts.set(key, "x".repeat(size)).await.unwrap();
        }
        let status = cache.status();
        assert!(status.l1_bytes <= 8 << 20, "{size}: {status}");
        assert!(status.l1_entries > 0 && status.l1_bytes as usize >= status.l1_entries * size, "{size}: {status}");
    }
}

/// What is not encoded weighs what it is said to.
#[tokio::test]
async fn p21_local_values_weigh_what_the_weigher_says() {
    let cache: Cache<Text> = Cache::builder().l1_bytes(8 << 20).build().unwrap();
    let texts = cache.local::<String>("texts").weigher(|text| text.len() as u64).open().unwrap();
    for key in 0..200_u64 {
        texts.set(key, "x".repeat(200_000)).await.unwrap();
    }
    let status = cache.status();
    assert!(status.l1_bytes <= 8 << 20 && status.l1_bytes >= status.l1_entries as u64 * 200_000, "{status}");
}

/// Thousands of keys in flight at once take as long as one, and none of them is looked at on behalf of another.
#[tokio::test(start_paused = true)]
async fn p22_thousands_of_keys_in_flight_take_one_round_trip() {
    let backend = Scripted::new();
    backend.wait(Call::Get, 10 * MS);
    let cache: Cache<Text> = Cache::builder().backend(backend.clone()).resilience(Resilience::none()).build().unwrap();
    let numbers: Namespace<u64> = cache.namespace("numbers").open().unwrap();
    let began = Instant::now();
    let most = async {
        sleep(5 * MS).await;
        cache.status().keys_in_motion
    };
    let (answers, most) = tokio::join!(join_all((0..8_000_u64).map(|key| numbers.get(key))), most);
    assert!(answers.into_iter().all(|answer| answer.unwrap().is_none()));
    assert_eq!((most, backend.count(Call::Get)), (8_000, 8_000));
    assert!(began.elapsed() <= 12 * MS, "{:?}", began.elapsed());
    assert_eq!(cache.status().keys_in_motion, 0);
}

/// However many ask for a load in a task, there is one task per key.
#[tokio::test(start_paused = true)]
async fn p23_loads_in_tasks_are_one_task_per_key() {
    let cache: Cache<Text> = Cache::builder().backend(Scripted::new()).resilience(Resilience::none()).build().unwrap();
    let numbers: Namespace<u64> = cache.namespace("numbers").open().unwrap();
    let load = || async {
        sleep(20 * MS).await;
        Ok::<u64, Infallible>(1)
    };
    let callers = join_all((0..1_000_u64).map(|caller| numbers.get_or_spawn(caller % 2, load)));
    let most = async {
        sleep(10 * MS).await;
        tokio::runtime::Handle::current().metrics().num_alive_tasks()
    };
    let (values, most) = tokio::join!(callers, most);
    assert!(values.into_iter().all(|value| *value.unwrap() == 1));
    assert_eq!(most, 2);
    assert_eq!(cache.stats().loads, 2);
}
