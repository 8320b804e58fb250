//! Whether a namespace is encrypted is said, by the cache or by itself, and never guessed.

#![cfg(not(feature = "_shuttle"))] // a real runtime
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

mod common;

use cachekit_core::{Backend, Cache, CacheBuilder, ErrorCode, Key, MemoryBackend, NamespaceBuilder, Result};
use common::Text;
use common::lock::Lock;

type Said = fn(NamespaceBuilder<u64>) -> NamespaceBuilder<u64>;

const NOTHING: Said = |namespace| namespace;
const SECURE: Said = NamespaceBuilder::secure;
const PLAINTEXT: Said = NamespaceBuilder::plaintext;
const OWN_KEYS: Said = |namespace| namespace.encrypt(Lock::new(&[9]));
const BY_HAND: Said = |namespace| namespace.transform(Lock::new(&[9]));

/// With which key a value is sealed that is stored so, if with any.
async fn sealed_with(cache: fn(CacheBuilder<Text>) -> CacheBuilder<Text>, said: Said) -> Result<Option<u8>> {
    let backend = MemoryBackend::new();
    let cache = cache(Cache::builder().backend(backend.clone())).build().unwrap();
    let numbers = said(cache.namespace("numbers")).open()?;
    numbers.set(1, 4242).await.unwrap();
    let entry = backend.get(&Key::new("numbers:1").unwrap()).await.unwrap().unwrap().value;
    let fingerprint = (0..=9).find(|&key| entry.windows(16).any(|part| part == [key; 16]));
    assert_eq!(fingerprint.is_none(), entry.windows(4).any(|part| part == b"4242"));
    Ok(fingerprint)
}

#[tokio::test]
async fn each_cache_and_each_namespace_have_their_say() {
    let no_keys: fn(CacheBuilder<Text>) -> CacheBuilder<Text> = |cache| cache;
    let all: fn(CacheBuilder<Text>) -> CacheBuilder<Text> = |cache| cache.encrypt(Lock::new(&[1]));
    let asked: fn(CacheBuilder<Text>) -> CacheBuilder<Text> = |cache| cache.encrypt_where_asked(Lock::new(&[1]));
    let stated: fn(CacheBuilder<Text>) -> CacheBuilder<Text> =
        |cache| cache.encrypt_where_asked(Lock::new(&[1])).intent_required();
    let (e001, e004, e044) = (Err(ErrorCode::E001), Err(ErrorCode::E004), Err(ErrorCode::E044));
    let table = [
        ("no keys", no_keys, [Ok(None), e001, Ok(None)]),
        ("all", all, [Ok(Some(1)), Ok(Some(1)), Ok(None)]),
        ("where asked", asked, [Ok(None), Ok(Some(1)), Ok(None)]),
        ("where stated", stated, [e004, Ok(Some(1)), Ok(None)]),
    ];
    for (name, cache, expected) in table {
        for (said, expected) in [NOTHING, SECURE, PLAINTEXT].into_iter().zip(expected) {
            assert_eq!(sealed_with(cache, said).await.map_err(|error| error.code()), expected, "{name}");
        }
        for own in [OWN_KEYS, BY_HAND, |namespace| SECURE(BY_HAND(namespace))] {
            assert_eq!(sealed_with(cache, own).await.map_err(|error| error.code()), Ok(Some(9)), "{name}");
        }
        let both: Said = |namespace| PLAINTEXT(BY_HAND(namespace));
        assert_eq!(sealed_with(cache, both).await.map_err(|error| error.code()), e044, "{name}");
        let twice: Said = |namespace| OWN_KEYS(BY_HAND(namespace));
        assert_eq!(sealed_with(cache, twice).await.map_err(|error| error.code()), e044, "{name}");
    }
}

#[tokio::test]
async fn values_that_are_not_encoded_cannot_be_encrypted() {
    let cache: Cache<Text> = Cache::builder().encrypt(Lock::new(&[1])).intent_required().build().unwrap();
    assert!(cache.local::<u64>("local").open().is_ok(), "nothing leaves the process");
    assert!(cache.local::<u64>("plain").plaintext().open().is_ok());
    for said in [SECURE, OWN_KEYS] {
        assert_eq!(said(cache.local("other")).open().unwrap_err().code(), ErrorCode::E044);
    }
}

#[tokio::test]
async fn what_is_to_encrypt_must_be_an_encryption() {
    #[derive(Debug)]
    struct Squeeze;
    impl cachekit_core::Transform for Squeeze {
        fn kind(&self) -> cachekit_core::TransformKind {
            cachekit_core::TransformKind::Compression
        }
        fn apply(
            &self,
            _: &cachekit_core::EntryContext<'_>,
            _: &mut Vec<u8>,
        ) -> cachekit_core::Result<cachekit_core::Applied> {
            Ok(cachekit_core::Applied::Declined)
        }
        fn reverse(&self, _: &cachekit_core::EntryContext<'_>, _: &mut Vec<u8>) -> cachekit_core::Result<()> {
            Ok(())
        }
    }
    for builder in [Cache::<Text>::builder().encrypt(Squeeze), Cache::<Text>::builder().encrypt_where_asked(Squeeze)] {
        assert_eq!(builder.build().unwrap_err().code(), ErrorCode::E044);
    }
    let cache: Cache<Text> = Cache::builder().build().unwrap();
    assert_eq!(cache.namespace::<u64>("n").encrypt(Squeeze).open().unwrap_err().code(), ErrorCode::E044);
    // Compression comes first, whichever was said first.
    assert!(cache.namespace::<u64>("n").encrypt(Lock::new(&[1])).transform(Squeeze).open().is_ok());
}

#[tokio::test]
async fn openings_of_one_namespace_have_to_agree() {
    let cache: Cache<Text> = Cache::builder().encrypt(Lock::new(&[1])).build().unwrap();
    let _numbers = cache.namespace::<u64>("numbers").open().unwrap();
    assert!(cache.namespace::<u64>("numbers").secure().open().is_ok());
    assert_eq!(cache.namespace::<u64>("numbers").plaintext().open().unwrap_err().code(), ErrorCode::E046);
}
