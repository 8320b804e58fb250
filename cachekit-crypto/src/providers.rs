//! The key providers.

mod cached;
mod environment;
mod file;

use async_trait::async_trait;
use cachekit_core::{KeyProvider, KeyRing, Result};

pub use self::cached::CachedKeys;
pub use self::environment::EnvironmentKeys;
pub use self::file::FileKeys;

/// Provides keys that the program already has, and never others.
#[derive(Clone, Debug)]
pub struct StaticKeys(KeyRing);

impl StaticKeys {
    /// Provides these keys.
    #[must_use]
    pub fn new(ring: KeyRing) -> Self {
        Self(ring)
    }
}

#[async_trait]
impl KeyProvider for StaticKeys {
    async fn keys(&self) -> Result<KeyRing> {
        Ok(self.0.clone())
    }
}
