//! The rules, one plain function each, in files by what they are about.

pub(crate) mod batches;
mod calls;
pub(crate) mod cancellation;
pub(crate) mod clearing;
pub(crate) mod concurrency;
pub(crate) mod counting;
pub(crate) mod expiry;
pub(crate) mod fences;
pub(crate) mod keys;
pub(crate) mod lives;
pub(crate) mod manners;
pub(crate) mod trouble;
pub(crate) mod values;
pub(crate) mod watching;
