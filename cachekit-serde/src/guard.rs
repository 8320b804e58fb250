//! Watches a value being serialized: depth, what the format would lose, and where it fails.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Write as _};

use cachekit_core::{Error, ErrorCode};
use serde::ser::{self, Serialize, Serializer};

/// What a format asks of the values that it is given.
#[derive(Debug)]
pub(crate) struct Rules {
    /// The format's name, for messages.
    pub(crate) format: &'static str,
    /// How deep arrays, maps and the like may nest.
    pub(crate) depth: usize,
    pub(crate) too_deep: &'static str,
    /// How many levels a unit struct takes.
    pub(crate) unit_struct: usize,
    /// Whether types take their form for people.
    pub(crate) human_readable: bool,
    /// Whether `Some` of nothing reads as `None`.
    pub(crate) nil: bool,
    /// Whether floats have to be finite.
    pub(crate) finite: bool,
    /// Whether wide integers are written as narrow ones where these are enough.
    pub(crate) narrows: bool,
    /// Whether lengths have to be known before the elements.
    pub(crate) lengths: bool,
    /// How many bytes or elements a length may count.
    pub(crate) longest: u64,
}

/// A value that is watched while it is serialized, and all in it.
pub(crate) struct Guarded<'s, T: ?Sized> {
    value: &'s T,
    state: &'s State,
}

impl<'s, T: ?Sized> Guarded<'s, T> {
    pub(crate) fn new(value: &'s T, state: &'s State) -> Self {
        Self { value, state }
    }
}

impl<T: Serialize + ?Sized> Serialize for Guarded<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Guard { inner: serializer, state: self.state })
    }
}

/// What is known while a value is serialized, and after it failed.
pub(crate) struct State {
    rules: &'static Rules,
    depth: Cell<usize>,
    steps: Cell<usize>,
    /// Whether what was last written is nil.
    nil: Cell<bool>,
    fault: Cell<Option<&'static str>>,
    /// The way to the fault, from the inside out; written only when an error passes by.
    path: RefCell<Vec<Step>>,
}

/// `Some`, newtypes, arrays and maps in each other. More than the depth, for real types have a few of them per level.
const MAX_STEPS: usize = 400;

enum Step {
    Field(&'static str),
    Index(usize),
    Key,
    Value,
}

impl State {
    pub(crate) fn new(rules: &'static Rules) -> Self {
        Self {
            rules,
            depth: Cell::default(),
            steps: Cell::default(),
            nil: Cell::default(),
            fault: Cell::default(),
            path: RefCell::default(),
        }
    }

    /// The error of a value of `T` that `error` ended.
    pub(crate) fn explain<T>(&self, error: &dyn fmt::Display) -> Error {
        let mut path = String::from("$");
        for step in self.path.borrow().iter().rev() {
            let _infallible = match step {
                Step::Field(name) => write!(path, ".{name}"),
                Step::Index(index) => write!(path, "[{index}]"),
                Step::Key => write!(path, "{{key}}"),
                Step::Value => write!(path, "{{value}}"),
            };
        }
        let said = error.to_string();
        let problem = self
            .fault
            .get()
            .or_else(|| SERDE_SAYS.iter().find(|known| said.starts_with(**known)).copied())
            .unwrap_or("the type refuses the value");
        Error::new(
            ErrorCode::E020,
            format!("{}: {path} of {}: {problem}", self.rules.format, std::any::type_name::<T>()),
        )
    }

    /// The error of a value that cannot be written, and why.
    pub(crate) fn refuse<E: ser::Error>(&self, problem: &'static str) -> E {
        self.fault.set(Some(problem));
        E::custom(problem)
    }

    /// Goes one step and `levels` of arrays and maps deeper.
    fn enter<E: ser::Error>(&self, levels: usize) -> Result<(), E> {
        self.depth.set(self.depth.get() + levels);
        self.steps.set(self.steps.get() + 1);
        if self.depth.get() > self.rules.depth {
            return Err(self.refuse(self.rules.too_deep));
        }
        if self.steps.get() > MAX_STEPS {
            return Err(self.refuse("values nest in more than 400 steps"));
        }
        Ok(())
    }

    fn leave(&self, levels: usize) {
        self.depth.set(self.depth.get() - levels);
        self.steps.set(self.steps.get() - 1);
    }

