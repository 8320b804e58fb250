//! Cached functions on both sides: one operation, a call of each language, one entry.

use std::collections::BTreeMap;

use cachekit::interop::InteropArg;
use cachekit::{Invalidation, cache};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::outcome::{Failure, same};
use crate::python::Call;
use crate::sides::{Sides, call, hit, ran};
use crate::table::Table;

const GROUP: &str = "cached functions";

pub(super) async fn run(sides: &Sides, table: &mut Table) {
    defaults_and_names(sides, table).await;
    rest(sides, table).await;
    of_own_types(sides, table).await;
    none(sides, table).await;
    forgotten(sides, table).await;
}

async fn defaults_and_names(sides: &Sides, table: &mut Table) {
    #[cache(interop = "price.by-python", namespace = "shop", ttl = "1m")]
    async fn price(item: u64, currency: &str, net: bool) -> f64 {
        computed(item, currency, net)
    }
    #[cache(interop = "price.by-rust", namespace = "shop", ttl = "1m")]
    async fn price_here(item: u64, currency: &str, net: bool) -> f64 {
        computed(item, currency, net)
    }
    /// What no Python computes.
    fn computed(item: u64, currency: &str, net: bool) -> f64 {
        (item + currency.len() as u64 + u64::from(net)) as f64 / 4.0
    }
    let named = |operation| Call { named: json!({ "net": true, "item": 7 }), ..call(operation, "price", &json!([])) };
    let to_rust = async {
        ran(&sides.python.call(&named("price.by-python"), &json!({ "$float": "19.0" })).await?)?;
        same(&19.0, &cachekit::scope(sides.cache()?, price(7, "EUR", true)).await)
    };
    let to_python = async {
        let here = cachekit::scope(sides.cache()?, price_here(7, "EUR", true)).await;
        same(&2.75, &here)?;
        hit(&sides.python.call(&named("price.by-rust"), &json!(0)).await?, &json!({ "$float": "2.75" }))
    };
    table.add(GROUP, "defaults and names", to_rust, to_python).await;
}

async fn rest(sides: &Sides, table: &mut Table) {
    #[cache(interop = "total.by-python", namespace = "shop", ttl = "1m", skip(_trace))]
    async fn total(
        first: u8,
        others: Vec<u8>,
        discount: Option<f64>,
        options: BTreeMap<String, bool>,
        _trace: &str,
    ) -> u32 {
        computed(first, &others, discount, &options)
    }
    #[cache(interop = "total.by-rust", namespace = "shop", ttl = "1m", skip(_trace))]
    async fn total_here(
        first: u8,
        others: Vec<u8>,
        discount: Option<f64>,
        options: BTreeMap<String, bool>,
        _trace: &str,
    ) -> u32 {
        computed(first, &others, discount, &options)
    }
    fn computed(first: u8, others: &[u8], discount: Option<f64>, options: &BTreeMap<String, bool>) -> u32 {
        u32::from(first) + others.len() as u32 + u32::from(discount.is_some()) + options.len() as u32
    }
    let call = |operation| Call {
        named: json!({ "discount": { "$float": "0.5" }, "fast": true, "big": false }),
        ..call(operation, "total", &json!([1, 2, 3]))
    };
    let options = || BTreeMap::from([("fast".to_owned(), true), ("big".to_owned(), false)]);
    let to_rust = async {
        ran(&sides.python.call(&call("total.by-python"), &json!(100)).await?)?;
        same(&100, &cachekit::scope(sides.cache()?, total(1, vec![2, 3], Some(0.5), options(), "a")).await)
    };
    let to_python = async {
        same(&6, &cachekit::scope(sides.cache()?, total_here(1, vec![2, 3], Some(0.5), options(), "b")).await)?;
        hit(&sides.python.call(&call("total.by-rust"), &json!(0)).await?, &json!(6))
    };
    table.add(GROUP, "*args, **kwargs, and what is skipped", to_rust, to_python).await;
}

/// Types of our own as arguments and as the value; what is between them is a `dict` to Python.
async fn of_own_types(sides: &Sides, table: &mut Table) {
    #[cache(interop = "search.by-python", namespace = "shop", ttl = "1m")]
    async fn search(query: Query, size: Size) -> Found {
        computed(query, size)
    }
    #[cache(interop = "search.by-rust", namespace = "shop", ttl = "1m")]
    async fn search_here(query: Query, size: Size) -> Found {
        computed(query, size)
    }
    fn computed(query: Query, _size: Size) -> Found {
        Found { words: vec![query.word], left: None }
    }
    let query = || Query { word: "shoes".to_owned(), limit: Some(20.0) };
    let asking = |operation| call(operation, "two", &json!([{ "word": "shoes", "limit": 20 }, "Small"]));
    let found = json!({ "words": ["boots", "shoes"], "left": 3 });
    let to_rust = async {
        ran(&sides.python.call(&asking("search.by-python"), &found).await?)?;
        let seen = cachekit::scope(sides.cache()?, search(query(), Size::Small)).await;
        same(&Found { words: vec!["boots".to_owned(), "shoes".to_owned()], left: Some(3) }, &seen)
    };
    let to_python = async {
        cachekit::scope(sides.cache()?, search_here(query(), Size::Small)).await;
        let expected = json!({ "words": ["shoes"], "left": null });
        hit(&sides.python.call(&asking("search.by-rust"), &json!(0)).await?, &expected)
    };
    table.add(GROUP, "types of one's own", to_rust, to_python).await;
}

#[derive(Clone, InteropArg)]
struct Query {
    word: String,
    limit: Option<f64>,
}

#[derive(Clone, InteropArg)]
enum Size {
    Small,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Found {
    words: Vec<String>,
    left: Option<u32>,
}

async fn none(sides: &Sides, table: &mut Table) {
    #[cache(interop = "find.by-python", namespace = "shop", ttl = "1m")]
    async fn find(id: u64) -> Option<String> {
        (id == 7).then(|| "computed".to_owned())
    }
    #[cache(interop = "find.by-rust", namespace = "shop", ttl = "1m")]
    async fn find_here(id: u64) -> Option<String> {
        (id != 7).then(|| "computed".to_owned())
    }
    let to_rust = async {
        ran(&sides.python.call(&call("find.by-python", "one", &json!([7])), &json!(null)).await?)?;
        same(&None, &cachekit::scope(sides.cache()?, find(7)).await)
    };
    let to_python = async {
        same(&None, &cachekit::scope(sides.cache()?, find_here(7)).await)?;
        hit(&sides.python.call(&call("find.by-rust", "one", &json!([7])), &json!("computed")).await?, &Value::Null)
    };
    table.add(GROUP, "none", to_rust, to_python).await;
}

async fn forgotten(sides: &Sides, table: &mut Table) {
    #[cache(interop = "stock", namespace = "shop", ttl = "1m", invalidate = forget_stock)]
    async fn stock(_id: u64) -> u32 {
        1
    }
    let asking = call("stock", "one", &json!([7]));
    let to_rust = async {
        ran(&sides.python.call(&asking, &json!(2)).await?)?;
        same(&2, &cachekit::scope(sides.cache()?, stock(7)).await)?;
        sides.python.delete(&asking).await?;
        same(&1, &cachekit::scope(sides.cache()?, stock(7)).await)
    };
    let to_python = async {
        match cachekit::scope(sides.cache()?, forget_stock(7)).await {
            Invalidation::Confirmed => ran(&sides.python.call(&asking, &json!(3)).await?),
            other => Err(Failure(format!("not invalidated: {other:?}"))),
        }
    };
    table.add(GROUP, "forgotten by the other side", to_rust, to_python).await;
}
