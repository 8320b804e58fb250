//! What is served agrees with what was written: own writes, writes during loads, repairs, and values that cannot be
//! kept.

#![cfg(not(feature = "_shuttle"))] // a real runtime
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

mod common;

use std::convert::Infallible;
use std::future::ready;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cachekit_core::{
    Applied, Backend, Cache, EntryContext, Error, ErrorCode, Format, Invalidation, Key, LoadError, Loaded, ManualClock,
    MemoryBackend, Namespace, Remaining, Resilience, Result, Serializer, SetOptions, Transform, TransformKind, Ttl,
};
use common::Text;
use common::by_hand::ByHand;
use common::scripted::{Call, Scripted, When};
use tokio::time::sleep;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn over(backend: &Scripted) -> Namespace<u64> {
    cache_over(backend).namespace("numbers").open().unwrap()
}

fn cache_over(backend: &Scripted) -> Cache<Text> {
    Cache::builder().backend(backend.clone()).resilience(Resilience::none()).build().unwrap()
}

fn with_and_without_fences() -> [Scripted; 2] {
    [Scripted::new(), Scripted::new().unfenced()]
}

fn stored_key(key: u64) -> Key {
    Key::new(&format!("numbers:{key}")).unwrap()
}

async fn is_stored(backend: &Scripted, key: u64) -> bool {
    backend.memory().get(&stored_key(key)).await.unwrap().is_some()
}

async fn value(namespace: &Namespace<u64>, key: u64) -> Option<u64> {
    namespace.get(key).await.unwrap().as_deref().copied()
}

/// What another process would read.
async fn elsewhere(backend: &Scripted, key: u64) -> Option<u64> {
    value(&over(&Scripted::over(backend.memory())), key).await
}

async fn load(namespace: &Namespace<u64>, key: u64, value: u64) -> u64 {
    *namespace.get_or_load(key, || ready(Ok::<u64, Infallible>(value))).await.unwrap()
}

async fn slow<R>(loaded: R) -> Result<R, Infallible> {
    sleep(MS).await;
    Ok(loaded)
}

