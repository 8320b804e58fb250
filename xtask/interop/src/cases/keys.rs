//! Keys: each side finds by the arguments of a call what the other one stored.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use cachekit::interop::{AsText, Binary, InteropArg, InteropArgs, InteropKey};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::outcome::{Failure, Outcome, same};
use crate::python::{Call, Called};
use crate::sides::{Sides, call, hit, operations, ran};
use crate::table::Table;

const GROUP: &str = "keys";

/// Arguments as both sides have them.
struct Case {
    name: &'static str,
    signature: &'static str,
    positional: Value,
    named: Value,
    key: cachekit::Result<InteropKey>,
}

pub(super) async fn run(sides: &Sides, table: &mut Table) {
    for case in arguments().into_iter().chain(calls()) {
        let (by_python, by_rust) = operations(GROUP, case.name);
        let (to_rust, to_python) = (to_rust(sides, &case, &by_python), to_python(sides, &case, &by_rust));
        table.add(GROUP, case.name, to_rust, to_python).await;
    }
    for case in refused() {
        let (by_python, _) = operations("refused-keys", case.name);
        let to_rust = async {
            match &case.key {
                Err(_) => Ok(()),
                Ok(key) => Err(Failure(format!("Rust makes {key:?} of it"))),
            }
        };
        let to_python = async {
            let called = sides.python.call(&case.call(&by_python), &json!(1)).await?;
            same(&Called::Raised("InteropError".to_owned()), &called)
        };
        table.add("arguments that both refuse", case.name, to_rust, to_python).await;
    }
}

impl Case {
    fn call(&self, operation: &str) -> Call {
        Call { named: self.named.clone(), ..call(operation, self.signature, &self.positional) }
    }

    fn key(&self) -> Result<&InteropKey, Failure> {
        self.key.as_ref().map_err(|error| Failure(format!("Rust makes no key: {error}")))
    }
}

async fn to_rust(sides: &Sides, case: &Case, operation: &str) -> Outcome {
    ran(&sides.python.call(&case.call(operation), &json!("from Python")).await?)?;
    let found = sides.plain::<String>(operation)?.get(*case.key()?).await?;
    same(&Some("from Python"), &found.as_deref().map(String::as_str))
}

async fn to_python(sides: &Sides, case: &Case, operation: &str) -> Outcome {
    sides.plain::<String>(operation)?.set(*case.key()?, "from Rust".to_owned()).await?;
    hit(&sides.python.call(&case.call(operation), &json!("computed")).await?, &json!("from Rust"))
}