    fn at<T, E>(&self, step: impl FnOnce() -> Step, result: Result<T, E>) -> Result<T, E> {
        if result.is_err() {
            self.path.borrow_mut().push(step());
        }
        result
    }
}

/// What serde itself says when it refuses, without data in it. What other types say may quote the value.
const SERDE_SAYS: &[&str] = &[
    "already mutably borrowed",
    "can only flatten structs and maps",
    "key must be a string",
    "cannot serialize tagged newtype variant",
    "lock poison error",
    "path contains invalid UTF-8 characters",
    "SystemTime must be later than UNIX_EPOCH",
    #[cfg(feature = "interop")]
    crate::interop::TOO_WIDE,
    #[cfg(feature = "interop")]
    crate::interop::TWICE,
    #[cfg(feature = "interop")]
    crate::interop::NO_DATE,
];

struct Guard<'s, S> {
    inner: S,
    state: &'s State,
}

impl<'s, S: Serializer> Guard<'s, S> {
    fn scalar(self, write: impl FnOnce(S) -> Result<S::Ok, S::Error>) -> Result<S::Ok, S::Error> {
        self.state.nil.set(false);
        write(self.inner)
    }

    fn check_float(&self, finite: bool) -> Result<(), S::Error> {
        if self.state.rules.finite && !finite {
            Err(self.state.refuse("NaN and infinities have no form"))
        } else {
            Ok(())
        }
    }

    fn compound<C>(
        self,
        levels: usize,
        expected: Option<usize>,
        open: impl FnOnce(S) -> Result<C, S::Error>,
    ) -> Result<Compound<'s, C>, S::Error> {
        let state = self.state;
        state.enter(levels)?;
        check_length(state, expected.unwrap_or(0))?;
        if state.rules.lengths && expected.is_none() {
            return Err(state.refuse("the type does not say beforehand how many elements it writes"));
        }
        Ok(Compound { inner: open(self.inner)?, state, levels, expected, seen: 0 })
    }
}

fn check_length<E: ser::Error>(state: &State, length: usize) -> Result<(), E> {
    if length as u64 > state.rules.longest { Err(state.refuse("longer than 4 GiB")) } else { Ok(()) }
}

macro_rules! scalars {
    ($($method:ident($type:ty))+) => {$(
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.scalar(|inner| inner.$method(value))
        }
    )+};
}

