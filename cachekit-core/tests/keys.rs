//! Keys and times to live: the documented encodings, their properties, and what bad input is told.
#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::num::{NonZeroI8, NonZeroU64};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use cachekit_core::{Error, ErrorCode, IntoKey, Key, KeyPrefix, KeyWriter, NonZeroDuration, Ttl};
use proptest::collection::vec;
use proptest::prelude::*;

fn written(value: &(impl IntoKey + ?Sized)) -> String {
    let mut writer = KeyWriter::new(b"");
    value.write_key(&mut writer);
    String::from_utf8(writer.as_bytes().to_vec()).unwrap()
}

#[test]
fn the_encoding_is_as_documented() {
    fn check(value: impl IntoKey, expected: &str) {
        assert_eq!(written(&value), expected);
    }
    check(0_u8, "0");
    check(-128_i8, "-128");
    check(u64::MAX, "18446744073709551615");
    check(i128::MIN, "-170141183460469231731687303715884105728");
    check(usize::MAX, "18446744073709551615");
    check(NonZeroU64::new(7).unwrap(), "7");
    check(NonZeroI8::new(-7).unwrap(), "-7");
    check(true, "true");
    check(false, "false");
    check('a', "a");
    check('é', "_c3_a9");
    check(Duration::from_millis(1500), "1500000000");
    check((), "");
    check(PhantomData::<f64>, "");

    check("", "_v");
    check("plain.Text-0", "plain.Text-0");
    check("a_b@c", "a_5fb_40c");
    check("a:b", "a_3ab");
    check(" \n\0\x7f{}", "_20_0a_00_7f_7b_7d");
    check("ü€𝄞", "_c3_bc_e2_82_ac_f0_9d_84_9e");
    check(String::from("owned"), "owned");
    check(Box::<str>::from("b_x"), "b_5fx");
    check(Rc::<str>::from("rc"), "rc");
    check(Arc::<str>::from("arc"), "arc");
    check(Cow::Borrowed("cow"), "cow");
    check((&&Box::new(5_u8), Rc::new(&mut 6_u8)), "5:6");

    check(Ipv4Addr::LOCALHOST, "127.0.0.1");
    check(IpAddr::V6(Ipv6Addr::LOCALHOST), "_3a_3a1");
    check(SocketAddr::from(([10, 0, 0, 1], 80)), "10.0.0.1_3a80");
    check(SocketAddrV6::new(Ipv6Addr::LOCALHOST, 80, 0, 0), "_5b_3a_3a1_5d_3a80");
    check(SocketAddrV6::new(Ipv6Addr::LOCALHOST, 80, 9, 2), "_5b_3a_3a1_252_5d_3a80_2f9");

    check(None::<u8>, "_n");
    check(Some(42), "42");
    check(Some(None::<u8>), "_s_n");
    check(Some(Some(None::<u8>)), "_s_s_n");
    check(Some(Some(1)), "1");
    check(None::<()>, "_n");
    check(Some(()), "_s");
    check(Some(Some(())), "_s_s");
    check(Some(""), "_v");
    check(Some("_n"), "_5fn");
    check(Some((None::<u8>, 1)), "_s_n:1");
    check((Some(()), None::<()>), "_s:_n");
    check((1, Some(()), Some(3)), "1:_s:3");
    check(Some((Some(()), Some(((), None::<u8>)))), "_s_s:_s_n");

    check([0_u8; 0], "_l0");
    check([1, 2], "_l2:1:2");
    check(["x", ""].as_slice(), "_l2:x:_v");
    check(vec![vec![1], vec![]], "_l2:_l1:1:_l0");
    check(vec![(), ()], "_l2");
    check(Some(Vec::<u8>::new()), "_l0");
    check(VecDeque::from([1, 2]), "_l2:1:2");
    check(BTreeSet::from([2, 1]), "_l2:1:2");
    check(BTreeMap::from([("b", 2), ("a", 1)]), "_l2:a:1:b:2");

    check((1,), "1");
    check(("users", -7), "users:-7");
    check((1, (2, (3, ())), 4), "1:2:3:4");
    check((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), "1:2:3:4:5:6:7:8:9:10:11:12");
}

