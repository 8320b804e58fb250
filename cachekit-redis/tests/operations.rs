//! Every operation, against a real server.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cachekit_core::{Backend, ErrorCode, Expiring, NonZeroDuration, Operation, Remaining, SetOptions, Ttl, Write};
use cachekit_redis::RedisBackend;
use cachekit_testkit::fixtures::RedisServer;

use common::{PATIENCE, backend, builder, bytes, key, keys, minute, never, raw, run};

#[tokio::test]
async fn values_return_byte_for_byte() {
    let server = RedisServer::start();
    let redis = backend(&server);
    let all: Vec<u8> = (0..=255).collect();
    let large: Vec<u8> = (0..1 << 20).map(|n: u32| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    for value in [vec![], b"\r\n$-1\r\n".to_vec(), all, large] {
        redis.set(&key("k"), value.clone().into(), &minute()).await.unwrap();
        let entry = redis.get(&key("k")).await.unwrap().unwrap();
        assert!(entry.value == value, "{} bytes", value.len());
        assert_eq!((entry.remaining, entry.stale), (Remaining::Unknown, false));
    }
}

#[tokio::test]
async fn what_is_not_there_is_none_and_deleting_it_succeeds() {
    let server = RedisServer::start();
    let redis = backend(&server);
    let key = key("users:1");
    assert_eq!(redis.get(&key).await.unwrap(), None);
    assert!(!redis.exists(&key).await.unwrap());
    redis.delete(&key).await.unwrap();
    redis.set(&key, bytes("a"), &never()).await.unwrap();
    assert!(redis.exists(&key).await.unwrap());
    redis.delete(&key).await.unwrap();
    assert!(!redis.exists(&key).await.unwrap());
    assert_eq!(redis.get(&key).await.unwrap(), None);
}

#[tokio::test]
async fn a_set_replaces_value_and_time_to_live() {
    let server = RedisServer::start();
    let redis = backend(&server);
    let mut raw = raw(&server).await;
    redis.set(&key("k"), bytes("a"), &minute()).await.unwrap();
    let left: i64 = run(&mut raw, "PTTL k").await;
    assert!((1..=60_000).contains(&left), "{left}");
    redis.set(&key("k"), bytes("b"), &never()).await.unwrap();
    assert_eq!(run::<i64>(&mut raw, "PTTL k").await, -1);
    redis.set(&key("k"), bytes("c"), &SetOptions::new(Ttl::secs(1_000))).await.unwrap();
    let left: i64 = run(&mut raw, "PTTL k").await;
    assert!((60_001..=1_000_000).contains(&left), "{left}");
    assert_eq!(run::<String>(&mut raw, "GET k").await, "c");
}

#[tokio::test]
async fn an_entry_ends() {
    let server = RedisServer::start();
    let redis = backend(&server);
    let instant = Ttl::For(NonZeroDuration::new(Duration::from_nanos(1)).unwrap());
    redis.set(&key("k"), bytes("a"), &SetOptions::new(instant)).await.unwrap();
    let gone = async { while redis.get(&key("k")).await.unwrap().is_some() {} };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
}

#[tokio::test]
async fn the_limits_are_what_the_server_takes() {
    let server = RedisServer::start();
    let redis = backend(&server);
    let limits = redis.limits();
    assert_eq!((limits.max_value, limits.resolution), (Some(512 << 20), Duration::from_millis(1)));
    let longest = limits.max_ttl.unwrap();
    let options = SetOptions::new(Ttl::try_from(longest).unwrap());
    redis.set(&key("k"), bytes("a"), &options).await.unwrap();
    assert!(redis.renew(&key("k"), Ttl::try_from(longest).unwrap()).await.unwrap());

    let longer = Ttl::try_from(longest + Duration::from_millis(1)).unwrap();
    let error = redis.set(&key("k"), bytes("b"), &SetOptions::new(longer)).await.unwrap_err();
    assert_eq!((error.code(), error.operation()), (ErrorCode::E063, Some(Operation::Set)));
    assert_eq!(redis.renew(&key("k"), longer).await.unwrap_err().code(), ErrorCode::E063);
}

#[tokio::test]
async fn a_value_that_is_too_large_is_refused_before_anything_is_sent() {
    // Nobody listens on port 1: whatever is sent fails with another code.
    let redis = RedisBackend::from_url("redis://127.0.0.1:1").unwrap();
    let large = Bytes::from(vec![0; (512 << 20) + 1]);
    let error = redis.set(&key("users:1"), large, &minute()).await.unwrap_err();
    assert_eq!((error.code(), error.operation()), (ErrorCode::E022, Some(Operation::Set)));
    assert_eq!(error.message(), "value: expected at most 536870912 bytes, got 536870913");
}

#[tokio::test]
async fn batches_answer_for_each_element_in_order() {
    let server = RedisServer::start();
    let redis = backend(&server);
    let writes = [("a", "1"), ("b", "2"), ("a", "3")].map(|(k, v)| Write::new(key(k), bytes(v), minute()));
    assert!(redis.set_many(&writes).await.into_iter().all(|answer| answer.is_ok()));
    assert_eq!(
        values(&redis, ["a", "x", "b", "a", "x"]).await,
        [Some("3"), None, Some("2"), Some("3"), None].map(owned)
    );

    let deleted = redis.delete_many(&keys(["a", "x", "a"])).await;
    assert_eq!(deleted.len(), 3);
    assert!(deleted.into_iter().all(|answer| answer.is_ok()));
    assert_eq!(values(&redis, ["a", "b"]).await, [None, Some("2")].map(owned));

    assert!(redis.get_many(&[]).await.is_empty());
    assert!(redis.set_many(&[]).await.is_empty());
    assert!(redis.delete_many(&[]).await.is_empty());
}

#[tokio::test]
async fn one_bad_element_does_not_spoil_a_batch() {
    let server = RedisServer::start();
    let redis = backend(&server);
    let longer = SetOptions::new(Ttl::try_from(redis.limits().max_ttl.unwrap() * 2).unwrap());
    let large = Bytes::from(vec![0; (512 << 20) + 1]);
    let writes = [
        Write::new(key("n:large"), large, minute()),
        Write::new(key("n:a"), bytes("1"), minute()),
        Write::new(key("n:long"), bytes("2"), longer),
        Write::new(key("n:b"), bytes("3"), never()),
    ];
    let answers = redis.set_many(&writes).await;
    let codes: Vec<_> = answers.iter().map(|answer| answer.as_ref().err().map(|error| error.code())).collect();
    assert_eq!(codes, [Some(ErrorCode::E022), None, Some(ErrorCode::E063), None]);
    assert_eq!(answers[0].as_ref().unwrap_err().operation(), Some(Operation::SetMany));
    assert_eq!(
        values(&redis, ["n:large", "n:a", "n:long", "n:b"]).await,
        [None, Some("1"), None, Some("3")].map(owned)
    );
    assert_eq!(redis.remaining(&key("n:b")).await.unwrap(), Some(Remaining::Never));

    // All of them bad: nothing is sent, all is answered.
    let answers = redis.set_many(&writes[2..3]).await;
    assert_eq!(answers[0].as_ref().unwrap_err().code(), ErrorCode::E063);
}

#[tokio::test]
async fn batches_may_be_larger_than_a_piece() {
    let server = RedisServer::start();
    let redis = backend(&server);
    let writes: Vec<_> =
        (0..2_500).map(|n| Write::new(key(format!("n:{n}")), bytes(n.to_string()), minute())).collect();
    assert_eq!(redis.set_many(&writes).await.into_iter().filter(|answer| answer.is_ok()).count(), 2_500);
    let keys: Vec<_> = (0..2_500).rev().map(|n| key(format!("n:{n}"))).collect();
    let found = redis.get_many(&keys).await;
    assert_eq!(found.len(), 2_500);
    for (n, entry) in (0..2_500).rev().zip(found) {
        assert_eq!(entry.unwrap().unwrap().value, n.to_string());
    }
    assert_eq!(redis.delete_many(&keys).await.into_iter().filter(|answer| answer.is_ok()).count(), 2_500);
    let mut raw = raw(&server).await;
    assert_eq!(run::<u64>(&mut raw, "DBSIZE").await, 0);
    let stats: String = run(&mut raw, "INFO commandstats").await;
    assert!(stats.contains("cmdstat_mget:calls=3,"), "{stats}");

    let large: Vec<_> = (0..5).map(|n| Write::new(key(format!("n:{n}")), vec![n; 7 << 20].into(), minute())).collect();
    assert_eq!(redis.set_many(&large).await.into_iter().filter(|answer| answer.is_ok()).count(), 5);
    for n in 0..5 {
        assert!(redis.get(&key(format!("n:{n}"))).await.unwrap().unwrap().value == vec![n; 7 << 20]);
    }
}

#[tokio::test]
async fn the_remaining_life_is_read_and_renewed() {
    let server = RedisServer::start();
    let redis = backend(&server);
    let shared: Arc<dyn Backend> = Arc::new(redis.clone());
    assert_eq!(shared.abilities().names(), ["expiring"]);
    let expiring = shared.abilities().expiring.unwrap();
    let key = key("k");

    assert_eq!(expiring.remaining(&key).await.unwrap(), None);
    assert!(!expiring.renew(&key, Ttl::secs(60)).await.unwrap());
    assert!(!expiring.renew(&key, Ttl::Never).await.unwrap());
    assert_eq!(expiring.remaining(&key).await.unwrap(), None);

    redis.set(&key, bytes("a"), &never()).await.unwrap();
    assert_eq!(expiring.remaining(&key).await.unwrap(), Some(Remaining::Never));
    assert!(expiring.renew(&key, Ttl::Never).await.unwrap());
    assert_eq!(expiring.remaining(&key).await.unwrap(), Some(Remaining::Never));

    assert!(expiring.renew(&key, Ttl::secs(60)).await.unwrap());
    let Some(Remaining::For(left)) = expiring.remaining(&key).await.unwrap() else { panic!("no end") };
    assert!(left > Duration::ZERO && left <= Duration::from_secs(60), "{left:?}");

    assert!(expiring.renew(&key, Ttl::Never).await.unwrap());
    assert_eq!(expiring.remaining(&key).await.unwrap(), Some(Remaining::Never));
    assert_eq!(redis.get(&key).await.unwrap().unwrap().value, "a");
}

#[tokio::test]
async fn health_tells_version_role_and_memory() {
    let server = RedisServer::start();
    let redis = backend(&server);
    assert_eq!(redis.name(), "redis");
    redis.connect().await.unwrap();
    let health = redis.health().await.unwrap();
    let info: String = run(&mut raw(&server).await, "INFO server").await;
    assert!(info.contains(&format!("redis_version:{}\r\n", health.version.as_deref().unwrap())), "{info}");
    let detail = |name| health.details.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
    assert_eq!(detail("role"), Some("master"));
    assert!(detail("used_memory").unwrap().parse::<u64>().unwrap() > 0);
}

#[tokio::test]
async fn a_database_is_chosen_by_its_number() {
    let server = RedisServer::start();
    let third = builder(&format!("{}/3", server.url())).build().unwrap();
    third.set(&key("k"), bytes("a"), &minute()).await.unwrap();
    assert_eq!(backend(&server).get(&key("k")).await.unwrap(), None);
    let mut raw = raw(&server).await;
    run::<()>(&mut raw, "SELECT 3").await;
    assert_eq!(run::<String>(&mut raw, "GET k").await, "a");
}

#[tokio::test]
async fn clones_share_what_is_stored_and_closing_ends_them_all() {
    let server = RedisServer::start();
    let redis = backend(&server);
    let other = redis.clone();
    redis.set(&key("k"), bytes("a"), &minute()).await.unwrap();
    assert_eq!(other.get(&key("k")).await.unwrap().unwrap().value, "a");
    redis.close().await;
    redis.close().await;
    for closed in [&redis, &other] {
        assert_eq!(closed.get(&key("k")).await.unwrap_err().code(), ErrorCode::E036);
    }
    // The connection is gone, not only refused: the one that asks is the last.
    let mut raw = raw(&server).await;
    let alone = async { while run::<String>(&mut raw, "CLIENT LIST").await.lines().count() > 1 {} };
    tokio::time::timeout(PATIENCE, alone).await.unwrap();
}

async fn values<const N: usize>(redis: &RedisBackend, texts: [&str; N]) -> Vec<Option<Bytes>> {
    let found = redis.get_many(&keys(texts)).await;
    found.into_iter().map(|entry| entry.unwrap().map(|entry| entry.value)).collect()
}

fn owned(text: Option<&str>) -> Option<Bytes> {
    text.map(bytes)
}
