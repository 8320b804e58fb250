//! Numbers that look random and follow from a seed.

/// The `count`-th number of the `stream` that belongs to `seed`.
///
/// It depends on nothing else, so that what one rule draws does not depend on what others do.
pub(crate) fn draw(seed: u64, stream: u64, count: u64) -> u64 {
    mix(mix(mix(seed).wrapping_add(stream)).wrapping_add(count))
}

/// Whether something of this `probability` happens, given a number that was drawn.
pub(crate) fn happens(drawn: u64, probability: f64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "53 bits of chance are plenty")]
    let chance = (drawn >> 11) as f64 / (1_u64 << 53) as f64;
    chance < probability
}

/// A number below `bound`, which is not zero, given one that was drawn.
pub(crate) fn below(drawn: u64, bound: usize) -> usize {
    // The remainder is below `bound`, so it fits.
    (drawn % bound as u64) as usize
}

/// SplitMix64.
pub(crate) fn mix(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_kept_and_their_ends_are_certain() {
        let hits = |probability| (0..10_000).filter(|&n| happens(draw(7, 1, n), probability)).count();
        assert_eq!((hits(0.0), hits(1.0)), (0, 10_000));
        assert!((2_800..3_200).contains(&hits(0.3)), "{}", hits(0.3));
    }

    #[test]
    fn seeds_and_streams_differ() {
        let numbers = |seed, stream| (0..8).map(|n| draw(seed, stream, n)).collect::<Vec<_>>();
        assert_eq!(numbers(1, 1), numbers(1, 1));
        assert_ne!(numbers(1, 1), numbers(2, 1));
        assert_ne!(numbers(1, 1), numbers(1, 2));
    }
}
