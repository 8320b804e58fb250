//! People are told about trouble once, not once per call.

#![cfg(not(feature = "_shuttle"))] // a real runtime
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

mod common;

use std::convert::Infallible;
use std::future::ready;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cachekit_core::{
    Backend, BackendFault, Cache, Entry, Error, ErrorCode, Key, ManualClock, Namespace, Resilience, SetOptions, Ttl,
};
use common::Text;
use common::scripted::{Call, Scripted, When};
use tracing::{Event, Level, Metadata, Subscriber, span};

/// Takes down the levels of the events that are told at information level and above.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Vec<Level>>>);

impl Told {
    fn take(&self) -> Vec<Level> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Subscriber for Told {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        span::Id::from_u64(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        if *event.metadata().level() <= Level::INFO {
            self.0.lock().unwrap().push(*event.metadata().level());
        }
    }

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

async fn call_often(numbers: &Namespace<u64>) {
    for number in 0..50 {
        numbers.get_or_load(number, || ready(Ok::<u64, Infallible>(1))).await.unwrap();
        let _ = numbers.get(number + 100).await;
        let _ = numbers.get_many(&[number + 100, number + 200]).await;
        let _ = numbers.set(number + 300, 1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_one_warning_and_its_end_one_event() {
    let told = Told::default();
    let _guard = tracing::subscriber::set_default(told.clone());
    let (backend, clock) = (Scripted::new(), ManualClock::new());
    let cache: Cache<Text> =
        Cache::builder().backend(backend.clone()).resilience(Resilience::none()).clock(clock.clone()).build().unwrap();
    let numbers = cache.namespace::<u64>("numbers").open().unwrap();
    call_often(&numbers).await;
    assert!(told.take().is_empty());
    assert!(!cache.status().degraded);

    backend.fall_ill();
    numbers.clear().await.unwrap_err();
    call_often(&numbers).await;
    assert_eq!(told.take(), [Level::WARN]);
    assert!(cache.status().degraded);
    assert_eq!(cache.status().last_error.unwrap().code(), ErrorCode::E065);

    backend.recover();
    call_often(&numbers).await;
    assert_eq!(told.take(), [Level::INFO]);
    assert!(!cache.status().degraded);

    // One that comes and goes is not told each time; one that comes later is.
    backend.fall_ill();
    call_often(&numbers).await;
    assert!(told.take().is_empty());
    backend.recover();
    call_often(&numbers).await;
    told.take();
    clock.advance(Duration::from_secs(61));
    backend.fall_ill();
    numbers.get(1_000).await.unwrap_err();
    assert_eq!(told.take(), [Level::WARN]);
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_cannot_be_read_is_one_warning_a_minute() {
    let told = Told::default();
    let _guard = tracing::subscriber::set_default(told.clone());
    let (backend, clock) = (Scripted::new(), ManualClock::new());
    let cache: Cache<Text> =
        Cache::builder().backend(backend.clone()).resilience(Resilience::none()).clock(clock.clone()).build().unwrap();
    let numbers = cache.namespace::<u64>("numbers").open().unwrap();
    for key in ["numbers:1", "numbers:2"] {
        let foreign = Bytes::from_static(b"foreign");
        backend.memory().set(&Key::new(key).unwrap(), foreign, &SetOptions::new(Ttl::Never)).await.unwrap();
    }
    for _ in 0..10 {
        numbers.get(1).await.unwrap_err();
        numbers.get(2).await.unwrap_err();
    }
    assert_eq!(told.take(), [Level::WARN; 2]);
    clock.advance(Duration::from_secs(60));
    numbers.get(1).await.unwrap_err();
    assert_eq!(told.take(), [Level::WARN]);
    assert!(!cache.status().degraded, "the backend is well");
}

/// Every call of the backend fails with `error`, or none does.
#[derive(Clone, Debug, Default)]
struct Failing(Arc<Mutex<Option<Error>>>, Arc<AtomicU64>);

impl Failing {
    fn with(&self, error: impl Into<Option<Error>>) {
        *self.0.lock().unwrap() = error.into();
    }

    fn answer<R>(&self, answer: R) -> cachekit_core::Result<R> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.lock().unwrap().clone().map_or(Ok(answer), Err)
    }
}

#[async_trait]
impl Backend for Failing {
    fn name(&self) -> &str {
        "failing"
    }

    async fn get(&self, _key: &Key) -> cachekit_core::Result<Option<Entry>> {
        self.answer(None)
    }

    async fn set(&self, _key: &Key, _value: Bytes, _options: &SetOptions) -> cachekit_core::Result<()> {
        self.answer(())
    }

    async fn delete(&self, _key: &Key) -> cachekit_core::Result<()> {
        self.answer(())
    }
}

/// A namespace over a backend that is told how to fail, and what was told of it.
fn told() -> (Told, tracing::subscriber::DefaultGuard, Failing, ManualClock, Namespace<u64>) {
    let (told, failing, clock) = (Told::default(), Failing::default(), ManualClock::new());
    let guard = tracing::subscriber::set_default(told.clone());
    let cache: Cache<Text> =
        Cache::builder().backend(failing.clone()).resilience(Resilience::none()).clock(clock.clone()).build().unwrap();
    (told, guard, failing, clock, cache.namespace("numbers").open().unwrap())
}

fn refused() -> Error {
    Error::new(ErrorCode::E030, "the breaker is open")
}

fn down() -> Error {
    Error::backend("failing", BackendFault::Unreachable, "down")
}

async fn get(numbers: &Namespace<u64>, times: u64) {
    for number in 0..times {
        let _ = numbers.get(number).await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_opening_of_a_breaker_is_one_warning() {
    let (told, _guard, failing, clock, numbers) = told();
    failing.with(down());
    get(&numbers, 10).await;
    failing.with(refused());
    get(&numbers, 100).await;
    assert_eq!(told.take(), [Level::WARN], "the stretch has told it");
    for _ in 0..3 {
        clock.advance(Duration::from_secs(60));
        failing.with(down());
        get(&numbers, 2).await;
        assert!(told.take().is_empty(), "a probe that fails is no opening yet");
        failing.with(refused());
        get(&numbers, 100).await;
        assert_eq!(told.take(), [Level::WARN]);
    }
    failing.with(None);
    get(&numbers, 1).await;
    assert_eq!(told.take(), [Level::INFO]);

    // Within a minute of the last warning: the failures are not told, the opening is.
    failing.with(down());
    get(&numbers, 10).await;
    assert!(told.take().is_empty());
    failing.with(refused());
    get(&numbers, 10).await;
    assert_eq!(told.take(), [Level::WARN]);

    // Opened without a failure that was seen here.
    failing.with(None);
    get(&numbers, 1).await;
    clock.advance(Duration::from_secs(2));
    failing.with(refused());
    get(&numbers, 10).await;
    assert_eq!(told.take(), [Level::INFO, Level::WARN]);
}

#[tokio::test(start_paused = true)]
async fn calls_that_set_out_before_the_breaker_opened_are_no_probes() {
    let (told, backend) = (Told::default(), Scripted::new());
    let _guard = tracing::subscriber::set_default(told.clone());
    backend.fail_with(Call::GetMany, refused());
    let parked = backend.park(Call::Get, When::Before);
    backend.fail(Call::Get, When::Before, usize::MAX);
    let cache: Cache<Text> = Cache::builder()
        .backend(backend.clone())
        .resilience(Resilience::none())
        .clock(ManualClock::new())
        .build()
        .unwrap();
    let numbers = cache.namespace::<u64>("numbers").open().unwrap();
    let (late, ()) = tokio::join!(numbers.get(1), async {
        parked.reached().await;
        numbers.get(2).await.unwrap_err();
        numbers.get_many(&[3]).await;
        parked.open();
    });
    late.unwrap_err();
    numbers.get_many(&[3]).await;
    assert_eq!(told.take(), [Level::WARN]);
    numbers.get(4).await.unwrap_err();
    numbers.get_many(&[3]).await;
    assert_eq!(told.take(), [Level::WARN], "that one was a probe");
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_fails_every_other_call_does_not_flood() {
    let (told, _guard, failing, clock, numbers) = told();
    for _ in 0..10_000 {
        clock.advance(Duration::from_millis(9));
        failing.with(down());
        get(&numbers, 1).await;
        failing.with(None);
        get(&numbers, 1).await;
    }
    let events = told.take().len();
    assert!((2..=4).contains(&events), "{events} in 90 s");
}

#[tokio::test(start_paused = true)]
async fn a_stretch_that_begins_quietly_is_told_when_it_lasts() {
    let (told, _guard, failing, clock, numbers) = told();
    failing.with(down());
    get(&numbers, 1).await;
    failing.with(None);
    get(&numbers, 1).await;
    assert_eq!(told.take(), [Level::WARN, Level::INFO]);
    clock.advance(Duration::from_secs(10));
    failing.with(down());
    get(&numbers, 10).await;
    assert!(told.take().is_empty());
    clock.advance(Duration::from_secs(50));
    get(&numbers, 10).await;
    assert_eq!(told.take(), [Level::WARN]);
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_alert_at_once_and_once_a_second() {
    let (told, _guard, failing, clock, numbers) = told();
    failing.with(Error::backend("failing", BackendFault::Authentication, "who are you"));
    get(&numbers, 10).await;
    assert_eq!(told.take(), [Level::ERROR]);
    for _ in 0..10 {
        clock.advance(Duration::from_millis(300));
        get(&numbers, 10).await;
    }
    assert_eq!(told.take(), [Level::ERROR; 2], "three seconds, the last of which is not over");
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_is_asked_once_per_value_and_for_nothing_else() {
    let (_told, _guard, failing, _clock, numbers) = told();
    failing.with(refused());
    for number in 0..10 {
        let value = numbers.get_or_load(number, || ready(Ok::<u64, Infallible>(7))).await;
        assert_eq!(*value.unwrap(), 7);
    }
    assert_eq!(failing.1.load(Ordering::Relaxed), 10);

    let backend = Scripted::new();
    backend.fail_with(Call::Acquire, refused());
    let cache: Cache<Text> = Cache::builder().backend(backend.clone()).resilience(Resilience::none()).build().unwrap();
    let numbers = cache.namespace::<u64>("numbers").open().unwrap();
    numbers.get_or_load(1, || ready(Ok::<u64, Infallible>(7))).await.unwrap();
    let many = |keys: Vec<u64>| ready(Ok::<_, Infallible>(keys.into_iter().map(|key| (key, 7)).collect::<Vec<_>>()));
    numbers.get_or_load_many(&[2, 3], many).await.unwrap();
    numbers.touch(4, Ttl::secs(5)).await.unwrap_err();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((backend.count(Call::Get), backend.count(Call::GetMany), backend.count(Call::Acquire)), (1, 1, 4));
    assert_eq!(backend.calls(), 6, "no release of what was never asked for, no store");

    // It opens while the loader runs.
    let backend = Scripted::new();
    backend.fail_with(Call::SetFenced, refused());
    let cache: Cache<Text> = Cache::builder().backend(backend.clone()).resilience(Resilience::none()).build().unwrap();
    let numbers = cache.namespace::<u64>("numbers").open().unwrap();
    numbers.get_or_load(1, || ready(Ok::<u64, Infallible>(7))).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((backend.count(Call::Get), backend.count(Call::Acquire), backend.calls()), (1, 1, 3));

    // Without fences: a store that never left needs no repair.
    let backend = Scripted::new().unfenced();
    backend.fail_with(Call::Set, refused());
    let cache: Cache<Text> = Cache::builder().backend(backend.clone()).resilience(Resilience::none()).build().unwrap();
    let numbers = cache.namespace::<u64>("numbers").open().unwrap();
    numbers.get_or_load(1, || ready(Ok::<u64, Infallible>(7))).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((backend.count(Call::Set), backend.calls(), cache.status().pending_repairs), (1, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn repairs_wait_while_the_breaker_is_open() {
    let backend = Scripted::new();
    let cache: Cache<Text> = Cache::builder().backend(backend.clone()).resilience(Resilience::none()).build().unwrap();
    let numbers = cache.namespace::<u64>("numbers").open().unwrap();
    backend.fail_with(Call::Delete, refused());
    for number in 0..100 {
        assert!(matches!(numbers.invalidate(number).await, cachekit_core::Invalidation::Pending));
    }
    let before = backend.count(Call::Delete);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let asked = backend.count(Call::Delete) - before;
    assert!((10..=200).contains(&asked), "{asked} in a minute");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(backend.count(Call::Delete) - before - asked <= 13, "one every five seconds");
    backend.recover();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(cache.status().pending_repairs, 0);
}
