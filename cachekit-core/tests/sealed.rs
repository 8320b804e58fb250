//! Encrypted namespaces: L1 keeps what is stored and nothing in the clear, keys rotate, and who wants to be told of what
//! does not authenticate is told.

#![cfg(not(feature = "_shuttle"))] // a real runtime
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

mod common;

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cachekit_core::{
    Backend, Cache, CacheBuilder, Error, ErrorCode, Format, Key, LoadError, ManualClock, Namespace, NamespaceBuilder,
    Resilience, Result, Serializer, SetOptions, Ttl,
};
use common::Text;
use common::by_hand::ByHand;
use common::lock::Lock;
use common::scripted::{Call, Scripted, When};

const LIFE: Duration = Duration::from_secs(60);

/// A text that is counted for as long as it is anywhere in the clear.
#[derive(Debug)]
struct Secret(String);

static ALIVE: AtomicUsize = AtomicUsize::new(0);

impl Secret {
    fn new(text: &str) -> Self {
        ALIVE.fetch_add(1, Ordering::SeqCst);
        Self(text.to_owned())
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Serializer<Secret> for Secrets {
    fn format(&self) -> Format {
        Format::new(200, "text")
    }

    fn serialize(&self, value: &Secret, bytes: &mut Vec<u8>) -> Result<()> {
        bytes.extend_from_slice(value.0.as_bytes());
        Ok(())
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<Secret> {
        let text = std::str::from_utf8(bytes).map_err(|_| Error::new(ErrorCode::E021, "not UTF-8"))?;
        Ok(Secret::new(text))
    }
}

#[derive(Debug, Default)]
struct Secrets;

fn builder<F>(backend: Option<&Scripted>) -> CacheBuilder<F> {
    let builder = Cache::builder();
    match backend {
        Some(backend) => builder.backend(backend.clone()).resilience(Resilience::none()),
        None => builder,
    }
}

fn numbers(backend: &Scripted, lock: &Lock) -> NamespaceBuilder<u64> {
    builder::<Text>(Some(backend)).build().unwrap().namespace("numbers").encrypt(lock.clone())
}

fn stored_key(key: u64) -> Key {
    Key::new(&format!("numbers:{key}")).unwrap()
}

async fn stored(backend: &Scripted, key: u64) -> Option<Bytes> {
    backend.memory().get(&stored_key(key)).await.unwrap().map(|entry| entry.value)
}

/// Turns a bit of the last byte around, which the tag is made of.
async fn tamper(backend: &Scripted, key: u64) -> Bytes {
    let mut bytes = stored(backend, key).await.unwrap().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    let options = SetOptions::new(Ttl::secs(300));
    backend.memory().set(&stored_key(key), bytes.clone().into(), &options).await.unwrap();
    bytes.into()
}

async fn value(namespace: &Namespace<u64>, key: u64) -> Option<u64> {
    namespace.get(key).await.unwrap().as_deref().copied()
}

async fn load(namespace: &Namespace<u64>, key: u64, value: u64) -> u64 {
    *namespace.get_or_load(key, || ready(Ok::<u64, Infallible>(value))).await.unwrap()
}

async fn refused(namespace: &Namespace<u64>, key: u64, code: ErrorCode) {
    let loaded = namespace.get_or_load(key, async || -> Result<u64, Infallible> { panic!("not to be run") }).await;
    assert_eq!(loaded.unwrap_err().code(), Some(code));
}

#[tokio::test(start_paused = true)]
async fn a_hit_in_l1_opens_the_entry_anew_and_asks_nobody() {
    for backend in [Scripted::new(), Scripted::new().unfenced()] {
        let lock = Lock::new(&[1]);
        let numbers = numbers(&backend, &lock).open().unwrap();
        numbers.set(1, 10).await.unwrap();
        assert_eq!(load(&numbers, 2, 20).await, 20);
        let (asked, opened) = (backend.calls(), lock.opened());
        for _ in 0..3 {
            assert_eq!((value(&numbers, 1).await, load(&numbers, 2, 0).await), (Some(10), 20));
        }
        let (one, other) = (numbers.peek(1).unwrap(), numbers.peek(1).unwrap());
        assert!(!Arc::ptr_eq(&one, &other), "what one holds is not kept for others");
        let many = numbers.get_or_load_many(&[1, 2], |_| ready(Ok::<_, Infallible>([(1, 0)]))).await.unwrap();
        assert_eq!(many.iter().map(|value| value.as_deref().copied()).collect::<Vec<_>>(), [Some(10), Some(20)]);
        assert_eq!(numbers.get_many(&[2]).await.remove(0).unwrap().as_deref(), Some(&20));
        assert_eq!(backend.calls(), asked);
        assert_eq!(lock.opened(), opened + 11);
        assert_eq!(numbers.stats().errors, 0);
    }
}

/// Whatever is done, and also of what is kept for hard times: once nobody holds a value, there is none in the clear.
#[tokio::test(start_paused = true)]
async fn nothing_stays_in_the_clear() {
    for backend in [None, Some(Scripted::new()), Some(Scripted::new().unfenced())] {
        let clock = ManualClock::new();
        let cache = builder::<Secrets>(backend.as_ref()).clock(clock.clone()).build().unwrap();
        let none_alive = |after: &str| assert_eq!(ALIVE.load(Ordering::SeqCst), 0, "after {after}, over {backend:?}");
        let secrets = cache.namespace::<Secret>("secrets").encrypt(Lock::new(&[1]));
        let secrets = secrets.ttl(Ttl::secs(60)).stale_for(LIFE).open().unwrap();

        secrets.set(1, Secret::new("Ada")).await.unwrap();
        none_alive("set");
        assert_eq!(secrets.get(1).await.unwrap().unwrap().0, "Ada");
        none_alive("get");
        assert_eq!(secrets.get_or_load(2, || ready(Ok::<_, Infallible>(Secret::new("Bob")))).await.unwrap().0, "Bob");
        none_alive("load");
        let spawned = secrets.get_or_spawn(3, || ready(Ok::<_, Infallible>(Secret::new("Eve")))).await;
        assert_eq!(spawned.unwrap().0, "Eve");
        tokio::task::yield_now().await;
        none_alive("a load in a task");
        assert!(secrets.touch(1, Ttl::secs(60)).await.unwrap());
        none_alive("touch");
        secrets.expire(2).await.unwrap();
        assert!(secrets.get(2).await.unwrap().is_none());
        none_alive("expire");

        clock.advance(LIFE + Duration::from_secs(1));
        let stale = secrets.get_or_load(1, || ready(Err::<Secret, _>("no"))).await.unwrap();
        assert_eq!(stale.0, "Ada");
        drop(stale);
        none_alive("something stale");
        let many = secrets.get_or_load_many(&[1], |_| ready(Err::<[(u64, Secret); 0], _>("no"))).await.unwrap();
        assert_eq!(many[0].as_ref().unwrap().0, "Ada");
        drop(many);
        none_alive("many that are stale");
        assert!(secrets.get_or_load(2, || ready(Err::<Secret, _>("no"))).await.is_err());
        assert_eq!((cache.status().keys_in_motion, cache.stats().errors), (0, 0));
        assert!(cache.status().l1_entries > 0, "they are kept all the same");
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_in_l1_weighs_what_it_is_long() {
    let lock = Lock::new(&[1]);
    let backend = Scripted::new();
    let cache = builder::<Text>(Some(&backend)).build().unwrap();
    let texts = cache.namespace::<String>("texts").encrypt(lock).weigher(|_| 1 << 40).open().unwrap();
    texts.set(1, "x".repeat(1000)).await.unwrap();
    let stored = backend.memory().get(&Key::new("texts:1").unwrap()).await.unwrap().unwrap().value.len();
    assert!(stored > 1000);
    assert_eq!(cache.status().l1_bytes, (stored + "texts:1".len() + 128) as u64);
}

#[tokio::test(start_paused = true)]
async fn an_entry_of_a_key_that_is_not_at_hand_is_a_miss_and_left_in_place() {
    for (backend, closed) in [(Scripted::new(), false), (Scripted::new().unfenced(), true)] {
        let (old, new) = (Lock::new(&[1]), Lock::new(&[2, 1]));
        let ours = numbers(&backend, &old).encryption_fail_closed(closed).open().unwrap();
        let theirs = numbers(&backend, &new).open().unwrap();
        theirs.set(1, 20).await.unwrap();
        let sealed = stored(&backend, 1).await.unwrap();
        assert_eq!((value(&ours, 1).await, ours.peek(1)), (None, None));
        assert_eq!(load(&ours, 1, 10).await, 10);
        assert_eq!(ours.peek(1).as_deref(), Some(&10), "what was loaded is kept here");
        let fresh = || numbers(&backend, &old).encryption_fail_closed(closed).open().unwrap();
        let many = fresh().get_or_load_many(&[1], |_| ready(Ok::<_, Infallible>([(1, 10)]))).await.unwrap();
        assert_eq!(many[0].as_deref(), Some(&10));
        let spawned = fresh().get_or_spawn(1, || ready(Ok::<_, Infallible>(10))).await.unwrap();
        assert_eq!(*spawned, 10);
        assert_eq!(fresh().get_many(&[1]).await.remove(0).unwrap(), None);
        assert!(!ours.touch(1, Ttl::secs(5)).await.unwrap());
        assert_eq!(stored(&backend, 1).await.unwrap(), sealed, "left in place");
        assert!(ours.stats().errors >= 3, "and counted: {:?}", ours.stats());
        // The key arrives, and the entry opens.
        old.rotate(&[1, 2]);
        assert_eq!(value(&numbers(&backend, &old).open().unwrap(), 1).await, Some(20));
        // A write that is meant goes through all the same.
        ours.set(1, 11).await.unwrap();
        assert_eq!(value(&numbers(&backend, &new).open().unwrap(), 1).await, Some(11));
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_in_l1_whose_key_has_left_the_ring_is_dropped_and_the_look_up_goes_on() {
    for backend in [Some(Scripted::new()), None] {
        for closed in [false, true] {
            let lock = Lock::new(&[1]);
            let cache = builder::<Text>(backend.as_ref()).build().unwrap();
            let builder = cache.namespace::<u64>("numbers").encrypt(lock.clone()).encryption_fail_closed(closed);
            let numbers = builder.open().unwrap();
            for key in 1..=5 {
                numbers.set(key, 10).await.unwrap();
            }
            lock.rotate(&[2, 1]);
            assert_eq!(value(&numbers, 1).await, Some(10), "an earlier key opens");
            lock.rotate(&[2]);
            assert_eq!(numbers.peek(1), None);
            assert_eq!(value(&numbers, 2).await, None);
            assert_eq!(load(&numbers, 3, 30).await, 30);
            let many = numbers.get_or_load_many(&[4], |_| ready(Ok::<_, Infallible>([(4, 40)]))).await.unwrap();
            assert_eq!(many[0].as_deref(), Some(&40));
            assert_eq!(numbers.get_many(&[5]).await.remove(0).unwrap(), None);
            assert_eq!(cache.status().l1_entries, 2, "those that were loaded");
            assert!(numbers.stats().errors >= 5);
            assert_eq!(cache.status().keys_in_motion, 0);
        }
    }
}

/// What of four readers is under way while the ring rotates three times, with three earlier keys, ends with a value.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rotation_under_load_loses_no_read() {
    let backend = Scripted::new();
    let lock = Lock::new(&[1]);
    let numbers = numbers(&backend, &lock).open().unwrap();
    for key in 0..16 {
        numbers.set(key, key).await.unwrap();
    }
    let turns = Arc::new(AtomicUsize::new(0));
    let done = Arc::new(AtomicUsize::new(0));
    let reader = |n: u64| {
        let (turns, done, ours) = (Arc::clone(&turns), Arc::clone(&done), numbers.clone());
        // Half of the readers are other processes, with an L1 of their own that they lose again and again.
        let (backend, lock) = (backend.clone(), lock.clone());
        async move {
            while done.load(Ordering::SeqCst) == 0 {
                for key in 0..16 {
                    if n.is_multiple_of(2) {
                        assert_eq!(value(&ours, key).await, Some(key));
                        ours.set(key, key).await.unwrap();
                    } else {
                        let theirs = self::numbers(&backend, &lock).open().unwrap();
                        assert_eq!(load(&theirs, key, 1000).await, key);
                    }
                }
                turns.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
        }
    };
    let readers: Vec<_> = (0..4).map(|n| tokio::spawn(reader(n))).collect();
    for ring in [&[2, 1][..], &[3, 2, 1], &[4, 3, 2, 1]] {
        let before = turns.load(Ordering::SeqCst);
        while turns.load(Ordering::SeqCst) < before + 20 {
            tokio::task::yield_now().await;
        }
        lock.rotate(ring);
    }
    done.store(1, Ordering::SeqCst);
    for reader in readers {
        reader.await.unwrap();
    }
    assert_eq!(numbers.stats().errors, 0);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_authenticate_is_overwritten_or_told_as_it_is_wanted() {
    for backend in [Scripted::new(), Scripted::new().unfenced()] {
        let lock = Lock::new(&[1]);
        let open = |closed: bool| numbers(&backend, &lock).encryption_fail_closed(closed).open().unwrap();
        let clear = builder::<Text>(Some(&Scripted::over(backend.memory()))).build().unwrap();
        let clear = clear.namespace::<u64>("numbers").open().unwrap();
        for code in [ErrorCode::E003, ErrorCode::E005] {
            clear.set(1, 10).await.unwrap();
            if code == ErrorCode::E003 {
                open(false).set(1, 10).await.unwrap();
                tamper(&backend, 1).await;
            }
            let bad = stored(&backend, 1).await.unwrap();
            let closed = open(true);
            refused(&closed, 1, code).await;
            let many = closed.get_or_load_many(&[2, 1], |_| ready(Ok::<[(u64, u64); 0], Infallible>([]))).await;
            assert_eq!(many.unwrap_err().code(), Some(code));
            let spawned = closed.get_or_spawn(1, || ready(Ok::<u64, Infallible>(11))).await;
            assert_eq!(spawned.unwrap_err().code(), Some(code));
            let optional = closed.get_or_load_optional(1, || ready(Ok::<_, Infallible>(Some(11_u64)))).await;
            assert!(matches!(optional, Err(LoadError::Cache(error)) if error.code() == code));
            assert_eq!(closed.get(1).await.unwrap_err().code(), code, "a direct read tells in any case");
            assert_eq!(stored(&backend, 1).await.unwrap(), bad, "left in place");
            assert_eq!(closed.stats().loads, 0);

            let open = open(false);
            assert_eq!(open.get(1).await.unwrap_err().code(), code);
            assert_eq!(load(&open, 1, 12).await, 12);
            assert_eq!(value(&self::numbers(&backend, &lock).open().unwrap(), 1).await, Some(12), "overwritten");
            assert_eq!(value(&closed, 1).await, Some(12));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_for_one_look_are_told_and_it_is_one_look() {
    let backend = Scripted::new();
    let lock = Lock::new(&[1]);
    numbers(&backend, &lock).open().unwrap().set(1, 10).await.unwrap();
    tamper(&backend, 1).await;
    let closed = numbers(&backend, &lock).encryption_fail_closed(true).open().unwrap();
    let _gate = backend.park(Call::Get, When::Before);
    let load = || closed.get_or_load(1, async || -> Result<u64, Infallible> { panic!("not to be run") });
    let mut callers = [ByHand::new(load()), ByHand::new(load()), ByHand::new(load())];
    for caller in &mut callers {
        assert!(caller.poll().await.is_pending());
    }
    // The leader is dropped in mid-call, and the next one leads.
    let [first, mut second, mut third] = callers;
    drop(first);
    let gate = backend.park(Call::Get, When::Before);
    assert!(second.poll().await.is_pending() && third.poll().await.is_pending());
    let mut batch = ByHand::new(closed.get_or_load_many(&[1], |_| ready(Ok::<_, Infallible>([(1, 11)]))));
    assert!(batch.poll().await.is_pending());
    gate.open();
    let ended =
        [second.poll_times(50).await, third.poll_times(50).await].map(|ended| ended.unwrap().unwrap_err().code());
    assert_eq!(ended, [Some(ErrorCode::E003); 2]);
    assert_eq!(batch.poll_times(50).await.unwrap().unwrap_err().code(), Some(ErrorCode::E003));
    assert_eq!(backend.count(Call::Get), 2, "that of who was dropped, and one for all the others");
    assert_eq!(backend.count(Call::GetMany), 0);
    assert_eq!(closed.stats().loads, 0);
}

#[tokio::test(start_paused = true)]
async fn what_another_process_put_there_meanwhile_is_judged_likewise_under_the_fence() {
    let backend = Scripted::new();
    let lock = Lock::new(&[1]);
    let writer = numbers(&Scripted::over(backend.memory()), &lock).open().unwrap();
    for many in [false, true] {
        writer.delete(1).await.unwrap();
        let closed = numbers(&backend, &lock).encryption_fail_closed(true).open().unwrap();
        let gate = backend.park(Call::Acquire, When::Before);
        let load = async {
            if many {
                closed.get_or_load_many(&[1], |_| ready(Ok::<_, Infallible>([(1, 11)]))).await.map(drop)
            } else {
                closed.get_or_load(1, || ready(Ok::<u64, Infallible>(11))).await.map(drop)
            }
        };
        let mut load = ByHand::new(load);
        assert!(load.poll().await.is_pending());
        gate.reached().await;
        writer.set(1, 10).await.unwrap();
        let bad = tamper(&backend, 1).await;
        gate.open();
        assert_eq!(load.poll_times(50).await.unwrap().unwrap_err().code(), Some(ErrorCode::E003));
        assert_eq!(stored(&backend, 1).await.unwrap(), bad);
        assert_eq!(closed.stats().loads, 0);
    }
}
