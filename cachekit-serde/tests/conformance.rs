//! MessagePack keeps every rule of the suite for serializers, with plain values and with every shape that serde has.
#![cfg(feature = "msgpack")]

use std::collections::BTreeMap;

use cachekit_serde::MessagePack;
use cachekit_testkit::conformance::serializer::SerializerFixture;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Order {
    id: u64,
    balance: i64,
    rate: f64,
    huge: u128,
    note: Option<String>,
    nested: Vec<Vec<i8>>,
    by_name: BTreeMap<String, Shape>,
    wrong: Option<Option<u8>>,
    unit: (),
    letter: char,
    raw: serde_bytes::ByteBuf,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    Circle(f32),
    Line(i16, i16),
    Box { width: u8, height: u8 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Tree(Vec<Tree>);

fn orders() -> SerializerFixture<MessagePack, Order> {
    let shapes = [Shape::Nothing, Shape::Circle(0.5), Shape::Line(-1, i16::MAX), Shape::Box { width: 1, height: 255 }];
    let full = Order {
        id: u64::MAX,
        balance: i64::MIN,
        rate: f64::NEG_INFINITY,
        huge: u128::MAX,
        note: Some("ä\0\u{10ffff}".repeat(20)),
        nested: vec![vec![], vec![i8::MIN, -1, 0, i8::MAX]],
        by_name: shapes.into_iter().enumerate().map(|(n, shape)| (n.to_string(), shape)).collect(),
        wrong: Some(Some(7)),
        unit: (),
        letter: '\u{10ffff}',
        raw: serde_bytes::ByteBuf::from((0..=u8::MAX).collect::<Vec<_>>()),
    };
    let secret = "a-password-that-stands-in-the-value";
    SerializerFixture::new(MessagePack, vec![Order::default(), full])
        .with_unholdable(Order { wrong: Some(None), ..Order::default() }, Some("$.wrong"))
        .with_secret(Order { note: Some(secret.to_owned()), ..Order::default() }, secret)
        .with_bomb(vec![0x91; 100_000])
}

fn trees() -> SerializerFixture<MessagePack, Tree> {
    let nested = |depth| (0..depth).fold(Tree(Vec::new()), |tree, _| Tree(vec![tree]));
    SerializerFixture::new(MessagePack, vec![nested(0), nested(1), nested(99)])
        .with_unholdable(nested(100), None)
        .with_bomb(vec![0x91; 101])
        .with_bomb(vec![0x91; 1_000_000])
}

mod plain {
    use super::*;

    cachekit_testkit::serializer_conformance!(SerializerFixture::new(
        MessagePack,
        vec![String::new(), "a".to_owned(), "ä".repeat(100_000)],
    ));
}

mod structs {
    use super::*;

    cachekit_testkit::serializer_conformance!(orders());
}

mod recursive {
    use super::*;

    cachekit_testkit::serializer_conformance!(trees());
}
