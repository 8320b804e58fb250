//! What tests of CacheKit and of its plug-ins share: [`fixtures`] that start real servers.

pub mod fixtures;
