//! What cached functions return: a value, one behind an `Arc`, an option of these, or a `Result` of any.

use std::marker::PhantomData;
use std::sync::Arc;

use super::Probe;

/// What a cached function returns, the `Result` taken off.
pub trait Plain {
    /// What is returned.
    type Return;
    /// What is stored.
    type Value;

    /// What is to be stored of what the loader returned.
    fn loaded(returned: Self::Return) -> Option<Arc<Self::Value>>;

    /// What is to be returned, or `None` if what was found is nothing that could be: another function stored it.
    fn found(found: Option<Arc<Self::Value>>) -> Option<Self::Return>;
}

/// `T`.
#[derive(Debug)]
pub struct Owned<T>(PhantomData<T>);

impl<T: Clone> Plain for Owned<T> {
    type Return = T;
    type Value = T;

    fn loaded(returned: T) -> Option<Arc<T>> {
        Some(Arc::new(returned))
    }

    fn found(found: Option<Arc<T>>) -> Option<T> {
        found.map(Arc::unwrap_or_clone)
    }
}

/// `Arc<T>`.
#[derive(Debug)]
pub struct Arced<T>(PhantomData<T>);

impl<T> Plain for Arced<T> {
    type Return = Arc<T>;
    type Value = T;

    fn loaded(returned: Arc<T>) -> Option<Arc<T>> {
        Some(returned)
    }

    fn found(found: Option<Arc<T>>) -> Option<Arc<T>> {
        found
    }
}

/// An option of the other two.
#[derive(Debug)]
pub struct Optional<P>(PhantomData<P>);

impl<P: Plain> Plain for Optional<P> {
    type Return = Option<P::Return>;
    type Value = P::Value;

    fn loaded(returned: Option<P::Return>) -> Option<Arc<P::Value>> {
        returned.and_then(P::loaded)
    }

    fn found(found: Option<Arc<P::Value>>) -> Option<Option<P::Return>> {
        match found {
            Some(value) => P::found(Some(value)).map(Some),
            None => Some(None),
        }
    }
}

/// The two sides of a `Result`, also where an alias hides them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is called `Result` but is none",
    label = "`#[cache]` takes what is called `Result` for one: give the type another name"
)]
pub trait ResultParts {
    /// What it holds when all went well.
    type Ok;
    /// What it holds otherwise.
    type Error;

    /// The other way.
    fn from_result(result: Result<Self::Ok, Self::Error>) -> Self;

    /// The one way.
    fn into_result(self) -> Result<Self::Ok, Self::Error>;
}

impl<T, E> ResultParts for Result<T, E> {
    type Ok = T;
    type Error = E;

    fn from_result(result: Self) -> Self {
        result
    }

    fn into_result(self) -> Self {
        self
    }
}

/// Tells types that are a `Result` under another name: theirs is the inherent constant.
pub trait IsNoResult {
    /// Whether it is one.
    const IS_RESULT: bool = false;
}

impl<T> IsNoResult for Probe<T> {}

impl<T, E> Probe<Result<T, E>> {
    /// Whether it is one.
    pub const IS_RESULT: bool = true;
}
