//! Entries in the interop layout: what stands in the backend, and what the layout cannot carry.

use std::time::Duration;

use bytes::Bytes;
use cachekit_core::{
    Backend, Cache, ErrorCode, Key, LoadError, LoadedOption, ManualClock, MemoryBackend, Namespace, Remaining,
    SetOptions, Ttl,
};
use cachekit_serde::interop::{InteropKey, InteropValues};
use cachekit_serde::{Json, MessagePack};

type Result<T = ()> = std::result::Result<T, cachekit_core::Error>;

fn cache(store: &MemoryBackend) -> Cache<MessagePack> {
    Cache::builder().backend(store.connect()).build().unwrap()
}

fn find(cache: &Cache<MessagePack>) -> Namespace<String> {
    cache.namespace("orders").serializer(InteropValues).interop("find").open().unwrap()
}

fn key(id: u64) -> InteropKey {
    InteropKey::of(&(id,)).unwrap()
}

fn stored(id: u64) -> Key {
    Key::new(&format!("orders:find:{}", key(id).as_str())).unwrap()
}

/// Stores bytes as another client would.
async fn put(store: &MemoryBackend, id: u64, bytes: &'static [u8]) {
    store.set(&stored(id), Bytes::from_static(bytes), &SetOptions::new(Ttl::secs(60))).await.unwrap();
}

#[tokio::test]
async fn an_entry_is_its_document() -> Result {
    let store = MemoryBackend::new();
    let orders = find(&cache(&store));
    orders.set(key(1), "café".to_owned()).await?;
    assert_eq!(store.get(&stored(1)).await?.unwrap().value.as_ref(), b"\xa5caf\xc3\xa9");
    let absent = orders.get_or_load_optional(key(2), async || Ok::<_, std::io::Error>(None::<String>)).await.unwrap();
    assert_eq!(absent, None);
    assert_eq!(store.get(&stored(2)).await?.unwrap().value.as_ref(), b"\xc0");
    assert_eq!(orders.name(), "orders:find");
    Ok(())
}

#[tokio::test]
async fn what_others_wrote_is_read_and_not_loaded() -> Result {
    let store = MemoryBackend::new();
    let orders = find(&cache(&store));
    put(&store, 1, b"\xd9\x03abc").await;
    put(&store, 2, b"\xc0").await;
    assert_eq!(orders.get(key(1)).await?.as_deref().map(String::as_str), Some("abc"));
    let none: Option<_> = orders
        .get_or_load_optional(key(2), async || -> std::result::Result<LoadedOption<String>, std::io::Error> {
            panic!("it is known that there is none")
        })
        .await
        .unwrap();
    assert_eq!(none, None);
    Ok(())
}

#[tokio::test]
async fn what_is_no_entry_of_the_layout_is_refused_and_overwritten_by_a_load() -> Result {
    let store = MemoryBackend::new();
    let orders = find(&cache(&store));
    let bad: [&[u8]; 5] = [b"", b"CK\x03\0\0\0\x02{}\xc0", b"\xa1a\0", b"\x07", b"\xc1ck\x01"];
    for (id, bytes) in (0..).zip(bad) {
        put(&store, id, bytes).await;
        assert_eq!(orders.get(key(id)).await.unwrap_err().code(), ErrorCode::E021, "{bytes:?}");
        let loaded = orders.get_or_load(key(id), async || Ok::<_, std::io::Error>("new".to_owned())).await.unwrap();
        assert_eq!(*loaded, "new");
        assert_eq!(store.get(&stored(id)).await?.unwrap().value.as_ref(), b"\xa3new");
    }
    Ok(())
}

#[tokio::test]
async fn another_key_is_refused_and_never_stored() -> Result {
    for store in [None, Some(MemoryBackend::new())] {
        let builder = Cache::<MessagePack>::builder();
        let cache = match &store {
            Some(store) => builder.backend(store.connect()).build()?,
            None => builder.build()?,
        };
        let orders = find(&cache);
        let refused = |result: Result<()>| assert_eq!(result.unwrap_err().code(), ErrorCode::E042);
        refused(orders.set("7", "x".to_owned()).await);
        refused(orders.set(7, "x".to_owned()).await);
        refused(orders.set((key(1), 2), "x".to_owned()).await);
        refused(orders.get("7").await.map(drop));
        refused(orders.get_many(&["7"]).await.remove(0).map(drop));
        refused(orders.set_many(vec![("7", "x".to_owned())]).await.remove(0));
        let loaded = orders.get_or_load("7", async || Ok::<_, std::io::Error>("x".to_owned())).await;
        assert!(matches!(loaded, Err(LoadError::Cache(error)) if error.code() == ErrorCode::E042));
        let loaded = orders.get_or_load_many(&["7"], async |_| Ok::<_, std::io::Error>([("7", "x".to_owned())])).await;
        assert!(matches!(loaded, Err(LoadError::Cache(error)) if error.code() == ErrorCode::E042));
        if store.is_some() {
            refused(orders.delete("7").await);
            refused(orders.ttl("7").await.map(drop));
            refused(orders.touch("7", Ttl::secs(1)).await.map(drop));
            let digits = key(1).as_str().to_owned();
            let deleted = orders.delete_many(&["7", &digits]).await;
            assert_eq!(deleted.iter().map(|result| result.is_ok()).collect::<Vec<_>>(), [false, true]);
            let got = orders.get_many(&["7", &digits]).await;
            assert_eq!(got.iter().map(|result| result.is_ok()).collect::<Vec<_>>(), [false, true]);
        }
        assert_eq!(orders.peek("7"), None);
    }
    Ok(())
}

