//! An encrypted namespace in the interop layout, from the cache to the store and back.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use bytes::Bytes;
use cachekit_core::{
    Backend, Cache, ErrorCode, Key, KeyRing, MasterKey, MemoryBackend, Namespace, Result, SetOptions, Ttl,
};
use cachekit_crypto::{InteropEncryption, Keys};
use cachekit_serde::MessagePack;
use cachekit_serde::interop::{InteropKey, InteropValues};

fn keys(bytes: &[u8]) -> Keys {
    let mut keys = bytes.iter().map(|byte| MasterKey::new(&[*byte; 32]).unwrap());
    Keys::fixed(&KeyRing::new(keys.next().unwrap()).with_previous(keys.collect()).unwrap())
}

fn open(cache: &Cache<MessagePack>, namespace: &str, encryption: InteropEncryption) -> Result<Namespace<String>> {
    cache.namespace(namespace).serializer(InteropValues).interop("find").transform(encryption).open()
}

fn cache(store: &MemoryBackend) -> Cache<MessagePack> {
    Cache::builder().backend(store.connect()).build().unwrap()
}

fn key(id: u64) -> InteropKey {
    InteropKey::of(&(id,)).unwrap()
}

fn stored(namespace: &str, id: u64) -> Key {
    Key::new(&format!("{namespace}:find:{}", key(id).as_str())).unwrap()
}

#[tokio::test]
async fn entries_are_sealed_and_other_processes_open_them_while_keys_rotate() -> Result<()> {
    let store = MemoryBackend::new();
    let orders = open(&cache(&store), "orders", keys(&[1]).interop_encryption())?;
    orders.set(key(1), "a secret".to_owned()).await?;
    let sealed = store.get(&stored("orders", 1)).await?.unwrap().value;
    assert_eq!(sealed.len(), "_a secret".len() + InteropEncryption::OVERHEAD);
    assert!(!sealed.windows(6).any(|bytes| bytes == b"secret"));
    let rotated = open(&cache(&store), "orders", keys(&[2, 1]).interop_encryption())?;
    assert_eq!(rotated.get(key(1)).await?.as_deref().map(String::as_str), Some("a secret"));
    let without = open(&cache(&store), "orders", keys(&[2]).interop_encryption())?;
    assert_eq!(without.get(key(1)).await.unwrap_err().code(), ErrorCode::E003);
    // What is known not to be is sealed, too.
    let absent = orders.get_or_load_optional(key(2), async || Ok::<_, std::io::Error>(None::<String>)).await.unwrap();
    assert_eq!((absent, store.get(&stored("orders", 2)).await?.unwrap().value.len()), (None, 29));
    assert_eq!(rotated.get(key(2)).await?, None);
    Ok(())
}

#[tokio::test]
async fn what_was_moved_or_is_plain_is_refused_and_overwritten_by_a_load() -> Result<()> {
    let store = MemoryBackend::new();
    let orders = open(&cache(&store), "orders", keys(&[1]).interop_encryption())?;
    orders.set(key(1), "one".to_owned()).await?;
    let sealed = store.get(&stored("orders", 1)).await?.unwrap().value;
    let plain = Bytes::from(format!("\u{78}{}", "x".repeat(60)));
    for (id, bytes) in [(2, sealed), (3, Bytes::from_static(b"\xa5plain")), (4, plain), (5, Bytes::new())] {
        store.set(&stored("orders", id), bytes, &SetOptions::new(Ttl::secs(60))).await?;
        assert_eq!(orders.get(key(id)).await.unwrap_err().code(), ErrorCode::E003, "{id}");
        let loaded = orders.get_or_load(key(id), async || Ok::<_, std::io::Error>("new".to_owned())).await.unwrap();
        assert_eq!(*loaded, "new");
        assert_eq!(orders.get(key(id)).await?.as_deref().map(String::as_str), Some("new"));
    }
    Ok(())
}

#[tokio::test]
async fn tenants_do_not_share_a_namespace() -> Result<()> {
    let store = MemoryBackend::new();
    let (cache, keys) = (cache(&store), keys(&[1]));
    let of = |tenant: &str| keys.interop_encryption().for_tenant(tenant);
    assert_eq!(open(&cache, "orders", of("acme")?).unwrap_err().code(), ErrorCode::E007);
    let both = open(&cache, "acme-globex", of("acme")?)?;
    both.set(key(1), "acme's".to_owned()).await?;
    // A second opening would have been handed the first one's entries.
    let error = open(&cache, "acme-globex", of("globex")?).unwrap_err();
    assert_eq!(error.code(), ErrorCode::E046);
    open(&cache, "acme-globex", of("acme")?)?;
    let elsewhere = Cache::<MessagePack>::builder().backend(store.connect()).build()?;
    let globex = open(&elsewhere, "acme-globex", of("globex")?)?;
    assert_eq!(globex.get(key(1)).await.unwrap_err().code(), ErrorCode::E003);
    Ok(())
}

#[test]
fn each_layout_has_its_encryption() {
    let cache = Cache::<MessagePack>::builder().build().unwrap();
    let keys = keys(&[1]);
    let native = cache.namespace::<u8>("orders").transform(keys.interop_encryption()).open();
    assert_eq!(native.unwrap_err().code(), ErrorCode::E044);
    let interop = cache.namespace::<u8>("orders").serializer(InteropValues).interop("find");
    assert_eq!(interop.transform(keys.encryption()).open().unwrap_err().code(), ErrorCode::E044);
}
