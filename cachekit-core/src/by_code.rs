//! [`ByCode`]: how often each error code came up.

use std::fmt;
// Not those that are explored: nothing is decided by a number that only grows.
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ErrorCode;

/// How often each error code came up. For what happens on cold ways: all threads write to the same place.
pub(crate) struct ByCode([AtomicU64; ErrorCode::ALL.len()]);

impl Default for ByCode {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; ErrorCode::ALL.len()])
    }
}

impl ByCode {
    pub(crate) fn add(&self, code: ErrorCode) {
        self.0[code as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The codes that came up, in the catalogue's order, and how often each did.
    pub(crate) fn read(&self) -> Vec<(ErrorCode, u64)> {
        let all = ErrorCode::ALL.iter().zip(&self.0);
        all.map(|(&code, count)| (code, count.load(Ordering::Relaxed))).filter(|&(_, count)| count > 0).collect()
    }
}

impl fmt::Debug for ByCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.read()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::ByCode;
    use crate::ErrorCode;

    #[test]
    fn every_code_has_a_place_of_its_own() {
        let counts = ByCode::default();
        for (times, &code) in (1..).zip(ErrorCode::ALL) {
            (0..times).for_each(|_| counts.add(code));
        }
        let expected: Vec<_> = ErrorCode::ALL.iter().copied().zip(1..).collect();
        assert_eq!(counts.read(), expected);
    }

    #[test]
    fn what_never_came_up_is_not_told() {
        let counts = ByCode::default();
        assert!(counts.read().is_empty());
        counts.add(ErrorCode::E030);
        assert_eq!(counts.read(), [(ErrorCode::E030, 1)]);
    }
}
