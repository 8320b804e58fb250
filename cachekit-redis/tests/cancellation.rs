//! Calls that are dropped halfway, among many others over the same connections.

mod common;

use cachekit_core::{Backend, Key, Write};
use cachekit_testkit::fixtures::RedisServer;

use common::{builder, bytes, connections, key, minute, raw};

const KEYS: usize = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_value_belongs_to_its_key_while_three_in_ten_calls_are_dropped() {
    let server = RedisServer::start();
    let mut raw = raw(&server).await;
    for lanes in [1, 4] {
        let redis = builder(&server.url()).connections(lanes).build().unwrap();
        let writes: Vec<_> = (0..KEYS).map(|n| Write::new(at(n), bytes(value(n)), minute())).collect();
        assert!(redis.set_many(&writes).await.into_iter().all(|answer| answer.is_ok()));
        let before = connections(&mut raw).await;

        let tasks: Vec<_> = (0..20_000)
            .map(|call| {
                let redis = redis.clone();
                tokio::spawn(async move {
                    let n = call * 7 % KEYS;
                    let reading = async {
                        if call % 5 == 0 {
                            let keys = [at(n), at((n + 1) % KEYS), at(n)];
                            let found = redis.get_many(&keys).await;
                            for (found, n) in found.into_iter().zip([n, (n + 1) % KEYS, n]) {
                                assert_eq!(found.unwrap().unwrap().value, value(n));
                            }
                        } else {
                            assert_eq!(redis.get(&at(n)).await.unwrap().unwrap().value, value(n));
                        }
                    };
                    let polls = if call % 10 < 3 { call % 4 } else { usize::MAX };
                    stop_after(reading, polls).await
                })
            })
            .collect();
        let mut dropped = 0;
        for task in tasks {
            dropped += usize::from(task.await.unwrap().is_none());
        }
        assert!(dropped > 1_000, "{dropped} calls were dropped before they were done");
        let opened = connections(&mut raw).await - before;
        assert!(opened < lanes as u64, "a dropped call is no reason for another connection: {opened}");
    }
}

/// Polls `future` so many times and drops it, done or not.
async fn stop_after<T>(future: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        std::task::Poll::Ready(done) => std::task::Poll::Ready(Some(done)),
        std::task::Poll::Pending if left == 0 => std::task::Poll::Ready(None),
        std::task::Poll::Pending => {
            if polls < usize::MAX {
                left -= 1;
                // Polled again at once, while the command is under way.
                context.waker().wake_by_ref();
            }
            std::task::Poll::Pending
        }
    })
    .await
}

fn at(n: usize) -> Key {
    key(format!("users:{n}"))
}

/// Of different lengths, so that an answer that is read in part shows.
fn value(n: usize) -> String {
    format!("{n}:").repeat(1 + n % 17)
}
