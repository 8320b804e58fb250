//! [`Visit`], [`WriteVisit`] and [`ClearVisit`]: those who read, write and clear keys, for as long as they do.

use std::sync::Arc;

use super::{Busy, ROOMY, Traffic};
use crate::engine::l1::Slot;
use crate::engine::local_key::LocalKey;
use crate::engine::place::Place;

/// Somebody who reads a key and noted its epoch.
pub(crate) struct Visit<T: Send + Sync + 'static> {
    pub(super) traffic: Arc<Traffic<T>>,
    pub(super) key: LocalKey,
    pub(super) epoch: u64,
}

impl<T: Send + Sync + 'static> Visit<T> {
    /// Whether nobody has written the key since.
    pub(crate) fn is_current(&self) -> bool {
        self.traffic.shard(&self.key).lock().get(&self.key).is_some_and(|busy| busy.epoch == self.epoch)
    }

    /// Begins to store in the backend what was found out since: `None` if the key was written meanwhile. If it is
    /// written before the answer is dropped, the backend is [in doubt](Traffic::doubts) until then.
    pub(crate) fn store(&self) -> Option<Store<T>> {
        self.store_if(|_| true)
    }

    fn store_if(&self, fits: impl FnOnce(&Busy<T>) -> bool) -> Option<Store<T>> {
        let mut shard = self.traffic.shard(&self.key).lock();
        let busy = shard.get_mut(&self.key).filter(|busy| busy.epoch == self.epoch && fits(busy))?;
        busy.visitors += 1;
        busy.stores.push(self.epoch);
        drop(shard);
        Some(Store(self.traffic.visitor(&self.key, self.epoch)))
    }

    /// Gives up what L1 has, if it `is_over`, and unless the key was written since.
    pub(crate) fn forget(&self, is_over: impl FnOnce(&Slot) -> bool) {
        // Declared before the lock is taken, so that they are dropped after it.
        let (kept, left);
        let shard = self.traffic.shard(&self.key).lock();
        if shard.get(&self.key).is_some_and(|busy| busy.epoch == self.epoch) {
            kept = self.traffic.l1.get(&self.key);
            if kept.as_ref().is_some_and(is_over) {
                left = self.traffic.l1.remove(&self.key);
                drop(shard);
                drop(left);
            }
        }
    }

    /// Keeps `slot` in L1 unless the key was written since. Says whether it was not.
    pub(crate) fn keep(&self, slot: Slot) -> bool {
        let shard = self.traffic.shard(&self.key).lock();
        let current = shard.get(&self.key).is_some_and(|busy| busy.epoch == self.epoch);
        let leaving =
            if current { self.traffic.l1.insert(self.key.clone(), slot) } else { [slot].into_iter().collect() };
        drop(shard);
        drop(leaving);
        current
    }
}

impl<T: Send + Sync + 'static> Drop for Visit<T> {
    fn drop(&mut self) {
        let mut shard = self.traffic.shard(&self.key).lock();
        let Some(busy) = shard.get_mut(&self.key) else { return };
        busy.visitors -= 1;
        if busy.visitors == 0 {
            let gone = shard.remove(&self.key);
            // A burst of keys must not hold its memory for ever.
            if shard.is_empty() && shard.capacity() > ROOMY {
                shard.shrink_to(ROOMY);
            }
            drop(shard);
            drop(gone);
        }
    }
}

/// A store in the backend that is on its way: [`Visit::store`].
pub(crate) struct Store<T: Send + Sync + 'static>(Visit<T>);

impl<T: Send + Sync + 'static> Drop for Store<T> {
    fn drop(&mut self) {
        let Visit { traffic, key, epoch } = &self.0;
        let mut shard = traffic.shard(key).lock();
        if let Some(busy) = shard.get_mut(key)
            && let Some(at) = busy.stores.iter().position(|began| began == epoch)
        {
            busy.stores.swap_remove(at);
        }
    }
}

/// Somebody who writes a key. Dropped without [`commit`](Self::commit), its outcome is unknown, and no copy stays.
pub(crate) struct WriteVisit<T: Send + Sync + 'static> {
    visit: Visit<T>,
    settled: bool,
}

impl<T: Send + Sync + 'static> WriteVisit<T> {
    pub(super) fn new(visit: Visit<T>) -> Self {
        Self { visit, settled: false }
    }

    /// Begins to store what was read since the write began: [`Visit::store`]. `None` also if another write is under
    /// way: what was read may be older.
    pub(crate) fn store(&self) -> Option<Store<T>> {
        let Visit { traffic, key, .. } = &self.visit;
        let is_cleared = || traffic.clears.lock().iter().any(|place| place.covers(key));
        self.visit.store_if(|busy| busy.writers == 1 && !is_cleared())
    }

    /// The write was acknowledged. Its value is kept in L1, unless another write came between: which of them is the
    /// later one only the backend knows. Says whether none did.
    pub(crate) fn commit(mut self, slot: Option<Slot>) -> bool {
        self.settle(slot)
    }

    fn settle(&mut self, slot: Option<Slot>) -> bool {
        self.settled = true;
        let Visit { traffic, key, epoch } = &self.visit;
        let mut shard = traffic.shard(key).lock();
        let Some(busy) = shard.get_mut(key) else { return false };
        let alone = busy.epoch == *epoch;
        busy.epoch += 1;
        busy.writers -= 1;
        let flight = busy.flight.take();
        let (old, leaving) = match slot {
            Some(slot) if alone => (None, traffic.l1.insert(key.clone(), slot)),
            slot => (traffic.l1.remove(key), slot.into_iter().collect()),
        };
        drop(shard);
        drop((flight, old, leaving));
        alone
    }
}

impl<T: Send + Sync + 'static> Drop for WriteVisit<T> {
    fn drop(&mut self) {
        if !self.settled {
            self.settle(None);
        }
    }
}

/// Somebody who takes everything of a place away. However that ends, some of it may be gone.
pub(crate) struct ClearVisit<T> {
    traffic: Arc<Traffic<T>>,
    place: Arc<Place>,
}

impl<T> ClearVisit<T> {
    pub(super) fn new(traffic: &Arc<Traffic<T>>, place: &Arc<Place>) -> Self {
        Self { traffic: Arc::clone(traffic), place: Arc::clone(place) }
    }
}

impl<T> Drop for ClearVisit<T> {
    fn drop(&mut self) {
        self.traffic.all_changed(&self.place);
        let mut clears = self.traffic.clears.lock();
        if let Some(at) = clears.iter().position(|place| Arc::ptr_eq(place, &self.place)) {
            clears.swap_remove(at);
        }
    }
}
