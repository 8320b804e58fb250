//! [`BreakerState`] and [`BreakerEvent`]: what there is to see of a breaker.

use std::fmt;

use crate::ErrorCode;

/// In which state a breaker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BreakerState {
    /// Calls go out, and their outcomes are counted.
    Closed,
    /// Calls are refused until the open time is over; the first one after it is a probe.
    Open,
    /// A few calls go out as probes, the others are refused.
    HalfOpen,
    /// Calls are refused until somebody says otherwise.
    ForcedOpen,
    /// Calls go out, whatever comes of them, until somebody says otherwise.
    ForcedClosed,
}

impl BreakerState {
    /// The state as text, as in logs and metrics: "half_open".
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::ForcedOpen => "forced_open",
            Self::ForcedClosed => "forced_closed",
        }
    }
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A breaker went from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerEvent {
    /// The state that ended.
    pub from: BreakerState,
    /// The state that began.
    pub to: BreakerState,
    /// The number of the state that began: events that two threads tell at once may arrive in either order.
    pub generation: u64,
    /// The code of the failure that brought it about, if one did.
    pub code: Option<ErrorCode>,
}

/// Where a breaker stands, in one word: which state, and the how-manieth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) generation: u64,
    pub(super) state: BreakerState,
}

impl Standing {
    pub(super) const fn begin() -> Self {
        Self { generation: 0, state: BreakerState::Closed }
    }

    /// The standing after this one.
    pub(super) const fn next(self, state: BreakerState) -> Self {
        Self { generation: self.generation.wrapping_add(1), state }
    }

    pub(super) const fn to_word(self) -> u64 {
        let state = match self.state {
            BreakerState::Closed => 0,
            BreakerState::Open => 1,
            BreakerState::HalfOpen => 2,
            BreakerState::ForcedOpen => 3,
            BreakerState::ForcedClosed => 4,
        };
        self.generation << STATE_BITS | state
    }

    #[inline]
    pub(super) const fn of_word(word: u64) -> Self {
        let state = match word & STATE_MASK {
            0 => BreakerState::Closed,
            1 => BreakerState::Open,
            2 => BreakerState::HalfOpen,
            3 => BreakerState::ForcedOpen,
            _ => BreakerState::ForcedClosed,
        };
        Self { generation: word >> STATE_BITS, state }
    }
}

const STATE_BITS: u32 = 3;
const STATE_MASK: u64 = (1 << STATE_BITS) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_survives_in_a_word() {
        let states = [
            BreakerState::Closed,
            BreakerState::Open,
            BreakerState::HalfOpen,
            BreakerState::ForcedOpen,
            BreakerState::ForcedClosed,
        ];
        for generation in [0, 1, 7, 1 << 60] {
            for state in states {
                let standing = Standing { generation, state };
                assert_eq!(Standing::of_word(standing.to_word()), standing);
            }
        }
    }
}