#[test]
#[cfg(feature = "uuid")]
fn a_uuid_is_its_hyphenated_text() {
    assert_eq!(written(&uuid::Uuid::from_u128(0x1234)), "00000000-0000-0000-0000-000000001234");
}

#[test]
fn what_is_displayed_is_escaped_and_never_an_empty_part() {
    let mut writer = KeyWriter::new(b"");
    writer.display(format_args!("{}/{}", "2026", "02"));
    writer.display("");
    assert_eq!(writer.as_bytes(), b"2026_2f02:_v");
}

#[test]
fn what_stands_before_is_kept_and_followed_at_once() {
    let mut writer = KeyWriter::new(b"{t}:ns:");
    (1, Some(None::<u8>)).write_key(&mut writer);
    assert_eq!(writer.as_bytes(), b"{t}:ns:1:_s_n");
}

#[test]
fn parts_written_earlier_count_as_written_here() {
    let cases: [&dyn Fn(&mut KeyWriter); 5] = [
        &|writer| ().write_key(writer),
        &|writer| None::<u8>.write_key(writer),
        &|writer| Some(()).write_key(writer),
        &|writer| ("a:b", 1).write_key(writer),
        &|writer| (None::<u8>, 1).write_key(writer),
    ];
    for write in cases {
        let [mut direct, mut copied, mut earlier] = [b"ns:", b"ns:", b"..."].map(|before| KeyWriter::new(before));
        7.write_key(&mut direct);
        direct.some(|writer| writer.some(write));
        write(&mut earlier);
        7.write_key(&mut copied);
        Some(Some(earlier)).write_key(&mut copied);
        assert_eq!(copied.as_bytes(), direct.as_bytes());
    }
}

#[test]
fn keys_of_every_length_are_built() {
    let mut reused = KeyWriter::empty();
    for length in 0..=130 {
        let before = "b".repeat(length);
        let mut fresh = KeyWriter::new(before.as_bytes());
        reused.begin(before.as_bytes());
        for writer in [&mut fresh, &mut reused] {
            ("", 0, u64::MAX, "a_b", i128::MIN, "seventeen-letters", None::<u8>).write_key(writer);
            let expected = format!("{before}_v:0:{}:a_5fb:{}:seventeen-letters:_n", u64::MAX, i128::MIN);
            assert_eq!(String::from_utf8_lossy(writer.as_bytes()), expected);
        }
    }
}

#[test]
fn every_integer_is_decimal() {
    for power in 0..39 {
        let power = 10_u128.pow(power);
        for integer in [power - 1, power, power + 1] {
            assert_eq!(written(&integer), integer.to_string());
            assert_eq!(written(&(integer as u64)), (integer as u64).to_string());
            assert_eq!(written(&-(integer as i64)), (-(integer as i64)).to_string());
        }
    }
}

#[test]
fn what_was_written_stays_out_of_debug() {
    let mut writer = KeyWriter::new(b"users:");
    "alice".write_key(&mut writer);
    assert_eq!(format!("{writer:?}"), "KeyWriter { len: 11, .. }");
}

/// A type of key, made at random, for it is within one type that no two values may meet.
#[derive(Clone, Debug)]
enum Shape {
    Unit,
    Integer,
    Bool,
    Text,
    Option(Box<Shape>),
    Slice(Box<Shape>),
    Tuple(Vec<Shape>),
    Enum(Vec<Shape>),
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Unit,
    Integer(i64),
    Bool(bool),
    Text(String),
    Option(Option<Box<Value>>),
    Slice(Vec<Value>),
    Tuple(Vec<Value>),
    Enum(usize, Box<Value>),
}

impl IntoKey for Value {
    fn write_key(&self, writer: &mut KeyWriter) {
        match self {
            Self::Unit => ().write_key(writer),
            Self::Integer(integer) => integer.write_key(writer),
            Self::Bool(truth) => truth.write_key(writer),
            Self::Text(text) => text.write_key(writer),
            Self::Option(option) => option.write_key(writer),
            Self::Slice(elements) => elements.write_key(writer),
            Self::Tuple(fields) => fields.iter().for_each(|field| field.write_key(writer)),
            Self::Enum(variant, fields) => {
                writer.text(["A", "B_", "n"][*variant]);
                fields.write_key(writer);
            }
        }
    }
}