/// One argument of each type.
fn arguments() -> Vec<Case> {
    let time = |text: &str| DateTime::parse_from_rfc3339(text);
    let utc = |text: &str| time(text).map(|time| time.with_timezone(&Utc));
    let id = Uuid::from_u128(0x0f1e_2d3c_4b5a_6978_8796_a5b4_c3d2_e1f0);
    vec![
        one("null", json!(null), None::<u64>),
        one("true", json!(true), true),
        one("false", json!(false), Some(false)),
        one("u8", json!(255), u8::MAX),
        one("u64, the largest", json!({"$int": "18446744073709551615"}), u64::MAX),
        one("i64, the smallest", json!({"$int": "-9223372036854775808"}), i64::MIN),
        one("i8", json!(-33), -33_i8),
        one("i128 that fits", json!(-129), -129_i128),
        one("f64", json!({"$float": "0.1"}), 0.1_f64),
        one("f64 that is whole", json!({"$float": "3.0"}), 3.0_f64),
        one("f64, negative zero", json!({"$float": "-0.0"}), -0.0_f64),
        one("f64, 2^64", json!({"$float": "18446744073709551616.0"}), 18_446_744_073_709_551_616.0_f64),
        one("f64, the smallest", json!({"$float": "5e-324"}), 5e-324_f64),
        one("f32", json!({"$float": "0.25"}), 0.25_f32),
        one("f32, no short decimal", json!({"$float": "0.10000000149011612"}), 0.1_f32),
        one("str", json!("shoes"), "shoes"),
        one("str, empty", json!(""), ""),
        one("str, not normalized", json!("A\u{30a} \u{1d11e}"), "A\u{30a} \u{1d11e}".to_owned()),
        one("str of 70,000 bytes", json!("x".repeat(70_000)), "x".repeat(70_000)),
        one("char", json!("\u{e4}"), '\u{e4}'),
        one("bytes", json!({"$bytes": "00ff"}), Binary([0x00, 0xff])),
        one("bytes of the crate", json!({"$bytes": "6162"}), Bytes::from_static(b"ab")),
        one("bytes, 70,000", json!({"$bytes": "07".repeat(70_000)}), Binary(vec![7_u8; 70_000])),
        one("list", json!([1, 2, 3]), vec![1, 2, 3]),
        one("list of u8, which are numbers", json!([1, 255]), vec![1_u8, 255]),
        one("list of options", json!([1, null]), [Some(1), None]),
        one("list of 70,000", json!((0..70_000).collect::<Vec<_>>()), (0..70_000).collect::<Vec<u32>>()),
        one("tuple", json!([1, "a", [true, null]]), (1, "a", (true, None::<u8>))),
        one("map", json!({"b": 1, "a": 2}), HashMap::from([("b", 1), ("a", 2)])),
        one(
            "map, beyond the basic plane",
            json!({"\u{1f600}": 1, "\u{ffff}": 2}),
            BTreeMap::from([("\u{1f600}", 1), ("\u{ffff}", 2)]),
        ),
        one(
            "map of maps",
            json!({"z": {"b": {"$float": "2.0"}}, "a": {}}),
            BTreeMap::from([("z", BTreeMap::from([("b", 2.0)])), ("a", BTreeMap::new())]),
        ),
        one("set of numbers", json!({"$set": [300, 5, -1, 70000]}), HashSet::from([300, 5, -1, 70_000])),
        one("set of texts", json!({"$set": ["b", "a", "aa"]}), BTreeSet::from(["b", "a", "aa"])),
        one("set, empty", json!({"$set": []}), BTreeSet::<u8>::new()),
        one("time, whole second", json!({"$datetime": "2024-02-29T12:30:45+00:00"}), utc("2024-02-29T12:30:45Z").ok()),
        one(
            "time, microseconds",
            json!({"$datetime": "2024-02-29T12:30:45.123457+05:30"}),
            time("2024-02-29T12:30:45.123457+05:30").ok(),
        ),
        one(
            "time, before 1970",
            json!({"$datetime": "1969-12-31T23:59:59.999999+00:00"}),
            utc("1969-12-31T23:59:59.999999Z").ok(),
        ),
        one(
            "time, of the system",
            json!({"$datetime": "2001-09-09T01:46:40.500000+00:00"}),
            UNIX_EPOCH + Duration::from_millis(1_000_000_000_500),
        ),
        one("uuid", json!({"$uuid": id.to_string()}), id),
        one("decimal, by its text", json!("19.90"), AsText("19.90")),
    ]
}

/// Calls as Python makes them, with defaults, names, and more than was declared.
fn calls() -> Vec<Case> {
    let no = None::<f64>;
    let nothing = BTreeMap::<&str, &str>::new();
    vec![
        of("no arguments", "none", json!([]), json!({}), &()),
        of("three arguments", "three", json!([1, "EUR", null]), json!({}), &(1, "EUR", None::<u8>)),
        of("a default", "price", json!([7]), json!({}), &(7, "EUR", false)),
        of("by name", "price", json!([]), json!({"net": true, "item": 7}), &(7, "EUR", true)),
        of("rest, empty", "total", json!([1]), json!({}), &(1, [0; 0], no, nothing)),
        of(
            "rest of both kinds",
            "total",
            json!([1, 2, 3]),
            json!({"zone": "b", "area": "a", "discount": {"$float": "0.5"}}),
            &(1, [2, 3], Some(0.5), BTreeMap::from([("zone", "b"), ("area", "a")])),
        ),
    ]
}

fn refused() -> Vec<Case> {
    vec![
        one("not a number", json!({"$float": "nan"}), f64::NAN),
        one("infinity", json!({"$float": "inf"}), f64::INFINITY),
        one("infinity inside", json!([{"a": {"$float": "-inf"}}]), [BTreeMap::from([("a", f64::NEG_INFINITY)])]),
        one("integer, too large", json!({"$int": "18446744073709551616"}), 1_u128 << 64),
        one("integer, too small", json!({"$int": "-9223372036854775809"}), i128::from(i64::MIN) - 1),
    ]
}

fn one(name: &'static str, spelled: Value, argument: impl InteropArg) -> Case {
    of(name, "one", json!([spelled]), json!({}), &(argument,))
}

fn of(
    name: &'static str,
    signature: &'static str,
    positional: Value,
    named: Value,
    arguments: &impl InteropArgs,
) -> Case {
    Case { name, signature, positional, named, key: InteropKey::of(arguments) }
}
