//! The contracts: the traits that plug-ins implement and the words that they speak.
//!
//! Nothing in here knows the engine, a driver or a format; this folder could become a crate of its own.

pub(crate) mod abilities;
pub(crate) mod backend;
pub(crate) mod clock;
pub(crate) mod error;
pub(crate) mod key;
pub(crate) mod key_provider;
pub(crate) mod layout;
pub(crate) mod policy;
pub(crate) mod serializer;
pub(crate) mod transform;
pub(crate) mod ttl;
