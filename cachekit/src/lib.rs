#![doc = include_str!("../../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "msgpack")]
mod default_cache;
#[cfg(feature = "msgpack")]
mod environment;
#[cfg(feature = "msgpack")]
mod from_env;
#[cfg(feature = "macros")]
mod macro_support;

pub use cachekit_core::{
    Backend, BorrowedLoads, CacheBuilder, Clock, Error, ErrorClass, ErrorCode, ErrorKind, Explanation, Health, IntoKey,
    Invalidation, Key, KeyWriter, LoadError, Loaded, LoadedOption, ManualClock, MemoryBackend, Namespace,
    NamespaceBuilder, OwnedLoads, Remaining, Resilience, Result, Serializer, Stats, Status, TenantNamespaces, Ttl,
    tell_stale,
};
#[cfg(feature = "macros")]
pub use cachekit_macros::{IntoKey, cache};
#[cfg(feature = "redis")]
pub use cachekit_redis::{RedisBackend, RedisBuilder};
#[cfg(feature = "msgpack")]
pub use cachekit_serde::MessagePack;

/// Keys, values and dates of entries that CacheKit's other clients read and write, too.
#[cfg_attr(feature = "macros", doc = "")]
#[cfg_attr(feature = "macros", doc = include_str!("../../docs/interop.md"))]
#[cfg(feature = "interop")]
pub mod interop {
    #[cfg(feature = "macros")]
    pub use cachekit_macros::InteropArg;
    pub use cachekit_serde::interop::*;
}

/// The contracts and everything else that core has, for what is not lifted to this crate's root.
pub use cachekit_core as core;

#[cfg(feature = "msgpack")]
pub use self::default_cache::{ProcessStatus, install, scope, status};
#[cfg(feature = "msgpack")]
pub use self::environment::Environment;
#[cfg(feature = "msgpack")]
pub use self::from_env::{CacheExt, FromEnv};

/// A cache whose namespaces store MessagePack, unless they name another serializer.
#[cfg(feature = "msgpack")]
pub type Cache = cachekit_core::Cache<MessagePack>;

#[cfg(feature = "msgpack")]
#[doc = include_str!("../../docs/resilience.md")]
pub mod resilience {}

#[cfg(feature = "msgpack")]
#[doc = include_str!("../../docs/metrics.md")]
pub mod metrics {}

/// What most programs need: `use cachekit::prelude::*;`.
pub mod prelude {
    #[cfg(feature = "macros")]
    pub use crate::cache;
    #[cfg(feature = "msgpack")]
    pub use crate::{Cache, CacheExt};
    pub use crate::{Error, ErrorCode, IntoKey, LoadError, Loaded, LoadedOption, Namespace, Ttl};
}

#[cfg(feature = "macros")]
#[doc(hidden)]
pub mod __private {
    pub use crate::macro_support::*;
}
