//! [`Chance`]: cheap random numbers for the policies, seeded from the cache's randomness.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use thread_local::ThreadLocal;

use crate::Entropy;

/// Cheap random numbers: each thread has a sequence of its own, all of them made from one seed.
///
/// Not for secrets. A policy asks for a number with every call, and the system's randomness costs a system call.
pub(super) struct Chance {
    seed: u64,
    /// How many threads have come so far.
    come: AtomicU64,
    threads: ThreadLocal<Cell<u64>>,
}

impl Chance {
    pub(super) fn new(entropy: &dyn Entropy) -> Self {
        Self { seed: entropy.next(), come: AtomicU64::new(0), threads: ThreadLocal::new() }
    }

    /// The next number of this thread, uniform over all of `u64`.
    #[inline]
    pub(super) fn next(&self) -> u64 {
        let state = self.threads.get_or(|| Cell::new(self.seed ^ mix(self.come.fetch_add(1, Ordering::Relaxed))));
        let next = state.get().wrapping_add(STEP);
        state.set(next);
        mix(next)
    }
}

impl fmt::Debug for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chance")
    }
}

/// The output function of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
#[inline]
fn mix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// Its step: the golden ratio, odd.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
