//! [`Cipher`]: who computes AES-256-GCM.

#[cfg(feature = "aws-lc")]
mod aws_lc;
mod rust_crypto;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;

/// Who computes AES-256-GCM. All of them make the same bytes, so that one opens what another has sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cipher {
    /// The crate `aes-gcm`: Rust alone. It uses the processor's instructions for AES where it finds them at run time.
    #[default]
    RustCrypto,
    /// AWS-LC, in C and assembly: two to five times faster for what is longer than a few hundred bytes.
    #[cfg(feature = "aws-lc")]
    AwsLc,
}

impl Cipher {
    /// The fastest of those that were compiled in.
    #[must_use]
    pub fn fastest() -> Self {
        #[cfg(feature = "aws-lc")]
        return Self::AwsLc;
        #[cfg(not(feature = "aws-lc"))]
        Self::RustCrypto
    }

    /// Expands `key`, once for all that it will seal and open.
    pub(crate) fn expand(self, key: &[u8; KEY]) -> Box<dyn Aead> {
        match self {
            Self::RustCrypto => Box::new(rust_crypto::Expanded::new(key)),
            #[cfg(feature = "aws-lc")]
            Self::AwsLc => Box::new(aws_lc::Expanded::new(key)),
        }
    }
}

/// AES-256-GCM under one expanded key, which is wiped on drop.
///
/// The caller sees to it that no nonce is used twice.
pub(crate) trait Aead: fmt::Debug + Send + Sync {
    /// Encrypts `text` in place and returns the tag over it and `context`.
    ///
    /// Refuses what is too long for the mode, 64 GiB; then `text` is worth nothing.
    fn seal(&self, nonce: &[u8; NONCE], context: &[u8], text: &mut [u8]) -> Result<[u8; TAG], Refused>;

    /// Decrypts `sealed`, which ends in its tag, in place: all but the tag is the text then.
    ///
    /// Refuses what does not authenticate; then `sealed` is to be wiped.
    fn open(&self, nonce: &[u8; NONCE], context: &[u8], sealed: &mut [u8]) -> Result<(), Refused>;
}

/// Why is not told: it helps nobody but a forger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused;

pub(crate) const KEY: usize = 32;
pub(crate) const NONCE: usize = 12;
pub(crate) const TAG: usize = 16;
