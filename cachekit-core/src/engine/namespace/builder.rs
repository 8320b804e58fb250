//! [`NamespaceBuilder`]: how a namespace is opened.

use std::any::{TypeId, type_name};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::{Namespace, NamespaceCore, TenantNamespacesBuilder, Weigher};
use crate::engine::cache::{Engine, Identity, Opened};
use crate::engine::codec::Codec;
use crate::engine::epoch::Epoch;
use crate::engine::place::{Place, check_namespace, check_segment};
use crate::engine::settings::Settings;
use crate::engine::staleness::{BorrowedLoads, Loads, OwnedLoads};
use crate::engine::stats::Recorder;
use crate::engine::traffic::Traffic;
use crate::sync::Mutex;
use crate::{Backend, Error, ErrorCode, Layout, Result, Serializer, Transform, TransformKind, Ttl};

/// How a namespace is opened: [`Cache::namespace`](crate::Cache::namespace).
#[must_use = "a builder does nothing until `open`"]
///
/// `L` says where loaders run: see [`refresh_after`](Self::refresh_after).
pub struct NamespaceBuilder<T, L = BorrowedLoads> {
    pub(super) engine: Arc<Engine>,
    name: String,
    /// In the interop layout.
    operation: Option<String>,
    serializer: Option<Arc<dyn Serializer<T>>>,
    transforms: Vec<Arc<dyn Transform>>,
    weigher: Option<Weigher<T>>,
    version: u32,
    settings: Settings,
    loads: PhantomData<fn() -> L>,
}

impl<T: Send + Sync + 'static> NamespaceBuilder<T> {
    pub(crate) fn new(engine: Arc<Engine>, name: &str, serializer: Option<Arc<dyn Serializer<T>>>) -> Self {
        let (name, settings) = (name.to_owned(), engine.defaults.clone());
        let (operation, transforms, weigher, version) = (None, Vec::new(), None, 0);
        Self { engine, name, operation, serializer, transforms, weigher, version, settings, loads: PhantomData }
    }
}

