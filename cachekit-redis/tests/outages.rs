//! Servers that are away, silent, gone and back, or not Redis at all.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cachekit_core::{Backend, ErrorCode, Operation};
use cachekit_redis::RedisBackend;
use cachekit_testkit::fixtures::RedisServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use common::{PATIENCE, backend, builder, bytes, connections, key, minute, raw, run, shown};

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let mut server = RedisServer::start();
    server.kill();
    let redis = backend(&server);
    let error = redis.get(&key("users:alice")).await.unwrap_err();
    assert_eq!((error.code(), error.operation()), (ErrorCode::E010, Some(Operation::Get)));
    assert_eq!(error.message(), format!("cannot connect to 127.0.0.1:{}", server.port()));
    assert!(shown(&error).contains("refused"), "{}", shown(&error));
    assert!(!shown(&error).contains("alice"), "{error}");

    // Every kind of call fails, and batches for each of their elements.
    let write = cachekit_core::Write::new(key("a"), bytes("1"), minute());
    let mut errors = vec![
        redis.set(&key("a"), bytes("1"), &minute()).await.unwrap_err(),
        redis.delete(&key("a")).await.unwrap_err(),
        redis.exists(&key("a")).await.unwrap_err(),
        redis.health().await.unwrap_err(),
        redis.connect().await.unwrap_err(),
    ];
    errors.extend(redis.get_many(&[key("a"), key("a")]).await.into_iter().map(Result::unwrap_err));
    errors.extend(redis.set_many(&[write.clone(), write]).await.into_iter().map(Result::unwrap_err));
    errors.extend(redis.delete_many(&[key("a"), key("a")]).await.into_iter().map(Result::unwrap_err));
    assert_eq!(errors.len(), 11);
    assert!(errors.iter().all(|error| error.code() == ErrorCode::E010), "{errors:?}");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_unreachable() {
    let redis = builder("redis://me:hunter2@no-such-host.invalid").build().unwrap();
    let error = redis.get(&key("k")).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::E010);
    assert_eq!(error.message(), "cannot connect to no-such-host.invalid:6379");
    assert!(!shown(&error).contains("hunter2"), "{}", shown(&error));
}

#[tokio::test]
async fn a_server_that_never_answers_is_a_time_out_once_and_then_unreachable() {
    let silent = Fake::start(|stream, _| hold(stream)).await;
    let redis = RedisBackend::builder().url(&silent.url()).connect_timeout(Duration::from_millis(50)).build().unwrap();
    let error = redis.get(&key("k")).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::E011);
    assert_eq!(error.message(), format!("no connection to 127.0.0.1:{} was made within 50ms", silent.port));
    // Each of the next calls fails as well, and the server is asked far less often than the calls come.
    for _ in 0..100 {
        let error = redis.get(&key("k")).await.unwrap_err();
        assert!(matches!(error.code(), ErrorCode::E010 | ErrorCode::E011), "{error}");
    }
    assert!(silent.accepted() < 20, "{}", silent.accepted());
}

#[tokio::test]
async fn what_hangs_up_is_asked_seldom_and_fails_at_once() {
    let fake = Fake::start(|stream, _| async { drop(stream) }).await;
    let redis = builder(&fake.url()).build().unwrap();
    for _ in 0..10_000 {
        assert_eq!(redis.get(&key("k")).await.unwrap_err().code(), ErrorCode::E010);
    }
    assert!(fake.accepted() < 1_000, "{}", fake.accepted());
    let error = redis.get(&key("k")).await.unwrap_err();
    let shown = shown(&error);
    assert!(shown.contains(&format!("127.0.0.1:{}", fake.port)), "{shown}");
}

#[tokio::test]
async fn after_a_failure_nobody_waits_for_the_whole_time_limit() {
    let fake = Fake::start(|stream, number| async move {
        if number > 0 {
            hold(stream).await;
        }
    })
    .await;
    let redis = builder(&fake.url()).build().unwrap();
    let calls = async {
        while fake.accepted() < 2 {
            assert_eq!(redis.get(&key("k")).await.unwrap_err().code(), ErrorCode::E010);
        }
    };
    tokio::time::timeout(PATIENCE / 2, calls).await.unwrap();
}

