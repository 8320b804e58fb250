//! The Redis backend keeps every rule of the suite for what it offers, with a real server.
#![cfg(unix)] // as the server

use std::sync::Arc;
use std::time::Duration;

use cachekit_core::Backend;
use cachekit_redis::RedisBackend;
use cachekit_testkit::conformance::RedisFixture;

fn open(url: &str) -> Arc<dyn Backend> {
    // Beyond what a slow machine needs, and short enough to wait for.
    let limit = Duration::from_secs(5);
    let redis = RedisBackend::builder().url(url).connect_timeout(limit).command_timeout(limit).build();
    Arc::new(redis.expect("the fixture's URL is one"))
}

cachekit_testkit::conformance!(RedisFixture::start(open).with_abilities(&["expiring"]));
