//! [`Cache`]: the engine: a backend, a budget for L1, defaults, and the namespaces that share them.

mod builder;

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

pub use self::builder::CacheBuilder;
use super::entropy::Entropy;
use super::l1::L1;
use super::namespace::NamespaceBuilder;
use super::outage::Outage;
use super::repair::Repairs;
use super::settings::Settings;
use super::stats::{Recorder, Stats};
use super::status::Status;
use super::tasks::Tasks;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::{
    Backend, Clock, Error, ErrorCode, Format, Health, Layout, Moment, ResilientBackend, Result, Serializer,
    SystemClock, TransformKind,
};

/// The engine: a backend, a budget for L1, defaults, and the namespaces that share them.
///
/// `F` is the serializer that namespaces use unless they name another. A `Cache` is a handle: cloning it is cheap, and
/// clones share everything.
///
/// Without a backend, values live in L1 alone.
///
/// # Concurrency
/// Any number of threads and tasks. Namespaces are opened once and kept; see [`Cache::namespace`].
pub struct Cache<F = ()> {
    pub(crate) engine: Arc<Engine>,
    format: PhantomData<fn() -> F>,
}

/// What the handles of a cache share.
pub(crate) struct Engine {
    pub(crate) id: u64,
    /// What it is called in metrics.
    pub(crate) name: String,
    pub(crate) l1: Arc<L1>,
    pub(crate) backend: Option<Arc<dyn Backend>>,
    /// The same, as what it is.
    pub(crate) driver: Option<Arc<ResilientBackend>>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The same clock, where it is the system's: asked by name it makes a hit 2 ns faster.
    pub(crate) system_clock: Option<SystemClock>,
    /// By how much the clock may lag: asked once, for hits compare with it.
    pub(crate) lag: Duration,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) defaults: Settings,
    pub(crate) max_value: usize,
    pub(crate) outage: Outage,
    pub(crate) tasks: Tasks,
    pub(crate) repairs: Repairs,
    enabled: AtomicBool,
    closed: AtomicBool,
    namespaces: Mutex<HashMap<String, Opened>>,
}

/// A namespace that has been opened, and as what.
#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) identity: Identity,
    pub(crate) core: Arc<dyn Any + Send + Sync>,
    pub(crate) stats: Arc<Recorder>,
    pub(crate) in_motion: Arc<dyn Fn() -> usize + Send + Sync>,
    /// Sees to it that nothing which is on its way to L1 is kept.
    pub(crate) give_up: Arc<dyn Fn() + Send + Sync>,
}

/// What all openings of one namespace have to agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) type_id: TypeId,
    pub(crate) type_name: &'static str,
    /// `None` for values that stay in L1.
    pub(crate) format: Option<Format>,
    pub(crate) layout: Layout,
    pub(crate) version: u32,
    /// Of which kinds they are, and for which tenant, if they are made for one.
    pub(crate) transforms: Vec<(TransformKind, Option<String>)>,
    pub(crate) per_tenant: bool,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { type_id: _, type_name, format, layout, version, transforms, per_tenant } = self;
        match format {
            Some(format) if format.schema != 0 => {
                write!(f, "{type_name} as {} (schema {:016x})", format.name, format.schema)?
            }
            Some(format) => write!(f, "{type_name} as {}", format.name)?,
            None => write!(f, "{type_name} in L1 alone")?,
        }
        if *version != 0 {
            write!(f, ", version {version}")?;
        }
        if *layout == Layout::Interop {
            f.write_str(", in the interop layout")?;
        }
        for (kind, tenant) in transforms {
            write!(f, ", with {kind:?}")?;
            // Who it is may be a customer of somebody's.
            if tenant.is_some() {
                f.write_str(" for one tenant")?;
            }
        }
        if *per_tenant { f.write_str(", divided by tenant") } else { Ok(()) }
    }
}

impl<F> Cache<F> {
    /// Begins to build a cache.
    pub fn builder() -> CacheBuilder<F> {
        CacheBuilder::new()
    }

    pub(crate) fn from_engine(engine: Engine) -> Self {
        Self { engine: Arc::new(engine), format: PhantomData }
    }

    /// Begins to open the namespace `name`, which holds values of `T` in the cache's format.
    ///
    /// One name has one type, one format and one version per cache. Opening it again gives another handle to the same
    /// entries.
    ///
    /// ```
    /// # use cachekit_core::{Cache, Format, Result, Serializer, Ttl};
    /// # #[derive(Debug, Default)] struct Text;
    /// # impl Serializer<String> for Text {
    /// #     fn format(&self) -> Format { Format::new(200, "text") }
    /// #     fn serialize(&self, value: &String, bytes: &mut Vec<u8>) -> Result<()> { bytes.extend_from_slice(value.as_bytes()); Ok(()) }
    /// #     fn deserialize(&self, bytes: &[u8]) -> Result<String> { Ok(String::from_utf8_lossy(bytes).into_owned()) }
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let cache: Cache<Text> = Cache::builder().build()?;
    /// let names = cache.namespace::<String>("names").ttl(Ttl::secs(60)).open()?;
    /// names.set(7, "Ada".to_owned()).await?;
    /// assert_eq!(names.get(7).await?.as_deref(), Some(&"Ada".to_owned()));
    /// # Ok::<_, cachekit_core::Error>(()) }).unwrap();
    /// ```
    pub fn namespace<T>(&self, name: &str) -> NamespaceBuilder<T>
    where
        T: Send + Sync + 'static,
        F: Serializer<T> + Default,
    {
        NamespaceBuilder::new(Arc::clone(&self.engine), name, Some(Arc::new(F::default())))
    }

