//! Holds what a type writes against what its schema says.

use postcard_schema::schema::{DataModelType, DataModelVariant, NamedType, NamedValue};
use serde::ser::{self, Serialize, Serializer};

use crate::guard::State;

/// A serializer, or a value, of what should be an `ty`.
pub(super) struct Shaped<'s, S> {
    inner: S,
    ty: &'static DataModelType,
    state: &'s State,
}

impl<'s, S> Shaped<'s, S> {
    pub(super) fn new(inner: S, schema: &'static NamedType, state: &'s State) -> Self {
        Self { inner, ty: schema.ty, state }
    }
}

impl<T: Serialize + ?Sized> Serialize for Shaped<'_, &T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.inner.serialize(Shaped { inner: serializer, ty: self.ty, state: self.state })
    }
}

impl<'s, S: Serializer> Shaped<'s, S> {
    /// Writes a leaf, if `fits` says that it is one.
    fn leaf(
        self,
        fits: impl FnOnce(&DataModelType) -> bool,
        write: impl FnOnce(S) -> Result<S::Ok, S::Error>,
    ) -> Result<S::Ok, S::Error> {
        if !fits(bare(self.ty)) {
            return Err(differs(self.state));
        }
        write(self.inner)
    }

    fn members(
        self,
        length: usize,
        open: impl FnOnce(S) -> Result<<S as Serializer>::SerializeTuple, S::Error>,
    ) -> Result<Members<'s, S::SerializeTuple>, S::Error> {
        let list = list(self.ty, length).ok_or_else(|| differs(self.state))?;
        Ok(Members { inner: open(self.inner)?, list, next: 0, state: self.state })
    }

    fn variant(&self, index: u32) -> Result<&'static DataModelVariant, S::Error> {
        let DataModelType::Enum(variants) = bare(self.ty) else { return Err(differs(self.state)) };
        let variant = usize::try_from(index).ok().and_then(|index| variants.get(index));
        Ok(variant.ok_or_else(|| differs(self.state))?.ty)
    }
}

macro_rules! leaves {
    ($($method:ident($type:ty) $($fits:ident)|+;)+) => {$(
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.leaf(|ty| matches!(ty, $(DataModelType::$fits)|+), |inner| inner.$method(value))
        }
    )+};
}

