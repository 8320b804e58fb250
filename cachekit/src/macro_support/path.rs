//! The path of a cached function as a name: what its namespace is called, unless it says otherwise.

use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

use cachekit_core::{Error, ErrorCode, Result};

/// The name of `function`, from the name of a type that is declared in it.
///
/// `app::users::find::{{closure}}::Here` gives `app.users.find`. What is no plain path (an `impl` of a trait, types
/// with parameters) and what is longer than 64 bytes is shortened from the front and ends in a digest of the whole.
pub(super) fn name_of(here: &str, function: &str) -> String {
    let parent = {
        let mut segments: Vec<&str> = here.split("::").collect();
        segments.pop();
        while segments.last() == Some(&"{{closure}}") {
            segments.pop();
        }
        segments.pop();
        segments.join("::")
    };
    let whole = format!("{parent}::{function}");
    let mut name = String::with_capacity(whole.len());
    // `_` for a parameter that the function's own type leaves open says nothing.
    let plain = whole.replace("<_>", "").replace("::{{closure}}", "").replace("::", ".");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    for c in plain.chars() {
        if is_plain(c) {
            name.push(c);
        } else if c == ' ' {
            name.push('.');
        }
    }
    if name.len() <= LONGEST && plain.chars().all(is_plain) {
        return name;
    }
    let digest = format!("-{:012x}", digest(&whole) >> 16);
    let mut tail = &name[name.len().saturating_sub(LONGEST - digest.len())..];
    if tail.len() < name.len()
        && let Some((_, parts)) = tail.split_once('.')
    {
        tail = parts;
    }
    format!("{tail}{digest}")
}

/// Sees to it that two functions do not share entries without being told to: the first that asks for a name has it.
///
/// `site` tells the functions apart, `place` is for the message.
///
/// # Errors
/// E046 for the second.
pub(super) fn claim(name: &str, site: usize, place: &'static Location<'static>) -> Result<()> {
    static CLAIMS: Mutex<BTreeMap<String, (usize, &'static Location<'static>)>> = Mutex::new(BTreeMap::new());
    let mut claims = CLAIMS.lock().unwrap_or_else(PoisonError::into_inner);
    let (first, there) = *claims.entry(name.to_owned()).or_insert((site, place));
    if first == site {
        return Ok(());
    }
    let message = format!(
        "cached function: expected a name of its own, got {name:?} at {place}, as at {there}; tell them apart with \
         `name = \"..\"`, or say with `namespace` and `key` that they share entries"
    );
    Err(Error::new(ErrorCode::E046, message))
}

/// FNV-1a: the same in every process.
fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// As long as a namespace may be.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_name() {
        let check = |here, function, expected: &str| assert_eq!(name_of(here, function), expected);
        check("app::find::Here", "find", "app.find");
        check("app::users::find::{{closure}}::Here", "find", "app.users.find");
        check("app::users::forget::{{closure}}::Here", "find", "app.users.find");
        check("app::Users<_>::find::{{closure}}::Here", "find", "app.Users.find");
        check("app::outer::{{closure}}::find::{{closure}}::Here", "find", "app.outer.find");
    }

    #[test]
    fn what_is_no_plain_path_ends_in_a_digest() {
        let one = name_of("<app::Users as app::Repository>::find::{{closure}}::Here", "find");
        let other = name_of("<app::Users as app::Repository<u8>>::find::{{closure}}::Here", "find");
        assert!(one.starts_with("app.Users.as.app.Repository.find-"), "{one}");
        assert_ne!(one, other);
        assert_ne!(name_of("app::naïve::Here", "naïve"), name_of("app::nave::Here", "nave"));
    }

    #[test]
    fn a_long_path_keeps_its_end() {
        let here = format!("app::{}::users::find::Here", "module::".repeat(20));
        let name = name_of(&here, "find");
        assert!(name.len() <= 64 && name.contains(".users.find-") && !name.starts_with('.'), "{name}");
        let endless = name_of(&format!("app::{}::Here", "x".repeat(90)), &"x".repeat(90));
        assert_eq!(endless.len(), 64);
    }

    #[test]
    fn a_name_is_claimed_once() {
        claim("claimed.once", 1, Location::caller()).unwrap();
        claim("claimed.once", 1, Location::caller()).unwrap();
        assert_eq!(claim("claimed.once", 2, Location::caller()).unwrap_err().code(), ErrorCode::E046);
    }
}
