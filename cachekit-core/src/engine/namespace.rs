//! [`Namespace`]: what users hold: typed entries under one name.

mod batch;
mod builder;
mod expire;
mod fence;
mod load;
mod load_many;
mod read;
mod tenants;
mod watch;
mod write;

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::AbortHandle;

pub use self::builder::NamespaceBuilder;
pub use self::load::{ErrorSharing, LoadFailure, NotShared, Shared, SharedByArc};
pub use self::tenants::{TenantNamespaces, TenantNamespacesBuilder};
use self::watch::Sight;
pub use self::write::Invalidation;
use super::cache::Engine;
use super::codec::{Ages, Codec, Life};
use super::epoch::Epoch;
use super::l1::Slot;
use super::local_key::{Finds, LocalKey};
#[cfg(feature = "metrics")]
use super::metrics::LoadTimes;
use super::place::{Place, Unwritten};
use super::settings::Settings;
use super::staleness::{BorrowedLoads, Loads, Stale, note_stale};
use super::stats::{Recorder, Stats};
use super::traffic::Traffic;
use crate::sync::Mutex;
use crate::{Backend, IntoKey, Key, Layout, Moment, Remaining, Result, Ttl, UnixTime};

/// Typed entries under one name: what users hold.
///
/// Opened with [`Cache::namespace`](crate::Cache::namespace) or [`Cache::local`](crate::Cache::local). A handle:
/// cloning it is cheap, and clones see the same entries.
///
/// # Values
/// They come as `Arc<T>`: a hit in L1 neither decodes nor copies, whatever the size. What a loader or a caller hands in
/// may live for a time of its own: [`Loaded`](crate::Loaded).
///
/// # Errors
/// Direct calls (`get`, `set`, `delete`, …) return the backend's error, named by code. The `get_or_load` family does
/// not: whatever the trouble with the cache, the loader runs and its value arrives; the trouble shows in events and
/// [`Status`](crate::Status).
///
/// # Cancellation
/// Every future may be dropped at any point. A dropped write may still land, and no copy of the older value stays in
/// L1; a dropped load lets the next caller who waits take over.
///
/// # Concurrency and ordering
/// Any number of callers. Within the process: a look-up that begins after a `set` or `delete` was acknowledged never
/// sees what was there before. Between processes see the consistency table in `ARCHITECTURE.md`.
///
/// # Loaders
/// `L` says where they run: nobody writes it unless values are [refreshed](NamespaceBuilder::refresh_after) in the
/// background, which takes loaders that own what they need: then it is [`OwnedLoads`](crate::OwnedLoads), and only
/// [`get_or_spawn`](Self::get_or_spawn) is there to load.
pub struct Namespace<T, L = BorrowedLoads> {
    pub(crate) engine: Arc<Engine>,
    pub(crate) core: Arc<NamespaceCore<T>>,
    pub(crate) place: Arc<Place>,
    pub(crate) settings: Arc<Settings>,
    loads: PhantomData<fn() -> L>,
}

/// What all handles of a namespace share.
pub(crate) struct NamespaceCore<T> {
    pub(crate) name: String,
    pub(crate) layout: Layout,
    pub(crate) id: u32,
    /// `None` for values that stay in L1.
    pub(crate) codec: Option<Codec<T>>,
    /// Says what a value weighs in L1, if the encoded length is not to.
    pub(crate) weigher: Option<Weigher<T>>,
    /// Whether decoded values may be kept in L1. Not those that are encrypted at rest.
    pub(crate) keeps_decoded: bool,
    pub(crate) traffic: Arc<Traffic<T>>,
    pub(crate) stats: Arc<Recorder>,
    #[cfg(feature = "metrics")]
    pub(crate) load_times: LoadTimes,
    /// Which stored entries are believed.
    pub(crate) epoch: Arc<Epoch>,
    /// Whether changes that other processes make are told.
    sight: Arc<Sight>,
    /// The task that listens.
    watcher: Mutex<Option<AbortHandle>>,
}

/// Says what a value weighs in L1, in bytes.
pub(crate) type Weigher<T> = Arc<dyn Fn(&T) -> u64 + Send + Sync>;

