//! [`Typed`]: any value of the vectors, as an argument and as a value.

use std::fmt;

use cachekit_serde::interop::{ArgWriter, InteropArg, date, datetime, time};
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime};
use proptest::prelude::*;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

/// Any value of the vectors. What Rust has no type for that could be given is `None` when it is read from them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Typed {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Typed>),
    Map(Vec<(Typed, Typed)>),
    Set(Vec<Typed>),
    Moment(DateTime<FixedOffset>),
    Naive(NaiveDateTime),
    Date(NaiveDate),
    Time(NaiveTime),
    Uuid(Uuid),
}

impl Typed {
    /// The value that a vector says. `None` for texts that are no Unicode, and for objects of Python.
    pub(crate) fn of(json: &Value) -> Option<Self> {
        let list = |values: &Value| values.as_array().unwrap().iter().map(Self::of).collect::<Option<Vec<_>>>();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Some(match json {
            Value::Null => Self::Null,
            Value::Bool(is) => Self::Bool(*is),
            Value::Number(number) => {
                Self::Int(number.as_i64().map_or_else(|| number.as_u64().unwrap().into(), Into::into))
            }
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(_) => Self::List(list(json)?),
            Value::Object(pairs) => match pairs.iter().next() {
                Some((tag, value)) if tag.starts_with('$') => match tag.as_str() {
                    "$float" => Self::Float(text(value).parse().unwrap()),
                    "$int" => Self::Int(text(value).parse().unwrap()),
                    "$bytes" => Self::Bytes(crate::bytes_of(value)),
                    "$set" => Self::Set(list(value)?),
                    "$uuid" => Self::Uuid(text(value).parse().unwrap()),
                    "$date" => Self::Date(text(value).parse().unwrap()),
                    "$time" => Self::Time(text(value).parse().unwrap()),
                    "$datetime" => match text(value).parse() {
                        Ok(moment) => Self::Moment(moment),
                        Err(_) => Self::Naive(text(value).parse().unwrap()),
                    },
                    "$map" => {
                        let pair = |pair: &Value| Some((Self::of(&pair[0])?, Self::of(&pair[1])?));
                        Self::Map(value.as_array().unwrap().iter().map(pair).collect::<Option<_>>()?)
                    }
                    "$str_utf16" | "$unsupported" => return None,
                    other => panic!("a tag that is not known: {other}"),
                },
                _ => {
                    let pair = |(key, value): (&String, &Value)| Some((Self::Text(key.clone()), Self::of(value)?));
                    // In an order that is not the sorted one.
                    Self::Map(pairs.iter().rev().map(pair).collect::<Option<_>>()?)
                }
            },
        })
    }

    /// Whether a type of Rust that can be an argument can hold it: the compiler refuses the rest.
    pub(crate) fn can_be_an_argument(&self) -> bool {
        match self {
            Self::Naive(_) | Self::Date(_) | Self::Time(_) => false,
            Self::List(all) | Self::Set(all) => all.iter().all(Self::can_be_an_argument),
            Self::Map(pairs) => {
                pairs.iter().all(|(key, value)| matches!(key, Self::Text(_)) && value.can_be_an_argument())
            }
            _ => true,
        }
    }

    /// Whether a type of Rust can tell serde that it is this. Sets and UUIDs are told as lists and text.
    pub(crate) fn can_be_told(&self) -> bool {
        !matches!(self, Self::Set(_) | Self::Uuid(_))
    }
}

impl InteropArg for Typed {
    fn write_arg(&self, writer: &mut ArgWriter) {
        match self {
            Self::Null => None::<u8>.write_arg(writer),
            Self::Bool(is) => is.write_arg(writer),
            Self::Int(number) => number.write_arg(writer),
            Self::Float(number) => number.write_arg(writer),
            Self::Text(text) => text.write_arg(writer),
            Self::Bytes(bytes) => cachekit_serde::interop::Binary(bytes).write_arg(writer),
            Self::List(list) => list.write_arg(writer),
            Self::Map(pairs) => writer.map(|map| {
                for (key, value) in pairs {
                    let Self::Text(key) = key else { panic!("keys of arguments are text") };
                    map.entry(key, value);
                }
            }),
            Self::Set(elements) => writer.set(|set| elements.iter().for_each(|element| set.element(element))),
            Self::Moment(moment) => moment.write_arg(writer),
            Self::Uuid(uuid) => uuid.write_arg(writer),
            Self::Naive(_) | Self::Date(_) | Self::Time(_) => panic!("no argument"),
        }
    }
}

impl Serialize for Typed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Bool(is) => is.serialize(serializer),
            Self::Int(number) => number.serialize(serializer),
            Self::Float(number) => number.serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::List(list) => list.serialize(serializer),
            Self::Map(pairs) => {
                let mut map = serializer.serialize_map(None)?;
                pairs.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
            Self::Moment(moment) => datetime::serialize(moment, serializer),
            Self::Naive(moment) => datetime::serialize(moment, serializer),
            Self::Date(day) => date::serialize(day, serializer),
            Self::Time(clock) => time::serialize(clock, serializer),
            Self::Set(_) | Self::Uuid(_) => panic!("serde knows none"),
        }
    }
}

impl<'de> Deserialize<'de> for Typed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Typed;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_unit<E>(self) -> Result<Typed, E> {
                Ok(Typed::Null)
            }
            fn visit_bool<E>(self, is: bool) -> Result<Typed, E> {
                Ok(Typed::Bool(is))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Typed, E> {
                Ok(Typed::Int(number.into()))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Typed, E> {
                Ok(Typed::Int(number.into()))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Typed, E> {
                Ok(Typed::Float(number))
            }
            fn visit_str<E>(self, text: &str) -> Result<Typed, E> {
                Ok(Typed::Text(text.to_owned()))
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Typed, E> {
                Ok(Typed::Bytes(bytes.to_vec()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Typed, A::Error> {
                let mut list = Vec::new();
                while let Some(element) = seq.next_element()? {
                    list.push(element);
                }
                Ok(Typed::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Typed, A::Error> {
                let mut pairs: Vec<(Typed, Typed)> = Vec::new();
                while let Some((key, value)) = map.next_entry()? {
                    match pairs.iter_mut().find(|(known, _)| *known == key) {
                        Some(pair) => pair.1 = value,
                        None => pairs.push((key, value)),
                    }
                }
                Ok(Typed::Map(pairs))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// Any value that a document can hold.
pub(crate) fn any_value() -> impl Strategy<Value = Typed> {
    let leaf = prop_oneof![
        Just(Typed::Null),
        any::<bool>().prop_map(Typed::Bool),
        any::<i64>().prop_map(|number| Typed::Int(number.into())),
        any::<u64>().prop_map(|number| Typed::Int(number.into())),
        (-200_i128..70_000).prop_map(Typed::Int),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Typed::Float),
        ".{0,40}".prop_map(Typed::Text),
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(Typed::Bytes),
    ];
    leaf.prop_recursive(4, 60, 20, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..20).prop_map(Typed::List),
            proptest::collection::hash_map(".{0,6}", inner, 0..20)
                .prop_map(|map| Typed::Map(map.into_iter().map(|(key, value)| (Typed::Text(key), value)).collect())),
        ]
    })
}
