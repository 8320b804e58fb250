//! [`Entropy`]: where randomness comes from.

use std::fmt;

/// Where the engine's randomness comes from: jitter and the tokens of fences.
///
/// # Contract
/// 1. Values are uniform and independent. In production they are unpredictable; in tests they may come from a seed.
/// 2. It is called concurrently and does not block.
pub trait Entropy: fmt::Debug + Send + Sync + 'static {
    /// 64 random bits.
    fn next(&self) -> u64;
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn next(&self) -> u64 {
        use std::hash::{BuildHasher, RandomState};
        // Where the system has none to give, the standard library's keyed hasher, which differs at every call, has to
        // do.
        getrandom::u64().unwrap_or_else(|_| RandomState::new().hash_one(0_u8))
    }
}
