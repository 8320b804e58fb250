//! Keys: those of the Python client, and what holds for every argument.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use cachekit_core::{Backend, Cache, ErrorCode, IntoKey, Key, KeyWriter, MemoryBackend, SinglePart};
use cachekit_serde::MessagePack;
use cachekit_serde::interop::{ArgWriter, AsText, Binary, InteropArg, InteropArgs, InteropKey, InteropValues};
use proptest::prelude::*;
use serde_json::Value;

use crate::typed::Typed;
use crate::{BINDING, KEYS, hex, name_of, rows};

fn arguments(json: &Value) -> Option<Vec<Typed>> {
    json.as_array().unwrap().iter().map(Typed::of).collect()
}

#[test]
fn keys_are_those_of_the_python_client() {
    let accepted = rows(KEYS, "accept");
    for row in &accepted {
        let arguments = arguments(&row["args"]).unwrap();
        assert_eq!(hex(&InteropKey::hashed_bytes(&arguments).unwrap()), row["canonical_args_hex"], "{}", name_of(row));
        let key = InteropKey::of_each(&arguments).unwrap();
        assert_eq!(key.as_str(), row["args_hash"], "{}", name_of(row));
        assert_eq!(InteropKey::from_digits(key.as_str()).unwrap(), key);
    }
    assert!(accepted.len() > 150, "{} rows", accepted.len());
}

#[tokio::test]
async fn entries_stand_where_the_python_client_looks_for_them() {
    for row in rows(KEYS, "accept") {
        let (store, [namespace, operation, key]) = (MemoryBackend::new(), names(&row));
        let cache = Cache::<MessagePack>::builder().backend(store.connect()).build().unwrap();
        let values = cache.namespace::<u8>(&namespace).serializer(InteropValues).interop(&operation).open().unwrap();
        values.set(InteropKey::of_each(&arguments(&row["args"]).unwrap()).unwrap(), 7).await.unwrap();
        let entry = store.get(&Key::new(&key).unwrap()).await.unwrap().unwrap();
        assert_eq!(entry.value.as_ref(), [7], "{}", name_of(&row));
    }
}

#[test]
fn what_the_python_client_refuses_is_refused() {
    let cache = Cache::<MessagePack>::builder().build().unwrap();
    let mut unwritable = Vec::new();
    let mut refused = 0;
    for row in rows(KEYS, "reject") {
        let [namespace, operation, _] = names(&row);
        let opened = cache.namespace::<u8>(&namespace).serializer(InteropValues).interop(&operation).open();
        let error = match (opened, arguments(&row["args"]).filter(|all| all.iter().all(Typed::can_be_an_argument))) {
            (Err(error), _) => error,
            (Ok(_), Some(arguments)) => InteropKey::of_each(&arguments).unwrap_err(),
            (Ok(_), None) => {
                unwritable.push(name_of(&row).to_owned());
                continue;
            }
        };
        assert_eq!(error.code(), ErrorCode::E042, "{}: {error}", name_of(&row));
        refused += 1;
    }
    // No type of Rust that can be an argument holds these.
    let expected = [
        "naive_time",
        "naive_time_in_a_map",
        "date",
        "time_of_day",
        "lone_surrogate_first_half",
        "lone_surrogate_second_half",
        "lone_surrogate_as_key",
        "integer_as_key",
        "bool_as_key",
        "null_as_key",
        "bytes_as_key",
        "float_as_key",
        "integer_as_key_deep_inside",
        "foreign_object",
        "foreign_object_in_a_list",
    ];
    assert_eq!(unwritable, expected);
    assert!(refused > 50, "{refused} rows");
}

#[test]
fn what_is_one_key_there_is_one_here() {
    for row in rows(KEYS, "equal") {
        for arguments in row["a"].as_array().unwrap() {
            let key = InteropKey::of_each(&self::arguments(arguments).unwrap()).unwrap();
            assert_eq!(key.as_str(), row["args_hash"], "{}", row["rule"]);
        }
    }
    for row in rows(KEYS, "different") {
        let (arguments, hashes) = (row["args"].as_array().unwrap(), row["args_hashes"].as_array().unwrap());
        for (arguments, hash) in arguments.iter().zip(hashes) {
            let key = InteropKey::of_each(&self::arguments(arguments).unwrap()).unwrap();
            assert_eq!(key.as_str(), hash, "{}", row["rule"]);
        }
    }
}

