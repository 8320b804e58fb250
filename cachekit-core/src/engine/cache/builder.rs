//! [`CacheBuilder`]: how a cache is put together.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::{Cache, Engine};
use crate::engine::entropy::{Entropy, SystemEntropy};
use crate::engine::l1::L1;
use crate::engine::namespace::{Encryption, Unsaid, check_encryption};
use crate::engine::outage::Outage;
use crate::engine::repair::Repairs;
use crate::engine::settings::Settings;
use crate::engine::tasks::Tasks;
use crate::sync::Mutex;
use crate::sync::atomic::AtomicBool;
use crate::{Backend, Clock, Error, ErrorCode, Resilience, ResilientBackend, Result, SystemClock, Transform, Ttl};

/// How a cache is put together: [`Cache::builder`].
#[must_use = "a builder does nothing until `build`"]
pub struct CacheBuilder<F> {
    name: String,
    backend: Option<Arc<dyn Backend>>,
    resilience: Option<Resilience>,
    clock: Option<Arc<dyn Clock>>,
    entropy: Option<Arc<dyn Entropy>>,
    l1_bytes: u64,
    max_value: usize,
    settings: Settings,
    encryption: Encryption,
    format: PhantomData<fn() -> F>,
}

impl<F> CacheBuilder<F> {
    pub(super) fn new() -> Self {
        Self {
            name: DEFAULT_NAME.to_owned(),
            backend: None,
            resilience: None,
            clock: None,
            entropy: None,
            l1_bytes: DEFAULT_L1_BYTES,
            max_value: DEFAULT_MAX_VALUE,
            settings: Settings::default(),
            encryption: Encryption::default(),
            format: PhantomData,
        }
    }

    /// What the cache is called in metrics: `default` unless said otherwise. Two caches of one process that both publish
    /// theirs want different names.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Stores values in `backend` beside L1. Without one they live in L1 alone.
    pub fn backend(mut self, backend: impl Backend) -> Self {
        self.backend = Some(Arc::new(backend));
        self
    }

    /// Which policies decide about the calls of the backend: those of [`Resilience::production`] unless said otherwise.
    /// A backend that brings policies of its own, such as a [`ResilientBackend`], wants [`Resilience::none`].
    pub fn resilience(mut self, resilience: Resilience) -> Self {
        self.resilience = Some(resilience);
        self
    }

    /// How many bytes L1 may take, for all namespaces together. 100 MiB unless said otherwise.
    ///
    /// Counted are keys, encoded lengths (or what a weigher says) and a fixed overhead per entry. L1 is divided into
    /// four shards per core; a value larger than one of them is not kept.
    pub fn l1_bytes(mut self, bytes: u64) -> Self {
        self.l1_bytes = bytes;
        self
    }

    /// The largest entry, header included, that is stored or accepted from a backend. 100 MiB unless said otherwise;
    /// the backend's own limit applies if it is lower.
    pub fn max_value(mut self, bytes: usize) -> Self {
        self.max_value = bytes;
        self
    }

    /// How long values live in namespaces that say nothing. Five minutes unless said otherwise.
    pub fn ttl(mut self, ttl: Ttl) -> Self {
        self.settings.ttl = ttl;
        self
    }

    /// For how long at most a copy of what the backend holds is served from L1, in namespaces that say nothing. This
    /// bounds how long a value is served here that another process has replaced. 30 seconds unless said otherwise.
    pub fn l1_ttl(mut self, l1_ttl: Duration) -> Self {
        self.settings.l1_ttl = l1_ttl;
        self
    }

