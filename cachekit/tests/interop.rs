//! `#[cache(interop = ..)]` and `#[derive(InteropArg)]`: entries where and as other clients have them.
#![cfg(all(feature = "interop", feature = "macros"))]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use cachekit::interop::{InteropArg, InteropKey};
use cachekit::{Cache, Invalidation, cache};
use cachekit_core::{Backend, Key, MemoryBackend, SetOptions, Ttl};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    total: u32,
    paid: bool,
}

static RUNS: AtomicUsize = AtomicUsize::new(0);

#[cache(interop = "find", namespace = "orders", ttl = "10m", none_ttl = "1m", skip(_trace), invalidate = forget)]
async fn find(id: u64, flag: bool, _trace: &str) -> Option<Order> {
    RUNS.fetch_add(1, Ordering::SeqCst);
    (id > 0).then_some(Order { total: id as u32, paid: flag })
}

/// What Python calls `find(id, flag)` with is the key, and what it has stored is the value.
#[tokio::test]
async fn a_function_shares_its_entries() {
    let store = MemoryBackend::new();
    let cache = Cache::builder().backend(store.connect()).build().unwrap();
    let key = |digest: &str| Key::new(&format!("orders:find:{digest}")).unwrap();
    // That of `f(42, flag=False)`.
    let theirs = key("b6ffea2de23901f1d6c6293ef85bee825b2dfa1cb78696d6f30d8bad426560c6");
    let document = b"\x82\xa4paid\xc3\xa5total\x0c";
    store.set(&theirs, document.as_slice().into(), &SetOptions::new(Ttl::secs(60))).await.unwrap();
    cachekit::scope(cache, async {
        assert_eq!(find(42, false, "a").await, Some(Order { total: 12, paid: true }));
        assert_eq!(RUNS.load(Ordering::SeqCst), 0, "another client had it");
        assert_eq!(find(7, true, "a").await, Some(Order { total: 7, paid: true }));
        assert_eq!(find(7, true, "b").await, Some(Order { total: 7, paid: true }));
        assert_eq!(find(0, true, "a").await, None);
        assert_eq!(find(0, true, "a").await, None);
        assert_eq!(RUNS.load(Ordering::SeqCst), 2);
        let ours = key(InteropKey::of(&(7, true)).unwrap().as_str());
        assert_eq!(store.get(&ours).await.unwrap().unwrap().value.as_ref(), b"\x82\xa4paid\xc3\xa5total\x07");
        let none = key(InteropKey::of(&(0, true)).unwrap().as_str());
        assert_eq!(store.get(&none).await.unwrap().unwrap().value.as_ref(), b"\xc0");
        assert!(matches!(forget(7, true).await, Invalidation::Confirmed));
        assert_eq!(store.get(&ours).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_call_outside_the_model_runs_uncached() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    #[cache(interop = "rate", namespace = "orders", invalidate = forget_rate)]
    async fn rate(amount: f64, more: u128) -> u64 {
        RUNS.fetch_add(1, Ordering::SeqCst);
        (amount as u64).wrapping_add(more as u64)
    }
    let store = MemoryBackend::new();
    let cache = Cache::builder().backend(store.connect()).build().unwrap();
    cachekit::scope(cache.clone(), async {
        for _ in 0..2 {
            assert_eq!(rate(f64::NAN, 1).await, 1);
        }
        rate(1.0, u128::MAX).await;
        assert_eq!(RUNS.load(Ordering::SeqCst), 3);
        assert!(matches!(forget_rate(f64::NAN, 1).await, Invalidation::Failed(_)));
        assert_eq!((rate(2.0, 1).await, rate(2.0, 1).await), (3, 3));
        assert_eq!(RUNS.load(Ordering::SeqCst), 4);
        assert_eq!(cache.stats().stores, 1);
    })
    .await;
}

#[tokio::test]
async fn methods_and_failing_functions_share_theirs_too() {
    struct Shop;
    impl Shop {
        #[cache(interop = "price", namespace = "shop", background)]
        async fn price(self: std::sync::Arc<Self>, of: String) -> Result<u64, std::io::Error> {
            if of.is_empty() { Err(std::io::Error::other("nothing")) } else { Ok(of.len() as u64) }
        }
    }
    #[cache(interop = "nothing", namespace = "shop")]
    async fn nothing() -> u8 {
        7
    }
    let store = MemoryBackend::new();
    let cache = Cache::builder().backend(store.connect()).build().unwrap();
    cachekit::scope(cache.clone(), async {
        let shop = std::sync::Arc::new(Shop);
        assert_eq!(shop.clone().price("tea".into()).await.unwrap(), 3);
        assert!(shop.price(String::new()).await.is_err());
        assert_eq!(nothing().await, 7);
    })
    .await;
    assert!(cache.close(std::time::Duration::from_secs(5)).await);
    for (operation, key) in [("price", InteropKey::of(&("tea",))), ("nothing", InteropKey::of(&()))] {
        let key = Key::new(&format!("shop:{operation}:{}", key.unwrap().as_str())).unwrap();
        assert!(store.get(&key).await.unwrap().is_some(), "{operation}");
    }
}

#[test]
fn derived_arguments_are_what_python_would_pass() {
    #[derive(InteropArg)]
    struct Line<'a, T> {
        sku: &'a str,
        #[interop(rename = "qty")]
        quantity: T,
        r#type: Kind,
    }
    #[derive(InteropArg)]
    struct Id(u64);
    #[derive(InteropArg)]
    struct Pair(u64, Option<&'static str>);
    #[derive(InteropArg)]
    enum Kind {
        #[interop(rename = "new")]
        New,
        Used,
    }
    #[derive(InteropArg)]
    #[interop(integer)]
    enum Level {
        Low = -3,
        Lower,
        High = 300,
    }
    fn same(one: impl InteropArg, other: impl InteropArg) {
        assert_eq!(InteropKey::of(&(one,)).unwrap(), InteropKey::of(&(other,)).unwrap());
    }
    let line = Line { sku: "A-1", quantity: 2, r#type: Kind::New };
    same(line, BTreeMap::from([("type", Any::Text("new")), ("sku", Any::Text("A-1")), ("qty", Any::Number(2))]));
    same(Id(7), 7);
    same(Pair(7, None), (7, None::<u8>));
    same(Kind::Used, "Used");
    same([Level::Low, Level::High, Level::Lower], [-3, 300, -2]);

    enum Any {
        Text(&'static str),
        Number(u8),
    }
    impl InteropArg for Any {
        fn write_arg(&self, writer: &mut cachekit::interop::ArgWriter) {
            match self {
                Self::Text(text) => text.write_arg(writer),
                Self::Number(number) => number.write_arg(writer),
            }
        }
    }
}