#[tokio::test(start_paused = true)]
async fn p13_a_write_that_fails_leaves_no_old_copy() {
    for backend in with_and_without_fences() {
        let numbers = over(&backend);
        for when in [When::Before, When::After] {
            // What became of the write is not known, so its entry goes: neither the old value shows nor the new one.
            numbers.set(1, 10).await.unwrap();
            backend.fail(Call::Set, when, 1);
            assert_eq!(numbers.set(1, 11).await.unwrap_err().code(), ErrorCode::E065);
            assert_eq!(numbers.peek(1), None);
            assert_eq!(value(&numbers, 1).await, None);

            numbers.set(2, 20).await.unwrap();
            let call = if backend.abilities().fenced.is_some() { Call::Set } else { Call::SetMany };
            backend.fail(call, when, 1);
            assert!(numbers.set_many(vec![(2, 21)]).await[0].is_err());
            assert_eq!(numbers.peek(2), None);
            assert_eq!(value(&numbers, 2).await, None);
            sleep(SECOND).await;
            assert!(!is_stored(&backend, 1).await && !is_stored(&backend, 2).await, "carried out in the background");

            numbers.set(3, 30).await.unwrap();
            backend.fail(Call::Delete, when, 1);
            assert!(numbers.delete(3).await.is_err());
            assert_eq!(numbers.peek(3), None);
            assert_eq!(value(&numbers, 3).await, None);

            numbers.set(4, 40).await.unwrap();
            backend.fail(Call::Clear, when, 1);
            assert!(numbers.clear().await.is_err());
            assert_eq!(numbers.peek(4), None);
            // A clear is not repeated: only where it took effect is the value gone from the backend.
            assert_eq!(value(&numbers, 4).await, (when == When::Before).then_some(40));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn p13_a_write_that_is_dropped_leaves_no_old_copy() {
    for backend in with_and_without_fences() {
        let numbers = over(&backend);
        for when in [When::Before, When::After] {
            numbers.set(1, 10).await.unwrap();
            let _gate = backend.park(Call::Set, when);
            let mut set = ByHand::new(numbers.set(1, 11));
            assert!(set.poll().await.is_pending());
            drop(set);
            assert_eq!(numbers.peek(1), None);
            assert_eq!(value(&numbers, 1).await, None);

            numbers.set(2, 20).await.unwrap();
            let _gate = backend.park(Call::Delete, when);
            let mut delete = ByHand::new(numbers.delete(2));
            assert!(delete.poll().await.is_pending());
            drop(delete);
            assert_eq!(numbers.peek(2), None);
            assert_eq!(value(&numbers, 2).await, None);
            sleep(SECOND).await;
            assert!(!is_stored(&backend, 1).await && !is_stored(&backend, 2).await, "carried out in the background");

            numbers.set(3, 30).await.unwrap();
            let _gate = backend.park(Call::Clear, when);
            let mut clear = ByHand::new(numbers.clear());
            assert!(clear.poll().await.is_pending());
            drop(clear);
            assert_eq!(numbers.peek(3), None);
            assert_eq!(value(&numbers, 3).await, (when == When::Before).then_some(30));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_read_during_a_write_is_not_served_after_it() {
    for backend in with_and_without_fences() {
        let numbers = over(&backend);
        for many in [false, true] {
            numbers.set(1, 10).await.unwrap();
            let (read, numbers) = (backend.park(if many { Call::GetMany } else { Call::Get }, When::After), &numbers);
            let set = backend.park(Call::Set, When::Before);
            let writing = async { numbers.set(1, 11).await.unwrap() };
            let reading = async {
                set.reached().await;
                if many { numbers.get_many(&[1]).await.remove(0).unwrap() } else { numbers.get(1).await.unwrap() }
            };
            let conducting = async {
                read.reached().await;
                set.open();
                sleep(MS).await;
                assert_eq!(value(numbers, 1).await, Some(11));
                read.open();
            };
            let ((), read, ()) = tokio::join!(writing, reading, conducting);
            assert_eq!(read.as_deref(), Some(&10), "it began before the write was acknowledged");
            assert_eq!(value(numbers, 1).await, Some(11));
        }
    }
}

/// What takes a value away, or puts another in its place, while it is being loaded.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Write {
    Set,
    SetMany,
    Delete,
    DeleteMany,
    Expire,
    Invalidate,
    Clear,
}

impl Write {
    const ALL: [Self; 7] =
        [Self::Set, Self::SetMany, Self::Delete, Self::DeleteMany, Self::Expire, Self::Invalidate, Self::Clear];

    async fn carry_out(self, namespace: &Namespace<u64>) {
        match self {
            Self::Set => namespace.set(1, 2).await.unwrap(),
            Self::SetMany => namespace.set_many(vec![(1, 2)]).await.remove(0).unwrap(),
            Self::Delete => namespace.delete(1).await.unwrap(),
            Self::DeleteMany => namespace.delete_many(&[1]).await.remove(0).unwrap(),
            Self::Expire => namespace.expire(1).await.unwrap(),
            Self::Invalidate => assert!(matches!(namespace.invalidate(1).await, Invalidation::Confirmed)),
            Self::Clear => namespace.clear().await.unwrap(),
        }
    }

    fn leaves(self) -> Option<u64> {
        matches!(self, Self::Set | Self::SetMany).then_some(2)
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_while_the_loader_runs_wins() {
    for write in Write::ALL {
        for (backend, other_process) in
            [(Scripted::new(), false), (Scripted::new().unfenced(), false), (Scripted::new(), true)]
        {
            let here = over(&backend);
            let writer = if other_process { over(&backend) } else { here.clone() };
            for many in [false, true] {
                let gate = tokio::sync::Semaphore::new(0);
                let loaded = async {
                    if many {
                        let loader = |_| async {
                            gate.acquire().await.unwrap().forget();
                            Ok::<_, Infallible>([(1, 1)])
                        };
                        *here.get_or_load_many(&[1_u64], loader).await.unwrap()[0].clone().unwrap()
                    } else {
                        let loader = || async {
                            gate.acquire().await.unwrap().forget();
                            Ok::<u64, Infallible>(1)
                        };
                        *here.get_or_load(1, loader).await.unwrap()
                    }
                };
                let wrote = async {
                    sleep(MS).await;
                    write.carry_out(&writer).await;
                    gate.add_permits(1);
                };
                assert_eq!(tokio::join!(loaded, wrote).0, 1, "its caller gets it");
                let case = format!("{write:?}, fenced: {}, {other_process}", backend.abilities().fenced.is_some());
                assert_eq!(value(&here, 1).await, write.leaves(), "{case}");
                assert_eq!(here.get_many(&[1]).await.remove(0).unwrap().as_deref().copied(), write.leaves(), "{case}");
                assert_eq!(elsewhere(&backend, 1).await, write.leaves(), "{case}");
                here.delete(1).await.unwrap();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_while_a_loaded_value_is_on_its_way_wins_in_this_process() {
    for write in Write::ALL {
        let backend = Scripted::new().unfenced();
        let numbers = over(&backend);
        let (leaves, arrives) = (backend.park(Call::Set, When::Before), backend.park(Call::Set, When::After));
        let loading = load(&numbers, 1, 1);
        let writing = async {
            leaves.reached().await;
            if write == Write::Set {
                // It must not go the way of the one that is parked.
                numbers.delete(1).await.unwrap();
            } else {
                write.carry_out(&numbers).await;
            }
            let expected = if write == Write::Set { None } else { write.leaves() };
            leaves.open();
            arrives.reached().await;
            // The backend has the loaded value now, and only the load knows that it should not.
            assert!(is_stored(&backend, 1).await);
            for _ in 0..2 {
                let seen = value(&numbers, 1).await;
                assert!(seen.is_none() || seen == expected, "{write:?}: {seen:?}");
                let seen = numbers.get_many(&[1]).await.remove(0).unwrap().as_deref().copied();
                assert!(seen.is_none() || seen == expected, "{write:?}: {seen:?}");
                assert_eq!(numbers.ttl(1).await.unwrap(), None, "{write:?}");
            }
            assert!([Some(3), expected].contains(&Some(load(&numbers, 1, 3).await)), "{write:?}");
            arrives.open();
        };
        let (loaded, ()) = tokio::join!(loading, writing);
        assert_eq!(loaded, 1, "its caller gets it");
        sleep(SECOND).await;
        assert_ne!(value(&numbers, 1).await, Some(1), "{write:?}");
        assert_ne!(elsewhere(&backend, 1).await, Some(1), "{write:?}: nor does anybody else, after the repair");
    }
}

#[tokio::test(start_paused = true)]
async fn a_load_that_is_dropped_on_its_way_to_the_backend_is_undone() {
    for when in [When::Before, When::After] {
        let backend = Scripted::new().unfenced();
        let numbers = over(&backend);
        let _gate = backend.park(Call::Set, when);
        let mut loading = ByHand::new(load(&numbers, 1, 1));
        assert!(loading.poll_times(3).await.is_none());
        let waiting = tokio::spawn({
            let numbers = numbers.clone();
            async move { load(&numbers, 1, 2).await }
        });
        sleep(MS).await;
        drop(loading);
        assert_eq!(waiting.await.unwrap(), 1, "the value was known: nobody loads again");
        sleep(SECOND).await;
        assert!(!is_stored(&backend, 1).await);
    }
}

#[tokio::test(start_paused = true)]
async fn touching_does_not_bring_back_what_was_replaced_meanwhile() {
    for backend in with_and_without_fences() {
        for write in [Write::SetMany, Write::Delete, Write::Clear] {
            let numbers = over(&backend);
            numbers.set(1, 1).await.unwrap();
            let fenced = backend.abilities().fenced.is_some();
            let read = backend.park(if fenced { Call::Acquire } else { Call::Get }, When::After);
            let touching = numbers.touch(1, Ttl::secs(60));
            let writing = async {
                read.reached().await;
                write.carry_out(&numbers).await;
                read.open();
            };
            let (touched, ()) = tokio::join!(touching, writing);
            touched.unwrap();
            assert_eq!(value(&numbers, 1).await, write.leaves(), "fenced: {fenced}, {write:?}");
            assert_eq!(elsewhere(&backend, 1).await, write.leaves(), "fenced: {fenced}, {write:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_clear_during_loads_of_a_local_namespace_wins() {
    let cache: Cache<Text> = Cache::builder().build().unwrap();
    let tenants = cache.local::<u64>("numbers").per_tenant().open().unwrap();
    let (one, other) = (tenants.tenant("one").unwrap(), tenants.tenant("other").unwrap());
    let runs = AtomicUsize::new(0);
    let slow = |namespace: &Namespace<u64>, after: u64| {
        let (namespace, runs) = (namespace.clone(), &runs);
        async move {
            sleep(Duration::from_millis(after)).await;
            let loader = || async {
                runs.fetch_add(1, Ordering::SeqCst);
                sleep(20 * MS).await;
                Ok::<u64, Infallible>(1)
            };
            *namespace.get_or_load(1, loader).await.unwrap()
        }
    };
    let clear = async {
        sleep(5 * MS).await;
        one.clear().await.unwrap();
    };
    tokio::join!(slow(&one, 0), slow(&other, 0), clear, slow(&one, 10), slow(&other, 10));
    assert_eq!(runs.load(Ordering::SeqCst), 3, "of the cleared tenant a second one, of the other none");
    assert_eq!((one.peek(1).as_deref(), other.peek(1).as_deref()), (Some(&1), Some(&1)));
    one.clear().await.unwrap();
    assert_eq!((one.peek(1), other.peek(1).as_deref()), (None, Some(&1)));
}

#[tokio::test(start_paused = true)]
async fn tenants_do_not_share_loads_nor_values() {
    for backend in with_and_without_fences() {
        let tenants = cache_over(&backend).namespace::<u64>("numbers").per_tenant().open().unwrap();
        let (one, other) = (tenants.tenant("one").unwrap(), tenants.tenant("other").unwrap());
        assert_eq!(tokio::join!(load(&one, 1, 10), load(&other, 1, 20)), (10, 20));
        let again = cache_over(&backend).namespace::<u64>("numbers").per_tenant().open().unwrap();
        assert_eq!(value(&again.tenant("one").unwrap(), 1).await, Some(10));
        assert_eq!(value(&again.tenant("other").unwrap(), 1).await, Some(20));
        one.delete(1).await.unwrap();
        assert_eq!((value(&one, 1).await, value(&other, 1).await), (None, Some(20)));
        one.set(1, 11).await.unwrap();
        other.clear().await.unwrap();
        assert_eq!((value(&one, 1).await, value(&other, 1).await), (Some(11), None));
        assert_eq!(tenants.tenant("").unwrap_err().code(), ErrorCode::E042);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_invalidated_while_the_backend_is_ill_is_not_believed_until_it_is_gone() {
    for backend in with_and_without_fences() {
        let fenced = backend.abilities().fenced.is_some();
        let cache = cache_over(&backend);
        let numbers: Namespace<u64> = cache.namespace("numbers").open().unwrap();
        numbers.set_many((1..=5).map(|key| (key, key * 10)).collect()).await.into_iter().for_each(Result::unwrap);
        assert!(matches!(numbers.invalidate(1).await, Invalidation::Confirmed));
        assert!(!is_stored(&backend, 1).await);

        backend.fall_ill();
        for key in 2..=5 {
            assert!(matches!(numbers.invalidate(key).await, Invalidation::Pending));
        }
        assert_eq!(cache.status().pending_repairs, 4);
        sleep(SECOND).await;
        backend.recover();
        // It is back, and the repair has not come by yet.
        assert!(is_stored(&backend, 2).await);
        assert_eq!(value(&numbers, 2).await, None);
        assert_eq!(numbers.get_many(&[2]).await.remove(0).unwrap(), None);
        assert_eq!(numbers.ttl(2).await.unwrap(), None);
        assert!(!numbers.touch(3, Ttl::secs(60)).await.unwrap());
        assert_eq!(load(&numbers, 4, 41).await, 41, "fenced: {fenced}");
        let many = numbers.get_or_load_many(&[5], |_| ready(Ok::<_, Infallible>([(5, 51)]))).await.unwrap();
        assert_eq!(many[0].as_deref(), Some(&51), "fenced: {fenced}");
        sleep(10 * SECOND).await;
        assert_eq!(cache.status().pending_repairs, 0);
        for key in 2..=5 {
            assert_ne!(elsewhere(&backend, key).await, Some(key * 10), "fenced: {fenced}");
        }
        assert!(cache.close(SECOND).await);
        assert!(matches!(numbers.invalidate(1).await, Invalidation::Failed(error) if error.code() == ErrorCode::E036));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_read_before_a_repair_is_not_believed_after_it() {
    let backend = Scripted::new().unfenced();
    let numbers = over(&backend);
    numbers.set(1, 10).await.unwrap();
    backend.fail(Call::Delete, When::Before, 1);
    let repair = backend.park(Call::DeleteMany, When::Before);
    assert!(matches!(numbers.invalidate(1).await, Invalidation::Pending));
    let read = backend.park(Call::GetMany, When::After);
    let reading = numbers.get_many(&[1]);
    let conducting = async {
        read.reached().await;
        repair.reached().await;
        repair.open();
        sleep(MS).await;
        assert!(!is_stored(&backend, 1).await);
        read.open();
    };
    assert_eq!(tokio::join!(reading, conducting).0.remove(0).unwrap(), None);
    assert_eq!(value(&numbers, 1).await, None);
}

#[tokio::test(start_paused = true)]
async fn an_invalidate_that_is_dropped_is_carried_out() {
    for backend in with_and_without_fences() {
        let cache = cache_over(&backend);
        let numbers: Namespace<u64> = cache.namespace("numbers").open().unwrap();
        numbers.set(1, 10).await.unwrap();
        let _gate = backend.park(Call::Delete, When::Before);
        let mut invalidate = ByHand::new(numbers.invalidate(1));
        assert!(invalidate.poll().await.is_pending());
        drop(invalidate);
        assert_eq!(cache.status().pending_repairs, 1);
        assert_eq!(value(&numbers, 1).await, None);
        sleep(SECOND).await;
        assert_eq!(cache.status().pending_repairs, 0);
        assert!(!is_stored(&backend, 1).await);
        assert_eq!(cache.status().keys_in_motion, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn entries_are_touched_counted_and_asked_for_their_lives() {
    let clock = ManualClock::new();
    let memory = MemoryBackend::builder().clock(clock.clone()).build().unwrap();
    for backend in [Some(Scripted::over(&memory)), Some(Scripted::over(&memory).unfenced()), None] {
        let builder = Cache::<Text>::builder().clock(clock.clone()).ttl(Ttl::secs(10));
        let namespace = match &backend {
            Some(backend) => builder
                .backend(backend.clone())
                .resilience(Resilience::none())
                .build()
                .unwrap()
                .namespace::<u64>("numbers")
                .open(),
            None => builder.build().unwrap().local::<u64>("numbers").open(),
        }
        .unwrap();
        assert_eq!(namespace.ttl(1).await.unwrap(), None);
        assert!(!namespace.exists(1).await.unwrap());
        assert!(!namespace.touch(1, Ttl::secs(5)).await.unwrap());
        namespace.set(1, 7).await.unwrap();
        clock.advance(4 * SECOND);
        assert!(namespace.exists(1).await.unwrap());
        assert_eq!(namespace.ttl(1).await.unwrap(), Some(Remaining::For(6 * SECOND)));
        let lives = tokio::join!(namespace.ttl(1), namespace.ttl(1));
        assert_eq!(lives.0.unwrap(), lives.1.unwrap(), "also when two ask at once");
        assert!(namespace.touch(1, Ttl::secs(8)).await.unwrap());
        assert_eq!(namespace.ttl(1).await.unwrap(), Some(Remaining::For(8 * SECOND)));
        clock.advance(7 * SECOND);
        assert_eq!(value(&namespace, 1).await, Some(7));
        clock.advance(SECOND);
        assert_eq!(value(&namespace, 1).await, None);
        assert!(!namespace.exists(1).await.unwrap());
        assert!(!namespace.touch(1, Ttl::secs(5)).await.unwrap(), "what has ended is not revived");
        namespace.set(1, 8).await.unwrap();
        assert!(namespace.touch(1, Ttl::Never).await.unwrap());
        assert_eq!(namespace.ttl(1).await.unwrap(), Some(Remaining::Never));
        namespace.delete(1).await.unwrap();
        assert!(!namespace.exists(1).await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_in_l1_lives_for_l1_ttl_and_no_longer_than_its_entry() {
    let clock = ManualClock::new();
    let memory = MemoryBackend::builder().clock(clock.clone()).build().unwrap();
    let open = || {
        let cache: Cache<Text> = Cache::builder()
            .backend(Scripted::over(&memory))
            .resilience(Resilience::none())
            .clock(clock.clone())
            .l1_ttl(10 * SECOND)
            .build()
            .unwrap();
        cache.namespace::<u64>("numbers").ttl(Ttl::secs(100)).open().unwrap()
    };
    let (here, there) = (open(), open());
    here.set(1, 1).await.unwrap();
    here.with_ttl(Ttl::secs(5)).set(2, 2).await.unwrap();
    assert_eq!((value(&there, 1).await, value(&there, 2).await), (Some(1), Some(2)));
    here.set(1, 11).await.unwrap();
    clock.advance(5 * SECOND - MS);
    assert_eq!((value(&there, 1).await, value(&there, 2).await), (Some(1), Some(2)));
    clock.advance(MS);
    assert_eq!((value(&there, 1).await, value(&there, 2).await), (Some(1), None));
    clock.advance(5 * SECOND);
    assert_eq!(value(&there, 1).await, Some(11));
}

#[tokio::test(start_paused = true)]
async fn of_two_values_for_one_key_the_later_one_stays() {
    for backend in with_and_without_fences() {
        let numbers = over(&backend);
        let first = backend.park(Call::Set, When::Before);
        let setting = numbers.set_many(vec![(1, 10), (2, 20), (1, 11)]);
        let conducting = async {
            sleep(MS).await;
            first.open();
        };
        let (answers, ()) = tokio::join!(setting, conducting);
        answers.into_iter().for_each(Result::unwrap);
        assert_eq!((elsewhere(&backend, 1).await, elsewhere(&backend, 2).await), (Some(11), Some(20)));
        assert_eq!(value(&numbers, 1).await, Some(11));
    }
}

#[tokio::test(start_paused = true)]
async fn who_shares_the_look_up_of_a_load_is_told_what_it_met() {
    for bad_entry in [false, true] {
        for many in [false, true] {
            let backend = Scripted::new();
            let numbers = over(&backend);
            let call = if many { Call::GetMany } else { Call::Get };
            if bad_entry {
                let foreign = Bytes::from_static(b"foreign");
                backend.memory().set(&stored_key(1), foreign, &SetOptions::new(Ttl::Never)).await.unwrap();
            }
            let gate = backend.park(call, When::Before);
            if !bad_entry {
                backend.fail(call, When::Before, 1);
            }
            let loading = async {
                if many {
                    let loaded = numbers.get_or_load_many(&[1], |_| slow([(1, 1)])).await;
                    *loaded.unwrap().remove(0).unwrap()
                } else {
                    *numbers.get_or_load(1, || slow(1_u64)).await.unwrap()
                }
            };
            let reading = async {
                gate.reached().await;
                let answer = numbers.get(1);
                gate.open();
                answer.await
            };
            let (loaded, read) = tokio::join!(loading, reading);
            assert_eq!(loaded, 1);
            let expected = if bad_entry { ErrorCode::E021 } else { ErrorCode::E065 };
            assert_eq!(read.unwrap_err().code(), expected, "many: {many}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_is_disabled_keeps_nothing_and_serves_nothing() {
    for backend in [Some(Scripted::new()), Some(Scripted::new().unfenced()), None] {
        let builder = Cache::<Text>::builder();
        let builder = match &backend {
            Some(backend) => builder.backend(backend.clone()).resilience(Resilience::none()),
            None => builder,
        };
        let cache = builder.build().unwrap();
        let numbers = cache.namespace::<u64>("numbers").open().unwrap();
        numbers.set(1, 10).await.unwrap();
        let loading = numbers.get_or_load(2, || async {
            sleep(20 * MS).await;
            Ok::<u64, Infallible>(20)
        });
        let disabling = async {
            sleep(10 * MS).await;
            cache.disable();
        };
        let (loaded, ()) = tokio::join!(loading, disabling);
        assert_eq!(*loaded.unwrap(), 20);
        assert!(!cache.is_enabled());
        assert_eq!(cache.status().l1_entries, 0);
        assert_eq!((value(&numbers, 1).await, value(&numbers, 2).await), (None, None));
        assert_eq!(load(&numbers, 1, 11).await, 11);
        assert_eq!(load(&numbers, 1, 12).await, 12);
        assert_eq!(numbers.peek(1), None);
        let many = numbers.get_or_load_many(&[1], |_| ready(Ok::<_, Infallible>([(1, 13)]))).await.unwrap();
        assert_eq!(many[0].as_deref(), Some(&13));
        assert_eq!(numbers.get_many(&[1]).await.remove(0).unwrap(), None);
        // Writes are carried out.
        numbers.set(3, 30).await.unwrap();
        numbers.delete(1).await.unwrap();
        if let Some(backend) = &backend {
            assert!(is_stored(backend, 3).await && !is_stored(backend, 1).await);
            assert!(!is_stored(backend, 2).await, "what was loaded meanwhile is not stored");
        }
        cache.enable();
        assert_eq!(value(&numbers, 1).await, None);
        assert_eq!(value(&numbers, 3).await, backend.is_some().then_some(30));
        assert_eq!(load(&numbers, 1, 14).await, 14);
        assert_eq!(load(&numbers, 1, 15).await, 14);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_is_closed_refuses_direct_calls_and_runs_loaders() {
    let backend = Scripted::new();
    let cache = cache_over(&backend);
    let numbers = cache.namespace::<u64>("numbers").open().unwrap();
    numbers.set(1, 10).await.unwrap();
    assert!(cache.close(SECOND).await);
    assert!(cache.close(SECOND).await);
    let before = backend.calls();
    let codes = [
        numbers.get(1).await.unwrap_err().code(),
        numbers.set(1, 1).await.unwrap_err().code(),
        numbers.delete(1).await.unwrap_err().code(),
        numbers.expire(1).await.unwrap_err().code(),
        numbers.touch(1, Ttl::secs(1)).await.unwrap_err().code(),
        numbers.exists(1).await.unwrap_err().code(),
        numbers.ttl(1).await.unwrap_err().code(),
        numbers.clear().await.unwrap_err().code(),
        numbers.get_many(&[1]).await.remove(0).unwrap_err().code(),
        numbers.set_many(vec![(1, 1)]).await.remove(0).unwrap_err().code(),
        numbers.delete_many(&[1]).await.remove(0).unwrap_err().code(),
    ];
    assert_eq!(codes, [ErrorCode::E036; 11]);
    assert_eq!((load(&numbers, 1, 11).await, load(&numbers, 1, 12).await), (11, 12));
    let spawned = numbers.get_or_spawn(1, || ready(Ok::<u64, Infallible>(13))).await.unwrap();
    assert_eq!(*spawned, 13);
    assert_eq!(backend.calls(), before);
    assert!(cache.status().closed);
}

#[test]
fn one_name_is_one_thing() {
    let cache: Cache<Text> = Cache::builder().build().unwrap();
    let opened = cache.namespace::<u64>("n").open().unwrap();
    assert!(cache.namespace::<u64>("n").ttl(Ttl::secs(1)).open().is_ok(), "handles may differ in their settings");
    let code = |result: Result<()>| result.unwrap_err().code();
    assert_eq!(code(cache.namespace::<String>("n").open().map(drop)), ErrorCode::E046);
    assert_eq!(code(cache.local::<u64>("n").open().map(drop)), ErrorCode::E046);
    assert_eq!(code(cache.namespace::<u64>("n").version(2).open().map(drop)), ErrorCode::E046);
    assert_eq!(code(cache.namespace::<u64>("n").serializer(Picky).open().map(drop)), ErrorCode::E046);
    assert_eq!(code(cache.namespace::<u64>("n").per_tenant().open().map(drop)), ErrorCode::E046);
    let sealed = cache.namespace::<u64>("n").transform(Veil).open().map(drop);
    assert_eq!(code(sealed), ErrorCode::E046, "what is to be encrypted is not stored in the clear");
    let error = cache.namespace::<String>("n").version(2).open().unwrap_err();
    let said =
        "namespace \"n\": expected u64 as decimal, as it is open already, got alloc::string::String as text, version 2";
    assert_eq!(error.message(), said);
    assert_eq!(opened.name(), "n");
}

#[tokio::test]
async fn bad_input_is_named() {
    let builder = || Cache::<Text>::builder().backend(Scripted::new()).resilience(Resilience::none());
    let cache = builder().build().unwrap();
    let code = |result: Result<()>| result.unwrap_err().code();
    for name in ["", "t", "a:b", "a b", &"x".repeat(65)] {
        assert_eq!(code(cache.namespace::<u64>(name).open().map(drop)), ErrorCode::E042, "{name:?}");
    }
    let bad_settings = [
        cache.namespace::<u64>("n").jitter(1.5).open().map(drop),
        cache.namespace::<u64>("n").jitter(-0.1).open().map(drop),
        cache.namespace::<u64>("n").jitter(f64::NAN).open().map(drop),
        cache.namespace::<u64>("n").timeout(Duration::ZERO).open().map(drop),
        cache.namespace::<u64>("n").load_timeout(Duration::ZERO).open().map(drop),
        cache.namespace::<u64>("n").l1_ttl(Duration::ZERO).open().map(drop),
        cache.namespace::<u64>("n").transform(Veil).transform(Veil).open().map(drop),
        builder().l1_bytes(0).build().map(drop),
        builder().max_value(0).build().map(drop),
        builder().timeout(Duration::ZERO).build().map(drop),
    ];
    for result in bad_settings {
        assert_eq!(code(result), ErrorCode::E044);
    }
    assert_eq!(Ttl::try_from(Duration::ZERO).unwrap_err().code(), ErrorCode::E043);
}

/// Numbers, except thirteen.
#[derive(Debug, Default)]
struct Picky;

impl Serializer<String> for Picky {
    fn format(&self) -> Format {
        Format::new(203, "picky text")
    }

    fn serialize(&self, value: &String, bytes: &mut Vec<u8>) -> Result<()> {
        Text.serialize(value, bytes)
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<String> {
        Text.deserialize(bytes)
    }
}

impl Serializer<u64> for Picky {
    fn format(&self) -> Format {
        Format::new(202, "picky")
    }

    fn serialize(&self, value: &u64, bytes: &mut Vec<u8>) -> Result<()> {
        if *value == 13 {
            return Err(Error::new(ErrorCode::E020, "picky: not that one"));
        }
        Text.serialize(value, bytes)
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<u64> {
        Text.deserialize(bytes)
    }
}

/// Turns every bit around, and calls it encryption.
#[derive(Debug)]
struct Veil;

impl Transform for Veil {
    fn kind(&self) -> TransformKind {
        TransformKind::Encryption
    }

    fn apply(&self, _context: &EntryContext<'_>, payload: &mut Vec<u8>) -> Result<Applied> {
        payload.iter_mut().for_each(|byte| *byte = !*byte);
        Ok(Applied::Yes)
    }

    fn reverse(&self, context: &EntryContext<'_>, payload: &mut Vec<u8>) -> Result<()> {
        self.apply(context, payload).map(drop)
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_stored_is_returned_uncached() {
    for backend in [Some(Scripted::new()), Some(Scripted::new().unfenced()), None] {
        let builder = Cache::<Picky>::builder().max_value(60);
        let builder = match &backend {
            Some(backend) => builder.backend(backend.clone()).resilience(Resilience::none()),
            None => builder,
        };
        let cache = builder.build().unwrap();
        let numbers = cache.namespace::<u64>("numbers").open().unwrap();
        let runs = AtomicUsize::new(0);
        for run in 1..=2 {
            let loader = || async {
                runs.fetch_add(1, Ordering::SeqCst);
                Ok::<u64, Infallible>(13)
            };
            assert_eq!(*numbers.get_or_load(1, loader).await.unwrap(), 13);
            assert_eq!(runs.load(Ordering::SeqCst), run);
        }
        assert_eq!(numbers.set(2, 13).await.unwrap_err().code(), ErrorCode::E020);
        assert_eq!(value(&numbers, 2).await, None);
        assert_eq!(cache.status().last_error.unwrap().code(), ErrorCode::E020);

        let texts = cache.namespace::<String>("texts").open().unwrap();
        let long = "x".repeat(61);
        let loaded = texts.get_or_load(1, || ready(Ok::<_, Infallible>(long.clone()))).await.unwrap();
        assert_eq!(*loaded, long);
        assert_eq!(texts.peek(1), None);
        assert_eq!(texts.set(1, long).await.unwrap_err().code(), ErrorCode::E022);
        assert_eq!(cache.status().keys_in_motion, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn stored_bytes_that_cannot_be_read_are_an_error_to_direct_calls_and_a_miss_to_loads() {
    for backend in with_and_without_fences() {
        let numbers = over(&backend);
        let options = SetOptions::new(Ttl::Never);
        numbers.set(1, 10).await.unwrap();
        let good = backend.memory().get(&stored_key(1)).await.unwrap().unwrap().value;
        let mut bad = vec![Bytes::new(), Bytes::from_static(b"foreign"), Bytes::from_static(&[0xc1, 0x63, 0x6b])];
        bad.extend((0..good.len()).map(|length| good.slice(..length)));
        bad.extend((0..good.len() * 8).map(|bit| {
            let mut flipped = good.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            Bytes::from(flipped)
        }));
        let mut refused = 0;
        for bytes in bad {
            let reader = over(&Scripted::over(backend.memory()));
            backend.memory().set(&stored_key(1), bytes.clone(), &options).await.unwrap();
            match reader.get(1).await {
                Err(error) => {
                    assert_eq!(error.code(), ErrorCode::E021);
                    assert_eq!(reader.get_many(&[1]).await.remove(0).unwrap_err().code(), ErrorCode::E021);
                    assert_eq!(load(&reader, 1, 11).await, 11);
                    assert_eq!(elsewhere(&backend, 1).await, Some(11), "overwritten");
                    refused += 1;
                }
                // A flag or a version of times to come.
                Ok(found) => assert_eq!(found, None, "{bytes:?}"),
            }
        }
        assert!(refused > good.len() * 8, "{refused}");
        // What was moved from another key is refused too.
        backend.memory().set(&stored_key(2), good, &options).await.unwrap();
        assert_eq!(numbers.get(2).await.unwrap_err().code(), ErrorCode::E021);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_later_release_wrote_is_a_miss_and_left_in_place() {
    for backend in with_and_without_fences() {
        let open = |version| cache_over(&backend).namespace::<u64>("numbers").version(version).open().unwrap();
        let (old, new) = (open(1), open(2));
        new.set(1, 20).await.unwrap();
        assert_eq!(value(&old, 1).await, None);
        assert_eq!(load(&old, 1, 10).await, 10);
        let many = old.get_or_load_many(&[1], |_| ready(Ok::<_, Infallible>([(1, 10)]))).await.unwrap();
        assert_eq!(many[0].as_deref(), Some(&10));
        assert!(!old.touch(1, Ttl::secs(5)).await.unwrap());
        assert_eq!(value(&open(2), 1).await, Some(20));
        // The other way round it is overwritten.
        old.set(2, 10).await.unwrap();
        assert_eq!(value(&new, 2).await, None);
        assert_eq!(load(&new, 2, 20).await, 20);
        assert_eq!(value(&open(2), 2).await, Some(20));
    }
}

#[tokio::test(start_paused = true)]
async fn encrypted_values_are_not_kept_in_the_clear() {
    let backend = Scripted::new();
    let open = || cache_over(&backend).namespace::<u64>("numbers").transform(Veil).open().unwrap();
    let sealed = open();
    sealed.set(1, 42).await.unwrap();
    assert_eq!(sealed.peek(1).as_deref(), Some(&42));
    assert_eq!(value(&sealed, 1).await, Some(42));
    assert_eq!(load(&open(), 1, 0).await, 42);
    let bytes = backend.memory().get(&stored_key(1)).await.unwrap().unwrap().value;
    assert!(!bytes.windows(2).any(|part| part == b"42"));
    let clear = over(&Scripted::over(backend.memory()));
    assert_eq!(clear.get(1).await.unwrap_err().code(), ErrorCode::E021);
    clear.set(2, 42).await.unwrap();
    assert_eq!(sealed.get(2).await.unwrap_err().code(), ErrorCode::E005);
}

#[tokio::test(start_paused = true)]
async fn what_happens_is_counted() {
    let backend = Scripted::new();
    let cache = cache_over(&backend);
    let numbers = cache.namespace::<u64>("numbers").open().unwrap();
    numbers.set(1, 10).await.unwrap(); // a store
    value(&numbers, 1).await; // a hit in L1
    load(&numbers, 1, 0).await; // and another
    value(&over(&backend), 1).await;
    value(&numbers, 2).await; // a miss
    load(&numbers, 3, 30).await; // a miss, a load, a store
    tokio::join!(load(&numbers, 4, 40), load(&numbers, 4, 40)); // the same, and a wait or a hit
    let failed = numbers.get_or_load(5, || ready(Err::<u64, &str>("no"))).await; // a miss, a load that fails
    assert!(matches!(failed, Err(LoadError::Loader(_))));
    over(&backend).set(6, 60).await.unwrap();
    value(&numbers, 6).await; // a hit in the backend
    backend.fail(Call::Get, When::Before, 1);
    numbers.get(7).await.unwrap_err(); // an error
    let stats = numbers.stats();
    assert_eq!((stats.l1_hits + stats.waits, stats.backend_hits, stats.misses), (3, 1, 4));
    assert_eq!((stats.loads, stats.load_failures, stats.stores, stats.errors), (3, 1, 3, 1));
    assert_eq!(cache.stats(), stats);
    numbers.set(8, Loaded::new(80).with_ttl(Ttl::secs(1))).await.unwrap();
    assert_eq!(numbers.stats().stores, 4);
}
