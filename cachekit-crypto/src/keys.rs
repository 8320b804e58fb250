//! [`Keys`]: the ring of master keys at work, refreshed while the program runs.

mod refresh;
mod ring;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use cachekit_core::{KeyProvider, KeyRing, Result};

pub use self::refresh::Refreshing;
pub(crate) use self::ring::Ring;
use crate::cipher::Cipher;
use crate::encryption::Encryption;
use crate::interop::InteropEncryption;
use crate::master::Use;

/// The master keys of a program at work: what [`Encryption`] seals and opens with, as they were when they were last
/// asked for.
///
/// [`refresh`](Self::refresh) and [`refresh_every`](Self::refresh_every) ask the provider again. Then a new key seals
/// from the next entry on, and nobody waits: who is at work finishes with the keys of before.
///
/// Cloning is cheap and shares everything.
#[derive(Clone)]
pub struct Keys {
    shared: Arc<Shared>,
}

/// How often a master key was used in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyUse {
    /// The name of the key in the headers of entries. It is no secret.
    pub fingerprint: [u8; 16],
    /// Whether it is the one that seals.
    pub current: bool,
    /// How many entries it has sealed, in relatives by `fork` that share these keys, too.
    pub sealed: u64,
    /// How many entries it has opened. An earlier key that opens nothing for longer than entries live can be dropped.
    pub opened: u64,
}

impl Keys {
    /// The keys that `provider` has, asked for once now and again at each refresh.
    ///
    /// # Errors
    /// What the provider reports: E001 and E002, and E060 to E066 from a service.
    pub async fn new(provider: impl KeyProvider) -> Result<Self> {
        Self::builder().provider(provider).await
    }

    /// These keys, and never others.
    #[must_use]
    pub fn fixed(ring: &KeyRing) -> Self {
        Self::builder().fixed(ring)
    }

    /// With another cipher or limit than usual.
    pub fn builder() -> KeysBuilder {
        KeysBuilder { use_: Use::new() }
    }

    /// The transform that seals entries with these keys, refreshes included. For any number of namespaces.
    #[must_use]
    pub fn encryption(&self) -> Encryption {
        Encryption::new(Arc::clone(&self.shared))
    }

    /// The transform that seals entries of the [interop layout](cachekit_core::Layout::Interop) with these keys, as
    /// CacheKit's other clients do; for the tenant `default`, unless it is told otherwise.
    #[must_use]
    pub fn interop_encryption(&self) -> InteropEncryption {
        InteropEncryption::new(Arc::clone(&self.shared))
    }

    /// How often each key of the ring was used in this process since it came in: the current one first.
    #[must_use]
    pub fn uses(&self) -> Vec<KeyUse> {
        self.shared.ring().uses()
    }

    /// How many refreshes have failed. The keys of before stay in use then.
    #[must_use]
    pub fn failed_refreshes(&self) -> u64 {
        self.shared.failed.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("keys", &self.shared).finish()
    }
}

/// Makes [`Keys`] with another cipher or limit than usual.
#[derive(Clone, Debug)]
#[must_use]
pub struct KeysBuilder {
    use_: Use,
}

impl KeysBuilder {
    /// Has `cipher` compute AES-256-GCM. If not said, [`Cipher::RustCrypto`].
    pub fn cipher(mut self, cipher: Cipher) -> Self {
        self.use_.cipher = cipher;
        self
    }

    /// Has each master key seal at most so many entries in this process and its relatives by `fork`, and report E006 from
    /// then on. If not said, 2^44, with which a nonce comes twice with a chance below 2^-32. More than that cannot be had.
    ///
    /// What is sealed can still be opened beyond the limit.
    pub fn seal_limit(mut self, entries: u64) -> Self {
        self.use_.seal_limit = entries.min(Use::new().seal_limit);
        self
    }

    /// The keys that `provider` has.
    ///
    /// # Errors
    /// As [`Keys::new`].
    pub async fn provider(self, provider: impl KeyProvider) -> Result<Keys> {
        let ring = provider.keys().await?;
        Ok(self.keys(Some(Arc::new(provider)), &ring))
    }

    /// These keys, and never others.
    #[must_use]
    pub fn fixed(self, ring: &KeyRing) -> Keys {
        self.keys(None, ring)
    }

    #[cfg(test)]
    pub(crate) fn session_length(mut self, entries: u64) -> Self {
        self.use_.session_length = entries;
        self
    }

    fn keys(self, provider: Option<Arc<dyn KeyProvider>>, ring: &KeyRing) -> Keys {
        let ring = ArcSwap::from_pointee(Ring::new(ring, self.use_, None));
        let turn = tokio::sync::Mutex::new(());
        let shared = Shared { provider, use_: self.use_, ring, turn, failed: AtomicU64::new(0) };
        Keys { shared: Arc::new(shared) }
    }
}

/// What [`Keys`] and all that was made from them share.
pub(crate) struct Shared {
    provider: Option<Arc<dyn KeyProvider>>,
    use_: Use,
    ring: ArcSwap<Ring>,
    /// Who refreshes holds it.
    turn: tokio::sync::Mutex<()>,
    failed: AtomicU64,
}

impl Shared {
    /// The keys as they are now.
    pub(crate) fn ring(&self) -> arc_swap::Guard<Arc<Ring>> {
        self.ring.load()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.ring().masters).finish()
    }
}
