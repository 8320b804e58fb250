//! [`Pending`]: the changes that one watch has not told yet, in bounded memory.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;

use crate::{Change, Key};

/// A queue of changes in which equal ones merge and which, when full, gives way to "sight lost, sight regained".
#[derive(Default)]
pub(super) struct Pending {
    queue: VecDeque<Change>,
    /// The number of the change at the front of the queue.
    front: u64,
    /// The number of the last prefix: a key does not merge with what stands before it.
    barrier: u64,
    /// For each key in the queue, the number of its last change there.
    latest: HashMap<Key, u64, RandomState>,
}

impl Pending {
    /// Adds `change`, with at most `bound` of them kept (two at least).
    ///
    /// A key that is pending is not added again: whoever is told of it looks after the later change too. Only a prefix
    /// in between keeps two apart, lest the key be told before the clear that preceded its last change.
    pub(super) fn push(&mut self, change: &Change, bound: usize) {
        if self.merges(change) {
            return;
        }
        if self.queue.len() >= bound {
            let front = self.end();
            *self = Self { front, ..Self::default() };
            self.queue.extend([Change::SightLost, Change::SightRegained]);
            return;
        }
        let number = self.end();
        self.queue.push_back(change.clone());
        match change {
            Change::Key(key) => {
                self.latest.insert(key.clone(), number);
            }
            _ => self.barrier = number,
        }
    }

    /// Takes the change that is to be told next.
    pub(super) fn pop(&mut self) -> Option<Change> {
        let change = self.queue.pop_front()?;
        if let Change::Key(key) = &change
            && self.latest.get(key) == Some(&self.front)
        {
            self.latest.remove(key);
        }
        self.front += 1;
        Some(change)
    }

    fn merges(&self, change: &Change) -> bool {
        match change {
            Change::Key(key) => self.latest.get(key).is_some_and(|&number| number >= self.barrier),
            other => self.queue.back() == Some(other),
        }
    }

    /// The number of the next change to be added.
    fn end(&self) -> u64 {
        // A queue in memory is far shorter than 2^64.
        self.front + self.queue.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::Pending;
    use crate::{Change, Key, KeyPrefix};

    /// What is told after `changes`, written as `a` for a key, `p:` for a prefix, `!` and `?` for sight lost and
    /// regained.
    fn check(bound: usize, changes: &str, told: &str) {
        let mut pending = Pending::default();
        for change in changes.split_whitespace() {
            pending.push(&read(change), bound);
            assert!(pending.queue.len() <= bound.max(2), "bounded");
            assert!(pending.latest.len() <= pending.queue.len(), "bounded");
        }
        assert_eq!(drain(&mut pending), told, "after {changes}");
        assert!(pending.latest.is_empty(), "nothing is left");
    }

    fn read(change: &str) -> Change {
        if change.ends_with(':') {
            return Change::Prefix(KeyPrefix::new(change).unwrap());
        }
        Change::Key(Key::new(change).unwrap())
    }

    fn drain(pending: &mut Pending) -> String {
        let mut told = Vec::new();
        while let Some(change) = pending.pop() {
            told.push(match change {
                Change::Key(key) => key.as_str().to_owned(),
                Change::Prefix(prefix) => prefix.as_str().to_owned(),
                Change::SightLost => "!".to_owned(),
                Change::SightRegained => "?".to_owned(),
            });
        }
        told.join(" ")
    }

    #[test]
    fn equal_changes_merge() {
        check(9, "", "");
        check(9, "a b a a b", "a b");
        check(9, "p: p: q: p:", "p: q: p:");
    }

    #[test]
    fn a_prefix_keeps_keys_apart() {
        check(9, "a p: a a", "a p: a");
        check(9, "a p: a q: a b", "a p: a q: a b");
    }

    #[test]
    fn overflow_collapses() {
        check(3, "a b c", "a b c");
        check(3, "a b c a", "a b c");
        check(3, "a b c d", "! ?");
        check(3, "a b c d e", "! ? e");
        check(3, "a b c d a", "! ? a");
        check(3, "a b c d e f", "! ?");
        check(3, "a b c p:", "! ?");
    }

    #[test]
    fn what_was_told_does_not_swallow_what_comes() {
        let mut pending = Pending::default();
        let (key, prefix) = (read("a"), read("p:"));
        pending.push(&key, 9);
        assert_eq!(pending.pop(), Some(key.clone()));
        pending.push(&key, 9);
        pending.push(&prefix, 9);
        pending.push(&key, 9);
        assert_eq!(pending.pop(), Some(key.clone()));
        pending.push(&key, 9);
        assert_eq!(drain(&mut pending), "p: a");
        pending.push(&key, 9);
        assert_eq!(drain(&mut pending), "a");
    }
}
