//! [`InteropArg`]: what can be an argument of a call that other languages make, too.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt;
use std::num::NonZero;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::writer::ArgWriter;

/// What can be an argument of a call that other languages make, too.
///
/// | Rust | Python | written as |
/// | --- | --- | --- |
/// | `Option` | `None` or the value | nil or the value |
/// | `bool` | `bool` | `bool` |
/// | integers | `int` | the shortest; beyond -2^63 to 2^64 - 1 refused |
/// | `f32`, `f64` | `float` | the integer that it is equal to, else 64 bits; NaN and infinities refused |
/// | `str`, `String`, `char` | `str` | text, not normalised |
/// | [`Binary`], `bytes::Bytes` | `bytes` | binary |
/// | slices, arrays, `Vec`, `VecDeque`, tuples | `list`, `tuple` | an array |
/// | maps whose keys are text | `dict` with `str` keys | a map, sorted |
/// | sets | `set`, `frozenset` | an array, sorted, each once |
/// | `SystemTime`, `chrono::DateTime` (feature `chrono`) | `datetime` with a zone | seconds since 1970, cut to microseconds, as a float |
/// | `uuid::Uuid` (feature `uuid`) | `UUID` | its text |
/// | [`AsText`] | `Decimal`, and what else is taken by its text | text |
///
/// Mind that `Vec<u8>` and `[u8]` are lists of integers, as `list` is in Python: bytes say so with [`Binary`]. A date
/// without a zone, a date without a time and a time of day are no arguments on any side.
///
/// Derive it (`#[derive(cachekit::interop::InteropArg)]`) for structs, which become maps, for newtypes and for enums
/// without fields; or write it by hand:
///
/// ```
/// use cachekit_serde::interop::{ArgWriter, InteropArg, InteropKey};
///
/// struct Money {
///     cents: i64,
///     currency: &'static str,
/// }
///
/// impl InteropArg for Money {
///     fn write_arg(&self, writer: &mut ArgWriter) {
///         writer.map(|map| {
///             map.entry("currency", self.currency);
///             map.entry("cents", &self.cents);
///         });
///     }
/// }
///
/// let by_hand = InteropKey::of(&(Money { cents: 1_999, currency: "EUR" },))?;
/// # let map = std::collections::BTreeMap::from([("cents", Either::Number(1_999)), ("currency", Either::Text("EUR"))]);
/// # enum Either { Number(i64), Text(&'static str) }
/// # impl InteropArg for Either {
/// #     fn write_arg(&self, writer: &mut ArgWriter) {
/// #         match self { Self::Number(number) => number.write_arg(writer), Self::Text(text) => text.write_arg(writer) }
/// #     }
/// # }
/// # assert_eq!(by_hand, InteropKey::of(&(map,))?);
/// # Ok::<(), cachekit_core::Error>(())
/// ```
///
/// # Contract
/// Exactly one value is written. Equal arguments write the same bytes, in every process. Writing does no I/O and does not
/// panic; what cannot be written is [refused](ArgWriter::refuse).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of an interop key",
    label = "not an argument that other languages know",
    note = "arguments are numbers, text, `Binary`, `SystemTime`, and options, lists, tuples, sets and maps of these",
    note = "for a type of your own: `#[derive(cachekit::interop::InteropArg)]`; what Python takes by its text: `AsText`; for \
            `#[cache]`: leave out with `skip(..)` what Python does not pass"
)]
pub trait InteropArg {
    /// Writes the argument. See the contract.
    fn write_arg(&self, writer: &mut ArgWriter);
}

/// Bytes as an argument, which without this are a list of integers.
///
/// ```
/// use cachekit_serde::interop::{Binary, InteropKey};
///
/// assert_ne!(InteropKey::of(&(Binary(b"abc"),))?, InteropKey::of(&(b"abc",))?);
/// # Ok::<(), cachekit_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binary<B>(pub B);

impl<B: AsRef<[u8]>> InteropArg for Binary<B> {
    fn write_arg(&self, writer: &mut ArgWriter) {
        writer.bytes(self.0.as_ref());
    }
}

impl InteropArg for Bytes {
    fn write_arg(&self, writer: &mut ArgWriter) {
        writer.bytes(self);
    }
}

/// What Python takes by its text, such as a `Decimal`: the text that `Display` gives. That of equal values has to be
/// equal on both sides; `1.0` and `1.00` are two decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AsText<T>(pub T);

impl<T: fmt::Display> InteropArg for AsText<T> {
    fn write_arg(&self, writer: &mut ArgWriter) {
        writer.text(&self.0.to_string());
    }
}

