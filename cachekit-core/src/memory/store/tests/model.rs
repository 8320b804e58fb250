//! Random steps with moving time: the store against maps that are searched from end to end, and a mirror kept by
//! watching.

use std::collections::BTreeMap;
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::{ONE, TWO, at, key, ms, prefix, token, ttl};
use crate::memory::store::{HandleId, Store};
use crate::memory::watchers::WatchId;
use crate::{Acquired, Change, Entry, Remaining, Ttl};

const KEYS: [&str; 4] = ["a:1", "a:2", "b:1", "b:2"];
const PREFIXES: [&str; 2] = ["a:", "b:"];

#[derive(Clone, Debug)]
enum Step {
    Set { key: usize, value: u8, life: Option<u64> },
    Delete { key: usize },
    Renew { key: usize, life: Option<u64> },
    Acquire { key: usize, token: u128, lease: u64 },
    RenewFence { key: usize, token: u128, lease: u64 },
    Release { key: usize, token: u128 },
    SetFenced { key: usize, token: u128, value: u8, life: Option<u64> },
    SetAndRevoke { key: usize, value: u8, life: Option<u64> },
    DeleteAndRevoke { key: usize },
    Clear { prefix: usize },
    Pass { millis: u64 },
    Look,
    Watch,
}

fn steps() -> impl Strategy<Value = Vec<(HandleId, Step)>> {
    let key = || 0..KEYS.len();
    let life = || proptest::option::of(1..12_u64);
    let token = || 1..4_u128;
    let lease = || 0..12_u64;
    let step = prop_oneof![
        4 => (key(), any::<u8>(), life()).prop_map(|(key, value, life)| Step::Set { key, value, life }),
        2 => key().prop_map(|key| Step::Delete { key }),
        2 => (key(), life()).prop_map(|(key, life)| Step::Renew { key, life }),
        4 => (key(), token(), lease()).prop_map(|(key, token, lease)| Step::Acquire { key, token, lease }),
        2 => (key(), token(), lease()).prop_map(|(key, token, lease)| Step::RenewFence { key, token, lease }),
        2 => (key(), token()).prop_map(|(key, token)| Step::Release { key, token }),
        4 => (key(), token(), any::<u8>(), life())
            .prop_map(|(key, token, value, life)| Step::SetFenced { key, token, value, life }),
        2 => (key(), any::<u8>(), life()).prop_map(|(key, value, life)| Step::SetAndRevoke { key, value, life }),
        2 => key().prop_map(|key| Step::DeleteAndRevoke { key }),
        1 => (0..PREFIXES.len()).prop_map(|prefix| Step::Clear { prefix }),
        6 => (0..8_u64).prop_map(|millis| Step::Pass { millis }),
        3 => Just(Step::Look),
        3 => Just(Step::Watch),
    ];
    proptest::collection::vec((prop_oneof![Just(ONE), Just(TWO)], step), 0..80)
}

/// What the store ought to be. Times are milliseconds since the beginning.
#[derive(Default)]
struct Model {
    now: u64,
    lag: u64,
    entries: BTreeMap<usize, (Bytes, Option<u64>)>,
    fences: BTreeMap<usize, (u128, u64)>,
}

impl Model {
    fn get(&self, key: usize) -> Option<Entry> {
        let (value, ends) = self.entries.get(&key)?;
        let remaining = match ends {
            None => Remaining::Never,
            Some(ends) => Remaining::For(ms(ends.checked_sub(self.now + self.lag).filter(|left| *left > 0)?)),
        };
        Some(Entry::new(value.clone(), remaining))
    }

    fn set(&mut self, key: usize, value: u8, life: Option<u64>) {
        self.entries.insert(key, (bytes(value), life.map(|life| self.now + life)));
    }

    fn holder(&self, key: usize) -> Option<u128> {
        self.fences.get(&key).filter(|(_, ends)| *ends > self.now).map(|(token, _)| *token)
    }
}

/// A copy of what is under `a:`, believed as long as the watch says nothing against it.
struct Mirror {
    of: HandleId,
    watch: WatchId,
    copies: BTreeMap<usize, Bytes>,
}

impl Mirror {
    fn forget(&mut self, change: &Change) {
        match change {
            Change::Key(changed) => self.copies.retain(|copy, _| KEYS[*copy] != changed.as_str()),
            Change::Prefix(cleared) => self.copies.retain(|copy, _| !cleared.covers(&key(KEYS[*copy]))),
            Change::SightLost | Change::SightRegained => self.copies.clear(),
        }
    }

    /// Takes what is told; then every copy is what is stored, unless that has ended or was evicted.
    fn catch_up(&mut self, store: &mut Store, now: u64) -> Result<(), TestCaseError> {
        while let Poll::Ready(change) = store.poll_watch(self.watch, Waker::noop().clone()) {
            self.forget(&change.unwrap());
        }
        for (index, text) in KEYS.iter().enumerate().filter(|(_, text)| text.starts_with("a:")) {
            if let Some(stored) = store.get(&key(text), at(now * 1_000)) {
                prop_assert_eq!(
                    &stored.value,
                    self.copies.entry(index).or_insert_with(|| stored.value.clone()),
                    "{}",
                    text
                );
            }
        }
        Ok(())
    }
}

fn bytes(value: u8) -> Bytes {
    Bytes::from(vec![value; usize::from(value % 7)])
}