    /// How long one call of the backend may take, its attempts and waits together, in namespaces that say nothing: instead
    /// of what the [policies](Self::resilience) allow. The backend's own limits apply in any case.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = Some(timeout);
        self
    }

    /// Encrypts the entries of every namespace with `encryption`, unless it is opened with
    /// [`plaintext`](crate::NamespaceBuilder::plaintext) or an encryption of its own: `Keys::encryption` of
    /// `cachekit-crypto`. Values of [`Cache::local`](crate::Cache::local) leave the process in no form, and stay as they
    /// are.
    ///
    /// Of this and [`encrypt_where_asked`](Self::encrypt_where_asked), what was said last holds.
    pub fn encrypt(mut self, encryption: impl Transform) -> Self {
        self.encryption = Encryption { transform: Some(Arc::new(encryption)), unsaid: Unsaid::Encrypted };
        self
    }

    /// Encrypts the entries of those namespaces with `encryption` that are opened with
    /// [`secure`](crate::NamespaceBuilder::secure). The others store theirs in the clear.
    pub fn encrypt_where_asked(mut self, encryption: impl Transform) -> Self {
        self.encryption = Encryption { transform: Some(Arc::new(encryption)), unsaid: Unsaid::Plaintext };
        self
    }

    /// Has every namespace say whether it is to be encrypted: what is opened with neither
    /// [`secure`](crate::NamespaceBuilder::secure) nor [`plaintext`](crate::NamespaceBuilder::plaintext), nor an encryption
    /// of its own, is E004. To be said after [`encrypt_where_asked`](Self::encrypt_where_asked).
    pub fn intent_required(mut self) -> Self {
        self.encryption.unsaid = Unsaid::Refused;
        self
    }

    /// Whether who loads a value is told of encrypted entries that do not authenticate, in namespaces that say nothing:
    /// [`NamespaceBuilder::encryption_fail_closed`](crate::NamespaceBuilder::encryption_fail_closed). False unless said.
    pub fn encryption_fail_closed(mut self, fail_closed: bool) -> Self {
        self.settings.encryption_fail_closed = fail_closed;
        self
    }

    /// Takes time from `clock`. The system's unless said otherwise.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Takes randomness from `entropy`. The system's unless said otherwise.
    pub fn entropy(mut self, entropy: impl Entropy) -> Self {
        self.entropy = Some(Arc::new(entropy));
        self
    }

    /// Builds the cache. No I/O.
    ///
    /// # Errors
    /// E044 for a budget, a size or a time limit of zero, and for an encryption that is none.
    pub fn build(self) -> Result<Cache<F>> {
        let zero = |name| Err(Error::invalid(ErrorCode::E044, name, "more than zero", "zero"));
        if self.l1_bytes == 0 {
            return zero("l1_bytes");
        }
        if self.max_value == 0 {
            return zero("max_value");
        }
        if self.settings.timeout.is_some_and(|timeout| timeout.is_zero()) {
            return zero("timeout");
        }
        self.encryption.transform.as_deref().map_or(Ok(()), check_encryption)?;
        let max_value = self.backend.as_ref().and_then(|backend| backend.limits().max_value).unwrap_or(usize::MAX);
        // Not one of the atomics that are explored: the numbers only have to differ.
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        let (clock, system_clock) = match self.clock {
            Some(clock) => (clock, None),
            None => {
                let clock = SystemClock::new();
                (Arc::new(clock.clone()) as Arc<dyn Clock>, Some(clock))
            }
        };
        let entropy = self.entropy.unwrap_or_else(|| Arc::new(SystemEntropy));
        let resilience = self.resilience.unwrap_or_else(Resilience::production);
        let driver = self.backend.map(|backend| {
            Arc::new(match &system_clock {
                Some(clock) => ResilientBackend::on_system_clock(backend, resilience, clock.clone(), &*entropy),
                None => ResilientBackend::with_parts(backend, resilience, Arc::clone(&clock), &*entropy),
            })
        });
        Ok(Cache::from_engine(Engine {
            id: NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            name: self.name,
            l1: Arc::new(L1::new(self.l1_bytes)),
            lag: clock.granularity(),
            clock,
            system_clock,
            entropy,
            defaults: self.settings,
            encryption: self.encryption,
            max_value: self.max_value.min(max_value),
            outage: Outage::default(),
            tasks: Tasks::default(),
            repairs: Repairs::default(),
            backend: driver.clone().map(|driver| driver as Arc<dyn Backend>),
            driver,
            enabled: AtomicBool::new(true),
            closed: AtomicBool::new(false),
            namespaces: Mutex::default(),
        }))
    }
}

impl<F> fmt::Debug for CacheBuilder<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheBuilder")
            .field("name", &self.name)
            .field("backend", &self.backend)
            .field("resilience", &self.resilience)
            .field("l1_bytes", &self.l1_bytes)
            .field("max_value", &self.max_value)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

const DEFAULT_NAME: &str = "default";
const DEFAULT_L1_BYTES: u64 = 100 << 20;
const DEFAULT_MAX_VALUE: usize = 100 << 20;
