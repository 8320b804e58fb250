//! [`Traffic`]: what is going on with each key of a namespace at this moment: loads, reads and writes.

mod flight;
mod pulse;
mod visit;
mod wait_graph;

use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use hashbrown::hash_map::EntryRef;
use smallvec::SmallVec;

pub(crate) use self::flight::{Flight, FlightId, Landing, Waited, Waiter};
pub(crate) use self::visit::{ClearVisit, Store, Visit, WriteVisit};
pub(crate) use self::wait_graph::WaitGraph;
use super::l1::{L1, Leaving, Slot};
use super::local_key::LocalKey;
use super::place::Place;
use crate::Error;
use crate::sync::Mutex;

/// What is going on with each key of a namespace at this moment.
///
/// Four things meet here, under one lock per shard, because they have to agree:
///
/// - **Single-flight.** The first caller who misses a key leads a [`Flight`]; the others wait for it.
/// - **Epochs.** Whatever wants to put a value into L1 notes the epoch of its key before its I/O; each write raises it
///   before and after its own. A value is kept only if the epoch has not moved, checked in the same step that keeps it,
///   so nothing that was read before a write is ever served after it.
/// - **Doubt.** While a loaded value is on its way to a backend that cannot refuse it, and a write of this process came
///   after the load began, only the backend knows which of the two it will have. Until that is settled it is not
///   believed.
/// - **Detachment.** A write takes a running flight out of the table: whoever comes later starts a new one.
///
/// Only keys that something is going on with have an entry, and it goes when the last visitor leaves.
/// A hit in L1 does not come here. No lock is held across an await, and no value is dropped under one.
pub(crate) struct Traffic<T> {
    shards: Box<[Mutex<Shard<T>>]>,
    hasher: RandomState,
    l1: Arc<L1>,
    /// Of which places everything is being taken away.
    clears: Mutex<Vec<Arc<Place>>>,
}

type Shard<T> = HashMap<LocalKey, Busy<T>, RandomState>;

/// A key that something is going on with.
struct Busy<T> {
    epoch: u64,
    visitors: usize,
    /// How many of the visitors are writing.
    writers: usize,
    flight: Option<Arc<Flight<T>>>,
    /// The epochs in which stores began that are on their way: [`Visit::store`].
    stores: SmallVec<[u64; 1]>,
}

/// The answer to [`Traffic::join`].
pub(crate) enum Join<T: Send + Sync + 'static> {
    /// The value came into L1 in the meantime.
    Hit(Slot),
    /// The caller leads.
    Lead(Lead<T>),
    /// Somebody else leads.
    Wait(Waiter<T>),
}

