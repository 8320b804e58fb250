//! [`Entries`]: the values, with their ends, within a budget of bytes.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use foldhash::fast::RandomState;

use super::deadlines::{Deadlines, has_ended};
use crate::{Key, KeyPrefix, Moment};

/// Values under keys. What leaves is put into `gone`, to be dropped where no lock is held.
///
/// With a capacity it makes room by removing first what has ended, then what was written longest ago.
#[derive(Default)]
pub(super) struct Entries {
    by_key: HashMap<Key, Stored, RandomState>,
    by_age: BTreeMap<u64, Key>,
    by_end: Deadlines,
    bytes: usize,
    capacity: Option<usize>,
    writes: u64,
}

/// A value, and until when it lives.
pub(super) struct Stored {
    pub(super) value: Bytes,
    pub(super) ends: Moment,
    age: u64,
}

/// About what an entry costs beside its key and its value: its places in the three indexes.
pub(super) const OVERHEAD: usize = 200;

impl Entries {
    pub(super) fn new(capacity: Option<usize>) -> Self {
        Self { capacity, ..Self::default() }
    }

    /// The live entry under `key`. One that has ended is removed.
    pub(super) fn get(&mut self, key: &Key, now: Moment, gone: &mut Vec<Bytes>) -> Option<&Stored> {
        let ended = has_ended(self.by_key.get(key)?.ends, now);
        if ended {
            self.remove(key, gone);
            return None;
        }
        self.by_key.get(key)
    }

    /// Stores `value` until `ends`. A value that is over the capacity by itself empties everything and is stored all
    /// the same: keeping such values out is up to the caller.
    pub(super) fn insert(&mut self, key: &Key, value: Bytes, ends: Moment, now: Moment, gone: &mut Vec<Bytes>) {
        self.remove(key, gone);
        let weight = weight(key, &value);
        while self.capacity.is_some_and(|capacity| self.bytes.saturating_add(weight) > capacity) {
            let Some(victim) = self.by_end.first_ended(now).or_else(|| self.oldest()) else { break };
            self.remove(&victim, gone);
        }
        self.writes += 1;
        self.bytes += weight;
        self.by_age.insert(self.writes, key.clone());
        self.by_end.insert(ends, key);
        self.by_key.insert(key.clone(), Stored { value, ends, age: self.writes });
    }

    /// Lets the live entry under `key` end at `ends`. `false` if there is none.
    pub(super) fn renew(&mut self, key: &Key, ends: Moment, now: Moment, gone: &mut Vec<Bytes>) -> bool {
        if self.get(key, now, gone).is_none() {
            return false;
        }
        if let Some(stored) = self.by_key.get_mut(key) {
            self.by_end.remove(stored.ends, key);
            self.by_end.insert(ends, key);
            stored.ends = ends;
        }
        true
    }

    pub(super) fn remove(&mut self, key: &Key, gone: &mut Vec<Bytes>) {
        if let Some(stored) = self.by_key.remove(key) {
            self.forget(key, stored, gone);
        }
    }

    /// Removes what `prefix` covers, by looking at every key.
    pub(super) fn remove_under(&mut self, prefix: &KeyPrefix, gone: &mut Vec<Bytes>) {
        let covered: Vec<_> = self.by_key.extract_if(|key, _| prefix.covers(key)).collect();
        for (key, stored) in covered {
            self.forget(&key, stored, gone);
        }
    }

    /// Removes up to `at_most` entries that have ended.
    pub(super) fn sweep(&mut self, now: Moment, at_most: usize, gone: &mut Vec<Bytes>) {
        for _ in 0..at_most {
            let Some(key) = self.by_end.first_ended(now) else { return };
            self.remove(&key, gone);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// What the entries weigh together.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn oldest(&self) -> Option<Key> {
        self.by_age.first_key_value().map(|(_, key)| key.clone())
    }

    /// Takes the entry, which has left `by_key`, out of the other indexes.
    fn forget(&mut self, key: &Key, stored: Stored, gone: &mut Vec<Bytes>) {
        self.bytes -= weight(key, &stored.value);
        self.by_age.remove(&stored.age);
        self.by_end.remove(stored.ends, key);
        gone.push(stored.value);
    }

    /// Panics unless the indexes agree.
    #[cfg(test)]
    pub(super) fn check(&self) {
        let end_by_time = self.by_key.values().filter(|stored| stored.ends != Moment::FAR).count();
        assert_eq!(self.by_age.len(), self.by_key.len());
        assert_eq!(self.by_end.len(), end_by_time);
        assert_eq!(self.bytes, self.by_key.iter().map(|(key, stored)| weight(key, &stored.value)).sum::<usize>());
        assert!(self.by_key.iter().all(|(key, stored)| self.by_age.get(&stored.age) == Some(key)));
        assert!(self.capacity.is_none_or(|capacity| self.bytes <= capacity));
    }
}

fn weight(key: &Key, value: &Bytes) -> usize {
    OVERHEAD + key.as_str().len() + value.len()
}
