//! Storing and taking away.

use std::sync::Arc;

use super::Namespace;
use super::fence::Fence;
use super::read::{Copy, Found};
use crate::engine::cache::Engine;
use crate::engine::epoch::{self, Epoch};
use crate::engine::l1::Slot;
use crate::engine::loaded::Loaded;
use crate::engine::local_key::LocalKey;
use crate::engine::outage::concerns_entry;
use crate::engine::spans::tell;
use crate::engine::staleness::Loads;
use crate::{Acquired, Error, ErrorCode, IntoKey, Key, Operation, Result, SetOptions, Ttl};

/// What became of an [`invalidate`](Namespace::invalidate).
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use = "`Failed` says that an old value may still be served"]
pub enum Invalidation {
    /// The entry is gone.
    Confirmed,
    /// The backend did not acknowledge. The delete is repeated in the background until it does, and until then this
    /// process believes nothing that the backend has under the key.
    ///
    /// If too many wait already (100,000), this process believes no entry of the namespace any more that is older than
    /// this moment; and where the backend [counts](crate::Counting), neither do others, within their `l1_ttl` after the
    /// backend is back: the epoch of the namespace is raised.
    Pending,
    /// The backend did not acknowledge, and the delete cannot be repeated either: too many wait already and the backend
    /// does not count (then this process still believes no older entry of the namespace), the cache is closed, or there
    /// is no runtime. The entry ends when its life does.
    Failed(Error),
}

