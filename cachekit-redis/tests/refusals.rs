//! What the server refuses, each by its code, and what the error shows of it.

mod common;

use cachekit_core::{Backend, ErrorCode, Expiring, Operation, Ttl};
use cachekit_redis::RedisBackend;
use cachekit_testkit::fixtures::RedisServer;

use common::{backend, builder, bytes, connections, key, minute, raw, run, shown};

#[tokio::test]
async fn credentials_are_needed_and_have_to_be_right() {
    let server = RedisServer::start_with(&["--requirepass", "hunter2/@:%"]);
    let url = |login: &str| server.url().replace("://", &format!("://{login}@"));
    for login in ["", ":wrong-hunter2", "default:wrong-hunter2", "nobody:hunter2%2F%40%3A%25"] {
        let redis = builder(&url(login)).build().unwrap();
        assert_eq!(redis.connect().await.unwrap_err().code(), ErrorCode::E013, "{login}");
        let error = redis.get(&key("users:alice")).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::E013, "{login}: {error}");
        assert!(error.message().starts_with(&format!("127.0.0.1:{}", server.port())), "{error}");
        for hidden in ["hunter2", "nobody", "alice"] {
            assert!(!shown(&error).contains(hidden), "{error}");
            assert!(!format!("{redis:?}").contains(hidden), "{redis:?}");
        }
    }
    for login in [":hunter2%2F%40%3A%25", "default:hunter2%2F%40%3A%25", ":hunter2%2F@:%25"] {
        let redis = builder(&url(login)).build().unwrap();
        redis.set(&key("users:alice"), bytes("a"), &minute()).await.unwrap();
        assert!(!format!("{redis:?}").contains("hunter2"), "{redis:?}");
    }
}

#[tokio::test]
async fn credentials_that_are_not_asked_for_are_refused() {
    let server = RedisServer::start();
    let redis = builder(&server.url().replace("://", "://:hunter2@")).build().unwrap();
    let error = redis.connect().await.unwrap_err();
    assert_eq!((error.code(), error.operation()), (ErrorCode::E013, Some(Operation::Connect)));
    assert!(!shown(&error).contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_user_may_be_permitted_little() {
    let server = RedisServer::start();
    run::<()>(&mut raw(&server).await, "ACL SETUSER alice on >hunter2 ~users:* +get").await;
    let redis = builder(&server.url().replace("://", "://alice:hunter2@")).build().unwrap();
    assert_eq!(redis.get(&key("users:1")).await.unwrap(), None);
    for error in [
        redis.set(&key("users:1"), bytes("a"), &minute()).await.unwrap_err(),
        redis.get(&key("teams:1")).await.unwrap_err(),
        redis.health().await.unwrap_err(),
    ] {
        assert_eq!(error.code(), ErrorCode::E013, "{error}");
        assert!(!shown(&error).contains("alice"), "{error}");
    }
    // With PING alone there is health, without details.
    run::<()>(&mut raw(&server).await, "ACL SETUSER alice +ping").await;
    assert_eq!(redis.health().await.unwrap().version, None);
}

#[tokio::test]
async fn a_database_that_the_server_lacks_is_a_wrong_setting() {
    let server = RedisServer::start();
    let redis = builder(&format!("{}/16", server.url())).build().unwrap();
    let error = redis.get(&key("k")).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::E044);
    assert_eq!(error.message(), format!("database: expected one that 127.0.0.1:{} has, got 16", server.port()));
}

#[tokio::test]
async fn another_type_under_the_key_is_an_entry_that_cannot_be_read() {
    let server = RedisServer::start();
    let redis = backend(&server);
    run::<()>(&mut raw(&server).await, "RPUSH users:alice 1").await;
    let error = redis.get(&key("users:alice")).await.unwrap_err();
    assert_eq!((error.code(), error.operation()), (ErrorCode::E021, Some(Operation::Get)));
    assert!(!shown(&error).contains("alice"), "{error}");
    assert!(shown(&error).contains("users:#"), "{error}");
    // In a batch it counts as missing, and can be overwritten.
    assert_eq!(redis.get_many(&[key("users:alice")]).await[0].as_ref().unwrap(), &None);
    redis.set(&key("users:alice"), bytes("a"), &minute()).await.unwrap();
    assert_eq!(redis.get(&key("users:alice")).await.unwrap().unwrap().value, "a");
}

#[tokio::test]
async fn a_replica_takes_no_writes() {
    let server = RedisServer::start();
    let redis = backend(&server);
    redis.set(&key("k"), bytes("a"), &minute()).await.unwrap();
    let mut raw = raw(&server).await;
    run::<()>(&mut raw, "REPLICAOF 127.0.0.1 1").await;
    let connected = connections(&mut raw).await;
    let writes = [
        redis.set(&key("k"), bytes("b"), &minute()).await,
        redis.delete(&key("k")).await,
        redis.renew(&key("k"), Ttl::secs(1)).await.map(|_| ()),
        redis.renew(&key("k"), Ttl::Never).await.map(|_| ()),
        redis.delete_many(&[key("k")]).await.remove(0),
    ];
    for error in writes.map(Result::unwrap_err) {
        assert_eq!(error.code(), ErrorCode::E014, "{error}");
        assert!(error.message().ends_with("is a replica and takes no writes (READONLY)"), "{error}");
        assert!(error.is_retryable() && error.trips_breaker());
    }
    assert_eq!(redis.get(&key("k")).await.unwrap().unwrap().value, "a");
    assert_eq!(connections(&mut raw).await, connected, "a refusal is no reason for another connection");
}

#[tokio::test]
async fn a_server_without_memory_takes_no_writes() {
    let server = RedisServer::start_with(&["--maxmemory", "1", "--maxmemory-policy", "noeviction"]);
    let redis = backend(&server);
    let error = redis.set(&key("k"), bytes("a"), &minute()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::E014);
    assert!(error.message().ends_with("is out of memory (OOM)"), "{error}");
    assert_eq!(redis.get(&key("k")).await.unwrap(), None);
}

#[tokio::test]
async fn a_server_with_too_many_clients_says_so() {
    let server = RedisServer::start();
    let mut raw = raw(&server).await;
    run::<()>(&mut raw, "CONFIG SET maxclients 1").await;
    let error = backend(&server).get(&key("k")).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::E014, "{error}");
    assert!(error.message().ends_with("has as many clients as it takes (ERR)"), "{error}");
}