#[tokio::test]
async fn an_mget_with_too_few_answers_is_not_believed() {
    let fake = Fake::start(|mut stream, _| async move {
        greet(&mut stream).await;
        while command(&mut stream).await && stream.write_all(b"*1\r\n$1\r\na\r\n").await.is_ok() {}
    })
    .await;
    let redis = builder(&fake.url()).build().unwrap();
    let answers = redis.get_many(&[key("a"), key("b")]).await;
    let codes: Vec<_> = answers.into_iter().map(|answer| answer.unwrap_err().code()).collect();
    assert_eq!(codes, [ErrorCode::E066; 2]);
}

#[tokio::test]
async fn what_is_not_redis_is_told_so() {
    let fake = Fake::start(|mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        hold(stream).await;
    })
    .await;
    let error = builder(&fake.url()).build().unwrap().get(&key("k")).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::E010);
    assert!(error.message().ends_with("does not speak the Redis protocol"), "{error}");
}

#[tokio::test]
async fn a_connection_with_an_answer_of_the_wrong_kind_is_not_used_again() {
    let fake = Fake::start(|mut stream, number| async move {
        greet(&mut stream).await;
        let answer: &[u8] = if number == 0 { b":1\r\n" } else { b"$1\r\na\r\n" };
        while command(&mut stream).await && stream.write_all(answer).await.is_ok() {}
    })
    .await;
    let redis = builder(&fake.url()).build().unwrap();
    let error = redis.get(&key("k")).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::E066, "{error}");
    assert_eq!(redis.get(&key("k")).await.unwrap().unwrap().value, "a");
    assert_eq!(redis.get(&key("k")).await.unwrap().unwrap().value, "a");
    assert_eq!(fake.accepted(), 2);
}

#[tokio::test]
async fn a_connection_with_garbage_is_not_used_again() {
    let fake = Fake::start(|mut stream, number| async move {
        greet(&mut stream).await;
        let answer: &[u8] = if number == 0 { b"!garbage\r\n" } else { b"$1\r\na\r\n" };
        while command(&mut stream).await && stream.write_all(answer).await.is_ok() {}
    })
    .await;
    let redis = builder(&fake.url()).build().unwrap();
    assert_eq!(redis.get(&key("k")).await.unwrap_err().code(), ErrorCode::E010);
    assert_eq!(redis.get(&key("k")).await.unwrap().unwrap().value, "a");
    assert_eq!(fake.accepted(), 2);
}

#[tokio::test]
async fn a_command_without_an_answer_is_a_time_out_and_its_connection_is_not_used_again() {
    let fake = Fake::start(|mut stream, number| async move {
        greet(&mut stream).await;
        while command(&mut stream).await {
            if number > 0 && stream.write_all(b"$1\r\na\r\n").await.is_err() {
                break;
            }
        }
    })
    .await;
    let redis = builder(&fake.url()).command_timeout(Duration::from_millis(50)).build().unwrap();
    let late = tokio::time::timeout(PATIENCE / 2, redis.get(&key("k"))).await.unwrap();
    let error = late.unwrap_err();
    assert_eq!((error.code(), error.operation()), (ErrorCode::E011, Some(Operation::Get)));
    assert_eq!(error.message(), format!("127.0.0.1:{} did not answer within 50ms", fake.port));
    let found = async {
        loop {
            if let Ok(found) = redis.get(&key("k")).await {
                break found;
            }
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, found).await.unwrap().unwrap().value, "a");
    assert!(fake.accepted() > 1);
}

