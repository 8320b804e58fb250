//! Loading what nobody has, once however many ask.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{Either, select};

use super::fence::{Fence, Taken};
use super::read::Found;
use super::{Namespace, typed};
use crate::engine::load_error::LoadError;
use crate::engine::loaded::{Loaded, LoadedOption};
use crate::engine::local_key::LocalKey;
use crate::engine::outage::concerns_entry;
use crate::engine::settings::PATIENCE;
use crate::engine::traffic::{Join, Landing, Lead, WaitGraph, Waited};
use crate::{Error, ErrorCode, IntoKey, Key, Operation, Remaining, Result, SetOptions};

impl<T: Send + Sync + 'static> Namespace<T> {
    /// The value under `key`, computed by `loader` if nobody has it.
    ///
    /// - However many callers ask for one key at once, one loader runs; the others get its value, or its error.
    /// - The loader runs inside this call: it may borrow, and sees the caller's task-locals and span. If this call is dropped, the next caller
    ///   who waits goes on with a loader of its own. [`get_or_spawn`](Self::get_or_spawn) runs it in a task instead.
    /// - Whatever the trouble with the cache, the loader runs and its value arrives.
    /// - An error of the loader passes through and is not cached.
    /// - A loader may ask for other keys. If it asks for its own, or two ask for each other's, the one that would close the circle
    ///   runs its own loader.
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

    /// As [`get_or_load`](Self::get_or_load), for a loader that may find out that there is no value, which is remembered too.
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

    /// As [`get_or_load`](Self::get_or_load), with the loader in a task of its own, which lives for as long as anybody waits for it: this
    /// call may be dropped without the work being lost for the others.
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

    /// The leader's way: look in the backend, else load and store.
    async fn look_or_load<W, E, S>(
        &self,
        lead: Lead<T>,
        local: &LocalKey,
        loader: W,
        sharing: S,
        absent_will_do: bool,
    ) -> Result<Option<Arc<T>>, LoadFailure<E>>
    where
        W: Future<Output = Result<LoadedOption<T>, E>>,
        S: ErrorSharing<E>,
    {
        let asked = self.now();
        let mut way = Way::NotAtAll;
        let key = match (self.backend(), self.stored_key(local)) {
            (None, _) => None,
            (Some(_), Ok(key)) => Some(key),
            (Some(_), Err(error)) => return Err(LoadFailure::Cache(error)),
        };
        let mut refused = None;
        if key.is_some() {
            match self.look(local).await {
                Ok(Found::Live(value, remaining, encoded)) if value.is_some() || absent_will_do => {
                    self.core.stats.backend_hits();
                    return Ok(self.land(lead, value, remaining, asked, encoded));
                }
                Ok(Found::Live(..) | Found::Nothing) => way = Way::Plainly,
                Ok(Found::Newer) => {}
                Err(error) => {
                    // An entry that cannot be read is as good as none and will be overwritten. A backend that is ill is asked for
                    // nothing more for this value.
                    if concerns_entry(error.code()) {
                        way = Way::Plainly;
                    }
                    refused = Some(error);
                }
            }
        }
        self.core.stats.misses();
        lead.loading(refused);
        let fenced = self.backend().and_then(|backend| backend.abilities().fenced).filter(|_| self.settings.fenced);
        if let (Some(fenced), Some(key), Way::Plainly) = (fenced, &key, &way) {
            way = match self.take_fence(fenced, local, key, absent_will_do).await {
                Taken::Held(fence) => Way::Under(fence),
                Taken::Found(value, remaining, encoded) => {
                    self.core.stats.backend_hits();
                    return Ok(self.land(lead, value, remaining, asked, encoded));
                }
                Taken::Newer => Way::NotAtAll,
                Taken::Without(error) => {
                    tracing::debug!(code = %error.code(), %error, "loading without the fence");
                    Way::NotAtAll
                }
            };
        }
        let held = match &way {
            Way::Under(fence) => Some(fence),
            Way::NotAtAll | Way::Plainly => None,
        };
        match Fence::hold_all_during(held.into_iter(), fenced, self.run(loader)).await {
            Ran::Done(Ok(loaded)) => Ok(self.store_and_land(lead, key.as_ref(), loaded, way).await),
            Ran::Done(Err(error)) => Err(match sharing.share(error) {
                Shared::With(error, any) => {
                    lead.land(Landing::Failed(any), None);
                    LoadFailure::Shared(error)
                }
                Shared::Alone(error) => {
                    lead.land(Landing::Alone, None);
                    LoadFailure::Own(error)
                }
            }),
            Ran::TimedOut => {
                lead.land(Landing::TimedOut, None);
                Err(LoadFailure::TimedOut)
            }
            Ran::Panicked(payload) => {
                lead.land(Landing::Panicked, None);
                resume_unwind(payload)
            }
        }
    }

    /// Lands with what the backend had.
    pub(super) fn land(
        &self,
        lead: Lead<T>,
        value: Option<Arc<T>>,
        remaining: Remaining,
        asked: crate::Moment,
        encoded: usize,
    ) -> Option<Arc<T>> {
        let slot = self.slot(value.clone(), remaining, asked, encoded);
        lead.land(Landing::Found(value.clone()), slot);
        value
    }

    /// Stores what was loaded, keeps it in L1, and lands with it, whatever became of storing.
    pub(super) async fn store_and_land(
        &self,
        mut lead: Lead<T>,
        key: Option<&Key>,
        loaded: LoadedOption<T>,
        way: Way,
    ) -> Option<Arc<T>> {
        let LoadedOption { value, ttl } = loaded;
        lead.loaded(value.clone());
        if !self.engine.is_serving() {
            lead.land(Landing::Found(value.clone()), None);
            return value;
        }
        let ttl = self.life(ttl, value.is_some());
        let now = self.now();
        let remaining = ttl.as_duration().map_or(Remaining::Never, Remaining::For);
        // Without a backend the value is encoded all the same, for its weight, and so that what cannot be encoded is found out
        // before there is a backend.
        let encoded = match (&self.core.codec, key) {
            (None, _) => Ok((0, None)),
            (Some(codec), Some(key)) => codec
                .encode(key, self.place.tenant(), value.as_deref(), ttl, self.wall())
                .map(|bytes| (bytes.len(), Some((key, bytes)))),
            (Some(codec), None) => codec.measure(value.as_deref()).map(|length| (length, None)),
        };
        let mut slot = None;
        match encoded {
            Err(error) => {
                // The value is outside what can be cached: it is returned and nothing else.
                self.core.stats.errors();
                let name = key.map_or_else(|| self.core.name.clone(), Key::redacted);
                let error = error.with_operation(Operation::Set);
                self.engine.outage.bad_entry(&error, name, self.now());
            }
            Ok((weight, bytes)) => {
                let superseded = match bytes {
                    Some((key, bytes)) => self.store_loaded(&lead, key, bytes, &SetOptions::new(ttl), way).await,
                    None => false,
                };
                if !superseded {
                    self.core.stats.stores();
                    slot = self.slot(value.clone(), remaining, now, weight);
                }
            }
        }
        lead.land(Landing::Found(value.clone()), slot);
        value
    }

    /// Stores what was loaded in the backend. Says whether somebody else wrote meanwhile, so that the value is out of date.
    async fn store_loaded(&self, lead: &Lead<T>, key: &Key, bytes: Bytes, options: &SetOptions, way: Way) -> bool {
        let Some(backend) = self.backend() else { return false };
        match way {
            Way::NotAtAll => false,
            Way::Under(fence) => {
                let Some(fenced) = backend.abilities().fenced else { return false };
                match self.call(Operation::Set, key, fence.store(fenced, bytes, options)).await {
                    Ok(stored) => !stored,
                    Err(_) => false,
                }
            }
            Way::Plainly => {
                let Some(_until_undone) = lead.store() else { return true };
                // If this is dropped, or if somebody in this process wrote meanwhile, nobody knows which of the two came
                // later: then the entry goes.
                let mut undo = super::write::Undo::new(self, key);
                let stored = self.call(Operation::Set, key, backend.set(key, bytes, options)).await;
                if stored.is_ok() && lead.is_current() {
                    undo.disarm();
                }
                false
            }
        }
    }

    /// Runs the loader within the time allowed for it.
    pub(super) async fn run<R, E>(&self, loader: impl Future<Output = Result<R, E>>) -> Ran<R, E> {
        self.core.stats.loads();
        // The payload of a panic goes on to the caller; nothing of ours is used after it.
        let loader = AssertUnwindSafe(loader).catch_unwind();
        let ran = match self.settings.load_timeout {
            None => loader.await,
            Some(limit) => match tokio::time::timeout(limit, loader).await {
                Ok(ran) => ran,
                Err(_elapsed) => {
                    self.core.stats.load_failures();
                    return Ran::TimedOut;
                }
            },
        };
        if !matches!(ran, Ok(Ok(_))) {
            self.core.stats.load_failures();
        }
        ran.map_or_else(Ran::Panicked, Ran::Done)
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

/// In which way a loaded value is stored in the backend.
pub(super) enum Way {
    /// Not at all: the backend is ill, or what is there is not to be touched.
    NotAtAll,
    /// As it is.
    Plainly,
    /// If the fence still holds.
    Under(Fence),
}

pub(super) enum Ran<R, E> {
    Done(Result<R, E>),
    TimedOut,
    Panicked(Box<dyn Any + Send>),
}

/// Why a load brought no value, with the error of the caller's own loader where it cannot be shared.
#[doc(hidden)]
#[non_exhaustive]
pub enum LoadFailure<E> {
    /// The loader failed; all who waited have the same error.
    Shared(Arc<E>),
    /// The caller's own loader failed.
    Own(E),
    /// The loader that this caller waited for panicked.
    Panicked,
    /// The loader took too long.
    TimedOut,
    /// The cache refused.
    Cache(Error),
}

impl<E> fmt::Debug for LoadFailure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shared(_) => "Shared",
            Self::Own(_) => "Own",
            Self::Panicked => "Panicked",
            Self::TimedOut => "TimedOut",
            Self::Cache(_) => "Cache",
        })
    }
}

