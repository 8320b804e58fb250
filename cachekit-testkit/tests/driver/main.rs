//! The driver: policies around a backend, in the order given, and nothing lost on the way.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod batches;
mod cancellation;
mod common;
mod limits;
mod order;
mod queues;
mod storm;