macro_rules! integers {
    ($write:ident: $($integer:ty),+) => {
        $(
            impl InteropArg for $integer {
                fn write_arg(&self, writer: &mut ArgWriter) {
                    writer.$write(*self as _);
                }
            }

            impl InteropArg for NonZero<$integer> {
                fn write_arg(&self, writer: &mut ArgWriter) {
                    self.get().write_arg(writer);
                }
            }
        )+
    };
}

integers!(unsigned: u8, u16, u32, u64, u128, usize);
integers!(signed: i8, i16, i32, i64, i128, isize);

impl InteropArg for bool {
    fn write_arg(&self, writer: &mut ArgWriter) {
        writer.boolean(*self);
    }
}

impl InteropArg for f32 {
    fn write_arg(&self, writer: &mut ArgWriter) {
        writer.float(f64::from(*self));
    }
}

impl InteropArg for f64 {
    fn write_arg(&self, writer: &mut ArgWriter) {
        writer.float(*self);
    }
}

impl InteropArg for str {
    fn write_arg(&self, writer: &mut ArgWriter) {
        writer.text(self);
    }
}

impl InteropArg for String {
    fn write_arg(&self, writer: &mut ArgWriter) {
        writer.text(self);
    }
}

impl InteropArg for char {
    fn write_arg(&self, writer: &mut ArgWriter) {
        writer.text(self.encode_utf8(&mut [0; 4]));
    }
}

impl InteropArg for SystemTime {
    fn write_arg(&self, writer: &mut ArgWriter) {
        let nanos = match self.duration_since(UNIX_EPOCH) {
            Ok(since) => since.as_nanos() as i128,
            Err(before) => -(before.duration().as_nanos() as i128),
        };
        writer.timestamp(nanos.div_euclid(1_000));
    }
}

#[cfg(feature = "chrono")]
impl<Z: chrono::TimeZone> InteropArg for chrono::DateTime<Z> {
    fn write_arg(&self, writer: &mut ArgWriter) {
        // Of a leap second, too, for which the other sides have no place of its own.
        writer.timestamp(self.timestamp_micros().into());
    }
}

#[cfg(feature = "uuid")]
impl InteropArg for uuid::Uuid {
    fn write_arg(&self, writer: &mut ArgWriter) {
        writer.text(self.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()));
    }
}

impl<A: InteropArg> InteropArg for Option<A> {
    fn write_arg(&self, writer: &mut ArgWriter) {
        match self {
            Some(value) => value.write_arg(writer),
            None => writer.none(),
        }
    }
}

impl<A: InteropArg> InteropArg for [A] {
    fn write_arg(&self, writer: &mut ArgWriter) {
        writer.array(self.len(), |writer| self.iter().for_each(|element| element.write_arg(writer)));
    }
}

impl<A: InteropArg, const N: usize> InteropArg for [A; N] {
    fn write_arg(&self, writer: &mut ArgWriter) {
        self.as_slice().write_arg(writer);
    }
}

impl<A: InteropArg> InteropArg for Vec<A> {
    fn write_arg(&self, writer: &mut ArgWriter) {
        self.as_slice().write_arg(writer);
    }
}

impl<A: InteropArg> InteropArg for VecDeque<A> {
    fn write_arg(&self, writer: &mut ArgWriter) {
        writer.array(self.len(), |writer| self.iter().for_each(|element| element.write_arg(writer)));
    }
}

impl<K: AsRef<str>, A: InteropArg> InteropArg for BTreeMap<K, A> {
    fn write_arg(&self, writer: &mut ArgWriter) {
        writer.map(|map| self.iter().for_each(|(key, value)| map.entry(key.as_ref(), value)));
    }
}

impl<K: AsRef<str>, A: InteropArg, S> InteropArg for HashMap<K, A, S> {
    fn write_arg(&self, writer: &mut ArgWriter) {
        writer.map(|map| self.iter().for_each(|(key, value)| map.entry(key.as_ref(), value)));
    }
}

impl<A: InteropArg> InteropArg for BTreeSet<A> {
    fn write_arg(&self, writer: &mut ArgWriter) {
        writer.set(|set| self.iter().for_each(|element| set.element(element)));
    }
}

impl<A: InteropArg, S> InteropArg for HashSet<A, S> {
    fn write_arg(&self, writer: &mut ArgWriter) {
        writer.set(|set| self.iter().for_each(|element| set.element(element)));
    }
}

macro_rules! pointers {
    ($($pointer:ty),+) => {
        $(impl<A: InteropArg + ?Sized> InteropArg for $pointer {
            fn write_arg(&self, writer: &mut ArgWriter) {
                (**self).write_arg(writer);
            }
        })+
    };
}

pointers!(&A, &mut A, Box<A>, Rc<A>, Arc<A>);

impl<A: InteropArg + ToOwned + ?Sized> InteropArg for Cow<'_, A> {
    fn write_arg(&self, writer: &mut ArgWriter) {
        (**self).write_arg(writer);
    }
}
