//! A shared backend is a backend: handles to the same entries.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use crate::{Abilities, Backend, BackendFault, Entry, ErrorCode, Health, Key, Limits, Result, SetOptions, Write};

/// What `async_trait` makes of an answer.
type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A shared backend is a backend: handles to the same entries.
///
/// Written as `async_trait` would write it, but for the box: the answer is the backend's own, and a call through a
/// handle costs no more than one without.
#[deny(clippy::missing_trait_methods)]
impl<B: Backend + ?Sized> Backend for Arc<B> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn get<'life0, 'life1, 'async_trait>(&'life0 self, key: &'life1 Key) -> Answer<'async_trait, Result<Option<Entry>>>
    where
        Self: 'async_trait,
        'life0: 'async_trait,
        'life1: 'async_trait,
    {
        (**self).get(key)
    }

    fn set<'life0, 'life1, 'life2, 'async_trait>(
        &'life0 self,
        key: &'life1 Key,
        value: Bytes,
        options: &'life2 SetOptions,
    ) -> Answer<'async_trait, Result<()>>
    where
        Self: 'async_trait,
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
    {
        (**self).set(key, value, options)
    }

    fn delete<'life0, 'life1, 'async_trait>(&'life0 self, key: &'life1 Key) -> Answer<'async_trait, Result<()>>
    where
        Self: 'async_trait,
        'life0: 'async_trait,
        'life1: 'async_trait,
    {
        (**self).delete(key)
    }

    fn exists<'life0, 'life1, 'async_trait>(&'life0 self, key: &'life1 Key) -> Answer<'async_trait, Result<bool>>
    where
        Self: 'async_trait,
        'life0: 'async_trait,
        'life1: 'async_trait,
    {
        (**self).exists(key)
    }

    fn get_many<'life0, 'life1, 'async_trait>(
        &'life0 self,
        keys: &'life1 [Key],
    ) -> Answer<'async_trait, Vec<Result<Option<Entry>>>>
    where
        Self: 'async_trait,
        'life0: 'async_trait,
        'life1: 'async_trait,
    {
        (**self).get_many(keys)
    }

    fn set_many<'life0, 'life1, 'async_trait>(
        &'life0 self,
        writes: &'life1 [Write],
    ) -> Answer<'async_trait, Vec<Result<()>>>
    where
        Self: 'async_trait,
        'life0: 'async_trait,
        'life1: 'async_trait,
    {
        (**self).set_many(writes)
    }

    fn delete_many<'life0, 'life1, 'async_trait>(
        &'life0 self,
        keys: &'life1 [Key],
    ) -> Answer<'async_trait, Vec<Result<()>>>
    where
        Self: 'async_trait,
        'life0: 'async_trait,
        'life1: 'async_trait,
    {
        (**self).delete_many(keys)
    }

    fn health<'life0, 'async_trait>(&'life0 self) -> Answer<'async_trait, Result<Health>>
    where
        Self: 'async_trait,
        'life0: 'async_trait,
    {
        (**self).health()
    }

    fn limits(&self) -> Limits {
        (**self).limits()
    }

    /// The same abilities: there is nothing between this handle and the backend that they could slip past.
    fn abilities(&self) -> Abilities<'_> {
        (**self).abilities()
    }

    fn code_of(&self, fault: BackendFault) -> ErrorCode {
        (**self).code_of(fault)
    }

    fn close<'life0, 'async_trait>(&'life0 self) -> Answer<'async_trait, ()>
    where
        Self: 'async_trait,
        'life0: 'async_trait,
    {
        (**self).close()
    }
}
