//! Looking up: L1, then the backend.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::Namespace;
use crate::engine::codec::{Ages, Decoded};
use crate::engine::local_key::LocalKey;
use crate::engine::outage::{Since, concerns_entry};
use crate::engine::settings::PATIENCE;
use crate::engine::spans;
use crate::engine::staleness::Loads;
use crate::engine::traffic::{Join, Landing, Lead, Visit, Waited};
use crate::{Entry, Error, ErrorCode, IntoKey, Key, Moment, Operation, Remaining, Result};

/// What the backend has under a key.
pub(super) enum Found<T> {
    /// A live value, or the knowledge that there is none.
    Live(Copy<T>),
    /// One that is past its freshness, and kept for hard times.
    Stale(Copy<T>),
    /// Nothing that is alive.
    Nothing,
    /// Something that is not to be touched: a later release wrote it.
    Newer,
}

/// What an entry turned out to be a copy of.
pub(super) struct Copy<T> {
    pub(super) value: Option<Arc<T>>,
    pub(super) ages: Ages,
    /// What it weighs encoded.
    pub(super) encoded: usize,
}

impl<T: Send + Sync + 'static, L: Loads> Namespace<T, L> {
    /// The value under `key`: `None` if there is none, and if it is known that there is none.
    ///
    /// Callers who ask for one key at once share one request to the backend.
    ///
    /// # Errors
    /// The backend's, E021 and E003 for an entry that cannot be read, E033 beyond the `timeout`, E036 on a closed
    /// cache; in the interop layout E042 for what is no key there.
    pub async fn get<K: IntoKey>(&self, key: K) -> Result<Option<Arc<T>>> {
        if let Some(found) = self.find(&key) {
            return Ok(found);
        }
        self.miss(self.place.local_key(&key)).await
    }

    /// The value under `key` if L1 has it: no I/O, no waiting.
    #[inline]
    pub fn peek<K: IntoKey>(&self, key: K) -> Option<Arc<T>> {
        match self.find(&key) {
            Some(found) => found,
            None => self.in_l1_past_due(&self.place.local_key(&key)).flatten(),
        }
    }

    /// Whether there is a value under `key`.
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    pub async fn exists<K: IntoKey>(&self, key: K) -> Result<bool> {
        Ok(self.get(key).await?.is_some())
    }

    /// How long the value under `key` still lives: `None` if there is none. Asks the backend, not L1's copy.
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    pub async fn ttl<K: IntoKey>(&self, key: K) -> Result<Option<Remaining>> {
        let local = self.place.local_key(&key);
        if self.backend().is_none() {
            self.engine.check_open()?;
            let slot = self.engine.l1.get(&local).filter(|slot| slot.value.is_some() && self.is_live(slot.fresh));
            return Ok(slot.map(|slot| match slot.fresh {
                Moment::FAR => Remaining::Never,
                fresh => Remaining::For(fresh.since(self.now())),
            }));
        }
        self.engine.check_open()?;
        if !self.engine.is_serving() {
            return Ok(None);
        }
        // Asked alone: those who share an answer learn the value only.
        let found = self.read_alone(&local).await?;
        Ok(found.and_then(|copy| copy.value.map(|_| copy.ages.fresh)))
    }

    /// Apart and boxed, so that the future of a hit is small and its way is straight.
    #[cold]
    fn miss(&self, local: LocalKey) -> BoxFuture<'_, Result<Option<Arc<T>>>> {
        Box::pin(self.get_beyond_l1(local))
    }

    /// Asks the backend, together with whoever asks for the same key now.
    async fn get_beyond_l1(&self, local: LocalKey) -> Result<Option<Arc<T>>> {
        let local = &local;
        if let Some(found) = self.in_l1_past_due(local) {
            return Ok(found);
        }
        self.engine.check_open()?;
        self.place.check(local)?;
        if !self.engine.is_serving() || self.backend().is_none() {
            self.core.stats.misses();
            return Ok(None);
        }
        loop {
            // A flight that already loads is not waited for: its loader may take long, and this caller wants no load.
            let Some(waiter) = self.core.traffic.reading(local) else { break };
            self.core.stats.waits();
            let flight = Arc::clone(waiter.flight());
            match waiter.reading(PATIENCE).await {
                None | Some(Waited::Landed(Landing::Missed)) => return Ok(None),
                Some(Waited::Landed(Landing::Found(value))) => return Ok(value),
                Some(Waited::Landed(Landing::Refused(error))) => return Err(error),
                Some(Waited::Stalled) => self.core.traffic.take_over(local, &flight),
                Some(Waited::Landed(_) | Waited::Late(_)) => {}
            }
        }
        match self.core.traffic.join(local, |_| false) {
            Join::Lead(lead) => {
                let flight = Arc::clone(lead.flight());
                flight.led(self.read_as_leader(lead, local)).await
            }
            // A load came between; it is not waited for.
            Join::Wait(_) | Join::Hit(_) => Ok(self.read_alone(local).await?.and_then(|copy| copy.value)),
        }
    }

    async fn read_as_leader(&self, lead: Lead<T>, local: &LocalKey) -> Result<Option<Arc<T>>> {
        let asked = self.now();
        match self.look(local).await {
            Ok(Found::Live(copy)) => {
                self.core.stats.backend_hits();
                Ok(self.land(lead, copy, asked))
            }
            Ok(Found::Stale(copy)) => {
                self.core.stats.misses();
                let slot = self.slot(copy.value, &copy.ages, asked, copy.encoded);
                lead.land(Landing::Missed, slot);
                Ok(None)
            }
            Ok(Found::Nothing | Found::Newer) => {
                self.core.stats.misses();
                lead.forget(|slot| self.is_over(slot));
                lead.land(Landing::Missed, None);
                Ok(None)
            }
            Err(error) => {
                lead.land(Landing::Refused(error.clone()), None);
                Err(error)
            }
        }
    }

    async fn read_alone(&self, local: &LocalKey) -> Result<Option<Copy<T>>> {
        let visit = self.core.traffic.visit(local);
        let asked = self.now();
        Ok(self.keep(&visit, self.look(local).await?, asked))
    }

    /// Keeps what was found in L1, and hands it over if it is fresh.
    pub(super) fn keep(&self, visit: &Visit<T>, found: Found<T>, asked: Moment) -> Option<Copy<T>> {
        let (copy, fresh) = match found {
            Found::Live(copy) => (copy, true),
            Found::Stale(copy) => (copy, false),
            Found::Nothing | Found::Newer => {
                self.core.stats.misses();
                if self.backend().is_some() {
                    visit.forget(|slot| self.is_over(slot));
                }
                return None;
            }
        };
        if let Some(slot) = self.slot(copy.value.clone(), &copy.ages, asked, copy.encoded) {
            visit.keep(slot);
        }
        if !fresh {
            self.core.stats.misses();
            return None;
        }
        self.core.stats.backend_hits();
        Some(copy)
    }

    /// Asks the backend for one entry and makes of it what it is.
    pub(super) async fn look(&self, local: &LocalKey) -> Result<Found<T>> {
        let Some(backend) = self.backend() else { return Ok(Found::Nothing) };
        self.see();
        self.core.epoch.ask(&self.engine, self.settings.l1_ttl);
        let key = self.stored_key(local)?;
        if self.doubts(local, &key) {
            return Ok(Found::Nothing);
        }
        let entry = self.call(Operation::Get, &key, backend.get(&key)).await?;
        entry.map_or(Ok(Found::Nothing), |entry| self.understand(&key, &entry))
    }

    /// Whether what the backend has is not to be believed. Asked before the backend is: what was in doubt at that
    /// moment may have been read.
    pub(super) fn doubts(&self, local: &LocalKey, key: &Key) -> bool {
        // In this order: a store in doubt that ends leaves a repair.
        self.core.traffic.doubts(local) || self.engine.repairs.distrusts(key)
    }

    /// Makes of an entry what it is.
    pub(super) fn understand(&self, key: &Key, entry: &Entry) -> Result<Found<T>> {
        let Some(codec) = &self.core.codec else { return Ok(Found::Nothing) };
        let copy = |value: Option<T>, ages| Copy { value: value.map(Arc::new), ages, encoded: entry.value.len() };
        match codec.decode(key, self.place.tenant(), entry, &self.core.epoch, self.wall()) {
            Ok(Decoded::Live(value, ages)) => Ok(Found::Live(copy(value, ages))),
            Ok(Decoded::Stale(value, ages)) => Ok(Found::Stale(copy(value, ages))),
            Ok(Decoded::Ended) => Ok(Found::Nothing),
            Ok(Decoded::Newer) => Ok(Found::Newer),
            Err(error) => {
                self.core.stats.error(error.code());
                let error = error.with_operation(Operation::Get).with_key(key);
                self.engine.outage.bad_entry(&error, key.redacted(), self.now());
                Err(error)
            }
        }
    }

    /// Makes one call of the backend within the time allowed for it, and takes note of how it went.
    pub(super) async fn call<R>(
        &self,
        operation: Operation,
        key: &Key,
        call: impl Future<Output = Result<R>>,
    ) -> Result<R> {
        let since = self.engine.outage.begin();
        let timely = async {
            match self.settings.timeout {
                None => call.await,
                Some(limit) => tokio::time::timeout(limit, call).await.unwrap_or_else(|_elapsed| {
                    Err(Error::new(ErrorCode::E033, format!("no answer within the `timeout` of {limit:?}")))
                }),
            }
        };
        match spans::within(spans::call(&self.engine, operation, Some(key)), timely).await {
            Ok(answer) => {
                self.engine.outage.succeeded();
                Ok(answer)
            }
            Err(error) => Err(self.note(error.with_operation(operation).with_key(key), since)),
        }
    }

    /// Takes note of an error that the backend reported.
    pub(super) fn note(&self, mut error: Error, since: Since) -> Error {
        self.core.stats.error(error.code());
        if error.backend_name().is_none()
            && let Some(backend) = self.backend()
        {
            error = error.with_backend(backend.name().to_owned());
        }
        if !concerns_entry(error.code()) {
            self.engine.outage.failed(&error, since, self.now());
        }
        error
    }
}
