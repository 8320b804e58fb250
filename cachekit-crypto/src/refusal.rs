//! What the encryptions of both layouts say when they refuse, and what they leave behind then.

use std::fmt;

use cachekit_core::{Error, ErrorCode, Result};
use zeroize::Zeroize;

use crate::cipher::Refused;

/// Has `open` undo the encryption of `bytes`, and wipes them if it fails: also whatever was decrypted before a tag was
/// found wrong.
pub(crate) fn open_or_wipe(bytes: &mut Vec<u8>, open: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
    let opened = open(bytes);
    if opened.is_err() {
        bytes.zeroize();
    }
    opened
}

/// E003 for what does not open.
pub(crate) fn refused(expected: impl fmt::Display, got: impl fmt::Display) -> Error {
    Error::invalid(ErrorCode::E003, "encrypted entry", expected, got)
}

/// E020 for what cannot be sealed: there is but one reason.
pub(crate) fn too_long(_: Refused) -> Error {
    Error::new(ErrorCode::E020, "encryption: expected at most 64 GiB in one value, got more")
}
