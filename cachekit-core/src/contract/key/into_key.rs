//! [`IntoKey`]: what can name an entry.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use super::KeyWriter;

/// What can name an entry within its namespace: integers, strings, booleans, characters, UUIDs, addresses, and options,
/// tuples, slices and newtypes of these.
///
/// # Contract
/// 1. Values that are equal write the same parts, in every process and on every machine.
/// 2. Values that differ write different parts. Floating-point numbers are no keys: they have no such equality.
/// 3. Writing does no I/O, does not panic and does not depend on locale, time or randomness: a hit pays for it.
///
/// Derive it for structs and enums of your own:
///
/// ```ignore
/// #[derive(cachekit::IntoKey)]
/// struct UserId(u64);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a cache key",
    label = "not a key",
    note = "keys are integers, strings, booleans, UUIDs (feature `uuid`), addresses, and options, tuples and slices of these",
    note = "for a type of your own: `#[derive(cachekit::IntoKey)]`; for `#[cache]`: choose what identifies the call with `key = \"{{..}}\"` or `skip(..)`"
)]
pub trait IntoKey {
    /// Writes the parts. See the contract.
    fn write_key(&self, writer: &mut KeyWriter);
}

macro_rules! integers {
    ($($integer:ty),+) => {
        $(impl IntoKey for $integer {
            #[inline]
            fn write_key(&self, writer: &mut KeyWriter) {
                writer.integer(*self);
            }
        })+
    };
}

integers!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);

macro_rules! displayed {
    ($($type:ty),+) => {
        $(impl IntoKey for $type {
            fn write_key(&self, writer: &mut KeyWriter) {
                writer.text(&self.to_string());
            }
        })+
    };
}

displayed!(IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr);

impl IntoKey for str {
    #[inline]
    fn write_key(&self, writer: &mut KeyWriter) {
        writer.text(self);
    }
}

impl IntoKey for String {
    #[inline]
    fn write_key(&self, writer: &mut KeyWriter) {
        writer.text(self);
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

/// No part at all: the one entry of a namespace that holds one.
impl IntoKey for () {
    fn write_key(&self, _writer: &mut KeyWriter) {}
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
}

impl<K: IntoKey> IntoKey for [K] {
    fn write_key(&self, writer: &mut KeyWriter) {
        writer.sequence(self.len());
        for part in self {
            part.write_key(writer);
        }
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

macro_rules! pointers {
    ($($pointer:ty),+) => {
        $(impl<K: IntoKey + ?Sized> IntoKey for $pointer {
            #[inline]
            fn write_key(&self, writer: &mut KeyWriter) {
                (**self).write_key(writer);
            }
        })+
    };
}

pointers!(&K, &mut K, Box<K>, Rc<K>, Arc<K>);

impl<K: IntoKey + ToOwned + ?Sized> IntoKey for Cow<'_, K> {
    fn write_key(&self, writer: &mut KeyWriter) {
        (**self).write_key(writer);
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
}
