//! Many keys at once: looking up, storing, taking away.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::join_all;
use tracing::Instrument;

use super::Namespace;
use super::read::Found;
use super::write::Undo;
use crate::engine::loaded::Loaded;
use crate::engine::local_key::LocalKey;
use crate::engine::outage::concerns_entry;
use crate::engine::spans;
use crate::engine::staleness::Loads;
use crate::engine::traffic::Visit;
use crate::{Error, ErrorCode, IntoKey, Key, Operation, Result, SetOptions, Write};

impl<T: Send + Sync + 'static, L: Loads> Namespace<T, L> {
    /// [`get`](Self::get) for each of `keys`, in one request to the backend. The answers are in the order of the keys.
    ///
    /// # Errors
    /// Per element, as for [`get`](Self::get): one that cannot be read does not spoil the rest.
    pub async fn get_many<K: IntoKey>(&self, keys: &[K]) -> Vec<Result<Option<Arc<T>>>> {
        let locals: Vec<LocalKey> = keys.iter().map(|key| self.place.local_key(key)).collect();
        let mut answers: Vec<Option<Result<Option<Arc<T>>>>> = locals
            .iter()
            .map(|local| {
                let found = self.in_l1(local).inspect(|_| self.core.stats.l1_hits());
                let found = found.or_else(|| self.in_l1_past_due(local)).map(Ok);
                found.or_else(|| self.place.check(local).err().map(Err))
            })
            .collect();
        let missing: Vec<usize> = (0..locals.len()).filter(|&at| answers[at].is_none()).collect();
        let wanted: Vec<LocalKey> = missing.iter().map(|&at| locals[at].clone()).collect();
        for (at, answer) in missing.into_iter().zip(self.look_many_and_keep(&wanted).await) {
            answers[at] = Some(answer);
        }
        answers.into_iter().flatten().collect()
    }

    /// [`set`](Self::set) for each of `entries`, in one request to the backend. The answers are in the order of the
    /// entries; of two with the same key the later one stays.
    ///
    /// # Errors
    /// Per element, as for [`set`](Self::set).
    pub async fn set_many<K: IntoKey, V: Into<Loaded<T>>>(&self, entries: Vec<(K, V)>) -> Vec<Result<()>> {
        let unfenced =
            self.backend().filter(|backend| backend.abilities().fenced.is_none()).zip(self.core.codec.as_ref());
        let Some((backend, codec)) = unfenced else {
            return self.set_each(entries).await;
        };
        if let Err(error) = self.engine.check_open() {
            return entries.iter().map(|_| Err(error.clone())).collect();
        }
        let now = self.now();
        let mut answers = Vec::with_capacity(entries.len());
        let (mut writes, mut visits) = (Vec::new(), Vec::new());
        for (at, (key, value)) in entries.into_iter().enumerate() {
            let local = self.place.local_key(&key);
            let Loaded { value, ttl } = value.into();
            let life = self.whole_life(self.life(ttl, true));
            let encoded = self.stored_key(&local).and_then(|key| {
                let bytes = self.encode(codec, &key, Some(&value), life)?;
                Ok(Write::new(key, bytes, SetOptions::new(life.whole())))
            });
            match encoded {
                Err(error) => answers.push(Err(error)),
                Ok(write) => {
                    answers.push(Ok(()));
                    let slot = self.slot(Some(value), &life.ages(), now, write.value.len());
                    let visit = self.core.traffic.begin_write(&local);
                    visits.push((Undo::new(self, &write.key), visit, at, slot));
                    writes.push(write);
                }
            }
        }
        let stored = self.call_many(Operation::SetMany, writes.len(), backend.set_many(&writes)).await;
        for ((mut undo, visit, at, slot), stored) in visits.into_iter().zip(stored) {
            match stored {
                Ok(()) => {
                    undo.disarm();
                    self.core.stats.stores();
                    visit.commit(slot);
                }
                Err(error) => {
                    if concerns_entry(error.code()) {
                        undo.disarm();
                    }
                    // Before the visit ends, so that nobody believes the backend in between.
                    drop(undo);
                    answers[at] = Err(error);
                }
            }
        }
        answers
    }

    /// Each in a step of its own, as fenced writes have to be: those of different keys together, those of one key in
    /// turn.
    async fn set_each<K: IntoKey, V: Into<Loaded<T>>>(&self, entries: Vec<(K, V)>) -> Vec<Result<()>> {
        let mut turns: HashMap<LocalKey, Vec<(usize, K, V)>> = HashMap::new();
        for (at, (key, value)) in entries.into_iter().enumerate() {
            turns.entry(self.place.local_key(&key)).or_default().push((at, key, value));
        }
        let sets = turns.into_values().map(|turn| async {
            let mut answers = Vec::with_capacity(turn.len());
            for (at, key, value) in turn {
                answers.push((at, self.set(key, value).await));
            }
            answers
        });
        let mut answers: Vec<_> = join_all(sets).await.into_iter().flatten().collect();
        answers.sort_by_key(|(at, _)| *at);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    /// [`delete`](Self::delete) for each of `keys`, in one request to the backend. The answers are in the order of the
    /// keys.
    ///
    /// # Errors
    /// Per element, as for [`delete`](Self::delete).
    pub async fn delete_many<K: IntoKey>(&self, keys: &[K]) -> Vec<Result<()>> {
        let locals: Vec<LocalKey> = keys.iter().map(|key| self.place.local_key(key)).collect();
        let together = locals.iter().all(|local| self.place.check(local).is_ok());
        let Some(backend) = self.backend().filter(|backend| together && backend.abilities().fenced.is_none()) else {
            return join_all(keys.iter().map(|key| self.delete(key))).await;
        };
        if let Err(error) = self.engine.check_open() {
            return keys.iter().map(|_| Err(error.clone())).collect();
        }
        let visits: Vec<_> = locals.iter().map(|local| self.core.traffic.begin_write(local)).collect();
        let stored = match locals.iter().map(|local| self.stored_key(local)).collect::<Result<Vec<Key>>>() {
            Ok(stored) => stored,
            Err(error) => return keys.iter().map(|_| Err(error.clone())).collect(),
        };
        // Dropped before the visits: nobody believes the backend in between.
        let mut undos: Vec<Undo> = stored.iter().map(|key| Undo::new(self, key)).collect();
        let answers = self.call_many(Operation::DeleteMany, stored.len(), backend.delete_many(&stored)).await;
        for (undo, answer) in undos.iter_mut().zip(&answers) {
            if answer.is_ok() {
                undo.disarm();
            }
        }
        drop(undos);
        for (visit, answer) in visits.into_iter().zip(&answers) {
            if answer.is_ok() {
                visit.commit(None);
            }
        }
        answers
    }

    /// Asks the backend for many entries at once and keeps what it has in L1.
    async fn look_many_and_keep(&self, locals: &[LocalKey]) -> Vec<Result<Option<Arc<T>>>> {
        let visits: Vec<_> = locals.iter().map(|local| self.core.traffic.visit(local)).collect();
        let asked = self.now();
        let found = self.look_many(locals).await;
        let keep = |(visit, found): (&Visit<T>, Result<Found<T>>)| {
            Ok(self.keep(visit, found?, asked).and_then(|copy| copy.value))
        };
        visits.iter().zip(found).map(keep).collect()
    }

    /// Asks the backend for many entries at once and makes of each what it is.
    pub(super) async fn look_many(&self, locals: &[LocalKey]) -> Vec<Result<Found<T>>> {
        if let Err(error) = self.engine.check_open() {
            return locals.iter().map(|_| Err(error.clone())).collect();
        }
        let Some(backend) = self.backend().filter(|_| self.engine.is_serving() && !locals.is_empty()) else {
            return locals.iter().map(|_| Ok(Found::Nothing)).collect();
        };
        self.see();
        self.core.epoch.ask(&self.engine, self.settings.l1_ttl);
        let keys = match locals.iter().map(|local| self.stored_key(local)).collect::<Result<Vec<Key>>>() {
            Ok(keys) => keys,
            Err(error) => return locals.iter().map(|_| Err(error.clone())).collect(),
        };
        let doubts: Vec<bool> = locals.iter().zip(&keys).map(|(local, key)| self.doubts(local, key)).collect();
        let entries = self.call_many(Operation::GetMany, keys.len(), backend.get_many(&keys)).await;
        let understand = |((key, doubted), entry): ((&Key, bool), Result<Option<crate::Entry>>)| match entry? {
            Some(entry) if !doubted => self.understand(key, &entry),
            _ => Ok(Found::Nothing),
        };
        keys.iter().zip(doubts).zip(entries).map(understand).collect()
    }

    /// Makes one call of the backend for many keys, and takes note of how it went.
    pub(super) async fn call_many<R>(
        &self,
        operation: Operation,
        expected: usize,
        call: impl Future<Output = Vec<Result<R>>>,
    ) -> Vec<Result<R>> {
        if expected == 0 {
            return Vec::new();
        }
        let since = self.engine.outage.begin();
        let span = spans::call_many(&self.engine, operation, expected);
        let mut answers = match self.settings.timeout {
            None => call.instrument(span.clone()).await,
            Some(limit) => {
                tokio::time::timeout(limit, call.instrument(span.clone())).await.unwrap_or_else(|_elapsed| {
                    let message = format!("no answer within the `timeout` of {limit:?}");
                    let error = Error::new(ErrorCode::E033, message);
                    (0..expected).map(|_| Err(error.clone())).collect()
                })
            }
        };
        // A backend that answers for fewer keys than it was asked for breaks its contract; nobody must wait for the
        // rest.
        answers.resize_with(expected, || {
            Err(Error::new(ErrorCode::E066, format!("the backend did not answer for each of {expected} keys")))
        });
        match answers.iter().find_map(|answer| answer.as_ref().err()) {
            None => self.engine.outage.succeeded(),
            Some(error) => spans::failed(&span, error),
        }
        answers
            .into_iter()
            .map(|answer| answer.map_err(|error| self.note(error.with_operation(operation), since)))
            .collect()
    }
}
