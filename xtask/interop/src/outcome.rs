//! [`Outcome`]: whether something holds, and why not.

use std::error::Error;
use std::fmt::Debug;

/// Whether something holds.
pub(crate) type Outcome = Result<(), Failure>;

/// Why it does not, in one sentence.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Whether `seen` is what was `expected`.
pub(crate) fn same<T: PartialEq + Debug>(expected: &T, seen: &T) -> Outcome {
    if expected == seen { Ok(()) } else { Err(Failure(format!("expected {}, seen {}", short(expected), short(seen)))) }
}

/// Long values show their beginning.
fn short(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}… of {} bytes", &text[..end], text.len()),
        None => text,
    }
}

const SHOWN: usize = 200;
