//! Serializers for CacheKit: values of your types to bytes and back.
//!
//! | | feature | choose it for | a type may grow | size | write | read |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | `MessagePack` | `msgpack`, on by default | anything that serde can describe; fields by name | yes | 85 KB, LZ4 21 KB | 168 µs | 490 µs |
//! | `Json` | `json` | entries that people or other languages read | yes | 122 KB, LZ4 24 KB | 349 µs | 1,095 µs |
//! | `Postcard` | `postcard` | the smallest entries, between Rust programs of one version | no: E021 after a change | 50 KB, LZ4 20 KB | 160 µs | 426 µs |
//! | `Arrow` | `arrow` | record batches: columns that are read without decoding | with its schema | 62 KB, LZ4 30 KB | 6 µs | 16 µs |
//!
//! The figures are of 1,000 users (a number, two short texts, a float, two tags, a flag) on a busy machine with two
//! cores: trust the ratios. One user takes 83, 105 and 47 bytes, and 0.3 to 0.7 µs either way; Arrow is not made for
//! single rows.
//!
//! Entries that CacheKit's other clients share have a module of their own, `interop` (feature `interop`).
//!
//! `Lz4` (feature `lz4`) compresses what they write, from 1 KiB on and where it saves an eighth: the documents above in
//! 75 to 133 µs, and back in 21 to 42 µs.
//!
//! A serializer is chosen by type, when a cache or a namespace is made. All of them keep the contract of
//! [`Serializer`](cachekit_core::Serializer): what cannot be read back is not written (E020), and foreign, cut or
//! altered bytes are refused (E021) without a panic and without allocating more than a small multiple of them.

#[cfg(feature = "arrow")]
mod arrow;
#[cfg(any(feature = "msgpack", feature = "json", feature = "postcard"))]
mod guard;
#[cfg(feature = "interop")]
pub mod interop;
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
