//! Lives: each side sees how long what the other one wrote lives, that it ended, and that it was deleted or replaced.

use std::time::Duration;

use cachekit::interop::InteropKey;
use cachekit::{Remaining, Ttl};
use serde_json::json;

use crate::outcome::{Failure, same};
use crate::python::{Call, Called};
use crate::sides::{Sides, call, hit, operations, ran};
use crate::table::Table;

const GROUP: &str = "lives";

pub(super) async fn run(sides: &Sides, table: &mut Table) {
    ten_minutes(sides, table).await;
    without_end(sides, table).await;
    ended(sides, table).await;
    deleted(sides, table).await;
    replaced(sides, table).await;
}

async fn ten_minutes(sides: &Sides, table: &mut Table) {
    let (by_python, by_rust) = operations(GROUP, "ten minutes");
    let to_rust = async {
        ran(&sides.python.call(&living(&by_python, Some(600)), &json!(1)).await?)?;
        match sides.left(&by_python, &InteropKey::of(&())?).await? {
            Some(Remaining::For(left)) if within_ten_minutes(left) => Ok(()),
            other => Err(Failure(format!("expected ten minutes, seen {other:?}"))),
        }
    };
    let to_python = async {
        let entries = sides.namespace::<u8>(&by_rust)?.ttl(Ttl::secs(600)).jitter(0.0).open()?;
        entries.set(InteropKey::of(&())?, 1).await?;
        let left = sides.python.left(&living(&by_rust, Some(600))).await?;
        match u64::try_from(left).map(Duration::from_millis) {
            Ok(left) if within_ten_minutes(left) => Ok(()),
            _ => Err(Failure(format!("expected ten minutes, seen {left} ms"))),
        }
    };
    table.add(GROUP, "ten minutes", to_rust, to_python).await;
}

/// Seconds may have passed on a slow machine.
fn within_ten_minutes(left: Duration) -> bool {
    (Duration::from_secs(570)..=Duration::from_secs(600)).contains(&left)
}

async fn without_end(sides: &Sides, table: &mut Table) {
    let (by_python, by_rust) = operations(GROUP, "without end");
    let to_rust = async {
        ran(&sides.python.call(&living(&by_python, None), &json!(1)).await?)?;
        same(&Some(Remaining::Never), &sides.left(&by_python, &InteropKey::of(&())?).await?)
    };
    let to_python = async {
        sides.namespace::<u8>(&by_rust)?.ttl(Ttl::Never).open()?.set(InteropKey::of(&())?, 1).await?;
        same(&-1, &sides.python.left(&living(&by_rust, None)).await?)
    };
    table.add(GROUP, "without end", to_rust, to_python).await;
}

/// A second, for it is the shortest life that Python gives.
async fn ended(sides: &Sides, table: &mut Table) {
    let (by_python, by_rust) = operations(GROUP, "ended");
    let to_rust = async {
        ran(&sides.python.call(&living(&by_python, Some(1)), &json!(1)).await?)?;
        for _ in 0..LOOKS {
            if sides.plain::<u8>(&by_python)?.get(InteropKey::of(&())?).await?.is_none() {
                return Ok(());
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        Err(Failure("it did not end".to_owned()))
    };
    let to_python = async {
        let entries = sides.namespace::<u8>(&by_rust)?.ttl(Ttl::secs(1)).jitter(0.0).open()?;
        entries.set(InteropKey::of(&())?, 1).await?;
        for _ in 0..LOOKS {
            if sides.python.call(&living(&by_rust, Some(60)), &json!(2)).await? == Called::Ran {
                return Ok(());
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        Err(Failure("it did not end".to_owned()))
    };
    table.add(GROUP, "ended after a second", to_rust, to_python).await;
}

async fn deleted(sides: &Sides, table: &mut Table) {
    let (by_python, by_rust) = operations(GROUP, "deleted");
    let to_rust = async {
        let key = InteropKey::of(&())?;
        sides.plain::<u8>(&by_python)?.set(key, 1).await?;
        sides.python.delete(&call(&by_python, "none", &json!([]))).await?;
        same(&None, &sides.plain::<u8>(&by_python)?.get(key).await?)
    };
    let to_python = async {
        let call = call(&by_rust, "none", &json!([]));
        ran(&sides.python.call(&call, &json!(1)).await?)?;
        sides.plain::<u8>(&by_rust)?.delete(InteropKey::of(&())?).await?;
        ran(&sides.python.call(&call, &json!(2)).await?)
    };
    table.add(GROUP, "deleted by the other side", to_rust, to_python).await;
}

async fn replaced(sides: &Sides, table: &mut Table) {
    let (by_python, by_rust) = operations(GROUP, "replaced");
    let to_rust = async {
        let (call, key) = (call(&by_python, "none", &json!([])), InteropKey::of(&())?);
        sides.plain::<u8>(&by_python)?.set(key, 1).await?;
        sides.python.delete(&call).await?;
        ran(&sides.python.call(&call, &json!(2)).await?)?;
        same(&Some(2), &sides.plain::<u8>(&by_python)?.get(key).await?.as_deref().copied())
    };
    let to_python = async {
        let call = call(&by_rust, "none", &json!([]));
        ran(&sides.python.call(&call, &json!(1)).await?)?;
        sides.plain::<u8>(&by_rust)?.set(InteropKey::of(&())?, 2).await?;
        hit(&sides.python.call(&call, &json!(3)).await?, &json!(2))
    };
    table.add(GROUP, "replaced by the other side", to_rust, to_python).await;
}

/// A call without arguments of a function whose values live so many seconds.
fn living(operation: &str, ttl: Option<u64>) -> Call {
    let mut call = call(operation, "none", &json!([]));
    call.function.ttl = ttl;
    call
}

const LOOKS: u32 = 100;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
