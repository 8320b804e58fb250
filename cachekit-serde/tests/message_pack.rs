//! MessagePack: what comes back as it was, what is refused, and what the refusals say.
#![cfg(feature = "msgpack")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use cachekit_core::{Error, ErrorCode, Format, Serializer};
use cachekit_serde::MessagePack;
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::ser::{Error as _, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

#[test]
fn values_come_back() {
    for number in [0, 1, -1, i64::MIN, i64::MAX] {
        same(number);
    }
    same(u64::MAX);
    for number in [0, 1, -1, i128::from(u64::MAX), i128::from(i64::MIN), i128::MIN, i128::MAX, 1 << 64] {
        same(number);
        same(Some(number));
        same(vec![number]);
    }
    assert_eq!(write(&5_i128).unwrap(), [5], "a number where 64 bits are enough");
    assert_eq!(write(&-5_i128).unwrap(), [0xfb]);
    assert_eq!(write(&5_u128).unwrap(), [5]);
    for number in [0, u128::from(u64::MAX), 1 << 64, 1 << 127, u128::MAX] {
        same(number);
    }
    for number in [0.0, -0.0, 1.5, f64::MIN_POSITIVE, f64::INFINITY, f64::NEG_INFINITY] {
        same(number);
        same(number as f32);
    }
    same('ß');
    same('\u{10ffff}');
    same(());
    same(vec![(), ()]);
    same(Empty);
    same(Some(Empty));
    same(String::from("x").repeat(70_000));
    same(serde_bytes::ByteBuf::from(vec![0, 255, 0xc1]));
    same(vec![0_u8, 255]);
    same([200_u8; 20]);
    same(Duration::new(3, 999_999_999));
    same((Some(1_u8), None::<u8>, Ok::<u8, String>(2), Err::<u8, String>("no".into())));
    same(Vec::<String>::new());
    same(BTreeMap::from([(1_u8, "a".to_owned()), (2, "b".to_owned())]));
    same(BTreeMap::from([((1_i8, true), vec![None, Some(1.5)]), ((-1, false), vec![])]));
    same(BTreeMap::from([(None, 1), (Some('x'), 2)]));
    same(HashMap::from([(Uuid::from_u128(7), 1)]));
    same(vec![Some(None::<()>).is_some()]);
}

#[test]
fn nan_keeps_its_bits() {
    for bits in [f64::NAN.to_bits(), 0x7ff8_0000_0000_1234, 0xfff8_0000_0000_0001] {
        let back: f64 = read(&write(&f64::from_bits(bits)).unwrap()).unwrap();
        assert_eq!(back.to_bits(), bits);
    }
    let back: f32 = read(&write(&f32::from_bits(0x7fc0_1234)).unwrap()).unwrap();
    assert_eq!(back.to_bits(), 0x7fc0_1234);
}

#[test]
fn enums_come_back_in_every_style() {
    for value in [Plain::Unit, Plain::New(1), Plain::Tuple(1, "x".into()), Plain::Struct { a: None, b: vec![1] }] {
        same(value.clone());
        same(Some(value.clone()));
        same(BTreeMap::from([(1_u8, value)]));
    }
    for value in [Tagged::Unit, Tagged::Struct { host: addresses().0, note: None }] {
        same(value);
    }
    for value in [Adjacent::Unit, Adjacent::New(addresses().0), Adjacent::Tuple(1, 2)] {
        same(value);
    }
    for value in [
        Untagged::Number(5),
        Untagged::Float(1.5),
        Untagged::Text("x".into()),
        Untagged::Host { host: addresses().0, id: Uuid::from_u128(3) },
        Untagged::Many(vec![Untagged::Number(1), Untagged::Text(String::new())]),
        Untagged::Nothing,
    ] {
        same(value);
    }
}

/// Serde's own buffering has no 128-bit integers, in any format. When it learns them, the documentation changes.
#[test]
fn wide_integers_are_not_read_inside_untagged_enums() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Wide {
        Number(i128),
    }
    undecodable::<Wide>(&write(&Wide::Number(1)).unwrap(), "a value that the type refuses");
}

