//! [`Deadlines`]: which keys end when, the earliest first.

use std::collections::BTreeSet;

use crate::{Key, Moment};

/// The keys that end by time, ordered by their end. What never ends is not in it.
#[derive(Default)]
pub(super) struct Deadlines(BTreeSet<(Moment, Key)>);

impl Deadlines {
    pub(super) fn insert(&mut self, ends: Moment, key: &Key) {
        if ends != Moment::FAR {
            self.0.insert((ends, key.clone()));
        }
    }

    pub(super) fn remove(&mut self, ends: Moment, key: &Key) {
        if ends != Moment::FAR {
            self.0.remove(&(ends, key.clone()));
        }
    }

    /// The key that ended first, if one has ended by `now`. It stays until it is removed.
    pub(super) fn first_ended(&self, now: Moment) -> Option<Key> {
        self.0.first().filter(|(ends, _)| has_ended(*ends, now)).map(|(_, key)| key.clone())
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Whether what ends at `ends` is over at `now`.
pub(super) fn has_ended(ends: Moment, now: Moment) -> bool {
    ends != Moment::FAR && ends <= now
}
