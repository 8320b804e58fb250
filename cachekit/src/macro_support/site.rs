//! [`Site`]: a cached function, as it stands in a `static` of its own.

use std::any::type_name;
use std::fmt;
use std::panic::Location;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cachekit_core::{
    Error, ErrorCode, IntoKey, Invalidation, KeyWriter, Namespace, NamespaceBuilder, OwnedLoads, Result, Ttl,
};

use super::missing::{Entered, Missing};
use super::path;
use super::shape::Plain;
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
    pub refresh_after: Option<Duration>,
    pub stale_for: Option<Duration>,
    pub interop: Option<&'static str>,
}

/// A cached function: what it was told, and the namespace that it opened.
pub struct Site<V: 'static> {
    pub(super) options: SiteOptions,
    place: &'static Location<'static>,
    /// The name or the path of the function, or why it has none.
    path: OnceLock<Result<String>>,
    /// The namespace in the cache that was there first.
    home: OnceLock<(u64, Namespace<V, OwnedLoads>)>,
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
        self.with_namespace::<Here, S, _>(source, true, as_it_is, |namespace| {
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
        Outdated(self.with_namespace::<Here, S, _>(source, false, as_it_is, |namespace| match namespace {
            Ok(namespace) => Ok((namespace.clone(), Arguments { name: self.part_of_key(), write }.written())),
            Err(error) => Err(error.clone()),
        }))
    }

    /// Hands over the function's namespace in the cache of this call, or why there is none, which is reported once.
    #[inline]
    pub(super) fn with_namespace<Here, S: Source<V>, R>(
        &'static self,
        source: S,
        claims: bool,
        shape: Shape<V>,
        then: impl FnOnce(Result<&Namespace<V, OwnedLoads>, &Error>) -> R,
    ) -> R {
        source.with(|cache, lasting| {
            if let (Some((id, namespace)), Some(cache)) = (self.home.get(), cache)
                && *id == cache.id()
            {
                return then(Ok(namespace));
            }
            match self.open::<S>(cache, type_name::<Here>(), claims, shape) {
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
        shape: Shape<V>,
    ) -> Result<(u64, Namespace<V, OwnedLoads>)> {
        let SiteOptions { function, namespace, name, ttl, none_ttl, load_timeout, lock_timeout, timeout, .. } =
            &self.options;
        let cache = cache.ok_or_else(|| Error::new(ErrorCode::E044, "there is no cache in this process"))?;
        let path = self.path.get_or_init(|| {
            let path = name.map_or_else(|| path::name_of(here, function), str::to_owned);
            // With a namespace and a key of its own, a function may share its entries.
            if claims && (namespace.is_none() || self.options.named) && self.options.interop.is_none() {
                let namespace = namespace.unwrap_or_default();
                path::claim(&format!("{namespace}:{path}"), std::ptr::from_ref(self).addr(), self.place)?;
            }
            Ok(path)
        });
        let path = path.as_ref().map_err(Error::clone)?;
        // The macro has seen to it that only a body which owns what it uses runs in a task.
        let mut builder = cache.namespace::<V>(namespace.unwrap_or(path)).ttl(*ttl).owned_loads();
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
        if let Some(age) = self.options.refresh_after {
            builder = builder.refresh_after(age);
        }
        if let Some(time) = self.options.stale_for {
            builder = builder.stale_for(time);
        }
        Ok((cache.id(), shape(builder, &self.options).open()?))
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

/// What is done to a namespace before it is opened.
pub(super) type Shape<V> = fn(NamespaceBuilder<V, OwnedLoads>, &SiteOptions) -> NamespaceBuilder<V, OwnedLoads>;

fn as_it_is<V>(builder: NamespaceBuilder<V, OwnedLoads>, _: &SiteOptions) -> NamespaceBuilder<V, OwnedLoads> {
    builder
}

/// An entry that is to be invalidated.
pub struct Outdated<V>(pub(super) Result<(Namespace<V, OwnedLoads>, KeyWriter)>);

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
