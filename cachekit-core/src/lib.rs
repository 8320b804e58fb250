//! The contracts of CacheKit and its engine.
//!
//! - Without features this crate is the contracts alone: [`Backend`], [`Serializer`], [`Transform`], [`KeyProvider`],
//!   [`ResiliencePolicy`], [`Clock`] and the words that they speak. That is what a plug-in depends on.
//! - With the feature `engine` it has the cache itself.

#[cfg(feature = "engine")]
mod by_code;
mod contract;
#[cfg(feature = "engine")]
mod engine;
#[cfg(feature = "engine")]
pub mod entry;
#[cfg(feature = "engine")]
mod manual_clock;
#[cfg(feature = "engine")]
mod memory;
#[cfg(feature = "engine")]
mod resilience;
#[cfg(feature = "engine")]
mod sync;
#[cfg(feature = "engine")]
mod system_clock;

pub use contract::abilities::{
    Abilities, Acquired, Change, Clearable, Counting, Expiring, FenceToken, Fenced, Watch, Watchable,
};
pub use contract::backend::{Backend, Entry, Health, Limits, Remaining, SetOptions, Write};
pub use contract::clock::{Clock, Moment, UnixTime};
pub use contract::error::{BackendFault, Error, ErrorClass, ErrorCode, ErrorKind, Explanation, Operation, Result};
#[doc(hidden)]
pub use contract::key::SinglePart;
pub use contract::key::{IntoKey, Key, KeyPrefix, KeyWriter};
pub use contract::key_provider::{KeyProvider, KeyRing, MasterKey};
pub use contract::layout::Layout;
pub use contract::policy::{Admission, Call, Next, Outcome, ResiliencePolicy, Verdict};
pub use contract::serializer::{Format, Serializer};
pub use contract::transform::{Applied, EntryContext, Transform, TransformKind};
pub use contract::ttl::{NonZeroDuration, Ttl};
#[cfg(feature = "engine")]
pub use engine::{
    BorrowedLoads, Cache, CacheBuilder, Entropy, Invalidation, LoadError, Loaded, LoadedOption, Loads, Namespace,
    NamespaceBuilder, OwnedLoads, Stats, Status, SystemEntropy, TenantNamespaces, TenantNamespacesBuilder, tell_stale,
};
#[cfg(feature = "engine")]
#[doc(hidden)]
pub use engine::{ErrorSharing, LoadFailure, NotShared, Shared, SharedByArc};

#[cfg(feature = "engine")]
pub use manual_clock::ManualClock;
#[cfg(feature = "engine")]
pub use memory::{MemoryBackend, MemoryBackendBuilder};
#[cfg(feature = "engine")]
pub use resilience::{
    AttemptTimeout, BreakerEvent, BreakerState, CircuitBreaker, CircuitBreakerBuilder, ConcurrencyLimit,
    ConcurrencyLimitBuilder, Deadline, RateLimit, RateLimitBuilder, Resilience, ResilienceCounts, ResilientBackend,
    Retry, RetryBudget, RetryBudgetBuilder, RetryBuilder,
};
#[cfg(feature = "engine")]
pub use system_clock::SystemClock;
