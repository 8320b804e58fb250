//! Dates in values, in the form that the Python client gives its own.

use serde::de::value::StringDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::ser::{Impossible, SerializeMap};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::iso;

macro_rules! dates {
    ($($(#[$doc:meta])* $module:ident $flag:literal $read:path)+) => {$(
        $(#[$doc])*
        pub mod $module {
            use super::*;

            #[derive(Deserialize)]
            #[serde(deny_unknown_fields)]
            struct Marked {
                #[serde(rename = $flag)]
                flag: bool,
                value: String,
            }

            /// Writes a date whose form for people is ISO 8601. For `#[serde(with = ..)]`.
            ///
            /// # Errors
            /// E020 from the serializer for another form, and for what is finer than a microsecond.
            pub fn serialize<T: Serialize, S: Serializer>(date: &T, serializer: S) -> Result<S::Ok, S::Error> {
                let text = date.serialize(Text).ok().and_then(|text| $read(&text));
                let text = text.ok_or_else(|| ser::Error::custom(NO_DATE))?;
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry($flag, &true)?;
                map.serialize_entry("value", &text)?;
                map.end()
            }

            /// Reads what [`serialize`] and the Python client write. For `#[serde(with = ..)]`.
            ///
            /// # Errors
            /// E021 from the serializer for anything else.
            pub fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
            where
                T: DeserializeOwned,
                D: Deserializer<'de>,
            {
                let Marked { flag, value } = Marked::deserialize(deserializer)?;
                let text = $read(&value).filter(|_| flag).ok_or_else(|| de::Error::custom(NO_DATE))?;
                let text: StringDeserializer<D::Error> = text.into_deserializer();
                T::deserialize(text)
            }

            /// The same for an `Option`, whose `None` is nil.
            pub mod option {
                use super::*;

                #[derive(Deserialize)]
                #[serde(bound = "T: DeserializeOwned")]
                struct Read<T>(#[serde(with = "super")] T);

                struct Written<'a, T>(&'a T);

                impl<T: Serialize> Serialize for Written<'_, T> {
                    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                        super::serialize(self.0, serializer)
                    }
                }

                /// Writes an optional date.
                ///
                /// # Errors
                /// As for a date.
                pub fn serialize<T: Serialize, S: Serializer>(
                    date: &Option<T>,
                    serializer: S,
                ) -> Result<S::Ok, S::Error> {
                    date.as_ref().map(Written).serialize(serializer)
                }

                /// Reads an optional date.
                ///
                /// # Errors
                /// As for a date.
                pub fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
                where
                    T: DeserializeOwned,
                    D: Deserializer<'de>,
                {
                    Ok(Option::<Read<T>>::deserialize(deserializer)?.map(|read| read.0))
                }
            }
        }
    )+};
}

dates! {
    /// A point in time, or a date and time without a zone: Python's `datetime`.
    ///
    /// For any type whose form for people is ISO 8601, as that of chrono's `DateTime` and `NaiveDateTime` and of jiff's
    /// `Timestamp` and `civil::DateTime`. What Python writes comes back as the same date; what is finer than a microsecond
    /// is E020, for Python has no place for it: cut it first.
    ///
    /// ```
    /// use cachekit_serde::interop;
    /// use chrono::{DateTime, Utc};
    ///
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct Order {
    ///     #[serde(with = "interop::datetime")]
    ///     placed: DateTime<Utc>,
    ///     #[serde(with = "interop::datetime::option")]
    ///     paid: Option<DateTime<Utc>>,
    /// }
    /// ```
    datetime "__datetime__" iso::datetime

    /// A date without a time: Python's `date`. Otherwise as [`datetime`].
    date "__date__" iso::date

    /// A time of day: Python's `time`. Otherwise as [`datetime`].
    time "__time__" iso::time
}

/// What is said of a date that cannot be written or read. The guard knows it.
pub(crate) const NO_DATE: &str = "expected a date in ISO 8601, no finer than a microsecond";

/// Takes what a type writes of itself for people, if that is text.
struct Text;

macro_rules! no_text {
    ($($method:ident($($argument:ty),*) -> $kind:ty)+) => {$(
        fn $method(self, $(_: $argument),*) -> Result<$kind, de::value::Error> {
            Err(ser::Error::custom(NO_DATE))
        }
    )+};
}

impl Serializer for Text {
    type Ok = String;
    type Error = de::value::Error;
    type SerializeSeq = Impossible<String, de::value::Error>;
    type SerializeTuple = Impossible<String, de::value::Error>;
    type SerializeTupleStruct = Impossible<String, de::value::Error>;
    type SerializeTupleVariant = Impossible<String, de::value::Error>;
    type SerializeMap = Impossible<String, de::value::Error>;
    type SerializeStruct = Impossible<String, de::value::Error>;
    type SerializeStructVariant = Impossible<String, de::value::Error>;

    fn serialize_str(self, text: &str) -> Result<String, de::value::Error> {
        Ok(text.to_owned())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<String, de::value::Error> {
        value.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<String, de::value::Error> {
        Err(ser::Error::custom(NO_DATE))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<String, de::value::Error> {
        Err(ser::Error::custom(NO_DATE))
    }

    no_text! {
        serialize_bool(bool) -> String
        serialize_i8(i8) -> String
        serialize_i16(i16) -> String
        serialize_i32(i32) -> String
        serialize_i64(i64) -> String
        serialize_u8(u8) -> String
        serialize_u16(u16) -> String
        serialize_u32(u32) -> String
        serialize_u64(u64) -> String
        serialize_f32(f32) -> String
        serialize_f64(f64) -> String
        serialize_char(char) -> String
        serialize_bytes(&[u8]) -> String
        serialize_none() -> String
        serialize_unit() -> String
        serialize_unit_struct(&'static str) -> String
        serialize_unit_variant(&'static str, u32, &'static str) -> String
        serialize_seq(Option<usize>) -> Self::SerializeSeq
        serialize_tuple(usize) -> Self::SerializeTuple
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant
        serialize_map(Option<usize>) -> Self::SerializeMap
        serialize_struct(&'static str, usize) -> Self::SerializeStruct
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant
    }
}
