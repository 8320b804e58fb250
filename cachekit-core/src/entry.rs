//! The native layout of a stored entry: a versioned [`Header`], the payload, a checksum.
//!
//! What a backend stores for a namespace in the native layout is made by [`Header::encode`] and read by
//! [`Header::decode`]. The bytes are described one by one in `docs/entry-layout.md` and pinned by golden vectors: a
//! later release may add to them, and never changes what is there.

mod layout;
mod undecodable;

use std::fmt;

use bytes::Bytes;

pub use self::layout::HeaderBytes;
pub use self::undecodable::{Look, Undecodable};
use crate::{Error, ErrorCode, Key, Result, UnixTime};

/// What stands before the payload of a stored entry.
///
/// # Times
/// They are kept in milliseconds as 48-bit numbers. An end after the year 10889 is stored as "never". The end of
/// freshness is never after the end of life: a later one is stored as the end of life.
///
/// # Trust
/// A decoded header of a [checksummed](Protection::Checksum) entry is what was written, barring malice. That of an
/// [encrypted](Protection::Encrypted) entry is a claim until the payload has been opened with
/// [`EntryView::header_bytes`] as authenticated data. In particular, who expects encryption refuses an entry whose
/// header says there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// What the payload is.
    pub content: Content,
    /// What keeps header and payload from being altered unseen.
    pub protection: Protection,
    /// The [number](crate::Format::id) of the document's format.
    pub format: u8,
    /// The fingerprint of the type's schema, where the format depends on it.
    pub schema: Option<u64>,
    /// The version that the user gave to the type's schema. Zero if none was given.
    pub version: u32,
    /// When the value was computed.
    pub created: UnixTime,
    /// Until when the value is fresh; then it is kept for hard times. `None`: for as long as it lives.
    pub fresh_until: Option<UnixTime>,
    /// When the entry ends. `None`: never.
    pub expires: Option<UnixTime>,
    /// The epoch of the namespace in which the entry was written.
    pub epoch: u64,
}

/// What the payload of an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Content {
    /// The document of a value.
    Document,
    /// The document of a value, compressed.
    Compressed,
    /// Nothing: it is known that there is no value. The payload is empty, before it is encrypted.
    Absent,
}

/// What keeps an entry from being altered unseen.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protection {
    /// A checksum over key, header and payload. It finds accidents, not malice.
    Checksum,
    /// The payload is encrypted and authenticates key and header.
    Encrypted {
        /// The fingerprint of the key, where the cipher names one.
        fingerprint: Option<[u8; 16]>,
    },
}

/// A stored entry, taken apart where it lies.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryView<'a> {
    /// The header.
    pub header: Header,
    /// The header as it is stored, fields of later releases included: what an encrypted payload authenticates.
    pub header_bytes: &'a [u8],
    /// The payload as it is stored: compressed and encrypted, if the header says so.
    pub payload: &'a [u8],
}

impl Header {
    /// The header of a document in `format`, made at `created`: checksummed, without end, nothing else said.
    #[must_use]
    pub fn new(format: u8, created: UnixTime) -> Self {
        Self {
            content: Content::Document,
            protection: Protection::Checksum,
            format,
            schema: None,
            version: 0,
            created,
            fresh_until: None,
            expires: None,
            epoch: 0,
        }
    }

    /// Whether the entry has not ended at `now`.
    #[must_use]
    pub fn is_live(&self, now: UnixTime) -> bool {
        self.expires.is_none_or(|end| now < end)
    }

    /// Whether the entry has not ended at `now` and is not past its freshness either.
    #[must_use]
    pub fn is_fresh(&self, now: UnixTime) -> bool {
        self.is_live(now) && self.fresh_until.is_none_or(|end| now < end)
    }

    /// The header as it will be stored, for a transform to authenticate.
    #[must_use]
    pub fn to_bytes(&self) -> HeaderBytes {
        layout::header(self)
    }

    /// How many bytes the entry has beyond the payload: header, and checksum if there is one.
    #[must_use]
    pub fn overhead(&self) -> usize {
        layout::header_len(self) + layout::trailer_len(self)
    }

    /// The entry of this header and of `payload`, as it is stored under `key`. One allocation.
    ///
    /// `payload` is compressed and encrypted as the header says. That of a checksummed entry whose content is
    /// [absent](Content::Absent) is empty; another one would be refused when it is read.
    #[must_use]
    pub fn encode(&self, key: &Key, payload: &[u8]) -> Bytes {
        let mut entry = Vec::with_capacity(self.overhead() + payload.len());
        entry.extend_from_slice(&self.to_bytes());
        entry.extend_from_slice(payload);
        self.finish(key, entry)
    }

    /// The entry of this header and of the payload that `write` appends, which is not copied again.
    ///
    /// `expected` is the likely length of the payload.
    ///
    /// # Errors
    /// Those of `write`. E020 if it took away what stood before the payload.
    pub fn encode_with(
        &self,
        key: &Key,
        expected: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<()>,
    ) -> Result<Bytes> {
        let mut entry = Vec::with_capacity(self.overhead().saturating_add(expected));
        let header = self.to_bytes();
        entry.extend_from_slice(&header);
        write(&mut entry)?;
        if !entry.starts_with(&header) {
            return Err(Error::new(
                ErrorCode::E020,
                "entry: expected the serializer to append only, it changed the header",
            ));
        }
        Ok(self.finish(key, entry))
    }

    /// Takes the entry stored under `key` apart, without copying or allocating.
    ///
    /// Any bytes may come: they are refused, never a panic, and no length that they claim is allocated.
    ///
    /// # Errors
    /// [`Undecodable`] says whether the bytes are of another make, of a later release, or damaged (also: written under
    /// another key, if the entry is checksummed). All of them are E021 as an [`Error`].
    pub fn decode<'a>(stored: &'a [u8], key: &Key) -> Result<EntryView<'a>, Undecodable> {
        layout::decode(stored, key)
    }

    /// The entry of this header and of a payload that stands in `entry` already, behind room for the header.
    pub(crate) fn complete(&self, key: &Key, mut entry: Vec<u8>) -> Result<Bytes> {
        let header = self.to_bytes();
        let Some(room) = entry.get_mut(..header.len()) else {
            let expected = "the serializer and the transforms to append only";
            return Err(Error::invalid(ErrorCode::E020, "entry", expected, "a change of what stands before"));
        };
        room.copy_from_slice(&header);
        Ok(self.finish(key, entry))
    }

    fn finish(&self, key: &Key, mut entry: Vec<u8>) -> Bytes {
        if self.protection == Protection::Checksum {
            let checksum = layout::checksum(&entry, key);
            entry.extend_from_slice(&checksum.to_be_bytes());
        }
        Bytes::from(entry)
    }
}

impl fmt::Debug for Protection {
    /// The fingerprint is no secret: it says which key is needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checksum => f.write_str("Checksum"),
            Self::Encrypted { fingerprint: None } => f.write_str("Encrypted"),
            Self::Encrypted { fingerprint: Some(fingerprint) } => {
                write!(f, "Encrypted({:032x})", u128::from_be_bytes(*fingerprint))
            }
        }
    }
}

impl fmt::Debug for EntryView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntryView")
            .field("header", &self.header)
            .field("header_bytes", &self.header_bytes.len())
            .field("payload", &format_args!("{} bytes", self.payload.len()))
            .finish()
    }
}
