//! Every serializer keeps every rule of the suite, with plain values and with every shape that serde has.
#![cfg(all(feature = "msgpack", feature = "json", feature = "postcard", feature = "arrow", feature = "interop"))]

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, DictionaryArray, Int64Array, ListArray, RecordBatch, StringArray, types::Int8Type, types::Int32Type,
};
use cachekit_core::Serializer;
use cachekit_serde::interop::InteropValues;
use cachekit_serde::{Arrow, Json, MessagePack, Postcard};
use cachekit_testkit::conformance::serializer::SerializerFixture;
use postcard_schema::Schema;
use postcard_schema::schema::NamedType;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
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
    raw: Raw,
    crowd: Vec<()>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
enum Shape {
    Nothing,
    Circle(f32),
    Line(i16, i16),
    Box { width: u8, height: u8 },
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Raw(serde_bytes::ByteBuf);

impl Schema for Raw {
    const SCHEMA: &'static NamedType = <Vec<u8>>::SCHEMA;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Tree(Vec<Tree>);

fn orders<S: Serializer<Order>>(serializer: S) -> SerializerFixture<S, Order> {
    orders_up_to(u128::MAX, serializer)
}

/// Orders whose largest number is `huge`.
fn orders_up_to<S: Serializer<Order>>(huge: u128, serializer: S) -> SerializerFixture<S, Order> {
    let shapes = [Shape::Nothing, Shape::Circle(0.5), Shape::Line(-1, i16::MAX), Shape::Box { width: 1, height: 255 }];
    let full = Order {
        id: u64::MAX,
        balance: i64::MIN,
        rate: -0.0,
        huge,
        note: Some("ä\0\u{10ffff}".repeat(20)),
        nested: vec![vec![], vec![i8::MIN, -1, 0, i8::MAX]],
        by_name: shapes.into_iter().enumerate().map(|(n, shape)| (n.to_string(), shape)).collect(),
        wrong: Some(Some(7)),
        unit: (),
        letter: '\u{10ffff}',
        raw: Raw(serde_bytes::ByteBuf::from((0..=u8::MAX).collect::<Vec<_>>())),
        crowd: vec![],
    };
    let secret = "a-password-that-stands-in-the-value";
    SerializerFixture::new(serializer, vec![Order::default(), full])
        .with_secret(Order { note: Some(secret.to_owned()), ..Order::default() }, secret)
}

/// Trees as deep as the format goes, with `open` and `close` around each.
fn trees<S: Serializer<Tree>>(serializer: S, depth: usize, open: &[u8]) -> SerializerFixture<S, Tree> {
    let nested = |depth| (1..depth).fold(Tree(Vec::new()), |tree, _| Tree(vec![tree]));
    SerializerFixture::new(serializer, vec![nested(1), nested(2), nested(depth)])
        .with_unholdable(nested(depth + 1), None)
        .with_bomb(open.repeat(depth + 1))
        .with_bomb(open.repeat(1_000_000))
}

fn texts<S: Serializer<String>>(serializer: S) -> SerializerFixture<S, String> {
    SerializerFixture::new(serializer, vec![String::new(), "a".to_owned(), "ä".repeat(10_000)])
}

fn batch(names: &[Option<&str>]) -> RecordBatch {
    let length = i64::try_from(names.len()).expect("short");
    let dictionary: DictionaryArray<Int8Type> = names.iter().copied().collect();
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(
        (0..length).map(|n| (n != 1).then(|| vec![Some(7); n as usize])),
    );
    let columns: [(&str, ArrayRef); 4] = [
        ("id", Arc::new((0..length).collect::<Int64Array>())),
        ("name", Arc::new(names.iter().copied().collect::<StringArray>())),
        ("again", Arc::new(dictionary)),
        ("lists", Arc::new(lists)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .expect("columns of one length")
}

mod message_pack {
    use super::*;

    mod plain {
        use super::*;

        cachekit_testkit::serializer_conformance!(texts(MessagePack));
    }

    mod structs {
        use super::*;

        cachekit_testkit::serializer_conformance!(
            orders(MessagePack)
                .with_unholdable(Order { wrong: Some(None), ..Order::default() }, Some("$.wrong"))
                .with_bomb(vec![0x91; 100_000])
        );
    }

    mod recursive {
        use super::*;

        cachekit_testkit::serializer_conformance!(trees(MessagePack, 100, &[0x91]));
    }
}

mod interop {
    use super::*;

    mod plain {
        use super::*;

        cachekit_testkit::serializer_conformance!(texts(InteropValues));
    }

    mod structs {
        use super::*;

        cachekit_testkit::serializer_conformance!(
            orders_up_to(u64::MAX.into(), InteropValues)
                .with_unholdable(Order { wrong: Some(None), ..Order::default() }, Some("$.wrong"))
                .with_unholdable(Order { rate: f64::NAN, ..Order::default() }, Some("$.rate"))
                .with_unholdable(Order { huge: u128::MAX, ..Order::default() }, Some("$.huge"))
                .with_bomb(vec![0x91; 100_000])
        );
    }

    mod recursive {
        use super::*;

        cachekit_testkit::serializer_conformance!(trees(InteropValues, 100, &[0x91]));
    }
}

mod json {
    use super::*;

    mod plain {
        use super::*;

        cachekit_testkit::serializer_conformance!(texts(Json));
    }

    mod structs {
        use super::*;

        cachekit_testkit::serializer_conformance!(
            orders(Json)
                .with_unholdable(Order { wrong: Some(None), ..Order::default() }, Some("$.wrong"))
                .with_unholdable(Order { rate: f64::NAN, ..Order::default() }, Some("$.rate"))
        );
    }

    mod recursive {
        use super::*;

        cachekit_testkit::serializer_conformance!(trees(Json, 127, b"["));
    }
}

mod postcard {
    use super::*;

    mod plain {
        use super::*;

        cachekit_testkit::serializer_conformance!(texts(Postcard));
    }

    mod structs {
        use super::*;

        cachekit_testkit::serializer_conformance!(
            orders(Postcard).with_unholdable(Order { crowd: vec![(); 3], ..Order::default() }, Some("$.crowd"))
        );
    }

    /// A type that contains itself has no schema, so this one's is not true.
    mod recursive {
        use super::*;

        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        struct Nest(Vec<Nest>);

        impl Schema for Nest {
            const SCHEMA: &'static NamedType = <Vec<Vec<u8>>>::SCHEMA;
        }

        cachekit_testkit::serializer_conformance!(
            SerializerFixture::new(Postcard, vec![Nest(vec![]), Nest(vec![Nest(vec![]), Nest(vec![])])])
                .with_unholdable(Nest(vec![Nest(vec![Nest(vec![])])]), Some("$[0][0]"))
                .with_bomb([&[1; 101][..], &[0]].concat())
                .with_bomb([&[1; 1_000_000][..], &[0]].concat())
        );
    }
}

mod arrow {
    use super::*;

    mod batches {
        use super::*;

        const SECRET: &str = "a-password-that-stands-in-the-value";

        cachekit_testkit::serializer_conformance!(
            SerializerFixture::new(Arrow, vec![batch(&[]), batch(&[Some("ä"), None, Some("ä"), Some("")])])
                .with_secret(batch(&[Some(SECRET)]), SECRET)
        );
    }

    mod lists {
        use super::*;

        cachekit_testkit::serializer_conformance!(
            SerializerFixture::new(
                Arrow,
                vec![vec![], vec![batch(&[Some("a")]), batch(&[Some("b"), Some("a"), None])]]
            )
            .with_unholdable(
                vec![batch(&[None]), RecordBatch::new_empty(Arc::new(arrow_schema::Schema::empty()))],
                Some("$[1]")
            )
        );
    }
}
