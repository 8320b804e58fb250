//! People are told about trouble once, not once per call.

#![cfg(not(feature = "_shuttle"))] // a real runtime
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

mod common;

use std::convert::Infallible;
use std::future::ready;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use cachekit_core::{Backend, Cache, ErrorCode, Key, ManualClock, Namespace, Resilience, SetOptions, Ttl};
use common::Text;
use common::scripted::Scripted;
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