impl<'s, S: Serializer> Serializer for Shaped<'s, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Pairs<'s, S::SerializeSeq>;
    type SerializeTuple = Members<'s, S::SerializeTuple>;
    type SerializeTupleStruct = Members<'s, S::SerializeTuple>;
    type SerializeTupleVariant = Members<'s, S::SerializeTupleVariant>;
    type SerializeMap = Pairs<'s, S::SerializeMap>;
    type SerializeStruct = Members<'s, S::SerializeStruct>;
    type SerializeStructVariant = Members<'s, S::SerializeStructVariant>;

    fn is_human_readable(&self) -> bool {
        false
    }

    leaves! {
        serialize_bool(bool) Bool;
        serialize_i8(i8) I8;
        serialize_i16(i16) I16;
        serialize_i32(i32) I32;
        serialize_i64(i64) I64 | Isize;
        serialize_i128(i128) I128;
        serialize_u8(u8) U8;
        serialize_u16(u16) U16;
        serialize_u32(u32) U32;
        serialize_u64(u64) U64 | Usize;
        serialize_u128(u128) U128;
        serialize_f32(f32) F32;
        serialize_f64(f64) F64;
        serialize_char(char) Char;
        serialize_str(&str) String;
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<S::Ok, S::Error> {
        // A list of bytes looks the same.
        let fits = |ty: &DataModelType| match ty {
            DataModelType::ByteArray => true,
            DataModelType::Seq(element) => matches!(bare(element.ty), DataModelType::U8),
            _ => false,
        };
        self.leaf(fits, |inner| inner.serialize_bytes(value))
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.leaf(|ty| matches!(ty, DataModelType::Option(_)), S::serialize_none)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let DataModelType::Option(within) = bare(self.ty) else { return Err(differs(self.state)) };
        self.inner.serialize_some(&Shaped::new(value, within, self.state))
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.leaf(is_empty, S::serialize_unit)
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.leaf(is_empty, |inner| inner.serialize_unit_struct(name))
    }

    fn serialize_unit_variant(self, name: &'static str, index: u32, variant: &'static str) -> Result<S::Ok, S::Error> {
        match self.variant(index)? {
            DataModelVariant::UnitVariant => self.inner.serialize_unit_variant(name, index, variant),
            _ => Err(differs(self.state)),
        }
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<S::Ok, S::Error> {
        // Nothing is written for it, so the schema may leave it out.
        let ty = if let DataModelType::NewtypeStruct(within) = self.ty { within.ty } else { self.ty };
        self.inner.serialize_newtype_struct(name, &Shaped { inner: value, ty, state: self.state })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let within = match self.variant(index)? {
            DataModelVariant::NewtypeVariant(within) | DataModelVariant::TupleVariant([within]) => within,
            _ => return Err(differs(self.state)),
        };
        self.inner.serialize_newtype_variant(name, index, variant, &Shaped::new(value, within, self.state))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        let DataModelType::Seq(element) = bare(self.ty) else { return Err(differs(self.state)) };
        if length != Some(0) && is_empty(element.ty) {
            return Err(self.state.refuse("elements that take no bytes"));
        }
        let inner = self.inner.serialize_seq(length)?;
        Ok(Pairs { inner, key: element, value: element, state: self.state })
    }

    fn serialize_tuple(self, length: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.members(length, |inner| inner.serialize_tuple(length))
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<Self::SerializeTupleStruct, S::Error> {
        self.members(length, |inner| inner.serialize_tuple(length))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        let list = match self.variant(index)? {
            DataModelVariant::TupleVariant(types) if types.len() == length => List::Types(types),
            _ => return Err(differs(self.state)),
        };
        let inner = self.inner.serialize_tuple_variant(name, index, variant, length)?;
        Ok(Members { inner, list, next: 0, state: self.state })
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        let DataModelType::Map { key, val } = bare(self.ty) else { return Err(differs(self.state)) };
        if length != Some(0) && is_empty(key.ty) && is_empty(val.ty) {
            return Err(self.state.refuse("elements that take no bytes"));
        }
        Ok(Pairs { inner: self.inner.serialize_map(length)?, key, value: val, state: self.state })
    }

    fn serialize_struct(self, name: &'static str, length: usize) -> Result<Self::SerializeStruct, S::Error> {
        let list = match bare(self.ty) {
            // Fields that are never written are still in the schema.
            DataModelType::Struct(fields) if fields.len() >= length => List::Fields(fields, length),
            _ => list(self.ty, length).ok_or_else(|| differs(self.state))?,
        };
        Ok(Members { inner: self.inner.serialize_struct(name, length)?, list, next: 0, state: self.state })
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        let list = match self.variant(index)? {
            DataModelVariant::StructVariant(fields) if fields.len() >= length => List::Fields(fields, length),
            _ => return Err(differs(self.state)),
        };
        let inner = self.inner.serialize_struct_variant(name, index, variant, length)?;
        Ok(Members { inner, list, next: 0, state: self.state })
    }

    fn collect_str<T: std::fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.leaf(|ty| matches!(ty, DataModelType::String), |inner| inner.collect_str(value))
    }
}

fn differs<E: ser::Error>(state: &State) -> E {
    state.refuse("the type writes something else than its schema says")
}

/// `ty` without newtypes around it.
fn bare(mut ty: &'static DataModelType) -> &'static DataModelType {
    while let DataModelType::NewtypeStruct(within) = ty {
        ty = within.ty;
    }
    ty
}

/// Whether nothing is written for an `ty`.
fn is_empty(ty: &DataModelType) -> bool {
    match ty {
        DataModelType::Unit | DataModelType::UnitStruct => true,
        DataModelType::NewtypeStruct(within) => is_empty(within.ty),
        DataModelType::Tuple(types) | DataModelType::TupleStruct(types) => types.iter().all(|ty| is_empty(ty.ty)),
        DataModelType::Struct(fields) => fields.iter().all(|field| is_empty(field.ty.ty)),
        _ => false,
    }
}

/// The members of `ty`, if there are `length` of them. That there is a single one around them is not seen in the bytes.
fn list(mut ty: &'static DataModelType, length: usize) -> Option<List> {
    loop {
        let (list, count, first) = match bare(ty) {
            DataModelType::Tuple(types) | DataModelType::TupleStruct(types) => {
                (List::Types(types), types.len(), types.first().map(|first| first.ty))
            }
            DataModelType::Struct(fields) => {
                (List::Fields(fields, length), fields.len(), fields.first().map(|first| first.ty.ty))
            }
            _ => return None,
        };
        if count == length {
            return Some(list);
        }
        ty = if count == 1 { first? } else { return None };
    }
}

/// What a tuple or a struct consists of.
#[derive(Clone, Copy)]
enum List {
    Types(&'static [&'static NamedType]),
    /// With how many of them are written.
    Fields(&'static [&'static NamedValue], usize),
}

