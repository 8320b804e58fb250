//! [`tell_stale`]: whether a caller was served anything past its freshness, and what kinds of loaders there are.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::Moment;

/// Runs `work`, and tells whether anything that it was served from a cache was stale: past its time to live, and served
/// because loading it anew failed or took too long ([`stale_for`](crate::NamespaceBuilder::stale_for)).
///
/// It sees every look-up that `work` makes in its own task, through whatever cache, cached functions included; not
/// those of tasks that `work` spawns. Around a single call it tells of that call; around a request, whether the response
/// may be passed on as fresh. A value that was computed from stale ones counts as fresh once it is cached itself.
///
/// Look-ups that find something fresh pay nothing for it.
///
/// ```
/// # use std::time::Duration;
/// # use cachekit_core::{Cache, LoadError, ManualClock, Ttl, tell_stale};
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let clock = ManualClock::new();
/// # let cache: Cache = Cache::builder().clock(clock.clone()).build().unwrap();
/// let rates = cache.local::<f64>("rates").ttl(Ttl::secs(60)).stale_for(Duration::from_secs(3600)).open().unwrap();
/// rates.get_or_load("EUR", async || Ok::<_, &str>(1.08)).await?;
///
/// clock.advance(Duration::from_secs(120));
/// let (rate, stale) = tell_stale(rates.get_or_load("EUR", async || Err::<f64, _>("no answer"))).await;
/// assert_eq!((*rate?, stale), (1.08, true));
/// # Ok::<_, LoadError<&str>>(()) }).unwrap();
/// ```
///
/// # Cancellation
/// As `work`'s own.
pub async fn tell_stale<R>(work: impl Future<Output = R>) -> (R, bool) {
    let outer = TOLD.try_with(Arc::clone).ok();
    let told = Arc::new(Told { stale: AtomicBool::new(false), outer });
    let done = TOLD.scope(Arc::clone(&told), work).await;
    (done, told.stale.load(Ordering::Relaxed))
}

/// Takes note that the current task is served something stale.
pub(crate) fn note_stale() {
    let _ = TOLD.try_with(|told| {
        let mut told = Some(told);
        while let Some(Told { stale, outer }) = told.map(|told| &**told) {
            stale.store(true, Ordering::Relaxed);
            told = outer.as_ref();
        }
    });
}

tokio::task_local! {
    static TOLD: Arc<Told>;
}

struct Told {
    stale: AtomicBool,
    outer: Option<Arc<Told>>,
}

/// A value past its freshness, or the knowledge that there is none, kept for hard times.
pub(crate) struct Stale<T> {
    pub(crate) value: Option<Arc<T>>,
    /// When it ends for good.
    pub(crate) until: Moment,
}

// By hand: a derived one would ask for `T: Clone`.
impl<T> Clone for Stale<T> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), until: self.until }
    }
}

impl<T> fmt::Debug for Stale<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stale").field("until", &self.until).finish_non_exhaustive()
    }
}

/// How a namespace's values are loaded: [`BorrowedLoads`] or [`OwnedLoads`].
pub trait Loads: sealed::Sealed + Send + Sync + 'static {}

/// Values may be loaded by whoever asks for them, within the call: what a namespace offers unless it was told more.
#[derive(Clone, Copy, Debug)]
pub enum BorrowedLoads {}

/// Values are loaded in tasks, by loaders that own what they need, so that work can go on when its caller has left:
/// what [`refresh_after`](crate::NamespaceBuilder::refresh_after) makes of a namespace.
#[derive(Clone, Copy, Debug)]
pub enum OwnedLoads {}

impl Loads for BorrowedLoads {}
impl Loads for OwnedLoads {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::BorrowedLoads {}
    impl Sealed for super::OwnedLoads {}
}