impl<T: Send + Sync + 'static, L: Loads> Namespace<T, L> {
    /// The name it was opened under; in the interop layout `{namespace}:{operation}`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// The same entries, with another time to live for what this handle stores.
    ///
    /// ```
    /// # use cachekit_core::{Cache, Ttl};
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let cache: Cache = Cache::builder().build()?;
    /// let sessions = cache.local::<String>("sessions").open()?;
    /// sessions.with_ttl(Ttl::secs(5)).set("token", "short-lived".to_owned()).await?;
    /// # Ok::<_, cachekit_core::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn with_ttl(&self, ttl: Ttl) -> Self {
        let settings = Settings { ttl, none_ttl: None, ..Settings::clone(&self.settings) };
        Self { settings: Arc::new(settings), ..self.clone() }
    }

    /// What has happened in this namespace so far, through all handles.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.core.stats.read()
    }

    /// The backend, unless values stay in L1.
    pub(crate) fn backend(&self) -> Option<&Arc<dyn Backend>> {
        self.core.codec.as_ref().and(self.settings.backend.as_ref().or(self.engine.backend.as_ref()))
    }

    /// What L1 has under `key`, if it is live: a value, or the knowledge that there is none.
    #[inline]
    pub(crate) fn find<K: IntoKey + ?Sized>(&self, key: &K) -> Option<Option<Arc<T>>> {
        let found = match self.place.unwritten_key(key) {
            Some(Unwritten::Number(local)) => self.in_l1(&local),
            Some(Unwritten::Text(local)) => self.in_l1(&local),
            None => self.place.with_written_key(key, |local| self.in_l1(&local)),
        }?;
        self.core.stats.l1_hits();
        Some(found)
    }

    pub(crate) fn stored_key(&self, local: &LocalKey) -> Result<Key> {
        self.place.stored_key(local)
    }

    #[inline]
    pub(crate) fn now(&self) -> Moment {
        self.engine.now()
    }

    pub(crate) fn wall(&self) -> UnixTime {
        self.engine.clock.wall()
    }

    /// For how long a value lives that says `ttl` of itself, shortened by chance if the namespace wants that.
    pub(crate) fn life(&self, ttl: Option<Ttl>, is_value: bool) -> Ttl {
        let default = || if is_value { self.settings.ttl } else { self.settings.none_ttl.unwrap_or(self.settings.ttl) };
        let ttl = ttl.unwrap_or_else(default);
        match ttl.as_duration() {
            Some(whole) if self.settings.jitter > 0.0 => {
                #[expect(clippy::cast_precision_loss, reason = "53 bits of chance are plenty")]
                let chance = (self.engine.entropy.next() >> 11) as f64 / (1_u64 << 53) as f64;
                let part = whole.as_secs_f64() * (1.0 - self.settings.jitter * chance);
                // The longest and the shortest lives are rounded to none that can be: they stay as they are.
                Duration::try_from_secs_f64(part).ok().and_then(|life| Ttl::try_from(life).ok()).unwrap_or(ttl)
            }
            _ => ttl,
        }
    }

    /// For how long what is stored now lives, if it is fresh for `ttl`.
    pub(crate) fn whole_life(&self, ttl: Ttl) -> Life {
        Life::Fresh(ttl, self.settings.stale_for)
    }

    /// The entry of `value`, stored now.
    pub(crate) fn encode(&self, codec: &Codec<T>, key: &Key, value: Option<&T>, life: Life) -> Result<Bytes> {
        codec.encode(key, self.place.tenant(), value, life, self.core.epoch.current(), self.wall())
    }

    /// The slot of a value that had these `ages` when the backend was asked, or `None` if it is not for L1.
    pub(crate) fn slot(&self, value: Option<Arc<T>>, ages: &Ages, asked: Moment, encoded: usize) -> Option<Slot> {
        if !self.core.keeps_decoded || !self.engine.is_serving() {
            return None;
        }
        let fresh = match (ages.fresh, self.backend()) {
            (Remaining::Never, None) => Moment::FAR,
            (Remaining::For(life), None) => asked + life,
            (Remaining::For(life), Some(_)) if self.core.sight.is_clear_since(asked) => asked + life,
            (Remaining::Never, Some(_)) if self.core.sight.is_clear_since(asked) => Moment::FAR,
            (Remaining::For(life), Some(_)) => asked + life.min(self.settings.l1_ttl),
            (Remaining::Never | Remaining::Unknown, _) => asked + self.settings.l1_ttl,
        };
        let weight = match (&self.core.weigher, &value) {
            (Some(weigher), Some(value)) => weigher(value),
            (None, Some(_)) if self.core.codec.is_none() => size_of::<T>() as u64,
            _ => encoded as u64,
        };
        let due = self.settings.refresh_after.map_or(Moment::FAR, |after| asked + after.saturating_sub(ages.age));
        let kept = match ages.kept {
            Remaining::Never => Moment::FAR,
            Remaining::For(life) => asked + life,
            Remaining::Unknown => fresh,
        };
        let value = value.map(|value| value as Arc<_>);
        Some(Slot { value, ends: fresh.min(due), fresh, kept: kept.max(fresh), weight })
    }

    /// What L1 has under `local`, if it is live: a value, or the knowledge that there is none.
    #[inline]
    pub(crate) fn in_l1(&self, local: &impl Finds) -> Option<Option<Arc<T>>> {
        // Taken apart at once: a slot that is moved as a whole passes through memory, and the processor waits for it.
        let Slot { value, ends, .. } = self.engine.l1.get(local)?;
        self.is_live(ends).then(|| typed(value))
    }

    /// What L1 has under `local` that is fresh, but due to be refreshed, so that the fast way passed it by.
    #[cold]
    pub(crate) fn in_l1_past_due(&self, local: &LocalKey) -> Option<Option<Arc<T>>> {
        let Slot { value, fresh, .. } = self.engine.l1.get(local)?;
        if !self.is_live(fresh) {
            return None;
        }
        self.core.stats.l1_hits();
        Some(typed(value))
    }

    /// Whether what L1 has is past its freshness, so that it is a copy of nothing if the backend has nothing.
    pub(crate) fn is_over(&self, slot: &Slot) -> bool {
        !self.is_live(slot.fresh)
    }

    /// Whether a caller may be served `stale` now, here. `absent_will_do` says whether the knowledge that there is no
    /// value is something.
    pub(crate) fn accepts(&self, stale: &Stale<T>, absent_will_do: bool) -> bool {
        let will_do = absent_will_do || stale.value.is_some();
        will_do && self.settings.stale_for.is_some() && self.is_live(stale.until)
    }

    /// Hands `stale` to the caller, who can learn of it.
    pub(crate) fn serve(&self, stale: Stale<T>) -> Option<Arc<T>> {
        self.core.stats.stale_serves();
        note_stale();
        stale.value
    }

    /// Whether what ends at `ends` is not over yet.
    #[inline]
    pub(crate) fn is_live(&self, ends: Moment) -> bool {
        // What never ends asks for no time.
        ends == Moment::FAR || ends > self.now() + self.engine.lag
    }
}

impl<T, L> Clone for Namespace<T, L> {
    fn clone(&self) -> Self {
        Self {
            engine: Arc::clone(&self.engine),
            core: Arc::clone(&self.core),
            place: Arc::clone(&self.place),
            settings: Arc::clone(&self.settings),
            loads: PhantomData,
        }
    }
}

impl<T, L> fmt::Debug for Namespace<T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace")
            .field("name", &self.core.name)
            .field("codec", &self.core.codec)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl<T> Drop for NamespaceCore<T> {
    fn drop(&mut self) {
        if let Some(watcher) = self.watcher.lock().take() {
            watcher.abort();
        }
    }
}

/// The value in a slot. A key in L1 begins with the number of its namespace, which holds one type.
#[inline]
pub(crate) fn typed<T: Send + Sync + 'static>(value: Option<Arc<dyn Any + Send + Sync>>) -> Option<Arc<T>> {
    value.and_then(|value| value.downcast().ok())
}
