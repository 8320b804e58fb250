//! Real drills of refusals: the policies around a backend do not let a call go.

use std::time::Duration;

use cachekit::core::{ConcurrencyLimit, Deadline, RateLimit};
use cachekit::{Cache, ErrorCode, MemoryBackend, RedisBackend, Resilience};

use super::super::scene::{Drilled, Evidence, SECRET, ensure, own_values, refused, texts, words};
use crate::faults::{Faults, Gate, Rule};
use crate::fixtures::RedisServer;

/// Nothing listens on Redis's port, until the breaker of production has had enough.
pub(in super::super) async fn breaker_opens(code: ErrorCode) -> Drilled {
    let mut server = RedisServer::start();
    server.kill();
    let redis = RedisBackend::builder().url(&format!("redis://me:{SECRET}@127.0.0.1:{}", server.port()));
    let counted = Faults::over(redis.build().map_err(words)?);
    let cache = guarded(counted.clone(), Resilience::production())?;
    let texts = texts(&cache)?;
    for _ in 0..MOST_CALLS {
        let error = refused(texts.get(SECRET).await, "a direct call")?;
        if error.code() != code {
            ensure(error.code() == ErrorCode::E010, "another failure than that of a closed port")?;
            continue;
        }
        let sent = counted.total_calls();
        let meanwhile = own_values(&cache, &texts).await?;
        ensure(counted.total_calls() == sent, "something was sent while the breaker was open")?;
        ensure(cache.status().conditions == ["open"], "the status does not tell that the breaker is open")?;
        return Ok(Evidence::error(error, meanwhile).of(&cache));
    }
    Err(format!("the breaker did not open within {MOST_CALLS} calls"))
}

/// One call an hour may go out.
pub(in super::super) async fn rate_is_spent(_code: ErrorCode) -> Drilled {
    let once = RateLimit::builder(1, Duration::from_secs(3_600)).with_wait(Duration::ZERO).build().map_err(words)?;
    let cache = guarded(MemoryBackend::new(), Resilience::none().with(once))?;
    let texts = texts(&cache)?;
    ensure(texts.get(SECRET).await.map_err(words)?.is_none(), "there was something to begin with")?;
    let error = refused(texts.get(SECRET).await, "the second call")?;
    let meanwhile = own_values(&cache, &texts).await?;
    Ok(Evidence::error(error, meanwhile).of(&cache))
}

/// One call may be under way, and one is, for a long time.
pub(in super::super) async fn place_is_taken(_code: ErrorCode) -> Drilled {
    let (gate, one) = (Gate::new(), ConcurrencyLimit::builder(1).with_queue(0).build().map_err(words)?);
    let slow = Faults::over(MemoryBackend::new()).inject(Rule::hold(&gate).next(1));
    let cache = guarded(slow, Resilience::none().with(one))?;
    let texts = texts(&cache)?;
    let slowly = tokio::spawn({
        let texts = texts.clone();
        async move { texts.get("slowly").await }
    });
    gate.reached().await;
    let error = refused(texts.get(SECRET).await, "a second call at once")?;
    let meanwhile = own_values(&cache, &texts).await?;
    gate.open();
    ensure(slowly.await.map_err(words)?.map_err(words)?.is_none(), "the first call did not end well")?;
    Ok(Evidence::error(error, meanwhile).of(&cache))
}

/// A server that accepts and never answers, and a limit on the whole call.
pub(in super::super) async fn deadline_is_over(_code: ErrorCode) -> Drilled {
    let server = RedisServer::start();
    let redis = RedisBackend::builder().url(&server.url()).build().map_err(words)?;
    redis.connect().await.map_err(words)?;
    let soon = Deadline::new(Duration::from_millis(20)).map_err(words)?;
    let cache = guarded(redis, Resilience::none().with(soon))?;
    let texts = texts(&cache)?;
    server.pause();
    let error = refused(texts.get(SECRET).await, "a direct call")?;
    let meanwhile = own_values(&cache, &texts).await?;
    Ok(Evidence::error(error, meanwhile).of(&cache))
}

fn guarded(backend: impl cachekit::Backend, resilience: Resilience) -> Result<Cache, String> {
    Cache::builder().backend(backend).resilience(resilience).build().map_err(words)
}

/// The breaker opens sooner: at the twentieth failure in a row, of which each call brings up to three.
const MOST_CALLS: usize = 40;
