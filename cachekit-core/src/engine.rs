//! The engine: what turns a backend and a serializer into a cache.

mod cache;
mod codec;
mod entropy;
mod epoch;
mod l1;
mod load_error;
mod loaded;
mod local_key;
#[cfg(feature = "metrics")]
mod metrics;
mod namespace;
mod outage;
mod place;
mod repair;
mod settings;
mod spans;
mod staleness;
mod stats;
mod status;
mod tasks;
mod traffic;

pub use self::cache::{Cache, CacheBuilder};
pub use self::entropy::{Entropy, SystemEntropy};
pub use self::load_error::LoadError;
pub use self::loaded::{Loaded, LoadedOption};
pub use self::namespace::{
    ErrorSharing, Invalidation, LoadFailure, Namespace, NamespaceBuilder, NotShared, Shared, SharedByArc,
    TenantNamespaces, TenantNamespacesBuilder,
};
pub(crate) use self::spans::tell;
pub use self::staleness::{BorrowedLoads, Loads, OwnedLoads, tell_stale};
pub use self::stats::Stats;
pub use self::status::Status;