/// In compact form these are written one way and looked for in another by serde's own buffering.
#[test]
fn addresses_and_uuids_come_back_everywhere() {
    let (host, socket) = addresses();
    same(host);
    same(socket);
    same(Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef));
    same(Flat { id: 1, inner: Inner { host, id: Uuid::from_u128(1) }, rest: BTreeMap::from([("k".into(), 1)]) });
    assert_eq!(write(&Uuid::nil()).unwrap().len(), 2 + 36, "text, as other languages write it");
}

#[test]
fn skipped_and_new_fields_are_no_trouble() {
    let old = write(&Old { id: 7, note: None, gone: true }).unwrap();
    assert_eq!(read::<New>(&old).unwrap(), New { added: 0, id: 7, note: None });
    same(Old { id: 7, note: Some("x".into()), gone: false });
}

#[test]
fn bytes_are_those_of_rmp_serde_with_names() {
    let value =
        (Plain::Struct { a: Some(1), b: vec![300] }, Plain::Tuple(9, "t".into()), [1.5_f32], Empty, 'c', -5_i64);
    assert_eq!(write(&value).unwrap(), rmp_serde::to_vec_named(&value).unwrap());
    let map = BTreeMap::from([("a".to_owned(), vec![None, Some(1_u64)])]);
    assert_eq!(write(&map).unwrap(), rmp_serde::to_vec_named(&map).unwrap());
}

#[test]
fn serialize_appends() {
    let mut bytes = vec![1, 2, 3];
    MessagePack.serialize(&5_u8, &mut bytes).unwrap();
    assert_eq!(bytes, [1, 2, 3, 5]);
    assert_eq!(Serializer::<u8>::format(&MessagePack), Format::MESSAGE_PACK);
}

#[test]
fn some_of_nil_is_refused_with_its_path() {
    refused(&Some(None::<u8>), "$ of ");
    refused(&Some(()), "`None`");
    refused(&vec![None, Some(Some(1)), Some(None)], "$[2] of ");
    refused(&Some(Untagged::Nothing), "$ of ");
    same(Some(Some(1)));
    same(None::<Option<u8>>);
    same(Some(vec![None::<u8>]));
    same(Some((1, ())));
    same(Some(Plain::New(1)));
    same(Some(BTreeMap::from([(1, ())])));
    same(Some(Ok::<(), ()>(())));
}

#[test]
fn the_path_of_what_is_refused_is_named() {
    #[derive(Serialize, Deserialize)]
    struct Shop {
        orders: Vec<Order>,
        by_name: BTreeMap<String, Plot>,
    }
    #[derive(Serialize, Deserialize)]
    struct Order {
        note: Option<Option<u8>>,
    }
    #[derive(Serialize, Deserialize)]
    enum Plot {
        Point { at: Option<()> },
    }
    let order = |note| Order { note };
    let mut shop = Shop { orders: vec![order(None), order(Some(None))], by_name: BTreeMap::new() };
    refused(&shop, "$.orders[1].note of ");
    shop.orders.clear();
    shop.by_name.insert("secret".into(), Plot::Point { at: Some(()) });
    let message = refused(&shop, "$.by_name{value}.at of ");
    assert!(!message.contains("secret"), "{message}");
}

#[test]
fn what_types_say_is_not_repeated_but_what_serde_says_is() {
    struct Talkative;
    impl Serialize for Talkative {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("hunter2 is not allowed"))
        }
    }
    impl<'de> Deserialize<'de> for Talkative {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            Err(serde::de::Error::custom(format!("{text} is not allowed")))
        }
    }
    let message = refused(&Talkative, "the type refuses the value");
    assert!(!message.contains("hunter2"), "{message}");
    let message = undecodable::<Talkative>(&write(&"hunter2".to_owned()).unwrap(), "a value that the type refuses");
    assert!(!message.contains("hunter2"), "{message}");

    refused(&(std::time::UNIX_EPOCH - Duration::from_secs(1)), "$ of std::time::SystemTime: SystemTime must be later");
}

#[test]
fn wrong_counts_are_refused() {
    struct Liar(usize);
    impl Serialize for Liar {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut seq = serializer.serialize_seq(Some(self.0))?;
            seq.serialize_element(&1)?;
            seq.end()
        }
    }
    impl<'de> Deserialize<'de> for Liar {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            <[u8; 1]>::deserialize(deserializer).map(|_| Self(1))
        }
    }
    refused(&Liar(0), "another number");
    refused(&Liar(2), "another number");
    write(&Liar(1)).unwrap();
}

