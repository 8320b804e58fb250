//! Watches a value being read: depth, and lengths that the bytes cannot keep.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

/// How deep arrays, maps, structs and variants may nest.
pub(super) const MAX_DEPTH: usize = 100;

/// These, options and newtypes in each other, as when writing.
const MAX_STEPS: usize = 400;

/// What is known while a value is read.
pub(super) struct Watch<'a> {
    length: usize,
    at: &'a Cell<usize>,
    depth: Cell<usize>,
    steps: Cell<usize>,
    fault: Cell<Option<&'static str>>,
}

impl<'a> Watch<'a> {
    /// The watch over `length` bytes that are read up to `at`.
    pub(super) fn new(length: usize, at: &'a Cell<usize>) -> Self {
        Self { length, at, depth: Cell::default(), steps: Cell::default(), fault: Cell::default() }
    }

    /// Why reading was ended from here, if it was.
    pub(super) fn fault(&self) -> Option<&'static str> {
        self.fault.get()
    }

    fn refuse<E: de::Error>(&self, problem: &'static str) -> E {
        self.fault.set(Some(problem));
        E::custom(problem)
    }

    fn left(&self) -> usize {
        self.length - self.at.get()
    }

    /// Reads something within, `levels` deeper.
    fn within<T, E: de::Error>(&self, levels: usize, read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.depth.set(self.depth.get() + levels);
        self.steps.set(self.steps.get() + 1);
        if self.depth.get() > MAX_DEPTH || self.steps.get() > MAX_STEPS {
            return Err(self.refuse("values nest deeper than 100, or in more than 400 steps,"));
        }
        let value = read()?;
        self.depth.set(self.depth.get() - levels);
        self.steps.set(self.steps.get() - 1);
        Ok(value)
    }
}

/// The bytes that are left, which tells how far it is.
pub(super) struct Cursor<'de> {
    bytes: &'de [u8],
    at: &'de Cell<usize>,
}

impl<'de> Cursor<'de> {
    pub(super) fn new(bytes: &'de [u8], at: &'de Cell<usize>) -> Self {
        Self { bytes, at }
    }
}

impl<'de> postcard::de_flavors::Flavor<'de> for Cursor<'de> {
    type Remainder = ();
    type Source = ();

    fn pop(&mut self) -> postcard::Result<u8> {
        let at = self.at.get();
        let byte = self.bytes.get(at).ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
        self.at.set(at + 1);
        Ok(*byte)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.bytes.len() - self.at.get())
    }

    fn try_take_n(&mut self, count: usize) -> postcard::Result<&'de [u8]> {
        let at = self.at.get();
        let taken = self.bytes[at..].get(..count).ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
        self.at.set(at + count);
        Ok(taken)
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// A reader, a visitor, a seed or an access that is watched, and all in it.
pub(super) struct Watched<'w, T> {
    inner: T,
    watch: &'w Watch<'w>,
}

impl<'w, T> Watched<'w, T> {
    pub(super) fn new(inner: T, watch: &'w Watch<'w>) -> Self {
        Self { inner, watch }
    }
}

macro_rules! leaves {
    ($($method:ident)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(visitor)
        }
    )+};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Watched<'_, D> {
    type Error = D::Error;

    fn is_human_readable(&self) -> bool {
        false
    }

    leaves! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_unit
        deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit_struct(name, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = Nested::new(visitor, self.watch);
        self.watch.within(0, || self.inner.deserialize_option(visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = Nested::new(visitor, self.watch);
        self.watch.within(0, || self.inner.deserialize_newtype_struct(name, visitor))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = Nested::counted(visitor, self.watch);
        self.watch.within(1, || self.inner.deserialize_seq(visitor))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = Nested::counted(visitor, self.watch);
        self.watch.within(1, || self.inner.deserialize_map(visitor))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = Nested::new(visitor, self.watch);
        self.watch.within(1, || self.inner.deserialize_tuple(length, visitor))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = Nested::new(visitor, self.watch);
        self.watch.within(1, || self.inner.deserialize_tuple_struct(name, length, visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = Nested::new(visitor, self.watch);
        self.watch.within(1, || self.inner.deserialize_struct(name, fields, visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        // Its levels are those of the variant.
        self.inner.deserialize_enum(name, variants, Nested::new(visitor, self.watch))
    }
}

/// The visitor of something that holds other values.
struct Nested<'w, V> {
    visitor: V,
    watch: &'w Watch<'w>,
    /// Whether a length in the bytes says how many.
    counted: bool,
}

impl<'w, V> Nested<'w, V> {
    fn new(visitor: V, watch: &'w Watch<'w>) -> Self {
        Self { visitor, watch, counted: false }
    }

    fn counted(visitor: V, watch: &'w Watch<'w>) -> Self {
        Self { visitor, watch, counted: true }
    }

    /// Refuses lengths beyond what is left: every element takes a byte or more.
    fn elements<A, E: de::Error>(&self, inner: A, hint: Option<usize>) -> Result<Elements<'w, A>, E> {
        if self.counted && hint.is_none_or(|count| count > self.watch.left()) {
            return Err(self.watch.refuse("more elements than there are bytes"));
        }
        Ok(Elements { inner, watch: self.watch, counted: self.counted, start: 0 })
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Nested<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_none<E: de::Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Watched::new(inner, self.watch))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_newtype_struct(Watched::new(inner, self.watch))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let hint = inner.size_hint();
        let elements = self.elements(inner, hint)?;
        self.visitor.visit_seq(elements)
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let hint = inner.size_hint();
        let elements = self.elements(inner, hint)?;
        self.visitor.visit_map(elements)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(Watched::new(inner, self.watch))
    }
}

/// The elements of an array or a map.
struct Elements<'w, A> {
    inner: A,
    watch: &'w Watch<'w>,
    counted: bool,
    /// Where the element began.
    start: usize,
}

impl<A> Elements<'_, A> {
    fn begin(&mut self) {
        self.start = self.watch.at.get();
    }

    fn end<E: de::Error>(&self) -> Result<(), E> {
        if self.counted && self.watch.at.get() == self.start {
            return Err(self.watch.refuse("elements that take no bytes"));
        }
        Ok(())
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Elements<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.begin();
        let element = self.inner.next_element_seed(Watched::new(seed, self.watch))?;
        if element.is_some() {
            self.end()?;
        }
        Ok(element)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Elements<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.begin();
        self.inner.next_key_seed(Watched::new(seed, self.watch))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let value = self.inner.next_value_seed(Watched::new(seed, self.watch))?;
        self.end()?;
        Ok(value)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Watched<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Watched::new(inner, self.watch))
    }
}

impl<'de, 'w, A: EnumAccess<'de>> EnumAccess<'de> for Watched<'w, A> {
    type Error = A::Error;
    type Variant = Watched<'w, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let (name, inner) = self.inner.variant_seed(seed)?;
        Ok((name, Watched::new(inner, self.watch)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Watched<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        let seed = Watched::new(seed, self.watch);
        self.watch.within(1, || self.inner.newtype_variant_seed(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, A::Error> {
        let visitor = Nested::new(visitor, self.watch);
        self.watch.within(2, || self.inner.tuple_variant(length, visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = Nested::new(visitor, self.watch);
        self.watch.within(2, || self.inner.struct_variant(fields, visitor))
    }
}
