//! Checks of settings: what cannot be is refused when a policy is made, by name, with what was expected and what came.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::{Error, ErrorCode, Result};

/// The longest time that a setting may name: whoever asks for more has mistaken the unit.
pub(super) const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The shortest time that can pass.
pub(super) const INSTANT: Duration = Duration::from_nanos(1);

/// `value` if it lies within `range`.
///
/// # Errors
/// E044 if it does not.
pub(super) fn within<T: PartialOrd + fmt::Debug>(name: &str, value: T, range: RangeInclusive<T>) -> Result<T> {
    if range.contains(&value) {
        return Ok(value);
    }
    let expected = format_args!("{:?} to {:?}", range.start(), range.end()).to_string();
    Err(Error::invalid(ErrorCode::E044, name, expected, format_args!("{value:?}")))
}

/// Whether making it with impossible settings was refused, with these words: for tests.
#[cfg(test)]
#[track_caller]
pub(super) fn assert_refused<T: fmt::Debug>(made: Result<T>, words: &str) {
    let error = made.expect_err("these settings cannot be");
    assert_eq!(error.code(), ErrorCode::E044);
    assert_eq!(error.message(), words);
}
