//! [`Site`]: a cached function, as it stands in a `static` of its own.

use std::any::type_name;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::panic::{Location, resume_unwind};
use std::pin::pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cachekit_core::{
    Error, ErrorCode, IntoKey, Invalidation, KeyWriter, LoadFailure, LoadedOption, Namespace, NotShared, Result, Ttl,
};

use super::path;
use super::shape::{Plain, ResultParts};
use super::sharing::Sharing;
use super::source::Source;

/// What the macro knows of a function.
#[derive(Debug)]
#[expect(missing_docs, reason = "each is the option of the same name")]
pub struct SiteOptions {
    pub function: &'static str,
    pub namespace: Option<&'static str>,
    pub name: Option<&'static str>,
    /// Whether keys begin with the function's name.
    pub named: bool,
    pub ttl: Ttl,
    pub none_ttl: Option<Ttl>,
    pub load_timeout: Option<Duration>,
    pub lock_timeout: Option<Duration>,
    pub timeout: Option<Duration>,
}

/// A cached function: what it was told, and the namespace that it opened.
pub struct Site<V: 'static> {
    options: SiteOptions,
    place: &'static Location<'static>,
    /// The name or the path of the function, or why it has none.
    path: OnceLock<Result<String>>,
    /// The namespace in the cache that was there first.
    home: OnceLock<(u64, Namespace<V>)>,
    reported: AtomicBool,
}

impl<V: Send + Sync + 'static> Site<V> {
    /// A function that has not been called yet.
    #[must_use]
    #[track_caller]
    pub const fn new(options: SiteOptions) -> Self {
        Self {
            options,
            place: Location::caller(),
            path: OnceLock::new(),
            home: OnceLock::new(),
            reported: AtomicBool::new(false),
        }
    }

    /// Looks up what the arguments name. A hit in L1 neither waits nor allocates.
    #[inline]
    pub fn enter<Here, P, S>(&'static self, source: S, write: impl Fn(&mut KeyWriter)) -> Entered<P::Return, V>
    where
        P: Plain<Value = V>,
        S: Source<V>,
    {
        self.with_namespace::<Here, S, _>(source, true, |namespace| {
            let function = self.options.function;
            let Ok(namespace) = namespace else { return Entered::Missing(Missing { at: None, function }) };
            let key = Arguments { name: self.part_of_key(), write };
            match namespace.lookup(&key).and_then(P::found) {
                Some(found) => Entered::Found(found),
                None => Entered::Missing(Missing { at: Some((namespace.clone(), key.written())), function }),
            }
        })
    }

    /// Names what the arguments name, to be invalidated.
    pub fn outdated<Here, P, S>(&'static self, source: S, write: impl Fn(&mut KeyWriter)) -> Outdated<V>
    where
        P: Plain<Value = V>,
        S: Source<V>,
    {
        Outdated(self.with_namespace::<Here, S, _>(source, false, |namespace| match namespace {
            Ok(namespace) => Ok((namespace.clone(), Arguments { name: self.part_of_key(), write }.written())),
            Err(error) => Err(error.clone()),
        }))
    }

    /// Hands over the function's namespace in the cache of this call, or why there is none, which is reported once.
    #[inline]
    fn with_namespace<Here, S: Source<V>, R>(
        &'static self,
        source: S,
        claims: bool,
        then: impl FnOnce(Result<&Namespace<V>, &Error>) -> R,
    ) -> R {
        source.with(|cache, lasting| {
            if let (Some((id, namespace)), Some(cache)) = (self.home.get(), cache)
                && *id == cache.id()
            {
                return then(Ok(namespace));
            }
            match self.open::<S>(cache, type_name::<Here>(), claims) {
                Ok((id, namespace)) if lasting => {
                    // Another thread may have been first, perhaps with another cache: either is as good.
                    let _ = self.home.set((id, namespace.clone()));
                    then(Ok(&namespace))
                }
                Ok((_, namespace)) => then(Ok(&namespace)),
                Err(error) => {
                    // That the process has no cache was reported when it was to be made.
                    if cache.is_some() {
                        self.report(&error);
                    }
                    then(Err(&error))
                }
            }
        })
    }

    #[cold]
    fn open<S: Source<V>>(
        &'static self,
        cache: Option<&cachekit_core::Cache<S::Format>>,
        here: &str,
        claims: bool,
    ) -> Result<(u64, Namespace<V>)> {
        let SiteOptions { function, namespace, name, ttl, none_ttl, load_timeout, lock_timeout, timeout, .. } =
            &self.options;
        let cache = cache.ok_or_else(|| Error::new(ErrorCode::E044, "there is no cache in this process"))?;
        let path = self.path.get_or_init(|| {
            let path = name.map_or_else(|| path::name_of(here, function), str::to_owned);
            // With a namespace and a key of its own, a function may share its entries.
            if claims && (namespace.is_none() || self.options.named) {
                let namespace = namespace.unwrap_or_default();
                path::claim(&format!("{namespace}:{path}"), std::ptr::from_ref(self).addr(), self.place)?;
            }
            Ok(path)
        });
        let path = path.as_ref().map_err(Error::clone)?;
        let mut builder = cache.namespace::<V>(namespace.unwrap_or(path)).ttl(*ttl);
        if let Some(ttl) = none_ttl {
            builder = builder.none_ttl(*ttl);
        }
        if let Some(limit) = load_timeout {
            builder = builder.load_timeout(*limit);
        }
        if let Some(limit) = lock_timeout {
            builder = builder.lock_timeout(*limit);
        }
        if let Some(limit) = timeout {
            builder = builder.timeout(*limit);
        }
        Ok((cache.id(), builder.open()?))
    }

    /// The part that keys begin with, in a namespace that other functions may use, too.
    fn part_of_key(&self) -> Option<&str> {
        if self.options.named { self.path.get().and_then(|path| path.as_deref().ok()) } else { None }
    }

    #[cold]
    fn report(&self, error: &Error) {
        if !self.reported.swap(true, Ordering::Relaxed) {
            let Self { place, options, .. } = self;
            tracing::error!(code = %error.code(), %error, function = options.function, %place, "function runs uncached");
        }
    }
}

impl<V> fmt::Debug for Site<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("options", &self.options).field("place", &self.place).finish_non_exhaustive()
    }
}

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
    at: Option<(Namespace<V>, KeyWriter)>,
    function: &'static str,
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
            Err(_) => None,
        };
        match found {
            Some(found) => found,
            // The loader has not come to its end: its value would have been found.
            None => loader.await,
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
            Err(LoadFailure::Own(error)) => Some(error),
            Err(LoadFailure::Shared(error)) => sharing.take(error),
            Err(LoadFailure::Panicked) => match from_error {
                Some(from_error) => Some(from_error(Error::new(ErrorCode::E035, said(self.function)))),
                None => panicked(self.function),
            },
            Err(LoadFailure::TimedOut) => from_error.map(|from_error| {
                let message = format!("`{}` did not finish within its `load_timeout`", self.function);
                from_error(Error::new(ErrorCode::E034, message))
            }),
            Err(_) => None,
        };
        match failed {
            Some(error) => R::from_result(Err(error)),
            // The loader has not come to its end: its value or its error would have been found.
            None => loader.await,
        }
    }
}

