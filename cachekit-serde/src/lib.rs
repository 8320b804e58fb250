//! Serializers for CacheKit: values of your types to bytes and back.

#[cfg(feature = "arrow")]
mod arrow;
#[cfg(any(feature = "msgpack", feature = "json", feature = "postcard"))]
mod guard;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "lz4")]
mod lz4;
#[cfg(feature = "msgpack")]
mod message_pack;
#[cfg(feature = "postcard")]
mod postcard;
#[cfg(any(feature = "msgpack", feature = "json", feature = "postcard", feature = "arrow"))]
mod undecodable;
#[cfg(any(feature = "msgpack", feature = "json"))]
mod words;

#[cfg(feature = "arrow")]
pub use self::arrow::Arrow;
#[cfg(feature = "json")]
pub use self::json::Json;
#[cfg(feature = "lz4")]
pub use self::lz4::Lz4;
#[cfg(feature = "msgpack")]
pub use self::message_pack::MessagePack;
#[cfg(feature = "postcard")]
pub use self::postcard::Postcard;
