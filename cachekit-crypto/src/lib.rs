//! AES-256-GCM and key providers for CacheKit: nothing is here yet.
//!
//! The contracts that it will keep are [`Transform`](cachekit_core::Transform) and
//! [`KeyProvider`](cachekit_core::KeyProvider). Until it does, a master key in the environment is refused rather than
//! ignored (E004), and an encrypted entry is never taken for another.
