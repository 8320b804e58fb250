//! What was written, and values that are not what they should be.

use std::collections::HashMap;

use bytes::Bytes;
use cachekit_core::{Entry, Key, KeyPrefix, Remaining};

use super::dice;
use super::rule::Fault;

/// The last two values of every key that was written.
#[derive(Default)]
pub(super) struct Memory(HashMap<Key, Past>);

/// Values, or nothing.
#[derive(Default)]
struct Past {
    before: Option<Bytes>,
    now: Option<Bytes>,
}

impl Memory {
    /// The entry under `key` was written: replaced, or removed.
    pub(super) fn wrote(&mut self, key: &Key, value: Option<Bytes>) {
        let past = self.0.entry(key.clone()).or_default();
        past.before = std::mem::replace(&mut past.now, value);
    }

    /// Everything under `prefix` was removed.
    pub(super) fn cleared(&mut self, prefix: &KeyPrefix) {
        for (_, past) in self.0.iter_mut().filter(|(key, _)| prefix.covers(key)) {
            past.before = past.now.take();
        }
    }

    /// What is read under `key` instead of `found`, if it meets this fault.
    pub(super) fn read(&self, fault: &Fault, drawn: u64, key: &Key, found: Option<Entry>) -> Option<Entry> {
        let past = self.0.get(key);
        if matches!(fault, Fault::Stale) {
            let Some(past) = past else { return found };
            let remaining = found.as_ref().map_or(Remaining::Unknown, |entry| entry.remaining);
            return past.before.clone().map(|value| Entry::new(value, remaining));
        }
        let older = past.and_then(|past| past.before.as_deref()).unwrap_or_default();
        found.map(|mut entry| {
            entry.value = damaged(fault, drawn, &entry.value, older);
            entry
        })
    }

    /// What is stored under `key` instead of `value`, if it meets this fault.
    pub(super) fn write(&self, fault: &Fault, drawn: u64, key: &Key, value: &Bytes) -> Bytes {
        let older = self.0.get(key).and_then(|past| past.now.as_deref()).unwrap_or_default();
        damaged(fault, drawn, value, older)
    }
}

fn damaged(fault: &Fault, drawn: u64, value: &Bytes, older: &[u8]) -> Bytes {
    if value.is_empty() {
        return value.clone();
    }
    match fault {
        Fault::Torn => {
            let half = value.len() / 2;
            let mut torn = value[..half].to_vec();
            torn.extend_from_slice(older.get(half..).unwrap_or_default());
            // What was there before was shorter, or nothing: the rest of the room is empty.
            torn.resize(torn.len().max(value.len()), 0);
            torn.into()
        }
        Fault::FlippedByte => {
            let mut flipped = value.to_vec();
            let at = dice::below(drawn, flipped.len());
            let bits = dice::below(dice::mix(drawn), 255) + 1;
            flipped[at] ^= u8::try_from(bits).expect("1 to 255 fits");
            flipped.into()
        }
        Fault::Truncated => value.slice(..dice::below(drawn, value.len())),
        _ => value.clone(),
    }
}
