//! `#[cache(secure)]`, `encryption_fail_closed`, and functions whose entries are a tenant's.
#![cfg(feature = "crypto")]
#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use cachekit::crypto::{KeyRing, Keys, MasterKey};
use cachekit::{Cache, Invalidation, cache, scope, tenant_scope};
use cachekit_core::{Backend, Error, ErrorCode, Key, MemoryBackend, SetOptions, Ttl};
use tracing::{Event, Level, Metadata, Subscriber, span};

fn keys(byte: u8) -> Keys {
    Keys::fixed(&KeyRing::new(MasterKey::new(&[byte; 32]).unwrap()))
}

fn cache_over(store: &MemoryBackend) -> Cache {
    let builder = Cache::builder().backend(store.clone()).encrypt_where_asked(keys(1).encryption());
    builder.intent_required().build().unwrap()
}

async fn stored(store: &MemoryBackend, key: &str) -> Option<Vec<u8>> {
    store.get(&Key::new(key).unwrap()).await.unwrap().map(|entry| entry.value.to_vec())
}

async fn tamper(store: &MemoryBackend, key: &str) -> Vec<u8> {
    let mut bytes = stored(store, key).await.unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let options = SetOptions::new(Ttl::secs(300));
    store.set(&Key::new(key).unwrap(), bytes.clone().into(), &options).await.unwrap();
    bytes
}

#[derive(Clone, Debug, PartialEq)]
enum Failure {
    Cache(ErrorCode),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Cache(error.code())
    }
}

static RUNS: AtomicUsize = AtomicUsize::new(0);

fn run() -> usize {
    RUNS.fetch_add(1, Ordering::SeqCst) + 1
}

fn runs() -> usize {
    RUNS.load(Ordering::SeqCst)
}

#[cache(secure, namespace = "diagnoses", key = "{id}", invalidate = forget_diagnosis)]
async fn diagnosis(id: u64) -> String {
    format!("patient {id} {}", run())
}

#[cache(namespace = "unsaid", key = "{id}")]
async fn unsaid(id: u64) -> String {
    format!("page {id} {}", run())
}

#[tokio::test]
async fn a_secure_function_stores_nothing_in_the_clear() {
    let store = MemoryBackend::new();
    scope(cache_over(&store), async {
        assert_eq!(diagnosis(7).await, diagnosis(7).await);
        let entry = stored(&store, "diagnoses:7").await.unwrap();
        assert!(!entry.windows(7).any(|part| part == b"patient"));
        assert!(matches!(forget_diagnosis(7).await, Invalidation::Confirmed));
        assert_eq!(stored(&store, "diagnoses:7").await, None);
    })
    .await;
}

#[tokio::test]
async fn without_keys_it_runs_uncached_and_one_error_event_says_so() {
    let told = Told::default();
    let _quiet = tracing::subscriber::set_default(told.clone());
    let store = MemoryBackend::new();
    let cache = Cache::builder().backend(store.clone()).build().unwrap();
    scope(cache, async {
        assert_ne!(diagnosis(7).await, diagnosis(7).await);
        assert!(matches!(forget_diagnosis(7).await, Invalidation::Failed(error) if error.code() == ErrorCode::E001));
    })
    .await;
    assert_eq!(stored(&store, "diagnoses:7").await, None);
    assert_eq!(told.codes(), ["E001", "E001"], "one for the function, one for its twin");
}

#[tokio::test]
async fn where_there_is_a_key_a_function_that_says_nothing_is_not_cached() {
    let told = Told::default();
    let _quiet = tracing::subscriber::set_default(told.clone());
    let store = MemoryBackend::new();
    scope(cache_over(&store), async { assert_ne!(unsaid(7).await, unsaid(7).await) }).await;
    assert_eq!(stored(&store, "unsaid:7").await, None);
    assert_eq!(told.codes(), ["E004"]);
}

mod closed {
    use super::*;

    #[cache(secure, encryption_fail_closed, namespace = "closed", key = "{id}")]
    async fn closed(id: u64) -> Result<String, Failure> {
        Ok(format!("{id} {}", run()))
    }

    #[cache(secure, namespace = "closed", key = "{id}")]
    async fn cannot_tell(id: u64) -> String {
        format!("{id} {}", run())
    }

    #[cache(secure, namespace = "closed", key = "{id}")]
    async fn can_tell(id: u64) -> Result<String, Failure> {
        Ok(format!("{id} {}", run()))
    }

    #[cache(secure, background, namespace = "closed", key = "{id}")]
    async fn in_background(id: u64) -> String {
        format!("{id} {}", run())
    }

    #[cache(secure, background, encryption_fail_closed, namespace = "closed", key = "{id}")]
    async fn closed_in_background(id: u64) -> Result<String, Failure> {
        Ok(format!("{id} {}", run()))
    }

