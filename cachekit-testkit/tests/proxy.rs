//! Bad network before a real Redis: what the client makes of it, and that all is well again afterwards.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use cachekit_core::{Backend, ErrorCode, Key, SetOptions, Ttl};
use cachekit_redis::RedisBackend;
use cachekit_testkit::fixtures::RedisServer;
use cachekit_testkit::proxy::{Conditions, FaultProxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// For what is certain to happen.
const PATIENCE: Duration = Duration::from_secs(60);
/// For what never happens.
const IMPATIENCE: Duration = Duration::from_millis(100);
/// Longer than any test.
const FOR_EVER: Duration = Duration::from_secs(86_400);

fn redis(proxy: &FaultProxy, limit: Duration) -> RedisBackend {
    let url = format!("redis://127.0.0.1:{}", proxy.port());
    RedisBackend::builder().url(&url).connect_timeout(limit).command_timeout(limit).connections(1).build().unwrap()
}

fn key() -> Key {
    Key::new("users:1").unwrap()
}

async fn set(redis: &RedisBackend, value: &'static str) {
    let value = Bytes::from_static(value.as_bytes());
    redis.set(&key(), value, &SetOptions::new(Ttl::secs(60))).await.unwrap();
}

/// Asks until it succeeds: after a failure the backend asks the server only now and then.
async fn get_in_the_end(redis: &RedisBackend) -> Bytes {
    let asks = async {
        loop {
            match redis.get(&key()).await {
                Ok(found) => return found.unwrap().value,
                Err(error) => assert!(matches!(error.code(), ErrorCode::E010 | ErrorCode::E011), "{error}"),
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, asks).await.unwrap()
}

async fn code(redis: &RedisBackend) -> ErrorCode {
    redis.get(&key()).await.unwrap_err().code()
}

async fn raw(proxy: &FaultProxy) -> io::Result<TcpStream> {
    TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await
}

#[tokio::test]
async fn without_faults_it_is_as_good_as_none() {
    let server = RedisServer::start();
    let proxy = FaultProxy::before(server.port());
    let redis = redis(&proxy, PATIENCE);
    set(&redis, "Ada").await;
    assert_eq!(redis.get(&key()).await.unwrap().unwrap().value, "Ada");
    assert_eq!((proxy.accepted(), proxy.open()), (1, 1));
    redis.close().await;
    proxy.until_all_closed().await;
}

#[tokio::test]
async fn what_is_half_open_is_a_time_out() {
    let server = RedisServer::start();
    let proxy = FaultProxy::before(server.port());
    set(&redis(&proxy, PATIENCE), "Ada").await;
    proxy.half_open();
    let impatient = redis(&proxy, IMPATIENCE);
    assert_eq!(code(&impatient).await, ErrorCode::E011);
    proxy.recover();
    let patient = redis(&proxy, PATIENCE);
    assert_eq!(get_in_the_end(&patient).await, "Ada");
    // Also over a connection that is open.
    proxy.replies(Conditions::silent());
    let answer = async { patient.get(&key()).await.unwrap().unwrap().value };
    let recovers = async {
        tokio::task::yield_now().await;
        proxy.recover();
    };
    assert_eq!(tokio::join!(answer, recovers).0, "Ada", "what was kept back is carried after all");
}

#[tokio::test]
async fn while_it_is_down_nothing_listens_and_the_port_is_kept() {
    let server = RedisServer::start();
    let proxy = FaultProxy::before(server.port());
    let redis = redis(&proxy, PATIENCE);
    set(&redis, "Ada").await;
    for _ in 0..3 {
        proxy.down();
        proxy.settled().await;
        proxy.until_all_closed().await;
        assert_eq!(raw(&proxy).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert!(std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, proxy.port())).is_err());
        assert_eq!(code(&redis).await, ErrorCode::E010);
        proxy.recover();
        proxy.settled().await;
        assert_eq!(get_in_the_end(&redis).await, "Ada");
    }
}

#[tokio::test]
async fn a_reset_ends_what_is_under_way() {
    let server = RedisServer::start();
    let proxy = FaultProxy::before(server.port());
    proxy.half_open();
    let redis = redis(&proxy, PATIENCE);
    let resets = async {
        proxy.until_accepted(1).await;
        proxy.reset();
    };
    assert_eq!(tokio::join!(code(&redis), resets).0, ErrorCode::E010);

    let mut stream = raw(&proxy).await.unwrap();
    proxy.until_accepted(2).await;
    proxy.reset();
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    proxy.until_all_closed().await;
}

#[tokio::test]
async fn a_reply_that_is_cut_is_an_error_and_never_another_value() {
    let server = RedisServer::start();
    let proxy = FaultProxy::before(server.port());
    let redis = redis(&proxy, PATIENCE);
    set(&redis, "0123456789").await;
    // The reply is `$10\r\n0123456789\r\n`: cut within its length, its value and its end.
    for at in [0, 1, 3, 5, 9, 14, 16] {
        proxy.replies(Conditions::cut_after(at));
        assert_eq!(code(&redis).await, ErrorCode::E010, "after {at} bytes");
        proxy.recover();
        assert_eq!(get_in_the_end(&redis).await, "0123456789");
    }
}

#[tokio::test]
async fn slow_and_sliced_replies_are_whole_in_the_end() {
    let server = RedisServer::start();
    let proxy = FaultProxy::before(server.port());
    let redis = redis(&proxy, PATIENCE);
    set(&redis, "0123456789").await;
    let short = Duration::from_millis(1);
    let conditions = [
        Conditions::slices(1),
        Conditions::slices(3),
        Conditions::drip(short),
        Conditions::delay(short),
        Conditions::bandwidth(10_000),
        Conditions::delay(short).and(Conditions::slices(4)),
    ];
    for conditions in conditions {
        proxy.requests(conditions.clone());
        proxy.replies(conditions);
        assert_eq!(redis.get(&key()).await.unwrap().unwrap().value, "0123456789");
    }
    assert_eq!(proxy.accepted(), 1, "no connection was given up");
}

#[tokio::test]
async fn a_drip_comes_byte_by_byte() {
    let server = RedisServer::start();
    let proxy = FaultProxy::before(server.port());
    proxy.replies(Conditions::drip(FOR_EVER));
    let mut stream = raw(&proxy).await.unwrap();
    stream.write_all(b"PING\r\n").await.unwrap();
    let mut buffer = [0; 64];
    assert_eq!(stream.read(&mut buffer).await.unwrap(), 1);
    assert_eq!(buffer[0], b'+');
    // What is told holds for what is under way.
    proxy.recover();
    stream.read_exact(&mut buffer[..6]).await.unwrap();
    assert_eq!(&buffer[..6], b"PONG\r\n");
}

#[tokio::test]
async fn a_delay_beyond_the_limit_is_a_time_out() {
    let server = RedisServer::start();
    let proxy = FaultProxy::before(server.port());
    proxy.requests(Conditions::delay(FOR_EVER));
    assert_eq!(code(&redis(&proxy, IMPATIENCE)).await, ErrorCode::E011);
}

#[tokio::test]
async fn a_server_that_is_gone_is_a_reset_and_one_that_hangs_up_an_end() {
    let mut server = RedisServer::start();
    let proxy = FaultProxy::before(server.port());
    let mut stream = raw(&proxy).await.unwrap();
    stream.write_all(b"QUIT\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "+OK\r\n");
    server.stop();
    let mut stream = raw(&proxy).await.unwrap();
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn dropping_it_ends_the_listening_and_the_connections() {
    let server = RedisServer::start();
    let proxy = FaultProxy::before(server.port());
    let port = proxy.port();
    let mut stream = raw(&proxy).await.unwrap();
    proxy.until_accepted(1).await;
    drop(proxy);
    assert!(matches!(stream.read(&mut [0; 8]).await, Ok(0) | Err(_)));
    let refused = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}
