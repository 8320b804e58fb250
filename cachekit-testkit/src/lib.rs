//! What tests of CacheKit and of its plug-ins share: [`fixtures`] that start real servers,
//! and the [`conformance`] suite.

pub mod conformance;
pub mod fixtures;