impl List {
    fn at(self, index: usize) -> Option<&'static NamedType> {
        match self {
            Self::Types(types) => types.get(index).copied(),
            Self::Fields(fields, _) => fields.get(index).map(|field| field.ty),
        }
    }
}

/// A tuple or a struct that is being written.
pub(super) struct Members<'s, C> {
    inner: C,
    list: List,
    next: usize,
    state: &'s State,
}

impl<C> Members<'_, C> {
    fn next<E: ser::Error>(&mut self) -> Result<&'static NamedType, E> {
        let schema = self.list.at(self.next).ok_or_else(|| differs(self.state))?;
        self.next += 1;
        Ok(schema)
    }

    /// The field of this name, which need not be the next one if some are never written.
    fn named<E: ser::Error>(&mut self, name: &str) -> Result<&'static NamedType, E> {
        if let List::Fields(fields, written) = self.list
            && written < fields.len()
        {
            let skipped = fields[self.next..].iter().position(|field| field.name == name);
            self.next += skipped.ok_or_else(|| differs(self.state))?;
        }
        self.next()
    }
}

macro_rules! tuples {
    ($($kind:ident::$method:ident via $inner:ident::$write:ident;)+) => {$(
        impl<C: ser::$inner> ser::$kind for Members<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                let value = Shaped::new(value, self.next()?, self.state);
                self.inner.$write(&value)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        }
    )+};
}

tuples! {
    SerializeTuple::serialize_element via SerializeTuple::serialize_element;
    SerializeTupleStruct::serialize_field via SerializeTuple::serialize_element;
    SerializeTupleVariant::serialize_field via SerializeTupleVariant::serialize_field;
}

macro_rules! structs {
    ($($kind:ident)+) => {$(
        impl<C: ser::$kind> ser::$kind for Members<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), C::Error> {
                let value = Shaped::new(value, self.named(name)?, self.state);
                self.inner.serialize_field(name, &value)
            }

            fn skip_field(&mut self, _: &'static str) -> Result<(), C::Error> {
                Err(self.state.refuse("a field that is only written sometimes (`skip_serializing_if`)"))
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        }
    )+};
}

structs! { SerializeStruct SerializeStructVariant }

/// A list or a map that is being written.
pub(super) struct Pairs<'s, C> {
    inner: C,
    key: &'static NamedType,
    value: &'static NamedType,
    state: &'s State,
}

impl<C: ser::SerializeSeq> ser::SerializeSeq for Pairs<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.inner.serialize_element(&Shaped::new(value, self.value, self.state))
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}

impl<C: ser::SerializeMap> ser::SerializeMap for Pairs<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        self.inner.serialize_key(&Shaped::new(key, self.key, self.state))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.inner.serialize_value(&Shaped::new(value, self.value, self.state))
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}
