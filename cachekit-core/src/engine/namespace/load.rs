//! Loading what nobody has, once however many ask.

mod lead;
mod sharing;

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::Arc;

use futures_util::future::{Either, select};

pub(super) use self::lead::{Ran, Way};
pub use self::sharing::{ErrorSharing, LoadFailure, NotShared, Shared, SharedByArc};
use super::{Namespace, typed};
use crate::engine::load_error::LoadError;
use crate::engine::loaded::{Loaded, LoadedOption};
use crate::engine::local_key::LocalKey;
use crate::engine::settings::PATIENCE;
use crate::engine::traffic::{Join, Landing, Lead, WaitGraph, Waited};
use crate::{Error, ErrorCode, IntoKey, Result};

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
    /// [`LoadError`]: the loader's error, its panic, or that it took longer than the `load_timeout`.
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

    /// As [`get_or_load`](Self::get_or_load), with the loader in a task of its own, which lives for as long as anybody
    /// waits for it: this call may be dropped without the work being lost for the others.
    ///
    /// The task has neither the caller's task-locals nor its span.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn get_or_spawn<K, L, W, V, E>(&self, key: K, loader: L) -> Result<Arc<T>, LoadError<E>>
    where
        K: IntoKey,
        L: FnOnce() -> W + Send + 'static,
        W: Future<Output = Result<V, E>> + Send + 'static,
        V: Into<Loaded<T>>,
        E: Send + Sync + 'static,
    {
        // That there is none will not do here.
        if let Some(Some(value)) = self.find(&key) {
            return Ok(value);
        }
        let local = self.place.local_key(&key);
        let loader = async move { loader().await.map(|loaded| LoadedOption::from(loaded.into())) };
        let found = Box::pin(self.load_in_task(local, loader)).await?;
        Ok(found.expect("a loader that returns a value does not bring none"))
    }

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
            return self.load_alone(loader).await;
        }
        let graph = WaitGraph::current();
        match self.take_turn(&graph, &local, sharing, absent_will_do).await {
            Turn::Over(loaded) => loaded,
            Turn::Alone => self.load_alone(loader).await,
            Turn::Lead(lead) => {
                let flight = Arc::clone(lead.flight());
                let work = self.look_or_load(lead, &local, loader, sharing, absent_will_do);
                flight.led(graph.and(flight.id()).scope(work)).await
            }
        }
    }

    async fn load_in_task<W, E>(&self, local: LocalKey, loader: W) -> Result<Option<Arc<T>>, LoadFailure<E>>
    where
        W: Future<Output = Result<LoadedOption<T>, E>> + Send + 'static,
        E: Send + Sync + 'static,
    {
        if !self.engine.is_serving() {
            return self.load_alone(loader).await;
        }
        let graph = WaitGraph::current();
        let lead = match self.take_turn(&graph, &local, SharedByArc, false).await {
            Turn::Over(loaded) => return loaded,
            Turn::Alone => return self.load_alone(loader).await,
            Turn::Lead(lead) => lead,
        };
        // Waits from before the task begins, so that it never finds itself unwanted too early.
        let _waiter = lead.wait();
        let _waits = graph.wait_for(lead.flight().id());
        match tokio::spawn(self.clone().lead_in_task(lead, local, loader, graph)).await {
            Ok(Some(loaded)) => loaded,
            Ok(None) => Err(LoadFailure::Panicked),
            Err(error) if error.is_panic() => Err(LoadFailure::Panicked),
            Err(_) => Err(LoadFailure::Cache(Error::new(ErrorCode::E036, "the runtime ended during the load"))),
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
                Join::Hit(slot) => {
                    self.core.stats.l1_hits();
                    return Turn::Over(Ok(typed(slot.value)));
                }
                Join::Lead(lead) => return Turn::Lead(lead),
                Join::Wait(waiter) => waiter,
            };
            let flight = Arc::clone(waiter.flight());
            let Some(_waits) = graph.wait_for(flight.id()) else { return Turn::Alone };
            self.core.stats.waits();
            let failure = match waiter.landing(PATIENCE).await {
                Waited::Stalled => {
                    self.core.traffic.take_over(local, &flight);
                    continue;
                }
                Waited::Landed(Landing::Found(value)) if value.is_some() || absent_will_do => {
                    return Turn::Over(Ok(value));
                }
                // Nothing came of it for this caller: begin anew, perhaps as the leader.
                Waited::Landed(Landing::Found(_) | Landing::Missed | Landing::Refused(_) | Landing::Abandoned) => {
                    continue;
                }
                Waited::Landed(Landing::Failed(error)) => match sharing.recover(error) {
                    Some(error) => LoadFailure::Shared(error),
                    // Another call site loads this key with another type of error.
                    None => return Turn::Alone,
                },
                Waited::Landed(Landing::Alone) => return Turn::Alone,
                Waited::Landed(Landing::Panicked) => LoadFailure::Panicked,
                Waited::Landed(Landing::TimedOut) => LoadFailure::TimedOut,
            };
            return Turn::Over(Err(failure));
        }
    }

    /// Leads a flight in a task, for as long as anybody waits. `None` if nobody does any more.
    async fn lead_in_task<W, E>(
        self,
        lead: Lead<T>,
        local: LocalKey,
        loader: W,
        graph: WaitGraph,
    ) -> Option<Result<Option<Arc<T>>, LoadFailure<E>>>
    where
        W: Future<Output = Result<LoadedOption<T>, E>>,
        E: Send + Sync + 'static,
    {
        let flight = Arc::clone(lead.flight());
        let work = graph.and(flight.id()).scope(self.look_or_load(lead, &local, loader, SharedByArc, false));
        match select(std::pin::pin!(work), std::pin::pin!(flight.nobody_waits())).await {
            Either::Left((loaded, _)) => Some(loaded),
            Either::Right(_) => None,
        }
    }

    fn will_do(&self, slot: &crate::engine::l1::Slot, absent_will_do: bool) -> bool {
        self.is_live(slot.ends) && (absent_will_do || slot.value.is_some())
    }

    /// Runs the loader as if there were no cache.
    async fn load_alone<W, E>(&self, loader: W) -> Result<Option<Arc<T>>, LoadFailure<E>>
    where
        W: Future<Output = Result<LoadedOption<T>, E>>,
    {
        match self.run(loader).await {
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
