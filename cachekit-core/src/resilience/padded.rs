//! [`Padded`]: keeps what is written at each call apart from what others only read.

use std::ops::Deref;

/// A value that shares no line of the cache with others, nor the pair of lines that some processors fetch at once: who
/// writes to it slows down nobody who reads its neighbours.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Padded<T>(pub(super) T);

impl<T> Deref for Padded<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}
