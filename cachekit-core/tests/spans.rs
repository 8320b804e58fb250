//! Spans and events are those that `docs/metrics.md` lists, with these fields, and show no secret.

#![cfg(not(feature = "_shuttle"))] // a real runtime
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

mod common;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt::{self, Write};
use std::future::ready;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cachekit_core::{
    Abilities, Backend, BackendFault, Cache, Entry, Error, ErrorCode, Fenced, Key, KeyPrefix, ManualClock, Namespace,
    Resilience, Result, Retry, SetOptions, Ttl, Watch, Watchable,
};
use common::Text;
use common::scripted::{Call, Scripted, When};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

/// A span or an event: its name or message, its level and the names of its fields.
type Kind = (String, String, Vec<String>);

/// Takes down the spans and events of this crate.
#[derive(Clone, Debug, Default)]
struct Seen(Arc<Mutex<Vec<(Kind, String)>>>);

impl Seen {
    fn listen() -> (Self, tracing::subscriber::DefaultGuard) {
        let seen = Self::default();
        let guard = tracing::subscriber::set_default(seen.clone());
        (seen, guard)
    }

    fn kinds(&self) -> BTreeSet<Kind> {
        self.0.lock().unwrap().iter().map(|(kind, _)| kind.clone()).collect()
    }

    /// All values of all fields.
    fn text(&self) -> String {
        self.0.lock().unwrap().iter().map(|(_, text)| format!("{text}\n")).collect()
    }

    fn note(&self, metadata: &Metadata<'_>, name: String, text: String) {
        let mut fields: Vec<String> =
            metadata.fields().iter().map(|field| field.name().to_owned()).filter(|name| name != "message").collect();
        fields.sort();
        let level = metadata.level().to_string().to_lowercase();
        self.0.lock().unwrap().push(((name, level, fields), text));
    }
}

impl Subscriber for Seen {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("cachekit_core")
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let mut values = Values::default();
        span.record(&mut values);
        self.note(span.metadata(), span.metadata().name().to_owned(), values.text);
        span::Id::from_u64(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _: &span::Id, record: &span::Record<'_>) {
        let mut values = Values::default();
        record.record(&mut values);
        self.0.lock().unwrap().last_mut().unwrap().1.push_str(&values.text);
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut values = Values::default();
        event.record(&mut values);
        self.note(event.metadata(), values.message, values.text);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Values {
    message: String,
    text: String,
}

impl Visit for Values {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
        write!(self.text, "{}={value:?} ", field.name()).unwrap();
    }
}

/// The rows of the tables: name, level and fields.
fn listed() -> BTreeSet<Kind> {
    let page = include_str!("../../docs/metrics.md");
    let rows = page[page.find("## Spans").unwrap()..].lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let mut fields: Vec<String> = cells[3].split('`').skip(1).step_by(2).map(str::to_owned).collect();
        fields.sort();
        (cells[1].trim_matches('`').to_owned(), cells[2].to_owned(), fields)
    })
    .collect()
}

fn open(backend: impl Backend, clock: &ManualClock) -> Namespace<u64> {
    let cache: Cache<Text> =
        Cache::builder().backend(backend).resilience(Resilience::none()).clock(clock.clone()).build().unwrap();
    cache.namespace("numbers").ttl(Ttl::secs(60)).stale_for(Duration::from_secs(600)).open().unwrap()
}

async fn load(numbers: &Namespace<u64>, key: u64) {
    numbers.get_or_load(key, || ready(Ok::<u64, Infallible>(key))).await.unwrap();
}

fn fault(fault: BackendFault) -> Error {
    Error::backend("scripted", fault, "as the script says")
}

/// Outages of all kinds, and their ends.
async fn outages() {
    let (backend, clock) = (Scripted::new(), ManualClock::new());
    let numbers = open(backend.clone(), &clock);
    backend.fall_ill();
    for key in 0..2 {
        numbers.get(key).await.unwrap_err();
    }
    backend.recover();
    numbers.get(3).await.unwrap();
    // Too soon after the last to be told.
    backend.fail(Call::Get, When::Before, 1);
    numbers.get(4).await.unwrap_err();
    numbers.get(5).await.unwrap();
    let refused = Error::new(ErrorCode::E030, "the breaker is open");
    for trouble in [fault(BackendFault::Authentication), fault(BackendFault::Permanent), refused] {
        let backend = Scripted::new();
        backend.fail_with(Call::Get, trouble);
        open(backend, &clock).get(1).await.unwrap_err();
    }
    let backend = Scripted::new();
    backend.fail(Call::Get, When::Before, 1);
    let retry = Retry::builder().with_first_wait(Duration::from_millis(1)).build().unwrap();
    let cache: Cache<Text> =
        Cache::builder().backend(backend).resilience(Resilience::none().with(retry)).build().unwrap();
    cache.namespace::<u64>("numbers").open().unwrap().get(1).await.unwrap();
}