impl<T: Send + Sync + 'static> Traffic<T> {
    pub(crate) fn new(l1: Arc<L1>) -> Arc<Self> {
        let hasher = RandomState::default();
        let shards = (0..SHARDS).map(|_| Mutex::new(HashMap::with_hasher(hasher.clone()))).collect();
        Arc::new(Self { shards, hasher, l1, clears: Mutex::default() })
    }

    /// Waits for the flight of `key` if there is one, or leads it. `is_live` says of what L1 has whether it will do.
    pub(crate) fn join(self: &Arc<Self>, key: &LocalKey, is_live: impl FnOnce(&Slot) -> bool) -> Join<T> {
        // Declared before the lock is taken, so that it is dropped after it.
        let kept;
        let mut shard = self.shard(key).lock();
        if let Some(flight) = shard.get(key).and_then(|busy| busy.flight.as_ref()) {
            return Join::Wait(flight.wait());
        }
        // Whoever landed in the meantime left the value here.
        kept = self.l1.get(key);
        if let Some(slot) = &kept
            && is_live(slot)
        {
            return Join::Hit(slot.clone());
        }
        let busy = enter(&mut shard, key);
        let flight = Flight::new();
        busy.flight = Some(Arc::clone(&flight));
        let visit = self.visitor(key, busy.epoch);
        drop(shard);
        Join::Lead(Lead { visit, flight, kept, value: None, published: false, landed: false })
    }

    /// Leads the flight of `key` if nobody does, and if what L1 has is still `due`.
    pub(crate) fn lead(self: &Arc<Self>, key: &LocalKey, due: impl FnOnce(&Slot) -> bool) -> Option<Lead<T>> {
        // Declared before the lock is taken, so that it is dropped after it.
        let kept;
        let mut shard = self.shard(key).lock();
        if shard.get(key).is_some_and(|busy| busy.flight.is_some()) {
            return None;
        }
        kept = self.l1.get(key);
        if !kept.as_ref().is_some_and(due) {
            return None;
        }
        let busy = enter(&mut shard, key);
        let flight = Flight::new();
        busy.flight = Some(Arc::clone(&flight));
        let visit = self.visitor(key, busy.epoch);
        drop(shard);
        Some(Lead { visit, flight, kept, value: None, published: false, landed: false })
    }

    /// Waits for the flight of `key` if it is still asking the backend, or has the value.
    pub(crate) fn reading(&self, key: &LocalKey) -> Option<Waiter<T>> {
        let shard = self.shard(key).lock();
        let flight = shard.get(key)?.flight.as_ref()?;
        flight.is_for_readers().then(|| flight.wait())
    }

    /// Makes room for another to lead the flight of `key` in place of `stalled`, unless somebody did so first. Those
    /// who wait for `stalled` begin anew.
    ///
    /// What a slow leader brings in the end is as good as any. What one brings that stood ready and was not polled may
    /// be of any age: it is not kept.
    pub(crate) fn take_over(&self, key: &LocalKey, stalled: &Arc<Flight<T>>) {
        let mut shard = self.shard(key).lock();
        let leads = |busy: &&mut Busy<T>| busy.flight.as_ref().is_some_and(|flight| Arc::ptr_eq(flight, stalled));
        if let Some(busy) = shard.get_mut(key).filter(leads) {
            if stalled.is_left_standing() {
                busy.epoch += 1;
            }
            busy.flight = None;
            drop(shard);
            stalled.land(Landing::Abandoned);
        }
    }

    /// Notes the epoch of `key`, for somebody who is about to read it and may keep what it finds.
    pub(crate) fn visit(self: &Arc<Self>, key: &LocalKey) -> Visit<T> {
        let mut shard = self.shard(key).lock();
        let epoch = enter(&mut shard, key).epoch;
        drop(shard);
        self.visitor(key, epoch)
    }

    /// Whether something that was found out before the last write of `key` is still on its way to the backend, so that
    /// what the backend has may be older than that write.
    pub(crate) fn doubts(&self, key: &LocalKey) -> bool {
        let shard = self.shard(key).lock();
        shard.get(key).is_some_and(|busy| busy.stores.iter().any(|epoch| *epoch != busy.epoch))
    }

    /// Begins to write `key`: no copy of what was read before is kept or served from here on.
    pub(crate) fn begin_write(self: &Arc<Self>, key: &LocalKey) -> WriteVisit<T> {
        self.begin_rewrite(key).0
    }

    /// [`begin_write`](Self::begin_write), for somebody who writes what L1 had in another way.
    pub(crate) fn begin_rewrite(self: &Arc<Self>, key: &LocalKey) -> (WriteVisit<T>, Option<Slot>) {
        let mut shard = self.shard(key).lock();
        let busy = enter(&mut shard, key);
        busy.epoch += 1;
        busy.writers += 1;
        let (flight, slot) = (busy.flight.take(), self.l1.remove(key));
        let visit = self.visitor(key, busy.epoch);
        drop(shard);
        drop(flight);
        (WriteVisit::new(visit), slot)
    }

    /// Begins to take away everything of `place`: no copy of what was read before is kept or served from here on, nor
    /// after the answer is dropped.
    pub(crate) fn begin_clear(self: &Arc<Self>, place: &Arc<Place>) -> ClearVisit<T> {
        self.clears.lock().push(Arc::clone(place));
        self.all_changed(place);
        ClearVisit::new(self, place)
    }

    /// Takes note that somebody else changed `key`.
    pub(crate) fn changed_elsewhere(self: &Arc<Self>, key: &LocalKey) {
        let mut shard = self.shard(key).lock();
        let flight = shard.get_mut(key).and_then(|busy| {
            busy.epoch += 1;
            busy.flight.take()
        });
        let slot = self.l1.remove(key);
        drop(shard);
        drop((flight, slot));
    }

    fn visitor(self: &Arc<Self>, key: &LocalKey, epoch: u64) -> Visit<T> {
        Visit { traffic: Arc::clone(self), key: key.clone(), epoch }
    }

    fn shard(&self, key: &LocalKey) -> &Mutex<Shard<T>> {
        let hash = self.hasher.hash_one(key);
        // The low bits choose within the shard's own table.
        &self.shards[(hash >> 48) as usize % SHARDS]
    }
}

impl<T> Traffic<T> {
    /// Takes note that any key of `place` may have changed.
    pub(crate) fn all_changed(&self, place: &Place) {
        self.give_up(place);
        self.l1.remove_where(|key| place.covers(key));
    }

    /// Sees to it that nothing which is on its way at this moment is kept for a key of `place`.
    pub(crate) fn give_up(&self, place: &Place) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            let flights: Vec<_> = shard
                .iter_mut()
                .filter(|(key, _)| place.covers(key))
                .filter_map(|(_, busy)| {
                    busy.epoch += 1;
                    busy.flight.take()
                })
                .collect();
            drop(shard);
            drop(flights);
        }
    }

    /// How many keys something is going on with.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }
}

