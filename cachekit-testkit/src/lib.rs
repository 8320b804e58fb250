//! What tests of CacheKit, of its plug-ins and of services that use it share.
//!
//! - [`faults`]: a backend that fails as a script says, over any other.
//! - [`fakes`]: a serializer, a transform, a key provider and a policy that fail on cue.
//! - [`recorder`]: every call that was made, and what came of it.
//! - [`proxy`]: bad network between a client and a real server.
//! - [`fixtures`]: real servers of a test's own.

pub mod fakes;
pub mod faults;
pub mod fixtures;
#[cfg(unix)] // keeps its port with an option that others lack
pub mod proxy;
pub mod recorder;

pub use cachekit_core::ManualClock;
