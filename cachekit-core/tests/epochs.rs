//! More deletes fail than can be remembered: then no entry is believed that may be one of theirs.

#![cfg(not(feature = "_shuttle"))] // a real runtime
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

mod common;

use std::convert::Infallible;
use std::time::Duration;

use cachekit_core::entry::Header;
use cachekit_core::{
    Backend, Cache, Error, ErrorCode, Format, Invalidation, Key, ManualClock, MemoryBackend, Namespace, Resilience,
    Result, Serializer, Ttl,
};
use common::Text;
use common::scripted::{Call, Scripted};

const SECOND: Duration = Duration::from_secs(1);
const L1_TTL: Duration = Duration::from_secs(30);
/// How many deletes are remembered.
const MOST: u64 = 100_000;

fn cache(backend: &Scripted, clock: &ManualClock) -> Cache<Text> {
    let builder = Cache::builder().backend(backend.clone()).resilience(Resilience::none());
    builder.clock(clock.clone()).l1_ttl(L1_TTL).build().unwrap()
}

fn open(backend: &Scripted, clock: &ManualClock) -> (Cache<Text>, Namespace<u64>) {
    let cache = cache(backend, clock);
    let numbers = cache.namespace("n").ttl(Ttl::Never).open().unwrap();
    (cache, numbers)
}

fn backend(clock: &ManualClock) -> Scripted {
    Scripted::over(&MemoryBackend::builder().clock(clock.clone()).build().unwrap()).unfenced()
}

fn down() -> Error {
    Error::backend("scripted", cachekit_core::BackendFault::Unreachable, "down")
}

async fn load(numbers: &Namespace<u64>, key: u64, value: u64) -> u64 {
    *numbers.get_or_load(key, async || Ok::<_, Infallible>(value)).await.unwrap()
}

/// As many deletes fail as are remembered, and then that of `key`.
async fn forget_a_delete(backend: &Scripted, numbers: &Namespace<u64>, key: u64) -> Invalidation {
    backend.fall_ill();
    for other in 1_000..1_000 + MOST {
        assert!(matches!(numbers.invalidate(other).await, Invalidation::Pending));
    }
    numbers.invalidate(key).await
}

#[tokio::test(start_paused = true)]
async fn where_the_backend_counts_no_process_believes_what_was_to_be_deleted() {
    let clock = ManualClock::new();
    let backend = backend(&clock).counting();
    let (cache, ours) = open(&backend, &clock);
    let (_theirs, theirs) = open(&backend, &clock);
    ours.set(1, 10).await.unwrap();
    ours.set(2, 20).await.unwrap();
    assert_eq!(theirs.get(1).await.unwrap().as_deref(), Some(&10));
    assert_eq!(backend.count(Call::Epoch), 0, "nobody asks at once");

    assert!(matches!(forget_a_delete(&backend, &ours, 1).await, Invalidation::Pending));
    // The answer comes back too soon: the backend is there again, but the epoch cannot be raised yet.
    backend.recover();
    backend.fail_with(Call::Advance, down());
    backend.fail_with(Call::DeleteMany, down());
    assert_eq!(ours.get(1).await.unwrap(), None, "not believed here, before anything else is done");
    assert_eq!(ours.get(2).await.unwrap().as_deref(), Some(&20), "a copy of our own, which no delete has met");
    backend.recover();
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(cache.status().pending_repairs, 0);

    let key = Key::new("n:2").unwrap();
    assert_eq!(ours.get(2).await.unwrap(), None, "of an earlier epoch");
    ours.set(2, 23).await.unwrap();
    let entry = backend.memory().get(&key).await.unwrap().unwrap();
    assert_eq!(Header::decode(&entry.value, &key).unwrap().header.epoch, 1);
    assert!(backend.memory().get(&Key::new("n:1").unwrap()).await.unwrap().is_some(), "it is still there");
    assert_eq!(load(&ours, 1, 11).await, 11, "and overwritten");

    // The other process learns of it within `l1_ttl`, by asking in the background: a look-up stays one call.
    clock.advance(L1_TTL);
    let before = backend.calls();
    let _ = theirs.get(9).await.unwrap();
    assert_eq!(backend.calls(), before + 1);
    tokio::time::sleep(SECOND).await;
    assert_eq!(backend.count(Call::Epoch), 1);
    assert_eq!(theirs.get(1).await.unwrap().as_deref(), Some(&11));
    let _ = theirs.get(9).await.unwrap();
    tokio::time::sleep(SECOND).await;
    assert_eq!(backend.count(Call::Epoch), 1, "and not again before the time is over");
}