    /// Caches that know nothing of each other's L1, over a store with an entry that was tampered with.
    async fn tampered() -> (MemoryBackend, Vec<u8>) {
        let store = MemoryBackend::new();
        scope(cache_over(&store), async { can_tell(1).await.unwrap() }).await;
        let bad = tamper(&store, "closed:1").await;
        (store, bad)
    }

    fn closed_cache(store: &MemoryBackend) -> Cache {
        let builder = Cache::builder().backend(store.clone()).encrypt(keys(1).encryption());
        builder.encryption_fail_closed(true).build().unwrap()
    }

    #[tokio::test]
    async fn who_asks_for_it_is_told_and_the_entry_stays() {
        let (store, bad) = tampered().await;
        let before = runs();
        let e003 = Err(Failure::Cache(ErrorCode::E003));
        assert_eq!(scope(cache_over(&store), closed(1)).await, e003);
        assert_eq!(scope(cache_over(&store), closed_in_background(1)).await, e003);
        assert_eq!(scope(closed_cache(&store), can_tell(1)).await, e003, "also where only the cache asks for it");
        assert_eq!((runs(), stored(&store, "closed:1").await), (before, Some(bad)));
        // In the clear where it must not be.
        let clear = Cache::builder().backend(store.clone()).build().unwrap();
        clear.namespace::<String>("closed").open().unwrap().set(1, "forged".to_owned()).await.unwrap();
        assert_eq!(scope(cache_over(&store), closed(1)).await, Err(Failure::Cache(ErrorCode::E005)));
    }

    #[tokio::test]
    async fn who_cannot_be_told_runs_and_one_error_event_says_so() {
        let (store, bad) = tampered().await;
        let told = Told::default();
        let _quiet = tracing::subscriber::set_default(told.clone());
        for _ in 0..3 {
            assert!(scope(closed_cache(&store), cannot_tell(1)).await.starts_with("1 "));
        }
        assert!(scope(closed_cache(&store), in_background(1)).await.starts_with("1 "));
        assert_eq!(stored(&store, "closed:1").await, Some(bad));
        assert_eq!(told.codes(), ["E003", "E003"], "one for each of the functions");
    }

    #[tokio::test]
    async fn who_does_not_ask_for_it_overwrites_the_entry() {
        let (store, bad) = tampered().await;
        let before = runs();
        scope(cache_over(&store), can_tell(1)).await.unwrap();
        assert_eq!(runs(), before + 1);
        assert_ne!(stored(&store, "closed:1").await, Some(bad));
    }
}

mod tenants {
    use super::*;

    #[cache(tenant = tenant, skip(tenant), namespace = "bills", key = "{id}", secure, invalidate = forget_bill)]
    async fn bill(tenant: &str, id: u64) -> String {
        format!("{tenant} {id} {}", run())
    }

    struct User {
        tenant: Arc<str>,
    }

    #[cache(tenant = user.tenant, skip(user), namespace = "plans", key = "plan", secure)]
    async fn plan(user: &User) -> String {
        format!("{} {}", user.tenant, run())
    }

    #[cache(per_tenant, namespace = "quotas", key = "{id}", secure, invalidate = forget_quota)]
    async fn quota(id: u64) -> String {
        format!("{id} {}", run())
    }

    #[cache(per_tenant, background, namespace = "later", key = "{id}", secure)]
    async fn later(id: u64) -> String {
        format!("{id} {}", run())
    }

    #[tokio::test]
    async fn each_tenant_has_entries_of_its_own() {
        let store = MemoryBackend::new();
        scope(cache_over(&store), async {
            let (acme, umbrella) = (bill("acme", 7).await, bill("umbrella", 7).await);
            assert!(acme.starts_with("acme ") && umbrella.starts_with("umbrella "));
            assert_eq!((bill("acme", 7).await, bill("umbrella", 7).await), (acme, umbrella.clone()));
            assert!(stored(&store, "t:acme:bills:7").await.is_some());
            assert!(matches!(forget_bill("acme", 7).await, Invalidation::Confirmed));
            assert!(stored(&store, "t:acme:bills:7").await.is_none());
            assert_eq!(bill("umbrella", 7).await, umbrella);

            let user = |tenant: &str| User { tenant: tenant.into() };
            assert_eq!(plan(&user("acme")).await, plan(&user("acme")).await);
            assert_ne!(plan(&user("acme")).await, plan(&user("umbrella")).await);
        })
        .await;
    }

