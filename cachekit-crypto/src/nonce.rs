//! Nonces: 96 bits for each message that no other message gets, at the price of a system call for every 32 of them.
//!
//! ```text
//! nonce = 96 bits from the operating system, new for each batch of a thread
//!         ^ 48 bits of a number that the process and its relatives count together | 48 bits of the time
//! ```

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use cachekit_core::{Error, ErrorCode, Result};

use crate::cipher::NONCE;

/// A nonce for the message with this `number`, which no relative of this process gives to another one under the same key.
///
/// E008 if the system has no randomness to give.
pub(crate) fn nonce(number: u64) -> Result<[u8; NONCE]> {
    let next = |batch: &Cell<Batch>| {
        let mut taken = batch.get();
        let nonce = taken.next(now(), number, random)?;
        batch.set(taken);
        Ok(nonce)
    };
    // A thread that is ending has no batch any more.
    BATCH.try_with(next).unwrap_or_else(|_| random())
}

/// So many bytes from the operating system.
///
/// E008 if it has none to give.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        Error::new(ErrorCode::E008, "encryption: expected randomness from the operating system, got none")
            .with_source(error)
    })?;
    Ok(bytes)
}

/// What a thread drew from the system, to make a few nonces from it.
///
/// A child of a `fork` begins with a copy of its parent's, and so does each machine that is resumed from one snapshot. The
/// number tells the former apart, always; the time the latter, unless both come to a number in the same nanosecond.
#[derive(Clone, Copy, Debug)]
struct Batch {
    drawn: [u8; NONCE],
    /// In nanoseconds.
    at: u64,
    left: u8,
}

impl Batch {
    const NONE: Self = Self { drawn: [0; NONCE], at: 0, left: 0 };

    /// The next nonce, for message `number` at `now` in nanoseconds.
    fn next(&mut self, now: u64, number: u64, draw: impl FnOnce() -> Result<[u8; NONCE]>) -> Result<[u8; NONCE]> {
        // A clock that was set back ends a batch, too.
        if self.left == 0 || now.wrapping_sub(self.at) > LIFE {
            *self = Self { drawn: draw()?, at: now, left: LENGTH };
        }
        self.left -= 1;
        let apart = u128::from(number & LOW_48) << 48 | u128::from(now & LOW_48);
        let mut nonce = self.drawn;
        for (byte, apart) in nonce.iter_mut().zip(&apart.to_be_bytes()[4..]) {
            *byte ^= apart;
        }
        Ok(nonce)
    }
}

thread_local! {
    static BATCH: Cell<Batch> = const { Cell::new(Batch::NONE) };
}

#[expect(
    clippy::disallowed_methods,
    reason = "tells machines apart that have one past, which no clock set by hand can"
)]
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_nanos() as u64
}

/// So many nonces come from one draw. What a resumed machine could repeat is no longer than that.
const LENGTH: u8 = 32;

/// And none after so many nanoseconds, a millisecond: a thread that is not at work when a snapshot is taken draws anew.
const LIFE: u64 = 1_000_000;

const LOW_48: u64 = (1 << 48) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    /// How a batch goes on with these numbers, at these times.
    fn nonces(batch: &mut Batch, numbers: std::ops::Range<u64>, time: impl Fn(u64) -> u64) -> Vec<[u8; NONCE]> {
        let undrawn = || unreachable!("the batch is not at its end");
        numbers.map(|number| batch.next(time(number), number, undrawn).unwrap()).collect()
    }

    fn begun(drawn: [u8; NONCE]) -> Batch {
        let mut batch = Batch::NONE;
        batch.next(7, 0, || Ok(drawn)).unwrap();
        batch
    }

    #[test]
    fn relatives_with_one_batch_have_other_numbers_and_so_other_nonces() {
        let [mut parent, mut child] = [begun([9; NONCE]); 2];
        let both = [nonces(&mut parent, 1..16, |_| 7), nonces(&mut child, 16..32, |_| 7)].concat();
        assert_distinct(both);
    }

    #[test]
    fn machines_with_one_past_have_other_times_and_so_other_nonces() {
        let [mut one, mut other] = [begun([9; NONCE]); 2];
        let both = [nonces(&mut one, 1..32, |n| 8 + 2 * n), nonces(&mut other, 1..32, |n| 9 + 2 * n)].concat();
        assert_distinct(both);
    }

    #[test]
    fn a_batch_ends_after_its_length_its_life_and_when_the_clock_is_set_back() {
        let drawn_at = |times: &[u64]| {
            let (mut batch, mut draws) = (Batch::NONE, 0);
            for &time in times {
                let draw = || {
                    draws += 1;
                    Ok([draws; NONCE])
                };
                batch.next(time, 0, draw).unwrap();
            }
            draws
        };
        assert_eq!(drawn_at(&[7; 32]), 1);
        assert_eq!(drawn_at(&[7; 33]), 2);
        assert_eq!(drawn_at(&[7, 7 + LIFE]), 1);
        assert_eq!(drawn_at(&[7, 8 + LIFE]), 2);
        assert_eq!(drawn_at(&[7, 6]), 2);
    }

    #[test]
    fn a_draw_that_failed_is_an_error_and_the_next_one_draws_again() {
        let mut batch = Batch::NONE;
        let refused = batch.next(7, 0, || Err(Error::new(ErrorCode::E008, "none")));
        assert_eq!(refused.unwrap_err().code(), ErrorCode::E008);
        assert_eq!(batch.next(7, 0, || Ok([9; NONCE])).unwrap()[0], 9);
    }

    fn assert_distinct(mut nonces: Vec<[u8; NONCE]>) {
        let length = nonces.len();
        nonces.sort_unstable();
        nonces.dedup();
        assert_eq!(nonces.len(), length);
    }
}
