//! Callers who are dropped, at every point: the others are served, and nothing is left behind.

#![cfg(not(feature = "_shuttle"))] // a real runtime
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

mod common;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cachekit_core::{
    Acquired, Cache, FenceToken, Fenced, Invalidation, Key, Loaded, LoadedOption, ManualClock, MemoryBackend,
    Namespace, OwnedLoads, Resilience, Ttl,
};
use common::Text;
use common::by_hand::ByHand;
use common::scripted::{Scripted, pause};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

type Called = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A namespace that is asked for key 1, and what is beneath it.
struct Place {
    name: &'static str,
    cache: Cache<Text>,
    namespace: Namespace<u64>,
    backend: Option<Scripted>,
}

impl Place {
    fn all() -> Vec<Self> {
        let over = |name, backend: Scripted| {
            backend.linger(MS);
            let cache: Cache<Text> =
                Cache::builder().backend(backend.clone()).resilience(Resilience::none()).build().unwrap();
            Self { name, namespace: cache.namespace("n").open().unwrap(), cache, backend: Some(backend) }
        };
        let cache: Cache<Text> = Cache::builder().build().unwrap();
        let local = Self { name: "local", namespace: cache.local("n").open().unwrap(), cache, backend: None };
        vec![local, over("unfenced", Scripted::new().unfenced()), over("fenced", Scripted::new())]
    }

    /// Everybody is gone, and nothing shows that they were there.
    async fn nothing_is_left(&self, case: &str) {
        sleep(SECOND).await;
        let status = self.cache.status();
        assert_eq!((status.keys_in_motion, status.pending_repairs), (0, 0), "{case}");
        let Some(backend) = &self.backend else { return };
        for key in ["n:1", "n:2", "n:3"] {
            let (key, token) = (Key::new(key).unwrap(), FenceToken::from_random(1));
            let taken = backend.memory().acquire(&key, &token, SECOND).await;
            backend.memory().release(&key, &token).await.unwrap();
            assert!(matches!(taken, Ok(Acquired::Granted { .. })), "{case}: the fence of {key:?} was left behind");
        }
    }
}

/// What is called, and dropped.
#[derive(Clone, Copy, Debug)]
enum Call {
    Get,
    GetMany,
    Ttl,
    Load,
    LoadOptional,
    LoadFailing,
    LoadPanicking,
    LoadMany,
    Spawn,
    SpawnOptional,
    SpawnFailing,
    SpawnPanicking,
    SpawnLate,
    Set,
    SetMany,
    Delete,
    DeleteMany,
    Invalidate,
    Touch,
    Expire,
    Clear,
}

impl Call {
    const LOADS: [Self; 11] = [
        Self::Load,
        Self::LoadOptional,
        Self::LoadFailing,
        Self::LoadPanicking,
        Self::LoadMany,
        Self::Spawn,
        Self::SpawnOptional,
        Self::SpawnFailing,
        Self::SpawnPanicking,
        Self::SpawnLate,
        Self::Get,
    ];
    const OTHERS: [Self; 10] = [
        Self::GetMany,
        Self::Ttl,
        Self::Set,
        Self::SetMany,
        Self::Delete,
        Self::DeleteMany,
        Self::Invalidate,
        Self::Touch,
        Self::Expire,
        Self::Clear,
    ];

