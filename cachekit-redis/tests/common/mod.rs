//! What the tests share.

#![expect(dead_code, reason = "each test file uses some of it")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use bytes::Bytes;
use cachekit_core::{Error, Key, SetOptions, Ttl};
use cachekit_redis::{RedisBackend, RedisBuilder};
use cachekit_testkit::fixtures::RedisServer;

/// How long something that is certain to happen may take on a machine under load.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn backend(server: &RedisServer) -> RedisBackend {
    builder(&server.url()).build().unwrap()
}

/// Limits that a slow machine does not reach.
pub(crate) fn builder(url: &str) -> RedisBuilder {
    RedisBackend::builder().url(url).connect_timeout(PATIENCE).command_timeout(PATIENCE)
}

pub(crate) fn key(text: impl AsRef<str>) -> Key {
    Key::new(text.as_ref()).unwrap()
}

pub(crate) fn keys<const N: usize>(texts: [&str; N]) -> [Key; N] {
    texts.map(key)
}

pub(crate) fn minute() -> SetOptions {
    SetOptions::new(Ttl::secs(60))
}

pub(crate) fn never() -> SetOptions {
    SetOptions::new(Ttl::Never)
}

pub(crate) fn bytes(text: impl Into<Vec<u8>>) -> Bytes {
    text.into().into()
}

/// A connection of the driver's own, to see what is really there.
pub(crate) async fn raw(server: &RedisServer) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(server.url()).unwrap();
    let settings =
        redis::AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
    client.get_multiplexed_async_connection_with_config(&settings).await.unwrap()
}

pub(crate) async fn run<T: redis::FromRedisValue>(
    connection: &mut redis::aio::MultiplexedConnection,
    words: &str,
) -> T {
    let mut words = words.split(' ');
    let mut command = redis::cmd(words.next().unwrap());
    words.for_each(|word| {
        command.arg(word);
    });
    command.query_async(connection).await.unwrap()
}

/// Everything that an error shows, its causes included.
pub(crate) fn shown(error: &Error) -> String {
    let mut shown = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        shown.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    shown
}

/// How many connections the server has ever taken, this one included.
pub(crate) async fn connections(raw: &mut redis::aio::MultiplexedConnection) -> u64 {
    let info: String = run(raw, "INFO stats").await;
    let count = info.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
    count.unwrap().trim().parse().unwrap()
}