impl<T: Send + Sync + 'static, L: Loads> NamespaceBuilder<T, L> {
    /// From what age on a value that is asked for is loaded anew in the background, while it is served as it is: less
    /// than the time to live, after which callers have to wait.
    ///
    /// - One refresh per key runs at a time, in all processes where the backend is [fenced](crate::Fenced), and it
    ///   stores under the same rules as any load. Only what is asked for is refreshed.
    /// - If it fails, one warning per key and minute says so, the old value stays until its end, and the next attempt is
    ///   made after a tenth of this age, a second at least.
    ///
    /// Only a loader that owns what it needs can run on when its caller has left. So the namespace that is opened loads
    /// with [`get_or_spawn`](Namespace::get_or_spawn), and a loader that runs inside its caller does not compile:
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use cachekit_core::{Cache, Namespace, OwnedLoads};
    /// # async fn fetch(id: u64) -> Result<String, std::io::Error> { Ok(format!("page {id}")) }
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let cache: Cache = Cache::builder().build().unwrap();
    /// let pages: Namespace<String, OwnedLoads> =
    ///     cache.local("pages").refresh_after(Duration::from_secs(60)).open().unwrap();
    /// let page = pages.get_or_spawn(7, || fetch(7)).await?;
    /// # assert_eq!(*page, "page 7");
    /// # Ok::<_, cachekit_core::LoadError<std::io::Error>>(()) }).unwrap();
    /// ```
    ///
    /// ```compile_fail,E0599
    /// # use std::time::Duration;
    /// # use cachekit_core::{Cache, Namespace, OwnedLoads};
    /// # async fn fetch(id: u64) -> Result<String, std::io::Error> { Ok(format!("page {id}")) }
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let cache: Cache = Cache::builder().build().unwrap();
    /// let pages: Namespace<String, OwnedLoads> =
    ///     cache.local("pages").refresh_after(Duration::from_secs(60)).open().unwrap();
    /// let page = pages.get_or_load(7, || fetch(7)).await?;
    /// # Ok::<_, cachekit_core::LoadError<std::io::Error>>(()) }).unwrap();
    /// ```
    pub fn refresh_after(mut self, age: Duration) -> NamespaceBuilder<T, OwnedLoads> {
        self.settings.refresh_after = Some(age);
        self.owned_loads()
    }

    /// For how long beyond its time to live a value is kept, in L1 and in the backend, to be served when it cannot be
    /// loaded anew: when the loader fails, panics or exceeds the [`load_timeout`](Self::load_timeout), be the backend
    /// well or not. For as long as the loader brings values, they are what callers get, also while the backend is ill.
    ///
    /// - Callers learn of it from [`tell_stale`](crate::tell_stale), operators from
    ///   [`Stats::stale_serves`](crate::Stats::stale_serves) and one warning per key and minute.
    /// - Only loads serve it. [`get`](Namespace::get) and its kin never do.
    /// - `set`, `delete` and `clear` take what is kept away; [`expire`](Namespace::expire) leaves it.
    /// - A process that reaches the backend serves nothing that the backend does not have any more. One that does not
    ///   reach it may serve its own copy until the end of this time, also of what another process has deleted.
    pub fn stale_for(mut self, time: Duration) -> Self {
        self.settings.stale_for = Some(time);
        self
    }

    /// How long values live, unless a call says otherwise. The cache's default unless said.
    pub fn ttl(mut self, ttl: Ttl) -> Self {
        self.settings.ttl = ttl;
        self
    }

    /// How long the knowledge that there is none lives. As long as a value unless said otherwise.
    pub fn none_ttl(mut self, ttl: Ttl) -> Self {
        self.settings.none_ttl = Some(ttl);
        self
    }

    /// By up to which part of itself (0.0 to 1.0) each life is shortened at random, so that what was stored together
    /// does not end together. Zero unless said otherwise.
    pub fn jitter(mut self, part: f64) -> Self {
        self.settings.jitter = part;
        self
    }

    /// For how long at most a copy of what the backend holds is served from L1.
    pub fn l1_ttl(mut self, l1_ttl: Duration) -> Self {
        self.settings.l1_ttl = l1_ttl;
        self
    }

    /// How long one call of the backend may take, its attempts and waits together, instead of what the cache's policies
    /// allow: E033 for a direct call; a load goes on without the cache. The backend's own limits apply in any case.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = Some(timeout);
        self
    }

    /// How long a loader may take.
    ///
    /// - If there is nothing older to serve: [`LoadError::TimedOut`](crate::LoadError::TimedOut) for all who wait, and
    ///   the loader is dropped.
    /// - If there is ([`stale_for`](Self::stale_for)), they get that. A loader in a task
    ///   ([`get_or_spawn`](Namespace::get_or_spawn)) then goes on in the background and its value is stored; callers who
    ///   come meanwhile get the older value at once. In its case the time counts from the beginning of the load, a slow
    ///   backend included.
    pub fn load_timeout(mut self, timeout: Duration) -> Self {
        self.settings.load_timeout = Some(timeout);
        self
    }

    /// How long to wait while another process loads the same key, before loading here too. Five seconds unless said
    /// otherwise.
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.settings.lock_timeout = timeout;
        self
    }

    /// Whether one process at a time loads a key, where the backend is [fenced](crate::Fenced). True unless said
    /// otherwise.
    ///
    /// Without, a miss saves a round trip, every process loads for itself, and a load that began before another process
    /// deleted the key may store after it.
    pub fn fenced(mut self, fenced: bool) -> Self {
        self.settings.fenced = fenced;
        self
    }

    /// The version of the type. Raise it when stored values are to be understood differently: entries of an earlier
    /// version are overwritten, those of a later one are a miss and left alone.
    pub fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// Stores values with `serializer` instead of the cache's.
    pub fn serializer(mut self, serializer: impl Serializer<T>) -> Self {
        self.serializer = Some(Arc::new(serializer));
        self
    }

    /// Changes the bytes on their way to the backend and back. Compression before encryption, one of each kind.
    pub fn transform(mut self, transform: impl Transform) -> Self {
        self.transforms.push(Arc::new(transform));
        self
    }

    /// Lays entries out as CacheKit's other clients do, to share them: the document and nothing else, under
    /// `{namespace}:{operation}:` and 64 digits.
    ///
    /// - **Keys** are those digits, as `cachekit::interop::InteropKey` makes them of the arguments of a call. Any other
    ///   key is E042, and nothing is stored.
    /// - **Values** are written by a serializer that has a document for "no value"
    ///   ([`Serializer::absent`]), such as `cachekit::interop::InteropValues`.
    /// - **No header:** when a value was written, in which version, and whether it is kept beyond its life, has no place
    ///   in the entry. So [`version`](Self::version), [`stale_for`](Self::stale_for),
    ///   [`refresh_after`](Self::refresh_after), [`per_tenant`](Self::per_tenant) and compression are refused. What is
    ///   left of a life is known as far as the backend tells it; else a copy is served from L1 for `l1_ttl`.
    /// - **Nothing protects the bytes** unless they are encrypted; damage that leaves a document is not noticed.
    /// - Beyond 100,000 deletes that wait to be repeated, this process believes no entry of the operation any more, until
    ///   it ends, and other processes learn nothing of it: their copies end with their lives.
    ///
    /// The operation is part of the name: each has a type of its own, and a native namespace of the same name cannot be
    /// open beside it.
    pub fn interop(mut self, operation: &str) -> Self {
        self.operation = Some(operation.to_owned());
        self
    }

    /// Says what a value weighs in L1, in bytes, instead of its encoded length. For values that are not encoded
    /// ([`Cache::local`](crate::Cache::local)) the default sees `size_of::<T>()` only and nothing on the heap.
    pub fn weigher(mut self, weigher: impl Fn(&T) -> u64 + Send + Sync + 'static) -> Self {
        self.weigher = Some(Arc::new(weigher));
        self
    }

    /// Divides the namespace by tenant: entries can only be reached through a handle that names one.
    pub fn per_tenant(self) -> TenantNamespacesBuilder<T, L> {
        TenantNamespacesBuilder::new(self)
    }

    /// Opens the namespace. No I/O.
    ///
    /// # Errors
    /// - E042 for a name that is not 1 to 64 of `A-Z a-z 0-9 _ . -`, or that is `t`. In the interop layout also for a name
    ///   or an operation with capital letters or `..`, or that begins with anything but a letter or a digit, and for the
    ///   names `ns` and `nsapi`.
    /// - E044 for a setting that cannot be: zero, a `refresh_after` that is not less than the `ttl`, what the layout
    ///   cannot carry, or a transform that is made for another one.
    /// - E007 for a transform that is made for a tenant whom the namespace does not name.
    /// - E046 if the cache has the namespace open with another type, format, layout or version, otherwise compressed or
    ///   encrypted, for another tenant, or otherwise divided by tenant.
    pub fn open(self) -> Result<Namespace<T, L>> {
        let engine = Arc::clone(&self.engine);
        let (core, settings) = self.open_core(false)?;
        let place = Arc::new(Place::laid_out(core.layout, core.id, &core.name));
        Ok(Namespace { engine, core, place, settings, loads: PhantomData })
    }

    /// What `#[cache]` opens, which has seen to it itself that a loader owns what it needs.
    #[doc(hidden)]
    pub fn owned_loads(self) -> NamespaceBuilder<T, OwnedLoads> {
        let Self { engine, name, operation, serializer, transforms, weigher, version, settings, loads: _ } = self;
        let loads = PhantomData;
        NamespaceBuilder { engine, name, operation, serializer, transforms, weigher, version, settings, loads }
    }

    pub(super) fn open_core(self, per_tenant: bool) -> Result<(Arc<NamespaceCore<T>>, Arc<Settings>)> {
        check_namespace(&self.name)?;
        self.check_settings()?;
        self.check_transforms()?;
        self.check_layout(per_tenant)?;
        let layout = self.layout();
        let Self { engine, mut name, operation, serializer, transforms, weigher, version, mut settings, .. } = self;
        if let Some(operation) = operation {
            name = format!("{name}:{operation}");
        }
        settings.backend = settings.timeout.zip(engine.driver.as_ref()).map(|(timeout, driver)| {
            let allowing: Arc<dyn Backend> = Arc::new(driver.allowing(timeout));
            allowing
        });
        let prefix = Place::laid_out(layout, 0, &name).stored_prefix()?;
        let identity = Identity {
            type_id: TypeId::of::<T>(),
            type_name: type_name::<T>(),
            format: serializer.as_ref().map(|serializer| serializer.format()),
            layout,
            version,
            transforms: transforms
                .iter()
                .map(|transform| (transform.kind(), transform.tenant().map(str::to_owned)))
                .collect(),
            per_tenant,
        };
        let opened = engine.open(&name, &identity, || {
            static NEXT: AtomicU32 = AtomicU32::new(1);
            let traffic = Traffic::new(Arc::clone(&engine.l1));
            let stats = Arc::new(Recorder::default());
            let keeps_decoded = !transforms.iter().any(|transform| transform.kind() == TransformKind::Encryption);
            let codec =
                serializer.map(|serializer| Codec::new(layout, serializer, transforms, version, engine.max_value));
            let (in_motion, giving_up) = (Arc::clone(&traffic), Arc::clone(&traffic));
            let id = NEXT.fetch_add(1, Ordering::Relaxed);
            let [everywhere, all] = [(); 2].map(|()| Place::laid_out(layout, id, &name));
            let risen = Arc::clone(&traffic);
            let core = NamespaceCore {
                name: name.clone(),
                layout,
                id,
                codec,
                weigher,
                keeps_decoded,
                traffic,
                stats: Arc::clone(&stats),
                #[cfg(feature = "metrics")]
                load_times: crate::engine::metrics::LoadTimes::of(&engine.name, &name),
                epoch: Arc::new(Epoch::new(prefix.clone(), layout, move || risen.all_changed(&all))),
                sight: Arc::default(),
                watcher: Mutex::default(),
            };
            Opened {
                identity: identity.clone(),
                core: Arc::new(core),
                stats,
                in_motion: Arc::new(move || in_motion.len()),
                give_up: Arc::new(move || giving_up.give_up(&everywhere)),
            }
        })?;
        let core =
            opened.core.downcast().map_err(|_| Error::new(ErrorCode::E046, "namespace: open with another type"))?;
        Ok((core, Arc::new(settings)))
    }

    fn layout(&self) -> Layout {
        if self.operation.is_some() { Layout::Interop } else { Layout::Native }
    }

    /// Refuses what the layout cannot carry, and what is not made for it.
    fn check_layout(&self, per_tenant: bool) -> Result<()> {
        let layout = self.layout();
        if let Some(operation) = &self.operation {
            check_segment("namespace", &self.name)?;
            check_segment("operation", operation)?;
            let Settings { refresh_after, stale_for, .. } = &self.settings;
            let asked = [
                ("version", self.version != 0),
                ("stale_for", stale_for.is_some()),
                ("refresh_after", refresh_after.is_some()),
                ("per_tenant", per_tenant),
                ("compression", self.transforms.iter().any(|transform| transform.kind() == TransformKind::Compression)),
            ];
            if let Some((name, _)) = asked.iter().find(|(_, asked)| *asked) {
                let expected = "nothing of the kind in the interop layout, whose entries have no header to carry it";
                return Err(Error::invalid(ErrorCode::E044, name, expected, "it"));
            }
            if self.serializer.as_ref().is_none_or(|serializer| serializer.absent().is_none()) {
                let expected = "one with a document for no value in the interop layout, as `InteropValues`";
                let got = self.serializer.as_ref().map_or("none", |serializer| serializer.format().name);
                return Err(Error::invalid(ErrorCode::E044, "serializer", expected, got));
            }
        }
        self.transforms.iter().try_for_each(|transform| transform.check(layout, &self.name))
    }

    fn check_settings(&self) -> Result<()> {
        let Settings { ttl, jitter, timeout, load_timeout, l1_ttl, refresh_after, stale_for, .. } = &self.settings;
        if !(0.0..=1.0).contains(jitter) {
            return Err(Error::invalid(ErrorCode::E044, "jitter", "a part from 0.0 to 1.0", jitter));
        }
        let times = [
            ("timeout", *timeout),
            ("load_timeout", *load_timeout),
            ("l1_ttl", Some(*l1_ttl)),
            ("refresh_after", *refresh_after),
            ("stale_for", *stale_for),
        ];
        for (name, limit) in times {
            if limit.is_some_and(|limit| limit.is_zero()) {
                return Err(Error::invalid(ErrorCode::E044, name, "more than zero", "zero"));
            }
        }
        if let (Some(age), Some(life)) = (refresh_after, ttl.as_duration())
            && *age >= life
        {
            let expected = format_args!("less than the `ttl`, {life:?}");
            return Err(Error::invalid(ErrorCode::E044, "refresh_after", expected, format_args!("{age:?}")));
        }
        Ok(())
    }

    fn check_transforms(&self) -> Result<()> {
        let kinds: Vec<TransformKind> = self.transforms.iter().map(|transform| transform.kind()).collect();
        let fine = matches!(kinds.as_slice(), [] | [_] | [TransformKind::Compression, TransformKind::Encryption]);
        if fine {
            return Ok(());
        }
        let expected = "at most one compression and then at most one encryption";
        Err(Error::invalid(ErrorCode::E044, "transforms", expected, format_args!("{kinds:?}")))
    }
}

impl<T, L> fmt::Debug for NamespaceBuilder<T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamespaceBuilder")
            .field("name", &self.name)
            .field("operation", &self.operation)
            .field("serializer", &self.serializer)
            .field("transforms", &self.transforms)
            .field("version", &self.version)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
