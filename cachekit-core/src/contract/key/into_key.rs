//! [`IntoKey`]: what can name an entry.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::num::NonZero;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::KeyWriter;

/// What can name an entry within its namespace: integers, strings, booleans, characters, durations, UUIDs, addresses,
/// and options, tuples, slices, sorted collections and newtypes of these.
///
/// # Contract
/// 1. Values that are equal write the same parts, in every process and on every machine.
/// 2. Values of one type that differ write different parts, and the parts of one are never the beginning of another's:
///    a type that writes varying many says first how many. Floating-point numbers are no keys, for they have no such
///    equality; hash maps and hash sets are none, for they have no order; paths and OS strings are none, for they are
///    not text on every system.
/// 3. Writing does no I/O, does not panic and does not depend on locale, time or randomness: a hit pays for it.
///
/// What the parts look like is told at [`KeyWriter`].
///
/// Derive it for structs and enums of your own (`#[derive(cachekit::IntoKey)]`), or write it by hand where a field does
/// not belong to the identity:
///
/// ```
/// use cachekit_core::{IntoKey, KeyWriter};
///
/// struct Query {
///     text: String,
///     page: u32,
///     trace_id: u64,
/// }
///
/// impl IntoKey for Query {
///     fn write_key(&self, writer: &mut KeyWriter) {
///         self.text.write_key(writer);
///         self.page.write_key(writer);
///     }
/// }
///
/// let mut writer = KeyWriter::new(b"search:");
/// Query { text: "red shoes".into(), page: 2, trace_id: 99 }.write_key(&mut writer);
/// assert_eq!(writer.as_bytes(), b"search:red_20shoes:2");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a cache key",
    label = "not a key",
    note = "keys are integers, strings, booleans, UUIDs (feature `uuid`), addresses, durations, and options, tuples, slices and sorted collections of these",
    note = "for a type of your own: `#[derive(cachekit::IntoKey)]`; for `#[cache]`: choose what identifies the call with `key = \"{{..}}\"` or `skip(..)`"
)]
pub trait IntoKey {
    /// Writes the parts. See the contract.
    fn write_key(&self, writer: &mut KeyWriter);

    /// What [`write_key`](Self::write_key) writes, where that is one number or one text: a hit then need not write it.
    #[doc(hidden)]
    #[inline]
    fn single_part(&self) -> Option<SinglePart<'_>> {
        None
    }
}

/// The one part of a key, before it is written.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinglePart<'a> {
    /// What [`KeyWriter::unsigned`] writes of a number.
    Number(u64),
    /// What [`KeyWriter::text`] writes of a text.
    Text(&'a str),
}

macro_rules! integers {
    ($write:ident: $($integer:ty),+) => {
        $(impl IntoKey for $integer {
            #[inline]
            fn write_key(&self, writer: &mut KeyWriter) {
                writer.$write(*self as _);
            }

            #[inline]
            fn single_part(&self) -> Option<SinglePart<'_>> {
                u64::try_from(*self).ok().map(SinglePart::Number)
            }
        }

        impl IntoKey for NonZero<$integer> {
            #[inline]
            fn write_key(&self, writer: &mut KeyWriter) {
                self.get().write_key(writer);
            }

            #[inline]
            fn single_part(&self) -> Option<SinglePart<'_>> {
                u64::try_from(self.get()).ok().map(SinglePart::Number)
            }
        })+
    };
}

integers!(unsigned: u8, u16, u32, u64, u128, usize);
integers!(signed: i8, i16, i32, i64, i128, isize);

macro_rules! displayed {
    ($($type:ty),+) => {
        $(impl IntoKey for $type {
            fn write_key(&self, writer: &mut KeyWriter) {
                writer.display(self);
            }
        })+
    };
}

displayed!(IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4);

impl IntoKey for SocketAddrV6 {
    fn write_key(&self, writer: &mut KeyWriter) {
        // `Display` leaves out the flow, which tells two addresses apart.
        match self.flowinfo() {
            0 => writer.display(self),
            flow => writer.display(format_args!("{self}/{flow}")),
        }
    }
}

impl IntoKey for SocketAddr {
    fn write_key(&self, writer: &mut KeyWriter) {
        match self {
            Self::V4(address) => address.write_key(writer),
            Self::V6(address) => address.write_key(writer),
        }
    }
}

impl IntoKey for str {
    #[inline]
    fn write_key(&self, writer: &mut KeyWriter) {
        writer.text(self);
    }

    #[inline]
    fn single_part(&self) -> Option<SinglePart<'_>> {
        Some(SinglePart::Text(self))
    }
}

impl IntoKey for String {
    #[inline]
    fn write_key(&self, writer: &mut KeyWriter) {
        writer.text(self);
    }

