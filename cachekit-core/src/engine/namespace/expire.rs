//! Ending a value's life, and keeping it for hard times.

use std::time::Duration;

use super::Namespace;
use super::fence::Fence;
use super::read::{Copy, Found};
use super::write::Undo;
use crate::engine::codec::Life;
use crate::engine::l1::Slot;
use crate::engine::local_key::LocalKey;
use crate::engine::outage::concerns_entry;
use crate::engine::staleness::Loads;
use crate::engine::traffic::{Store, WriteVisit};
use crate::{Acquired, IntoKey, Operation, Remaining, Result, SetOptions, Ttl};

/// What is kept of a value whose life has ended, and what says, until it is dropped, that the backend may have another.
type Expired<T> = (Copy<T>, Option<Store<T>>);

impl<T: Send + Sync + 'static, L: Loads> Namespace<T, L> {
    /// Ends the life of the value under `key` now, and keeps it for hard times:
    /// [`stale_for`](crate::NamespaceBuilder::stale_for), from now on and no longer than it would have been kept anyway.
    /// Where nothing is kept for hard times, and where the value is being loaded right now, it does what
    /// [`delete`](Self::delete) does, so that no load brings it back.
    ///
    /// The entry is read and written again, because its end stands in it too.
    ///
    /// # Errors
    /// As for [`delete`](Self::delete).
    pub async fn expire<K: IntoKey>(&self, key: K) -> Result<()> {
        let Some(stale_for) = self.settings.stale_for else { return self.delete(key).await };
        self.engine.check_open()?;
        let local = self.place.local_key(&key);
        let (visit, slot) = self.core.traffic.begin_rewrite(&local);
        let now = self.now();
        if self.backend().is_none() {
            let expired = slot.filter(|slot| slot.kept > now).map(|slot| {
                let kept = slot.kept.min(now + stale_for);
                Slot { ends: now, fresh: now, kept, ..slot }
            });
            visit.commit(expired);
            return Ok(());
        }
        let mut undo = self.undo(&local)?;
        let mut settled = self.backend().is_some_and(|backend| backend.abilities().fenced.is_some());
        let (kept, _until_undone) = match self.expire_stored(&local, &visit, stale_for).await? {
            Some((copy, store)) => (self.slot(copy.value, &copy.ages, now, &copy.form), store),
            None => {
                self.delete_stored(&local).await?;
                settled = true;
                (None, None)
            }
        };
        if visit.commit(kept) || settled {
            undo.iter_mut().for_each(Undo::disarm);
        }
        Ok(())
    }

    /// Writes the entry anew, as one whose freshness has ended. `None` if it is to be deleted instead.
    async fn expire_stored(
        &self,
        local: &LocalKey,
        visit: &WriteVisit<T>,
        stale_for: Duration,
    ) -> Result<Option<Expired<T>>> {
        let Some((backend, codec)) = self.backend().zip(self.core.codec.as_ref()) else { return Ok(None) };
        let key = self.stored_key(local)?;
        let rewritten = |copy: Copy<T>| -> Result<_> {
            let left = match copy.ages.kept {
                Remaining::For(left) => left.min(stale_for),
                Remaining::Never | Remaining::Unknown => stale_for,
            };
            let Ok(left) = Ttl::try_from(left) else { return Ok(None) };
            let life = Life::Kept(left);
            let bytes = self.encode(codec, &key, copy.value.as_deref(), life)?;
            let form = self.form(&key, &bytes);
            Ok(Some((bytes, SetOptions::new(left), Copy { ages: life.ages(), form, ..copy })))
        };
        let Some(fenced) = backend.abilities().fenced else {
            let copy = match self.look(local).await {
                Ok(Found::Stale(copy)) => return Ok(Some((copy, visit.store()))),
                Ok(Found::Live(copy)) => copy,
                Ok(Found::Nothing | Found::Newer) => return Ok(None),
                Err(error) if concerns_entry(error.code()) => return Ok(None),
                Err(error) => return Err(error),
            };
            let Some((bytes, options, copy)) = rewritten(copy)? else { return Ok(None) };
            // If somebody else writes meanwhile, nobody knows which is the later value.
            let Some(store) = visit.store() else { return Ok(None) };
            self.call(Operation::Set, &key, backend.set(&key, bytes, &options)).await?;
            return Ok(Some((copy, Some(store))));
        };
        // Who holds the fence is loading, and must not bring the value back.
        let fence = Fence::new(&self.engine, &key);
        let doubted = self.doubts(local, &key);
        let found = match self.call(Operation::Acquire, &key, fence.take(fenced)).await {
            Ok(Acquired::Granted { found }) => found.filter(|_| !doubted),
            Ok(Acquired::Held) => {
                fence.forget();
                return Ok(None);
            }
            Err(error) => return Err(fence.not_taken(error)),
        };
        let Some(entry) = found else { return Ok(None) };
        let copy = match self.understand(&key, &entry) {
            Ok(Found::Stale(copy)) => return Ok(Some((copy, None))),
            Ok(Found::Live(copy)) => copy,
            Ok(Found::Nothing | Found::Newer) | Err(_) => return Ok(None),
        };
        let Some((bytes, options, copy)) = rewritten(copy)? else { return Ok(None) };
        let stored = self.call(Operation::Set, &key, fence.store(fenced, bytes, &options)).await?;
        // Otherwise somebody wrote meanwhile: that is deleted, as if this had come later.
        Ok(stored.then_some((copy, None)))
    }
}
