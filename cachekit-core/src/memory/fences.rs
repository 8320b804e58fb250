//! [`Fences`]: who may load which key, and until when.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::deadlines::{Deadlines, has_ended};
use crate::{FenceToken, Key, KeyPrefix, Moment};

/// The fences that are held. They stand beside the entries and outlive them.
#[derive(Default)]
pub(super) struct Fences {
    by_key: HashMap<Key, Lease, RandomState>,
    by_end: Deadlines,
}

struct Lease {
    token: FenceToken,
    ends: Moment,
}

impl Fences {
    /// Who holds the fence of `key` at `now`.
    pub(super) fn holder(&self, key: &Key, now: Moment) -> Option<FenceToken> {
        self.by_key.get(key).filter(|lease| !has_ended(lease.ends, now)).map(|lease| lease.token)
    }

    /// Gives the fence to `token` until `ends`, whoever had it.
    pub(super) fn give(&mut self, key: &Key, token: FenceToken, ends: Moment) {
        self.revoke(key);
        self.by_end.insert(ends, key);
        self.by_key.insert(key.clone(), Lease { token, ends });
    }

    /// Ends the fence of `key`, whoever has it.
    pub(super) fn revoke(&mut self, key: &Key) {
        if let Some(lease) = self.by_key.remove(key) {
            self.by_end.remove(lease.ends, key);
        }
    }

    /// Ends the fences that `prefix` covers, by looking at every one.
    pub(super) fn revoke_under(&mut self, prefix: &KeyPrefix) {
        for (key, lease) in self.by_key.extract_if(|key, _| prefix.covers(key)) {
            self.by_end.remove(lease.ends, &key);
        }
    }

    /// Forgets up to `at_most` fences that have lapsed.
    pub(super) fn sweep(&mut self, now: Moment, at_most: usize) {
        for _ in 0..at_most {
            let Some(key) = self.by_end.first_ended(now) else { return };
            self.revoke(&key);
        }
    }

    /// How many there are, lapsed ones that were not swept yet included.
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Panics unless the indexes agree.
    #[cfg(test)]
    pub(super) fn check(&self) {
        assert_eq!(self.by_end.len(), self.by_key.values().filter(|lease| lease.ends != Moment::FAR).count());
    }
}
