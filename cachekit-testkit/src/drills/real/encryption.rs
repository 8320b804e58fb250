//! Keys that are missing or spent, and entries that are not what was sealed.

use bytes::Bytes;
use cachekit::core::{Backend, SetOptions};
use cachekit::crypto::{KeyRing, Keys, MasterKey};
use cachekit::{Cache, CacheExt, Environment, ErrorCode, MemoryBackend, Namespace, Ttl, cache};

use super::super::events::Events;
use super::super::scene::{
    Drilled, Evidence, Meanwhile, SECRET, ensure, own_values, refused, stored_key, texts, words,
};
use super::over;

/// Encryption is asked for, and the environment has no master key.
pub(in super::super) async fn no_master_key(_code: ErrorCode) -> Drilled {
    let environment: Environment =
        [("CACHEKIT_REDIS_URL", format!("redis://:{SECRET}@localhost:1"))].into_iter().collect();
    let made = Cache::from_env().environment(environment).encrypted().await;
    let error = refused(made, "making an encrypted cache without a key")?;
    let cache: Cache = Cache::builder().build().map_err(words)?;
    let opened = refused(cache.namespace::<String>("drills").secure().open(), "opening a secure namespace")?;
    ensure(opened.code() == error.code(), "a secure namespace without keys has another code")?;
    Ok(Evidence::error(error, Meanwhile::NotMade).of(&cache))
}

/// Somebody turned a bit around of what is stored.
pub(in super::super) async fn tampered(_code: ErrorCode) -> Drilled {
    let (backend, keys) = (MemoryBackend::new(), keys()?);
    sealed(&over(backend.connect())?, &keys)?.set(SECRET, SECRET.to_owned()).await.map_err(words)?;
    let mut bytes = stored(&backend).await?.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let options = SetOptions::new(Ttl::secs(60));
    backend.set(&stored_key()?, Bytes::from(bytes), &options).await.map_err(words)?;
    met(backend, &keys).await
}

/// What is stored was written by a program that does not encrypt.
pub(in super::super) async fn in_the_clear(_code: ErrorCode) -> Drilled {
    let backend = MemoryBackend::new();
    texts(&over(backend.connect())?)?.set(SECRET, SECRET.to_owned()).await.map_err(words)?;
    met(backend, &keys()?).await
}

/// What an entry that is refused does to a cache: it is told, replaced, and no more than that.
async fn met(backend: MemoryBackend, keys: &Keys) -> Drilled {
    let cache = over(backend.connect())?;
    let texts = sealed(&cache, keys)?;
    let error = refused(texts.get(SECRET).await, "a direct read")?;
    let meanwhile = own_values(&cache, &texts).await?;
    let elsewhere = sealed(&over(backend.connect())?, keys)?;
    ensure(elsewhere.get(SECRET).await.map_err(words)?.is_some(), "the entry was not overwritten")?;
    let stored = stored(&backend).await?;
    let shows = stored.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
    ensure(!shows, "the entry was overwritten in the clear")?;
    Ok(Evidence::error(error, meanwhile).of(&cache))
}

/// The key has sealed as many entries as it may: here, one.
pub(in super::super) async fn key_is_spent(_code: ErrorCode) -> Drilled {
    let backend = MemoryBackend::new();
    let cache = over(backend.connect())?;
    let keys = Keys::builder().seal_limit(1).fixed(&ring()?);
    let texts = sealed(&cache, &keys)?;
    texts.set("before", SECRET.to_owned()).await.map_err(words)?;
    let error = refused(texts.set(SECRET, SECRET.to_owned()).await, "a direct write")?;
    let meanwhile = own_values(&cache, &texts).await?;
    ensure(backend.get(&stored_key()?).await.map_err(words)?.is_none(), "something was stored with a spent key")?;
    let before = sealed(&over(backend)?, &keys)?.get("before").await.map_err(words)?;
    ensure(before.is_some_and(|before| *before == SECRET), "a spent key does not open any more")?;
    Ok(Evidence::error(error, meanwhile).of(&cache))
}

/// A function whose entries are a tenant's is called where there is none.
pub(in super::super) async fn no_tenant(code: ErrorCode) -> Drilled {
    let (events, _listening) = Events::listen();
    let cache = over(MemoryBackend::new())?;
    for _ in 0..2 {
        let computed = cachekit::scope(cache.clone(), of_tenant(SECRET)).await;
        ensure(computed == SECRET, "a cached function returned another value than its own")?;
    }
    ensure(cache.status().l1_entries == 0, "something was kept without a tenant")?;
    let event = events.with(code)?;
    let meanwhile = own_values(&cache, &texts(&cache)?).await?;
    Ok(Evidence::event(code, event, meanwhile).of(&cache))
}

#[cache(per_tenant, name = "cachekit_testkit.drills.of_tenant")]
async fn of_tenant(with: &str) -> String {
    with.to_owned()
}

/// The namespace that drills use, encrypted.
fn sealed(cache: &Cache, keys: &Keys) -> Result<Namespace<String>, String> {
    cache.namespace::<String>("drills").encrypt(keys.encryption()).open().map_err(words)
}

fn keys() -> Result<Keys, String> {
    Ok(Keys::fixed(&ring()?))
}

fn ring() -> Result<KeyRing, String> {
    Ok(KeyRing::new(MasterKey::new(SECRET.repeat(2).as_bytes()).map_err(words)?))
}

async fn stored(backend: &MemoryBackend) -> Result<Bytes, String> {
    let entry = backend.get(&stored_key()?).await.map_err(words)?;
    entry.map(|entry| entry.value).ok_or_else(|| "nothing is stored".to_owned())
}
