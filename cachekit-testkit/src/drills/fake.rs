//! Fake drills: the error comes from a fake that fails on cue. Time is virtual.

use std::time::Duration;

use bytes::Bytes;
use cachekit::core::{Acquired, Backend, FenceToken, KeyProvider, Operation, SetOptions, TransformKind};
use cachekit::{Cache, Error, ErrorCode, Key, MemoryBackend, MessagePack, Namespace, Resilience, Ttl, cache};
use tokio::time::Instant;

use super::scene::{Drilled, Evidence, Meanwhile, SECRET, ensure, own_values, refused, stored_key, texts, words};
use crate::fakes::{Cue, FakeKeyProvider, FakeSerializer, FakeTransform};
use crate::faults::{Faults, Rule};

/// The backend fails every call with the code.
pub(super) async fn backend(code: ErrorCode) -> Drilled {
    let faults = Faults::over(MemoryBackend::new()).with_seed(SEED).down(code);
    ill(&faults).await
}

/// Every call is refused before it is sent: there is no slot, or somebody in between keeps it back.
pub(super) async fn unsent(code: ErrorCode) -> Drilled {
    let faults = Faults::over(MemoryBackend::new()).with_seed(SEED);
    let evidence = ill(&faults.inject(Rule::fail(code))).await?;
    let reached = faults.inner().get(&stored_key()?).await.map_err(words)?;
    ensure(reached.is_none(), "a store that was refused reached the backend")?;
    Ok(evidence)
}

/// Every call takes five seconds, and then fails with the code: that was its time.
pub(super) async fn late(code: ErrorCode) -> Drilled {
    let limit = Duration::from_secs(5);
    let faults = Faults::over(MemoryBackend::new()).with_seed(SEED);
    faults.inject(Rule::delay(limit));
    faults.inject(Rule::fail(code));
    let cache = over(&faults)?;
    let texts = texts(&cache)?;
    let asked = Instant::now();
    let load = texts.get_or_load(SECRET, || async { Ok::<_, Error>(SECRET.to_owned()) });
    ensure(*load.await.map_err(words)? == SECRET, "a load returned another value than its own")?;
    // Once for the look-up: who did not answer is not asked to store.
    ensure(asked.elapsed() == limit, "a load waited for more than one call to a backend that is slow")?;
    ill(&faults).await
}

/// The backend never answers, and the cache has a limit for a call.
pub(super) async fn never_answers(_code: ErrorCode) -> Drilled {
    let faults = Faults::over(MemoryBackend::new()).with_seed(SEED).inject(Rule::never_answers());
    let limit = Duration::from_secs(2);
    let cache = Cache::builder()
        .backend(faults.clone())
        .resilience(Resilience::none())
        .timeout(limit)
        .build()
        .map_err(words)?;
    let asked = Instant::now();
    let error = refused(texts(&cache)?.get(SECRET).await, "a direct call")?;
    ensure(asked.elapsed() == limit, "a call did not end when its time was over")?;
    met(&faults, &cache, error).await
}

/// What a backend that is ill in some way does to a cache.
async fn ill(faults: &Faults) -> Drilled {
    let cache = over(faults)?;
    let error = refused(texts(&cache)?.get(SECRET).await, "a direct call")?;
    met(faults, &cache, error).await
}

async fn met(faults: &Faults, cache: &Cache, error: Error) -> Drilled {
    let texts = texts(cache)?;
    let meanwhile = own_values(cache, &texts).await?;
    ensure(cache.status().degraded, "the status does not tell that the backend is ill")?;
    let written = refused(texts.set(SECRET, SECRET.to_owned()).await, "a direct write")?;
    faults.recover();
    works_again(&texts).await?;
    ensure(!cache.status().degraded, "the status does not tell that the backend is well again")?;
    Ok(Evidence::error(error, meanwhile).and_write(written).of(cache))
}

/// Whatever is about one key is refused for good; the others are well meanwhile.
pub(super) async fn one_key(code: ErrorCode) -> Drilled {
    let key = stored_key()?;
    let faults = Faults::over(MemoryBackend::new()).with_seed(SEED);
    faults.inject(Rule::fail(code).keys(move |asked| asked == key.as_str()));
    let cache = over(&faults)?;
    let texts = texts(&cache)?;
    let error = refused(texts.get(SECRET).await, "a direct call")?;
    let written = refused(texts.set(SECRET, SECRET.to_owned()).await, "a direct write")?;
    let meanwhile = own_values(&cache, &texts).await?;
    works_again(&texts).await?;
    Ok(Evidence::error(error, meanwhile).and_write(written).of(&cache))
}

/// Clearing is refused; the rest is well.
pub(super) async fn not_offered(code: ErrorCode) -> Drilled {
    let faults = Faults::over(MemoryBackend::new()).with_seed(SEED);
    let cache = over(&faults.inject(Rule::fail(code).on([Operation::Clear])))?;
    let texts = texts(&cache)?;
    let error = refused(texts.clear().await, "clearing")?;
    let meanwhile = own_values(&cache, &texts).await?;
    works_again(&texts).await?;
    Ok(Evidence::error(error, meanwhile).of(&cache))
}

