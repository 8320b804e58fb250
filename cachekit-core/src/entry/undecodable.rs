//! [`Undecodable`]: why stored bytes are not an entry that can be read.

use std::fmt;

use super::layout::MAGIC;
use crate::{Error, ErrorCode};

/// Why stored bytes are not an entry that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Undecodable {
    /// Another make: the bytes do not begin as a native entry does.
    Foreign(Look),
    /// A later release wrote the entry, in a layout or with a flag that has to be understood and is not. It is a miss
    /// and is left in place, so that during a deployment two releases do not evict each other's entries.
    Newer {
        /// The version of the layout.
        version: u8,
        /// The flags that a reader has to understand.
        flags: u8,
    },
    /// Damaged, cut, or moved here from another key.
    Corrupt {
        /// Where in the entry.
        offset: usize,
        /// What was expected there.
        expected: &'static str,
    },
}

impl Undecodable {
    /// Whether the entry is to be left in place, other than overwritten.
    #[must_use]
    pub fn is_newer(&self) -> bool {
        matches!(self, Self::Newer { .. })
    }
}

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign(look) => {
                let [a, b, c] = MAGIC;
                write!(f, "entry: expected the native layout, which begins {a:02x} {b:02x} {c:02x}, got {look}")
            }
            Self::Newer { version, flags } => write!(
                f,
                "entry: expected layout version 1 with known flags, got version {version} with flags {flags:#04x}: a later \
                 release wrote it"
            ),
            Self::Corrupt { offset, expected } => {
                write!(f, "entry: expected {expected} at byte {offset}: damaged, cut, or moved here from another key")
            }
        }
    }
}

impl std::error::Error for Undecodable {}

impl From<Undecodable> for Error {
    /// E021, with the reason as its message.
    fn from(undecodable: Undecodable) -> Self {
        Self::new(ErrorCode::E021, undecodable.to_string())
    }
}

/// What bytes look like that are not a native entry. A guess from their first bytes, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Look {
    /// No bytes at all.
    Empty,
    /// An entry of the Python client's standard mode.
    PythonFrame,
    /// JSON.
    Json,
    /// MessagePack, as the interop layout stores it.
    MessagePack,
    /// An Arrow IPC stream.
    Arrow,
    /// Nothing known; perhaps encrypted in the interop layout.
    Unknown,
}

impl Look {
    pub(super) fn at(bytes: &[u8]) -> Self {
        match bytes {
            [] => Self::Empty,
            [b'C', b'K', ..] => Self::PythonFrame,
            [b'{' | b'[' | b'"', ..] => Self::Json,
            [0xff, 0xff, 0xff, 0xff, ..] => Self::Arrow,
            // Collections and texts; a single number or a binary is a less likely guess than "unknown".
            [0x80..=0xbf | 0xd9..=0xdf, ..] => Self::MessagePack,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "no bytes",
            Self::PythonFrame => "what looks like an entry of the Python client's standard mode",
            Self::Json => "what looks like JSON",
            Self::MessagePack => "what looks like MessagePack (the interop layout?)",
            Self::Arrow => "what looks like Arrow IPC",
            Self::Unknown => "unknown bytes",
        })
    }
}
