//! Real drills: the error comes about through the public API, by its real cause.

mod configuration;
mod encryption;
mod redis;
mod resilience;

use std::convert::Infallible;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cachekit::core::{Acquired, Backend, Entry, FenceToken, SetOptions};
use cachekit::{Cache, Error, ErrorCode, Key, MemoryBackend, Resilience, Result, cache};

pub(super) use self::configuration::*;
pub(super) use self::encryption::*;
pub(super) use self::redis::*;
pub(super) use self::resilience::*;
use super::events::Events;
use super::scene::{Drilled, Evidence, Meanwhile, SECRET, ensure, own_values, refused, stored_key, texts, words};
use crate::faults::Gate;

/// A value with a part that MessagePack has no place for, beside a secret.
pub(super) async fn unserializable(_code: ErrorCode) -> Drilled {
    type Order = (String, Option<Option<u8>>);
    let cache = over(MemoryBackend::new())?;
    let orders = cache.namespace::<Order>("orders").open().map_err(words)?;
    let order = (SECRET.to_owned(), Some(None));
    let error = refused(orders.set(SECRET, order.clone()).await, "a direct write")?;
    let loaded = orders.get_or_load(SECRET, || async { Ok::<_, Infallible>(order.clone()) }).await.map_err(words)?;
    ensure(*loaded == order, "a load returned another value than its own")?;
    let meanwhile = own_values(&cache, &texts(&cache)?).await?;
    Ok(Evidence::error(error, meanwhile).of(&cache))
}

/// What is stored under the name is of another type.
pub(super) async fn undeserializable(_code: ErrorCode) -> Drilled {
    let backend = MemoryBackend::new();
    texts(&over(backend.connect())?)?.set(SECRET, SECRET.to_owned()).await.map_err(words)?;

    let cache = over(backend.connect())?;
    let numbers = cache.namespace::<u64>("drills").open().map_err(words)?;
    let error = refused(numbers.get(SECRET).await, "a direct read")?;
    let loaded = numbers.get_or_load(SECRET, || async { Ok::<_, Infallible>(7) }).await.map_err(words)?;
    ensure(*loaded == 7, "a load returned another value than its own")?;
    let elsewhere = over(backend)?.namespace::<u64>("drills").open().map_err(words)?;
    ensure(elsewhere.get(SECRET).await.map_err(words)?.as_deref() == Some(&7), "the entry was not overwritten")?;
    let others = cache.namespace::<String>("others").open().map_err(words)?;
    let meanwhile = own_values(&cache, &others).await?;
    Ok(Evidence::error(error, meanwhile).of(&cache))
}

/// A value over `max_value`.
pub(super) async fn too_large(_code: ErrorCode) -> Drilled {
    let cache: Cache = Cache::builder().backend(MemoryBackend::new()).max_value(SECRET.len()).build().map_err(words)?;
    let texts = texts(&cache)?;
    let error = refused(texts.set(SECRET, SECRET.to_owned()).await, "a direct write")?;
    let meanwhile = own_values(&cache, &texts).await?;
    Ok(Evidence::error(error, meanwhile).of(&cache))
}

/// The caller who loads panics, and another waits for the value.
pub(super) async fn panicking_loader(_code: ErrorCode) -> Drilled {
    let cache = over(MemoryBackend::new())?;
    let gate = Gate::new();
    let leads = tokio::spawn(cachekit::scope(cache.clone(), bursts(SECRET, gate.clone())));
    gate.reached().await;
    // Both in one task and in this order, so that the one waits when the other goes on.
    let waits = cachekit::scope(cache.clone(), bursts(SECRET, gate.clone()));
    let (waited, ()) = tokio::join!(waits, async { gate.open() });
    let error = refused(waited, "waiting for a load that panics")?;
    let panicked = leads.await.is_err_and(|ended| ended.is_panic());
    ensure(panicked, "the panic did not go on in its caller")?;
    ensure(texts(&cache)?.get(SECRET).await.map_err(words)?.is_none(), "something was stored")?;
    Ok(Evidence::error(error, Meanwhile::Told).of(&cache))
}

