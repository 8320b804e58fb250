//! Loading what nobody has of many keys, in one call of the loader.

use std::collections::HashMap;
use std::future::Future;
use std::panic::resume_unwind;
use std::sync::Arc;

use futures_util::future::join_all;
use tracing::Instrument;

use super::fence::Fence;
use super::load::{FAILED, PANICKED, Ran, TIMED_OUT, Way, Wish};
use super::read::{Copy, Found};
use super::{Namespace, typed};
use crate::engine::l1::Slot;
use crate::engine::load_error::LoadError;
use crate::engine::loaded::{Loaded, LoadedOption};
use crate::engine::local_key::LocalKey;
use crate::engine::outage::concerns_entry;
use crate::engine::settings::PATIENCE;
use crate::engine::spans;
use crate::engine::staleness::Stale;
use crate::engine::traffic::{Flight, Join, Landing, Lead, WaitGraph, Waited, Waiter};
use crate::{Acquired, IntoKey, Operation, Result};

/// A key that this caller leads.
struct Led<T: Send + Sync + 'static> {
    /// Where it stands among the distinct keys.
    at: usize,
    lead: Lead<T>,
    way: Way,
}

impl<T: Send + Sync + 'static> Namespace<T> {
    /// The values under `keys`, those that nobody has computed by one call of `loader`, which gets the missing keys
    /// only, each once.
    ///
    /// The answers are in the order of the keys: `None` where the loader brought nothing. Keys that others are loading
    /// at this moment are waited for; if their load brings nothing, they are among those that `loader` gets.
    ///
    /// Otherwise as [`get_or_load`](Self::get_or_load): the loader runs inside this call, and whatever the trouble with
    /// the cache, it runs and its values arrive.
    ///
    /// # Errors
    /// [`LoadError`], if the loader failed, unless there is an older value to serve for every key that it was to bring
    /// ([`stale_for`](crate::NamespaceBuilder::stale_for)). What was found without it is then not told.
    pub async fn get_or_load_many<K, L, W, I, V, E>(
        &self,
        keys: &[K],
        loader: L,
    ) -> Result<Vec<Option<Arc<T>>>, LoadError<E>>
    where
        K: IntoKey + Clone,
        L: FnOnce(Vec<K>) -> W,
        W: Future<Output = Result<I, E>>,
        I: IntoIterator<Item = (K, V)>,
        V: Into<Loaded<T>>,
        E: Send + Sync + 'static,
    {
        let mut distinct: Vec<(K, LocalKey)> = Vec::new();
        let mut places: HashMap<LocalKey, usize> = HashMap::new();
        let wanted: Vec<usize> = keys
            .iter()
            .map(|key| {
                let local = self.place.local_key(key);
                *places.entry(local).or_insert_with_key(|local| {
                    distinct.push((key.clone(), local.clone()));
                    distinct.len() - 1
                })
            })
            .collect();
        distinct.iter().try_for_each(|(_, local)| self.place.check(local)).map_err(LoadError::Cache)?;
        let mut values: Vec<Option<Arc<T>>> = distinct.iter().map(|_| None).collect();
        Box::pin(self.fill(&distinct, &places, &mut values, loader)).await?;
        Ok(wanted.into_iter().map(|at| values[at].clone()).collect())
    }

    async fn fill<K, L, W, I, V, E>(
        &self,
        keys: &[(K, LocalKey)],
        places: &HashMap<LocalKey, usize>,
        values: &mut [Option<Arc<T>>],
        loader: L,
    ) -> Result<(), LoadError<E>>
    where
        K: IntoKey + Clone,
        L: FnOnce(Vec<K>) -> W,
        W: Future<Output = Result<I, E>>,
        I: IntoIterator<Item = (K, V)>,
        V: Into<Loaded<T>>,
        E: Send + Sync + 'static,
    {
        let mut graph = WaitGraph::current();
        let (mut led, mut waiters, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for (at, (_, local)) in keys.iter().enumerate() {
            if !self.engine.is_serving() {
                rest.push(at);
                continue;
            }
            // Looked at first without the table's lock: most keys of most batches are here.
            if let Some(Some(value)) = self.in_l1(local) {
                self.core.stats.l1_hits();
                values[at] = Some(value);
                continue;
            }
            if let Some(Some(value)) = self.in_l1_past_due(local) {
                values[at] = Some(value);
                continue;
            }
            match self.core.traffic.join(local, |slot| self.is_live(slot.fresh) && slot.value.is_some()) {
                Join::Hit(slot) => {
                    self.core.stats.l1_hits();
                    values[at] = typed(slot.value);
                }
                Join::Wait(waiter) => waiters.push((at, waiter)),
                Join::Lead(mut lead) => {
                    if let Some(slot) = lead.take_kept() {
                        self.fall_back_to_slot(&lead, &slot);
                    }
                    graph = graph.and(lead.flight().id());
                    led.push(Led { at, lead, way: Way::NotAtAll });
                }
            }
        }
        let flights: Vec<_> = led.iter().map(|led| Arc::clone(led.lead.flight())).collect();
        let work = graph.clone().scope(async {
            let led = self.look_for_led(keys, led, values).await;
            let waits = waiters.into_iter().map(|(at, waiter)| self.wait_for_other(&graph, &keys[at].1, at, waiter));
            for (at, value) in join_all(waits).await {
                match value {
                    Some(value) => values[at] = Some(value),
                    None => rest.push(at),
                }
            }
            self.load_rest(keys, places, led, rest, values, loader).await
        });
        Flight::led_together(&flights, work).await
    }

    /// Looks in the backend for the keys that this caller leads. Gives back those that have to be loaded.
    async fn look_for_led<K>(
        &self,
        keys: &[(K, LocalKey)],
        led: Vec<Led<T>>,
        values: &mut [Option<Arc<T>>],
    ) -> Vec<Led<T>> {
        if self.backend().is_none() {
            return led;
        }
        let asked = self.now();
        let locals: Vec<LocalKey> = led.iter().map(|led| keys[led.at].1.clone()).collect();
        let mut missing = Vec::new();
        for (mut led, found) in led.into_iter().zip(self.look_many(&locals).await) {
            let mut refused = None;
            match found {
                Ok(Found::Live(copy)) if copy.value.is_some() => {
                    self.core.stats.backend_hits();
                    values[led.at] = self.land(led.lead, copy, asked);
                    continue;
                }
                Ok(found) => led.way = self.fall_back(&led.lead, &found, WISH, asked),
                Err(error) => {
                    if concerns_entry(error.code()) {
                        led.way = Way::Plainly;
                    }
                    refused = Some(error);
                }
            }
            self.core.stats.misses();
            led.lead.loading(refused);
            missing.push(led);
        }
        let Some(fenced) =
            self.backend().and_then(|backend| backend.abilities().fenced).filter(|_| self.settings.fenced)
        else {
            return missing;
        };
        let fences = missing.iter().map(|led| async {
            let Way::Plainly = led.way else { return Fencing::Without };
            let Ok(key) = self.stored_key(&keys[led.at].1) else { return Fencing::Without };
            // One attempt: while another process loads some of the keys, the others must not wait.
            let fence = Fence::new(&self.engine, &key);
            let doubted = self.doubts(&keys[led.at].1, &key);
            match self.call(Operation::Acquire, &key, fence.take(fenced)).await {
                Ok(Acquired::Granted { found: Some(entry) }) if !doubted => match self.understand(&key, &entry) {
                    Ok(Found::Live(copy)) if copy.value.is_some() => Fencing::Found(copy),
                    Ok(Found::Newer) => Fencing::Without,
                    _ => Fencing::Held(fence),
                },
                Ok(Acquired::Granted { .. }) => Fencing::Held(fence),
                Ok(Acquired::Held) => {
                    fence.forget();
                    Fencing::Without
                }
                Err(error) => {
                    fence.not_taken(error);
                    Fencing::Without
                }
            }
        });
        let fences = join_all(fences).await;
        let mut left = Vec::new();
        for (mut led, fencing) in missing.into_iter().zip(fences) {
            led.way = match fencing {
                Fencing::Held(fence) => Way::Under(fence),
                Fencing::Without => Way::NotAtAll,
                Fencing::Found(copy) => {
                    values[led.at] = self.land(led.lead, copy, asked);
                    continue;
                }
            };
            left.push(led);
        }
        left
    }

    /// Waits for the load of another caller. `None` if nothing came of it, or if waiting would never end.
    async fn wait_for_other(
        &self,
        graph: &WaitGraph,
        local: &LocalKey,
        at: usize,
        waiter: Waiter<T>,
    ) -> (usize, Option<Arc<T>>) {
        let flight = Arc::clone(waiter.flight());
        let Some(_waits) = graph.wait_for(flight.id()) else { return (at, None) };
        self.core.stats.waits();
        match waiter.landing(PATIENCE, |stale| self.when_late(stale, false)).await {
            Waited::Landed(Landing::Found(value)) => (at, value),
            Waited::Late(stale) => (at, self.serve(stale)),
            // If the load of the batch fails too, it is looked for then.
            Waited::Landed(_) => (at, None),
            Waited::Stalled => {
                self.core.traffic.take_over(local, &flight);
                (at, None)
            }
        }
    }

    /// Runs the loader for what nobody had, stores what it brings for the keys that this caller leads, and lands.
    async fn load_rest<K, L, W, I, V, E>(
        &self,
        keys: &[(K, LocalKey)],
        places: &HashMap<LocalKey, usize>,
        led: Vec<Led<T>>,
        rest: Vec<usize>,
        values: &mut [Option<Arc<T>>],
        loader: L,
    ) -> Result<(), LoadError<E>>
    where
        K: IntoKey + Clone,
        L: FnOnce(Vec<K>) -> W,
        W: Future<Output = Result<I, E>>,
        I: IntoIterator<Item = (K, V)>,
        V: Into<Loaded<T>>,
        E: Send + Sync + 'static,
    {
        let missing: Vec<K> =
            led.iter().map(|led| led.at).chain(rest.iter().copied()).map(|at| keys[at].0.clone()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let fenced = self.backend().and_then(|backend| backend.abilities().fenced);
        let fences = led.iter().filter_map(|led| match &led.way {
            Way::Under(fence) => Some(fence),
            _ => None,
        });
        let span = spans::load_many(&self.core.name, missing.len());
        let loading = async move { loader(missing).await }.instrument(span);
        let ran = Fence::hold_all_during(fences, fenced, self.run(loading, || false)).await;
        let brought = match ran {
            Ran::Done(Ok(brought)) => brought,
            Ran::Done(Err(error)) => {
                let error = Arc::new(error);
                let landing = || Landing::Failed(Arc::clone(&error) as Arc<_>);
                let served = self.fall_back_all(keys, led, &rest, values, FAILED, landing);
                return served.ok_or(LoadError::Loader(error));
            }
            Ran::TimedOut => {
                let served = self.fall_back_all(keys, led, &rest, values, TIMED_OUT, || Landing::TimedOut);
                return served.ok_or(LoadError::TimedOut);
            }
            Ran::Panicked(payload) => {
                return match self.fall_back_all(keys, led, &rest, values, PANICKED, || Landing::Panicked) {
                    Some(()) => Ok(()),
                    None => resume_unwind(payload),
                };
            }
        };
        let mut loaded: HashMap<usize, Loaded<T>> = HashMap::new();
        for (key, value) in brought {
            // What was not asked for is not kept: nobody leads it.
            if let Some(&at) = places.get(&self.place.local_key(&key)) {
                loaded.insert(at, value.into());
            }
        }
        for (&at, loaded) in &loaded {
            values[at] = Some(Arc::clone(&loaded.value));
        }
        let stores = led.into_iter().filter_map(|led| match loaded.remove(&led.at) {
            None => {
                // There is none any more.
                led.lead.forget(|slot| self.is_over(slot));
                led.lead.land(Landing::Missed, None);
                None
            }
            Some(loaded) => Some(async move {
                let key = self.backend().and_then(|_| self.stored_key(&keys[led.at].1).ok());
                self.store_and_land(led.lead, key.as_ref(), LoadedOption::from(loaded), led.way).await;
            }),
        });
        join_all(stores).await;
        Ok(())
    }

    /// Serves the older values of all keys for which the loader did not come up, and lands. `None` if one has none: then
    /// the caller is told of the failure.
    fn fall_back_all<K>(
        &self,
        keys: &[(K, LocalKey)],
        led: Vec<Led<T>>,
        rest: &[usize],
        values: &mut [Option<Arc<T>>],
        why: &'static str,
        landing: impl Fn() -> Landing<T>,
    ) -> Option<()> {
        let mut stale: Vec<(usize, Option<Stale<T>>)> =
            rest.iter().map(|&at| (at, self.stale_in_l1(&keys[at].1))).collect();
        for led in led {
            let fallback = self.fallback(&led.lead, false);
            let landing = match &fallback {
                Some(stale) => Landing::Fallback(stale.clone(), Box::new(landing())),
                None => landing(),
            };
            led.lead.land(landing, None);
            stale.push((led.at, fallback));
        }
        if stale.iter().any(|(_, stale)| stale.is_none()) {
            return None;
        }
        self.engine.outage.bad_load(why, self.core.name.clone(), self.now());
        for (at, stale) in stale {
            values[at] = stale.and_then(|stale| self.serve(stale));
        }
        Some(())
    }

    fn stale_in_l1(&self, local: &LocalKey) -> Option<Stale<T>> {
        let Slot { value, kept, .. } = self.engine.l1.get(local)?;
        Some(Stale { value: typed(value), until: kept }).filter(|stale| self.accepts(stale, false))
    }
}

/// How trying to take the fence of one key of many ended.
enum Fencing<T> {
    Held(Fence),
    Found(Copy<T>),
    Without,
}

/// What each key of a batch is loaded for.
const WISH: Wish = Wish { absent_will_do: false, refresh: false, owned: false };