impl<T> fmt::Debug for Traffic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traffic").finish_non_exhaustive()
    }
}

/// Leads a flight. Dropped before it landed, it hands over the value if it has one, and otherwise lets others begin
/// anew.
pub(crate) struct Lead<T: Send + Sync + 'static> {
    visit: Visit<T>,
    flight: Arc<Flight<T>>,
    /// What L1 had when the flight began, and did not do.
    kept: Option<Slot>,
    value: Option<Option<Arc<T>>>,
    /// Whether everybody has the value already, while it is being stored.
    published: bool,
    landed: bool,
}

impl<T: Send + Sync + 'static> Lead<T> {
    pub(crate) fn flight(&self) -> &Arc<Flight<T>> {
        &self.flight
    }

    /// The key that the flight is of.
    pub(crate) fn key(&self) -> &LocalKey {
        &self.visit.key
    }

    /// Waits for the flight that is led here: for a leader who works in a task.
    pub(crate) fn wait(&self) -> Waiter<T> {
        self.flight.wait()
    }

    /// Says that the backend had nothing, or failed, and a load begins.
    pub(crate) fn loading(&self, refused: Option<Error>) {
        self.flight.loading(refused);
    }

    /// The value is known, whatever becomes of storing it.
    pub(crate) fn loaded(&mut self, value: Option<Arc<T>>) {
        self.value = Some(value);
    }

    /// What L1 had when the flight began, and did not do.
    pub(crate) fn take_kept(&mut self) -> Option<Slot> {
        self.kept.take()
    }

    /// Keeps `slot` in L1 in the meantime, unless the key was written since the flight began.
    pub(crate) fn keep(&self, slot: Slot) {
        self.visit.keep(slot);
    }

    /// The backend has nothing: what L1 has is no copy of anything.
    pub(crate) fn forget(&self, is_over: impl FnOnce(&Slot) -> bool) {
        self.visit.forget(is_over);
    }

    /// Lets everybody have the value who waits or comes later, while it is still to be stored. `slot` is kept in L1
    /// unless the key was written since the flight began. Nobody loads anew until [`conclude`](Self::conclude).
    pub(crate) fn publish(&mut self, value: Option<Arc<T>>, slot: Option<Slot>) {
        self.published = true;
        if let Some(slot) = slot {
            self.visit.keep(slot);
        }
        self.flight.land(Landing::Found(value));
    }

    /// Ends a flight whose value was published. `stays` says whether it may stay in L1.
    pub(crate) fn conclude(mut self, stays: bool) {
        self.published = !stays;
        self.settle(Landing::Abandoned, None);
    }

    /// Whether nobody has written the key since the flight began.
    pub(crate) fn is_current(&self) -> bool {
        self.visit.is_current()
    }

    /// Begins to store what was loaded: [`Visit::store`].
    pub(crate) fn store(&self) -> Option<Store<T>> {
        self.visit.store()
    }

    /// Ends the flight. `slot` is kept in L1 unless the key was written since it began.
    pub(crate) fn land(mut self, landing: Landing<T>, slot: Option<Slot>) {
        self.settle(landing, slot);
    }

    fn settle(&mut self, landing: Landing<T>, slot: Option<Slot>) {
        self.landed = true;
        let Visit { traffic, key, epoch } = &self.visit;
        let mut shard = traffic.shard(key).lock();
        let mut leaving = Leaving::new();
        if let Some(busy) = shard.get_mut(key) {
            // In one step: no caller finds neither the flight nor the value.
            if busy.flight.as_ref().is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
                busy.flight = None;
            }
            match slot {
                // What was published, and is out of date or not known to be stored.
                None if self.published && busy.epoch == *epoch => leaving.extend(traffic.l1.remove(key)),
                Some(slot) if busy.epoch == *epoch => leaving = traffic.l1.insert(key.clone(), slot),
                slot => leaving.extend(slot),
            }
        }
        drop(shard);
        drop(leaving);
        self.flight.land(landing);
    }
}

impl<T: Send + Sync + 'static> Drop for Lead<T> {
    fn drop(&mut self) {
        if !self.landed {
            let landing = self.value.take().map_or(Landing::Abandoned, Landing::Found);
            self.settle(landing, None);
        }
    }
}

fn enter<'a, T>(shard: &'a mut Shard<T>, key: &LocalKey) -> &'a mut Busy<T> {
    let busy = match shard.entry_ref(key) {
        EntryRef::Occupied(entry) => entry.into_mut(),
        EntryRef::Vacant(entry) => {
            entry.insert(Busy { epoch: 0, visitors: 0, writers: 0, flight: None, stores: SmallVec::new() })
        }
    };
    busy.visitors += 1;
    busy
}

const SHARDS: usize = 16;
const ROOMY: usize = 1024;
