//! [`Canonical`]: serde's values as the MessagePack that all clients write of them.

use std::fmt::{self, Display};

use serde::ser::{self, Impossible, Serialize};

use super::encode;
use super::pairs::Pairs;

/// Writes serde's values as the MessagePack that all clients write of them: the shortest integers, floats of 64 bits,
/// maps and structs sorted by their keys, which are text.
pub(super) struct Canonical<'a>(pub(super) &'a mut Vec<u8>);

/// Why a value cannot be written.
#[derive(Debug)]
pub(super) struct Refused(String);

impl ser::Error for Refused {
    fn custom<M: Display>(message: M) -> Self {
        Self(message.to_string())
    }
}

impl std::error::Error for Refused {}

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

type Result<T = ()> = std::result::Result<T, Refused>;

macro_rules! integers {
    ($($method:ident($integer:ty) as $write:ident)+) => {$(
        fn $method(self, value: $integer) -> Result {
            encode::$write(self.0, value.into());
            Ok(())
        }
    )+};
}

impl<'a> ser::Serializer for Canonical<'a> {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = Map<'a>;
    type SerializeStruct = Map<'a>;
    type SerializeStructVariant = Map<'a>;

    integers! {
        serialize_i8(i8) as signed serialize_i16(i16) as signed serialize_i32(i32) as signed serialize_i64(i64) as signed
        serialize_u8(u8) as unsigned serialize_u16(u16) as unsigned serialize_u32(u32) as unsigned
        serialize_u64(u64) as unsigned
        serialize_f32(f32) as float serialize_f64(f64) as float
    }

    fn serialize_i128(self, value: i128) -> Result {
        match (u64::try_from(value), i64::try_from(value)) {
            (Ok(value), _) => self.serialize_u64(value),
            (_, Ok(value)) => self.serialize_i64(value),
            _ => Err(ser::Error::custom(TOO_WIDE)),
        }
    }

    fn serialize_u128(self, value: u128) -> Result {
        u64::try_from(value).map_err(|_| ser::Error::custom(TOO_WIDE)).and_then(|value| self.serialize_u64(value))
    }

    fn serialize_bool(self, value: bool) -> Result {
        encode::boolean(self.0, value);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result {
        encode::text(self.0, value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result {
        encode::binary(self.0, value);
        Ok(())
    }

    fn serialize_none(self) -> Result {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result {
        encode::nil(self.0);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result {
        value.serialize(self.variant(variant))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<List<'a>> {
        Ok(List::begin(self.0, length))
    }

    fn serialize_tuple(self, length: usize) -> Result<List<'a>> {
        Ok(List::begin(self.0, Some(length)))
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<List<'a>> {
        Ok(List::begin(self.0, Some(length)))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<List<'a>> {
        Ok(List::begin(self.variant(variant).0, Some(length)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Map<'a>> {
        Ok(Map { pairs: Pairs::begin(self.0), bytes: self.0 })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Map<'a>> {
        self.serialize_map(None)
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Result<Map<'a>> {
        self.variant(variant).serialize_map(None)
    }
}

impl Canonical<'_> {
    /// A variant with content is a map of one pair. The content is to follow.
    fn variant(self, name: &str) -> Self {
        encode::map(self.0, 1);
        encode::text(self.0, name);
        self
    }
}

/// An array that is being written.
pub(super) struct List<'a> {
    bytes: &'a mut Vec<u8>,
    start: usize,
    /// How many elements there are, if the header is still to be written.
    uncounted: Option<usize>,
}

impl<'a> List<'a> {
    fn begin(bytes: &'a mut Vec<u8>, length: Option<usize>) -> Self {
        if let Some(length) = length {
            encode::array(bytes, length);
        }
        Self { start: bytes.len(), bytes, uncounted: length.is_none().then_some(0) }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        self.uncounted = self.uncounted.map(|seen| seen + 1);
        value.serialize(Canonical(self.bytes))
    }

    fn finish(self) {
        if let Some(length) = self.uncounted {
            let mut header = Vec::new();
            encode::array(&mut header, length);
            self.bytes.splice(self.start..self.start, header);
        }
    }
}

macro_rules! lists {
    ($($kind:ident::$method:ident)+) => {$(
        impl ser::$kind for List<'_> {
            type Ok = ();
            type Error = Refused;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
                self.element(value)
            }

            fn end(self) -> Result {
                self.finish();
                Ok(())
            }
        }
    )+};
}

lists! {
    SerializeSeq::serialize_element
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

/// A map that is being written.
pub(super) struct Map<'a> {
    bytes: &'a mut Vec<u8>,
    pairs: Pairs,
}

impl Map<'_> {
    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result {
        self.pairs.key(self.bytes, name);
        value.serialize(Canonical(self.bytes))
    }

    fn finish(self) -> Result {
        if self.pairs.end(self.bytes) { Ok(()) } else { Err(ser::Error::custom(TWICE)) }
    }
}

impl ser::SerializeMap for Map<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result {
        key.serialize(Key(self))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        value.serialize(Canonical(self.bytes))
    }

