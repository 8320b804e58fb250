//! Values: those of the Python client, and what holds for every document.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use cachekit_core::{Error, ErrorCode, Format, Serializer};
use cachekit_serde::interop::InteropValues;
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::typed::{Typed, any_value};
use crate::{BOUNDS, VALUES, bytes_of, hex, name_of, rows};

#[test]
fn values_are_written_as_the_python_client_writes_them() {
    let written = rows(VALUES, "write");
    for row in &written {
        let value = Typed::of(&row["value"]).unwrap();
        assert_eq!(hex(&write(&value).unwrap()), row["bytes_hex"], "{}", name_of(row));
    }
    assert!(written.len() > 150, "{} rows", written.len());
}

#[test]
fn what_the_python_client_does_not_write_is_not_written() {
    let mut untold = Vec::new();
    for row in rows(VALUES, "write_reject") {
        match Typed::of(&row["value"]).filter(Typed::can_be_told) {
            Some(value) => assert_eq!(write(&value).unwrap_err().code(), ErrorCode::E020, "{}", name_of(&row)),
            None => untold.push(name_of(&row).to_owned()),
        }
    }
    // Serde tells sets as lists and UUIDs as text; the others are no values of Rust.
    assert_eq!(untold, ["set", "id", "lone_surrogate", "foreign_object", "foreign_object_inside"]);
}

#[test]
fn what_the_python_client_reads_is_read() {
    for row in rows(VALUES, "read_accept") {
        let (name, bytes) = (name_of(&row), bytes_of(&row["bytes_hex"]));
        let Some(value) = row.get("value") else {
            // Rust bounds the depth to 100, as its other client does; Python goes on to 1,024.
            assert_eq!(read::<serde::de::IgnoredAny>(&bytes).is_ok(), name == "depth_100", "{name}");
            continue;
        };
        let read: Typed = read(&bytes).unwrap();
        match Typed::of(value).unwrap() {
            // As a date it is read where the type says so: see the dates.
            Typed::Moment(_) | Typed::Naive(_) | Typed::Date(_) | Typed::Time(_) => {
                assert!(matches!(read, Typed::Map(_)), "{name}");
            }
            expected => assert_eq!(sorted(read), sorted(expected), "{name}"),
        }
    }
}

#[test]
fn what_no_reader_may_accept_is_refused() {
    for row in rows(VALUES, "read_reject") {
        let bytes = bytes_of(&row["bytes_hex"]);
        let required = row["required_of_every_reader"].as_bool().unwrap();
        match read::<Typed>(&bytes) {
            Err(error) => assert_eq!(error.code(), ErrorCode::E021, "{}: {error}", name_of(&row)),
            Ok(value) => assert!(!required, "{} gave {value:?}", name_of(&row)),
        }
    }
}

#[test]
fn documents_are_bounded_as_the_vectors_say() {
    for row in rows(BOUNDS, "rows") {
        let refused = read::<serde::de::IgnoredAny>(&bytes_of(&row["bytes_hex"])).is_err();
        // That bytes follow is not looked at there; a reader of entries looks.
        let expected = row["result"] != "ok" || name_of(&row) == "ok_whatever_follows";
        assert_eq!(refused, expected, "{}", name_of(&row));
    }
}

#[test]
fn extensions_are_read_where_there_is_a_place_for_them() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename = "_ExtStruct")]
    struct Extension((i8, serde_bytes::ByteBuf));
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Known {
        a: u8,
    }
    for row in rows(VALUES, "read_ext") {
        let extension = bytes_of(&row["bytes_hex"]);
        let Extension((kind, bytes)) = plain_read(&extension);
        // One with a length of its own has that before its kind.
        let at = if extension[0] == 0xc7 { 2 } else { 1 };
        assert_eq!((kind as u8, bytes.as_slice()), (extension[at], &extension[at + 1..]), "{}", name_of(&row));
        let skipped = [b"\x82\xa1x".as_slice(), &extension, b"\xa1a\x07"].concat();
        assert_eq!(read::<Known>(&skipped).unwrap(), Known { a: 7 }, "{}", name_of(&row));
        read::<u8>(&extension).unwrap_err();
    }

    fn plain_read<T: DeserializeOwned + Serialize + 'static>(bytes: &[u8]) -> T {
        read(bytes).unwrap()
    }
}

