//! [`Missing`]: a call whose value was not found, and that loads it.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cachekit_core::{Error, ErrorCode, KeyWriter, LoadFailure, LoadedOption, Namespace, NotShared, OwnedLoads};

use super::shape::{Plain, ResultParts};
use super::sharing::Sharing;

/// What a look-up came to.
pub enum Entered<R, V> {
    /// What is to be returned.
    Found(R),
    /// Nothing.
    Missing(Missing<V>),
}

impl<R, V> fmt::Debug for Entered<R, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Found(_) => "Found",
            Self::Missing(_) => "Missing",
        })
    }
}

/// An entry that has to be loaded.
pub struct Missing<V> {
    /// Its namespace and key, if there is a cache.
    pub(super) at: Option<(Namespace<V, OwnedLoads>, KeyWriter)>,
    pub(super) function: &'static str,
    /// Whether it was told before that the function cannot tell its callers of an entry that was refused.
    pub(super) untold: &'static AtomicBool,
}

impl<V> fmt::Debug for Missing<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Missing").field("function", &self.function).finish_non_exhaustive()
    }
}

impl<V: Send + Sync + 'static> Missing<V> {
    /// Loads a value with a loader that cannot fail.
    ///
    /// # Panics
    /// If the loader does, here or in the call that this one waited for.
    pub async fn load<P: Plain<Value = V>>(self, loader: impl Future<Output = P::Return>) -> P::Return {
        let Some((namespace, key)) = self.at else { return loader.await };
        let mut loader = pin!(loader);
        let work = async { Ok::<_, Infallible>(LoadedOption::from(P::loaded(loader.as_mut().await))) };
        // Boxed, for hits carry the function's future around, too.
        let found = match Box::pin(namespace.load_shared(&key, work, NotShared)).await {
            Ok(found) => P::found(found),
            Err(LoadFailure::Panicked) => panicked(self.function),
            // Whatever the trouble with the cache, and however long it takes: there is no other way to an answer.
            Err(failure) => {
                note_untold(self.function, self.untold, &failure);
                None
            }
        };
        match found {
            Some(found) => found,
            // The loader has not come to its end: its value would have been found.
            None => loader.await,
        }
    }

    /// Loads a value in a task, with a loader that cannot fail.
    ///
    /// # Panics
    /// If the loader does.
    pub async fn spawn<P>(self, loader: impl Future<Output = P::Return> + Send + 'static) -> P::Return
    where
        P: Plain<Value = V> + 'static,
    {
        let Some((namespace, key)) = self.at else { return loader.await };
        let loader = Handed::over(loader);
        let handed = loader.clone();
        let work = async move { Ok::<_, Infallible>(LoadedOption::from(P::loaded(handed.run().await))) };
        let absent_will_do = P::found(None).is_some();
        let found = Box::pin(namespace.spawn_shared(&key, work, NotShared, absent_will_do)).await;
        let found = found.inspect_err(|failure| note_untold(self.function, self.untold, failure)).ok();
        match found.and_then(P::found) {
            Some(found) => found,
            None => match loader.take() {
                // Whatever the trouble with the cache: it was not run.
                Some(loader) => loader.await,
                None => panicked(self.function),
            },
        }
    }

    /// Loads a value in a task, with a loader that may fail.
    ///
    /// # Errors
    /// The loader's; the cache's, if they can be told.
    ///
    /// # Panics
    /// If the loader does, and that cannot be told.
    pub async fn spawn_result<P, R>(
        self,
        loader: impl Future<Output = R> + Send + 'static,
        sharing: Sharing<R::Error>,
        from_error: Option<fn(Error) -> R::Error>,
    ) -> R
    where
        P: Plain<Value = V> + 'static,
        R: ResultParts<Ok = P::Return>,
        R::Error: Send + Sync + 'static,
    {
        let Some((namespace, key)) = self.at else { return loader.await };
        let loader = Handed::over(loader);
        let handed = loader.clone();
        let work = async move { handed.run().await.into_result().map(|value| LoadedOption::from(P::loaded(value))) };
        let absent_will_do = P::found(None).is_some();
        let failed = match Box::pin(namespace.spawn_shared(&key, work, sharing, absent_will_do)).await {
            Ok(found) => match P::found(found) {
                Some(found) => return R::from_result(Ok(found)),
                None => None,
            },
            Err(failure) => {
                if from_error.is_none() {
                    note_untold(self.function, self.untold, &failure);
                }
                told(self.function, failure, sharing, from_error)
            }
        };
        match (failed, loader.take()) {
            (Some(error), _) => R::from_result(Err(error)),
            (None, Some(loader)) => loader.await,
            (None, None) => panicked(self.function),
        }
    }

    /// Loads a value with a loader that may fail.
    ///
    /// # Errors
    /// The loader's; the cache's, if they can be told.
    ///
    /// # Panics
    /// If the loader does; if it did in the call that this one waited for, and that cannot be told.
    pub async fn load_result<P, R>(
        self,
        loader: impl Future<Output = R>,
        sharing: Sharing<R::Error>,
        from_error: Option<fn(Error) -> R::Error>,
    ) -> R
    where
        P: Plain<Value = V>,
        R: ResultParts<Ok = P::Return>,
    {
        let Some((namespace, key)) = self.at else { return loader.await };
        let mut loader = pin!(loader);
        let work = async { loader.as_mut().await.into_result().map(|value| LoadedOption::from(P::loaded(value))) };
        let failed = match Box::pin(namespace.load_shared(&key, work, sharing)).await {
            Ok(found) => match P::found(found) {
                Some(found) => return R::from_result(Ok(found)),
                None => None,
            },
            Err(failure) => {
                if from_error.is_none() {
                    note_untold(self.function, self.untold, &failure);
                }
                told(self.function, failure, sharing, from_error)
            }
        };
        match failed {
            Some(error) => R::from_result(Err(error)),
            // The loader has not come to its end: its value or its error would have been found.
            None => loader.await,
        }
    }
}

