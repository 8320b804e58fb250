//! Master keys as hexadecimal text.

use std::fmt;

use cachekit_core::{Error, ErrorCode, KeyRing, MasterKey, Result};
use zeroize::Zeroizing;

/// The master key that `text` is, in either case of letters. Nothing is trimmed.
///
/// E002 for anything else, with `name` as what was read and without a digit of it.
pub(crate) fn master_key(name: impl fmt::Display, text: &str) -> Result<MasterKey> {
    let wrong = |got: &dyn fmt::Display| Error::invalid(ErrorCode::E002, &name, EXPECTED, got);
    if !text.len().is_multiple_of(2) {
        return Err(wrong(&format_args!("{} characters, an odd number", text.len())));
    }
    if text.len() > MOST {
        return Err(wrong(&format_args!("{} characters", text.len())));
    }
    let mut bytes = Zeroizing::new(vec![0; text.len() / 2]);
    if base16ct::mixed::decode(text, &mut bytes).is_err() {
        return Err(wrong(&"a character that is not hexadecimal"));
    }
    MasterKey::new(&bytes).map_err(|_| wrong(&format_args!("{} characters", text.len())))
}

/// The ring of `current` and of the `previous` keys, each of which is kept once.
///
/// E002 for a malformed key, for too many, and if the current one is among the others.
pub(crate) fn ring<'a>(
    (name, current): (&str, &str),
    previous: impl IntoIterator<Item = (String, &'a str)>,
) -> Result<KeyRing> {
    let current = master_key(name, current)?;
    let mut kept: Vec<MasterKey> = Vec::new();
    for (name, text) in previous {
        let key = master_key(name, text)?;
        // Both came from the same place: nothing is learned from the time that it takes.
        if !kept.iter().any(|known| known.expose() == key.expose()) {
            kept.push(key);
        }
    }
    KeyRing::new(current).with_previous(kept)
}

const EXPECTED: &str = "at least 64 hexadecimal digits";

/// Far beyond any key, so that what is not one is not copied.
const MOST: usize = 8_192;
