//! [`L1`]: values of this process, as their namespaces want them kept, in one store with one budget of bytes.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use quick_cache::{Lifecycle, OptionsBuilder, Weighter};
use smallvec::SmallVec;

use super::local_key::{Finds, LocalKey, Name};
use crate::Moment;

/// What every entry is taken to weigh beyond its value: key, slot and the store's own bookkeeping.
pub(crate) const OVERHEAD: u64 = 128;

/// Values of all namespaces in one store with one budget of bytes: decoded, or as they are stored where that is encrypted.
///
/// It knows nothing of time beyond the end that each slot carries: whoever looks up compares. Values leave it outside
/// its locks, because dropping one runs code of its type.
pub(crate) struct L1 {
    store: quick_cache::sync::Cache<LocalKey, Slot, ByWeight, foldhash::fast::RandomState, Evicted>,
    capacity: u64,
}

/// A value in L1.
#[derive(Clone)]
pub(crate) struct Slot {
    /// The value, or the entry that it is opened from; nothing where it is known that there is none.
    pub(crate) value: Option<Arc<dyn Any + Send + Sync>>,
    /// Until when a look-up has nothing else to ask: it is fresh, and not due to be refreshed.
    pub(crate) ends: Moment,
    /// Until when it is fresh. Never before `ends`.
    pub(crate) fresh: Moment,
    /// Until when it is kept for hard times. Never before `fresh`.
    pub(crate) kept: Moment,
    /// What it weighs, in bytes.
    pub(crate) weight: u64,
}

impl L1 {
    /// Makes room for `capacity` bytes. An entry that is larger than a shard's part of that is not kept.
    pub(crate) fn new(capacity: u64) -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(usize::try_from(capacity / 1024).unwrap_or(usize::MAX).clamp(64, 65_536))
            .weight_capacity(capacity)
            .build()
            .expect("both figures that the options need are set");
        let store = quick_cache::sync::Cache::with_options(options, ByWeight, Default::default(), Evicted);
        Self { store, capacity }
    }

    /// What is kept under `key`, past its end or not.
    #[inline]
    pub(crate) fn get(&self, key: &impl Finds) -> Option<Slot> {
        self.store.get(key)
    }

    /// Keeps `slot`. What had to leave for it is handed back, to be dropped outside the caller's locks.
    #[must_use = "dropping values runs foreign code: first give back the locks"]
    pub(crate) fn insert(&self, key: LocalKey, slot: Slot) -> Leaving {
        let mut leaving = Leaving::default();
        self.store.insert_with_lifecycle(key, slot, &mut leaving);
        leaving
    }

    /// Gives up what is kept under `key`.
    #[must_use = "dropping values runs foreign code: first give back the locks"]
    pub(crate) fn remove(&self, key: &LocalKey) -> Option<Slot> {
        self.store.remove(key).map(|(_, slot)| slot)
    }

    /// Gives up every value whose key `leaves`. Walks over all that is kept.
    pub(crate) fn remove_where(&self, leaves: impl Fn(&LocalKey) -> bool) {
        let keys: Vec<LocalKey> = self.store.iter().map(|(key, _)| key).filter(|key| leaves(key)).collect();
        for key in keys {
            drop(self.remove(&key));
        }
    }

    /// Gives up everything.
    pub(crate) fn clear(&self) {
        self.remove_where(|_| true);
    }

    /// How many values are kept, those past their end included.
    pub(crate) fn len(&self) -> usize {
        self.store.len()
    }

    /// What they weigh, in bytes.
    pub(crate) fn weight(&self) -> u64 {
        self.store.weight()
    }

    /// The budget, in bytes.
    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }
}

impl fmt::Debug for L1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("L1").field("len", &self.len()).field("weight", &self.weight()).finish_non_exhaustive()
    }
}

/// What left the store, on its way to being dropped.
pub(crate) type Leaving = SmallVec<[Slot; 2]>;

#[derive(Clone, Debug)]
struct ByWeight;

impl Weighter<LocalKey, Slot> for ByWeight {
    fn weight(&self, key: &LocalKey, slot: &Slot) -> u64 {
        // A weight of zero would never be evicted.
        let key = match key.name() {
            Name::Number(_) => 0,
            Name::Text(text) => text.len() as u64,
        };
        slot.weight + key + OVERHEAD
    }
}

#[derive(Clone, Debug)]
struct Evicted;

impl Lifecycle<LocalKey, Slot> for Evicted {
    type RequestState = Leaving;

    fn on_evict(&self, leaving: &mut Leaving, _key: LocalKey, slot: Slot) {
        leaving.push(slot);
    }
}