    fn end(self) -> Result {
        self.finish()
    }
}

macro_rules! structs {
    ($($kind:ident)+) => {$(
        impl ser::$kind for Map<'_> {
            type Ok = ();
            type Error = Refused;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result {
                self.field(name, value)
            }

            fn end(self) -> Result {
                self.finish()
            }
        }
    )+};
}

structs! { SerializeStruct SerializeStructVariant }

/// The key of a map that is being written: text, and nothing else.
struct Key<'m, 'a>(&'m mut Map<'a>);

macro_rules! no_keys {
    ($($method:ident($($argument:ty),*))+) => {$(
        fn $method(self, $(_: $argument),*) -> Result {
            Err(no_text())
        }
    )+};
}

macro_rules! no_compound_keys {
    ($($method:ident($($argument:ty),*) -> $kind:ident)+) => {$(
        fn $method(self, $(_: $argument),*) -> Result<Self::$kind> {
            Err(no_text())
        }
    )+};
}

impl ser::Serializer for Key<'_, '_> {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = Impossible<(), Refused>;
    type SerializeTuple = Impossible<(), Refused>;
    type SerializeTupleStruct = Impossible<(), Refused>;
    type SerializeTupleVariant = Impossible<(), Refused>;
    type SerializeMap = Impossible<(), Refused>;
    type SerializeStruct = Impossible<(), Refused>;
    type SerializeStructVariant = Impossible<(), Refused>;

    fn serialize_str(self, key: &str) -> Result {
        self.0.pairs.key(self.0.bytes, key);
        Ok(())
    }

    fn serialize_char(self, key: char) -> Result {
        self.serialize_str(key.encode_utf8(&mut [0; 4]))
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, key: &T) -> Result {
        key.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result {
        Err(no_text())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result {
        Err(no_text())
    }

    no_keys! {
        serialize_bool(bool) serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_i128(i128) serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
        serialize_u128(u128) serialize_f32(f32) serialize_f64(f64) serialize_bytes(&[u8]) serialize_none()
        serialize_unit() serialize_unit_struct(&'static str)
    }

    no_compound_keys! {
        serialize_seq(Option<usize>) -> SerializeSeq
        serialize_tuple(usize) -> SerializeTuple
        serialize_tuple_struct(&'static str, usize) -> SerializeTupleStruct
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> SerializeTupleVariant
        serialize_map(Option<usize>) -> SerializeMap
        serialize_struct(&'static str, usize) -> SerializeStruct
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> SerializeStructVariant
    }
}

fn no_text() -> Refused {
    ser::Error::custom("key must be a string")
}

/// What is said of a value that cannot be written. The guard knows them, and repeats nothing that it does not know.
pub(crate) const TOO_WIDE: &str = "integers are -2^63 to 2^64 - 1 in entries that other clients read";
pub(crate) const TWICE: &str = "a map with one key twice";