impl<T: Send + Sync + 'static, L: Loads> Namespace<T, L> {
    /// Stores `value` under `key`: a plain value, an `Arc`, or a [`Loaded`] that says how long it lives.
    ///
    /// A load of this key that runs anywhere does not overwrite it, where the backend is [fenced](crate::Fenced).
    ///
    /// # Errors
    /// E020 or E022 for a value that cannot be stored, and E042 for what is no key in the interop layout, before any I/O; the backend's; E033 beyond the `timeout`; E036
    /// on a closed cache. When the backend failed it may have stored the value or not: no copy is kept in L1, and the
    /// entry is deleted in the background as soon as the backend is back. It is never written again.
    pub async fn set<K: IntoKey>(&self, key: K, value: impl Into<Loaded<T>>) -> Result<()> {
        self.engine.check_open()?;
        let local = self.place.local_key(&key);
        self.place.check(&local)?;
        let Loaded { value, ttl } = value.into();
        let life = self.whole_life(self.life(ttl, true));
        let now = self.now();
        let Some((backend, codec)) = self.backend().zip(self.core.codec.as_ref()) else {
            let weight = self.core.codec.as_ref().map_or(Ok(0), |codec| codec.measure(Some(&value)))?;
            let visit = self.core.traffic.begin_write(&local);
            self.core.stats.stores();
            visit.commit(self.slot(Some(value), &life.ages(), now, weight));
            return Ok(());
        };
        let key = self.stored_key(&local)?;
        let bytes = self.encode(codec, &key, Some(&value), life)?;
        let (options, weight) = (SetOptions::new(life.whole()), bytes.len());
        let visit = self.core.traffic.begin_write(&local);
        let call = async {
            match backend.abilities().fenced {
                Some(fenced) => fenced.set_and_revoke(&key, bytes, &options).await,
                None => backend.set(&key, bytes, &options).await,
            }
        };
        // Dropped before the visit: nobody believes the backend in between.
        let mut undo = Undo::new(self, &key);
        let stored = self.call(Operation::Set, &key, call).await;
        if stored.as_ref().map_or_else(|error| concerns_entry(error.code()), |()| true) {
            undo.disarm();
        }
        stored?;
        self.core.stats.stores();
        visit.commit(self.slot(Some(value), &life.ages(), now, weight));
        Ok(())
    }

    /// Takes the value under `key` away, everywhere, stale copies included. Success also if there is none.
    ///
    /// A load that runs meanwhile, in this process or another, does not bring it back, where the backend is
    /// [fenced](crate::Fenced); in this process never.
    ///
    /// # Errors
    /// The backend's; E033 beyond the `timeout`; E036 on a closed cache. The copy in L1 is gone in any case, and a
    /// delete that the backend did not acknowledge, or that was dropped, is repeated in the background. After a commit, where there is nobody to hand an error to, see [`invalidate`](Self::invalidate).
    pub async fn delete<K: IntoKey>(&self, key: K) -> Result<()> {
        self.engine.check_open()?;
        let local = self.place.local_key(&key);
        let visit = self.core.traffic.begin_write(&local);
        let mut undo = self.undo(&local)?;
        self.delete_stored(&local).await?;
        undo.iter_mut().for_each(Undo::disarm);
        visit.commit(None);
        Ok(())
    }

    /// Takes the value under `key` away, for after a commit: what cannot be done now is done later.
    ///
    /// If this is dropped before it is done, it is done in the background.
    pub async fn invalidate<K: IntoKey>(&self, key: K) -> Invalidation {
        if let Err(error) = self.engine.check_open() {
            return Invalidation::Failed(error);
        }
        let local = self.place.local_key(&key);
        // Held until the repair is noted: nobody believes the backend in between.
        let visit = self.core.traffic.begin_write(&local);
        let mut undo = match self.undo(&local) {
            Ok(undo) => undo,
            Err(error) => return Invalidation::Failed(error),
        };
        match self.delete_stored(&local).await {
            Ok(()) => {
                undo.iter_mut().for_each(Undo::disarm);
                visit.commit(None);
                Invalidation::Confirmed
            }
            Err(error) => match undo.map_or(Ok(()), Undo::carry_out) {
                Ok(()) => Invalidation::Pending,
                Err(why) => {
                    tell!(error, &error, (%why), "delete neither done nor to be repeated");
                    Invalidation::Failed(error)
                }
            },
        }
    }

    /// Gives the value under `key` a new life, counted from now. `false` if there is none, or if another process is
    /// loading it right now.
    ///
    /// The entry is read and written again, because its end stands in it too.
    ///
    /// # Errors
    /// As for [`set`](Self::set) and [`get`](Self::get).
    pub async fn touch<K: IntoKey>(&self, key: K, ttl: Ttl) -> Result<bool> {
        self.engine.check_open()?;
        let local = self.place.local_key(&key);
        let now = self.now();
        let life = self.whole_life(ttl);
        let Some((backend, codec)) = self.backend().zip(self.core.codec.as_ref()) else {
            let (visit, slot) = self.core.traffic.begin_rewrite(&local);
            let Some(slot) = slot.filter(|slot| slot.value.is_some() && self.is_live(slot.fresh)) else {
                return Ok(false);
            };
            let renewed = self.slot(None, &life.ages(), now, 0);
            visit.commit(renewed.map(|renewed| Slot { value: slot.value, weight: slot.weight, ..renewed }));
            return Ok(true);
        };
        let key = self.stored_key(&local)?;
        let visit = self.core.traffic.begin_write(&local);
        let options = SetOptions::new(life.whole());
        let encode = |value: &T| self.encode(codec, &key, Some(value), life);
        if let Some(fenced) = backend.abilities().fenced {
            // Under the fence, so that a newer value which comes between is not replaced by the one that was read.
            let fence = Fence::new(&self.engine, &key);
            let doubted = self.doubts(&local, &key);
            let taken = match self.call(Operation::Acquire, &key, fence.take(fenced)).await {
                Ok(taken) => taken,
                Err(error) => return Err(fence.not_taken(error)),
            };
            let value = match taken {
                Acquired::Granted { found: Some(entry) } if !doubted => match self.understand(&key, &entry)? {
                    Found::Live(Copy { value: Some(value), .. }) => value,
                    _ => return Ok(false),
                },
                Acquired::Granted { .. } => return Ok(false),
                Acquired::Held => {
                    fence.forget();
                    return Ok(false);
                }
            };
            let bytes = encode(&value)?;
            let weight = bytes.len();
            if self.call(Operation::Renew, &key, fence.store(fenced, bytes, &options)).await? {
                visit.commit(self.slot(Some(value), &life.ages(), now, weight));
            }
            // Otherwise somebody stored a value with a life of its own, or took it away.
            return Ok(true);
        }
        let Found::Live(Copy { value: Some(value), .. }) = self.look(&local).await? else { return Ok(false) };
        let bytes = encode(&value)?;
        let weight = bytes.len();
        // Somebody stores a value with a life of its own, or takes it away.
        let Some(_until_undone) = visit.store() else { return Ok(true) };
        let mut undo = Undo::new(self, &key);
        let stored = self.call(Operation::Renew, &key, backend.set(&key, bytes, &options)).await;
        undo.spare(&stored);
        stored?;
        if visit.commit(self.slot(Some(value), &life.ages(), now, weight)) {
            undo.disarm();
        }
        Ok(true)
    }

    /// Takes every value of the namespace away; through a tenant's handle, every value of that tenant.
    ///
    /// # Errors
    /// E047 if the backend cannot do it, before anything was touched; the backend's, after which some values may be
    /// gone and some not; E033 beyond the `timeout`; E036 on a closed cache.
    pub async fn clear(&self) -> Result<()> {
        self.engine.check_open()?;
        let Some(backend) = self.backend() else {
            self.core.traffic.all_changed(&self.place);
            return Ok(());
        };
        let Some(clearable) = backend.abilities().clearable else {
            let message = format!("clear: backend {:?} cannot remove all entries of a namespace", backend.name());
            return Err(Error::new(ErrorCode::E047, message).with_operation(Operation::Clear));
        };
        let prefix = self.place.stored_prefix()?;
        let key = Key::new(prefix.as_str())?;
        let _visit = self.core.traffic.begin_clear(&self.place);
        self.call(Operation::Clear, &key, clearable.clear(&prefix)).await
    }

    /// What deletes the entry later, unless it is disarmed. `None` without a backend.
    pub(super) fn undo(&self, local: &LocalKey) -> Result<Option<Undo>> {
        self.backend().map(|_| Ok(Undo::new(self, &self.stored_key(local)?))).transpose()
    }

    pub(super) async fn delete_stored(&self, local: &LocalKey) -> Result<()> {
        let Some(backend) = self.backend() else { return Ok(()) };
        let key = self.stored_key(local)?;
        let call = async {
            match backend.abilities().fenced {
                Some(fenced) => fenced.delete_and_revoke(&key).await,
                None => backend.delete(&key).await,
            }
        };
        self.call(Operation::Delete, &key, call).await
    }
}

