//! The CachekitIO HTTP service as a backend for CacheKit: nothing is here yet.
//!
//! The contract that it will keep is [`Backend`](cachekit_core::Backend). Until it does, `CACHEKIT_API_KEY` is refused
//! rather than ignored (E044).