    fn make(self, namespace: &Namespace<u64>) -> Called {
        let namespace = namespace.clone();
        Box::pin(async move {
            match self {
                Self::Get => drop(namespace.get(1).await.unwrap()),
                Self::GetMany => drop(namespace.get_many(&[1, 2]).await),
                Self::Ttl => _ = namespace.ttl(1).await.unwrap(),
                Self::Load => drop(namespace.get_or_load(1, slow).await),
                Self::LoadOptional => {
                    let loader = async || {
                        slow().await.unwrap();
                        Ok::<_, Infallible>(LoadedOption::<u64>::absent())
                    };
                    let _ = namespace.get_or_load_optional(1, loader).await;
                }
                Self::LoadFailing => {
                    let loader = async || slow().await.and(Err::<u64, _>(()));
                    let _ = namespace.get_or_load(1, loader).await;
                }
                Self::LoadPanicking => {
                    let loader = async || {
                        slow().await.unwrap();
                        if true {
                            panic!("in the loader");
                        }
                        Ok::<u64, Infallible>(7)
                    };
                    let load = tokio::spawn(async move { namespace.get_or_load(1, loader).await.map(|value| *value) });
                    let _ = AbortOnDrop(load).await;
                }
                Self::LoadMany => {
                    let loader = async |keys: Vec<u64>| {
                        slow().await.unwrap();
                        Ok::<_, Infallible>(keys.into_iter().map(|key| (key, 7)).collect::<Vec<_>>())
                    };
                    drop(namespace.get_or_load_many(&[3, 2, 1], loader).await);
                }
                Self::Spawn => drop(namespace.get_or_spawn(1, slow).await),
                Self::SpawnOptional => {
                    let loader = async || {
                        slow().await.unwrap();
                        Ok::<_, Infallible>(LoadedOption::<u64>::absent())
                    };
                    drop(namespace.get_or_spawn_optional(1, loader).await);
                }
                Self::SpawnFailing => {
                    drop(namespace.get_or_spawn(1, async || slow().await.and(Err::<u64, _>(()))).await);
                }
                Self::SpawnPanicking => drop(namespace.get_or_spawn(1, panicking).await),
                Self::SpawnLate => drop(namespace.get_or_spawn(1, late).await),
                Self::Set => namespace.set(1, 7).await.unwrap(),
                Self::SetMany => namespace.set_many(vec![(1, 7), (2, 7)]).await.into_iter().for_each(Result::unwrap),
                Self::Delete => namespace.delete(1).await.unwrap(),
                Self::DeleteMany => namespace.delete_many(&[1, 2]).await.into_iter().for_each(Result::unwrap),
                Self::Invalidate => assert!(matches!(namespace.invalidate(1).await, Invalidation::Confirmed)),
                Self::Touch => _ = namespace.touch(1, Ttl::secs(9)).await.unwrap(),
                Self::Expire => namespace.expire(1).await.unwrap(),
                Self::Clear => namespace.clear().await.unwrap(),
            }
        })
    }
}

/// A loader that takes a few turns.
async fn slow() -> Result<u64, ()> {
    for _ in 0..3 {
        sleep(MS).await;
        pause().await;
    }
    Ok(7)
}

/// One that takes longer than a load may.
async fn late() -> Result<u64, ()> {
    sleep(30 * MS).await;
    slow().await
}

async fn panicking() -> Result<u64, ()> {
    slow().await.unwrap();
    panic!("in the loader")
}

/// A task that ends with who waits for it.
struct AbortOnDrop<R>(tokio::task::JoinHandle<R>);

