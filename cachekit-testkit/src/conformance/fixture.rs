//! [`Fixture`]: what the suite needs to know of a backend to test it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cachekit_core::{Backend, ManualClock, MemoryBackend};

/// Stands for one store under test: gives handles to it, says where its time comes from, and what can befall it.
///
/// A fixture is made anew for each rule. It may stand for a store of its own or for one that others use as well: the suite
/// writes only under a prefix that it makes up for each rule, removes what it wrote, and never empties a store. The store
/// must have room for 32 MiB, for an entry that it evicts while a rule looks for it counts as lost.
#[async_trait]
pub trait Fixture: Send + Sync + 'static {
    /// A handle to the store.
    ///
    /// # Panics
    /// If there can be none: a test that cannot run fails.
    async fn backend(&self) -> Arc<dyn Backend>;

    /// Another handle to the same entries, as another process would open it. Clause 8 of [`Backend`] is about these, and
    /// a watch is told only what is changed through another handle.
    ///
    /// The default body is [`backend`](Self::backend).
    async fn reopen(&self) -> Arc<dyn Backend> {
        self.backend().await
    }

    /// Where the backend's time comes from. Default: it is real.
    fn time(&self) -> Time {
        Time::Real
    }

    /// How much is tested. Default: everything.
    fn profile(&self) -> Profile {
        Profile::Full
    }

    /// The abilities that the backend is meant to have, as [`Abilities::names`](cachekit_core::Abilities::names) has them. A
    /// rule then holds that they are offered, and no others: an ability that got lost would only show as skipped rules.
    ///
    /// The default, `None`, takes those that are offered.
    fn abilities(&self) -> Option<Vec<&'static str>> {
        None
    }

    /// What must never be shown: passwords, tokens. Keys and values are looked for as well.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    /// Makes the store ill until [`recover`](Self::recover), and returns `true`; `false` if that is not possible, and the
    /// rules that need it are skipped. What is stored may be lost by it.
    async fn fall_ill(&self, illness: Illness) -> bool {
        let _ = illness;
        false
    }

    /// Makes an ill store well again.
    async fn recover(&self) {}

    /// Makes the store evict as many entries as it may, and returns `true`; `false` if that cannot be brought about, and
    /// the rules that need it are skipped.
    async fn evict(&self) -> bool {
        false
    }

    /// How long anything that is certain to happen may take on a machine under load; whatever takes longer hangs. It must be
    /// above the backend's own time limits. Default: 15 seconds.
    fn patience(&self) -> Duration {
        Duration::from_secs(15)
    }
}

/// Where a backend's time comes from.
#[derive(Clone, Debug)]
pub enum Time {
    /// The real one passes: rules wait for the shortest times that the backend can keep.
    Real,
    /// The backend reads this clock, which the rules move.
    ByHand(ManualClock),
}

/// How much is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Nothing that has to wait for real time, and nothing large.
    Fast,
    /// Everything.
    Full,
}

impl Profile {
    /// "fast" or "full".
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Full => "full",
        }
    }
}

/// What can befall a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Illness {
    /// It cannot be reached.
    Down,
    /// It takes calls and never answers.
    Silent,
}

/// A fixture for a backend whose handles share everything, and which goes by real time.
///
/// ```
/// use cachekit_core::MemoryBackend;
/// use cachekit_testkit::conformance::{self, Shared};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let report = conformance::Suite::new()
///     .with_rules("backend.5.*")
///     .run("memory", || async { Shared::new(MemoryBackend::new()) })
///     .await;
/// assert!(report.passed(), "{report}");
/// # });
/// ```
#[derive(Debug)]
pub struct Shared(Arc<dyn Backend>);

impl Shared {
    /// Tests through handles to `backend`.
    #[must_use]
    pub fn new(backend: impl Backend) -> Self {
        Self(Arc::new(backend))
    }
}

#[async_trait]
impl Fixture for Shared {
    async fn backend(&self) -> Arc<dyn Backend> {
        Arc::clone(&self.0) as Arc<dyn Backend>
    }
}

/// A fixture for [`MemoryBackend`], with a clock moved by hand or the real one.
#[derive(Debug)]
pub struct MemoryFixture {
    store: MemoryBackend,
    time: Time,
}

impl MemoryFixture {
    /// An empty store that goes by a clock moved by hand.
    #[must_use]
    pub fn by_hand() -> Self {
        let clock = ManualClock::new();
        let store = Self::builder().clock(clock.clone()).build();
        Self { store: store.expect("the capacity holds an entry"), time: Time::ByHand(clock) }
    }

    /// An empty store that goes by real time.
    #[must_use]
    pub fn real() -> Self {
        Self { store: Self::builder().build().expect("the capacity holds an entry"), time: Time::Real }
    }

    fn builder() -> cachekit_core::MemoryBackendBuilder {
        MemoryBackend::builder().capacity(CAPACITY).max_value(MAX_VALUE)
    }
}

#[async_trait]
impl Fixture for MemoryFixture {
    async fn backend(&self) -> Arc<dyn Backend> {
        Arc::new(self.store.clone())
    }

    async fn reopen(&self) -> Arc<dyn Backend> {
        Arc::new(self.store.connect())
    }

    fn time(&self) -> Time {
        self.time.clone()
    }

    fn profile(&self) -> Profile {
        match self.time {
            Time::Real => Profile::Full,
            Time::ByHand(_) => Profile::Fast,
        }
    }

    fn abilities(&self) -> Option<Vec<&'static str>> {
        Some(vec!["fenced", "expiring", "clearable", "watchable", "counting"])
    }

    /// Fills the store with entries that end by themselves.
    async fn evict(&self) -> bool {
        let filler = self.store.connect();
        for n in 0..=CAPACITY / MAX_VALUE {
            let key = cachekit_core::Key::new(&format!("conformance-filler:{n}")).expect("the key is well formed");
            let options = cachekit_core::SetOptions::new(cachekit_core::Ttl::secs(60));
            filler.set(&key, vec![0; MAX_VALUE].into(), &options).await.expect("the value is within the limit");
        }
        true
    }
}

const CAPACITY: usize = 32 << 20;
const MAX_VALUE: usize = 4 << 20;