#[cache(skip(gate), name = "cachekit_testkit.drills.bursts")]
async fn bursts(with: &str, gate: Gate) -> Result<String> {
    gate.pass().await;
    // As `panic!` does, without its lines on standard error.
    std::panic::resume_unwind(Box::new(format!("a loader that panics with {with}")))
}

/// The cache was closed.
pub(super) async fn closed(_code: ErrorCode) -> Drilled {
    let cache = over(MemoryBackend::new())?;
    let texts = texts(&cache)?;
    cache.close(Duration::from_secs(1)).await;
    let error = refused(texts.get(SECRET).await, "a direct call")?;
    let meanwhile = own_values(&cache, &texts).await?;
    Ok(Evidence::error(error, meanwhile).of(&cache))
}

/// A backend that cannot enumerate is asked to clear.
pub(super) async fn not_offered(_code: ErrorCode) -> Drilled {
    let cache = over(Plain(MemoryBackend::new()))?;
    let texts = texts(&cache)?;
    let error = refused(texts.clear().await, "clearing")?;
    let meanwhile = own_values(&cache, &texts).await?;
    Ok(Evidence::error(error, meanwhile).of(&cache))
}

/// Another process holds the fence for longer than we wait.
pub(super) async fn held_fence(code: ErrorCode) -> Drilled {
    let (events, _listening) = Events::listen();
    let backend = MemoryBackend::new();
    let elsewhere = backend.connect();
    let fenced = elsewhere.abilities().fenced.ok_or("the memory backend has no fences")?;
    let token = FenceToken::from_random(7);
    let taken = fenced.acquire(&stored_key()?, &token, Duration::from_secs(600)).await.map_err(words)?;
    ensure(taken == Acquired::Granted { found: None }, "the fence was not free")?;

    let cache = over(backend)?;
    let patient_for = Duration::from_millis(1);
    let texts = cache.namespace::<String>("drills").lock_timeout(patient_for).open().map_err(words)?;
    let meanwhile = own_values(&cache, &texts).await?;
    let stored = elsewhere.get(&stored_key()?).await.map_err(words)?;
    ensure(stored.is_none(), "a value was stored without the fence")?;
    Ok(Evidence::event(code, events.with(code)?, meanwhile).of(&cache))
}

/// Another process deletes the entry while it is being loaded. In virtual time, for a holder looks after its fence every ten seconds.
pub(super) async fn lost_fence(code: ErrorCode) -> Drilled {
    tokio::time::pause();
    let (events, _listening) = Events::listen();
    let backend = MemoryBackend::new();
    let elsewhere = backend.connect();
    let fenced = elsewhere.abilities().fenced.ok_or("the memory backend has no fences")?;
    let (cache, key) = (over(backend)?, stored_key()?);
    let texts = texts(&cache)?;
    let slowly = || async {
        fenced.delete_and_revoke(&key).await?;
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok::<_, Error>("too late".to_owned())
    };
    let loaded = texts.get_or_load(SECRET, slowly).await.map_err(words)?;
    ensure(*loaded == "too late", "a load returned another value than its own")?;
    let stored = elsewhere.get(&key).await.map_err(words)?;
    ensure(stored.is_none(), "a value was stored under a fence that was lost")?;
    let meanwhile = own_values(&cache, &texts).await?;
    Ok(Evidence::event(code, events.with(code)?, meanwhile).of(&cache))
}

fn over(backend: impl Backend) -> Result<Cache, String> {
    Cache::builder().backend(backend).resilience(Resilience::none()).build().map_err(words)
}

/// A backend with as little as a backend may have.
#[derive(Debug)]
struct Plain(MemoryBackend);

#[async_trait]
impl Backend for Plain {
    fn name(&self) -> &str {
        "plain"
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        self.0.get(key).await
    }

    async fn set(&self, key: &Key, value: Bytes, options: &SetOptions) -> Result<()> {
        self.0.set(key, value, options).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.0.delete(key).await
    }
}