impl<R> Future for AbortOnDrop<R> {
    type Output = Result<R, tokio::task::JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<R> Drop for AbortOnDrop<R> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Callers who want the value too.
fn others(namespace: &Namespace<u64>) -> Vec<tokio::task::JoinHandle<u64>> {
    let call = |spawn: bool| {
        let namespace = namespace.clone();
        tokio::spawn(async move {
            // A load that fails, or panics, is shared; who then tries again gets a value.
            for _ in 0..3 {
                let loaded = match spawn {
                    true => namespace.get_or_spawn(1, slow).await,
                    false => namespace.get_or_load(1, slow).await,
                };
                if let Ok(value) = loaded {
                    return *value;
                }
            }
            panic!("no value came")
        })
    };
    vec![call(false), call(true), call(false)]
}

/// Drops `call` after each possible number of polls, while others wait. Says how many there were.
async fn cross(call: Call, own_first: bool) -> usize {
    let mut points = 0;
    for place_at in 0..Place::all().len() {
        for polls in 0_usize.. {
            let place = Place::all().swap_remove(place_at);
            let case = format!("{}: {call:?} dropped after {polls} polls", place.name);
            let mut victim = ByHand::new(call.make(&place.namespace));
            let (waiting, done);
            if own_first {
                let first = if polls > 0 { victim.poll().await } else { std::task::Poll::Pending };
                waiting = others(&place.namespace);
                done = first.is_ready() || victim.poll_times(polls.saturating_sub(1)).await.is_some();
            } else {
                waiting = others(&place.namespace);
                pause().await;
                sleep(MS / 2).await;
                done = victim.poll_times(polls).await.is_some();
            }
            drop(victim);
            let dropped = Instant::now();
            let values = timeout(60 * SECOND, join_all(waiting)).await;
            let values = values.unwrap_or_else(|_| panic!("{case}: the others hang"));
            assert!(values.into_iter().all(|value| value.unwrap() == 7), "{case}");
            assert!(dropped.elapsed() <= 150 * MS, "{case}: the others took {:?}", dropped.elapsed());
            let again = timeout(SECOND, place.namespace.get_or_load(1, slow)).await;
            assert_eq!(*again.unwrap_or_else(|_| panic!("{case}: the next caller hangs")).unwrap(), 7);
            place.nothing_is_left(&case).await;
            points += 1;
            if done {
                break;
            }
            assert!(polls < 200, "{case}: it does not end");
        }
    }
    points
}

#[tokio::test(start_paused = true)]
async fn leaders_may_be_dropped_at_every_point() {
    let mut points = 0;
    for call in Call::LOADS {
        points += cross(call, true).await;
    }
    assert!(points > 150, "{points} points");
}

#[tokio::test(start_paused = true)]
async fn waiters_may_be_dropped_at_every_point() {
    let mut points = 0;
    for call in Call::LOADS {
        points += cross(call, false).await;
    }
    assert!(points > 60, "{points} points");
}

#[tokio::test(start_paused = true)]
async fn writers_may_be_dropped_at_every_point() {
    let mut points = 0;
    for call in Call::OTHERS {
        points += cross(call, true).await + cross(call, false).await;
    }
    assert!(points > 100, "{points} points");
}

/// What is asked for has ended, or is due to be refreshed, and is kept.
async fn aged(place_at: usize, due: bool) -> (Place, Namespace<u64, OwnedLoads>, Namespace<u64>) {
    let (clock, name) = (ManualClock::new(), ["local", "unfenced", "fenced"][place_at]);
    let backend = (name != "local").then(|| {
        let scripted = Scripted::over(&MemoryBackend::builder().clock(clock.clone()).build().unwrap());
        if name == "fenced" { scripted } else { scripted.unfenced() }
    });
    let builder = Cache::<Text>::builder().clock(clock.clone());
    let builder = if let Some(backend) = &backend {
        builder.backend(backend.clone()).resilience(Resilience::none())
    } else {
        builder
    };
    let cache = builder.build().unwrap();
    let open = || {
        let namespace = if name == "local" { cache.local::<u64>("n") } else { cache.namespace::<u64>("n") };
        namespace.ttl(Ttl::secs(20)).stale_for(SECOND * 60).load_timeout(20 * MS)
    };
    let (owned, plain) = (open().refresh_after(SECOND * 10).open().unwrap(), open().open().unwrap());
    owned.set(1, 6).await.unwrap();
    backend.iter().for_each(|backend| backend.linger(MS));
    clock.advance(if due { 15 * SECOND } else { 25 * SECOND });
    (Place { name, cache, namespace: plain.clone(), backend }, owned, plain)
}

#[tokio::test(start_paused = true)]
async fn callers_of_old_values_may_be_dropped_at_every_point() {
    let mut points = 0;
    for place_at in 0..3 {
        for due in [true, false] {
            for call in Call::LOADS.into_iter().chain([Call::Expire, Call::Delete, Call::Set]) {
                for polls in 0_usize.. {
                    let (place, owned, plain) = aged(place_at, due).await;
                    let case = format!("{}: {call:?} of a value that {due} is due, {polls} polls", place.name);
                    let refresher = owned.clone();
                    let refresh =
                        tokio::spawn(async move { refresher.get_or_spawn(1, late).await.map(|value| *value) });
                    pause().await;
                    let mut victim = ByHand::new(call.make(&plain));
                    let done = victim.poll_times(polls).await.is_some();
                    drop(victim);
                    let served = timeout(SECOND, refresh).await.unwrap_or_else(|_| panic!("{case}: hangs")).unwrap();
                    assert!(matches!(served, Ok(6 | 7) | Err(_)), "{case}: {served:?}");
                    let again = timeout(SECOND, plain.get_or_load(1, slow)).await;
                    let again = again.unwrap_or_else(|_| panic!("{case}: the next caller hangs"));
                    assert!(matches!(again.as_deref(), Ok(6 | 7)), "{case}: {again:?}");
                    place.nothing_is_left(&case).await;
                    assert!(place.cache.close(SECOND).await, "{case}: something runs on");
                    points += 1;
                    if done {
                        break;
                    }
                    assert!(polls < 200, "{case}: it does not end");
                }
            }
        }
    }
    assert!(points > 300, "{points} points");
}

#[tokio::test(start_paused = true)]
async fn refreshers_may_be_dropped_at_every_point_and_the_refresh_goes_on() {
    for place_at in 0..3 {
        for polls in 0..3 {
            let (place, owned, _) = aged(place_at, true).await;
            let mut victim = ByHand::new(owned.get_or_spawn(1, slow));
            let served = victim.poll_times(polls).await;
            assert_eq!(served.is_some(), polls > 0, "served at once");
            drop(victim);
            place.nothing_is_left("refreshed").await;
            let expected = if polls > 0 { 7 } else { 6 };
            assert_eq!(owned.peek(1).as_deref(), Some(&expected), "{}", place.name);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn all_callers_may_be_dropped_together() {
    for place_at in 0..Place::all().len() {
        for polls in 0..40 {
            let place = Place::all().swap_remove(place_at);
            let calls = Call::LOADS.iter().chain(&Call::OTHERS);
            let mut victims: Vec<_> = calls.map(|call| ByHand::new(call.make(&place.namespace))).collect();
            for _ in 0..polls {
                let mut left = Vec::new();
                for mut victim in victims {
                    if victim.poll().await.is_pending() {
                        left.push(victim);
                    }
                }
                victims = left;
                sleep(MS).await;
            }
            drop(victims);
            let case = format!("{}: all dropped after {polls} polls", place.name);
            assert_eq!(place.cache.status().keys_in_motion, place.cache.status().keys_in_motion.min(1), "{case}");
            place.nothing_is_left(&case).await;
            let value =
                timeout(SECOND, place.namespace.get_or_load(1, slow)).await.unwrap_or_else(|_| panic!("{case}"));
            assert_eq!(*value.unwrap(), 7, "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_spawned_load_that_nobody_wants_any_more_ends_with_its_fence() {
    let place = Place::all().remove(2);
    let ended = Arc::new(AtomicUsize::new(0));
    struct Ends(Arc<AtomicUsize>);
    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let ends = Ends(Arc::clone(&ended));
    let loader = || async move {
        let _ends = ends;
        std::future::pending::<Result<u64, Infallible>>().await
    };
    let mut caller = ByHand::new(place.namespace.get_or_spawn(1, loader));
    assert!(caller.poll_times(20).await.is_none());
    assert_eq!(ended.load(Ordering::SeqCst), 0);
    drop(caller);
    place.nothing_is_left("spawned").await;
    assert_eq!(ended.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_million_cold_keys_leave_nothing_behind() {
    let cache: Cache<Text> = Cache::builder().l1_bytes(1 << 20).build().unwrap();
    let namespace = cache.local::<u64>("n").open().unwrap();
    for key in 0..1_000_000_u64 {
        let load = namespace.get_or_load(key, || std::future::ready(Ok::<_, Infallible>(Loaded::new(key))));
        assert_eq!(*load.await.unwrap(), key);
    }
    let status = cache.status();
    assert_eq!(status.keys_in_motion, 0);
    assert!(status.l1_bytes <= 1 << 20 && status.l1_entries < 20_000, "{status}");
    assert_eq!(cache.stats().loads, 1_000_000);
}