#[test]
fn depth_is_bounded_on_both_sides_alike() {
    let nest = |depth: usize| (0..depth).fold(Nest(vec![]), |inner, _| Nest(vec![inner]));
    assert_eq!(read::<Nest>(&write(&nest(99)).unwrap()).unwrap(), nest(99));
    refused(&nest(100), "deeper than 100");
    let mut bytes = write(&nest(99)).unwrap();
    // The innermost array is empty, which reading counts as a leaf.
    bytes.splice(0..0, [0x91, 0x91]);
    undecodable::<Nest>(&bytes, "deeper than 100");

    // Structs, enums and options take several steps per level; the bound still comes first from the levels.
    let list = |length: usize| (0..length).fold(List::End, |next, _| List::Link { next: Some(Box::new(next)) });
    assert_eq!(read::<List>(&write(&list(50)).unwrap()).unwrap(), list(50));
    refused(&list(51), "deeper than 100");
    // On the 2 MiB of a test's thread: refused, not overflown.
    refused(&list(2_000), "deeper than 100");

    // Nothing is written for these steps, so the levels do not end them.
    let chain = (0..10_000).fold(Chain(None), |next, _| Chain(Some(Box::new(next))));
    refused(&chain, "more than 400 steps");
    // Dropping the chain recurses as well.
    std::mem::drop(unchain(chain));
}

#[test]
fn exactly_one_document_is_read() {
    for more in [&b"\0"[..], b"\xc0", b"\x01\x02"] {
        let mut bytes = write(&(1, "x".to_owned())).unwrap();
        let end = bytes.len();
        bytes.extend_from_slice(more);
        undecodable::<(i32, String)>(&bytes, &format!("bytes follow the document, at byte {end} of {}", bytes.len()));
    }
    undecodable::<u8>(b"", "ends early");
}

#[test]
fn other_formats_are_named() {
    undecodable::<u8>(b"CK\x03\0\0\0\x02{}", "Python");
    undecodable::<u8>(b"{\"id\":1}", "JSON");
    undecodable::<u8>(b"\xc1ck\x01\0\0\0\x28", "native layout");
    undecodable::<u8>(b"\xff\xff\xff\xff\0", "Arrow");
}

#[test]
fn refusals_name_place_and_type_but_no_value() {
    let bytes = write(&BTreeMap::from([("id".to_owned(), "hunter2".to_owned())])).unwrap();
    let message = undecodable::<New>(&bytes, "invalid type: string");
    assert!(message.contains(&format!("of {}", bytes.len())) && message.contains("New"), "{message}");
    undecodable::<New>(&write(&BTreeMap::from([("note".to_owned(), "x".to_owned())])).unwrap(), "missing field `id`");
    let message =
        undecodable::<Plain>(&write(&"hunter2".to_owned()).unwrap(), "unknown variant, expected one of `Unit`");
    assert!(!message.contains("hunter2"), "{message}");
    let sly = write(&"a\", expected hunter2".to_owned()).unwrap();
    let message = undecodable::<New>(&sly, "invalid type: string, expected struct New");
    assert!(!message.contains("hunter2"), "{message}");
    undecodable::<(u8, u8)>(&write(&[1]).unwrap(), "invalid length, expected a tuple of size 2");
    undecodable::<[u8; 2]>(&write(&[1, 2, 3]).unwrap(), "wrong length");
    undecodable::<String>(b"\xa1\xff", "UTF-8");
    undecodable::<u8>(&write(&300).unwrap(), "invalid value: integer, expected u8");
}

#[test]
fn every_truncation_is_refused() {
    let value =
        (Plain::Struct { a: Some(1), b: vec![1, 300] }, "text".repeat(20), 1.5, BTreeMap::from([(1, Some('x'))]));
    let bytes = write(&value).unwrap();
    assert_eq!(read_as(&bytes, &value).unwrap(), value);
    for cut in 0..bytes.len() {
        assert_eq!(read_as(&bytes[..cut], &value).unwrap_err().code(), ErrorCode::E021, "cut at {cut}");
    }
}