/// A loader that a task takes, or else whoever handed it over.
struct Handed<W>(Arc<Mutex<Option<Pin<Box<W>>>>>);

impl<W: Future> Handed<W> {
    fn over(loader: W) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::pin(loader)))))
    }

    fn take(&self) -> Option<Pin<Box<W>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn run(self) -> W::Output {
        match self.take() {
            Some(loader) => loader.await,
            // Who handed it over runs it, and waits for nothing more.
            None => std::future::pending().await,
        }
    }
}

impl<W> Clone for Handed<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// What a caller is told of a failure: `None` if that is nothing, and the loader is to be run as if there were no cache.
fn told<E>(
    function: &str,
    failure: LoadFailure<E>,
    sharing: Sharing<E>,
    from_error: Option<fn(Error) -> E>,
) -> Option<E> {
    match failure {
        LoadFailure::Own(error) => Some(error),
        LoadFailure::Shared(error) => sharing.take(error),
        LoadFailure::Panicked => match from_error {
            Some(from_error) => Some(from_error(Error::new(ErrorCode::E035, said(function)))),
            None => panicked(function),
        },
        LoadFailure::TimedOut => from_error.map(|from_error| {
            let message = format!("`{function}` did not finish within its `load_timeout`");
            from_error(Error::new(ErrorCode::E034, message))
        }),
        LoadFailure::Cache(error) if is_refusal(&error) => from_error.map(|from_error| from_error(error)),
        _ => None,
    }
}

/// Whether an entry was found that the namespace is closed to. With these codes a load ends for no other reason.
fn is_refusal(error: &Error) -> bool {
    matches!(error.code(), ErrorCode::E003 | ErrorCode::E005)
}

/// Says once of a function that it runs although an entry was refused, for its callers cannot be told.
fn note_untold<E>(function: &str, untold: &AtomicBool, failure: &LoadFailure<E>) {
    if let LoadFailure::Cache(error) = failure
        && is_refusal(error)
        && !untold.swap(true, Ordering::Relaxed)
    {
        tracing::error!(
            code = %error.code(),
            %error,
            function,
            "entry refused, and the function runs all the same: it returns no `Result` to tell with, whose error is \
             `From<cachekit::Error>`"
        );
    }
}

/// Passes a panic on without reporting it anew: that was done where it arose.
fn panicked(function: &str) -> ! {
    resume_unwind(Box::new(said(function)))
}

fn said(function: &str) -> String {
    format!("the call of `{function}` that this one waited for panicked")
}