#[tokio::test]
async fn the_time_limit_is_ours_and_not_the_shorter_one_of_the_driver() {
    let gate = Arc::new(Notify::new());
    let fake = Fake::start({
        let gate = Arc::clone(&gate);
        move |mut stream, _| {
            let gate = Arc::clone(&gate);
            async move {
                greet(&mut stream).await;
                if command(&mut stream).await {
                    gate.notified().await;
                    let _ = stream.write_all(b"$1\r\na\r\n").await;
                    hold(stream).await;
                }
            }
        }
    })
    .await;
    let patient = builder(&fake.url()).build().unwrap();
    let call = tokio::spawn(async move { patient.get(&key("k")).await });
    while fake.accepted() == 0 {
        tokio::task::yield_now().await;
    }
    // Another backend's time limit tells that the driver's half a second is over.
    let silent = RedisServer::start();
    let clock = builder(&silent.url()).command_timeout(Duration::from_millis(700)).build().unwrap();
    clock.connect().await.unwrap();
    silent.pause();
    assert_eq!(clock.get(&key("k")).await.unwrap_err().code(), ErrorCode::E011);
    gate.notify_one();
    assert_eq!(call.await.unwrap().unwrap().unwrap().value, "a");
}

/// Callers who give up sooner than a command is timed out never learn that the connection swallows all they send.
#[tokio::test]
async fn a_connection_that_swallows_everything_is_replaced_though_all_callers_give_up_early() {
    let swallows_the_first = Fake::start(|mut stream, number| async move {
        greet(&mut stream).await;
        if number == 0 {
            return hold(stream).await;
        }
        while command(&mut stream).await {
            stream.write_all(b"$-1\r\n").await.unwrap();
        }
    })
    .await;
    let limit = Duration::from_millis(40);
    let redis = RedisBackend::builder().url(&swallows_the_first.url()).command_timeout(limit).build().unwrap();
    redis.connect().await.unwrap();
    for _ in 0..400 {
        if tokio::time::timeout(limit / 8, redis.get(&key("k"))).await.is_ok() {
            return;
        }
    }
    panic!("400 callers gave up, each after an eighth of the limit, and all of them over the same connection");
}

#[tokio::test]
async fn a_stalled_server_is_a_time_out_and_found_again() {
    let server = RedisServer::start();
    let redis = builder(&server.url())
        .connect_timeout(Duration::from_millis(100))
        .command_timeout(Duration::from_millis(100))
        .build()
        .unwrap();
    succeeds(&redis).await;
    server.pause();
    assert_eq!(redis.get(&key("k")).await.unwrap_err().code(), ErrorCode::E011);
    for _ in 0..10 {
        let error = redis.get(&key("k")).await.unwrap_err();
        assert!(matches!(error.code(), ErrorCode::E010 | ErrorCode::E011), "{error}");
    }
    server.resume();
    succeeds(&redis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_is_found_again_and_values_belong_to_their_keys() {
    let mut server = RedisServer::start();
    let redis = backend(&server);
    for round in 0..3 {
        succeeds(&redis).await;
        let tasks: Vec<_> = (0..16)
            .map(|task| {
                let redis = redis.clone();
                tokio::spawn(async move {
                    let mut failures = 0;
                    while failures == 0 {
                        for n in 0..20 {
                            let key = key(format!("{round}:{task}:{n}"));
                            let outcome = async {
                                redis.set(&key, bytes(key.as_str()), &minute()).await?;
                                redis.get(&key).await
                            };
                            match outcome.await {
                                Ok(found) => assert_eq!(found.unwrap().value, key.as_str()),
                                Err(error) => {
                                    assert_eq!(error.code(), ErrorCode::E010, "{error}");
                                    failures += 1;
                                }
                            }
                        }
                    }
                })
            })
            .collect();
        server.kill();
        for task in tasks {
            tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap();
        }
        server.restart();
    }
    succeeds(&redis).await;
}

#[tokio::test]
async fn all_who_need_a_connection_wait_for_the_same_one() {
    let server = RedisServer::start();
    let mut raw = raw(&server).await;
    let before = connections(&mut raw).await;
    let redis = backend(&server);
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let redis = redis.clone();
            tokio::spawn(async move { redis.exists(&key(format!("k:{n}"))).await })
        })
        .collect();
    for task in tasks {
        assert!(!task.await.unwrap().unwrap());
    }
    assert_eq!(connections(&mut raw).await - before, 1);
}

