//! Each fault at each time that a script can name, and that the same seed gives the same again.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use cachekit_core::{
    Abilities, Acquired, Backend, Cache, Change, ErrorCode, FenceToken, Key, KeyPrefix, MemoryBackend, Operation,
    Remaining, Resilience, Result, SetOptions, Ttl, Write,
};
use cachekit_serde::MessagePack;
use cachekit_testkit::ManualClock;
use cachekit_testkit::faults::{Faults, Gate, READS, Rule, WRITES};
use cachekit_testkit::recorder::Outcome;

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn minute() -> SetOptions {
    SetOptions::new(Ttl::secs(60))
}

fn faults() -> Faults {
    Faults::over(MemoryBackend::new()).with_seed(7)
}

async fn set(backend: &(impl Backend + ?Sized), at: &str, value: &'static str) -> Result<()> {
    backend.set(&key(at), Bytes::from_static(value.as_bytes()), &minute()).await
}

/// What is under a key, or the code of the error.
async fn get(backend: &(impl Backend + ?Sized), at: &str) -> Result<Option<Bytes>, ErrorCode> {
    let found = backend.get(&key(at)).await;
    found.map(|entry| entry.map(|entry| entry.value)).map_err(|error| error.code())
}

fn text(text: &'static str) -> Result<Option<Bytes>, ErrorCode> {
    Ok(Some(Bytes::from_static(text.as_bytes())))
}

/// Which of ten calls fail.
async fn failing(faults: &Faults) -> Vec<usize> {
    let mut failed = Vec::new();
    for n in 1..=10 {
        if get(faults, "k").await.is_err() {
            failed.push(n);
        }
    }
    failed
}

mod when {
    use super::*;

    #[tokio::test]
    async fn the_nth_call_and_the_next_ones() {
        let script = |rule: Rule| faults().inject(rule);
        let fail = || Rule::fail(ErrorCode::E062);
        assert_eq!(failing(&script(fail().nth(3))).await, [3]);
        assert_eq!(failing(&script(fail().next(2))).await, [1, 2]);
        assert_eq!(failing(&script(fail().after(7))).await, [8, 9, 10]);
        assert_eq!(failing(&script(fail().after(4).next(2))).await, [5, 6]);
        assert_eq!(failing(&script(fail().next(0))).await, [0; 0]);
        assert_eq!(failing(&script(fail().nth(2)).inject(fail().nth(5))).await, [2, 5]);
    }

    #[tokio::test]
    async fn for_a_time_of_the_clock() {
        let clock = ManualClock::new();
        let faults = faults().with_clock(clock.clone());
        faults.inject(Rule::fail(ErrorCode::E062).during(Duration::from_secs(5)));
        clock.advance(Duration::from_millis(4_999));
        assert_eq!(get(&faults, "k").await, Err(ErrorCode::E062));
        clock.advance(Duration::from_millis(1));
        assert_eq!(get(&faults, "k").await, Ok(None));
    }

    #[tokio::test]
    async fn keys_and_operations_that_match() {
        let faults = faults();
        faults.inject(Rule::fail(ErrorCode::E062).keys(|key| key.starts_with("users:")).on([Operation::Get]).next(2));
        assert_eq!(get(&faults, "teams:1").await, Ok(None));
        set(&faults, "users:1", "a").await.unwrap();
        // Only what fits is counted.
        assert_eq!(get(&faults, "users:1").await, Err(ErrorCode::E062));
        assert_eq!(get(&faults, "users:2").await, Err(ErrorCode::E062));
        assert_eq!(get(&faults, "users:1").await, text("a"));
    }

    #[tokio::test]
    async fn reads_and_writes() {
        let reads = faults().inject(Rule::fail(ErrorCode::E062).on(READS));
        set(&reads, "k", "a").await.unwrap();
        assert_eq!(get(&reads, "k").await, Err(ErrorCode::E062));
        let writes = faults().inject(Rule::fail(ErrorCode::E062).on(WRITES));
        assert_eq!(set(&writes, "k", "a").await.unwrap_err().code(), ErrorCode::E062);
        assert_eq!(get(&writes, "k").await, Ok(None));
    }

