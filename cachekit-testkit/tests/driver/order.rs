//! Who is asked when, and told what.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cachekit_core::{
    Admission, Backend, Call, ConcurrencyLimit, Error, ErrorCode, FenceToken, Key, KeyPrefix, Moment, Next, Operation,
    Outcome, Resilience, ResiliencePolicy, ResilientBackend, Ttl, Verdict,
};
use cachekit_testkit::fakes::FakePolicy;
use cachekit_testkit::faults::Rule;

use crate::common::{Diary, Turnstile, Witness, driven, fill, key, memory, options};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn policies_are_asked_from_the_outside_in_and_told_from_the_inside_out() {
    let diary = Diary::default();
    let stack = Resilience::none().with(Witness::new("outer", &diary)).with(Witness::new("inner", &diary));
    let backend = driven(&memory().inject(Rule::delay(SECOND)), stack);
    assert_eq!(backend.get(&key("a")).await.unwrap(), None);
    let expected = ["outer admits get #0", "inner admits get #0", "inner: success after 1s", "outer: success after 1s"];
    assert_eq!(diary.read(), expected);
    assert_eq!(backend.to_string(), "outer > inner > memory");
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_is_not_sent_and_those_further_out_are_told() {
    let (diary, breaker) = (Diary::default(), FakePolicy::new());
    let stack = Resilience::none()
        .with(Witness::new("outer", &diary))
        .with(breaker.clone())
        .with(Witness::new("inner", &diary));
    let faults = memory();
    let backend = driven(&faults, stack);
    breaker.on_admit().fail(ErrorCode::E030);
    let error = backend.set(&key("a"), "1".into(), &options()).await.unwrap_err();
    assert_eq!((error.code(), error.is_unsent(), faults.total_calls()), (ErrorCode::E030, true, 0));
    assert_eq!((error.backend_name(), error.operation()), (Some("memory"), Some(Operation::Set)));
    assert_eq!(diary.read(), ["outer admits set #0", "outer: E030 after 0ns"]);
    assert_eq!((breaker.outstanding(), breaker.unexpected()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_is_made_again_from_the_policy_that_says_so() {
    let diary = Diary::default();
    let retry = Witness { again: Some((SECOND, 2)), ..Witness::new("retry", &diary) };
    let stack = Resilience::none().with(Witness::new("outer", &diary)).with(retry).with(Witness::new("inner", &diary));
    let faults = memory().inject(Rule::fail(ErrorCode::E010).next(2));
    let backend = driven(&faults, stack);
    let began = tokio::time::Instant::now();
    assert_eq!(backend.get(&key("a")).await.unwrap(), None);
    assert_eq!((began.elapsed(), faults.total_calls()), (2 * SECOND, 3));
    let expected = [
        "outer admits get #0",
        "retry admits get #0",
        "inner admits get #0",
        "inner: E010 after 0ns",
        "retry: E010 after 0ns",
        "retry admits get #1",
        "inner admits get #1",
        "inner: E010 after 0ns",
        "retry: E010 after 0ns",
        "retry admits get #2",
        "inner admits get #2",
        "inner: success after 0ns",
        "retry: success after 0ns",
        "outer: success after 2s",
    ];
    assert_eq!(diary.read(), expected);
}

#[tokio::test(start_paused = true)]
async fn the_last_error_arrives_when_no_attempt_succeeds() {
    let retry = FakePolicy::new();
    retry.retry(1, SECOND);
    let faults = memory().inject(Rule::fail(ErrorCode::E010).next(1)).inject(Rule::fail(ErrorCode::E065));
    let backend = driven(&faults, Resilience::none().with(retry.clone()));
    let error = backend.get(&key("a")).await.unwrap_err();
    assert_eq!((error.code(), retry.failed(), retry.outstanding()), (ErrorCode::E065, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_a_failure_names_the_failure_as_its_source() {
    let (retry, breaker) = (FakePolicy::new(), FakePolicy::new());
    retry.retry(1, SECOND);
    breaker.on_admit().fail_nth(2, ErrorCode::E030);
    let faults = memory().inject(Rule::fail(ErrorCode::E010));
    let backend = driven(&faults, Resilience::none().with(retry).with(breaker));
    let error = backend.set(&key("a"), "1".into(), &options()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::E030);
    let source = error.source().and_then(|source| source.downcast_ref::<Error>());
    assert_eq!(source.map(Error::code), Some(ErrorCode::E010));
}

#[tokio::test(start_paused = true)]
async fn a_delayed_call_goes_out_late() {
    let limiter = FakePolicy::new();
    limiter.delay(3 * SECOND);
    let faults = memory();
    let backend = driven(&faults, Resilience::none().with(limiter.clone()).with(limiter.clone()));
    let began = tokio::time::Instant::now();
    backend.get(&key("a")).await.unwrap();
    assert_eq!((began.elapsed(), limiter.outstanding(), limiter.succeeded()), (6 * SECOND, 0, 2));
}

#[tokio::test(start_paused = true)]
async fn no_method_of_any_ability_slips_past() {
    let policy = FakePolicy::new();
    let faults = memory();
    let backend = driven(&faults, Resilience::none().with(policy.clone()));
    policy.on_admit().fail(ErrorCode::E030);
    let (key, token, prefix) = (key("a"), FenceToken::from_random(7), KeyPrefix::new("a:").unwrap());
    let mut codes = Vec::new();
    macro_rules! refused {
        ($($call:expr),+ $(,)?) => { $(codes.push($call.await.map(drop).map_err(|error| error.code()));)+ };
    }
    refused!(backend.get(&key), backend.exists(&key), backend.delete(&key), backend.health());
    refused!(backend.set(&key, "1".into(), &options()));
    let abilities = backend.abilities();
    assert_eq!(abilities.names(), ["fenced", "expiring", "clearable", "watchable", "counting"]);
    let fenced = abilities.fenced.unwrap();
    refused!(
        fenced.acquire(&key, &token, SECOND),
        fenced.renew(&key, &token, SECOND),
        fenced.release(&key, &token),
        fenced.set_fenced(&key, &token, "1".into(), &options()),
        fenced.set_and_revoke(&key, "1".into(), &options()),
        fenced.delete_and_revoke(&key),
    );
    let expiring = abilities.expiring.unwrap();
    refused!(expiring.remaining(&key), expiring.renew(&key, Ttl::secs(1)));
    refused!(abilities.clearable.unwrap().clear(&prefix), abilities.watchable.unwrap().watch(&prefix));
    let counting = abilities.counting.unwrap();
    refused!(counting.epoch(&prefix), counting.advance(&prefix));
    assert_eq!(codes, [Err(ErrorCode::E030); 17]);
    for answer in backend.get_many(&[key.clone(), key]).await {
        assert_eq!(answer.unwrap_err().code(), ErrorCode::E030);
    }
    assert_eq!(faults.total_calls(), 0);
}

#[tokio::test]
async fn what_the_backend_cannot_do_is_not_offered() {
    #[derive(Debug)]
    struct Plain;
    #[async_trait::async_trait]
    impl Backend for Plain {
        fn name(&self) -> &str {
            "plain"
        }
        async fn get(&self, _: &Key) -> cachekit_core::Result<Option<cachekit_core::Entry>> {
            Ok(None)
        }
        async fn set(&self, _: &Key, _: bytes::Bytes, _: &cachekit_core::SetOptions) -> cachekit_core::Result<()> {
            Ok(())
        }
        async fn delete(&self, _: &Key) -> cachekit_core::Result<()> {
            Ok(())
        }
    }
    let backend = cachekit_core::ResilientBackend::new(std::sync::Arc::new(Plain), Resilience::none());
    assert_eq!(backend.abilities().names(), [""; 0]);
    assert_eq!((backend.to_string(), Resilience::none().to_string()), ("plain".into(), "none".into()));
}

#[tokio::test(start_paused = true)]
async fn calls_succeed_through_many_policies() {
    let policies: Vec<FakePolicy> = (0..12).map(|_| FakePolicy::new()).collect();
    let stack = policies.iter().fold(Resilience::none(), |stack, policy| stack.with(policy.clone()));
    let backend = driven(&memory(), stack);
    fill(&backend, &["a", "b"]).await;
    assert_eq!(backend.get(&key("b")).await.unwrap().unwrap().value, "b");
    for policy in policies {
        assert_eq!((policy.succeeded(), policy.outstanding(), policy.unexpected()), (3, 0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn all_of_a_long_list_are_asked_and_told() {
    for policies in [8_u32, 9, 20] {
        let diary = Diary::default();
        let stack = (0..policies).fold(Resilience::none(), |stack, _| stack.with(Witness::new("one", &diary)));
        let backend = driven(&memory(), stack);
        assert_eq!(backend.get(&key("a")).await.unwrap(), None);
        let (told, asked): (Vec<_>, Vec<_>) = diary.read().into_iter().partition(|line| line.contains("success"));
        assert_eq!((asked.len(), told.len()), (policies as usize, policies as usize));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_succeeded_is_made_again_if_a_policy_says_so_and_there_is_time() {
    for (limit, attempts) in [(3 * SECOND, 2), (SECOND, 1)] {
        let diary = Diary::default();
        let outer = Witness { limit: Some((limit, ErrorCode::E033)), ..Witness::new("outer", &diary) };
        let stack = Resilience::none().with(outer).with(Twice).with(Witness::new("inner", &diary));
        let faults = memory();
        let backend = driven(&faults, stack);
        let began = tokio::time::Instant::now();
        assert_eq!(backend.get(&key("a")).await.unwrap(), None);
        assert_eq!((faults.total_calls(), began.elapsed()), (attempts, SECOND * (attempts as u32 - 1)));
        let lines = diary.read();
        assert_eq!(lines.iter().filter(|line| line.starts_with("outer")).count(), 2, "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.starts_with("inner: success")).count(), attempts, "{lines:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_call_held_is_given_back_if_the_backend_panics() {
    let (turnstile, limit) = (Turnstile::new(SECOND), Arc::new(ConcurrencyLimit::builder(1).build().unwrap()));
    let stack = Resilience::none().with_shared(turnstile.clone()).with_shared(limit.clone());
    let backend = ResilientBackend::new(Arc::new(Panics), stack);
    assert!(tokio::spawn(async move { backend.get(&key("a")).await }).await.unwrap_err().is_panic());
    assert_eq!((turnstile.state(), limit.under_way()), ((false, 0), 0));
}

/// Has each call that succeeds made twice.
#[derive(Debug)]
struct Twice;

impl ResiliencePolicy for Twice {
    fn admit(&self, _: &Call, _: Moment, _: u64) -> Verdict {
        Verdict::Go(Admission::new(0, 0))
    }

    fn finish(&self, call: &Call, _: Admission, _: Outcome<'_>, _: Moment, _: u64) -> Next {
        if call.attempt == 0 { Next::AgainAfter(SECOND) } else { Next::Done }
    }
}

impl fmt::Display for Twice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("twice")
    }
}

#[derive(Debug)]
struct Panics;

#[async_trait::async_trait]
impl Backend for Panics {
    fn name(&self) -> &str {
        "panics"
    }

    async fn get(&self, _: &Key) -> cachekit_core::Result<Option<cachekit_core::Entry>> {
        panic!("made up")
    }

    async fn set(&self, _: &Key, _: bytes::Bytes, _: &cachekit_core::SetOptions) -> cachekit_core::Result<()> {
        Ok(())
    }

    async fn delete(&self, _: &Key) -> cachekit_core::Result<()> {
        Ok(())
    }
}
