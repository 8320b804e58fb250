//! What do policies cost a call that succeeds?
//!
//! - The backend does nothing, so that nothing but the way to it is measured. The floor is a wrapper that forwards: what
//!   anything in that place costs, boxed future included.
//! - Ours is the driver with the list of production, and with each policy alone.
//! - Peers are breakers and limiters that guard the same call, each as its documentation shows it.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cachekit::core::{
    AttemptTimeout, CircuitBreaker, ConcurrencyLimit, Deadline, Entry, RateLimit, Remaining, Resilience,
    ResilientBackend, Retry, SetOptions,
};
use cachekit::{Backend, Key, Result};

use crate::harness::{Candidate, Role, Row, compare, time_async};

pub fn run() -> Vec<Row> {
    let mut rows = Vec::new();
    for (threads, word) in [(1, "1 thread"), (2, "2 threads")] {
        rows.extend(compare("policies", format!("a call that succeeds, {word}"), threads, &candidates()));
    }
    rows
}

fn candidates() -> Vec<Candidate<'static>> {
    let second = Duration::from_secs(1);
    let alone = |policy: Resilience| ResilientBackend::new(Arc::new(Nothing), policy);
    let (one, valid) = (Resilience::none, "valid settings");
    vec![
        candidate("forwarding", Role::Floor, Forwards(Arc::new(Nothing))),
        candidate("production", Role::Ours, alone(Resilience::production())),
        candidate("none", Role::Ours, alone(one())),
        candidate("deadline", Role::Ours, alone(one().with(Deadline::new(second).expect(valid)))),
        candidate("limit", Role::Ours, alone(one().with(ConcurrencyLimit::builder(1_024).build().expect(valid)))),
        candidate("retry", Role::Ours, alone(one().with(Retry::builder().build().expect(valid)))),
        candidate("breaker", Role::Ours, alone(one().with(CircuitBreaker::builder().build().expect(valid)))),
        candidate("timeout", Role::Ours, alone(one().with(AttemptTimeout::new(second).expect(valid)))),
        candidate(
            "rate",
            Role::Ours,
            alone(one().with(RateLimit::builder(1_000_000_000, second).build().expect(valid))),
        ),
        failsafe(),
        recloser(),
    ]
}

fn candidate(name: &'static str, role: Role, backend: impl Backend) -> Candidate<'static> {
    let (backend, key): (Arc<dyn Backend>, Key) = (Arc::new(backend), Key::new("users:7").expect("a valid key"));
    Candidate::new(name, role, move |_, operations| {
        time_async(operations, async |_| {
            black_box(backend.get(black_box(&key)).await).expect("nothing fails");
        })
    })
}

/// `failsafe`: a breaker with its default policies, around the call of the floor.
fn failsafe() -> Candidate<'static> {
    use failsafe::futures::CircuitBreaker as _;
    let breaker = failsafe::Config::new().build();
    let (backend, key): (Arc<dyn Backend>, Key) = (Arc::new(Nothing), Key::new("users:7").expect("a valid key"));
    Candidate::new("failsafe", Role::Other, move |_, operations| {
        time_async(operations, async |_| {
            black_box(breaker.call(backend.get(black_box(&key))).await).expect("nothing fails");
        })
    })
}

/// `recloser`: a breaker with its default settings, around the call of the floor.
fn recloser() -> Candidate<'static> {
    use recloser::AsyncRecloser;
    let breaker = AsyncRecloser::from(recloser::Recloser::default());
    let (backend, key): (Arc<dyn Backend>, Key) = (Arc::new(Nothing), Key::new("users:7").expect("a valid key"));
    Candidate::new("recloser", Role::Other, move |_, operations| {
        time_async(operations, async |_| {
            black_box(breaker.call(backend.get(black_box(&key))).await).expect("nothing fails");
        })
    })
}

/// Has one entry, and does nothing.
#[derive(Debug)]
struct Nothing;

#[async_trait]
impl Backend for Nothing {
    fn name(&self) -> &str {
        "nothing"
    }

    async fn get(&self, _: &Key) -> Result<Option<Entry>> {
        Ok(Some(Entry::new(bytes::Bytes::new(), Remaining::Never)))
    }

    async fn set(&self, _: &Key, _: bytes::Bytes, _: &SetOptions) -> Result<()> {
        Ok(())
    }

    async fn delete(&self, _: &Key) -> Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct Forwards(Arc<dyn Backend>);

#[async_trait]
impl Backend for Forwards {
    fn name(&self) -> &str {
        self.0.name()
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        self.0.get(key).await
    }

    async fn set(&self, key: &Key, value: bytes::Bytes, options: &SetOptions) -> Result<()> {
        self.0.set(key, value, options).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.0.delete(key).await
    }
}
