//! Older values in hard times, refreshes, late loads and stores in the background: nobody waits for what can be done
//! later, and nobody is served what was taken away.

#![cfg(not(feature = "_shuttle"))] // a real runtime
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cachekit_core::entry::Header;
use cachekit_core::{
    Backend, Cache, Clock, ErrorCode, Key, LoadError, LoadedOption, Loads, ManualClock, MemoryBackend, Namespace,
    NamespaceBuilder, OwnedLoads, Remaining, Resilience, Ttl, tell_stale,
};
use common::Text;
use common::scripted::{Call, Scripted, When};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A cache, and what is beneath it.
struct Place {
    name: &'static str,
    cache: Cache<Text>,
    clock: ManualClock,
    backend: Option<Scripted>,
}

impl Place {
    fn all() -> [Self; 3] {
        ["local", "unfenced", "fenced"].map(Self::new)
    }

    fn new(name: &'static str) -> Self {
        let clock = ManualClock::new();
        if name == "local" {
            let cache = Cache::builder().clock(clock.clone()).build().unwrap();
            return Self { name, cache, clock, backend: None };
        }
        let memory = MemoryBackend::builder().clock(clock.clone()).build().unwrap();
        let backend = Scripted::over(&memory);
        Self::over(name, clock, if name == "unfenced" { backend.unfenced() } else { backend })
    }

    fn over(name: &'static str, clock: ManualClock, backend: Scripted) -> Self {
        // Copies in L1 live as long as their entries.
        let cache = Cache::builder()
            .clock(clock.clone())
            .l1_ttl(24 * HOUR)
            .backend(backend.clone())
            .resilience(Resilience::none());
        Self { name, cache: cache.build().unwrap(), clock, backend: Some(backend) }
    }

    /// Another process over the same backend.
    fn neighbour(&self) -> Self {
        Self::over(self.name, self.clock.clone(), self.backend.clone().unwrap())
    }

    fn namespace(&self) -> NamespaceBuilder<u64> {
        let builder =
            if self.backend.is_some() { self.cache.namespace::<u64>("n") } else { self.cache.local::<u64>("n") };
        builder.ttl(Ttl::secs(300))
    }

    /// A minute, and values are due; an hour more, and they may be stale.
    fn refreshed(&self) -> Namespace<u64, OwnedLoads> {
        self.namespace().refresh_after(MINUTE).open().unwrap()
    }

    fn kept(&self) -> Namespace<u64> {
        self.namespace().stale_for(HOUR).open().unwrap()
    }

    /// What runs in the background comes to its end.
    async fn settle(&self) {
        sleep(SECOND).await;
        let status = self.cache.status();
        assert_eq!((status.keys_in_motion, status.pending_repairs), (0, 0), "{}", self.name);
    }

    fn entry(&self) -> impl Future<Output = Option<Header>> + use<> {
        let memory = self.backend.as_ref().map(|backend| backend.memory().clone());
        async move {
            let key = Key::new("n:1").unwrap();
            let entry = memory?.get(&key).await.unwrap()?;
            Some(Header::decode(&entry.value, &key).unwrap().header)
        }
    }
}

async fn of(value: u64) -> Result<u64, &'static str> {
    Ok(value)
}

async fn slow(value: u64, time: Duration) -> Result<u64, &'static str> {
    sleep(time).await;
    Ok(value)
}

async fn failing() -> Result<u64, &'static str> {
    Err("no answer")
}

