//! Who queues is served in order, and nobody is forgotten.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cachekit_core::{
    Backend, ConcurrencyLimit, Entry, ErrorCode, Key, Resilience, ResilientBackend, Result, SetOptions,
};
use cachekit_testkit::faults::Rule;
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::common::{Diary, Turnstile, driven, key, memory};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn callers_are_served_in_the_order_in_which_they_came() {
    let turnstile = Turnstile::new(60 * SECOND);
    let backend = driven(&memory().inject(Rule::delay(SECOND)), Resilience::none().with_shared(turnstile.clone()));
    let (diary, began) = (Diary::default(), Instant::now());
    join_all((0..5).map(|at| {
        let (backend, diary) = (&backend, diary.clone());
        async move {
            backend.get(&key("a")).await.unwrap();
            diary.write(format!("{at} after {:?}", began.elapsed()));
        }
    }))
    .await;
    assert_eq!(diary.read(), ["0 after 1s", "1 after 2s", "2 after 3s", "3 after 4s", "4 after 5s"]);
    assert_eq!((turnstile.state(), turnstile.ended()), ((false, 0), (5, 0)));
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_is_refused_and_the_others_go_on() {
    let turnstile = Turnstile::new(3 * SECOND);
    let backend = driven(&memory().inject(Rule::delay(2 * SECOND)), Resilience::none().with_shared(turnstile.clone()));
    let began = Instant::now();
    let answers = join_all((0..4).map(|_| async {
        let code = backend.get(&key("a")).await.err().map(|error| error.code());
        (code, began.elapsed())
    }))
    .await;
    let shed = Some(ErrorCode::E032);
    assert_eq!(answers, [(None, 2 * SECOND), (None, 4 * SECOND), (shed, 3 * SECOND), (shed, 3 * SECOND)]);
    assert_eq!((turnstile.state(), turnstile.ended()), ((false, 0), (2, 0)));
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_makes_way() {
    let turnstile = Turnstile::new(60 * SECOND);
    let backend = driven(&memory().inject(Rule::delay(2 * SECOND)), Resilience::none().with_shared(turnstile.clone()));
    let a = key("a");
    let (first, second, third) = tokio::join!(backend.get(&a), tokio::time::timeout(SECOND, backend.get(&a)), async {
        let began = Instant::now();
        backend.get(&a).await.unwrap();
        began.elapsed()
    });
    assert!(first.is_ok() && second.is_err());
    assert_eq!(third, 4 * SECOND);
    assert_eq!((turnstile.state(), turnstile.ended()), ((false, 0), (2, 1)));
}

#[tokio::test(start_paused = true)]
async fn who_is_dropped_in_mid_call_makes_way() {
    let turnstile = Turnstile::new(60 * SECOND);
    let faults = memory().inject(Rule::never_answers().next(1));
    let backend = driven(&faults, Resilience::none().with_shared(turnstile.clone()));
    let a = key("a");
    let (first, second) = tokio::join!(tokio::time::timeout(SECOND, backend.get(&a)), async {
        let began = Instant::now();
        backend.get(&a).await.unwrap();
        began.elapsed()
    });
    assert!(first.is_err());
    assert_eq!((second, turnstile.state(), turnstile.ended()), (SECOND, (false, 0), (2, 0)));
}

/// Who has been woken and is dropped before it looks hands the turn on.
#[tokio::test(start_paused = true)]
async fn a_turn_is_not_lost_with_who_was_woken() {
    let turnstile = Turnstile::new(60 * SECOND);
    let faults = memory().inject(Rule::delay(SECOND));
    let backend = driven(&faults, Resilience::none().with_shared(turnstile.clone()));
    let (a, began) = (key("a"), Instant::now());
    let mut first = Box::pin(backend.get(&a));
    let mut second = Box::pin(backend.get(&a));
    let mut third = Box::pin(backend.get(&a));
    for future in [&mut first, &mut second, &mut third] {
        assert!(futures_util::poll!(future).is_pending());
    }
    first.await.unwrap();
    drop(second);
    third.await.unwrap();
    assert_eq!(began.elapsed(), 2 * SECOND, "woken, and not only when its patience was over");
    assert_eq!((turnstile.state(), turnstile.ended()), ((false, 0), (2, 1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wake_up_is_lost_between_threads() {
    let turnstile = Turnstile::new(600 * SECOND);
    let backend = Arc::new(driven(&memory(), Resilience::none().with_shared(turnstile.clone())));
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let backend = Arc::clone(&backend);
            tokio::spawn(async move {
                for _ in 0..2_000 {
                    backend.get(&key("a")).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!((turnstile.state(), turnstile.ended()), ((false, 0), (16_000, 0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_limit_loses_no_wake_up_between_threads() {
    // One place; and several shares of places, fewer than there are callers.
    for (at_once, callers, calls) in [(1, 8, 2_000), (32, 64, 500)] {
        let limit = ConcurrencyLimit::builder(at_once).with_queue(64).with_wait(600 * SECOND).build().unwrap();
        let limit = Arc::new(limit);
        let resilience = Resilience::none().with_shared(limit.clone());
        let backend = Arc::new(ResilientBackend::new(Arc::new(Yields), resilience));
        let call_often = || {
            let backend = Arc::clone(&backend);
            tokio::spawn(async move {
                for _ in 0..calls {
                    backend.get(&key("a")).await.unwrap();
                }
            })
        };
        let tasks: Vec<_> = (0..callers).map(|_| call_often()).collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!((limit.under_way(), limit.waiting()), (0, 0));
    }
}

/// Lets others run before it answers.
#[derive(Debug)]
struct Yields;

#[async_trait]
impl Backend for Yields {
    fn name(&self) -> &str {
        "yields"
    }

    async fn get(&self, _: &Key) -> Result<Option<Entry>> {
        tokio::task::yield_now().await;
        Ok(None)
    }

    async fn set(&self, _: &Key, _: Bytes, _: &SetOptions) -> Result<()> {
        Ok(())
    }

    async fn delete(&self, _: &Key) -> Result<()> {
        Ok(())
    }
}