#[test]
fn a_frame_of_the_standard_mode_is_told_as_one() {
    let error = read::<u8>(b"CK\x03\0\0\0\x02{}\xc0").unwrap_err();
    assert_eq!(
        error.to_string(),
        "E021 DeserializationError: interop MessagePack: expected a document, at byte 0 of 10; this looks like an entry of \
         the Python client's standard mode"
    );
    assert_eq!(read::<u8>(b"C").unwrap(), 67, "a number, and nothing else");
}

#[test]
fn of_two_pairs_with_one_key_the_later_counts() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Known {
        a: Inner,
        b: u8,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Inner {
        c: u8,
    }
    // The keys `a` (twice, once with a longer header) and, within, `c` (twice).
    let bytes = b"\x83\xa1a\x81\xa1c\x01\xa1b\x05\xd9\x01a\x82\xa1c\x02\xa1c\x03";
    assert_eq!(read::<Known>(bytes).unwrap(), Known { a: Inner { c: 3 }, b: 5 });
    // A text is another key than the number of its only byte.
    assert_eq!(read::<BTreeMap<Keys, u8>>(b"\x82\xa1a\x01\x61\x02").unwrap().len(), 2);
    read::<Known>(b"\x82\xa1a\x81\xa1c\x01\xa1a\x07").unwrap_err();

    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Keys {
        Text(String),
        Number(u8),
    }
}

#[test]
fn types_of_serde_take_their_form() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Shape {
        Nothing,
        Circle(f32),
        Line(i16, i16),
        Box { width: u8, height: u8 },
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Unit;
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Flat {
        z: u8,
        #[serde(flatten)]
        rest: HashMap<String, u8>,
    }
    same(Shape::Nothing, b"\xa7Nothing");
    same(Shape::Circle(0.5), b"\x81\xa6Circle\xcb\x3f\xe0\0\0\0\0\0\0");
    same(Shape::Line(-1, 256), b"\x81\xa4Line\x92\xff\xcd\x01\0");
    same(Shape::Box { width: 1, height: 255 }, b"\x81\xa3Box\x82\xa6height\xcc\xff\xa5width\x01");
    same(Unit, b"\xc0");
    same(Flat { z: 1, rest: HashMap::from([("a".to_owned(), 2)]) }, b"\x82\xa1a\x02\xa1z\x01");
    same(Some('ä'), b"\xa2\xc3\xa4");
    same(BTreeMap::from([('b', 1), ('a', 2)]), b"\x82\xa1a\x02\xa1b\x01");
    same(u128::from(u64::MAX), b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff");
    same(i128::from(i64::MIN), b"\xd3\x80\0\0\0\0\0\0\0");
    same(serde_bytes::ByteBuf::from(vec![1, 2]), b"\xc4\x02\x01\x02");
    same(vec![1_u8, 2], b"\x92\x01\x02");
    assert_eq!(Serializer::<u8>::format(&InteropValues), Format::INTEROP);
    assert_eq!(Serializer::<u8>::absent(&InteropValues), Some(&[0xc0][..]));
}

#[test]
fn what_cannot_be_shared_is_refused_with_its_path() {
    #[derive(Serialize, Deserialize)]
    struct Order<T> {
        lines: Vec<T>,
    }
    #[derive(Serialize, Deserialize)]
    struct Twice {
        a: u8,
        #[serde(flatten)]
        rest: BTreeMap<String, u8>,
    }
    fn refused<T: Serialize + DeserializeOwned + 'static>(value: T, expected: &str) {
        let error = write(&Order { lines: vec![value] }).unwrap_err();
        assert_eq!(error.code(), ErrorCode::E020);
        let message = error.to_string();
        assert!(message.contains("$.lines[0]") && message.contains(expected), "{message}");
    }
    refused(f64::NAN, "NaN and infinities");
    refused(f32::INFINITY, "NaN and infinities");
    refused(u128::MAX, "integers are -2^63 to 2^64 - 1");
    refused(BTreeMap::from([(1, 2)]), "key must be a string");
    refused(BTreeMap::from([((1, 2), 2)]), "key must be a string");
    refused(Some(None::<u8>), "`None`");
    refused(Twice { a: 1, rest: BTreeMap::from([("a".to_owned(), 2)]) }, "a map with one key twice");
}