/// Trouble with entries, loads and fences.
async fn loads() {
    let (backend, clock) = (Scripted::new().counting(), ManualClock::new());
    let numbers = open(backend.clone(), &clock);
    let foreign = Bytes::from_static(b"foreign");
    backend.memory().set(&Key::new("numbers:1").unwrap(), foreign, &SetOptions::new(Ttl::Never)).await.unwrap();
    numbers.get(1).await.unwrap_err();
    let many = |keys: Vec<u64>| ready(Ok::<_, Infallible>(keys.into_iter().map(|key| (key, key)).collect::<Vec<_>>()));
    numbers.get_or_load_many(&[2, 3], many).await.unwrap();
    clock.advance(Duration::from_secs(61));
    numbers.get_or_load(2, || ready(Err::<u64, _>("failed"))).await.unwrap();
    backend.fail(Call::Acquire, When::Before, 1);
    load(&numbers, 4).await;
    backend.fail(Call::Release, When::Before, 1);
    numbers.get_or_load(5, || ready(Err::<u64, _>("failed"))).await.unwrap_err();
    let revoked = async {
        backend.memory().delete_and_revoke(&Key::new("numbers:6").unwrap()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(15)).await;
        Ok::<u64, Infallible>(6)
    };
    numbers.get_or_load(6, || revoked).await.unwrap();
    backend.fail(Call::Epoch, When::Before, 1);
    clock.advance(Duration::from_secs(61));
    numbers.get(7).await.unwrap();
    let blind = open(Blind, &clock);
    blind.get(1).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
}

/// Writes that can neither be done nor be undone, outside a runtime.
fn writes() {
    let backend = Scripted::new();
    let numbers = open(backend.clone(), &ManualClock::new());
    backend.fall_ill();
    let mut context = Context::from_waker(Waker::noop());
    assert!(pin!(numbers.invalidate(1)).poll(&mut context).is_ready());
    assert!(pin!(numbers.set(2, 2)).poll(&mut context).is_ready());
}

#[test]
fn spans_and_events_are_what_the_page_lists() {
    let (seen, _guard) = Seen::listen();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        outages().await;
        loads().await;
    });
    writes();
    let (seen, listed) = (seen.kinds(), listed());
    let missing: Vec<_> = listed.difference(&seen).collect();
    let unlisted: Vec<_> = seen.difference(&listed).collect();
    assert!(
        missing.is_empty() && unlisted.is_empty(),
        "listed, not seen: {missing:#?}; seen, not listed: {unlisted:#?}"
    );
    assert_eq!(listed.len(), 19, "a row that is not read is not held");
}

#[tokio::test(start_paused = true)]
async fn what_is_seen_shows_no_key_no_tenant_and_no_value() {
    let (seen, _guard) = Seen::listen();
    let (backend, clock) = (Scripted::new(), ManualClock::new());
    let cache: Cache<Text> =
        Cache::builder().backend(backend.clone()).resilience(Resilience::none()).clock(clock.clone()).build().unwrap();
    let names = cache.namespace::<String>("names").stale_for(Duration::from_secs(600)).per_tenant().open().unwrap();
    let names = names.tenant("acme").unwrap();
    let key = "alice";
    for ill in [false, true] {
        if ill {
            clock.advance(Duration::from_secs(400));
            backend.fall_ill();
        }
        let load = || ready(if ill { Err("failed") } else { Ok("hunter2".to_owned()) });
        names.get_or_load(key, load).await.unwrap();
        let _ = names.get_or_load("bobby", load).await;
        let _ = names.get(key).await;
        let _ = names.get_many(&[key, "carol"]).await;
        let _ = names.set(key, "hunter2".to_owned()).await;
        if ill {
            let _ = names.invalidate(key).await;
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    let text = seen.text();
    for secret in ["alice", "bobby", "carol", "acme", "hunter2"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let shown = Key::new("t:acme:names:alice").unwrap().redacted();
    assert!(text.contains(&shown), "{shown} not in {text}");
    assert!(text.contains("code=\"E065\""), "the span of a call has its code: {text}");
}

#[tokio::test(start_paused = true)]
async fn a_hit_in_l1_has_no_span() {
    let (seen, _guard) = Seen::listen();
    let numbers = open(Scripted::new(), &ManualClock::new());
    load(&numbers, 1).await;
    assert!(seen.kinds().iter().any(|(name, ..)| name == "cachekit.load"));
    seen.0.lock().unwrap().clear();
    load(&numbers, 1).await;
    numbers.get(1).await.unwrap();
    numbers.get_many(&[1]).await;
    assert!(seen.kinds().is_empty(), "{:?}", seen.kinds());
}

/// Has nothing, and cannot be watched although it says so.
#[derive(Debug)]
struct Blind;

#[async_trait]
impl Backend for Blind {
    fn name(&self) -> &str {
        "blind"
    }

    async fn get(&self, _key: &Key) -> Result<Option<Entry>> {
        Ok(None)
    }

    async fn set(&self, _key: &Key, _value: Bytes, _options: &SetOptions) -> Result<()> {
        Ok(())
    }

    async fn delete(&self, _key: &Key) -> Result<()> {
        Ok(())
    }

    fn abilities(&self) -> Abilities<'_> {
        Abilities::none().with_watchable(self)
    }
}

#[async_trait]
impl Watchable for Blind {
    async fn watch(&self, _prefix: &KeyPrefix) -> Result<Box<dyn Watch>> {
        Err(fault(BackendFault::Unreachable))
    }
}
