//! [`InteropKey`]: the key of a call, as all clients make it.

use std::fmt;

use blake2::{Blake2b256, Digest};
use cachekit_core::{Error, ErrorCode, IntoKey, KeyWriter, Result, SinglePart};

use super::arg::InteropArg;
use super::args::InteropArgs;
use super::writer::ArgWriter;

/// The key of a call in an operation that is shared with other clients: 64 hexadecimal digits, the BLAKE2b digest of its
/// arguments.
///
/// ```
/// use cachekit_serde::interop::InteropKey;
///
/// // As Python's `find(42, flag=False)`, called positionally or by keyword.
/// let key = InteropKey::of(&(42, false))?;
/// assert_eq!(key.as_str(), "b6ffea2de23901f1d6c6293ef85bee825b2dfa1cb78696d6f30d8bad426560c6");
/// assert_ne!(InteropKey::of(&(42, true))?, key);
///
/// let error = InteropKey::of(&("EUR", f64::NAN)).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "E042 ConfigurationError: argument 2 of 2 of an interop key: expected a finite number, got NaN",
/// );
/// # Ok::<(), cachekit_core::Error>(())
/// ```
///
/// It is the key that a namespace opened with
/// [`interop`](https://docs.rs/cachekit-core/latest/cachekit_core/struct.NamespaceBuilder.html#method.interop) takes.
/// `Debug` shows it shortened.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InteropKey([u8; DIGITS]);

impl InteropKey {
    /// The key of a call with these arguments.
    ///
    /// # Errors
    /// E042 for an argument outside the model, naming which: NaN and infinities, integers beyond -2^63 to 2^64 - 1,
    /// and what is longer than 4 GiB.
    pub fn of<A: InteropArgs>(arguments: &A) -> Result<Self> {
        Self::of_call(A::COUNT, |writer| arguments.write_args(writer))
    }

    /// The key of a call whose arguments are of one type and so many.
    ///
    /// # Errors
    /// As for [`of`](Self::of).
    pub fn of_each<A: InteropArg>(arguments: &[A]) -> Result<Self> {
        Self::of_call(arguments.len(), |writer| arguments.iter().for_each(|argument| writer.argument(argument)))
    }

    /// What is hashed for these arguments, to be compared with what another client hashes.
    ///
    /// # Errors
    /// As for [`of`](Self::of).
    pub fn hashed_bytes<A: InteropArg>(arguments: &[A]) -> Result<Vec<u8>> {
        let mut writer = ArgWriter::begin(arguments.len());
        arguments.iter().for_each(|argument| writer.argument(argument));
        writer.end()
    }

    /// The key of a call whose arguments `write` writes, each with [`ArgWriter::argument`].
    #[doc(hidden)]
    pub fn of_call(arguments: usize, write: impl FnOnce(&mut ArgWriter)) -> Result<Self> {
        let mut writer = ArgWriter::begin(arguments);
        write(&mut writer);
        let digest = Blake2b256::digest(writer.end()?);
        let mut digits = [0; DIGITS];
        for (digits, byte) in digits.chunks_exact_mut(2).zip(digest) {
            digits.copy_from_slice(&[byte >> 4, byte & 15].map(|nibble| b"0123456789abcdef"[usize::from(nibble)]));
        }
        Ok(Self(digits))
    }

    /// The key with these digits, which came from elsewhere.
    ///
    /// # Errors
    /// E042 for anything but 64 lowercase hexadecimal digits.
    pub fn from_digits(text: &str) -> Result<Self> {
        let digits = text.as_bytes().try_into().ok().map(Self);
        digits.filter(|key| key.0.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))).ok_or_else(|| {
            let got = format_args!("{} bytes{}", text.len(), if text.len() == DIGITS { " that are none" } else { "" });
            Error::invalid(ErrorCode::E042, "interop key", format_args!("{DIGITS} lowercase hexadecimal digits"), got)
        })
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // They are ASCII.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl IntoKey for InteropKey {
    fn write_key(&self, writer: &mut KeyWriter) {
        writer.text(self.as_str());
    }

    #[inline]
    fn single_part(&self) -> Option<SinglePart<'_>> {
        Some(SinglePart::Text(self.as_str()))
    }
}

impl fmt::Debug for InteropKey {
    /// Arguments that are guessed could be confirmed by the whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InteropKey({}..)", &self.as_str()[..8])
    }
}

const DIGITS: usize = 64;
