//! [`MessagePack`]: the default format.

pub(crate) mod walk;

use std::io::Cursor;

use cachekit_core::{Format, Result, Serializer};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::guard::{Guarded, Rules, State};
use crate::undecodable::undecodable;
use crate::words::without_values;

/// MessagePack with named fields.
///
/// Structs are maps from field name to value, so fields may be added (with `#[serde(default)]`), removed and reordered,
/// and `skip_serializing_if` works. Enums are the variant's name, or a map of one entry from the name to the content.
///
/// ```
/// use cachekit_core::Serializer;
/// use cachekit_serde::MessagePack;
///
/// let mut bytes = Vec::new();
/// MessagePack.serialize(&("Ada".to_owned(), 36_u8), &mut bytes)?;
/// let back: (String, u8) = MessagePack.deserialize(&bytes)?;
/// assert_eq!(back, ("Ada".to_owned(), 36));
/// # Ok::<(), cachekit_core::Error>(())
/// ```
///
/// # What a type may hold
/// 1. Arrays and maps nest at most 100 deep, and steps of any kind (also `Some` and newtypes) at most 400: E020 beyond
///    that when writing, E021 when reading.
/// 2. `Some` of something that is itself written as nil (`Some(None)`, `Some(())`, `Some(Value::Null)`) is E020: it
///    would come back as `None`.
/// 3. `i128` and `u128` are written as numbers where 64 bits are enough, and as 16 bytes, big-endian, beyond that.
///    Inside `#[serde(untagged)]`, `#[serde(tag = ..)]` and flattened structs serde cannot read them back, whatever the
///    format: keep them out of such types.
/// 4. Types that differ for people and machines take their form for people: a UUID is its hyphenated text, an address
///    as in `"192.0.2.1"`. It costs some bytes, is what other languages expect, and is the only form that serde reads
///    back inside untagged, tagged and flattened types.
/// 5. NaN, infinities, empty collections, `char`, `()`, and maps with keys of any type come back as they were.
///    `Vec<u8>` is an array of numbers, up to twice as long as the binary that `serde_bytes` writes.
/// 6. An untagged enum comes back as the first variant that fits, as everywhere in serde: order its variants
///    accordingly.
/// 7. A type that contains itself without anything in between being written, such as `struct
///    Chain(Option<Box<Chain>>)`, must not be used: serde never finds its end when reading.
///
/// # Errors
/// E020 names the path of the offending field, such as `$.orders[3].note`; in maps, whose keys are data, it says
/// `{key}` or `{value}`. E021 says where in the bytes, and what they may be instead. Neither shows data: of what a type
/// says when it refuses, only what serde itself says is repeated, without values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessagePack;

impl<T: Serialize + DeserializeOwned + 'static> Serializer<T> for MessagePack {
    fn format(&self) -> Format {
        Format::MESSAGE_PACK
    }

    fn serialize(&self, value: &T, bytes: &mut Vec<u8>) -> Result<()> {
        let state = State::new(&RULES);
        let mut serializer = rmp_serde::Serializer::new(bytes).with_struct_map();
        Guarded::new(value, &state).serialize(&mut serializer).map_err(|error| state.explain::<T>(&error))
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<T> {
        let format = Format::MESSAGE_PACK;
        walk::check(bytes).map_err(|fault| undecodable(format, bytes, fault.offset, fault.problem))?;
        read(format, bytes)
    }
}

/// Reads a document that was [checked](walk::check), of what is called `format`.
pub(crate) fn read<T: DeserializeOwned>(format: Format, bytes: &[u8]) -> Result<T> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes).with_human_readable();
    T::deserialize(&mut deserializer).map_err(|error| {
        // Again, with a reader that knows where it is: reading is pure, so it fails at the same place.
        let mut deserializer = rmp_serde::Deserializer::new(Cursor::new(bytes)).with_human_readable();
        let _failed = T::deserialize(&mut deserializer);
        let offset = usize::try_from(deserializer.get_ref().position()).unwrap_or(bytes.len());
        let problem = format!("{} for {}", reason(&error), std::any::type_name::<T>());
        undecodable(format, bytes, offset, &problem)
    })
}

/// What serde says, without the values that it quotes.
fn reason(error: &rmp_serde::decode::Error) -> String {
    use rmp_serde::decode::Error as Decode;
    match error {
        Decode::Syntax(text) => without_values(text),
        Decode::TypeMismatch(marker) => format!("invalid type: {}", kind(marker.to_u8())),
        Decode::OutOfRange => "a number out of range".to_owned(),
        Decode::LengthMismatch(_) => "an array or map of the wrong length".to_owned(),
        Decode::Utf8Error(_) => "a text that is not UTF-8".to_owned(),
        Decode::DepthLimitExceeded => "nested too deeply".to_owned(),
        _ => "an end before the value was complete".to_owned(),
    }
}

/// What a value with this first byte is, in serde's words.
fn kind(marker: u8) -> &'static str {
    match marker {
        0xc0 => "unit value",
        0xc2 | 0xc3 => "boolean",
        0xca | 0xcb => "floating point",
        0x00..=0x7f | 0xcc..=0xd3 | 0xe0..=0xff => "integer",
        0xa0..=0xbf | 0xd9..=0xdb => "string",
        0xc4..=0xc6 => "byte array",
        0x90..=0x9f | 0xdc | 0xdd => "sequence",
        0x80..=0x8f | 0xde | 0xdf => "map",
        _ => "extension",
    }
}

const RULES: Rules = Rules {
    format: "MessagePack",
    depth: walk::MAX_DEPTH,
    too_deep: "arrays and maps nest deeper than 100",
    // An empty array.
    unit_struct: 1,
    human_readable: true,
    nil: true,
    finite: false,
    narrows: true,
    lengths: false,
    longest: u32::MAX as u64,
};