    #[inline]
    fn single_part(&self) -> Option<SinglePart<'_>> {
        Some(SinglePart::Text(self))
    }
}

impl IntoKey for bool {
    fn write_key(&self, writer: &mut KeyWriter) {
        writer.text(if *self { "true" } else { "false" });
    }
}

impl IntoKey for char {
    fn write_key(&self, writer: &mut KeyWriter) {
        writer.text(self.encode_utf8(&mut [0; 4]));
    }
}

/// Its nanoseconds.
impl IntoKey for Duration {
    fn write_key(&self, writer: &mut KeyWriter) {
        writer.unsigned(self.as_nanos());
    }
}

/// No part at all: the one entry of a namespace that holds one.
impl IntoKey for () {
    #[inline]
    fn write_key(&self, _: &mut KeyWriter) {}
}

/// No part at all, whatever it marks.
impl<T: ?Sized> IntoKey for PhantomData<T> {
    #[inline]
    fn write_key(&self, _: &mut KeyWriter) {}
}

impl IntoKey for Infallible {
    fn write_key(&self, _: &mut KeyWriter) {
        match *self {}
    }
}

/// The parts that it was given, whatever it began with: a key that was written earlier.
impl IntoKey for KeyWriter {
    fn write_key(&self, writer: &mut KeyWriter) {
        writer.parts(self);
    }
}

#[cfg(feature = "uuid")]
impl IntoKey for uuid::Uuid {
    fn write_key(&self, writer: &mut KeyWriter) {
        writer.text(self.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()));
    }
}

impl<K: IntoKey> IntoKey for Option<K> {
    fn write_key(&self, writer: &mut KeyWriter) {
        match self {
            Some(inner) => writer.some(|writer| inner.write_key(writer)),
            None => writer.none(),
        }
    }

    #[inline]
    fn single_part(&self) -> Option<SinglePart<'_>> {
        self.as_ref()?.single_part()
    }
}

impl<K: IntoKey> IntoKey for [K] {
    fn write_key(&self, writer: &mut KeyWriter) {
        sequence(self.iter(), writer);
    }
}

impl<K: IntoKey, const N: usize> IntoKey for [K; N] {
    fn write_key(&self, writer: &mut KeyWriter) {
        self.as_slice().write_key(writer);
    }
}

impl<K: IntoKey> IntoKey for Vec<K> {
    fn write_key(&self, writer: &mut KeyWriter) {
        self.as_slice().write_key(writer);
    }
}

impl<K: IntoKey> IntoKey for VecDeque<K> {
    fn write_key(&self, writer: &mut KeyWriter) {
        sequence(self.iter(), writer);
    }
}

impl<K: IntoKey> IntoKey for BTreeSet<K> {
    fn write_key(&self, writer: &mut KeyWriter) {
        sequence(self.iter(), writer);
    }
}

impl<K: IntoKey, V: IntoKey> IntoKey for BTreeMap<K, V> {
    fn write_key(&self, writer: &mut KeyWriter) {
        sequence(self.iter(), writer);
    }
}

fn sequence<K: IntoKey>(elements: impl ExactSizeIterator<Item = K>, writer: &mut KeyWriter) {
    writer.sequence(elements.len());
    for element in elements {
        element.write_key(writer);
    }
}

macro_rules! pointers {
    ($($pointer:ty),+) => {
        $(impl<K: IntoKey + ?Sized> IntoKey for $pointer {
            #[inline]
            fn write_key(&self, writer: &mut KeyWriter) {
                (**self).write_key(writer);
            }

            #[inline]
            fn single_part(&self) -> Option<SinglePart<'_>> {
                (**self).single_part()
            }
        })+
    };
}

pointers!(&K, &mut K, Box<K>, Rc<K>, Arc<K>);

impl<K: IntoKey + ToOwned + ?Sized> IntoKey for Cow<'_, K> {
    fn write_key(&self, writer: &mut KeyWriter) {
        (**self).write_key(writer);
    }

    #[inline]
    fn single_part(&self) -> Option<SinglePart<'_>> {
        (**self).single_part()
    }
}

macro_rules! tuples {
    ($(($($part:ident),+))+) => {
        $(impl<$($part: IntoKey),+> IntoKey for ($($part,)+) {
            #[inline]
            fn write_key(&self, writer: &mut KeyWriter) {
                #[expect(non_snake_case, reason = "one name for the type and its value")]
                let ($($part,)+) = self;
                $($part.write_key(writer);)+
            }
        })+
    };
}

tuples! {
    (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) (A, B, C, D, E, F) (A, B, C, D, E, F, G) (A, B, C, D, E, F, G, H)
    (A, B, C, D, E, F, G, H, I) (A, B, C, D, E, F, G, H, I, J) (A, B, C, D, E, F, G, H, I, J, K)
    (A, B, C, D, E, F, G, H, I, J, K, L)
}