#[test]
fn calls_of_python_functions_are_written_as_tuples() {
    fn check(row: &Value, arguments: &impl InteropArgs) {
        assert_eq!(InteropKey::of(arguments).unwrap().as_str(), row["args_hash"], "{}", name_of(row));
    }
    for row in rows(BINDING, "rows") {
        match name_of(&row) {
            // price(item, currency="EUR", *, net=False)
            "positional" | "named" | "defaults_spelled_out" => check(&row, &(7, "EUR", false)),
            "named_in_another_order" => check(&row, &(7, "USD", true)),
            // total(first, *others, discount=None, **options)
            "nothing_more" => check(&row, &(1, [0_u8; 0], None::<f64>, HashMap::<String, u8>::new())),
            "more_of_both" => {
                check(&row, &(1, [2, 3], None::<f64>, BTreeMap::from([("zone", "b"), ("area", "a")])));
            }
            "everything" => check(&row, &(1, [2], 0.5, HashMap::from([("area", None::<u8>)]))),
            // placed(left, right, /, middle=0)
            "only_by_place" => check(&row, &(1, 2, 0)),
            "by_place_and_by_name" => check(&row, &(1, 2, 3)),
            other => panic!("a row that is not known: {other}"),
        }
    }
}

#[test]
fn what_python_takes_besides_stands_for_what_all_have() {
    for row in rows(KEYS, "conveniences") {
        let key = InteropKey::of_each(&arguments(&row["args"]).unwrap()).unwrap();
        assert_eq!(key.as_str(), row["args_hash"], "{}", name_of(&row));
    }
}

/// What two types write of the same thing is the same.
#[test]
fn types_write_what_python_would() {
    fn same(one: impl InteropArg, other: impl InteropArg) {
        assert_eq!(InteropKey::hashed_bytes(&[one]).unwrap(), InteropKey::hashed_bytes(&[other]).unwrap());
    }
    for number in [0_u8, 1, 127, 128, 255] {
        same(number, u64::from(number));
        same(number, i128::from(number));
        same(number, f64::from(number));
        same(number, f32::from(number));
        same(u16::from(number), usize::from(number));
    }
    same(NonZero::<i64>::new(-7).unwrap(), -7_i8);
    same(0.1_f32, f64::from(0.1_f32));
    same('ä', "ä");
    same("x".to_owned(), Cow::Borrowed("x"));
    same(Arc::new(Box::new("x")), Some("x"));
    same(Bytes::from_static(b"abc"), Binary(vec![b'a', b'b', b'c']));
    same([1, 2], vec![1_u64, 2]);
    same((1, "a"), [Typed::Int(1), Typed::Text("a".into())].as_slice());
    same(VecDeque::from([1, 2]), &[1, 2][..]);
    same(HashSet::from([3, 1, 2]), BTreeSet::from([1, 2, 3]));
    same(BTreeSet::from([1, 2, 3]), [1, 2, 3]);
    same(HashMap::from([("b", 1), ("a", 2)]), BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 1)]));
    same(AsText("1.50".parse::<rust_decimal::Decimal>().unwrap()), "1.50");
    same(UNIX_EPOCH + Duration::from_nanos(1_500_000_999), 1.5);
    same(UNIX_EPOCH - Duration::from_nanos(1), -0.000_001);
    same(UNIX_EPOCH - Duration::from_micros(1), -0.000_001);
    same(UNIX_EPOCH + Duration::from_secs(7), 7);
    same("1970-01-01T00:00:01.5+00:00".parse::<chrono::DateTime<chrono::Utc>>().unwrap(), 1.5);
    same("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11".parse::<uuid::Uuid>().unwrap(), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
}

