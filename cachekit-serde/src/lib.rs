//! Serializers for CacheKit: values of your types to bytes and back.
//!
//! - [`MessagePack`] (feature `msgpack`, on by default): anything that serde can describe; fields by name, so that a
//!   type can grow.
//!
//! A serializer is chosen by type, when a cache or a namespace is made. All of them keep the contract of
//! [`Serializer`](cachekit_core::Serializer): what cannot be read back is not written (E020), and foreign, cut or
//! altered bytes are refused (E021) without a panic and without allocating more than a small multiple of them.

#[cfg(feature = "msgpack")]
mod message_pack;

#[cfg(feature = "msgpack")]
pub use message_pack::MessagePack;
