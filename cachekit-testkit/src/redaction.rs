//! Assertions that a secret does not show.

use std::error::Error as StdError;
use std::fmt::Debug;

/// Asserts that `secret` shows in no form of `error`: `{}`, `{:?}` and `{:#?}`, of itself and of every cause.
///
/// ```
/// use cachekit_core::{Error, ErrorCode};
/// use cachekit_testkit::assert_redacted;
///
/// assert_redacted(&Error::new(ErrorCode::E013, "the server refused the credentials"), "hunter2");
/// ```
///
/// # Panics
/// If it shows; the message says in which form, and does not repeat it. And if `secret` is empty, which is everywhere.
#[track_caller]
pub fn assert_redacted(error: &(dyn StdError + 'static), secret: &str) {
    assert_hidden(&everything_shown(error), secret);
}

/// Asserts that `secret` does not show in `{:?}` and `{:#?}` of `value`.
///
/// # Panics
/// As [`assert_redacted`].
#[track_caller]
pub fn assert_debug_redacted(value: &impl Debug, secret: &str) {
    assert_hidden(&debugged("the value", value), secret);
}

/// Every form of an error and of its causes: where it shows, and what.
#[must_use]
pub fn everything_shown(error: &(dyn StdError + 'static)) -> Vec<(String, String)> {
    let chain = std::iter::successors(Some(error), |&error| error.source());
    chain
        .enumerate()
        .flat_map(|(depth, error)| {
            let name = if depth == 0 { "the error".to_owned() } else { format!("cause {depth}") };
            let mut shown = debugged(&name, &error);
            shown.push((format!("Display of {name}"), error.to_string()));
            shown
        })
        .collect()
}

fn debugged(name: &str, value: &impl Debug) -> Vec<(String, String)> {
    vec![
        (format!("Debug of {name}"), format!("{value:?}")),
        (format!("alternate Debug of {name}"), format!("{value:#?}")),
    ]
}

#[track_caller]
fn assert_hidden(shown: &[(String, String)], secret: &str) {
    assert!(!secret.is_empty(), "an empty secret shows everywhere");
    if let Some((place, text)) = shown.iter().find(|(_, text)| text.contains(secret)) {
        panic!("a secret shows in {place}: {}", text.replace(secret, "<the secret>"));
    }
}

#[cfg(test)]
mod tests {
    use cachekit_core::{Error, ErrorCode};

    use super::*;

    fn failure(check: impl FnOnce()) -> String {
        let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).unwrap_err();
        match payload.downcast::<String>() {
            Ok(message) => *message,
            Err(payload) => (*payload.downcast::<&str>().unwrap()).to_owned(),
        }
    }

    #[test]
    fn a_secret_is_found_wherever_it_shows_and_not_repeated() {
        let clean = Error::new(ErrorCode::E013, "refused");
        assert_redacted(&clean, "hunter2");
        let cases = [
            (Error::new(ErrorCode::E013, "hunter2 is wrong"), "the error"),
            (clean.clone().with_source(Error::new(ErrorCode::E010, "hunter2")), "Debug of the error"),
        ];
        for (error, place) in cases {
            let message = failure(move || assert_redacted(&error, "hunter2"));
            assert!(message.contains(place) && !message.contains("hunter2"), "{message}");
        }
        let deep = std::io::Error::other(Error::new(ErrorCode::E010, "fine").with_source("hunter2"));
        assert!(
            everything_shown(&deep)
                .iter()
                .any(|(place, text)| place.starts_with("Display of cause") && text == "hunter2")
        );
        assert_debug_redacted(&7, "hunter2");
        assert!(failure(|| assert_debug_redacted(&"hunter2", "hunter2")).contains("<the secret>"));
        assert!(failure(|| assert_debug_redacted(&7, "")).contains("empty"));
    }
}
