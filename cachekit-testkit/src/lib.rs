//! What tests of CacheKit, of its plug-ins and of services that use it share.
//!
//! - [`conformance`](mod@conformance): the suite that says whether a backend keeps its contract.
//! - [`faults`]: a backend that fails as a script says, over any other.
//! - `drills`, with the feature of that name: every error code of the catalogue on demand.
//! - [`fakes`]: a serializer, a transform, a key provider and a policy that fail on cue.
//! - [`recorder`]: every call that was made, and what came of it.
//! - [`proxy`]: bad network between a client and a real server.
//! - [`fixtures`]: real servers of a test's own.
//!
//! [`testing`] is the chapter on testing a service that caches: begin there. [`plug_ins`] is the one on writing a
//! backend, from an empty crate to a green suite.

pub mod conformance;
#[cfg(all(unix, feature = "drills"))] // real drills start real servers
pub mod drills;
pub mod fakes;
pub mod faults;
pub mod fixtures;
#[doc = include_str!("../README.md")]
pub mod plug_ins {}
#[cfg(unix)] // keeps its port with an option that others lack
pub mod proxy;
pub mod recorder;
mod redaction;
#[doc = include_str!("../../docs/testing.md")]
pub mod testing {}

pub use cachekit_core::ManualClock;

pub use self::redaction::{assert_debug_redacted, assert_redacted, everything_shown};
