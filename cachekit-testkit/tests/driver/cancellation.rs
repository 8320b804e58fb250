//! Dropped at any await, the driver gives back what it holds.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use cachekit_core::{Backend, ErrorCode, FenceToken, Key, Resilience, Result};
use cachekit_testkit::fakes::FakePolicy;
use cachekit_testkit::faults::Rule;

use crate::common::{Diary, Turnstile, Witness, driven, key, memory, options};

const SECOND: Duration = Duration::from_secs(1);

/// Polls `future` so many times and drops it: whether it ended before.
async fn dropped_after(polls: usize, future: impl Future<Output = ()>) -> bool {
    let mut future = pin!(future);
    for _ in 0..polls {
        if poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await.is_ready() {
            return true;
        }
        // All that it may wait for has happened before it is polled again.
        tokio::time::sleep(10 * SECOND).await;
    }
    false
}

#[tokio::test(start_paused = true)]
async fn whatever_await_it_is_dropped_at_everything_is_given_back() {
    type Way = fn(&dyn Backend, Key) -> futures_util::future::BoxFuture<'_, Result<()>>;
    let ways: [Way; 4] = [
        |backend, key| Box::pin(async move { backend.get(&key).await.map(drop) }),
        |backend, key| Box::pin(async move { backend.set(&key, "1".into(), &options()).await }),
        |backend, key| {
            Box::pin(async move {
                backend.get_many(&[key.clone(), key]).await.into_iter().try_for_each(|one| one.map(drop))
            })
        },
        |backend, key| {
            Box::pin(async move {
                let token = FenceToken::from_random(7);
                backend.abilities().fenced.unwrap().acquire(&key, &token, SECOND).await.map(drop)
            })
        },
    ];
    let (mut points, mut ended) = (0, 0);
    for way in ways {
        for waits_first in [false, true] {
            for polls in 1.. {
                let (outer, retry, inner) = (FakePolicy::new(), FakePolicy::new(), FakePolicy::new());
                let turnstile = Turnstile::new(3_600 * SECOND);
                outer.delay(SECOND);
                retry.retry(2, SECOND);
                inner.delay(SECOND);
                let limit = Witness {
                    limit: Some((3_600 * SECOND, ErrorCode::E033)),
                    ..Witness::new("limit", &Diary::default())
                };
                let stack = Resilience::none()
                    .with(limit)
                    .with(outer.clone())
                    .with_shared(turnstile.clone())
                    .with(retry.clone())
                    .with(inner.clone());
                let faults = memory().inject(Rule::fail(ErrorCode::E010).next(2)).inject(Rule::delay(SECOND));
                let backend = driven(&faults, stack);
                let other = async {
                    if waits_first {
                        // Somebody is there already, and goes away later.
                        let _ = tokio::time::timeout(15 * SECOND, backend.get(&key("other"))).await;
                    }
                };
                let one = async {
                    tokio::time::sleep(SECOND / 2).await;
                    dropped_after(polls, async {
                        way(&backend, key("a")).await.unwrap();
                    })
                    .await
                };
                let ((), done) = tokio::join!(other, one);
                points += 1;
                for policy in [&outer, &retry, &inner] {
                    assert_eq!((policy.outstanding(), policy.unexpected()), (0, 0), "after {polls} polls");
                }
                assert_eq!(turnstile.state(), (false, 0), "after {polls} polls");
                // And the next comes through.
                let next = key("b");
                let next = tokio::time::timeout(60 * SECOND, backend.get(&next));
                assert!(next.await.unwrap().is_ok(), "after {polls} polls");
                if done {
                    ended += 1;
                    break;
                }
            }
        }
    }
    assert_eq!(ended, 8);
    assert!(points > 40, "{points} points were tried");
}
