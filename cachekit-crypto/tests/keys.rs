//! Keys at work follow their provider.

use std::time::Duration;

use cachekit_core::{ErrorCode, KeyRing, MasterKey};
use cachekit_crypto::Keys;
use cachekit_testkit::fakes::FakeKeyProvider;

#[tokio::test(start_paused = true)]
async fn a_task_refreshes_them_until_it_is_dropped() {
    let fake = FakeKeyProvider::new();
    let keys = Keys::new(fake.clone()).await.unwrap();
    let current = || keys.uses()[0].fingerprint;
    let first = current();
    let refreshing = keys.refresh_every(Duration::from_secs(60));
    fake.rotate();
    pass(59).await;
    assert_eq!(current(), first);
    pass(2).await;
    let second = current();
    assert_eq!(keys.uses().len(), 2);
    assert_ne!(second, first);

    fake.on_keys().fail(ErrorCode::E062);
    fake.rotate();
    pass(60).await;
    assert_eq!((current(), keys.failed_refreshes()), (second, 1), "the keys of before stay in use");

    drop(refreshing);
    pass(600).await;
    assert_eq!((current(), keys.failed_refreshes()), (second, 1));
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_the_keys() {
    let fake = FakeKeyProvider::new();
    let keys = Keys::new(fake.clone()).await.unwrap();
    let _refreshing = keys.refresh_every(Duration::ZERO);
    drop(keys);
    pass(600).await;
    assert_eq!(fake.on_keys().calls(), 1);
}

#[tokio::test]
async fn a_refresh_says_whether_anything_changed_and_counts_go_on() {
    let fake = FakeKeyProvider::new();
    let keys = Keys::new(fake.clone()).await.unwrap();
    assert!(!keys.refresh().await.unwrap());
    let before = keys.uses()[0];
    fake.rotate();
    assert!(keys.refresh().await.unwrap());
    assert_eq!(keys.uses()[1].fingerprint, before.fingerprint);
    assert!(!Keys::fixed(&KeyRing::new(MasterKey::new(&[1; 32]).unwrap())).refresh().await.unwrap());
}

#[tokio::test]
async fn without_keys_there_are_none() {
    for code in [ErrorCode::E001, ErrorCode::E002, ErrorCode::E065] {
        let fake = FakeKeyProvider::new();
        fake.on_keys().fail(code);
        assert_eq!(Keys::new(fake).await.unwrap_err().code(), code);
    }
}

/// Lets so many seconds pass, one by one, so that tasks run in between.
async fn pass(seconds: u64) {
    for _ in 0..seconds {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
