//! What does a hit in process memory cost, once its value is typed?
//!
//! - The floor is the bare map that such a cache must look into: quick_cache, which hands out an `Arc`.
//! - Every candidate gives the whole value to its caller: an `Arc` where the candidate keeps decoded values, else a
//!   value decoded for that call. The caller reads one field and drops it; dropping is part of the price.
//! - Peers whose keys are strings get strings made beforehand. Ours are made of the number, as a caller would have it.

mod ours;
mod peers;

use std::sync::Arc;

use crate::harness::{Candidate, Row, compare};
use crate::record::Record;

const KEYS: u64 = 1_000;

pub fn run() -> Vec<Row> {
    let mut rows = Vec::new();
    for (size, bytes) in [("100 B", 100), ("1 KiB", 1_024), ("10 KiB", 10_240), ("100 KiB", 102_400)] {
        let set = Resident::new(bytes);
        let candidates = candidates(&set);
        for (threads, word) in [(1, "1 thread"), (2, "2 threads")] {
            rows.extend(compare("l1", format!("get, {size}, {word}"), threads, &candidates));
        }
    }
    let set = Resident::new(100);
    rows.extend(compare("l1", "function, 100 B, 1 thread", 1, &functions(&set)));
    rows
}

fn candidates(set: &Resident) -> Vec<Candidate<'_>> {
    vec![
        peers::floor(set),
        ours::get(set),
        ours::get_or_load(set),
        ours::peek(set),
        peers::cachekit_rs(set),
        peers::amalgam(set),
        peers::moka(set),
    ]
}

/// The same through each library's macro.
fn functions(set: &Resident) -> Vec<Candidate<'_>> {
    vec![peers::floor(set), ours::function(set), peers::cachekit_rs_macro(set)]
}

/// The entries, all of which fit, and the order in which they are asked for.
struct Resident {
    records: Vec<Arc<Record>>,
    /// `records[n]` under the name that string-keyed peers know it by.
    names: Vec<String>,
    order: Vec<u16>,
}

impl Resident {
    fn new(bytes: usize) -> Resident {
        Resident {
            records: (0..KEYS).map(|id| Arc::new(Record::new(id, bytes))).collect(),
            names: (0..KEYS).map(|id| format!("record:{id}")).collect(),
            order: pseudo_random().map(|number| (number % KEYS) as u16).take(Self::PERIOD).collect(),
        }
    }

    /// Small enough for the processor's first-level cache, which belongs to the candidates.
    const PERIOD: usize = 4_096;

    /// Returns which entry operation `number` of thread `thread` asks for. Threads start at different places.
    fn at(&self, thread: usize, number: u64) -> u64 {
        u64::from(self.order[(number as usize + thread * (Self::PERIOD / 3)) % Self::PERIOD])
    }
}

/// The same numbers in each run: a linear congruential generator, of which the upper bits are good.
fn pseudo_random() -> impl Iterator<Item = u64> {
    let step =
        |state: &u64| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
    std::iter::successors(Some(7), step).skip(1).map(|state| state >> 33)
}
