//! The cache that cached functions use: the process's own, or the one of a scope.

use std::future::Future;
use std::sync::OnceLock;

use cachekit_core::{Error, ErrorCode, Result, Status};

use crate::Cache;

/// Makes `cache` the one that cached functions of this process use, unless they name another.
///
/// Without it the first cached function that runs makes one from the environment. If that fails, cached functions run
/// uncached, one error event says why, and [`status`] tells. If the environment has a master key, functions with
/// `#[cache(secure)]` are encrypted, and the others, which do not say that they may be stored in the clear, run uncached
/// (E004).
///
/// # Errors
/// E044 if the process has a cache already, installed or made from the environment: what was cached there
/// would be forgotten unseen.
pub fn install(cache: Cache) -> Result<()> {
    PROCESS.set(Ok(cache)).map_err(|_| Error::new(ErrorCode::E044, "install: the process has a cache already"))
}

/// Runs `work`, in which cached functions use `cache` instead of the process's: for a test or a request.
///
/// It holds for what runs inside `work`; a task that is spawned there is not inside.
///
/// ```
/// use cachekit::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> cachekit::Result<()> {
/// let mine = Cache::builder().build()?;
/// cachekit::scope(mine, async {
///     // Cached functions that are called here know nothing of those outside.
/// })
/// .await;
/// # Ok(())
/// # }
/// ```
pub fn scope<F: Future>(cache: Cache, work: F) -> impl Future<Output = F::Output> {
    SCOPED.scope(cache, work)
}

/// How the cache is that cached functions of this process use. Does not make one.
#[must_use]
pub fn status() -> ProcessStatus {
    match PROCESS.get() {
        None => ProcessStatus::NotMade,
        Some(Ok(cache)) => ProcessStatus::Made(Box::new(cache.status())),
        Some(Err(error)) => ProcessStatus::Failed(error.clone()),
    }
}

/// The answer to [`status`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ProcessStatus {
    /// No cached function has run, and none was installed.
    NotMade,
    /// There is one.
    Made(Box<Status>),
    /// It could not be made from the environment: cached functions run uncached.
    Failed(Error),
}

/// The cache that a cached function uses now.
#[cfg(feature = "macros")]
pub(crate) enum Current<'a> {
    /// That of the [`scope`] around it.
    Scoped(&'a Cache),
    /// That of the process.
    Process(&'static Cache),
    /// None: it could not be made.
    Missing,
}

/// Shows `look` the cache that a cached function uses now.
#[cfg(feature = "macros")]
#[inline]
pub(crate) fn with_current<R>(look: impl FnOnce(Current<'_>) -> R) -> R {
    let mut look = Some(look);
    let scoped = SCOPED.try_with(|cache| look.take().map(|look| look(Current::Scoped(cache))));
    match (scoped, look) {
        (Ok(Some(seen)), _) => seen,
        (_, Some(look)) => match PROCESS.get_or_init(from_environment) {
            Ok(cache) => look(Current::Process(cache)),
            Err(_) => look(Current::Missing),
        },
        _ => unreachable!("`look` is taken only where its answer is handed on"),
    }
}

#[cfg(feature = "macros")]
fn from_environment() -> Result<Cache> {
    <Cache as crate::CacheExt>::from_env().by_namespace().build().inspect_err(|error| {
        tracing::error!(code = %error.code(), %error, "no cache: cached functions run uncached");
    })
}

static PROCESS: OnceLock<Result<Cache>> = OnceLock::new();

tokio::task_local! {
    static SCOPED: Cache;
}
