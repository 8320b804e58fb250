//! postcard: what comes back as it was, what its schema finds, what is refused, and what the refusals say.
#![cfg(feature = "postcard")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::ops::Range;
use std::time::Duration;

use cachekit_core::{Error, ErrorCode, Format, Serializer};
use cachekit_serde::Postcard;
use postcard_schema::Schema;
use postcard_schema::schema::NamedType;
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

trait Value: Serialize + DeserializeOwned + Schema + 'static {}

impl<T: Serialize + DeserializeOwned + Schema + 'static> Value for T {}

#[test]
fn values_come_back() {
    same((u8::MAX, i8::MIN, u16::MAX, i16::MIN, u32::MAX, i32::MIN));
    same((u64::MAX, i64::MIN, u128::MAX, i128::MIN, true, 'ß'));
    same((f64::NEG_INFINITY, -0.0_f32, String::from("ä\0"), (), Duration::new(3, 999_999_999)));
    same((Some(None::<u8>), Some(Some(1_u8)), Some(()), None::<()>));
    same((Ok::<u8, String>(2), Err::<u8, String>("no".into()), Range { start: 1_u8, end: 2 }));
    same(Vec::<()>::new());
    same([[7_u16; 3]; 2]);
    same(BTreeMap::from([((1_i8, true), vec![None, Some(1.5)]), ((-1, false), vec![])]));
    same(HashMap::from([(uuid::Uuid::from_u128(7), Box::new(1_u8))]));
    same(BTreeMap::from([((), 1_u8)]));
    same(Some(Shape::Nothing));
    same(vec![Shape::Circle(1.5), Shape::Line(-1, 1), Shape::Box { width: 1, note: None }]);
    same(Wrapped(Tuple(1, Unit)));
    let nan: f64 = read(&write(&f64::from_bits(0x7ff8_0000_0000_1234)).unwrap()).unwrap();
    assert_eq!(nan.to_bits(), 0x7ff8_0000_0000_1234);
}

