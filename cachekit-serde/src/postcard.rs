//! [`Postcard`]: the smallest and fastest format, between Rust programs that agree on their types.

mod fingerprint;
mod shaped;
mod watched;

use std::cell::Cell;

use cachekit_core::{Format, Result, Serializer};
use postcard_schema::Schema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::shaped::Shaped;
use self::watched::{Cursor, Watch, Watched};
use crate::guard::{Guarded, Rules, State};
use crate::undecodable::undecodable;

/// [postcard](https://postcard.jamesmunns.com/wire-format), bound to the schema of the type.
///
/// Nothing but the values is written: no names, no types. So the type tells its schema
/// ([`postcard_schema::Schema`], which can be derived), and the schema's fingerprint travels with every entry. An entry
/// of a type that has changed since, be it by a field's name, is E021 and never a wrong value. Changing the type
/// therefore empties the cache of it; where that is too dear, [`MessagePack`](crate::MessagePack) lets types grow.
///
/// ```
/// use cachekit_core::Serializer;
/// use cachekit_serde::Postcard;
/// use postcard_schema::Schema;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize, Schema)]
/// struct User {
///     name: String,
///     age: u8,
/// }
///
/// let ada = User { name: "Ada".into(), age: 36 };
/// let mut bytes = Vec::new();
/// Postcard.serialize(&ada, &mut bytes)?;
/// assert_eq!(bytes, b"\x03Ada\x24");
/// let back: User = Postcard.deserialize(&bytes)?;
/// assert_eq!(back, ada);
/// # Ok::<(), cachekit_core::Error>(())
/// ```
///
/// # What a type may hold
/// 1. The type writes what its schema says. This is checked with each value, and E020 where it is not so: because of
///    `skip_serializing_if`, `flatten`, `tag`, `untagged`, a `with` of another shape, or a schema written by hand that is
///    not true. `#[serde(skip)]` is fine. Most of them could be written, and would be read as other values.
/// 2. A type that contains itself has no schema: it does not compile.
/// ```compile_fail,E0391
/// #[derive(serde::Serialize, serde::Deserialize, postcard_schema::Schema)]
/// struct Tree(Vec<Tree>);
///
/// cachekit_core::Serializer::<Tree>::format(&cachekit_serde::Postcard);
/// ```
///
///    A type that asks what comes next when it is read, as `Decimal` does by itself, is E021 then: postcard cannot tell.
/// 3. Lists of elements that take no bytes, such as `vec![(), ()]`, are E020: a few bytes could claim any number of
///    them. An empty list of them is fine.
/// 4. Arrays, maps, structs and variants nest at most 100 deep, and steps of any kind (also `Some` and newtypes) at
///    most 400: E020 beyond that when writing, E021 when reading.
/// 5. Lists and maps know their length before their elements.
/// 6. All floats come back to the bit, `Some(None)` and `Some(())` as they are.
/// 7. Types take their form for machines: a UUID is 17 bytes. `postcard-schema` knows UUIDs and `chrono`'s dates by its
///    features `uuid-v1_0` and `chrono-v0_4`; of types that it does not know, a newtype tells the schema:
///
/// ```
/// use postcard_schema::Schema;
/// use postcard_schema::schema::NamedType;
/// # use cachekit_core::Serializer;
/// # use cachekit_serde::Postcard;
/// # use rust_decimal::Decimal;
/// # use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// # #[derive(Debug, PartialEq)]
/// struct Price(#[serde(with = "rust_decimal::serde::str")] Decimal);
///
/// impl Schema for Price {
///     // What `Decimal` is written as.
///     const SCHEMA: &'static NamedType = String::SCHEMA;
/// }
/// # let mut bytes = Vec::new();
/// # Postcard.serialize(&Price(Decimal::new(1999, 2)), &mut bytes)?;
/// # assert_eq!(bytes, b"\x0519.99");
/// # assert_eq!(Serializer::<Price>::deserialize(&Postcard, &bytes)?, Price(Decimal::new(1999, 2)));
/// # Ok::<(), cachekit_core::Error>(())
/// ```
///
/// # Errors
/// E020 names the path of the offending field, such as `$.orders[3].note`; in maps, whose keys are data, it says
/// `{key}` or `{value}`. E021 says where in the bytes. Neither shows data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Postcard;

impl<T: Serialize + DeserializeOwned + Schema + 'static> Serializer<T> for Postcard {
    fn format(&self) -> Format {
        Format::POSTCARD.with_schema(const { fingerprint::of(T::SCHEMA) })
    }

    fn serialize(&self, value: &T, bytes: &mut Vec<u8>) -> Result<()> {
        let state = State::new(&RULES);
        let mut serializer = postcard::Serializer { output: Output(bytes) };
        let shaped = Shaped::new(&mut serializer, T::SCHEMA, &state);
        Guarded::new(value, &state).serialize(shaped).map_err(|error| state.explain::<T>(&error))
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<T> {
        let at = Cell::new(0);
        let watch = Watch::new(bytes.len(), &at);
        let mut deserializer = postcard::Deserializer::from_flavor(Cursor::new(bytes, &at));
        let fault = match T::deserialize(Watched::new(&mut deserializer, &watch)) {
            Ok(value) if at.get() == bytes.len() => return Ok(value),
            Ok(_) => "bytes follow the document",
            Err(error) => watch.fault().unwrap_or_else(|| reason(&error)),
        };
        let problem = format!("{fault} for {}", std::any::type_name::<T>());
        Err(undecodable(Format::POSTCARD, bytes, at.get(), &problem))
    }
}

/// Where the bytes go.
struct Output<'b>(&'b mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Output<'_> {
    type Output = ();

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(data);
        Ok(())
    }

    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.0.push(data);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

fn reason(error: &postcard::Error) -> &'static str {
    use postcard::Error as Cause;
    match error {
        Cause::DeserializeUnexpectedEnd => "an end before the value was complete",
        Cause::DeserializeBadVarint => "a number that is out of range",
        Cause::DeserializeBadBool => "a byte that is neither false nor true",
        Cause::DeserializeBadOption => "a byte that is neither `None` nor `Some`",
        Cause::DeserializeBadChar => "a character that is none",
        Cause::DeserializeBadUtf8 => "a text that is not UTF-8",
        Cause::DeserializeBadEnum => "an unknown variant",
        Cause::WontImplement => "a type that asks what comes next, which postcard cannot tell",
        _ => "a value that the type refuses",
    }
}

const RULES: Rules = Rules {
    format: "postcard",
    depth: watched::MAX_DEPTH,
    too_deep: "values nest deeper than 100",
    unit_struct: 0,
    human_readable: false,
    nil: false,
    finite: false,
    narrows: false,
    lengths: true,
    longest: u64::MAX,
};
