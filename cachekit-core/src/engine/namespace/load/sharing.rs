//! What those who wait for a load get of its error.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::Error;
use crate::engine::load_error::LoadError;

/// Why a load brought no value, with the error of the caller's own loader where it cannot be shared.
#[doc(hidden)]
#[non_exhaustive]
pub enum LoadFailure<E> {
    /// The loader failed; all who waited have the same error.
    Shared(Arc<E>),
    /// The caller's own loader failed.
    Own(E),
    /// The loader that this caller waited for panicked.
    Panicked,
    /// The loader took too long.
    TimedOut,
    /// The cache refused.
    Cache(Error),
}

impl<E> fmt::Debug for LoadFailure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shared(_) => "Shared",
            Self::Own(_) => "Own",
            Self::Panicked => "Panicked",
            Self::TimedOut => "TimedOut",
            Self::Cache(_) => "Cache",
        })
    }
}

impl<E> From<LoadFailure<E>> for LoadError<E> {
    fn from(failure: LoadFailure<E>) -> Self {
        match failure {
            LoadFailure::Shared(error) => Self::Loader(error),
            LoadFailure::Own(error) => Self::Loader(Arc::new(error)),
            LoadFailure::Panicked => Self::Panicked,
            LoadFailure::TimedOut => Self::TimedOut,
            LoadFailure::Cache(error) => Self::Cache(error),
        }
    }
}

/// Says what those who wait for a load get of its error.
#[doc(hidden)]
pub trait ErrorSharing<E>: Copy {
    /// Makes of an error what the leader and the others get.
    fn share(&self, error: E) -> Shared<E>;

    /// Gets back what was shared. `None` if it is of another type.
    fn recover(&self, error: Arc<dyn Any + Send + Sync>) -> Option<Arc<E>>;
}

/// What [`ErrorSharing::share`] makes of an error.
#[doc(hidden)]
#[derive(Debug)]
pub enum Shared<E> {
    /// All get the same, twice over: with its type and without.
    With(Arc<E>, Arc<dyn Any + Send + Sync>),
    /// The leader keeps it; the others run their own loaders.
    Alone(E),
}

/// Shares an error behind an `Arc`.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct SharedByArc;

impl<E: Send + Sync + 'static> ErrorSharing<E> for SharedByArc {
    fn share(&self, error: E) -> Shared<E> {
        let error = Arc::new(error);
        Shared::With(Arc::clone(&error), error)
    }

    fn recover(&self, error: Arc<dyn Any + Send + Sync>) -> Option<Arc<E>> {
        error.downcast().ok()
    }
}

/// Shares no error.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct NotShared;

impl<E> ErrorSharing<E> for NotShared {
    fn share(&self, error: E) -> Shared<E> {
        Shared::Alone(error)
    }

    fn recover(&self, _error: Arc<dyn Any + Send + Sync>) -> Option<Arc<E>> {
        None
    }
}
