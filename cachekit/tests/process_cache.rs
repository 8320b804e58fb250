//! The cache of the process: installed once, told about, and set aside by a scope. One test, because there is one
//! process.
#![cfg(feature = "macros")]

use std::sync::atomic::{AtomicU32, Ordering};

use cachekit::prelude::*;
use cachekit::{ProcessStatus, install, scope, status};

static RUNS: AtomicU32 = AtomicU32::new(0);

#[cache(ttl = "1m")]
async fn runs() -> u32 {
    RUNS.fetch_add(1, Ordering::SeqCst) + 1
}

#[tokio::test]
async fn it_is_installed_once_and_a_scope_sets_it_aside() {
    assert!(matches!(status(), ProcessStatus::NotMade));
    let cache = Cache::builder().build().unwrap();
    install(cache.clone()).unwrap();
    assert!(matches!(status(), ProcessStatus::Made(status) if status.serving));

    let error = install(Cache::builder().build().unwrap()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::E044);

    assert_eq!((runs().await, runs().await), (1, 1));
    assert_eq!(cache.stats().loads, 1);

    let mine = Cache::builder().build().unwrap();
    assert_eq!(scope(mine.clone(), async { (runs().await, runs().await) }).await, (2, 2));
    assert_eq!(mine.stats().loads, 1);
    assert_eq!(runs().await, 1, "the process's cache is as it was");

    cache.disable();
    assert_eq!((runs().await, runs().await), (3, 4));
    cache.enable();
    assert_eq!(runs().await, runs().await);
}
