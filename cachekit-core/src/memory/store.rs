//! [`Store`]: the entries, fences, epochs and watches as a value, without a lock and without a clock.

use std::collections::HashMap;
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use foldhash::fast::RandomState;

use super::deadlines::has_ended;
use super::entries::{Entries, Stored};
use super::fences::Fences;
use super::watchers::{Wakers, WatchId, Watchers};
use crate::{Acquired, Change, Entry, FenceToken, Key, KeyPrefix, Moment, Remaining, Ttl};

/// Everything that the handles share. Each method is one step: its caller holds the lock around it and says what time
/// it is, and afterwards settles the [`Aftermath`] without the lock.
pub(super) struct Store {
    entries: Entries,
    fences: Fences,
    watchers: Watchers,
    epochs: HashMap<KeyPrefix, u64, RandomState>,
    handles: u64,
    /// By how much the time that is told may lag: entries end so much earlier.
    lag: Duration,
    aftermath: Aftermath,
}

/// Names a handle: what one handle changes is told to the watches of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct HandleId(u64);

/// What a step leaves to be done without the lock, for it may run foreign code: values to drop, wakers to wake or drop.
#[derive(Default)]
#[must_use]
pub(super) struct Aftermath {
    values: Vec<Bytes>,
    wakers: Wakers,
}

impl Aftermath {
    pub(super) fn settle(self) {
        let Self { values, wakers } = self;
        wakers.due.into_iter().for_each(Waker::wake);
        drop((values, wakers.spent));
    }
}

/// How much there is in a store.
pub(super) struct Counts {
    pub(super) entries: usize,
    pub(super) bytes: usize,
    pub(super) fences: usize,
    pub(super) watches: usize,
    pub(super) epochs: usize,
}

impl Store {
    /// An empty store that weighs at most `capacity` bytes, whose clock lags by up to `lag`, and each of whose watches
    /// keeps at most `bound` changes.
    pub(super) fn new(capacity: Option<usize>, lag: Duration, bound: usize) -> Self {
        Self {
            entries: Entries::new(capacity),
            fences: Fences::default(),
            watchers: Watchers::new(bound),
            epochs: HashMap::default(),
            handles: 0,
            lag,
            aftermath: Aftermath::default(),
        }
    }

    /// What has accumulated since the last call.
    pub(super) fn take_aftermath(&mut self) -> Aftermath {
        std::mem::take(&mut self.aftermath)
    }

    pub(super) fn new_handle(&mut self) -> HandleId {
        self.handles += 1;
        HandleId(self.handles)
    }

    pub(super) fn get(&mut self, key: &Key, now: Moment) -> Option<Entry> {
        let late = now + self.lag;
        let stored = self.entries.get(key, late, &mut self.aftermath.values)?;
        Some(Entry::new(stored.value.clone(), remaining(stored, late)))
    }

    pub(super) fn remaining(&mut self, key: &Key, now: Moment) -> Option<Remaining> {
        let late = now + self.lag;
        self.entries.get(key, late, &mut self.aftermath.values).map(|stored| remaining(stored, late))
    }

    pub(super) fn set(&mut self, by: HandleId, key: &Key, value: Bytes, ttl: Ttl, now: Moment) {
        self.sweep(now);
        self.entries.insert(key, value, end_of(ttl, now), now + self.lag, &mut self.aftermath.values);
        self.watchers.tell_key(by, key, &mut self.aftermath.wakers);
    }

    /// Removes the entry, and tells so even if there is none: one that was evicted may still be held by who watches.
    pub(super) fn delete(&mut self, by: HandleId, key: &Key, now: Moment) {
        self.sweep(now);
        self.entries.remove(key, &mut self.aftermath.values);
        self.watchers.tell_key(by, key, &mut self.aftermath.wakers);
    }

    /// Gives the entry a new life, and tells so: who holds a copy may have to end it earlier.
    pub(super) fn renew(&mut self, by: HandleId, key: &Key, ttl: Ttl, now: Moment) -> bool {
        let renewed = self.entries.renew(key, end_of(ttl, now), now + self.lag, &mut self.aftermath.values);
        if renewed {
            self.watchers.tell_key(by, key, &mut self.aftermath.wakers);
        }
        renewed
    }

    pub(super) fn acquire(&mut self, key: &Key, token: &FenceToken, lease: Duration, now: Moment) -> Acquired {
        self.sweep(now);
        if self.fences.holder(key, now).is_some_and(|holder| holder != *token) {
            return Acquired::Held;
        }
        self.fences.give(key, *token, now + lease);
        Acquired::Granted { found: self.get(key, now) }
    }

