//! [`Json`]: the format for people, and for everything that speaks it.

use cachekit_core::{Format, Result, Serializer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::guard::{Guarded, Rules, State};
use crate::undecodable::undecodable;
use crate::words::without_values;

/// JSON, without white space.
///
/// To be read by eye in the store, and by programs in any language. Structs are objects from field name to value, so
/// fields may be added (with `#[serde(default)]`), removed and reordered. Enums are the variant's name, or an object of
/// one entry from the name to the content.
///
/// ```
/// use cachekit_core::Serializer;
/// use cachekit_serde::Json;
/// use chrono::{DateTime, Utc};
///
/// let seen: DateTime<Utc> = "2026-11-25T12:30:00Z".parse()?;
/// let mut bytes = Vec::new();
/// Json.serialize(&("Ada".to_owned(), seen), &mut bytes)?;
/// assert_eq!(bytes, br#"["Ada","2026-11-25T12:30:00Z"]"#);
/// # let back: (String, DateTime<Utc>) = Json.deserialize(&bytes)?;
/// # assert_eq!(back, ("Ada".to_owned(), seen));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What a type may hold
/// 1. Arrays and objects nest at most 127 deep, and steps of any kind (also `Some` and newtypes) at most 400: E020
///    beyond that when writing, E021 when reading.
/// 2. NaN and infinities are E020; all other floats come back as they were, to the bit.
/// 3. `Some` of something that is itself written as `null` (`Some(None)`, `Some(())`, `Some(Value::Null)`) is E020: it
///    would come back as `None`.
/// 4. Keys of maps are texts, characters, numbers, booleans and variants without content. Others are E020.
/// 5. Integers have up to 128 bits. Inside `#[serde(untagged)]`, `#[serde(tag = ..)]` and flattened structs serde reads
///    up to 64.
/// 6. Types take their form for people. Dates and times are text as in ISO 8601 where their crate writes that: `chrono`
///    and `jiff` do with their feature `serde`, `time` with `serde-human-readable` for `time::serde::rfc3339` and its
///    like. UUIDs are their hyphenated text, decimals of `rust_decimal` text with all digits.
/// 7. `Vec<u8>` and bytes of any kind are arrays of numbers, up to four times as long: use another format for them.
/// 8. An untagged enum comes back as the first variant that fits, as everywhere in serde.
/// 9. A type that contains itself without anything in between being written, such as `struct
///    Chain(Option<Box<Chain>>)`, must not be used: serde never finds its end when reading.
///
/// White space around a document belongs to it; whatever else follows is E021.
///
/// # Errors
/// E020 names the path of the offending field, such as `$.orders[3].rate`; in maps, whose keys are data, it says
/// `{key}` or `{value}`. E021 says where in the bytes, and what they may be instead. Neither shows data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Json;

impl<T: Serialize + DeserializeOwned + 'static> Serializer<T> for Json {
    fn format(&self) -> Format {
        Format::JSON
    }

    fn serialize(&self, value: &T, bytes: &mut Vec<u8>) -> Result<()> {
        let state = State::new(&RULES);
        let mut serializer = serde_json::Serializer::new(bytes);
        Guarded::new(value, &state).serialize(&mut serializer).map_err(|error| state.explain::<T>(&error))
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<T> {
        serde_json::from_slice(bytes).map_err(|error| {
            let problem = format!("{} for {}", reason(&error), std::any::type_name::<T>());
            undecodable(Format::JSON, bytes, offset(bytes, &error), &problem)
        })
    }
}

/// What `error` says, without place and data.
fn reason(error: &serde_json::Error) -> String {
    let mut said = error.to_string();
    if let Some(place) = said.rfind(" at line ") {
        said.truncate(place);
    }
    match error.classify() {
        Category::Data => without_values(&said),
        Category::Eof => "an end before the value was complete".to_owned(),
        // These sentences are serde_json's own, and none of them quotes.
        Category::Syntax | Category::Io => said,
    }
}

/// Where `error` is, which counts lines and, in them, bytes.
fn offset(bytes: &[u8], error: &serde_json::Error) -> usize {
    let line = error.line().saturating_sub(1);
    let start = bytes.split_inclusive(|&byte| byte == b'\n').take(line).map(<[u8]>::len).sum::<usize>();
    (start + error.column()).min(bytes.len())
}

const RULES: Rules = Rules {
    format: "JSON",
    // As deep as serde_json reads.
    depth: 127,
    too_deep: "arrays and objects nest deeper than 127",
    unit_struct: 0,
    human_readable: true,
    nil: true,
    finite: true,
    narrows: true,
    lengths: false,
    longest: u64::MAX,
};