fn shapes() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![Just(Shape::Unit), Just(Shape::Integer), Just(Shape::Bool), Just(Shape::Text)];
    leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            3 => inner.clone().prop_map(|shape| Shape::Option(Box::new(shape))),
            1 => inner.clone().prop_map(|shape| Shape::Slice(Box::new(shape))),
            2 => vec(inner.clone(), 0..4).prop_map(Shape::Tuple),
            1 => vec(inner, 1..4).prop_map(Shape::Enum),
        ]
    })
}

/// Values that meet if anything does: few of them, and texts made of what the encoding itself uses.
fn values(shape: &Shape) -> BoxedStrategy<Value> {
    match shape {
        Shape::Unit => Just(Value::Unit).boxed(),
        Shape::Integer => prop_oneof![-2..3_i64, any::<i64>()].prop_map(Value::Integer).boxed(),
        Shape::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Shape::Text => prop_oneof!["[_:nslv12é]{0,3}", any::<String>()].prop_map(Value::Text).boxed(),
        Shape::Option(inner) => proptest::option::of(values(inner).prop_map(Box::new)).prop_map(Value::Option).boxed(),
        Shape::Slice(inner) => vec(values(inner), 0..3).prop_map(Value::Slice).boxed(),
        Shape::Tuple(fields) => fields.iter().map(values).collect::<Vec<_>>().prop_map(Value::Tuple).boxed(),
        Shape::Enum(variants) => {
            let variants = variants.iter().enumerate().map(|(variant, fields)| {
                values(fields).prop_map(move |fields| Value::Enum(variant, Box::new(fields))).boxed()
            });
            proptest::strategy::Union::new(variants).boxed()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn two_values_of_one_type_never_meet(many in shapes().prop_flat_map(|shape| vec(values(&shape), 20))) {
        let mut seen = HashMap::<String, Value>::new();
        for value in many {
            let key = written(&value);
            prop_assert!(key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte)), "{key:?}");
            if let Some(other) = seen.insert(key, value.clone()) {
                prop_assert_eq!(other, value);
            }
        }
    }

    #[test]
    fn no_value_is_the_beginning_of_another(many in shapes().prop_flat_map(|shape| vec(values(&shape), 8))) {
        let keys: Vec<_> = many.iter().map(written).collect();
        for (one, key) in many.iter().zip(&keys) {
            for (other, longer) in many.iter().zip(&keys) {
                prop_assert!(one == other || !format!("{longer}:").starts_with(&format!("{key}:")), "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn values_of_real_types_never_meet(
        one in any::<(Option<Option<String>>, Vec<Option<()>>, Option<(String, u8)>)>(),
        other in any::<(Option<Option<String>>, Vec<Option<()>>, Option<(String, u8)>)>(),
    ) {
        prop_assert_eq!(one == other, written(&one) == written(&other));
    }

    #[test]
    fn a_time_to_live_survives_its_text(
        seconds in prop_oneof![0..200_000_u64, any::<u64>()],
        nanos in prop_oneof![Just(0), 0..1_000_000_000_u32],
    ) {
        if let Ok(ttl) = Ttl::try_from(Duration::new(seconds, nanos)) {
            prop_assert_eq!(ttl.to_string().parse::<Ttl>().unwrap(), ttl);
        }
    }

    #[test]
    fn no_text_makes_parsing_panic(
        text in prop_oneof![any::<String>(), "[0-9]{0,25}[a-zµ ]{0,3}[0-9]{0,3}[dhms]{0,2}"],
    ) {
        match text.parse::<Ttl>() {
            Ok(ttl) => prop_assert_eq!(ttl.to_string().parse::<Ttl>().unwrap(), ttl),
            Err(error) => prop_assert_eq!(error.code(), ErrorCode::E043),
        }
    }
}

fn refused<T: fmt::Debug>(result: Result<T, Error>, code: ErrorCode, message: &str) {
    let error = result.unwrap_err();
    assert_eq!((error.code(), error.message()), (code, message));
}

#[test]
fn a_key_is_checked() {
    let longest = "k".repeat(250);
    for good in ["a", "ns:1", "t:acme:users:a_5fb", "-", "lock", "a:lock2", ":", &longest] {
        assert_eq!(Key::new(good).unwrap().as_str(), good);
    }
    let check = |text: &str, message: &str| refused(Key::new(text), ErrorCode::E042, message);
    let alphabet = "key: expected only A-Z a-z 0-9 _ . : -, got";
    check("", "key: expected 1 to 250 bytes, got 0 bytes");
    check(&"k".repeat(251), "key: expected 1 to 250 bytes, got 251 bytes");
    check("two words", &format!("{alphabet} ' ' at byte 3"));
    check("line\n", &format!("{alphabet} '\\n' at byte 4"));
    check("nul\0", &format!("{alphabet} '\\0' at byte 3"));
    check("{tag}", &format!("{alphabet} '{{' at byte 0"));
    check("a}", &format!("{alphabet} '}}' at byte 1"));
    check("naïve", &format!("{alphabet} 'ï' at byte 2"));
    check("ns:1:lock", "key: expected another ending than \":lock\", which is kept for locks, got one that ends so");
}

#[test]
fn a_key_is_shown_shortened() {
    let key = Key::new("users:alice_40example.com").unwrap();
    assert_eq!(format!("{key:?}"), format!("Key({})", key.redacted()));
    let digest = key.redacted().strip_prefix("users:#").unwrap().to_owned();
    assert!(digest.len() == 16 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digest}");
    assert_ne!(key.redacted(), Key::new("users:bob_40example.com").unwrap().redacted());
    assert!(Key::new("alice").unwrap().redacted().starts_with('#'));
}

#[test]
fn a_prefix_is_checked_and_covers_its_own() {
    let check = |text: &str, message: &str| refused(KeyPrefix::new(text), ErrorCode::E042, message);
    check("", "key prefix: expected 1 to 250 bytes, got 0 bytes");
    check(":", "key prefix: expected a name and \":\" at its end, got \":\" alone");
    check("users", "key prefix: expected a name and \":\" at its end, got 's' there");
    check("us ers:", "key prefix: expected only A-Z a-z 0-9 _ . : -, got ' ' at byte 2");

    let users = KeyPrefix::new("users:").unwrap();
    assert_eq!(users.as_str(), "users:");
    assert!(users.covers(&Key::new("users:1").unwrap()));
    assert!(!users.covers(&Key::new("users2:1").unwrap()));
    assert!(!users.covers(&Key::new("t:acme:users:1").unwrap()));
}

#[test]
fn a_time_to_live_is_read() {
    let check = |text: &str, expected: Duration| assert_eq!(text.parse::<Ttl>().unwrap().as_duration(), Some(expected));
    check("1", Duration::from_secs(1));
    check("300", Duration::from_secs(300));
    check("007", Duration::from_secs(7));
    check("250ms", Duration::from_millis(250));
    check("30s", Duration::from_secs(30));
    check("5m", Duration::from_secs(300));
    check("12h", Duration::from_secs(43_200));
    check("7d", Duration::from_secs(604_800));
    check("1h30m", Duration::from_secs(5_400));
    check("1d2h3m4s5ms6us7ns", Duration::new(93_784, 5_006_007));
    check("0h5m", Duration::from_secs(300));
    check("90m", Duration::from_secs(5_400));
    check("18446744073709551615", Duration::from_secs(u64::MAX));
    check("213503982334601d", Duration::from_secs(213_503_982_334_601 * 86_400));
    assert_eq!("never".parse::<Ttl>().unwrap(), Ttl::Never);
    assert_eq!(Ttl::try_from("5m").unwrap(), Ttl::secs(300));
    assert_eq!(Ttl::millis(1_500), Ttl::try_from(Duration::from_millis(1_500)).unwrap());
    assert_eq!(Ttl::from(NonZeroDuration::new(Duration::from_secs(1)).unwrap()), Ttl::secs(1));
    assert_eq!(Ttl::Never.as_duration(), None);
}

#[test]
fn a_time_to_live_is_shown_as_it_is_written() {
    let check = |duration, expected: &str| assert_eq!(Ttl::try_from(duration).unwrap().to_string(), expected);
    check(Duration::from_secs(300), "5m");
    check(Duration::from_secs(5_400), "1h30m");
    check(Duration::from_secs(86_401), "1d1s");
    check(Duration::from_millis(1_500), "1s500ms");
    check(Duration::from_nanos(1), "1ns");
    check(Duration::MAX, "213503982334601d7h15s999ms999us999ns");
    assert_eq!(Ttl::Never.to_string(), "never");
}

#[test]
fn a_bad_time_to_live_is_told_what_to_write() {
    let check = |text: &str, message: &str| refused(text.parse::<Ttl>(), ErrorCode::E043, message);
    let expected = "time to live: expected a number of seconds, or counts with the units d, h, m, s, ms as in \"5m\", \
                    \"1h30m\", \"1500ms\", or \"never\", got";
    for text in [
        "", " ", "m", "5 m", " 5m", "5m ", "-1", "+5", "1.5s", "1,5s", "5M", "5min", "5m3", "5m5m", "30m1h", "Never",
        "nope", "1_000", "0x10", "٥m", "5µs", "∞",
    ] {
        check(text, &format!("{expected} {text:?}"));
    }
    check(&"9é".repeat(30), &format!("{expected} {:?}… (90 bytes)", "9é".repeat(20)));

    let zero = "time to live: expected more than zero (\"never\" for an entry that does not end), got zero";
    check("0", zero);
    check("0s", zero);
    check("0d0h0m", zero);
    refused(Ttl::try_from(Duration::ZERO), ErrorCode::E043, zero);
    assert_eq!(NonZeroDuration::new(Duration::ZERO), None);

    let long = "time to live: expected a time that can be counted (\"never\" for an entry that does not end), got";
    for text in ["18446744073709551616", "99999999999999999999d", "213503982334602d", "18446744073709551615s1000ms"] {
        check(text, &format!("{long} {text:?}"));
    }
}

#[test]
#[should_panic(expected = "a time to live is above zero")]
fn zero_seconds_in_code_panic() {
    let _ = Ttl::secs(0);
}

mod derived {
    use std::marker::PhantomData;

    use cachekit_core::IntoKey;
    use cachekit_macros::IntoKey;

    use super::written;

    #[derive(IntoKey)]
    #[cachekit(crate = "cachekit_core")]
    struct Named<'a, T, const N: usize>
    where
        T: Clone,
    {
        writer: &'a str,
        r#type: [T; N],
        marker: PhantomData<T>,
    }

    #[derive(IntoKey)]
    #[cachekit(crate = "::cachekit_core")]
    struct Tuple(u64, Option<Unit>);

    #[derive(IntoKey)]
    #[cachekit(crate = "cachekit_core")]
    struct Unit;

    #[derive(IntoKey)]
    #[cachekit(crate = "cachekit_core")]
    #[expect(non_camel_case_types, reason = "names are escaped as any text")]
    enum Either<A, B> {
        Left(A),
        Right { b: B, again: B },
        r#type,
        snake_case(),
    }

    #[derive(IntoKey)]
    #[cachekit(crate = "cachekit_core")]
    enum Never {}

    #[test]
    fn a_struct_is_its_fields_and_an_enum_its_name_first() {
        let named = Named { writer: "a b", r#type: [1, 2], marker: PhantomData };
        assert_eq!(written(&named), "a_20b:_l2:1:2");
        assert_eq!(written(&Tuple(7, Some(Unit))), "7:_s");
        assert_eq!(written(&Tuple(7, None)), "7:_n");
        assert_eq!(written(&Unit), "");
        assert_eq!(written(&Either::<_, u8>::Left("x")), "Left:x");
        assert_eq!(written(&Either::<u8, _>::Right { b: 1, again: 2 }), "Right:1:2");
        assert_eq!(written(&Either::<u8, u8>::r#type), "type");
        assert_eq!(written(&Either::<u8, u8>::snake_case()), "snake_5fcase");
        assert_eq!(written(&None::<Never>), "_n");
    }

    #[test]
    fn type_parameters_are_bounded() {
        fn is_key<K: IntoKey>() {}
        is_key::<Either<String, Option<u8>>>();
    }
}
