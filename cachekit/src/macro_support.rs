//! What `#[cache]` expands to. Not for use by hand, and free to change.

#[cfg(feature = "interop")]
mod interop;
mod missing;
mod path;
mod shape;
mod sharing;
mod site;
mod source;

pub use cachekit_core::{Invalidation, Ttl};

pub use self::missing::{Entered, Missing};
pub use self::shape::{Arced, IsNoResult, Optional, Owned, Plain, ResultParts};
pub use self::sharing::{
    FromCacheError, FromError, FromErrorNot, Probe, ShareByClone, ShareByKind, ShareNot, Sharing, requires_from_error,
};
pub use self::site::{Outdated, Site, SiteOptions};
pub use self::source::{Current, Given, Handle, Source};

/// A time to live that the macro has read.
#[must_use]
pub const fn ttl(seconds: u64, nanos: u32) -> Ttl {
    match cachekit_core::NonZeroDuration::new(std::time::Duration::new(seconds, nanos)) {
        Some(duration) => Ttl::For(duration),
        None => Ttl::Never,
    }
}
