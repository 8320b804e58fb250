//! What is not over in time is given up.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use cachekit_core::{
    Backend, CircuitBreaker, Entry, Error, ErrorCode, Key, ManualClock, Resilience, ResilientBackend, Result,
    SetOptions,
};
use cachekit_testkit::fakes::FakePolicy;
use cachekit_testkit::faults::{Faults, Rule};
use tokio::time::Instant;

use crate::common::{Always, Diary, Turnstile, Witness, driven, key, memory, options};

const SECOND: Duration = Duration::from_secs(1);

fn limit(name: &'static str, diary: &Diary, time: Duration, code: ErrorCode) -> Witness {
    Witness { limit: Some((time, code)), ..Witness::new(name, diary) }
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_never_answers_is_given_up_at_the_limit() {
    let diary = Diary::default();
    let stack =
        Resilience::none().with(limit("limit", &diary, SECOND, ErrorCode::E033)).with(Witness::new("inner", &diary));
    let backend = driven(&memory().inject(Rule::never_answers()), stack);
    let began = Instant::now();
    let error = backend.set(&key("a"), "1".into(), &options()).await.unwrap_err();
    assert_eq!((error.code(), began.elapsed(), error.is_unsent()), (ErrorCode::E033, SECOND, false));
    assert_eq!(error.message(), "not over within 1s");
    assert_eq!(diary.read()[2..], ["inner: E033 after 1s", "limit: E033 after 1s"]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_over_its_time_is_made_again_within_the_whole() {
    let diary = Diary::default();
    let retry = Witness { again: Some((SECOND, 9)), ..Witness::new("retry", &diary) };
    let stack = Resilience::none().with(limit("whole", &diary, 10 * SECOND, ErrorCode::E033)).with(retry).with(limit(
        "attempt",
        &diary,
        2 * SECOND,
        ErrorCode::E011,
    ));
    let faults = memory().inject(Rule::never_answers());
    let backend = driven(&faults, stack);
    let began = Instant::now();
    let error = backend.get(&key("a")).await.unwrap_err();
    // Attempts begin at 0, 3, 6 and 9 seconds; the last is cut short by the limit of the whole.
    assert_eq!((error.code(), began.elapsed(), faults.total_calls()), (ErrorCode::E033, 10 * SECOND, 4));
    assert_eq!(diary.read().iter().filter(|line| line.contains("retry: E011 after 2s")).count(), 3);
    let source = error.source().and_then(|source| source.downcast_ref::<Error>());
    assert_eq!(source.map(Error::code), Some(ErrorCode::E011), "the last attempt's error is the cause");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_begun_that_could_not_begin_in_time() {
    let diary = Diary::default();
    let retry = Witness { again: Some((2 * SECOND, 9)), ..Witness::new("retry", &diary) };
    let stack = Resilience::none().with(limit("whole", &diary, 5 * SECOND, ErrorCode::E033)).with(retry);
    let faults = memory().inject(Rule::fail(ErrorCode::E010));
    let backend = driven(&faults, stack);
    let began = Instant::now();
    let error = backend.get(&key("a")).await.unwrap_err();
    // At 0, 2 and 4 seconds; the next would begin at 6, so the caller is told at once.
    assert_eq!((error.code(), began.elapsed(), faults.total_calls()), (ErrorCode::E010, 4 * SECOND, 3));
}

#[tokio::test(start_paused = true)]
async fn a_delay_beyond_the_limit_is_not_waited_for() {
    let (diary, slow) = (Diary::default(), FakePolicy::new());
    slow.delay(5 * SECOND);
    let faults = memory();
    let stack = Resilience::none().with(limit("whole", &diary, 5 * SECOND, ErrorCode::E033)).with(slow.clone());
    let backend = driven(&faults, stack);
    let began = Instant::now();
    let error = backend.set(&key("a"), "1".into(), &options()).await.unwrap_err();
    assert_eq!((error.code(), began.elapsed(), error.is_unsent()), (ErrorCode::E033, Duration::ZERO, true));
    assert_eq!((faults.total_calls(), slow.outstanding(), slow.unexpected()), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_limit_counts_in_the_queue_too() {
    let diary = Diary::default();
    let turnstile = Turnstile::new(60 * SECOND);
    let faults = memory().inject(Rule::never_answers().next(1));
    let backend = driven(
        &faults,
        Resilience::none().with(limit("whole", &diary, 5 * SECOND, ErrorCode::E033)).with_shared(turnstile.clone()),
    );
    let (first, second) = (key("a"), key("b"));
    let (first, second) = tokio::join!(backend.get(&first), async {
        tokio::time::sleep(SECOND).await;
        let began = Instant::now();
        let answer = backend.get(&second).await;
        (answer, began.elapsed())
    });
    assert_eq!(first.unwrap_err().code(), ErrorCode::E033);
    // The first is given up after five seconds, when the second has waited for four: its turn comes in time.
    assert_eq!((second.0.unwrap(), second.1), (None, 4 * SECOND));
    assert_eq!((turnstile.state(), turnstile.ended()), ((false, 0), (2, 0)));

    faults.inject(Rule::never_answers().next(1));
    let (first, second) = (key("a"), key("b"));
    let stalled = tokio::time::timeout(20 * SECOND, backend.get(&first));
    let (_, second) = tokio::join!(stalled, async {
        // Both end at the same moment: who waits is told that its time is up, and holds nothing.
        backend.set(&second, "1".into(), &options()).await
    });
    let second = second.map_err(|error| (error.code(), error.is_unsent()));
    assert!([Ok(()), Err((ErrorCode::E033, true))].contains(&second), "{second:?}");
    assert_eq!(turnstile.state(), (false, 0));
}

/// What the timer saw counts, though the clock that policies are asked with may lag.
#[tokio::test(start_paused = true)]
async fn a_limit_that_is_over_is_over_by_a_clock_that_lags_too() {
    let diary = Diary::default();
    let retry = Witness { again: Some((SECOND, 9)), ..Witness::new("retry", &diary) };
    let stack = Resilience::none().with(limit("whole", &diary, 10 * SECOND, ErrorCode::E033)).with(retry);
    let faults = memory().inject(Rule::never_answers());
    let stands_still = Arc::new(ManualClock::new());
    let backend = ResilientBackend::with_parts(Arc::new(faults.clone()), stack, stands_still, &Always(7));
    assert_eq!(backend.get(&key("a")).await.unwrap_err().code(), ErrorCode::E033);
    assert_eq!(faults.total_calls(), 1);
}

/// What the backend calls a timeout, so does the driver on its behalf.
#[tokio::test(start_paused = true)]
async fn a_timeout_has_the_code_that_the_backend_has_for_it() {
    let stack = || Resilience::none().with(limit("attempt", &Diary::default(), SECOND, ErrorCode::E064));
    let memory = driven(&memory().inject(Rule::never_answers()), stack());
    assert_eq!(memory.get(&key("a")).await.unwrap_err().code(), ErrorCode::E064);
    let redis = cachekit_redis::RedisBackend::builder().url("redis://localhost").build().unwrap();
    let redis = driven(&Faults::over(redis).inject(Rule::never_answers()), stack());
    assert_eq!(redis.get(&key("a")).await.unwrap_err().code(), ErrorCode::E011);
}

/// Who says how long a call may take is given that, by the same policies as the others.
#[tokio::test(start_paused = true)]
async fn a_caller_may_allow_a_call_more_time_or_less() {
    let faults = memory().inject(Rule::never_answers());
    let usual = driven(&faults, Resilience::production());
    for (handle, takes) in
        [(usual.clone(), 1_000), (usual.allowing(5 * SECOND), 5_000), (usual.allowing(SECOND / 4), 250)]
    {
        let began = Instant::now();
        let code = handle.get(&key("a")).await.unwrap_err().code();
        assert_eq!((code, began.elapsed().as_millis()), (ErrorCode::E033, takes));
    }
    faults.recover();
    faults.inject(Rule::delay(SECOND));
    let slow_store = usual.allowing(5 * SECOND);
    assert_eq!(slow_store.get(&key("a")).await.unwrap(), None, "an attempt may take two of the five seconds");
    assert!(usual.get(&key("a")).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn the_tighter_of_two_limits_counts_whichever_is_further_out() {
    for (outer, inner, code) in [(1, 2, ErrorCode::E033), (2, 1, ErrorCode::E011)] {
        let diary = Diary::default();
        let stack = Resilience::none().with(limit("outer", &diary, outer * SECOND, ErrorCode::E033)).with(limit(
            "inner",
            &diary,
            inner * SECOND,
            ErrorCode::E011,
        ));
        let backend = driven(&memory().inject(Rule::never_answers()), stack);
        let began = Instant::now();
        assert_eq!(backend.get(&key("a")).await.unwrap_err().code(), code);
        assert_eq!(began.elapsed(), SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_calls_with_stalls_everywhere_never_outlast_their_limit() {
    let diary = Diary::default();
    let (slow, turnstile) = (FakePolicy::new(), Turnstile::new(2 * SECOND));
    let retry = Witness { again: Some((SECOND / 10, 9)), ..Witness::new("retry", &diary) };
    let stack = Resilience::none()
        .with(limit("whole", &diary, 3 * SECOND, ErrorCode::E033))
        .with_shared(turnstile.clone())
        .with(retry)
        .with(slow.clone())
        .with(limit("attempt", &diary, SECOND, ErrorCode::E011));
    let faults = memory()
        .inject(Rule::never_answers().with_probability(0.2))
        .inject(Rule::fail(ErrorCode::E010).with_probability(0.2))
        .inject(Rule::delay(SECOND / 2).with_probability(0.3));
    let backend = driven(&faults, stack);
    slow.delay(SECOND / 20);
    for round in 0..625 {
        let calls = (0..16).map(|at| {
            let backend = &backend;
            async move {
                tokio::time::sleep(SECOND / 8 * at).await;
                let began = Instant::now();
                let _ = backend.get(&key("a")).await;
                began.elapsed()
            }
        });
        for took in futures_util::future::join_all(calls).await {
            assert!(took <= 3 * SECOND, "{took:?} in round {round}");
        }
        diary.read();
    }
    assert_eq!((turnstile.state(), slow.outstanding(), slow.unexpected()), ((false, 0), 0, 0));
}

/// A call that is answered in one step of its future is no quick one if that step was long.
#[tokio::test]
async fn a_backend_that_holds_up_its_thread_is_slow() {
    let clock = ManualClock::new();
    let breaker = CircuitBreaker::builder().with_slow_calls(SECOND, 50).build().unwrap();
    let (backend, stack) = (Arc::new(Blocks(clock.clone())), Resilience::none().with(breaker.clone()));
    let backend = ResilientBackend::with_parts(backend, stack, Arc::new(clock), &Always(7));
    for _ in 0..20 {
        assert_eq!(backend.get(&key("a")).await.unwrap(), None);
    }
    assert_eq!(breaker.opened(), 1);
    assert_eq!(backend.get(&key("a")).await.unwrap_err().code(), ErrorCode::E030);
}

/// Takes a second for an answer, and its caller's thread with it.
#[derive(Debug)]
struct Blocks(ManualClock);

#[async_trait::async_trait]
impl Backend for Blocks {
    fn name(&self) -> &str {
        "blocks"
    }

    async fn get(&self, _: &Key) -> Result<Option<Entry>> {
        self.0.advance(SECOND);
        Ok(None)
    }

    async fn set(&self, _: &Key, _: bytes::Bytes, _: &SetOptions) -> Result<()> {
        Ok(())
    }

    async fn delete(&self, _: &Key) -> Result<()> {
        Ok(())
    }
}
