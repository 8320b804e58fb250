//! [`Places`]: the places of a limit, in shares.

use super::super::padded::Padded;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::thread_number;

/// The places of a limit, in shares: threads that take from different shares do not write to the same memory.
///
/// A share is one word: how many of its places are taken, how many it has, and whether it is closed. What happens to it
/// has an order, therefore, and no fences are needed: who gives a place back to an open share is seen by who closes it
/// later, and who gives it back to a closed one is told so.
#[derive(Debug)]
pub(super) struct Places {
    shares: Box<[Padded<AtomicU64>]>,
}

/// Which share, of the first so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share(usize);

impl Places {
    pub(super) fn new(count: u32) -> Self {
        let shares = 1 << (count / LEAST).clamp(1, MOST).ilog2();
        let share = |at: u32| AtomicU64::new(u64::from(count / shares + u32::from(at < count % shares)) * PLACE);
        Self { shares: (0..shares).map(|at| Padded(share(at))).collect() }
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> u64 {
        self.shares.iter().map(|share| taken(share.load(Ordering::Relaxed))).sum()
    }

    /// Takes a place of this share, unless it is closed or has none.
    #[inline]
    pub(super) fn take(&self, share: Share) -> bool {
        let take = |word: u64| (word & CLOSED == 0 && free(word) > 0).then_some(word + TAKEN);
        self.word(share).fetch_update(Ordering::Acquire, Ordering::Relaxed, take).is_ok()
    }

    /// Gives a place back to the share that it is of. Whether that is closed.
    #[inline]
    pub(super) fn give_back(&self, share: Share) -> bool {
        // Whoever finishes a call twice shall not let in more than there are places.
        let give_back = |word: u64| (taken(word) > 0).then(|| word - TAKEN);
        let before = self.word(share).fetch_update(Ordering::AcqRel, Ordering::Relaxed, give_back);
        before.unwrap_or_default() & CLOSED != 0
    }

    /// Has all take places under the caller's lock only, from now on.
    pub(super) fn close(&self) {
        for share in &self.shares {
            share.fetch_or(CLOSED, Ordering::AcqRel);
        }
    }

    /// Ends that.
    pub(super) fn open(&self) {
        for share in &self.shares {
            share.fetch_and(!CLOSED, Ordering::AcqRel);
        }
    }

    /// Takes a place wherever there is one, with half of what is left there for the next to come. Under the lock, while
    /// all are closed.
    ///
    /// `None` only if there was a moment at which none had any: places become free meanwhile, but none is taken.
    pub(super) fn take_of_others(&self, share: Share) -> Option<Share> {
        let free_of = |at: &usize| free(self.shares[*at].load(Ordering::Acquire));
        let mine = share.0 % self.shares.len();
        let richest = (0..self.shares.len()).max_by_key(free_of)?;
        let free = free_of(&richest);
        if free == 0 {
            return None;
        }
        let moved = if richest == mine { 0 } else { free.div_ceil(2) };
        self.shares[richest].fetch_sub(moved * PLACE, Ordering::AcqRel);
        self.shares[mine].fetch_add(moved * PLACE + TAKEN, Ordering::AcqRel);
        Some(Share(mine))
    }

    #[inline]
    fn word(&self, share: Share) -> &AtomicU64 {
        &self.shares[share.0 & (self.shares.len() - 1)]
    }
}

impl Share {
    /// That of the calling thread.
    #[inline]
    pub(super) fn mine() -> Self {
        Self(thread_number() % MOST as usize)
    }

    /// The mark of an admission that holds a place of it. No ticket has the same.
    #[inline]
    pub(super) fn mark(self) -> u64 {
        (self.0 as u64) << MARK
    }

    #[inline]
    pub(super) fn of_mark(mark: u64) -> Option<Self> {
        (mark << (64 - MARK) == 0).then_some(Self((mark >> MARK) as usize))
    }
}

fn taken(word: u64) -> u64 {
    word & (PLACE - 1)
}

fn free(word: u64) -> u64 {
    ((word & !CLOSED) / PLACE).saturating_sub(taken(word))
}

const TAKEN: u64 = 1;
const PLACE: u64 = 1 << 32;
const CLOSED: u64 = 1 << 63;
/// Tickets are numbers below two to the power of this.
const MARK: u32 = 56;
/// How many shares there are at most, and how many places each has at least, to begin with.
const MOST: u32 = 16;
const LEAST: u32 = if cfg!(any(feature = "_shuttle", feature = "_loom")) { 1 } else { 16 };