/// An entry that is to be invalidated.
pub struct Outdated<V>(Result<(Namespace<V>, KeyWriter)>);

impl<V> fmt::Debug for Outdated<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outdated").field(&self.0.is_ok()).finish()
    }
}

impl<V: Send + Sync + 'static> Outdated<V> {
    /// Invalidates it.
    pub async fn invalidate(self) -> Invalidation {
        match self.0 {
            Ok((namespace, key)) => namespace.invalidate(key).await,
            Err(error) => Invalidation::Failed(error),
        }
    }
}

/// Passes a panic on without reporting it anew: that was done where it arose.
fn panicked(function: &str) -> ! {
    resume_unwind(Box::new(said(function)))
}

fn said(function: &str) -> String {
    format!("the call of `{function}` that this one waited for panicked")
}

/// The key of a call.
struct Arguments<'a, W> {
    name: Option<&'a str>,
    write: W,
}

impl<W: Fn(&mut KeyWriter)> Arguments<'_, W> {
    /// The key on its own, for the arguments go to the loader.
    fn written(&self) -> KeyWriter {
        let mut writer = KeyWriter::new(&[]);
        self.write_key(&mut writer);
        writer
    }
}

impl<W: Fn(&mut KeyWriter)> IntoKey for Arguments<'_, W> {
    #[inline]
    fn write_key(&self, writer: &mut KeyWriter) {
        if let Some(name) = self.name {
            writer.text(name);
        }
        (self.write)(writer);
    }
}
