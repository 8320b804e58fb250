//! What tests of CacheKit, of its plug-ins and of services that use it share.
//!
//! - [`faults`]: a backend that fails as a script says, over any other.
//! - [`recorder`]: every call that was made, and what came of it.
//! - [`fixtures`]: real servers of a test's own.

pub mod faults;
pub mod fixtures;
pub mod recorder;

pub use cachekit_core::ManualClock;
