//! JSON: what comes back as it was, how it looks, what is refused, and what the refusals say.
#![cfg(feature = "json")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

use std::collections::BTreeMap;
use std::fmt::Debug;

use cachekit_core::{Error, ErrorCode, Serializer};
use cachekit_serde::Json;
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[test]
fn types_of_the_usual_crates_look_as_people_write_them() {
    use chrono::{DateTime, FixedOffset, NaiveDate, Utc};
    use jiff::{Timestamp, civil};

    let chrono: DateTime<Utc> = "2026-11-25T12:30:00.5Z".parse().unwrap();
    looks(chrono, r#""2026-11-25T12:30:00.500Z""#);
    looks(chrono.with_timezone(&FixedOffset::east_opt(3_600).unwrap()), r#""2026-11-25T13:30:00.500+01:00""#);
    looks(NaiveDate::from_ymd_opt(2026, 11, 25).unwrap(), r#""2026-11-25""#);
    looks("2026-11-25T12:30:00.5Z".parse::<Timestamp>().unwrap(), r#""2026-11-25T12:30:00.5Z""#);
    looks(civil::date(2026, 11, 25).at(12, 30, 0, 0), r#""2026-11-25T12:30:00""#);
    looks(uuid::Uuid::nil(), r#""00000000-0000-0000-0000-000000000000""#);
    looks("1234567890123456789.10".parse::<rust_decimal::Decimal>().unwrap(), r#""1234567890123456789.10""#);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Seen {
        #[serde(with = "time::serde::rfc3339")]
        at: time::OffsetDateTime,
    }
    looks(Seen { at: time::macros::datetime!(2026-11-25 12:30 UTC) }, r#"{"at":"2026-11-25T12:30:00Z"}"#);
}

#[test]
fn values_come_back() {
    for number in [0.1, -0.0, f64::MAX, f64::MIN_POSITIVE, 5e-324, 2.225_073_858_507_201e-308, 9_007_199_254_740_993.0]
    {
        let back: f64 = read(&write(&number).unwrap()).unwrap();
        assert_eq!(back.to_bits(), number.to_bits());
        let back: f32 = read(&write(&(number as f32).clamp(f32::MIN, f32::MAX)).unwrap()).unwrap();
        assert_eq!(back.to_bits(), (number as f32).clamp(f32::MIN, f32::MAX).to_bits());
    }
    for number in [0, -1, i128::MIN, i128::MAX, i128::from(u64::MAX)] {
        looks(number, &number.to_string());
    }
    looks(u128::MAX, &u128::MAX.to_string());
    looks(Shape::Nothing, r#""Nothing""#);
    looks(Shape::Circle(1.5), r#"{"Circle":1.5}"#);
    looks(Shape::Line(-1, 1), r#"{"Line":[-1,1]}"#);
    looks(Shape::Box { width: 1, note: None }, r#"{"Box":{"width":1,"note":null}}"#);
    looks("a\"\\\u{1}ä\u{10ffff}".to_owned(), "\"a\\\"\\\\\\u0001ä\u{10ffff}\"");
    looks((Some(1), None::<u8>, Some(()).is_some()), "[1,null,true]");
    looks(serde_bytes::ByteBuf::from(vec![0, 255]), "[0,255]");
    looks(BTreeMap::from([(1_u8, 'a'), (2, 'b')]), r#"{"1":"a","2":"b"}"#);
    looks(BTreeMap::from([(true, ()), (false, ())]), r#"{"false":null,"true":null}"#);
    looks(BTreeMap::from([(Some('x'), i128::MIN)]), &format!(r#"{{"x":{}}}"#, i128::MIN));
}

#[test]
fn what_json_cannot_hold_is_refused_with_its_path() {
    #[derive(Serialize, Deserialize)]
    struct Shop {
        rates: Vec<f32>,
        by_pair: BTreeMap<(u8, u8), u8>,
        shape: Shape,
    }
    let shop = || Shop { rates: vec![], by_pair: BTreeMap::new(), shape: Shape::Nothing };
    write(&shop()).unwrap();
    for rate in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        refused(&Shop { rates: vec![1.0, rate], ..shop() }, "JSON: $.rates[1] of ", "NaN and infinities");
    }
    let by_pair = BTreeMap::from([((1, 2), 3)]);
    refused(&Shop { by_pair, ..shop() }, "$.by_pair{key} of ", "key must be a string");
    let shape = Shape::Box { width: 1, note: Some(None) };
    refused(&Shop { shape, ..shop() }, "$.shape.note of ", "`None`");
    refused(&Some(()), "$ of ", "`None`");
    refused(&BTreeMap::from([(None::<u8>, 1)]), "${key} of ", "key must be a string");
}

#[test]
fn depth_is_bounded_on_both_sides_alike() {
    let nest = |depth: usize| (1..depth).fold(Nest(vec![]), |inner, _| Nest(vec![inner]));
    assert_eq!(read::<Nest>(&write(&nest(127)).unwrap()).unwrap(), nest(127));
    refused(&nest(128), "$", "deeper than 127");
    undecodable::<Nest>(&b"[".repeat(128), "recursion limit exceeded for");
    // Unknown fields are skipped, however deep, without a stack.
    let deep = [&b"{\"skipped\":"[..], &b"[".repeat(100_000), &b"]".repeat(100_000), b",\"width\":1}"].concat();
    assert_eq!(read::<Width>(&deep).unwrap(), Width { width: 1 });
}

#[test]
fn exactly_one_document_is_read() {
    assert_eq!(read::<u8>(b" \n7\t").unwrap(), 7);
    undecodable::<u8>(b"7 7", "trailing characters for u8, at byte 3 of 3");
    undecodable::<Width>(b"{\"width\":1}\0", "trailing characters");
    undecodable::<u8>(b"", "an end before");
    undecodable::<String>(b"\xef\xbb\xbf\"\"", "expected value");
    undecodable::<u8>(b"// 1", "expected value");
}

#[test]
fn refusals_say_where_and_what_else_it_may_be_but_no_value() {
    let message = undecodable::<Width>(b"{\n\"width\":\"hunter2\"}", "invalid type: string, expected u8 for");
    assert!(message.contains("at byte 19 of 20"), "{message}");
    assert!(!message.contains("hunter2") && !message.contains("looks like"), "{message}");
    undecodable::<Width>(b"{}", "missing field `width`");
    undecodable::<Shape>(b"\"hunter2\"", "unknown variant, expected one of `Nothing`");
    undecodable::<u8>(b"300", "invalid value: integer, expected u8");
    undecodable::<u8>(b"\xc1ck\x01\0\0\0\x28", "native layout");
    undecodable::<u8>(b"\x81\xa5width", "this looks like MessagePack");
    undecodable::<u8>(b"\xff\xff\xff\xff\0", "this looks like Arrow IPC");
    undecodable::<u8>(b"CK\x03", "Python");
}

#[test]
fn cut_and_flipped_documents_are_refused_or_some_value() {
    let value = vec![Shape::Box { width: 7, note: Some(Some("ä\n".into())) }, Shape::Circle(0.25), Shape::Line(-1, 1)];
    let bytes = write(&value).unwrap();
    for cut in 0..bytes.len() {
        undecodable::<Vec<Shape>>(&bytes[..cut], "JSON: ");
    }
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        e021::<Vec<Shape>>(&flipped);
        e021::<Untagged>(&flipped);
    }
}

proptest! {
    #[test]
    fn any_float_comes_back(wide in any::<f64>(), narrow in any::<f32>()) {
        let back: f64 = read(&write(&wide).unwrap()).unwrap();
        prop_assert_eq!(back.to_bits(), wide.to_bits());
        let back: f32 = read(&write(&narrow).unwrap()).unwrap();
        prop_assert_eq!(back.to_bits(), narrow.to_bits());
    }

    #[test]
    fn any_text_comes_back(text in any::<String>(), map: BTreeMap<String, Option<i64>>) {
        looks_like_itself(&text)?;
        looks_like_itself(&map)?;
    }

    #[test]
    fn any_bytes_give_a_value_or_e021(bytes in "[\\[\\]{}:,\"0-9a-eE+. tru\\\\nl-]{0,40}") {
        e021::<Vec<Shape>>(bytes.as_bytes());
        e021::<Untagged>(bytes.as_bytes());
        e021::<BTreeMap<i8, Option<f64>>>(bytes.as_bytes());
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    Circle(f32),
    Line(i16, i16),
    Box { width: u8, note: Option<Option<String>> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Width {
    width: u8,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nest(Vec<Nest>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(f64),
    Text(String),
    Many(Vec<Untagged>),
    Map(BTreeMap<String, Untagged>),
}

fn write<T: Serialize + DeserializeOwned + 'static>(value: &T) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    Json.serialize(value, &mut bytes).map(|()| bytes)
}

fn read<T: Serialize + DeserializeOwned + 'static>(bytes: &[u8]) -> Result<T, Error> {
    Json.deserialize(bytes)
}

fn looks<T: Serialize + DeserializeOwned + PartialEq + Debug + 'static>(value: T, expected: &str) {
    let bytes = write(&value).unwrap();
    assert_eq!(String::from_utf8(bytes.clone()).unwrap(), expected);
    assert_eq!(read::<T>(&bytes).unwrap(), value);
}

fn looks_like_itself<T>(value: &T) -> Result<(), TestCaseError>
where
    T: Serialize + DeserializeOwned + PartialEq + Debug + 'static,
{
    prop_assert_eq!(&read::<T>(&write(value).unwrap()).unwrap(), value);
    Ok(())
}

fn refused<T: Serialize + DeserializeOwned + 'static>(value: &T, path: &str, problem: &str) {
    let error = write(value).unwrap_err();
    assert_eq!(error.code(), ErrorCode::E020);
    assert!(error.message().contains(path) && error.message().contains(problem), "{error}");
}

fn undecodable<T: Serialize + DeserializeOwned + 'static>(bytes: &[u8], expected: &str) -> String {
    let Err(error) = read::<T>(bytes) else { panic!("{bytes:02x?} was read") };
    assert_eq!(error.code(), ErrorCode::E021);
    assert!(error.message().contains(expected), "{error}");
    error.to_string()
}

fn e021<T: Serialize + DeserializeOwned + 'static>(bytes: &[u8]) {
    if let Err(error) = read::<T>(bytes) {
        assert_eq!(error.code(), ErrorCode::E021);
    }
}