fn life_of(life: Option<u64>) -> Ttl {
    life.map_or(Ttl::Never, |millis| ttl(ms(millis)))
}

fn run(steps: Vec<(HandleId, Step)>, lag: u64, capacity: Option<usize>) -> Result<(), TestCaseError> {
    let mut store = Store::new(capacity, ms(lag), 3);
    let mut model = Model { lag, ..Model::default() };
    let mut mirrors = [ONE, TWO].map(|of| {
        let watch = store.watch(of, &prefix("a:"));
        Mirror { of, watch, copies: BTreeMap::new() }
    });
    // An eviction is the one freedom that a store has.
    let agrees =
        |stored: &Option<Entry>, model: Option<Entry>| *stored == model || capacity.is_some() && stored.is_none();
    for (by, step) in steps {
        let now = at(model.now * 1_000);
        let mut changed = None;
        match step.clone() {
            Step::Set { key: index, value, life } => {
                store.set(by, &key(KEYS[index]), bytes(value), life_of(life), now);
                model.set(index, value, life);
                changed = Some(Change::Key(key(KEYS[index])));
            }
            Step::Delete { key: index } => {
                store.delete(by, &key(KEYS[index]), now);
                model.entries.remove(&index);
                changed = Some(Change::Key(key(KEYS[index])));
            }
            Step::Renew { key: index, life } => {
                let renewed = store.renew(by, &key(KEYS[index]), life_of(life), now);
                prop_assert!(renewed == model.get(index).is_some() || capacity.is_some() && !renewed);
                if model.get(index).is_some() {
                    model.entries.get_mut(&index).unwrap().1 = life.map(|life| model.now + life);
                }
            }
            Step::Acquire { key: index, token: number, lease } => {
                let answer = store.acquire(&key(KEYS[index]), &token(number), ms(lease), now);
                let held = model.holder(index).is_some_and(|holder| holder != number);
                match answer {
                    Acquired::Held => prop_assert!(held),
                    Acquired::Granted { found } => {
                        prop_assert!(!held && agrees(&found, model.get(index)));
                        model.fences.insert(index, (number, model.now + lease));
                    }
                }
            }
            Step::RenewFence { key: index, token: number, lease } => {
                let holds = model.holder(index) == Some(number);
                prop_assert_eq!(store.renew_fence(&key(KEYS[index]), &token(number), ms(lease), now), holds);
                if holds {
                    model.fences.insert(index, (number, model.now + lease));
                }
            }
            Step::Release { key: index, token: number } => {
                let holds = model.holder(index) == Some(number);
                prop_assert_eq!(store.release(&key(KEYS[index]), &token(number), now), holds);
                if holds {
                    model.fences.remove(&index);
                }
            }
            Step::SetFenced { key: index, token: number, value, life } => {
                let holds = model.holder(index) == Some(number);
                let (key, token) = (key(KEYS[index]), token(number));
                prop_assert_eq!(store.set_fenced(by, &key, &token, bytes(value), life_of(life), now), holds);
                if holds {
                    model.set(index, value, life);
                    model.fences.remove(&index);
                    changed = Some(Change::Key(key));
                }
            }
            Step::SetAndRevoke { key: index, value, life } => {
                store.set_and_revoke(by, &key(KEYS[index]), bytes(value), life_of(life), now);
                model.set(index, value, life);
                model.fences.remove(&index);
                changed = Some(Change::Key(key(KEYS[index])));
            }
            Step::DeleteAndRevoke { key: index } => {
                store.delete_and_revoke(by, &key(KEYS[index]), now);
                model.entries.remove(&index);
                model.fences.remove(&index);
                changed = Some(Change::Key(key(KEYS[index])));
            }
            Step::Clear { prefix: index } => {
                let prefix = prefix(PREFIXES[index]);
                store.clear(by, &prefix);
                model.entries.retain(|index, _| !prefix.covers(&key(KEYS[*index])));
                model.fences.retain(|index, _| !prefix.covers(&key(KEYS[*index])));
                changed = Some(Change::Prefix(prefix));
            }
            Step::Pass { millis } => model.now += millis,
            Step::Look => {
                for (index, text) in KEYS.iter().enumerate() {
                    prop_assert!(agrees(&store.get(&key(text), now), model.get(index)), "{} after {:?}", text, step);
                }
            }
            Step::Watch => {
                for mirror in &mut mirrors {
                    mirror.catch_up(&mut store, model.now)?;
                }
            }
        }
        // What a handle changes itself it knows without being told.
        for mirror in mirrors.iter_mut().filter(|mirror| mirror.of == by) {
            changed.iter().for_each(|change| mirror.forget(change));
        }
        store.check();
        store.take_aftermath().settle();
    }
    Ok(())
}

proptest! {
    #[test]
    fn the_store_is_its_model(steps in steps(), lag in 0..3_u64) {
        run(steps, lag, None)?;
    }

    #[test]
    fn a_bounded_store_is_its_model_but_for_evictions(steps in steps(), capacity in 210..900_usize) {
        run(steps, 0, Some(capacity))?;
    }
}

#[test]
fn the_model_ends_what_the_store_ends() {
    let mut model = Model { lag: 1, ..Model::default() };
    model.set(0, 3, Some(5));
    assert_eq!(model.get(0).unwrap().remaining, Remaining::For(Duration::from_millis(4)));
    model.now = 4;
    assert_eq!(model.get(0), None);
}