#[tokio::test]
async fn more_connections_are_opened_when_those_there_are_are_busy() {
    let server = RedisServer::start();
    let mut raw = raw(&server).await;
    let before = connections(&mut raw).await;
    let redis = builder(&server.url()).connections(3).build().unwrap();
    redis.connect().await.unwrap();
    // While the server stands still, commands pile up.
    server.pause();
    let tasks: Vec<_> = (0..4_000)
        .map(|n| {
            let redis = redis.clone();
            tokio::spawn(async move { redis.get(&key(format!("k:{n}"))).await })
        })
        .collect();
    tokio::task::yield_now().await;
    server.resume();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), None);
    }
    let mut opened = 0;
    let settled = async {
        while opened < 2 {
            opened = connections(&mut raw).await - before;
        }
    };
    tokio::time::timeout(PATIENCE, settled).await.unwrap();
    assert!(opened <= 3, "{opened}");
}

#[tokio::test]
async fn a_dropped_call_does_not_cut_off_the_connecting_that_others_wait_for() {
    let gate = Arc::new(Notify::new());
    let fake = Fake::start({
        let gate = Arc::clone(&gate);
        move |mut stream, _| {
            let gate = Arc::clone(&gate);
            async move {
                gate.notified().await;
                greet(&mut stream).await;
                while command(&mut stream).await && stream.write_all(b"$1\r\na\r\n").await.is_ok() {}
            }
        }
    })
    .await;
    let redis = builder(&fake.url()).build().unwrap();
    let call = || {
        let redis = redis.clone();
        tokio::spawn(async move { redis.get(&key("k")).await })
    };
    let (first, second) = (call(), call());
    while fake.accepted() == 0 {
        tokio::task::yield_now().await;
    }
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    gate.notify_one();
    assert_eq!(second.await.unwrap().unwrap().unwrap().value, "a");
    assert_eq!(fake.accepted(), 1);
}

#[test]
fn a_backend_outlives_the_runtime_that_it_connected_on() {
    let server = RedisServer::start();
    let redis = backend(&server);
    for _ in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { redis.set(&key("k"), bytes("a"), &minute()).await.unwrap() });
    }
}

#[tokio::test]
async fn a_connection_that_the_server_closes_is_replaced() {
    let server = RedisServer::start();
    let redis = backend(&server);
    let mut raw = raw(&server).await;
    for _ in 0..3 {
        succeeds(&redis).await;
        assert_eq!(run::<u64>(&mut raw, "CLIENT KILL TYPE normal SKIPME yes").await, 1);
    }
    succeeds(&redis).await;
}

/// Writes and reads until both succeed, which they do within bounds once the server is there.
async fn succeeds(redis: &RedisBackend) {
    let both = async {
        loop {
            let found = async {
                redis.set(&key("k"), bytes("a"), &minute()).await?;
                redis.get(&key("k")).await
            };
            match found.await {
                Ok(found) => break assert_eq!(found.unwrap().value, "a"),
                Err(error) => assert!(matches!(error.code(), ErrorCode::E010 | ErrorCode::E011), "{error}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, both).await.unwrap();
}

/// A server that the test plays.
struct Fake {
    port: u16,
    accepted: Arc<AtomicUsize>,
}

impl Fake {
    /// Serves each connection with `serve`, which is told how many came before. A connection lasts until `serve` drops
    /// it.
    async fn start<F>(serve: impl Fn(TcpStream, usize) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let accepted = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&accepted);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, count.fetch_add(1, Ordering::SeqCst)));
            }
        });
        Self { port, accepted }
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// Answers the greeting: PING and twice CLIENT SETINFO.
async fn greet(stream: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.windows(7).any(|window| window == b"LIB-VER") || !request.ends_with(b"\r\n") {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let _ = stream.write_all(b"+PONG\r\n+OK\r\n+OK\r\n").await;
}

/// Waits for a command, of which one comes at a time. `false` at the end.
async fn command(stream: &mut TcpStream) -> bool {
    stream.read(&mut [0; 1_024]).await.is_ok_and(|length| length > 0)
}

/// Keeps the connection open, without a word, until the other side closes it.
async fn hold(mut stream: TcpStream) {
    while command(&mut stream).await {}
}