#[tokio::test(start_paused = true)]
async fn an_entry_of_a_later_epoch_makes_a_process_ask_and_give_up_its_copies() {
    let clock = ManualClock::new();
    let backend = backend(&clock).counting();
    let (_cache, theirs) = open(&backend, &clock);
    theirs.set(1, 10).await.unwrap();
    theirs.set(2, 20).await.unwrap();
    let prefix = cachekit_core::KeyPrefix::new("n:").unwrap();
    assert_eq!(cachekit_core::Counting::advance(backend.memory(), &prefix).await.unwrap(), 1);
    // A process that begins now learns of it a while after its first look.
    let (_cache, ours) = open(&backend, &clock);
    assert_eq!(ours.get(1).await.unwrap().as_deref(), Some(&10));
    clock.advance(L1_TTL);
    let _ = ours.get(9).await.unwrap();
    tokio::time::sleep(SECOND).await;
    assert_eq!(ours.get(1).await.unwrap(), None);
    ours.set(3, 30).await.unwrap();

    // The other meets that entry, which is believed, and asks at its next look.
    let asked = backend.count(Call::Epoch);
    theirs.set(2, 20).await.unwrap();
    assert_eq!(theirs.get(3).await.unwrap().as_deref(), Some(&30));
    let _ = theirs.get(9).await.unwrap();
    tokio::time::sleep(SECOND).await;
    assert_eq!(backend.count(Call::Epoch), asked + 1);
    assert_eq!(theirs.peek(2), None, "a copy of what is not believed any more");
    assert_eq!(theirs.get(2).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn where_it_does_not_count_this_process_believes_nothing_that_is_older() {
    let clock = ManualClock::new();
    let backend = backend(&clock);
    let (_cache, ours) = open(&backend, &clock);
    let (_cache, theirs) = open(&backend, &clock);
    ours.set(1, 10).await.unwrap();
    match forget_a_delete(&backend, &ours, 1).await {
        Invalidation::Failed(error) => assert_eq!(error.code(), ErrorCode::E065),
        other => panic!("{other:?}"),
    }
    backend.recover();
    tokio::time::sleep(60 * SECOND).await;
    clock.advance(L1_TTL);
    assert_eq!(ours.get(1).await.unwrap(), None);
    assert_eq!(theirs.get(1).await.unwrap().as_deref(), Some(&10), "as is documented");
    assert_eq!(load(&ours, 1, 11).await, 11);
    clock.advance(L1_TTL);
    assert_eq!(ours.get(1).await.unwrap().as_deref(), Some(&11), "what is newer is believed");
}

/// Decimal text, with a document for none.
#[derive(Debug)]
struct Sparse;

impl Serializer<u64> for Sparse {
    fn format(&self) -> Format {
        Format::new(202, "sparse decimal")
    }

    fn serialize(&self, value: &u64, bytes: &mut Vec<u8>) -> Result<()> {
        Text.serialize(value, bytes)
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<u64> {
        Text.deserialize(bytes)
    }

    fn absent(&self) -> Option<&'static [u8]> {
        Some(b"-")
    }
}

#[tokio::test(start_paused = true)]
async fn in_the_interop_layout_no_entry_is_believed_any_more_and_nobody_counts() {
    let clock = ManualClock::new();
    let backend = backend(&clock).counting();
    let open =
        |cache: &Cache<Text>| cache.namespace("n").serializer(Sparse).interop("op").ttl(Ttl::Never).open().unwrap();
    let digits = |number: u64| format!("{number:064x}");
    let (cache, elsewhere) = (cache(&backend, &clock), cache(&backend, &clock));
    let (ours, theirs): (Namespace<u64>, Namespace<u64>) = (open(&cache), open(&elsewhere));
    ours.set(digits(1), 10).await.unwrap();
    assert_eq!(theirs.get(digits(1)).await.unwrap().as_deref(), Some(&10));
    backend.fall_ill();
    for other in 1_000..1_000 + MOST {
        assert!(matches!(ours.invalidate(digits(other)).await, Invalidation::Pending));
    }
    assert!(matches!(ours.invalidate(digits(1)).await, Invalidation::Failed(_)), "others do not learn of it");
    backend.recover();
    tokio::time::sleep(60 * SECOND).await;
    clock.advance(L1_TTL);
    assert_eq!(ours.get(digits(1)).await.unwrap(), None);
    assert_eq!(theirs.get(digits(1)).await.unwrap().as_deref(), Some(&10), "as is documented");
    let loaded = ours.get_or_load(digits(1), async || Ok::<_, Infallible>(11)).await.unwrap();
    assert_eq!(*loaded, 11);
    assert_eq!(ours.peek(digits(1)).as_deref(), Some(&11), "a copy of our own");
    clock.advance(L1_TTL);
    assert_eq!(ours.get(digits(1)).await.unwrap(), None, "whether it is newer cannot be seen");
    assert_eq!((backend.count(Call::Epoch), backend.count(Call::Advance)), (0, 0));
}