    #[tokio::test]
    async fn the_scope_says_whose_call_it_is() {
        let store = MemoryBackend::new();
        scope(cache_over(&store), async {
            let acme = tenant_scope("acme", quota(7)).await;
            assert_eq!(tenant_scope("acme", quota(7)).await, acme);
            let inner = async { (quota(7).await, tenant_scope("umbrella", quota(7)).await, quota(7).await) };
            let (before, other, after) = tenant_scope("acme".to_owned(), inner).await;
            assert_eq!((&before, &after), (&acme, &acme));
            assert_ne!(other, acme);
            assert_eq!(tenant_scope("acme", later(7)).await, tenant_scope("acme", later(7)).await);
            assert!(matches!(tenant_scope("acme", forget_quota(7)).await, Invalidation::Confirmed));
            assert!(stored(&store, "t:acme:quotas:7").await.is_none());
            assert!(stored(&store, "t:umbrella:quotas:7").await.is_some());
        })
        .await;
    }

    #[tokio::test]
    async fn without_a_tenant_nothing_is_shared_and_an_error_event_says_so() {
        let told = Told::default();
        let _quiet = tracing::subscriber::set_default(told.clone());
        let store = MemoryBackend::new();
        let cache = cache_over(&store);
        scope(cache.clone(), async {
            assert_ne!(quota(8).await, quota(8).await);
            assert!(matches!(forget_quota(8).await, Invalidation::Failed(error) if error.code() == ErrorCode::E007));
            assert_ne!(bill("", 8).await, bill("", 8).await);
            // A task that is spawned in a scope is not inside it.
            let spawned = async { tokio::spawn(scope(cache.clone(), quota(9))).await.unwrap() };
            tenant_scope("acme", spawned).await;
        })
        .await;
        assert_eq!(told.codes(), ["E007", "E007", "E042"], "the twin tells of its own");
        assert_eq!((cache.status().l1_entries, stored(&store, "t:acme:quotas:9").await), (0, None));
    }
}

#[tokio::test]
async fn no_event_and_no_debug_shows_a_value_or_a_key() {
    let told = Told::default();
    let _loud = tracing::subscriber::set_default(told.clone());
    let store = MemoryBackend::new();
    let cache = cache_over(&store);
    scope(cache.clone(), async {
        let shown = diagnosis(7).await;
        tamper(&store, "diagnoses:7").await;
        let other = cache_over(&store);
        scope(other.clone(), diagnosis(7)).await;
        let patients = other.namespace::<String>("diagnoses").secure().open().unwrap();
        let all = format!("{cache:?} {other:?} {patients:?} {:?} {:?}", other.status(), told.texts());
        assert!(!told.texts().is_empty());
        for secret in [&shown, "0101010101", "[1, 1, 1, 1"] {
            assert!(!all.contains(secret), "{all}");
        }
    })
    .await;
}

/// Takes events down: the codes of those at error level, and the texts of all.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Vec<(Level, String)>>>);

impl Told {
    fn codes(&self) -> Vec<String> {
        let told = self.0.lock().unwrap();
        let errors = told.iter().filter(|(level, _)| *level == Level::ERROR);
        errors.map(|(_, text)| text.split("code=").nth(1).unwrap()[..4].to_owned()).collect()
    }

    fn texts(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(_, text)| text.clone()).collect()
    }
}

impl Subscriber for Told {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Text(String);
        impl tracing::field::Visit for Text {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
                self.0.push_str(&format!("{field}={value:?} "));
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().unwrap().push((*event.metadata().level(), text.0));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// So that the futures of tests stay movable between threads.
fn _is_send() {
    fn check<F: Future + Send>(_: F) {}
    check(diagnosis(7));
}

#[cfg(feature = "interop")]
#[cache(secure, interop = "triple", namespace = "sealed-numbers")]
async fn triple(number: u64) -> u64 {
    number * 3
}

/// The cache has the keys, the namespace the layout: what is sealed is what other clients open.
#[cfg(feature = "interop")]
#[tokio::test]
async fn shared_entries_are_sealed_as_other_clients_seal_them() {
    use cachekit::interop::{InteropKey, InteropValues};

    let (store, key) = (MemoryBackend::new(), InteropKey::of(&(7_u64,)).unwrap());
    let cache = cache_over(&store);
    assert_eq!(scope(cache.clone(), triple(7)).await, 21);
    assert_eq!(scope(cache, triple(7)).await, 21, "from L1, where it is sealed");
    let entry = stored(&store, &format!("sealed-numbers:triple:{}", key.as_str())).await.unwrap();
    assert_eq!(entry.len(), 12 + 1 + 16, "nonce, document, tag, and no header");
    let theirs = Cache::builder().backend(store).build().unwrap();
    let theirs = theirs.namespace::<u64>("sealed-numbers").serializer(InteropValues).interop("triple");
    let theirs = theirs.encrypt(keys(1).interop_encryption()).open().unwrap();
    assert_eq!(theirs.get(key).await.unwrap().as_deref(), Some(&21));
}
