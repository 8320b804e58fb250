//! [`InteropValues`]: values as all clients write and read them.

use cachekit_core::{Format, Result, Serializer};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::canonical::Canonical;
use super::duplicates;
use crate::guard::{Guarded, Rules, State};
use crate::message_pack::{self, walk};
use crate::undecodable::undecodable;

/// The serializer of values that CacheKit's other clients read and write, too: plain MessagePack, in the one form that the
/// Python client writes.
///
/// ```
/// use cachekit_core::Serializer;
/// use cachekit_serde::interop::InteropValues;
///
/// #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
/// struct Quote {
///     total: f64,
///     paid: bool,
/// }
///
/// let mut bytes = Vec::new();
/// InteropValues.serialize(&Quote { total: 12.0, paid: true }, &mut bytes)?;
/// // What Python stores of {"total": 12.0, "paid": True}.
/// assert_eq!(bytes, b"\x82\xa4paid\xc3\xa5total\xcb\x40\x28\0\0\0\0\0\0");
/// assert_eq!(<InteropValues as Serializer<Quote>>::deserialize(&InteropValues, &bytes)?.total, 12.0);
/// # Ok::<(), cachekit_core::Error>(())
/// ```
///
/// # What is written
/// 1. Structs and maps are maps, sorted by their keys; keys that are not text are E020, as are two that are the same.
///    `None` and `()` are nil; enums are the variant's name, or a map of one pair from the name to the content.
/// 2. Integers are as short as can be; beyond -2^63 to 2^64 - 1 they are E020. Floats have 64 bits, `f32` too, and stay
///    floats (`2.0` is not `2`). NaN and infinities are E020.
/// 3. Bytes are binary if they say so to serde (`bytes::Bytes`, `serde_bytes`); `Vec<u8>` is an array of integers.
/// 4. Dates have no type of their own in MessagePack: [`datetime`](super::datetime), [`date`](super::date) and
///    [`time`](super::time) write them as Python does its own. UUIDs, decimals and whatever else serde writes as text
///    are text, on the other side too.
/// 5. Sets are arrays, in the order in which they are iterated over.
/// 6. Arrays and maps nest at most 100 deep, values at most 400 steps. `Some` of nil is E020.
///
/// # What is read
/// Exactly one document, which may have been written by others: any width of number and length, any order of keys, of
/// which a later one replaces an earlier one of the same text, keys that are no text, and extensions where the type has
/// a place for them or skips them. Refused (E021) are entries of the Python client's standard mode, which begin with
/// `CK`, bytes that follow the document, the reserved byte `c1`, lengths that promise more than is there, and what nests
/// deeper than 100, where Python itself goes on to 1,024.
///
/// The document `c0` stands for "no value": it is [`absent`](Serializer::absent).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InteropValues;

impl<T: Serialize + DeserializeOwned + 'static> Serializer<T> for InteropValues {
    fn format(&self) -> Format {
        Format::INTEROP
    }

    fn serialize(&self, value: &T, bytes: &mut Vec<u8>) -> Result<()> {
        let state = State::new(&RULES);
        Guarded::new(value, &state).serialize(Canonical(bytes)).map_err(|error| state.explain::<T>(&error))
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<T> {
        let format = Format::INTEROP;
        if bytes.starts_with(b"CK") {
            // Its first byte alone would be the number 67.
            return Err(undecodable(format, bytes, 0, "expected a document"));
        }
        walk::check(bytes).map_err(|fault| undecodable(format, bytes, fault.offset, fault.problem))?;
        message_pack::read(format, bytes).or_else(|error| match duplicates::dropped(bytes) {
            // Types that know their keys refuse one that comes twice.
            Some(without) => message_pack::read(format, &without).map_err(|_also| error),
            None => Err(error),
        })
    }

    fn absent(&self) -> Option<&'static [u8]> {
        Some(&[0xc0])
    }
}

const RULES: Rules = Rules {
    format: "interop MessagePack",
    depth: walk::MAX_DEPTH,
    too_deep: "arrays and maps nest deeper than 100",
    unit_struct: 0,
    human_readable: true,
    nil: true,
    finite: true,
    narrows: true,
    lengths: false,
    longest: u32::MAX as u64,
};