impl<'s, S: Serializer> Serializer for Guard<'s, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Compound<'s, S::SerializeSeq>;
    type SerializeTuple = Compound<'s, S::SerializeTuple>;
    type SerializeTupleStruct = Compound<'s, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Compound<'s, S::SerializeTupleVariant>;
    type SerializeMap = Compound<'s, S::SerializeMap>;
    type SerializeStruct = Compound<'s, S::SerializeStruct>;
    type SerializeStructVariant = Compound<'s, S::SerializeStructVariant>;

    fn is_human_readable(&self) -> bool {
        self.state.rules.human_readable
    }

    scalars! {
        serialize_bool(bool) serialize_char(char)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
    }

    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        self.check_float(value.is_finite())?;
        self.scalar(|inner| inner.serialize_f32(value))
    }

    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        self.check_float(value.is_finite())?;
        self.scalar(|inner| inner.serialize_f64(value))
    }

    fn serialize_i128(self, value: i128) -> Result<S::Ok, S::Error> {
        let narrows = self.state.rules.narrows;
        self.scalar(|inner| match (u64::try_from(value), i64::try_from(value)) {
            _ if !narrows => inner.serialize_i128(value),
            (Ok(small), _) => inner.serialize_u64(small),
            (_, Ok(small)) => inner.serialize_i64(small),
            _ => inner.serialize_i128(value),
        })
    }

    fn serialize_u128(self, value: u128) -> Result<S::Ok, S::Error> {
        let narrows = self.state.rules.narrows;
        self.scalar(|inner| match u64::try_from(value) {
            Ok(small) if narrows => inner.serialize_u64(small),
            _ => inner.serialize_u128(value),
        })
    }

    fn serialize_str(self, value: &str) -> Result<S::Ok, S::Error> {
        check_length(self.state, value.len())?;
        self.scalar(|inner| inner.serialize_str(value))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<S::Ok, S::Error> {
        check_length(self.state, value.len())?;
        self.scalar(|inner| inner.serialize_bytes(value))
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.state.nil.set(true);
        self.inner.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let state = self.state;
        state.enter(0)?;
        let ok = self.inner.serialize_some(&Guarded { value, state })?;
        state.leave(0);
        if state.rules.nil && state.nil.get() {
            return Err(state.refuse("`Some` of something that is written as nil would come back as `None`"));
        }
        Ok(ok)
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.state.nil.set(true);
        self.inner.serialize_unit()
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        let state = self.state;
        let levels = state.rules.unit_struct;
        state.enter(levels)?;
        let ok = self.inner.serialize_unit_struct(name)?;
        state.leave(levels);
        state.nil.set(levels == 0);
        Ok(ok)
    }

    fn serialize_unit_variant(self, name: &'static str, index: u32, variant: &'static str) -> Result<S::Ok, S::Error> {
        self.scalar(|inner| inner.serialize_unit_variant(name, index, variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<S::Ok, S::Error> {
        let state = self.state;
        state.enter(0)?;
        let ok = self.inner.serialize_newtype_struct(name, &Guarded { value, state })?;
        state.leave(0);
        Ok(ok)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let state = self.state;
        state.enter(1)?;
        let value = Guarded { value, state };
        let ok =
            state.at(|| Step::Field(variant), self.inner.serialize_newtype_variant(name, index, variant, &value))?;
        state.leave(1);
        state.nil.set(false);
        Ok(ok)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.compound(1, length, |inner| inner.serialize_seq(length))
    }

    fn serialize_tuple(self, length: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.compound(1, Some(length), |inner| inner.serialize_tuple(length))
    }

    fn serialize_tuple_struct(self, name: &'static str, length: usize) -> Result<Self::SerializeTupleStruct, S::Error> {
        self.compound(1, Some(length), |inner| inner.serialize_tuple_struct(name, length))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        self.compound(2, Some(length), |inner| inner.serialize_tuple_variant(name, index, variant, length))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.compound(1, length, |inner| inner.serialize_map(length))
    }

    fn serialize_struct(self, name: &'static str, length: usize) -> Result<Self::SerializeStruct, S::Error> {
        self.compound(1, Some(length), |inner| inner.serialize_struct(name, length))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        self.compound(2, Some(length), |inner| inner.serialize_struct_variant(name, index, variant, length))
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.serialize_str(&value.to_string())
    }
}

/// An array or a map that is being written.
struct Compound<'s, C> {
    inner: C,
    state: &'s State,
    /// How many levels it takes in the document.
    levels: usize,
    /// How many elements its header promises.
    expected: Option<usize>,
    seen: usize,
}

impl<C> Compound<'_, C> {
    fn finish<T, E: ser::Error>(self, end: impl FnOnce(C) -> Result<T, E>) -> Result<T, E> {
        if self.expected.is_some_and(|expected| expected != self.seen) {
            return Err(self.state.refuse("the type announced another number of elements than it wrote"));
        }
        let ok = end(self.inner)?;
        self.state.leave(self.levels);
        self.state.nil.set(false);
        Ok(ok)
    }
}

macro_rules! arrays {
    ($($kind:ident::$method:ident)+) => {$(
        impl<C: ser::$kind> ser::$kind for Compound<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                let (index, state) = (self.seen, self.state);
                self.seen += 1;
                state.at(|| Step::Index(index), self.inner.$method(&Guarded { value, state }))
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.finish(C::end)
            }
        }
    )+};
}

arrays! {
    SerializeSeq::serialize_element
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

impl<C: ser::SerializeMap> ser::SerializeMap for Compound<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        let state = self.state;
        self.seen += 1;
        state.at(|| Step::Key, self.inner.serialize_key(&Guarded { value: key, state }))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let state = self.state;
        state.at(|| Step::Value, self.inner.serialize_value(&Guarded { value, state }))
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.finish(C::end)
    }
}

macro_rules! structs {
    ($($kind:ident)+) => {$(
        impl<C: ser::$kind> ser::$kind for Compound<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), C::Error> {
                let state = self.state;
                self.seen += 1;
                state.at(|| Step::Field(name), self.inner.serialize_field(name, &Guarded { value, state }))
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), C::Error> {
                self.state.at(|| Step::Field(name), self.inner.skip_field(name))
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.finish(C::end)
            }
        }
    )+};
}

structs! { SerializeStruct SerializeStructVariant }