impl<E> From<LoadFailure<E>> for LoadError<E> {
    fn from(failure: LoadFailure<E>) -> Self {
        match failure {
            LoadFailure::Shared(error) => Self::Loader(error),
            LoadFailure::Own(error) => Self::Loader(Arc::new(error)),
            LoadFailure::Panicked => Self::Panicked,
            LoadFailure::TimedOut => Self::TimedOut,
            LoadFailure::Cache(error) => Self::Cache(error),
        }
    }
}

/// Says what those who wait for a load get of its error.
#[doc(hidden)]
pub trait ErrorSharing<E>: Copy {
    /// Makes of an error what the leader and the others get.
    fn share(&self, error: E) -> Shared<E>;

    /// Gets back what was shared. `None` if it is of another type.
    fn recover(&self, error: Arc<dyn Any + Send + Sync>) -> Option<Arc<E>>;
}

/// What [`ErrorSharing::share`] makes of an error.
#[doc(hidden)]
#[derive(Debug)]
pub enum Shared<E> {
    /// All get the same, twice over: with its type and without.
    With(Arc<E>, Arc<dyn Any + Send + Sync>),
    /// The leader keeps it; the others run their own loaders.
    Alone(E),
}

/// Shares an error behind an `Arc`.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct SharedByArc;

impl<E: Send + Sync + 'static> ErrorSharing<E> for SharedByArc {
    fn share(&self, error: E) -> Shared<E> {
        let error = Arc::new(error);
        Shared::With(Arc::clone(&error), error)
    }

    fn recover(&self, error: Arc<dyn Any + Send + Sync>) -> Option<Arc<E>> {
        error.downcast().ok()
    }
}

/// Shares no error.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct NotShared;

impl<E> ErrorSharing<E> for NotShared {
    fn share(&self, error: E) -> Shared<E> {
        Shared::Alone(error)
    }

    fn recover(&self, _error: Arc<dyn Any + Send + Sync>) -> Option<Arc<E>> {
        None
    }
}
