//! Fake drills: the error comes from a fake that fails on cue. Time is virtual.

use std::time::Duration;

use cachekit::core::{Backend, FenceToken, KeyProvider, Operation, TransformKind};
use cachekit::{Cache, Error, ErrorCode, MemoryBackend, MessagePack, Namespace, cache};

use super::scene::{Drilled, Evidence, Meanwhile, SECRET, ensure, own_values, refused, stored_key, texts, words};
use crate::fakes::{FakeKeyProvider, FakeSerializer, FakeTransform};
use crate::faults::{Faults, Rule};

/// The backend fails every call with the code.
pub(super) async fn backend(code: ErrorCode) -> Drilled {
    let faults = Faults::over(MemoryBackend::new()).with_seed(SEED).down(code);
    let cache = over(&faults)?;
    let texts = texts(&cache)?;
    let error = refused(texts.get(SECRET).await, "a direct call")?;
    let meanwhile = own_values(&cache, &texts).await?;
    let written = refused(texts.set(SECRET, SECRET.to_owned()).await, "a direct write")?;
    ensure(written.code() == code, "a write failed with another code")?;
    faults.recover();
    works_again(&texts).await?;
    Ok(Evidence::error(error, meanwhile).of(&cache))
}

/// The backend takes no writes, each of which fails with the code.
pub(super) async fn writes(code: ErrorCode) -> Drilled {
    let faults = Faults::over(MemoryBackend::new()).with_seed(SEED);
    faults.inject(Rule::fail(code).on([Operation::Set, Operation::SetMany]));
    let cache = over(&faults)?;
    let texts = texts(&cache)?;
    let error = refused(texts.set(SECRET, SECRET.to_owned()).await, "a direct write")?;
    let meanwhile = own_values(&cache, &texts).await?;
    faults.recover();
    works_again(&texts).await?;
    Ok(Evidence::error(error, meanwhile).of(&cache))
}

/// Taking a fence fails with the code.
pub(super) async fn fence_not_taken(code: ErrorCode) -> Drilled {
    fence(code, Operation::Acquire).await
}

/// Storing under a fence fails with the code.
pub(super) async fn fence_lost(code: ErrorCode) -> Drilled {
    fence(code, Operation::Set).await
}

async fn fence(code: ErrorCode, operation: Operation) -> Drilled {
    let faults = Faults::over(MemoryBackend::new()).with_seed(SEED).inject(Rule::fail(code).on([operation]));
    let cache = over(&faults)?;
    let texts = texts(&cache)?;
    let meanwhile = own_values(&cache, &texts).await?;
    let key = stored_key()?;
    let offered = faults.abilities();
    let fenced = offered.fenced.ok_or("the memory backend has no fences")?;
    let token = FenceToken::from_random(u128::from(SEED));
    let error = match operation {
        Operation::Acquire => refused(fenced.acquire(&key, &token, Duration::from_secs(30)).await, "a fence")?,
        _ => refused(texts.set(SECRET, SECRET.to_owned()).await, "a direct write")?,
    };
    ensure(faults.inner().get(&key).await.map_err(words)?.is_none(), "a value was stored without the lock")?;
    faults.recover();
    works_again(&texts).await?;
    Ok(Evidence::error(error, meanwhile).of(&cache))
}

/// The serializer refuses a value.
pub(super) async fn serializing(code: ErrorCode) -> Drilled {
    let cache = over(&Faults::over(MemoryBackend::new()))?;
    let fake = FakeSerializer::over(MessagePack);
    let texts = cache.namespace::<String>("drills").serializer(fake.clone()).open().map_err(words)?;
    fake.on_serialize().fail(code);
    let error = refused(texts.set(SECRET, SECRET.to_owned()).await, "a direct write")?;
    let meanwhile = own_values(&cache, &texts).await?;
    fake.on_serialize().recover();
    works_again(&texts).await?;
    Ok(Evidence::error(error, meanwhile).of(&cache))
}

/// The serializer cannot read what is stored.
pub(super) async fn deserializing(code: ErrorCode) -> Drilled {
    let memory = MemoryBackend::new();
    store(&memory, |namespace| namespace).await?;
    let cache = over(&Faults::over(memory))?;
    let fake = FakeSerializer::over(MessagePack);
    let texts = cache.namespace::<String>("drills").serializer(fake.clone()).open().map_err(words)?;
    fake.on_deserialize().fail(code);
    let error = refused(texts.get(SECRET).await, "a direct read")?;
    let meanwhile = own_values(&cache, &texts).await?;
    fake.on_deserialize().recover();
    works_again(&texts).await?;
    Ok(Evidence::error(error, meanwhile).of(&cache))
}

