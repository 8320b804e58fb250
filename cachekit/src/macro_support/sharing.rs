//! How the error of one load reaches all who waited for it, and how an error of the cache's becomes one of the
//! function's.
//!
//! What can be done with an error depends on its type. The macro calls a method on references to a [`Probe`]; the
//! compiler takes the first that fits, from the outermost reference inwards.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;

use cachekit_core::{Error, ErrorSharing, Shared};

/// Stands for the type of an error.
pub struct Probe<E: ?Sized>(PhantomData<fn() -> E>);

impl<E> Probe<E> {
    /// Stands for `E`.
    #[expect(clippy::new_without_default, reason = "made by the macro alone")]
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<E> fmt::Debug for Probe<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe")
    }
}

/// How an error is handed to those who waited.
pub struct Sharing<E>(Option<Kept<E>>);

struct Kept<E> {
    share: fn(E) -> Shared<E>,
    recover: fn(Arc<dyn Any + Send + Sync>) -> Option<Arc<E>>,
    copy: fn(&Arc<E>) -> E,
}

impl<E> Sharing<E> {
    /// Not at all: those who waited run their own loaders.
    #[must_use]
    pub const fn alone() -> Self {
        Self(None)
    }

    /// Each gets what `copy` makes of it.
    #[must_use]
    pub fn with(copy: fn(&Arc<E>) -> E) -> Self
    where
        E: Send + Sync + 'static,
    {
        let share = |error: E| {
            let error = Arc::new(error);
            Shared::With(Arc::clone(&error), error)
        };
        Self(Some(Kept { share, recover: |error| error.downcast().ok(), copy }))
    }

    /// The error itself for the last who has it, a copy for the others.
    pub(super) fn take(self, error: Arc<E>) -> Option<E> {
        match Arc::try_unwrap(error) {
            Ok(error) => Some(error),
            Err(error) => self.0.map(|kept| (kept.copy)(&error)),
        }
    }
}

impl<E> ErrorSharing<E> for Sharing<E> {
    fn share(&self, error: E) -> Shared<E> {
        match &self.0 {
            Some(kept) => (kept.share)(error),
            None => Shared::Alone(error),
        }
    }

    fn recover(&self, error: Arc<dyn Any + Send + Sync>) -> Option<Arc<E>> {
        self.0.as_ref().and_then(|kept| (kept.recover)(error))
    }
}

// By hand: derived ones would ask the same of `E`.
impl<E> Clone for Sharing<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Sharing<E> {}

impl<E> Clone for Kept<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Kept<E> {}

impl<E> fmt::Debug for Sharing<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sharing").field(&self.0.is_some()).finish()
    }
}

/// Errors that are `Clone`.
pub trait ShareByClone<E> {
    /// How they are shared.
    fn sharing(&self) -> Sharing<E>;
}

impl<E: Clone + Send + Sync + 'static> ShareByClone<E> for &&Probe<E> {
    fn sharing(&self) -> Sharing<E> {
        Sharing::with(|error| E::clone(error))
    }
}

/// Errors that are not, but are known.
pub trait ShareByKind<E> {
    /// How they are shared.
    fn sharing(&self) -> Sharing<E>;
}

impl ShareByKind<io::Error> for &Probe<io::Error> {
    fn sharing(&self) -> Sharing<io::Error> {
        Sharing::with(|error| match (error.raw_os_error(), error.get_ref()) {
            (Some(code), _) => io::Error::from_raw_os_error(code),
            (None, None) => io::Error::from(error.kind()),
            (None, Some(_)) => io::Error::new(error.kind(), Copied(Arc::clone(error))),
        })
    }
}

impl ShareByKind<Box<dyn StdError + Send + Sync>> for &Probe<Box<dyn StdError + Send + Sync>> {
    fn sharing(&self) -> Sharing<Box<dyn StdError + Send + Sync>> {
        Sharing::with(|error| Box::new(Copied(Arc::clone(error))))
    }
}

#[cfg(feature = "anyhow")]
impl ShareByKind<anyhow::Error> for &Probe<anyhow::Error> {
    fn sharing(&self) -> Sharing<anyhow::Error> {
        Sharing::with(|error| anyhow::Error::new(Copied(Arc::clone(error))))
    }
}

/// All other errors.
pub trait ShareNot<E> {
    /// They are not.
    fn sharing(&self) -> Sharing<E>;
}

impl<E> ShareNot<E> for Probe<E> {
    fn sharing(&self) -> Sharing<E> {
        Sharing::alone()
    }
}

/// An error that reads as the shared one does, with the same causes. Its type cannot be got back by downcasting.
struct Copied<E>(Arc<E>);

/// What an error shows, for types that are none themselves.
trait Shown: Send + Sync + 'static {
    fn shown(&self) -> &(dyn StdError + 'static);
}

impl Shown for io::Error {
    fn shown(&self) -> &(dyn StdError + 'static) {
        // What was put into it reads better than an `io::Error` around it.
        match self.get_ref() {
            Some(inner) => inner,
            None => self,
        }
    }
}

impl Shown for Box<dyn StdError + Send + Sync> {
    fn shown(&self) -> &(dyn StdError + 'static) {
        &**self
    }
}

#[cfg(feature = "anyhow")]
impl Shown for anyhow::Error {
    fn shown(&self) -> &(dyn StdError + 'static) {
        self.as_ref()
    }
}

impl<E: Shown> fmt::Display for Copied<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0.shown(), f)
    }
}

impl<E: Shown> fmt::Debug for Copied<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0.shown(), f)
    }
}

impl<E: Shown> StdError for Copied<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.shown().source()
    }
}

/// Errors that the cache's can become.
pub trait FromError<E> {
    /// How.
    fn conversion(&self) -> Option<fn(Error) -> E>;
}

impl<E: From<Error>> FromError<E> for &Probe<E> {
    fn conversion(&self) -> Option<fn(Error) -> E> {
        Some(E::from)
    }
}

/// Errors that the cache's cannot become.
pub trait FromErrorNot<E> {
    /// Not.
    fn conversion(&self) -> Option<fn(Error) -> E>;
}

impl<E> FromErrorNot<E> for Probe<E> {
    fn conversion(&self) -> Option<fn(Error) -> E> {
        None
    }
}

/// Errors that the cache's can become, where that is required.
#[diagnostic::on_unimplemented(
    message = "this option has something to tell that the body does not: it needs an error that is `From<cachekit::Error>`",
    label = "`{Self}` is not",
    note = "write `impl From<cachekit::Error> for {Self}`, or return `anyhow::Error` or a `Box<dyn Error + Send + Sync>`"
)]
pub trait FromCacheError {}

impl<E: From<Error>> FromCacheError for E {}

/// Does nothing, but only compiles for an error that the cache's can become.
pub const fn requires_from_error<E: FromCacheError>() {}