/// What the cache needs is not made, as it is with a constructor that was told nonsense. The second time it is.
pub(super) async fn construction(code: ErrorCode) -> Drilled {
    let makes = Cue::default();
    makes.fail_next(1, code);
    let make = || {
        makes.check("making a backend")?;
        Cache::builder().backend(MemoryBackend::new()).build()
    };
    let error = refused(make(), "making a cache")?;
    let cache = make().map_err(words)?;
    works_again(&texts(&cache)?).await?;
    Ok(Evidence::error(error, Meanwhile::NotMade).of(&cache))
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
    // Not that of the load: the fence under which it could not store lapses by itself.
    let (key, token) = (Key::new("drills:held").map_err(words)?, FenceToken::from_random(u128::from(SEED)));
    let fenced = faults.abilities().fenced.ok_or("the memory backend has no fences")?;
    let acquired = fenced.acquire(&key, &token, Duration::from_secs(30)).await;
    let error = if operation == Operation::Acquire {
        refused(acquired, "a fence")?
    } else {
        let granted = matches!(acquired.map_err(words)?, Acquired::Granted { found: None });
        ensure(granted, "a free fence was not granted")?;
        let options = SetOptions::new(Ttl::secs(60));
        refused(fenced.set_fenced(&key, &token, Bytes::from_static(b"late"), &options).await, "a store under a fence")?
    };
    for key in [key, stored_key()?] {
        ensure(faults.inner().get(&key).await.map_err(words)?.is_none(), "a value was stored without the lock")?;
    }
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
    let cache = over(&Faults::over(memory.connect()))?;
    let fake = FakeSerializer::over(MessagePack);
    let texts = cache.namespace::<String>("drills").serializer(fake.clone()).open().map_err(words)?;
    fake.on_deserialize().fail(code);
    let error = refused(texts.get(SECRET).await, "a direct read")?;
    let meanwhile = own_values(&cache, &texts).await?;
    fake.on_deserialize().recover();
    overwritten(&memory, |namespace| namespace).await?;
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
    let cache = over(&Faults::over(memory.connect()))?;
    let texts = cache.namespace::<String>("drills").transform(fake.clone()).open().map_err(words)?;
    fake.on_reverse().fail(code);
    let error = refused(texts.get(SECRET).await, "a direct read")?;
    let meanwhile = own_values(&cache, &texts).await?;
    fake.on_reverse().recover();
    overwritten(&memory, |namespace| namespace.transform(fake)).await?;
    works_again(&texts).await?;
    Ok(Evidence::error(error, meanwhile).of(&cache))
}

/// What is stored is plaintext, and the namespace is encrypted.
pub(super) async fn plaintext(_code: ErrorCode) -> Drilled {
    let memory = MemoryBackend::new();
    store(&memory, |namespace| namespace).await?;
    let cache = over(&Faults::over(memory.connect()))?;
    let fake = FakeTransform::new(TransformKind::Encryption);
    let texts = cache.namespace::<String>("drills").transform(fake.clone()).open().map_err(words)?;
    let error = refused(texts.get(SECRET).await, "a direct read")?;
    let meanwhile = own_values(&cache, &texts).await?;
    overwritten(&memory, |namespace| namespace.transform(fake)).await?;
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

/// A loader that panics while another call waits for its value, in virtual time.
pub(super) async fn panicking_loader(_code: ErrorCode) -> Drilled {
    let cache = over(&Faults::over(MemoryBackend::new()))?;
    let leads = tokio::spawn(cachekit::scope(cache.clone(), bursts(SECRET)));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let waited = cachekit::scope(cache.clone(), bursts(SECRET)).await;
    let error = refused(waited, "waiting for a load that panics")?;
    ensure(leads.await.is_err_and(|ended| ended.is_panic()), "the panic did not go on in its caller")?;
    let texts = texts(&cache)?;
    ensure(texts.get(SECRET).await.map_err(words)?.is_none(), "something was stored")?;
    works_again(&texts).await?;
    Ok(Evidence::error(error, Meanwhile::Told).of(&cache))
}

#[cache(name = "cachekit_testkit.drills.bursts_later")]
async fn bursts(with: &str) -> cachekit::Result<String> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    // As `panic!` does, without its lines on standard error.
    std::panic::resume_unwind(Box::new(format!("a loader that panics with {with}")))
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
    Cache::builder().backend(faults.clone()).resilience(Resilience::none()).build().map_err(words)
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

/// What could not be read was replaced by what was loaded: another process finds that.
async fn overwritten(
    memory: &MemoryBackend,
    how: impl FnOnce(cachekit::NamespaceBuilder<String>) -> cachekit::NamespaceBuilder<String>,
) -> Result<(), String> {
    let cache: Cache = Cache::builder().backend(memory.connect()).build().map_err(words)?;
    let texts = how(cache.namespace::<String>("drills")).open().map_err(words)?;
    let found = texts.get(SECRET).await.map_err(words)?;
    ensure(found.is_some_and(|found| found.starts_with("loaded with")), "an entry that cannot be read was not replaced")
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
