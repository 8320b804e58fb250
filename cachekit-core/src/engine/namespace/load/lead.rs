//! The leader's way: look in the backend, else load and store.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;

use super::{ErrorSharing, LoadFailure, Shared};
use crate::engine::loaded::LoadedOption;
use crate::engine::local_key::LocalKey;
use crate::engine::namespace::Namespace;
use crate::engine::namespace::fence::{Fence, Taken};
use crate::engine::namespace::read::Found;
use crate::engine::outage::concerns_entry;
use crate::engine::traffic::{Landing, Lead};
use crate::{Key, Operation, Remaining, Result, SetOptions};

impl<T: Send + Sync + 'static> Namespace<T> {
    /// The leader's way: look in the backend, else load and store.
    pub(super) async fn look_or_load<W, E, S>(
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
                    // An entry that cannot be read is as good as none and will be overwritten. A backend that is ill is
                    // asked for nothing more for this value.
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
    pub(in crate::engine::namespace) fn land(
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
    pub(in crate::engine::namespace) async fn store_and_land(
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
        // Without a backend the value is encoded all the same, for its weight, and so that what cannot be encoded is
        // found out before there is a backend.
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

    /// Stores what was loaded in the backend. Says whether somebody else wrote meanwhile, so that the value is out of
    /// date.
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
                // If this is dropped, or if somebody in this process wrote meanwhile, nobody knows which of the two
                // came later: then the entry goes.
                let mut undo = crate::engine::namespace::write::Undo::new(self, key);
                let stored = self.call(Operation::Set, key, backend.set(key, bytes, options)).await;
                undo.spare(&stored);
                if stored.is_ok() && lead.is_current() {
                    undo.disarm();
                }
                false
            }
        }
    }

    /// Runs the loader within the time allowed for it.
    pub(in crate::engine::namespace) async fn run<R, E>(
        &self,
        loader: impl Future<Output = Result<R, E>>,
    ) -> Ran<R, E> {
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
}

/// In which way a loaded value is stored in the backend.
pub(in crate::engine::namespace) enum Way {
    /// Not at all: the backend is ill, or what is there is not to be touched.
    NotAtAll,
    /// As it is.
    Plainly,
    /// If the fence still holds.
    Under(Fence),
}

pub(in crate::engine::namespace) enum Ran<R, E> {
    Done(Result<R, E>),
    TimedOut,
    Panicked(Box<dyn Any + Send>),
}