    #[tokio::test]
    async fn until_it_recovers() {
        let faults = faults().inject(Rule::fail(ErrorCode::E062).nth(3)).down(ErrorCode::E010);
        let shared = faults.clone();
        assert_eq!(get(&shared, "k").await, Err(ErrorCode::E010));
        assert_eq!(shared.health().await.unwrap_err().code(), ErrorCode::E010);
        assert_eq!(faults.is_down(), Some(ErrorCode::E010));
        shared.recover();
        // The rest of the script is gone, too.
        assert_eq!(failing(&faults).await, [0; 0]);
        faults.health().await.unwrap();
    }

    #[test]
    #[should_panic(expected = "probability: expected 0.0 to 1.0, got 1.5")]
    fn a_probability_is_one() {
        faults().inject(Rule::stale().with_probability(1.5));
    }
}

mod what {
    use super::*;

    #[tokio::test]
    async fn any_code_with_what_belongs_to_it_and_no_key_in_full() {
        for &code in ErrorCode::ALL {
            let faults = faults().inject(Rule::fail(code));
            let error = faults.get(&key("users:alice")).await.unwrap_err();
            assert_eq!((error.code(), error.kind(), error.class()), (code, code.kind(), code.class()));
            assert_eq!((error.operation(), error.backend_name()), (Some(Operation::Get), Some("memory")));
            assert!(error.to_string().contains("rule 1 of the script, seed 7"), "{error}");
            assert!(!format!("{error} {error:?} {faults:?} {}", faults.recorder()).contains("alice"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_delay_passes_on_tokios_time() {
        let faults = faults().inject(Rule::delay(Duration::from_secs(3600)).nth(1));
        let began = tokio::time::Instant::now();
        assert_eq!(get(&faults, "k").await, Ok(None));
        assert_eq!(began.elapsed(), Duration::from_secs(3600));
        assert_eq!(get(&faults, "k").await, Ok(None));
        assert_eq!(began.elapsed(), Duration::from_secs(3600));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_never_answered_may_have_been_done_or_not() {
        let in_a_year = Duration::from_secs(365 * 86_400);
        for (rule, stored) in [(Rule::never_answers(), None), (Rule::never_answers().afterwards(), Some("a"))] {
            let faults = faults().inject(rule.on([Operation::Set]));
            tokio::time::timeout(in_a_year, set(&faults, "k", "a")).await.unwrap_err();
            assert_eq!(faults.recorder().ended_as(Outcome::Dropped), 1);
            assert_eq!(get(&faults, "k").await, Ok(stored.map(|text| Bytes::from_static(text.as_bytes()))));
        }
    }

    #[tokio::test]
    async fn a_held_call_goes_on_when_the_gate_opens() {
        let gate = Gate::new();
        let faults = faults().inject(Rule::hold(&gate).on([Operation::Set]).afterwards().next(1));
        let looks = async {
            gate.reached().await;
            let seen = get(&faults, "k").await;
            gate.open();
            seen
        };
        let (written, seen) = tokio::join!(set(&faults, "k", "a"), looks);
        written.unwrap();
        assert_eq!(seen, text("a"));
    }

    #[tokio::test]
    async fn a_write_that_fails_may_land_and_one_that_is_acknowledged_may_not() {
        let faults = faults();
        faults.inject(Rule::lands_but_fails(ErrorCode::E064).on([Operation::Set]).nth(1));
        faults.inject(Rule::lost().nth(2));
        assert_eq!(set(&faults, "k", "landed").await.unwrap_err().code(), ErrorCode::E064);
        assert_eq!(get(&faults, "k").await, text("landed"));
        set(&faults, "k", "lost").await.unwrap();
        assert_eq!(get(&faults, "k").await, text("landed"));
        faults.inject(Rule::lost());
        faults.delete(&key("k")).await.unwrap();
        assert_eq!(get(&faults, "k").await, text("landed"));
        faults.recover();
        faults.delete(&key("k")).await.unwrap();
        assert_eq!(get(&faults, "k").await, Ok(None));
    }

    #[tokio::test]
    async fn what_is_stale_was_there_before() {
        let faults = faults().inject(Rule::stale());
        assert_eq!(get(&faults, "k").await, Ok(None));
        set(&faults, "k", "a").await.unwrap();
        assert_eq!(get(&faults, "k").await, Ok(None));
        set(&faults, "k", "b").await.unwrap();
        assert_eq!(get(&faults, "k").await, text("a"));
        faults.delete(&key("k")).await.unwrap();
        assert_eq!(get(&faults, "k").await, text("b"), "a deleted value comes back");
        faults.recover();
        assert_eq!(get(&faults, "k").await, Ok(None));
    }

    #[tokio::test]
    async fn what_was_not_written_through_it_has_no_past() {
        let memory = MemoryBackend::new();
        set(&memory, "k", "elsewhere").await.unwrap();
        let faults = Faults::over(memory).inject(Rule::stale());
        assert_eq!(get(&faults, "k").await, text("elsewhere"));
    }

    #[tokio::test]
    async fn values_are_torn_flipped_and_cut() {
        let faults = faults();
        set(&faults, "k", "aaaa").await.unwrap();
        set(&faults, "k", "bbbbbb").await.unwrap();
        faults.inject(Rule::torn().nth(1));
        assert_eq!(get(&faults, "k").await, text("bbba\0\0"));

        for n in 0..50 {
            faults.recover().with_seed(n).inject(Rule::flipped_byte().nth(1)).inject(Rule::truncated().nth(2));
            let flipped = get(&faults, "k").await.unwrap().unwrap();
            assert_eq!(flipped.iter().filter(|&&byte| byte != b'b').count(), 1, "{flipped:?}");
            assert_eq!(flipped.len(), 6);
            let cut = get(&faults, "k").await.unwrap().unwrap();
            assert!(cut.len() < 6 && b"bbbbbb".starts_with(&cut), "{cut:?}");
        }
        // What is stored is whole.
        assert_eq!(get(&**faults.inner(), "k").await, text("bbbbbb"));
    }

    #[tokio::test]
    async fn values_are_damaged_in_writing_where_that_is_said() {
        let faults = faults().inject(Rule::torn().on([Operation::Set, Operation::Delete]).nth(2));
        set(&faults, "k", "aaaa").await.unwrap();
        set(&faults, "k", "bbbb").await.unwrap();
        assert_eq!(get(&**faults.inner(), "k").await, text("bbaa"));
        // An empty value has nothing to damage, and nothing to panic about.
        faults.recover().inject(Rule::truncated()).inject(Rule::flipped_byte()).inject(Rule::torn());
        set(&faults, "k", "").await.unwrap();
        assert_eq!(get(&faults, "k").await, text(""));
    }

    #[tokio::test(start_paused = true)]
    async fn several_rules_happen_in_their_order() {
        let faults = faults().inject(Rule::delay(Duration::from_secs(3))).inject(Rule::fail(ErrorCode::E011));
        let began = tokio::time::Instant::now();
        assert_eq!(get(&faults, "k").await, Err(ErrorCode::E011));
        assert_eq!(began.elapsed(), Duration::from_secs(3));
        assert_eq!(faults.recorder().records()[0].faults, ["delay 3s", "fail E011"]);
    }
}

mod batches {
    use super::*;

    fn writes() -> Vec<Write> {
        ["a:1", "b:1", "a:2"].map(|at| Write::new(key(at), Bytes::from_static(b"v"), minute())).to_vec()
    }

    fn codes<T>(answers: Vec<Result<T>>) -> Vec<Option<ErrorCode>> {
        answers.into_iter().map(|answer| answer.err().map(|error| error.code())).collect()
    }

    #[tokio::test]
    async fn fail_as_a_whole_or_by_element() {
        let faults = faults();
        faults.inject(Rule::fail(ErrorCode::E062).keys(|key| key.starts_with("b:")));
        assert_eq!(codes(faults.set_many(&writes()).await), [None, Some(ErrorCode::E062), None]);
        let keys = ["a:1", "b:1", "a:2", "a:3"].map(key);
        let found = faults.get_many(&keys).await;
        let found: Vec<_> = found.into_iter().map(|found| found.map(|entry| entry.is_some()).ok()).collect();
        assert_eq!(found, [Some(true), None, Some(true), Some(false)]);
        assert_eq!(codes(faults.delete_many(&keys).await), [None, Some(ErrorCode::E062), None, None]);
        faults.recover().down(ErrorCode::E065);
        assert_eq!(codes(faults.get_many(&keys).await), [Some(ErrorCode::E065); 4]);
        faults.recover();
        assert_eq!(get(&faults, "a:1").await, Ok(None), "the others were deleted");
        assert_eq!(codes(faults.get_many(&[]).await), []);
    }

    #[tokio::test]
    async fn elements_are_lost_and_damaged() {
        let faults = faults().inject(Rule::lost().on([Operation::SetMany]).keys(|key| key == "a:2"));
        assert_eq!(codes(faults.set_many(&writes()).await), [None; 3]);
        assert_eq!(get(&faults, "a:2").await, Ok(None));
        assert_eq!(get(&faults, "b:1").await, text("v"));
        faults.recover().inject(Rule::truncated().on([Operation::GetMany]).keys(|key| key == "b:1"));
        let found = faults.get_many(&["a:1", "b:1"].map(key)).await;
        let lengths: Vec<_> = found.into_iter().map(|found| found.unwrap().unwrap().value.len()).collect();
        assert_eq!(lengths, [1, 0]);
        faults.recover().inject(Rule::lands_but_fails(ErrorCode::E064).on([Operation::SetMany]));
        assert_eq!(codes(faults.set_many(&writes()).await), [Some(ErrorCode::E064); 3]);
        assert_eq!(get(&faults, "a:2").await, text("v"));
    }
}

mod abilities {
    use super::*;

    /// A backend with as little as a backend may have.
    #[derive(Debug)]
    struct Plain(MemoryBackend);

    #[async_trait::async_trait]
    impl Backend for Plain {
        fn name(&self) -> &str {
            "plain"
        }
        async fn get(&self, key: &Key) -> Result<Option<cachekit_core::Entry>> {
            self.0.get(key).await
        }
        async fn set(&self, key: &Key, value: Bytes, options: &SetOptions) -> Result<()> {
            self.0.set(key, value, options).await
        }
        async fn delete(&self, key: &Key) -> Result<()> {
            self.0.delete(key).await
        }
    }

    #[tokio::test]
    async fn are_those_below_and_no_others() {
        let all = ["fenced", "expiring", "clearable", "watchable", "counting"];
        assert_eq!(faults().abilities().names(), all);
        let plain = Faults::over(Plain(MemoryBackend::new()));
        assert_eq!(plain.abilities().names(), Abilities::none().names());
        assert_eq!((plain.name(), plain.limits()), ("plain", cachekit_core::Limits::default()));
        // Whoever calls the trait by name all the same gets an error.
        let error = cachekit_core::Clearable::clear(&plain, &KeyPrefix::new("a:").unwrap()).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::E047);
    }

    #[tokio::test]
    async fn pass_the_script() {
        let (users, prefix, token) = (key("users:1"), KeyPrefix::new("users:").unwrap(), FenceToken::from_random(7));
        let faults = faults().down(ErrorCode::E065);
        let offered = faults.abilities();
        let (fenced, expiring) = (offered.fenced.unwrap(), offered.expiring.unwrap());
        let (clearable, counting) = (offered.clearable.unwrap(), offered.counting.unwrap());
        let value = || Bytes::from_static(b"v");
        let lease = Duration::from_secs(30);
        macro_rules! down {
            ($($call:expr),+ $(,)?) => { $( assert_eq!($call.await.err().map(|error| error.code()), Some(ErrorCode::E065)); )+ };
        }
        down!(
            fenced.acquire(&users, &token, lease),
            fenced.renew(&users, &token, lease),
            fenced.release(&users, &token),
            fenced.set_fenced(&users, &token, value(), &minute()),
            fenced.set_and_revoke(&users, value(), &minute()),
            fenced.delete_and_revoke(&users),
            expiring.remaining(&users),
            expiring.renew(&users, Ttl::Never),
            clearable.clear(&prefix),
            counting.epoch(&prefix),
            counting.advance(&prefix),
            offered.watchable.unwrap().watch(&prefix),
        );
        faults.recover();
        assert_eq!(fenced.acquire(&users, &token, lease).await.unwrap(), Acquired::Granted { found: None });
        assert!(fenced.set_fenced(&users, &token, value(), &minute()).await.unwrap());
        assert!(matches!(expiring.remaining(&users).await.unwrap(), Some(Remaining::For(_))));
        // A store that is acknowledged and lost, under a fence.
        faults.inject(Rule::lost().on([Operation::Set]));
        fenced.acquire(&users, &token, lease).await.unwrap();
        assert!(fenced.set_fenced(&users, &token, Bytes::from_static(b"new"), &minute()).await.unwrap());
        assert_eq!(get(&faults, "users:1").await, text("v"));
        // What a grant tells is a reading like others.
        faults.recover().inject(Rule::truncated().on([Operation::Acquire]));
        let Acquired::Granted { found: Some(entry) } = fenced.acquire(&users, &token, lease).await.unwrap() else {
            panic!("not granted");
        };
        assert_eq!(entry.value, "");
        clearable.clear(&prefix).await.unwrap();
        assert_eq!(faults.inject(Rule::stale()).get(&users).await.unwrap().unwrap().value, "v");
    }

    #[tokio::test]
    async fn only_what_can_be_lost_is() {
        let (users, token, lease) = (key("users:1"), FenceToken::from_random(7), Duration::from_secs(30));
        let faults = faults();
        let fenced = faults.abilities().fenced.unwrap();
        // Without a word about operations, writes are lost, and fences are not.
        faults.inject(Rule::lost());
        fenced.acquire(&users, &token, lease).await.unwrap();
        assert!(fenced.release(&users, &token).await.unwrap());
        assert!(!fenced.release(&users, &token).await.unwrap(), "it was released");
        // A release that is lost leaves the fence held.
        faults.recover().inject(Rule::lost().on([Operation::Release, Operation::Get]));
        fenced.acquire(&users, &token, lease).await.unwrap();
        assert!(fenced.release(&users, &token).await.unwrap());
        let other = FenceToken::from_random(8);
        assert_eq!(fenced.acquire(&users, &other, lease).await.unwrap(), Acquired::Held);
        // What only looks cannot be lost, whatever is said.
        set(&faults, "users:1", "a").await.unwrap();
        assert_eq!(get(&faults, "users:1").await, text("a"));
        assert!(faults.recorder().records().last().unwrap().faults.is_empty());
    }

    #[tokio::test]
    async fn a_watch_loses_sight_while_the_backend_is_down() {
        let memory = MemoryBackend::new();
        let elsewhere = memory.connect();
        let faults = Faults::over(memory);
        let mut watch = faults.abilities().watchable.unwrap().watch(&KeyPrefix::new("users:").unwrap()).await.unwrap();
        set(&elsewhere, "users:1", "a").await.unwrap();
        assert_eq!(watch.next().await, Some(Change::Key(key("users:1"))));
        faults.down(ErrorCode::E065);
        assert_eq!(watch.next().await, Some(Change::SightLost));
        set(&elsewhere, "users:2", "a").await.unwrap();
        let told = tokio::join!(watch.next(), async { faults.recover() }).0;
        assert_eq!(told, Some(Change::SightRegained), "what changed meanwhile is not told");
        set(&elsewhere, "users:3", "a").await.unwrap();
        assert_eq!(watch.next().await, Some(Change::Key(key("users:3"))));
        faults.close().await;
        assert_eq!(watch.next().await, None);
    }
}

mod the_same_again {
    use super::*;

    /// What happens to a cache over faults with this seed, call by call.
    async fn play(seed: u64) -> String {
        let faults = Faults::over(MemoryBackend::new()).with_seed(seed);
        faults
            .inject(Rule::fail(ErrorCode::E065).with_probability(0.2))
            .inject(Rule::lands_but_fails(ErrorCode::E064).with_probability(0.2))
            .inject(Rule::flipped_byte().with_probability(0.3))
            .inject(Rule::truncated().on([Operation::Set]).with_probability(0.2))
            .inject(Rule::stale().with_probability(0.2))
            .inject(Rule::lost().with_probability(0.2));
        for n in 0..100_u8 {
            let key = key(["users:1", "users:2", "users:3"][usize::from(n % 3)]);
            let _ = faults.set(&key, Bytes::from(vec![n; 16]), &minute()).await;
            let _ = faults.get(&key).await;
            if n % 10 == 0 {
                let _ = faults.delete(&key).await;
            }
        }
        // Where the flips and cuts fell shows in what is stored.
        let mut told = faults.recover().recorder().to_string();
        for at in ["users:1", "users:2", "users:3"] {
            told.push_str(&format!("{:?}\n", get(&**faults.inner(), at).await));
        }
        told
    }

    #[tokio::test]
    async fn twenty_times_in_a_row() {
        let first = play(42).await;
        for _ in 0..19 {
            assert_eq!(play(42).await, first);
        }
        assert!(["fail E065", "fail E064", "flipped", "truncated", "stale", "lost"].iter().all(|f| first.contains(f)));
        assert_ne!(play(43).await, first);
    }

    #[tokio::test(start_paused = true)]
    async fn twenty_times_in_a_row_through_a_cache() {
        async fn play() -> (Vec<String>, String) {
            let faults = Faults::over(MemoryBackend::new()).with_seed(9);
            faults
                .inject(Rule::fail(ErrorCode::E065).with_probability(0.4))
                .inject(Rule::truncated().with_probability(0.3));
            let clock = ManualClock::new();
            let builder = Cache::builder().backend(faults.clone()).resilience(Resilience::none()).clock(clock.clone());
            let cache: Cache<MessagePack> = builder.build().unwrap();
            let users = cache.namespace::<String>("users").l1_ttl(Duration::from_nanos(1)).open().unwrap();
            let loads = Arc::new(Mutex::new(Vec::new()));
            for n in 0..40 {
                clock.advance(Duration::from_millis(1));
                let (id, loads) = (n % 4, Arc::clone(&loads));
                let loader = || async move {
                    loads.lock().unwrap().push(format!("{n} loads {id}"));
                    Ok::<_, std::io::Error>(format!("user {id}"))
                };
                assert_eq!(
                    *users.get_or_load(id, loader).await.unwrap(),
                    format!("user {id}"),
                    "never wrong, never down"
                );
            }
            let loads = loads.lock().unwrap().clone();
            (loads, faults.recorder().to_string())
        }
        let first = play().await;
        assert!(first.0.len() > 4 && first.1.contains("fail E065") && first.1.contains("truncated"));
        for _ in 0..19 {
            assert_eq!(play().await, first);
        }
    }

    #[tokio::test]
    async fn rules_do_not_disturb_each_other() {
        let chance = |code| Rule::fail(code).with_probability(0.5);
        let alone = failing(&faults().inject(chance(ErrorCode::E062))).await;
        let other = faults().inject(chance(ErrorCode::E062)).inject(Rule::stale().with_probability(0.5));
        assert_eq!(failing(&other).await, alone);
        // Nor do they fall together.
        let second = faults().inject(Rule::fail(ErrorCode::E062).next(0)).inject(chance(ErrorCode::E062));
        assert_ne!(failing(&second).await, alone);
    }

    #[test]
    fn the_seed_is_random_unless_said_and_shows() {
        let (one, other) = (Faults::over(MemoryBackend::new()), Faults::over(MemoryBackend::new()));
        assert_ne!(one.seed(), other.seed());
        assert!(format!("{one:?}").contains(&format!("seed: {}", one.seed())));
        assert_eq!(one.with_seed(7).seed(), 7);
    }
}