/// Deletes an entry in the background if it is not known what became of it.
///
/// For deletes and stores that were dropped in mid-call or failed, and for stores of what was loaded on a backend without
/// fences: overtaken by another write of this process, only the backend knows which value it has. A miss is always
/// right.
pub(super) struct Undo {
    engine: Arc<Engine>,
    epoch: Arc<Epoch>,
    key: Option<Key>,
}

impl Undo {
    pub(super) fn new<T, L>(namespace: &Namespace<T, L>, key: &Key) -> Self {
        let (engine, epoch) = (Arc::clone(&namespace.engine), Arc::clone(&namespace.core.epoch));
        Self { engine, epoch, key: Some(key.clone()) }
    }

    /// The entry is what it should be.
    pub(super) fn disarm(&mut self) {
        self.key = None;
    }

    /// The entry is what it was, if the request never left.
    pub(super) fn spare<R>(&mut self, stored: &Result<R>) {
        if stored.as_ref().is_err_and(Error::is_unsent) {
            self.disarm();
        }
    }

    /// Deletes the entry in the background. E032 and E036 as for [`epoch::delete_later`].
    fn carry_out(mut self) -> Result<()> {
        self.key.take().map_or(Ok(()), |key| epoch::delete_later(&self.engine, &self.epoch, key))
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        if let Some(key) = self.key.take()
            && let Err(error) = epoch::delete_later(&self.engine, &self.epoch, key.clone())
        {
            let error = error.with_operation(Operation::Delete).with_key(&key);
            tell!(warn, &error, "entry of unknown value not removed, it ends with its life");
        }
    }
}
