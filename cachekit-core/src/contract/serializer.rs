//! [`Serializer`]: values to bytes and back.

use std::fmt;

use crate::Result;

/// Turns values of `T` into bytes and bytes into values.
///
/// A serializer is chosen by type, when a cache or a namespace is made, and never by a name at run time.
///
/// # Contract
/// 1. `deserialize(serialize(v))` equals `v`, for every `v` that `serialize` accepts.
/// 2. What the format cannot hold is refused with E020, naming the path of the offending field where it is known; it is
///    never changed silently.
/// 3. `deserialize` reads exactly one document: bytes that follow it are E021.
/// 4. Foreign, cut or altered bytes give E021 or some value of `T`; never a panic, never an abort, and never an
///    allocation larger than a small multiple of the input. Depth is bounded.
/// 5. Both are pure: no I/O, no waiting, no state.
///
/// # Errors
/// E020 and E021, without the value's bytes in the message.
pub trait Serializer<T>: fmt::Debug + Send + Sync + 'static {
    /// Which format the bytes are in. Constant for a serializer.
    fn format(&self) -> Format;

    /// Appends the document of `value` to `bytes`. On an error, what was appended is discarded by the caller.
    fn serialize(&self, value: &T, bytes: &mut Vec<u8>) -> Result<()>;

    /// Reads the one document that `bytes` are.
    fn deserialize(&self, bytes: &[u8]) -> Result<T>;

    /// The document that stands for "it is known that there is no value", if the format has one.
    ///
    /// The native layout keeps that in the header and does not ask. The [interop layout](crate::Layout::Interop) has no
    /// other place for it: a serializer without such a document is refused there, and so is a value that is written as
    /// this very document, for it would come back as none.
    fn absent(&self) -> Option<&'static [u8]> {
        None
    }
}

/// Which format the bytes of an entry are in, as its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Format {
    /// The number in the header. 1 to 127 are CacheKit's; 128 to 255 are free for formats of your own.
    pub id: u8,
    /// The name, for messages.
    pub name: &'static str,
    /// A fingerprint of the type's schema, where the format depends on it and cannot tell by itself; otherwise zero.
    pub schema: u64,
}

impl Format {
    /// MessagePack with named fields.
    pub const MESSAGE_PACK: Self = Self::new(1, "MessagePack");
    /// JSON.
    pub const JSON: Self = Self::new(2, "JSON");
    /// postcard; bound to a schema.
    pub const POSTCARD: Self = Self::new(3, "postcard");
    /// An Arrow IPC stream.
    pub const ARROW: Self = Self::new(4, "Arrow IPC");
    /// MessagePack as CacheKit's other clients write it.
    pub const INTEROP: Self = Self::new(5, "interop MessagePack");

    /// A format that does not depend on a schema.
    #[must_use]
    pub const fn new(id: u8, name: &'static str) -> Self {
        Self { id, name, schema: 0 }
    }

    /// The same format, bound to a schema with this fingerprint.
    #[must_use]
    pub const fn with_schema(self, schema: u64) -> Self {
        Self { schema, ..self }
    }
}