async fn put<L: Loads>(namespace: &Namespace<u64, L>, value: u64) {
    assert_eq!(*namespace.get_or_spawn(1, move || of(value)).await.unwrap(), value);
    sleep(SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn p23_a_value_that_is_due_is_served_at_once_and_refreshed_by_one_task_however_many_hits() {
    for place in Place::all() {
        let numbers = place.refreshed();
        put(&numbers, 1).await;
        place.clock.advance(MINUTE - MS);
        assert_eq!(*numbers.get_or_spawn(1, || of(9)).await.unwrap(), 1);
        assert_eq!(place.cache.stats().loads, 1, "{}: not due yet", place.name);

        place.clock.advance(MS);
        let began = Instant::now();
        let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        for _ in 0..1_000 {
            assert_eq!(*numbers.get_or_spawn(1, || slow(2, SECOND / 2)).await.unwrap(), 1, "{}", place.name);
            assert_eq!(numbers.peek(1).as_deref(), Some(&1));
            assert_eq!(numbers.get(1).await.unwrap().as_deref(), Some(&1));
        }
        assert_eq!(began.elapsed(), Duration::ZERO, "{}: nobody waits", place.name);
        assert!(tokio::runtime::Handle::current().metrics().num_alive_tasks() <= tasks + 2);
        place.settle().await;
        assert_eq!(*numbers.get_or_spawn(1, || of(9)).await.unwrap(), 2, "{}", place.name);
        let stats = place.cache.stats();
        assert_eq!((stats.loads, stats.refreshes, stats.stale_serves), (2, 1, 0), "{}", place.name);

        // The refreshed value is due a minute after it was loaded, and elsewhere it is new, too.
        place.clock.advance(MINUTE - MS);
        numbers.get_or_spawn(1, || of(9)).await.unwrap();
        place.settle().await;
        assert_eq!(place.cache.stats().refreshes, 1);
        if place.backend.is_some() {
            assert_eq!(place.neighbour().refreshed().get(1).await.unwrap().as_deref(), Some(&2));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_fails_leaves_the_value_until_its_end_and_is_tried_again_in_a_while() {
    for place in Place::all() {
        let numbers = place.namespace().refresh_after(MINUTE).load_timeout(SECOND / 4).open().unwrap();
        put(&numbers, 1).await;
        place.clock.advance(MINUTE);
        let mut failures = 0;
        while place.clock.now() < ManualClock::new().now() + 299 * SECOND {
            let served = match failures % 3 {
                0 => numbers.get_or_spawn(1, failing).await,
                1 => numbers.get_or_spawn(1, panicking).await,
                _ => numbers.get_or_spawn(1, || slow(9, HOUR)).await,
            };
            assert_eq!(*served.unwrap(), 1, "{}", place.name);
            place.settle().await;
            failures += 1;
            assert_eq!(place.cache.stats().refreshes, failures);
            place.clock.advance(5 * SECOND);
            numbers.get_or_spawn(1, failing).await.unwrap();
            place.settle().await;
            assert_eq!(place.cache.stats().refreshes, failures, "not at each hit");
            place.clock.advance(SECOND);
        }
        assert!(failures >= 39);
        place.clock.advance(2 * SECOND);
        assert_eq!(numbers.get(1).await.unwrap(), None);
        assert_eq!(*numbers.get_or_spawn(1, failing).await.unwrap_err().loader().unwrap(), "no answer");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_away_is_not_brought_back_by_a_refresh() {
    for place in Place::all() {
        for clears in [false, true] {
            let numbers = place.refreshed();
            put(&numbers, 1).await;
            place.clock.advance(MINUTE);
            numbers.get_or_spawn(1, || slow(2, SECOND / 2)).await.unwrap();
            sleep(SECOND / 4).await;
            if clears {
                numbers.clear().await.unwrap();
            } else {
                numbers.delete(1).await.unwrap();
            }
            place.settle().await;
            assert_eq!(numbers.peek(1), None, "{}", place.name);
            assert_eq!(numbers.get(1).await.unwrap(), None, "{}", place.name);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_process_refreshes_and_the_others_take_what_it_brought() {
    let place = Place::new("fenced");
    let (one, other) = (place.refreshed(), place.neighbour());
    put(&one, 1).await;
    let theirs = other.refreshed();
    assert_eq!(*theirs.get_or_spawn(1, || of(9)).await.unwrap(), 1);
    place.clock.advance(MINUTE);
    // The age counts from when it was computed, not from when it came here.
    one.get_or_spawn(1, || slow(2, 10 * SECOND)).await.unwrap();
    sleep(SECOND).await;
    assert_eq!(*theirs.get_or_spawn(1, || of(9)).await.unwrap(), 1);
    sleep(9 * SECOND).await;
    assert_eq!(other.cache.stats().loads, 0, "it waits for who holds the fence, and no longer than it may");
    other.clock.advance(7 * SECOND);
    sleep(SECOND).await;
    assert_eq!(*theirs.get_or_spawn(1, || of(9)).await.unwrap(), 1);
    sleep(SECOND).await;
    assert_eq!(*theirs.get_or_spawn(1, || of(9)).await.unwrap(), 2, "taken from the backend");
    assert_eq!((place.cache.stats().loads, other.cache.stats().loads), (2, 0));
}

const WAYS: [&str; 10] = [
    "load fails",
    "load panics",
    "load hangs",
    "optional load fails",
    "spawn fails",
    "spawn panics",
    "optional spawn fails",
    "many fail",
    "many panic",
    "many hang",
];

async fn panicking() -> Result<u64, &'static str> {
    panic!("in the loader")
}

/// Loads key 1 in a way that does not come up with anything.
async fn try_to_load(numbers: &Namespace<u64>, way: &str) -> Result<Option<Arc<u64>>, LoadError<&'static str>> {
    let optional = async || Err::<LoadedOption<u64>, _>("no answer");
    let many = async |_: Vec<u64>| match way {
        "many fail" => Err::<Vec<(u64, u64)>, _>("no answer"),
        "many panic" => panicking().await.map(|value| vec![(1, value)]),
        _ => slow(9, HOUR).await.map(|value| vec![(1, value)]),
    };
    match way {
        "load fails" => numbers.get_or_load(1, failing).await.map(Some),
        "load panics" => numbers.get_or_load(1, panicking).await.map(Some),
        "load hangs" => numbers.get_or_load(1, || slow(9, HOUR)).await.map(Some),
        "optional load fails" => numbers.get_or_load_optional(1, optional).await,
        "spawn fails" => numbers.get_or_spawn(1, failing).await.map(Some),
        "spawn panics" => numbers.get_or_spawn(1, panicking).await.map(Some),
        "optional spawn fails" => numbers.get_or_spawn_optional(1, optional).await,
        _ => Ok(numbers.get_or_load_many(&[1], many).await?.pop().unwrap()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_past_its_life_is_served_marked_when_it_cannot_be_loaded_anew() {
    for name in ["local", "unfenced", "fenced"] {
        for ill in [false, true] {
            for way in WAYS {
                let place = Place::new(name);
                let case = format!("{name}, {way}, {}", if ill { "backend ill" } else { "backend well" });
                let numbers = place.namespace().stale_for(HOUR).load_timeout(SECOND).open().unwrap();
                put(&numbers, 1).await;
                place.clock.advance(300 * SECOND);
                if let (true, Some(backend)) = (ill, &place.backend) {
                    backend.fall_ill();
                }
                assert_eq!(numbers.peek(1), None, "{case}");
                if !ill {
                    assert_eq!(numbers.get(1).await.unwrap(), None, "{case}: never from a look-up");
                    assert_eq!(numbers.get_many(&[1]).await[0].as_ref().unwrap(), &None, "{case}");
                    assert!(!numbers.exists(1).await.unwrap() && numbers.ttl(1).await.unwrap().is_none(), "{case}");
                }
                let (served, stale) = tell_stale(try_to_load(&numbers, way)).await;
                let served = served.unwrap_or_else(|error| panic!("{case}: {error:?}"));
                assert_eq!((served.as_deref(), stale), (Some(&1), true), "{case}");
                assert_eq!(place.cache.stats().stale_serves, 1, "{case}");
                if !ill {
                    place.settle().await;
                }
                // For as long as the loader brings values, they are what callers get.
                let (served, stale) = tell_stale(numbers.get_or_load(1, || of(2))).await;
                assert_eq!((*served.unwrap(), stale), (2, false), "{case}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_ends_and_without_it_errors_are_told() {
    for place in Place::all() {
        let numbers = place.kept();
        put(&numbers, 1).await;
        place.clock.advance(300 * SECOND + HOUR - MS);
        assert_eq!(*numbers.get_or_load(1, failing).await.unwrap(), 1, "{}", place.name);
        place.clock.advance(MS);
        assert_eq!(*numbers.get_or_load(1, failing).await.unwrap_err().loader().unwrap(), "no answer");

        // Another handle, that does not want it, and a value that never ends.
        put(&numbers, 2).await;
        place.clock.advance(301 * SECOND);
        let plain = place.namespace().open().unwrap();
        assert!(plain.get_or_load(1, failing).await.is_err(), "{}", place.name);
        numbers.with_ttl(Ttl::Never).set(1, 3).await.unwrap();
        place.clock.advance(24 * HOUR);
        assert_eq!(*numbers.get_or_load(1, failing).await.unwrap(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_says_when_it_is_fresh_and_the_backend_keeps_it_longer() {
    for name in ["unfenced", "fenced"] {
        let place = Place::new(name);
        let wall = place.clock.wall();
        let numbers = place.kept();
        let ends = async |what: &str| {
            let header = place.entry().await.unwrap();
            assert_eq!(header.fresh_until, Some(wall + 300 * SECOND), "{name}: {what}");
            assert_eq!(header.expires, Some(wall + 300 * SECOND + HOUR), "{name}: {what}");
            let key = Key::new("n:1").unwrap();
            let stored = place.backend.as_ref().unwrap().memory().get(&key).await.unwrap().unwrap();
            assert_eq!(stored.remaining, Remaining::For(300 * SECOND + HOUR), "{name}: {what}");
        };
        put(&numbers, 1).await;
        ends("spawned").await;
        numbers.set(1, 2).await.unwrap();
        ends("set").await;
        numbers.set_many(vec![(1, 2)]).await.pop().unwrap().unwrap();
        ends("set many").await;
        numbers.touch(1, Ttl::secs(300)).await.unwrap();
        ends("touched").await;
        numbers.delete(1).await.unwrap();
        numbers.get_or_load(1, || of(3)).await.unwrap();
        ends("loaded").await;
        assert_eq!(
            numbers.ttl(1).await.unwrap(),
            Some(Remaining::For(300 * SECOND)),
            "of its life, not of what is kept"
        );

        // A process that has no copy of its own finds what is kept in the backend.
        place.clock.advance(400 * SECOND);
        let neighbour = place.neighbour();
        let (served, stale) = tell_stale(neighbour.kept().get_or_load(1, failing)).await;
        assert_eq!((*served.unwrap(), stale), (3, true));
        // And keeps it, for when the backend is not there either.
        place.backend.as_ref().unwrap().fall_ill();
        assert_eq!(*neighbour.kept().get_or_load(1, failing).await.unwrap(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn set_delete_and_clear_take_away_what_is_kept_and_expire_leaves_it() {
    for place in Place::all() {
        for write in ["set", "delete", "delete many", "invalidate", "clear", "expire"] {
            for past in [false, true] {
                let case = format!("{}: {write}, {}", place.name, if past { "past its life" } else { "fresh" });
                let numbers = place.kept();
                put(&numbers, 1).await;
                if past {
                    place.clock.advance(400 * SECOND);
                }
                match write {
                    "set" => numbers.set(1, 2).await.unwrap(),
                    "delete" => numbers.delete(1).await.unwrap(),
                    "delete many" => numbers.delete_many(&[1]).await.pop().unwrap().unwrap(),
                    "invalidate" => drop(numbers.invalidate(1).await),
                    "clear" => numbers.clear().await.unwrap(),
                    _ => numbers.expire(1).await.unwrap(),
                }
                place.settle().await;
                if write == "set" {
                    assert_eq!(*numbers.get_or_load(1, failing).await.unwrap(), 2, "{case}");
                    place.clock.advance(400 * SECOND);
                }
                let here = numbers.get_or_load(1, failing).await.ok().as_deref().copied();
                let expected = match write {
                    "set" => Some(2),
                    "expire" => Some(1),
                    _ => None,
                };
                assert_eq!(here, expected, "{case}");
                assert_eq!(numbers.get(1).await.unwrap(), None, "{case}");
                if place.backend.is_some() {
                    let elsewhere = place.neighbour().kept().get_or_load(1, failing).await.ok().as_deref().copied();
                    assert_eq!(elsewhere, expected, "{case}: elsewhere");
                    assert_eq!(place.neighbour().kept().get(1).await.unwrap(), None, "{case}: elsewhere");
                }
                numbers.delete(1).await.unwrap();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn expire_ends_loads_that_run_and_is_a_delete_where_nothing_is_kept() {
    for place in Place::all() {
        let numbers = place.kept();
        put(&numbers, 1).await;
        let plain = place.namespace().open().unwrap();
        plain.expire(1).await.unwrap();
        assert!(numbers.get_or_load(1, failing).await.is_err(), "{}", place.name);

        // What began to load before must not come back as fresh.
        let neighbour = place.backend.as_ref().map(|_| place.neighbour().kept());
        let loading = numbers.get_or_load(1, || slow(2, SECOND / 2));
        let theirs = async {
            match &neighbour {
                Some(theirs) if place.name == "fenced" => {
                    sleep(SECOND / 4).await;
                    theirs.expire(1).await.unwrap();
                }
                _ => {
                    sleep(SECOND / 4).await;
                    numbers.expire(1).await.unwrap();
                }
            }
        };
        let (loaded, ()) = tokio::join!(loading, theirs);
        assert_eq!(*loaded.unwrap(), 2);
        place.settle().await;
        let fresh = match &neighbour {
            Some(theirs) => theirs.get(1).await.unwrap(),
            None => numbers.get(1).await.unwrap(),
        };
        assert_eq!(fresh, None, "{}", place.name);
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_process_deleted_is_not_served_while_the_backend_answers() {
    for name in ["unfenced", "fenced"] {
        let place = Place::new(name);
        let (ours, theirs) = (place.kept(), place.neighbour().kept());
        put(&ours, 1).await;
        theirs.delete(1).await.unwrap();
        place.clock.advance(400 * SECOND);
        assert!(ours.get_or_load(1, failing).await.is_err(), "{name}");
        // Having learnt of it, it stays gone, also when the backend goes.
        place.backend.as_ref().unwrap().fall_ill();
        assert!(ours.get_or_load(1, failing).await.is_err(), "{name}");
        place.backend.as_ref().unwrap().recover();

        // A mere look-up learns of it, too.
        put(&ours, 2).await;
        theirs.delete(1).await.unwrap();
        place.clock.advance(400 * SECOND);
        assert_eq!(ours.get(1).await.unwrap(), None);
        place.backend.as_ref().unwrap().fall_ill();
        assert!(ours.get_or_load(1, failing).await.is_err(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_with_a_key_that_nothing_is_kept_of_tells_its_error() {
    for place in Place::all() {
        let numbers = place.kept();
        put(&numbers, 1).await;
        place.clock.advance(400 * SECOND);
        let failed = async |_: Vec<u64>| Err::<Vec<(u64, u64)>, _>("no answer");
        assert!(numbers.get_or_load_many(&[1, 2], failed).await.is_err(), "{}", place.name);
        assert_eq!(place.cache.stats().stale_serves, 0);
        let served = numbers.get_or_load_many(&[1, 1], failed).await.unwrap();
        assert_eq!(served.iter().flatten().map(|value| **value).collect::<Vec<_>>(), [1, 1]);

        // A loader that does not bring a key says that there is none any more.
        let none = async |_: Vec<u64>| Ok::<Vec<(u64, u64)>, &str>(Vec::new());
        assert_eq!(numbers.get_or_load_many(&[1], none).await.unwrap(), [None]);
        place.settle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_load_goes_on_and_is_stored_while_callers_have_the_older_value() {
    for place in Place::all() {
        let numbers = place.namespace().stale_for(HOUR).load_timeout(SECOND).open().unwrap();
        put(&numbers, 1).await;
        place.clock.advance(400 * SECOND);
        let began = Instant::now();
        let calls = join_all((0..100).map(|_| tell_stale(numbers.get_or_spawn(1, || slow(2, 10 * SECOND))))).await;
        assert!(calls.into_iter().all(|(served, stale)| stale && *served.unwrap() == 1), "{}", place.name);
        assert_eq!(began.elapsed(), SECOND);
        // Who comes now need not wait again, whatever its loader.
        let (served, stale) = tell_stale(numbers.get_or_spawn(1, || of(9))).await;
        assert_eq!((*served.unwrap(), stale), (1, true));
        let (served, stale) = tell_stale(numbers.get_or_load(1, || of(9))).await;
        assert_eq!((*served.unwrap(), stale), (1, true));
        assert_eq!(began.elapsed(), SECOND);
        assert_eq!(numbers.get(1).await.unwrap(), None, "never from a look-up");

        sleep(10 * SECOND).await;
        let (served, stale) = tell_stale(numbers.get_or_spawn(1, || of(9))).await;
        assert_eq!((*served.unwrap(), stale), (2, false), "{}", place.name);
        if place.backend.is_some() {
            assert_eq!(place.neighbour().kept().get(1).await.unwrap().as_deref(), Some(&2));
        }
        assert_eq!(place.cache.stats().loads, 2);
        place.settle().await;

        // Without anything older the limit is hard, and the loader is dropped.
        numbers.delete(1).await.unwrap();
        let late = numbers.get_or_spawn(1, || slow(3, 10 * SECOND)).await;
        assert!(matches!(late, Err(LoadError::TimedOut)), "{}", place.name);
        assert_eq!(late.unwrap_err().code(), Some(ErrorCode::E034));
        place.settle().await;
        // A loader that runs in its caller is dropped in any case.
        numbers.set(1, 4).await.unwrap();
        place.clock.advance(400 * SECOND);
        assert_eq!(*numbers.get_or_load(1, || slow(5, 10 * SECOND)).await.unwrap(), 4);
        sleep(20 * SECOND).await;
        assert_eq!(numbers.get(1).await.unwrap(), None);
        place.settle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_backend_is_a_late_load() {
    for name in ["unfenced", "fenced"] {
        let place = Place::new(name);
        let numbers = place.namespace().stale_for(HOUR).load_timeout(SECOND).open().unwrap();
        put(&numbers, 1).await;
        place.clock.advance(400 * SECOND);
        let parked = place.backend.as_ref().unwrap().park(Call::Get, When::Before);
        let began = Instant::now();
        let (served, stale) = tell_stale(numbers.get_or_spawn(1, || of(2))).await;
        assert_eq!((*served.unwrap(), stale, began.elapsed()), (1, true, SECOND), "{name}");
        parked.open();
        place.settle().await;
        assert_eq!(numbers.get(1).await.unwrap().as_deref(), Some(&2), "{name}: it went on");
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_load_does_not_bring_back_what_was_deleted_meanwhile() {
    for place in Place::all() {
        let numbers = place.namespace().stale_for(HOUR).load_timeout(SECOND).open().unwrap();
        put(&numbers, 1).await;
        place.clock.advance(400 * SECOND);
        assert_eq!(*numbers.get_or_spawn(1, || slow(2, 10 * SECOND)).await.unwrap(), 1);
        numbers.delete(1).await.unwrap();
        assert!(numbers.get_or_load(1, failing).await.is_err(), "{}: the older value is gone", place.name);
        sleep(20 * SECOND).await;
        place.settle().await;
        assert_eq!(numbers.get(1).await.unwrap(), None, "{}", place.name);
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_loaded_in_a_task_arrives_before_it_is_stored_and_nobody_loads_again() {
    for (name, call) in [("unfenced", Call::Set), ("fenced", Call::SetFenced)] {
        for l1_bytes in [1, 1 << 20] {
            let backend = Scripted::new();
            let backend = if name == "fenced" { backend } else { backend.unfenced() };
            let cache: Cache<Text> = Cache::builder()
                .backend(backend.clone())
                .resilience(Resilience::none())
                .l1_bytes(l1_bytes)
                .build()
                .unwrap();
            let numbers = cache.namespace::<u64>("n").open().unwrap();
            let parked = backend.park(call, When::Before);
            let arrived = timeout(SECOND, numbers.get_or_spawn(1, || of(1))).await;
            assert_eq!(*arrived.unwrap_or_else(|_| panic!("{name}: it waits for its store")).unwrap(), 1);
            assert_eq!(backend.memory().get(&Key::new("n:1").unwrap()).await.unwrap(), None);
            assert_eq!(*numbers.get_or_spawn(1, || of(9)).await.unwrap(), 1, "{name}");
            assert_eq!(*numbers.get_or_load(1, || of(9)).await.unwrap(), 1, "{name}");
            assert_eq!(numbers.get(1).await.unwrap().as_deref(), Some(&1), "{name}");
            assert!(!cache.close(SECOND).await, "{name}: the store is still on its way");
            parked.open();
        }
        let backend = Scripted::new();
        let backend = if name == "fenced" { backend } else { backend.unfenced() };
        backend.wait(call, SECOND);
        let cache: Cache<Text> =
            Cache::builder().backend(backend.clone()).resilience(Resilience::none()).build().unwrap();
        let (numbers, elsewhere) = (cache.namespace::<u64>("n").open().unwrap(), backend.memory().connect());
        numbers.get_or_spawn(1, || of(1)).await.unwrap();
        let began = Instant::now();
        assert!(cache.close(HOUR).await);
        assert_eq!(began.elapsed(), SECOND, "{name}: closing waits for it");
        assert!(elsewhere.get(&Key::new("n:1").unwrap()).await.unwrap().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn writes_win_over_a_store_in_the_background() {
    for (name, call) in [("unfenced", Call::Set), ("fenced", Call::SetFenced)] {
        for when in [When::Before, When::After] {
            let place = Place::new(name);
            let numbers = place.namespace().open().unwrap();
            let parked = place.backend.as_ref().unwrap().park(call, when);
            numbers.get_or_spawn(1, || of(1)).await.unwrap();
            parked.reached().await;
            numbers.delete(1).await.unwrap();
            assert_eq!(numbers.get(1).await.unwrap(), None, "{name}");
            parked.open();
            place.settle().await;
            assert_eq!(numbers.get(1).await.unwrap(), None, "{name}");
            assert_eq!(place.entry().await, None, "{name}");
        }
    }
    // Another process's write ends the fence; what was served meanwhile from here goes.
    let place = Place::new("fenced");
    let (ours, theirs) = (place.namespace().open().unwrap(), place.neighbour().namespace().open().unwrap());
    let parked = place.backend.as_ref().unwrap().park(Call::SetFenced, When::Before);
    ours.get_or_spawn(1, || of(1)).await.unwrap();
    parked.reached().await;
    theirs.set(1, 2).await.unwrap();
    parked.open();
    place.settle().await;
    assert_eq!(ours.get(1).await.unwrap().as_deref(), Some(&2));
}

#[tokio::test(start_paused = true)]
async fn who_needs_a_value_is_not_held_up_by_the_knowledge_that_there_is_none_on_its_way() {
    let place = Place::new("unfenced");
    let numbers = place.namespace().open().unwrap();
    let parked = place.backend.as_ref().unwrap().park(Call::Set, When::Before);
    let absent = numbers.get_or_spawn_optional(1, async || Ok::<_, &str>(LoadedOption::<u64>::absent()));
    assert_eq!(absent.await.unwrap(), None);
    assert_eq!(*numbers.get_or_load(1, || of(1)).await.unwrap(), 1);
    parked.open();
    place.settle().await;
}

#[tokio::test(start_paused = true)]
async fn staleness_is_told_to_who_asks_however_deep_and_to_nobody_else() {
    let place = Place::new("local");
    let numbers = place.kept();
    put(&numbers, 1).await;
    place.clock.advance(400 * SECOND);
    let ((((), inner), fresh), outer) = tell_stale(async {
        let inner = tell_stale(async { drop(numbers.get_or_load(1, failing).await.unwrap()) }).await;
        let ((), fresh) = tell_stale(async { drop(numbers.get_or_load(2, || of(2)).await.unwrap()) }).await;
        (inner, fresh)
    })
    .await;
    assert!(inner && outer && !fresh);

    // All who waited for a load that failed are told.
    let calls = AtomicU64::new(0);
    let load = || {
        calls.fetch_add(1, Ordering::Relaxed);
        async {
            sleep(SECOND).await;
            failing().await
        }
    };
    let all = join_all((0..10).map(|_| tell_stale(numbers.get_or_load(1, load)))).await;
    assert!(all.into_iter().all(|(served, stale)| stale && *served.unwrap() == 1));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn settings_that_cannot_be_are_named() {
    let place = Place::new("local");
    let code = |opened: Result<(), cachekit_core::Error>| opened.unwrap_err().code();
    assert_eq!(code(place.namespace().stale_for(Duration::ZERO).open().map(drop)), ErrorCode::E044);
    assert_eq!(code(place.namespace().refresh_after(Duration::ZERO).open().map(drop)), ErrorCode::E044);
    let too_late = place.namespace().refresh_after(300 * SECOND).open().unwrap_err();
    assert!(too_late.to_string().contains("less than the `ttl`, 300s"), "{too_late}");
    place.namespace().ttl(Ttl::Never).refresh_after(HOUR).open().unwrap();
}

/// A seed makes a whole cache repeatable, the waits of its policies included, whichever clock it goes by.
#[test]
fn policies_take_their_chance_from_the_randomness_of_their_cache() {
    #[derive(Debug)]
    struct Counted(Arc<AtomicU64>);
    impl cachekit_core::Entropy for Counted {
        fn next(&self) -> u64 {
            self.0.fetch_add(1, Ordering::SeqCst)
        }
    }
    for clock in [None, Some(ManualClock::new())] {
        let asked = Arc::<AtomicU64>::default();
        let builder = Cache::<Text>::builder()
            .backend(MemoryBackend::new())
            .resilience(Resilience::production())
            .entropy(Counted(Arc::clone(&asked)));
        let builder = match clock {
            Some(clock) => builder.clock(clock),
            None => builder,
        };
        builder.build().unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 1, "the seed of what the policies draw");
    }
}
