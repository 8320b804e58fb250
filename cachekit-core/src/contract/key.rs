//! [`Key`]: the name of an entry as a backend sees it.

mod into_key;
mod writer;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub use self::into_key::{IntoKey, SinglePart};
pub use self::writer::KeyWriter;
#[cfg(feature = "engine")]
pub(crate) use self::writer::are_plain;
use crate::{Error, ErrorCode, Result};

/// The name of an entry as a backend sees it: `[t:{tenant}:]{namespace}:{parts}`.
///
/// # What a backend may rely on
/// 1. 1 to [`Key::MAX_LEN`] bytes, each one of `A-Z a-z 0-9 _ . : -`. No white space, no control bytes, no braces (a
///    Redis Cluster would hash only what is between them).
/// 2. It never ends in `:lock`, so that name is free for a backend's own locks.
/// 3. Keys compare byte for byte; there is no normalisation.
///
/// Cloning is cheap. `Debug` shows the key shortened, for a key may hold what identifies a person; `Display` is left
/// out for that reason, so say [`as_str`](Self::as_str) where the whole key is meant.
#[derive(Clone)]
pub struct Key(Arc<str>);

impl Key {
    /// The longest key, in bytes. Memcached's limit, the lowest among common stores.
    pub const MAX_LEN: usize = 250;

    /// Checks `text` and takes it as a key.
    ///
    /// The engine builds keys from parts and never fails here; this is for backends' own tests, for tools, and for keys
    /// that come from elsewhere.
    ///
    /// # Errors
    /// E042 if `text` is empty, longer than [`MAX_LEN`](Self::MAX_LEN), holds another character or ends in `:lock`.
    pub fn new(text: &str) -> Result<Self> {
        check("key", text)?;
        if text.ends_with(":lock") {
            return Err(invalid("key", "another ending than \":lock\", which is kept for locks", "one that ends so"));
        }
        Ok(Self(Arc::from(text)))
    }

    /// The whole key. Do not log it: see [`redacted`](Self::redacted).
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key as it may be shown: its namespace, then a digest of the whole: `users:#8d1d…`, 16 digits.
    ///
    /// Of a key divided by tenant, `t:{tenant}:{namespace}:{parts}`, the tenant is left out, since it may name a person
    /// or a customer: `t:*:users:#…`. A key without a namespace is its digest alone.
    ///
    /// The digest is FNV-1a, 64 bits: stable across processes, so that two log lines can be matched, and not a
    /// secret-keeping hash (a guessed key can be confirmed by it).
    #[must_use]
    pub fn redacted(&self) -> String {
        let mut digest = 0xcbf2_9ce4_8422_2325_u64;
        for byte in self.0.bytes() {
            digest = (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let mut segments = self.0.split(':');
        match (segments.next(), segments.next(), segments.next(), segments.next()) {
            (Some("t"), Some(_tenant), Some(namespace), Some(_)) => format!("t:*:{namespace}:#{digest:016x}"),
            (Some("t"), ..) | (_, None, ..) => format!("#{digest:016x}"),
            (namespace, ..) => format!("{}:#{digest:016x}", namespace.unwrap_or_default()),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.redacted())
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

/// The start that all keys of one namespace (of one tenant) share: `[t:{tenant}:]{namespace}:`.
///
/// It ends in `:`, and namespaces and tenants contain none, so no prefix is the start of another namespace's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPrefix(Arc<str>);

impl KeyPrefix {
    /// Checks `text` and takes it as a prefix.
    ///
    /// # Errors
    /// E042 if `text` is not 2 to [`Key::MAX_LEN`] bytes of a key's alphabet ending in `:`.
    pub fn new(text: &str) -> Result<Self> {
        check("key prefix", text)?;
        let expected = "a name and \":\" at its end";
        match text.strip_suffix(':') {
            None => {
                Err(invalid("key prefix", expected, format!("{:?} there", text.chars().last().unwrap_or_default())))
            }
            Some("") => Err(invalid("key prefix", expected, "\":\" alone")),
            Some(_) => Ok(Self(Arc::from(text))),
        }
    }

    /// The whole prefix.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `key` is one of those that the prefix names.
    #[must_use]
    pub fn covers(&self, key: &Key) -> bool {
        key.0.starts_with(&*self.0)
    }
}

/// Checks length and alphabet. The text itself is not shown: it may hold what identifies a person.
fn check(name: &str, text: &str) -> Result<()> {
    if text.is_empty() || text.len() > Key::MAX_LEN {
        return Err(invalid(name, &format!("1 to {} bytes", Key::MAX_LEN), format!("{} bytes", text.len())));
    }
    match text.char_indices().find(|&(_, c)| !(c.is_ascii_alphanumeric() || "_.:-".contains(c))) {
        Some((at, c)) => Err(invalid(name, "only A-Z a-z 0-9 _ . : -", format!("{c:?} at byte {at}"))),
        None => Ok(()),
    }
}

fn invalid(name: &str, expected: &str, got: impl fmt::Display) -> Error {
    Error::new(ErrorCode::E042, format!("{name}: expected {expected}, got {got}"))
}
