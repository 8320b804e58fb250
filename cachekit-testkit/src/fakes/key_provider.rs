//! [`FakeKeyProvider`]: a key provider that rotates and fails on cue.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;
use cachekit_core::{KeyProvider, KeyRing, MasterKey, Result};

use super::Cue;

/// Provides made-up master keys, the same in every run. It rotates when told, and fails on cue. Clones share keys and cue.
#[derive(Clone, Debug, Default)]
pub struct FakeKeyProvider {
    rotations: Arc<AtomicU8>,
    keys: Cue,
}

impl FakeKeyProvider {
    /// A provider of one key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The cue of [`KeyProvider::keys`].
    #[must_use]
    pub fn on_keys(&self) -> &Cue {
        &self.keys
    }

    /// From now on there is another key, and the present one is the latest of those that only open. Of these at most
    /// [`KeyRing::MAX_PREVIOUS`] are kept; keys come back after 256 rotations.
    pub fn rotate(&self) {
        self.rotations.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl KeyProvider for FakeKeyProvider {
    async fn keys(&self) -> Result<KeyRing> {
        self.keys.check("keys")?;
        let now = self.rotations.load(Ordering::SeqCst);
        let key = |rotation: u8| MasterKey::new(&[rotation; MasterKey::MIN_LEN]);
        let earlier = (0..now).rev().take(KeyRing::MAX_PREVIOUS).map(key).collect::<Result<Vec<_>>>()?;
        KeyRing::new(key(now)?).with_previous(earlier)
    }
}
