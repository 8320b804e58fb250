//! The leader's way: look in the backend, else load and store.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use super::wish::{Brought, Loaded};
use super::{ErrorSharing, LoadFailure, Shared, Wish};
use crate::engine::l1::Slot;
use crate::engine::loaded::LoadedOption;
use crate::engine::local_key::LocalKey;
use crate::engine::namespace::fence::{Fence, Taken};
use crate::engine::namespace::read::{Copy, Found};
use crate::engine::namespace::{Namespace, typed};
use crate::engine::outage::concerns_entry;
use crate::engine::settings::Settings;
use crate::engine::spans::{self, tell};
use crate::engine::staleness::{Loads, Stale};
use crate::engine::traffic::{Flight, Landing, Lead};
use crate::{ErrorCode, Key, Moment, Operation, Result, SetOptions};

impl<T: Send + Sync + 'static, L: Loads> Namespace<T, L> {
    /// The leader's way, up to where something is to be stored.
    pub(super) async fn look_or_run<W, E, S>(
        &self,
        mut lead: Lead<T>,
        local: &LocalKey,
        loader: W,
        sharing: S,
        wish: Wish,
    ) -> Brought<T, E>
    where
        W: Future<Output = Result<LoadedOption<T>, E>>,
        S: ErrorSharing<E>,
    {
        let asked = self.now();
        let mut way = Way::NotAtAll;
        let key = match (self.backend(), self.stored_key(local)) {
            (None, Ok(_)) => None,
            (Some(_), Ok(key)) => Some(key),
            (_, Err(error)) => return Brought::Failed(LoadFailure::Cache(error)),
        };
        let due = lead.take_kept();
        if let Some(slot) = &due {
            self.fall_back_to_slot(&lead, slot);
        }
        let mut refused = None;
        if key.is_some() {
            match self.look(local).await {
                Ok(Found::Live(copy)) if self.fulfils(&copy, wish) => {
                    self.core.stats.backend_hits();
                    return Brought::Found(self.land(lead, copy, asked));
                }
                Ok(found) => way = self.fall_back(&lead, &found, wish, asked),
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
            way = match self.take_fence(fenced, local, key, wish).await {
                Taken::Held(fence) => Way::Under(fence),
                Taken::Found(copy) => {
                    self.core.stats.backend_hits();
                    return Brought::Found(self.land(lead, copy, asked));
                }
                Taken::Newer => Way::NotAtAll,
                Taken::Without(error) if wish.refresh && error.code() == ErrorCode::E050 => {
                    // Another process is at it, and what is there will do until it is done.
                    lead.land(Landing::Missed, self.postponed(due));
                    return Brought::Failed(LoadFailure::Cache(error));
                }
                Taken::Without(error) => {
                    tell!(debug, &error, "loading without the fence");
                    Way::NotAtAll
                }
            };
        }
        let held = match &way {
            Way::Under(fence) => Some(fence),
            Way::NotAtAll | Way::Plainly => None,
        };
        let flight = Arc::clone(lead.flight());
        let loader = loader.instrument(self.load_span(local));
        let running = self.run(loader, || wish.owned && self.is_late(&flight, wish));
        let ran = Fence::hold_all_during(held.into_iter(), fenced, running).await;
        let (why, landing, failure) = match ran {
            Ran::Done(Ok(loaded)) => return Brought::Loaded(Loaded { lead, key, loaded, way }),
            Ran::Done(Err(error)) => match sharing.share(error) {
                Shared::With(error, any) => (FAILED, Landing::Failed(any), Ok(LoadFailure::Shared(error))),
                Shared::Alone(error) => (FAILED, Landing::Alone, Ok(LoadFailure::Own(error))),
            },
            Ran::TimedOut => (TIMED_OUT, Landing::TimedOut, Ok(LoadFailure::TimedOut)),
            Ran::Panicked(payload) => (PANICKED, Landing::Panicked, Err(payload)),
        };
        let fallback = self.fallback(&lead, wish.absent_will_do);
        if wish.refresh || fallback.is_some() {
            let name = key.as_ref().map_or_else(|| self.core.name.clone(), Key::redacted);
            self.engine.outage.bad_load(why, name, self.now());
        }
        // The flight is over before anybody is told, so that the next one can begin.
        drop(way);
        let kept = if wish.refresh { self.postponed(due) } else { None };
        match (fallback, failure) {
            (Some(stale), failure) => {
                lead.land(Landing::Fallback(stale.clone(), Box::new(landing)), kept);
                Brought::Stale(stale, failure.unwrap_or(LoadFailure::Panicked))
            }
            (None, Ok(failure)) => {
                lead.land(landing, kept);
                Brought::Failed(failure)
            }
            (None, Err(payload)) => {
                lead.land(landing, kept);
                Brought::Panicked(payload)
            }
        }
    }

    /// What L1 had, past its freshness, will do if nothing better comes.
    pub(in crate::engine::namespace) fn fall_back_to_slot(&self, lead: &Lead<T>, slot: &Slot) {
        let stale = Stale { value: typed(slot.value.clone()), until: slot.kept };
        lead.flight().fall_back_to(Some(stale));
    }

    /// Makes of what the backend has, and what does not do, what will do if nothing better comes. Says in which way a
    /// loaded value is to be stored.
    pub(in crate::engine::namespace) fn fall_back(
        &self,
        lead: &Lead<T>,
        found: &Found<T>,
        wish: Wish,
        asked: Moment,
    ) -> Way {
        match found {
            Found::Live(copy) => lead.flight().fall_back_to(Some(self.stale(copy, asked))),
            Found::Stale(copy) => {
                lead.flight().fall_back_to(Some(self.stale(copy, asked)));
                if let Some(slot) = self.slot(copy.value.clone(), &copy.ages, asked, copy.encoded) {
                    lead.keep(slot);
                }
            }
            // What L1 has that is fresh is as good as it was.
            Found::Nothing | Found::Newer if wish.refresh => {}
            Found::Nothing | Found::Newer => {
                lead.flight().fall_back_to(None);
                lead.forget(|slot| self.is_over(slot));
            }
        }
        if matches!(found, Found::Newer) { Way::NotAtAll } else { Way::Plainly }
    }

    /// What a caller gets for whom nothing better came.
    pub(in crate::engine::namespace) fn fallback(&self, lead: &Lead<T>, absent_will_do: bool) -> Option<Stale<T>> {
        lead.flight().fallback().filter(|stale| self.accepts(stale, absent_will_do))
    }

    /// What was due and could not be refreshed is due again a little later.
    fn postponed(&self, due: Option<Slot>) -> Option<Slot> {
        let pause = self.settings.refresh_after.map_or(Settings::REFRESH_PAUSE, |after| after / 10);
        let next = self.now() + pause.max(Settings::REFRESH_PAUSE);
        due.filter(|slot| self.is_live(slot.fresh)).map(|slot| Slot { ends: next.min(slot.fresh), ..slot })
    }

    /// Whether a load that has used its time up may go on, because those who wait have something to be served.
    pub(super) fn is_late(&self, flight: &Flight<T>, wish: Wish) -> bool {
        let stale = flight.fallback().filter(|stale| self.accepts(stale, wish.absent_will_do));
        stale.map(|stale| flight.is_late_with(stale)).is_some()
    }

    /// Lands with what the backend had.
    pub(in crate::engine::namespace) fn land(&self, lead: Lead<T>, copy: Copy<T>, asked: Moment) -> Option<Arc<T>> {
        let slot = self.slot(copy.value.clone(), &copy.ages, asked, copy.encoded);
        lead.land(Landing::Found(copy.value.clone()), slot);
        copy.value
    }

    /// Stores what was loaded, keeps it in L1, and lands with it, whatever became of storing.
    pub(in crate::engine::namespace) async fn store_and_land(
        &self,
        mut lead: Lead<T>,
        key: Option<&Key>,
        loaded: LoadedOption<T>,
        way: Way,
    ) -> Option<Arc<T>> {
        lead.loaded(loaded.value.clone());
        let value = loaded.value.clone();
        let slot = match self.prepare(key, loaded) {
            None => None,
            Some(Ready { slot, bytes, options }) => {
                if self.store_loaded(&lead, key, bytes, &options, way).await {
                    None
                } else {
                    self.core.stats.stores();
                    slot
                }
            }
        };
        lead.land(Landing::Found(value.clone()), slot);
        value
    }

    /// Lets everybody have what was loaded, the caller by `tell`, and then stores it, under the same rules.
    pub(super) async fn land_and_store(&self, fresh: Loaded<T>, tell: impl FnOnce(Option<Arc<T>>)) {
        let Loaded { mut lead, key, loaded, way } = fresh;
        let value = loaded.value.clone();
        lead.loaded(value.clone());
        let Some(ready) = self.prepare(key.as_ref(), loaded) else {
            lead.land(Landing::Found(value.clone()), None);
            return tell(value);
        };
        lead.publish(value.clone(), ready.slot);
        tell(value);
        let superseded = self.store_loaded(&lead, key.as_ref(), ready.bytes, &ready.options, way).await;
        if !superseded {
            self.core.stats.stores();
        }
        lead.conclude(!superseded);
    }

    /// Makes ready to be stored what was loaded. `None` if it is not to be stored.
    fn prepare(&self, key: Option<&Key>, loaded: LoadedOption<T>) -> Option<Ready> {
        let LoadedOption { value, ttl } = loaded;
        if !self.engine.is_serving() {
            return None;
        }
        let life = self.whole_life(self.life(ttl, value.is_some()));
        let now = self.now();
        // Without a backend the value is encoded all the same, for its weight, and so that what cannot be encoded is
        // found out before there is a backend.
        let encoded = match (&self.core.codec, key) {
            (None, _) => Ok((0, None)),
            (Some(codec), Some(key)) => {
                self.encode(codec, key, value.as_deref(), life).map(|bytes| (bytes.len(), Some(bytes)))
            }
            (Some(codec), None) => codec.measure(value.as_deref()).map(|length| (length, None)),
        };
        match encoded {
            Ok((weight, bytes)) => {
                let slot = self.slot(value, &life.ages(), now, weight);
                Some(Ready { slot, bytes, options: SetOptions::new(life.whole()) })
            }
            Err(error) => {
                // The value is outside what can be cached: it is returned and nothing else.
                self.core.stats.error(error.code());
                let name = key.map_or_else(|| self.core.name.clone(), Key::redacted);
                let error = error.with_operation(Operation::Set);
                self.engine.outage.bad_entry(&error, name, self.now());
                None
            }
        }
    }

    /// Stores what was loaded in the backend. Says whether somebody else wrote meanwhile, so that the value is out of
    /// date.
    async fn store_loaded(
        &self,
        lead: &Lead<T>,
        key: Option<&Key>,
        bytes: Option<Bytes>,
        options: &SetOptions,
        way: Way,
    ) -> bool {
        let (Some(backend), Some(key), Some(bytes)) = (self.backend(), key, bytes) else { return false };
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

    /// Runs the loader within the time allowed for it; beyond that, if `goes_on` says so when the time is spent.
    pub(in crate::engine::namespace) async fn run<R, E>(
        &self,
        loader: impl Future<Output = Result<R, E>>,
        goes_on: impl FnOnce() -> bool,
    ) -> Ran<R, E> {
        self.core.stats.loads();
        let began = Instant::now();
        // The payload of a panic goes on to the caller; nothing of ours is used after it.
        let mut loader = pin!(AssertUnwindSafe(loader).catch_unwind());
        let ran = match self.settings.load_timeout {
            None => loader.await,
            Some(limit) => match tokio::time::timeout(limit, loader.as_mut()).await {
                Ok(ran) => ran,
                Err(_elapsed) if goes_on() => loader.await,
                Err(_elapsed) => {
                    self.note_load(false, began);
                    return Ran::TimedOut;
                }
            },
        };
        self.note_load(matches!(ran, Ok(Ok(_))), began);
        ran.map_or_else(Ran::Panicked, Ran::Done)
    }

    /// The span of the loader of one key.
    pub(super) fn load_span(&self, local: &LocalKey) -> Span {
        spans::load(&self.core.name, || self.stored_key(local).ok().map(|key| key.redacted()))
    }

    /// Takes note of a load that has come to an end.
    fn note_load(&self, ok: bool, began: Instant) {
        if ok {
            self.core.stats.load_successes()
        } else {
            self.core.stats.load_failures()
        }
        #[cfg(feature = "metrics")]
        self.core.load_times.record(ok, began.elapsed());
        #[cfg(not(feature = "metrics"))]
        let _ = began;
    }
}

/// A loaded value, ready to be stored.
struct Ready {
    slot: Option<Slot>,
    bytes: Option<Bytes>,
    options: SetOptions,
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

pub(in crate::engine::namespace) const FAILED: &str = "the loader failed";
pub(in crate::engine::namespace) const PANICKED: &str = "the loader panicked";
pub(in crate::engine::namespace) const TIMED_OUT: &str = "the loader did not finish within the `load_timeout`";
