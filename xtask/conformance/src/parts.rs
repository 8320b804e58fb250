//! The serializers, key providers and policies that there are, and how each is brought before its suite.
//!
//! One more is one more line in [`ALL`].

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use cachekit_core::{
    AttemptTimeout, CircuitBreaker, ConcurrencyLimit, Deadline, RateLimit, ResiliencePolicy, Result, Retry,
};
use cachekit_serde::interop::InteropValues;
use cachekit_serde::{Arrow, Json, MessagePack, Postcard};
use cachekit_testkit::conformance::PartReport;
use cachekit_testkit::conformance::key_provider::{self, KeyProviderFixture};
use cachekit_testkit::conformance::policy::{self, PolicyFixture};
use cachekit_testkit::conformance::serializer::{self, SerializerFixture};
use cachekit_testkit::fakes::{FakeKeyProvider, FakePolicy};
use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::flags::Suite;

/// One implementation of a contract.
pub(crate) struct Part {
    pub(crate) suite: Suite,
    run: fn(u64, String) -> Running,
}

type Running = Pin<Box<dyn Future<Output = PartReport>>>;

impl Part {
    /// Runs the rules that match `pattern`.
    pub(crate) async fn run(&self, seed: u64, pattern: &str) -> PartReport {
        (self.run)(seed, pattern.to_owned()).await
    }
}

/// A row: the suite, the name, and what makes the fixture.
macro_rules! part {
    (serializer $name:literal $fixture:expr) => {
        part!(Serializer serializer $name $fixture)
    };
    (key_provider $name:literal $fixture:expr) => {
        part!(KeyProvider key_provider $name $fixture)
    };
    (policy $name:literal $fixture:expr) => {
        part!(Policy policy $name $fixture)
    };
    ($suite:ident $module:ident $name:literal $fixture:expr) => {
        Part {
            suite: Suite::$suite,
            run: |seed, pattern| {
                Box::pin(async move { $module::run_matching($name, Some(seed), &pattern, async || $fixture).await })
            },
        }
    };
}

/// Every part, in the order of the report.
pub(crate) const ALL: &[Part] = &[
    part!(serializer "messagepack" orders(MessagePack).with_unholdable(ambiguous(), Some("$.maybe")).with_bomb(vec![0x91; 100_000])),
    part!(serializer "interop" orders(InteropValues).with_unholdable(ambiguous(), Some("$.maybe")).with_unholdable(endless(), Some("$.rate")).with_bomb(vec![0x91; 100_000])),
    part!(serializer "json" orders(Json).with_unholdable(ambiguous(), Some("$.maybe")).with_bomb(vec![b'['; 100_000])),
    part!(serializer "postcard" orders(Postcard).with_unholdable(crowded(), Some("$.crowd")).with_bomb(vec![1; 100_000])),
    part!(serializer "arrow" batches()),
    part!(key_provider "fake" rotating(FakeKeyProvider::new())),
    part!(policy "fake" PolicyFixture::new(FakePolicy::new).with_setting("fake")),
    part!(policy "breaker" made(|| CircuitBreaker::builder().with_in_a_row(3).build()).with_setting("breaker(")),
    part!(policy "retry" made(|| Retry::builder().build()).with_setting("retry(")),
    part!(policy "limit" made(|| ConcurrencyLimit::builder(4).with_queue(16).build()).with_setting("limit(4 at once")),
    part!(policy "rate" made(|| RateLimit::builder(5, SECOND).with_burst(3).with_wait(SECOND / 2).build()).with_setting("rate(5")),
    part!(policy "deadline" made(|| Deadline::new(SECOND)).with_setting("deadline(1s)")),
    part!(policy "timeout" made(|| AttemptTimeout::new(SECOND)).with_setting("timeout(1s")),
];

/// Policies of the same settings.
fn made<P: ResiliencePolicy>(make: impl Fn() -> Result<P> + Send + Sync + 'static) -> PolicyFixture {
    PolicyFixture::new(move || make().expect("the settings are valid"))
}

const SECOND: Duration = Duration::from_secs(1);

/// A provider that rotates when it is told, with others of its kind that fail as each can.
fn rotating(fake: FakeKeyProvider) -> KeyProviderFixture {
    use cachekit_core::ErrorCode;

    let failing = |code| {
        let fake = FakeKeyProvider::new();
        fake.on_keys().fail(code);
        fake
    };
    let rotates = fake.clone();
    KeyProviderFixture::new(fake)
        .with_rotation(move || {
            let rotates = rotates.clone();
            async move { rotates.rotate() }
        })
        .with_lacking(failing(ErrorCode::E001))
        .with_malformed(failing(ErrorCode::E002))
        .with_failing(failing(ErrorCode::E062))
}

/// What formats without a tag for `Some` have no place for.
fn ambiguous() -> Order {
    Order { maybe: Some(None), ..Order::default() }
}

/// What formats of other languages have no place for.
fn endless() -> Order {
    Order { rate: f64::INFINITY, ..Order::default() }
}

/// What formats that write nothing for `()` have no place for.
fn crowded() -> Order {
    Order { crowd: vec![(); 3], ..Order::default() }
}

/// Record batches, for the one format that holds nothing else.
fn batches() -> SerializerFixture<Arrow, Vec<RecordBatch>> {
    let batch = |notes: Vec<Option<&str>>| {
        let ids = Arc::new((0..).take(notes.len()).collect::<Int64Array>()) as ArrayRef;
        let columns = [("id", ids, false), ("note", Arc::new(StringArray::from(notes)) as ArrayRef, true)];
        RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length")
    };
    let secret = "a-password-that-stands-in-the-value";
    SerializerFixture::new(Arrow, vec![vec![], vec![batch(vec![None, Some("ä")]), batch(vec![])]])
        .with_unholdable(vec![batch(vec![]), batch(vec![]).project(&[0]).expect("a column")], Some("$[1]"))
        .with_secret(vec![batch(vec![Some(secret)])], secret)
}

/// Values of a type with what formats trip over, for any serializer.
fn orders<S: cachekit_core::Serializer<Order>>(serializer: S) -> SerializerFixture<S, Order> {
    let secret = "a-password-that-stands-in-the-value";
    let full = Order {
        id: u64::MAX,
        balance: i64::MIN,
        rate: -0.0,
        note: Some("ä\0\u{10ffff}".repeat(20)),
        nested: vec![vec![], vec![i8::MIN, -1, 0, i8::MAX]],
        flags: (true, '\u{10ffff}'),
        maybe: Some(Some(7)),
        crowd: vec![],
    };
    SerializerFixture::new(serializer, vec![Order::default(), full])
        .with_secret(Order { note: Some(secret.to_owned()), ..Order::default() }, secret)
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
struct Order {
    id: u64,
    balance: i64,
    rate: f64,
    note: Option<String>,
    nested: Vec<Vec<i8>>,
    flags: (bool, char),
    maybe: Option<Option<u8>>,
    crowd: Vec<()>,
}