    /// Begins to open the namespace `name`, whose values stay in L1 and need no serializer.
    ///
    /// Nothing leaves the process, whatever the backend.
    pub fn local<T>(&self, name: &str) -> NamespaceBuilder<T>
    where
        T: Send + Sync + 'static,
    {
        NamespaceBuilder::new(Arc::clone(&self.engine), name, None)
    }

    /// A number that no other cache of this process has.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.engine.id
    }

    /// What it is called in metrics: [`CacheBuilder::name`].
    #[must_use]
    pub fn name(&self) -> &str {
        &self.engine.name
    }

    /// The backend, if there is one, with the policies around it.
    #[must_use]
    pub fn backend(&self) -> Option<&Arc<dyn Backend>> {
        self.engine.backend.as_ref()
    }

    /// Asks the backend how it is.
    ///
    /// # Errors
    /// The error that any call of the backend would meet now. A cache without a backend is always well.
    pub async fn health(&self) -> Result<Health> {
        match &self.engine.backend {
            Some(backend) => backend.health().await,
            None => Ok(Health::default()),
        }
    }

    /// From now on nothing is looked up and no load is stored: loaders run each time. Explicit writes and deletes are
    /// carried out still, so that what is stored is right when the cache is [enabled](Self::enable) again.
    pub fn disable(&self) {
        self.engine.enabled.store(false, Ordering::Release);
        self.engine.forget();
    }

    /// Undoes [`disable`](Self::disable).
    pub fn enable(&self) {
        self.engine.enabled.store(true, Ordering::Release);
    }

    /// Whether values are looked up and stored.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.engine.is_serving()
    }

    /// Ends the cache: waits for what runs in the background (repairs, releases of fences), at most `patience`, then
    /// closes the backend. Loaders go on to run, uncached; direct calls fail with E036. The second call does nothing.
    ///
    /// Says whether everything in the background was done.
    pub async fn close(&self, patience: Duration) -> bool {
        if self.engine.closed.swap(true, Ordering::AcqRel) {
            return true;
        }
        let done = self.engine.tasks.finish(patience).await;
        self.engine.forget();
        if let Some(backend) = &self.engine.backend {
            backend.close().await;
        }
        done
    }

    /// What all namespaces together have done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let namespaces = self.engine.namespaces.lock();
        namespaces.values().map(|opened| opened.stats.read()).fold(Stats::default(), |sum, stats| sum + stats)
    }

    /// How the cache is at this moment.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::of(&self.engine)
    }
}

impl<F> Clone for Cache<F> {
    fn clone(&self) -> Self {
        Self { engine: Arc::clone(&self.engine), format: PhantomData }
    }
}

impl<F> fmt::Debug for Cache<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("id", &self.engine.id)
            .field("name", &self.engine.name)
            .field("backend", &self.engine.backend)
            .field("l1", &self.engine.l1)
            .finish_non_exhaustive()
    }
}

impl Engine {
    #[inline]
    pub(crate) fn now(&self) -> Moment {
        match &self.system_clock {
            Some(clock) => clock.now(),
            None => self.clock.now(),
        }
    }

    /// Whether values are looked up and stored: neither disabled nor closed.
    #[inline]
    pub(crate) fn is_serving(&self) -> bool {
        self.enabled.load(Ordering::Acquire) && !self.is_closed()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Empties L1. What is on its way there does not arrive, and what sets out later finds that the cache no longer
    /// serves.
    fn forget(&self) {
        self.opened().iter().for_each(|(_, opened)| (opened.give_up)());
        self.l1.clear();
    }

    /// E036 if the cache is closed.
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.is_closed() {
            Err(Error::new(ErrorCode::E036, "the cache was closed before this call"))
        } else {
            Ok(())
        }
    }

    /// The namespace `name` as it was opened first, or as `open` makes it.
    ///
    /// E046 if it was opened as something else, or where the keys of another begin with its own.
    pub(crate) fn open(&self, name: &str, identity: &Identity, open: impl FnOnce() -> Opened) -> Result<Opened> {
        let mut namespaces = self.namespaces.lock();
        match namespaces.get(name) {
            None => {
                let within =
                    |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with(':'));
                let stored = |identity: &Identity| identity.format.is_some();
                let meet = |(other, opened): &(&String, &Opened)| {
                    (within(name, other) || within(other, name)) && stored(identity) && stored(&opened.identity)
                };
                if let Some((other, opened)) = namespaces.iter().find(meet) {
                    return Err(Error::invalid(
                        ErrorCode::E046,
                        format_args!("namespace {name:?}"),
                        "a name that no native namespace shares with the operations of the interop layout",
                        format_args!("{identity}, beside {other:?} as {}", opened.identity),
                    ));
                }
                let opened = open();
                namespaces.insert(name.to_owned(), opened.clone());
                Ok(opened)
            }
            Some(opened) if opened.identity == *identity => Ok(opened.clone()),
            Some(opened) => Err(Error::invalid(
                ErrorCode::E046,
                format_args!("namespace {name:?}"),
                format_args!("{}, as it is open already", opened.identity),
                identity,
            )),
        }
    }

    /// The numbers of opened namespaces and of keys that something is going on with.
    pub(crate) fn census(&self) -> (usize, usize) {
        let opened = self.opened();
        (opened.len(), opened.iter().map(|(_, opened)| (opened.in_motion)()).sum())
    }

    /// The namespaces that have been opened. Whoever asks runs code of theirs, and needs no lock for it.
    pub(crate) fn opened(&self) -> Vec<(String, Opened)> {
        self.namespaces.lock().iter().map(|(name, opened)| (name.clone(), opened.clone())).collect()
    }
}