    pub(super) fn renew_fence(&mut self, key: &Key, token: &FenceToken, lease: Duration, now: Moment) -> bool {
        let held = self.holds(key, token, now);
        if held {
            self.fences.give(key, *token, now + lease);
        }
        held
    }

    pub(super) fn release(&mut self, key: &Key, token: &FenceToken, now: Moment) -> bool {
        let held = self.holds(key, token, now);
        if held {
            self.fences.revoke(key);
        }
        held
    }

    pub(super) fn set_fenced(
        &mut self,
        by: HandleId,
        key: &Key,
        token: &FenceToken,
        value: Bytes,
        ttl: Ttl,
        now: Moment,
    ) -> bool {
        let held = self.holds(key, token, now);
        if held {
            self.set_and_revoke(by, key, value, ttl, now);
        } else {
            self.aftermath.values.push(value);
        }
        held
    }

    pub(super) fn set_and_revoke(&mut self, by: HandleId, key: &Key, value: Bytes, ttl: Ttl, now: Moment) {
        self.fences.revoke(key);
        self.set(by, key, value, ttl, now);
    }

    pub(super) fn delete_and_revoke(&mut self, by: HandleId, key: &Key, now: Moment) {
        self.fences.revoke(key);
        self.delete(by, key, now);
    }

    /// Removes the entries and revokes the fences under `prefix`, and tells so as [`delete`](Self::delete) does.
    pub(super) fn clear(&mut self, by: HandleId, prefix: &KeyPrefix) {
        self.entries.remove_under(prefix, &mut self.aftermath.values);
        self.fences.revoke_under(prefix);
        self.watchers.tell_prefix(by, prefix, &mut self.aftermath.wakers);
    }

    pub(super) fn epoch(&self, prefix: &KeyPrefix) -> u64 {
        self.epochs.get(prefix).copied().unwrap_or(0)
    }

    pub(super) fn advance(&mut self, prefix: &KeyPrefix) -> u64 {
        let epoch = self.epochs.entry(prefix.clone()).or_insert(0);
        *epoch += 1;
        *epoch
    }

    pub(super) fn watch(&mut self, by: HandleId, prefix: &KeyPrefix) -> WatchId {
        self.watchers.begin(by, prefix.clone())
    }

    pub(super) fn poll_watch(&mut self, id: WatchId, waker: Waker) -> Poll<Option<Change>> {
        self.watchers.poll(id, waker, &mut self.aftermath.wakers)
    }

    pub(super) fn end_watch(&mut self, id: WatchId) {
        self.watchers.end(id, &mut self.aftermath.wakers);
    }

    pub(super) fn end_watches_of(&mut self, handle: HandleId) {
        self.watchers.end_all_of(handle, &mut self.aftermath.wakers);
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            entries: self.entries.len(),
            bytes: self.entries.bytes(),
            fences: self.fences.len(),
            watches: self.watchers.len(),
            epochs: self.epochs.len(),
        }
    }

    fn holds(&self, key: &Key, token: &FenceToken, now: Moment) -> bool {
        self.fences.holder(key, now) == Some(*token)
    }

    /// Forgets some of what is over. Every step that can add one entry or one fence forgets more than one, so what is
    /// over never piles up, and no step takes long.
    fn sweep(&mut self, now: Moment) {
        self.entries.sweep(now + self.lag, SWEPT_AT_ONCE, &mut self.aftermath.values);
        self.fences.sweep(now, SWEPT_AT_ONCE);
    }

    /// Panics unless all indexes agree.
    #[cfg(test)]
    pub(super) fn check(&self) {
        self.entries.check();
        self.fences.check();
    }
}

/// When what is written at `now` for `ttl` ends. Times are rounded up to milliseconds; five hundred years are for ever.
fn end_of(ttl: Ttl, now: Moment) -> Moment {
    let Some(duration) = ttl.as_duration() else { return Moment::FAR };
    let nanos = duration.as_nanos().div_ceil(NANOS_PER_MILLI) * NANOS_PER_MILLI;
    u64::try_from(nanos).map_or(Moment::FAR, |nanos| now + Duration::from_nanos(nanos))
}

fn remaining(stored: &Stored, now: Moment) -> Remaining {
    debug_assert!(!has_ended(stored.ends, now));
    if stored.ends == Moment::FAR { Remaining::Never } else { Remaining::For(stored.ends.since(now)) }
}

const NANOS_PER_MILLI: u128 = 1_000_000;
const SWEPT_AT_ONCE: usize = 4;

#[cfg(test)]
mod tests;
