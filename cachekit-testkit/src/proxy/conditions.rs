//! [`Conditions`]: how badly bytes are carried in one direction.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

/// How badly bytes are carried in one direction. By default as they come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conditions {
    /// How long what comes is kept before it is sent on.
    pub delay: Duration,
    /// How many bytes a second go through at most.
    pub bandwidth: Option<NonZeroU64>,
    /// How many bytes are sent at a time at most.
    pub slice: Option<NonZeroUsize>,
    /// How long to wait after each slice.
    pub pause: Duration,
    /// After how many bytes, counted from when it was told, the connection is reset.
    pub cut_after: Option<u64>,
    /// Whether nothing goes through at all. What comes meanwhile is carried when it may again.
    pub silent: bool,
}

impl Conditions {
    /// What comes is kept for so long.
    #[must_use]
    pub fn delay(delay: Duration) -> Self {
        Self { delay, ..Self::default() }
    }

    /// At most so many bytes a second go through, and at least one.
    #[must_use]
    pub fn bandwidth(bytes_per_second: u64) -> Self {
        Self { bandwidth: Some(NonZeroU64::new(bytes_per_second).unwrap_or(NonZeroU64::MIN)), ..Self::default() }
    }

    /// At most so many bytes are sent at a time, and at least one.
    #[must_use]
    pub fn slices(bytes: usize) -> Self {
        Self { slice: Some(NonZeroUsize::new(bytes).unwrap_or(NonZeroUsize::MIN)), ..Self::default() }
    }

    /// One byte after the other, with a pause between.
    #[must_use]
    pub fn drip(pause: Duration) -> Self {
        Self { pause, ..Self::slices(1) }
    }

    /// The connection is reset when so many bytes went through: in the middle of a reply, if that is longer.
    #[must_use]
    pub fn cut_after(bytes: u64) -> Self {
        Self { cut_after: Some(bytes), ..Self::default() }
    }

    /// Nothing goes through.
    #[must_use]
    pub fn silent() -> Self {
        Self { silent: true, ..Self::default() }
    }

    /// These and those of `other`, which win where both say something.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let last = |own: Duration, other: Duration| if other.is_zero() { own } else { other };
        Self {
            delay: last(self.delay, other.delay),
            bandwidth: other.bandwidth.or(self.bandwidth),
            slice: other.slice.or(self.slice),
            pause: last(self.pause, other.pause),
            cut_after: other.cut_after.or(self.cut_after),
            silent: self.silent || other.silent,
        }
    }
}