#[test]
fn an_error_says_which_argument_and_why() {
    fn check(arguments: &impl InteropArgs, expected: &str) {
        let error = InteropKey::of(arguments).unwrap_err();
        assert_eq!(error.code(), ErrorCode::E042);
        assert_eq!(error.to_string(), format!("E042 ConfigurationError: {expected}"));
    }
    check(&(1, f64::NAN), "argument 2 of 2 of an interop key: expected a finite number, got NaN");
    check(
        &(1, [f32::NEG_INFINITY], 2),
        "argument 2 of 3 of an interop key: expected a finite number, got an infinite one",
    );
    let integers = "expected an integer of -2^63 to 2^64 - 1";
    check(&(u128::MAX,), &format!("argument 1 of 1 of an interop key: {integers}, got a larger one"));
    check(&(i128::MIN, f64::NAN), &format!("argument 1 of 2 of an interop key: {integers}, got a smaller one"));
}

#[test]
fn arguments_that_do_not_write_one_value_are_refused() {
    struct Wrong(fn(&mut ArgWriter));
    impl InteropArg for Wrong {
        fn write_arg(&self, writer: &mut ArgWriter) {
            (self.0)(writer);
        }
    }
    let wrong: [fn(&mut ArgWriter); 8] = [
        |_| {},
        |writer| [1, 2].iter().for_each(|number| writer.unsigned(*number)),
        |writer| writer.array(2, ArgWriter::none),
        |writer| writer.array(0, ArgWriter::none),
        |writer| writer.map(|map| map.entry("a", &Wrong(|_| {}))),
        |writer| writer.map(|map| ["a", "a"].iter().for_each(|key| map.entry(key, &1))),
        |writer| writer.set(|set| set.element(&Wrong(|_| {}))),
        |writer| writer.array(1, |writer| writer.refuse("nothing of the kind", "it")),
    ];
    for (at, write) in wrong.into_iter().enumerate() {
        let error = InteropKey::of(&("before", Wrong(write))).unwrap_err();
        assert!(error.to_string().contains("argument 2 of 2"), "{at}: {error}");
    }
    InteropKey::of(&(Wrong(|writer| writer.array(1, |writer| writer.map(|_| {}))),)).unwrap();
}

#[test]
fn digits_from_elsewhere_are_checked() {
    let digits = InteropKey::of(&(1,)).unwrap().as_str().to_owned();
    InteropKey::from_digits(&digits).unwrap();
    for text in ["", "7", &digits[1..], &digits.to_uppercase(), &format!("{digits}0"), &digits.replace('0', "g")] {
        assert_eq!(InteropKey::from_digits(text).unwrap_err().code(), ErrorCode::E042, "{text:?}");
    }
}

#[test]
fn a_key_is_one_text_and_shown_shortened() {
    let key = InteropKey::of(&(42, false)).unwrap();
    assert_eq!(key.single_part(), Some(SinglePart::Text(key.as_str())));
    let mut writer = KeyWriter::new(b"orders:find:");
    key.write_key(&mut writer);
    assert_eq!(writer.as_bytes(), format!("orders:find:{}", key.as_str()).as_bytes());
    assert_eq!(format!("{key:?}"), "InteropKey(b6ffea2d..)");
}

proptest! {
    #[test]
    fn the_order_of_maps_and_sets_leaves_no_trace(mut pairs in proptest::collection::hash_map(".{0,5}", any::<f64>(), 0..40)) {
        pairs.retain(|_, number| number.is_finite());
        let mut list: Vec<_> = pairs.iter().map(|(key, number)| (Typed::Text(key.clone()), Typed::Float(*number))).collect();
        let forwards = (Typed::Map(list.clone()), Typed::Set(list.iter().map(|(_, number)| number.clone()).collect()));
        list.reverse();
        let backwards = (Typed::Map(list.clone()), Typed::Set(list.into_iter().map(|(_, number)| number).collect()));
        prop_assert_eq!(InteropKey::of(&forwards).unwrap(), InteropKey::of(&backwards).unwrap());
        prop_assert_eq!(InteropKey::of(&(pairs,)).unwrap(), InteropKey::of(&(forwards.0,)).unwrap());
    }

    #[test]
    fn a_float_is_the_integer_that_it_is_equal_to(number in any::<i32>()) {
        prop_assert_eq!(InteropKey::of(&(f64::from(number),)).unwrap(), InteropKey::of(&(number,)).unwrap());
    }
}

fn names(row: &Value) -> [String; 3] {
    ["namespace", "operation", "key"].map(|name| row[name].as_str().unwrap_or_default().to_owned())
}
