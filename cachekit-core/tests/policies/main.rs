//! Policies beside a second, naive implementation of each, and the figures and faults that they are there for.
//!
//! Each `naive` is written for being read: it keeps what happened in a list and counts anew each time. Both are asked
//! the same in 100,000 sequences that follow from a seed, and have to answer the same.

#![cfg(not(feature = "_shuttle"))]
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

mod breaker;
mod concurrency_limit;
mod dice;
mod figures;
mod rate_limit;
mod retry;
mod time_limits;

/// How many sequences each policy is played.
const SEQUENCES: u64 = 100_000;