#[test]
fn types_of_the_usual_crates_come_back() {
    let seen: chrono::DateTime<chrono::Utc> = "2026-11-25T12:30:00.5Z".parse().unwrap();
    same(seen);
    assert_eq!(write(&uuid::Uuid::nil()).unwrap(), [16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(transparent)]
    struct At(jiff::Timestamp);
    impl Schema for At {
        const SCHEMA: &'static NamedType = String::SCHEMA;
    }
    same(At("2026-11-25T12:30:00.5Z".parse().unwrap()));
}

#[test]
fn bytes_are_those_of_postcard() {
    let value = (Shape::Box { width: 300, note: Some("x".into()) }, vec![Shape::Nothing], i64::MIN, 'ß');
    assert_eq!(write(&value).unwrap(), postcard::to_stdvec(&value).unwrap());
}

/// Each next to one that differs in one thing.
#[test]
fn a_changed_type_has_another_fingerprint() {
    mod before {
        use super::*;
        #[derive(Serialize, Deserialize, Schema)]
        pub(super) struct Renamed {
            pub(super) price: u8,
        }
        #[derive(Serialize, Deserialize, Schema)]
        pub(super) struct Moved {
            pub(super) items: Vec<Item>,
            pub(super) count: u8,
        }
        #[derive(Serialize, Deserialize, Schema)]
        pub(super) struct Item {
            pub(super) id: u8,
        }
        #[derive(Serialize, Deserialize, Schema)]
        pub(super) enum Kind {
            A,
            B,
        }
    }
    mod after {
        use super::*;
        #[derive(Serialize, Deserialize, Schema)]
        pub(super) struct Renamed {
            pub(super) cost: u8,
        }
        #[derive(Serialize, Deserialize, Schema)]
        pub(super) struct Moved {
            pub(super) items: Vec<Item>,
        }
        #[derive(Serialize, Deserialize, Schema)]
        pub(super) struct Item {
            pub(super) id: u8,
            pub(super) count: u8,
        }
        #[derive(Serialize, Deserialize, Schema)]
        pub(super) enum Kind {
            B,
            A,
        }
    }
    let pairs = [
        (schema::<before::Renamed>(), schema::<after::Renamed>()),
        (schema::<before::Moved>(), schema::<after::Moved>()),
        (schema::<before::Kind>(), schema::<after::Kind>()),
        (schema::<u8>(), schema::<u16>()),
        (schema::<u8>(), schema::<i8>()),
        (schema::<u8>(), schema::<Option<u8>>()),
        (schema::<(Vec<(u8,)>, u8)>(), schema::<(Vec<(u8, u8)>,)>()),
        (schema::<[u8; 3]>(), schema::<[u8; 4]>()),
        (schema::<Vec<u8>>(), schema::<String>()),
    ];
    for (at, (before, after)) in pairs.into_iter().enumerate() {
        assert_ne!(before, after, "pair {at}");
        assert!(before != 0 && after != 0);
    }
    assert_eq!(schema::<Vec<u8>>(), schema::<Box<Vec<u8>>>(), "the same bytes mean the same");
    // It stays what it is, or every cache would be empty after an update of this crate.
    assert_eq!(schema::<Shape>(), 0xd89b_33f2_25eb_dd77);
}

#[test]
fn what_the_schema_does_not_say_is_refused_with_its_path() {
    const PROBLEM: &str = "something else than its schema says";

    #[derive(Default, Serialize, Deserialize, Schema)]
    struct Sometimes {
        always: u8,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<u8>,
    }
    same_bytes(&Sometimes { always: 1, note: Some(1) }, &[1, 1, 1]);
    refused(&Sometimes::default(), "$.note of ", "`skip_serializing_if`");
    refused(&(1_u8, vec![Sometimes::default()]), "$[1][0].note of ", "`skip_serializing_if`");

    #[derive(Serialize, Deserialize, Schema)]
    #[serde(untagged)]
    enum Untagged {
        Number(u8),
    }
    refused(&Untagged::Number(1), "$ of ", PROBLEM);

    #[derive(Serialize, Deserialize, Schema)]
    #[serde(tag = "kind")]
    enum Tagged {
        Unit,
    }
    refused(&Tagged::Unit, "$ of ", PROBLEM);

    #[derive(Serialize, Deserialize, Schema)]
    struct Flat {
        #[serde(flatten)]
        inner: Sometimes,
    }
    refused(&Flat { inner: Sometimes::default() }, "$ of ", "does not say beforehand how many elements");

    #[derive(Serialize, Deserialize)]
    struct Liar(u16);
    impl Schema for Liar {
        const SCHEMA: &'static NamedType = u8::SCHEMA;
    }
    refused(&BTreeMap::from([(1_u8, Liar(1))]), "${value} of ", PROBLEM);
}

#[test]
fn fields_that_are_never_written_are_no_trouble() {
    #[derive(Debug, PartialEq, Serialize, Deserialize, Schema)]
    struct Cached {
        id: u8,
        #[serde(skip)]
        hash: u64,
        name: String,
    }
    same_bytes(&Cached { id: 1, hash: 0, name: "x".into() }, &[1, 1, b'x']);
    same(Cached { id: 1, hash: 0, name: "x".into() });

    #[derive(Debug, PartialEq, Serialize, Deserialize, Schema)]
    #[serde(rename_all = "camelCase")]
    struct Camel {
        first_name: String,
        last_name: String,
    }
    same(Camel { first_name: "Ada".into(), last_name: "Lovelace".into() });
}

#[test]
fn elements_that_take_no_bytes_are_refused_on_both_sides() {
    refused(&vec![(), ()], "$ of ", "take no bytes");
    refused(&vec![[(); 3]], "$ of ", "take no bytes");
    refused(&vec![Unit], "$ of ", "take no bytes");
    refused(&BTreeMap::from([((), ())]), "$ of ", "take no bytes");
    undecodable::<Vec<()>>(&[1, 0], "elements that take no bytes for");
    undecodable::<Vec<()>>(&[0xff, 0xff, 0xff, 0xff, 0x0f], "more elements than there are bytes");
    undecodable::<BTreeMap<(), ()>>(&[1, 0], "elements that take no bytes");
}

#[test]
fn lengths_and_depth_are_bounded() {
    undecodable::<Vec<u64>>(&[3, 1, 1], "more elements than there are bytes for");
    undecodable::<Vec<[u64; 32]>>(&[0xff, 0xff, 0xff, 0xff, 0x07], "more elements than there are bytes");
    undecodable::<BTreeMap<u8, u8>>(&[0xff, 0xff, 0x03], "more elements than there are bytes");
    undecodable::<String>(&[0xff, 0xff, 0xff, 0xff, 0x07, b'a'], "an end before");
    undecodable::<Nest>(&[&[1; 100][..], &[0]].concat(), "deeper than 100");
    assert!(read::<Nest>(&[&[1; 99][..], &[0]].concat()).is_ok());
    undecodable::<Nest>(&[1; 1_000_000], "deeper than 100");
    // Options and newtypes take no level, but a step each.
    undecodable::<Chain>(&[1; 1_000_000], "in more than 400 steps");
    assert!(read::<Chain>(&[&[1; 199][..], &[0]].concat()).is_ok());
}

#[test]
fn exactly_one_document_is_read() {
    undecodable::<u8>(&[7, 0], "bytes follow the document for u8, at byte 1 of 2");
    undecodable::<u8>(&[], "an end before");
    undecodable::<()>(&[0], "bytes follow");
}

#[test]
fn refusals_say_where_and_why_but_no_value() {
    undecodable::<(u8, bool)>(&[7, 2], "a byte that is neither false nor true for (u8, bool), at byte 2 of 2");
    undecodable::<Option<u8>>(&[2], "neither `None` nor `Some`");
    undecodable::<Shape>(&[4], "refuses");
    undecodable::<char>(&[1, 0xff], "a character that is none");
    undecodable::<String>(&[1, 0xff], "not UTF-8");
    undecodable::<u16>(&[0xff, 0xff, 0x7f], "out of range");
    undecodable::<bool>(br#"{"id":1}"#, "this looks like JSON");
    undecodable::<bool>(b"\xc1ck\x01\0\0\0\x28", "native layout");
}

#[test]
fn cut_and_flipped_documents_are_refused_or_some_value() {
    let value = vec![Shape::Box { width: 300, note: Some("ä".into()) }, Shape::Circle(0.25), Shape::Line(-1, 1)];
    let bytes = write(&value).unwrap();
    for cut in 0..bytes.len() {
        undecodable::<Vec<Shape>>(&bytes[..cut], "postcard: ");
    }
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        e021::<Vec<Shape>>(&flipped);
    }
}

proptest! {
    #[test]
    fn any_value_comes_back(value: (BTreeMap<String, Vec<Option<i64>>>, i128, u16), wide in any::<f64>()) {
        let value = (value.0, value.1, value.2, wide);
        let bytes = write(&value).unwrap();
        prop_assert_eq!(&bytes, &postcard::to_stdvec(&value).unwrap());
        prop_assert_eq!(read::<(BTreeMap<String, Vec<Option<i64>>>, i128, u16, f64)>(&bytes).unwrap(), value);
    }

    #[test]
    fn any_bytes_give_a_value_or_e021(bytes in prop::collection::vec(prop_oneof![0..6_u8, any::<u8>()], 0..64)) {
        e021::<Vec<Shape>>(&bytes);
        e021::<BTreeMap<Option<i16>, Vec<(u8, char)>>>(&bytes);
        e021::<Nest>(&bytes);
        e021::<Vec<Vec<()>>>(&bytes);
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Schema)]
enum Shape {
    Nothing,
    Circle(f32),
    Line(i16, i16),
    Box { width: u32, note: Option<String> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
struct Unit;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
struct Tuple(u8, Unit);

#[derive(Debug, PartialEq, Serialize, Deserialize, Schema)]
struct Wrapped(Tuple);

/// Only ever read: what it writes is not what its schema says.
#[derive(Debug, Serialize, Deserialize)]
struct Nest(Vec<Nest>);

impl Schema for Nest {
    const SCHEMA: &'static NamedType = <Vec<u8>>::SCHEMA;
}

#[derive(Debug, Serialize, Deserialize)]
struct Chain(Option<Box<Chain>>);

impl Schema for Chain {
    const SCHEMA: &'static NamedType = <Vec<u8>>::SCHEMA;
}

fn schema<T: Value>() -> u64 {
    let format = Serializer::<T>::format(&Postcard);
    assert_eq!(format.id, Format::POSTCARD.id);
    format.schema
}

fn write<T: Value>(value: &T) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    Postcard.serialize(value, &mut bytes).map(|()| bytes)
}

fn read<T: Value>(bytes: &[u8]) -> Result<T, Error> {
    Postcard.deserialize(bytes)
}

fn same<T: Value + PartialEq + Debug>(value: T) {
    let bytes = write(&value).unwrap_or_else(|error| panic!("{value:?}: {error}"));
    let back: T = read(&bytes).unwrap_or_else(|error| panic!("{value:?}: {error}: {bytes:02x?}"));
    assert_eq!(back, value);
}

fn same_bytes<T: Value>(value: &T, expected: &[u8]) {
    assert_eq!(write(value).unwrap(), expected);
}

fn refused<T: Value>(value: &T, path: &str, problem: &str) {
    let error = write(value).unwrap_err();
    assert_eq!(error.code(), ErrorCode::E020);
    assert!(error.message().contains(path) && error.message().contains(problem), "{error}");
}

fn undecodable<T: Value>(bytes: &[u8], expected: &str) {
    let Err(error) = read::<T>(bytes) else { panic!("{:02x?} was read", &bytes[..bytes.len().min(32)]) };
    assert_eq!(error.code(), ErrorCode::E021);
    assert!(error.message().contains(expected), "{error}");
}

fn e021<T: Value>(bytes: &[u8]) {
    if let Err(error) = read::<T>(bytes) {
        assert_eq!(error.code(), ErrorCode::E021);
    }
}
