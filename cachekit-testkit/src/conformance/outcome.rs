//! What a rule finds: nothing to object to, a deviation, or that it does not apply.

use std::fmt::{self, Debug, Display};

use bytes::Bytes;
use cachekit_core::{Entry, Error};

/// `Ok` if the rule is kept.
pub(crate) type Outcome<T = ()> = Result<T, Unmet>;

/// Why a rule was not found to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unmet {
    /// The backend does something else.
    Deviates {
        /// What it should have done, and in which situation.
        expected: String,
        /// What it did.
        got: String,
    },
    /// The rule does not apply, or cannot be shown here: why.
    Skipped(String),
}

impl Unmet {
    pub(crate) fn deviates(expected: impl Display, got: impl Display) -> Self {
        Self::Deviates { expected: expected.to_string(), got: got.to_string() }
    }

    pub(crate) fn skipped(reason: impl Into<String>) -> Self {
        Self::Skipped(reason.into())
    }
}

/// A call that should have been answered, and was not.
impl From<Error> for Unmet {
    fn from(error: Error) -> Self {
        Self::deviates("every call to be answered", error)
    }
}

/// Fails unless `holds`. `got` says what came instead.
pub(crate) fn ensure(holds: bool, expected: impl Display, got: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(Unmet::deviates(expected, got())) }
}

/// Fails unless `got` is what was expected in the situation `when`.
pub(crate) fn equal<T: PartialEq + Debug>(when: impl Display, got: &T, expected: &T) -> Outcome {
    ensure(got == expected, format_args!("{when}: {expected:?}"), || format!("{got:?}"))
}

/// Fails unless the entry found is there with this very value.
pub(crate) fn holds(when: impl Display, found: Option<&Entry>, value: &Bytes) -> Outcome {
    let got = match found {
        Some(entry) if entry.value == value => return Ok(()),
        Some(entry) => difference(&entry.value, value),
        None => "nothing".to_owned(),
    };
    Err(Unmet::deviates(format_args!("{when}: the {} bytes that were set", value.len()), got))
}

/// Fails if an entry was found.
pub(crate) fn nothing(when: impl Display, found: Option<&Entry>) -> Outcome {
    match found {
        None => Ok(()),
        Some(entry) => Err(Unmet::deviates(format_args!("{when}: nothing"), format_args!("{entry:?}"))),
    }
}

/// How one value differs from another, without showing either whole.
fn difference(got: &Bytes, expected: &Bytes) -> String {
    let at = got.iter().zip(expected).position(|(got, expected)| got != expected);
    match at {
        Some(at) => format!("{} bytes, which differ from byte {at} on", got.len()),
        None if got.len() < expected.len() => format!("only the first {} bytes of them", got.len()),
        None => format!("{} bytes, which begin with them", got.len()),
    }
}

impl Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deviates { expected, got } => write!(f, "expected {expected}; got {got}"),
            Self::Skipped(reason) => write!(f, "skipped: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use cachekit_core::Remaining;

    use super::*;

    #[test]
    fn differences_are_told_without_the_values() {
        let check = |got: &'static [u8], expected: &str| {
            let found = Entry::new(Bytes::from_static(got), Remaining::Unknown);
            let unmet = holds("get", Some(&found), &Bytes::from_static(b"secret")).unwrap_err();
            let Unmet::Deviates { got, .. } = unmet else { panic!("{unmet}") };
            assert_eq!(got, expected);
        };
        check(b"sec", "only the first 3 bytes of them");
        check(b"secrets", "7 bytes, which begin with them");
        check(b"sacred", "6 bytes, which differ from byte 1 on");
        assert_eq!(
            holds("get", None, &Bytes::new()).unwrap_err().to_string(),
            "expected get: the 0 bytes that were set; got nothing"
        );
    }
}
