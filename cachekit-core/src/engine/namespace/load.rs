//! Loading what nobody has, once however many ask.

mod lead;
mod sharing;
mod task;
mod wish;

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::Arc;

use tracing::Instrument;

pub(super) use self::lead::{FAILED, PANICKED, Ran, TIMED_OUT, Way};
pub use self::sharing::{ErrorSharing, LoadFailure, NotShared, Shared, SharedByArc};
use self::wish::Brought;
pub(super) use self::wish::Wish;
use super::Namespace;
use crate::engine::load_error::LoadError;
use crate::engine::loaded::{Loaded, LoadedOption};
use crate::engine::local_key::LocalKey;
use crate::engine::settings::PATIENCE;
use crate::engine::staleness::Loads;
use crate::engine::staleness::Stale;
use crate::engine::traffic::{Join, Landing, Lead, WaitGraph, Waited};
use crate::{IntoKey, Result};

impl<T: Send + Sync + 'static> Namespace<T> {
    /// The value under `key`, computed by `loader` if nobody has it.
    ///
    /// - However many callers ask for one key at once, one loader runs; the others get its value, or its error.
    /// - The loader runs inside this call: it may borrow, and sees the caller's task-locals and span. If this call is
    ///   dropped, the next caller who waits goes on with a loader of its own. [`get_or_spawn`](Self::get_or_spawn) runs
    ///   it in a task instead.
    /// - Whatever the trouble with the cache, the loader runs and its value arrives.
    /// - An error of the loader passes through and is not cached.
    /// - A loader may ask for other keys. If it asks for its own, or two ask for each other's, the one that would close
    ///   the circle runs its own loader.
    ///
    /// ```
    /// # use cachekit_core::{Cache, Loaded, Ttl};
    /// # async fn fetch(id: u64) -> Result<String, std::io::Error> { Ok(format!("user {id}")) }
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let cache: Cache = Cache::builder().build().unwrap();
    /// let users = cache.local::<String>("users").open().unwrap();
    /// let user = users.get_or_load(7, || fetch(7)).await?;
    /// assert_eq!(*user, "user 7");
    /// # Ok::<_, cachekit_core::LoadError<std::io::Error>>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`LoadError`]: the loader's error, its panic, or that it took longer than the `load_timeout`; none of these as long
    /// as there is an older value to serve ([`stale_for`](crate::NamespaceBuilder::stale_for)). E003 and E005 where that
    /// is [wanted](crate::NamespaceBuilder::encryption_fail_closed).
    pub async fn get_or_load<K, L, W, V, E>(&self, key: K, loader: L) -> Result<Arc<T>, LoadError<E>>
    where
        K: IntoKey,
        L: FnOnce() -> W,
        W: Future<Output = Result<V, E>>,
        V: Into<Loaded<T>>,
        E: Send + Sync + 'static,
    {
        // That there is none will not do here.
        if let Some(Some(value)) = self.find(&key) {
            return Ok(value);
        }
        let local = self.place.local_key(&key);
        let loader = async move { loader().await.map(|loaded| LoadedOption::from(loaded.into())) };
        let found = Box::pin(self.load(local, loader, SharedByArc, false)).await?;
        Ok(found.expect("a loader that returns a value does not bring none"))
    }

    /// As [`get_or_load`](Self::get_or_load), for a loader that may find out that there is no value, which is
    /// remembered too.
    pub async fn get_or_load_optional<K, L, W, V, E>(&self, key: K, loader: L) -> Result<Option<Arc<T>>, LoadError<E>>
    where
        K: IntoKey,
        L: FnOnce() -> W,
        W: Future<Output = Result<V, E>>,
        V: Into<LoadedOption<T>>,
        E: Send + Sync + 'static,
    {
        if let Some(found) = self.find(&key) {
            return Ok(found);
        }
        let local = self.place.local_key(&key);
        let loader = async move { loader().await.map(Into::into) };
        Ok(Box::pin(self.load(local, loader, SharedByArc, true)).await?)
    }
}

