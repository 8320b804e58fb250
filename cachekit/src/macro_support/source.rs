//! [`Source`]: where the cache of a call comes from.

use std::sync::Arc;

use cachekit_core::Serializer;
use cachekit_serde::MessagePack;

use crate::default_cache;

/// Where the cache of a call comes from.
pub trait Source<V> {
    /// The serializer of that cache.
    type Format: Serializer<V> + Default;

    /// Hands over the cache, if there is one, and whether it is likely to be there next time.
    fn with<R>(&self, then: impl FnOnce(Option<&cachekit_core::Cache<Self::Format>>, bool) -> R) -> R;
}

/// The cache of this scope, or else of the process.
#[derive(Clone, Copy, Debug)]
pub struct Current;

impl<V> Source<V> for Current
where
    MessagePack: Serializer<V>,
{
    type Format = MessagePack;

    #[inline]
    fn with<R>(&self, then: impl FnOnce(Option<&crate::Cache>, bool) -> R) -> R {
        default_cache::with_current(|current| match current {
            default_cache::Current::Scoped(cache) => then(Some(cache), false),
            default_cache::Current::Process(cache) => then(Some(cache), true),
            default_cache::Current::Missing => then(None, true),
        })
    }
}

/// The cache that `cache = ..` names.
#[derive(Debug)]
pub struct Given<'a, H: ?Sized>(pub &'a H);

impl<V, H> Source<V> for Given<'_, H>
where
    H: Handle + ?Sized,
    H::Format: Serializer<V> + Default,
{
    type Format = H::Format;

    #[inline]
    fn with<R>(&self, then: impl FnOnce(Option<&cachekit_core::Cache<Self::Format>>, bool) -> R) -> R {
        then(Some(self.0.cache()), true)
    }
}

/// What `cache = ..` takes: a cache, or a pointer to one.
#[diagnostic::on_unimplemented(
    message = "`cache = ..` takes a `cachekit::Cache`, and `{Self}` is none",
    label = "not a cache"
)]
pub trait Handle {
    /// The cache's serializer.
    type Format;

    /// The cache.
    fn cache(&self) -> &cachekit_core::Cache<Self::Format>;
}

impl<F> Handle for cachekit_core::Cache<F> {
    type Format = F;

    fn cache(&self) -> &Self {
        self
    }
}

macro_rules! pointers {
    ($($pointer:ty),+) => {
        $(impl<H: Handle + ?Sized> Handle for $pointer {
            type Format = H::Format;

            fn cache(&self) -> &cachekit_core::Cache<H::Format> {
                (**self).cache()
            }
        })+
    };
}

pointers!(&H, &mut H, Box<H>, std::rc::Rc<H>, Arc<H>);
