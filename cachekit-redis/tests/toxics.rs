//! Bad network of seven kinds before a real server, for each kind of call: nothing hangs, and no value is wrong.

mod common;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cachekit_core::{AttemptTimeout, Backend, Deadline, Error, Key, Resilience, ResilientBackend, Result, Retry};
use cachekit_testkit::fixtures::RedisServer;
use cachekit_testkit::proxy::{Conditions, FaultProxy};

use common::{PATIENCE, bytes, key, minute, never};

/// The kinds of bad network that toxiproxy knows, and what becomes of the connections that are open.
const TOXICS: &[(&str, Toxic)] = &[
    ("latency", |proxy| proxy.replies(Conditions::delay(Duration::from_millis(30)))),
    ("bandwidth", |proxy| proxy.replies(Conditions::bandwidth(2_000))),
    ("slow close: accepts, and never answers", FaultProxy::half_open),
    ("timeout: no more replies", |proxy| proxy.replies(Conditions::silent())),
    ("reset by the peer", |proxy| {
        proxy.reset();
        proxy.down();
    }),
    ("slicer", |proxy| proxy.replies(Conditions::slices(1))),
    ("limit of data", |proxy| proxy.replies(Conditions::cut_after(3))),
];

type Toxic = fn(&FaultProxy);

#[tokio::test]
async fn seven_toxics_times_three_operations_hang_nothing_and_bring_no_wrong_value() {
    let server = RedisServer::start();
    let mut cases = 0;
    for (name, poison) in TOXICS {
        for operation in ["get", "set", "delete"] {
            let proxy = FaultProxy::before(server.port());
            let url = format!("redis://127.0.0.1:{}", proxy.port());
            // Short limits: what the toxics do is to be met, and on a slow machine one call too many fails at most.
            let redis = common::builder(&url).connections(1).command_timeout(4 * ATTEMPT).build().unwrap();
            let resilience = Resilience::none()
                .with(Deadline::new(3 * ATTEMPT).unwrap())
                .with(Retry::builder().build().unwrap())
                .with(AttemptTimeout::new(ATTEMPT).unwrap());
            let redis = ResilientBackend::new(Arc::new(redis), resilience);
            let (name_of_key, value) = (key(format!("{operation}:{cases}")), bytes(format!("value {cases}")));
            until_stored(&redis, &name_of_key, &value).await;

            poison(&proxy);
            let call = async {
                match operation {
                    "get" => redis.get(&name_of_key).await.map(|found| assert_eq!(found.unwrap().value, value)),
                    "set" => redis.set(&name_of_key, value.clone(), &minute()).await,
                    _ => redis.delete(&name_of_key).await,
                }
            };
            let ended: Result<()> =
                tokio::time::timeout(PATIENCE, call).await.unwrap_or_else(|_| panic!("{name} hangs"));
            assert!(ended.as_ref().err().is_none_or(Error::is_retryable) || is_deadline(&ended), "{name}: {ended:?}");

            // When the network is well again, so is the client, and nothing of another call is in its way.
            proxy.recover();
            let later = bytes("later");
            until_stored(&redis, &name_of_key, &later).await;
            assert_eq!(until(|| redis.get(&name_of_key)).await.unwrap().value, later, "{name}, {operation}");
            cases += 1;
        }
    }
    assert_eq!(cases, 21);
}

async fn until_stored(redis: &ResilientBackend, key: &Key, value: &Bytes) {
    let options = never();
    until(|| redis.set(key, value.clone(), &options)).await;
}

/// Makes a call until it succeeds, which it does within bounds once the network is well.
async fn until<T, F: Future<Output = Result<T>>>(call: impl Fn() -> F) -> T {
    let calls = async {
        loop {
            if let Ok(done) = call().await {
                break done;
            }
        }
    };
    tokio::time::timeout(PATIENCE, calls).await.expect("the client recovers with the network")
}

fn is_deadline(ended: &Result<()>) -> bool {
    ended.as_ref().is_err_and(|error| error.code() == cachekit_core::ErrorCode::E033)
}

const ATTEMPT: Duration = Duration::from_millis(60);