#[tokio::test]
async fn what_the_server_quotes_of_a_command_is_not_shown() {
    let server = RedisServer::start_with(&["--rename-command", "SET", "", "--rename-command", "MGET", ""]);
    let redis = backend(&server);
    let error = redis.set(&key("users:alice"), bytes("hunter2"), &minute()).await.unwrap_err();
    assert_eq!((error.code(), error.is_retryable(), error.trips_breaker()), (ErrorCode::E066, false, false));
    assert!(!shown(&error).contains("alice") && !shown(&error).contains("hunter2"), "{error}");
    let error = redis.get_many(&[key("users:alice"), key("users:bob")]).await.remove(1).unwrap_err();
    assert_eq!((error.code(), error.operation()), (ErrorCode::E066, Some(Operation::GetMany)));
    assert!(!shown(&error).contains("alice") && !shown(&error).contains("bob"), "{error}");
}

#[test]
fn a_backend_is_made_without_io_and_refuses_what_cannot_be() {
    let code = |made: cachekit_redis::Result<RedisBackend>| made.unwrap_err().code();
    assert!(RedisBackend::from_url("redis://no-such-host.invalid").is_ok());
    assert_eq!(code(RedisBackend::from_url("rediss://localhost")), ErrorCode::E044);
    assert_eq!(code(RedisBackend::builder().build()), ErrorCode::E044);
    assert_eq!(code(builder("redis://localhost").connections(0).build()), ErrorCode::E044);
    assert_eq!(code(RedisBackend::from_env(|_| None)), ErrorCode::E040);
    let bad = |name: &str| (name == "REDIS_URL").then(|| "redis://:hunter2@".into());
    assert_eq!(code(RedisBackend::from_env(bad)), ErrorCode::E041);
    let builder = builder("redis://me:hunter2@localhost");
    assert!(!format!("{builder:?} {:?}", builder.clone().build()).contains("hunter2"));
}
