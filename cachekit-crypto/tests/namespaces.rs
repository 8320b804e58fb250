//! Namespaces that are encrypted with real keys: what is stored and kept opens while keys rotate, and moves nowhere.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cachekit_core::{
    Backend, Cache, ErrorCode, Key, KeyRing, MasterKey, MemoryBackend, Namespace, NamespaceBuilder, SetOptions, Ttl,
};
use cachekit_crypto::Keys;
use cachekit_serde::MessagePack;
use cachekit_testkit::fakes::FakeKeyProvider;

fn names(store: &MemoryBackend, keys: &Keys) -> NamespaceBuilder<String> {
    let cache = Cache::<MessagePack>::builder().backend(store.connect()).build().unwrap();
    cache.namespace("names").encrypt(keys.encryption())
}

fn fixed(byte: u8) -> Keys {
    Keys::fixed(&KeyRing::new(MasterKey::new(&[byte; 32]).unwrap()))
}

async fn load(names: &Namespace<String>, key: u64) -> String {
    String::clone(&*names.get_or_load(key, || ready(Ok::<_, Infallible>("lost".to_owned()))).await.unwrap())
}

/// Four tasks read and write, two through one L1 and two that begin with an empty one again and again, while the ring
/// rotates through new keys that keep the three before them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rotation_with_three_earlier_keys_under_load_loses_no_read() {
    let fake = FakeKeyProvider::new();
    let keys = Keys::new(fake.clone()).await.unwrap();
    let store = MemoryBackend::new();
    let shared = names(&store, &keys).open().unwrap();
    for key in 0..8 {
        shared.set(key, format!("name {key}")).await.unwrap();
    }
    let (done, turns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let task = |n: u32| {
        let (done, turns, keys, store) = (Arc::clone(&done), Arc::clone(&turns), keys.clone(), store.clone());
        let shared = shared.clone();
        async move {
            while !done.load(Ordering::SeqCst) {
                let own = if n < 2 { shared.clone() } else { names(&store, &keys).open().unwrap() };
                for key in 0..8 {
                    assert_eq!(load(&own, key).await, format!("name {key}"));
                }
                if n == 0 {
                    own.set(0, "name 0".to_owned()).await.unwrap();
                }
                turns.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
            assert_eq!(shared.stats().errors, 0);
        }
    };
    let tasks: Vec<_> = (0..4).map(|n| tokio::spawn(task(n))).collect();
    for _ in 0..KeyRing::MAX_PREVIOUS {
        let before = turns.load(Ordering::SeqCst);
        while turns.load(Ordering::SeqCst) < before + 20 {
            tokio::task::yield_now().await;
        }
        fake.rotate();
        assert!(keys.refresh().await.unwrap());
    }
    done.store(true, Ordering::SeqCst);
    for task in tasks {
        task.await.unwrap();
    }
    assert!(keys.uses()[3].opened > 0, "the first key is still needed");
    assert_eq!((load(&shared, 1).await, shared.stats().errors), ("name 1".to_owned(), 0));
}

#[tokio::test]
async fn an_entry_opens_in_its_place_alone_and_with_its_key_alone() {
    let (store, keys) = (MemoryBackend::new(), fixed(1));
    let options = SetOptions::new(Ttl::secs(60));
    names(&store, &keys).open().unwrap().set(1, "Ada".to_owned()).await.unwrap();
    let bytes = store.get(&Key::new("names:1").unwrap()).await.unwrap().unwrap().value;
    assert!(!bytes.windows(3).any(|part| part == b"Ada"));

    store.set(&Key::new("names:2").unwrap(), bytes.clone(), &options).await.unwrap();
    let moved = names(&store, &keys).open().unwrap().get(2).await.unwrap_err();
    assert_eq!(moved.code(), ErrorCode::E003);
    store.set(&Key::new("t:acme:names:1").unwrap(), bytes.clone(), &options).await.unwrap();
    let tenants = names(&store, &keys).per_tenant().open().unwrap();
    assert_eq!(tenants.tenant("acme").unwrap().get(1).await.unwrap_err().code(), ErrorCode::E003);

    // A stranger's key: a miss that is left in place. The stranger's own, put there under our key's name: refused.
    let stranger = names(&store, &fixed(2)).open().unwrap();
    assert_eq!((stranger.get(1).await.unwrap(), load(&stranger, 1).await), (None, "lost".to_owned()));
    assert_eq!(store.get(&Key::new("names:1").unwrap()).await.unwrap().unwrap().value, bytes);
    stranger.set(3, "forged".to_owned()).await.unwrap();
    let forged = store.get(&Key::new("names:3").unwrap()).await.unwrap().unwrap().value;
    let ours = keys.uses()[0].fingerprint;
    let theirs = fixed(2).uses()[0].fingerprint;
    let at = forged.windows(16).position(|part| part == theirs).unwrap();
    let mut forged = forged.to_vec();
    forged[at..at + 16].copy_from_slice(&ours);
    store.set(&Key::new("names:3").unwrap(), forged.into(), &options).await.unwrap();
    let closed = names(&store, &keys).encryption_fail_closed(true).open().unwrap();
    let refused = closed.get_or_load(3, || ready(Ok::<_, Infallible>("ours".to_owned()))).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::E003));
}

/// Values of each length come back through L1 and through the store, and what a full key cannot seal is not stored.
#[tokio::test]
async fn values_of_each_length_come_back_and_a_spent_key_stores_nothing() {
    let (store, keys) = (MemoryBackend::new(), fixed(1));
    let names = names(&store, &keys).open().unwrap();
    for length in [0, 1, 100, 1_000, 70_000] {
        let value = "x".repeat(length);
        names.set(length as u64, value.clone()).await.unwrap();
        for reader in [&names, &self::names(&store, &keys).open().unwrap()] {
            assert_eq!(*reader.get(length as u64).await.unwrap().unwrap(), value);
        }
    }
    let spent = Keys::builder().seal_limit(0).fixed(&KeyRing::new(MasterKey::new(&[1; 32]).unwrap()));
    let spent = self::names(&store, &spent).open().unwrap();
    assert_eq!(spent.set(7, "Ada".to_owned()).await.unwrap_err().code(), ErrorCode::E006);
    assert_eq!((load(&spent, 7).await, spent.peek(7)), ("lost".to_owned(), None));
    assert!(store.get(&Key::new("names:7").unwrap()).await.unwrap().is_none());
    assert_eq!(*spent.get(0).await.unwrap().unwrap(), "", "it still opens");
}