proptest! {
    #[test]
    fn any_tree_comes_back(tree in any_tree()) {
        let bytes = write(&tree).unwrap();
        prop_assert_eq!(&bytes, &rmp_serde::to_vec_named(&tree).unwrap());
        prop_assert_eq!(read::<Tree>(&bytes).unwrap(), tree);
        for cut in 0..bytes.len() {
            prop_assert!(read::<Tree>(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn any_bytes_give_a_value_or_e021(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        e021::<Tree>(&bytes);
        e021::<Untagged>(&bytes);
        e021::<Flat>(&bytes);
        e021::<Plain>(&bytes);
        e021::<Option<u128>>(&bytes);
        e021::<HashMap<Uuid, Vec<()>>>(&bytes);
    }

    #[test]
    fn any_flipped_bit_gives_a_value_or_e021(tree in any_tree(), bit in any::<prop::sample::Index>()) {
        let mut bytes = write(&tree).unwrap();
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        e021::<Tree>(&bytes);
    }
}

fn any_tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Unit),
        any::<i64>().prop_map(Tree::Integer),
        any::<u64>().prop_map(Tree::Unsigned),
        any::<f64>().prop_filter("comparable", |float| !float.is_nan()).prop_map(Tree::Float),
        ".{0,40}".prop_map(Tree::Text),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Tree::Bytes(serde_bytes::ByteBuf::from(bytes))),
        any::<(Option<char>, bool)>().prop_map(|(letter, flag)| Tree::Struct { letter, flag, inner: None }),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Tree::List),
            prop::collection::btree_map(any::<i16>(), inner.clone(), 0..20).prop_map(Tree::Map),
            inner.prop_map(|inner| Tree::Struct { letter: None, flag: true, inner: Some(Box::new(inner)) }),
        ]
    })
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    Unit,
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
    Bytes(serde_bytes::ByteBuf),
    List(Vec<Tree>),
    Map(BTreeMap<i16, Tree>),
    Struct { letter: Option<char>, flag: bool, inner: Option<Box<Tree>> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Plain {
    Unit,
    New(u8),
    Tuple(u8, String),
    Struct { a: Option<u8>, b: Vec<u16> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Unit,
    Struct { host: IpAddr, note: Option<String> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "content")]
enum Adjacent {
    Unit,
    New(IpAddr),
    Tuple(i128, u64),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Nothing,
    Number(i64),
    Float(f64),
    Host { host: IpAddr, id: Uuid },
    Text(String),
    Many(Vec<Untagged>),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    id: i128,
    #[serde(flatten)]
    inner: Inner,
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Inner {
    host: IpAddr,
    #[serde(rename = "uuid")]
    id: Uuid,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Old {
    id: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    gone: bool,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct New {
    #[serde(default)]
    added: u8,
    id: u32,
    note: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Empty;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nest(Vec<Nest>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum List {
    End,
    Link { next: Option<Box<List>> },
}

#[derive(Serialize, Deserialize)]
struct Chain(Option<Box<Chain>>);

/// Takes the chain apart link by link.
fn unchain(mut chain: Chain) -> Chain {
    while let Some(next) = chain.0.take() {
        chain = *next;
    }
    chain
}

fn addresses() -> (IpAddr, SocketAddr) {
    ("2001:db8::1".parse().unwrap(), "192.0.2.1:443".parse().unwrap())
}

fn write<T: Serialize + DeserializeOwned + 'static>(value: &T) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    MessagePack.serialize(value, &mut bytes).map(|()| bytes)
}

fn read<T: Serialize + DeserializeOwned + 'static>(bytes: &[u8]) -> Result<T, Error> {
    MessagePack.deserialize(bytes)
}

fn read_as<T: Serialize + DeserializeOwned + 'static>(bytes: &[u8], _: &T) -> Result<T, Error> {
    MessagePack.deserialize(bytes)
}

fn same<T: Serialize + DeserializeOwned + PartialEq + Debug + 'static>(value: T) {
    let bytes = write(&value).unwrap_or_else(|error| panic!("{value:?}: {error}"));
    let back: T = read(&bytes).unwrap_or_else(|error| panic!("{value:?}: {error}: {bytes:02x?}"));
    assert_eq!(back, value);
}

fn refused<T: Serialize + DeserializeOwned + 'static>(value: &T, expected: &str) -> String {
    let error = write(value).unwrap_err();
    assert_eq!(error.code(), ErrorCode::E020);
    assert!(error.message().contains(expected), "{error}");
    error.to_string()
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