#[tokio::test]
async fn a_value_that_is_written_as_none_is_no_value() -> Result {
    let store = MemoryBackend::new();
    let cache = cache(&store);
    let maybe = cache.namespace::<Option<u8>>("orders").serializer(InteropValues).interop("maybe").open()?;
    assert_eq!(maybe.set(key(1), None).await.unwrap_err().code(), ErrorCode::E020);
    maybe.set(key(1), Some(7)).await?;
    let alone = Cache::<MessagePack>::builder().build()?;
    let maybe = alone.namespace::<Option<u8>>("orders").serializer(InteropValues).interop("maybe").open()?;
    assert_eq!(maybe.set(key(1), None).await.unwrap_err().code(), ErrorCode::E020);
    Ok(())
}

#[tokio::test]
async fn lives_are_the_backends() -> Result {
    let clock = ManualClock::new();
    let store = MemoryBackend::builder().clock(clock.clone()).build()?;
    let cache = Cache::<MessagePack>::builder().backend(store.connect()).clock(clock.clone()).build()?;
    let orders =
        cache.namespace::<String>("orders").serializer(InteropValues).interop("find").ttl(Ttl::secs(10)).open()?;
    orders.set(key(1), "x".to_owned()).await?;
    assert_eq!(orders.ttl(key(1)).await?, Some(Remaining::For(Duration::from_secs(10))));
    store.set(&stored(2), Bytes::from_static(b"\xa1y"), &SetOptions::new(Ttl::Never)).await?;
    assert_eq!(orders.ttl(key(2)).await?, Some(Remaining::Never));
    clock.advance(Duration::from_secs(9));
    assert!(orders.get(key(1)).await?.is_some());
    assert!(orders.touch(key(1), Ttl::secs(10)).await?);
    clock.advance(Duration::from_secs(9));
    assert!(orders.get(key(1)).await?.is_some());
    clock.advance(Duration::from_secs(2));
    assert_eq!(orders.get(key(1)).await?, None);
    assert!(orders.get(key(2)).await?.is_some());
    orders.expire(key(2)).await?;
    assert_eq!(store.get(&stored(2)).await?, None, "nothing is kept for hard times");
    Ok(())
}

#[tokio::test]
async fn clearing_an_operation_leaves_the_others() -> Result {
    let store = MemoryBackend::new();
    let cache = cache(&store);
    let (one, other) =
        (find(&cache), cache.namespace::<u8>("orders").serializer(InteropValues).interop("find2").open()?);
    one.set(key(1), "x".to_owned()).await?;
    other.set(key(1), 7).await?;
    one.clear().await?;
    assert_eq!(one.get(key(1)).await?, None);
    assert_eq!(other.get(key(1)).await?.as_deref(), Some(&7));
    Ok(())
}

#[test]
fn what_the_layout_cannot_carry_is_refused_when_it_is_opened() {
    let cache = Cache::<MessagePack>::builder().build().unwrap();
    let builder = || cache.namespace::<u8>("orders").serializer(InteropValues).interop("find");
    let minute = Duration::from_secs(60);
    let refused = |opened: Result<()>, name: &str| {
        let error = opened.unwrap_err();
        assert_eq!(error.code(), ErrorCode::E044);
        assert!(error.to_string().contains(&format!("{name}: expected")), "{error}");
    };
    refused(builder().version(1).open().map(drop), "version");
    refused(builder().stale_for(minute).open().map(drop), "stale_for");
    refused(builder().refresh_after(minute).open().map(drop), "refresh_after");
    refused(builder().per_tenant().open().map(drop), "per_tenant");
    refused(cache.namespace::<u8>("orders").interop("find").open().map(drop), "serializer");
    refused(cache.namespace::<u8>("orders").serializer(Json).interop("find").open().map(drop), "serializer");
    refused(cache.local::<u8>("orders").interop("find").open().map(drop), "serializer");
    builder().open().unwrap();
}

#[test]
fn a_name_is_of_one_layout() {
    let refused = |opened: Result<()>| {
        let error = opened.unwrap_err();
        assert_eq!(error.code(), ErrorCode::E046);
        assert!(error.to_string().contains("in the interop layout"), "{error}");
    };
    let cache = Cache::<MessagePack>::builder().build().unwrap();
    let interop = |operation: &str| cache.namespace::<u8>("orders").serializer(InteropValues).interop(operation);
    interop("find").open().unwrap();
    interop("find").open().unwrap();
    interop("list").open().unwrap();
    cache.namespace::<u8>("orders2").open().unwrap();
    cache.local::<u8>("orders").open().unwrap();
    let cache = Cache::<MessagePack>::builder().build().unwrap();
    cache.namespace::<u8>("orders").open().unwrap();
    refused(cache.namespace::<u8>("orders").serializer(InteropValues).interop("find").open().map(drop));
    let cache = Cache::<MessagePack>::builder().build().unwrap();
    cache.namespace::<u8>("orders").serializer(InteropValues).interop("find").open().unwrap();
    refused(cache.namespace::<u8>("orders").open().map(drop));
    assert!(cache.namespace::<u16>("orders").serializer(InteropValues).interop("find").open().is_err());
}