impl<T: Send + Sync + 'static, L: Loads> Namespace<T, L> {
    /// The look-up that `#[cache]` makes first.
    #[doc(hidden)]
    #[inline]
    pub fn lookup<K: IntoKey + ?Sized>(&self, key: &K) -> Option<Option<Arc<T>>> {
        self.find(key)
    }

    /// What `#[cache]` does after [`lookup`](Self::lookup): `sharing` says what those who wait get of an error.
    #[doc(hidden)]
    pub async fn load_shared<K, W, E, S>(
        &self,
        key: &K,
        loader: W,
        sharing: S,
    ) -> Result<Option<Arc<T>>, LoadFailure<E>>
    where
        K: IntoKey + ?Sized,
        W: Future<Output = Result<LoadedOption<T>, E>>,
        S: ErrorSharing<E>,
    {
        let local = self.place.local_key(key);
        self.load(local, loader, sharing, true).await
    }

    async fn load<W, E, S>(
        &self,
        local: LocalKey,
        loader: W,
        sharing: S,
        absent_will_do: bool,
    ) -> Result<Option<Arc<T>>, LoadFailure<E>>
    where
        W: Future<Output = Result<LoadedOption<T>, E>>,
        S: ErrorSharing<E>,
    {
        if !self.engine.is_serving() {
            return self.load_alone(&local, loader).await;
        }
        let past_due = self.in_l1_past_due(&local).map_err(LoadFailure::Cache)?;
        if let Some(found) = past_due.filter(|found| found.is_some() || absent_will_do) {
            return Ok(found);
        }
        let graph = WaitGraph::current();
        match self.take_turn(&graph, &local, sharing, absent_will_do).await {
            Turn::Over(loaded) => loaded,
            Turn::Alone => self.load_alone(&local, loader).await,
            Turn::Lead(lead) => {
                let flight = Arc::clone(lead.flight());
                let wish = Wish { absent_will_do, refresh: false, owned: false };
                let work = self.look_or_load(lead, &local, loader, sharing, wish);
                flight.led(graph.and(flight.id()).scope(work)).await
            }
        }
    }

    /// The leader's way, for a loader that runs inside its caller.
    async fn look_or_load<W, E, S>(
        &self,
        lead: Lead<T>,
        local: &LocalKey,
        loader: W,
        sharing: S,
        wish: Wish,
    ) -> Result<Option<Arc<T>>, LoadFailure<E>>
    where
        W: Future<Output = Result<LoadedOption<T>, E>>,
        S: ErrorSharing<E>,
    {
        match self.look_or_run(lead, local, loader, sharing, wish).await {
            Brought::Found(value) => Ok(value),
            Brought::Loaded(wish::Loaded { lead, key, loaded, way }) => {
                Ok(self.store_and_land(lead, key.as_ref(), loaded, way).await)
            }
            Brought::Stale(stale, _) => Ok(self.serve(stale)),
            Brought::Failed(failure) => Err(failure),
            Brought::Panicked(payload) => resume_unwind(payload),
        }
    }

    /// Waits for the flight of a key as long as something may come of it, or leads it.
    async fn take_turn<E, S: ErrorSharing<E>>(
        &self,
        graph: &WaitGraph,
        local: &LocalKey,
        sharing: S,
        absent_will_do: bool,
    ) -> Turn<T, E> {
        loop {
            let waiter = match self.core.traffic.join(local, |slot| self.will_do(slot, absent_will_do)) {
                Join::Hit(slot) => match self.take_out(local, slot.value) {
                    Ok(Some(found)) => {
                        self.core.stats.l1_hits();
                        return Turn::Over(Ok(found));
                    }
                    // It has left L1.
                    Ok(None) => continue,
                    Err(error) => return Turn::Over(Err(LoadFailure::Cache(error))),
                },
                Join::Lead(lead) => return Turn::Lead(lead),
                Join::Wait(waiter) => waiter,
            };
            let flight = Arc::clone(waiter.flight());
            let Some(_waits) = graph.wait_for(flight.id()) else { return Turn::Alone };
            self.core.stats.waits();
            let landing = match waiter.landing(PATIENCE, |stale| self.when_late(stale, absent_will_do)).await {
                Waited::Stalled => {
                    self.core.traffic.take_over(local, &flight);
                    continue;
                }
                Waited::Late(stale) => return Turn::Over(Ok(self.serve(stale))),
                Waited::Landed(Landing::Fallback(stale, why)) => {
                    if self.accepts(&stale, absent_will_do) {
                        return Turn::Over(Ok(self.serve(stale)));
                    }
                    *why
                }
                Waited::Landed(landing) => landing,
            };
            let failure = match landing {
                Landing::Found(value) if value.is_some() || absent_will_do => return Turn::Over(Ok(value)),
                // Nothing came of it for this caller: begin anew, perhaps as the leader.
                Landing::Found(_) => {
                    // It may still be on its way to the backend.
                    self.core.traffic.take_over(local, &flight);
                    continue;
                }
                Landing::Refused(error) if self.refuses(&error) => LoadFailure::Cache(error),
                Landing::Missed | Landing::Refused(_) | Landing::Abandoned | Landing::Fallback(..) => continue,
                Landing::Failed(error) => match sharing.recover(error) {
                    Some(error) => LoadFailure::Shared(error),
                    // Another call site loads this key with another type of error.
                    None => return Turn::Alone,
                },
                Landing::Alone => return Turn::Alone,
                Landing::Panicked => LoadFailure::Panicked,
                Landing::TimedOut => LoadFailure::TimedOut,
            };
            return Turn::Over(Err(failure));
        }
    }

    /// What becomes of a caller who waits for a load that takes too long, where there is something older.
    pub(super) fn when_late(&self, stale: &Stale<T>, absent_will_do: bool) -> Option<Waited<T>> {
        if self.accepts(stale, absent_will_do) {
            return Some(Waited::Late(stale.clone()));
        }
        self.settings.load_timeout.map(|_| Waited::Landed(Landing::TimedOut))
    }

    fn will_do(&self, slot: &crate::engine::l1::Slot, absent_will_do: bool) -> bool {
        self.is_live(slot.fresh) && (absent_will_do || slot.value.is_some())
    }

    /// Runs the loader as if there were no cache.
    async fn load_alone<W, E>(&self, local: &LocalKey, loader: W) -> Result<Option<Arc<T>>, LoadFailure<E>>
    where
        W: Future<Output = Result<LoadedOption<T>, E>>,
    {
        match self.run(loader.instrument(self.load_span(local)), || false).await {
            Ran::Done(Ok(loaded)) => Ok(loaded.value),
            Ran::Done(Err(error)) => Err(LoadFailure::Own(error)),
            Ran::TimedOut => Err(LoadFailure::TimedOut),
            Ran::Panicked(payload) => resume_unwind(payload),
        }
    }
}

/// What a caller who misses does: [`Namespace::take_turn`].
enum Turn<T: Send + Sync + 'static, E> {
    /// Another's load has come to an end that will do.
    Over(Result<Option<Arc<T>>, LoadFailure<E>>),
    /// Leads.
    Lead(Lead<T>),
    /// Runs its own loader as if there were no cache: waiting would never end, or what was waited for cannot be shared.
    Alone,
}
