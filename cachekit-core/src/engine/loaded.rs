//! [`Loaded`] and [`LoadedOption`]: what a loader or a caller hands over to be cached.

use std::sync::Arc;

use crate::Ttl;

/// A value to be cached, with a time to live of its own if it has one.
///
/// Loaders and `set` take whatever becomes one: a plain value, an `Arc`, or a `Loaded` that says more.
///
/// ```
/// use cachekit_core::{Loaded, Ttl};
///
/// // As long as its issuer says.
/// let token: Loaded<String> = Loaded::new("token".to_owned()).with_ttl(Ttl::secs(30));
/// ```
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    pub(crate) value: Arc<T>,
    pub(crate) ttl: Option<Ttl>,
}

impl<T> Loaded<T> {
    /// A value that lives as long as its namespace says.
    #[must_use]
    pub fn new(value: impl Into<Arc<T>>) -> Self {
        Self { value: value.into(), ttl: None }
    }

    /// The same value, living for `ttl`.
    #[must_use]
    pub fn with_ttl(self, ttl: Ttl) -> Self {
        Self { ttl: Some(ttl), ..self }
    }
}

impl<T> From<T> for Loaded<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T> From<Arc<T>> for Loaded<T> {
    fn from(value: Arc<T>) -> Self {
        Self { value, ttl: None }
    }
}

/// A value to be cached, or the knowledge that there is none, with a time to live of its own if it has one.
#[derive(Debug)]
pub struct LoadedOption<T> {
    pub(crate) value: Option<Arc<T>>,
    pub(crate) ttl: Option<Ttl>,
}

impl<T> LoadedOption<T> {
    /// There is none, which is remembered as long as the namespace says.
    #[must_use]
    pub fn absent() -> Self {
        Self { value: None, ttl: None }
    }

    /// The same, living for `ttl`.
    #[must_use]
    pub fn with_ttl(self, ttl: Ttl) -> Self {
        Self { ttl: Some(ttl), ..self }
    }
}

// By hand: a derived one would ask for `T: Clone`.
impl<T> Clone for LoadedOption<T> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), ttl: self.ttl }
    }
}

impl<T> From<Option<T>> for LoadedOption<T> {
    fn from(value: Option<T>) -> Self {
        Self { value: value.map(Arc::new), ttl: None }
    }
}

impl<T> From<Option<Arc<T>>> for LoadedOption<T> {
    fn from(value: Option<Arc<T>>) -> Self {
        Self { value, ttl: None }
    }
}

impl<T> From<Loaded<T>> for LoadedOption<T> {
    fn from(loaded: Loaded<T>) -> Self {
        Self { value: Some(loaded.value), ttl: loaded.ttl }
    }
}
