//! Loads in tasks of their own, which can go on when nobody waits any more: late ones, refreshes, stores.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::{Either, select};
use tokio::sync::oneshot;

use super::wish::Brought;
use super::{ErrorSharing, LoadFailure, SharedByArc, Turn, Wish};
use crate::engine::load_error::LoadError;
use crate::engine::loaded::{Loaded, LoadedOption};
use crate::engine::local_key::LocalKey;
use crate::engine::namespace::Namespace;
use crate::engine::staleness::{Loads, Stale};
use crate::engine::traffic::{Flight, Lead, WaitGraph};
use crate::{Error, ErrorCode, IntoKey, Result};

impl<T: Send + Sync + 'static, L: Loads> Namespace<T, L> {
    /// The value under `key`, computed in a task of its own by `loader` if nobody has it.
    ///
    /// As `get_or_load`, but for this:
    /// - The task lives for as long as anybody waits for it: this call may be dropped without the work being lost for
    ///   the others.
    /// - The value reaches all who wait before it is stored. That goes on in the background, in the same order with
    ///   other writes as ever; [`Cache::close`](crate::Cache::close) waits for it.
    /// - A value that is due ([`refresh_after`](crate::NamespaceBuilder::refresh_after)) is served at once, and `loader`
    ///   runs in the background, counted in [`Stats::refreshes`](crate::Stats::refreshes).
    /// - A load that takes longer than the [`load_timeout`](crate::NamespaceBuilder::load_timeout) goes on in the
    ///   background where there is something older to serve.
    ///
    /// The task has neither the caller's task-locals nor its span.
    ///
    /// # Errors
    /// [`LoadError`]: the loader's error, its panic, or that it took longer than the `load_timeout`; none of these as long
    /// as there is an older value to serve.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn get_or_spawn<K, F, W, V, E>(&self, key: K, loader: F) -> Result<Arc<T>, LoadError<E>>
    where
        K: IntoKey,
        F: FnOnce() -> W + Send + 'static,
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
        let found = Box::pin(self.load_in_task(local, loader, SharedByArc, false)).await?;
        Ok(found.expect("a loader that returns a value does not bring none"))
    }

    /// As [`get_or_spawn`](Self::get_or_spawn), for a loader that may find out that there is no value, which is
    /// remembered too.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn get_or_spawn_optional<K, F, W, V, E>(&self, key: K, loader: F) -> Result<Option<Arc<T>>, LoadError<E>>
    where
        K: IntoKey,
        F: FnOnce() -> W + Send + 'static,
        W: Future<Output = Result<V, E>> + Send + 'static,
        V: Into<LoadedOption<T>>,
        E: Send + Sync + 'static,
    {
        if let Some(found) = self.find(&key) {
            return Ok(found);
        }
        let local = self.place.local_key(&key);
        let loader = async move { loader().await.map(Into::into) };
        Ok(Box::pin(self.load_in_task(local, loader, SharedByArc, true)).await?)
    }

    /// What `#[cache(background)]` does after [`lookup`](Self::lookup).
    #[doc(hidden)]
    pub async fn spawn_shared<K, W, E, S>(
        &self,
        key: &K,
        loader: W,
        sharing: S,
        absent_will_do: bool,
    ) -> Result<Option<Arc<T>>, LoadFailure<E>>
    where
        K: IntoKey + ?Sized,
        W: Future<Output = Result<LoadedOption<T>, E>> + Send + 'static,
        E: Send + Sync + 'static,
        S: ErrorSharing<E> + Send + 'static,
    {
        let local = self.place.local_key(key);
        self.load_in_task(local, loader, sharing, absent_will_do).await
    }

    async fn load_in_task<W, E, S>(
        &self,
        local: LocalKey,
        loader: W,
        sharing: S,
        absent_will_do: bool,
    ) -> Result<Option<Arc<T>>, LoadFailure<E>>
    where
        W: Future<Output = Result<LoadedOption<T>, E>> + Send + 'static,
        E: Send + Sync + 'static,
        S: ErrorSharing<E> + Send + 'static,
    {
        if !self.engine.is_serving() {
            return self.load_alone(&local, loader).await;
        }
        let graph = WaitGraph::current();
        let past_due = self.in_l1_past_due(&local).map_err(LoadFailure::Cache)?;
        if let Some(found) = past_due.filter(|found| found.is_some() || absent_will_do) {
            self.refresh(local, loader, sharing);
            return Ok(found);
        }
        let lead = match self.take_turn(&graph, &local, sharing, absent_will_do).await {
            Turn::Over(loaded) => return loaded,
            Turn::Alone => return self.load_alone(&local, loader).await,
            Turn::Lead(lead) => lead,
        };
        // Waits from before the task begins, so that it never finds itself unwanted too early.
        let mut waiter = lead.wait();
        let _waits = graph.wait_for(lead.flight().id());
        let (tell, told) = oneshot::channel();
        let wish = Wish { absent_will_do, refresh: false, owned: true };
        tokio::spawn(self.clone().lead_in_task(lead, local, loader, sharing, wish, graph, Some(tell)));
        let late = waiter.lateness(|stale| self.accepts(stale, absent_will_do));
        match select(told, std::pin::pin!(late)).await {
            Either::Left((Ok(Told::Value(value)), _)) => Ok(value),
            Either::Left((Ok(Told::Stale(stale)), _)) | Either::Right((stale, _)) => Ok(self.serve(stale)),
            Either::Left((Ok(Told::Failed(failure)), _)) => Err(failure),
            Either::Left((Err(_), _)) => {
                Err(LoadFailure::Cache(Error::new(ErrorCode::E036, "the runtime ended during the load")))
            }
        }
    }

    /// Loads a value anew in the background, unless somebody is at it.
    fn refresh<W, E, S>(&self, local: LocalKey, loader: W, sharing: S)
    where
        W: Future<Output = Result<LoadedOption<T>, E>> + Send + 'static,
        E: Send + Sync + 'static,
        S: ErrorSharing<E> + Send + 'static,
    {
        if self.settings.refresh_after.is_none() {
            return;
        }
        let Some(lead) = self.core.traffic.lead(&local, |slot| !self.is_live(slot.ends) && self.is_live(slot.fresh))
        else {
            return;
        };
        self.core.stats.refreshes();
        let wish = Wish { absent_will_do: true, refresh: true, owned: true };
        let task = self.clone().lead_in_task(lead, local, loader, sharing, wish, WaitGraph::default(), None);
        // Outside a runtime it is dropped, and the flight with it.
        self.engine.tasks.spawn(task);
    }

    /// Leads a flight in a task: for as long as anybody waits, unless what waited was served something older, the
    /// value is merely to be stored, or nobody ever waited.
    #[expect(clippy::too_many_arguments, reason = "what a load is made of")]
    async fn lead_in_task<W, E, S>(
        self,
        lead: Lead<T>,
        local: LocalKey,
        loader: W,
        sharing: S,
        wish: Wish,
        graph: WaitGraph,
        tell: Option<oneshot::Sender<Told<T, E>>>,
    ) where
        W: Future<Output = Result<LoadedOption<T>, E>>,
        S: ErrorSharing<E>,
    {
        let flight = Arc::clone(lead.flight());
        let work = graph.and(flight.id()).scope(self.look_or_run(lead, &local, loader, sharing, wish));
        let brought = match select(std::pin::pin!(work), std::pin::pin!(self.until_unwanted(&flight, wish))).await {
            Either::Left((brought, _)) => brought,
            Either::Right(((), _)) => return,
        };
        let tell = |told| {
            // Who is told may have gone.
            let _ = tell.map(|tell| tell.send(told));
        };
        match brought {
            Brought::Found(value) => tell(Told::Value(value)),
            Brought::Loaded(loaded) => {
                let _counted = self.engine.tasks.count();
                self.land_and_store(loaded, |value| tell(Told::Value(value))).await;
            }
            Brought::Stale(stale, _) => tell(Told::Stale(stale)),
            Brought::Failed(failure) => tell(Told::Failed(failure)),
            Brought::Panicked(_) => tell(Told::Failed(LoadFailure::Panicked)),
        }
    }

    /// Resolves when a load is to be given up. Serves what is older, if there is anything, when it takes too long.
    async fn until_unwanted(&self, flight: &Arc<Flight<T>>, wish: Wish) {
        let lateness = async {
            if let Some(limit) = self.settings.load_timeout {
                tokio::time::sleep(limit).await;
                self.is_late(flight, wish);
            }
            std::future::pending::<()>().await;
        };
        let unwanted = async {
            if wish.refresh {
                std::future::pending::<()>().await;
            }
            flight.nobody_waits().await;
            if flight.is_late() {
                let _counted = self.engine.tasks.count();
                std::future::pending::<()>().await;
            }
        };
        select(std::pin::pin!(lateness), std::pin::pin!(unwanted)).await;
    }
}

/// What the caller of a load in a task is told.
enum Told<T, E> {
    Value(Option<Arc<T>>),
    Stale(Stale<T>),
    Failed(LoadFailure<E>),
}
