//! Loads: once however many ask, whatever becomes of callers, loaders and backends.

#![cfg(not(feature = "_shuttle"))] // a real runtime
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

mod common;

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cachekit_core::{
    Cache, ErrorCode, LoadError, Loaded, LoadedOption, ManualClock, MemoryBackend, Namespace, Remaining, Resilience,
    Ttl,
};
use common::scripted::{Call, Scripted, When};
use common::{Seeded, Text};
use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn over(backend: &Scripted) -> Cache<Text> {
    Cache::builder().backend(backend.clone()).resilience(Resilience::none()).build().unwrap()
}

fn numbers(cache: &Cache<Text>) -> Namespace<u64> {
    cache.namespace("numbers").open().unwrap()
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Broken(&'static str);

/// Counts how often it runs.
#[derive(Clone, Debug, Default)]
struct Runs(Arc<AtomicUsize>);

impl Runs {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn begin(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    async fn value(&self, after: Duration, value: u64) -> Result<u64, Infallible> {
        self.begin();
        sleep(after).await;
        Ok(value)
    }

    async fn error(&self, after: Duration, name: &'static str) -> Result<u64, Broken> {
        self.begin();
        sleep(after).await;
        Err(Broken(name))
    }
}

/// How a thousand callers who come over ten milliseconds fare: what they get, and the longest that any of them took.
async fn thousand<R: Send + 'static, W>(call: impl Fn() -> W) -> (Vec<R>, Duration)
where
    W: Future<Output = R> + Send + 'static,
{
    let callers: Vec<_> = (0..1_000_u64)
        .map(|number| {
            let call = call();
            tokio::spawn(async move {
                sleep(Duration::from_micros(number * 10)).await;
                let began = Instant::now();
                (call.await, began.elapsed())
            })
        })
        .collect();
    let mut slowest = Duration::ZERO;
    let mut answers = Vec::new();
    for caller in callers {
        let (answer, took) = caller.await.unwrap();
        slowest = slowest.max(took);
        answers.push(answer);
    }
    (answers, slowest)
}

/// The backend answers after ten milliseconds, whatever it is asked.
fn slow(backend: Scripted) -> Scripted {
    for call in [Call::Get, Call::Set, Call::SetFenced, Call::Acquire, Call::Release, Call::GetMany, Call::SetMany] {
        backend.wait(call, 10 * MS);
    }
    backend
}

#[tokio::test(start_paused = true)]
async fn p4_a_thousand_cold_callers_cost_one_load_and_at_most_two_reads() {
    for backend in [slow(Scripted::new()), slow(Scripted::new().unfenced())] {
        let cache = over(&backend);
        let (numbers, runs) = (numbers(&cache), Runs::default());
        let (answers, slowest) = thousand(|| {
            let (numbers, runs) = (numbers.clone(), runs.clone());
            async move { *numbers.get_or_load("answer", || runs.value(20 * MS, 42)).await.unwrap() }
        })
        .await;
        assert!(answers.iter().all(|answer| *answer == 42));
        assert_eq!(runs.count(), 1);
        assert!(backend.count(Call::Get) <= 2, "{} reads", backend.count(Call::Get));
        assert!(slowest <= 100 * MS, "{slowest:?}");
        assert_eq!(cache.status().keys_in_motion, 0);
        let stats = cache.stats();
        assert_eq!((stats.loads, stats.misses, stats.waits), (1, 1, 999));
    }
}

#[tokio::test(start_paused = true)]
async fn p4_callers_of_absent_keys_share_reads() {
    let backend = slow(Scripted::new());
    let numbers = numbers(&over(&backend));
    let (answers, slowest) = thousand(|| {
        let numbers = numbers.clone();
        async move { numbers.get("nobody").await.unwrap() }
    })
    .await;
    assert!(answers.iter().all(Option::is_none));
    assert!(backend.count(Call::Get) <= 2, "{} reads", backend.count(Call::Get));
    assert!(slowest <= 100 * MS, "{slowest:?}");
}

#[tokio::test(start_paused = true)]
async fn one_load_also_where_the_first_look_up_begins_to_watch() {
    let cache = over(&slow(Scripted::new().unfenced().watched()));
    let (numbers, runs) = (numbers(&cache), Runs::default());
    let (answers, _) = thousand(|| {
        let (numbers, runs) = (numbers.clone(), runs.clone());
        async move { *numbers.get_or_load("answer", || runs.value(20 * MS, 42)).await.unwrap() }
    })
    .await;
    assert!(answers.iter().all(|answer| *answer == 42));
    assert_eq!(runs.count(), 1);
    assert_eq!(numbers.peek("answer").as_deref(), Some(&42), "and the value stays in L1");
}

#[tokio::test(start_paused = true)]
async fn p12_a_failing_loader_runs_at_most_twice_and_all_get_its_error() {
    for backend in [slow(Scripted::new()), slow(Scripted::new().unfenced())] {
        let cache = over(&backend);
        let (numbers, runs) = (numbers(&cache), Runs::default());
        let (answers, slowest) = thousand(|| {
            let (numbers, runs) = (numbers.clone(), runs.clone());
            async move { numbers.get_or_load("answer", || runs.error(100 * MS, "origin")).await.unwrap_err() }
        })
        .await;
        assert!(answers.iter().all(|error| error.loader() == Some(&Broken("origin"))));
        assert!(runs.count() <= 2, "{} runs", runs.count());
        assert!(slowest <= 250 * MS, "{slowest:?}");
        assert_eq!(cache.status().keys_in_motion, 0);
        // It is not cached.
        assert_eq!(*numbers.get_or_load("answer", || runs.value(MS, 1)).await.unwrap(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_happens_once_and_the_next_call_works() {
    let cache = over(&Scripted::new());
    let (numbers, runs) = (numbers(&cache), Runs::default());
    let call = || {
        let runs = runs.clone();
        AssertUnwindSafe(numbers.get_or_load("answer", || async move {
            runs.begin();
            sleep(20 * MS).await;
            if runs.count() == 1 {
                panic!("in the loader");
            }
            Ok::<u64, Infallible>(42)
        }))
        .catch_unwind()
    };
    let answers = join_all((0..10).map(|_| call())).await;
    assert_eq!(runs.count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 1, "the panic goes on where it happened");
    let told = |answer: &Result<_, _>| matches!(answer, Ok(Err(error)) if is_panicked(error));
    assert_eq!(answers.iter().filter(|answer| told(answer)).count(), 9);
    assert_eq!(*call().await.unwrap().unwrap(), 42);
    assert_eq!(cache.stats().load_failures, 1);
    assert_eq!(cache.status().keys_in_motion, 0);
}

fn is_panicked(error: &LoadError<Infallible>) -> bool {
    matches!(error, LoadError::Panicked) && error.code() == Some(ErrorCode::E035)
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_task_reaches_all_who_wait() {
    let cache = over(&Scripted::new());
    let numbers = numbers(&cache);
    let call = || {
        numbers.get_or_spawn("answer", || async {
            sleep(20 * MS).await;
            if true {
                panic!("in the loader");
            }
            Ok::<u64, Infallible>(42)
        })
    };
    let answers = join_all((0..10).map(|_| call())).await;
    assert!(answers.iter().all(|answer| answer.as_ref().is_err_and(is_panicked)));
    assert_eq!(cache.stats().loads, 1);
    assert_eq!(*numbers.get_or_spawn("answer", || async { Ok::<u64, Infallible>(1) }).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_loader_gets_no_more_time_than_it_is_given() {
    let cache = over(&Scripted::new());
    let numbers = cache.namespace::<u64>("numbers").load_timeout(50 * MS).open().unwrap();
    let runs = Runs::default();
    let began = Instant::now();
    let answers = join_all((0..10).map(|_| numbers.get_or_load("answer", || runs.value(SECOND, 42)))).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(LoadError::TimedOut))));
    assert_eq!(answers[0].as_ref().unwrap_err().code(), Some(ErrorCode::E034));
    assert_eq!((runs.count(), began.elapsed()), (1, 50 * MS));
    assert_eq!(*numbers.get_or_load("answer", || runs.value(10 * MS, 42)).await.unwrap(), 42);
}

#[tokio::test(start_paused = true)]
async fn waiters_with_another_type_of_error_run_their_own_loaders_at_once() {
    let cache = over(&Scripted::new());
    let numbers = numbers(&cache);
    let began = Instant::now();
    let other = || async {
        sleep(100 * MS).await;
        Err::<u64, String>("mine".to_owned())
    };
    let runs = Runs::default();
    let first = numbers.get_or_load("answer", || runs.error(100 * MS, "first"));
    let (first, others) = tokio::join!(first, join_all((0..5).map(|_| numbers.get_or_load("answer", other))));
    assert_eq!(first.unwrap_err().loader(), Some(&Broken("first")));
    assert!(others.iter().all(|answer| answer.as_ref().unwrap_err().loader() == Some(&"mine".to_owned())));
    assert_eq!(began.elapsed(), 200 * MS, "not in turn");
}

#[tokio::test(start_paused = true)]
async fn what_is_known_not_to_be_is_remembered_for_a_time_of_its_own() {
    let clock = ManualClock::new();
    for fenced in [true, false] {
        let memory = MemoryBackend::builder().clock(clock.clone()).build().unwrap();
        let backend = Scripted::over(&memory);
        let backend = if fenced { backend } else { backend.unfenced() };
        let open = || {
            let cache: Cache<Text> = Cache::builder()
                .backend(backend.clone())
                .resilience(Resilience::none())
                .clock(clock.clone())
                .build()
                .unwrap();
            cache.namespace::<u64>("n").ttl(Ttl::secs(100)).none_ttl(Ttl::secs(10)).open().unwrap()
        };
        let (here, there, runs) = (open(), open(), Runs::default());
        let nobody = |namespace: &Namespace<u64>| {
            let (namespace, runs) = (namespace.clone(), runs.clone());
            async move {
                let load = || async {
                    runs.begin();
                    Ok::<Option<u64>, Infallible>(None)
                };
                namespace.get_or_load_optional("nobody", load).await.unwrap()
            }
        };
        assert_eq!(nobody(&here).await, None);
        assert_eq!(nobody(&here).await, None);
        assert_eq!(nobody(&there).await, None, "from the backend");
        assert_eq!(runs.count(), 1);
        assert_eq!(here.get("nobody").await.unwrap(), None);
        clock.advance(9 * SECOND);
        nobody(&there).await;
        assert_eq!(runs.count(), 1);
        clock.advance(SECOND);
        nobody(&there).await;
        assert_eq!(runs.count(), 2);
        // Who wants a value is not content with the knowledge that there was none, and the next one gets it from the
        // backend.
        let one = there.get_or_load("nobody", || async { Ok::<u64, Infallible>(1) });
        assert_eq!(*one.await.unwrap(), 1);
        assert_eq!(open().get("nobody").await.unwrap().as_deref(), Some(&1), "fenced: {fenced}");
        let fresh = open();
        let absent = LoadedOption::<u64>::absent().with_ttl(Ttl::secs(3));
        let seen = fresh.get_or_load_optional("gone", || async { Ok::<_, Infallible>(absent) }).await.unwrap();
        assert_eq!(seen, None);
        clock.advance(3 * SECOND);
        let seen = fresh.get_or_load_optional("gone", || async { Ok::<_, Infallible>(Some(7)) }).await.unwrap();
        assert_eq!(seen.as_deref(), Some(&7));
    }
}

#[tokio::test(start_paused = true)]
async fn lives_come_from_the_value_then_the_handle_then_the_namespace() {
    let clock = ManualClock::new();
    let memory = MemoryBackend::builder().clock(clock.clone()).build().unwrap();
    let cache: Cache<Text> = Cache::builder()
        .backend(Scripted::over(&memory))
        .resilience(Resilience::none())
        .clock(clock.clone())
        .ttl(Ttl::secs(7))
        .build()
        .unwrap();
    let life = async |namespace: &Namespace<u64>, key: &str| match namespace.ttl(key).await.unwrap() {
        Some(Remaining::For(life)) => life.as_secs(),
        other => panic!("{other:?}"),
    };
    let plain = || async { Ok::<u64, Infallible>(1) };
    let own = || async { Ok::<_, Infallible>(Loaded::new(1).with_ttl(Ttl::secs(3))) };
    for namespace in [cache.namespace::<u64>("n"), cache.local::<u64>("local")] {
        let namespace = namespace.open().unwrap();
        let short = namespace.with_ttl(Ttl::secs(5));
        namespace.get_or_load("cache", plain).await.unwrap();
        short.get_or_load("handle", plain).await.unwrap();
        short.get_or_load("value", own).await.unwrap();
        short.set("set", Loaded::new(1).with_ttl(Ttl::secs(4))).await.unwrap();
        let lives = [
            life(&namespace, "cache").await,
            life(&namespace, "handle").await,
            life(&namespace, "value").await,
            life(&namespace, "set").await,
        ];
        assert_eq!(lives, [7, 5, 3, 4]);
        namespace.with_ttl(Ttl::Never).set("never", 1).await.unwrap();
        assert_eq!(namespace.ttl("never").await.unwrap(), Some(Remaining::Never));
        clock.advance(3 * SECOND);
        assert!(namespace.get("value").await.unwrap().is_none());
        assert!(namespace.get("set").await.unwrap().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn jitter_shortens_lives_within_its_bounds_and_spreads_them() {
    let cache: Cache<Text> =
        Cache::builder().clock(ManualClock::new()).entropy(Seeded::new(1)).ttl(Ttl::secs(100)).build().unwrap();
    let namespace = cache.local::<u64>("n").jitter(0.25).open().unwrap();
    let mut lives = Vec::new();
    for number in 0..200_u64 {
        namespace.set(number, number).await.unwrap();
        match namespace.ttl(number).await.unwrap() {
            Some(Remaining::For(life)) => lives.push(life),
            other => panic!("{other:?}"),
        }
    }
    lives.sort();
    assert!(lives[0] >= 75 * SECOND && lives[199] <= 100 * SECOND, "{:?} to {:?}", lives[0], lives[199]);
    assert!(lives[0] <= 80 * SECOND && lives[199] >= 95 * SECOND, "{:?} to {:?}", lives[0], lives[199]);
}

#[tokio::test(start_paused = true)]
async fn no_life_is_too_long_or_too_short_for_jitter() {
    for seed in 0..20 {
        let cache: Cache<Text> = Cache::builder().entropy(Seeded::new(seed)).build().unwrap();
        let namespace = cache.local::<u64>("n").jitter(1.0).open().unwrap();
        for ttl in [Ttl::Never, Ttl::secs(u64::MAX), Ttl::try_from(Duration::from_nanos(1)).unwrap()] {
            namespace.with_ttl(ttl).set(1, 1).await.unwrap();
        }
    }
    #[derive(Debug)]
    struct NoChance;
    impl cachekit_core::Entropy for NoChance {
        fn next(&self) -> u64 {
            0
        }
    }
    let cache: Cache<Text> = Cache::builder().entropy(NoChance).build().unwrap();
    let namespace = cache.local::<u64>("n").jitter(0.5).ttl(Ttl::secs(u64::MAX)).open().unwrap();
    namespace.set(1, 1).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_spawned_load_outlives_its_caller_while_others_wait_and_no_longer() {
    struct Ends(Arc<AtomicUsize>);
    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let cache = over(&Scripted::new());
    let (numbers, runs, ended) = (numbers(&cache), Runs::default(), Arc::new(AtomicUsize::new(0)));
    let call = || {
        let (numbers, runs, ends) = (numbers.clone(), runs.clone(), Ends(Arc::clone(&ended)));
        tokio::spawn(async move {
            let load = || async move {
                let _ends = ends;
                runs.value(SECOND, 42).await
            };
            *numbers.get_or_spawn("answer", load).await.unwrap()
        })
    };
    let first = call();
    sleep(100 * MS).await;
    let second = call();
    sleep(100 * MS).await;
    first.abort();
    assert_eq!(second.await.unwrap(), 42);
    assert_eq!(runs.count(), 1);
    numbers.delete("answer").await.unwrap();

    let before = ended.load(Ordering::SeqCst);
    let (first, second) = (call(), call());
    sleep(100 * MS).await;
    assert_eq!(runs.count(), 2);
    first.abort();
    sleep(100 * MS).await;
    assert_eq!(cache.status().keys_in_motion, 1, "somebody waits");
    second.abort();
    sleep(100 * MS).await;
    assert_eq!(ended.load(Ordering::SeqCst), before + 2, "nobody waits: the loader was dropped");
    assert_eq!(cache.status().keys_in_motion, 0);
}

#[tokio::test(start_paused = true)]
async fn many_are_loaded_by_one_call_with_the_missing_keys_only() {
    for backend in [Scripted::new(), Scripted::new().unfenced()] {
        let cache = over(&backend);
        let numbers = numbers(&cache);
        numbers.set(1, 10).await.unwrap();
        over(&backend).namespace::<u64>("numbers").open().unwrap().set(2, 20).await.unwrap();
        let asked = std::sync::Mutex::new(Vec::new());
        let load = |keys: Vec<u64>| async {
            asked.lock().unwrap().push(keys.clone());
            // One more than was asked for, one less, and one of them twice.
            let brought = keys.into_iter().filter(|key| *key != 5).map(|key| (key, key * 10));
            Ok::<_, Infallible>(brought.chain([(99, 990), (3, 31)]).collect::<Vec<_>>())
        };
        let values = numbers.get_or_load_many(&[3, 1, 2, 3, 4, 5, 1], load).await.unwrap();
        let values: Vec<_> = values.iter().map(|value| value.as_deref().copied()).collect();
        assert_eq!(values, [Some(31), Some(10), Some(20), Some(31), Some(40), None, Some(10)]);
        assert_eq!(*asked.lock().unwrap(), [vec![3, 4, 5]]);
        assert_eq!(backend.count(Call::GetMany), 1);
        assert_eq!(numbers.peek(4).as_deref(), Some(&40));
        assert_eq!(numbers.get(99).await.unwrap(), None, "what was not asked for is not kept");
        let there = over(&backend).namespace::<u64>("numbers").open().unwrap();
        assert_eq!(there.get(3).await.unwrap().as_deref(), Some(&31), "stored");
        assert_eq!(cache.status().keys_in_motion, 0);
        let none = numbers.get_or_load_many(&[] as &[u64], load).await.unwrap();
        assert!(none.is_empty());
        assert_eq!(asked.lock().unwrap().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn many_wait_for_single_loads_in_flight() {
    let cache = over(&Scripted::new());
    let (numbers, runs) = (numbers(&cache), Runs::default());
    let single = numbers.get_or_load(1, || runs.value(50 * MS, 10));
    let asked = std::sync::Mutex::new(Vec::new());
    let many = async {
        sleep(10 * MS).await;
        let load = |keys: Vec<u64>| async {
            asked.lock().unwrap().extend(keys.clone());
            sleep(20 * MS).await;
            Ok::<_, Infallible>(keys.into_iter().map(|key| (key, key * 10)).collect::<Vec<_>>())
        };
        numbers.get_or_load_many(&[1, 2], load).await.unwrap()
    };
    let later = async {
        sleep(20 * MS).await;
        *numbers.get_or_load(2, || runs.value(MS, 0)).await.unwrap()
    };
    let (single, many, later) = tokio::join!(single, many, later);
    assert_eq!((*single.unwrap(), later), (10, 20), "and single callers wait for what many load");
    assert_eq!(many.iter().map(|value| **value.as_ref().unwrap()).collect::<Vec<_>>(), [10, 20]);
    assert_eq!((asked.into_inner().unwrap(), runs.count()), (vec![2], 1));
}

#[tokio::test(start_paused = true)]
async fn a_single_load_that_fails_leaves_its_key_to_the_many_who_waited() {
    let cache = over(&Scripted::new());
    let (numbers, runs) = (numbers(&cache), Runs::default());
    let single = numbers.get_or_load(1, || runs.error(50 * MS, "single"));
    let many = async {
        sleep(10 * MS).await;
        let load = |keys: Vec<u64>| async { Ok::<_, Infallible>(keys.into_iter().map(|key| (key, key * 10))) };
        numbers.get_or_load_many(&[1, 2], load).await.unwrap()
    };
    let (single, many) = tokio::join!(single, many);
    assert!(single.is_err());
    assert_eq!(many.iter().map(|value| **value.as_ref().unwrap()).collect::<Vec<_>>(), [10, 20]);
}

#[tokio::test(start_paused = true)]
async fn batches_that_overlap_in_opposite_order_load_each_key_once() {
    for backend in [slow(Scripted::new()), slow(Scripted::new().unfenced())] {
        let cache = over(&backend);
        let numbers = numbers(&cache);
        let began = Instant::now();
        let loaded = Runs::default();
        let batch = |keys: Vec<u64>| {
            let (numbers, loaded) = (numbers.clone(), loaded.clone());
            async move {
                let load = |missing: Vec<u64>| async move {
                    missing.iter().for_each(|_| _ = loaded.begin());
                    sleep(20 * MS).await;
                    Ok::<_, Infallible>(missing.into_iter().map(|key| (key, key * 10)).collect::<Vec<_>>())
                };
                numbers.get_or_load_many(&keys, load).await.unwrap().len()
            }
        };
        let up = batch((0..50).collect());
        let down = batch((25..75).rev().collect());
        let across = batch((0..100).step_by(3).collect());
        assert_eq!(tokio::join!(up, down, across), (50, 50, 34));
        assert_eq!(loaded.count(), 75 + 9);
        assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
        assert_eq!(cache.status().keys_in_motion, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_fails_tells_all_who_waited_and_leaves_nothing() {
    let cache = over(&Scripted::new());
    let numbers = numbers(&cache);
    let many = numbers.get_or_load_many(&[1, 2], |_| async {
        sleep(20 * MS).await;
        Err::<Vec<(u64, u64)>, _>(Broken("batch"))
    });
    let runs = Runs::default();
    let single = async {
        sleep(MS).await;
        numbers.get_or_load(2, || runs.error(MS, "single")).await
    };
    let (many, single) = tokio::join!(many, single);
    assert_eq!(many.unwrap_err().loader(), Some(&Broken("batch")));
    assert_eq!(single.unwrap_err().loader(), Some(&Broken("batch")));
    assert_eq!((runs.count(), cache.status().keys_in_motion), (0, 0));

    let many = numbers.get_or_load_many(&[1, 2], |_| async {
        if true {
            panic!("in the loader");
        }
        Ok::<Vec<(u64, u64)>, Infallible>(Vec::new())
    });
    assert!(AssertUnwindSafe(many).catch_unwind().await.is_err());
    assert_eq!(cache.status().keys_in_motion, 0);
}

#[tokio::test(start_paused = true)]
async fn whatever_the_trouble_with_the_backend_the_value_arrives() {
    for backend in [Scripted::new(), Scripted::new().unfenced()] {
        let cache = over(&backend);
        let (numbers, runs) = (numbers(&cache), Runs::default());
        for call in [Call::Get, Call::Acquire, Call::SetFenced, Call::Set, Call::GetMany] {
            for when in [When::Before, When::After] {
                backend.fail(call, when, 1);
                let key = format!("{call:?}{when:?}");
                assert_eq!(*numbers.get_or_load(&*key, || runs.value(MS, 1)).await.unwrap(), 1, "{key}");
                let many = |keys: Vec<String>| async { Ok::<_, Infallible>(keys.into_iter().map(|key| (key, 2))) };
                let values = numbers.get_or_load_many(&[format!("many{key}")], many).await.unwrap();
                assert_eq!(values[0].as_deref(), Some(&2), "{key}");
                backend.recover();
            }
        }
        assert_eq!(runs.count(), 10);
        // An ill backend costs one request per load and no more.
        backend.fall_ill();
        let before = backend.calls();
        assert_eq!(*numbers.get_or_load("ill", || runs.value(MS, 3)).await.unwrap(), 3);
        assert_eq!(backend.calls() - before, 1);
        assert!(cache.status().degraded);
    }
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_hangs_costs_the_time_it_is_given() {
    let backend = Scripted::new();
    backend.wait(Call::Get, 1_000 * SECOND);
    let cache = over(&backend);
    let numbers = cache.namespace::<u64>("numbers").timeout(200 * MS).open().unwrap();
    let began = Instant::now();
    assert_eq!(*numbers.get_or_load(1, || Runs::default().0.load(Ordering::SeqCst).pipe()).await.unwrap(), 0);
    assert_eq!(began.elapsed(), 200 * MS);
    assert_eq!(numbers.get(2).await.unwrap_err().code(), ErrorCode::E033);
}

/// A value as a loader.
trait Pipe {
    fn pipe(self) -> std::future::Ready<Result<u64, Infallible>>;
}

impl Pipe for usize {
    fn pipe(self) -> std::future::Ready<Result<u64, Infallible>> {
        std::future::ready(Ok(self as u64))
    }
}

#[tokio::test(start_paused = true)]
async fn processes_load_one_after_the_other_where_there_are_fences() {
    let backend = slow(Scripted::new());
    let (here, there) = (numbers(&over(&backend)), numbers(&over(&backend)));
    let runs = Runs::default();
    let one = here.get_or_load("answer", || runs.value(100 * MS, 42));
    let other = there.get_or_load("answer", || runs.value(100 * MS, 43));
    let (one, other) = tokio::join!(one, other);
    assert_eq!((*one.unwrap(), *other.unwrap()), (42, 42));
    assert_eq!(runs.count(), 1);

    // Not longer than the `lock_timeout`; what is then loaded is not stored over what the holder of the fence will
    // store.
    let impatient = over(&backend).namespace::<u64>("numbers").lock_timeout(SECOND).open().unwrap();
    let began = Instant::now();
    let slow = here.get_or_load("slow", || runs.value(20 * SECOND, 1));
    let quick = async {
        sleep(50 * MS).await;
        let value = *impatient.get_or_load("slow", || runs.value(MS, 2)).await.unwrap();
        (value, began.elapsed())
    };
    let (slow, (quick, took)) = tokio::join!(slow, quick);
    assert_eq!((*slow.unwrap(), quick), (1, 2));
    assert!(took < 2 * SECOND, "{took:?}");
    let third = numbers(&over(&backend));
    assert_eq!(third.get("slow").await.unwrap().as_deref(), Some(&1));
}

#[tokio::test(start_paused = true)]
async fn a_fence_is_renewed_for_as_long_as_the_loader_runs() {
    let clock = ManualClock::new();
    let memory = MemoryBackend::builder().clock(clock.clone()).build().unwrap();
    let backend = Scripted::over(&memory);
    let cache: Cache<Text> =
        Cache::builder().backend(backend.clone()).resilience(Resilience::none()).clock(clock.clone()).build().unwrap();
    let namespace = cache.namespace::<u64>("numbers").ttl(Ttl::secs(3600)).open().unwrap();
    let value = namespace.get_or_load("answer", || async {
        for _ in 0..100 {
            sleep(SECOND).await;
            clock.advance(SECOND);
        }
        Ok::<u64, Infallible>(42)
    });
    assert_eq!(*value.await.unwrap(), 42);
    assert!((9..=10).contains(&backend.count(Call::Renew)), "{} renewals", backend.count(Call::Renew));
    let elsewhere: Cache<Text> =
        Cache::builder().backend(backend).resilience(Resilience::none()).clock(clock).build().unwrap();
    assert_eq!(numbers(&elsewhere).get("answer").await.unwrap().as_deref(), Some(&42), "stored under the fence");
}
