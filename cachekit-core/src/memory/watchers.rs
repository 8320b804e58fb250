//! [`Watchers`]: who is told of which changes.

use std::collections::HashMap;
use std::task::{Poll, Waker};

use foldhash::fast::RandomState;

use super::pending::Pending;
use super::store::HandleId;
use crate::{Change, Key, KeyPrefix};

/// The running watches, each with what it has not told yet.
pub(super) struct Watchers {
    by_id: HashMap<WatchId, Watcher, RandomState>,
    begun: u64,
    bound: usize,
}

/// Names a watch within its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct WatchId(u64);

struct Watcher {
    of: HandleId,
    prefix: KeyPrefix,
    pending: Pending,
    waker: Option<Waker>,
}

/// Wakers that are due, and wakers that are merely no longer needed: both run foreign code, so not under a lock.
#[derive(Default)]
pub(super) struct Wakers {
    pub(super) due: Vec<Waker>,
    pub(super) spent: Vec<Waker>,
}

impl Watchers {
    /// Without watches. Each is to keep at most `bound` changes.
    pub(super) fn new(bound: usize) -> Self {
        Self { by_id: HashMap::default(), begun: 0, bound }
    }

    pub(super) fn begin(&mut self, of: HandleId, prefix: KeyPrefix) -> WatchId {
        self.begun += 1;
        let id = WatchId(self.begun);
        self.by_id.insert(id, Watcher { of, prefix, pending: Pending::default(), waker: None });
        id
    }

    /// The next change of a watch, `None` if it has ended. If there is none yet, `waker` is kept.
    pub(super) fn poll(&mut self, id: WatchId, waker: Waker, wakers: &mut Wakers) -> Poll<Option<Change>> {
        let Some(watcher) = self.by_id.get_mut(&id) else {
            wakers.spent.push(waker);
            return Poll::Ready(None);
        };
        let told = watcher.pending.pop();
        if told.is_some() {
            wakers.spent.push(waker);
            return Poll::Ready(told);
        }
        wakers.spent.extend(watcher.waker.replace(waker));
        Poll::Pending
    }

    /// Ends one watch.
    pub(super) fn end(&mut self, id: WatchId, wakers: &mut Wakers) {
        if let Some(watcher) = self.by_id.remove(&id) {
            wakers.due.extend(watcher.waker);
        }
    }

    /// Ends the watches of one handle.
    pub(super) fn end_all_of(&mut self, handle: HandleId, wakers: &mut Wakers) {
        let ended = self.by_id.extract_if(|_, watcher| watcher.of == handle);
        wakers.due.extend(ended.filter_map(|(_, watcher)| watcher.waker));
    }

    /// Tells a change of `key` to the watches of all handles but `by`.
    pub(super) fn tell_key(&mut self, by: HandleId, key: &Key, wakers: &mut Wakers) {
        self.tell(by, |prefix| prefix.covers(key), &Change::Key(key.clone()), wakers);
    }

    /// Tells that all under `cleared` is gone, to whom it concerns: the two prefixes may cover each other either way.
    pub(super) fn tell_prefix(&mut self, by: HandleId, cleared: &KeyPrefix, wakers: &mut Wakers) {
        let meet = |watched: &KeyPrefix| {
            watched.as_str().starts_with(cleared.as_str()) || cleared.as_str().starts_with(watched.as_str())
        };
        self.tell(by, meet, &Change::Prefix(cleared.clone()), wakers);
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    fn tell(&mut self, by: HandleId, concerns: impl Fn(&KeyPrefix) -> bool, change: &Change, wakers: &mut Wakers) {
        for watcher in self.by_id.values_mut().filter(|watcher| watcher.of != by && concerns(&watcher.prefix)) {
            watcher.pending.push(change, self.bound);
            wakers.due.extend(watcher.waker.take());
        }
    }
}
