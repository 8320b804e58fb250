//! [`LoadError`]: why a load brought no value.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::{Error, ErrorCode};

/// Why a load brought no value.
///
/// Trouble with the cache alone never ends here: then the loader runs and its value arrives. So [`LoadError::Cache`]
/// means that something asked to be told (a closed door is never mistaken for an empty room), such as a key that cannot
/// be.
#[derive(Debug)]
#[non_exhaustive]
pub enum LoadError<E> {
    /// The loader failed. The error is shared with all who waited for this load.
    Loader(Arc<E>),
    /// The loader of another caller, whom this one waited for, panicked: E035.
    Panicked,
    /// The loader did not finish within the `load_timeout`: E034.
    TimedOut,
    /// The cache refused.
    Cache(Error),
}

impl<E> LoadError<E> {
    /// The code of the catalogue, unless it was the loader that failed.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Loader(_) => None,
            Self::Panicked => Some(ErrorCode::E035),
            Self::TimedOut => Some(ErrorCode::E034),
            Self::Cache(error) => Some(error.code()),
        }
    }

    /// The loader's error, if it was the loader that failed.
    #[must_use]
    pub fn loader(&self) -> Option<&E> {
        match self {
            Self::Loader(error) => Some(error),
            _ => None,
        }
    }
}

// By hand: a derived one would ask for `E: Clone`.
impl<E> Clone for LoadError<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Loader(error) => Self::Loader(Arc::clone(error)),
            Self::Panicked => Self::Panicked,
            Self::TimedOut => Self::TimedOut,
            Self::Cache(error) => Self::Cache(error.clone()),
        }
    }
}

impl<E> fmt::Display for LoadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loader(_) => f.write_str("the loader failed"),
            Self::Panicked => panicked().fmt(f),
            Self::TimedOut => timed_out().fmt(f),
            Self::Cache(error) => error.fmt(f),
        }
    }
}

impl<E: StdError + 'static> StdError for LoadError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Loader(error) => Some(&**error),
            Self::Panicked | Self::TimedOut => None,
            Self::Cache(error) => error.source(),
        }
    }
}

pub(crate) fn panicked() -> Error {
    Error::new(ErrorCode::E035, "the loader of the caller that this one waited for panicked")
}

pub(crate) fn timed_out() -> Error {
    Error::new(ErrorCode::E034, "the loader did not finish within the `load_timeout`")
}
