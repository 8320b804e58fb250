//! [`KeyProvider`]: where master keys come from.

use std::fmt;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::{Error, ErrorCode, Result};

/// Provides the master keys: one that seals, and up to three earlier ones that only open.
///
/// # Contract
/// 1. The answer is a consistent whole: current and earlier keys of one moment.
/// 2. It may differ from call to call: that is how keys rotate while the program runs. A key that sealed entries which
///    are still alive stays among the earlier ones.
/// 3. Called when a cache is built and again at intervals, never for each entry.
/// 4. Keys appear neither in `Debug` nor in errors.
///
/// # Errors
/// E001 if there is no key, E002 if one is malformed; E060 to E066 if a service that keeps them fails, in which case
/// the keys known so far stay in use.
///
/// # Cancellation
/// The future may be dropped at any await; later calls answer as if it had never been made.
#[async_trait]
pub trait KeyProvider: fmt::Debug + Send + Sync + 'static {
    /// The keys as they are now.
    async fn keys(&self) -> Result<KeyRing>;
}

/// The master keys of one moment.
#[derive(Clone, Debug)]
pub struct KeyRing {
    current: MasterKey,
    previous: Vec<MasterKey>,
}

impl KeyRing {
    /// The most keys that may be kept beside the current one.
    pub const MAX_PREVIOUS: usize = 3;

    /// A ring of one key.
    #[must_use]
    pub fn new(current: MasterKey) -> Self {
        Self { current, previous: Vec::new() }
    }

    /// With earlier keys, the latest first.
    ///
    /// # Errors
    /// E002 for more than [`MAX_PREVIOUS`](Self::MAX_PREVIOUS) keys, or if the current one is among them.
    pub fn with_previous(self, previous: Vec<MasterKey>) -> Result<Self> {
        if previous.len() > Self::MAX_PREVIOUS {
            let message =
                format!("earlier master keys: expected at most {}, got {}", Self::MAX_PREVIOUS, previous.len());
            return Err(Error::new(ErrorCode::E002, message));
        }
        // Both are in the hands of whoever configures this process: nothing is learned from the time that it takes.
        if previous.iter().any(|key| key.expose() == self.current.expose()) {
            return Err(Error::new(ErrorCode::E002, "earlier master keys: the current key is among them"));
        }
        Ok(Self { previous, ..self })
    }

    /// The key that seals.
    #[must_use]
    pub fn current(&self) -> &MasterKey {
        &self.current
    }

    /// The keys that only open, the latest first.
    #[must_use]
    pub fn previous(&self) -> &[MasterKey] {
        &self.previous
    }
}

/// A master key: at least 32 bytes, wiped when dropped, never shown.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<Box<[u8]>>);

impl MasterKey {
    /// The fewest bytes.
    pub const MIN_LEN: usize = 32;

    /// Takes the bytes of a key; what was copied from is the caller's to wipe.
    ///
    /// # Errors
    /// E002 for fewer than [`MIN_LEN`](Self::MIN_LEN) bytes.
    pub fn new(bytes: &[u8]) -> Result<Self> {
        if bytes.len() < Self::MIN_LEN {
            let message = format!("master key: expected at least {} bytes, got {}", Self::MIN_LEN, bytes.len());
            return Err(Error::new(ErrorCode::E002, message));
        }
        Ok(Self(Zeroizing::new(Box::from(bytes))))
    }

    /// The bytes, for deriving keys from them. Whoever calls this says in a comment why.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(redacted)")
    }
}
