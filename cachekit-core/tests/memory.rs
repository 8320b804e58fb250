//! `MemoryBackend` through its handles: several processes, several threads, foreign code at awkward moments.

#![cfg(not(feature = "_shuttle"))] // real threads
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cachekit_core::{
    Acquired, Backend, Change, Clearable, Counting, ErrorCode, Expiring, FenceToken, Fenced, Key, KeyPrefix,
    ManualClock, MemoryBackend, Remaining, SetOptions, Ttl, Watch, Watchable, Write,
};
use futures_util::FutureExt;

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn prefix() -> KeyPrefix {
    KeyPrefix::new("users:").unwrap()
}

fn options() -> SetOptions {
    SetOptions::new(Ttl::secs(10))
}

fn value(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn on_a_clock() -> (MemoryBackend, ManualClock) {
    let clock = ManualClock::new();
    (MemoryBackend::builder().clock(clock.clone()).build().unwrap(), clock)
}

/// What is told at once, without waiting.
fn told(watch: &mut dyn Watch) -> Vec<Change> {
    std::iter::from_fn(|| watch.next().now_or_never()).map(Option::unwrap).collect()
}

#[tokio::test]
async fn handles_share_entries_fences_and_epochs_on_one_clock() {
    let (here, clock) = on_a_clock();
    let there = here.connect();
    let (one, two) = (FenceToken::from_random(1), FenceToken::from_random(2));
    here.set(&key("users:1"), value("Ada"), &options()).await.unwrap();
    clock.advance(Duration::from_secs(4));
    let entry = there.get(&key("users:1")).await.unwrap().unwrap();
    assert_eq!((&*entry.value, entry.remaining), (&b"Ada"[..], Remaining::For(Duration::from_secs(6))));
    assert!(matches!(here.acquire(&key("users:2"), &one, Duration::from_secs(1)).await, Ok(Acquired::Granted { .. })));
    assert_eq!(there.acquire(&key("users:2"), &two, Duration::from_secs(1)).await.unwrap(), Acquired::Held);
    assert_eq!(here.advance(&prefix()).await.unwrap(), 1);
    there.clear(&prefix()).await.unwrap();
    assert_eq!(there.epoch(&prefix()).await.unwrap(), 1);
    assert!(!here.set_fenced(&key("users:2"), &one, value("late"), &options()).await.unwrap());
    assert!(!here.exists(&key("users:1")).await.unwrap());
    assert!(!Expiring::renew(&here, &key("users:1"), Ttl::Never).await.unwrap());
    assert!(!Fenced::renew(&here, &key("users:2"), &one, Duration::from_secs(1)).await.unwrap());
}

#[tokio::test]
async fn a_watch_tells_what_other_handles_change() {
    let (here, _) = on_a_clock();
    let (clone, there) = (here.clone(), here.connect());
    let mut watch = here.watch(&prefix()).await.unwrap();
    clone.set(&key("users:1"), value("own"), &options()).await.unwrap();
    there.set(&key("users:2"), value("other"), &options()).await.unwrap();
    there.set_many(&[Write::new(key("users:3"), value("batch"), options())]).await.pop().unwrap().unwrap();
    there.delete_many(&[key("users:4"), key("orders:5")]).await.pop().unwrap().unwrap();
    there.clear(&prefix()).await.unwrap();
    let keys = ["users:2", "users:3", "users:4"].map(|text| Change::Key(key(text)));
    assert_eq!(told(&mut *watch), [&keys[..], &[Change::Prefix(prefix())]].concat());
}

#[tokio::test]
async fn a_dropped_next_loses_nothing_and_a_waiting_one_is_woken() {
    let (here, _) = on_a_clock();
    let there = here.connect();
    let mut watch = here.watch(&prefix()).await.unwrap();
    assert_eq!(watch.next().now_or_never(), None);
    there.delete(&key("users:1")).await.unwrap();
    drop(watch.next());
    assert_eq!(watch.next().await, Some(Change::Key(key("users:1"))));
    let waiting = tokio::spawn(async move { watch.next().await });
    tokio::task::yield_now().await;
    there.delete(&key("users:2")).await.unwrap();
    tokio::task::yield_now().await;
    assert!(waiting.is_finished(), "it was woken");
    assert_eq!(waiting.await.unwrap(), Some(Change::Key(key("users:2"))));
}

#[tokio::test]
async fn a_slow_watch_loses_sight_and_regains_it() {
    let (here, _) = on_a_clock();
    let there = here.connect();
    let mut watch = here.watch(&prefix()).await.unwrap();
    for number in 0..1_025 {
        there.delete(&key(&format!("users:{number}"))).await.unwrap();
    }
    there.delete(&key("users:last")).await.unwrap();
    let last = Change::Key(key("users:last"));
    assert_eq!(told(&mut *watch), [Change::SightLost, Change::SightRegained, last]);
}

#[tokio::test]
async fn closing_a_handle_ends_its_watches_and_no_others() {
    let (here, _) = on_a_clock();
    let (clone, there) = (here.clone(), here.connect());
    here.set(&key("users:1"), value("Ada"), &options()).await.unwrap();
    let mut ends = clone.watch(&prefix()).await.unwrap();
    let mut stays = there.watch(&prefix()).await.unwrap();
    there.delete(&key("users:9")).await.unwrap();
    let waiting = tokio::spawn(async move {
        let first = ends.next().await;
        (first, ends.next().await, ends.next().await)
    });
    tokio::task::yield_now().await;
    here.close().await;
    here.close().await;
    tokio::task::yield_now().await;
    assert!(waiting.is_finished(), "it was woken");
    assert_eq!(waiting.await.unwrap(), (Some(Change::Key(key("users:9"))), None, None));
    assert_eq!(stays.next().now_or_never(), None);
    assert!(there.exists(&key("users:1")).await.unwrap());

    let codes = [
        clone.get(&key("users:1")).await.unwrap_err(),
        clone.set(&key("users:1"), value(""), &options()).await.unwrap_err(),
        clone.watch(&prefix()).await.err().unwrap(),
        clone.health().await.unwrap_err(),
        clone.get_many(&[key("users:1")]).await.remove(0).unwrap_err(),
        clone.set_many(&[Write::new(key("users:1"), value(""), options())]).await.remove(0).unwrap_err(),
        clone.delete_many(&[key("users:1")]).await.remove(0).unwrap_err(),
    ];
    assert!(codes.iter().all(|error| error.code() == ErrorCode::E036 && error.backend_name() == Some("memory")));
    assert!(clone.connect().exists(&key("users:1")).await.unwrap());
    assert!(format!("{clone:?}").contains("closed: true"));
}

#[tokio::test]
async fn a_dropped_watch_is_forgotten() {
    let (here, _) = on_a_clock();
    let watch = here.watch(&prefix()).await.unwrap();
    assert!(format!("{here:?}").contains("watches: 1"));
    drop(watch);
    assert!(format!("{here:?}").contains("watches: 0"));
}

#[tokio::test]
async fn a_value_over_the_limit_is_refused_before_anything_changes() {
    let store = MemoryBackend::builder().max_value(4).build().unwrap();
    let (one, two) = (key("users:1"), key("users:2"));
    let token = FenceToken::from_random(1);
    store.set(&one, value("Ada"), &options()).await.unwrap();
    let _ = store.acquire(&one, &token, Duration::from_secs(9)).await.unwrap();
    let refused = [
        store.set(&one, value("Grace"), &options()).await.unwrap_err(),
        store.set_and_revoke(&one, value("Grace"), &options()).await.unwrap_err(),
        store.set_fenced(&one, &token, value("Grace"), &options()).await.unwrap_err(),
    ];
    assert!(refused.iter().all(|error| error.code() == ErrorCode::E022));
    assert_eq!(refused[0].message(), "value: expected at most 4 bytes, got 5");
    let writes = [
        Write::new(two.clone(), value("Edsger"), options()),
        Write::new(two.clone(), value("1"), options()),
        Write::new(two.clone(), value("2"), options()),
    ];
    let codes: Vec<_> =
        store.set_many(&writes).await.into_iter().map(|answer| answer.err().map(|error| error.code())).collect();
    assert_eq!(codes, [Some(ErrorCode::E022), None, None]);
    let values = store.get_many(&[two.clone(), key("users:3"), one, two]).await.into_iter();
    let values: Vec<_> = values.map(|answer| answer.unwrap().map(|entry| entry.value)).collect();
    assert_eq!(values, [Some(value("2")), None, Some(value("Ada")), Some(value("2"))]);
    assert!(
        store.set_fenced(&key("users:1"), &token, value("Alan"), &options()).await.unwrap(),
        "the fence still holds"
    );
}

#[tokio::test]
async fn a_capacity_bounds_the_bytes_and_says_what_fits() {
    let error = MemoryBackend::builder().capacity(449).build().unwrap_err();
    assert_eq!(error.code(), ErrorCode::E044);
    assert_eq!(error.message(), "capacity of the memory backend: expected at least 450 bytes, got 449");
    let store = MemoryBackend::builder().capacity(10_000).max_value(20_000).build().unwrap();
    let largest = store.limits().max_value.unwrap();
    assert_eq!(largest, 9_550);
    let longest = key(&"k".repeat(Key::MAX_LEN));
    store.set(&longest, Bytes::from(vec![0; largest]), &options()).await.unwrap();
    assert!(store.exists(&longest).await.unwrap(), "what the limit allows is kept");
    for number in 0..1_000 {
        store.set(&key(&format!("users:{number}")), Bytes::from(vec![0; 100]), &options()).await.unwrap();
    }
    let details = store.health().await.unwrap().details;
    let bytes: usize = details.iter().find(|(name, _)| *name == "bytes").unwrap().1.parse().unwrap();
    assert!((9_000..=10_000).contains(&bytes), "{bytes}");
}

#[test]
fn the_resolution_owns_up_to_a_clock_that_lags() {
    let on = |granularity| {
        let clock = ManualClock::new().with_granularity(granularity);
        MemoryBackend::builder().clock(clock).build().unwrap().limits().resolution
    };
    assert_eq!(on(Duration::ZERO), Duration::from_millis(1));
    assert_eq!(on(Duration::from_millis(4)), Duration::from_millis(9));
    assert_eq!(on(Duration::from_micros(100)), Duration::from_millis(2));
}

#[tokio::test]
async fn debug_shows_counts_and_no_content() {
    let (store, _) = on_a_clock();
    store.set(&key("users:ada-lovelace"), value("secret"), &options()).await.unwrap();
    let _ = store.acquire(&key("users:2"), &FenceToken::from_random(u128::MAX), Duration::from_secs(1)).await.unwrap();
    assert_eq!(
        format!("{store:?}"),
        "MemoryBackend { entries: 1, bytes: 224, fences: 1, watches: 0, epochs: 0, closed: false }"
    );
    assert_eq!(store.name(), "memory");
    assert_eq!(store.abilities().names(), ["fenced", "expiring", "clearable", "watchable", "counting"]);
}

/// Bytes whose owner, when dropped, asks the store that held them: under a lock that would never end.
struct Owner {
    store: MemoryBackend,
    dropped: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        b"owned"
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = format!("{:?}", self.store);
        self.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn values_are_dropped_without_the_lock() {
    let (store, clock) = on_a_clock();
    let dropped = Arc::new(AtomicUsize::new(0));
    let owned = || Bytes::from_owner(Owner { store: store.clone(), dropped: Arc::clone(&dropped) });
    let one = key("users:1");
    store.set(&one, owned(), &options()).await.unwrap();
    store.set(&one, owned(), &options()).await.unwrap();
    store.delete(&one).await.unwrap();
    store.set(&one, owned(), &options()).await.unwrap();
    store.clear(&prefix()).await.unwrap();
    store.set(&one, owned(), &options()).await.unwrap();
    clock.advance(Duration::from_secs(10));
    assert_eq!(store.get(&one).await.unwrap(), None);
    assert!(!store.set_fenced(&one, &FenceToken::from_random(1), owned(), &options()).await.unwrap());
    let closed = store.connect();
    closed.close().await;
    closed.set(&one, owned(), &options()).await.unwrap_err();
    closed.set_many(&[Write::new(one, owned(), options())]).await.remove(0).unwrap_err();
    assert_eq!(dropped.load(Ordering::SeqCst), 7);
}

/// Each value is one byte repeated, and its length says the byte again.
#[test]
fn values_are_never_torn_between_threads() {
    let store = MemoryBackend::builder().capacity(64 * 1024).build().unwrap();
    let whole = |bytes: &Bytes| bytes.iter().all(|byte| usize::from(*byte) == bytes.len());
    let seen = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4_usize {
            let (handle, seen) = (store.connect(), &seen);
            scope.spawn(move || {
                for round in 0..5_000 {
                    let key = key(&format!("users:{}", round % 8));
                    let length = (round * 7 + thread) % 256;
                    let written = Bytes::from(vec![u8::try_from(length).unwrap(); length]);
                    handle.set(&key, written, &options()).now_or_never().unwrap().unwrap();
                    if let Some(entry) = handle.get(&key).now_or_never().unwrap().unwrap() {
                        assert!(whole(&entry.value));
                        seen.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    assert_eq!(seen.into_inner(), 20_000, "nothing was lost: all fit");
}

/// Between acquiring and releasing, each thread has a plain counter to itself.
#[test]
fn fences_exclude_between_threads() {
    let (store, _) = on_a_clock();
    let inside = AtomicUsize::new(0);
    let granted = AtomicUsize::new(0);
    let lease = Duration::from_secs(1);
    std::thread::scope(|scope| {
        for thread in 0..4_u128 {
            let (handle, inside, granted) = (store.connect(), &inside, &granted);
            scope.spawn(move || {
                let (key, token) = (key("users:1"), FenceToken::from_random(thread));
                while granted.load(Ordering::SeqCst) < 2_000 {
                    if handle.acquire(&key, &token, lease).now_or_never().unwrap().unwrap() == Acquired::Held {
                        std::thread::yield_now();
                        continue;
                    }
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "somebody else holds the fence");
                    std::thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                    granted.fetch_add(1, Ordering::SeqCst);
                    assert!(handle.release(&key, &token).now_or_never().unwrap().unwrap());
                }
            });
        }
    });
    assert!(granted.into_inner() >= 2_000);
}