#[test]
fn serialize_appends_and_sorts_nothing_that_was_there() {
    let mut bytes = b"before".to_vec();
    InteropValues.serialize(&BTreeMap::from([("z".to_owned(), 1), ("ab".to_owned(), 2)]), &mut bytes).unwrap();
    assert_eq!(bytes, b"before\x82\xa2ab\x02\xa1z\x01");
}

proptest! {
    #[test]
    fn values_come_back_from_sorted_documents(value in any_value()) {
        let bytes = write(&value).unwrap();
        let back: Typed = read(&bytes).unwrap();
        prop_assert!(is_sorted(&back), "{}", hex(&bytes));
        prop_assert_eq!(write(&back).unwrap(), bytes);
        prop_assert_eq!(sorted(back), sorted(value));
    }

    #[test]
    fn a_part_of_a_document_is_none(value in any_value()) {
        let bytes = write(&value).unwrap();
        for end in 0..bytes.len() {
            prop_assert!(read::<Typed>(&bytes[..end]).is_err());
        }
    }

    #[test]
    fn altered_and_foreign_bytes_do_not_panic(value in any_value(), mask in 1_u8.., foreign: Vec<u8>) {
        let mut bytes = write(&value).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= mask;
            let _some_value_or_an_error = read::<Typed>(&bytes);
            let _some_value_or_an_error = read::<BTreeMap<String, u64>>(&bytes);
            bytes[at] ^= mask;
        }
        let _some_value_or_an_error = read::<Typed>(&foreign);
    }
}

fn same<T: Serialize + DeserializeOwned + PartialEq + Debug + 'static>(value: T, expected: &[u8]) {
    let bytes = write(&value).unwrap();
    assert_eq!(hex(&bytes), hex(expected), "{value:?}");
    assert_eq!(read::<T>(&bytes).unwrap(), value);
}

fn write<T: Serialize + DeserializeOwned + 'static>(value: &T) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    InteropValues.serialize(value, &mut bytes)?;
    Ok(bytes)
}

fn read<T: DeserializeOwned + 'static>(bytes: &[u8]) -> Result<T, Error> {
    // What is only read need not be writable.
    struct Read<T>(T);
    impl<T> Serialize for Read<T> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_unit()
        }
    }
    impl<'de, T: Deserialize<'de>> Deserialize<'de> for Read<T> {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            T::deserialize(deserializer).map(Self)
        }
    }
    let Read(value) = InteropValues.deserialize(bytes)?;
    Ok(value)
}

/// The value with all its maps in one order, for comparing.
fn sorted(value: Typed) -> Typed {
    match value {
        Typed::List(list) => Typed::List(list.into_iter().map(sorted).collect()),
        Typed::Map(pairs) => {
            let mut pairs: Vec<_> = pairs.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            pairs.sort_by_key(|(key, _)| format!("{key:?}"));
            Typed::Map(pairs)
        }
        other => other,
    }
}

/// Whether every map has its keys in the order of their code points.
fn is_sorted(value: &Typed) -> bool {
    match value {
        Typed::List(list) => list.iter().all(is_sorted),
        Typed::Map(pairs) => {
            let keys: Vec<Vec<char>> = pairs
                .iter()
                .map(|(key, _)| match key {
                    Typed::Text(text) => text.chars().collect(),
                    other => panic!("{other:?}"),
                })
                .collect();
            keys.is_sorted() && pairs.iter().all(|(_, value)| is_sorted(value))
        }
        _ => true,
    }
}

/// Rows are read as they are told.
#[test]
fn the_vectors_are_the_python_clients() {
    let file: Value = serde_json::from_str(VALUES).unwrap();
    assert!(file["generated_by"].as_str().unwrap().starts_with("cachekit 0.24.1"));
}