/// Encryption refuses to seal a value.
pub(super) async fn sealing(code: ErrorCode) -> Drilled {
    let cache = over(&Faults::over(MemoryBackend::new()))?;
    let fake = FakeTransform::new(TransformKind::Encryption);
    let texts = cache.namespace::<String>("drills").transform(fake.clone()).open().map_err(words)?;
    fake.on_apply().fail(code);
    let error = refused(texts.set(SECRET, SECRET.to_owned()).await, "a direct write")?;
    let meanwhile = own_values(&cache, &texts).await?;
    fake.on_apply().recover();
    works_again(&texts).await?;
    Ok(Evidence::error(error, meanwhile).of(&cache))
}

/// Encryption refuses to open what is stored.
pub(super) async fn opening(code: ErrorCode) -> Drilled {
    let memory = MemoryBackend::new();
    let fake = FakeTransform::new(TransformKind::Encryption);
    let seals = fake.clone();
    store(&memory, |namespace| namespace.transform(seals)).await?;
    let cache = over(&Faults::over(memory))?;
    let texts = cache.namespace::<String>("drills").transform(fake.clone()).open().map_err(words)?;
    fake.on_reverse().fail(code);
    let error = refused(texts.get(SECRET).await, "a direct read")?;
    let meanwhile = own_values(&cache, &texts).await?;
    fake.on_reverse().recover();
    works_again(&texts).await?;
    Ok(Evidence::error(error, meanwhile).of(&cache))
}

/// What is stored is plaintext, and the namespace is encrypted.
pub(super) async fn plaintext(_code: ErrorCode) -> Drilled {
    let memory = MemoryBackend::new();
    store(&memory, |namespace| namespace).await?;
    let cache = over(&Faults::over(memory))?;
    let fake = FakeTransform::new(TransformKind::Encryption);
    let texts = cache.namespace::<String>("drills").transform(fake).open().map_err(words)?;
    let error = refused(texts.get(SECRET).await, "a direct read")?;
    let meanwhile = own_values(&cache, &texts).await?;
    works_again(&texts).await?;
    Ok(Evidence::error(error, meanwhile).of(&cache))
}

/// A loader that never ends, in virtual time.
pub(super) async fn endless_loader(_code: ErrorCode) -> Drilled {
    let cache = over(&Faults::over(MemoryBackend::new()))?;
    let error = refused(cachekit::scope(cache.clone(), endless(SECRET)).await, "a load that never ends")?;
    let texts = texts(&cache)?;
    works_again(&texts).await?;
    Ok(Evidence::error(error, Meanwhile::Told).of(&cache))
}

/// Nothing is made, for a key provider fails on cue.
pub(super) async fn key_provider(code: ErrorCode) -> Drilled {
    let keys = FakeKeyProvider::new();
    keys.on_keys().fail_next(1, code);
    let error = refused(keys.keys().await, "a key provider")?;
    ensure(keys.keys().await.is_ok(), "a key provider that recovered still fails")?;
    Ok(Evidence::error(error, Meanwhile::NotMade))
}

#[cache(load_timeout = "10m", name = "cachekit_testkit.drills.endless")]
async fn endless(with: &str) -> cachekit::Result<String> {
    std::future::pending::<()>().await;
    Ok(with.to_owned())
}

fn over(faults: &Faults) -> Result<Cache, String> {
    Cache::builder().backend(faults.clone()).build().map_err(words)
}

/// Stores a secret where the drill will look, through a cache of its own.
async fn store(
    memory: &MemoryBackend,
    how: impl FnOnce(cachekit::NamespaceBuilder<String>) -> cachekit::NamespaceBuilder<String>,
) -> Result<(), String> {
    let cache: Cache = Cache::builder().backend(memory.connect()).build().map_err(words)?;
    let texts = how(cache.namespace::<String>("drills")).open().map_err(words)?;
    texts.set(SECRET, SECRET.to_owned()).await.map_err(words)
}

/// After the trouble values are cached again.
async fn works_again(texts: &Namespace<String>) -> Result<(), String> {
    let before = texts.stats().loads;
    for _ in 0..2 {
        let loaded = texts.get_or_load("after", || async { Ok::<_, Error>("fine".to_owned()) }).await.map_err(words)?;
        ensure(*loaded == "fine", "a load returned another value than its own")?;
    }
    ensure(texts.stats().loads == before + 1, "values are not cached after the trouble is over")?;
    ensure(texts.get("after").await.map_err(words)?.is_some(), "a value is gone after the trouble is over")
}

const SEED: u64 = 7;
